//! A letter for the child's evening: both clocks shown, released by the relay while its author's
//! phone is off, once.

use jiashu_tests::{TestRelay, until};
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Unit, ZonedDateTime};
use serde_json::{Value, json};

use crate::story::{Li, ask, ask_all, failure, texts};

async fn now(relay: &TestRelay) -> Timestamp {
    Timestamp::from_millisecond(relay.raw().now().await).unwrap()
}

/// A civil time as a person types it, so many seconds from now on the clocks of a zone, and its
/// instant.
async fn soon(relay: &TestRelay, seconds: i64, zone: &str) -> (String, String) {
    let due = now(relay).await + SignedDuration::from_secs(seconds);
    let due = due.in_tz(zone).unwrap().round(Unit::Second).unwrap();
    (due.strftime("%Y-%m-%d %H:%M:%S").to_string(), due.timestamp().to_string())
}

/// Instant, recipient's and sender's clock of each entry of a preview.
fn entries(added: &Value) -> Vec<(Timestamp, ZonedDateTime, ZonedDateTime)> {
    let zoned = |text: &Value| {
        let text = text.as_str().unwrap();
        let at: Timestamp = text.parse().unwrap();
        let sign = text.rfind(['+', '-']).expect("it has its offset");
        let hours: i8 = text[sign..].split(':').next().unwrap().parse().unwrap();
        at.to_zoned_datetime(TimeZone::fixed(jiff::tz::offset(hours)))
    };
    let preview = added["preview"].as_array().unwrap().iter();
    let entry = |entry: &Value| {
        let at = entry["at"].as_str().unwrap();
        assert!(at.ends_with('Z'), "{at}");
        let clocks = (zoned(&entry["recipient_local"]), zoned(&entry["sender_local"]));
        (at.parse().unwrap(), clocks.0, clocks.1)
    };
    preview.map(entry).collect()
}

#[tokio::test]
async fn a_letter_fires_at_its_hour_while_its_authors_phone_is_off() {
    let li = Li::at_home().await;
    let (local, due) = soon(&li.office.relay, 4, "Asia/Shanghai").await;

    let added = ask(&li.mother, &["schedule", "add", "--on", &local, "--to", "Lili", "晚安"]).await;
    let came = ask(&li.village, &["inbox", "--wait", "30"]).await;
    let again = ask_all(&li.village, &["inbox", "--wait", "1"]).await;

    assert_eq!(added["next"], due, "the clock that counts is the child's");
    assert_eq!(came["text"], "晚安");
    assert_eq!((&came["from"], &came["to"]), (&json!("妈妈"), &json!(["Lili"])));
    assert_eq!(came["scheduled_for"], due);
    assert_eq!((&came["late"], &came["adjust"]), (&json!(false), &Value::Null));
    assert!(came["at"].as_str() >= Some(&due), "not before its hour: {came}");
    assert_eq!(again, Vec::<Value>::new(), "once");
    let listed = ask(&li.mother, &["schedule", "list"]).await;
    assert_eq!((&listed["state"], &listed["next"]), (&json!("spent"), &Value::Null));
}

#[tokio::test]
async fn a_letter_that_came_due_while_the_relay_was_dead_fires_once() {
    let mut li = Li::at_home().await;
    let (local, due) = soon(&li.office.relay, 3, "Asia/Shanghai").await;
    ask(&li.mother, &["schedule", "add", "--on", &local, "--to", "Lili", "good night"]).await;

    li.office.relay.kill9();
    let due_at: Timestamp = due.parse().unwrap();
    // The hour itself is what is awaited, and nobody is up to ask.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    li.office.relay.restart().await;
    let woken = now(&li.office.relay).await;
    let came = ask(&li.village, &["inbox", "--wait", "30"]).await;
    li.office.relay.kill9();
    li.office.relay.restart().await;
    let again = ask_all(&li.village, &["inbox", "--wait", "1"]).await;

    assert!(woken > due_at, "it came due while the relay was dead");
    assert_eq!((&came["text"], &came["scheduled_for"]), (&json!("good night"), &json!(due)));
    assert_eq!(came["late"], false, "a few seconds are not late");
    assert_eq!(again, Vec::<Value>::new());
    assert_eq!(texts(&ask_all(&li.mother, &["log"]).await), ["good night"], "in her log, too");
}

#[tokio::test]
async fn a_preview_shows_both_clocks() {
    let li = Li::at_home().await;

    let added = ask(
        &li.mother,
        &["schedule", "add", "--every", "sun,wed", "--at", "19:30", "--to", "Lili", "a story"],
    )
    .await;

    let entries = entries(&added);
    assert!(entries.len() >= 5, "{added}");
    assert_eq!(added["next"], added["preview"][0]["at"]);
    for (at, recipient, sender) in &entries {
        assert_eq!((recipient.timestamp(), sender.timestamp()), (*at, *at), "one instant");
        assert_eq!(recipient.offset(), jiff::tz::offset(8));
        assert_eq!(recipient.strftime("%H:%M").to_string(), "19:30");
        assert!(matches!(recipient.weekday(), Weekday::Sunday | Weekday::Wednesday));
        let in_rome = at.in_tz("Europe/Rome").unwrap();
        assert_eq!(sender.offset(), in_rome.offset(), "{sender}");
    }
    assert!(entries.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order");
}

/// The next days on which the clocks of Rome skip an hour, and have one twice.
fn next_changes(now: Timestamp) -> (ZonedDateTime, ZonedDateTime) {
    let rome = TimeZone::get("Europe/Rome").unwrap();
    let mut changes: Vec<_> = rome.following(now).take(2).collect();
    changes.sort_by_key(|change| change.offset());
    let day = |change: &jiff::tz::TimeZoneTransition<'_>| {
        change.timestamp().to_zoned_datetime(rome.clone())
    };
    (day(&changes[1]), day(&changes[0]))
}

#[tokio::test]
async fn an_hour_that_the_clocks_skip_or_have_twice_is_said_beforehand() {
    let li = Li::at_home().await;
    let (spring, autumn) = next_changes(now(&li.office.relay).await);
    let half_past_two = |day: &ZonedDateTime| format!("{} 02:30", day.date());

    let mut previews = Vec::new();
    for day in [&spring, &autumn] {
        let on = half_past_two(day);
        let args = ["schedule", "add", "--on", &on, "--tz", "Europe/Rome", "night"];
        previews.push(ask(&li.mother, &args).await["preview"][0].clone());
    }

    // 02:30 is shifted by the gap, to half an hour after the change; of two the first counts.
    let shifted = (spring.timestamp() + 30.minutes()).to_string();
    let first = (autumn.timestamp() - 30.minutes()).to_string();
    assert_eq!((&previews[0]["adjust"], &previews[0]["at"]), (&json!("gap"), &json!(shifted)));
    let local = previews[0]["recipient_local"].as_str().unwrap();
    assert!(local.ends_with("T03:30:00+02:00"), "{local}");
    assert_eq!((&previews[1]["adjust"], &previews[1]["at"]), (&json!("overlap"), &json!(first)));
    let local = previews[1]["recipient_local"].as_str().unwrap();
    assert!(local.ends_with("T02:30:00+02:00"), "{local}");
}

#[tokio::test]
async fn the_clock_that_counts_is_the_recipients() {
    let li = Li::at_home().await;
    let cases: [(&str, &[&str]); 3] = [
        ("Asia/Shanghai", &["--to", "Lili"]),
        ("Asia/Shanghai", &[]),
        ("Asia/Tokyo", &["--tz", "Asia/Tokyo"]),
    ];

    for (zone, more) in cases {
        let args = [&["schedule", "add", "--every", "day", "--at", "07:00"], more, &["up!"]];
        let added = ask(&li.mother, &args.concat()).await;
        let id = added["id"].as_str().unwrap();
        let listed = ask_all(&li.mother, &["schedule", "list"]).await;
        let own = listed.iter().find(|one| one["id"] == id).unwrap();
        assert_eq!(own["zone"], zone, "{more:?}");
    }
    let answer = ["schedule", "add", "--every", "day", "--at", "07:00", "--as", "Lili"];
    ask(&li.village, &[&answer[..], &["--to", "妈妈", "Mama, up!"]].concat()).await;
    let listed = ask_all(&li.village, &["schedule", "list"]).await;
    assert_eq!(listed.last().unwrap()["zone"], "Europe/Rome");
}

#[tokio::test]
async fn what_was_cancelled_does_not_fire() {
    let li = Li::at_home().await;
    let (local, _) = soon(&li.office.relay, 5, "Asia/Shanghai").await;
    let add = ["schedule", "add", "--on", &local, "--to", "Lili"];
    let wrong = ask(&li.mother, &[&add[..], &["a mistake"]].concat()).await;
    let right = ask(&li.mother, &[&add[..], &["as meant"]].concat()).await;
    let (wrong, right) = (wrong["id"].as_str().unwrap(), right["id"].as_str().unwrap());

    let foreign = li.village.run(&["schedule", "cancel", wrong]).await;
    ask(&li.mother, &["schedule", "cancel", wrong]).await;
    let twice = li.mother.run(&["schedule", "cancel", wrong]).await;
    let listed = ask_all(&li.mother, &["schedule", "list"]).await;
    let came = ask_all(&li.village, &["inbox", "--wait", "30"]).await;

    assert!(failure(&foreign, 4).contains("only 妈妈"));
    assert!(failure(&twice, 5).contains("nothing planned has that id"));
    let state = |id: &str| listed.iter().find(|one| one["id"] == id).unwrap()["state"].clone();
    assert_eq!((state(wrong), state(right)), (json!("cancelled"), json!("active")));
    assert_eq!(texts(&came), ["as meant"], "both had the same hour, so the other would be here");
    assert_eq!(ask_all(&li.village, &["inbox"]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_time_that_makes_no_sense_is_refused() {
    let li = Li::at_home().await;
    let cases: [(&[&str], i32); 6] = [
        (&["--on", "2020-01-01 19:30"], 5),
        (&["--on", "tomorrow"], 5),
        (&["--every", "sun", "--at", "25:00"], 5),
        (&["--every", "someday", "--at", "19:30"], 5),
        (&["--every", "sun", "--at", "19:30", "--tz", "Mars/Base"], 5),
        (&["--every", "sun"], 2),
    ];

    for (when, code) in cases {
        let refused = li.mother.run(&[&["schedule", "add"], when, &["good night"]].concat()).await;

        failure(&refused, code);
    }
    assert_eq!(ask_all(&li.mother, &["schedule", "list"]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_letter_bank_goes_letter_by_letter_and_is_filled_while_it_runs() {
    let li = Li::at_home().await;
    let (first, _) = soon(&li.office.relay, 5, "Asia/Shanghai").await;
    let (second, _) = soon(&li.office.relay, 7, "Asia/Shanghai").await;
    let (third, _) = soon(&li.office.relay, 9, "Asia/Shanghai").await;
    let times = ["--on", &first, "--also", &second, "--also", &third, "--also", "2099-01-01 08:00"];
    let bank = [&["schedule", "add", "--bank"][..], &times].concat();

    let added = ask(&li.mother, &[&bank[..], &["--to", "Lili", "one", "two"]].concat()).await;
    let id = added["id"].as_str().unwrap();
    let filled = ask(&li.mother, &["schedule", "fill", id, "three"]).await;
    let mut came = Vec::new();
    for _ in 0..3 {
        came.extend(ask_all(&li.village, &["inbox", "--wait", "30"]).await);
        if came.len() == 3 {
            break;
        }
    }

    let told = li.mother.run(&["inbox"]).await;
    let other = li.village.run(&["inbox"]).await;

    assert_eq!(added["preview"].as_array().unwrap().len(), 4);
    assert_eq!(filled["queued"], false);
    assert_eq!(texts(&came), ["one", "two", "three"]);
    assert!(told.stderr.contains("The last letter of a letter bank has gone"), "{told:?}");
    assert!(!other.stderr.contains("letter bank"), "it is the author's: {other:?}");
    let again = li.mother.run(&["inbox"]).await;
    assert!(!again.stderr.contains("letter bank"), "it is told once: {again:?}");
}

#[tokio::test]
async fn what_is_planned_pauses_goes_on_and_leaves_out_a_day() {
    let mut li = Li::at_home().await;
    let add = ["schedule", "add", "--every", "day", "--at", "19:30", "--to", "Lili", "story"];
    let added = ask(&li.mother, &add).await;
    let id = added["id"].as_str().unwrap();
    let preview = entries(&added);
    let state = async || ask(&li.mother, &["schedule", "list"]).await;

    ask(&li.mother, &["schedule", "pause", id]).await;
    let paused = state().await;
    ask(&li.mother, &["schedule", "resume", id]).await;
    let resumed = state().await;
    ask(&li.mother, &["schedule", "skip", id]).await;
    let skipped = state().await;
    li.office.relay.kill9();
    for verb in ["pause", "resume", "skip"] {
        let waits = ask(&li.mother, &["schedule", verb, id]).await;
        assert_eq!(waits["queued"], true, "{verb}");
    }
    li.office.relay.restart().await;
    let later = state().await;

    assert_eq!(
        (&later["state"], &later["next"]),
        (&json!("active"), &json!(preview[2].0.to_string()))
    );
    assert_eq!((&paused["state"], &paused["next"]), (&json!("paused"), &Value::Null));
    assert_eq!(resumed["next"], json!(preview[0].0.to_string()));
    assert_eq!(skipped["next"], json!(preview[1].0.to_string()));
}

#[tokio::test]
async fn a_rule_is_typed_as_a_calendar_has_it_and_with_dates_left_out() {
    let li = Li::at_home().await;
    let monthly = [
        "schedule",
        "add",
        "--rrule",
        "FREQ=MONTHLY;BYDAY=1SU;COUNT=4",
        "--at",
        "19:30",
        "--start",
        "2099-03-01",
        "--except",
        "2099-04-05",
        "--also",
        "2099-03-03 08:00",
        "--to",
        "Lili",
        "hi",
    ];
    let nowhere = ["schedule", "add", "--every", "sun", "--at", "19:30", "--except", "2099-04-06"];

    let added = ask(&li.mother, &monthly).await;
    let refused = li.mother.run(&[&nowhere[..], &["hi"]].concat()).await;

    let local = added["preview"].as_array().unwrap().iter().map(|one| &one["recipient_local"]);
    let local: Vec<_> = local.map(|local| &local.as_str().unwrap()[..16]).collect();
    let wanted = ["2099-03-01T19:30", "2099-03-03T08:00", "2099-05-03T19:30", "2099-06-07T19:30"];
    assert_eq!(local, wanted);
    assert!(failure(&refused, 5).contains("cannot be left out"));
}

#[tokio::test]
async fn so_many_times_are_all_to_come_and_a_last_day_counts() {
    let li = Li::at_home().await;
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let today = zone.to_datetime(now(&li.office.relay).await).date();
    let last = today.checked_add(3.days()).unwrap().to_string();

    let mut counts = Vec::new();
    // One of these hours is past for today.
    for (at, end) in [("00:00", ["--count", "3"]), ("23:59", ["--count", "3"])] {
        let add = [&["schedule", "add", "--every", "day", "--at", at][..], &end, &["hi"]].concat();
        counts.push(entries(&ask(&li.mother, &add).await).len());
    }
    let add = ["schedule", "add", "--every", "day", "--at", "23:59", "--until", &last, "hi"];
    let until = entries(&ask(&li.mother, &add).await);

    assert_eq!(counts, [3, 3]);
    assert_eq!(until.last().unwrap().1.date().to_string(), last);
}

#[tokio::test]
async fn a_letter_that_could_not_go_in_time_does_not_come_and_its_author_is_told() {
    let mut li = Li::at_home().await;
    let (local, _) = soon(&li.office.relay, 3, "Asia/Shanghai").await;
    let add = ["schedule", "add", "--on", &local, "--valid-for", "1s", "--to", "Lili", "call me"];
    ask(&li.mother, &add).await;

    li.office.relay.kill9();
    // The hour itself is what is awaited, and nobody is up to ask.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    li.office.relay.restart().await;
    let told = until("its author is told", async || {
        let told = li.mother.run(&["inbox"]).await.stderr;
        told.contains("could not go in time").then_some(told)
    });
    told.await;
    let came = ask_all(&li.village, &["inbox"]).await;
    let log = li.mother.run(&["log"]).await.success().stdout;
    let folder = li.office.path("export").display().to_string();
    ask(&li.mother, &["export", "--out", &folder]).await;
    let notices = std::fs::read_to_string(li.office.path("export/notices.json")).unwrap();
    for told in [log, notices] {
        assert!(told.contains("could not go in time"), "{told}");
    }

    assert_eq!(came, Vec::<Value>::new());
}
