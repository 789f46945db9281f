//! What a week's row says besides what was kept: when phones were used, how old a child was, and what joins it to the next.

use jiashu_contact::age::AgeBand;

use super::ends::join;
use super::*;
use crate::contact::rows::{CHANGED, Edges};

#[tokio::test]
async fn a_week_says_in_which_hours_the_phones_of_the_household_were_used() {
    let mut weeks = Weeks::begin().await;
    join(&weeks, 1).await;
    // Tuesday and Thursday, at 19:40 in Gansu: on the phone that the grandmother and Lili share.
    for day in ["2026-11-03", "2026-11-05"] {
        weeks.until(&format!("{day}T19:40")).await;
        weeks.heard(MOTHER, LILI, &format!("{day}T19:40"), &format!("{day}T19:40")).await;
    }
    weeks.until("2026-11-18T12:00").await;

    let week = weeks.week("2026W45").await.unwrap();
    assert_eq!(week.shared_phones, 1);
    assert_eq!(week.uses.hours(), [(24 + 19, 1), (3 * 24 + 19, 1)]);
    assert_eq!(weeks.week("2026W46").await.unwrap().uses.hours(), []);
}

#[tokio::test]
async fn a_week_says_how_long_was_silence_at_its_edges_and_how_old_a_child_was() {
    let mut weeks = Weeks::begin().await;
    weeks.consent(|consent| consent.born_in = Some("2014-10".into())).await;
    weeks.until("2026-11-03T20:00").await;
    weeks.both_ways("2026-11-03T20:00").await;
    weeks.until("2026-11-30T06:30").await;

    let edges = async |week: &str| weeks.child(week).await.edges.unwrap();
    let (day, week) = (24 * 60, 7 * 24 * 60);
    // Counted since Monday, 8:00.
    assert_eq!(
        edges("2026W45").await,
        Edges { first_min: day + 12 * 60, last_min: 5 * day + 4 * 60 }
    );
    assert_eq!(edges("2026W46").await, Edges { first_min: week, last_min: week });
    assert_eq!(weeks.child("2026W45").await.age, Some(AgeBand::UpTo14));
}

#[tokio::test]
async fn rows_of_closed_weeks_that_come_or_go_are_noted_beside_them() {
    let weeks = Weeks::begin().await;
    let noted = async |weeks: &Weeks| {
        let rows = weeks.relay.store.book(PROGRAMME, CHANGED).await.unwrap();
        rows.into_iter().map(|row| String::from_utf8(row.name).unwrap()).collect::<Vec<_>>()
    };
    weeks.until("2026-11-15T12:00").await;
    assert!(noted(&weeks).await.is_empty());

    weeks.until("2026-11-16T12:00").await;
    assert_eq!(noted(&weeks).await, ["2026W45"], "it has closed");

    weeks.consent(|consent| consent.counting_withdrawn_on = Some("2026-11-16".into())).await;
    weeks.until("2026-11-16T14:00").await;
    assert_eq!(noted(&weeks).await, ["", "2026W45"], "and its row was struck");
}
