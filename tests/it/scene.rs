//! What most stories begin with: a relay, a programme, the family Li and its phones.

use std::fmt::Debug;

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Entries, Refused, RelayFrame};
use jiashu_roster::{Link, LinkBody, Wraps, signed_bytes};
use jiashu_seal::KeyPair;
use jiashu_tests::redis::TestRedis;
use jiashu_tests::{FamilySpec, Programme, RawDevice, RawSocket, TestFamily, TestRelay};
use tempfile::TempDir;

/// The case code of the family Li.
pub(crate) const CASE: &str = "PRATO-001";

/// A family of which everybody has joined and read all.
pub(crate) struct Scene<const N: usize> {
    pub(crate) programme: Programme,
    pub(crate) family: TestFamily,
    pub(crate) phones: [RawDevice; N],
    pub(crate) relay: TestRelay,
}

/// Makes a test of a function that is given a ground, on each of them.
macro_rules! on_each_ground {
    ($($test:ident),+ $(,)?) => {
        mod own {
            $(#[tokio::test]
            async fn $test() {
                super::$test(jiashu_tests::ground::Ground::own()).await;
            })+
        }

        mod shared {
            $(#[tokio::test]
            async fn $test() {
                super::$test(jiashu_tests::ground::Ground::shared().await).await;
            })+
        }
    };
}

pub(crate) use on_each_ground;

impl Scene<2> {
    /// The mother's phone, and the one that grandmother and son share.
    pub(crate) async fn li() -> Self {
        Self::of(TestRelay::start().await, FamilySpec::li()).await
    }
}

impl Scene<3> {
    /// A phone each for mother, grandmother and son.
    pub(crate) async fn li_with_three_phones() -> Self {
        let spec = FamilySpec::li().with_phones(&[&[1], &[2], &[3]]);
        Self::of(TestRelay::start().await, spec).await
    }
}

/// Two relays at one Redis.
pub(crate) struct TwoRelays {
    pub(crate) first: TestRelay,
    pub(crate) second: TestRelay,
    pub(crate) redis: TestRedis,
    pub(crate) folders: [TempDir; 2],
}

impl TwoRelays {
    /// Both with these settings, too.
    pub(crate) async fn start(more: &[(String, String)]) -> Self {
        let redis = TestRedis::start().await;
        let settings = [&redis.settings(), more].concat();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let first = TestRelay::on(folders[0].path(), &settings).await;
        let second = TestRelay::on(folders[1].path(), &settings).await;
        Self { first, second, redis, folders }
    }
}

impl<const N: usize> Scene<N> {
    pub(crate) async fn of(relay: TestRelay, spec: FamilySpec) -> Self {
        let programme = Programme::of(&relay).await;
        let family = programme.enrol(CASE, &spec).await;
        let phones = family.join_all().await;
        Self { programme, family, phones, relay }
    }
}

/// Opens a socket for a phone that has read all.
pub(crate) async fn online(relay: &TestRelay, phone: &RawDevice) -> RawSocket {
    let mut socket = relay.open().await;
    socket.send(phone.hello()).await;
    assert!(matches!(socket.next().await, (0, RelayFrame::Welcome(_))));
    socket
}

/// The page, if it is one.
pub(crate) fn entries(frame: &RelayFrame) -> Option<Entries> {
    match frame {
        RelayFrame::Entries(entries) => Some(entries.clone()),
        _ => None,
    }
}

/// The code of a refusal.
pub(crate) fn code<T: Debug>(result: Result<T, Refused>) -> ErrorCode {
    result.expect_err("it was to be refused").code
}

/// The bytes of frames on lane 0, as a round carries them.
pub(crate) fn bytes(frames: &[ClientFrame]) -> Vec<u8> {
    frames.iter().flat_map(|frame| frame.to_bytes(0)).collect()
}

/// The link with a changed body, signed anew by this key.
pub(crate) fn forge(link: &[u8], signer: &KeyPair, change: impl FnOnce(&mut LinkBody)) -> Vec<u8> {
    let mut body = Link::parse(link).unwrap().read().unwrap();
    change(&mut body);
    let body = body.to_bytes();
    let signature = signer.sign(&signed_bytes(&body));
    Link { body, signature }.to_bytes()
}

/// The link with other wraps, their hash in it, signed anew.
pub(crate) fn forge_wraps(link: &[u8], signer: &KeyPair, wraps: &Wraps) -> Vec<u8> {
    forge(link, signer, |body| body.key.as_mut().unwrap().wraps_hash = wraps.hash())
}
