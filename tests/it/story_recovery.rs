//! A machine that remembers less than the others: a relay restored from an older copy of its folder,
//! a phone restored from a backup of its home. All heal by themselves: the same refs, nothing
//! doubled, nothing lost that any phone still has.

use std::collections::BTreeSet;
use std::path::Path;

use jiashu_tests::{Cli, until};
use serde_json::Value;

use crate::story::{Li, Office, ask, ask_all, open_cards, phones, text, texts};

fn refs(log: &[Value]) -> Vec<&str> {
    log.iter().map(|line| line["ref"].as_str().unwrap()).collect()
}

fn sorted(log: &[Value]) -> BTreeSet<&str> {
    let refs: BTreeSet<_> = refs(log).into_iter().collect();
    assert_eq!(refs.len(), log.len(), "nothing is doubled: {log:?}");
    refs
}

/// A copy of a phone's folder, in the place of whatever is there.
fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test]
async fn a_relay_that_lost_links_and_letters_gets_them_back_from_the_phones() {
    let mut li = Li::at_home().await;
    ask(&li.mother, &["send", "kept by all"]).await;
    ask_all(&li.village, &["inbox"]).await;
    let older = li.office.relay.back_up().await;
    ask(&li.mother, &["send", "lost by the relay"]).await;
    let card = ask(&li.mother, &["invite", "--for", "妈妈"]).await;
    let tablet = li.office.join("tablet", card["link"].as_str().unwrap()).await;
    let unused = ask(&li.mother, &["invite", "--for", "Lili"]).await;
    let plan = ["schedule", "add", "--every", "day", "--at", "19:30", "--to", "Lili", "good night"];
    let plan = ask(&li.mother, &plan).await;
    ask(&tablet, &["send", "from the new phone"]).await;
    ask(&li.village, &["send", "--as", "Lili", "an answer"]).await;
    for phone in [&li.mother, &li.village, &tablet] {
        ask_all(phone, &["inbox"]).await;
    }
    let before = ask_all(&li.mother, &["log"]).await;
    li.office.relay.restore(&older).await;

    // The new phone comes first, and the relay does not know it.
    for phone in [&tablet, &li.village, &li.mother, &tablet, &li.village] {
        ask(phone, &["status"]).await;
    }
    ask(&tablet, &["send", "after all"]).await;
    let logs = [
        ask_all(&li.mother, &["log"]).await,
        ask_all(&li.village, &["log"]).await,
        ask_all(&tablet, &["log"]).await,
    ];
    let new = ask_all(&li.village, &["inbox"]).await;

    assert_eq!(texts(&new), ["after all"], "what was shown is not shown again");
    let mut expected = sorted(&before);
    assert_eq!(expected.len(), 4);
    let last = logs[0].iter().find(|line| line["text"] == "after all").unwrap();
    expected.insert(last["ref"].as_str().unwrap());
    for log in &logs {
        assert_eq!(sorted(log), expected, "the same refs on every phone");
    }
    for phone in [&li.mother, &li.village, &tablet] {
        let status = ask(phone, &["status"]).await;
        assert_eq!((&status["roster"], &status["waiting"]), (&"ok".into(), &0.into()));
        let family = ask(phone, &["family"]).await;
        assert_eq!((phones(&family), open_cards(&family).len()), (vec![1, 2, 3], 1));
        let planned = ask_all(phone, &["schedule", "list"]).await;
        assert_eq!(planned[0]["id"], plan["id"]);
    }
    // Its code came back with the journal of who made it.
    let child = li.office.join("child", unused["link"].as_str().unwrap()).await;
    assert_eq!(sorted(&ask_all(&child, &["log"]).await), expected);
}

#[tokio::test]
async fn a_listener_heals_a_relay_that_lost_links_while_it_was_on() {
    let mut li = Li::at_home().await;
    let older = li.office.relay.back_up().await;
    ask(&li.mother, &["send", "lost by the relay"]).await;
    ask(&li.mother, &["invite", "--for", "Lili"]).await;
    let mut listening = li.village.spawn(&["--json", "listen"]);
    listening.json_where(|letter| letter["text"] == "lost by the relay").await;

    li.office.relay.restore(&older).await;
    ask(&li.mother, &["send", "after"]).await;
    let letter = listening.json_where(|_| true).await;
    listening.stop().await;

    assert_eq!(letter["text"], "after", "and nothing twice");
    let status = ask(&li.village, &["status"]).await;
    assert_eq!(status["roster"], "ok");
    assert_eq!(open_cards(&ask(&li.village, &["family"]).await).len(), 1);
}

#[tokio::test]
async fn a_listener_whose_join_the_relay_lost_lets_itself_in_again() {
    let mut li = Li::at_home().await;
    let older = li.office.relay.back_up().await;
    let card = ask(&li.mother, &["invite", "--for", "妈妈"]).await;
    let tablet = li.office.join("tablet", card["link"].as_str().unwrap()).await;
    ask_all(&li.village, &["inbox"]).await;
    let mut listening = tablet.spawn(&["--json", "listen"]);
    ask(&li.village, &["send", "--as", "Lili", "lost by the relay"]).await;
    listening.json_where(|letter| letter["text"] == "lost by the relay").await;

    li.office.relay.restore(&older).await;
    // A person at the tablet wants something, so its listener tries at once.
    let sent = until("the relay knows the tablet again", async || {
        let sent = tablet.run(&["--json", "send", "here"]).await;
        (sent.json_lines()[0]["queued"] == false).then_some(sent)
    })
    .await;
    listening.stop().await;

    assert_eq!(sent.code, 0);
    assert_eq!(phones(&ask(&tablet, &["family"]).await), [1, 2, 3]);
    let came = ask_all(&li.village, &["inbox"]).await;
    assert!(texts(&came).contains(&"here"), "{came:?}");
}

#[tokio::test]
async fn a_phone_restored_from_a_backup_of_its_folder_goes_on_where_the_family_is() {
    let mut office = Office::open().await;
    let li = {
        let li = Li::of(office).await;
        office = li.office;
        (li.mother, li.village)
    };
    let (mother, village) = li;
    office.relay.kill9();
    for number in 0..20 {
        ask(&mother, &["send", &format!("waiting {number:02}")]).await;
    }
    let backup = office.path("backup");
    copy(mother.home(), &backup);
    office.relay.restart().await;
    // All of that, and more, goes out before the phone falls into the river.
    for number in 0..3 {
        ask(&mother, &["send", &format!("after the backup {number}")]).await;
    }
    let card = ask(&mother, &["invite", "--for", "Lili"]).await;
    let tablet = office.join("tablet", card["link"].as_str().unwrap()).await;
    let told = ask_all(&village, &["inbox"]).await;

    copy(&backup, mother.home());
    let restored = Cli::new(mother.home());
    ask(&restored, &["status"]).await;
    ask(&restored, &["send", "after the river"]).await;
    let logs = [
        ask_all(&restored, &["log"]).await,
        ask_all(&village, &["log"]).await,
        ask_all(&tablet, &["log"]).await,
    ];
    let new = ask_all(&village, &["inbox"]).await;

    assert_eq!(told.len(), 23);
    assert_eq!(texts(&new), ["after the river"], "{}", text(restored.home()));
    let all = sorted(&logs[0]);
    assert_eq!(all.len(), 24);
    for log in &logs {
        assert_eq!(sorted(log), all);
        assert!(log.iter().any(|line| line["text"] == "after the backup 2"), "the log had it");
    }
    let status = ask(&restored, &["status"]).await;
    assert_eq!((&status["waiting"], status["refused"].as_array().unwrap().len()), (&0.into(), 0));
    assert_eq!(phones(&ask(&restored, &["family"]).await), [1, 2, 3]);
}
