//! What a child and its guardian agreed to, by which text, how, and until when: what of it holds on a day is decided here,
//! for the relay and the command line alike.

use minicbor::{Decode, Encode};

use crate::id::MemberId;

/// How consent was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum How {
    /// Signed.
    #[n(1)]
    Written,
    /// Said, after the text was read out, and a witness heard it.
    #[n(2)]
    OralWithWitness,
    /// By a thumbprint under the text.
    #[n(3)]
    Thumbprint,
    /// Said on the telephone.
    #[n(4)]
    Telephone,
    /// On a page.
    #[n(5)]
    Online,
}

impl How {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Written, Self::OralWithWitness, Self::Thumbprint, Self::Telephone, Self::Online];

    /// The word in lists and `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::OralWithWitness => "oral-with-witness",
            Self::Thumbprint => "thumbprint",
            Self::Telephone => "telephone",
            Self::Online => "online",
        }
    }

    /// The one of that word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|how| how.name() == name)
    }
}

/// By what consent was given: codes and dates, never a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Terms {
    /// Number of the programme's text that was read.
    #[n(0)]
    pub version: Option<u32>,
    /// BCP 47 language of that text.
    #[n(1)]
    pub language: Option<String>,
    /// How.
    #[n(2)]
    pub how: Option<How>,
    /// Whether a witness was there.
    #[n(3)]
    pub witnessed: Option<bool>,
    /// Civil date from which on it holds no more.
    #[n(4)]
    pub until: Option<String>,
}

/// That a member takes part, and that its contact is counted. A child needs for each of the two the guardian's
/// consent and the child's own assent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Consent {
    /// The member.
    #[n(0)]
    pub member: MemberId,
    /// Civil date of the consent, `YYYY-MM-DD`; of a child the guardian's.
    #[n(1)]
    pub consent_on: Option<String>,
    /// Civil date of the child's assent.
    #[n(2)]
    pub assent_on: Option<String>,
    /// Civil date of the consent to counting; of a child the guardian's.
    #[n(3)]
    pub counting_on: Option<String>,
    /// Civil date of the child's assent to counting.
    #[n(4)]
    pub counting_assent_on: Option<String>,
    /// Civil date on which the guardian or the child refused or took back taking part; it wins until both have agreed
    /// on a later day.
    #[n(5)]
    pub withdrawn_on: Option<String>,
    /// The same of counting.
    #[n(6)]
    pub counting_withdrawn_on: Option<String>,
    /// By what the guardian's consent was given.
    #[n(7)]
    pub terms: Option<Box<Terms>>,
    /// The same of counting.
    #[n(8)]
    pub counting_terms: Option<Box<Terms>>,
}

/// Whether something is agreed to on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// Nobody was asked, or not both have answered.
    NotYet,
    /// Both agree.
    Given,
    /// Both agreed, and its time is over.
    Expired,
    /// Both had agreed, and one of them took it back.
    Withdrawn,
    /// One of them refused, before both had agreed.
    Refused,
}

impl Agreed {
    /// The word in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotYet => "not_yet",
            Self::Given => "given",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Refused => "refused",
        }
    }

    /// On that day. Dates sort as their texts do. Dissent wins: what one of them took back no newer word of the other
    /// alone brings back, only both.
    fn of(
        consent: Option<&String>,
        assent: Option<&String>,
        withdrawn: Option<&String>,
        terms: Option<&Terms>,
        on: &str,
    ) -> Self {
        let both = consent.zip(assent);
        if let Some(withdrawn) = withdrawn
            && both.is_none_or(|(consent, assent)| withdrawn >= consent.min(assent))
        {
            let had = both.is_some_and(|(consent, assent)| withdrawn >= consent.max(assent));
            return if had { Self::Withdrawn } else { Self::Refused };
        }
        let until = terms.and_then(|terms| terms.until.as_deref());
        match both {
            None => Self::NotYet,
            Some(_) if until.is_some_and(|until| until <= on) => Self::Expired,
            Some(_) => Self::Given,
        }
    }
}

impl Consent {
    /// Of a member of whom nothing is recorded.
    #[must_use]
    pub fn none(member: MemberId) -> Self {
        Self {
            member,
            consent_on: None,
            assent_on: None,
            counting_on: None,
            counting_assent_on: None,
            withdrawn_on: None,
            counting_withdrawn_on: None,
            terms: None,
            counting_terms: None,
        }
    }

    /// Whether this child's taking part is agreed to on that civil date.
    #[must_use]
    pub fn taking_part(&self, on: &str) -> Agreed {
        let Self { consent_on, assent_on, withdrawn_on, terms, .. } = self;
        let (consent, assent) = (consent_on.as_ref(), assent_on.as_ref());
        Agreed::of(consent, assent, withdrawn_on.as_ref(), terms.as_deref(), on)
    }

    /// Whether counting its contact is, looked at by itself.
    #[must_use]
    pub fn counting(&self, on: &str) -> Agreed {
        let (consent, assent) = (self.counting_on.as_ref(), self.counting_assent_on.as_ref());
        let (withdrawn, terms) =
            (self.counting_withdrawn_on.as_ref(), self.counting_terms.as_deref());
        Agreed::of(consent, assent, withdrawn, terms, on)
    }

    /// Whether this child takes part on that day: its guardian and it agree.
    #[must_use]
    pub fn takes_part(&self, on: &str) -> bool {
        self.taking_part(on) == Agreed::Given
    }

    /// Whether this child's contact may be counted on that day: its guardian and it agree to that, too.
    #[must_use]
    pub fn is_counted(&self, on: &str) -> bool {
        self.takes_part(on) && self.counting(on) == Agreed::Given
    }

    /// The next civil date on which something that is agreed to on that day holds no more.
    #[must_use]
    pub fn ends_on(&self, on: &str) -> Option<&str> {
        let part = self.terms.as_ref().filter(|_| self.takes_part(on));
        let counting = self.counting_terms.as_ref().filter(|_| self.is_counted(on));
        [part, counting].into_iter().flatten().filter_map(|terms| terms.until.as_deref()).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dated(consent: &str, assent: &str, withdrawn: &str, until: &str) -> Consent {
        let day = |day: &str| (!day.is_empty()).then(|| format!("2026-11-{day}"));
        Consent {
            consent_on: day(consent),
            assent_on: day(assent),
            withdrawn_on: day(withdrawn),
            terms: day(until)
                .map(|until| Box::new(Terms { until: Some(until), ..Terms::default() })),
            ..Consent::none(MemberId(3))
        }
    }

    #[test]
    fn dissent_wins_and_what_has_ended_ends_by_itself() {
        let cases = [
            ("nobody was asked", ["", "", "", ""], Agreed::NotYet),
            ("the guardian alone", ["01", "", "", ""], Agreed::NotYet),
            ("the child alone", ["", "01", "", ""], Agreed::NotYet),
            ("both", ["01", "02", "", ""], Agreed::Given),
            ("the child refuses", ["01", "", "02", ""], Agreed::Refused),
            ("asked again, the guardian says yes", ["05", "", "02", ""], Agreed::Refused),
            ("and the child does not", ["05", "01", "02", ""], Agreed::Refused),
            ("both, later", ["05", "06", "02", ""], Agreed::Given),
            ("the child alone, later", ["01", "06", "02", ""], Agreed::Refused),
            ("taken back", ["01", "02", "03", ""], Agreed::Withdrawn),
            ("on the day it was given", ["02", "02", "02", ""], Agreed::Withdrawn),
            ("the last day", ["01", "02", "", "11"], Agreed::Given),
            ("the day after", ["01", "02", "", "10"], Agreed::Expired),
            ("taken back, and over", ["01", "02", "03", "05"], Agreed::Withdrawn),
        ];

        for (what, [consent, assent, withdrawn, until], expected) in cases {
            let consent = dated(consent, assent, withdrawn, until);
            assert_eq!(consent.taking_part("2026-11-10"), expected, "{what}");
        }
    }

    #[test]
    fn counting_ends_with_taking_part_or_before() {
        let mut consent = dated("01", "01", "", "20");
        (consent.counting_on, consent.counting_assent_on) =
            (consent.consent_on.clone(), consent.assent_on.clone());
        let until = Some("2026-11-15".to_owned());
        consent.counting_terms = Some(Box::new(Terms { until, ..Terms::default() }));

        assert_eq!(consent.ends_on("2026-11-10"), Some("2026-11-15"));
        assert_eq!(consent.ends_on("2026-11-15"), Some("2026-11-20"));
        assert_eq!(consent.ends_on("2026-11-20"), None);
        let counted = ["2026-11-14", "2026-11-15"].map(|on| consent.is_counted(on));
        assert_eq!((counted, consent.takes_part("2026-11-15")), ([true, false], true));
    }

    #[test]
    fn what_an_older_relay_wrote_still_reads() {
        let older = dated("01", "02", "", "");
        let bytes = minicbor::to_vec(&older).unwrap();

        assert_eq!(bytes[0], 0x83, "what is not said takes no room");
        assert_eq!(minicbor::decode::<Consent>(&bytes).unwrap(), older);
    }
}
