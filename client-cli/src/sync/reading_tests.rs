//! What the engine makes of what a relay sends, honest or not.

use jiashu_proto::entry::{
    Content, Message, MessageKind, Notice, Noticed, Receipt, RuleText, Rung, Schedule,
    ScheduleState, WrapsFact, name_key,
};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{Ack, ClientFrame, Cursors, Reached, Refused, RelayFrame, Welcome};
use jiashu_proto::id::{DeviceId, MemberId, Ref};
use jiashu_roster::{Asked, Op, occurrence_ref};

use super::Engine;
use super::testing::{
    GENERATION, HOUSE, LILI, MAMA, NAINAI, NOON, PHONE, World, cursor, tag_of, welcome,
};
use crate::error::ExitCode;
use crate::state::{chain, fact, message, receipt};

fn texts(engine: &Engine) -> Vec<String> {
    let all = message::all(engine.db()).unwrap().into_iter();
    all.filter(|stored| stored.refused.is_none())
        .map(|stored| stored.text.map_or("(sealed)".into(), |text| text.content))
        .collect()
}

fn refusals(engine: &Engine) -> Vec<String> {
    message::all(engine.db()).unwrap().into_iter().filter_map(|stored| stored.refused).collect()
}

#[test]
fn a_letter_is_opened_and_the_cursor_moves_with_it() {
    let mut world = World::new();
    world.letter(PHONE, MAMA, "吃饭了吗");
    let mut engine = world.engine(HOUSE);
    welcome(&mut engine, 0);

    let applied = engine.apply(world.entries(0), NOON).unwrap();

    let upto = world.log.len() as u64;
    assert_eq!(texts(&engine), ["吃饭了吗"]);
    assert_eq!(engine.lane().cursor, cursor(upto));
    assert_eq!(applied.reply, Some(ClientFrame::Ack(Ack { seq: upto, tag: tag_of(upto) })));
}

#[test]
fn entries_that_do_not_join_on_are_dropped_and_the_relay_is_told_where_we_stand() {
    let mut world = World::new();
    let mut engine = world.synced(HOUSE);
    let stand = world.log.len() as u64;
    world.letter(PHONE, MAMA, "one");
    world.letter(PHONE, MAMA, "two");

    let applied = engine.apply(world.entries(stand + 1), NOON).unwrap();

    assert_eq!(applied.reply, Some(ClientFrame::Ack(Ack { seq: stand, tag: tag_of(stand) })));
    assert!(!applied.moved);
    assert_eq!(texts(&engine), [] as [&str; 0]);
    engine.apply(world.entries(stand), NOON).unwrap();
    assert_eq!(texts(&engine), ["one", "two"]);
}

#[test]
fn a_log_read_again_from_its_start_shows_nothing_twice() {
    let mut world = World::new();
    world.letter(PHONE, MAMA, "once");
    let mut engine = world.synced(HOUSE);
    let shown = world.refs[0];
    message::mark(engine.db(), shown, message::Shown::Printed).unwrap();
    world.letter(PHONE, MAMA, "later");

    engine.hello();
    let rebuilt = GENERATION + 1;
    let restart = Welcome { now: NOON, last_n: 0, generation: rebuilt, restart: Some(true) };
    engine.apply(RelayFrame::Welcome(restart), NOON).unwrap();
    engine.apply(world.entries(0), NOON).unwrap();

    assert_eq!(texts(&engine), ["once", "later"]);
    let not_shown = message::not_shown(engine.db(), HOUSE).unwrap();
    assert_eq!(not_shown.len(), 1);
    assert_eq!(not_shown[0].generation, rebuilt);
    assert_eq!(engine.lane().cursor.unwrap().generation, rebuilt);
}

#[test]
fn a_known_letter_sent_again_in_another_name_stays_as_it_came() {
    let mut world = World::new();
    let letter = world.sealed(PHONE, MAMA, "from her");
    world.push_message(letter.clone());
    world.push_message(Message { from: NAINAI, to: vec![LILI], ..letter });

    let engine = world.synced(HOUSE);

    let all = message::all(engine.db()).unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].message.from, all[0].message.to.len()), (MAMA, 0));
    assert_eq!(all[0].seq, world.log.len() as u64);
}

#[test]
fn what_is_sealed_under_a_key_not_in_force_is_no_letter() {
    let mut world = World::new();
    let old = world.sealed(PHONE, MAMA, "late under the old key");
    let turn = world.link_by(PHONE, Vec::new());
    world.take(&turn);
    world.push_message(old);

    let engine = world.synced(HOUSE);

    assert_eq!(texts(&engine), [] as [&str; 0]);
    assert!(refusals(&engine)[0].contains("not in force"));
}

#[test]
fn a_phone_writes_only_in_the_names_it_serves() {
    let mut world = World::new();
    world.letter(HOUSE, MAMA, "in her name");
    world.letter(DeviceId(9), LILI, "from no phone");

    let engine = world.synced(PHONE);

    assert_eq!(texts(&engine), [] as [&str; 0]);
    assert_eq!(refusals(&engine).len(), 2);
}

#[test]
fn a_changed_letter_is_not_shown_and_does_not_stop_the_next() {
    let mut world = World::new();
    let mut changed = world.sealed(PHONE, MAMA, "as written");
    changed.to = vec![LILI];
    world.push_message(changed);
    world.letter(PHONE, MAMA, "the next");

    let engine = world.synced(HOUSE);

    assert_eq!(texts(&engine), ["the next"]);
    assert!(refusals(&engine)[0].contains("does not open"));
}

#[test]
fn a_fired_letter_opens_under_the_key_of_when_it_was_held() {
    let mut world = World::new();
    let fired = world.fired(PHONE, MAMA, "2027-03-28T19:30:00");
    let turn = world.link_by(PHONE, Vec::new());
    world.take(&turn);
    world.push_message(fired);

    let engine = world.synced(HOUSE);

    assert_eq!(texts(&engine), ["planned"]);
}

#[test]
fn a_fired_letter_that_is_not_its_schedules_is_refused() {
    let mut world = World::new();
    let mut fired = world.fired(PHONE, MAMA, "2027-03-28T19:30:00");
    fired.fired.as_mut().unwrap().planned = "2027-03-29T19:30:00".into();
    world.push_message(fired);

    let engine = world.synced(HOUSE);

    assert!(refusals(&engine)[0].contains("schedule"));
}

#[test]
fn a_letter_waits_for_its_key_and_opens_when_the_wraps_come() {
    let mut world = World::new();
    let mut engine = world.synced(HOUSE);
    let stand = world.log.len() as u64;
    let turn = world.link_by(PHONE, Vec::new());
    world.take_link(&turn);
    world.letter(PHONE, MAMA, "sealed under the new key");
    let before_wraps = world.log.len() as u64;

    engine.apply(world.entries(stand), NOON).unwrap();
    let without_wraps = texts(&engine);
    world.take_wraps(&turn);
    engine.apply(world.entries(before_wraps), NOON).unwrap();

    assert_eq!(without_wraps, ["(sealed)"]);
    assert_eq!(texts(&engine), ["sealed under the new key"]);
}

#[test]
fn the_newest_wraps_open_all_that_was_missed() {
    let mut world = World::new();
    let mut engine = world.synced(HOUSE);
    let stand = world.log.len() as u64;
    let mut newest = None;
    for text in ["first", "second"] {
        let turn = world.link_by(PHONE, Vec::new());
        world.take_link(&turn);
        world.letter(PHONE, MAMA, text);
        newest = Some(turn);
    }
    world.take_wraps(&newest.unwrap());

    engine.apply(world.entries(stand), NOON).unwrap();

    assert_eq!(texts(&engine), ["first", "second"]);
}

#[test]
fn a_phone_that_joins_late_reads_what_is_kept() {
    let mut world = World::new();
    world.letter(PHONE, MAMA, "from before");
    let turn = world.link_by(PHONE, Vec::new());
    world.take(&turn);
    world.letter(PHONE, MAMA, "from after");

    let engine = world.synced(HOUSE);

    assert_eq!(texts(&engine), ["from before", "from after"]);
}

#[test]
fn a_link_that_a_stranger_signed_stops_reading_and_sealing() {
    let mut world = World::new();
    let mut engine = world.synced(HOUSE);
    let stand = world.log.len() as u64;
    let stranger = World::new();
    let ghost = stranger.link_by(PHONE, Vec::new());
    world.letter(PHONE, MAMA, "before the ghost");
    world.take(&ghost);

    let error = engine.apply(world.entries(stand), NOON).unwrap_err();

    assert_eq!(error.code, ExitCode::Unsafe);
    assert_eq!(texts(&engine), ["before the ghost"]);
    assert_eq!(engine.lane().cursor, cursor(stand), "reading stays before the link");
    assert!(engine.lane().broken.is_some());
    assert_eq!(engine.family().roster.number(), 3);
}

#[test]
fn a_family_made_up_around_this_phone_is_not_the_one_it_joined() {
    let mut world = World::new();
    let made_up = World::new();
    let mut engine = world.engine(HOUSE);
    welcome(&mut engine, 0);

    let error = engine.apply(made_up.entries(0), NOON).unwrap_err();

    assert_eq!(error.code, ExitCode::Unsafe);
    assert!(error.message.contains("not the family that was joined"), "{}", error.message);
    assert_eq!(engine.family().roster.number(), 0, "nothing of it is kept");
    engine.apply(world.entries(0), NOON).unwrap();
    assert_eq!(engine.family().roster, world.roster, "and the true one is still believed");
}

#[test]
fn a_join_that_no_invite_signed_is_a_ghost() {
    let mut world = World::new();
    let mut engine = world.synced(HOUSE);
    let stand = world.log.len() as u64;
    let mut ghost = world.link_by(PHONE, Vec::new());
    let last = ghost.link.len() - 1;
    ghost.link[last] ^= 1;
    world.take(&ghost);

    let error = engine.apply(world.entries(stand), NOON).unwrap_err();

    assert_eq!(error.code, ExitCode::Unsafe);
}

#[test]
fn a_relay_that_mends_its_log_is_read_on_from() {
    let mut world = World::new();
    let mut engine = world.synced(HOUSE);
    let stand = world.log.len();
    let stranger = World::new();
    world.letter(PHONE, MAMA, "kept");
    let honest = world.log.clone();
    let (roster, keys) = (world.roster.clone(), world.keys.clone());
    world.take(&stranger.link_by(PHONE, Vec::new()));
    engine.apply(world.entries(stand as u64), NOON).unwrap_err();

    (world.log, world.roster, world.keys) = (honest, roster, keys);
    engine.apply(world.entries(stand as u64), NOON).unwrap();

    assert_eq!(texts(&engine), ["kept"]);
    assert_eq!(engine.lane().broken, None);
}

#[test]
fn wraps_exchanged_by_the_relay_are_noticed() {
    let mut world = World::new();
    let mut engine = world.synced(HOUSE);
    let stand = world.log.len() as u64;
    let (turn, other) = (world.link_by(PHONE, Vec::new()), world.link_by(PHONE, Vec::new()));
    world.take_link(&turn);
    let number = turn.roster.number();
    world.push(&Content::Wraps(WrapsFact { number, wraps: other.wraps }));

    let error = engine.apply(world.entries(stand), NOON).unwrap_err();

    assert_eq!(error.code, ExitCode::Unsafe);
    assert!(error.message.contains("wraps"), "{error}");
}

#[test]
fn a_link_that_hides_another_family_key_behind_it_is_noticed() {
    let mut world = World::new();
    let mut engine = world.synced(HOUSE);
    let stand = world.log.len() as u64;
    // The mother's phone, in the hands of somebody who wants the house to believe in another past.
    let number = world.roster.number();
    world.keys.insert(number, jiashu_seal::FamilyKey::generate());
    let turn = world.link_by(PHONE, Vec::new());
    world.take(&turn);

    let error = engine.apply(world.entries(stand), NOON).unwrap_err();

    assert_eq!(error.code, ExitCode::Unsafe);
}

#[test]
fn a_removed_phone_is_told_so_and_not_that_the_roster_broke() {
    let mut world = World::new();
    let mut engine = world.synced(HOUSE);
    let stand = world.log.len() as u64;
    let out = Op::RemoveDevice { device: HOUSE, asked: Asked::ByFamily };
    let turn = world.link_by(PHONE, vec![out]);
    world.take(&turn);

    engine.apply(world.entries(stand), NOON).unwrap();
    let refused = Refused {
        code: ErrorCode::Unauthorised,
        text: String::new(),
        n: None,
        retry_after_ms: None,
        last_n: None,
        to_close: None,
    };
    let error = engine.apply(RelayFrame::Refused(refused), NOON).unwrap_err();

    assert_eq!(engine.lane().broken, None);
    assert_eq!(error.code, ExitCode::Refused);
    assert!(error.message.contains("removed"));
}

#[test]
fn a_name_overrides_the_one_on_the_card() {
    let mut world = World::new();
    let mut message = world.sealed(PHONE, MAMA, "");
    let fields = jiashu_seal::BodyFields {
        device: PHONE,
        from: MAMA,
        kind: MessageKind::Name.number(),
        to: Vec::new(),
        key: Some(name_key(LILI)),
        until: None,
        schedule: None,
    };
    let text = jiashu_proto::text::Text {
        written_at: NOON,
        content: "Lili".into(),
        ring: None,
        voice: None,
        picture: None,
    };
    let draft = jiashu_seal::Draft::new(fields, text.to_bytes());
    message.entry_ref = draft.body_ref();
    message.key = Some(name_key(LILI));
    message.sealed = draft.seal(&world.key().unwrap(), world.roster.head()).unwrap();
    world.push(&Content::Message(MessageKind::Name.number(), message));

    let mut engine = world.engine(HOUSE);
    chain::put_name(engine.db(), LILI, "name on the card").unwrap();
    welcome(&mut engine, 0);
    engine.apply(world.entries(0), NOON).unwrap();

    assert_eq!(chain::names(engine.db()).unwrap().get(&LILI).map(String::as_str), Some("Lili"));
    assert_eq!(texts(&engine), [] as [&str; 0], "a name is no letter");
}

#[test]
fn what_a_newer_version_wrote_is_kept() {
    let mut world = World::new();
    let mut content = minicbor::Encoder::new(Vec::new());
    content.u32(99).unwrap().array(1).unwrap().str("from the future").unwrap();
    let seq = world.log.len() as u64 + 1;
    let at = NOON + 1;
    let content = content.into_writer();
    world.log.push(jiashu_proto::frame::WireEntry { seq, at, content });

    let engine = world.synced(HOUSE);

    let kept = fact::with_prefix(engine.db(), "unknown/").unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].content, Content::Unknown(99));
}

#[test]
fn how_far_a_letter_came_is_the_best_of_what_is_known() {
    let mut world = World::new();
    let seq = world.letter(PHONE, MAMA, "heard?");
    let of = world.refs[0];
    let mut engine = world.synced(PHONE);
    let house = Reached { device: HOUSE, seq, at: NOON + 5 };

    engine.apply(RelayFrame::Cursors(Cursors { reached: vec![house] }), NOON).unwrap();
    let on_device = receipt::of(engine.db(), of).unwrap();
    let stand = world.log.len() as u64;
    world.push(&Content::Receipt(Receipt {
        device: HOUSE,
        from: LILI,
        of,
        to: MAMA,
        rung: Rung::Shown,
        at: NOON + 9,
        share: None,
    }));
    engine.apply(world.entries(stand), NOON).unwrap();

    let rungs = |heard: &[receipt::Heard]| -> Vec<(MemberId, Rung, i64)> {
        heard.iter().map(|heard| (heard.member, heard.rung, heard.at - NOON)).collect()
    };
    assert_eq!(rungs(&on_device), [(NAINAI, Rung::Device, 5), (LILI, Rung::Device, 5)]);
    let heard = receipt::of(engine.db(), of).unwrap();
    assert_eq!(rungs(&heard), [(NAINAI, Rung::Device, 5), (LILI, Rung::Shown, 9)]);
    assert_eq!(engine.lane().cursors_at, Some(NOON + 5));
}

#[test]
fn a_cursor_that_comes_before_its_letters_counts_once_they_are_here() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    let stand = world.log.len() as u64;
    let seq = world.letter(PHONE, MAMA, "soon");
    let house = Reached { device: HOUSE, seq, at: NOON };

    engine.apply(RelayFrame::Cursors(Cursors { reached: vec![house] }), NOON).unwrap();
    engine.apply(world.entries(stand), NOON).unwrap();

    assert_eq!(receipt::of(engine.db(), world.refs[0]).unwrap().len(), 2);
}

#[test]
fn an_unknown_ref_has_no_receipts() {
    let mut world = World::new();
    let engine = world.synced(PHONE);

    assert_eq!(receipt::of(engine.db(), Ref([3; 12])).unwrap(), []);
}

#[test]
fn a_fired_letter_must_follow_from_the_rule_by_which_it_fired() {
    let rule = jiashu_proto::entry::RuleText::new(
        "2027-03-01T19:30:00",
        "Asia/Shanghai",
        Some("FREQ=DAILY"),
    );
    let due = |planned: &str| {
        let at = planned.parse::<jiff::civil::DateTime>().unwrap().in_tz("Asia/Shanghai").unwrap();
        at.timestamp().as_millisecond()
    };
    let cases = [
        ("as planned", "2027-03-28T19:30:00", 0, 3, false),
        ("a minute off", "2027-03-28T19:31:00", 0, 3, true),
        ("before the first", "2027-02-28T19:30:00", 0, 3, true),
        ("as planned, an hour late by other zones", "2027-03-28T19:30:00", 3_600_000, 3, false),
        ("on another day", "2027-03-28T19:30:00", 86_400_000, 3, true),
        ("by a version that is gone", "2027-03-28T19:31:00", 0, 2, false),
    ];

    for (what, planned, off, version, is_refused) in cases {
        let mut world = World::new();
        let mut message = world.fired(PHONE, MAMA, planned);
        let fired = message.fired.as_mut().unwrap();
        (fired.due_at, fired.version) = (due(planned) + off, version);
        world.push(&Content::Schedule(jiashu_proto::entry::Schedule {
            id: fired.schedule,
            device: PHONE,
            from: MAMA,
            to: Vec::new(),
            rule: rule.clone(),
            state: jiashu_proto::entry::ScheduleState::Active,
            bank: false,
            version: 3,
        }));
        world.push_message(message);

        let engine = world.synced(HOUSE);

        let stored = crate::state::message::all(engine.db()).unwrap().pop().unwrap();
        assert_eq!(stored.refused.is_some(), is_refused, "{what}: {:?}", stored.refused);
    }
}

/// A daily schedule of the mother's, of that id.
fn daily(id: Ref, bank: bool) -> Content {
    let (start, zone) = ("2027-03-01T19:30:00".into(), "Asia/Shanghai".into());
    let rrule = Some("FREQ=DAILY".into());
    let rule = RuleText { start, zone, rrule, also: Vec::new(), except: Vec::new() };
    let (state, version) = (ScheduleState::Active, 0);
    let (device, from, to) = (PHONE, MAMA, Vec::new());
    Content::Schedule(Schedule { id, device, from, to, rule, state, bank, version })
}

/// One held body, fired for two evenings, each as its rule has it.
fn fired_twice(world: &World) -> [Message; 2] {
    let evening = |message: &Message, day: u8| {
        let planned = format!("2027-03-{day}T19:30:00");
        let at = planned.parse::<jiff::civil::DateTime>().unwrap().in_tz("Asia/Shanghai").unwrap();
        let mut again = message.clone();
        let fired = again.fired.as_mut().unwrap();
        fired.due_at = at.timestamp().as_millisecond();
        again.entry_ref = occurrence_ref(fired.body_ref, fired.schedule, &planned).unwrap();
        fired.planned = planned;
        again
    };
    let message = world.fired(PHONE, MAMA, "2027-03-28T19:30:00");
    [evening(&message, 28), evening(&message, 29)]
}

fn schedule_of(message: &Message) -> Ref {
    message.fired.as_ref().unwrap().schedule
}

#[test]
fn a_letter_bank_shows_each_of_its_letters_once() {
    for (bank, shown) in [(true, 1), (false, 2)] {
        let mut world = World::new();
        let [first, again] = fired_twice(&world);
        world.push(&daily(schedule_of(&first), bank));
        world.push_message(first.clone());
        let mut engine = world.synced(HOUSE);
        let stand = world.log.len() as u64;
        world.push_message(again);

        engine.apply(world.entries(stand), NOON).unwrap();

        assert_eq!(texts(&engine).len(), shown, "a bank: {bank}");
        let known = message::find(engine.db(), first.entry_ref).unwrap().unwrap();
        assert_eq!(known.refused, None, "the one that came first stays");
        let why = refusals(&engine);
        assert!(why.iter().all(|why| why.contains("a second time")), "{why:?}");
    }
}

#[test]
fn a_letter_bank_that_is_known_only_after_its_letters_shows_each_once_too() {
    let mut world = World::new();
    let letters = fired_twice(&world);
    let id = schedule_of(&letters[0]);
    for letter in letters {
        world.push_message(letter);
    }
    let mut engine = world.synced(HOUSE);
    let stand = world.log.len() as u64;
    world.push(&daily(id, true));

    engine.apply(world.entries(stand), NOON).unwrap();

    assert_eq!(texts(&engine), ["planned"]);
}

#[test]
fn a_letter_of_a_bank_that_does_not_open_takes_no_place_of_the_true_one() {
    let mut world = World::new();
    let [mut spoilt, good] = fired_twice(&world);
    spoilt.sealed[0] ^= 1;
    world.push(&daily(schedule_of(&good), true));
    world.push_message(spoilt);
    world.push_message(good);

    let engine = world.synced(HOUSE);

    assert_eq!(texts(&engine), ["planned"]);
}

#[test]
fn a_letter_of_a_bank_that_was_shown_is_not_shown_again_when_another_key_opens_it() {
    let mut world = World::new();
    let [shown, again] = fired_twice(&world);
    let old = world.roster.number();
    let turn = world.link_by(PHONE, Vec::new());
    world.push(&daily(schedule_of(&shown), true));
    world.take_link(&turn);
    // Sealed again under a key whose wraps the relay keeps back; the former seal opens at once.
    let draft = {
        let fields = jiashu_seal::BodyFields {
            device: PHONE,
            from: MAMA,
            kind: MessageKind::Text.number(),
            to: Vec::new(),
            key: None,
            until: None,
            schedule: Some(schedule_of(&shown)),
        };
        let text = jiashu_proto::text::Text {
            written_at: NOON,
            content: "planned".into(),
            ring: None,
            voice: None,
            picture: None,
        };
        let body_ref = shown.fired.as_ref().unwrap().body_ref;
        jiashu_seal::Draft::from_stored(body_ref, fields, text.to_bytes())
    };
    let epoch = world.roster.number();
    let sealed = draft.seal(&world.key().unwrap(), world.roster.head()).unwrap();
    assert_ne!(epoch, old);
    world.push_message(Message { epoch, sealed, ..again });
    world.push_message(shown.clone());
    let mut engine = world.synced(HOUSE);
    message::mark(engine.db(), shown.entry_ref, message::Shown::Printed).unwrap();
    let stand = world.log.len() as u64;
    world.take_wraps(&turn);

    engine.apply(world.entries(stand), NOON).unwrap();

    let new = message::not_shown(engine.db(), HOUSE).unwrap();
    assert!(new.iter().all(|stored| stored.refused.is_some()), "{new:?}");
    assert_eq!(texts(&engine), ["planned"]);
}

#[test]
fn a_notice_for_somebody_else_is_not_kept() {
    let mut world = World::new();
    for to in [MAMA, LILI] {
        world.push(&Content::Notice(Notice {
            to,
            what: Noticed::Missed,
            schedule: Some(Ref([9; 12])),
            planned: None,
            due_at: None,
            of: None,
            members: Vec::new(),
            left: None,
        }));
    }

    let engine = world.synced(PHONE);

    let kept = fact::with_prefix(engine.db(), fact::NOTICES).unwrap();
    let whose = kept.iter().map(|fact| match &fact.content {
        Content::Notice(notice) => notice.to,
        other => panic!("{other:?}"),
    });
    assert_eq!(whose.collect::<Vec<_>>(), [MAMA]);
}

#[test]
fn a_tombstone_of_a_letter_that_we_have_is_no_news() {
    let mut world = World::new();
    world.letter(PHONE, MAMA, "had in time");
    let mut engine = world.synced(HOUSE);
    let stone = |entry_ref| {
        Content::Tombstone(jiashu_proto::entry::Tombstone {
            from: MAMA,
            entry_ref,
            to: Vec::new(),
            until: NOON,
            due_at: None,
        })
    };
    let before = world.log.len() as u64;
    world.push(&stone(world.refs[0]));
    world.push(&stone(jiashu_proto::id::Ref([8; 12])));

    engine.apply(world.entries(before), NOON).unwrap();

    let kept = fact::with_prefix(engine.db(), fact::TOMBSTONES).unwrap();
    assert_eq!(kept.len(), 1, "of the one that came too late");
    assert_eq!(crate::state::message::all(engine.db()).unwrap().len(), 1);
}
