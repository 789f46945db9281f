//! What rings: reminders until they are done, nothing in quiet hours; and what is planned as a calendar
//! that another program reads.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiashu_tests::{Cli, until};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::story::{Li, ask, ask_all, failure, texts};

/// A program of that name in a folder of its own, which writes down how it was called. Its PATH, and what
/// it wrote.
fn program(folder: &Path, name: &str) -> (String, std::path::PathBuf) {
    let (bin, called) = (folder.join("bin"), folder.join("called"));
    std::fs::create_dir(&bin).unwrap();
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{}'\n", called.display());
    std::fs::write(bin.join(name), script).unwrap();
    std::fs::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    (format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()), called)
}

#[tokio::test]
async fn a_reminder_rings_until_it_is_done_and_done_is_a_receipt() {
    let li = Li::at_home().await;
    let folder = tempfile::tempdir().unwrap();
    let (path, called) = program(folder.path(), "notify-send");
    let mut listens = li.village.spawn_telling(&["listen"], &[("PATH", &path)]);
    listens.line_where(|line| line == "connected").await;

    let remind = ["remind", "take the pills", "--to", "外婆", "--again", "1s", "--rings", "60"];
    let sent = ask(&li.mother, &remind).await;
    let seq = sent["seq"].as_u64().unwrap();
    let rings = format!("#{seq} rings: take the pills");
    for _ in 0..2 {
        listens.line_where(|line| line.starts_with(&rings)).await;
    }
    let done = ask(&li.village, &["done", &seq.to_string()]).await;
    let receipt = until("the mother sees that it is done", async || {
        let log = ask(&li.mother, &["log"]).await;
        let receipts = log["receipts"].as_array().unwrap().clone();
        receipts.into_iter().find(|receipt| receipt["rung"] == "done")
    });
    let receipt = receipt.await;
    // What had rung when it was done may stand in the line still; then comes what was sent after.
    ask(&li.mother, &["remind", "the end", "--again", "1s", "--rings", "60"]).await;
    let mut after = Vec::new();
    loop {
        let line = listens.line().await;
        if line.contains("rings: the end") {
            break;
        }
        after.push(line);
    }

    assert_eq!(done["member"], "外婆");
    assert_eq!(receipt["member"], "外婆");
    let late = after.iter().filter(|line| line.contains("take the pills")).count();
    assert!(late <= 1, "it rings no more: {after:?}");
    let notified = std::fs::read_to_string(called).unwrap();
    assert!(notified.contains("--app-name=Jiashu Jiashu A reminder"), "{notified}");
    assert!(!notified.contains("pills"), "a desktop shows nothing of what was said");
}

#[tokio::test]
async fn a_reminder_gives_up_and_its_heading_says_what_it_is() {
    let li = Li::at_home().await;
    ask(&li.mother, &["remind", "call me", "--to", "Lili", "--again", "1s", "--rings", "3"]).await;

    let mut listens = li.village.spawn_telling(&["listen"], &[]);
    let last = listens.line_where(|line| line.contains("call me")).await;
    let last = if last.contains("the last time") {
        last
    } else {
        listens.line_where(|line| line.contains("call me")).await
    };
    listens.stop().await;
    let mut again = li.village.spawn_telling(&["listen"], &[]);
    again.line_where(|line| line == "connected").await;
    ask(&li.mother, &["remind", "the end", "--again", "1s", "--rings", "60"]).await;
    let next = again.line_where(|line| line.contains(" rings")).await;
    let log = li.village.run(&["log"]).await.success().stdout;

    assert!(last.contains("the last time"), "{last}");
    assert!(next.contains("the end"), "it has given up: {next}");
    assert!(log.contains("(reminder; once it is done: jiashu done "), "{log}");
    let letter = ask_all(&li.village, &["log"]).await.remove(0);
    assert_eq!(letter["kind"], "reminder");
    assert_eq!(letter["rings"], json!({ "every_s": 1, "times": 3 }));
}

#[tokio::test]
async fn a_reminder_that_makes_no_sense_is_refused() {
    let li = Li::at_home().await;
    ask(&li.mother, &["send", "--to", "Lili", "a letter"]).await;
    ask(&li.village, &["inbox"]).await;
    let cases: [(&[&str], i32); 5] = [
        (&["remind", "x", "--again", "0s"], 2),
        (&["remind", "x", "--again", "2d"], 5),
        (&["remind", "x", "--rings", "101"], 5),
        (&["done", "99"], 5),
        (&["quiet", "21:00"], 5),
    ];
    for (typed, code) in cases {
        failure(&li.village.run(typed).await, code);
    }
    let letter = ask_all(&li.village, &["log"]).await.remove(0)["seq"].to_string();
    let refused = li.village.run(&["done", &letter]).await;
    assert!(failure(&refused, 5).contains("no reminder"));
}

#[tokio::test]
async fn in_quiet_hours_letters_arrive_and_are_shown_after() {
    let li = Li::at_home().await;
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let now = Timestamp::from_millisecond(li.office.relay.raw().now().await).unwrap();
    let hour = |at: Timestamp| zone.to_datetime(at).strftime("%H:%M").to_string();
    let quiet = format!("{}-{}", hour(now - 1.hour()), hour(now + 1.hour()));

    let set = ask(&li.village, &["quiet", &quiet]).await;
    let mut listens = li.village.spawn(&["--json", "listen", "--open"]);
    let mut tells = li.mother.spawn(&["--json", "listen"]);
    ask(&li.mother, &["send", "--to", "Lili", "good night"]).await;
    let on_the_phone = until("it is on the phone", async || {
        let log = ask(&li.mother, &["log"]).await;
        let receipts = log["receipts"].as_array().unwrap().clone();
        receipts.into_iter().find(|receipt| receipt["member"] == "Lili")
    });
    let rung = on_the_phone.await["rung"].clone();
    let ended = ask(&li.village, &["quiet", "off"]).await;
    let shown: Value = serde_json::from_str(&listens.line().await).unwrap();
    ask(&li.village, &["send", "--as", "Lili", "bye"]).await;
    let answer = tells.json_where(|letter| letter["text"] == "bye").await;

    assert_eq!(set, json!({ "quiet": quiet, "zone": "Asia/Shanghai" }));
    assert_eq!(rung, "device", "delivery does not wait, and nobody has opened it");
    assert_eq!(ended["quiet"], Value::Null);
    assert_eq!(shown["text"], "good night");
    assert_eq!(answer["from"], "Lili");
}

/// What khal, a calendar program, has on those days: an event a line.
async fn khal(file: &str, days: [&str; 2]) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config");
    std::fs::write(
        &config,
        format!(
            "[calendars]\n[[family]]\npath = {0}/family\n[locale]\nlocal_timezone = Asia/Shanghai\n\
             default_timezone = Asia/Shanghai\ntimeformat = %H:%M\ndateformat = %Y-%m-%d\n\
             longdateformat = %Y-%m-%d\ndatetimeformat = %Y-%m-%d %H:%M\n\
             longdatetimeformat = %Y-%m-%d %H:%M\n[sqlite]\npath = {0}/khal.db\n",
            home.path().display()
        ),
    )
    .unwrap();
    let run = async |args: &[&str]| {
        let mut khal = tokio::process::Command::new("khal");
        khal.arg("-c").arg(&config).args(args).env("HOME", home.path());
        let output = khal.output().await.expect("tests/run installs khal");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["import", "--batch", file]).await;
    let listed = ["list", "--day-format", "", "--format", "{start-long}{title}", days[0], days[1]];
    let lines = run(&listed).await;
    lines.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

async fn calendar(phone: &Cli, folder: &Path, more: &[&str]) -> (Value, String, String) {
    let file = folder.join("plan.ics").display().to_string();
    let said = ask(phone, &[&["calendar", "--out", &file], more].concat()).await;
    let text = std::fs::read_to_string(&file).unwrap();
    (said, text, file)
}

#[tokio::test]
async fn another_calendar_program_shows_what_is_planned_at_the_same_hours() {
    let li = Li::at_home().await;
    let folder = tempfile::tempdir().unwrap();
    let add = ["schedule", "add", "--every", "sun", "--at", "19:30", "--to", "Lili"];
    let until = ["--start", "2035-03-01", "--until", "2035-03-25", "--except", "2035-03-18"];
    let also = ["--also", "2035-03-03 08:00", "晚安; 妈妈"];
    ask(&li.mother, &[&add[..], &until, &also].concat()).await;
    // In Rome, whose clocks change meanwhile.
    let there = ["--tz", "Europe/Rome", "--start", "2035-03-24", "--count", "3", "hi"];
    ask(
        &li.mother,
        &[&["schedule", "add", "--every", "day", "--at", "20:00"][..], &there].concat(),
    )
    .await;

    let (said, hours, file) = calendar(&li.mother, folder.path(), &[]).await;
    let listed = khal(&file, ["2035-03-01", "2035-04-01"]).await;
    let (_, names, _) = calendar(&li.mother, folder.path(), &["--show", "names"]).await;
    let (_, text, _) = calendar(&li.mother, folder.path(), &["--show", "text"]).await;
    let (_, other, _) = calendar(&li.village, folder.path(), &["--show", "text"]).await;

    assert_eq!(said["planned"], 2);
    let starts: Vec<_> = listed.iter().map(|line| &line[..16]).collect();
    assert_eq!(
        starts,
        [
            "2035-03-03 08:00",
            "2035-03-04 19:30",
            "2035-03-11 19:30",
            "2035-03-25 03:00",
            "2035-03-25 19:30",
            "2035-03-26 02:00",
            "2035-03-27 02:00",
        ]
    );
    for secret in ["Lili", "晚安"] {
        assert!(!hours.contains(secret), "{hours}");
    }
    assert!(names.contains("Lili") && !names.contains("晚安"));
    assert!(text.contains("DESCRIPTION:晚安\\; 妈妈"), "{text}");
    assert!(!other.contains("晚安"), "it is sealed until its hour");
    assert_eq!(texts(&ask_all(&li.village, &["log"]).await), Vec::<String>::new());
}
