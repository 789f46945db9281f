//! What follows from a consent, from staff's word or a phone's; and a birthday on a real relay's clock.

use jiashu_contact::standing::Standing;
use jiashu_proto::entry::{Jurisdiction, OF_AGE};
use jiashu_proto::id::DeviceId;

use super::*;
use crate::contact::tests::{PROGRAMME, Weeks, at};
use crate::programme::{ProgrammeFact as _, entry};

const LILI: MemberId = MemberId(3);
/// 10 November 2026.
const NOW: Millis = 1_794_268_800_000;

fn roster() -> Roster {
    let (enrol, _) = jiashu_tests::FamilySpec::li().draw("GS-001", 0);
    let mut roster = Roster::new();
    let _ = roster.append(&enrol.link, None).unwrap();
    roster
}

fn day(day: &str) -> Option<String> {
    Some(format!("2026-11-{day}"))
}

fn yearly() -> ConsentSettings {
    let jurisdiction = Some(Jurisdiction::Italy);
    ConsentSettings { jurisdiction, text_version: Some(2), valid_months: Some(12) }
}

/// What stands after staff recorded this one after the other.
fn recorded(settings: ConsentSettings, said: &[Consent]) -> (Consent, bool) {
    let mut standing: Vec<(Seq, Consent)> = Vec::new();
    let mut active = false;
    for consent in said {
        let record = RecordConsent { case_code: "GS-001".into(), consent: consent.clone() };
        let decided = decide_consent(&record, &roster(), &standing, settings, Some("ro"), NOW);
        let (batch, moves) = decided.unwrap();
        active = moves;
        let content = Content::from_bytes(&batch.entries[0].content).unwrap();
        let Content::Consent(consent) = content else { panic!("a consent, not {content:?}") };
        standing = vec![(7, consent)];
    }
    (standing.pop().unwrap().1, active)
}

fn of_lili() -> Consent {
    Consent::none(LILI)
}

#[test]
fn what_nobody_said_is_as_the_settings_have_it_then_and_stays_so() {
    let by_guardian = Consent { consent_on: day("02"), assent_on: day("03"), ..of_lili() };
    let counted = Consent { counting_on: day("05"), ..of_lili() };

    let (first, active) = recorded(yearly(), std::slice::from_ref(&by_guardian));
    let (later, _) = recorded(yearly(), &[by_guardian.clone(), counted]);
    let (none, _) = recorded(ConsentSettings::default(), std::slice::from_ref(&by_guardian));

    let terms = first.terms.clone().unwrap();
    assert_eq!((terms.version, terms.language.as_deref()), (Some(2), Some("ro")));
    assert_eq!(terms.until.as_deref(), Some("2027-11-02"), "a year from the guardian's date");
    assert!(active && first.counting_terms.is_none());
    assert_eq!(later.counting_terms.unwrap().until.as_deref(), Some("2027-11-05"));
    assert_eq!((later.terms, none.terms), (first.terms.clone(), None));
    let settings = ConsentSettings { text_version: Some(9), ..yearly() };
    let earlier = merge(by_guardian, first.clone(), settings, None, "2026-11-10").unwrap();
    assert_eq!(earlier, first, "a repeat changes nothing");
}

#[test]
fn what_was_said_is_not_overruled_by_a_setting() {
    let terms = Terms { version: Some(7), until: day("30"), ..Terms::default() };
    let said = Consent { consent_on: day("02"), terms: Some(Box::new(terms.clone())), ..of_lili() };

    let (recorded, _) = recorded(yearly(), &[said]);

    assert_eq!(recorded.terms, Some(Box::new(terms)));
}

#[test]
fn a_month_that_has_no_such_day_ends_on_its_last() {
    let cases = [
        ("2027-01-31", 1, Some("2027-02-28")),
        ("2028-02-29", 12, Some("2029-02-28")),
        ("2026-11-02", 240, Some("2046-11-02")),
        ("9999-12-01", 240, None),
    ];

    for (on, months, expected) in cases {
        assert_eq!(ends_after(on, months).as_deref(), expected, "{on} and {months}");
    }
}

#[test]
fn a_child_of_the_age_is_asked_alone_and_its_guardian_cannot_refuse_for_it() {
    let born = Consent { born_in: Some("2011-05".into()), ..of_lili() };
    let alone = Consent { assent_on: day("02"), ..born.clone() };
    let refused = Consent { guardian_withdrawn_on: day("09"), ..of_lili() };

    let (consent, active) = recorded(yearly(), &[alone.clone(), refused.clone()]);
    let (younger, both) = recorded(ConsentSettings::default(), &[alone, refused]);

    assert!(active && !both);
    assert_eq!(consent.terms.unwrap().until.as_deref(), Some("2027-11-02"), "from its own date");
    assert_eq!((consent.own_word_age, younger.own_word_age), (Some(14), Some(OF_AGE)));
    let sender = Sender { device: DeviceId(2), members: vec![MemberId(2), LILI] };
    let withdraw = |from: u32| Withdraw {
        n: 1,
        entry_ref: jiashu_proto::id::Ref([1; 12]),
        from: MemberId(from),
        of: vec![LILI],
        what: Agreement::TakingPart,
        on: "2026-11-10".into(),
    };
    let standing = [(7, Consent { own_word_age: Some(14), assent_on: day("02"), ..born })];
    let by = |from| decide_withdrawal(&sender, &withdraw(from), &roster(), &standing, NOW);
    assert_eq!(by(2).unwrap_err().code, ErrorCode::NotAllowed);
    assert!(by(3).unwrap().changes.contains(&Change::SetActive(false)));
}

#[test]
fn a_guardian_who_takes_it_back_says_so_apart_from_the_child() {
    let sender = Sender { device: DeviceId(2), members: vec![MemberId(2)] };
    let withdraw = Withdraw {
        n: 1,
        entry_ref: jiashu_proto::id::Ref([1; 12]),
        from: MemberId(2),
        of: vec![LILI],
        what: Agreement::Counting,
        on: "2026-11-10".into(),
    };

    let batch = decide_withdrawal(&sender, &withdraw, &roster(), &[], NOW).unwrap();

    let said = Consent { counting_guardian_withdrawn_on: day("10"), ..of_lili() };
    assert_eq!(batch.entries, [NewEntry::of(&Content::Consent(said))]);
}

#[test]
fn what_is_taken_back_stays_so_whatever_day_it_is_on_the_phone_or_was_then() {
    let phone = Sender { device: DeviceId(2), members: vec![LILI] };
    let by = |on: &str, stands: &Consent| {
        let withdraw = Withdraw {
            n: 1,
            entry_ref: jiashu_proto::id::Ref([1; 12]),
            from: LILI,
            of: vec![LILI],
            what: Agreement::TakingPart,
            on: on.into(),
        };
        let standing = [(7, stands.clone())];
        let batch = decide_withdrawal(&phone, &withdraw, &roster(), &standing, NOW)?;
        Ok::<_, Refusal>(batch.changes.contains(&Change::SetActive(false)))
    };
    // Agreed to in Gansu, where it is the 10th already.
    let today = Consent { consent_on: day("10"), assent_on: day("10"), ..of_lili() };
    let lately = Consent { consent_on: day("02"), assent_on: day("02"), ..of_lili() };

    assert_eq!(by("2026-11-09", &today), Ok(true), "taken back in Prato, where it is the 9th");
    assert_eq!(by("2026-11-04", &lately), Ok(true), "six days ago, on a phone without a signal");
    assert_eq!(by("2026-11-01", &lately), Ok(false), "both have agreed since");
    assert!(by("2026-11-12", &lately).is_err(), "that day has begun nowhere");

    // Nor does an older refusal that staff type take the place of it.
    let refused = Consent { withdrawn_on: day("05"), ..of_lili() };
    let older = Consent { withdrawn_on: Some("2020-01-01".into()), ..of_lili() };
    assert!(!recorded(ConsentSettings::default(), &[lately.clone(), refused, older]).1);
    let to_come = Consent { consent_on: Some("2099-01-01".into()), ..lately };
    let record = RecordConsent { case_code: "GS-001".into(), consent: to_come };
    let settings = ConsentSettings::default();
    assert!(decide_consent(&record, &roster(), &[], settings, None, NOW).is_err());
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    let terms = Some(Box::new(Terms { version: Some(1), ..Terms::default() }));
    let cases = [
        ("an age that the relay did not say", Consent { own_word_age: Some(3), ..of_lili() }),
        ("a day of birth", Consent { born_in: Some("2011-05-09".into()), ..of_lili() }),
        ("a month to come", Consent { born_in: Some("2026-12".into()), ..of_lili() }),
        ("no month", Consent { born_in: Some("2011-13".into()), ..of_lili() }),
        ("an adult's", Consent { born_in: Some("1990-01".into()), ..Consent::none(MemberId(1)) }),
        ("terms of a child alone below it", Consent { assent_on: day("02"), terms, ..of_lili() }),
        ("no date", Consent { guardian_withdrawn_on: Some("soon".into()), ..of_lili() }),
    ];

    for (what, consent) in cases {
        let record = RecordConsent { case_code: "GS-001".into(), consent };
        let refused = decide_consent(&record, &roster(), &[], yearly(), None, NOW).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Malformed, "{what}");
    }
    let now = Consent { born_in: Some("2026-11".into()), ..of_lili() };
    let record = RecordConsent { case_code: "GS-001".into(), consent: now };
    assert!(decide_consent(&record, &roster(), &[], yearly(), None, NOW).is_ok());
}

#[tokio::test]
async fn a_birthday_is_noticed_on_its_day_without_a_word() {
    let weeks = Weeks::begin().await;
    let jurisdiction = Some(Jurisdiction::Italy);
    let settings = ConsentSettings { jurisdiction, ..ConsentSettings::default() };
    let entries = vec![entry(ConsentSettings::KEYS.to_owned(), &settings)];
    let settled = Batch { entries, ..Batch::new(weeks.relay.clock.now()) };
    weeks.relay.store.commit(PROGRAMME, settled).await.unwrap();
    weeks
        .consent(|consent| {
            consent.born_in = Some("2012-11".into());
            consent.guardian_withdrawn_on = Some("2026-11-03".into());
        })
        .await;
    let state = async |weeks: &Weeks| {
        let state = weeks.relay.store.state(weeks.family).await.unwrap().unwrap();
        (state.active, state.counted_since)
    };

    // The month after the birthday begins in Greenwich: at eight in Gansu.
    weeks.until("2026-12-01T07:30").await;
    assert_eq!(state(&weeks).await, (false, None));
    weeks.until("2026-12-01T09:00").await;

    assert_eq!(state(&weeks).await, (true, Some(at("2026-12-01T08:30"))));
    weeks.until("2026-12-01T10:00").await;
    assert_eq!(weeks.standing().await, Standing::New, "she is looked at as one who just began");
}
