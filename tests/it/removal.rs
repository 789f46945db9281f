//! P14: a lost phone is out within seconds, on every lane, and the next letter is under a new key.

use std::time::{Duration, Instant};

use jiashu_proto::entry::RuleText;
use jiashu_proto::error::{ErrorCode, close};
use jiashu_proto::frame::{Beat, ClientFrame, Lane, RelayFrame};
use jiashu_proto::id::{DeviceId, Ref};
use jiashu_roster::{Asked, Op};
use jiashu_tests::{FamilySpec, RawDevice, RawSocket, TestRelay};

use crate::scene::{Scene, TwoRelays, code};

/// Ten times the two seconds that are promised.
const OUT: Duration = Duration::from_secs(20);

fn out(devices: &[u32]) -> Vec<Op> {
    let remove =
        |device: &u32| Op::RemoveDevice { device: DeviceId(*device), asked: Asked::ByFamily };
    devices.iter().map(remove).collect()
}

/// Says hello on a lane and waits for the welcome.
async fn enter(socket: &mut RawSocket, lane: Lane, phone: &RawDevice) {
    socket.send_on(lane, &phone.hello()).await;
    let welcomed = |on: Lane, frame: &RelayFrame| {
        (on == lane && matches!(frame, RelayFrame::Welcome(_))).then_some(())
    };
    socket.wait_for(welcomed).await;
}

/// Waits until the lane is told that it is out.
async fn told_out(socket: &mut RawSocket, lane: Lane) {
    let refused = |on: Lane, frame: &RelayFrame| match frame {
        RelayFrame::Refused(refused) if on == lane => Some(refused.code),
        _ => None,
    };
    assert_eq!(socket.wait_for(refused).await, ErrorCode::Unauthorised);
}

#[tokio::test]
async fn a_lost_phone_is_out_within_seconds_on_every_lane_and_the_others_go_on() {
    out_within_seconds(TestRelay::start().await, None).await;
}

#[tokio::test]
async fn a_lost_phone_at_another_relay_is_out_within_seconds_on_every_lane() {
    let TwoRelays { first, second, redis: _redis, folders: _folders } = TwoRelays::start(&[]).await;
    out_within_seconds(first, Some(second)).await;
}

/// The mother writes the link at one relay; the lost phones are at the other, if there is one.
async fn out_within_seconds(relay: TestRelay, second: Option<TestRelay>) {
    let spec = FamilySpec::li().with_phones(&[&[1], &[2], &[2], &[3]]);
    let mut scene = Scene::<4>::of(relay, spec).await;
    let wang = scene.programme.enrol("PRATO-002", &FamilySpec::li()).await;
    let [_, mut pupil] = wang.join_all().await;
    let [mother, reading, behind, school] = &mut scene.phones;
    let there = second.as_ref().unwrap_or(&scene.relay);
    let (mut one, mut other) = (there.open().await, there.open().await);
    let mut lanes = there.open().await;
    enter(&mut one, 0, reading).await;
    enter(&mut lanes, 0, school).await;
    enter(&mut lanes, 5, &pupil).await;
    enter(&mut lanes, 63, school).await;
    // This one reads nothing: more waits for it than may be sent, and the link stands behind that.
    enter(&mut other, 0, behind).await;
    mother.post_many(100).await;
    mother.sync().await;

    let removed_at = Instant::now();
    mother.write(out(&[2, 3, 4])).await;

    told_out(&mut one, 0).await;
    assert_eq!(one.closed().await.0, close::UNAUTHORISED);
    told_out(&mut other, 0).await;
    assert_eq!(other.closed().await.0, close::UNAUTHORISED);
    let mut told = [false; 64];
    while !(told[0] && told[63]) {
        let refused = |lane: Lane, frame: &RelayFrame| match frame {
            RelayFrame::Refused(refused) => Some((lane, refused.code)),
            _ => None,
        };
        let (lane, code) = lanes.wait_for(refused).await;
        assert_eq!(code, ErrorCode::Unauthorised);
        told[usize::from(lane)] = true;
    }
    let took = removed_at.elapsed();
    let at = if second.is_some() { ", two relays" } else { "" };
    eprintln!("P14{at}: out after {took:?}");
    assert!(took < OUT, "{took:?}");
    let letter = pupil.letter("我在学校", &[]);
    lanes.send_on(5, &ClientFrame::Post(letter)).await;
    let posted = |lane: Lane, frame: &RelayFrame| match frame {
        RelayFrame::Posted(posted) => Some((lane, posted.n)),
        _ => None,
    };
    assert_eq!(lanes.wait_for(posted).await, (5, 1), "the socket's other lane goes on");
    pupil.n = 1;
}

#[tokio::test]
async fn nothing_of_a_removed_phone_is_taken_and_the_next_letter_is_under_a_new_key() {
    take_nothing(TestRelay::start().await, None).await;
}

#[tokio::test]
async fn nothing_of_a_removed_phone_is_taken_by_another_relay() {
    let TwoRelays { first, second, redis: _redis, folders: _folders } = TwoRelays::start(&[]).await;
    take_nothing(first, Some(second)).await;
}

/// The mother writes the link at one relay; the lost phone asks at the other, if there is one.
async fn take_nothing(relay: TestRelay, second: Option<TestRelay>) {
    let spec = FamilySpec::li().with_phones(&[&[1], &[2], &[3]]);
    let mut scene = Scene::<3>::of(relay, spec).await;
    let [mother, lost, child] = &mut scene.phones;
    let there = second.as_ref().unwrap_or(&scene.relay).raw();
    let rule = RuleText::new("2100-01-01T20:00:00", "Asia/Shanghai", None);
    let commands = [
        ClientFrame::Post(lost.letter("给我打钱", &[])),
        ClientFrame::Hold(lost.held_letter("给我打钱", &[3], Ref([5; 12]))),
        ClientFrame::Plan(lost.plan(Ref([5; 12]), &[3], rule)),
        ClientFrame::Report(lost.report(Ref([5; 12]), 1, jiashu_proto::entry::Rung::Opened)),
        ClientFrame::Turn(lost.turn(&lost.link(Vec::new()).unwrap(), Vec::new())),
    ];
    let own_link = lost.link(out(&[1])).unwrap();
    let mut forged = lost.hand_in(0);
    (forged.links, forged.wraps) = (vec![own_link.link.into()], own_link.wraps);

    let before = mother.log.roster.number();
    mother.write(out(&[2])).await;

    assert_eq!(code(lost.welcome().await), ErrorCode::Unauthorised);
    for command in commands {
        let answers = there.ask(vec![lost.hello(), command.clone()]).await;
        let codes: Vec<_> = answers
            .iter()
            .map(|answer| match answer {
                RelayFrame::Refused(refused) => refused.code,
                other => panic!("{}: {other:?}", command.name()),
            })
            .collect();
        assert_eq!(codes, [ErrorCode::Unauthorised, ErrorCode::HelloFirst], "{}", command.name());
    }
    let handed_in = there.one(ClientFrame::HandIn(forged)).await;
    assert!(
        matches!(&handed_in, RelayFrame::Refused(refused) if refused.code == ErrorCode::Stale),
        "{handed_in:?}"
    );
    child.sync().await;
    child.post("奶奶的手机丢了").await;
    mother.sync().await;
    let (_, _, letter) = mother.log.messages().next().unwrap();
    assert_eq!(letter.epoch, before + 1);
    assert!(!lost.log.keys.contains_key(&letter.epoch), "and the lost phone has no such key");
}

#[tokio::test]
async fn a_phone_that_talks_without_a_pause_is_out_all_the_same() {
    let mut scene = Scene::li().await;
    let [mother, lost] = &mut scene.phones;
    let mut socket = scene.relay.open().await;
    enter(&mut socket, 0, lost).await;

    mother.write(out(&[2])).await;
    for _ in 0..64 {
        socket.send(ClientFrame::Beat(Beat {})).await;
    }

    told_out(&mut socket, 0).await;
    assert_eq!(socket.closed().await.0, close::UNAUTHORISED);
}

#[tokio::test]
async fn a_letter_that_waits_is_sealed_again_under_the_new_key_as_a_command_of_its_own() {
    let mut scene = Scene::li_with_three_phones().await;
    let [mother, _, child] = &mut scene.phones;
    let id = Ref([5; 12]);
    let hold = mother.held_letter("晚安", &[3], id);
    mother.command(ClientFrame::Hold(hold.clone())).await.unwrap();
    mother.write(out(&[2])).await;

    let again = mother.hold_again(&hold, "晚安");
    let first = mother.command(ClientFrame::Hold(again.clone())).await.unwrap();
    let repeat = mother.command(ClientFrame::Hold(again.clone())).await.unwrap();

    assert_eq!(first.entry_ref, again.again.unwrap());
    assert_eq!((repeat.n, repeat.entry_ref, repeat.seq), (first.n, first.entry_ref, first.seq));
    assert_eq!(mother.welcome().await.unwrap().last_n, first.n);
    let gone = jiashu_proto::frame::Hold {
        body_ref: Ref([8; 12]),
        again: Some(Ref([9; 12])),
        ..mother.hold_again(&hold, "晚安")
    };
    let refused = mother.command(ClientFrame::Hold(gone)).await;
    assert_eq!(code(refused), ErrorCode::Unknown, "a letter that has gone is not held anew");
    child.sync().await;
    assert_eq!(child.log.roster.devices().len(), 2);
}
