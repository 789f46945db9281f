//! What staff void is out at once; none of it puts a key into their hands, and the family sees it.

use serde_json::{Value, json};

use crate::story::{Li, Office, ask, ask_all, failure, open_cards, phones, texts};

fn changes(family: &Value) -> Vec<&str> {
    let changes = family["changes"].as_array().unwrap().iter();
    changes.map(|change| change["what"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_staff_void_is_out_at_once_and_the_family_closes_it_before_it_writes() {
    let li = Li::at_home().await;
    let card = ask(&li.mother, &["invite", "--for", "Lili"]).await;
    let tablet = li.office.join("tablet", card["link"].as_str().unwrap()).await;
    let open = ask(&li.mother, &["invite", "--for", "外婆"]).await;
    let open = open["invite"].as_u64().unwrap().to_string();
    let void = ["ngo", "void", "GS-001", "--device", "3", "--card", &open, "--reason", "stolen"];

    let voided = ask(&li.office.worker, &void).await;
    let again = ask(&li.office.worker, &void).await;
    let thief = tablet.run(&["send", "not any more"]).await;
    let sent = ask(&li.mother, &["send", "under a new key"]).await;
    let came = ask_all(&li.village, &["inbox"]).await;
    let family = ask(&li.mother, &["family"]).await;
    let unknown = li.office.worker.run(&void[..5]).await;

    let number: u64 = open.parse().unwrap();
    let expected =
        json!({ "case_code": "GS-001", "devices": [3], "cards": [number], "reason": "stolen" });
    assert_eq!([&voided, &again], [&expected; 2]);
    assert!(failure(&thief, 4).contains("removed"));
    assert_eq!(sent["queued"], false, "the closing goes first, by itself: {sent}");
    assert_eq!(texts(&came), ["under a new key"]);
    assert_eq!((phones(&family), open_cards(&family)), (vec![1, 2], vec![]));
    let asked: Vec<_> =
        changes(&family).into_iter().filter(|what| what.contains("as the relay asked")).collect();
    assert_eq!(asked.len(), 2, "{family}");
    assert_eq!(unknown.code, 2, "a reason is asked for");
}

#[tokio::test]
async fn a_new_card_is_made_once_what_was_voided_is_closed_by_itself() {
    let li = Li::at_home().await;
    let lost = ask(&li.mother, &["invite", "--for", "Lili"]).await["invite"].to_string();
    let void = ["ngo", "void", "GS-001", "--card", &lost, "--reason", "lost"];
    ask(&li.office.worker, &void).await;

    let card = ask(&li.mother, &["invite", "--for", "Lili"]).await;
    let phone = li.office.join("new", card["link"].as_str().unwrap()).await;

    let family = ask(&phone, &["family"]).await;
    assert_eq!((phones(&family), open_cards(&family)), (vec![1, 2, 3], vec![]));
    assert!(changes(&family).iter().any(|what| what.contains("closed unused, as the relay asked")));
}

#[tokio::test]
async fn a_childs_phone_waits_until_a_grown_up_has_closed_what_staff_voided() {
    let office = Office::open().await;
    let cards = office
        .enrol(
            "W-1,1,parent,Mama,Europe/Rome,it,Mama,,2026-11-01,\n\
             W-1,2,child,Kid,Asia/Shanghai,zh,Kid,,2026-11-01,2026-11-01\n",
        )
        .await;
    let mother = office.join("mother", &cards.link("W-1", "Mama")).await;
    let child = office.join("child", &cards.link("W-1", "Kid")).await;
    let open = ask(&mother, &["invite", "--for", "Mama"]).await["invite"].to_string();
    let void = ["ngo", "void", "W-1", "--card", &open, "--reason", "lost"];
    ask(&office.worker, &void).await;

    let waits = child.run(&["send", "Mama?"]).await.success();
    let status = ask(&child, &["status"]).await;
    ask(&mother, &["send", "Lili!"]).await;
    ask(&child, &["status"]).await;
    let came = ask_all(&mother, &["inbox"]).await;

    assert!(waits.stdout.contains("a parent's or caregiver's phone must first close"), "{waits:?}");
    assert_eq!(status["waiting"], 1);
    assert_eq!(texts(&came), ["Mama?"], "it has left by itself");
}

#[tokio::test]
async fn who_is_to_begin_anew_must_be_on_the_list() {
    let office = Office::open().await;
    let list = office.list(
        "A-1,1,parent,Mama,Europe/Rome,it,Mama,,2026-11-01,\n\
                            A-1,2,child,Kid,Asia/Shanghai,zh,Kid,,2026-11-01,2026-11-01\n",
    );

    let refused = office.try_enrol(&list, &["--again", "A-2"]).await;

    assert!(failure(&refused, 5).contains("A-2 is not a sound family"));
}
