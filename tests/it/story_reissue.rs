//! A re-issued card: a new phone asks to be let in, and two people compare the digits of its screen.

use jiashu_proto::frame::{ClientFrame, RelayFrame, Request, Requested};
use jiashu_proto::id::LinkHash;
use jiashu_tests::Cli;
use serde_json::{Value, json};

use crate::story::{Li, Office, ask, ask_all, failure, phones, texts};
use crate::story_meddler::{Ghost, Meddler};

/// Types the link of a re-issued card on a new phone; what it shows.
async fn asked(office: &Office, name: &str, members: &str) -> (Cli, String, Value) {
    let link = ask(&office.worker, &["ngo", "reissue", "GS-001", "--for", members]).await;
    let link = link["link"].as_str().unwrap().to_owned();
    let phone = office.phone(name);
    let shown = ask(&phone, &["join", &link]).await;
    (phone, link, shown)
}

#[tokio::test]
async fn a_new_phone_is_let_in_by_digits_that_two_people_compare() {
    let li = Li::at_home().await;
    ask(&li.mother, &["send", "from before"]).await;
    let plan = ["schedule", "add", "--every", "day", "--at", "19:30", "--to", "Lili", "good night"];
    ask(&li.mother, &plan).await;

    let (phone, link, shown) = asked(&li.office, "new", "2,3").await;
    let again = ask(&phone, &["join", &link]).await;
    let not_yet = phone.run(&["inbox"]).await;
    let told = li.mother.run(&["inbox"]).await.success();
    let family = ask(&li.mother, &["family"]).await;
    let wrong = li.mother.run(&["admit", "--yes-digits", "1-2-3-4-5-6"]).await;
    let unasked = li.mother.run(&["admit"]).await;
    let digits = shown["digits"].as_str().unwrap();
    let admitted = ask(&li.mother, &["admit", "--yes-digits", digits]).await;
    let twice = li.mother.run(&["admit", "--yes-digits", digits]).await;
    let joined = ask(&phone, &["join"]).await;
    let once_more = ask(&phone, &["join", &link]).await;
    let history = ask_all(&phone, &["inbox"]).await;
    let planned = ask_all(&phone, &["schedule", "list"]).await;

    assert_eq!((&shown["waiting"], &shown["members"]), (&json!(true), &json!([2, 3])));
    assert_eq!(digits.split('-').map(str::len).collect::<Vec<_>>(), [5; 6]);
    assert_eq!(again, shown, "the same request");
    assert!(failure(&not_yet, 6).contains("not joined"));
    let spaced = digits.replace('-', " ");
    assert!(told.stderr.contains(&spaced), "{told:?}");
    assert_eq!(family["requests"][0]["digits"], digits, "from its own link 1");
    assert_eq!(family["requests"][0]["serves"], json!(["外婆", "Lili"]));
    assert!(failure(&wrong, 4).contains("NOT let in"));
    assert!(failure(&unasked, 5).contains("--yes-digits"));
    assert_eq!(admitted["admitted"]["digits"], digits);
    assert!(failure(&twice, 5).contains("no new phone asks"));
    assert_eq!((&joined["device"], &joined["members"]), (&json!(3), &json!(["外婆", "Lili"])));
    assert_eq!(once_more, joined);
    assert_eq!(texts(&history), ["from before"]);
    assert_eq!(planned.len(), 1);
    ask(&phone, &["send", "--as", "外婆", "here again"]).await;
    assert_eq!(texts(&ask_all(&li.mother, &["inbox"]).await), ["here again"]);
}

#[tokio::test]
async fn a_request_can_be_refused_and_its_link_asks_for_one_phone_only() {
    let li = Li::at_home().await;
    let (_, link, _) = asked(&li.office, "new", "2").await;
    let family = ask(&li.mother, &["family"]).await;
    let number = family["requests"][0]["request"].to_string();

    let second = li.office.phone("second").run(&["join", &link]).await;
    let refused = ask(&li.mother, &["admit", "--refuse", &number]).await;
    let after = ask(&li.mother, &["family"]).await;
    let elsewhere = ask(&li.village, &["family"]).await;

    assert!(failure(&second, 4).contains("wrong, used or expired"));
    assert_eq!(refused["refused"]["request"].to_string(), number);
    assert_eq!(after["requests"], json!([]));
    assert_eq!(elsewhere["requests"].as_array().unwrap().len(), 1, "each phone decides for itself");
}

/// A new phone that reaches the relay through a meddler, and the link that staff gave for it.
async fn meddled(li: &Li) -> (Meddler, Cli, String) {
    let link = ask(&li.office.worker, &["ngo", "reissue", "GS-001", "--for", "2"]).await;
    let meddler = Meddler::before(li.office.relay.raw()).await;
    let link = meddler.link(link["link"].as_str().unwrap());
    (meddler, li.office.phone("new"), link)
}

#[tokio::test]
async fn keys_that_the_relay_exchanged_show_other_digits_and_are_not_let_in() {
    let li = Li::at_home().await;
    let (meddler, phone, link) = meddled(&li).await;
    let ghost = Ghost::new();
    let (sign_pub, hpke_pub) = (ghost.keys.sign.public().0, ghost.keys.hpke.public().0);
    meddler.twist(move |frame| match frame {
        ClientFrame::Request(request) => {
            ClientFrame::Request(Request { sign_pub, hpke_pub, ..request })
        }
        other => other,
    });

    let shown = ask(&phone, &["join", &link]).await;
    let family = ask(&li.mother, &["family"]).await;
    let digits = shown["digits"].as_str().unwrap();
    let refused = li.mother.run(&["admit", "--yes-digits", digits]).await;

    assert_ne!(family["requests"][0]["digits"], digits);
    assert!(failure(&refused, 4).contains("NOT let in"));
    assert_eq!(ask(&li.mother, &["family"]).await["cards"], json!([]));
    // Somebody who does not compare lets the ghost in; the phone that asked is not taken in by it.
    let ghosts = family["requests"][0]["digits"].as_str().unwrap();
    ask(&li.mother, &["admit", "--yes-digits", ghosts]).await;
    let lured = phone.run(&["join"]).await;
    assert!(failure(&lured, 7).starts_with("do not join"), "{lured:?}");
}

#[tokio::test]
async fn another_family_shown_to_a_new_phone_changes_its_digits_and_is_not_joined() {
    let li = Li::at_home().await;
    let (meddler, phone, link) = meddled(&li).await;
    meddler.lie(|frame| match frame {
        RelayFrame::Requested(requested) => {
            let first_link = LinkHash([7; 32]);
            RelayFrame::Requested(Requested { first_link, ..requested })
        }
        other => other,
    });

    let shown = ask(&phone, &["join", &link]).await;
    let family = ask(&li.mother, &["family"]).await;
    let digits = family["requests"][0]["digits"].as_str().unwrap();
    let compared = shown["digits"] == digits;
    // Let in all the same, by somebody who did not compare.
    ask(&li.mother, &["admit", "--yes-digits", digits]).await;
    meddler.take_heard();
    let lured = phone.run(&["join"]).await;

    assert!(!compared);
    assert!(failure(&lured, 7).contains("not the family whose digits were compared"));
    assert_eq!(meddler.take_heard(), ["Look"], "nothing was used up");
    assert_eq!(phones(&ask(&li.mother, &["family"]).await), [1, 2]);
}
