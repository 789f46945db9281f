//! No network: letters wait on the phone, leave by themselves, and keep their order.

use jiashu_tests::{DEADLINE, until};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::ChildStderr;
use tokio::time::timeout;

use crate::story::{Li, ask, ask_all, texts};

#[tokio::test]
async fn a_letter_written_offline_waits_and_leaves_with_the_next_command() {
    let mut li = Li::at_home().await;
    ask(&li.mother, &["send", "before"]).await;
    li.office.relay.kill9();

    let first = ask(&li.mother, &["send", "first"]).await;
    let second = ask(&li.mother, &["send", "second"]).await;
    let status = ask(&li.mother, &["status"]).await;
    let log = li.mother.run(&["log"]).await.success();
    li.office.relay.restart().await;
    let third = ask(&li.mother, &["send", "third"]).await;

    for letter in [&first, &second] {
        assert_eq!((&letter["seq"], &letter["queued"]), (&Value::Null, &json!(true)));
    }
    assert_eq!((&status["connected"], &status["waiting"]), (&json!(false), &json!(2)));
    assert!(log.stdout.contains("waits") && log.stdout.contains("second"), "{log:?}");
    assert_eq!(third["queued"], false);
    let came = ask_all(&li.village, &["inbox"]).await;
    assert_eq!(texts(&came), ["before", "first", "second", "third"]);
    assert_eq!(came[1]["ref"], first["ref"]);
    assert_eq!(ask(&li.mother, &["status"]).await["waiting"], 0);
}

#[tokio::test]
async fn a_listening_phone_sends_by_itself_what_was_written_offline() {
    let mut li = Li::at_home().await;
    li.office.relay.kill9();
    for text in ["one", "two", "three"] {
        ask(&li.mother, &["send", text]).await;
    }

    let listening = li.mother.spawn(&["listen", "--json"]);
    li.office.relay.restart().await;
    let mut came = Vec::new();
    until("the three letters arrive", async || {
        came.extend(ask_all(&li.village, &["inbox"]).await);
        (came.len() >= 3).then_some(())
    })
    .await;

    assert_eq!(texts(&came), ["one", "two", "three"]);
    listening.stop().await;
}

/// How often: by chance alone, a listener would be back in time once in seven rounds.
const CUTS: usize = 4;

#[tokio::test]
async fn a_look_at_the_phone_brings_its_listener_back_at_once() {
    let mut li = Li::at_home().await;
    let mut listening = li.mother.command(&["listen"]).spawn().unwrap();
    let mut notes = BufReader::new(listening.stderr.take().unwrap()).lines();

    for _ in 0..CUTS {
        note(&mut notes, "connected").await;
        li.office.relay.kill9();
        note(&mut notes, "no connection").await;
        li.office.relay.restart().await;

        let status = ask(&li.mother, &["status"]).await;

        assert_eq!(status["connected"], true, "it does not wait for up to 15 seconds");
    }
    listening.kill().await.unwrap();
}

/// Waits until a listener says so on standard error.
async fn note(notes: &mut Lines<BufReader<ChildStderr>>, said: &str) {
    loop {
        let line = timeout(DEADLINE, notes.next_line()).await.expect("it says so").unwrap();
        if line.expect("it goes on").contains(said) {
            return;
        }
    }
}

#[tokio::test]
async fn a_second_terminal_writes_while_the_first_listens() {
    let li = Li::at_home().await;
    let mut at_mothers = li.mother.spawn(&["listen", "--json"]);
    let mut in_the_village = li.village.spawn(&["listen", "--json"]);

    for round in 0..3 {
        let question = format!("question {round}");
        let sent = ask(&li.mother, &["send", &question]).await;
        let heard = in_the_village.json_where(|_| true).await;
        ask(&li.village, &["send", "--as", "Lili", "answer"]).await;
        let answer = at_mothers.json_where(|_| true).await;

        assert_eq!(sent["queued"], false, "it left through the listener");
        assert_eq!((&heard["text"], &heard["seq"]), (&json!(question), &sent["seq"]));
        assert_eq!((&answer["text"], &answer["from"]), (&json!("answer"), &json!("Lili")));
    }

    let own = ask_all(&li.mother, &["inbox"]).await;
    assert_eq!(own, Vec::<Value>::new(), "what one terminal showed, the other does not");
    at_mothers.stop().await;
    in_the_village.stop().await;
}

#[tokio::test]
async fn a_phone_that_was_off_catches_up_in_order() {
    let li = Li::at_home().await;
    let letters: Vec<_> = (0..40).map(|number| format!("letter {number}")).collect();
    for pair in letters.chunks(2) {
        ask(&li.mother, &["send", &pair[0]]).await;
        ask(&li.mother, &["send", &pair[1]]).await;
    }

    let came = ask_all(&li.village, &["inbox"]).await;

    assert_eq!(texts(&came), letters);
}

#[tokio::test]
async fn a_wait_ends_as_soon_as_something_came_or_when_it_is_over() {
    let li = Li::at_home().await;

    let nothing = li.village.run(&["inbox", "--json", "--wait", "1"]).await;
    let village = li.village.clone();
    let waiting = tokio::spawn(async move {
        village.run(&["inbox", "--json", "--wait", "600"]).await.success().json_lines()
    });
    ask(&li.mother, &["send", "here I am"]).await;
    let came = timeout(DEADLINE, waiting).await.expect("long before the ten minutes").unwrap();

    assert_eq!((nothing.code, nothing.stdout.as_str()), (0, ""));
    assert_eq!(texts(&came), ["here I am"]);
}
