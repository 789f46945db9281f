//! What stands in `deploy/`: the service is shut off, and relay and Redis run as the compose files say.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiashu_proto::frame::{ClientFrame, Look};
use jiashu_proto::id::Scope;
use jiashu_tests::binary::binary;
use jiashu_tests::{TestRelay, until};

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

fn systemd_analyze(args: &[&str], unit: &Path) -> (bool, String) {
    let output = Command::new("systemd-analyze").args(args).arg(unit).output();
    let output = output.expect("tests/run installs systemd");
    let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), told)
}

#[test]
fn the_service_is_well_formed_and_shut_off() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("jiashu.service");
    let text = std::fs::read_to_string(deploy("jiashu.service")).unwrap();
    // The relay is not installed here.
    let relay = binary("jiashu-server").display().to_string();
    std::fs::write(&unit, text.replace("/usr/local/bin/jiashu-server", &relay)).unwrap();

    let (is_right, told) = systemd_analyze(&["verify", "--man=no"], &unit);
    // Of 10.0, in tenths: the lower the less is open.
    let (is_shut, exposure) =
        systemd_analyze(&["security", "--offline=true", "--threshold=15", "--no-pager"], &unit);

    assert!(is_right, "{told}");
    assert!(is_shut, "{exposure}");
}

/// The words of a service's `command`, as the compose file has them.
fn command_of(file: &str, server: &str) -> Vec<String> {
    let text = std::fs::read_to_string(deploy(file)).unwrap();
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("command: "));
    let commands = lines.map(|line| serde_json::from_str::<Vec<String>>(line).unwrap());
    let mut of_server = commands.into_iter().filter(|command| command[0] == server);
    of_server.next().expect("it has its command")
}

#[tokio::test]
async fn a_relay_takes_the_redis_of_the_compose_file_and_no_other_password() {
    const PASSWORD: &str = "correct-horse";
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let command = command_of("compose.redis.yaml", "valkey-server");
    let flags = command[1..].iter().map(|flag| flag.replace("${REDIS_PASSWORD}", PASSWORD));
    let mut redis = Command::new("redis-server")
        .args(flags)
        .args(["--port", "0", "--unixsocket"])
        .arg(&socket)
        .arg("--dir")
        .arg(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("tests/run installs redis-server");
    until("redis-server listens", async || std::os::unix::net::UnixStream::connect(&socket).ok())
        .await;
    let store = |password: &str| {
        let url = format!("redis+unix://{}?pass={password}", socket.display());
        vec![("JIASHU_STORE".to_owned(), url)]
    };

    let data = tempfile::tempdir().unwrap();
    let relay = TestRelay::on(data.path(), &store(PASSWORD)).await;
    let health = relay.raw().get("/healthz").await.status;
    let log = relay.log();
    drop(relay);
    let mut wrong = jiashu_tests::relay::command(data.path());
    wrong.args(["--listen", "127.0.0.1:0"]).envs(store("wrong-horse"));
    let refused = tokio::task::spawn_blocking(move || wrong.output().unwrap()).await.unwrap();
    redis.kill().unwrap();
    redis.wait().unwrap();

    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(health, 200);
    assert!(!refused.status.success());
    for said in [&log, &told] {
        assert!(!said.contains("horse"), "no password is told: {said}");
    }
}

#[tokio::test]
async fn the_rules_and_the_dashboard_name_figures_that_there_are() {
    let relay = TestRelay::limited(&[("JIASHU_KNOCKS_PER_MINUTE", "1")]).await;
    // What is counted by its kind is told once there is some of it.
    for _ in 0..3 {
        let look = ClientFrame::Look(Look { scope: Scope(7), code: [7; 16] });
        let _refused = relay.raw().one(look).await;
    }
    let told = String::from_utf8(relay.raw().get("/metrics").await.body).unwrap();

    let (mut named, mut dashboard) = (0, String::new());
    for file in ["prometheus/jiashu.rules.yml", "grafana/jiashu.json"] {
        dashboard = std::fs::read_to_string(deploy(file)).unwrap();
        let words = dashboard.split(|c: char| !c.is_ascii_lowercase() && c != '_');
        for figure in words.filter(|word| word.starts_with("jiashu_")) {
            let name = figure.trim_end_matches("_total").trim_end_matches("_bucket");
            assert!(told.contains(&format!("# TYPE {name} ")), "{file}: {figure}");
            named += 1;
        }
    }
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();

    assert!(told.contains("\njiashu_store_writes 1\n"), "{told}");
    assert!(named > 15, "{named}");
    assert!(dashboard["panels"].as_array().unwrap().len() > 10);
}

#[test]
fn the_compose_files_name_settings_that_there_are() {
    let output = Command::new(binary("jiashu-server")).arg("config").output().unwrap();
    let template = String::from_utf8(output.stdout).unwrap();
    for file in ["compose.yaml", "compose.redis.yaml", "Dockerfile", "jiashu.service"] {
        let text = std::fs::read_to_string(deploy(file)).unwrap();
        let words = text.split(|c: char| !c.is_ascii_uppercase() && c != '_');
        let ours = words.filter_map(|word| word.strip_prefix("JIASHU_")).map(str::to_lowercase);
        for key in ours.filter(|key| !["name", "domain", "relays", ""].contains(&key.as_str())) {
            assert!(template.contains(&format!("{key} =")), "{file}: {key}");
        }
    }
}
