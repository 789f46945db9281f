//! What somebody tried who wants in, or wants others out (docs/attacks.md): each try stays one.

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, HandIn, Join, Look, RelayFrame, Request, Turn};
use jiashu_proto::id::{CodeHash, DeviceId, Ref, Scope, Token};
use jiashu_roster::{Asked, Op};
use jiashu_seal::{BodyFields, open_body};
use jiashu_tests::raw::read_all;
use jiashu_tests::wire::{Heard, Wire, close, frame};
use jiashu_tests::{FamilySpec, TestRelay};

use crate::scene::{Scene, bytes, code};

/// Bytes as a library may write them into a log: in hex, as a list, and as Rust shows them.
fn as_logged(bytes: &[u8]) -> [String; 3] {
    let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    [hex, list, bytes.escape_ascii().to_string()]
}

#[tokio::test]
async fn no_log_at_any_level_holds_what_would_let_somebody_in() {
    let relay = TestRelay::with(&[("JIASHU_LOG", "trace")]).await;
    let scene = Scene::<2>::of(relay, FamilySpec::li()).await;
    let mut wire = Wire::upgraded(scene.relay.address()).await;

    wire.send(&frame(0x82, &scene.phones[0].hello().to_bytes(0))).await;
    assert!(matches!(wire.hear().await, Heard::Binary(_)));
    wire.send(&close(1000, b"a reason\n2026-11-25 INFO that looks like a line")).await;
    while wire.hear().await != Heard::End {}

    let log = scene.relay.log();
    let tokens = scene.phones.iter().map(|phone| phone.token.secret);
    for secret in tokens.chain([scene.programme.token.secret]) {
        for form in as_logged(&secret) {
            assert!(!log.contains(&form), "a token stands in the log");
        }
    }
    assert!(!log.contains("looks like a line"), "a stranger writes into the log");
}

#[tokio::test]
async fn who_holds_a_card_cannot_have_the_chain_checked_for_ever() {
    /// A round's worth, but for the hello.
    const COUNT: usize = 2_000;
    // The limits by rate let through a few of each; here it is about what one costs.
    let settings = ["JIASHU_KNOCKS_PER_MINUTE", "JIASHU_POSTS_PER_MINUTE", "JIASHU_POSTS_BURST"];
    let relay = TestRelay::with(&settings.map(|key| (key, "100000"))).await;
    let mut scene = Scene::<2>::of(relay, FamilySpec::li()).await;
    let mother = &mut scene.phones[0];
    for _ in 0..6 {
        mother.write(Vec::new()).await;
    }
    let in_an_hour = mother.raw.now().await + 3_600_000;
    let card = mother.invite(&[2], in_an_hour).await;
    let (scope, code) = (card.scope, card.secret.code());
    let join = bytes(&[ClientFrame::Join(Join { scope, code, link: vec![], wraps: vec![] })]);
    let (n, entry_ref) = (mother.n + 1, Ref([1; 12]));
    let turn = Turn { n, entry_ref, link: vec![], wraps: vec![], cards: vec![] };
    let turn = bytes(&[ClientFrame::Turn(turn)]);

    // Of the relay's CPU; before a checked chain was kept, each took 3 s.
    for (head, frame) in [(Vec::new(), join), (mother.hello().to_bytes(0), turn)] {
        let before = cpu_ms(&scene.relay);
        let answer = scene.relay.raw().post(&[head, frame.repeat(COUNT)].concat()).await;
        let taken = cpu_ms(&scene.relay) - before;

        let answers = read_all(&answer.body);
        let refused = answers.iter().filter(|(_, frame)| matches!(frame, RelayFrame::Refused(_)));
        assert_eq!(refused.count(), COUNT);
        assert!(taken < 1_000, "{taken} ms of CPU for {COUNT} frames");
    }
}

#[tokio::test]
async fn a_thief_with_the_folder_of_a_removed_phone_finds_every_door_shut() {
    let mut scene = Scene::li_with_three_phones().await;
    let [mother, stolen, _] = &mut scene.phones;
    let in_an_hour = mother.raw.now().await + 3_600_000;
    let kept_card = stolen.invite(&[2], in_an_hour).await;
    mother.sync().await;
    let known = usize::try_from(stolen.log.roster.number()).unwrap();
    let before = stolen.clone();

    let out = Op::RemoveDevice { device: stolen.number(), asked: Asked::ByFamily };
    mother.write(vec![out]).await;
    let letter = mother.letter("not for a thief", &[]);
    mother.command(ClientFrame::Post(letter.clone())).await.unwrap();

    // The token; the card that it had made; a link of its own, by the door that asks for no token.
    assert_eq!(code(stolen.welcome().await), ErrorCode::Unauthorised);
    assert_eq!(code(kept_card.look().await), ErrorCode::Invite);
    let own = stolen.link(Vec::new()).unwrap();
    for (links, wraps) in [(vec![own.link.clone()], own.wraps.clone()), (vec![], vec![])] {
        let links = links.into_iter().map(Into::into).collect();
        let hand_in = HandIn { scope: stolen.token.scope, links, wraps };
        let answer = scene.relay.raw().one(ClientFrame::HandIn(hand_in)).await;
        assert!(matches!(answer, RelayFrame::Refused(_)), "{answer:?}");
    }
    // The chain as it was before is no way back, and what it shows has no key for the thief.
    let again = scene.relay.raw().one(ClientFrame::HandIn(before.hand_in(known - 1))).await;
    assert!(
        matches!(again, RelayFrame::HandedIn(handed) if handed.epoch > before.log.roster.number())
    );
    assert_eq!(code(before.welcome().await), ErrorCode::Unauthorised);
    let (epoch, key) = stolen.log.key().expect("it had the key of its time");
    assert!(letter.epoch > epoch);
    let link = mother.log.roster.hash_of(letter.epoch).unwrap();
    let (device, from) = (mother.number(), mother.member());
    let (kind, to) = (letter.kind, letter.to.clone());
    let fields = BodyFields { device, from, kind, to, key: None, until: None, schedule: None };
    assert!(open_body(key, link, letter.entry_ref, &fields, &letter.sealed).is_err());
}

#[tokio::test]
async fn who_has_a_familys_number_alone_learns_nothing_of_it() {
    let scene = Scene::li().await;
    let (real, none) = (scene.family.scope(), Scope(0x1234_5678));
    let raw = scene.relay.raw();
    let asks = |scope| {
        let token = Token { scope, device: DeviceId(1), secret: [7; 16] };
        let hand_in = HandIn { scope, links: vec![], wraps: vec![] };
        let (link, wraps) = (vec![0x40], vec![0x80]);
        [
            jiashu_tests::programme::hello(&token),
            ClientFrame::Look(Look { scope, code: [7; 16] }),
            ClientFrame::Join(Join { scope, code: [7; 16], link, wraps }),
            ClientFrame::HandIn(hand_in),
            ClientFrame::Request(Request {
                scope,
                code: [7; 16],
                sign_pub: [4; 65],
                hpke_pub: [4; 65],
                code_hash: CodeHash([7; 32]),
            }),
        ]
    };

    for (of_it, of_none) in asks(real).into_iter().zip(asks(none)) {
        let what = of_it.name();
        let (real, none) = (raw.one(of_it).await, raw.one(of_none).await);

        assert!(matches!(real, RelayFrame::Refused(_)), "{what}");
        assert_eq!(real, none, "{what} tells whether there is such a family");
    }
}

/// CPU time that the relay has taken, in ms: unlike a clock, it does not run while others work.
fn cpu_ms(relay: &TestRelay) -> u64 {
    const TICK_MS: u64 = 10;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", relay.pid())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |place: usize| fields[place].parse::<u64>().unwrap();
    (ticks(11) + ticks(12)) * TICK_MS
}
