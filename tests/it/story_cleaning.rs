//! What was deleted cannot be cleaned from the store's files: an operator sees it until it can.

use jiashu_tests::ground::Ground;
use jiashu_tests::redis::TestRedis;
use jiashu_tests::{TestRelay, until};
use serde_json::Value;

use crate::story::ask;
use crate::two_families::{Families, found};

/// The status and the figure, as an operator is told.
async fn told(relay: &TestRelay) -> (Value, bool) {
    let raw = relay.raw();
    let status: Value = serde_json::from_slice(&raw.get("/status").await.body).unwrap();
    let figures = String::from_utf8(raw.get("/metrics").await.body).unwrap();
    (status["unclean"].clone(), figures.contains("\njiashu_store_unclean 1\n"))
}

#[tokio::test]
async fn who_may_not_clean_a_redis_says_so_until_it_may() {
    let redis = TestRedis::start().await;
    let rights = ["ACL", "SETUSER", "relay", "on", ">secret", "~*", "&*", "+@all", "-bgrewriteaof"];
    assert_eq!(redis.ask(&rights).trim(), "OK");
    let url = format!("{}?user=relay&pass=secret", redis.url());
    let settings = vec![("JIASHU_STORE".to_owned(), url)];
    let ground = Ground { settings, redis: Some(redis), bucket: None };
    let mut families = Families::on(&ground, &[("JIASHU_CLEAN_MINUTES", "0")]).await;
    let canaries = families.write(&families.mother, "Lili", "mother@kanarie.example").await;
    assert_eq!(told(&families.office.relay).await, (Value::Null, false));

    let erase = ["ngo", "erase", "GS-001", "--family-asked", "--yes"];
    let _ = ask(&families.office.worker, &erase).await;
    let unclean = until("the operator is told", async || {
        let (unclean, counted) = told(&families.office.relay).await;
        (!unclean.is_null() && counted).then_some(unclean)
    })
    .await;

    assert!(unclean["why"].as_str().unwrap().contains("bgrewriteaof"), "{unclean}");
    let page = families.office.relay.raw().get_accepting("/status", "text/html").await.body;
    assert!(String::from_utf8_lossy(&page).contains("still lie in the store's files"));
    let health = families.office.relay.raw().get("/healthz").await.status;
    assert_eq!(health, 200, "letters go on");
    let folders = ground.folders(&families.office.relay);
    assert!(found(&folders, &canaries) > 0, "and it is true");
    families.office.relay.kill9();
    families.office.relay.restart().await;
    let (after, _) = told(&families.office.relay).await;
    assert_eq!(after["since"], unclean["since"], "it outlasts the relay");

    let redis = ground.redis.as_ref().unwrap();
    assert_eq!(redis.ask(&["ACL", "SETUSER", "relay", "+bgrewriteaof"]).trim(), "OK");
    until("it is clean", async || {
        (told(&families.office.relay).await == (Value::Null, false)).then_some(())
    })
    .await;
    until("nothing of it lies in the files", async || {
        (found(&folders, &canaries) == 0).then_some(())
    })
    .await;
}
