//! What ends, is renewed or is replaced leaves the weeks of the others as they are.

use jiashu_proto::frame::Look;

use super::*;

async fn rows(weeks: &Weeks, week: &str) -> Vec<(Scope, WeekRow)> {
    let book = week_book(week.parse().unwrap());
    let rows = weeks.relay.store.book(PROGRAMME, &book).await.unwrap();
    let family = |name: &[u8]| Scope(u64::from_be_bytes(name.try_into().unwrap()));
    rows.iter().map(|row| (family(&row.name), WeekRow::read(row).unwrap())).collect()
}

/// A phone comes in by that card.
pub(super) async fn join(weeks: &Weeks, card: usize) {
    let way = &weeks.cards[card];
    let look = Look { scope: way.scope, code: way.secret.code() };
    let invited = execute::door::look(&weeks.relay, &look).await.unwrap();
    let join = way.open(&invited).unwrap().attempt().frame;
    execute::door::join(&weeks.relay, join).await.unwrap();
}

#[tokio::test]
async fn a_family_that_begins_anew_leaves_no_week_open_and_is_counted_once() {
    let mut weeks = Weeks::begin().await;
    weeks.until("2026-11-18T12:00").await;
    let old = weeks.family;
    assert!(!weeks.week("2026W46").await.unwrap().closed);
    let consents =
        vec![execute::staff::consents(&*weeks.relay.store, old).await.unwrap()[0].1.clone()];
    let spec = FamilySpec { consents, ..FamilySpec::li() };
    let (enrol, _) = spec.draw("GS-001", weeks.relay.clock.now());
    weeks.family = enrol.family;
    let enrol = ClientFrame::Enrol(Enrol { replaces: Some(old), ..enrol });
    execute::staff::command(&weeks.relay, PROGRAMME, DeviceId(1), enrol).await.unwrap();

    let placement = crate::contact::placement(&*weeks.relay.store, weeks.family).await.unwrap();
    assert_eq!(placement.unwrap().care, Some(Care::Grandparents));
    weeks.until("2026-11-18T14:00").await;
    let ended = rows(&weeks, "2026W46").await;
    assert_eq!(ended.len(), 1);
    assert_eq!((ended[0].0, ended[0].1.closed, ended[0].1.children.len()), (old, true, 1));
    let running: Vec<_> = rows(&weeks, "2026W47").await.into_iter().map(|(of, _)| of).collect();
    assert_eq!(running, [weeks.family]);
    weeks.until("2026-12-01T12:00").await;
    for week in ["2026W45", "2026W46", "2026W47"] {
        assert!(rows(&weeks, week).await.iter().all(|(_, row)| row.closed), "{week}");
    }
}

#[tokio::test]
async fn what_is_agreed_to_no_more_leaves_no_week_open_and_none_that_is_empty() {
    let weeks = Weeks::begin().await;
    let until =
        |until: &str| Some(Box::new(Terms { until: Some(until.into()), ..Terms::default() }));
    weeks.consent(|consent| consent.counting_terms = until("2026-11-18")).await;
    weeks.until("2026-11-18T07:00").await;
    let before = weeks.week("2026W46").await.unwrap();
    assert_eq!((before.closed, before.children.len()), (false, 1));
    assert!(weeks.week("2026W47").await.is_some());

    weeks.until("2026-11-18T09:00").await;
    let ended = weeks.week("2026W46").await.unwrap();
    assert_eq!((ended.closed, &ended.children), (true, &before.children));
    assert_eq!(weeks.week("2026W47").await, None);
    let listed = weeks.relay.store.book(PROGRAMME, FAMILIES).await.unwrap();
    assert!(!FamilyRow::read(&listed[0]).unwrap().counted);

    weeks.until("2026-11-25T09:00").await;
    let renew = |consent: &mut Consent| {
        consent.counting_on = Some("2026-11-25".into());
        consent.counting_terms = until("2027-11-25");
    };
    weeks.consent(renew).await;
    weeks.until("2026-12-08T12:00").await;
    assert_eq!(weeks.week("2026W46").await.unwrap(), ended);
    assert_eq!(weeks.week("2026W47").await, None, "in which it was not counted");
    let renewed = weeks.week("2026W48").await.unwrap();
    assert_eq!((renewed.closed, renewed.children.len()), (true, 1));
}

#[tokio::test]
async fn who_agrees_again_before_it_ends_begins_nothing_anew() {
    let weeks = Weeks::begin().await;
    weeks.until("2026-12-17T12:00").await;
    let store = weeks.relay.store.clone();
    let before = execute::family::tasks(&*store, weeks.family).await.unwrap();
    assert_eq!((weeks.standing().await, before.len()), (Standing::Dormant, 1));
    assert!(!weeks.week("2026W50").await.unwrap().closed);

    let on = || Some("2026-12-17".to_owned());
    weeks
        .consent(|consent| {
            (consent.consent_on, consent.assent_on) = (on(), on());
            (consent.counting_on, consent.counting_assent_on) = (on(), on());
        })
        .await;
    weeks.until("2026-12-17T14:00").await;

    assert_eq!(weeks.standing().await, Standing::Dormant);
    assert_eq!(execute::family::tasks(&*store, weeks.family).await.unwrap(), before);
    weeks.until("2026-12-21T12:00").await;
    let closed = weeks.week("2026W50").await.unwrap();
    assert_eq!((closed.closed, closed.children.len()), (true, 1));
}

#[tokio::test]
async fn a_phone_that_joined_is_in_no_week_before_and_not_idle_at_once() {
    let mut weeks = Weeks::begin().await;
    join(&weeks, 0).await;
    join(&weeks, 1).await;
    weeks.until("2026-12-20T20:00").await;
    weeks.both_ways("2026-12-20T19:40").await;
    weeks.until("2026-12-22T12:00").await;
    join(&weeks, 2).await;
    weeks.until("2027-01-05T12:00").await;

    let phones = async |week| {
        let row = weeks.week(week).await.unwrap();
        assert!(row.closed, "{week}");
        (row.shared_phones, row.idle_phones)
    };
    assert_eq!(phones("2026W50").await, (1, 0));
    assert_eq!(phones("2026W51").await, (1, 0), "it joined on the Tuesday after");
    assert_eq!(phones("2026W52").await, (2, 0));
    weeks.until("2027-02-16T12:00").await;
    let row = weeks.week("2027W5").await.unwrap();
    assert_eq!((row.shared_phones, row.idle_phones), (2, 2), "42 days after each");
}
