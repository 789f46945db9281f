//! P7: a family reads its letters in one order, on every device, whatever is killed meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiashu_tests::balancer::Balancer;
use jiashu_tests::dice::Dice;
use jiashu_tests::{Cli, TestRelay, until};
use serde_json::Value;

use crate::scene::TwoRelays;
use crate::story::{Journal, Journalled, Office, ask, ask_all};

/// Four adults and four children, a phone each.
const SENDERS: usize = 8;

/// Letters of each, at the most so many where too few kills have met them, and how many are typed
/// at once.
const LETTERS: usize = 250;
const MOST_LETTERS: usize = 950;
const AT_ONCE: usize = 5;

/// Kills of the relay that must come while letters are on their way.
const KILLS: usize = 20;

fn family() -> String {
    let row = |number: usize| {
        let (role, zone, assent) = if number <= SENDERS / 2 {
            ("parent", "Europe/Rome", "")
        } else {
            ("child", "Asia/Shanghai", "2026-11-01")
        };
        format!("P-7,{number},{role},P{number},{zone},it,Phone {number},,2026-11-01,{assent}\n")
    };
    (1..=SENDERS).map(row).collect()
}

struct Sender {
    phone: Cli,
    sending: Journalled,
    journal: Journal,
}

impl Sender {
    async fn join(office: &Office, link: &str, number: usize) -> Self {
        let phone = office.join(&format!("phone-{number}"), link).await;
        let journal = office.journal(&format!("journal-{number}"));
        let sending = Journalled::start(&phone, &["send", "--lines"], &journal);
        Self { phone, sending, journal }
    }
}

fn sum(senders: &[Sender], of: impl Fn(&Journal) -> usize) -> usize {
    senders.iter().map(|sender| of(&sender.journal)).sum()
}

fn words<'a>(log: &'a [Value], key: &str) -> Vec<&'a str> {
    log.iter().map(|line| line[key].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_phones_read_two_thousand_letters_in_one_order() {
    read_in_one_order(Office::open().await, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_phones_at_two_relays_with_redis_read_two_thousand_letters_in_one_order() {
    let balancer = Balancer::start().await;
    let two = TwoRelays::start(&balancer.settings()).await;
    let TwoRelays { first, second, redis: _redis, folders: _folders } = two;
    balancer.set(vec![first.address(), second.address()]);

    read_in_one_order(Office::on(first).await, Some(second)).await;
}

/// Everybody writes while the relays are killed, one or the other; then everybody reads.
async fn read_in_one_order(mut office: Office, mut second: Option<TestRelay>) {
    let mut dice = Dice::new(7);
    let cards = office.enrol(&family()).await;
    let mut senders = Vec::new();
    for number in 1..=SENDERS {
        let link = cards.link("P-7", &format!("P{number}"));
        senders.push(Sender::join(&office, &link, number).await);
    }
    let (mut kills, mut letters) = (0, 0);

    while letters < LETTERS || (kills < KILLS && letters < MOST_LETTERS) {
        let typed = letters..letters + AT_ONCE;
        letters = typed.end;
        let lines: Vec<_> = typed.clone().map(|number| format!("{number:03}")).collect();
        let posted = sum(&senders, Journal::posted);
        for sender in &mut senders {
            sender.sending.feed(&lines).await;
        }
        until("the relay takes letters again", async || {
            (sum(&senders, Journal::posted) > posted).then_some(())
        })
        .await;
        // The moment is the fault, so it is drawn: there is nothing to wait for.
        tokio::time::sleep(Duration::from_micros(dice.below(10_000))).await;
        let reported = sum(&senders, Journal::count);
        let which = if dice.below(2) == 0 { None } else { second.as_mut() };
        let relay = which.unwrap_or(&mut office.relay);
        relay.kill9();
        kills += usize::from(reported < typed.end * SENDERS);
        relay.restart().await;
    }
    for sender in &mut senders {
        until("all is reported", async || (sender.journal.count() == letters).then_some(())).await;
    }
    let mut posted = BTreeMap::new();
    let mut phones = Vec::new();
    for Sender { phone, sending, journal } in senders {
        sending.end().await;
        until("the outbox is empty", async || {
            (ask(&phone, &["status"]).await["waiting"] == 0).then_some(())
        })
        .await;
        for line in journal.lines() {
            posted.insert(line["ref"].as_str().unwrap().to_owned(), line["seq"].as_u64());
        }
        phones.push(phone);
    }
    let first = ask_all(&phones[0], &["log"]).await;

    assert!(kills >= KILLS, "only {kills} kills met letters on their way");
    assert_eq!(first.len(), SENDERS * letters);
    let refs: BTreeSet<_> = words(&first, "ref").into_iter().map(str::to_owned).collect();
    assert_eq!(refs, posted.keys().cloned().collect(), "none missing, none doubled, none other");
    for line in &first {
        let said = posted[line["ref"].as_str().unwrap()];
        assert!(said.is_none_or(|seq| line["seq"] == seq), "it stands where its sender was told");
    }
    for number in 1..=SENDERS {
        let from = format!("P{number}");
        let own: Vec<_> = first.iter().filter(|line| line["from"] == from).collect();
        assert!(own.windows(2).all(|pair| pair[0]["text"].as_str() < pair[1]["text"].as_str()));
        assert_eq!(own.len(), letters, "{from}");
    }
    for phone in &phones[1..] {
        let log = ask_all(phone, &["log"]).await;
        assert_eq!(words(&log, "ref"), words(&first, "ref"), "the same order on every phone");
    }
    eprintln!("{kills} kills of {}", letters / AT_ONCE);
}
