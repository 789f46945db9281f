//! P3: a damaged store is noticed, never guessed. A bit is flipped, or an end cut off, in a copy of
//! a store that was killed; then the relay either refuses and names file and place, or shows every
//! letter as it was sent. Only what is cut off the end of the WAL is repaired without a word: a torn
//! tail looks like that after every power cut.

use std::collections::BTreeMap;
use std::fs;

use jiashu_proto::entry::RuleText;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::Refused;
use jiashu_tests::checker::Complaint;
use jiashu_tests::dice::Dice;
use jiashu_tests::joining::Way;
use jiashu_tests::{Programme, TestRelay, until};
use tempfile::TempDir;

use crate::crowd::{Crowd, End};
use crate::rounds::Rounds;

const STORE: &str = "jiashu.sqlite3";
const WAL: &str = "jiashu.sqlite3-wal";

/// Bytes of a page, of the WAL's header, and of the header of each of its frames.
const PAGE: usize = 4096;
const WAL_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// When the held letter is to come, from the time it is written, in ms: after that relay has ended.
const HELD_MS: i64 = 4_000;

/// A store with something in every table, and those who know what is in it.
struct Stored {
    folder: TempDir,
    crowd: Crowd,
    /// An open invite.
    way: Way,
}

impl Stored {
    /// All in the file: the relay was ended in order.
    async fn in_the_file() -> Self {
        Self::of(false).await
    }

    /// As a killed relay left it: what came last stands in the WAL.
    async fn with_a_wal() -> Self {
        Self::of(true).await
    }

    async fn of(killed: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut relay = TestRelay::on(folder.path(), &[]).await;
        let mut crowd = Crowd::join(&Programme::of(&relay).await, "DAMAGE").await;
        crowd.write_each(100, 10).await;
        crowd.write_long().await;
        let now = relay.raw().now().await;
        let way = crowd.first().invite(&[3], now + 86_400_000).await;
        let due_at = (now + HELD_MS) / 1000 * 1000;
        let due = jiff::Timestamp::from_millisecond(due_at).unwrap();
        let start = jiff::tz::TimeZone::UTC.to_datetime(due).to_string();
        let rule = RuleText {
            start,
            zone: "UTC".into(),
            rrule: None,
            also: Vec::new(),
            except: Vec::new(),
        };
        crowd.first().schedule(HELD, &[], rule).await;
        crowd.ack().await;
        relay.term().await;
        if killed {
            relay.restart().await;
            crowd.write_each(20, 2).await;
            crowd.write_long().await;
            relay.kill9();
        }
        Self { folder, crowd, way }
    }

    /// What a file holds; nothing if there is none.
    fn bytes(&self, file: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(file)).unwrap_or_default()
    }
}

const HELD: &str = "for a later hour";

/// Where a bit is flipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    FileHeader,
    TableLeaf,
    TableInterior,
    IndexLeaf,
    IndexInterior,
    /// Overflow of a long row, or free.
    OtherPage,
    WalHeader,
    WalFrameHeader,
    WalPage,
}

const PARTS: [Part; 9] = [
    Part::FileHeader,
    Part::TableLeaf,
    Part::TableInterior,
    Part::IndexLeaf,
    Part::IndexInterior,
    Part::OtherPage,
    Part::WalHeader,
    Part::WalFrameHeader,
    Part::WalPage,
];

impl Part {
    fn file(self) -> &'static str {
        match self {
            Self::WalHeader | Self::WalFrameHeader | Self::WalPage => WAL,
            _ => STORE,
        }
    }

    /// The stretches of bytes that are of this part.
    fn of(self, bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
        let frame = FRAME_HEADER + PAGE;
        let frames = (WAL_HEADER..bytes.len()).step_by(frame);
        match self {
            Self::FileHeader => std::iter::once(0..100).collect(),
            Self::WalHeader => std::iter::once(0..WAL_HEADER).collect(),
            Self::WalFrameHeader => frames.map(|at| at..at + FRAME_HEADER).collect(),
            Self::WalPage => frames.map(|at| at + FRAME_HEADER..at + frame).collect(),
            page => (0..bytes.len() / PAGE)
                .map(|number| (number * PAGE, if number == 0 { 100 } else { 0 }))
                .filter(|(at, head)| page == Self::of_page(bytes[at + head]))
                .flat_map(|(at, head)| {
                    used(&bytes[at..at + PAGE], head).map(|used| at + used.start..at + used.end)
                })
                .collect(),
        }
    }

    /// By the first byte of a page. Source: <https://sqlite.org/fileformat2.html#b_tree_pages>.
    fn of_page(kind: u8) -> Self {
        match kind {
            2 => Self::IndexInterior,
            5 => Self::TableInterior,
            10 => Self::IndexLeaf,
            13 => Self::TableLeaf,
            _ => Self::OtherPage,
        }
    }
}

/// Header and pointers, and the cells: what a page of a tree uses. All of any other page.
fn used(page: &[u8], head: usize) -> [std::ops::Range<usize>; 2] {
    let number =
        |at: usize| usize::from(u16::from_be_bytes([page[head + at], page[head + at + 1]]));
    let header = match Part::of_page(page[head]) {
        Part::TableLeaf | Part::IndexLeaf => 8,
        Part::TableInterior | Part::IndexInterior => 12,
        _ => return [0..PAGE / 2, PAGE / 2..PAGE],
    };
    [head..head + header + 2 * number(3), number(5).min(PAGE - 1)..PAGE]
}

/// What came of a harmed copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// It does not start, and says why.
    NotStarted,
    /// It starts, and refuses what is damaged.
    Refused,
    /// The end of the WAL is gone, all before it is whole.
    CutOff,
    /// All is there: what was harmed meant nothing.
    Whole,
}

/// Starts a relay on a copy with one file changed, and looks at all there is.
async fn outcome(stored: &Stored, file: &str, harm: impl FnOnce(&mut Vec<u8>)) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    for name in [STORE, WAL, "lock"] {
        fs::write(folder.path().join(name), stored.bytes(name)).unwrap();
    }
    let mut bytes = stored.bytes(file);
    harm(&mut bytes);
    fs::write(folder.path().join(file), bytes).unwrap();
    let relay = match TestRelay::try_on(folder.path()).await {
        Ok(relay) => relay,
        Err(refusal) => {
            assert!(!refusal.contains("panicked"), "{refusal}");
            assert!(refusal.contains(STORE), "it names the file: {refusal}");
            return Outcome::NotStarted;
        }
    };
    let seen = look_at_all(stored, &relay).await;
    if seen == Outcome::Refused {
        let named = relay.log().lines().any(|line| line.contains(STORE));
        assert!(named, "refused, and the log does not say what is damaged:\n{}", relay.log());
    }
    seen
}

fn assert_unavailable(refused: &Refused) {
    assert_eq!(refused.code, ErrorCode::Unavailable, "guessed, and not noticed: {refused:?}");
}

async fn look_at_all(stored: &Stored, relay: &TestRelay) -> Outcome {
    let mut crowd = stored.crowd.again().at(relay);
    let way = Way { raw: relay.raw(), ..stored.way.clone() };
    let mut refused = Vec::new();
    refused.extend(crowd.read().await.err());
    match way.look().await {
        Ok(invited) => _ = way.open(&invited).expect("what a card opens is as it was sealed"),
        Err(refusal) => refused.push(refusal),
    }
    let cut_off = cut_off(&crowd);
    if !cut_off {
        for end in crowd.try_each().await.into_iter().flatten() {
            let End::Unavailable(refusal) = end else { panic!("the relay has gone: {end:?}") };
            refused.push(refusal);
        }
        refused.extend(crowd.read().await.err());
        if refused.is_empty() {
            let kept =
                until("the held letter comes, or is said to be damaged", async || {
                    match crowd.fired().await {
                        Ok(texts) if texts.is_empty() => {
                            relay.log().contains("damaged").then_some(false)
                        }
                        Ok(texts) => Some(texts == [HELD]),
                        Err(_) => Some(false),
                    }
                });
            if !kept.await {
                return Outcome::Refused;
            }
        }
    }
    refused.iter().for_each(assert_unavailable);
    let complaints = crowd.verdict().complaints;
    let wrong = complaints.iter().find(|complaint| !matches!(complaint, Complaint::CutOff(_)));
    assert_eq!(wrong, None, "{complaints:?}\n{}", relay.log());
    match (refused.is_empty(), cut_off) {
        (false, _) => Outcome::Refused,
        (true, true) => Outcome::CutOff,
        (true, false) => Outcome::Whole,
    }
}

fn cut_off(crowd: &Crowd) -> bool {
    !crowd.verdict().complaints.is_empty()
}

pub(crate) async fn a_flipped_bit_is_noticed_or_means_nothing() {
    let (file, wal) = (Stored::in_the_file().await, Stored::with_a_wal().await);
    let (mut rounds, mut dice) = (Rounds::of(50, 2_000), Dice::new(seed()));
    let mut seen: BTreeMap<(Part, Outcome), usize> = BTreeMap::new();
    let mut parts = PARTS.iter().cycle();

    while rounds.more() {
        let part = *parts.next().expect("they go round");
        let stored = if part.file() == WAL { &wal } else { &file };
        let places = part.of(&stored.bytes(part.file()));
        let place = &places[dice.place(places.len())];
        let (at, bit) = (place.start + dice.place(place.len()), dice.below(8));
        eprintln!("P3: bit {bit} of byte {at} of {} ({part:?})", part.file());
        let outcome = outcome(stored, part.file(), |bytes| bytes[at] ^= 1 << bit).await;
        eprintln!("P3: {outcome:?}");

        let in_wal = part.file() == WAL;
        assert!(in_wal || outcome != Outcome::CutOff, "what the file holds is not cut off");
        *seen.entry((part, outcome)).or_default() += 1;
        rounds.count(true);
    }

    eprintln!("P3: {}, 0 letters altered, foreign or skipped: {seen:?}", rounds.told());
}

pub(crate) async fn a_file_cut_short_is_noticed_or_was_a_torn_tail() {
    let (file, wal) = (Stored::in_the_file().await, Stored::with_a_wal().await);
    let (mut rounds, mut dice) = (Rounds::of(50, 4_096), Dice::new(seed()));
    let mut seen: BTreeMap<(&str, Outcome), usize> = BTreeMap::new();
    let mut cases = [(STORE, &file), (WAL, &wal), (STORE, &wal)].into_iter().cycle();

    while rounds.more() {
        let (name, stored) = cases.next().expect("they go round");
        let length = stored.bytes(name).len();
        // To nothing, too: that is what a file system may leave after a crash.
        let keep = if rounds.counted() < 3 { 0 } else { dice.place(length) };
        eprintln!("P3: {name} cut from {length} to {keep} bytes");
        let outcome = outcome(stored, name, |bytes| bytes.truncate(keep)).await;
        eprintln!("P3: {outcome:?}");

        assert!(name == WAL || outcome != Outcome::CutOff, "what the file holds is not cut off");
        *seen.entry((name, outcome)).or_default() += 1;
        rounds.count(true);
    }

    eprintln!("P3: {} of files cut short: {seen:?}", rounds.told());
}

/// The same in every run, unless another is asked for: `JIASHU_SEED`.
fn seed() -> u64 {
    std::env::var("JIASHU_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(3)
}

pub(crate) async fn the_store_as_it_was_left_is_whole() {
    let (file, wal) = (Stored::in_the_file().await, Stored::with_a_wal().await);
    for part in PARTS {
        let stored = if part.file() == WAL { &wal } else { &file };
        assert!(!part.of(&stored.bytes(part.file())).is_empty(), "nothing to harm: {part:?}");
    }

    assert_eq!(outcome(&file, STORE, |_| {}).await, Outcome::Whole);
    assert_eq!(outcome(&wal, WAL, |_| {}).await, Outcome::Whole);
}
