//! A voice note from a mother's file to her daughter's ear, and back as "heard".

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use jiashu_tests::ground::Ground;
use jiashu_tests::line::Line;
use jiashu_tests::sound::write_opus;
use jiashu_tests::{Cli, until};
use serde_json::{Value, json};

use crate::scene::on_each_ground;
use crate::story::{LI, Li, Office, ask, ask_all, failure, text};

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

/// A civil time on Lili's clock so many seconds from now.
async fn soon(li: &Li, seconds: i64) -> String {
    let now = jiff::Timestamp::from_millisecond(li.office.relay.raw().now().await).unwrap();
    let due = (now + jiff::SignedDuration::from_secs(seconds)).in_tz("Asia/Shanghai").unwrap();
    due.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The family Li, at a relay on that ground.
async fn at_home(ground: &Ground, folder: &tempfile::TempDir) -> Li {
    Li::of(Office::on(ground.relay(folder, &[]).await).await).await
}

/// The voice note of that number, as it comes out on that phone.
pub(crate) async fn heard(li: &Li, phone: &Cli, seq: u64) -> Vec<u8> {
    let out = li.office.path(&format!("heard-{seq}.opus"));
    ask(phone, &["voice", "save", &seq.to_string(), "--out", &text(&out)]).await;
    std::fs::read(out).unwrap()
}

async fn what_was_planned_comes_while_the_mothers_phone_is_off(ground: Ground) {
    let folder = tempfile::tempdir().unwrap();
    let li = at_home(&ground, &folder).await;
    let file = note(&li, "evening.opus", 2_000);
    let hour = soon(&li, 4).await;

    let planned =
        ask(&li.mother, &["voice", "send", &text(&file), "--to", "Lili", "--on", &hour]).await;
    let listed = ask(&li.mother, &["schedule", "list"]).await;
    let came = ask(&li.village, &["inbox", "--wait", "30"]).await;
    let seq = came["seq"].as_u64().unwrap();

    assert_eq!((&listed["id"], &listed["text"]), (&planned["id"], &json!("voice, 0:02, 4 KB")));
    assert_eq!((&came["kind"], &came["voice"]["duration_ms"]), (&json!("voice"), &json!(2_000)));
    assert_eq!(heard(&li, &li.village, seq).await, std::fs::read(&file).unwrap());
}

async fn a_bank_of_voice_notes_gives_out_one_each_time(ground: Ground) {
    let folder = tempfile::tempdir().unwrap();
    let li = at_home(&ground, &folder).await;
    let files = [note(&li, "one.opus", 1_000), note(&li, "two.opus", 2_000)];
    let (first, second, third) = (soon(&li, 5).await, soon(&li, 7).await, soon(&li, 9).await);
    let names = [text(&files[0]), text(&files[1])];

    let when = ["--to", "Lili", "--on", &first, "--also", &second, "--also", &third];
    let send = ["voice", "send", &names[0], &names[1]];
    let planned = ask(&li.mother, &[&send[..], &when].concat()).await;
    let more = note(&li, "three.opus", 3_000);
    let bank = planned["id"].as_str().unwrap();
    let filled = li.mother.run(&["voice", "send", &text(&more), "--bank", bank]).await.success();
    let mut came = Vec::new();
    while came.len() < 3 {
        came.extend(ask_all(&li.village, &["inbox", "--wait", "30"]).await);
    }

    assert!(filled.stdout.contains("1 more in the letter bank"), "{filled:?}");
    for (letter, file) in came.iter().zip([&files[0], &files[1], &more]) {
        let seq = letter["seq"].as_u64().unwrap();
        assert_eq!(heard(&li, &li.village, seq).await, std::fs::read(file).unwrap(), "{letter}");
    }
}

async fn whoever_has_a_link_hears_it_without_the_app(ground: Ground) {
    let folder = tempfile::tempdir().unwrap();
    let li = at_home(&ground, &folder).await;
    let file = note(&li, "letter.opus", 1_000);
    let seq = send(&li.mother, &file).await;
    ask_all(&li.village, &["inbox"]).await;

    let made = ask(&li.village, &["voice", "link", &seq.to_string(), "--for", "2h"]).await;
    let link = made["link"].as_str().unwrap();
    let teacher = Cli::new(li.office.path("a teacher's laptop"));
    let played = ask(&teacher, &["voice", "open", link, "--player", &player(&li, "0.6")]).await;
    let out = text(&li.office.path("teacher.opus"));
    ask(&teacher, &["voice", "open", link, "--out", &out]).await;
    let (start, end) = link.split_at(link.len() - 9);
    let spoilt = teacher.run(&["voice", "open", &format!("{start}AAAA{}", &end[4..])]).await;
    let again = ask(&li.village, &["voice", "link", &seq.to_string()]).await;
    let _ = li.mother.run(&["revoke", "2", "--yes"]).await.success();
    let late = teacher.run(&["voice", "open", link, "--out", "never"]).await;

    assert!(link.contains("/v#"), "{link}");
    assert_eq!(played, json!({ "share": 100 }));
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&file).unwrap());
    assert_ne!(spoilt.code, 0, "{spoilt:?}");
    assert_eq!((&made["fetched"], &again["fetched"]), (&json!(0.0), &json!(2.0)));
    assert_eq!(late.code, 4, "{late:?}");
    assert!(!teacher.home().exists(), "nothing was left behind");
}

on_each_ground!(
    what_was_planned_comes_while_the_mothers_phone_is_off,
    a_bank_of_voice_notes_gives_out_one_each_time,
    whoever_has_a_link_hears_it_without_the_app,
);

/// A slow line for the mother, joined by it.
async fn on_a_slow_line(rate: u64) -> (Office, Line, Cli, Cli) {
    let office = Office::open().await;
    let line = Line::to(office.relay.address()).await;
    let cards = office.enrol(LI).await;
    let mother = office.join("mother", &line.instead(&cards.link("GS-001", "妈妈"))).await;
    let village = office.join("village", &cards.link("GS-001", "Lili")).await;
    line.set_rate(rate);
    (office, line, mother, village)
}

/// A minute of speech, and how many bytes it is.
fn a_minute(office: &Office) -> (PathBuf, u64) {
    let file = office.path("letter.opus");
    write_opus(&file, 60_000, 30);
    let length = std::fs::metadata(&file).unwrap().len();
    (file, length)
}

/// Waits until so many bytes have passed to the relay.
async fn until_up(line: &Line, bytes: u64) {
    until("the line has passed it", async || (line.passed().0 >= bytes).then_some(())).await;
}

/// Chunks of a sealed file, in bytes.
const CHUNK: u64 = 16 * 1024 + 16;

#[tokio::test]
async fn a_line_that_is_cut_again_and_again_carries_every_byte_about_once() {
    const CUTS: u64 = 5;
    let (office, line, mother, village) = on_a_slow_line(40_000).await;
    let (file, length) = a_minute(&office);
    let (before, _) = line.passed();

    let path = text(&file);
    let send = ["--json", "voice", "send", &path, "--to", "Lili"];
    let sending = mother.run(&send);
    let cutting = async {
        for cut in 1..=CUTS {
            until_up(&line, before + cut * length / (CUTS + 1)).await;
            line.cut();
        }
    };
    let (sent, ()) = tokio::join!(sending, cutting);
    let sent = sent.success().json_lines();
    let up = line.passed().0 - before;

    assert_eq!(sent[0]["queued"], false, "{sent:?}");
    let most = length + length / 100 + (CUTS + 1) * 1_500 + CUTS * CHUNK + 4_000;
    assert!(up < most, "{up} bytes went up for {length}");
    let came = ask(&village, &["inbox"]).await;
    let out = text(&office.path("came.opus"));
    ask(&village, &["voice", "save", &came["seq"].to_string(), "--out", &out]).await;
    assert_eq!(std::fs::read(out).unwrap(), std::fs::read(file).unwrap());
}

#[tokio::test]
async fn a_phone_that_dies_in_the_middle_goes_on_with_whatever_it_is_used_for() {
    let (office, line, mother, village) = on_a_slow_line(30_000).await;
    let (file, length) = a_minute(&office);
    let (before, _) = line.passed();

    let path = text(&file);
    let mut sending = mother.command(&["voice", "send", &path, "--to", "Lili"]).spawn().unwrap();
    until_up(&line, before + length / 2).await;
    sending.kill().await.unwrap();
    let early = ask_all(&village, &["inbox"]).await;
    let other = mother.run(&["send", "--to", "Lili", "listen to what I said"]).await.success();
    let up = line.passed().0 - before;
    let came = ask_all(&village, &["inbox"]).await;

    assert_eq!(early, Vec::<Value>::new(), "no message without its sound");
    assert!(other.stderr.contains("goes on at"), "{other:?}");
    assert!(up < length + CHUNK + 6_000, "{up} bytes went up for {length}");
    let kinds: Vec<_> = came.iter().map(|letter| letter["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["text", "voice"], "words do not wait for a voice");
}

#[tokio::test]
async fn a_relay_that_dies_in_the_middle_has_what_it_had() {
    let (mut office, line, mother, village) = on_a_slow_line(40_000).await;
    let (file, length) = a_minute(&office);
    let (before, _) = line.passed();

    let path = text(&file);
    let send = ["--json", "voice", "send", &path, "--to", "Lili"];
    let sending = mother.run(&send);
    let dying = async {
        for part in [3, 2] {
            until_up(&line, before + length / part).await;
            office.relay.kill9();
            office.relay.restart().await;
        }
    };
    let (sent, ()) = tokio::join!(sending, dying);
    let sent = sent.success().json_lines();
    let seq = sent[0]["seq"].as_u64().expect("it is there");
    ask_all(&village, &["inbox"]).await;
    let out = text(&office.path("came.opus"));
    ask(&village, &["voice", "save", &seq.to_string(), "--out", &out]).await;

    assert_eq!(std::fs::read(out).unwrap(), std::fs::read(file).unwrap());
    assert!(line.passed().0 - before < length + 2 * CHUNK + 10_000);
}

#[tokio::test]
async fn a_fetch_that_is_cut_goes_on_where_it_ended() {
    let office = Office::open().await;
    let line = Line::to(office.relay.address()).await;
    let cards = office.enrol(LI).await;
    let mother = office.join("mother", &cards.link("GS-001", "妈妈")).await;
    let village = office.join("village", &line.instead(&cards.link("GS-001", "Lili"))).await;
    let (file, length) = a_minute(&office);
    let seq = send(&mother, &file).await.to_string();
    ask_all(&village, &["inbox"]).await;
    line.set_rate(40_000);
    let (_, before) = line.passed();
    let until_down = async |bytes: u64| {
        let passed = async || (line.passed().1 >= before + bytes).then_some(());
        until("the line has passed it", passed).await;
    };

    // Killed in the middle, and then cut.
    let out = text(&office.path("came.opus"));
    let save = ["voice", "save", &seq, "--out", &out];
    let mut fetching = village.command(&save).spawn().unwrap();
    until_down(length / 3).await;
    fetching.kill().await.unwrap();
    let cutting = async {
        until_down(length * 2 / 3).await;
        line.cut();
    };
    let (saved, ()) = tokio::join!(village.run(&save), cutting);
    let _ = saved.success();

    assert_eq!(std::fs::read(out).unwrap(), std::fs::read(file).unwrap());
    let down = line.passed().1 - before;
    assert!(down < length + 2 * CHUNK + 8_000, "{down} bytes came down for {length}");
}

#[tokio::test]
async fn offline_a_voice_note_waits_and_leaves_by_itself() {
    let mut li = Li::at_home().await;
    let file = note(&li, "letter.opus", 1_000);
    li.office.relay.kill9();

    let offline = li.mother.run(&["voice", "send", &text(&file), "--to", "Lili"]).await.success();
    let list = ask(&li.mother, &["voice", "list"]).await;
    let status = ask(&li.mother, &["status"]).await;
    let told = li.mother.run(&["status"]).await.success().stdout;
    li.office.relay.restart().await;
    let listening = li.mother.spawn(&["listen", "--json"]);
    let came = ask(&li.village, &["inbox", "--wait", "30"]).await;

    assert!(offline.stdout.contains("It waits on this phone"), "{offline:?}");
    assert_eq!((&list["seq"], &list["here"]), (&Value::Null, &json!(true)));
    assert_eq!((&status["waiting"], &status["voice"]["waiting"]), (&json!(1), &json!(1)));
    assert!(told.contains("of these 1 with a voice: "), "{told}");
    assert_eq!(came["kind"], "voice");
    listening.stop().await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_before_anything_leaves() {
    let li = Li::at_home().await;
    let long = note(&li, "long.opus", 601_000);
    let noise = li.office.path("noise.bin");
    std::fs::write(&noise, b"no sound").unwrap();

    let sent = async |args: &[&str]| li.mother.run(&[&["voice", "send"], args].concat()).await;
    let long = failure(&sent(&[&text(&long)]).await, 5);
    let noise = failure(&sent(&[&text(&noise)]).await, 5);
    let nowhere = failure(&sent(&["/no/such/file"]).await, 5);
    let nobody = failure(&sent(&["/no/such/file", "--to", "Nobody"]).await, 5);

    assert!(long.contains("at most 10 minutes"), "{long}");
    assert!(noise.contains("ffmpeg"), "{noise}");
    assert!(nowhere.contains("cannot read"), "{nowhere}");
    assert!(nobody.contains("nobody is called"), "{nobody}");
    assert_eq!(ask_all(&li.mother, &["voice", "list"]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn half_heard_is_heard_and_less_is_not() {
    let li = Li::at_home().await;
    let file = note(&li, "letter.opus", 3_000);
    let seq = send(&li.mother, &file).await;
    ask_all(&li.village, &["inbox"]).await;
    let number = seq.to_string();
    let play = async |seconds: &str| {
        let player = player(&li, seconds);
        let args = ["voice", "play", &number, "--by", "Lili", "--player", &player];
        ask(&li.village, &args).await["share"].as_u64().unwrap()
    };

    let little = play("0.9").await;
    let human = li.mother.run(&["log"]).await.success().stdout;
    let more = play("1.8").await;
    let after = receipts(&li.mother, seq).await;
    let less = play("0.6").await;
    let last = receipts(&li.mother, seq).await;

    assert!((20..50).contains(&little), "{little}");
    assert!(human.contains(&format!("✓ Lili heard {little} % of it")), "{human}");
    assert!((50..100).contains(&more) && less < little, "{more}, {less}");
    assert_eq!(after[0]["share"], more);
    assert_eq!(last, after, "the larger share stands");
}

#[tokio::test]
async fn without_a_number_what_was_not_heard_yet_is_played_one_after_the_other() {
    let li = Li::at_home().await;
    let file = note(&li, "letter.opus", 1_000);
    let seqs = [send(&li.mother, &file).await, send(&li.mother, &file).await];
    let own = ask(&li.village, &["voice", "send", &text(&file), "--to", "妈妈"]).await;
    let play = async |seconds: &str| {
        let player = player(&li, seconds);
        li.village.run(&["voice", "play", "--player", &player]).await.success().stdout
    };

    let begun = play("0.2").await;
    let all = [play("1").await, play("1").await, play("1").await];

    assert!(begun.starts_with("Played ") && !begun.starts_with("Played 100"), "{begun}");
    assert!(all[0].starts_with("Played 100 %") && all[1].starts_with("Played 100 %"), "{all:?}");
    assert_eq!(all[2], "All was heard: see jiashu voice list.\n");
    for seq in seqs {
        assert_eq!(receipts(&li.mother, seq).await[0]["share"], 100);
    }
    assert_ne!(own["seq"], Value::Null, "what was said here is not played here");
}

#[tokio::test]
async fn an_export_holds_what_was_said() {
    let li = Li::at_home().await;
    let file = note(&li, "letter.opus", 1_000);
    let seq = send(&li.mother, &file).await;
    let out = li.office.path("everything");

    let exported = ask(&li.village, &["export", "--out", &text(&out)]).await;

    assert_eq!(exported["voice_notes_missing"], 0, "{exported}");
    let names = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    let begin = format!("voice-{seq}-");
    let name = names.iter().find(|name| name.starts_with(&begin)).expect("it is there");
    assert_eq!(std::fs::read(out.join(name)).unwrap(), std::fs::read(&file).unwrap());
    let page = std::fs::read_to_string(out.join("messages.html")).unwrap();
    assert!(page.contains(&format!("<audio controls src=\"{name}\">")), "{page}");
}
