use proptest::prelude::*;

use super::*;

fn dated(consent: &str, assent: &str, withdrawn: &str, until: &str) -> Consent {
    let day = |day: &str| (!day.is_empty()).then(|| format!("2026-11-{day}"));
    Consent {
        consent_on: day(consent),
        assent_on: day(assent),
        withdrawn_on: day(withdrawn),
        terms: day(until).map(|until| Box::new(Terms { until: Some(until), ..Terms::default() })),
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

/// Born in November 2011, where the own word is enough from 14: from December 2025 on.
fn fifteen(consent: Consent) -> Consent {
    Consent { born_in: Some("2011-11".into()), own_word_age: Some(14), ..consent }
}

#[test]
fn from_the_age_on_a_childs_own_word_is_enough() {
    let guardian_refused =
        |consent: Consent| Consent { guardian_withdrawn_on: Some("2026-11-05".into()), ..consent };
    let cases = [
        ("the child alone", dated("", "01", "", ""), Agreed::NotYet, Agreed::Given),
        ("the guardian alone", dated("01", "", "", ""), Agreed::NotYet, Agreed::NotYet),
        ("the child refuses", dated("09", "01", "02", ""), Agreed::Refused, Agreed::Withdrawn),
        (
            "the guardian refuses",
            guardian_refused(dated("01", "01", "", "")),
            Agreed::Withdrawn,
            Agreed::Given,
        ),
        ("it is over", dated("01", "01", "", "10"), Agreed::Expired, Agreed::Expired),
    ];

    for (what, consent, below, above) in cases {
        let of_age = fifteen(consent.clone());
        let younger = Consent { own_word_age: Some(16), ..of_age.clone() };
        assert_eq!(consent.taking_part("2026-11-10"), below, "{what}, of unknown age");
        assert_eq!(younger.taking_part("2026-11-10"), below, "{what}, below it");
        assert_eq!(of_age.taking_part("2026-11-10"), above, "{what}, above it");
    }
}

#[test]
fn a_birthday_changes_what_holds_without_a_word() {
    let consent = Consent { born_in: Some("2012-11".into()), ..fifteen(dated("", "01", "", "")) };
    let consent = Consent {
        counting_assent_on: Some("2026-11-03".into()),
        counting_on: Some("2026-11-04".into()),
        ..consent
    };

    assert_eq!(consent.turns_on("2026-11-30").as_deref(), Some("2026-12-01"));
    let takes_part = ["2026-11-30", "2026-12-01"].map(|on| consent.takes_part(on));
    assert_eq!(takes_part, [false, true]);
    assert_eq!(consent.turns_on("2026-12-01"), None);
}

proptest! {
    #[test]
    fn who_grows_older_loses_no_agreement_by_it(consent in any_consent(), age in 13_u8..18) {
        let of_age = |age| Consent { own_word_age: Some(age), ..consent.clone() };
        let (younger, older) = (of_age(age + 1), of_age(age));

        for on in days() {
            prop_assert!(!younger.takes_part(&on) || older.takes_part(&on), "{on}");
            prop_assert!(!younger.is_counted(&on) || older.is_counted(&on), "{on}");
        }
    }

    #[test]
    fn a_childs_dissent_wins_whatever_its_age(consent in any_consent()) {
        let Some(withdrawn) = consent.withdrawn_on.clone() else { return Ok(()) };
        let newer = Consent {
            consent_on: Some("2026-12-31".into()),
            assent_on: consent.assent_on.clone().filter(|assent| *assent <= withdrawn),
            ..consent
        };

        for on in days() {
            prop_assert!(!newer.takes_part(&on), "{on}");
            prop_assert!(!newer.is_counted(&on), "{on}");
        }
    }

    #[test]
    fn a_guardians_dissent_wins_while_its_word_is_needed(consent in any_consent()) {
        let refused = Consent {
            guardian_withdrawn_on: Some("2026-12-31".into()),
            ..consent.clone()
        };

        for on in days() {
            let expected = consent.takes_part(&on) && consent.is_own_word(&on);
            let alone = Consent { consent_on: None, guardian_withdrawn_on: None, ..consent.clone() };
            prop_assert!(!refused.takes_part(&on) || refused.is_own_word(&on), "{on}");
            prop_assert_eq!(refused.takes_part(&on), alone.takes_part(&on), "{}", on);
            prop_assert!(!expected || refused.takes_part(&on), "{on}");
        }
    }

    #[test]
    fn it_holds_no_more_on_the_day_on_which_it_ends(consent in any_consent()) {
        let Some(until) = consent.terms.as_ref().and_then(|terms| terms.until.clone()) else {
            return Ok(());
        };

        for on in days().filter(|on| **on >= *until) {
            prop_assert!(!consent.takes_part(&on), "{on}");
        }
    }

    #[test]
    fn between_two_turns_nothing_changes(consent in any_consent()) {
        for (on, next) in days().zip(days().skip(1)) {
            let turns = consent.turns_on(&on).is_some_and(|turn| turn <= next);
            let holds = |on: &str| (consent.takes_part(on), consent.is_counted(on));
            prop_assert!(turns || holds(&on) == holds(&next), "{on}");
        }
    }
}

fn days() -> impl Iterator<Item = String> {
    let day = |at: u32| format!("2026-{:02}-{:02}", 11 + at / 30, 1 + at % 30);
    (0..60).map(day)
}

fn any_consent() -> impl Strategy<Value = Consent> {
    let day = || proptest::option::of((0_usize..60).prop_map(|at| days().nth(at).unwrap()));
    let said = || (day(), day(), proptest::option::weighted(0.3, day()), day());
    let terms = |until: Option<String>| {
        until.map(|until| Box::new(Terms { until: Some(until), ..Terms::default() }))
    };
    let born = proptest::sample::select(vec!["2009-06", "2012-10", "2012-11", "2013-03"]);
    let rest = (day(), day(), proptest::option::of(born), 13_u8..=18);
    (said(), said(), rest).prop_map(move |(part, counting, (one, other, born, age))| Consent {
        consent_on: part.0,
        assent_on: part.1,
        withdrawn_on: part.2.flatten(),
        terms: terms(part.3),
        counting_on: counting.0,
        counting_assent_on: counting.1,
        counting_withdrawn_on: counting.2.flatten(),
        counting_terms: terms(counting.3),
        guardian_withdrawn_on: one,
        counting_guardian_withdrawn_on: other,
        born_in: born.map(str::to_owned),
        own_word_age: Some(age),
        ..Consent::none(MemberId(3))
    })
}

#[test]
fn what_an_older_relay_wrote_still_reads() {
    let older = dated("01", "02", "", "");
    let bytes = minicbor::to_vec(&older).unwrap();

    assert_eq!(bytes[0], 0x83, "what is not said takes no room");
    assert_eq!(minicbor::decode::<Consent>(&bytes).unwrap(), older);
}
