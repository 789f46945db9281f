//! Links: only those that every phone would take come into the chain, and who is out is out at once.

use jiashu_proto::error::{ErrorCode, close};
use jiashu_proto::frame::{ClientFrame, RelayFrame, Turn};
use jiashu_proto::id::{DeviceId, MemberId, Ref, Role};
use jiashu_roster::{Asked, Author, Op, Wrap, Wraps};
use jiashu_seal::KeyPairs;
use jiashu_tests::RawDevice;

use crate::scene::{Scene, code, forge, forge_wraps};

fn out(device: u32) -> Vec<Op> {
    vec![Op::RemoveDevice { device: DeviceId(device), asked: Asked::ByFamily }]
}

fn turn(phone: &RawDevice, link: Vec<u8>, wraps: Vec<u8>) -> ClientFrame {
    ClientFrame::Turn(Turn { n: phone.n + 1, entry_ref: Ref([4; 12]), link, wraps, cards: vec![] })
}

#[tokio::test]
async fn a_link_that_came_second_is_stale_and_written_again() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    let late = mother.link(Vec::new()).unwrap();
    home.write(Vec::new()).await;

    let frame = ClientFrame::Turn(mother.turn(&late, Vec::new()));
    let refused = mother.command(frame).await.unwrap_err();
    mother.sync().await;
    let posted = mother.write(Vec::new()).await;

    assert_eq!((refused.code, refused.n), (ErrorCode::Stale, Some(1)));
    assert_eq!(posted.n, 1, "the refused counter went to the new link");
    home.sync().await;
    assert_eq!(home.log.roster, mother.log.roster);
}

#[tokio::test]
async fn a_phone_adds_a_father_and_no_child() {
    let mut scene = Scene::li().await;
    let mother = &mut scene.phones[0];
    let member = mother.log.roster.next_member();
    let child = mother.link(vec![Op::AddMember { member, role: Role::Child }]).unwrap();

    let frame = ClientFrame::Turn(mother.turn(&child, Vec::new()));
    let refused = mother.command(frame).await.unwrap_err();
    let posted = mother.write(vec![Op::AddMember { member, role: Role::Parent }]).await;

    assert_eq!(refused.code, ErrorCode::NotAllowed, "no letter moves before a child is asked");
    assert_eq!(posted.n, 1);
}

#[tokio::test]
async fn a_link_that_its_author_did_not_sign_is_refused() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    let new = mother.link(Vec::new()).unwrap();
    let stranger = KeyPairs::generate();
    let cases = [
        ("by a stranger", forge(&new.link, &stranger.sign, |_| {})),
        ("by another phone of the family", forge(&new.link, &home.keys.sign, |_| {})),
        ("with the key for wraps", forge(&new.link, &mother.keys.hpke, |_| {})),
        ("before it was changed", {
            let mut changed = new.link.clone();
            let last = changed.len() - 1;
            changed[last] ^= 1;
            changed
        }),
    ];

    for (what, link) in cases {
        let frame = turn(mother, link, new.wraps.clone());
        assert_eq!(code(mother.command(frame).await), ErrorCode::BadLink, "{what}");
    }

    mother.write(Vec::new()).await;
}

#[tokio::test]
async fn a_phone_hands_in_no_link_of_another() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    let homes = home.link(Vec::new()).unwrap();

    let frame = turn(mother, homes.link, homes.wraps);

    assert_eq!(code(mother.command(frame).await), ErrorCode::NotAllowed);
}

#[tokio::test]
async fn the_childs_own_phone_writes_no_links() {
    let mut scene = Scene::li_with_three_phones().await;
    let [mother, _, child] = &mut scene.phones;
    let new = mother.link(Vec::new()).unwrap();
    let own = forge(&new.link, &child.keys.sign, |body| body.author = Author::Device(DeviceId(3)));

    let frame = turn(child, own, new.wraps);

    assert_eq!(code(child.command(frame).await), ErrorCode::BadLink);
    assert!(child.link(Vec::new()).is_err(), "its own client would not write it either");
}

#[tokio::test]
async fn a_link_comes_with_a_card_for_each_of_its_invites() {
    let mut scene = Scene::li().await;
    let mother = &mut scene.phones[0];
    let in_an_hour = scene.relay.raw().now().await + 3_600_000;
    let (new, card, _) = mother.draw_invite(&[2], in_an_hour);
    let (plain, other) = (mother.link(Vec::new()).unwrap(), card.clone());
    let renamed =
        jiashu_proto::frame::Card { invite: jiashu_proto::id::InviteId(9), ..card.clone() };
    let cases = [
        ("none", mother.turn(&new, vec![])),
        ("two of one", mother.turn(&new, vec![card.clone(), card.clone()])),
        ("of another invite", mother.turn(&new, vec![renamed])),
        ("of an invite that is not made", mother.turn(&plain, vec![other])),
    ];

    for (what, turn) in cases {
        let refused = mother.command(ClientFrame::Turn(turn)).await;
        assert_eq!(code(refused), ErrorCode::BadLink, "{what}");
    }

    let whole = mother.turn(&new, vec![card]);
    assert!(mother.command(ClientFrame::Turn(whole)).await.is_ok());
}

#[tokio::test]
async fn the_key_is_wrapped_for_exactly_those_who_are_in() {
    let mut scene = Scene::li().await;
    let [mother, _] = &mut scene.phones;
    let new = mother.link(Vec::new()).unwrap();
    let all: Vec<Wrap> = Wraps::parse(&new.wraps).unwrap().iter().cloned().collect();
    let one_out = Wraps::new(all[..1].to_vec()).unwrap();
    let ghost =
        Wrap { recipient: jiashu_roster::Recipient::Device(DeviceId(3)), sealed: all[0].sealed };
    let one_more = Wraps::new([&all[..], &[ghost]].concat()).unwrap();
    let signer = &mother.keys.sign;
    let cases = [
        ("one is left out", forge_wraps(&new.link, signer, &one_out), one_out.to_bytes()),
        ("one is too many", forge_wraps(&new.link, signer, &one_more), one_more.to_bytes()),
        ("none", forge_wraps(&new.link, signer, &Wraps::default()), Wraps::default().to_bytes()),
        ("not those that were signed", new.link.clone(), one_more.to_bytes()),
        ("no wraps at all", new.link.clone(), Vec::new()),
    ];

    for (what, link, wraps) in cases {
        let frame = turn(mother, link, wraps);
        assert_eq!(code(mother.command(frame).await), ErrorCode::BadLink, "{what}");
    }

    let whole = turn(mother, new.link, new.wraps);
    assert!(mother.command(whole).await.is_ok());
}

#[tokio::test]
async fn a_phone_that_was_taken_out_is_out_at_once() {
    let mut scene = Scene::li_with_three_phones().await;
    let [mother, grandmother, child] = &mut scene.phones;
    let in_an_hour = scene.relay.raw().now().await + 3_600_000;
    let card = grandmother.invite(&[2], in_an_hour).await;
    mother.sync().await;
    child.sync().await;
    let mut socket = scene.relay.open().await;
    socket.send(grandmother.hello()).await;
    let (own_link, late) = (grandmother.link(Vec::new()).unwrap(), child.letter("妈妈", &[]));

    mother.write(out(2)).await;

    let (closed, _) = socket.closed().await;
    assert_eq!(closed, close::UNAUTHORISED);
    assert_eq!(code(grandmother.welcome().await), ErrorCode::Unauthorised);
    let signed_by_removed = turn(mother, own_link.link, own_link.wraps);
    assert_eq!(code(mother.command(signed_by_removed).await), ErrorCode::NotAllowed);
    assert_eq!(code(card.look().await), ErrorCode::Invite, "the card it made is void");
    assert_eq!(code(child.command(ClientFrame::Post(late)).await), ErrorCode::EpochOld);
    child.sync().await;
    child.post("奶奶的手机丢了").await;
    mother.sync().await;
    assert_eq!(mother.log.texts(), ["奶奶的手机丢了"]);
}

#[tokio::test]
async fn a_phone_taken_out_between_two_letters_posts_only_the_first() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    let mut socket = scene.relay.open().await;
    socket.send(home.hello()).await;
    let letter = home.letter("妈妈", &[]);
    let again = jiashu_proto::frame::Post { n: 2, ..home.letter("在吗", &[]) };

    socket.send(ClientFrame::Post(letter)).await;
    socket.wait_for(|_, frame| matches!(frame, RelayFrame::Posted(_)).then_some(())).await;
    mother.sync().await;
    mother.write(out(2)).await;
    socket.send(ClientFrame::Post(again)).await;

    assert_eq!(socket.closed().await.0, close::UNAUTHORISED);
    mother.sync().await;
    assert_eq!(mother.log.texts(), ["妈妈"]);
}

#[tokio::test]
async fn a_phone_that_gains_a_member_reads_from_the_start() {
    let mut scene = Scene::li_with_three_phones().await;
    let [mother, grandmother, _] = &mut scene.phones;
    let to_child = mother.letter("妈妈想你", &[3]);
    mother.command(ClientFrame::Post(to_child)).await.unwrap();
    grandmother.sync().await;
    let mut socket = scene.relay.open().await;
    socket.send(grandmother.hello()).await;

    let members = vec![MemberId(2), MemberId(3)];
    mother.write(vec![Op::SetMembers { device: DeviceId(2), members }]).await;

    socket
        .wait_for(|_, frame| match frame {
            RelayFrame::Welcome(welcome) => welcome.restart,
            _ => None,
        })
        .await;
    assert!(grandmother.log.texts().is_empty());
    grandmother.log = grandmother.log.from_start();
    grandmother.sync().await;
    assert_eq!(grandmother.log.texts(), ["妈妈想你"]);
}
