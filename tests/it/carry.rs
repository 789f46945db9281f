//! All of a store in a file, out of one, and into the other kind of store: families go on as if nothing had been.

use std::path::Path;

use jiashu_tests::ground::Ground;
use jiashu_tests::redis::TestRedis;
use jiashu_tests::{FamilySpec, Programme, RawDevice, TestRelay};

use crate::operator::run;

/// A family that has written, at a relay that runs.
async fn a_family(relay: &TestRelay) -> [RawDevice; 2] {
    let programme = Programme::of(relay).await;
    let [mut mother, mut home] =
        programme.enrol("CARRY-1", &FamilySpec::li()).await.join_all::<2>().await;
    mother.post("before").await;
    home.sync().await;
    [mother, home]
}

/// They write and read on there, from where they were.
async fn goes_on(relay: &TestRelay, [mother, home]: &[RawDevice; 2]) {
    let (mut mother, mut home) = (mother.clone(), home.clone());
    (mother.raw, home.raw) = (relay.raw(), relay.raw());
    mother.post("after").await;
    home.sync().await;
    assert_eq!(home.log.texts(), ["before", "after"]);
    assert_eq!(home.welcome().await.unwrap().restart, None, "its cursor holds");
}

#[tokio::test]
async fn an_operator_sees_what_voice_notes_come_to() {
    for ground in [Ground::own(), Ground::shared().await] {
        let folder = tempfile::tempdir().unwrap();
        let relay = ground.relay(&folder, &[]).await;
        let programme = Programme::of(&relay).await;
        let [mother, home] =
            programme.enrol("BLOBS-1", &FamilySpec::li()).await.join_all::<2>().await;
        programme.enrol("BLOBS-2", &FamilySpec::li()).await;
        mother.store(&[1; 1_000]).await;
        home.store(&[2; 500]).await;

        let settings: Vec<_> =
            ground.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let (done, printed) = run(&relay.data_dir(), &["blobs", "--json"], &settings).await;
        let (_, human) = run(&relay.data_dir(), &["blobs"], &settings).await;

        assert!(done, "{printed}");
        let told = told(&printed);
        let expected = [("families", 1), ("notes", 2), ("bytes", 1_500), ("unsettled_bytes", 0)];
        for (name, value) in expected {
            assert_eq!(told[name], value, "{name}: {told}");
        }
        assert!(told["programme"].is_string() && told["oldest_at"].is_string(), "{told}");
        assert!(human.contains("2 voice notes of 1 families"), "{human}");
    }
}

/// What was carried, as it is told to a program.
fn told(printed: &str) -> serde_json::Value {
    let json = printed.lines().find(|line| line.starts_with('{'));
    serde_json::from_str(json.unwrap_or_else(|| panic!("{printed}"))).unwrap()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[tokio::test]
async fn a_backup_of_a_running_relay_is_restored_into_either_store() {
    let (relay, folder) = (TestRelay::start().await, tempfile::tempdir().unwrap());
    let family = a_family(&relay).await;
    let file = text(&folder.path().join("backup"));

    let (done, printed) = run(&relay.data_dir(), &["backup", &file, "--json"], &[]).await;
    assert!(done, "{printed}");
    let again = run(&relay.data_dir(), &["backup", &file], &[]).await;
    assert!(!again.0 && again.1.contains("is there already"), "{}", again.1);

    let data = folder.path().join("data");
    let restored = run(&data, &["restore", &file, "--json"], &[]).await;
    assert!(restored.0, "{}", restored.1);
    assert_eq!(told(&restored.1), told(&printed));
    let over = run(&data, &["restore", &file], &[]).await;
    assert!(!over.0 && over.1.contains("there is a store in"), "{}", over.1);
    let embedded = TestRelay::on(&data, &[]).await;
    goes_on(&embedded, &family).await;

    let redis = TestRedis::start().await;
    let settings = redis.settings();
    let settings: Vec<_> = settings.iter().map(|(key, value)| (&**key, &**value)).collect();
    let data = folder.path().join("other");
    let restored = run(&data, &["restore", &file, "--json"], &settings).await;
    assert!(restored.0, "{}", restored.1);
    assert_eq!(told(&restored.1), told(&printed));
    let over = run(&data, &["restore", &file], &settings).await;
    assert!(!over.0 && over.1.contains("in this Redis already"), "{}", over.1);
    let at_redis = TestRelay::on(&data, &redis.settings()).await;
    goes_on(&at_redis, &family).await;
    let while_it_runs = run(&data, &["restore", &file], &settings).await;
    assert!(!while_it_runs.0 && while_it_runs.1.contains("stop them"), "{}", while_it_runs.1);

    // And out of Redis into a folder.
    let file = text(&folder.path().join("of-redis"));
    let backed_up = run(&data, &["backup", &file], &settings).await;
    assert!(backed_up.0, "{}", backed_up.1);
    let data = folder.path().join("third");
    let restored = run(&data, &["restore", &file], &[]).await;
    assert!(restored.0, "{}", restored.1);
    let third = TestRelay::on(&data, &[]).await;
    let mut home = family[1].clone();
    home.raw = third.raw();
    home.sync().await;
    assert_eq!(home.log.texts(), ["before", "after"]);
    let checked = run(&data, &["check"], &settings).await;
    assert!(checked.0 && checked.1.contains("the store is whole"), "{}", checked.1);
}

#[tokio::test]
async fn an_embedded_store_is_moved_to_redis_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut relay = TestRelay::on(&data, &[]).await;
    let family = a_family(&relay).await;
    let redis = TestRedis::start().await;
    let (from, to) = (text(&data), redis.url());
    let arguments = ["move", "--from", &from, "--to", &to, "--json"];
    let elsewhere = folder.path().join("elsewhere");

    let while_it_runs = run(&elsewhere, &arguments, &[]).await;
    relay.term().await;
    let moved = run(&elsewhere, &arguments, &[]).await;
    let refused = relay.try_restart().await.unwrap_err();
    let at_redis = TestRelay::on(&elsewhere, &redis.settings()).await;

    assert!(!while_it_runs.0 && while_it_runs.1.contains("in use"), "{}", while_it_runs.1);
    assert!(moved.0, "{}", moved.1);
    assert_eq!(told(&moved.1)["scopes"], 3, "the relay, the programme, the family");
    assert!(refused.contains("was moved to a Redis"), "{refused}");
    goes_on(&at_redis, &family).await;
}

#[tokio::test]
async fn a_redis_that_is_half_filled_serves_nobody_and_is_filled_to_the_end() {
    let (relay, folder) = (TestRelay::start().await, tempfile::tempdir().unwrap());
    let family = a_family(&relay).await;
    let file = text(&folder.path().join("backup"));
    let (done, printed) = run(&relay.data_dir(), &["backup", &file], &[]).await;
    assert!(done, "{printed}");
    let redis = TestRedis::start().await;
    let settings = redis.settings();
    let settings: Vec<_> = settings.iter().map(|(key, value)| (&**key, &**value)).collect();
    let data = folder.path().join("data");
    let restored = run(&data, &["restore", &file, "--json"], &settings).await;
    let sha256 = told(&restored.1)["sha256"].as_str().unwrap().to_owned();

    // As it stands where a restore was stopped: some of it is there, and the mark.
    redis.mark_filling(&sha256);
    let serve = ["--listen", "127.0.0.1:0"];
    let refused = run(&data, &serve, &settings).await;
    let again = run(&data, &["restore", &file], &settings).await;
    let at_redis = TestRelay::on(&data, &redis.settings()).await;

    assert!(!refused.0 && refused.1.contains("is being filled"), "{}", refused.1);
    assert!(again.0, "{}", again.1);
    goes_on(&at_redis, &family).await;
}
