//! Staff and parents are told by e-mail, whatever the mail server does, and whatever becomes of the relay meanwhile.

use futures_util::future::join_all;
use jiashu_tests::ground::Ground;
use jiashu_tests::smtpd::TestMailServer;
use jiashu_tests::{Cli, until};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::story::{Office, ask, ask_all, failure};

const LIST: &str = "\
case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on
GS-001,1,parent,妈妈,Europe/Rome,it,mother,,2026-11-01,
GS-001,2,caregiver,外婆,Asia/Shanghai,zh-Hans,home,,2026-11-01,
GS-001,3,child,Lili,Asia/Shanghai,zh-Hans,home,,2026-11-01,2026-11-01
";

/// What takes minutes takes less.
const QUICK: [(&str, &str); 3] = [
    ("JIASHU_MAIL_FROM", "Jiashu <jiashu@relay.example>"),
    ("JIASHU_MAIL_RETRY_MS", "200"),
    ("JIASHU_MAIL_TIMEOUT_MS", "1500"),
];

/// A family at home, and a coordinator who has an address.
struct Home {
    office: Office,
    mother: Cli,
    home: Cli,
    _folder: TempDir,
}

impl Home {
    async fn with(ground: &Ground, mail: &str, more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = [&QUICK[..], &[("JIASHU_MAIL", mail)], more].concat();
        let office = Office::on(ground.relay(&folder, &settings).await).await;
        let list = office.path("families.csv");
        std::fs::write(&list, LIST).unwrap();
        let _ = office.try_enrol(list.to_str().unwrap(), &[]).await.success();
        let cards = office.cards();
        let mother = office.join("mother", &cards.link("GS-001", "妈妈")).await;
        let home = office.join("home", &cards.link("GS-001", "Lili")).await;
        let _ = office.worker.run(&["ngo", "me", "--email", "li@ngo.example"]).await.success();
        Self { office, mother, home, _folder: folder }
    }

    async fn ask_for_help(&self) {
        let asked = ask(&self.home, &["ask-for-help", "--as", "Lili", "--yes"]).await;
        assert_eq!(asked, json!({ "asked_for_help": true, "queued": false }));
    }

    /// What of e-mails did not go well, once there is something.
    async fn undelivered(&self) -> Vec<Value> {
        until("something to be told of", async || {
            let told = ask_all(&self.office.worker, &["ngo", "mail"]).await;
            (!told.is_empty()).then_some(told)
        })
        .await
    }
}

async fn a_child_that_asks_for_help_is_heard(ground: Ground) {
    let server = TestMailServer::start().await;
    let family = Home::with(&ground, &server.url(), &[]).await;
    let Home { office, mother, home, .. } = &family;
    let _ = home.run(&["quiet", "00:00-23:59"]).await.success();

    family.ask_for_help().await;

    let mails = server.after(1).await;
    assert_eq!((mails.len(), mails[0].to.as_str()), (1, "li@ngo.example"));
    let text = &mails[0].text;
    assert!(text.contains("In family GS-001, a child (member 3)"), "{text}");
    for canary in ["Lili", "妈妈", "外婆"] {
        assert!(!text.contains(canary), "{canary}");
    }
    let first = ask(&office.worker, &["ngo", "worklist"]).await["families"][0].clone();
    assert_eq!(first["tasks"][0]["kind"], "help", "{first}");
    let table = office.worker.run(&["ngo", "worklist"]).await.success().stdout;
    assert!(table.contains("HELP: ring today"), "{table}");

    // Nobody at home is shown it.
    for phone in [mother, home] {
        for verb in [&["log"][..], &["inbox"], &["status"], &["family"]] {
            let shown = phone.run(verb).await;
            assert!(!format!("{shown:?}").to_lowercase().contains("help"), "{shown:?}");
        }
    }
    let done = ["ngo", "tasks", "done", "GS-001", "help", "3"];
    let _ = office.worker.run(&done).await.success();
    until("the task to be over", async || {
        ask_all(&office.worker, &["ngo", "tasks"]).await.is_empty().then_some(())
    })
    .await;
    assert!(
        failure(&mother.run(&["ask-for-help", "--as", "Lili", "--yes"]).await, 5).contains("Lili")
    );
    assert_eq!(ask_all(&office.worker, &["ngo", "mail"]).await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_child_that_asks_for_help_is_heard_from_one_file() {
    a_child_that_asks_for_help_is_heard(Ground::own()).await;
}

#[tokio::test]
async fn a_child_that_asks_for_help_is_heard_over_redis() {
    a_child_that_asks_for_help_is_heard(Ground::shared().await).await;
}

#[tokio::test]
async fn a_mail_server_that_is_busy_or_silent_or_hangs_up_has_it_later_and_once() {
    for what in ["4xx", "hold", "close"] {
        join_all(["ehlo", "mail", "rcpt"].map(async |step| {
            let server = TestMailServer::with(&["--at", step, "--do", what, "--times", "2"]).await;
            let family = Home::with(&Ground::own(), &server.url(), &[]).await;

            family.ask_for_help().await;

            let mails = server.after(1).await;
            assert_eq!(mails.len(), 1, "{step} {what}");
            server.at(step, 3).await;
            let told = ask_all(&family.office.worker, &["ngo", "mail"]).await;
            assert_eq!(told, [] as [Value; 0], "{step} {what}: it was never given the message");
        }))
        .await;
    }
}

#[tokio::test]
async fn what_was_handed_over_and_never_answered_is_sent_again_as_the_same_and_told_of() {
    for what in ["hold", "close"] {
        let server = TestMailServer::with(&["--at", "data", "--do", what]).await;
        let family = Home::with(&Ground::own(), &server.url(), &[]).await;

        family.ask_for_help().await;

        let mails = server.after(2).await;
        assert_eq!(mails[0].id, mails[1].id, "{what}");
        let told = family.undelivered().await;
        assert_eq!(told[0]["outcome"], "perhaps_twice", "{what}: {told:?}");
    }
}

#[tokio::test]
async fn what_a_mail_server_will_not_have_is_told_of_and_not_tried_again() {
    for step in ["mail", "rcpt", "data"] {
        let server = TestMailServer::with(&["--at", step, "--do", "5xx", "--times", "9"]).await;
        let family = Home::with(&Ground::own(), &server.url(), &[]).await;

        family.ask_for_help().await;

        let told = family.undelivered().await;
        let expected = (&json!("refused"), &json!(550), &json!("help"), &json!("GS-001"));
        let [one] = &told[..] else { panic!("{told:?}") };
        assert_eq!(
            (&one["outcome"], &one["smtp_code"], &one["about"], &one["case_code"]),
            expected
        );
        assert!(server.mails().is_empty());
        let table = family.office.worker.run(&["ngo", "mail"]).await.success().stdout;
        assert!(table.contains("is the address right?"), "{table}");
    }
}

async fn killed_at(step: &str, ground: Ground) {
    let server = TestMailServer::with(&["--at", step, "--do", "hold"]).await;
    // Nobody gives up before it is killed.
    let patient = [("JIASHU_MAIL_TIMEOUT_MS", "3000")];
    let mut family = Home::with(&ground, &server.url(), &patient).await;

    family.ask_for_help().await;
    server.at(step, 1).await;
    family.office.relay.kill9();
    family.office.relay.restart().await;

    let mails = server.after(if step == "data" { 2 } else { 1 }).await;
    assert!(mails.iter().all(|mail| mail.id == mails[0].id), "{step}");
    let told = family.undelivered().await;
    assert_eq!(told[0]["outcome"], "perhaps_twice", "{step}: nobody knows how far it had come");
}

const STEPS: [&str; 4] = ["ehlo", "mail", "rcpt", "data"];

#[tokio::test]
async fn a_relay_that_is_killed_at_any_step_loses_no_mail_from_one_file() {
    join_all(STEPS.map(|step| killed_at(step, Ground::own()))).await;
}

#[tokio::test]
async fn a_relay_that_is_killed_at_any_step_loses_no_mail_over_redis() {
    join_all(STEPS.map(async |step| killed_at(step, Ground::shared().await).await)).await;
}

#[tokio::test]
async fn mail_goes_over_tls_to_a_server_that_is_trusted_and_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(path("cert.pem"), key.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), key.signing_key.serialize_pem()).unwrap();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let safe = ["--tls", &cert, &key, "--login", "jiashu@relay.example", "a secret"];
    let server = TestMailServer::with(&safe).await;
    let login = "jiashu%40relay.example:a%20secret";
    let url = format!("smtp://{login}@localhost:{}", server.port());
    let family = Home::with(&Ground::own(), &url, &[("JIASHU_MAIL_CA", &cert)]).await;

    family.ask_for_help().await;

    assert_eq!(server.after(1).await[0].safely, (true, true));
    let log = family.office.relay.log();
    assert!(!log.contains("secret") && !log.contains("ngo.example"), "{log}");

    // A server that nobody vouches for is told nothing.
    let other = TestMailServer::with(&safe).await;
    let url = format!("smtp://{login}@localhost:{}", other.port());
    let stranger = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(path("other.pem"), stranger.cert.pem()).unwrap();
    let settings = [("JIASHU_MAIL_CA", path("other.pem"))];
    let settings = settings.each_ref().map(|(key, value)| (*key, value.as_str()));
    let family = Home::with(&Ground::own(), &url, &settings).await;
    family.ask_for_help().await;
    other.at("ehlo", 2).await;
    until("it to be said", async || {
        let log = family.office.relay.log();
        log.contains("a certificate that is trusted").then_some(())
    })
    .await;
    assert!(other.mails().is_empty());
}

#[tokio::test]
async fn a_parent_says_where_a_mail_may_remind_and_takes_it_back() {
    let server = TestMailServer::start().await;
    let family = Home::with(&Ground::own(), &server.url(), &[]).await;
    let Home { office, mother, home, .. } = &family;

    let said = ask(mother, &["reach", "--email", "ana@home.example"]).await;
    assert_eq!(said, json!({ "email": "ana@home.example", "queued": false }));
    let bad = mother.run(&["reach", "--email", "ana@home.example\r\nBcc: x@y.org"]).await;
    assert!(failure(&bad, 4).contains("refused"), "{bad:?}");
    assert_eq!(home.run(&["reach", "--as", "Lili", "--email", "l@home.example"]).await.code, 4);
    // Nobody else is given it.
    for shown in [
        office.worker.run(&["ngo", "worklist", "--json"]).await,
        home.run(&["log", "--json"]).await,
        home.run(&["family", "--json"]).await,
    ] {
        assert!(!shown.success().stdout.contains("home.example"));
    }
    let _ = mother.run(&["reach", "--none"]).await.success();
    assert!(!office.relay.log().contains("home.example"));
}

#[tokio::test]
async fn a_wrong_mail_setting_is_named_and_nothing_of_it_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    for (mail, key) in [("smtp://user:hush@", "mail"), ("mail.example", "mail")] {
        let mut command = jiashu_tests::relay::command(&folder.path().join("data"));
        let ended = command.env("JIASHU_MAIL", mail).output().unwrap();
        let says = String::from_utf8(ended.stderr).unwrap();
        assert!(!ended.status.success() && says.contains(key), "{says}");
        assert!(!says.contains("hush"), "{says}");
    }
}
