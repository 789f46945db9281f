//! A re-issued card: staff let a phone ask, two people compare digits, the family lets it in.

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Card, ClientFrame, Reissue, Request};
use jiashu_proto::id::{CodeHash, MemberId, Millis};
use jiashu_roster::Op;
use jiashu_seal::{InviteSecret, KeyPairs};
use jiashu_tests::{Asking, until};

use crate::scene::{CASE, Scene, bytes, code};

const HOUR_MS: Millis = 3_600_000;

/// The family Li, a link by which a phone of the grandmother may ask, and until when.
async fn reissued() -> (Scene<2>, InviteSecret, Millis) {
    let scene = Scene::li().await;
    let in_an_hour = scene.relay.raw().now().await + HOUR_MS;
    let link = scene.programme.reissue(CASE, &[2], in_an_hour).await.unwrap();
    (scene, link, in_an_hour)
}

#[tokio::test]
async fn a_phone_that_asked_is_let_in_by_the_family_once_the_digits_agree() {
    let (mut scene, link, expires_at) = reissued().await;
    let [mother, _] = &mut scene.phones;
    mother.post("还在吗").await;
    let asking = Asking::draw(scene.relay.raw(), scene.family.scope(), &link);

    let requested = asking.send().await.unwrap();
    mother.sync().await;
    let [request] = &mother.requests()[..] else { panic!("{:?}", mother.requests()) };
    let digits = mother.digits(request);
    assert_eq!(code(asking.way().look().await), ErrorCode::Invite, "asking opens nothing");
    mother.command(mother.admit(request, expires_at)).await.unwrap();

    assert_eq!(digits, asking.digits(&requested));
    assert_eq!((&requested.members[..], requested.expires_at), (&[MemberId(2)][..], expires_at));
    let invited = asking.way().look().await.unwrap();
    let attempt = asking.open(&invited, &requested).unwrap().attempt();
    attempt.send().await.unwrap();
    let mut phone = attempt.into_device();
    phone.sync().await;
    assert_eq!(phone.log.texts(), ["还在吗"], "with what was written before");
    phone.post("我换了手机").await;
    mother.sync().await;
    assert_eq!(mother.log.roster.devices().len(), 3);
    assert_eq!(code(asking.way().look().await), ErrorCode::Invite, "once");
}

#[tokio::test]
async fn a_request_whose_answer_was_lost_is_sent_again_and_stands_once() {
    let (mut scene, link, _) = reissued().await;
    let asking = Asking::draw(scene.relay.raw(), scene.family.scope(), &link);

    let first = asking.send().await.unwrap();
    let (at_once, too) = tokio::join!(asking.send(), asking.send());
    scene.relay.kill9();
    scene.relay.restart().await;
    let after_crash = asking.send().await.unwrap();

    assert_eq!(
        [at_once.unwrap(), too.unwrap(), after_crash],
        [first.clone(), first.clone(), first]
    );
    let mother = &mut scene.phones[0];
    mother.sync().await;
    assert_eq!(mother.requests().len(), 1);
}

#[tokio::test]
async fn of_two_phones_that_ask_by_one_link_at_once_only_one_is_heard() {
    let (mut scene, link, _) = reissued().await;
    let draw = || Asking::draw(scene.relay.raw(), scene.family.scope(), &link);
    let (one, other) = (draw(), draw());

    let answers = tokio::join!(one.send(), other.send());

    let refused = match answers {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
        both => panic!("one of two was to be heard: {both:?}"),
    };
    assert_eq!(refused.code, ErrorCode::Invite);
    let mother = &mut scene.phones[0];
    mother.sync().await;
    assert_eq!(mother.requests().len(), 1);
}

#[tokio::test]
async fn who_may_not_ask_learns_nothing_from_the_answer() {
    let (scene, link, _) = reissued().await;
    let raw = scene.relay.raw();
    let soon = raw.now().await + 4_000;
    let short = scene.programme.reissue(CASE, &[2], soon).await.unwrap();
    let expired = Asking::draw(raw, scene.family.scope(), &short).frame;
    let asking = Asking::draw(raw, scene.family.scope(), &link);
    asking.send().await.unwrap();
    until("the link expires", async || (raw.now().await > soon).then_some(())).await;
    let fresh = Asking::draw(raw, scene.family.scope(), &link).frame;
    let wrong = Asking::draw(raw, scene.family.scope(), &InviteSecret::generate()).frame;
    let cases = [
        ("used by another phone", fresh.clone()),
        ("used, by other keys", Request { code_hash: asking.frame.code_hash, ..fresh.clone() }),
        ("used, by one other key", Request { sign_pub: fresh.sign_pub, ..asking.frame.clone() }),
        ("expired", expired),
        ("of no family", Request { scope: jiashu_proto::id::Scope(7), ..wrong.clone() }),
        ("of a programme", Request { scope: scene.programme.token.scope, ..wrong.clone() }),
        ("without keys", Request { sign_pub: [0; 65], hpke_pub: [0; 65], ..wrong.clone() }),
    ];
    let expected = raw.post(&bytes(&[ClientFrame::Request(wrong)])).await.body;

    for (what, request) in cases {
        let answer = raw.post(&bytes(&[ClientFrame::Request(request)])).await.body;
        assert_eq!(answer, expected, "a link that is {what}");
    }
}

#[tokio::test]
async fn a_link_to_ask_by_opens_nothing_and_keys_that_are_none_do_not_use_it() {
    let (mut scene, link, _) = reissued().await;
    let raw = scene.relay.raw();
    let asking = Asking::draw(raw, scene.family.scope(), &link);
    let mother = &scene.phones[0];
    let as_card = jiashu_tests::joining::Way { secret: link, ..asking.way() };
    let cases = [
        ("no point", Request { sign_pub: [4; 65], ..asking.frame.clone() }),
        ("one key twice", Request { hpke_pub: asking.frame.sign_pub, ..asking.frame.clone() }),
        (
            "a key of the mother's",
            Request { sign_pub: mother.keys.sign.public().0, ..asking.frame.clone() },
        ),
        (
            "the key of a used card",
            Request {
                hpke_pub: scene.phones[0].log.roster.devices()[&mother.number()].hpke_pub.0,
                ..asking.frame.clone()
            },
        ),
    ];

    assert_eq!(code(as_card.look().await), ErrorCode::Invite);
    for (what, frame) in cases {
        let wrong = Asking { frame, ..asking.clone() };
        assert_eq!(code(wrong.send().await), ErrorCode::Malformed, "{what}");
    }

    asking.send().await.unwrap();
    scene.phones[0].sync().await;
    assert_eq!(scene.phones[0].requests().len(), 1);
}

#[tokio::test]
async fn a_card_without_a_blob_is_made_for_nobody_who_did_not_ask() {
    let (mut scene, link, expires_at) = reissued().await;
    let [mother, _] = &mut scene.phones;
    let asking = Asking::draw(scene.relay.raw(), scene.family.scope(), &link);
    let (ghost, card, _) = mother.draw_invite(&[2], expires_at);
    let empty = Card { blob: Vec::new(), ..card };
    let unasked = ClientFrame::Turn(mother.turn(&ghost, vec![empty.clone()]));
    let refused = mother.command(unasked).await;
    asking.send().await.unwrap();
    mother.sync().await;
    let request = mother.requests().remove(0);
    let (ghost, ..) = mother.draw_invite(&[2], expires_at);
    let with_its_code = Card { code_hash: request.code_hash, ..empty };
    let mut for_more = request.clone();
    for_more.members = vec![MemberId(1), MemberId(2)];
    let mut exchanged = request.clone();
    exchanged.code_hash = CodeHash([7; 32]);

    assert_eq!(code(refused), ErrorCode::BadLink);
    let cases = [
        ("other keys", ClientFrame::Turn(mother.turn(&ghost, vec![with_its_code]))),
        ("more members", mother.admit(&for_more, expires_at)),
        ("another code", mother.admit(&exchanged, expires_at)),
    ];
    for (what, turn) in cases {
        assert_eq!(code(mother.command(turn).await), ErrorCode::BadLink, "{what}");
    }
    let admit = mother.admit(&request, expires_at);
    let first = mother.command(admit.clone()).await.unwrap();
    let repeat = mother.command(admit).await.unwrap();
    assert_eq!((repeat.n, repeat.seq), (first.n, first.seq));
}

#[tokio::test]
async fn staff_let_only_members_ask_and_not_for_ever() {
    let scene = Scene::li().await;
    let raw = scene.relay.raw();
    let now = raw.now().await;
    let programme = &scene.programme;
    let reissue = |case_code: &str, members: &[u32], expires_at| {
        let (case_code, members) = (case_code.to_owned(), members.to_vec());
        async move { code(programme.reissue(&case_code, &members, expires_at).await) }
    };

    assert_eq!(reissue("PRATO-999", &[2], now + HOUR_MS).await, ErrorCode::Unknown);
    assert_eq!(reissue(CASE, &[4], now + HOUR_MS).await, ErrorCode::Unknown);
    assert_eq!(reissue(CASE, &[], now + HOUR_MS).await, ErrorCode::Malformed);
    assert_eq!(reissue(CASE, &[3, 2], now + HOUR_MS).await, ErrorCode::Malformed);
    assert_eq!(reissue(CASE, &[2], now - 1).await, ErrorCode::Malformed);
    assert_eq!(reissue(CASE, &[2], now + 32 * 24 * HOUR_MS).await, ErrorCode::Malformed);
    let again = Reissue {
        case_code: CASE.into(),
        members: vec![MemberId(2)],
        code_hash: CodeHash([9; 32]),
        expires_at: now + HOUR_MS,
    };
    let first = programme.ask(ClientFrame::Reissue(again.clone())).await.unwrap();
    assert_eq!(programme.ask(ClientFrame::Reissue(again.clone())).await.unwrap(), first);
    assert_eq!(first.family, scene.family.scope());
    for _ in 1..12 {
        programme.reissue(CASE, &[2], now + HOUR_MS).await.unwrap();
    }
    assert_eq!(reissue(CASE, &[2], now + HOUR_MS).await, ErrorCode::Full);
    assert_eq!(programme.ask(ClientFrame::Reissue(again)).await.unwrap(), first);
}

#[tokio::test]
async fn the_keys_of_a_request_are_let_in_once() {
    let (mut scene, link, expires_at) = reissued().await;
    let [mother, _] = &mut scene.phones;
    let asking = Asking::draw(scene.relay.raw(), scene.family.scope(), &link);
    asking.send().await.unwrap();
    mother.sync().await;
    let request = mother.requests().remove(0);
    mother.command(mother.admit(&request, expires_at)).await.unwrap();
    mother.sync().await;

    let keys = KeyPairs::generate();
    let op = Op::AddInvite {
        invite: mother.log.roster.next_invite(),
        sign_pub: asking.keys.sign.public(),
        hpke_pub: keys.hpke.public(),
        members: vec![MemberId(2)],
        expires_at,
    };

    assert!(mother.link(vec![op]).is_err(), "no key stands in a chain twice");
}
