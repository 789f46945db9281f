//! Several relays at one Redis: what one takes the other hands out, and what is due comes once.

use jiashu_proto::entry::RuleText;
use jiashu_proto::frame::{ClientFrame, RelayFrame};
use jiashu_proto::id::Millis;
use jiashu_roster::{Asked, Op};
use jiashu_tests::cluster::TestCluster;
use jiashu_tests::redis::TestRedis;
use jiashu_tests::{FamilySpec, Programme, RawDevice, TestRelay, until};
use tempfile::TempDir;

use crate::scene::{TwoRelays, entries, online};

/// Two relays of one programme, and a family: the mother's phone at the first, the one at home at the second.
struct Two {
    first: TestRelay,
    second: TestRelay,
    mother: RawDevice,
    home: RawDevice,
    redis: TestRedis,
    _folders: [TempDir; 2],
}

impl Two {
    async fn start() -> Self {
        let TwoRelays { first, second, redis, folders } = TwoRelays::start(&[]).await;
        let programme = Programme::of(&first).await;
        let family = programme.enrol("TWO-001", &FamilySpec::li()).await;
        let [mother, mut home] = family.join_all::<2>().await;
        home.raw = second.raw();
        Self { first, second, mother, home, redis, _folders: folders }
    }
}

#[tokio::test]
async fn a_letter_taken_by_one_relay_reaches_a_phone_at_the_other_at_once() {
    let mut two = Two::start().await;
    let mut homes = online(&two.second, &two.home).await;

    // The look at a heartbeat comes every 4 minutes: it is the wake that brings these.
    for text in ["one", "two", "three"] {
        two.mother.post(text).await;
        let page = homes.wait_for(|_, frame| entries(frame)).await;
        assert!(two.home.log.take(&page), "it joins on");
    }

    assert_eq!(two.home.log.texts(), ["one", "two", "three"]);
}

#[tokio::test]
async fn over_a_cluster_a_letter_reaches_a_phone_at_the_other_relay_at_once() {
    let cluster = TestCluster::start(1).await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = TestRelay::on(folders[0].path(), &cluster.settings()).await;
    let second = TestRelay::on(folders[1].path(), &cluster.settings()).await;
    let programme = Programme::of(&first).await;
    // Families of several buckets, so of several servers.
    for case in ["SHARD-1", "SHARD-2", "SHARD-3"] {
        let [mut mother, mut home] =
            programme.enrol(case, &FamilySpec::li()).await.join_all::<2>().await;
        home.raw = second.raw();
        let mut homes = online(&second, &home).await;
        for text in ["one", "two"] {
            mother.post(text).await;
            let page = homes.wait_for(|_, frame| entries(frame)).await;
            assert!(home.log.take(&page), "it joins on");
        }
        assert_eq!(home.log.texts(), ["one", "two"]);
    }
}

#[tokio::test]
async fn a_phone_that_is_removed_at_one_relay_is_out_at_the_other() {
    let mut two = Two::start().await;
    let mut homes = online(&two.second, &two.home).await;

    two.mother
        .write(vec![Op::RemoveDevice { device: two.home.number(), asked: Asked::ByFamily }])
        .await;
    let (code, _) = homes.closed().await;

    assert_eq!(code, jiashu_proto::error::close::UNAUTHORISED);
    assert!(two.home.welcome().await.is_err(), "and stays out");
}

#[tokio::test]
async fn what_is_due_at_two_relays_comes_once_also_where_one_is_killed() {
    const SCHEDULES: usize = 24;
    let mut two = Two::start().await;
    let due_at: Millis = (two.first.raw().now().await / 1_000 + 4) * 1_000;
    let start = jiff::Timestamp::from_millisecond(due_at).unwrap().to_string();
    let rule = RuleText::new(start.trim_end_matches('Z'), "UTC", Some("FREQ=DAILY"));
    for number in 0..SCHEDULES {
        two.mother.schedule(&format!("letter {number}"), &[3], rule.clone()).await;
    }

    until("its hour has come", async || (two.second.raw().now().await >= due_at).then_some(()))
        .await;
    two.first.kill9();
    let texts = until("all have come", async || {
        two.home.sync().await;
        let texts = two.home.log.texts();
        (texts.len() >= SCHEDULES).then_some(texts)
    })
    .await;
    two.first.restart().await;
    two.home.sync().await;

    let mut once = texts.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), SCHEDULES);
    assert_eq!(two.home.log.texts().len(), SCHEDULES, "none came twice");
}

#[tokio::test]
async fn while_redis_is_away_nothing_is_acknowledged_and_then_all_goes_on() {
    let mut two = Two::start().await;
    two.mother.post("before").await;

    two.redis.kill9();
    let letter = ClientFrame::Post(two.mother.letter("meanwhile", &[]));
    let try_it = async || {
        let answers = two.mother.raw.ask(vec![two.mother.hello(), letter.clone()]).await;
        answers.into_iter().find_map(|answer| match answer {
            RelayFrame::Posted(posted) => Some(posted),
            _ => None,
        })
    };
    let while_away = try_it().await;
    let health = two.first.raw().get("/healthz").await;
    two.redis.restart().await;
    let posted = until("the relay is back", try_it).await;
    until("it is at the other relay, too", async || {
        let texts = read(&mut two.home).await?;
        (texts == ["before", "meanwhile"]).then_some(())
    })
    .await;

    // A failure of the last second still counts.
    until("it says that it is well", async || {
        (two.first.raw().get("/healthz").await.status == 200).then_some(())
    })
    .await;

    assert_eq!(health.status, 503);
    assert!(String::from_utf8(health.body).unwrap().contains("degraded: redis: "));
    assert_eq!(while_away, None, "nothing is acknowledged that cannot be kept");
    assert!(posted.seq > 0);
}

/// The letters that a phone has, once it is let read.
async fn read(phone: &mut RawDevice) -> Option<Vec<String>> {
    phone.welcome().await.ok()?;
    phone.sync().await;
    Some(phone.log.texts())
}

#[tokio::test]
async fn over_tls_only_the_redis_that_is_trusted_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(file("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let port = jiashu_tests::port::free_port();
    let mut redis = std::process::Command::new("redis-server")
        .args(["--port", "0", "--tls-port", &port.to_string(), "--tls-auth-clients", "no"])
        .arg("--tls-cert-file")
        .arg(file("cert.pem"))
        .arg("--tls-key-file")
        .arg(file("key.pem"))
        .args(["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir"])
        .arg(folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("tests/run installs redis-server");
    until("redis-server listens", async || std::net::TcpStream::connect(("127.0.0.1", port)).ok())
        .await;
    let store = ("JIASHU_STORE".to_owned(), format!("rediss://localhost:{port}"));
    let ca = ("JIASHU_STORE_CA".to_owned(), file("cert.pem").display().to_string());

    let data = tempfile::tempdir().unwrap();
    let relay = TestRelay::on(data.path(), &[store.clone(), ca]).await;
    let programme = Programme::of(&relay).await;
    let family = programme.enrol("TLS-001", &FamilySpec::li()).await;
    let [mut mother, _] = family.join_all::<2>().await;
    let posted = mother.post("over TLS").await;
    let mut untrusting = jiashu_tests::relay::command(data.path());
    untrusting.args(["--listen", "127.0.0.1:0"]).envs([store]);
    let refused = tokio::task::spawn_blocking(move || untrusting.output().unwrap()).await.unwrap();
    drop(relay);
    redis.kill().unwrap();
    redis.wait().unwrap();

    assert!(posted.seq > 0);
    assert!(!refused.status.success(), "nobody vouches for it");
}

#[tokio::test]
async fn the_status_says_what_the_operator_really_has() {
    let two = Two::start().await;
    let of = async |relay: &TestRelay| -> serde_json::Value {
        serde_json::from_slice(&relay.raw().get("/status").await.body).unwrap()
    };
    // Each hears of the other within a beat or two, and has its share from then on.
    let [first, second] = until("both know of both", async || {
        let both = [of(&two.first).await, of(&two.second).await];
        both.iter().all(|one| one["store"]["share"]["relays"] == 2).then_some(both)
    })
    .await;
    let buckets =
        |told: &serde_json::Value| told["store"]["share"]["own_buckets"].as_u64().unwrap();
    let accepts = [("JIASHU_ACCEPT_LOSS".to_owned(), "true".to_owned())];
    let weak = TestRedis::syncing("everysec").await;
    let data = tempfile::tempdir().unwrap();
    let accepting = TestRelay::on(data.path(), &[weak.settings(), accepts.to_vec()].concat()).await;
    let accepted = of(&accepting).await;

    assert_eq!(buckets(&first) + buckets(&second), 256, "each bucket is one relay's");
    assert_eq!(first["store"]["kind"], "Redis");
    let could_lose = |told: &serde_json::Value| told["store"]["could_lose"].to_string();
    assert!(could_lose(&first).contains("nothing that was acknowledged"), "{first}");
    assert!(could_lose(&accepted).contains("appendfsync is everysec, not always"), "{accepted}");
}

#[tokio::test]
async fn a_redis_that_would_lose_letters_is_refused_at_the_start() {
    let redis = TestRedis::syncing("everysec").await;
    let folder = tempfile::tempdir().unwrap();
    let mut command = jiashu_tests::relay::command(folder.path());
    command.args(["--listen", "127.0.0.1:0"]).envs(redis.settings());

    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();

    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(told.contains("appendfsync is everysec, not always"), "{told}");
    assert!(told.contains("--accept-loss"), "{told}");
}
