//! P1, as people meet it: what `send` reported with a number is there after any `kill -9` of the
//! relay; what it reported as waiting is there once at most, and once exactly in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use jiashu_tests::dice::Dice;
use jiashu_tests::{Cli, until};
use serde_json::Value;

use crate::story::{Journal, Journalled, Office, ask, ask_all};

/// Rounds that count: those in which letters were on their way when the relay was killed.
const ROUNDS: usize = 20;

/// Rounds tried at most.
const MAX_TRIES: usize = 60;

/// Letters that each phone writes in a round.
const LETTERS: usize = 48;

const FAMILY: &str = "\
K-1,1,parent,Mama,Europe/Rome,it,A,,2026-11-01,
K-1,2,caregiver,Nonna,Asia/Shanghai,zh,B,,2026-11-01,
K-1,3,child,Kid,Asia/Shanghai,zh,C,,2026-11-01,2026-11-01
K-1,4,parent,Papa,Europe/Rome,it,D,,2026-11-01,
";

fn sum(journals: &[Journal], of: impl Fn(&Journal) -> usize) -> usize {
    journals.iter().map(of).sum()
}

/// What every ref was last reported as: its place, or that it waits.
fn reports(journals: &[Journal]) -> BTreeMap<String, Option<u64>> {
    let lines = journals.iter().flat_map(Journal::lines);
    lines
        .map(|line| {
            assert_eq!(line["seq"].is_null(), line["queued"] == true, "{line}");
            (line["ref"].as_str().unwrap().to_owned(), line["seq"].as_u64())
        })
        .collect()
}

/// The places of each ref in a phone's log.
async fn places(phone: &Cli) -> BTreeMap<String, Vec<u64>> {
    let mut places: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in ask_all(phone, &["log"]).await {
        let place = |line: &Value| line["seq"].as_u64().unwrap();
        places.entry(line["ref"].as_str().unwrap().to_owned()).or_default().push(place(&line));
    }
    places
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_send_reported_is_there_after_kill_9_of_the_relay() {
    let mut office = Office::open().await;
    let mut dice = Dice::new(9);
    let cards = office.enrol(FAMILY).await;
    let reader = office.join("reader", &cards.link("K-1", "Papa")).await;
    let (mut writers, mut journals) = (Vec::new(), Vec::new());
    for name in ["Mama", "Nonna", "Kid"] {
        writers.push(office.join(name, &cards.link("K-1", name)).await);
        journals.push(office.journal(&format!("{name}.journal")));
    }
    let (mut counted, mut tried) = (0, 0);

    while counted < ROUNDS {
        tried += 1;
        assert!(tried <= MAX_TRIES, "in {counted} of {tried} rounds letters were on their way");
        let lines: Vec<_> = (0..LETTERS).map(|number| format!("{tried}.{number}")).collect();
        let (posted, mut sending) = (sum(&journals, Journal::posted), Vec::new());
        for (phone, journal) in writers.iter().zip(&journals) {
            let mut process = Journalled::start(phone, &["send", "--lines"], journal);
            process.feed(&lines).await;
            sending.push(process);
        }
        until("the relay takes letters", async || {
            (sum(&journals, Journal::posted) > posted).then_some(())
        })
        .await;
        // The moment is the fault, so it is drawn: there is nothing to wait for.
        tokio::time::sleep(Duration::from_micros(dice.below(60_000))).await;
        office.relay.kill9();
        let reported = sum(&journals, Journal::count);
        for process in sending {
            process.end().await;
        }
        office.relay.restart().await;

        let (reports, places) = (reports(&journals), places(&reader).await);
        for (entry_ref, seq) in &reports {
            let found = places.get(entry_ref).map_or(&[][..], Vec::as_slice);
            match seq {
                Some(seq) => assert_eq!(found, [*seq], "reported, and not there once"),
                None => assert!(found.len() <= 1, "it waits, and is there {found:?}"),
            }
        }
        // Some were taken in this round before the kill, and not all were reported.
        counted += usize::from(reported < tried * LETTERS * writers.len());
    }

    for phone in &writers {
        until("the outbox is empty", async || {
            (ask(phone, &["status"]).await["waiting"] == 0).then_some(())
        })
        .await;
    }
    let (reports, places) = (reports(&journals), places(&reader).await);
    assert_eq!(reports.len(), tried * LETTERS * writers.len(), "every letter was reported");
    assert_eq!(places.len(), reports.len(), "and no other is there");
    for (entry_ref, seq) in &reports {
        let found = &places[entry_ref];
        assert_eq!(found.len(), 1, "each is there once in the end");
        assert!(seq.is_none_or(|seq| found == &[seq]));
    }
    eprintln!("{counted} rounds of {tried}, {} letters", reports.len());
}
