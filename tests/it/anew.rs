//! The last phone lost: a family begins anew, and what was before is answered so.

use std::time::Duration;

use jiashu_proto::entry::RuleText;
use jiashu_proto::error::{ErrorCode, close};
use jiashu_proto::frame::{ClientFrame, Enrol, RelayFrame};
use jiashu_proto::id::{Scope, Token};
use jiashu_seal::InviteSecret;
use jiashu_tests::dice::Dice;
use jiashu_tests::joining::Way;
use jiashu_tests::{FamilySpec, TestFamily, until};

use crate::healing::hand_in;
use crate::operator::due_times;
use crate::scene::{CASE, Scene, code};

/// The family Li drawn anew, in the place of the one that was.
async fn draw_anew(scene: &Scene<2>) -> (Enrol, Vec<InviteSecret>) {
    let (enrol, secrets) = FamilySpec::li().draw(CASE, scene.relay.raw().now().await);
    (Enrol { replaces: Some(scene.family.scope()), ..enrol }, secrets)
}

#[tokio::test]
async fn a_family_begins_anew_and_every_old_phone_is_told_so() {
    let mut scene = Scene::li().await;
    let (enrol, secrets) = draw_anew(&scene).await;
    let raw = scene.relay.raw();
    let [mother, home] = &mut scene.phones;
    let mut socket = scene.relay.open().await;
    socket.send(home.hello()).await;
    let post = ClientFrame::Post(mother.letter("在吗", &[]));

    let begun = scene.programme.try_enrol(&enrol).await.unwrap();

    assert_eq!((begun.family, begun.active), (enrol.family, true));
    let refused = |_, frame: &RelayFrame| match frame {
        RelayFrame::Refused(refused) => Some(refused.code),
        _ => None,
    };
    assert_eq!(socket.wait_for(refused).await, ErrorCode::NewChain);
    assert_eq!(socket.closed().await.0, close::UNAUTHORISED);
    assert_eq!(code(mother.welcome().await), ErrorCode::NewChain);
    let answers = raw.ask(vec![mother.hello(), post]).await;
    assert!(answers.iter().all(|answer| matches!(answer, RelayFrame::Refused(_))), "{answers:?}");
    assert_eq!(code(hand_in(raw, mother.hand_in(0)).await), ErrorCode::Stale);
    mother.token = Token { secret: [0; 16], ..mother.token.clone() };
    assert_eq!(code(mother.welcome().await), ErrorCode::Unauthorised, "who guesses learns nothing");
    let family = TestFamily { raw, enrol, secrets, active: true };
    let [mut mother, mut home] = family.join_all().await;
    mother.post("我们重新开始").await;
    home.sync().await;
    assert_eq!(home.log.texts(), ["我们重新开始"]);
}

#[tokio::test]
async fn nothing_of_the_old_family_opens_or_fires_any_more() {
    let mut scene = Scene::li().await;
    let raw = scene.relay.raw();
    let in_an_hour = raw.now().await + 3_600_000;
    let rule = RuleText::new("2100-01-01T20:00:00", "Asia/Shanghai", None);
    let mother = &mut scene.phones[0];
    let card = mother.invite(&[2], in_an_hour).await;
    mother.schedule("晚安", &[3], rule).await;
    let link = scene.programme.reissue(CASE, &[2], in_an_hour).await.unwrap();
    let asking = jiashu_tests::Asking::draw(raw, scene.family.scope(), &link);
    let card_ends = in_an_hour + 3_600_000;
    let spec = FamilySpec { expires_at: Some(card_ends), ..FamilySpec::li() };
    let (drawn, _) = spec.draw(CASE, in_an_hour);
    let enrol = Enrol { replaces: Some(scene.family.scope()), ..drawn };

    scene.programme.try_enrol(&enrol).await.unwrap();

    assert_eq!(code(card.look().await), ErrorCode::Invite);
    assert_eq!(code(asking.send().await), ErrorCode::Invite);
    scene.relay.term().await;
    let due = due_times(&scene.relay.data_dir());
    assert_eq!(due, [card_ends, card_ends], "of the two new cards alone");
}

#[tokio::test]
async fn beginning_anew_again_changes_nothing_even_after_a_crash() {
    let mut scene = Scene::li().await;
    let (enrol, secrets) = draw_anew(&scene).await;
    let (other, _) = draw_anew(&scene).await;

    let first = scene.programme.try_enrol(&enrol).await.unwrap();
    let again = scene.programme.try_enrol(&enrol).await.unwrap();
    scene.relay.kill9();
    scene.relay.restart().await;
    let after_crash = scene.programme.try_enrol(&enrol).await.unwrap();
    let plain = scene.programme.try_enrol(&scene.family.enrol).await.unwrap();
    let late = scene.programme.try_enrol(&other).await;

    assert_eq!([&again, &after_crash, &plain], [&first; 3]);
    assert_eq!(code(late), ErrorCode::Stale, "the case has another family by now");
    let card = Way { raw: scene.relay.raw(), scope: enrol.family, secret: secrets[0].clone() };
    let mut mother = card.join().await;
    mother.sync().await;
    mother.post("我到了").await;
    assert_eq!(code(scene.phones[0].welcome().await), ErrorCode::NewChain);
}

#[tokio::test]
async fn a_relay_that_is_killed_in_between_finishes_what_it_began() {
    let mut dice = Dice::new(13);
    let mut scene = Scene::li().await;
    for round in 0..8 {
        let (drawn, secrets) = draw_anew(&scene).await;
        let enrol = Enrol { replaces: Some(scene.family.scope()), ..drawn };
        let frames = vec![(0, scene.programme.hello()), (0, ClientFrame::Enrol(enrol.clone()))];
        let raw = scene.relay.raw();
        let begin = tokio::spawn(async move { raw.try_round(&frames).await });
        tokio::time::sleep(Duration::from_micros(dice.below(4_000))).await;
        scene.relay.kill9();
        let _ = begin.await.unwrap();
        scene.relay.restart().await;
        let card = Way { raw, scope: enrol.family, secret: secrets[0].clone() };

        // Either nothing was noted, or all of it is finished without being asked again.
        until("old and new agree", async || {
            let old = scene.phones[0].welcome().await.map_err(|refused| refused.code);
            match (card.look().await, old) {
                (Ok(_), Err(ErrorCode::NewChain)) | (Err(_), Ok(_)) => Some(()),
                _ => None,
            }
        })
        .await;
        scene.programme.try_enrol(&enrol).await.unwrap();

        assert_eq!(code(scene.phones[0].welcome().await), ErrorCode::NewChain, "round {round}");
        let family = TestFamily { raw, enrol, secrets, active: true };
        scene.phones = family.join_all().await;
        scene.family = family;
    }
}

#[tokio::test]
async fn no_family_ends_by_a_case_that_is_not_its_own() {
    let mut scene = Scene::li().await;
    let victim = scene.family.scope();
    let now = scene.relay.raw().now().await;
    let draw = |case_code: &str, replaces| {
        let (enrol, _) = FamilySpec::li().draw(case_code, now);
        Enrol { replaces, ..enrol }
    };
    let programme = &scene.programme;
    programme.enrol("PRATO-002", &FamilySpec::li()).await;
    // A case that claims the victim's number stays noted, though it was refused.
    let claims = Enrol { family: victim, ..draw("PRATO-003", None) };
    assert_eq!(code(programme.try_enrol(&claims).await), ErrorCode::Exists);
    let itself = Enrol { family: victim, ..draw(CASE, Some(victim)) };
    let taken = Enrol { family: programme.token.scope, ..draw(CASE, Some(victim)) };
    let cases = [
        ("a new case", draw("PRATO-004", Some(victim)), ErrorCode::Unknown),
        ("another family's case", draw("PRATO-002", Some(victim)), ErrorCode::Stale),
        ("a case that claims its number", draw("PRATO-003", Some(victim)), ErrorCode::Unknown),
        ("no family", draw(CASE, Some(Scope(7))), ErrorCode::Stale),
        ("the programme", draw(CASE, Some(programme.token.scope)), ErrorCode::Stale),
        ("itself", itself, ErrorCode::Malformed),
        ("a number that is taken", taken, ErrorCode::Exists),
    ];

    for (what, enrol, expected) in cases {
        assert_eq!(code(programme.try_enrol(&enrol).await), expected, "{what}");
    }

    let [mother, home] = &mut scene.phones;
    mother.post("我们还在").await;
    home.sync().await;
    assert_eq!(home.log.texts(), ["我们还在"]);
}
