//! P1 with Redis: what was acknowledged survives `kill -9` of the relay, of Redis, of both, and of either of two
//! relays.

use jiashu_tests::dice::Dice;
use jiashu_tests::redis::TestRedis;
use jiashu_tests::{Programme, TestRelay, until};

use crate::crowd::Crowd;
use crate::rounds::Rounds;

pub(crate) async fn what_was_acknowledged_survives_kills_of_relay_and_redis() {
    let mut redis = TestRedis::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut relay = TestRelay::on(folder.path(), &redis.settings()).await;
    let programme = Programme::of(&relay).await;
    let mut crowd = Crowd::join(&programme, "REDIS-9").await;
    let (mut rounds, mut dice) = (Rounds::of(20, 300), Dice::new(3));
    let mut killed = [0_u32; 3];

    while rounds.more() {
        let writing = crowd.start_writing();
        // The moment is the fault, so it is drawn: there is nothing to wait for.
        tokio::time::sleep(std::time::Duration::from_micros(20_000 + dice.below(150_000))).await;
        let which = dice.below(3);
        if which != 1 {
            relay.kill9();
        }
        if which != 0 {
            redis.kill9();
        }
        crowd.end_of(writing).await;
        rounds.count(crowd.has_unsent());
        killed[usize::try_from(which).unwrap()] += 1;
        if which != 0 {
            redis.restart().await;
        }
        if which != 1 {
            relay.restart().await;
        }
        until("the relay has Redis again", async || crowd.read().await.ok()).await;
        crowd.send_until_taken().await;
    }

    crowd.read().await.unwrap();
    let verdict = crowd.verdict();
    assert!(verdict.complaints.is_empty(), "{verdict:?}");
    assert_eq!(verdict.acked, verdict.sent, "what waited was sent in the end");
    let [relays, servers, both] = killed;
    eprintln!(
        "P1, Redis: {}, {} letters, 0 acknowledged lost; killed {relays} times the relay, {servers} Redis, \
         {both} both",
        rounds.told(),
        verdict.sent
    );
}

pub(crate) async fn what_two_relays_acknowledged_survives_kills_of_either() {
    let redis = TestRedis::start().await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = TestRelay::on(folders[0].path(), &redis.settings()).await;
    let programme = Programme::of(&first).await;
    let second = TestRelay::on(folders[1].path(), &redis.settings()).await;
    let mut relays = [first, second];
    let mut crowd = Crowd::join(&programme, "EITHER-9").await;
    crowd.spread(&relays);
    let (mut rounds, mut dice) = (Rounds::of(10, 150), Dice::new(5));

    while rounds.more() {
        let writing = crowd.start_writing();
        let which = usize::try_from(dice.below(2)).unwrap();
        // The moments are the fault, so they are drawn: there is nothing to wait for.
        tokio::time::sleep(std::time::Duration::from_micros(20_000 + dice.below(150_000))).await;
        relays[which].kill9();
        // Those at the other go on meanwhile.
        tokio::time::sleep(std::time::Duration::from_micros(20_000 + dice.below(100_000))).await;
        relays[1 - which].kill9();
        crowd.end_of(writing).await;
        rounds.count(crowd.has_unsent());
        for relay in &mut relays {
            relay.restart().await;
        }
        crowd.read().await.unwrap();
        crowd.send_until_taken().await;
    }

    crowd.read().await.unwrap();
    let verdict = crowd.verdict();
    assert!(verdict.complaints.is_empty(), "{verdict:?}");
    assert_eq!(verdict.acked, verdict.sent, "what waited was sent in the end");
    eprintln!("P1, two relays: {}, {} letters, 0 acknowledged lost", rounds.told(), verdict.sent);
}
