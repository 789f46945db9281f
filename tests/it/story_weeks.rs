//! Weeks go by at a real relay whose clock is set on: who is prompted when contact is missed, that it ends when they hear
//! each other, and what Monday's e-mail says of it.

use jiashu_tests::clock::{WallClock, settled};
use jiashu_tests::ground::Ground;
use jiashu_tests::smtpd::{Mail, TestMailServer};
use jiashu_tests::{Cli, until};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::story::{Office, ask, ask_all, hear_each_other};
use crate::story_contact::{COLUMNS, come_in};

/// One of them means to be in touch each evening, ten on Mondays: enough that their sums may be sent by e-mail.
const FAMILIES: usize = 11;

fn case(number: usize) -> String {
    format!("GS-{number:03}")
}

fn list() -> String {
    let rows = (1..=FAMILIES).map(|number| {
        let (case, days) = (case(number), if number == 1 { "day" } else { "mon" });
        format!(
            "{case},1,parent,妈妈,Europe/Rome,it,mother,,2029-12-01,,,2029-12-01,,tianshui,\n\
             {case},2,caregiver,外婆,Asia/Shanghai,zh-Hans,home,,2029-12-01,,,,,tianshui,\n\
             {case},3,child,Lili,Asia/Shanghai,zh-Hans,home,,2029-12-01,2029-12-01,2020-03-{number:02},2029-12-01,\
             2029-12-01,tianshui,{days} 19:30\n"
        )
    });
    format!("{COLUMNS}\n{}", rows.collect::<String>())
}

/// Mother's phone, and the one at home.
struct Family {
    mother: Cli,
    home: Cli,
}

/// A programme in January of 2030, all of whose processes see one clock.
struct January {
    clock: WallClock,
    server: TestMailServer,
    office: Office,
    caseworker: Cli,
    families: Vec<Family>,
    _folder: TempDir,
}

impl January {
    /// On the evening of Sunday the 6th, everybody has joined and means something.
    async fn on(ground: &Ground) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut clock = WallClock::in_folder(folder.path());
        clock.set("2030-01-06T12:00:00Z".parse().unwrap());
        let server = TestMailServer::start().await;
        let (url, seen) = (server.url(), clock.settings());
        let mail = [
            ("JIASHU_MAIL", url.as_str()),
            ("JIASHU_MAIL_FROM", "Jiashu <jiashu@relay.example>"),
            ("JIASHU_MAIL_RETRY_MS", "200"),
        ];
        let seen = seen.iter().map(|(key, value)| (*key, value.as_str()));
        let settings: Vec<_> = mail.into_iter().chain(seen).collect();
        let mut office = Office::on(ground.relay(&folder, &settings).await).await;
        office.worker = clock.on(office.worker);
        let me = ["ngo", "me", "--email", "li@ngo.example", "--language", "en"];
        let _ = office.worker.run(&me).await.success();
        let site = ["ngo", "site", "add", "tianshui", "--name", "天水", "--tz", "Asia/Shanghai"];
        let _ = office.worker.run(&site).await.success();
        let caseworker = clock.on(come_in(&office, "caseworker", &["--site", "tianshui"]).await);
        let rows = office.path("families.csv");
        std::fs::write(&rows, list()).unwrap();
        let _ = office.try_enrol(rows.to_str().unwrap(), &[]).await.success();
        let mut families = Vec::new();
        for number in 1..=FAMILIES {
            families.push(Self::join(&clock, &office, &case(number)).await);
        }
        Self { clock, server, office, caseworker, families, _folder: folder }
    }

    async fn join(clock: &WallClock, office: &Office, case: &str) -> Family {
        let cards = office.cards();
        let phone = async |name: &str, member: &str| {
            let phone = clock.on(office.phone(&format!("{name} of {case}")));
            let _ = phone.run(&["join", &cards.link(case, member), "--yes"]).await.success();
            phone
        };
        let (mother, home) = (phone("mother", "妈妈").await, phone("home", "Lili").await);
        let _ = mother.run(&["plan", "confirm"]).await.success();
        Family { mother, home }
    }

    /// It is that time, and what fell due before has been done.
    async fn until(&mut self, time: &str) {
        self.clock.set(time.parse().unwrap());
        settled(&self.office.relay).await;
    }

    /// What stands open of the first family.
    async fn tasks(&self) -> Vec<Value> {
        let all = ask_all(&self.caseworker, &["ngo", "tasks"]).await;
        all.into_iter().filter(|task| task["case_code"] == "GS-001").collect()
    }

    /// What that address was sent, once there are so many.
    async fn mails(&self, to: &str, count: usize) -> Vec<Mail> {
        until("e-mails to arrive", async || {
            let all = self.server.mails().into_iter();
            let mails: Vec<_> = all.filter(|mail| mail.to == to).collect();
            (mails.len() >= count).then_some(mails)
        })
        .await
    }
}

/// What a phone says beside its letters.
async fn said(phone: &Cli) -> String {
    phone.run(&["inbox"]).await.success().stderr
}

async fn is_said(phone: &Cli, words: &str) {
    until(words, async || said(phone).await.contains(words).then_some(())).await;
}

const TO_PARENTS: &str = "would be glad to hear from you";
const TO_CAREGIVERS: &str = "If there is a quiet moment today";

async fn who_was_missed_is_asked_for_and_it_ends_when_they_hear_each_other(ground: Ground) {
    let mut january = January::on(&ground).await;
    let _ =
        january.families[0].mother.run(&["reach", "--email", "ana@home.example"]).await.success();
    // Ten minutes before the hour: an answer that comes after it would keep Tuesday's as well.
    january.until("2030-01-07T11:20:00Z").await;
    for family in &january.families {
        hear_each_other(&family.mother, &family.home).await;
    }

    // Tuesday's evening may be kept for twelve hours more.
    january.until("2030-01-08T23:00:00Z").await;
    assert!(!said(&january.families[0].mother).await.contains(TO_PARENTS));
    january.until("2030-01-08T23:45:00Z").await;
    let mails = january.mails("ana@home.example", 1).await;
    for name in ["Lili", "妈妈", "外婆", "GS-001", "吃饭"] {
        assert!(!mails[0].text.contains(name), "{name}: {}", mails[0].text);
    }
    is_said(&january.families[0].mother, TO_PARENTS).await;
    assert_eq!(said(&january.families[0].home).await, "", "at home nobody is asked yet");

    january.until("2030-01-09T23:45:00Z").await;
    is_said(&january.families[0].home, TO_CAREGIVERS).await;
    assert_eq!(january.tasks().await, [] as [Value; 0]);

    january.until("2030-01-10T23:45:00Z").await;
    let tasks = until("the caseworker to be asked", async || {
        Some(january.tasks().await).filter(|tasks| !tasks.is_empty())
    })
    .await;
    assert_eq!(
        (tasks.len(), &tasks[0]["kind"], &tasks[0]["member"]),
        (1, &json!("missed"), &json!(3))
    );

    // On Friday they hear each other.
    january.until("2030-01-11T11:20:00Z").await;
    hear_each_other(&january.families[0].mother, &january.families[0].home).await;
    until("the task to be over", async || january.tasks().await.is_empty().then_some(())).await;
    let list = ask(&january.caseworker, &["ngo", "worklist"]).await;
    let families = list["families"].as_array().unwrap();
    let first = families.iter().find(|family| family["case_code"] == "GS-001").unwrap();
    assert_eq!(
        (&first["standing"], &first["children"][0]["missed_in_a_row"]),
        (&json!("on_track"), &json!(0)),
        "{first}"
    );
    for phone in [&january.families[0].mother, &january.families[0].home] {
        assert_eq!(said(phone).await, "", "what has ended is not said");
    }
    assert_eq!(january.mails("ana@home.example", 1).await.len(), 1, "she is written to once");

    // A second silence is a new one.
    january.until("2030-01-13T12:00:00Z").await;
    assert_eq!(january.mails("ana@home.example", 2).await.len(), 2);

    monday_tells_of_it(&mut january).await;
}

/// On the second Monday after it the week has closed, and each of the staff is told of it: what the report says.
async fn monday_tells_of_it(january: &mut January) {
    january.until("2030-01-13T23:58:00Z").await;
    let before = january.server.mails().iter().filter(|mail| mail.to == "li@ngo.example").count();
    january.until("2030-01-14T00:01:00Z").await;
    january.until("2030-01-20T23:58:00Z").await;
    assert_eq!(january.mails("li@ngo.example", before + 1).await.len(), before + 1, "not yet");
    january.until("2030-01-21T00:01:00Z").await;

    let digests = january.mails("li@ngo.example", before + 2).await;
    let text = &digests.last().unwrap().text;
    let report = ["ngo", "report", "--week", "2030W2", "--by", "site"];
    let total = ask(&january.office.worker, &report).await["groups"][0].clone();
    // Ten Mondays, and seven evenings of the first; kept were all Mondays, and her Friday.
    assert_eq!((&total["expected"], &total["kept"]), (&json!(17), &json!(12)), "{total}");
    let closed = text.split_once("Week 2/2030, closed\n").unwrap_or_else(|| panic!("{text}")).1;
    assert!(closed.contains("Planned contacts kept: 70.6 % (12/17)"), "{text}");
    assert!(text.contains("As of 2030-01-21 08:0"), "{text}");
    assert_eq!(january.mails("x@ngo.example", 3).await.len(), 3, "the caseworker too, each Monday");
    for mail in &digests {
        for name in ["Lili", "妈妈", "外婆", "GS-00", "吃饭"] {
            assert!(!mail.text.contains(name), "{name}: {}", mail.text);
        }
    }
}

#[tokio::test]
async fn who_was_missed_is_asked_for_and_it_ends_when_they_hear_each_other_from_one_file() {
    who_was_missed_is_asked_for_and_it_ends_when_they_hear_each_other(Ground::own()).await;
}

#[tokio::test]
async fn who_was_missed_is_asked_for_and_it_ends_when_they_hear_each_other_over_redis() {
    who_was_missed_is_asked_for_and_it_ends_when_they_hear_each_other(Ground::shared().await).await;
}
