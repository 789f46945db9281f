//! P1: what the relay has acknowledged survives `kill -9` at any moment; what it has not stands in
//! the log once at most, and once exactly after it was sent again.

use std::collections::BTreeMap;
use std::time::Duration;

use jiashu_proto::entry::Seq;
use jiashu_proto::frame::{ClientFrame, Post, Posted, RelayFrame};
use jiashu_proto::id::Ref;
use jiashu_tests::dice::Dice;
use jiashu_tests::raw::Cut;
use jiashu_tests::{FamilySpec, RawDevice, TestRelay};

use crate::scene::Scene;

/// Rounds that count: those in which something was in flight when the relay was killed.
const ROUNDS: usize = 20;

/// Rounds tried at most.
const MAX_TRIES: usize = 100;

/// Letters of one device in one request.
const IN_FLIGHT: u64 = 4;

/// What one device knows of its own letters, outside the disk that is harmed.
#[derive(Debug, Default)]
struct Journal {
    acknowledged: BTreeMap<Ref, Seq>,
    /// Sent, and not answered.
    open: Vec<Post>,
    /// Whether those met the kill on their way.
    in_flight: bool,
}

impl Journal {
    fn note(&mut self, posted: &Posted) {
        let earlier = self.acknowledged.insert(posted.entry_ref, posted.seq);
        assert!(earlier.is_none_or(|seq| seq == posted.seq), "a repeat has another place");
        self.open.retain(|post| post.entry_ref != posted.entry_ref);
    }
}

/// Posts until the relay is gone.
async fn post_until_cut(mut phone: RawDevice, mut journal: Journal) -> (RawDevice, Journal) {
    loop {
        journal.open = (1..=IN_FLIGHT)
            .map(|step| {
                let text = format!("{} of {}", phone.n + step, phone.number());
                Post { n: phone.n + step, ..phone.letter(&text, &[]) }
            })
            .collect();
        let letters = journal.open.iter().cloned().map(ClientFrame::Post);
        let frames: Vec<_> =
            std::iter::once(phone.hello()).chain(letters).map(|frame| (0, frame)).collect();
        let answers = match phone.raw.try_round(&frames).await {
            Ok(answers) => answers,
            Err(cut) => {
                journal.in_flight = cut == Cut::AnswerLost;
                return (phone, journal);
            }
        };
        for (_, answer) in answers {
            match answer {
                RelayFrame::Posted(posted) => {
                    journal.note(&posted);
                    phone.n = posted.n;
                }
                RelayFrame::Entries(entries) => assert!(phone.log.take(&entries)),
                RelayFrame::Welcome(_) | RelayFrame::Cursors(_) => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
        assert!(journal.open.is_empty(), "all of a whole round is answered");
    }
}

/// Each letter of a log, and how often it stands there.
fn places(phone: &RawDevice) -> BTreeMap<Ref, Vec<Seq>> {
    let mut places: BTreeMap<Ref, Vec<Seq>> = BTreeMap::new();
    for (taken, _, message) in phone.log.messages() {
        places.entry(message.entry_ref).or_default().push(taken.seq);
    }
    places
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9_at_any_moment() {
    let spec = FamilySpec::li().with_phones(&[&[1], &[2], &[2, 3], &[3], &[1]]);
    let mut scene = Scene::<5>::of(TestRelay::start().await, spec).await;
    let mut dice = Dice::new(1);
    let [writers @ .., reader] = &mut scene.phones;
    let mut writing: Vec<_> =
        writers.iter().map(|phone| (phone.clone(), Journal::default())).collect();
    let (mut counted, mut tried, mut unanswered, mut done) = (0, 0, 0, 0);

    while counted < ROUNDS {
        tried += 1;
        assert!(tried <= MAX_TRIES, "in {counted} of {tried} rounds something was in flight");
        let tasks: Vec<_> = writing
            .drain(..)
            .map(|(phone, journal)| tokio::spawn(post_until_cut(phone, journal)))
            .collect();
        // The moment is the fault, so it is drawn: there is nothing to wait for.
        tokio::time::sleep(Duration::from_micros(20_000 + dice.below(150_000))).await;
        scene.relay.kill9();
        for task in tasks {
            writing.push(task.await.unwrap());
        }
        scene.relay.restart().await;

        reader.sync().await;
        let found = places(reader);
        for (phone, journal) in &mut writing {
            for (entry_ref, seq) in &journal.acknowledged {
                assert_eq!(found.get(entry_ref), Some(&vec![*seq]), "acknowledged, and not there");
            }
            for post in journal.open.clone() {
                let before = found.get(&post.entry_ref).map_or(0, Vec::len);
                (unanswered, done) = (unanswered + 1, done + before);
                assert!(before <= 1, "unacknowledged, and there {before} times");
                let posted = phone.command(ClientFrame::Post(post)).await.unwrap();
                journal.note(&posted);
            }
        }
        counted += usize::from(writing.iter().any(|(_, journal)| journal.in_flight));
    }

    reader.sync().await;
    let found = places(reader);
    let acknowledged: BTreeMap<Ref, Vec<Seq>> = writing
        .iter()
        .flat_map(|(_, journal)| &journal.acknowledged)
        .map(|(entry_ref, seq)| (*entry_ref, vec![*seq]))
        .collect();
    assert_eq!(found, acknowledged, "every letter of every phone stands there once");
    eprintln!("{counted} rounds of {tried}, {} letters", found.len());
    eprintln!("{unanswered} were unanswered at a kill, {done} of them in the log all the same");
}
