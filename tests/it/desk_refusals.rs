//! Whoever may not have a page is shown none: each page and form of the dashboard, asked for by nobody, with a session that
//! has ended, from another site's page, without a form's own token, and in the wrong role. No page holds a name of a family.
//!
//! A page that is not in the table fails the test: the table is compared with the relay's own list.

use std::collections::BTreeSet;
use std::path::Path;

use jiashu_tests::ground::Ground;
use jiashu_tests::http::{Response, request};
use jiashu_tests::{Cli, TestRelay, until};

use crate::story::{ask, ask_all};
use crate::story_contact::Staffed;

/// A page or form, and what the caseworker of another site and the auditor are answered.
struct Asked {
    method: &'static str,
    path: &'static str,
    form: &'static str,
    caseworker: u16,
    auditor: u16,
}

const fn asks(
    method: &'static str,
    path: &'static str,
    form: &'static str,
    [caseworker, auditor]: [u16; 2],
) -> Asked {
    Asked { method, path, form, caseworker, auditor }
}

#[rustfmt::skip]
const TABLE: &[Asked] = &[
    asks("GET", "/staff/families", "", [200, 403]),
    asks("GET", "/staff/families.csv", "", [200, 403]),
    asks("GET", "/staff/family", "", [303, 303]),
    asks("GET", "/staff/families/{case}", "", [404, 404]),
    asks("GET", "/staff/families/{case}/{file}", "", [404, 404]),
    asks("POST", "/staff/families/{case}/task", "kind=help&member=3", [404, 404]),
    asks("POST", "/staff/families/{case}/pause", "reason=exams&until=2099-01-01", [404, 404]),
    asks("POST", "/staff/families/{case}/resume", "", [404, 404]),
    asks("POST", "/staff/families/{case}/plan", "day=sun&at=19:30", [404, 404]),
    asks("POST", "/staff/families/{case}/worker", "staff=1", [403, 403]),
    asks("POST", "/staff/families/{case}/visit", "how=visit&on=2026-11-02", [404, 404]),
    asks("GET", "/staff/programme", "", [403, 200]),
    asks("GET", "/staff/programme/{table}", "", [403, 200]),
    asks("GET", "/staff/people", "", [403, 403]),
    asks("POST", "/staff/people", "role=auditor&name=x&language=en", [403, 403]),
    asks("POST", "/staff/people/{number}/link", "", [403, 403]),
    asks("POST", "/staff/people/{number}/end", "", [403, 403]),
    asks("POST", "/staff/sites", "code=x&name=x&zone=UTC", [403, 403]),
    // What holds is no secret among the staff, as over the API.
    asks("GET", "/staff/settings", "", [200, 200]),
    asks("POST", "/staff/settings/thresholds", "on_track=7&watch=14&at_risk=28&silent=42&missed=3", [403, 403]),
    asks("POST", "/staff/settings/consent", "jurisdiction=lv", [403, 403]),
    asks("GET", "/staff/audit", "", [403, 200]),
    asks("GET", "/staff/audit.csv", "", [403, 200]),
    asks("GET", "/staff/me", "", [200, 200]),
    asks("POST", "/staff/me", "name=x&language=en", [303, 303]),
    asks("POST", "/staff/me/sessions", "session=x", [404, 404]),
    asks("GET", "/staff/enrol", "", [200, 403]),
    // A body without a family enrols none: whose each is, is looked at by itself.
    asks("POST", "/staff/enrol", "", [200, 200]),
];

/// These need nobody to be signed in; and who signs out is out.
const OTHERS: [(&str, &str); 7] = [
    ("GET", "/staff"),
    ("POST", "/staff/sign-in"),
    ("GET", "/staff/in/{code}"),
    ("POST", "/staff/in/{code}"),
    ("GET", "/staff/assets/{name}"),
    ("POST", "/staff/sign-out"),
    ("GET", "/staff/nowhere"),
];

impl Asked {
    fn path(&self, case: &str) -> String {
        let path = self.path.replace("{case}", case).replace("{file}", "weeks.csv");
        path.replace("{table}", "weeks.csv").replace("{number}", "1")
    }
}

/// What a browser says of what its own page sends.
const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");

/// Somebody's browser, as far as a request shows it.
#[derive(Clone, Debug, Default)]
struct Browser {
    cookie: Option<String>,
    form_token: String,
}

impl Browser {
    async fn come_in(relay: &TestRelay, staff: &Cli) -> Self {
        let link = ask(staff, &["ngo", "sign-in"]).await["link"].as_str().unwrap().to_owned();
        let path = link.split_once("/staff").map(|(_, rest)| format!("/staff{rest}")).unwrap();
        let entered = sent(relay, "POST", &path, &[OWN], b"").await;
        let set = entered.head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = set.unwrap_or_else(|| panic!("{entered:?}")).split(';').next().unwrap();
        let mut browser = Self { cookie: Some(cookie.to_owned()), form_token: String::new() };
        let own = browser.ask(relay, "GET", "/staff/me", "").await;
        let (_, token) = own.1.split_once("name=\"form_token\" value=\"").unwrap();
        browser.form_token = token.split('"').next().unwrap().to_owned();
        browser
    }

    async fn ask(&self, relay: &TestRelay, method: &str, path: &str, form: &str) -> (u16, String) {
        self.ask_with(relay, method, path, form, &[]).await
    }

    async fn ask_with(
        &self,
        relay: &TestRelay,
        method: &str,
        path: &str,
        form: &str,
        more: &[(&str, &str)],
    ) -> (u16, String) {
        let body = format!("{form}&form_token={}", self.form_token);
        let mut headers = if more.is_empty() { vec![OWN] } else { more.to_vec() };
        headers.push(("content-type", "application/x-www-form-urlencoded"));
        if let Some(cookie) = &self.cookie {
            headers.push(("cookie", cookie));
        }
        let body = if method == "GET" { "" } else { &body };
        let response = sent(relay, method, path, &headers, body.as_bytes()).await;
        (response.status, String::from_utf8_lossy(&response.body).into_owned())
    }
}

async fn sent(
    relay: &TestRelay,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    relay.raw().exchange(&request(method, path, headers, body)).await.expect("it is answered")
}

/// What the relay's own code lists.
fn listed() -> BTreeSet<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src/listener/desk");
    let mut code = String::new();
    for file in std::fs::read_dir(folder).unwrap() {
        code.push_str(&std::fs::read_to_string(file.unwrap().path()).unwrap());
    }
    let mut found = BTreeSet::new();
    for route in code.split(".route(\"").skip(1) {
        let (path, rest) = route.split_once('"').unwrap();
        let methods = rest.split(['\n', ';']).next().unwrap();
        for method in ["get", "post"] {
            if methods.contains(&format!(" {method}(")) || methods.contains(&format!(".{method}("))
            {
                found.insert((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_page_is_in_the_table() {
    let table = TABLE.iter().map(|asked| (asked.method.to_owned(), asked.path.to_owned()));
    let others = OTHERS.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned()));
    let known: BTreeSet<_> = table.chain(others).collect();

    let missing: Vec<_> = listed().difference(&known).cloned().collect();

    assert!(listed().len() >= 25, "{:?}", listed());
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn whoever_is_not_signed_in_or_not_any_more_is_shown_nothing() {
    let Staffed { office, caseworker, .. } = &Staffed::on(&Ground::own()).await;
    let relay = &office.relay;
    let out = Browser::come_in(relay, caseworker).await;
    let ended = Browser::come_in(relay, &office.worker).await;
    let _ = office.worker.run(&["ngo", "staff", "remove", "2"]).await.success();
    assert_eq!(ended.ask(relay, "POST", "/staff/sign-out", "").await.0, 303);
    let name = ended.cookie.clone().unwrap().split_once('=').unwrap().0.to_owned();
    let garbage =
        |value: &str| Browser { cookie: Some(format!("{name}={value}")), ..Browser::default() };
    let mut forged = ended.cookie.clone().unwrap();
    let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
    forged.push(last);
    let forged = Browser { cookie: Some(forged), form_token: ended.form_token.clone() };
    let nobodies = [
        Browser::default(),
        out,
        ended,
        forged,
        garbage(""),
        garbage("AAAA"),
        garbage(&"A".repeat(5000)),
    ];
    for asked in TABLE {
        for nobody in &nobodies {
            let (status, told) =
                nobody.ask(relay, asked.method, &asked.path("GS-001"), asked.form).await;
            let what = format!("{} {}: {nobody:?} {status}", asked.method, asked.path);
            let expected = if asked.method == "GET" { 303 } else { 401 };
            assert_eq!(status, expected, "{what}");
            assert!(!told.contains("GS-001") && !told.contains("tianshui"), "{what}");
        }
    }
}

#[tokio::test]
async fn a_form_of_another_page_does_nothing() {
    let Staffed { office, .. } = &Staffed::on(&Ground::own()).await;
    let relay = &office.relay;
    let browser = Browser::come_in(relay, &office.worker).await;
    let before = ask_all(&office.worker, &["ngo", "audit"]).await.len();
    let without = Browser { form_token: String::new(), ..browser.clone() };
    let anothers = Browser { form_token: "0".repeat(32), ..browser.clone() };
    for asked in TABLE.iter().filter(|asked| asked.method == "POST" && asked.path != "/staff/enrol")
    {
        let path = asked.path("GS-001");
        for no in [&without, &anothers] {
            assert_eq!(no.ask(relay, "POST", &path, asked.form).await.0, 403, "{path}");
        }
        let foreign = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("accept", "*/*"),
        ];
        for header in foreign {
            let (status, _) = browser.ask_with(relay, "POST", &path, asked.form, &[header]).await;
            assert_eq!(status, 403, "{path} {header:?}");
        }
    }
    for path in ["/staff/sign-in", "/staff/in/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let cross = [("sec-fetch-site", "cross-site")];
        assert_eq!(
            Browser::default().ask_with(relay, "POST", path, "email=x", &cross).await.0,
            403
        );
    }
    let large = "x=".to_owned() + &"y".repeat(70_000);
    assert_eq!(browser.ask(relay, "POST", "/staff/me", &large).await.0, 413);

    let after = ask_all(&office.worker, &["ngo", "audit"]).await;
    assert_eq!(after.len(), before + 1, "nothing but that look happened: {after:?}");
}

#[tokio::test]
async fn a_wrong_role_is_shown_no_page_and_no_page_holds_a_name() {
    let Staffed { office, caseworker, auditor, .. } = &Staffed::on(&Ground::own()).await;
    let relay = &office.relay;
    until("all stand on the worklist", async || {
        (ask(&office.worker, &["ngo", "worklist"]).await["total"] == 3).then_some(())
    })
    .await;
    // Neither hers by her site nor by what a coordinator said.
    let _ = office.worker.run(&["ngo", "assign", "GS-001", "1"]).await.success();
    let [caseworker, auditor, coordinator] = [
        Browser::come_in(relay, caseworker).await,
        Browser::come_in(relay, auditor).await,
        Browser::come_in(relay, &office.worker).await,
    ];
    for asked in TABLE {
        for (browser, expected) in [(&caseworker, asked.caseworker), (&auditor, asked.auditor)] {
            let (status, told) =
                browser.ask(relay, asked.method, &asked.path("GS-001"), asked.form).await;
            assert_eq!(status, expected, "{} {}: {told}", asked.method, asked.path);
            if expected == 404 && asked.path.contains("{case}") {
                let nobodys =
                    browser.ask(relay, asked.method, &asked.path("GS-999"), asked.form).await;
                let told = told.replace("GS-001", "GS-999");
                assert_eq!(nobodys, (status, told), "as if it were not there");
            }
        }
        if asked.method == "GET" {
            let (status, told) = coordinator.ask(relay, "GET", &asked.path("GS-001"), "").await;
            assert!([200, 303].contains(&status), "{}: {told}", asked.path);
            for canary in ["Lili", "妈妈", "外婆", "Ilze"] {
                assert!(!told.contains(canary), "{canary}: {}", asked.path);
            }
        }
    }
}

#[tokio::test]
async fn every_answer_is_kept_by_nobody_and_may_run_nothing() {
    let Staffed { office, .. } = &Staffed::without_families(&Ground::own()).await;
    let relay = &office.relay;
    let browser = Browser::come_in(relay, &office.worker).await;
    for path in
        ["/staff", "/staff/families", "/staff/families.csv", "/staff/people", "/staff/nowhere"]
    {
        let headers = [("cookie", browser.cookie.as_deref().unwrap()), ("accept-encoding", "gzip")];
        let head = sent(relay, "GET", path, &headers, b"").await.head.to_lowercase();
        if path == "/staff/nowhere" {
            continue;
        }
        for says in
            ["cache-control: no-store", "x-content-type-options: nosniff", "frame-ancestors 'none'"]
        {
            assert!(head.contains(says), "{path}: {head}");
        }
        assert!(!head.contains("unsafe-inline") && !head.contains("script-src"), "{path}: {head}");
    }
}
