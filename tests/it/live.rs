//! Two phones that are on: what one says, the other has; what the other has read, the first sees.

use jiashu_proto::bounds::MAX_ENTRIES;
use jiashu_proto::frame::{Beat, ClientFrame, Cursors, RelayFrame};
use jiashu_tests::{FamilySpec, until};

use crate::scene::{Scene, entries, online};

#[tokio::test]
async fn a_letter_reaches_the_other_phone_and_its_ack_the_author() {
    let mut scene = Scene::li().await;
    let mut mothers = online(&scene.relay, &scene.phones[0]).await;
    let mut homes = online(&scene.relay, &scene.phones[1]).await;
    let [mother, home] = &mut scene.phones;

    mothers.send(ClientFrame::Post(mother.letter("吃饭了吗", &[2, 3]))).await;
    let posted = mothers
        .wait_for(|_, frame| match frame {
            RelayFrame::Posted(posted) => Some(*posted),
            _ => None,
        })
        .await;
    let delivered = homes.wait_for(|_, frame| entries(frame)).await;
    assert!(home.log.take(&delivered), "it joins on");
    homes.send(ClientFrame::Ack(home.log.ack())).await;
    let reached = mothers
        .wait_for(|_, frame| match frame {
            RelayFrame::Cursors(Cursors { reached }) => {
                reached.iter().find(|it| it.device.0 == 2 && it.seq >= posted.seq).copied()
            }
            _ => None,
        })
        .await;

    assert_eq!(home.log.texts(), ["吃饭了吗"]);
    assert!(reached.at >= posted.at);
}

#[tokio::test]
async fn a_family_talks_back_and_forth_and_nobody_is_sent_what_he_wrote() {
    let mut scene = Scene::li().await;
    let mut sockets = [
        online(&scene.relay, &scene.phones[0]).await,
        online(&scene.relay, &scene.phones[1]).await,
    ];
    let expected: Vec<_> = (0..20).map(|turn| format!("turn {turn}")).collect();

    for (turn, text) in expected.iter().enumerate() {
        let speaker = turn % 2;
        let letter = scene.phones[speaker].letter(text, &[]);
        sockets[speaker].send(ClientFrame::Post(letter)).await;
        scene.phones[speaker].n += 1;
        for (socket, phone) in sockets.iter_mut().zip(&mut scene.phones) {
            let page = socket.wait_for(|_, frame| entries(frame)).await;
            assert!(phone.log.take(&page), "it joins on: {page:?}");
            socket.send(ClientFrame::Ack(phone.log.ack())).await;
        }
    }

    let by = |speaker: usize| expected.iter().skip(speaker).step_by(2).collect::<Vec<_>>();
    assert_eq!(scene.phones[0].log.texts().iter().collect::<Vec<_>>(), by(1));
    assert_eq!(scene.phones[1].log.texts().iter().collect::<Vec<_>>(), by(0));
    assert_eq!(scene.phones[0].log.cursor.seq, scene.phones[1].log.cursor.seq);
}

#[tokio::test]
async fn a_phone_that_was_cut_off_before_the_answer_finds_its_letter_in_the_log() {
    let mut scene = Scene::li().await;
    let mut socket = online(&scene.relay, &scene.phones[0]).await;

    let letter = scene.phones[0].letter("Did it leave?", &[]);
    socket.send(ClientFrame::Post(letter)).await;
    drop(socket);
    until("the letter to be in the log", async || {
        scene.phones[1].sync().await;
        (!scene.phones[1].log.texts().is_empty()).then_some(())
    })
    .await;
    scene.phones[0].sync().await;

    assert_eq!(scene.phones[0].log.texts(), ["Did it leave?"]);
}

#[tokio::test]
async fn one_connection_carries_the_phones_of_two_families() {
    let mut scene = Scene::li().await;
    let wangs = scene.programme.enrol("PRATO-002", &FamilySpec::li()).await;
    let [mut wang, mut wang_home] = wangs.join_all().await;
    let [li, li_home] = &mut scene.phones;
    let mut school = scene.relay.open().await;
    school.send_on(0, &li_home.hello()).await;
    school.send_on(3, &wang_home.hello()).await;
    for lane in [0, 3] {
        school
            .wait_for(|on, frame| {
                (on == lane && matches!(frame, RelayFrame::Welcome(_))).then_some(())
            })
            .await;
    }

    wang.post("王家的信").await;
    let wangs_page = school.wait_for(|lane, frame| entries(frame).map(|page| (lane, page))).await;
    li.post("李家的信").await;
    let lis_page = school.wait_for(|lane, frame| entries(frame).map(|page| (lane, page))).await;
    school.send_on(3, &ClientFrame::Post(wang_home.letter("收到", &[]))).await;
    let posted =
        school.wait_for(|lane, frame| matches!(frame, RelayFrame::Posted(_)).then_some(lane)).await;

    assert_eq!((wangs_page.0, lis_page.0, posted), (3, 0, 3));
    assert!(wang_home.log.take(&wangs_page.1));
    assert!(li_home.log.take(&lis_page.1));
    assert_eq!(wang_home.log.texts(), ["王家的信"]);
    assert_eq!(li_home.log.texts(), ["李家的信"]);
}

#[tokio::test]
async fn a_lane_whose_token_dies_leaves_the_others_be() {
    let mut scene = Scene::li().await;
    let wangs = scene.programme.enrol("PRATO-002", &FamilySpec::li()).await;
    let [mut wang, wang_home] = wangs.join_all().await;
    let li_home = &scene.phones[1];
    let mut school = scene.relay.open().await;
    school.send_on(0, &li_home.hello()).await;
    school.send_on(3, &wang_home.hello()).await;
    school.wait_for(|lane, _| (lane == 3).then_some(())).await;

    let device = wang_home.number();
    let asked = jiashu_roster::Asked::ByFamily;
    wang.write(vec![jiashu_roster::Op::RemoveDevice { device, asked }]).await;
    let refused = school
        .wait_for(|lane, frame| matches!(frame, RelayFrame::Refused(_)).then_some(lane))
        .await;
    scene.phones[0].post("李家的信").await;
    let page = school.wait_for(|lane, frame| entries(frame).map(|page| (lane, page))).await;

    assert_eq!(refused, 3);
    assert_eq!(page.0, 0);
    assert!(scene.phones[1].log.take(&page.1));
    assert_eq!(scene.phones[1].log.texts(), ["李家的信"]);
}

#[tokio::test]
async fn what_came_while_too_much_was_unread_comes_once_that_is_read() {
    let mut scene = Scene::li().await;
    let mut socket = online(&scene.relay, &scene.phones[1]).await;
    let mut pages = Vec::new();
    for _ in 0..MAX_ENTRIES {
        scene.phones[0].post("one of many").await;
        pages.push(socket.wait_for(|_, frame| entries(frame)).await);
    }
    scene.phones[0].post("the last").await;
    // Looked at, and left for want of room: the answer to a beat comes after that look.
    socket.send(ClientFrame::Beat(Beat {})).await;
    socket.wait_for(|_, frame| matches!(frame, RelayFrame::Beaten(_)).then_some(())).await;

    for page in &pages {
        assert!(scene.phones[1].log.take(page), "it joins on: {page:?}");
        socket.send(ClientFrame::Ack(scene.phones[1].log.ack())).await;
    }
    let last = socket.wait_for(|_, frame| entries(frame)).await;

    assert!(scene.phones[1].log.take(&last));
    assert_eq!(scene.phones[1].log.texts().last().map(String::as_str), Some("the last"));
}
