//! P8: a master dies, a replica takes its place, and what enough replicas had is there.
//!
//! In every other round replication is cut first: the replica that is elected knows nothing of what came then, and
//! with `replicas = 1` none of that was acknowledged.

use std::time::{Duration, Instant};

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, RelayFrame};
use jiashu_tests::cluster::TestCluster;
use jiashu_tests::dice::Dice;
use jiashu_tests::sentinel::TestSentinel;
use jiashu_tests::{FamilySpec, Programme, TestRelay, until};

use crate::crowd::Crowd;
use crate::rounds::Rounds;

/// Servers of which one is put in the place of another.
enum Servers {
    Sentinel(TestSentinel),
    Cluster(TestCluster),
}

impl Servers {
    fn settings(&self) -> Vec<(String, String)> {
        match self {
            Self::Sentinel(servers) => servers.settings(),
            Self::Cluster(servers) => servers.settings(),
        }
    }

    /// No replica follows the master of this family any more.
    async fn cut_replication(&mut self, family: u64) {
        match self {
            // One of two was waited for; whichever is elected has what came until now.
            Self::Sentinel(servers) => {
                servers.until_replicas_have_all().await;
                servers.kill_replicas();
            }
            Self::Cluster(servers) => servers.kill_replica(servers.master_of(family)),
        }
    }

    /// The master of this family dies; what was cut is mended then, and a replica takes its place.
    async fn fail_over(&mut self, family: u64) {
        match self {
            Self::Sentinel(servers) => servers.kill_master().await,
            Self::Cluster(servers) => {
                let master = servers.master_of(family);
                servers.kill_master(master).await;
                servers.restart(master);
            }
        }
    }
}

pub(crate) async fn what_was_acknowledged_survives_failovers_of_sentinel() {
    let start = async || Servers::Sentinel(TestSentinel::start().await);
    survives("Sentinel", start, Rounds::of(3, 50)).await;
}

pub(crate) async fn what_was_acknowledged_survives_failovers_of_a_cluster() {
    let start = async || Servers::Cluster(TestCluster::start(1).await);
    survives("Cluster", start, Rounds::of(3, 50)).await;
}

async fn survives(kind: &str, start: impl AsyncFn() -> Servers, mut rounds: Rounds) {
    let (mut dice, mut letters, mut cut, mut waited) = (Dice::new(8), 0, 0, 0);
    while rounds.more() {
        let mut servers = start().await;
        let folder = tempfile::tempdir().unwrap();
        let relay = TestRelay::on(folder.path(), &servers.settings()).await;
        let mut crowd = Crowd::join(&Programme::of(&relay).await, "MASTER-9").await;
        let family = crowd.first().token.scope.0;
        crowd.write_each(8, 4).await;

        let cuts_first = rounds.counted() % 2 == 1;
        if cuts_first {
            servers.cut_replication(family).await;
        }
        let writing = crowd.start_writing();
        // The moment is the fault, so it is drawn: there is nothing to wait for.
        tokio::time::sleep(Duration::from_millis(100 + dice.below(400))).await;
        servers.fail_over(family).await;
        crowd.stop(writing).await;
        rounds.count(crowd.has_unsent());
        cut += usize::from(cuts_first);
        waited += usize::from(crowd.has_unsent());
        until("the relay has the new master", async || crowd.read().await.ok()).await;
        // A replica follows the new master a moment later; until then nothing is acknowledged.
        crowd.send_until_taken().await;

        crowd.read().await.unwrap();
        let verdict = crowd.verdict();
        assert!(verdict.complaints.is_empty(), "{verdict:?}");
        assert_eq!(verdict.acked, verdict.sent, "what waited was sent in the end");
        letters += verdict.sent;
    }
    eprintln!(
        "P8, {kind}: {}, {letters} letters, 0 acknowledged lost; in {cut} replication was cut first, in {waited} \
         letters waited",
        rounds.told()
    );
}

/// Without waiting for replicas the same failover loses letters.
pub(crate) async fn the_harness_sees_loss_where_no_replica_is_waited_for() {
    let mut rounds = Rounds::of(1, 5);
    while rounds.more() {
        let mut servers = Servers::Sentinel(TestSentinel::start().await);
        let folder = tempfile::tempdir().unwrap();
        let waits_for_none = [("JIASHU_REPLICAS".to_owned(), "0".to_owned())];
        let settings = [servers.settings(), waits_for_none.to_vec()].concat();
        let relay = TestRelay::on(folder.path(), &settings).await;
        let mut crowd = Crowd::join(&Programme::of(&relay).await, "MASTER-0").await;
        crowd.write_each(8, 4).await;
        let family = crowd.first().token.scope.0;

        servers.cut_replication(family).await;
        crowd.write_each(8, 4).await;
        servers.fail_over(family).await;
        until("the relay has the new master", async || crowd.read().await.ok()).await;

        let verdict = crowd.verdict();
        rounds.count(verdict.lost() > 0);
        let (lost, acked) = (verdict.lost(), verdict.acked);
        eprintln!("P8, negative control: {lost} of {acked} acknowledged lost, as it must be");
    }
}

/// Phones stay connected to the relay while a master dies behind it; how long after the election letters flow
/// again is told.
pub(crate) async fn connected_phones_go_on_after_a_failover() {
    let mut rounds = Rounds::of(1, 20);
    let mut longest = Duration::ZERO;
    while rounds.more() {
        let mut servers = TestSentinel::start().await;
        let folder = tempfile::tempdir().unwrap();
        let relay = TestRelay::on(folder.path(), &servers.settings()).await;
        let family = Programme::of(&relay).await.enrol("STAYS-9", &FamilySpec::li()).await;
        let [mother, mut home] = family.join_all::<2>().await;
        let (mut writes, mut reads) = (relay.open().await, relay.open().await);
        writes.send(mother.hello()).await;
        reads.send(home.hello()).await;
        let letter = mother.letter("are you there?", &[]);

        servers.kill_master().await;
        let elected = Instant::now();
        until("a letter is taken", async || {
            writes.send(ClientFrame::Post(letter.clone())).await;
            let answered = writes.wait_for(|_, frame| match frame {
                RelayFrame::Posted(_) => Some(None),
                RelayFrame::Refused(refused) => Some(Some(refused.code)),
                _ => None,
            });
            let refused = answered.await;
            assert!(refused.is_none_or(|code| code == ErrorCode::Unavailable), "{refused:?}");
            refused.is_none().then_some(())
        })
        .await;
        let page = reads.wait_for(|_, frame| match frame {
            RelayFrame::Entries(entries) => Some(entries.clone()),
            _ => None,
        });
        assert!(home.log.take(&page.await), "it joins on");
        longest = longest.max(elected.elapsed());

        assert_eq!(home.log.texts(), ["are you there?"]);
        rounds.count(true);
    }
    eprintln!("P8: letters flow again {longest:?} after the election at most; {}", rounds.told());
}
