//! P6: a message is shown exactly once, however often relay and phones are killed in between. The
//! verdict comes from what the processes printed, in files outside the disks that are harmed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiashu_tests::dice::Dice;
use jiashu_tests::{DEADLINE, until};
use serde_json::Value;
use tokio::time::timeout;

use crate::story::{Journal, Journalled, Li, ask, ask_all};

/// Letters in all, and how many are typed at once.
const LETTERS: usize = 1_000;
const AT_ONCE: usize = 25;

/// Kills of the relay and of the listening phone that must come while letters are on their way.
const KILLS: usize = 5;

fn seq(line: &Value) -> u64 {
    line["seq"].as_u64().expect("what was shown has a place")
}

fn by_ref(lines: &[Value]) -> BTreeMap<&str, Vec<&Value>> {
    let mut by_ref: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for line in lines {
        by_ref.entry(line["ref"].as_str().unwrap()).or_default().push(line);
    }
    by_ref
}

/// People look at their phones, which so try again at once.
async fn look(li: &Li) {
    for phone in [&li.mother, &li.village] {
        let _ = ask(phone, &["status"]).await;
    }
}

/// Waits until so many letters are shown.
async fn shown_all(li: &Li, shown: &Journal, letters: usize) {
    until("all letters are shown", async || {
        if by_ref(&shown.lines()).len() >= letters {
            return Some(());
        }
        look(li).await;
        None
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_letters_are_each_shown_once_over_kills_of_relay_and_phones() {
    let mut li = Li::at_home().await;
    let mut dice = Dice::new(6);
    let (sent, shown) = (li.office.journal("sent"), li.office.journal("shown"));
    let mut sending = Journalled::start(&li.mother, &["send", "--lines"], &sent);
    let mut listening = Journalled::start(&li.village, &["listen"], &shown);
    let (mut relay_kills, mut phone_kills) = (0, 0);

    for batch in 0..LETTERS / AT_ONCE {
        let typed = batch * AT_ONCE..(batch + 1) * AT_ONCE;
        let lines: Vec<_> = typed.clone().map(|number| format!("letter {number}")).collect();
        shown_all(&li, &shown, typed.start).await;
        sending.feed(&lines).await;
        let printed = shown.count();
        // Of the relay and of the phone every other kill is sure to meet letters, however fast they are.
        let in_the_middle = matches!(batch % 6, 3 | 4);
        if in_the_middle {
            let more = async {
                while shown.count() == printed {
                    tokio::time::sleep(Duration::from_micros(200)).await;
                }
            };
            timeout(DEADLINE, more).await.expect("letters are shown");
        } else {
            // The moment is the fault, so it is drawn: there is nothing to wait for.
            tokio::time::sleep(Duration::from_micros(dice.below(100_000))).await;
        }
        let hit = in_the_middle || by_ref(&shown.lines()).len() < typed.end;
        match batch % 3 {
            0 => {
                relay_kills += usize::from(hit);
                li.office.relay.kill9();
                li.office.relay.restart().await;
                look(&li).await;
            }
            1 => {
                phone_kills += usize::from(hit);
                listening.kill9().await;
                listening = Journalled::start(&li.village, &["listen"], &shown);
            }
            _ => {
                sending.end().await;
                sending = Journalled::start(&li.mother, &["send", "--lines"], &sent);
            }
        }
    }
    sending.end().await;
    shown_all(&li, &shown, LETTERS).await;
    listening.kill9().await;

    assert!(relay_kills >= KILLS && phone_kills >= KILLS, "{relay_kills}, {phone_kills} kills hit");
    let (sent, shown) = (sent.lines(), shown.lines());
    let sent_refs: BTreeSet<_> = sent.iter().map(|line| line["ref"].as_str().unwrap()).collect();
    assert_eq!((sent.len(), sent_refs.len()), (LETTERS, LETTERS), "each was reported once");
    let shown = by_ref(&shown);
    assert_eq!(
        shown.keys().copied().collect::<BTreeSet<_>>(),
        sent_refs,
        "none missing, none other"
    );
    let mut again = 0;
    for lines in shown.values() {
        let repeats = &lines[1..];
        assert!(repeats.iter().all(|line| line["perhaps_shown"] == true), "doubled: {lines:?}");
        again += repeats.len();
    }
    let texts: BTreeSet<_> = shown.values().map(|lines| lines[0]["text"].to_string()).collect();
    assert_eq!(texts.len(), LETTERS);
    let log = ask_all(&li.village, &["log"]).await;
    assert_eq!((log.len(), by_ref(&log).len()), (LETTERS, LETTERS), "each stands in the log once");
    assert!(log.windows(2).all(|pair| seq(&pair[0]) < seq(&pair[1])));
    eprintln!(
        "{relay_kills} kills of the relay, {phone_kills} of the phone, {again} perhaps shown before"
    );
}
