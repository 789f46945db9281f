//! What an operator meets: the setup link, the configuration, the data folder.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, RelayFrame, Setup};
use jiashu_proto::id::{Scope, TokenHash};
use jiashu_tests::programme::{draw_setup, hello, setup_code};
use jiashu_tests::relay::command;
use jiashu_tests::{DEADLINE, Programme, TestRelay, http};
use tokio::time::timeout;

/// Runs a relay that is to end by itself: success, and all that it printed.
pub(crate) async fn run(data: &Path, args: &[&str], settings: &[(&str, &str)]) -> (bool, String) {
    let mut command = command(data);
    command.args(args).envs(settings.iter().copied());
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    let output = timeout(DEADLINE, command.output()).await.expect("it ends by itself").unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&printed).into_owned())
}

fn refusal(frame: &RelayFrame) -> Option<ErrorCode> {
    match frame {
        RelayFrame::Refused(refused) => Some(refused.code),
        _ => None,
    }
}

#[tokio::test]
async fn the_setup_link_lets_one_coordinator_in() {
    let mut relay = TestRelay::start().await;
    let file = relay.data_dir().join("setup-link");
    let link = relay.setup_link().expect("the first start prints a link");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    let written = std::fs::read_to_string(&file).unwrap();
    let (setup, token) = draw_setup(setup_code(&link));
    let raw = relay.raw();
    let ask = async |setup: &Setup| raw.one(ClientFrame::Setup(setup.clone())).await;

    let wrong = ask(&Setup { code: [7; 16], ..setup.clone() }).await;
    let first = ask(&setup).await;
    let again = ask(&setup).await;
    let other = ask(&Setup { token_hash: TokenHash([7; 32]), ..setup.clone() }).await;

    assert_eq!(mode, 0o600);
    assert_eq!(written.trim(), link);
    assert!(matches!(first, RelayFrame::Staffed(_)), "{first:?}");
    assert_eq!(again, first, "a lost answer is asked for again");
    assert_eq!(refusal(&wrong), Some(ErrorCode::Invite));
    assert_eq!(other, wrong, "one answer for wrong and used");
    assert!(!file.exists(), "a used link goes");
    assert!(matches!(raw.one(hello(&token)).await, RelayFrame::Welcome(_)));
    relay.term().await;
    relay.restart().await;
    assert_eq!(relay.setup_link(), None, "and is offered no more");
}

#[tokio::test]
async fn an_unused_setup_link_is_offered_again_after_a_restart() {
    let mut relay = TestRelay::start().await;
    let link = relay.setup_link();

    relay.kill9();
    relay.restart().await;

    assert!(link.is_some());
    assert_eq!(relay.setup_link(), link);
    Programme::of(&relay).await;
}

#[tokio::test]
async fn a_setup_that_asks_for_the_relays_own_number_is_refused() {
    let relay = TestRelay::start().await;
    let (setup, _) = draw_setup(setup_code(&relay.setup_link().unwrap()));

    let refused =
        relay.raw().one(ClientFrame::Setup(Setup { programme: Scope::RELAY, ..setup })).await;

    assert_eq!(refusal(&refused), Some(ErrorCode::Malformed));
    Programme::of(&relay).await;
}

#[tokio::test]
async fn how_it_does_is_told_to_operators_alone() {
    let settings = [
        ("JIASHU_OPERATOR_NETWORKS", "127.0.3.0/24,10.9.0.0/16"),
        ("JIASHU_TRUSTED_PROXIES", "127.0.4.1"),
    ];
    let relay = TestRelay::with(&settings).await;
    let cases = [
        // From here, and for whom: the status of what operators alone are told.
        ([127, 0, 3, 1], None, 200),
        ([127, 0, 0, 1], None, 404),
        ([127, 0, 4, 1], Some(("x-forwarded-for", "10.9.1.1")), 200),
        ([127, 0, 4, 1], Some(("x-forwarded-for", "203.0.113.7")), 404),
        // A proxy that is not trusted: who asks is not known.
        ([127, 0, 3, 1], Some(("x-forwarded-for", "10.9.1.1")), 404),
        ([127, 0, 3, 1], Some(("forwarded", "for=10.9.1.1")), 404),
    ];

    for (from, header, told) in cases {
        let raw = relay.raw().from(from.into());
        let headers: Vec<_> = header.into_iter().collect();
        for (path, status) in [("/status", told), ("/metrics", told), ("/healthz", 200)] {
            let request = http::request("GET", path, &headers, &[]);
            let answer = raw.exchange(&request).await.unwrap();
            assert_eq!(answer.status, status, "{path} from {from:?} for {header:?}");
        }
    }
}

#[tokio::test]
async fn the_configuration_is_printed_with_every_key() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");

    let (success, printed) = run(&data, &["config"], &[]).await;

    assert!(success);
    let keys = [
        "listen",
        "data",
        "public_url",
        "tls_cert",
        "tls_key",
        "origins",
        "log_format",
        "log",
        "handshake_ms",
        "first_frame_ms",
        "heartbeat_ms",
        "no_progress_ms",
        "drain_ms",
        "head_bytes",
        "headers",
        "message_bytes",
        "fragments",
        "message_ms",
    ];
    for key in keys {
        let line = |line: &str| line.starts_with(&format!("#{key} ="));
        assert!(printed.lines().any(line), "{key} is not in\n{printed}");
        let variable = format!("JIASHU_{}", key.to_uppercase());
        assert!(printed.contains(&variable), "{variable} is not in\n{printed}");
    }
    assert!(!data.exists(), "printing makes nothing");
}

#[tokio::test]
async fn a_wrong_value_stops_the_relay_by_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let cases = [
        ("JIASHU_HEARTBEAT_MS", "0", "heartbeat_ms"),
        ("JIASHU_HEARTBEAT_MS", "often", "JIASHU_HEARTBEAT_MS"),
        ("JIASHU_LISTEN", "here", "JIASHU_LISTEN"),
        ("JIASHU_LOG_FORMAT", "xml", "log_format"),
        ("JIASHU_LOG", "relay=loud", "log"),
        ("JIASHU_PUBLIC_URL", "relay.example", "public_url"),
        ("JIASHU_TLS_CERT", "cert.pem", "tls_cert"),
    ];

    for (variable, value, key) in cases {
        let (success, printed) = run(&data, &[], &[(variable, value)]).await;

        assert!(!success, "{variable}={value} was taken");
        assert!(printed.starts_with("jiashu-server: "), "{printed}");
        assert!(printed.contains(key), "{key} is not named in: {printed}");
        assert!(!data.exists(), "{variable}={value}: nothing is made before all is checked");
    }
}

#[tokio::test]
async fn a_second_relay_on_the_same_folder_is_refused() {
    let relay = TestRelay::start().await;

    let (success, printed) = run(&relay.data_dir(), &["--listen", "127.0.0.1:0"], &[]).await;

    assert!(!success);
    assert!(printed.starts_with("jiashu-server: cannot open the store"), "{printed}");
    assert_eq!(relay.raw().get("/healthz").await.status, 200, "the first goes on");
}

#[tokio::test]
async fn a_second_relay_on_the_same_port_is_refused() {
    let (relay, folder) = (TestRelay::start().await, tempfile::tempdir().unwrap());
    let listen = relay.address().to_string();

    let (success, printed) = run(&folder.path().join("data"), &["--listen", &listen], &[]).await;

    assert!(!success);
    assert!(printed.contains("cannot listen on"), "{printed}");
}

#[tokio::test]
async fn a_folder_of_a_newer_version_is_refused_and_left_as_it_is() {
    let mut relay = TestRelay::start().await;
    Programme::of(&relay).await;
    relay.term().await;
    let file = store_file(&relay.data_dir());
    let store = rusqlite::Connection::open(&file).unwrap();
    store.pragma_update(None, "user_version", 1000).unwrap();
    drop(store);
    let before = std::fs::read(&file).unwrap();

    let (success, printed) = run(&relay.data_dir(), &["--listen", "127.0.0.1:0"], &[]).await;

    assert!(!success);
    assert!(printed.starts_with("jiashu-server: cannot open the store"), "{printed}");
    assert!(printed.contains("newer"), "{printed}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

/// When something is due in the store of a relay that has stopped, less the looks at what is old and at how a
/// family stands, which every family has.
pub(crate) fn due_times(data: &Path) -> Vec<i64> {
    let store = rusqlite::Connection::open(store_file(data)).unwrap();
    let others = "SELECT at FROM due WHERE item NOT IN (x'8105', x'8108') ORDER BY at";
    let mut due = store.prepare(others).unwrap();
    due.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn a_store_is_checked_row_by_row_and_what_is_damaged_is_named() {
    let mut scene = crate::scene::Scene::li().await;
    scene.phones[0].post("吃饭了吗").await;
    scene.relay.term().await;
    let (data, family) = (scene.relay.data_dir(), scene.family.scope());

    let whole = run(&data, &["check"], &[]).await;
    let store = rusqlite::Connection::open(store_file(&data)).unwrap();
    let sql = "UPDATE entry SET at = at + 1 WHERE scope = ?1 AND seq = 1";
    store.execute(sql, [family.0.cast_signed()]).unwrap();
    drop(store);
    let damaged = run(&data, &["check"], &[]).await;
    let nowhere = run(&data.join("nowhere"), &["check"], &[]).await;

    assert!(whole.0 && whole.1.contains("is whole"), "{whole:?}");
    let place = format!("entry 1 of scope {family} is damaged");
    assert!(!damaged.0 && damaged.1.contains(&place), "{damaged:?}");
    assert!(!nowhere.0 && nowhere.1.contains("there is no store"), "{nowhere:?}");
    assert!(!data.join("nowhere").exists(), "looking makes nothing");
}

/// The one database in a data folder.
pub(crate) fn store_file(data: &Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(data).unwrap().map(|file| file.unwrap().path());
    let is_store = |path: &std::path::PathBuf| {
        std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3\0"))
    };
    files.into_iter().find(is_store).expect("a data folder holds a database")
}

#[tokio::test]
async fn the_status_is_a_page_for_people_and_json_for_programs() {
    let relay = TestRelay::start().await;
    let page = relay.raw().get_accepting("/status", "text/html,*/*").await;
    let json = relay.raw().get("/status").await;
    let told: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    let page = String::from_utf8(page.body).unwrap();

    assert_eq!(told["health"], "ok");
    assert_eq!(told["store"]["kind"], "embedded");
    assert_eq!(told["store"]["durability"][1]["is"], "full");
    let could_lose = told["store"]["could_lose"].as_str().unwrap();
    assert!(could_lose.starts_with("nothing that was acknowledged"), "{could_lose}");
    let shown = could_lose.replace('\'', "&#39;");
    assert!(page.starts_with("<!doctype html>") && page.contains(&shown), "{page}");
}
