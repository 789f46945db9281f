use jiashu_api::family::Visit;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Leave, LeaveWhat};
use jiashu_proto::id::{DeviceId, InviteId, Ref};
use jiashu_roster::Event;
use jiashu_tests::FamilySpec;
use jiashu_tests::until::cut_off;

use super::*;
use crate::blobs::BlobName;
use crate::contact::tests::{MOTHER, PROGRAMME, Weeks};
use crate::execute::transfer::tests::{OTHER, taken, two_programmes};
use crate::execute::{self, transfer};
use crate::family::leaving::{Household, Phones, decide_leave};
use crate::family::{Refusal, Sender};
use crate::ngo::staff::Staff;
use crate::ngo::visits::record;
use crate::scheduler;

const NEW: Scope = Scope(0x1234);

/// Lili's mother asks for it, or takes it back; she has the only phone.
async fn leave(weeks: &Weeks, what: LeaveWhat) {
    let (store, family, now) = (&*weeks.relay.store, weeks.family, weeks.relay.clock.now());
    let state = store.state(family).await.unwrap().unwrap();
    let standing = leaving(store, family).await.unwrap();
    let household = Household {
        family,
        state: &state,
        standing: standing.as_ref(),
        grace_ms: weeks.relay.config.leaving_ms(),
    };
    let phone = Sender { device: DeviceId(1), members: vec![MOTHER] };
    let asked = Leave { n: 1, entry_ref: Ref([1; 12]), from: MOTHER, what };
    let role = |_| Some(jiashu_proto::id::Role::Parent);
    let (device, invite, members) = (phone.device, InviteId(1), phone.members.clone());
    let phones = Phones::of(&[Event::Joined { device, invite, members }]);
    let batch = decide_leave(&phone, &asked, &household, &phones, role, now).unwrap();
    store.commit(family, Batch { author: None, ..batch }).await.unwrap();
}

/// Names of books in which the programme has a row of that family.
async fn books(weeks: &Weeks, family: Scope) -> Vec<String> {
    let snapshot = weeks.relay.store.snapshot(PROGRAMME).await.unwrap().unwrap();
    let of_family = snapshot.ledger.iter().filter(|row| row.name == name(family));
    of_family.map(|row| row.book.clone()).collect()
}

#[tokio::test]
async fn who_does_not_take_it_back_in_seven_days_is_gone_with_every_week_of_it() {
    let mut weeks = Weeks::begin().await;
    weeks.until("2026-11-03T19:40").await;
    weeks.both_ways("2026-11-03T19:40").await;
    leave(&weeks, LeaveWhat::InTime).await;
    weeks.until("2026-11-05T12:00").await;
    leave(&weeks, LeaveWhat::Stay).await;
    weeks.until("2026-11-20T09:00").await;
    let family = weeks.family;
    assert!(books(&weeks, family).await.contains(&"week/2026W45".to_owned()));

    leave(&weeks, LeaveWhat::InTime).await;
    weeks.until("2026-11-27T08:00").await;
    assert!(books(&weeks, family).await.len() > 2, "it is there to the last");
    weeks.until("2026-11-27T09:00").await;
    assert_eq!(books(&weeks, family).await, [BOOK], "what is left to do is noted");
    let state = weeks.relay.store.state(family).await.unwrap().unwrap();
    assert!(state.erased_at.is_some() && state.seats.is_empty());
    weeks.until("2026-11-27T11:00").await;
    assert!(books(&weeks, family).await.is_empty());
    let programme = weeks.relay.store.snapshot(PROGRAMME).await.unwrap().unwrap();
    assert!(programme.facts.iter().all(|fact| !fact.key.starts_with("case/")));
    assert!(programme.due.iter().all(|due| !matches!(due.item, DueItem::Erasure(_))));
}

#[tokio::test]
async fn what_it_had_before_it_began_anew_goes_too() {
    let weeks = Weeks::begin().await;
    let (old, now) = (weeks.family, weeks.relay.clock.now());
    met(&weeks, PROGRAMME, "GS-001").await;
    let again = FamilySpec::li().draw("GS-001", now).0;
    let again = jiashu_proto::frame::Enrol { family: NEW, replaces: Some(old), ..again };
    let again = ClientFrame::Enrol(again);
    execute::staff::command(&weeks.relay, PROGRAMME, DeviceId(1), again).await.unwrap();
    let mut weeks = weeks;
    weeks.family = NEW;

    leave(&weeks, LeaveWhat::Now).await;
    scheduler::settle_all(&weeks.relay).await;

    for family in [old, NEW] {
        let state = weeks.relay.store.state(family).await.unwrap().unwrap();
        assert!(state.erased_at.is_some(), "{family}");
    }
    weeks.until("2026-11-02T12:00").await;
    for family in [old, NEW] {
        assert!(books(&weeks, family).await.is_empty(), "{family}");
    }
}

#[tokio::test]
async fn a_list_that_is_handed_in_again_notes_nothing_of_a_family_that_was_deleted() {
    let mut weeks = Weeks::begin().await;
    let now = weeks.relay.clock.now();
    let again = FamilySpec::li().draw("GS-002", now).0;
    weeks.family = again.family;
    let again = ClientFrame::Enrol(again);
    let enrol =
        async || execute::staff::command(&weeks.relay, PROGRAMME, DeviceId(1), again.clone()).await;
    enrol().await.unwrap();
    leave(&weeks, LeaveWhat::Now).await;
    scheduler::settle_all(&weeks.relay).await;

    let refused = enrol().await.unwrap_err();

    let is_taken = |refusal: &Refusal| refusal.code == ErrorCode::Exists;
    assert!(matches!(&refused, Failure::Refused(refusal) if is_taken(refusal)), "{refused:?}");
    let programme = weeks.relay.store.snapshot(PROGRAMME).await.unwrap().unwrap();
    assert!(!programme.facts.iter().any(|fact| fact.key == "case/GS-002"));
}

#[tokio::test]
async fn a_note_of_one_that_stays_deletes_nothing() {
    let weeks = Weeks::begin().await;
    let (store, family, now) = (&*weeks.relay.store, weeks.family, weeks.relay.clock.now());
    for former in [false, true] {
        let changes = vec![note(family, vec!["GS-001".into()], now, former), soon(family, now)];
        store.commit(PROGRAMME, Batch { changes, ..Batch::new(now) }).await.unwrap();
        scheduler::settle_all(&weeks.relay).await;
    }

    let state = store.state(family).await.unwrap().unwrap();
    assert_eq!(state.erased_at, None);
    assert!(!books(&weeks, family).await.contains(&BOOK.to_owned()));
}

/// A family that was counted in one programme and is in another now, with bytes of its own; it says that it leaves. Beside it
/// stands another family: its number.
async fn about_to_go() -> (Weeks, Scope) {
    let mut weeks = two_programmes().await;
    weeks.relay.config.clean_minutes = 0;
    let neighbour = FamilySpec::li().draw("MD-002", weeks.relay.clock.now()).0;
    let number = neighbour.family;
    let enrol = ClientFrame::Enrol(neighbour);
    execute::staff::command(&weeks.relay, PROGRAMME, DeviceId(1), enrol).await.unwrap();
    weeks.until("2026-11-02T20:00").await;
    weeks.both_ways("2026-11-02T19:40").await;
    for scope in [weeks.family, number] {
        let name = BlobName { scope, id: Ref([7; 12]) };
        weeks.relay.blobs.append(name, 0, b"sealed".to_vec()).await.unwrap();
    }
    met(&weeks, PROGRAMME, "GS-001").await;
    goes(&weeks, (PROGRAMME, "GS-001"), (OTHER, "PR-9")).await;
    assert_eq!(weeks.relay.store.book(PROGRAMME, VISITS).await.unwrap(), []);
    met(&weeks, OTHER, "PR-9").await;
    leave(&weeks, LeaveWhat::Now).await;
    (weeks, number)
}

/// Somebody of that programme's staff rang the family.
async fn met(weeks: &Weeks, programme: Scope, case_code: &str) {
    let staff = Staff::load(&*weeks.relay.store, programme, DeviceId(1)).await.unwrap();
    let call = Visit { how: "call".into(), on: None };
    record(&weeks.relay, &staff, case_code, &call).await.unwrap();
}

/// Whether the family's number, or the bytes that it stored, are anywhere but where it says that it is no more.
async fn is_left(weeks: &Weeks, family: Scope) -> bool {
    let store = &*weeks.relay.store;
    for programme in [PROGRAMME, OTHER, Scope::RELAY] {
        let Some(snapshot) = store.snapshot(programme).await.unwrap() else { continue };
        let bytes = minicbor::to_vec(&snapshot).unwrap();
        if bytes.windows(8).any(|found| found == name(family)) {
            return true;
        }
    }
    let name = BlobName { scope: family, id: Ref([7; 12]) };
    weeks.relay.blobs.size(name).await.unwrap() > 0
}

#[tokio::test]
async fn a_relay_that_ends_at_any_step_deletes_all_of_it_all_the_same() {
    let mut was_cut = 0;
    for steps in 1_usize.. {
        let (weeks, neighbour) = about_to_go().await;
        assert!(is_left(&weeks, weeks.family).await);
        let neighbours = weeks.relay.store.snapshot(neighbour).await.unwrap();

        let done = cut_off(scheduler::catch_up(&weeks.relay), steps).await;
        assert_eq!(weeks.relay.store.snapshot(neighbour).await.unwrap(), neighbours);
        weeks.until("2026-11-02T22:00").await;

        assert!(!is_left(&weeks, weeks.family).await, "after {steps} steps");
        assert!(is_left(&weeks, neighbour).await, "after {steps} steps");
        let state = weeks.relay.store.state(weeks.family).await.unwrap().unwrap();
        assert!(state.erased_at.is_some(), "its number is never another's");
        if done.is_some() {
            break;
        }
        was_cut += 1;
    }
    assert!(was_cut > 8, "{was_cut}");
}

/// From one programme to the other.
async fn goes(weeks: &Weeks, from: (Scope, &str), to: (Scope, &str)) {
    let (relay, by) = (&weeks.relay, DeviceId(1));
    let family = transfer::offer(relay, from.0, by, from.1, to.0).await.unwrap();
    transfer::accept(relay, to.0, family, taken(to.1)).await.unwrap();
    scheduler::settle_all(relay).await;
}

/// It leaves, and two hours later nothing of it is left anywhere.
async fn check_it_goes(weeks: &Weeks, families: &[Scope]) {
    leave(weeks, LeaveWhat::Now).await;
    scheduler::settle_all(&weeks.relay).await;
    weeks.until("2026-11-02T11:00").await;
    for family in families {
        assert!(!is_left(weeks, *family).await, "{family}");
    }
}

#[tokio::test]
async fn who_is_offered_to_another_programme_is_gone_there_too() {
    let weeks = two_programmes().await;
    let by = DeviceId(1);
    transfer::offer(&weeks.relay, PROGRAMME, by, "GS-001", OTHER).await.unwrap();

    check_it_goes(&weeks, &[weeks.family]).await;
}

#[tokio::test]
async fn who_went_and_came_back_is_gone_under_each_of_its_codes() {
    let weeks = two_programmes().await;
    goes(&weeks, (PROGRAMME, "GS-001"), (OTHER, "PR-9")).await;
    goes(&weeks, (OTHER, "PR-9"), (PROGRAMME, "GS-002")).await;

    check_it_goes(&weeks, &[weeks.family]).await;
}

#[tokio::test]
async fn what_began_anew_after_it_went_elsewhere_is_gone_in_both() {
    let mut weeks = two_programmes().await;
    goes(&weeks, (PROGRAMME, "GS-001"), (OTHER, "PR-9")).await;
    let old = weeks.family;
    let again = FamilySpec::li().draw("PR-9", weeks.relay.clock.now()).0;
    let again = jiashu_proto::frame::Enrol { family: NEW, replaces: Some(old), ..again };
    let again = ClientFrame::Enrol(again);
    execute::staff::command(&weeks.relay, OTHER, DeviceId(1), again).await.unwrap();
    weeks.family = NEW;

    check_it_goes(&weeks, &[old, NEW]).await;
}
