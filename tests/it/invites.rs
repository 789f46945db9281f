//! Cards: used once, one answer for all that do not open, and a join whose answer was lost.

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Invited, Join, Look, RelayFrame, Setup};
use jiashu_proto::id::{InviteId, Scope};
use jiashu_roster::{Asked, Op};
use jiashu_tests::joining::Attempt;
use jiashu_tests::programme::draw_setup;
use jiashu_tests::{FamilySpec, Programme, TestFamily, TestRelay, until};

use crate::scene::{Scene, bytes, code};

/// What the first card of a family that nobody has joined would do, drawn without the relay.
fn first_join(family: &TestFamily) -> Attempt {
    let way = family.card(0);
    let invited = Invited {
        invite: InviteId(1),
        blob: family.enrol.cards[0].blob.clone(),
        links: vec![family.enrol.link.clone().into()],
        wraps: None,
        expires_at: 0,
    };
    way.open(&invited).unwrap().attempt()
}

#[tokio::test]
async fn a_wrong_a_used_a_closed_and_an_expired_card_are_refused_alike() {
    let mut scene = Scene::li_with_three_phones().await;
    let raw = scene.relay.raw();
    let now = raw.now().await;
    let used = scene.family.card(0);
    let mother = &mut scene.phones[0];
    let closed = mother.invite(&[2], now + 3_600_000).await;
    let closing = closed.attempt().await.frame;
    mother.write(vec![Op::CloseInvite { invite: InviteId(4), asked: Asked::ByFamily }]).await;
    let past = FamilySpec { expires_at: Some(now - 1), ..FamilySpec::li() };
    let expired = scene.programme.enrol("PRATO-002", &past).await;
    let plausible = first_join(&expired).frame;
    let (own, code) = (scene.family.scope(), used.secret.code());
    let cases: [(&str, Look, Join); 5] = [
        ("used", Look { scope: own, code }, Join { scope: own, code, ..plausible.clone() }),
        ("closed", Look { scope: own, code: closed.secret.code() }, closing),
        ("expired", Look { scope: expired.scope(), code: plausible.code }, plausible.clone()),
        (
            "wrong",
            Look { scope: own, code: [7; 16] },
            Join { scope: own, code: [7; 16], ..plausible.clone() },
        ),
        (
            "of a family that never was",
            Look { scope: Scope(42), code },
            Join { scope: Scope(42), code, ..plausible },
        ),
    ];
    let expected = raw.post(&bytes(&[ClientFrame::Look(cases[0].1.clone())])).await.body;

    for (what, look, join) in cases {
        for frame in [ClientFrame::Look(look), ClientFrame::Join(join)] {
            let answer = raw.post(&bytes(std::slice::from_ref(&frame))).await.body;

            assert_eq!(answer, expected, "{} with a card that is {what}", frame.name());
        }
    }
}

#[tokio::test]
async fn a_card_expires_by_itself() {
    let relay = TestRelay::start().await;
    let programme = Programme::of(&relay).await;
    let expires_at = relay.raw().now().await + 1_500;
    let spec = FamilySpec { expires_at: Some(expires_at), ..FamilySpec::li() };
    let family = programme.enrol("PRATO-001", &spec).await;
    let attempt = first_join(&family);

    until("the card is refused", async || family.card(0).look().await.err()).await;

    assert!(relay.raw().now().await >= expires_at, "not before its time");
    assert_eq!(code(attempt.send().await), ErrorCode::Invite);
}

#[tokio::test]
async fn looking_uses_up_nothing() {
    let relay = TestRelay::start().await;
    let programme = Programme::of(&relay).await;
    let family = programme.enrol("PRATO-001", &FamilySpec::li()).await;

    let looks = [
        family.card(0).look().await.unwrap(),
        family.card(0).look().await.unwrap(),
        family.card(0).look().await.unwrap(),
    ];
    let mut mother = family.join(0).await;

    assert!(looks.iter().all(|look| *look == looks[0]));
    mother.sync().await;
    assert_eq!(mother.log.roster.devices().len(), 1);
    assert_eq!(code(family.card(0).look().await), ErrorCode::Invite, "joining uses it");
}

#[tokio::test]
async fn a_join_whose_answer_was_lost_is_sent_again() {
    let mut relay = TestRelay::start().await;
    let programme = Programme::of(&relay).await;
    let family = programme.enrol("PRATO-001", &FamilySpec::li()).await;
    let attempt = family.card(0).attempt().await;

    let first = attempt.send().await.unwrap();
    let at_once = attempt.send().await.unwrap();
    family.join(1).await;
    let after_another = attempt.send().await.unwrap();
    relay.kill9();
    relay.restart().await;
    let after_crash = attempt.send().await.unwrap();

    assert_eq!([at_once, after_another, after_crash], [first; 3]);
    let mut mother = attempt.into_device();
    mother.sync().await;
    assert_eq!(mother.log.roster.devices().len(), 2, "and nobody came in twice");
    mother.post("我到了").await;
}

#[tokio::test]
async fn of_two_who_join_at_once_by_two_cards_the_second_follows_with_the_next_link() {
    let relay = TestRelay::start().await;
    let programme = Programme::of(&relay).await;
    let family = programme.enrol("PRATO-001", &FamilySpec::li()).await;
    let attempts = [family.card(0).attempt().await, family.card(1).attempt().await];

    let (one, other) = tokio::join!(attempts[0].send(), attempts[1].send());

    let late = match (one, other) {
        (Ok(_), Err(refused)) => {
            assert_eq!(refused.code, ErrorCode::Stale);
            1
        }
        (Err(refused), Ok(_)) => {
            assert_eq!(refused.code, ErrorCode::Stale);
            0
        }
        both => panic!("one of two was to be late: {both:?}"),
    };
    let mut follower = family.join(late).await;
    follower.sync().await;
    assert_eq!(follower.log.roster.devices().len(), 2);
    assert_eq!(follower.log.roster.number(), 3);
}

#[tokio::test]
async fn of_two_who_join_at_once_by_one_card_only_one_is_let_in() {
    let relay = TestRelay::start().await;
    let programme = Programme::of(&relay).await;
    let family = programme.enrol("PRATO-001", &FamilySpec::li()).await;
    let (card, rival) = (family.card(0).attempt().await, family.card(0).attempt().await);

    let (one, other) = tokio::join!(card.send(), rival.send());

    let (winner, loser, refused) = match (one, other) {
        (Ok(_), Err(refused)) => (card, rival, refused),
        (Err(refused), Ok(_)) => (rival, card, refused),
        both => panic!("one of two was to be let in: {both:?}"),
    };
    assert!(matches!(refused.code, ErrorCode::Invite | ErrorCode::Stale), "{refused:?}");
    assert_eq!(code(loser.send().await), ErrorCode::Invite);
    assert_eq!(code(loser.into_device().welcome().await), ErrorCode::Unauthorised);
    assert!(winner.into_device().welcome().await.is_ok());
}

#[tokio::test]
async fn a_join_by_a_link_of_another_shape_is_refused_and_the_card_stays_open() {
    let scene = Scene::li().await;
    let family = scene.programme.enrol("PRATO-002", &FamilySpec::li()).await;
    let (good, other) = (family.card(0).attempt().await, family.card(1).attempt().await);
    let stranger = jiashu_seal::KeyPairs::generate();
    let joins = [
        ("by another card's link", Join { link: other.frame.link, ..good.frame.clone() }),
        (
            "signed by a stranger",
            Join {
                link: crate::scene::forge(&good.frame.link, &stranger.sign, |_| {}),
                ..good.frame.clone()
            },
        ),
        ("with another link's wraps", Join { wraps: other.frame.wraps, ..good.frame.clone() }),
        ("by link 1", Join { link: family.enrol.link.clone(), ..good.frame.clone() }),
        ("by no link", Join { link: Vec::new(), ..good.frame.clone() }),
    ];

    for (what, join) in joins {
        let answer = scene.relay.raw().one(ClientFrame::Join(join)).await;
        let jiashu_proto::frame::RelayFrame::Refused(refused) = answer else {
            panic!("{what}: {answer:?}")
        };
        assert_eq!(refused.code, ErrorCode::BadLink, "{what}");
    }

    assert!(good.send().await.is_ok());
}

#[tokio::test]
async fn a_card_of_a_family_makes_nobody_a_member_of_staff() {
    let relay = TestRelay::start().await;
    let programme = Programme::of(&relay).await;
    let family = programme.enrol("PRATO-001", &FamilySpec::li()).await;
    let setup = |code| {
        let (drawn, _) = draw_setup(code);
        ClientFrame::Setup(Setup { programme: family.scope(), ..drawn })
    };
    let raw = relay.raw();
    let refused = raw.post(&bytes(&[setup([7; 16])])).await.body;

    let answer = raw.post(&bytes(&[setup(family.card(0).secret.code())])).await.body;

    assert_eq!(answer, refused, "as with a wrong code");
    let joined = raw.one(ClientFrame::Join(first_join(&family).frame)).await;
    assert!(matches!(joined, RelayFrame::Joined(_)), "the card is as good as before: {joined:?}");
}
