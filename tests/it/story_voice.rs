//! A voice note from a mother's file to her daughter's ear, and back as "heard".

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use jiashu_tests::Cli;
use jiashu_tests::sound::write_opus;
use serde_json::{Value, json};

use crate::story::{Li, ask, ask_all, failure, text};

/// A player that takes its time: `seconds`, whatever it is given.
pub(crate) fn player(li: &Li, seconds: &str) -> String {
    let path = li.office.path(&format!("player-{seconds}"));
    let script = format!("#!/bin/sh\ntest -s \"$1\" || exit 3\nexec sleep {seconds}\n");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    text(&path)
}

/// A file of that length, a size as of speech.
pub(crate) fn note(li: &Li, name: &str, ms: u64) -> PathBuf {
    let path = li.office.path(name);
    write_opus(&path, ms, 30);
    path
}

/// Sends a voice note to Lili; its number.
pub(crate) async fn send(phone: &Cli, file: &std::path::Path) -> u64 {
    let sent = ask(phone, &["voice", "send", &text(file), "--to", "Lili"]).await;
    sent["seq"].as_u64().unwrap_or_else(|| panic!("it is there: {sent}"))
}

/// The receipts of a letter, as its author's log shows them.
pub(crate) async fn receipts(phone: &Cli, seq: u64) -> Vec<Value> {
    let log = ask_all(phone, &["log"]).await;
    let letter = log.iter().find(|letter| letter["seq"] == seq).expect("the letter stands there");
    letter["receipts"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_mother_speaks_and_sees_that_her_daughter_heard_it() {
    let li = Li::at_home().await;
    let file = note(&li, "letter.opus", 1_000);

    let seq = send(&li.mother, &file).await;
    let inbox = li.village.run(&["inbox"]).await.success();
    let before = receipts(&li.mother, seq).await;
    let number = seq.to_string();
    let played = ask(
        &li.village,
        &["voice", "play", &number, "--by", "Lili", "--player", &player(&li, "1")],
    )
    .await;
    let after = receipts(&li.mother, seq).await;

    assert!(inbox.stdout.contains("voice, 0:01, 2 KB"), "{inbox:?}");
    assert!(inbox.stdout.contains(&format!("jiashu voice play {seq}")), "{inbox:?}");
    assert_eq!(before.iter().map(|one| &one["rung"]).collect::<Vec<_>>(), ["device"]);
    assert_eq!(played, json!({ "seq": seq, "share": 100 }));
    assert_eq!((&after[0]["member"], &after[0]["rung"]), (&json!("Lili"), &json!("played")));
    assert_eq!(after[0]["share"], 100);
    let human = li.mother.run(&["log"]).await.success();
    assert!(human.stdout.contains("✓✓ Lili heard it (100 %)"), "{human:?}");
}

#[tokio::test]
async fn what_is_saved_is_what_was_sent() {
    let li = Li::at_home().await;
    let file = note(&li, "letter.opus", 60_000);
    let seq = send(&li.mother, &file).await;
    let out = text(&li.office.path("saved.opus"));

    ask_all(&li.village, &["inbox"]).await;
    let saved = ask(&li.village, &["voice", "save", &seq.to_string(), "--out", &out]).await;
    let again = li.village.run(&["voice", "save", &seq.to_string(), "--out", &out]).await;

    assert_eq!(saved["out"], out);
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&file).unwrap());
    assert!(failure(&again, 5).contains("is there already"));
    let list = ask_all(&li.village, &["voice", "list"]).await;
    assert_eq!((&list[0]["seq"], &list[0]["here"]), (&json!(seq), &json!(true)));
}
