//! The API keeps to its own description, whatever a program makes of that.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_proto::id::{DeviceId, Scope, Token};
use jiashu_tests::TestRelay;
use jiashu_tests::ground::Ground;
use jiashu_tests::http::{exchange, request};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::story::{LI, Office, text};

/// Requests of a kind that are tried for each that may be asked.
const EXAMPLES: &str = "50";

/// What must hold of each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,negative_data_rejection,ignored_auth,unsupported_method";

/// It takes a quarter of a minute.
const TRYING: Duration = Duration::from_secs(240);

/// What lets in whoever has that folder.
fn token(home: &Path) -> String {
    let staff: Value =
        serde_json::from_slice(&std::fs::read(home.join("staff.json")).unwrap()).unwrap();
    let secret = URL_SAFE_NO_PAD.decode(staff["secret"].as_str().unwrap()).unwrap();
    let token = Token {
        scope: Scope(u64::from_str_radix(staff["programme"].as_str().unwrap(), 16).unwrap()),
        device: DeviceId(staff["number"].as_u64().unwrap().try_into().unwrap()),
        secret: secret.try_into().unwrap(),
    };
    URL_SAFE_NO_PAD.encode(token.to_bytes())
}

async fn schemathesis(relay: &TestRelay, token: &str, folder: &Path) -> (bool, String) {
    let fetch = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemathesis");
    let fetched = Command::new(fetch).output().await.unwrap();
    assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    let program = String::from_utf8(fetched.stdout).unwrap();
    let document = format!("http://{}/api/v1/openapi.json", relay.address());
    let mut tried = Command::new(program.trim());
    tried.args(["run", &document, "--phases", "examples,coverage,fuzzing", "--checks", CHECKS]);
    tried.args(["--header", &format!("Authorization: Bearer {token}"), "--max-examples", EXAMPLES]);
    tried.args(["--seed", "7", "--generation-database", "none", "--suppress-health-check", "all"]);
    tried.args(["--warnings", "off", "--no-color", "--continue-on-failure"]);
    tried.current_dir(folder).kill_on_drop(true);
    let told = timeout(TRYING, tried.output()).await.expect("it ends").unwrap();
    let said = [told.stdout, told.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    (told.status.success(), said.concat())
}

async fn answered(
    relay: &TestRelay,
    method: &str,
    path: &str,
    token: &str,
    body: &str,
) -> (u16, Value) {
    let bearer = format!("Bearer {token}");
    let headers: &[_] = if token.is_empty() { &[] } else { &[("authorization", &*bearer)] };
    let stream = TcpStream::connect(relay.address()).await.unwrap();
    let answer = exchange(stream, &request(method, path, headers, body.as_bytes())).await.unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

#[tokio::test]
async fn the_description_is_for_all_and_what_it_forbids_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::on(Ground::own().relay(&folder, &[]).await).await;
    let (relay, token) = (&office.relay, token(office.worker.home()));

    let (status, document) = answered(relay, "GET", "/api/v1/openapi.json", "", "").await;
    assert_eq!((status, &document["openapi"]), (200, &Value::from("3.1.0")));
    let (nobody, problem) = answered(relay, "GET", "/api/v1/sites", "", "").await;
    assert_eq!((nobody, &problem["code"]), (401, &Value::from("unauthorised")));
    for (method, path, body) in [
        ("PUT", "/api/v1/staff/me", "[null, null, null]"),
        ("PUT", "/api/v1/thresholds", "[7, 14, 28, 42, 3]"),
        ("GET", "/api/v1/report?week=2026W40&month=202610", ""),
        ("GET", "/api/v1/report?month=2-02610", ""),
        ("GET", "/api/v1/worklist?limit=100001", ""),
    ] {
        let (status, problem) = answered(relay, method, path, &token, body).await;
        assert_eq!((status, &problem["code"]), (400, &Value::from("malformed")), "{method} {path}");
    }
}

#[tokio::test]
#[ignore = "tests/run runs it, where schemathesis is to be had"]
async fn whatever_the_description_allows_or_forbids_is_answered_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::on(Ground::own().relay(&folder, &[]).await).await;
    let site = ["ngo", "site", "add", "tianshui", "--name", "天水", "--tz", "Asia/Shanghai"];
    let _ = office.worker.run(&site).await.success();
    let _ = office.enrol(LI).await;

    let token = token(office.worker.home());
    let (holds, said) = schemathesis(&office.relay, &token, folder.path()).await;

    assert!(holds, "{}\n{said}", text(folder.path()));
    let log = office.worker.run(&["ngo", "audit"]).await.success().stdout;
    assert!(log.lines().count() > 100, "it was let in, and what it asked for was noted: {said}");
}
