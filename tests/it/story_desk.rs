//! Staff look with a browser: a real one, on a phone's screen and on a desk's.

use std::process::Stdio;
use std::time::Duration;

use jiashu_tests::binary::binary;
use jiashu_tests::browser::tell;
use jiashu_tests::clock::WallClock;
use jiashu_tests::ground::Ground;
use jiashu_tests::smtpd::TestMailServer;
use jiashu_tests::{Cli, TestRelay};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::story::{Office, ask, ask_all};
use crate::story_programme::Made;

fn origin(relay: &TestRelay) -> String {
    format!("http://{}", relay.address())
}

async fn link_of(staff: &Cli) -> String {
    ask(staff, &["ngo", "sign-in"]).await["link"].as_str().unwrap().to_owned()
}

/// The link that came by e-mail, the newest.
async fn mailed_link(mail: &TestMailServer, relay: &TestRelay, count: usize) -> String {
    let mails = mail.after(count).await;
    let text = &mails.last().unwrap().text;
    let (_, rest) = text.split_once("/staff/in/").unwrap_or_else(|| panic!("no link: {text}"));
    let is_code = |letter: &char| letter.is_ascii_alphanumeric() || "-_".contains(*letter);
    let code: String = rest.chars().take_while(is_code).collect();
    assert_eq!(code.len(), 38, "{text}");
    format!("{}/staff/in/{code}", origin(relay))
}

/// In two languages: those that the browser asks for before anybody is known, and that of the person after.
async fn staff_sign_in_by_a_link(ground: Ground, languages: &[(&str, &str)]) {
    let mail = TestMailServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let office = Office::on(ground.relay(&folder, &[("JIASHU_MAIL", &mail.url())]).await).await;
    let coordinator = &office.worker;
    let relay = &office.relay;
    for (count, (locale, language)) in (1..).zip(languages) {
        let me = ["ngo", "me", "--email", "li@ngo.example", "--name", "李", "--language", language];
        let _ = coordinator.run(&me).await.success();
        let told = json!({ "origin": origin(relay), "locale": locale, "language": language });
        let with = |more: Value| {
            let mut told = told.clone();
            told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            told
        };
        for email in ["nobody@ngo.example", "LI@ngo.example"] {
            tell("sign_in.mjs", &with(json!({ "act": "ask", "email": email }))).await;
        }
        let link = mailed_link(&mail, relay, count).await;
        let second = link_of(coordinator).await;
        tell("sign_in.mjs", &with(json!({ "act": "come", "link": link, "second": second }))).await;
    }

    assert_eq!(mail.mails().len(), languages.len(), "nobody else is written to");
    let log = relay.log();
    assert!(!log.contains("/staff/in/") && !log.contains("li@ngo.example"), "{log}");
    let audit = ask_all(coordinator, &["ngo", "audit"]).await;
    let came_in = audit.iter().filter(|entry| entry["action"] == "sign-in").count();
    assert_eq!(came_in, 2 * languages.len(), "{audit:?}");
}

/// When it is in the programme that is looked at: pictures of it stay the same.
const NOW: &str = "2026-11-23T12:05:00Z";

/// A programme that has lived, and a relay that serves it on that day.
struct Lived {
    made: Made,
    relay: TestRelay,
    _clock: WallClock,
}

impl Lived {
    async fn until_now() -> Self {
        let made = Made::with(&["--until", "2026-11-23T12:00:00Z"]).await;
        let mut clock = WallClock::in_folder(&made.path(""));
        clock.set(NOW.parse().unwrap());
        let settings = clock.settings().map(|(key, value)| (key.to_owned(), value));
        let relay = TestRelay::on(&made.path("relay"), &settings).await;
        Self { made, relay, _clock: clock }
    }

    fn staff(&self, name: &str) -> Cli {
        self.made.staff(name, &self.relay)
    }
}

fn codes(list: &Value) -> Vec<&str> {
    let families = list["families"].as_array().unwrap().iter();
    families.map(|one| one["case_code"].as_str().unwrap()).collect()
}

/// In Romanian and in Chinese: each caseworker has a language, and pages are in it.
async fn a_caseworker_does_what_is_theirs(
    lived: &Lived,
    name: &str,
    language: &str,
    anothers: &str,
) {
    let staff = lived.staff(name);
    let list = ask(&staff, &["ngo", "worklist"]).await;
    let tasks = ask_all(&staff, &["ngo", "tasks"]).await;
    let case = tasks[0]["case_code"].as_str().unwrap();
    let told = json!({
        "origin": origin(&lived.relay), "language": language, "link": link_of(&staff).await,
        "listed": codes(&list), "ring": { "case": case }, "anothers": anothers, "until": "2026-12-04",
    });

    tell("caseworker.mjs", &told).await;

    let family = ask(&staff, &["ngo", "family", case]).await;
    let pause = family["pauses"].as_array().unwrap().last().unwrap();
    assert_eq!((&pause["reason"], &pause["last"]), (&json!("exams"), &json!("2026-12-04")));
    let rule = &family["proposed"][0];
    assert_eq!(rule["rrule"], "FREQ=WEEKLY;BYDAY=WE,SU", "{family}");
    assert!(rule["start"].as_str().unwrap().ends_with("T18:15:00"), "{family}");
    assert_eq!(family["visits"][0]["how"], "call", "{family}");
    let open = ask_all(&staff, &["ngo", "tasks"]).await;
    assert!(open.iter().all(|task| task["case_code"] != case), "{open:?}");
}

/// What a coordinator is shown is what the command line is told, to the last digit.
async fn a_coordinator_sees_the_whole(lived: &Lived) {
    let coordinator = lived.staff("coordinator");
    let report = ask(&coordinator, &["ngo", "report", "--by", "site"]).await;
    let told = json!({
        "origin": origin(&lived.relay), "link": link_of(&coordinator).await, "case": "TS-002",
        "auditor": link_of(&lived.staff("auditor")).await,
    });

    let shown = tell("coordinator.mjs", &told).await;

    let standing = shown["tables"]["standing"].as_array().unwrap();
    let of_total = standing.last().unwrap().as_array().unwrap();
    let total = &report["total"];
    let counts = total["standing"].as_array().unwrap().iter().map(|one| &one["count"]);
    let expected: Vec<_> =
        [&total["families"], &total["children"]].into_iter().chain(counts).collect();
    let cells: Vec<Value> =
        of_total[1..].iter().map(|cell| cell.as_str().unwrap().parse().unwrap()).collect();
    assert_eq!(cells.iter().collect::<Vec<_>>(), expected);
    let week = shown["tables"]["weeks"].as_array().unwrap().last().unwrap();
    let kept = format!(
        "{:.1} % ({}/{})",
        total["adherence"].as_f64().unwrap(),
        total["kept"],
        total["expected"]
    );
    assert_eq!(week[2], kept, "{week}");
    let thresholds = ask(&coordinator, &["ngo", "thresholds"]).await;
    assert_eq!(thresholds["on_track"], 7);
    let family = ask(&coordinator, &["ngo", "family", "TS-002"]).await;
    assert_eq!(family["worker"], Value::Null, "who left has no family");
}

#[tokio::test]
async fn a_visitor_opens_the_link_that_the_demo_prints() {
    let mut demo = Command::new(binary("demo"));
    demo.args(["programme", "--families", "1", "--listen", "127.0.0.1:0"]);
    let demo =
        demo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut demo = demo.spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let link = timeout(Duration::from_secs(240), async {
        loop {
            let line = lines.next_line().await.unwrap().expect("the demo goes on");
            if line.contains("/staff/in/") {
                return line.trim().to_owned();
            }
        }
    });
    let link = link.await.expect("the demo prints a link");
    let origin = link.split_once("/staff").unwrap().0;

    let seen = tell("visitor.mjs", &json!({ "origin": origin, "link": link })).await;

    assert!(seen["first"].as_str().unwrap().contains("Ring first"), "{seen}");
}

#[tokio::test]
async fn staff_of_a_programme_look_at_it_with_a_browser() {
    let lived = Lived::until_now().await;

    a_coordinator_sees_the_whole(&lived).await;

    a_caseworker_does_what_is_theirs(&lived, "soroca", "ro", "TS-001").await;
    a_caseworker_does_what_is_theirs(&lived, "tianshui", "zh-Hans", "SO-001").await;
}

#[tokio::test]
async fn staff_sign_in_by_a_link_and_end_their_own_sessions_from_one_file() {
    staff_sign_in_by_a_link(Ground::own(), &[("en", "en"), ("zh-CN", "zh-Hans")]).await;
}

#[tokio::test]
async fn staff_sign_in_by_a_link_and_end_their_own_sessions_over_redis() {
    staff_sign_in_by_a_link(Ground::shared().await, &[("ro", "ro")]).await;
}
