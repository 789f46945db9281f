//! P13: whenever the relay, and its Redis, are killed while families are deleted, each of these goes from every file, and
//! nothing else does.

use std::time::Duration;

use jiashu_proto::entry::RuleText;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Leave, LeaveWhat, Reach};
use jiashu_proto::id::{MemberId, Ref};
use jiashu_seal::random;
use jiashu_tests::dice::Dice;
use jiashu_tests::ground::Ground;
use jiashu_tests::{FamilySpec, Programme, RawDevice, TestFamily, TestRelay, until};

use crate::scene::on_each_ground;
use crate::two_families::found;

/// Rounds that count: those in which something of the family still lay in the files when the relay was killed.
const ROUNDS: usize = 10;

/// Rounds tried at most: on a machine that is at work a moment is often over before the relay is killed.
const MAX_TRIES: usize = 120;

/// A family of which something of every kind lies at the relay.
pub(crate) struct Household {
    pub(crate) family: TestFamily,
    pub(crate) mother: RawDevice,
    /// Grandmother's and the child's.
    pub(crate) home: RawDevice,
    /// By these it is found in the files: a letter, one for later, its schedule, an address, a voice note's name.
    pub(crate) canaries: Vec<Vec<u8>>,
}

impl Household {
    pub(crate) async fn of(programme: &Programme, case_code: &str) -> Self {
        let family = programme.enrol(case_code, &FamilySpec::li()).await;
        let [mut mother, home] = family.join_all::<2>().await;
        mother.sync().await;
        let letter = mother.letter("吃饭了吗", &[]);
        mother.command(ClientFrame::Post(letter.clone())).await.unwrap();
        let rule = RuleText::new("2100-01-01T20:00:00", "Asia/Shanghai", None);
        let schedule = mother.schedule("晚安", &[3], rule).await;
        let email = format!("{case_code}@kanarie.example");
        let (n, from) = (mother.n + 1, MemberId(1));
        let reach = Reach { n, entry_ref: Ref(random()), from, email: Some(email.clone()) };
        mother.command(ClientFrame::Reach(reach)).await.unwrap();
        let bytes: [u8; 32] = random();
        let blob = mother.store(&bytes).await;
        let refs = [letter.entry_ref, schedule, blob].map(|it| it.0.to_vec());
        let canaries = refs.into_iter().chain([email.into_bytes()]).collect();
        Self { family, mother, home, canaries }
    }

    /// Its phones are told, at that relay, that it has left.
    pub(crate) async fn is_told(&self, relay: &TestRelay) {
        let home = RawDevice { raw: relay.raw(), ..self.home.clone() };
        until("its phones are told", async || {
            let told = home.welcome().await;
            told.is_err_and(|refused| refused.code == ErrorCode::Erased).then_some(())
        })
        .await;
    }

    /// Both adults say that it be now.
    pub(crate) async fn leaves(&mut self) {
        for (phone, from) in [(&mut self.mother, 1), (&mut self.home, 2)] {
            let (n, entry_ref, from) = (phone.n + 1, Ref(random()), MemberId(from));
            let leave = ClientFrame::Leave(Leave { n, entry_ref, from, what: LeaveWhat::Now });
            phone.command(leave).await.unwrap();
        }
    }
}

/// Ends what is running as a power cut would, save for what the kernel still holds, and starts it again.
async fn kill(relay: &mut TestRelay, ground: &mut Ground, is_redis_too: bool) {
    relay.kill9();
    if let Some(redis) = ground.redis.as_mut().filter(|_| is_redis_too) {
        redis.kill9();
        redis.restart().await;
    }
    relay.restart().await;
}

async fn whoever_is_killed_whenever_all_of_it_goes(mut ground: Ground) {
    let folder = tempfile::tempdir().unwrap();
    let mut relay = ground.relay(&folder, &[("JIASHU_CLEAN_MINUTES", "0")]).await;
    let folders = ground.folders(&relay);
    let programme = Programme::of(&relay).await;
    let mut neighbour = Household::of(&programme, "MD-002").await;
    let mut dice = Dice::new(13);
    let (mut gone, mut counted) = (Vec::new(), 0);

    while counted < ROUNDS {
        assert!(gone.len() < MAX_TRIES, "in {counted} of {} rounds it was not gone", gone.len());
        let mut family = Household::of(&programme, &format!("GS-{}", gone.len())).await;
        assert_eq!(found(&folders, &family.canaries), family.canaries.len(), "the search finds it");
        family.leaves().await;
        // The moments are the fault, so they are drawn: there is nothing to wait for.
        tokio::time::sleep(Duration::from_micros(dice.below(40_000))).await;
        let is_odd = gone.len() % 2 == 1;
        kill(&mut relay, &mut ground, is_odd).await;
        counted += usize::from(found(&folders, &family.canaries) > 0);
        tokio::time::sleep(Duration::from_micros(dice.below(60_000))).await;
        kill(&mut relay, &mut ground, !is_odd).await;
        gone.push(family);
    }

    for family in &gone {
        family.is_told(&relay).await;
    }
    let canaries: Vec<_> = gone.iter().flat_map(|family| family.canaries.clone()).collect();
    until("nothing of them lies in the files", async || {
        (found(&folders, &canaries) == 0).then_some(())
    })
    .await;
    until("one voice note is left", async || (ground.stored(&relay).await == 1).then_some(()))
        .await;
    assert_eq!(found(&folders, &neighbour.canaries), neighbour.canaries.len());
    neighbour.home.sync().await;
    assert_eq!(neighbour.home.log.texts(), ["吃饭了吗"]);
    for family in &gone {
        let again = programme.try_enrol(&family.family.enrol).await;
        assert!(again.is_err(), "its number is never another's: {again:?}");
    }
    eprintln!("{counted} rounds of {}", gone.len());
}

on_each_ground!(whoever_is_killed_whenever_all_of_it_goes);
