use jiashu_proto::id::TokenHash;
use jiashu_tests::until::cut_off;

use super::*;
use crate::contact::rows::{FAMILIES, WeekRow, week_book};
use crate::contact::tests::{PROGRAMME, Weeks, at};
use crate::family::ledger::BOOKS;
use crate::ngo::caseload::{assign, caseload};
use crate::ngo::staff::Staff;
use crate::scheduler;

pub(crate) const OTHER: Scope = Scope(71);
const COORDINATOR: DeviceId = DeviceId(1);

pub(crate) async fn two_programmes() -> Weeks {
    let weeks = Weeks::begin().await;
    let (device, token_hash, members) = (COORDINATOR, TokenHash([2; 32]), Vec::new());
    let batch = Batch {
        requires: vec![Precondition::Absent],
        changes: vec![
            Change::Create(ScopeKind::Programme),
            Change::AddSeat { device, token_hash, members },
        ],
        ..Batch::new(weeks.relay.clock.now())
    };
    weeks.relay.store.commit(OTHER, batch).await.unwrap();
    weeks
}

pub(crate) fn taken(case_code: &str) -> Taken {
    Taken { case_code: case_code.to_owned(), site: None }
}

async fn week(weeks: &Weeks, programme: Scope, week: &str) -> Option<WeekRow> {
    let book = week_book(week.parse().unwrap());
    let rows = weeks.relay.store.book(programme, &book).await.unwrap();
    rows.first().map(|row| WeekRow::read(row).unwrap())
}

#[tokio::test]
async fn what_was_counted_stays_in_the_weeks_that_have_ended() {
    let mut weeks = two_programmes().await;
    let coordinator = Staff::load(&*weeks.relay.store, PROGRAMME, COORDINATOR).await.unwrap();
    assign(&weeks.relay, &coordinator, "GS-001", COORDINATOR).await.unwrap();
    for day in ["2026-11-05", "2026-11-11", "2026-11-17"] {
        weeks.until(&format!("{day}T20:00")).await;
        weeks.both_ways(&format!("{day}T19:40")).await;
    }
    weeks.until("2026-11-18T12:00").await;
    let closed = week(&weeks, PROGRAMME, "2026W45").await.unwrap();
    let ended = week(&weeks, PROGRAMME, "2026W46").await.unwrap();
    assert_eq!((closed.closed, ended.closed, ended.children[0].home), (true, false, 1));
    assert!(week(&weeks, PROGRAMME, "2026W47").await.is_some());

    let family = offer(&weeks.relay, PROGRAMME, COORDINATOR, "GS-001", OTHER).await.unwrap();
    accept(&weeks.relay, OTHER, family, taken("PR-9")).await.unwrap();
    weeks.until("2026-11-19T12:00").await;

    let store = &*weeks.relay.store;
    assert_eq!(week(&weeks, PROGRAMME, "2026W45").await, Some(closed));
    let stays = week(&weeks, PROGRAMME, "2026W46").await.unwrap();
    assert_eq!((stays.closed, &stays.children), (true, &ended.children));
    assert_eq!(week(&weeks, PROGRAMME, "2026W47").await, None, "that one is the other's");
    assert_eq!(store.book(PROGRAMME, FAMILIES).await.unwrap(), []);
    assert!(caseload(store, PROGRAMME).await.unwrap().is_empty());
    let left = store.book(family, crate::family::ledger::LEFT).await.unwrap();
    let left: Vec<_> = left.iter().filter_map(crate::family::ledger::read_left).collect();
    assert_eq!(left, [(PROGRAMME, "GS-001".to_owned())]);
    for book in BOOKS {
        assert_eq!(store.book(family, book).await.unwrap(), [], "{book}");
    }
    let state = store.state(family).await.unwrap().unwrap();
    assert_eq!((state.active, state.counted_since), (true, None));
    let care = placement(store, family).await.unwrap().unwrap().care;
    assert_eq!(care, Some(jiashu_proto::entry::Care::Grandparents));
    assert_eq!(store.book(OTHER, FAMILIES).await.unwrap().len(), 1);
    assert_eq!(week(&weeks, OTHER, "2026W47").await, None);

    // A date of the first programme says nothing in the second, whatever is recorded besides.
    let record = |counting: Option<&str>| {
        let day = counting.map(str::to_owned);
        let consent = jiashu_proto::entry::Consent {
            consent_on: Some("2026-11-03".into()),
            counting_on: day.clone(),
            counting_assent_on: day,
            ..jiashu_proto::entry::Consent::none(crate::contact::tests::LILI)
        };
        let record = jiashu_proto::frame::RecordConsent { case_code: "PR-9".into(), consent };
        jiashu_proto::frame::ClientFrame::RecordConsent(record)
    };
    staff::command(&weeks.relay, OTHER, COORDINATOR, record(None)).await.unwrap();
    assert_eq!(store.state(family).await.unwrap().unwrap().counted_since, None);
    staff::command(&weeks.relay, OTHER, COORDINATOR, record(Some("2026-11-19"))).await.unwrap();
    weeks.until("2026-11-19T20:00").await;
    weeks.both_ways("2026-11-19T19:40").await;
    weeks.until("2026-12-01T12:00").await;
    let there = week(&weeks, OTHER, "2026W47").await.unwrap();
    assert_eq!((there.closed, there.children[0].home), (true, 1));
    assert_eq!(week(&weeks, PROGRAMME, "2026W47").await, None);
}

/// Time goes by, and what is due is done.
async fn settle(weeks: &Weeks) {
    const MINUTE_MS: Millis = 60_000;
    weeks.relay.clock.set(weeks.relay.clock.now() + MINUTE_MS);
    scheduler::settle_all(&weeks.relay).await;
}

/// Whether the family is that programme's, under that code.
async fn has(weeks: &Weeks, programme: Scope, case_code: &str) -> bool {
    staff::family(&weeks.relay, programme, case_code).await.is_ok()
}

/// Nothing is half done: no fact of an offer, and a row with one of them.
async fn check_whole(weeks: &Weeks, programme: Scope) {
    let store = &*weeks.relay.store;
    for (scope, rows) in
        [(PROGRAMME, usize::from(programme == PROGRAMME)), (OTHER, usize::from(programme == OTHER))]
    {
        assert_eq!(store.book(scope, FAMILIES).await.unwrap().len(), rows);
        for keys in [OfferFact::KEYS, OfferedFact::KEYS] {
            assert_eq!(store.facts(scope, keys).await.unwrap(), [], "{keys} of {scope}");
        }
    }
}

#[tokio::test]
async fn a_relay_that_ends_at_any_step_leaves_the_family_with_one_of_them() {
    let weeks = two_programmes().await;
    let (mut here, mut there, mut code) = (PROGRAMME, OTHER, "GS-001".to_owned());
    let (mut was_cut, mut went_on) = (0, 0);
    for steps in 1_usize.. {
        let family = offer(&weeks.relay, here, COORDINATOR, &code, there).await.unwrap();
        let next = format!("C-{steps}");
        let done = cut_off(accept(&weeks.relay, there, family, taken(&next)), steps).await;
        let is_whole = done.is_some();
        was_cut += usize::from(!is_whole);
        settle(&weeks).await;

        let came = has(&weeks, there, &next).await;
        assert_eq!(came, !has(&weeks, here, &code).await, "after {steps} steps");
        went_on += usize::from(came && !is_whole);
        accept(&weeks.relay, there, family, taken(&next)).await.unwrap();
        settle(&weeks).await;
        check_whole(&weeks, there).await;
        (here, there, code) = (there, here, next);
        if is_whole {
            break;
        }
    }
    // How many polls it takes depends on how fast the store's thread is just then.
    assert!(was_cut > 4 && went_on > 1 && went_on < was_cut, "{went_on} of {was_cut} went on");
}

#[tokio::test]
async fn an_offer_that_is_cut_off_can_be_made_or_taken_back() {
    let weeks = two_programmes().await;
    let mut both_whole = false;
    for steps in 1_usize.. {
        let doing = offer(&weeks.relay, PROGRAMME, COORDINATOR, "GS-001", OTHER);
        let offered = cut_off(doing, steps).await.is_some();
        settle(&weeks).await;
        let family = offer(&weeks.relay, PROGRAMME, COORDINATOR, "GS-001", OTHER).await.unwrap();
        assert_eq!(offered_to(&*weeks.relay.store, OTHER).await.unwrap().len(), 1);

        let back = cut_off(take_back(&weeks.relay, PROGRAMME, "GS-001"), steps).await.is_some();
        settle(&weeks).await;
        if !back {
            // Taken back already, or still to be.
            let _either = take_back(&weeks.relay, PROGRAMME, "GS-001").await;
        }
        let refused = accept(&weeks.relay, OTHER, family, taken("PR-9")).await.unwrap_err();
        assert!(matches!(refused, Failure::Refused(no) if no == no_such_transfer()));
        settle(&weeks).await;
        check_whole(&weeks, PROGRAMME).await;
        assert!(has(&weeks, PROGRAMME, "GS-001").await);
        both_whole = offered && back;
        if both_whole {
            break;
        }
    }
    assert!(both_whole);
}

#[tokio::test]
async fn who_takes_back_while_it_is_taken_is_before_or_after() {
    let weeks = two_programmes().await;
    let (mut here, mut there, mut code) = (PROGRAMME, OTHER, "GS-001".to_owned());
    for round in 0..12 {
        let family = offer(&weeks.relay, here, COORDINATOR, &code, there).await.unwrap();
        let next = format!("C-{round}");
        let (came, back) = tokio::join!(
            accept(&weeks.relay, there, family, taken(&next)),
            take_back(&weeks.relay, here, &code)
        );
        settle(&weeks).await;

        assert_ne!(came.is_ok(), back.is_ok(), "{came:?} {back:?}");
        assert_eq!(came.is_ok(), has(&weeks, there, &next).await);
        assert_eq!(back.is_ok(), has(&weeks, here, &code).await);
        if came.is_ok() {
            (here, there, code) = (there, here, next);
        }
    }
}

#[tokio::test]
async fn a_family_that_began_anew_is_not_the_one_that_was_offered() {
    let mut weeks = two_programmes().await;
    let old = offer(&weeks.relay, PROGRAMME, COORDINATOR, "GS-001", OTHER).await.unwrap();
    let (enrol, _) = jiashu_tests::FamilySpec::li().draw("GS-001", at("2026-11-02T09:00"));
    weeks.family = enrol.family;
    let enrol = Enrol { replaces: Some(old), ..enrol };
    let enrol = jiashu_proto::frame::ClientFrame::Enrol(enrol);
    staff::command(&weeks.relay, PROGRAMME, COORDINATOR, enrol).await.unwrap();

    let refused = accept(&weeks.relay, OTHER, old, taken("PR-9")).await.unwrap_err();
    assert!(matches!(refused, Failure::Refused(no) if no == no_such_transfer()));
    assert_eq!(offered_to(&*weeks.relay.store, OTHER).await.unwrap(), []);
    assert!(has(&weeks, PROGRAMME, "GS-001").await);
    assert!(!has(&weeks, OTHER, "PR-9").await);
    weeks.until("2026-11-02T10:00").await;
    for (programme, keys) in [(PROGRAMME, OfferFact::KEYS), (OTHER, OfferedFact::KEYS)] {
        assert_eq!(weeks.relay.store.facts(programme, keys).await.unwrap(), [], "{keys}");
    }
}
