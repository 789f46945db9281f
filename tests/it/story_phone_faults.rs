//! The page for phones, in a real browser, when something is wrong: bytes that were altered, hostile names, pages of strangers,
//! a phone with a wrong clock, two tabs, a tab that is gone in the middle.

use jiashu_tests::browser::tell;
use jiashu_tests::ground::Ground;
use jiashu_tests::sound::opus;
use serde_json::json;

use crate::story::Office;
use crate::story_phone::{FAMILIES, mothers, told};

/// The village joins by the browser, the mother has the command line.
async fn goes_wrong(script: &str, ground: Ground) {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::on(ground.relay(&folder, &[]).await).await;
    let cards = office.enrol(FAMILIES).await;
    let voice = office.path("voice.ogg");
    // Some chunks of it, in few seconds: nobody else plays this file.
    std::fs::write(&voice, opus(5_000, 250)).unwrap();
    let families = mothers(&office, &cards, &voice).await;

    tell(script, &told(&office, &json!({ "families": families }))).await;
}

#[tokio::test]
async fn an_altered_sound_is_not_played() {
    goes_wrong("altered.mjs", Ground::own()).await;
}

#[tokio::test]
async fn names_and_letters_do_nothing() {
    goes_wrong("inert.mjs", Ground::own()).await;
}

#[tokio::test]
async fn a_page_of_somebody_else_gets_nothing() {
    goes_wrong("strangers.mjs", Ground::own()).await;
}

#[tokio::test]
async fn without_https_the_page_says_so() {
    goes_wrong("plain.mjs", Ground::own()).await;
}

#[tokio::test]
async fn at_any_hour_a_phone_shows_days_that_are_lived_in() {
    goes_wrong("clocks.mjs", Ground::own()).await;
}

#[tokio::test]
async fn what_tabs_say_arrives_once_from_one_file() {
    goes_wrong("tabs.mjs", Ground::own()).await;
}
