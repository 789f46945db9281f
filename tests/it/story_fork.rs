//! Two phones that know two different histories of their family: red on the one, both lists side by
//! side, nothing sealed, until a person decides.

use jiashu_tests::Cli;
use serde_json::json;

use crate::story::{Li, ask, ask_all, failure, open_cards, phones, texts};

/// The mother has made a card that a restored relay does not know; the village, which had not heard
/// of it, has written another change in its place.
async fn forked() -> (Li, String) {
    let mut li = Li::at_home().await;
    for phone in [&li.mother, &li.village] {
        ask_all(phone, &["inbox"]).await;
    }
    let older = li.office.relay.back_up().await;
    ask(&li.mother, &["invite", "--for", "妈妈"]).await;
    li.office.relay.restore(&older).await;
    let other = ask(&li.village, &["invite", "--for", "Lili", "--days", "7"]).await;
    (li, other["link"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_fork_is_shown_with_both_lists_and_nothing_is_sealed_until_a_person_accepts() {
    let (li, _) = forked().await;

    let sent = li.mother.run(&["--json", "send", "kept meanwhile"]).await;
    let shown = li.mother.run(&["family"]).await;
    let as_json = li.mother.run(&["--json", "family"]).await;
    let before = ask_all(&li.village, &["inbox"]).await;
    let unasked = li.mother.run(&["family", "accept"]).await;
    let accepted = ask(&li.mother, &["family", "accept", "--yes"]).await;
    let after = ask_all(&li.village, &["inbox"]).await;
    let twice = li.mother.run(&["family", "accept", "--yes"]).await;

    assert!(failure(&sent, 7).contains("nothing is sent from here"));
    assert_eq!(sent.json_lines()[0]["queued"], true);
    assert_eq!((shown.code, as_json.code), (7, 7));
    for says in ["WARNING", "this phone's list:", "the relay's list:", "jiashu family accept"] {
        assert!(shown.stderr.contains(says), "{says}: {}", shown.stderr);
    }
    assert!(shown.stderr.contains("open card 3  for 妈妈"), "{}", shown.stderr);
    assert!(shown.stderr.contains("open card 3  for Lili"), "{}", shown.stderr);
    let fork = &as_json.json_lines()[0]["fork"];
    assert_eq!((&fork["from"], &fork["this_phone_is_in"]), (&json!(4), &json!(true)));
    assert_eq!(before, [] as [serde_json::Value; 0], "nothing was sealed");
    assert!(unasked.stderr.contains("say --yes"), "{unasked:?}");
    assert_eq!(accepted["accepted"], true);
    assert_eq!(texts(&after), ["kept meanwhile"], "under the key of that list");
    assert!(failure(&twice, 5).contains("nothing to accept"));
    let family = ask(&li.mother, &["family"]).await;
    assert_eq!(family["cards"][0]["serves"], json!(["Lili"]), "the mother's card is void");
    assert_eq!(ask(&li.mother, &["status"]).await["roster"], "ok");
}

#[tokio::test]
async fn a_phone_that_is_not_in_the_relays_list_needs_a_new_card() {
    let mut li = Li::at_home().await;
    let older = li.office.relay.back_up().await;
    let card = ask(&li.mother, &["invite", "--for", "Lili"]).await;
    let tablet: Cli = li.office.join("tablet", card["link"].as_str().unwrap()).await;
    ask_all(&tablet, &["inbox"]).await;
    li.office.relay.restore(&older).await;
    // A village phone that never heard of the tablet makes another change.
    ask(&li.village, &["invite", "--for", "外婆"]).await;

    let out = tablet.run(&["inbox"]).await.success();
    let family = ask(&li.village, &["family"]).await;

    assert!(out.stderr.contains("ask the family for a new card"), "{out:?}");
    assert_eq!((phones(&family), open_cards(&family)), (vec![1, 2], vec![3]));
}
