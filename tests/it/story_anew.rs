//! The last phone of a family is lost: it begins anew, and whoever finds an old phone is told so.

use jiashu_tests::until;
use serde_json::json;

use crate::story::{Li, ask, ask_all, failure, texts};

#[tokio::test]
async fn a_family_of_which_no_phone_is_left_begins_anew_and_the_old_phones_say_so() {
    let li = Li::at_home().await;
    ask(&li.mother, &["send", "from before"]).await;
    ask_all(&li.village, &["inbox"]).await;
    std::fs::remove_file(li.office.path("cards/invites.json")).unwrap();
    let list = li.office.path("families.csv");
    let list = list.to_str().unwrap();
    let again = ["--again", "GS-001", "--json"];

    let anew = li.office.try_enrol(list, &again).await.success();
    let cards = li.office.cards();
    let twice = li.office.try_enrol(list, &again).await.success();
    let mother = li.office.join("mother-2", &cards.link("GS-001", "妈妈")).await;
    let village = li.office.join("village-2", &cards.link("GS-001", "Lili")).await;
    ask(&mother, &["send", "anew"]).await;
    let found = li.mother.run(&["send", "is anybody there?"]).await;
    let first = li.village.run(&["inbox"]).await.success();
    let read = li.village.run(&["log"]).await.success();

    let anew = &anew.json_lines()[0];
    assert_eq!((&anew["anew"], &anew["printed"]), (&json!(["GS-001"]), &json!(2)));
    let twice = &twice.json_lines()[0];
    assert_eq!((&twice["anew"], &twice["already"]), (&json!([]), &json!(1)), "not a third");
    assert_eq!(li.office.cards(), cards);
    assert_eq!(texts(&ask_all(&village, &["inbox"]).await), ["anew"]);
    assert!(failure(&found, 4).contains("began anew"), "{found:?}");
    assert!(first.stderr.contains("the family began anew"), "{first:?}");
    assert!(read.stdout.contains("from before"), "what it has can be read: {read:?}");

    // One of them is found again and gets a card, in its own folder.
    let card = ask(&mother, &["invite", "--for", "外婆"]).await;
    let link = card["link"].as_str().unwrap();
    let unasked = li.village.run(&["join", link]).await;
    let mistyped = link.replace(&link[link.len() - 3..], "abc");
    let wrong = li.village.run(&["join", &mistyped, "--yes"]).await;
    let still = li.village.run(&["log"]).await.success();
    let joined = ask(&li.village, &["join", link, "--yes"]).await;
    let old = jiashu_tests::Cli::new(li.village.home().join("old-1"));

    assert!(unasked.stderr.contains("say --yes"), "{unasked:?}");
    assert!(failure(&wrong, 4).contains("wrong, used or expired"));
    assert!(still.stdout.contains("from before"), "a wrong card moves nothing: {still:?}");
    assert_eq!(joined["device"], 3);
    assert_eq!(texts(&ask_all(&old, &["log"]).await), ["from before"]);
    let both = ask_all(&li.village, &["log"]).await;
    assert_eq!(texts(&both), ["anew"]);
}

#[tokio::test]
async fn another_workers_machine_lets_a_family_begin_anew_that_it_never_knew() {
    let li = Li::at_home().await;
    let list = li.office.path("families.csv");
    let out = li.office.path("other-cards");
    let args = ["ngo", "enrol", list.to_str().unwrap(), "--out", out.to_str().unwrap()];

    let plain = ask(&li.office.worker, &args).await;
    let anew = ask(&li.office.worker, &[&args[..], &["--again", "GS-001"]].concat()).await;
    until("the old phones hear of it", async || {
        let status = li.mother.run(&["--json", "status"]).await;
        (status.json_lines()[0]["ended"] == "new_chain").then_some(())
    })
    .await;

    assert_eq!((&plain["elsewhere"], &plain["families"]), (&json!(["GS-001"]), &json!(0)));
    assert_eq!((&anew["anew"], &anew["elsewhere"]), (&json!(["GS-001"]), &json!([])));
}
