//! A card that nobody used in time: the family closes it by itself before its next letter, so that
//! nothing more is sealed to whoever holds it.

use jiashu_seal::JoinLink;
use jiashu_tests::{FamilySpec, Programme, TestFamily, TestRelay, until};
use serde_json::json;

use crate::scene::CASE;
use crate::story::{ask, open_cards};

/// How long the cards hold, in ms: long enough for one of the two to be used on a busy machine.
const LASTS_MS: i64 = 8_000;

fn link(relay: &TestRelay, family: &TestFamily, place: usize) -> String {
    let (origin, scope) = (format!("http://{}", relay.address()), family.scope());
    JoinLink { origin, scope, secret: family.secrets[place].clone() }.to_url()
}

#[tokio::test]
async fn a_card_that_expired_is_closed_before_the_next_letter() {
    let relay = TestRelay::start().await;
    let programme = Programme::of(&relay).await;
    let expires_at = Some(relay.raw().now().await + LASTS_MS);
    let family = programme.enrol(CASE, &FamilySpec { expires_at, ..FamilySpec::li() }).await;
    let folder = tempfile::tempdir().unwrap();
    let mother = jiashu_tests::Cli::new(folder.path().join("mother"));
    ask(&mother, &["join", &link(&relay, &family, 0)]).await;
    let before = ask(&mother, &["family"]).await;

    let closed = until("the relay asks for it to be closed", async || {
        let sent = ask(&mother, &["send", "is it closed?"]).await;
        assert_eq!(sent["queued"], false, "letters go on");
        let family = ask(&mother, &["family"]).await;
        open_cards(&family).is_empty().then_some(family)
    })
    .await;
    let late = jiashu_tests::Cli::new(folder.path().join("late"));
    let late = late.run(&["join", &link(&relay, &family, 1)]).await;

    assert_eq!(open_cards(&before), [2]);
    let changes = closed["changes"].as_array().unwrap();
    let what = "card 2 for 奶奶, 小明 was closed unused, as the relay asked";
    assert!(changes.iter().any(|change| change["what"] == json!(what)), "{changes:?}");
    assert_eq!(late.code, 4);
}
