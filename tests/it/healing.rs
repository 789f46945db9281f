//! A relay restored from an older copy: the phones hand in the links that it lost, and nobody else
//! gets in by that door.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_proto::bounds::MAX_INVITES;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, HandIn, HandedIn, Invited, Refused, RelayFrame, Turn};
use jiashu_proto::id::{DeviceId, InviteId, MemberId, Millis, Role};
use jiashu_roster::{Asked, Op};
use jiashu_seal::KeyPairs;
use jiashu_tests::{FamilySpec, Programme, Raw, RawDevice, TestRelay, http};

use crate::scene::{CASE, Scene, code, forge};

/// Hands links in without a token.
pub(crate) async fn hand_in(raw: Raw, frame: HandIn) -> Result<HandedIn, Refused> {
    match raw.one(ClientFrame::HandIn(frame)).await {
        RelayFrame::HandedIn(handed_in) => Ok(handed_in),
        RelayFrame::Refused(refused) => Err(refused),
        other => panic!("a hand-in is answered, not {other:?}"),
    }
}

/// Reads the log again from its start, as after a welcome with restart.
async fn read_again(phone: &mut RawDevice) {
    phone.log = phone.log.from_start();
    phone.sync().await;
}

#[tokio::test]
async fn links_that_the_relay_lost_are_handed_in_and_everybody_is_in_again() {
    let mut relay = TestRelay::start().await;
    let programme = Programme::of(&relay).await;
    let family = programme.enrol(CASE, &FamilySpec::li()).await;
    let mut mother = family.join(0).await;
    mother.sync().await;
    let copy = relay.back_up().await;
    let mut home = family.join(1).await;
    home.sync().await;
    mother.sync().await;
    mother.write(Vec::new()).await;
    home.sync().await;
    relay.restore(&copy).await;
    assert_eq!(code(home.welcome().await), ErrorCode::Unauthorised, "its join is lost");

    // By the very phone that the relay does not know any more.
    let frame = home.hand_in(2);
    let first = hand_in(relay.raw(), frame.clone()).await.unwrap();
    let again = hand_in(relay.raw(), frame).await.unwrap();
    let whole = hand_in(relay.raw(), mother.hand_in(0)).await.unwrap();

    assert_eq!([first, again, whole], [HandedIn { epoch: 4 }; 3]);
    let before = home.log.roster.clone();
    read_again(&mut home).await;
    read_again(&mut mother).await;
    assert_eq!([&home.log.roster, &mother.log.roster], [&before; 2]);
    home.post("我又在了").await;
    mother.sync().await;
    assert_eq!(mother.log.texts(), ["我又在了"]);
}

#[tokio::test]
async fn a_link_from_the_journal_that_was_handed_in_already_brings_its_card() {
    let mut relay = TestRelay::start().await;
    let programme = Programme::of(&relay).await;
    let family = programme.enrol(CASE, &FamilySpec::li()).await;
    let [mut mother, mut home] = family.join_all().await;
    let copy = relay.back_up().await;
    let in_an_hour = relay.raw().now().await + 3_600_000;
    let (new, card, way) = mother.draw_invite(&[2], in_an_hour);
    let journalled = ClientFrame::Turn(mother.turn(&new, vec![card]));
    mother.command(journalled.clone()).await.unwrap();
    home.sync().await;
    relay.restore(&copy).await;
    hand_in(relay.raw(), home.hand_in(3)).await.unwrap();
    assert_eq!(code(way.look().await), ErrorCode::Invite, "without its card it opens nothing");

    mother.n = 0;
    let posted = mother.command(journalled.clone()).await.unwrap();
    let repeat = mother.command(journalled).await.unwrap();

    read_again(&mut home).await;
    let place = home.log.entries.iter().find(|taken| match &taken.content {
        jiashu_proto::entry::Content::Link(fact) => fact.link == new.link,
        _ => false,
    });
    assert_eq!(place.map(|taken| taken.seq), Some(posted.seq), "it is told where the link stands");
    assert_eq!((repeat.n, repeat.seq), (posted.n, posted.seq));
    assert_eq!(mother.welcome().await.unwrap().last_n, 1, "and its counter has moved");
    let mut new_phone = way.join().await;
    new_phone.sync().await;
    assert_eq!(new_phone.log.roster.devices().len(), 3);
}

#[tokio::test]
async fn the_last_card_that_found_room_comes_back_from_the_journal_too() {
    let mut scene = Scene::li().await;
    let copy = scene.relay.back_up().await;
    let in_an_hour = scene.relay.raw().now().await + 3_600_000;
    let [mother, home] = &mut scene.phones;
    for _ in 1..MAX_INVITES {
        mother.invite(&[2], in_an_hour).await;
    }
    let (new, card, way) = mother.draw_invite(&[2], in_an_hour);
    let turn = mother.turn(&new, vec![card]);
    mother.command(ClientFrame::Turn(turn.clone())).await.unwrap();
    home.sync().await;
    scene.relay.restore(&copy).await;
    hand_in(scene.relay.raw(), home.hand_in(3)).await.unwrap();

    mother.command(ClientFrame::Turn(Turn { n: 1, ..turn })).await.unwrap();

    assert!(way.look().await.is_ok());
}

#[tokio::test]
async fn a_removal_that_was_lost_is_handed_in_and_the_phone_is_out_again() {
    let mut scene = Scene::li_with_three_phones().await;
    let copy = scene.relay.back_up().await;
    let [mother, lost, _] = &mut scene.phones;
    mother.write(vec![Op::RemoveDevice { device: DeviceId(2), asked: Asked::ByFamily }]).await;
    scene.relay.restore(&copy).await;
    assert!(lost.welcome().await.is_ok(), "as the copy says");

    hand_in(scene.relay.raw(), mother.hand_in(4)).await.unwrap();

    assert_eq!(code(lost.welcome().await), ErrorCode::Unauthorised);
}

#[tokio::test]
async fn what_does_not_follow_is_not_taken_from_anybody() {
    let mut scene = Scene::li().await;
    let other = scene.programme.enrol("PRATO-002", &FamilySpec::li()).await;
    let [theirs, _] = other.join_all().await;
    let [mother, home] = &mut scene.phones;
    let stranger = KeyPairs::generate();
    let new = mother.link(Vec::new()).unwrap();
    let one = |link: Vec<u8>| HandIn {
        links: vec![link.into()],
        wraps: new.wraps.clone(),
        ..mother.hand_in(0)
    };
    let known = mother.hand_in(0);
    let child = Op::AddMember { member: MemberId(4), role: Role::Child };
    let with_child = mother.link(vec![child]).unwrap();
    let fork = forge(&known.links[2], &home.keys.sign, |body| body.ops.clear());
    let cases = [
        ("no link", HandIn { links: vec![], ..known.clone() }, ErrorCode::BadLink),
        ("no CBOR", one(vec![0xff; 40]), ErrorCode::BadLink),
        ("a gap", one(forge(&new.link, &mother.keys.sign, |b| b.number += 1)), ErrorCode::Stale),
        ("another family's", HandIn { scope: other.scope(), ..known.clone() }, ErrorCode::Stale),
        (
            "no family's",
            HandIn { scope: jiashu_proto::id::Scope(7), ..known.clone() },
            ErrorCode::Stale,
        ),
        (
            "the programme's",
            HandIn { scope: scene.programme.token.scope, ..known.clone() },
            ErrorCode::Stale,
        ),
        ("a fork", HandIn { links: vec![fork.into()], ..known.clone() }, ErrorCode::Stale),
        ("by a stranger", one(forge(&new.link, &stranger.sign, |_| {})), ErrorCode::BadLink),
        ("in another's name", one(forge(&new.link, &home.keys.sign, |_| {})), ErrorCode::BadLink),
        (
            "with others' wraps",
            HandIn { wraps: theirs.log.wraps(), ..one(new.link.clone()) },
            ErrorCode::BadLink,
        ),
        (
            "with a child",
            HandIn { wraps: with_child.wraps.clone(), ..one(with_child.link.clone()) },
            ErrorCode::NotAllowed,
        ),
        (
            "in disorder",
            HandIn { links: known.links.iter().rev().cloned().collect(), ..known.clone() },
            ErrorCode::BadLink,
        ),
        ("too large", one(vec![0; 16 * 1024 + 1]), ErrorCode::TooLarge),
    ];

    for (what, frame, expected) in cases {
        assert_eq!(code(hand_in(scene.relay.raw(), frame).await), expected, "{what}");
    }

    assert!(mother.sync().await.is_empty(), "the log stays as it is");
    mother.write(Vec::new()).await;
}

/// A card of the grandmother's that ends then, and the join by it, drawn without asking the relay.
async fn join_by_a_card_until(mother: &mut RawDevice, expires_at: Millis) -> HandIn {
    let (new, card, way) = mother.draw_invite(&[2], expires_at);
    let turn = ClientFrame::Turn(mother.turn(&new, vec![card.clone()]));
    mother.command(turn).await.unwrap();
    mother.sync().await;
    let shown = Invited {
        invite: card.invite,
        blob: card.blob,
        links: mother.log.links().into_iter().map(Into::into).collect(),
        wraps: Some(mother.log.wraps().into()),
        expires_at,
    };
    let join = way.open(&shown).unwrap().attempt().frame;
    HandIn { scope: join.scope, links: vec![join.link.into()], wraps: join.wraps }
}

/// Hands links in on a lane of a phone.
async fn vouch(phone: &RawDevice, frame: HandIn) -> bool {
    let answers = phone.ask(vec![ClientFrame::HandIn(frame)]).await;
    answers.iter().any(|answer| matches!(answer, RelayFrame::HandedIn(_)))
}

#[tokio::test]
async fn who_holds_an_expired_card_does_not_hand_in_a_join() {
    let mut scene = Scene::li().await;
    let a_second_ago = scene.relay.raw().now().await - 1_000;
    let [mother, _] = &mut scene.phones;
    let late = join_by_a_card_until(mother, a_second_ago).await;

    let refused = hand_in(scene.relay.raw(), late.clone()).await;

    assert_eq!(code(refused), ErrorCode::NotAllowed);
    assert!(vouch(mother, late).await, "a live phone that has it in its chain says it was in time");
    mother.sync().await;
    assert_eq!(mother.log.roster.devices().len(), 3);
    mother.post("她在了").await;
}

#[tokio::test]
async fn who_holds_a_voided_card_does_not_hand_in_a_join() {
    let mut scene = Scene::li().await;
    let in_an_hour = scene.relay.raw().now().await + 3_600_000;
    let [mother, _] = &mut scene.phones;
    let stolen = join_by_a_card_until(mother, in_an_hour).await;
    scene.programme.void(CASE, &[], &[3]).await.unwrap();

    let refused = hand_in(scene.relay.raw(), stolen).await;

    assert_eq!(code(refused), ErrorCode::NotAllowed);
    let close = Op::CloseInvite { invite: InviteId(3), asked: Asked::ByRelay };
    mother.write(vec![close]).await;
    mother.post("好了").await;
}

/// Staff suspend a member of the family Li.
async fn suspend(scene: &Scene<2>, member: u32) {
    let token = URL_SAFE_NO_PAD.encode(scene.programme.token.to_bytes());
    let path = format!("/api/v1/families/{CASE}/suspensions/{member}");
    let headers = [("authorization", &*format!("Bearer {token}"))];
    let request = http::request("PUT", &path, &headers, br#"{"reason":"court-order"}"#);
    let answer = scene.relay.raw().exchange(&request).await.unwrap();
    assert_eq!(answer.status, 204, "{answer:?}");
}

#[tokio::test]
async fn who_is_suspended_brings_in_no_link_signed_or_vouched_for() {
    let scene = Scene::li().await;
    let [mother, home] = &scene.phones;
    let members = [1, 2, 3].map(MemberId).to_vec();
    let new = mother.link(vec![Op::SetMembers { device: DeviceId(1), members }]).unwrap();
    let (links, wraps) = (vec![new.link.into()], new.wraps);
    let takes_all = HandIn { scope: mother.token.scope, links, wraps };
    suspend(&scene, 1).await;

    let refused = hand_in(scene.relay.raw(), takes_all.clone()).await;

    assert_eq!(code(refused), ErrorCode::NotAllowed);
    assert!(!vouch(mother, takes_all.clone()).await, "her own word is none");
    assert!(vouch(home, takes_all).await, "what she signed before comes back by another's");
}

#[tokio::test]
async fn of_two_phones_that_hand_in_at_once_both_are_answered() {
    let mut scene = Scene::li().await;
    let copy = scene.relay.back_up().await;
    let [mother, home] = &mut scene.phones;
    mother.write(Vec::new()).await;
    home.sync().await;
    scene.relay.restore(&copy).await;
    let raw = scene.relay.raw();

    let both = tokio::join!(hand_in(raw, mother.hand_in(3)), hand_in(raw, home.hand_in(3)));

    assert_eq!(both, (Ok(HandedIn { epoch: 4 }), Ok(HandedIn { epoch: 4 })));
}
