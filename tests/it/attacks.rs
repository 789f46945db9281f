//! What somebody tried who wants in, or wants others out (docs/attacks.md): each try stays one.

use jiashu_proto::frame::{ClientFrame, Join, RelayFrame, Turn};
use jiashu_proto::id::Ref;
use jiashu_tests::raw::read_all;
use jiashu_tests::wire::{Heard, Wire, close, frame};
use jiashu_tests::{FamilySpec, TestRelay};

use crate::scene::{Scene, bytes};

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

/// CPU time that the relay has taken, in ms: unlike a clock, it does not run while others work.
fn cpu_ms(relay: &TestRelay) -> u64 {
    const TICK_MS: u64 = 10;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", relay.pid())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |place: usize| fields[place].parse::<u64>().unwrap();
    (ticks(11) + ticks(12)) * TICK_MS
}
