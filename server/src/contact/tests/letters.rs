//! How far letters came.

use jiashu_proto::entry::{Fired, Notice, Noticed};

use super::ends::join;
use super::*;
use crate::contact::funnel::{Funnel, Steps, funnel};

const GRANDMOTHER: MemberId = MemberId(2);
const HOME_PHONE: DeviceId = DeviceId(2);

/// The family Li with the mother's phone and one at home.
async fn two_phones() -> Weeks {
    let weeks = Weeks::begin().await;
    join(&weeks, 0).await;
    join(&weeks, 1).await;
    weeks
}

/// Somebody writes: the letter stands in the log, and that it went in the ledger. Its ref, and its place.
async fn wrote(
    weeks: &mut Weeks,
    from: MemberId,
    to: &[MemberId],
    fired: Option<Fired>,
) -> (Ref, u64) {
    weeks.letters += 1;
    let entry_ref = Ref([weeks.letters; 12]);
    let device = if from == MOTHER { DeviceId(1) } else { HOME_PHONE };
    let message = Message {
        device,
        from,
        entry_ref,
        epoch: 3,
        to: to.to_vec(),
        sealed: vec![7; 40],
        key: None,
        until: None,
        blob: None,
        fired,
    };
    let now = weeks.relay.clock.now();
    let sent = Sent::of(1, &message, now).unwrap();
    let entries = vec![NewEntry::of(&Content::Message(1, message))];
    let batch = Batch { entries, changes: vec![sent], ..Batch::new(now) };
    (entry_ref, weeks.relay.store.commit(weeks.family, batch).await.unwrap().first)
}

/// Somebody heard it just now.
async fn heard(weeks: &Weeks, of: Ref, by: MemberId, author: MemberId) {
    let now = weeks.relay.clock.now();
    let device = if by == MOTHER { DeviceId(1) } else { HOME_PHONE };
    let rung = Rung::Opened;
    let receipt = Receipt { device, from: by, of, to: author, rung, at: now, share: None };
    let batch = Batch { changes: vec![Heard::of(&receipt, now).unwrap()], ..Batch::new(now) };
    weeks.relay.store.commit(weeks.family, batch).await.unwrap();
}

/// The phone at home has read up to there.
fn reads(weeks: &Weeks, seq: u64) {
    weeks.relay.store.note_cursor(weeks.family, HOME_PHONE, seq, weeks.relay.clock.now());
}

async fn came(weeks: &Weeks) -> Funnel {
    funnel(&weeks.relay, PROGRAMME, weeks.family).await.unwrap().unwrap()
}

fn steps(sent: u32, reached: u32, heard: u32, answered: u32) -> Steps {
    Steps { sent, reached, heard, answered }
}

#[tokio::test]
async fn a_letter_goes_from_sent_to_the_phone_to_heard_to_answered() {
    let mut weeks = two_phones().await;
    assert_eq!(came(&weeks).await, Funnel::default());

    let (first, at) = wrote(&mut weeks, MOTHER, &[], None).await;
    let (_, second_at) = wrote(&mut weeks, MOTHER, &[LILI], None).await;
    assert_eq!(came(&weeks).await.home, steps(2, 0, 0, 0));
    reads(&weeks, at);
    assert_eq!(came(&weeks).await.home, steps(2, 1, 0, 0));
    reads(&weeks, second_at);
    heard(&weeks, first, LILI, MOTHER).await;
    assert_eq!(came(&weeks).await.home, steps(2, 2, 1, 0));
    let (answer, _) = wrote(&mut weeks, GRANDMOTHER, &[], None).await;
    assert_eq!(came(&weeks).await.home, steps(2, 2, 1, 1));
    assert_eq!(came(&weeks).await.away, Steps::default(), "with a grandmother it is counted apart");

    let (mine, _) = wrote(&mut weeks, LILI, &[], None).await;
    heard(&weeks, answer, MOTHER, GRANDMOTHER).await;
    assert_eq!(came(&weeks).await.away, steps(1, 0, 0, 0));
    // Heard is on the phone, whatever the relay has been told of that.
    heard(&weeks, mine, MOTHER, LILI).await;
    assert_eq!(came(&weeks).await.away, steps(1, 1, 1, 0));
}

#[tokio::test]
async fn what_is_for_others_recorded_ahead_or_too_late_is_no_answer() {
    let mut weeks = two_phones().await;
    let _ = wrote(&mut weeks, MOTHER, &[GRANDMOTHER], None).await;
    assert_eq!(came(&weeks).await.home, Steps::default(), "it is not for the child");
    let _before = wrote(&mut weeks, LILI, &[], None).await;
    weeks.until("2026-11-02T09:00").await;
    let (letter, _) = wrote(&mut weeks, MOTHER, &[], None).await;
    heard(&weeks, letter, LILI, MOTHER).await;

    let _among_themselves = wrote(&mut weeks, GRANDMOTHER, &[LILI], None).await;
    let fired = Fired {
        schedule: Ref([9; 12]),
        body_ref: Ref([8; 12]),
        planned: "2026-11-02T19:30:00".into(),
        due_at: at("2026-11-02T19:30"),
        adjust: None,
        valid_for: None,
        version: 0,
    };
    let _ahead = wrote(&mut weeks, LILI, &[], Some(fired)).await;
    weeks.until("2026-11-05T10:00").await;
    let _late = wrote(&mut weeks, LILI, &[], None).await;

    assert_eq!(came(&weeks).await.home, steps(1, 1, 1, 0));
}

#[tokio::test]
async fn what_expired_or_was_kept_from_somebody_did_not_reach_them() {
    let mut weeks = two_phones().await;
    let (expired, _) = wrote(&mut weeks, MOTHER, &[LILI], None).await;
    let notice = Content::Notice(Notice {
        to: MOTHER,
        what: Noticed::Expired,
        schedule: None,
        planned: None,
        due_at: None,
        of: Some(expired),
        members: vec![LILI],
        left: None,
    });
    let now = weeks.relay.clock.now();
    let batch = Batch { entries: vec![NewEntry::of(&notice)], ..Batch::new(now) };
    let seq = weeks.relay.store.commit(weeks.family, batch).await.unwrap().first;
    reads(&weeks, seq);
    assert_eq!(came(&weeks).await.home, steps(1, 0, 0, 0));

    let wish = jiashu_api::family::Suspend { reason: "court-order".into() };
    let staff = Staff::load(&*weeks.relay.store, PROGRAMME, DeviceId(1)).await.unwrap();
    let suspend = crate::ngo::suspension::suspend;
    suspend(&weeks.relay, &staff, "GS-001", MOTHER, &wish).await.unwrap();
    let (_, seq) = wrote(&mut weeks, LILI, &[], None).await;
    weeks.relay.store.note_cursor(weeks.family, DeviceId(1), seq, now);
    assert_eq!(came(&weeks).await.away, steps(1, 0, 0, 0));
}

#[tokio::test]
async fn twelve_weeks_are_counted_and_nothing_where_nothing_is() {
    let mut weeks = two_phones().await;
    let _ = wrote(&mut weeks, MOTHER, &[], None).await;
    weeks.until("2027-01-25T07:00").await;
    assert_eq!(came(&weeks).await.home, steps(1, 0, 0, 0));
    weeks.until("2027-01-25T09:00").await;
    assert_eq!(came(&weeks).await.home, Steps::default());

    let other = Scope(71);
    assert_eq!(funnel(&weeks.relay, other, weeks.family).await.unwrap(), None);
    weeks.consent(|consent| consent.counting_withdrawn_on = Some("2027-01-25".into())).await;
    assert_eq!(funnel(&weeks.relay, PROGRAMME, weeks.family).await.unwrap(), None);
}
