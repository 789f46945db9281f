//! Letters that wait for their hour: each comes once, also when the relay was not there in time.

use jiashu_proto::entry::{Content, MessageKind, RuleText, ScheduleState};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Plan};
use jiashu_proto::id::{Millis, Ref};
use jiashu_proto::text::Picture;
use jiashu_tests::log::Letter;
use jiashu_tests::{RawDevice, until};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::operator::due_times;
use crate::scene::{Scene, code};

const DAY_MS: Millis = 86_400_000;

/// The child's clock at that instant, and the rule that begins then.
fn rule(at: Millis, rrule: Option<&str>) -> RuleText {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let start = zone.to_datetime(Timestamp::from_millisecond(at).unwrap());
    RuleText::new(start.to_string(), "Asia/Shanghai", rrule)
}

/// A whole second, at least `ms` from now.
async fn soon<const N: usize>(scene: &Scene<N>, ms: Millis) -> Millis {
    ((scene.relay.raw().now().await + ms) / 1000 + 1) * 1000
}

/// Waits until the phone has that letter.
async fn letter(phone: &mut RawDevice, text: &str) -> Letter {
    until("the letter comes", async || {
        phone.sync().await;
        phone.log.letters().into_iter().find(|letter| letter.text == text)
    })
    .await
}

/// How a schedule stands with this phone.
fn state(phone: &RawDevice, id: Ref) -> Option<ScheduleState> {
    let of = |content: &Content| match content {
        Content::Schedule(schedule) if schedule.id == id => Some(schedule.state),
        _ => None,
    };
    phone.log.entries.iter().rev().find_map(|taken| of(&taken.content))
}

#[tokio::test]
async fn a_letter_for_the_evening_comes_in_the_evening_and_once() {
    let mut scene = Scene::li().await;
    let due_at = soon(&scene, 2_000).await;
    let [mother, home] = &mut scene.phones;

    let id = mother.schedule("晚安", &[3], rule(due_at, None)).await;
    let fired = letter(home, "晚安").await;
    home.sync().await;

    let released = fired.fired.expect("a schedule released it");
    let expected =
        jiashu_roster::occurrence_ref(released.body_ref, id, &rule(due_at, None).start).unwrap();
    assert_eq!(fired.entry_ref, expected);
    assert_eq!((released.schedule, released.due_at), (id, due_at));
    assert_eq!(released.planned, rule(due_at, None).start);
    let taken = home.log.entries.iter().find(|taken| taken.seq == fired.seq).unwrap();
    assert!(taken.at >= due_at, "not before its hour");
    assert_eq!(home.log.texts(), ["晚安"]);
    assert_eq!(state(home, id), Some(ScheduleState::Spent));
}

#[tokio::test]
async fn a_picture_waits_for_its_hour_as_a_letter_does() {
    let mut scene = Scene::li().await;
    let rule = rule(soon(&scene, 2_000).await, None);
    let [mother, home] = &mut scene.phones;
    let id = Ref([7; 12]);

    let hold = mother.held_picture(Picture::Hug, &[3], id);
    mother.command(ClientFrame::Hold(hold)).await.unwrap();
    let plan = mother.plan(id, &[3], rule);
    mother.command(ClientFrame::Plan(plan)).await.unwrap();
    let fired = letter(home, "").await;

    assert_eq!(fired.fired.map(|fired| fired.schedule), Some(id));
    let taken = home.log.entries.iter().find(|taken| taken.seq == fired.seq).unwrap();
    let picture = MessageKind::Picture.number();
    assert!(matches!(taken.content, Content::Message(kind, _) if kind == picture));
}

#[tokio::test]
async fn a_letter_that_was_due_while_the_relay_was_down_comes_late_and_once() {
    let mut scene = Scene::li().await;
    let due_at = soon(&scene, 2_000).await;
    let id = scene.phones[0].schedule("晚安", &[3], rule(due_at, None)).await;
    let left = due_at - scene.relay.raw().now().await;

    scene.relay.kill9();
    // The hour itself is what is waited for, while nobody is there to ask.
    let left = u64::try_from(left).expect("it is not due yet");
    tokio::time::sleep(std::time::Duration::from_millis(left + 500)).await;
    scene.relay.restart().await;
    let home = &mut scene.phones[1];
    let fired = letter(home, "晚安").await;
    scene.relay.kill9();
    scene.relay.restart().await;
    let (mother, home) = (&scene.phones[0].clone(), &mut scene.phones[1]);
    home.sync().await;

    assert_eq!(fired.fired.as_ref().map(|fired| fired.due_at), Some(due_at));
    let taken = home.log.entries.iter().find(|taken| taken.seq == fired.seq).unwrap();
    assert!(taken.at >= due_at + 500, "it says when it came");
    assert_eq!(home.log.texts(), ["晚安"], "a second crash does not fire it again");
    assert_eq!(state(home, id), Some(ScheduleState::Spent));
    assert!(mother.welcome().await.is_ok());
}

#[tokio::test]
async fn a_daily_letter_is_due_again_the_next_day() {
    let mut scene = Scene::li().await;
    let due_at = soon(&scene, 2_000).await;
    let [mother, home] = &mut scene.phones;
    let id = mother.schedule("晚安", &[3], rule(due_at, Some("FREQ=DAILY"))).await;

    letter(home, "晚安").await;

    assert_eq!(state(home, id), Some(ScheduleState::Active));
    scene.relay.term().await;
    // Shanghai has no summer time: a day is a day.
    assert_eq!(due_times(&scene.relay.data_dir()), [due_at + DAY_MS]);
}

#[tokio::test]
async fn the_last_of_a_counted_rule_ends_its_schedule() {
    let mut scene = Scene::li().await;
    let due_at = soon(&scene, 2_000).await;
    let [mother, home] = &mut scene.phones;
    let since_yesterday = rule(due_at - DAY_MS, Some("FREQ=DAILY;COUNT=2"));
    let id = mother.schedule("晚安", &[3], since_yesterday).await;

    let fired = letter(home, "晚安").await;
    home.sync().await;

    assert_eq!(fired.fired.map(|fired| fired.due_at), Some(due_at), "yesterday's is past");
    assert_eq!(state(home, id), Some(ScheduleState::Spent));
}

#[tokio::test]
async fn a_letter_that_was_cancelled_before_its_hour_does_not_come() {
    let mut scene = Scene::li().await;
    let due_at = soon(&scene, 2_500).await;
    let [mother, home] = &mut scene.phones;
    let cancelled = mother.schedule("不要", &[3], rule(due_at, None)).await;
    let plan = Plan {
        entry_ref: Ref([5; 12]),
        state: ScheduleState::Cancelled,
        schedule: Some(cancelled),
        ..mother.plan(cancelled, &[3], rule(due_at, None))
    };
    mother.command(ClientFrame::Plan(plan)).await.unwrap();
    mother.schedule("要", &[3], rule(due_at + 1_000, None)).await;

    letter(home, "要").await;

    assert_eq!(home.log.texts(), ["要"], "what came after it is there, it is not");
    assert_eq!(state(home, cancelled), Some(ScheduleState::Cancelled));
}

#[tokio::test]
async fn a_schedule_that_cannot_be_is_refused() {
    let mut scene = Scene::li_with_three_phones().await;
    let tomorrow = soon(&scene, DAY_MS).await;
    let [mother, grandmother, _] = &mut scene.phones;
    let id = mother.schedule("晚安", &[3], rule(tomorrow, None)).await;
    let plan = |rule: RuleText| mother.plan(Ref([5; 12]), &[3], rule);
    let text = |start: &str, zone: &str, rrule: &str| RuleText::new(start, zone, Some(rrule));
    let bad = [
        ("past", plan(rule(tomorrow - 2 * DAY_MS, None))),
        ("zone", plan(text("2100-01-01T20:00:00", "Asia/Gansu", "FREQ=DAILY"))),
        ("start", plan(text("2100-01-01 20:00", "Asia/Shanghai", "FREQ=DAILY"))),
        ("rule", plan(text("2100-01-01T20:00:00", "Asia/Shanghai", "FREQ=SECONDLY"))),
        ("part", plan(text("2100-01-01T20:00:00", "Asia/Shanghai", "FREQ=DAILY;BYHOUR=3"))),
    ];
    let unknown = Plan { schedule: Some(Ref([6; 12])), ..plan(rule(tomorrow, None)) };
    let spent = Plan { state: ScheduleState::Spent, ..plan(rule(tomorrow, None)) };
    let twice = Plan { n: mother.n + 1, ..mother.plan(id, &[3], rule(tomorrow, None)) };
    let theirs =
        Plan { schedule: Some(id), ..grandmother.plan(Ref([5; 12]), &[3], rule(tomorrow, None)) };

    for (what, plan) in bad {
        let refused = mother.command(ClientFrame::Plan(plan)).await;
        assert_eq!(code(refused), ErrorCode::BadRule, "{what}");
    }
    assert_eq!(code(mother.command(ClientFrame::Plan(unknown)).await), ErrorCode::Unknown);
    assert_eq!(code(mother.command(ClientFrame::Plan(spent)).await), ErrorCode::NotAllowed);
    assert!(mother.command(ClientFrame::Plan(twice)).await.is_ok(), "a repeat, by its ref");
    assert_eq!(code(grandmother.command(ClientFrame::Plan(theirs)).await), ErrorCode::NotAllowed);
}
