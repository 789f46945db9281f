//! Whoever may not ask for something under `/api/v1` is refused alike, and that they asked is noted: each request, asked by
//! nobody, by who is out, by another programme, and in the wrong role.
//!
//! A request that is not in the table fails the test: what the table holds is compared with the relay's own list.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_proto::id::{DeviceId, Scope, Token};
use jiashu_tests::ground::Ground;
use jiashu_tests::http::request;
use jiashu_tests::{Cli, DEADLINE, TestRelay, until};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::story::{ask, ask_all};
use crate::story_contact::{Staffed, come_in};

/// What a role is answered: 2xx.
const YES: Answer = Answer::Done;
/// It is somebody else's to do.
const NOT_YOURS: Answer = Answer::Refused(403);
/// There is no such thing, for them.
const UNKNOWN: Answer = Answer::Refused(404);

/// The site that they name is none of their own programme's.
const NO_SUCH_SITE: Answer = Answer::Refused(400);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Refused(u16),
}

impl Answer {
    fn is(self, status: u16) -> bool {
        match self {
            Self::Done => (200..300).contains(&status),
            Self::Refused(expected) => status == expected,
        }
    }
}

/// A request, and what the caseworker of another site, the auditor and another programme's coordinator are answered.
/// What is about one family or one member of staff is asked about ours, by each of them.
struct Request {
    method: &'static str,
    path: &'static str,
    body: &'static str,
    /// Its word in the audit log.
    action: &'static str,
    caseworker: Answer,
    auditor: Answer,
    foreigner: Answer,
}

#[rustfmt::skip]
const TABLE: &[Request] = &[
    asks("GET", "/api/v1/worklist", "", "worklist", [YES, NOT_YOURS, YES]),
    asks("GET", "/api/v1/families/{case}", "", "family", [UNKNOWN; 3]),
    asks("POST", "/api/v1/families/{case}/pause", r#"{"reason":"exams","until":"2099-01-01"}"#, "pause", [UNKNOWN; 3]),
    asks("DELETE", "/api/v1/families/{case}/pause", "", "resume", [UNKNOWN; 3]),
    asks("POST", "/api/v1/families/{case}/plan", r#"{"rules":[]}"#, "plan", [UNKNOWN; 3]),
    asks("PUT", "/api/v1/families/{case}/suspensions/{member}", r#"{"reason":"court-order"}"#, "suspend", [UNKNOWN; 3]),
    asks("DELETE", "/api/v1/families/{case}/suspensions/{member}", "", "unsuspend", [UNKNOWN; 3]),
    asks("POST", "/api/v1/families/{case}/visits", r#"{"how":"call"}"#, "visit", [UNKNOWN; 3]),
    asks("PUT", "/api/v1/families/{case}/worker", r#"{"staff":1}"#, "assign", [NOT_YOURS, NOT_YOURS, UNKNOWN]),
    asks("POST", "/api/v1/families/{case}/tasks/done", r#"{"kind":"help","member":3}"#, "task-done", [UNKNOWN; 3]),
    asks("POST", "/api/v1/families/{case}/erasure", "{}", "erase", [NOT_YOURS, NOT_YOURS, UNKNOWN]),
    asks("DELETE", "/api/v1/families/{case}/erasure", "", "erase-undo", [NOT_YOURS, NOT_YOURS, UNKNOWN]),
    asks("PUT", "/api/v1/families/{case}/site", r#"{"site":"soroca"}"#, "transfer-site", [NOT_YOURS, NOT_YOURS, NO_SUCH_SITE]),
    asks("POST", "/api/v1/families/{case}/transfer", r#"{"programme":"0000000000000001"}"#, "transfer-offer", [NOT_YOURS, NOT_YOURS, UNKNOWN]),
    asks("DELETE", "/api/v1/families/{case}/transfer", "", "transfer-take-back", [NOT_YOURS, NOT_YOURS, UNKNOWN]),
    asks("GET", "/api/v1/transfers", "", "transfers", [NOT_YOURS, NOT_YOURS, YES]),
    asks("POST", "/api/v1/transfers/{offer}", r#"{"case_code":"X-1"}"#, "transfer-accept", [NOT_YOURS, NOT_YOURS, UNKNOWN]),
    asks("GET", "/api/v1/tasks", "", "tasks", [YES, NOT_YOURS, YES]),
    asks("GET", "/api/v1/mail", "", "mail", [NOT_YOURS, NOT_YOURS, YES]),
    asks("GET", "/api/v1/report", "", "report", [NOT_YOURS, YES, YES]),
    asks("GET", "/api/v1/programme", "", "programme", [NOT_YOURS, YES, YES]),
    asks("GET", "/api/v1/thresholds", "", "", [YES, YES, YES]),
    asks("PUT", "/api/v1/thresholds", r#"{"on_track":7,"watch":14,"at_risk":28,"silent":42,"missed":3}"#, "thresholds", [NOT_YOURS, NOT_YOURS, YES]),
    asks("GET", "/api/v1/consent-settings", "", "", [YES, YES, YES]),
    asks("PUT", "/api/v1/consent-settings", r#"{"jurisdiction":"lv"}"#, "consent-settings", [NOT_YOURS, NOT_YOURS, YES]),
    asks("GET", "/api/v1/staff", "", "staff", [NOT_YOURS, NOT_YOURS, YES]),
    asks("POST", "/api/v1/staff", NEW, "staff-add", [NOT_YOURS, NOT_YOURS, YES]),
    asks("PUT", "/api/v1/staff/me", r#"{"email":"x@ngo.example"}"#, "", [YES, YES, YES]),
    asks("POST", "/api/v1/staff/me/sign-in-link", "", "", [YES, YES, YES]),
    asks("POST", "/api/v1/staff/{number}/sign-in-link", "", "sign-in-link", [NOT_YOURS, NOT_YOURS, UNKNOWN]),
    asks("DELETE", "/api/v1/staff/{number}", "", "staff-remove", [NOT_YOURS, NOT_YOURS, UNKNOWN]),
    asks("GET", "/api/v1/sites", "", "", [YES, YES, YES]),
    asks("POST", "/api/v1/sites", r#"{"code":"x","name":"x","zone":"UTC"}"#, "site", [NOT_YOURS, NOT_YOURS, YES]),
    asks("GET", "/api/v1/exports/family-week", "", "export", [NOT_YOURS, NOT_YOURS, YES]),
    asks("GET", "/api/v1/exports/contact-events", "", "export", [NOT_YOURS, NOT_YOURS, YES]),
    asks("GET", "/api/v1/exports/site-period", "", "export", [NOT_YOURS, YES, YES]),
    asks("GET", "/api/v1/exports/dhis2", "", "export", [NOT_YOURS, YES, YES]),
    asks("GET", "/api/v1/exports/codebook/{name}", "", "", [YES, YES, YES]),
    asks("GET", "/api/v1/audit", "", "audit", [NOT_YOURS, YES, YES]),
];

const NEW: &str = r#"{"role":"auditor","name":"x","sites":[],"language":"en",
    "code_hash":"0000000000000000000000000000000000000000000000000000000000000000"}"#;

const fn asks(
    method: &'static str,
    path: &'static str,
    body: &'static str,
    action: &'static str,
    [caseworker, auditor, foreigner]: [Answer; 3],
) -> Request {
    Request { method, path, body, action, caseworker, auditor, foreigner }
}

impl Request {
    /// With the family's code, or the number of a member of staff, where it names one.
    fn of(&self, case: &str, number: &str) -> String {
        let path = self.path.replace("{case}", case).replace("{number}", number);
        let path = path.replace("{offer}", "0123456789abcdef");
        path.replace("{member}", "1").replace("{name}", "family-week")
    }
}

/// What lets in whoever has that folder.
fn token(phone: &Cli) -> String {
    let staff = std::fs::read(phone.home().join("staff.json")).unwrap();
    let staff: Value = serde_json::from_slice(&staff).unwrap();
    let secret = URL_SAFE_NO_PAD.decode(staff["secret"].as_str().unwrap()).unwrap();
    let token = Token {
        scope: Scope(u64::from_str_radix(staff["programme"].as_str().unwrap(), 16).unwrap()),
        device: DeviceId(staff["number"].as_u64().unwrap().try_into().unwrap()),
        secret: secret.try_into().unwrap(),
    };
    URL_SAFE_NO_PAD.encode(token.to_bytes())
}

/// What is answered: its status, and whatever it says.
async fn answer(
    relay: &TestRelay,
    asked: &Request,
    path: &str,
    token: Option<&str>,
) -> (u16, String) {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", &**bearer)).collect();
    let mut stream = TcpStream::connect(relay.address()).await.unwrap();
    // As HTTP/1.0: a file that is handed out as it is made then ends with the connection, not in chunks.
    let sent = request(asked.method, path, &headers, asked.body.as_bytes());
    let sent = String::from_utf8(sent).unwrap().replacen("HTTP/1.1", "HTTP/1.0", 1);
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = timeout(DEADLINE, stream.read_to_string(&mut answer)).await;
    read.expect("it ends").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// What a member of staff is answered by every request that changes nothing, in turn: its path, and the answer.
pub(crate) async fn all_answers(
    relay: &TestRelay,
    phone: &Cli,
    case: &str,
) -> Vec<(String, String)> {
    let mut answers = Vec::new();
    for asked in TABLE.iter().filter(|asked| asked.method == "GET") {
        let path = asked.of(case, "1");
        let (status, told) = answer(relay, asked, &path, Some(&token(phone))).await;
        assert_eq!(status, 200, "{path}: {told}");
        answers.push((path, told));
    }
    answers
}

/// The requests that the relay's own code lists.
fn listed() -> BTreeSet<(String, String)> {
    fn sources(folder: &Path, found: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut code = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src/listener"), &mut code);
    let mut requests = BTreeSet::new();
    for route in code.split(".route(").skip(1) {
        let Some((path, rest)) = route.trim_start().trim_start_matches('"').split_once('"') else {
            continue;
        };
        if !path.starts_with("/api/v1/") || path.ends_with("...") {
            continue;
        }
        let end = rest.find("\n        .").or_else(|| rest.find("\n}")).unwrap_or(rest.len());
        for method in ["get", "post", "put", "delete", "patch"] {
            let begins = [format!(" {method}("), format!(".{method}("), format!("\n{method}(")];
            if begins.iter().any(|begin| rest[..end].contains(begin)) {
                requests.insert((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    requests
}

#[test]
fn every_request_is_in_the_table() {
    // The API's description of itself is for everybody.
    let open = ("GET".to_owned(), "/api/v1/openapi.json".to_owned());

    let table: BTreeSet<_> =
        TABLE.iter().map(|asked| (asked.method.to_owned(), asked.path.to_owned())).collect();
    let mut listed = listed();
    listed.remove(&open);

    assert_eq!(table, listed, "put it into the table: who is refused what?");
    assert_eq!(table.len(), TABLE.len(), "one stands twice");
}

#[tokio::test]
async fn who_is_nobody_or_out_is_told_the_same_whatever_is_asked() {
    let Staffed { office, caseworker, .. } = &Staffed::on(&Ground::own()).await;
    let (relay, out) = (&office.relay, token(caseworker));
    let _ = office.worker.run(&["ngo", "staff", "remove", "2"]).await.success();
    let mut forged = URL_SAFE_NO_PAD.decode(token(&office.worker)).unwrap();
    *forged.last_mut().unwrap() ^= 1;
    let forged = URL_SAFE_NO_PAD.encode(forged);
    let told = answer(relay, &TABLE[0], "/api/v1/worklist", None).await;

    assert_eq!(told.0, 401, "{told:?}");
    for asked in TABLE {
        for token in [None, Some(&*out), Some(&*forged), Some("AAAA")] {
            let answered = answer(relay, asked, &asked.of("GS-001", "3"), token).await;
            assert_eq!(answered, told, "{} {} {token:?}", asked.method, asked.path);
        }
    }
}

#[tokio::test]
async fn a_wrong_role_is_refused_alike_and_noted() {
    let Staffed { office, caseworker, auditor, .. } = &Staffed::on(&Ground::own()).await;
    // Neither hers by her site nor by what a coordinator said.
    let _ = office.worker.run(&["ngo", "assign", "GS-001", "1"]).await.success();
    let relay = &office.relay;
    for (number, who, role) in
        [(2, token(caseworker), "caseworker"), (3, token(auditor), "auditor")]
    {
        for asked in TABLE {
            let expected = if number == 2 { asked.caseworker } else { asked.auditor };
            let before = noted(&office.worker, number, asked.action).await;
            let (status, told) = answer(relay, asked, &asked.of("GS-001", "1"), Some(&who)).await;
            let what = format!("{role}: {} {}: {status} {told}", asked.method, asked.path);
            assert!(expected.is(status), "{what}");
            if expected == UNKNOWN {
                let nobodys = answer(relay, asked, &asked.of("GS-999", "1"), Some(&who)).await;
                assert_eq!(nobodys, (status, told), "{what}: as if it were not there");
            }
            let times = match expected {
                YES => 0,
                UNKNOWN => 2,
                Answer::Refused(_) => 1,
            };
            let after = noted(&office.worker, number, asked.action).await;
            assert_eq!(after - before, times, "{what}: refusals are noted");
        }
    }
}

/// How often that was refused to a member of staff.
async fn noted(coordinator: &Cli, number: u64, action: &str) -> usize {
    let log = ask_all(coordinator, &["ngo", "audit"]).await;
    let is_it = |entry: &&Value| {
        entry["staff"] == number && entry["action"] == action && entry["allowed"] == false
    };
    log.iter().filter(is_it).count()
}

#[tokio::test]
async fn another_programme_finds_nothing_of_ours_by_any_request() {
    let Staffed { office, .. } = &Staffed::on(&Ground::own()).await;
    let relay = &office.relay;
    let _ = come_in(office, "coordinator", &[]).await;
    let link = relay.raw().post_to("/programmes").await;
    let other = office.phone("other");
    let link = String::from_utf8(link.body).unwrap();
    let _ = other.run(&["ngo", "setup", link.trim()]).await.success();
    let who = token(&other);
    let ours = until("all stand on the worklist", async || {
        let list = ask(&office.worker, &["ngo", "worklist"]).await;
        (list["total"] == 3).then_some(list)
    })
    .await;
    let before = ask_all(&office.worker, &["ngo", "audit"]).await.len();

    for asked in TABLE {
        let (status, told) = answer(relay, asked, &asked.of("GS-001", "4"), Some(&who)).await;
        let what = format!("{} {}: {status} {told}", asked.method, asked.path);
        assert!(asked.foreigner.is(status), "{what}");
        for canary in ["GS-001", "MD-002", "LV-003", "tianshui", "soroca"] {
            assert!(asked.path == "/api/v1/audit" || !told.contains(canary), "{canary}: {what}");
        }
        if asked.foreigner == UNKNOWN {
            let nobodys = answer(relay, asked, &asked.of("GS-999", "999"), Some(&who)).await;
            assert_eq!(nobodys, (status, told), "{what}: as if it were not there");
        }
    }

    let after = ask_all(&office.worker, &["ngo", "audit"]).await;
    // One look at the audit log, which is noted too, and the worklist, which is not.
    assert_eq!(after.len(), before + 1, "nothing of it happened here");
    let mut unchanged = ask(&office.worker, &["ngo", "worklist"]).await;
    unchanged["as_of"] = ours["as_of"].clone();
    assert_eq!(unchanged["total"], ours["total"]);
}
