//! P12, as people meet it: what the command line sealed lies nowhere at the relay, neither on its
//! disk nor in its log, its figures or its memory. The searcher is shown to find what is there.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use jiashu_tests::ground::Ground;
use jiashu_tests::smtpd::decoded;
use jiashu_tests::sound::opus_by;
use jiashu_tests::until;

use crate::staff_refusals::all_answers;
use crate::story::{Journalled, Office, ask, ask_all, text as path_text};
use crate::story_contact::COLUMNS;

/// Stands in every name, label and text of the family.
const CANARY: &str = "Zimtkanarie";

/// Stands in what the relay is meant to know.
const CASE: &str = "KASE-7391-XQ";

/// A word in every form in which it might lie about.
struct Search {
    /// In small letters, searched for in bytes made small.
    any_case: Vec<Vec<u8>>,
    exact: Vec<Vec<u8>>,
}

impl Search {
    fn of(word: &str) -> Self {
        let small = word.to_lowercase();
        let hex: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
        let utf16 = |order: fn(u16) -> [u8; 2]| small.encode_utf16().flat_map(order).collect();
        let any_case = vec![
            small.clone().into_bytes(),
            hex.into_bytes(),
            utf16(u16::to_le_bytes),
            utf16(u16::to_be_bytes),
        ];
        Self {
            any_case,
            exact: (0..3).map(|offset| base64_core(word.as_bytes(), offset)).collect(),
        }
    }

    fn finds(&self, bytes: &[u8]) -> bool {
        let small = bytes.to_ascii_lowercase();
        holds_any(&small, &self.any_case) || holds_any(bytes, &self.exact)
    }
}

/// The base64 digits of a word that stand fast whatever surrounds it, where it begins so many bytes
/// behind a group of three. Words without `+` and `/` look alike in both alphabets.
fn base64_core(word: &[u8], offset: usize) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let padded: Vec<u8> = vec![0; offset].into_iter().chain(word.iter().copied()).collect();
    let bit = |at: usize| usize::from(padded[at / 8] >> (7 - at % 8) & 1);
    let digit = |place: usize| (0..6).fold(0, |bits, step| bits << 1 | bit(place * 6 + step));
    let (first, end) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
    let digits: Vec<u8> = (first..end).map(|place| DIGITS[digit(place)]).collect();
    assert!(!digits.contains(&b'+') && !digits.contains(&b'/'), "choose another word");
    digits
}

/// Looks at the first bytes by a table: the memory of a process is searched without optimisation.
fn holds_any(bytes: &[u8], needles: &[Vec<u8>]) -> bool {
    let mut begins = [false; 256];
    needles.iter().for_each(|needle| begins[usize::from(needle[0])] = true);
    let places = bytes.iter().enumerate().filter(|(_, byte)| begins[usize::from(**byte)]);
    places
        .into_iter()
        .any(|(place, _)| needles.iter().any(|needle| bytes[place..].starts_with(needle)))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Every file of a folder, with its path.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let named = |path: PathBuf| (path.display().to_string(), std::fs::read(&path).unwrap());
    files(folder).into_iter().map(named).collect()
}

/// All that a process has in memory that can be written, a region each.
fn memory(pid: u32) -> Vec<(String, Vec<u8>)> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut regions = Vec::new();
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        let (from, until) = range.split_once('-').unwrap();
        let at = |text| u64::from_str_radix(text, 16).unwrap();
        let (from, until) = (at(from), at(until));
        let mut bytes = vec![0; usize::try_from(until - from).unwrap()];
        if rest.starts_with("rw") && memory.read_exact_at(&mut bytes, from).is_ok() {
            regions.push((format!("memory {line}"), bytes));
        }
    }
    regions
}

fn found<'a>(search: &Search, places: &'a [(String, Vec<u8>)]) -> Vec<&'a str> {
    let places = places.iter().filter(|(_, bytes)| search.finds(bytes));
    places.map(|(place, _)| place.as_str()).collect()
}

#[test]
fn the_search_finds_a_word_in_every_form() {
    let search = Search::of(CANARY);
    let forms: [(&str, Vec<u8>); 9] = [
        ("as it is", b"..Zimtkanarie..".to_vec()),
        ("in capitals", b"ZIMTKANARIE".to_vec()),
        ("hex", b"x5a696d746b616e61726965".to_vec()),
        ("HEX", b"5A696D746B616E61726965".to_vec()),
        ("UTF-16LE", CANARY.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16BE", CANARY.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        // base64 of "Zimtkanarie!", ".Zimtkanarie" and "..Zimtkanarie!".
        ("base64", b"WmltdGthbmFyaWUh".to_vec()),
        ("base64, one on", b"LlppbXRrYW5hcmll".to_vec()),
        ("base64, two on", b"Li5aaW10a2FuYXJpZSE=".to_vec()),
    ];

    for (form, bytes) in forms {
        assert!(search.finds(&bytes), "{form}");
    }
    assert!(!search.finds(b"Zimt, Kanarie"));
}

async fn what_a_family_writes_lies_nowhere_at_the_relay(ground: Ground) {
    let folder = tempfile::tempdir().unwrap();
    let mail = folder.path().join("mail");
    let by_mail = format!("folder:{}", mail.display());
    let settings = [("JIASHU_LOG", "trace"), ("JIASHU_MAIL", &by_mail)];
    let mut office = Office::on(ground.relay(&folder, &settings).await).await;
    let (mama, kid, label) =
        (format!("{CANARY} Mama"), format!("{CANARY} Kid"), format!("{CANARY} phone"));
    let list = office.path("families.csv");
    let rows = format!(
        "{COLUMNS}\n{CASE},1,parent,{mama},Europe/Rome,it,{label},,2026-11-01,,,2026-11-01,,,\n\
         {CASE},2,child,{kid},Asia/Shanghai,zh,{label} 2,,2026-11-01,2026-11-01,2017-03-04,2026-11-01,2026-11-01,,day 19:30\n"
    );
    std::fs::write(&list, rows).unwrap();
    let _ = office.try_enrol(list.to_str().unwrap(), &[]).await.success();
    let cards = office.cards();
    let mother = office.join("mother", &cards.link(CASE, &mama)).await;
    let home = office.join("home", &cards.link(CASE, &kid)).await;
    let text = |what: &str| format!("{what} {CANARY} {what}");

    ask(&mother, &["send", "--to", &kid, &text("one")]).await;
    let journal = office.journal("lines");
    let mut lines = Journalled::start(&mother, &["send", "--lines"], &journal);
    lines.feed(&[text("line"), text("another line")]).await;
    lines.end().await;
    ask(&mother, &["schedule", "add", "--every", "day", "--at", "19:30", &text("night")]).await;
    let card =
        ask(&mother, &["invite", "--new", &format!("{CANARY} Papa"), "--role", "parent"]).await;
    office.join("father", card["link"].as_str().unwrap()).await;
    let mut listening = home.spawn(&["listen", "--json", "--open"]);
    listening.json_where(|letter| letter["text"] == text("another line")).await;
    ask(&home, &["send", &text("answer")]).await;
    assert_eq!(ask_all(&mother, &["inbox", "--open"]).await.len(), 1);

    // What is in a file of sound, sent now and planned; fetched, and by a link.
    let sound = office.path("sound.opus");
    std::fs::write(&sound, opus_by(CANARY, 20_000, 30)).unwrap();
    let (sound, out) = (path_text(&sound), path_text(&office.path("heard.opus")));
    let sent = ask(&mother, &["voice", "send", "--to", &kid, &sound]).await;
    let every = ["--every", "day", "--at", "19:30"];
    ask(&mother, &[&["voice", "send", &sound], &every[..]].concat()).await;
    let seq = sent["seq"].to_string();
    let heard = listening.json_where(|letter| letter["kind"] == "voice").await;
    ask(&home, &["voice", "save", &heard["seq"].to_string(), "--out", &out]).await;
    let made = ask(&mother, &["voice", "link", &seq]).await;
    let (link, by_link) = (made["link"].as_str().unwrap(), path_text(&office.path("by link")));
    ask(&office.phone("nobody"), &["voice", "open", link, "--out", &by_link]).await;

    // What staff are told and may ask for.
    let _ = office.worker.run(&["ngo", "me", "--email", "li@ngo.example"]).await.success();
    let _ = ask(&home, &["ask-for-help", "--as", &kid, "--yes"]).await;
    until("the e-mail to be there", async || (!files(&mail).is_empty()).then_some(())).await;
    let mut places = Vec::new();
    for (path, told) in all_answers(&office.relay, &office.worker, CASE).await {
        places.push((path, told.into_bytes()));
    }
    let mails = contents(&mail).into_iter();
    places.extend(mails.map(|(path, bytes)| (path, decoded(&bytes).into_bytes())));

    places.extend(memory(office.relay.pid()));
    for path in ["/metrics", "/healthz"] {
        places.push((path.into(), office.relay.raw().get(path).await.body));
    }
    let folders = ground.folders(&office.relay);
    places.extend(folders.iter().flat_map(|folder| contents(folder)));
    listening.stop().await;
    office.relay.term().await;
    places.extend(folders.iter().flat_map(|folder| contents(folder)));
    if let Some(bucket) = &ground.bucket {
        for key in bucket.keys().await {
            places.push((format!("object {key}"), bucket.object(&key).await));
        }
    }
    places.push(("its log".into(), office.relay.log().into_bytes()));
    places.push(("what it printed".into(), office.relay.printed().into_bytes()));

    assert_eq!(found(&Search::of(CANARY), &places), Vec::<&str>::new());
    let key = link.rsplit_once('.').unwrap().1;
    assert_eq!(found(&Search::of(&key[8..28]), &places), Vec::<&str>::new(), "the link's key");
    assert!(ground.stored(&office.relay).await >= 2, "the sound is there");
    for heard in [&out, &by_link] {
        assert!(Search::of(CANARY).finds(&std::fs::read(heard).unwrap()), "and comes out");
    }
    let searched: usize = places.iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(searched > 1 << 20, "only {searched} bytes were searched");
    assert!(office.relay.log().contains("device 3 joined"), "it logged what happened");
    // The searcher is no good if it does not find what is there.
    assert!(
        !found(&Search::of(CANARY), &contents(mother.home())).is_empty(),
        "the phone's own disk"
    );
    let of_the_case = found(&Search::of(CASE), &places);
    assert!(of_the_case.iter().any(|place| place.contains("/data/")), "the relay's disk");
    let folder = office.relay.data_dir().display().to_string();
    let in_memory = places.iter().filter(|(place, _)| place.starts_with("memory"));
    let in_memory: Vec<_> = in_memory.cloned().collect();
    assert!(
        !found(&Search::of(folder.trim_start_matches("/tmp/")), &in_memory).is_empty(),
        "its memory"
    );
}

#[tokio::test]
async fn what_a_family_writes_lies_nowhere_at_the_relay_nor_in_its_file() {
    what_a_family_writes_lies_nowhere_at_the_relay(Ground::own()).await;
}

#[tokio::test]
async fn what_a_family_writes_lies_nowhere_at_the_relay_nor_in_its_redis() {
    what_a_family_writes_lies_nowhere_at_the_relay(Ground::shared().await).await;
}
