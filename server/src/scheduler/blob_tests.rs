//! Stored bytes on an injected clock: kept as long as something names them, and not for ever.

use jiashu_proto::entry::{BLOB_KEYS, MessageKind};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Post, Posted};
use jiashu_proto::id::{DeviceId, MemberId, Ref};
use jiashu_roster::sha256;

use super::tests::{DAY_MS, FAMILY, FOUNDED, found, relay, relay_on};
use super::*;
use crate::blobs::BlobName;
use crate::execute::blob::{begin_upload, end_upload, look};
use crate::family::Sender;
use crate::family::blob::{UNCLAIMED_MS, Upload};

const ID: Ref = Ref([9; 12]);
const NAME: BlobName = BlobName { scope: FAMILY, id: ID };
const KEPT_MS: Millis = 90 * DAY_MS;

/// After the end of their time bytes are removed.
const REMOVED_MS: Millis = 60 * 60 * 1000;

fn mother() -> Sender {
    Sender { device: DeviceId(1), members: vec![MemberId(1)] }
}

fn upload(bytes: &[u8]) -> Upload {
    Upload { id: ID, size: bytes.len() as u64, hash: sha256(bytes) }
}

/// A family that takes part, and whose bytes are stored.
async fn stored(folder: &std::path::Path) -> Relay {
    let relay = relay(folder);
    let mut family = found();
    family.changes.push(Change::SetActive(true));
    relay.store.commit(FAMILY, family).await.unwrap();
    let standing = begin_upload(&relay, FAMILY, &mother(), upload(b"sealed")).await.unwrap();
    relay.blobs.append(NAME, 0, b"sealed".to_vec()).await.unwrap();
    end_upload(&relay, FAMILY, &standing).await.unwrap();
    relay
}

async fn post(relay: &Relay, n: u64) -> Result<Posted, ErrorCode> {
    let post = Post {
        n,
        entry_ref: Ref([u8::try_from(n).unwrap(); 12]),
        epoch: 0,
        from: MemberId(1),
        to: Vec::new(),
        kind: MessageKind::Voice.number(),
        sealed: vec![0; 20],
        key: None,
        until: None,
        blob: Some(ID),
    };
    let frame = jiashu_proto::frame::ClientFrame::Post(post);
    let done = execute::command(relay, FAMILY, &mother(), frame).await;
    done.expect("a post is a command").map_err(|refused| refused.code)
}

/// Does all that is due then.
async fn at(relay: &Relay, now: Millis) {
    relay.clock.set(now);
    while matches!(step(relay).await.unwrap(), Step::Done) {}
}

async fn bytes(relay: &Relay) -> u64 {
    relay.blobs.size(NAME).await.unwrap()
}

async fn notes(relay: &Relay) -> usize {
    relay.store.facts(FAMILY, BLOB_KEYS).await.unwrap().len()
}

async fn is_there(relay: &Relay) -> bool {
    look(relay, FAMILY, ID).await.is_ok()
}

#[tokio::test]
async fn what_no_message_names_goes_after_two_days() {
    let folder = tempfile::tempdir().unwrap();
    let relay = stored(folder.path()).await;

    at(&relay, FOUNDED + UNCLAIMED_MS - 1).await;
    assert!(is_there(&relay).await);
    at(&relay, FOUNDED + UNCLAIMED_MS).await;
    assert!(!is_there(&relay).await, "nobody can have it from now on");
    assert_eq!(post(&relay, 1).await, Err(ErrorCode::StoreFirst));
    assert_eq!(bytes(&relay).await, 6, "who reads just now reads on");
    at(&relay, FOUNDED + UNCLAIMED_MS + REMOVED_MS).await;

    assert_eq!((bytes(&relay).await, notes(&relay).await), (0, 0));
    relay.store.close().await;
}

#[tokio::test]
async fn an_upload_that_was_given_up_goes_too() {
    let folder = tempfile::tempdir().unwrap();
    let relay = relay(folder.path());
    let mut family = found();
    family.changes.push(Change::SetActive(true));
    relay.store.commit(FAMILY, family).await.unwrap();
    begin_upload(&relay, FAMILY, &mother(), upload(b"sealed")).await.unwrap();
    relay.blobs.append(NAME, 0, b"sea".to_vec()).await.unwrap();

    at(&relay, FOUNDED + UNCLAIMED_MS).await;
    at(&relay, FOUNDED + UNCLAIMED_MS + REMOVED_MS).await;

    assert_eq!((bytes(&relay).await, notes(&relay).await), (0, 0));
    relay.store.close().await;
}

#[tokio::test]
async fn what_a_message_names_is_kept_from_the_last_of_them_on() {
    let folder = tempfile::tempdir().unwrap();
    let relay = stored(folder.path()).await;
    at(&relay, FOUNDED + DAY_MS).await;
    post(&relay, 1).await.unwrap();
    at(&relay, FOUNDED + 5 * DAY_MS).await;
    post(&relay, 2).await.unwrap();

    at(&relay, FOUNDED + 5 * DAY_MS + KEPT_MS - 1).await;
    assert!(is_there(&relay).await);
    at(&relay, FOUNDED + 5 * DAY_MS + KEPT_MS).await;
    at(&relay, FOUNDED + 5 * DAY_MS + KEPT_MS + REMOVED_MS).await;

    assert_eq!((bytes(&relay).await, notes(&relay).await), (0, 0));
    relay.store.close().await;
}

#[tokio::test]
async fn what_a_letter_that_waits_names_is_kept_however_long() {
    use jiashu_proto::frame::{ClientFrame, Hold, Plan};
    let folder = tempfile::tempdir().unwrap();
    let relay = stored(folder.path()).await;
    let schedule = Ref([3; 12]);
    let hold = Hold {
        n: 1,
        body_ref: Ref([4; 12]),
        epoch: 0,
        from: MemberId(1),
        to: Vec::new(),
        kind: MessageKind::Voice.number(),
        sealed: vec![0; 20],
        schedule,
        valid_for: None,
        blob: Some(ID),
        again: None,
        replaces: None,
    };
    // In more than half a year: `FOUNDED` is in January 2027.
    let rule = jiashu_proto::entry::RuleText::new("2027-09-01T19:30:00", "Asia/Shanghai", None);
    let plan = Plan {
        n: 2,
        entry_ref: schedule,
        from: MemberId(1),
        to: Vec::new(),
        rule,
        state: jiashu_proto::entry::ScheduleState::Active,
        schedule: None,
        bank: false,
        seen: None,
    };
    for frame in [ClientFrame::Hold(hold), ClientFrame::Plan(plan)] {
        execute::command(&relay, FAMILY, &mother(), frame).await.unwrap().unwrap();
    }
    let fires: Millis = "2027-09-01T11:30:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();

    let mut day = FOUNDED;
    while day < fires {
        at(&relay, day).await;
        assert!(is_there(&relay).await, "on day {}", (day - FOUNDED) / DAY_MS);
        day += DAY_MS;
    }
    at(&relay, fires).await;
    at(&relay, fires + KEPT_MS - 1).await;
    assert!(is_there(&relay).await, "and then as long as any");
    at(&relay, fires + KEPT_MS).await;
    at(&relay, fires + KEPT_MS + REMOVED_MS).await;

    assert_eq!((bytes(&relay).await, notes(&relay).await), (0, 0));
    relay.store.close().await;
}

#[tokio::test]
async fn a_relay_that_died_between_any_two_steps_is_gone_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let relay = stored(folder.path()).await;
    // All came, and it died before that was noted: the upload is looked at once more.
    let standing = look(&relay, FAMILY, ID).await.unwrap();
    let again = begin_upload(&relay, FAMILY, &mother(), upload(b"sealed")).await.unwrap();
    assert_eq!(standing, again);

    at(&relay, FOUNDED + UNCLAIMED_MS).await;
    // The bytes went, and it died before that was noted.
    relay.blobs.remove(NAME).await.unwrap();
    let another = relay_on(&relay);
    at(&another, FOUNDED + UNCLAIMED_MS + REMOVED_MS).await;

    assert_eq!((bytes(&relay).await, notes(&relay).await), (0, 0));
    assert_eq!(relay.store.next_due().await.unwrap(), Some(FOUNDED + 3 * DAY_MS), "retention");
    relay.store.close().await;
}

#[tokio::test]
async fn a_place_that_does_not_answer_keeps_nothing_else_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let relay = stored(folder.path()).await;
    at(&relay, FOUNDED + UNCLAIMED_MS).await;
    let family = folder.path().join("blobs").join(FAMILY.to_string());
    let file = std::fs::read_dir(&family).unwrap().next().unwrap().unwrap().path();
    // A folder cannot be removed as a file.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let then = FOUNDED + UNCLAIMED_MS + REMOVED_MS;

    at(&relay, then).await;
    let next = relay.store.next_due().await.unwrap();
    std::fs::remove_dir(&file).unwrap();
    at(&relay, then + AGAIN_MS).await;

    assert_eq!(next, Some(then + AGAIN_MS), "it is tried again later");
    assert_eq!(notes(&relay).await, 0);
    relay.store.close().await;
}
