//! Letter banks and what belongs to them, by the protocol alone: each letter once, what is missed and
//! what has expired told to its author, letters given back to nobody else, rules previewed.

use jiashu_proto::entry::{Content, Notice, Noticed, RuleText, ScheduleState};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{
    ClientFrame, GiveBack, GivenBack, Hold, Plan, Post, Preview, RelayFrame,
};
use jiashu_proto::id::{Millis, Ref};
use jiashu_seal::random;
use jiashu_tests::{RawDevice, until};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::operator::due_times;
use crate::scene::{Scene, code};

const ID: Ref = Ref([9; 12]);

fn civil(at: Millis) -> String {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    zone.to_datetime(Timestamp::from_millisecond(at).unwrap()).to_string()
}

/// These instants, in whole seconds, on the child's clock.
fn at_each(times: &[Millis]) -> RuleText {
    RuleText {
        start: civil(times[0]),
        zone: "Asia/Shanghai".into(),
        rrule: None,
        also: times[1..].iter().copied().map(civil).collect(),
        except: Vec::new(),
    }
}

async fn second<const N: usize>(scene: &Scene<N>, ahead: Millis) -> Millis {
    (scene.relay.raw().now().await / 1_000 + ahead) * 1_000
}

fn notices(phone: &RawDevice) -> Vec<Notice> {
    let notice = |content: &Content| match content {
        Content::Notice(notice) => Some(notice.clone()),
        _ => None,
    };
    phone.log.entries.iter().filter_map(|taken| notice(&taken.content)).collect()
}

async fn hold(phone: &mut RawDevice, text: &str) -> Hold {
    let hold = phone.held_letter(text, &[3], ID);
    phone.command(ClientFrame::Hold(hold.clone())).await.unwrap();
    hold
}

async fn bank(phone: &mut RawDevice, rule: RuleText) {
    let plan = Plan { bank: true, ..phone.plan(ID, &[3], rule) };
    phone.command(ClientFrame::Plan(plan)).await.unwrap();
}

async fn given_back(phone: &RawDevice) -> GivenBack {
    let asked = ClientFrame::GiveBack(GiveBack { schedule: ID, after: None });
    let answers = phone.ask(vec![asked]).await;
    let given = answers.into_iter().find_map(|frame| match frame {
        RelayFrame::GivenBack(given) => Some(given),
        _ => None,
    });
    given.expect("they are given back, or there are none")
}

#[tokio::test]
async fn a_bank_releases_each_letter_once_and_its_author_alone_hears_that_it_is_empty() {
    let mut scene = Scene::li().await;
    let first = second(&scene, 5).await;
    let [mother, home] = &mut scene.phones;
    for text in ["one", "two", "three"] {
        hold(mother, text).await;
    }
    bank(mother, at_each(&[first, first + 1_000, first + 2_000, first + 3_000, first + 9_000_000]))
        .await;

    let told = until("the bank is empty", async || {
        mother.sync().await;
        let told = notices(mother);
        (told.len() == 3).then_some(told)
    })
    .await;
    home.sync().await;

    assert_eq!(home.log.texts(), ["one", "two", "three"]);
    let told: Vec<_> = told.iter().map(|one| (one.what, one.left)).collect();
    assert_eq!(told, [(Noticed::Low, Some(2)), (Noticed::Low, Some(0)), (Noticed::Missed, None)]);
    assert_eq!(notices(home), [], "it is nobody else's");
}

#[tokio::test]
async fn letters_ahead_are_given_back_to_their_author_alone_and_can_be_exchanged() {
    let mut scene = Scene::li().await;
    let tomorrow = second(&scene, 86_400).await;
    let [mother, home] = &mut scene.phones;
    let (one, two) = (hold(mother, "one").await, hold(mother, "two").await);
    bank(mother, at_each(&[tomorrow, tomorrow + 1_000])).await;

    let better = Hold { replaces: Some(one.body_ref), ..mother.held_letter("better", &[3], ID) };
    mother.command(ClientFrame::Hold(better.clone())).await.unwrap();
    let again = Hold { replaces: Some(one.body_ref), ..mother.held_letter("worse", &[3], ID) };
    let gone = mother.command(ClientFrame::Hold(again)).await;
    let given = given_back(mother).await;
    let others = given_back(home).await;

    let names = given.bodies.iter().map(|body| match Content::from_bytes(body).unwrap() {
        Content::Message(_, message) => message.entry_ref,
        other => panic!("{other:?}"),
    });
    assert_eq!(names.collect::<Vec<_>>(), [better.body_ref, two.body_ref]);
    assert_eq!(code(gone), ErrorCode::Unknown);
    assert!(others.bodies.is_empty() && !others.more);
    home.sync().await;
    assert_eq!(home.log.texts(), Vec::<String>::new(), "nobody sees them early");
}

#[tokio::test]
async fn of_two_changes_at_once_the_second_is_told_to_look_again() {
    let mut scene = Scene::li().await;
    let tomorrow = second(&scene, 86_400).await;
    let mother = &mut scene.phones[0];
    hold(mother, "one").await;
    bank(mother, at_each(&[tomorrow])).await;
    let change = |phone: &RawDevice, number: u8, state, seen| {
        let plan = phone.plan(Ref([number; 12]), &[3], at_each(&[tomorrow + 1_000]));
        ClientFrame::Plan(Plan { schedule: Some(ID), bank: true, state, seen: Some(seen), ..plan })
    };

    let pause = change(mother, 1, ScheduleState::Paused, 0);
    mother.command(pause).await.unwrap();
    let stale = change(mother, 2, ScheduleState::Active, 0);
    let stale = mother.command(stale).await;
    let resume = change(mother, 3, ScheduleState::Active, 1);
    let resumed = mother.command(resume).await;

    assert_eq!(code(stale), ErrorCode::Stale);
    assert!(resumed.is_ok(), "{resumed:?}");
}

#[tokio::test]
async fn what_was_worth_something_until_then_is_a_tombstone_and_its_author_hears_of_it() {
    let mut scene = Scene::li().await;
    let until_then = scene.relay.raw().now().await + 3_000;
    let [mother, home] = &mut scene.phones;
    let post = Post { until: Some(until_then), ..mother.letter("come and see", &[3]) };
    let entry_ref = post.entry_ref;
    mother.command(ClientFrame::Post(post)).await.unwrap();

    let told = until("it has expired", async || {
        mother.sync().await;
        notices(mother).pop()
    })
    .await;
    home.sync().await;

    assert_eq!((told.what, told.of), (Noticed::Expired, Some(entry_ref)));
    assert_eq!(told.members.iter().map(|member| member.0).collect::<Vec<_>>(), [3]);
    let stones = home.log.entries.iter().filter_map(|taken| match &taken.content {
        Content::Tombstone(stone) => Some((stone.entry_ref, stone.until)),
        _ => None,
    });
    assert_eq!(stones.collect::<Vec<_>>(), [(entry_ref, until_then)]);
    assert_eq!(home.log.texts(), Vec::<String>::new());
}

#[tokio::test]
async fn a_rule_is_previewed_on_several_clocks_within_bounds() {
    let scene = Scene::li().await;
    let mother = &scene.phones[0];
    let asked = |rrule: &str, zones: &[&str], count| Preview {
        rule: RuleText::new("2027-03-21T19:30:00", "Asia/Shanghai", Some(rrule)),
        zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        count,
        after: Some(0),
    };
    let ask = async |asked| {
        let answers = mother.ask(vec![ClientFrame::Preview(asked)]).await;
        answers.into_iter().find_map(|frame| match frame {
            RelayFrame::Previewed(previewed) => Some(Ok(previewed)),
            RelayFrame::Refused(refused) => Some(Err(refused.code)),
            _ => None,
        })
    };

    let shown = ask(asked("FREQ=WEEKLY", &["Europe/Rome"], 2)).await.unwrap().unwrap();
    let sundays: Vec<_> =
        shown.occurrences.iter().map(|one| (&*one.clocks[0].local, one.clocks[0].shifts)).collect();
    assert_eq!(
        sundays,
        [("2027-03-21T12:30:00+01:00", false), ("2027-03-28T13:30:00+02:00", true)]
    );
    let four = ["UTC"; 4];
    assert!(ask(asked("FREQ=DAILY", &four, 64)).await.unwrap().is_ok());
    for (zones, count) in [(&four[..], 65), (&["UTC"; 5][..], 1)] {
        let refused = ask(asked("FREQ=DAILY", zones, count)).await;
        assert_eq!(refused, Some(Err(ErrorCode::TooLarge)));
    }
    for (rrule, zone) in [("FREQ=SECONDLY", "UTC"), ("FREQ=DAILY", "Mars/Olympus")] {
        let refused = ask(asked(rrule, &[zone], 1)).await;
        assert_eq!(refused, Some(Err(ErrorCode::BadRule)));
    }
    let early = scene.relay.raw().one(ClientFrame::Preview(asked("FREQ=DAILY", &[], 1))).await;
    let RelayFrame::Refused(early) = early else { panic!("{early:?}") };
    assert_eq!(early.code, ErrorCode::HelloFirst);
}

#[tokio::test]
async fn ten_thousand_schedules_of_one_device_are_not_taken() {
    const AT_ONCE: usize = 100;
    let mut scene = Scene::li().await;
    let tomorrow = second(&scene, 86_400).await;
    let mother = &mut scene.phones[0];
    let mut taken = 0;
    let full = loop {
        let plan = mother.plan(Ref(random()), &[3], at_each(&[tomorrow]));
        match mother.command(ClientFrame::Plan(plan)).await {
            Ok(_) => taken += 1,
            Err(refused) => break refused.code,
        }
    };
    let mut refused = 0;
    while refused < 10_000 {
        // Each with the counter that comes next: what is refused uses none.
        let plans = (0..AT_ONCE).map(|_| {
            let plan = mother.plan(Ref(random()), &[3], at_each(&[tomorrow]));
            ClientFrame::Plan(Plan { n: mother.n + 1, ..plan })
        });
        let answers = mother.ask(plans.collect()).await;
        let full = answers.iter().filter(|answer| match answer {
            RelayFrame::Refused(refused) => refused.code == ErrorCode::Full,
            _ => false,
        });
        assert_eq!(full.count(), AT_ONCE, "{answers:?}");
        refused += AT_ONCE;
    }

    assert_eq!((taken, full), (256, ErrorCode::Full));
    assert!(mother.post("the relay goes on").await.seq > 0);
}

#[tokio::test]
async fn what_is_cancelled_while_it_fires_fires_once_or_not_at_all() {
    const SCHEDULES: u8 = 24;
    let mut scene = Scene::li().await;
    let due_at = second(&scene, 5).await;
    let [mother, home] = &mut scene.phones;
    let daily = RuleText { rrule: Some("FREQ=DAILY".into()), ..at_each(&[due_at]) };
    let mut ids = Vec::new();
    for number in 0..SCHEDULES {
        ids.push(mother.schedule(&format!("letter {number}"), &[3], daily.clone()).await);
    }
    until("its hour is near", async || (scene.relay.raw().now().await > due_at - 20).then_some(()))
        .await;
    for id in &ids {
        let cancel = Plan {
            entry_ref: Ref(random()),
            state: ScheduleState::Cancelled,
            schedule: Some(*id),
            ..mother.plan(*id, &[3], daily.clone())
        };
        mother.command(ClientFrame::Plan(cancel)).await.unwrap();
    }
    // Fires after all of these, so they are settled then.
    let last = (scene.relay.raw().now().await / 1_000 + 1) * 1_000;
    mother.schedule("the last", &[3], at_each(&[last])).await;
    until("the last has come", async || {
        home.sync().await;
        home.log.texts().contains(&"the last".to_owned()).then_some(())
    })
    .await;
    scene.relay.term().await;

    let mut texts = home.log.texts();
    texts.sort_unstable();
    let count = texts.len();
    texts.dedup();
    assert_eq!(texts.len(), count, "none came twice");
    assert_eq!(due_times(&scene.relay.data_dir()), Vec::<Millis>::new(), "none comes tomorrow");
    eprintln!("{} of {SCHEDULES} fired before they were cancelled", count - 1);
}

#[tokio::test]
async fn a_bank_that_is_filled_while_it_fires_gives_each_letter_once_and_in_order() {
    const TIMES: i64 = 6;
    let mut scene = Scene::li().await;
    let first = second(&scene, 3).await;
    let times: Vec<_> = (0..TIMES).map(|number| first + number * 1_000).collect();
    let far = first + 86_400_000;
    let [mother, home] = &mut scene.phones;
    bank(mother, at_each(&[&times[..], &[far]].concat())).await;

    let mut held = Vec::new();
    until("all of these hours are past", async || {
        if held.len() < 5 {
            let text = format!("letter {}", held.len());
            hold(mother, &text).await;
            held.push(text);
        }
        mother.sync().await;
        let came = mother.log.letters().len();
        let told = notices(mother);
        let missed = told.iter().filter(|one| one.what == Noticed::Missed).count();
        (came + missed == times.len()).then_some(())
    })
    .await;
    home.sync().await;
    let left = given_back(mother).await.bodies.len();

    let came = home.log.texts();
    assert_eq!(came, held[..came.len()], "each once, in the order of filling");
    assert_eq!(came.len() + left, held.len(), "and what has not gone is held still");
}
