//! Other people's families, members and places: a token opens its own and tells nothing of others.

use jiashu_proto::entry::{RuleText, Rung};
use jiashu_proto::error::{ErrorCode, close};
use jiashu_proto::frame::{Ack, ClientFrame, Hold, Plan, Post, RelayFrame, Report};
use jiashu_proto::id::{DeviceId, MemberId, Ref, Scope, Token};
use jiashu_tests::FamilySpec;
use jiashu_tests::programme::hello;

use crate::scene::{Scene, bytes, code};

fn tomorrow() -> RuleText {
    RuleText::new("2100-01-01T20:00:00", "Asia/Shanghai", None)
}

#[tokio::test]
async fn a_token_opens_its_own_family_and_every_other_is_refused_alike() {
    let scene = Scene::li().await;
    let other = scene.programme.enrol("PRATO-002", &FamilySpec::li()).await;
    other.join(0).await;
    let own = scene.phones[0].token.clone();
    let wrong: [(&str, Token); 6] = [
        ("another family's number", Token { scope: other.scope(), ..own.clone() }),
        ("another device's number", Token { device: DeviceId(2), ..own.clone() }),
        ("a wrong secret", Token { secret: [7; 16], ..own.clone() }),
        ("a device that never was", Token { device: DeviceId(9), ..own.clone() }),
        ("a family that never was", Token { scope: Scope(42), ..own.clone() }),
        ("the relay itself", Token { scope: Scope::RELAY, device: DeviceId(1), ..own }),
    ];
    let raw = scene.relay.raw();
    let expected = raw.post(&bytes(&[hello(&wrong[0].1)])).await.body;

    for (what, token) in &wrong {
        let answer = raw.post(&bytes(&[hello(token)])).await.body;
        let mut socket = scene.relay.open().await;
        socket.send(hello(token)).await;
        let (_, told) = socket.next().await;
        let (closed, _) = socket.closed().await;

        assert_eq!(answer, expected, "{what}");
        assert_eq!(told.to_bytes(0), expected, "{what}");
        assert_eq!(closed, close::UNAUTHORISED, "{what}");
        let RelayFrame::Refused(refused) = told else { panic!("{what}: {told:?}") };
        assert_eq!(refused.code, ErrorCode::Unauthorised, "{what}");
    }
}

#[tokio::test]
async fn a_phone_speaks_only_for_those_whom_it_serves() {
    let mut scene = Scene::li().await;
    let [mother, _] = &mut scene.phones;
    let (post, id) = (mother.letter("我是奶奶", &[3]), Ref([5; 12]));
    let from = MemberId(2);
    let foreign = [
        ClientFrame::Post(Post { from, ..post.clone() }),
        ClientFrame::Post(Post { from: MemberId(9), ..post.clone() }),
        ClientFrame::Report(Report { from, ..mother.report(post.entry_ref, 1, Rung::Opened) }),
        ClientFrame::Hold(Hold { from, ..mother.held_letter("我是奶奶", &[3], id) }),
        ClientFrame::Plan(Plan { from, ..mother.plan(id, &[3], tomorrow()) }),
    ];

    for frame in foreign {
        let word = frame.name();
        assert_eq!(code(mother.command(frame).await), ErrorCode::NotAllowed, "{word}");
    }

    let own = mother.command(ClientFrame::Post(post)).await.unwrap();
    assert_eq!(own.n, 1, "the counters of what was refused are unused");
}

#[tokio::test]
async fn staff_write_no_letters_and_phones_enrol_nobody() {
    let scene = Scene::li().await;
    let post = ClientFrame::Post(scene.phones[0].letter("吃饭了吗", &[]));
    let enrol = ClientFrame::Enrol(scene.family.enrol.clone());
    let raw = scene.relay.raw();
    let last_code = async |frames: Vec<ClientFrame>| match raw.ask(frames).await.pop() {
        Some(RelayFrame::Refused(refused)) => refused.code,
        other => panic!("{other:?}"),
    };

    let staff = last_code(vec![scene.programme.hello(), post.clone()]).await;
    let phone = scene.phones[0].ask(vec![enrol.clone()]).await;
    let nobody = [post, enrol, ClientFrame::Ack(Ack { seq: 1, tag: 1 })];

    assert_eq!(staff, ErrorCode::HelloFirst);
    assert!(
        matches!(&phone[..], [RelayFrame::Refused(no), ..] if no.code == ErrorCode::HelloFirst),
        "{phone:?}"
    );
    for frame in nobody {
        let word = frame.name();
        assert_eq!(last_code(vec![frame]).await, ErrorCode::HelloFirst, "{word}");
    }
}

#[tokio::test]
async fn a_connection_has_lanes_0_to_63() {
    let scene = Scene::li().await;
    let hello = scene.phones[0].hello();

    let last = scene.relay.raw().round(&[(63, hello.clone())]).await;
    let beyond = scene.relay.raw().round(&[(64, hello)]).await;

    assert!(matches!(&last[..], [(63, RelayFrame::Welcome(_)), ..]), "{last:?}");
    assert!(
        matches!(&beyond[..], [(64, RelayFrame::Refused(no))] if no.code == ErrorCode::Full),
        "{beyond:?}"
    );
}
