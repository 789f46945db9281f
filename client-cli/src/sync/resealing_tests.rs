//! Held letters after a removal: sealed again under their own name, once, and for those who stayed.

use jiashu_proto::entry::{Content, MessageKind, RuleText, Schedule, ScheduleState};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, GiveBack, GivenBack, Hold, RelayFrame};
use jiashu_proto::id::{DeviceId, InviteId, Ref};
use jiashu_roster::Op;
use jiashu_seal::{BodyFields, KeyPairs, open_body};

use super::Engine;
use super::draft::{self, Parties};
use super::recovery_tests::{invite_for, posted, refused, remove};
use super::testing::{HOUSE, MAMA, NAINAI, NOON, PHONE, World, welcome};
use crate::state::{given, outbox};

fn one_hold(frames: &[ClientFrame]) -> Hold {
    match frames {
        [ClientFrame::Hold(hold)] => hold.clone(),
        other => panic!("one held letter, not {other:?}"),
    }
}

/// The mother's phone, with a letter that the relay holds.
fn with_a_held_letter(world: &mut World) -> (Engine, Ref, Hold) {
    let mut engine = world.synced(PHONE);
    let id = plan(&mut engine);
    let frames = engine.commands(NOON).unwrap();
    let [ClientFrame::Hold(hold), ClientFrame::Plan(_)] = &frames[..] else { panic!("{frames:?}") };
    engine.apply(posted(1, hold.body_ref), NOON).unwrap();
    engine.apply(posted(2, id), NOON).unwrap();
    (engine, id, hold.clone())
}

fn rule() -> RuleText {
    RuleText::new("2027-03-28T19:30:00", "Asia/Shanghai", Some("FREQ=DAILY"))
}

fn plan(engine: &mut Engine) -> Ref {
    let parties = Parties { from: MAMA, to: vec![NAINAI] };
    draft::schedule(
        engine.db(),
        parties,
        rule(),
        &draft::Ahead {
            letters: &[draft::Said::Words("good night".to_owned())],
            bank: false,
            manner: draft::Manner::default(),
        },
        NOON,
    )
    .unwrap()
}

/// A link by that device comes into the log, and is read.
fn turned(world: &mut World, engine: &mut Engine, by: DeviceId, ops: Vec<Op>) {
    let stand = engine.lane().cursor.unwrap().seq;
    let link = world.link_by(by, ops);
    world.take(&link);
    engine.apply(world.entries(stand), NOON).unwrap();
}

/// A third phone, the grandmother's second.
fn with_three_phones() -> (World, DeviceId) {
    let mut world = World::new();
    let keys = KeyPairs::generate();
    let card = world.link_by(PHONE, vec![invite_for(&keys)]);
    world.take(&card);
    world.let_in(InviteId(3), keys);
    (world, DeviceId(3))
}

#[test]
fn a_held_letter_is_sealed_again_after_a_removal_under_its_own_name() {
    let (mut world, stolen) = with_three_phones();
    let (mut engine, _, first) = with_a_held_letter(&mut world);

    turned(&mut world, &mut engine, HOUSE, vec![remove(stolen)]);
    let again = one_hold(&engine.commands(NOON).unwrap());
    engine.apply(posted(again.n, again.again.unwrap()), NOON).unwrap();
    let more = engine.commands(NOON).unwrap();

    assert_eq!(again.body_ref, first.body_ref);
    assert!(again.again.is_some_and(|name| name != again.body_ref));
    assert_eq!((first.epoch, again.epoch), (5, 6));
    let fields = BodyFields {
        device: PHONE,
        from: MAMA,
        kind: again.kind,
        to: vec![NAINAI],
        key: None,
        until: None,
        schedule: Some(again.schedule),
    };
    let (key, link) = (world.key().unwrap(), world.roster.head());
    let opened = open_body(&key, link, again.body_ref, &fields, &again.sealed);
    assert!(opened.is_ok(), "those who stayed open it: {opened:?}");
    assert_eq!(more, [], "once");
}

#[test]
fn a_link_that_shuts_nobody_out_leaves_held_letters_as_they_are() {
    let (mut world, _) = with_three_phones();
    let (mut engine, ..) = with_a_held_letter(&mut world);

    turned(&mut world, &mut engine, HOUSE, Vec::new());

    assert_eq!(engine.commands(NOON).unwrap(), []);
}

#[test]
fn a_letter_that_fired_meanwhile_needs_no_new_seal() {
    let (mut world, stolen) = with_three_phones();
    let (mut engine, ..) = with_a_held_letter(&mut world);
    turned(&mut world, &mut engine, HOUSE, vec![remove(stolen)]);
    let again = one_hold(&engine.commands(NOON).unwrap());

    engine.apply(refused(Some(again.n), ErrorCode::Unknown), NOON).unwrap();
    let more = engine.commands(NOON).unwrap();

    assert_eq!(more, []);
    assert_eq!(outbox::refused(engine.db()).unwrap().len(), 0, "nobody is told of a refusal");
}

#[test]
fn what_was_cancelled_or_is_spent_is_not_sealed_again() {
    for state in [ScheduleState::Cancelled, ScheduleState::Spent] {
        let (mut world, stolen) = with_three_phones();
        let (mut engine, id, hold) = with_a_held_letter(&mut world);
        let (from, to) = (hold.from, hold.to);
        world.push(&Content::Schedule(Schedule {
            id,
            device: PHONE,
            from,
            to,
            rule: rule(),
            state,
            bank: false,
            version: 0,
        }));

        turned(&mut world, &mut engine, HOUSE, vec![remove(stolen)]);

        assert_eq!(engine.commands(NOON).unwrap(), [], "{state:?}");
    }
}

#[test]
fn a_letter_whose_answer_was_lost_over_a_removal_is_sealed_again_all_the_same() {
    let (mut world, stolen) = with_three_phones();
    let mut engine = world.synced(PHONE);
    plan(&mut engine);
    let frames = engine.commands(NOON).unwrap();
    let ClientFrame::Hold(first) = &frames[0] else { panic!("{frames:?}") };
    turned(&mut world, &mut engine, HOUSE, vec![remove(stolen)]);

    // The relay has it under the old key, and says so only to the repeat.
    welcome(&mut engine, 1);
    engine.commands(NOON).unwrap();
    engine.apply(posted(1, first.body_ref), NOON).unwrap();
    let held = engine.commands(NOON).unwrap();

    let again: Vec<_> = held
        .iter()
        .filter_map(|frame| match frame {
            ClientFrame::Hold(hold) => Some((hold.body_ref, hold.epoch)),
            _ => None,
        })
        .collect();
    assert_eq!(again, [(first.body_ref, 6)]);
}

#[test]
fn a_held_letter_that_the_relay_lost_is_held_again_and_then_sealed_again() {
    let (mut world, stolen) = with_three_phones();
    let (mut engine, _, first) = with_a_held_letter(&mut world);
    turned(&mut world, &mut engine, HOUSE, vec![remove(stolen)]);
    let again = one_hold(&engine.commands(NOON).unwrap());
    engine.apply(posted(again.n, again.again.unwrap()), NOON).unwrap();

    welcome(&mut engine, 0);
    let said_again = engine.commands(NOON).unwrap();

    let holds = said_again.iter().filter_map(|frame| match frame {
        ClientFrame::Hold(hold) => Some((hold.body_ref, hold.epoch, hold.sealed == again.sealed)),
        _ => None,
    });
    let body = first.body_ref;
    assert_eq!(holds.collect::<Vec<_>>(), [(body, 6, true), (body, 6, true)], "the same bytes");
}

#[test]
fn letters_of_a_removed_phone_are_written_anew_once_however_often_they_are_given_back() {
    let (mut world, stolen) = with_three_phones();
    world.push(&Content::Schedule(bank_of(stolen)));
    let held = world.fired(stolen, NAINAI, "2027-03-28T19:30:00");
    let old = held.fired.as_ref().unwrap().body_ref;
    let body = Content::Message(MessageKind::Text.number(), held).to_bytes();
    let given = || {
        let bodies = vec![body.clone().into()];
        RelayFrame::GivenBack(GivenBack { schedule: Ref([9; 12]), bodies, more: false })
    };
    let mut engine = world.synced(HOUSE);

    turned(&mut world, &mut engine, PHONE, vec![remove(stolen)]);
    let asked = engine.commands(NOON).unwrap();
    engine.apply(given(), NOON).unwrap();
    // Somebody looks at the bank before the relay has what was written anew.
    given::ask(engine.db(), Ref([9; 12])).unwrap();
    let frames = engine.commands(NOON).unwrap();
    engine.apply(given(), NOON).unwrap();
    let anew = one_hold(&frames[..1]);

    let wanted = ClientFrame::GiveBack(GiveBack { schedule: Ref([9; 12]), after: None });
    assert!(frames.contains(&wanted), "once it was answered it is asked again: {frames:?}");
    assert_eq!(asked, [wanted]);
    assert_eq!(engine.commands(NOON).unwrap(), [], "written anew once");
    assert_eq!((anew.replaces, anew.from), (Some(old), NAINAI));
    assert_ne!(anew.body_ref, old);
}

#[test]
fn a_banks_letter_that_was_released_is_not_written_anew() {
    let (mut world, stolen) = with_three_phones();
    world.push(&Content::Schedule(bank_of(stolen)));
    let released = world.fired(stolen, NAINAI, "2027-03-28T19:30:00");
    let released = Content::Message(MessageKind::Text.number(), released);
    world.push(&released);
    let mut engine = world.synced(HOUSE);
    turned(&mut world, &mut engine, PHONE, vec![remove(stolen)]);
    engine.commands(NOON).unwrap();

    let bodies = vec![released.to_bytes().into()];
    let given = GivenBack { schedule: Ref([9; 12]), bodies, more: false };
    engine.apply(RelayFrame::GivenBack(given), NOON).unwrap();

    assert_eq!(engine.commands(NOON).unwrap(), []);
}

/// A letter bank that grandmother has filled on that phone.
fn bank_of(device: DeviceId) -> Schedule {
    Schedule {
        id: Ref([9; 12]),
        device,
        from: NAINAI,
        to: Vec::new(),
        rule: rule(),
        state: ScheduleState::Active,
        bank: true,
        version: 0,
    }
}
