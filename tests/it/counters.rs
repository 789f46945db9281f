//! The lane's own counter: repeats get their first answer, gaps are told, nothing is done twice.

use jiashu_proto::entry::{Consent, RuleText, Rung};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Post, Refused};
use jiashu_proto::id::{MemberId, Ref};
use jiashu_tests::{FamilySpec, RawDevice, TestRelay};

use crate::scene::{CASE, Scene, code};

/// What a refusal says of the counters.
fn renumbered(refused: &Refused) -> (ErrorCode, Option<u64>, Option<u64>) {
    (refused.code, refused.n, refused.last_n)
}

#[tokio::test]
async fn a_repeat_gets_its_first_answer_even_after_a_crash() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    let post = ClientFrame::Post(mother.letter("吃饭了吗", &[2, 3]));

    let first = mother.command(post.clone()).await.unwrap();
    let again = mother.command(post.clone()).await.unwrap();
    scene.relay.kill9();
    scene.relay.restart().await;
    let after_crash = mother.command(post).await.unwrap();
    home.sync().await;

    assert_eq!(again, first);
    assert_eq!(after_crash, first);
    assert_eq!(home.log.texts(), ["吃饭了吗"], "it stands in the log once");
    assert_eq!(mother.welcome().await.unwrap().last_n, 1);
}

#[tokio::test]
async fn a_counter_that_is_not_the_next_is_answered_with_the_last() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    mother.post_many(3).await;
    let letter = mother.letter("吃饭了吗", &[]);

    for n in [0, 1, 3, 5, u64::MAX] {
        let wrong = Post { n, entry_ref: Ref([9; 12]), ..letter.clone() };
        let refused = mother.command(ClientFrame::Post(wrong)).await.unwrap_err();

        assert_eq!(renumbered(&refused), (ErrorCode::Renumber, Some(n), Some(3)), "n = {n}");
    }
    assert!(mother.command(ClientFrame::Post(letter)).await.is_ok());
    home.sync().await;
    assert_eq!(home.log.texts(), ["letter 1", "letter 2", "letter 3", "吃饭了吗"]);
}

#[tokio::test]
async fn a_used_counter_with_another_turn_or_hold_is_renumbered_too() {
    let mut scene = Scene::li().await;
    let [mother, _] = &mut scene.phones;
    mother.post_many(2).await;
    let new = mother.link(Vec::new()).unwrap();
    let mut turn = mother.turn(&new, Vec::new());
    let mut hold = mother.held_letter("晚安", &[3], Ref([5; 12]));
    (turn.n, hold.n) = (2, 2);

    for frame in [ClientFrame::Turn(turn), ClientFrame::Hold(hold)] {
        let refused = mother.command(frame).await.unwrap_err();

        assert_eq!(renumbered(&refused), (ErrorCode::Renumber, Some(2), Some(2)));
    }
}

#[tokio::test]
async fn a_repeated_turn_hold_plan_or_receipt_gets_its_first_answer() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    let of = home.post("妈妈我吃了").await.entry_ref;
    let id = Ref([5; 12]);
    let rule = RuleText::new("2100-01-01T20:00:00", "Asia/Shanghai", None);
    let draw = |phone: &RawDevice, what| match what {
        "hold" => ClientFrame::Hold(phone.held_letter("晚安", &[3], id)),
        "plan" => ClientFrame::Plan(phone.plan(id, &[3], rule.clone())),
        "report" => ClientFrame::Report(phone.report(of, 2, Rung::Opened)),
        _ => ClientFrame::Turn(phone.turn(&phone.link(Vec::new()).unwrap(), Vec::new())),
    };

    for what in ["hold", "plan", "report", "turn"] {
        let frame = draw(mother, what);
        let first = mother.command(frame.clone()).await.unwrap();
        let again = mother.command(frame).await.unwrap();

        assert_eq!((again.n, again.entry_ref, again.seq), (first.n, first.entry_ref, first.seq));
        assert!(again.at == first.at || what == "hold", "{what}: a hold has no entry, so no time");
        assert_eq!(mother.welcome().await.unwrap().last_n, first.n, "{what}");
    }
}

#[tokio::test]
async fn a_refused_counter_may_go_to_another_command() {
    let mut scene = Scene::li().await;
    let [mother, _] = &mut scene.phones;
    let letter = mother.letter("吃饭了吗", &[]);
    let foreign = Post { from: MemberId(2), entry_ref: Ref([1; 12]), ..letter.clone() };

    let refused = mother.command(ClientFrame::Post(foreign)).await.unwrap_err();
    let taken = mother.command(ClientFrame::Post(letter)).await.unwrap();

    assert_eq!(refused.n, Some(1));
    assert_eq!(taken.n, 1);
}

#[tokio::test]
async fn the_answers_to_the_last_sixteen_commands_are_remembered() {
    let mut scene = Scene::li().await;
    let [mother, _] = &mut scene.phones;
    let mut letters = Vec::new();
    for number in 0..17 {
        let letter = mother.letter(&number.to_string(), &[]);
        let posted = mother.command(ClientFrame::Post(letter.clone())).await.unwrap();
        letters.push((letter, posted));
    }

    let (oldest, _) = &letters[0];
    let forgotten = mother.command(ClientFrame::Post(oldest.clone())).await.unwrap_err();

    assert_eq!(renumbered(&forgotten), (ErrorCode::Renumber, Some(1), Some(17)));
    for (letter, posted) in &letters[1..] {
        assert_eq!(mother.command(ClientFrame::Post(letter.clone())).await.as_ref(), Ok(posted));
    }
}

#[tokio::test]
async fn a_letter_under_the_old_key_is_sealed_again_with_the_same_counter_and_ref() {
    let mut scene = Scene::li().await;
    let [mother, home] = &mut scene.phones;
    let letter = mother.letter("吃饭了吗", &[]);
    home.write(Vec::new()).await;

    let refused = mother.command(ClientFrame::Post(letter.clone())).await.unwrap_err();
    mother.sync().await;
    let again = mother.seal_again(&letter, "吃饭了吗");
    let posted = mother.command(ClientFrame::Post(again)).await.unwrap();
    home.sync().await;

    assert_eq!((refused.code, refused.n), (ErrorCode::EpochOld, Some(letter.n)));
    assert_eq!((posted.n, posted.entry_ref), (letter.n, letter.entry_ref));
    assert_eq!(home.log.texts(), ["吃饭了吗"]);
}

#[tokio::test]
async fn letters_wait_until_the_guardian_has_consented_and_the_child_assented() {
    let consented = Consent { consent_on: Some("2026-11-02".into()), ..Consent::none(MemberId(3)) };
    let spec = FamilySpec { consents: vec![consented], ..FamilySpec::li() };
    let mut scene = Scene::<2>::of(TestRelay::start().await, spec).await;
    let [mother, home] = &mut scene.phones;
    let letter = ClientFrame::Post(mother.letter("吃饭了吗", &[]));

    let before = mother.command(letter.clone()).await;
    let assent = Consent { assent_on: Some("2026-11-20".into()), ..Consent::none(MemberId(3)) };
    let recorded = scene.programme.record(CASE, assent).await.unwrap();
    let after = mother.command(letter).await;
    home.sync().await;

    assert!(!scene.family.active);
    assert_eq!(code(before), ErrorCode::NotActive);
    assert!(recorded.active);
    assert_eq!(after.map(|posted| posted.n), Ok(1));
    assert_eq!(home.log.texts(), ["吃饭了吗"]);
}
