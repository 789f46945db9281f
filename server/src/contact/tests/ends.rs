//! What ends, is renewed or is replaced leaves the weeks of the others as they are.

use super::*;

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
