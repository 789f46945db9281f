//! What leaves the outbox, under which counter and key, and what a refusal changes.

use jiashu_proto::bounds;
use jiashu_proto::entry::{Content, RuleText, Schedule, ScheduleState};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Post, Posted, Refused, RelayFrame, Welcome};
use jiashu_proto::id::{MemberId, N, Ref};

use super::Engine;
use super::draft::{self, Parties};
use super::testing::{GENERATION, HOUSE, MAMA, NOON, PHONE, World, welcome};
use crate::error::ExitCode;
use crate::state::outbox::{self, Fate};
use crate::state::{message, planned};

fn letter(engine: &mut Engine, text: &str) -> Ref {
    let parties = Parties { from: MAMA, to: Vec::new() };
    draft::letter(engine.db(), parties, &draft::Said::Words(text.into()), None, NOON).unwrap()
}

fn posts(frames: &[ClientFrame]) -> Vec<Post> {
    let posts = frames.iter().filter_map(|frame| match frame {
        ClientFrame::Post(post) => Some(post.clone()),
        _ => None,
    });
    posts.collect()
}

fn numbered(frames: &[ClientFrame]) -> Vec<(N, Ref)> {
    posts(frames).iter().map(|post| (post.n, post.entry_ref)).collect()
}

fn posted(n: N, entry_ref: Ref) -> RelayFrame {
    RelayFrame::Posted(Posted { n, entry_ref, seq: 100 + n, at: NOON })
}

fn refused(n: N, code: ErrorCode, last_n: Option<N>) -> RelayFrame {
    let text = "no".to_owned();
    RelayFrame::Refused(Refused {
        code,
        text,
        n: Some(n),
        retry_after_ms: None,
        last_n,
        to_close: None,
    })
}

#[test]
fn a_letter_gets_its_counter_on_disk_before_it_is_sent() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    let first = letter(&mut engine, "one");
    let second = letter(&mut engine, "two");

    let frames = engine.commands(NOON).unwrap();

    assert_eq!(numbered(&frames), [(1, first), (2, second)]);
    assert_eq!(outbox::find(engine.db(), second).unwrap().unwrap().n, Some(2));
    assert!(engine.commands(NOON).unwrap().is_empty(), "what is under way is not sent again");
}

#[test]
fn a_letter_whose_answer_was_lost_goes_again_as_the_same_bytes() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    letter(&mut engine, "one");
    let before = engine.commands(NOON).unwrap();

    welcome(&mut engine, 1);
    let after = engine.commands(NOON).unwrap();

    assert_eq!(after, before);
}

#[test]
fn a_posted_letter_stands_in_the_own_log_at_once_and_once() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    let mine = letter(&mut engine, "mine");
    engine.commands(NOON).unwrap();

    engine.apply(posted(1, mine), NOON).unwrap();
    engine.apply(posted(1, mine), NOON).unwrap();

    assert_eq!(outbox::fate(engine.db(), mine).unwrap(), Some(Fate::Posted(101)));
    let all = message::all(engine.db()).unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].text.as_ref().map(|text| text.content.as_str()), Some("mine"));
}

#[test]
fn at_most_sixteen_letters_are_unanswered() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    let refs: Vec<_> = (0..20).map(|number| letter(&mut engine, &number.to_string())).collect();

    let first = engine.commands(NOON).unwrap();
    engine.apply(posted(1, refs[0]), NOON).unwrap();
    let next = engine.commands(NOON).unwrap();

    assert_eq!(first.len(), bounds::MAX_UNANSWERED);
    assert_eq!(numbered(&next), [(17, refs[16])]);
}

#[test]
fn an_old_epoch_is_answered_by_the_same_letter_under_the_new_key() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    let stand = world.log.len() as u64;
    let entry_ref = letter(&mut engine, "sealed twice");
    let old = posts(&engine.commands(NOON).unwrap()).remove(0);
    let turn = world.link_by(HOUSE, Vec::new());
    world.take(&turn);

    engine.apply(refused(1, ErrorCode::EpochOld, None), NOON).unwrap();
    let too_early = engine.commands(NOON).unwrap();
    engine.apply(world.entries(stand), NOON).unwrap();
    let new = posts(&engine.commands(NOON).unwrap()).remove(0);

    assert!(too_early.is_empty(), "nothing is sealed under a key that the relay called old");
    assert_eq!((new.n, new.entry_ref), (1, entry_ref));
    assert_eq!((old.epoch, new.epoch), (3, 4));
    assert_ne!(new.sealed, old.sealed);
    let draft = outbox::find(engine.db(), entry_ref).unwrap().unwrap();
    assert_eq!(draft.frame, {
        let mut post = old.clone();
        (post.n, post.epoch) = (0, 0);
        post.sealed = jiashu_proto::text::Text {
            written_at: NOON,
            content: "sealed twice".into(),
            ring: None,
            voice: None,
            picture: None,
        }
        .to_bytes();
        ClientFrame::Post(post)
    });
}

#[test]
fn renumber_gives_all_that_waits_new_counters_in_the_same_order() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    let refs = [letter(&mut engine, "one"), letter(&mut engine, "two")];
    engine.commands(NOON).unwrap();

    engine.apply(refused(1, ErrorCode::Renumber, Some(41)), NOON).unwrap();
    let before_all_are_in = engine.commands(NOON).unwrap();
    engine.apply(refused(2, ErrorCode::Renumber, Some(41)), NOON).unwrap();
    let frames = engine.commands(NOON).unwrap();

    assert!(before_all_are_in.is_empty());
    assert_eq!(numbered(&frames), [(42, refs[0]), (43, refs[1])]);
}

#[test]
fn a_letter_refused_for_good_frees_its_counter_for_the_next() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    let (bad, good) = (letter(&mut engine, "bad"), letter(&mut engine, "good"));
    engine.commands(NOON).unwrap();

    engine.apply(refused(1, ErrorCode::NotAllowed, None), NOON).unwrap();
    engine.apply(refused(2, ErrorCode::Renumber, Some(0)), NOON).unwrap();
    let frames = engine.commands(NOON).unwrap();

    assert_eq!(numbered(&frames), [(1, good)]);
    let fate = outbox::fate(engine.db(), bad).unwrap();
    assert_eq!(fate, Some(Fate::Refused("not_allowed".into())));
}

#[test]
fn before_taking_part_is_recorded_letters_wait_and_the_roster_does_not() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    let waits = letter(&mut engine, "too early");
    engine.commands(NOON).unwrap();
    engine.apply(refused(1, ErrorCode::NotActive, None), NOON).unwrap();
    let turn = world.link_by(PHONE, Vec::new());
    draft::turn(engine.db(), turn.link, turn.wraps, Vec::new(), NOON).unwrap();

    let now = engine.commands(NOON).unwrap();
    let turn = match now.as_slice() {
        [ClientFrame::Turn(turn)] => turn.clone(),
        other => panic!("{other:?}"),
    };
    engine.apply(posted(turn.n, turn.entry_ref), NOON).unwrap();
    let soon = engine.commands(NOON + 60_000).unwrap();
    let later = engine.commands(NOON + 700_000).unwrap();

    assert!(soon.is_empty(), "it is not asked every minute: somebody pays for the bytes");
    assert_eq!(turn.n, 1);
    assert_eq!(numbered(&later), [(2, waits)]);
    assert_eq!(outbox::fate(engine.db(), waits).unwrap(), Some(Fate::Waits));
}

#[test]
fn a_link_goes_first_also_where_an_earlier_process_numbered_the_letters() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    letter(&mut engine, "too early");
    letter(&mut engine, "too early, too");
    engine.commands(NOON).unwrap();
    engine.apply(refused(1, ErrorCode::NotActive, None), NOON).unwrap();
    engine.apply(refused(2, ErrorCode::Renumber, Some(0)), NOON).unwrap();
    let turn = world.link_by(PHONE, Vec::new());
    draft::turn(engine.db(), turn.link, turn.wraps, Vec::new(), NOON).unwrap();

    let mut next_process = world.reopened();
    let frames = next_process.commands(NOON).unwrap();

    assert!(matches!(frames.as_slice(), [ClientFrame::Turn(turn)] if turn.n == 1), "{frames:?}");
}

#[test]
fn slow_down_is_obeyed_by_the_next_process_too_but_not_for_ever() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    letter(&mut engine, "one too many");
    engine.commands(NOON).unwrap();

    engine.apply(refused(1, ErrorCode::SlowDown, None), NOON).unwrap();
    let lane = crate::state::lane::Lane::joined(engine.db()).unwrap();
    welcome(&mut engine, 0);
    let at_once = engine.commands(NOON + 1).unwrap();
    let with_a_clock_set_back = engine.commands(NOON - 86_400_000).unwrap();

    assert!(lane.retry_at > Some(NOON));
    assert!(at_once.is_empty());
    assert_eq!(with_a_clock_set_back.len(), 1);
}

#[test]
fn a_link_that_came_too_late_is_given_back_to_its_writer() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    let turn = world.link_by(PHONE, Vec::new());
    let late = draft::turn(engine.db(), turn.link, turn.wraps, Vec::new(), NOON).unwrap();
    engine.commands(NOON).unwrap();

    engine.apply(refused(1, ErrorCode::Stale, None), NOON).unwrap();

    assert_eq!(outbox::fate(engine.db(), late).unwrap(), Some(Fate::Refused("stale".into())));
}

#[test]
fn what_the_relay_lost_is_said_again_from_the_journal() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    let refs = ["one", "two", "three"].map(|text| letter(&mut engine, text));
    engine.commands(NOON).unwrap();
    for (n, entry_ref) in (1..).zip(refs) {
        engine.apply(posted(n, entry_ref), NOON).unwrap();
    }

    engine.hello();
    let restored =
        Welcome { now: NOON, last_n: 1, generation: GENERATION + 1, restart: Some(true) };
    engine.apply(RelayFrame::Welcome(restored), NOON).unwrap();
    let before_it_was_read = engine.commands(NOON).unwrap();
    engine.apply(world.entries(0), NOON).unwrap();
    let frames = engine.commands(NOON).unwrap();

    assert!(before_it_was_read.is_empty(), "the relay may have lost links, too");
    assert_eq!(numbered(&frames), [(2, refs[1]), (3, refs[2])]);
}

#[test]
fn a_command_known_by_its_ref_is_answered_with_its_first_counter() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    let refs = [letter(&mut engine, "known"), letter(&mut engine, "next")];
    welcome(&mut engine, 7);
    engine.commands(NOON).unwrap();

    engine.apply(posted(7, refs[0]), NOON).unwrap();
    engine.apply(refused(9, ErrorCode::Renumber, Some(7)), NOON).unwrap();
    let frames = engine.commands(NOON).unwrap();

    assert_eq!(numbered(&frames), [(8, refs[1])]);
}

#[test]
fn nothing_is_sealed_while_the_roster_is_broken() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    let stand = world.log.len() as u64;
    let stranger = World::new();
    world.take(&stranger.link_by(PHONE, Vec::new()));
    engine.apply(world.entries(stand), NOON).unwrap_err();
    let kept = letter(&mut engine, "kept");

    let frames = engine.commands(NOON).unwrap();

    assert!(frames.is_empty());
    assert_eq!(outbox::fate(engine.db(), kept).unwrap(), Some(Fate::Waits));
}

#[test]
fn a_schedule_whose_letter_is_refused_is_not_made() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    let rule = RuleText::new("2027-03-28T19:30:00", "Asia/Shanghai", None);
    let parties = Parties { from: MAMA, to: vec![MemberId(3)] };
    let id = draft::schedule(
        engine.db(),
        parties,
        rule,
        &draft::Ahead {
            letters: &[draft::Said::Words("good night".to_owned())],
            bank: false,
            manner: draft::Manner::default(),
        },
        NOON,
    )
    .unwrap();
    let frames = engine.commands(NOON).unwrap();

    engine.apply(refused(1, ErrorCode::Full, None), NOON).unwrap();

    assert!(matches!(frames.as_slice(), [ClientFrame::Hold(_), ClientFrame::Plan(_)]));
    assert_eq!(outbox::fate(engine.db(), id).unwrap(), Some(Fate::Refused("full".into())));
}

#[test]
fn a_letter_of_nothing_or_too_much_is_refused_before_it_is_kept() {
    let mut world = World::new();
    let engine = world.synced(PHONE);
    let parties = || Parties { from: MAMA, to: Vec::new() };
    let longest = bounds::MAX_SEALED - sending_overhead();

    let letter = |text: &str| {
        draft::letter(engine.db(), parties(), &draft::Said::Words(text.into()), None, NOON)
    };
    let empty = letter(" \n").unwrap_err();
    let fits = letter(&"x".repeat(longest));
    let long = letter(&"x".repeat(longest + 1)).unwrap_err();

    assert_eq!((empty.code, long.code), (ExitCode::BadInput, ExitCode::BadInput));
    assert!(fits.is_ok());
    assert_eq!(outbox::waiting_count(engine.db()).unwrap().0, 1);
}

/// The seal's tag, and what stands around a long text.
fn sending_overhead() -> usize {
    let around = jiashu_proto::text::Text {
        written_at: NOON,
        content: "x".repeat(1000),
        ring: None,
        voice: None,
        picture: None,
    };
    around.to_bytes().len() - 1000 + jiashu_seal::TAG_LEN
}

fn daily(version: u32) -> Schedule {
    Schedule {
        id: Ref([7; 12]),
        device: PHONE,
        from: MAMA,
        to: Vec::new(),
        rule: RuleText::new("2027-03-28T19:30:00", "Asia/Shanghai", Some("FREQ=DAILY")),
        state: ScheduleState::Active,
        bank: true,
        version,
    }
}

#[test]
fn a_change_of_what_has_changed_meanwhile_is_refused_for_good_and_not_tried_for_ever() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    let was = daily(4);
    let (rule, paused) = (was.rule.clone(), ScheduleState::Paused);
    let change = draft::change(engine.db(), was, MAMA, rule, paused, NOON).unwrap();
    let frames = engine.commands(NOON).unwrap();

    engine.apply(refused(1, ErrorCode::Stale, None), NOON).unwrap();

    let [ClientFrame::Plan(plan)] = frames.as_slice() else { panic!("{frames:?}") };
    assert_eq!((plan.seen, plan.bank), (Some(4), true));
    let fate = outbox::fate(engine.db(), change).unwrap();
    assert_eq!(fate, Some(Fate::Refused("stale".into())));
    assert!(!engine.has_more(NOON + 60_000).unwrap());
}

#[test]
fn changes_without_a_signal_build_on_each_other() {
    let mut world = World::new();
    world.push(&Content::Schedule(daily(4)));
    let mut engine = world.synced(PHONE);
    let standing = |engine: &Engine| planned::running(engine.db()).unwrap().pop();

    for state in [ScheduleState::Paused, ScheduleState::Active, ScheduleState::Cancelled] {
        let was = standing(&engine).expect("it runs");
        let rule = was.rule.clone();
        draft::change(engine.db(), was, MAMA, rule, state, NOON).unwrap();
    }
    let frames = engine.commands(NOON).unwrap();

    let seen = frames.iter().map(|frame| match frame {
        ClientFrame::Plan(plan) => plan.seen,
        other => panic!("{other:?}"),
    });
    assert_eq!(seen.collect::<Vec<_>>(), [Some(4), Some(5), Some(6)]);
    assert_eq!(standing(&engine), None, "it ends, as far as we know");
    let ClientFrame::Plan(first) = &frames[0] else { panic!("it is a plan") };
    let posted = Posted { n: 1, entry_ref: first.entry_ref, seq: 50, at: NOON };
    engine.apply(RelayFrame::Posted(posted), NOON).unwrap();
    engine.apply(refused(2, ErrorCode::Stale, None), NOON).unwrap();
    engine.apply(refused(3, ErrorCode::Stale, None), NOON).unwrap();
    let standing = standing(&engine).expect("what was refused changes nothing");
    assert_eq!((standing.state, standing.version), (ScheduleState::Paused, 5));
}
