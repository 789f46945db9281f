//! Enrolling: a repeat changes nothing, a wrong family is refused before anything is written.

use jiashu_proto::entry::Consent;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::Enrol;
use jiashu_proto::id::{InviteId, MemberId};
use jiashu_tests::programme::consent;
use jiashu_tests::{FamilySpec, Programme, TestRelay};

use crate::scene::{CASE, Scene, code};

#[tokio::test]
async fn an_enrolment_sent_again_changes_nothing() {
    let mut scene = Scene::li().await;
    let mother = &mut scene.phones[0];
    mother.sync().await;

    let again = scene.programme.try_enrol(&scene.family.enrol).await.unwrap();

    assert_eq!((again.family, again.active), (scene.family.scope(), true));
    assert!(mother.sync().await.is_empty(), "the family's log stays as it is");
    assert_eq!(code(scene.family.card(0).look().await), ErrorCode::Invite, "a used card stays so");
}

#[tokio::test]
async fn a_case_enrolled_twice_is_the_family_that_was_first() {
    let scene = Scene::li().await;
    let now = scene.relay.raw().now().await;
    let (anothers, secrets) = FamilySpec::li().draw(CASE, now);

    let enrolled = scene.programme.try_enrol(&anothers).await.unwrap();

    assert_eq!(enrolled.family, scene.family.scope());
    let never = jiashu_tests::joining::Way {
        raw: scene.relay.raw(),
        scope: anothers.family,
        secret: secrets[0].clone(),
    };
    assert_eq!(code(never.look().await), ErrorCode::Invite, "the second was never made");
}

#[tokio::test]
async fn a_family_number_that_is_taken_is_refused_and_another_goes() {
    let scene = Scene::li().await;
    let now = scene.relay.raw().now().await;
    let (other, _) = FamilySpec::li().draw("PRATO-002", now);
    let taken = Enrol { family: scene.family.scope(), ..other.clone() };

    let refused = scene.programme.try_enrol(&taken).await;
    let with_another = scene.programme.try_enrol(&other).await;

    assert_eq!(code(refused), ErrorCode::Exists);
    assert_eq!(with_another.map(|enrolled| enrolled.family), Ok(other.family));
}

#[tokio::test]
async fn a_case_that_was_refused_records_nothing_of_the_family_whose_number_it_named() {
    let scene = Scene::li().await;
    let (other, _) = FamilySpec::li().draw("PRATO-002", scene.relay.raw().now().await);
    let taken = Enrol { family: scene.family.scope(), ..other };
    assert_eq!(code(scene.programme.try_enrol(&taken).await), ErrorCode::Exists);
    let day = Consent { assent_on: Some("2026-11-30".into()), ..consent(3) };

    let recorded = scene.programme.record("PRATO-002", day).await;

    assert_eq!(code(recorded), ErrorCode::Unknown);
    assert!(scene.phones[0].clone().sync().await.is_empty(), "its log stays as it is");
}

#[tokio::test]
async fn what_does_not_belong_together_is_not_enrolled() {
    let relay = TestRelay::start().await;
    let programme = Programme::of(&relay).await;
    let (good, _) = FamilySpec::li().draw(CASE, relay.raw().now().await);
    let change = |change: &dyn Fn(&mut Enrol)| {
        let mut wrong = good.clone();
        change(&mut wrong);
        wrong
    };
    let dated = |consent_on: &str| Consent { consent_on: Some(consent_on.into()), ..consent(3) };
    let cases: Vec<(&str, Enrol, ErrorCode)> = vec![
        ("a member is missing", change(&|it| drop(it.members.pop())), ErrorCode::Malformed),
        ("members in disorder", change(&|it| it.members.reverse()), ErrorCode::Malformed),
        (
            "a member who is none",
            change(&|it| it.members[2].member = MemberId(4)),
            ErrorCode::Malformed,
        ),
        (
            "a zone that is none",
            change(&|it| it.members[0].zone = "Europe/Prato".into()),
            ErrorCode::Malformed,
        ),
        (
            "a long language",
            change(&|it| it.members[0].language = "x".repeat(65)),
            ErrorCode::Malformed,
        ),
        ("a card is missing", change(&|it| drop(it.cards.pop())), ErrorCode::BadLink),
        ("a card too many", change(&|it| it.cards.push(it.cards[0].clone())), ErrorCode::BadLink),
        ("cards in disorder", change(&|it| it.cards.reverse()), ErrorCode::BadLink),
        ("a card of no invite", change(&|it| it.cards[0].invite = InviteId(9)), ErrorCode::BadLink),
        (
            "a card that is too large",
            change(&|it| it.cards[0].blob = vec![0; 4097]),
            ErrorCode::TooLarge,
        ),
        (
            "a consent of nobody",
            change(&|it| it.consents[0].member = MemberId(4)),
            ErrorCode::Malformed,
        ),
        (
            "a consent twice",
            change(&|it| it.consents = vec![consent(3), consent(3)]),
            ErrorCode::Malformed,
        ),
        (
            "a day that is none",
            change(&|it| it.consents = vec![dated("2026-02-30")]),
            ErrorCode::Malformed,
        ),
        (
            "a day in another form",
            change(&|it| it.consents = vec![dated("20261102")]),
            ErrorCode::Malformed,
        ),
        ("no case code", change(&|it| it.case_code.clear()), ErrorCode::Malformed),
        ("a long case code", change(&|it| it.case_code = "x".repeat(65)), ErrorCode::Malformed),
        ("a name as case code", change(&|it| it.case_code = "小明".into()), ErrorCode::Malformed),
        ("no link", change(&|it| it.link.clear()), ErrorCode::BadLink),
        ("a changed link", change(&|it| *it.link.last_mut().unwrap() ^= 1), ErrorCode::BadLink),
    ];

    for (what, wrong, expected) in cases {
        assert_eq!(code(programme.try_enrol(&wrong).await), expected, "{what}");
    }

    let enrolled = programme.try_enrol(&good).await.unwrap();
    assert_eq!(enrolled.family, good.family, "nothing of the refused ones was written");
}

#[tokio::test]
async fn a_later_link_enrols_no_family() {
    let scene = Scene::li().await;
    let later = scene.phones[0].link(Vec::new()).unwrap().link;
    let (other, _) = FamilySpec::li().draw("PRATO-002", scene.relay.raw().now().await);

    let refused = scene.programme.try_enrol(&Enrol { link: later, cards: vec![], ..other }).await;

    assert!(matches!(code(refused), ErrorCode::BadLink | ErrorCode::Stale));
}

#[tokio::test]
async fn consent_is_recorded_for_members_of_enrolled_families_alone() {
    let scene = Scene::li().await;
    let no_day = Consent { assent_on: Some("morgen".into()), ..consent(3) };

    let no_case = scene.programme.record("PRATO-999", consent(3)).await;
    let no_member = scene.programme.record(CASE, consent(4)).await;
    let no_date = scene.programme.record(CASE, no_day).await;
    let again = scene.programme.record(CASE, consent(3)).await;

    assert_eq!(code(no_case), ErrorCode::Unknown);
    assert_eq!(code(no_member), ErrorCode::Unknown);
    assert_eq!(code(no_date), ErrorCode::Malformed);
    assert_eq!(again.map(|enrolled| enrolled.active), Ok(true));
}

#[tokio::test]
async fn an_enrolment_sent_again_after_a_crash_is_the_same_family() {
    let mut relay = TestRelay::start().await;
    let programme = Programme::of(&relay).await;
    let (enrol, secrets) = FamilySpec::li().draw(CASE, relay.raw().now().await);

    programme.try_enrol(&enrol).await.unwrap();
    relay.kill9();
    relay.restart().await;
    let again = programme.try_enrol(&enrol).await.unwrap();

    let card = jiashu_tests::joining::Way {
        raw: relay.raw(),
        scope: again.family,
        secret: secrets[0].clone(),
    };
    let mut mother = card.join().await;
    mother.sync().await;
    mother.post("我到了").await;
    assert_eq!(mother.log.roster.members().len(), 3);
}
