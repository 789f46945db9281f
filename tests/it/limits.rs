//! Limits of size and number: the value passes, one more is refused and costs nothing.

use jiashu_proto::bounds::{MAX_HELD, MAX_INVITES, MAX_MEMBERS, MAX_SEALED};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Hold, Post, RelayFrame};
use jiashu_proto::id::{MemberId, Ref, Role};
use jiashu_roster::Op;
use jiashu_seal::random;
use jiashu_tests::FamilySpec;

use crate::scene::{Scene, code};

#[tokio::test]
async fn a_sealed_letter_has_at_most_16_kib() {
    let mut scene = Scene::li().await;
    let mother = &mut scene.phones[0];
    let letter = mother.letter("吃饭了吗", &[]);
    let of = |length: usize| ClientFrame::Post(Post { sealed: vec![7; length], ..letter.clone() });

    let over = mother.command(of(MAX_SEALED + 1)).await;
    let no_seal = mother.command(of(15)).await;
    let largest = mother.command(of(MAX_SEALED)).await;

    assert_eq!(code(over), ErrorCode::TooLarge);
    assert_eq!(code(no_seal), ErrorCode::Malformed);
    assert_eq!(largest.map(|posted| posted.n), Ok(1));
}

#[tokio::test]
async fn a_family_has_at_most_12_open_invites() {
    let mut scene = Scene::li().await;
    let mother = &mut scene.phones[0];
    let in_an_hour = scene.relay.raw().now().await + 3_600_000;

    for _ in 0..MAX_INVITES {
        mother.invite(&[2], in_an_hour).await;
    }
    let (new, card, _) = mother.draw_invite(&[2], in_an_hour);
    let turn = mother.turn(&new, vec![card]);

    assert_eq!(code(mother.command(ClientFrame::Turn(turn)).await), ErrorCode::Full);
    assert_eq!(mother.log.roster.invites().len(), MAX_INVITES);
}

#[tokio::test]
async fn a_card_holds_for_30_days_and_a_day_more_but_no_longer() {
    let mut scene = Scene::li().await;
    let now = scene.relay.raw().now().await;
    let (day, minute) = (24 * 60 * 60 * 1000, 60 * 1000);
    let mother = &mut scene.phones[0];

    let (new, card, _) = mother.draw_invite(&[2], now + 31 * day + minute);
    let turn = mother.turn(&new, vec![card]);
    let over = mother.command(ClientFrame::Turn(turn)).await;
    let spec = FamilySpec { expires_at: Some(now + 31 * day + minute), ..FamilySpec::li() };
    let enrolled = scene.programme.try_enrol(&spec.draw("PRATO-002", now).0).await;

    assert_eq!(code(over), ErrorCode::TooLarge);
    assert_eq!(code(enrolled), ErrorCode::TooLarge);
    mother.invite(&[2], now + 31 * day - minute).await;
    assert_eq!(mother.log.roster.invites().len(), 1);
}

#[tokio::test]
async fn a_family_has_at_most_32_members() {
    let mut scene = Scene::li().await;
    let mother = &mut scene.phones[0];
    let members = |upto: usize| {
        let upto = u32::try_from(upto).unwrap();
        let add = |member| Op::AddMember { member: MemberId(member), role: Role::Caregiver };
        (4..=upto).map(add).collect::<Vec<_>>()
    };

    let over = mother.link(members(MAX_MEMBERS + 1)).unwrap();
    let over = ClientFrame::Turn(mother.turn(&over, Vec::new()));

    assert_eq!(code(mother.command(over).await), ErrorCode::Full);
    mother.write(members(MAX_MEMBERS)).await;
    assert_eq!(mother.log.roster.members().len(), MAX_MEMBERS);
}

#[tokio::test]
async fn a_family_has_at_most_512_letters_that_wait() {
    let mut scene = Scene::li().await;
    let mother = &mut scene.phones[0];
    let hold = mother.held_letter("晚安", &[3], Ref([5; 12]));
    let holds = (1..=MAX_HELD as u64 + 1)
        .map(|n| ClientFrame::Hold(Hold { n, body_ref: Ref(random()), ..hold.clone() }));

    let answers = mother.ask(holds.collect()).await;

    let posted = answers.iter().filter(|answer| matches!(answer, RelayFrame::Posted(_)));
    assert_eq!(posted.count(), MAX_HELD);
    let full = |answer: &RelayFrame| matches!(answer, RelayFrame::Refused(refused) if refused.code == ErrorCode::Full);
    assert_eq!(answers.iter().filter(|answer| full(answer)).count(), 1);
}
