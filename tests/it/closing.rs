//! What staff void and what expires is dead at once, and closed in the roster before the next letter.

use jiashu_proto::entry::{Consent, RuleText, Rung};
use jiashu_proto::error::{ErrorCode, close};
use jiashu_proto::frame::{ClientFrame, HandIn, Refused};
use jiashu_proto::id::{DeviceId, InviteId, Ref};
use jiashu_roster::{Asked, Op};
use jiashu_tests::programme::{consent, to_close};
use jiashu_tests::{FamilySpec, Programme, RawDevice, TestRelay, until};

use crate::healing::hand_in;
use crate::operator::due_times;
use crate::scene::{CASE, Scene, code};

fn remove(device: u32) -> Op {
    Op::RemoveDevice { device: DeviceId(device), asked: Asked::ByRelay }
}

fn close_card(invite: u32) -> Op {
    Op::CloseInvite { invite: InviteId(invite), asked: Asked::ByRelay }
}

/// What the relay says to a letter that must wait for a link.
async fn turn_first(phone: &mut RawDevice) -> Refused {
    let letter = ClientFrame::Post(phone.letter("在吗", &[]));
    let refused = phone.command(letter).await.unwrap_err();
    assert_eq!((refused.code, refused.n), (ErrorCode::TurnFirst, Some(phone.n + 1)));
    refused
}

#[tokio::test]
async fn a_phone_that_staff_void_is_out_at_once_and_closed_before_the_next_letter() {
    let mut scene = Scene::li_with_three_phones().await;
    let [mother, stolen, child] = &mut scene.phones;
    let in_an_hour = scene.relay.raw().now().await + 3_600_000;
    let made = stolen.invite(&[2], in_an_hour).await;
    mother.sync().await;
    child.sync().await;
    let mut socket = scene.relay.open().await;
    socket.send(stolen.hello()).await;

    scene.programme.void(CASE, &[2], &[]).await.unwrap();

    assert_eq!(socket.closed().await.0, close::UNAUTHORISED);
    assert_eq!(code(stolen.welcome().await), ErrorCode::Unauthorised);
    assert_eq!(code(made.look().await), ErrorCode::Invite, "so is the card that it made");
    let refused = turn_first(child).await;
    assert_eq!(refused.to_close, Some(to_close(&[2], &[])));
    let waits = ClientFrame::Hold(mother.held_letter("晚安", &[3], Ref([5; 12])));
    assert_eq!(code(mother.command(waits).await), ErrorCode::TurnFirst);
    let only_turns = ClientFrame::Turn(mother.turn(&mother.link(Vec::new()).unwrap(), vec![]));
    assert_eq!(code(mother.command(only_turns).await), ErrorCode::TurnFirst);
    mother.write(vec![remove(2)]).await;
    assert_eq!(
        code(child.command(ClientFrame::Post(child.letter("在吗", &[]))).await),
        ErrorCode::EpochOld
    );
    child.sync().await;
    child.post("奶奶的手机丢了").await;
    mother.sync().await;
    assert_eq!(mother.log.texts(), ["奶奶的手机丢了"]);
}

#[tokio::test]
async fn a_voided_phone_brings_no_link_in_by_another_door() {
    let mut scene = Scene::li_with_three_phones().await;
    let [mother, stolen, _] = &mut scene.phones;
    let theft = stolen
        .link(vec![Op::RemoveDevice { device: DeviceId(1), asked: Asked::ByFamily }])
        .unwrap();
    let frame =
        HandIn { scope: scene.family.scope(), links: vec![theft.link.into()], wraps: theft.wraps };

    scene.programme.void(CASE, &[2], &[]).await.unwrap();
    let refused = hand_in(scene.relay.raw(), frame).await;

    assert_eq!(code(refused), ErrorCode::NotAllowed, "the roster still has it, the relay has not");
    mother.write(vec![remove(2)]).await;
}

#[tokio::test]
async fn voiding_again_changes_nothing_and_what_is_not_there_is_refused() {
    let mut scene = Scene::li_with_three_phones().await;
    let [mother, ..] = &mut scene.phones;
    let programme = &scene.programme;

    let first = programme.void(CASE, &[2], &[]).await.unwrap();
    let again = programme.void(CASE, &[2], &[]).await.unwrap();

    assert_eq!(again, first);
    assert_eq!(first.family, scene.family.scope());
    assert_eq!(turn_first(mother).await.to_close, Some(to_close(&[2], &[])));
    let none: &[u32] = &[];
    let cases = [
        ("no such case", "PRATO-999", &[2][..], none, ErrorCode::Unknown),
        ("no such phone", CASE, &[9], none, ErrorCode::Unknown),
        ("a used card", CASE, none, &[1][..], ErrorCode::Unknown),
        ("one that is there and one that is not", CASE, &[3, 4], none, ErrorCode::Unknown),
        ("nothing", CASE, none, none, ErrorCode::Malformed),
        ("in disorder", CASE, &[3, 2], none, ErrorCode::Malformed),
        ("twice", CASE, &[3, 3], none, ErrorCode::Malformed),
    ];
    for (what, case_code, devices, invites, expected) in cases {
        assert_eq!(code(programme.void(case_code, devices, invites).await), expected, "{what}");
    }
    mother.write(vec![remove(2)]).await;
    assert_eq!(code(programme.void(CASE, &[2], &[]).await), ErrorCode::Unknown, "it is out");
    mother.post("好了").await;
}

#[tokio::test]
async fn a_phone_is_no_member_of_staff() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    let void = jiashu_proto::frame::Void { case_code: CASE.into(), to_close: to_close(&[2], &[]) };

    let answers = mother.ask(vec![ClientFrame::Void(void)]).await;

    assert!(
        matches!(&answers[..], [jiashu_proto::frame::RelayFrame::Refused(refused), ..]
            if refused.code == ErrorCode::HelloFirst),
        "{answers:?}"
    );
    assert!(home.welcome().await.is_ok());
}

#[tokio::test]
async fn what_was_voided_is_asked_for_over_a_crash_and_only_letters_wait() {
    let mut scene = Scene::li_with_three_phones().await;
    let letter = ClientFrame::Post(scene.phones[0].letter("吃饭了吗", &[]));
    let before = scene.phones[0].command(letter.clone()).await.unwrap();
    scene.programme.void(CASE, &[2], &[]).await.unwrap();
    scene.relay.kill9();
    scene.relay.restart().await;
    let [mother, _, child] = &mut scene.phones;
    child.sync().await;
    let rule = RuleText::new("2100-01-01T20:00:00", "Asia/Shanghai", None);

    let repeat = mother.command(letter).await;
    let plan = mother.command(ClientFrame::Plan(mother.plan(Ref([5; 12]), &[3], rule))).await;
    let heard = child.report(before.entry_ref, 1, Rung::Opened);

    assert_eq!(repeat, Ok(before), "what was taken before gets its first answer");
    assert!(plan.is_ok());
    assert!(child.command(ClientFrame::Report(heard)).await.is_ok());
    turn_first(mother).await;
}

#[tokio::test]
async fn consent_is_asked_for_before_a_link_is() {
    let assent = Consent { consent_on: None, ..consent(3) };
    let spec = FamilySpec { consents: vec![assent], ..FamilySpec::li() };
    let mut scene = Scene::<2>::of(TestRelay::start().await, spec).await;
    scene.programme.void(CASE, &[2], &[]).await.unwrap();
    let mother = &mut scene.phones[0];

    let letter = ClientFrame::Post(mother.letter("吃饭了吗", &[]));

    assert_eq!(code(mother.command(letter).await), ErrorCode::NotActive);
    mother.write(vec![remove(2)]).await;
}

#[tokio::test]
async fn a_card_that_expires_is_asked_to_be_closed() {
    let mut scene = Scene::li().await;
    let raw = scene.relay.raw();
    let expires_at = raw.now().await + 1_500;
    let mother = &mut scene.phones[0];
    let card = mother.invite(&[2], expires_at).await;

    let asked = until("a letter must wait", async || {
        let letter = ClientFrame::Post(mother.letter("在吗", &[]));
        mother.command(letter).await.err()
    })
    .await;

    assert!(raw.now().await >= expires_at, "not before its time");
    assert_eq!((asked.code, asked.to_close), (ErrorCode::TurnFirst, Some(to_close(&[], &[3]))));
    assert_eq!(code(card.look().await), ErrorCode::Invite);
    mother.write(vec![close_card(3)]).await;
    mother.post("好了").await;
}

#[tokio::test]
async fn a_card_of_which_something_became_is_due_no_more() {
    let mut relay = TestRelay::start().await;
    let in_a_day = relay.raw().now().await + 86_400_000;
    let programme = Programme::of(&relay).await;
    let spec = FamilySpec { expires_at: Some(in_a_day), ..FamilySpec::li() };
    let family = programme.enrol(CASE, &spec.with_phones(&[&[1], &[1], &[2], &[2], &[3]])).await;
    let mut mother = family.join(0).await;
    let mut lost = family.join(1).await;
    mother.sync().await;
    lost.sync().await;
    lost.invite(&[1], in_a_day + 1).await;
    mother.sync().await;
    mother.write(vec![close_card(3)]).await;
    programme.void(CASE, &[], &[4]).await.unwrap();
    mother.write(vec![close_card(4), remove(2)]).await;

    relay.term().await;

    assert_eq!(due_times(&relay.data_dir()), [in_a_day], "of the one card that is still open");
}
