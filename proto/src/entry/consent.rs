//! What a child and its guardian agreed to, by which text, how, and until when: what of it holds on a day is decided here,
//! for the relay and the command line alike.

use minicbor::{Decode, Encode};

use super::jurisdiction::own_word_from;
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
/// consent and the child's own assent; from the day on which its own word is enough, its assent alone.
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
    /// Civil date on which the child, or nobody says who, refused or took back taking part; it wins until all who are
    /// needed have agreed on a later day.
    #[n(5)]
    pub withdrawn_on: Option<String>,
    /// The same of counting.
    #[n(6)]
    pub counting_withdrawn_on: Option<String>,
    /// By what consent was given: the guardian's, or the child's whose own word is enough.
    #[n(7)]
    pub terms: Option<Box<Terms>>,
    /// The same of counting.
    #[n(8)]
    pub counting_terms: Option<Box<Terms>>,
    /// Civil date on which the guardian refused or took back taking part; it is heard until the child's own word is
    /// enough.
    #[n(9)]
    pub guardian_withdrawn_on: Option<String>,
    /// The same of counting.
    #[n(10)]
    pub counting_guardian_withdrawn_on: Option<String>,
    /// Month in which a child was born, `YYYY-MM`; the day is not told.
    #[n(11)]
    pub born_in: Option<String>,
    /// From which age, in years, the child's own word was enough when this was recorded. Said by the relay.
    #[n(12)]
    pub own_word_age: Option<u8>,
}

/// Whether something is agreed to on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreed {
    /// Nobody was asked, or not all who are needed have answered.
    NotYet,
    /// All who are needed agree.
    Given,
    /// They agreed, and its time is over.
    Expired,
    /// They had agreed, and one of them took it back.
    Withdrawn,
    /// One of them refused, before all had agreed.
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
}

/// What is recorded of one of the two agreements.
#[derive(Clone, Copy, Debug)]
struct Said<'a> {
    consent: Option<&'a str>,
    assent: Option<&'a str>,
    withdrawn: Option<&'a str>,
    guardian_withdrawn: Option<&'a str>,
    until: Option<&'a str>,
}

impl<'a> Said<'a> {
    /// On that day; `alone` says whether the child's own word is enough on it. Dates sort as their texts do. Dissent wins:
    /// what one of them took back no newer word of the other alone brings back, only both.
    fn on(self, alone: bool, on: &str) -> Agreed {
        let guardian = if alone { self.assent } else { self.consent };
        let heard = self.guardian_withdrawn.filter(|_| !alone);
        let both = guardian.zip(self.assent);
        if let Some(withdrawn) = self.withdrawn.max(heard)
            && both.is_none_or(|(consent, assent)| withdrawn >= consent.min(assent))
        {
            let had = both.is_some_and(|(consent, assent)| withdrawn >= consent.max(assent));
            return if had { Agreed::Withdrawn } else { Agreed::Refused };
        }
        match both {
            None => Agreed::NotYet,
            Some(_) if self.until.is_some_and(|until| until <= on) => Agreed::Expired,
            Some(_) => Agreed::Given,
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
            guardian_withdrawn_on: None,
            counting_guardian_withdrawn_on: None,
            born_in: None,
            own_word_age: None,
        }
    }

    /// The civil date from which on this child's own word is enough, if that is known.
    #[must_use]
    pub fn own_word_from(&self) -> Option<String> {
        own_word_from(self.born_in.as_deref()?, self.own_word_age?)
    }

    /// Whether this child's own word is enough on that civil date, without the guardian's.
    #[must_use]
    pub fn is_own_word(&self, on: &str) -> bool {
        self.own_word_from().is_some_and(|from| *from <= *on)
    }

    fn of_part(&self) -> Said<'_> {
        Said {
            consent: self.consent_on.as_deref(),
            assent: self.assent_on.as_deref(),
            withdrawn: self.withdrawn_on.as_deref(),
            guardian_withdrawn: self.guardian_withdrawn_on.as_deref(),
            until: self.terms.as_ref().and_then(|terms| terms.until.as_deref()),
        }
    }

    fn of_counting(&self) -> Said<'_> {
        Said {
            consent: self.counting_on.as_deref(),
            assent: self.counting_assent_on.as_deref(),
            withdrawn: self.counting_withdrawn_on.as_deref(),
            guardian_withdrawn: self.counting_guardian_withdrawn_on.as_deref(),
            until: self.counting_terms.as_ref().and_then(|terms| terms.until.as_deref()),
        }
    }

    /// Whether this child's taking part is agreed to on that civil date.
    #[must_use]
    pub fn taking_part(&self, on: &str) -> Agreed {
        self.of_part().on(self.is_own_word(on), on)
    }

    /// Whether counting its contact is, looked at by itself.
    #[must_use]
    pub fn counting(&self, on: &str) -> Agreed {
        self.of_counting().on(self.is_own_word(on), on)
    }

    /// Whether this child takes part on that day: all who are needed agree.
    #[must_use]
    pub fn takes_part(&self, on: &str) -> bool {
        self.taking_part(on) == Agreed::Given
    }

    /// Whether this child's contact may be counted on that day: all who are needed agree to that, too.
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

    /// The next civil date on which by itself something else may hold than on that day: a time is over, or the child's own
    /// word is enough.
    #[must_use]
    pub fn turns_on(&self, on: &str) -> Option<String> {
        let own_word_from = self.own_word_from().filter(|from| **from > *on);
        own_word_from.into_iter().chain(self.ends_on(on).map(str::to_owned)).min()
    }
}

#[cfg(test)]
mod tests;
