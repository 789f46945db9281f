//! Recovery: what a phone hands in, what it closes because it is asked, and what it does not believe.

use jiashu_proto::entry::Content;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{
    ClientFrame, HandIn, HandedIn, Post, Posted, Refused, RelayFrame, ToClose, Turn, Welcome,
};
use jiashu_proto::id::{DeviceId, InviteId, N, Ref};
use jiashu_roster::{Asked, Link, Op};
use jiashu_seal::{KeyPairs, NewLink};

use super::draft::{self, Parties};
use super::testing::{GENERATION, HOUSE, LILI, MAMA, NAINAI, NOON, PHONE, World, welcome};
use super::{Engine, forks};
use crate::error::ExitCode;
use crate::state::lane::EndedBy;
use crate::state::outbox::{self, Fate};

fn letter(engine: &mut Engine, text: &str) -> Ref {
    let parties = Parties { from: MAMA, to: Vec::new() };
    draft::letter(engine.db(), parties, &draft::Said::Words(text.into()), None, NOON).unwrap()
}

pub(super) fn remove(device: DeviceId) -> Op {
    Op::RemoveDevice { device, asked: Asked::ByFamily }
}

pub(super) fn posted(n: N, entry_ref: Ref) -> RelayFrame {
    RelayFrame::Posted(Posted { n, entry_ref, seq: 100 + n, at: NOON })
}

pub(super) fn refused(n: Option<N>, code: ErrorCode) -> RelayFrame {
    closing(n, code, None)
}

fn closing(n: Option<N>, code: ErrorCode, to_close: Option<ToClose>) -> RelayFrame {
    let text = "no".to_owned();
    RelayFrame::Refused(Refused { code, text, n, retry_after_ms: None, last_n: None, to_close })
}

/// The relay's log is another life of itself: what it has is read again from its start.
fn restart(engine: &mut Engine, last_n: N) {
    engine.hello();
    let generation = GENERATION + 1;
    let welcome = Welcome { now: NOON, last_n, generation, restart: Some(true) };
    engine.apply(RelayFrame::Welcome(welcome), NOON).unwrap();
}

fn posts(frames: &[ClientFrame]) -> Vec<Post> {
    let posts = frames.iter().filter_map(|frame| match frame {
        ClientFrame::Post(post) => Some(post.clone()),
        _ => None,
    });
    posts.collect()
}

fn one_turn(frames: &[ClientFrame]) -> Turn {
    match frames {
        [ClientFrame::Turn(turn)] => turn.clone(),
        other => panic!("one link, not {other:?}"),
    }
}

/// The phone of the mother, which has read a link that the relay then lost.
fn with_a_lost_link() -> (World, Engine, NewLink) {
    let mut world = World::new();
    let (honest, roster, keys) = (world.log.clone(), world.roster.clone(), world.keys.clone());
    let lost = world.link_by(HOUSE, Vec::new());
    world.take(&lost);
    let engine = world.synced(PHONE);
    (world.log, world.roster, world.keys) = (honest, roster, keys);
    (world, engine, lost)
}

#[test]
fn a_link_that_the_relay_lost_is_handed_in_before_all_else() {
    let (mut world, mut engine, lost) = with_a_lost_link();
    let kept = letter(&mut engine, "after the loss");
    restart(&mut engine, 0);

    engine.apply(world.entries(0), NOON).unwrap();
    let too_early = engine.commands(NOON).unwrap();
    let not_at_its_head = engine.hand_in(false, NOON).unwrap();
    let handed_in = engine.hand_in(true, NOON).unwrap();
    engine.apply(RelayFrame::HandedIn(HandedIn { epoch: 4 }), NOON).unwrap();
    let stand = world.log.len() as u64;
    world.take(&lost);
    engine.hello();
    engine.apply(world.entries(stand), NOON).unwrap();
    let sent = posts(&engine.commands(NOON).unwrap());

    assert_eq!(too_early, [], "nothing is sealed for a list that is too old");
    assert_eq!(not_at_its_head, None, "the rest may still come");
    let (links, wraps) = (vec![lost.link.into()], lost.wraps);
    let scope = engine.lane().scope;
    assert_eq!(handed_in, Some(ClientFrame::HandIn(HandIn { scope, links, wraps })));
    assert_eq!(engine.hand_in(true, NOON).unwrap(), None, "once");
    assert_eq!((sent[0].entry_ref, sent[0].epoch), (kept, 4));
}

#[test]
fn a_relay_that_does_not_take_what_it_lost_gets_no_letter() {
    for code in [ErrorCode::Stale, ErrorCode::BadLink, ErrorCode::UnknownKind] {
        let (world, mut engine, _) = with_a_lost_link();
        let kept = letter(&mut engine, "kept");
        restart(&mut engine, 0);
        engine.apply(world.entries(0), NOON).unwrap();
        engine.hand_in(true, NOON).unwrap();

        let error = engine.apply(refused(None, code), NOON).unwrap_err();
        engine.hello();
        let frames = engine.commands(NOON).unwrap();

        assert_eq!(error.code, ExitCode::Unsafe, "{code:?}");
        assert!(error.message.contains("does not take"), "{error}");
        assert_eq!(frames, []);
        assert_eq!(outbox::fate(engine.db(), kept).unwrap(), Some(Fate::Waits));
    }
}

#[test]
fn a_relay_that_says_it_has_the_links_and_keeps_them_back_gets_no_letter() {
    let (world, mut engine, _) = with_a_lost_link();
    letter(&mut engine, "kept");
    restart(&mut engine, 0);
    engine.apply(world.entries(0), NOON).unwrap();
    engine.hand_in(true, NOON).unwrap();
    engine.apply(RelayFrame::HandedIn(HandedIn { epoch: 4 }), NOON).unwrap();
    welcome(&mut engine, 0);

    let error = engine.hand_in(true, NOON).unwrap_err();

    assert_eq!(error.code, ExitCode::Unsafe);
    assert_eq!(engine.commands(NOON).unwrap(), []);
}

#[test]
fn a_busy_relay_is_handed_the_links_later() {
    let (world, mut engine, _) = with_a_lost_link();
    restart(&mut engine, 0);
    engine.apply(world.entries(0), NOON).unwrap();
    engine.hand_in(true, NOON).unwrap();

    let error = engine.apply(refused(None, ErrorCode::Unavailable), NOON).unwrap_err();

    assert_eq!(error.code, ExitCode::Offline);
    assert!(engine.hand_in(true, NOON).unwrap().is_some());
}

/// A phone that has read one link, and a relay that shows another under its number.
fn forked(world: &mut World, ours: &NewLink, theirs: &NewLink) -> Engine {
    let (honest, roster, keys) = (world.log.clone(), world.roster.clone(), world.keys.clone());
    world.take(ours);
    let engine = world.synced(PHONE);
    (world.log, world.roster, world.keys) = (honest, roster, keys);
    world.take(theirs);
    engine
}

#[test]
fn another_link_in_the_place_of_one_that_was_read_is_a_fork() {
    let mut world = World::new();
    let (ours, theirs) = (world.link_by(HOUSE, vec![]), world.link_by(HOUSE, vec![]));
    let mut engine = forked(&mut world, &ours, &theirs);
    let kept = letter(&mut engine, "kept");
    restart(&mut engine, 0);

    let error = engine.apply(world.entries(0), NOON).unwrap_err();
    engine.hello();
    let frames = engine.commands(NOON).unwrap();
    let (from, shown) = forks::shown(engine.db()).unwrap().unwrap();

    assert_eq!(error.code, ExitCode::Unsafe);
    assert!(error.message.contains("another list"), "{error}");
    assert_eq!(engine.family().roster, ours.roster, "ours is believed on");
    assert_eq!((from, &shown), (4, &theirs.roster));
    assert!(forks::is_in(&shown, engine.lane()));
    assert_eq!(frames, [], "nothing is sealed for either");
    assert_eq!(outbox::fate(engine.db(), kept).unwrap(), Some(Fate::Waits));
    assert_eq!(engine.hand_in(true, NOON).unwrap(), None, "it would not follow");
}

#[test]
fn a_fork_that_a_person_accepts_is_sealed_for_and_the_other_key_is_forgotten() {
    let mut world = World::new();
    let (ours, theirs) = (world.link_by(HOUSE, vec![]), world.link_by(HOUSE, vec![]));
    let mut engine = forked(&mut world, &ours, &theirs);
    let kept = letter(&mut engine, "goes on");
    restart(&mut engine, 0);
    engine.apply(world.entries(0), NOON).unwrap_err();
    let lane = engine.lane().clone();
    let tx = engine.state().begin().unwrap();

    forks::accept(&tx, lane, 4).unwrap();
    tx.commit().unwrap();
    drop(engine);
    let mut engine = world.reopened();
    let before_reading = engine.commands(NOON).unwrap();
    welcome(&mut engine, 0);
    engine.apply(world.entries(0), NOON).unwrap();
    let sent = posts(&engine.commands(NOON).unwrap());

    assert_eq!(before_reading, []);
    assert_eq!(engine.family().roster, theirs.roster);
    assert_eq!(engine.family().keys.get(&4), Some(&theirs.key));
    assert!(!engine.family().keys.values().any(|key| *key == ours.key));
    assert_eq!((sent[0].entry_ref, sent[0].epoch), (kept, 4));
    assert!(forks::shown(engine.db()).unwrap().is_none());
}

#[test]
fn a_fork_without_this_phone_is_not_its_to_accept() {
    let mut world = World::new();
    let (ours, theirs) = (world.link_by(HOUSE, vec![]), world.link_by(HOUSE, vec![remove(PHONE)]));
    let mut engine = forked(&mut world, &ours, &theirs);
    restart(&mut engine, 0);

    engine.apply(world.entries(0), NOON).unwrap_err();
    let (_, shown) = forks::shown(engine.db()).unwrap().unwrap();

    assert!(!forks::is_in(&shown, engine.lane()));
}

#[test]
fn a_link_that_would_not_follow_is_no_fork_but_a_lie() {
    let mut world = World::new();
    let (ours, mut theirs) = (world.link_by(HOUSE, vec![]), world.link_by(HOUSE, vec![]));
    let last = theirs.link.len() - 1;
    theirs.link[last] ^= 1;
    let mut engine = forked(&mut world, &ours, &theirs);
    restart(&mut engine, 0);

    let error = engine.apply(world.entries(0), NOON).unwrap_err();

    assert_eq!(error.code, ExitCode::Unsafe);
    assert!(forks::shown(engine.db()).unwrap().is_none(), "nobody is asked to accept it");
}

#[test]
fn a_phone_that_the_relay_forgot_hands_in_the_links_that_let_it_in() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    engine.hello();

    // Once on a socket, and once more in the round that looks into it.
    engine.apply(refused(None, ErrorCode::Unauthorised), NOON).unwrap();
    assert!(engine.must_catch_up());
    engine.hello();
    engine.apply(refused(None, ErrorCode::Unauthorised), NOON).unwrap();
    let asked = engine.hand_in(false, NOON).unwrap();
    engine.apply(RelayFrame::HandedIn(HandedIn { epoch: 3 }), NOON).unwrap();
    welcome(&mut engine, 0);

    let Some(ClientFrame::HandIn(handed_in)) = asked else { panic!("{asked:?}") };
    let numbers: Vec<_> = handed_in
        .links
        .iter()
        .map(|link| Link::parse(link).unwrap().read().unwrap().number)
        .collect();
    assert_eq!(numbers, [2, 3]);
    assert_eq!(engine.lane().ended, None);
}

#[test]
fn a_phone_that_the_relay_still_does_not_know_is_out_and_keeps_what_it_has() {
    for answer in [RelayFrame::HandedIn(HandedIn { epoch: 9 }), refused(None, ErrorCode::Stale)] {
        let mut world = World::new();
        world.letter(HOUSE, NAINAI, "kept");
        let mut engine = world.synced(PHONE);
        engine.hello();
        engine.apply(refused(None, ErrorCode::Unauthorised), NOON).unwrap();
        engine.hand_in(true, NOON).unwrap();

        let told = engine.apply(answer, NOON).map(drop);
        engine.hello();
        let error = told
            .and_then(|()| engine.apply(refused(None, ErrorCode::Unauthorised), NOON).map(drop))
            .unwrap_err();

        assert_eq!(error.code, ExitCode::Refused);
        assert!(error.message.contains("removed"), "{error}");
        assert_eq!(world.reopened().lane().ended.map(|ended| ended.by), Some(EndedBy::Removal));
        assert_eq!(crate::state::message::all(engine.db()).unwrap().len(), 1);
        assert_eq!(engine.family().keys.len(), 2, "so does what opens it");
    }
}

#[test]
fn a_family_that_began_anew_says_so_on_its_old_phones() {
    for n in [None, Some(1)] {
        let mut world = World::new();
        let mut engine = world.synced(PHONE);
        letter(&mut engine, "too late");
        engine.commands(NOON).unwrap();

        let error = engine.apply(refused(n, ErrorCode::NewChain), NOON).unwrap_err();

        assert_eq!(error.code, ExitCode::Refused);
        assert!(error.message.contains("began anew"), "{error}");
        let ended = engine.lane().ended.unwrap();
        assert_eq!((ended.by, ended.at), (EndedBy::NewChain, NOON));
    }
}

#[test]
fn what_the_relay_asks_to_be_closed_is_closed_by_a_link_that_goes_first() {
    let mut world = World::new();
    let keys = KeyPairs::generate();
    let card = world.link_by(HOUSE, vec![invite_for(&keys)]);
    world.take(&card);
    let mut engine = world.synced(PHONE);
    let waits = letter(&mut engine, "after that");
    let stand = world.log.len() as u64;
    engine.commands(NOON).unwrap();
    // What is gone already, what never was, and this phone itself are left out.
    let to_close = ToClose {
        devices: vec![PHONE, HOUSE, DeviceId(9)],
        invites: vec![InviteId(1), InviteId(3)],
    };

    engine.apply(closing(Some(1), ErrorCode::TurnFirst, Some(to_close)), NOON).unwrap();
    let turn = one_turn(&engine.commands(NOON).unwrap());
    let ops = Link::parse(&turn.link).unwrap().read().unwrap().ops;
    let change = world.roster.append(&turn.link, Some(&turn.wraps));
    world.push(&Content::Link(jiashu_proto::entry::LinkFact { link: turn.link.clone() }));
    let (number, wraps) = (world.roster.number(), turn.wraps.clone());
    world.push(&Content::Wraps(jiashu_proto::entry::WrapsFact { number, wraps }));
    engine.apply(posted(turn.n, turn.entry_ref), NOON).unwrap();
    engine.apply(world.entries(stand), NOON).unwrap();
    let sent = posts(&engine.commands(NOON).unwrap());

    assert_eq!(turn.n, 1, "the counter was free");
    assert_eq!(
        ops,
        [
            Op::CloseInvite { invite: InviteId(3), asked: Asked::ByRelay },
            Op::RemoveDevice { device: HOUSE, asked: Asked::ByRelay },
        ]
    );
    assert!(change.is_ok(), "{change:?}");
    assert_eq!((sent[0].entry_ref, sent[0].n, sent[0].epoch), (waits, 2, 5));
}

pub(super) fn invite_for(keys: &KeyPairs) -> Op {
    Op::AddInvite {
        invite: InviteId(3),
        sign_pub: keys.sign.public(),
        hpke_pub: keys.hpke.public(),
        members: vec![LILI],
        expires_at: NOON,
    }
}

#[test]
fn where_nothing_is_to_be_closed_or_it_is_not_ours_to_close_letters_wait() {
    let serves_a_child = Op::SetMembers { device: HOUSE, members: vec![LILI] };
    let cases = [
        ("nothing named", PHONE, None, None),
        ("nothing that stands open", PHONE, Some(vec![DeviceId(9)]), None),
        ("this phone itself", PHONE, Some(vec![PHONE]), None),
        ("a child's phone", HOUSE, Some(vec![PHONE]), Some(serves_a_child)),
    ];

    for (what, device, devices, op) in cases {
        let mut world = World::new();
        if let Some(op) = op {
            let link = world.link_by(PHONE, vec![op]);
            world.take(&link);
        }
        let mut engine = world.synced(device);
        letter(&mut engine, "waits");
        engine.commands(NOON).unwrap();
        let to_close = devices.map(|devices| ToClose { devices, invites: vec![] });

        engine.apply(closing(Some(1), ErrorCode::TurnFirst, to_close), NOON).unwrap();
        let frames = engine.commands(NOON + 1000).unwrap();

        assert_eq!(frames, [], "{what}");
        assert!(engine.lane().waits.as_ref().unwrap().contains("close"), "{what}: it says why");
        let stand = world.log.len() as u64;
        let other = if device == PHONE { HOUSE } else { PHONE };
        let turn = world.link_by(other, Vec::new());
        world.take(&turn);
        engine.apply(world.entries(stand), NOON).unwrap();
        assert_eq!(
            posts(&engine.commands(NOON + 1000).unwrap()).len(),
            1,
            "{what}: a link ends it"
        );
    }
}

#[test]
fn asked_once_more_while_the_link_waits_a_phone_writes_no_other() {
    let mut world = World::new();
    let mut engine = world.synced(PHONE);
    letter(&mut engine, "one");
    letter(&mut engine, "two");
    engine.commands(NOON).unwrap();
    let to_close = || Some(ToClose { devices: vec![HOUSE], invites: vec![] });

    for n in [1, 2] {
        engine.apply(closing(Some(n), ErrorCode::TurnFirst, to_close()), NOON).unwrap();
    }

    one_turn(&engine.commands(NOON).unwrap());
    assert_eq!(outbox::waiting_count(engine.db()).unwrap().0, 3);
}

#[test]
fn a_relay_that_asks_for_ever_does_not_keep_a_phone_writing() {
    for code in [ErrorCode::TurnFirst, ErrorCode::Stale] {
        let mut world = World::new();
        let mut engine = world.synced(PHONE);
        letter(&mut engine, "waits");
        let to_close = || Some(ToClose { devices: vec![HOUSE, DeviceId(9)], invites: vec![] });
        let mut links = 0;
        for _ in 0..20 {
            for frame in engine.commands(NOON).unwrap() {
                let (n, code) = match frame {
                    ClientFrame::Turn(turn) => {
                        links += 1;
                        (turn.n, code)
                    }
                    ClientFrame::Post(post) => (post.n, ErrorCode::TurnFirst),
                    other => panic!("{other:?}"),
                };
                engine.apply(closing(Some(n), code, to_close()), NOON).unwrap();
            }
            engine.hello();
        }

        assert!((1..=4).contains(&links), "{code:?}: {links}");
        assert_eq!(outbox::waiting_count(engine.db()).unwrap().0, 1, "{code:?}: it is kept");
    }
}
