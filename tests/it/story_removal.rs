//! A phone that was stolen, a card that nobody used: they are put out, and what is written from then
//! on is not for them.

use std::time::Duration;

use jiashu_proto::frame::ClientFrame;
use jiashu_tests::cli::Output;
use jiashu_tests::{Cli, until};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::story::{Li, Office, ask, ask_all, failure, open_cards, phones, texts};
use crate::story_meddler::Meddler;

/// A mother, and a grandmother and a child with a phone each.
fn rows(case: &str) -> String {
    format!(
        "{case},1,parent,Mama,Europe/Rome,it,Mama,,2026-11-01,\n\
         {case},2,caregiver,Nonna,Asia/Shanghai,zh,Home,,2026-11-01,\n\
         {case},3,child,Kid,Asia/Shanghai,zh,Kid,,2026-11-01,2026-11-01\n"
    )
}

fn red(output: &Output, says: &str) {
    let line = failure(output, 4);
    assert!(line.contains(says), "{line}");
}

#[tokio::test]
async fn a_stolen_phone_is_out_and_a_new_card_brings_plan_and_history() {
    let mut office = Office::open().await;
    let cards = office.enrol(&rows("S-1")).await;
    let meddler = Meddler::before(office.relay.raw()).await;
    let mother = office.join("mother", &meddler.link(&cards.link("S-1", "Mama"))).await;
    let stolen = office.join("stolen", &cards.link("S-1", "Nonna")).await;
    let child = office.join("child", &cards.link("S-1", "Kid")).await;
    ask(&mother, &["send", "before it was stolen"]).await;
    let plan = ["schedule", "add", "--every", "day", "--at", "19:30", "--to", "Kid", "good night"];
    ask(&mother, &plan).await;
    ask_all(&stolen, &["inbox"]).await;
    // The thief has no connection yet, and writes.
    office.relay.kill9();
    let queued = ask(&stolen, &["send", "send money"]).await;
    office.relay.restart().await;
    meddler.take_frames();

    let revoked = ask(&mother, &["revoke", "2", "--yes"]).await;
    let frames = meddler.take_frames();
    ask(&mother, &["send", "after it was stolen"]).await;
    let thief = [stolen.run(&["status"]).await, stolen.run(&["send", "more money"]).await];
    let shown = ask_all(&child, &["inbox"]).await;

    assert_eq!(queued["queued"], true);
    assert_eq!(revoked, json!({ "device": 2, "serves": ["Nonna"] }));
    let again = frames.iter().find_map(|frame| match frame {
        ClientFrame::Hold(hold) => Some(hold),
        _ => None,
    });
    let again = again.expect("the held letter is sealed again at once");
    assert!(again.again.is_some_and(|name| name != again.body_ref));
    assert_eq!(again.epoch, 5, "under the key that the removal brought");
    assert!(thief[0].stderr.contains("removed from the family"), "{thief:?}");
    red(&thief[1], "removed from the family");
    assert_eq!(
        texts(&shown),
        ["before it was stolen", "after it was stolen"],
        "and nothing of his"
    );
    assert_eq!(texts(&ask_all(&stolen, &["log"]).await), ["before it was stolen"], "what it had");

    let card = ask(&mother, &["invite", "--for", "Nonna"]).await;
    let new = office.join("new", card["link"].as_str().unwrap()).await;
    let history = ask_all(&new, &["inbox"]).await;
    let planned = ask_all(&new, &["schedule", "list"]).await;
    assert_eq!(texts(&history), ["before it was stolen", "after it was stolen"]);
    assert_eq!(planned.len(), 1);
    assert_eq!(phones(&ask(&new, &["family"]).await), [1, 3, 4]);
}

#[tokio::test]
async fn a_phone_that_listens_is_told_that_it_is_out_and_what_it_has_can_be_exported() {
    let li = Li::at_home().await;
    ask(&li.mother, &["send", "to keep"]).await;
    let mut listening = li.village.command(&["listen"]).spawn().unwrap();
    until("it listens", async || {
        let heard = ask_all(&li.mother, &["log"]).await;
        heard[0]["receipts"].as_array().filter(|heard| !heard.is_empty()).map(drop)
    })
    .await;

    ask(&li.mother, &["revoke", "2", "--yes"]).await;
    let ended = timeout(Duration::from_secs(20), listening.wait()).await.expect("it ends");
    let first = li.village.run(&["inbox"]).await.success();
    let second = li.village.run(&["inbox"]).await.success();
    let out = li.office.path("export");
    let exported = li.village.run(&["export", "--out", out.to_str().unwrap()]).await.success();

    assert_eq!(ended.unwrap().code(), Some(4));
    assert!(first.stderr.contains("ask the family for a new card"), "{first:?}");
    assert!(second.stderr.contains("this phone is out"), "{second:?}");
    assert!(exported.stdout.contains("1 letters"), "{exported:?}");
    let letters = std::fs::read_to_string(out.join("messages.json")).unwrap();
    assert!(letters.contains("to keep"));
    assert_eq!(li.village.run(&["--json", "status"]).await.json_lines()[0]["ended"], "removed");
}

#[tokio::test]
async fn a_card_that_nobody_used_is_closed_and_lets_nobody_in() {
    let li = Li::at_home().await;
    let card = ask(&li.mother, &["invite", "--for", "Lili"]).await;
    let number = card["invite"].as_u64().unwrap();
    let open = open_cards(&ask(&li.mother, &["family"]).await);

    let closed = ask(&li.mother, &["revoke", "--card", &number.to_string(), "--yes"]).await;
    let late = li.office.phone("late").run(&["join", card["link"].as_str().unwrap()]).await;
    let family = ask(&li.mother, &["family"]).await;

    assert_eq!(open, [number]);
    assert_eq!(closed, json!({ "card": number, "serves": ["Lili"] }));
    assert!(failure(&late, 4).contains("wrong, used or expired"));
    assert_eq!(open_cards(&family), [] as [u64; 0]);
    let changes = family["changes"].as_array().unwrap();
    let last = changes.last().unwrap()["what"].as_str().unwrap();
    assert!(last.contains(&format!("card {number} for Lili was closed")), "{last}");
}

#[tokio::test]
async fn nothing_is_put_out_without_a_yes_or_by_who_may_not() {
    let office = Office::open().await;
    let cards = office.enrol(&rows("S-2")).await;
    let mother = office.join("mother", &cards.link("S-2", "Mama")).await;
    office.join("home", &cards.link("S-2", "Nonna")).await;
    let child = office.join("child", &cards.link("S-2", "Kid")).await;
    let cases: [(&Cli, &[&str], i32, &str); 6] = [
        (&mother, &["revoke", "2"], 5, "say --yes"),
        (&mother, &["revoke", "1", "--yes"], 5, "another phone of the family removes it"),
        (&mother, &["revoke", "9", "--yes"], 5, "there is no phone 9"),
        (&mother, &["revoke", "--card", "9", "--yes"], 5, "there is no open card 9"),
        (&child, &["revoke", "1", "--yes"], 4, "only the phone of a parent or caregiver"),
        (&mother, &["revoke", "2", "--card", "1", "--yes"], 2, "see jiashu --help"),
    ];

    for (phone, args, code, says) in cases {
        let output = phone.run(args).await;

        assert!(failure(&output, code).contains(says), "{args:?}: {output:?}");
    }
    assert_eq!(phones(&ask(&mother, &["family"]).await), [1, 2, 3]);
}

#[tokio::test]
async fn what_changed_in_the_family_is_said_once_where_letters_are_read() {
    let li = Li::at_home().await;
    let said = |output: &Output| -> Vec<Value> {
        let lines = output.stderr.lines().filter(|line| line.starts_with('{'));
        lines.map(|line| serde_json::from_str::<Value>(line).unwrap()["family"].clone()).collect()
    };
    ask_all(&li.mother, &["inbox"]).await;
    let card = ask(&li.mother, &["invite", "--for", "妈妈"]).await;
    let tablet = li.office.join("tablet", card["link"].as_str().unwrap()).await;

    let new = tablet.run(&["--json", "inbox"]).await.success();
    let first = li.village.run(&["--json", "inbox"]).await.success();
    let again = li.village.run(&["--json", "inbox"]).await.success();
    ask(&li.mother, &["revoke", "3", "--yes"]).await;
    let in_words = li.village.run(&["inbox"]).await.success();

    assert_eq!(said(&new), [] as [Value; 0], "what was before it is no news to it");
    assert_eq!(said(&first), ["card 3 was made, for 妈妈", "phone 3 joined, for 妈妈"]);
    assert_eq!(said(&again), [] as [Value; 0]);
    assert_eq!(in_words.stderr.trim(), "Family: phone 3 of 妈妈 was removed.");
}
