//! Staff look with a browser: a real one, on a phone's screen and on a desk's.

use jiashu_tests::browser::tell;
use jiashu_tests::ground::Ground;
use jiashu_tests::smtpd::TestMailServer;
use jiashu_tests::{Cli, TestRelay};
use serde_json::{Value, json};

use crate::story::{Office, ask, ask_all};

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
    assert_eq!(code.len(), 32, "{text}");
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

#[tokio::test]
async fn staff_sign_in_by_a_link_and_end_their_own_sessions_from_one_file() {
    staff_sign_in_by_a_link(Ground::own(), &[("en", "en"), ("zh-CN", "zh-Hans")]).await;
}

#[tokio::test]
async fn staff_sign_in_by_a_link_and_end_their_own_sessions_over_redis() {
    staff_sign_in_by_a_link(Ground::shared().await, &[("ro", "ro")]).await;
}
