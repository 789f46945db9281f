//! P13 of a family that went to another programme before it left: it is gone from both, and each keeps what its staff did.

use jiashu_tests::ground::Ground;
use jiashu_tests::{Cli, until};
use serde_json::json;

use crate::story::{ask, ask_all, failure, hear_each_other};
use crate::story_transfer::{Two, once_listed, week_now};
use crate::two_families::found;

const EMAIL: &str = "mother@kanarie.example";

/// What an audit log says of that case: what was asked for and let through.
async fn noted(staff: &Cli, case_code: &str) -> Vec<String> {
    let log = ask_all(staff, &["ngo", "audit"]).await;
    let of_case =
        log.iter().filter(|entry| entry["subject"] == case_code && entry["allowed"] == true);
    of_case.map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

async fn who_went_elsewhere_and_left_is_gone_from_both(ground: Ground) {
    let two = Two::on(&ground, &[("JIASHU_CLEAN_MINUTES", "0")]).await;
    let Two { office, other, mother, home, .. } = &two;
    let coordinator = &office.worker;
    hear_each_other(mother, home).await;
    let _ = once_listed(coordinator, 1).await;
    let _ = mother.run(&["reach", "--email", EMAIL]).await.success();
    let to = ask(other, &["ngo", "transfer", "list"]).await["programme"].clone();
    let offer = ["ngo", "transfer", "GS-001", "--to-programme", to.as_str().unwrap()];
    let offered = ask(coordinator, &offer).await;
    let number = offered["offer"].as_str().unwrap();
    let accept = ["ngo", "transfer", "accept", number, "--case", "PR-9", "--site", "prato"];
    let _ = other.run(&accept).await.success();
    let _ = once_listed(other, 1).await;
    let report = ["ngo", "report", "--week", &week_now(office).await];
    let before = ask(coordinator, &report).await;
    // Mail that nobody could be sent stands with whom the family is, under its code.
    let _ = ask(home, &["ask-for-help", "--as", "Lili", "--yes"]).await;
    until("the mail is told of", async || {
        let mails = ask_all(other, &["ngo", "mail"]).await;
        mails.iter().any(|mail| mail["case_code"] == "PR-9").then_some(())
    })
    .await;
    let folders = ground.folders(&office.relay);
    assert_eq!(found(&folders, &[EMAIL.as_bytes().to_vec()]), 1, "the search finds what is there");

    let _ = ask(other, &["ngo", "erase", "PR-9", "--family-asked", "--yes"]).await;

    for phone in [mother, home] {
        until("its phones are told", async || {
            let told = phone.run(&["inbox"]).await;
            told.stderr.contains("the family has left").then_some(())
        })
        .await;
    }
    let _ = once_listed(other, 0).await;
    until("nothing of it lies in the files", async || {
        (found(&folders, &[EMAIL.as_bytes().to_vec()]) == 0).then_some(())
    })
    .await;
    for (staff, code) in [(coordinator, "GS-001"), (other, "PR-9")] {
        let unknown = failure(&staff.run(&["ngo", "resume", code]).await, 4);
        assert_eq!(unknown, failure(&staff.run(&["ngo", "resume", "GS-999"]).await, 4));
        assert_eq!(ask_all(staff, &["ngo", "mail"]).await, [json!(null); 0], "no mail of it");
        let list = ask(staff, &["ngo", "transfer", "list"]).await;
        assert_eq!((&list["received"], &list["given"]), (&json!([]), &json!([])), "{list}");
    }
    let now = ask(coordinator, &report).await;
    assert_eq!(now["groups"], before["groups"], "the old programme's figures stay as they were");
    let own = noted(coordinator, "GS-001").await;
    assert!(own.iter().any(|action| action == "transfer-offer"), "{own:?}");
    let theirs = noted(other, "PR-9").await;
    assert!(theirs.iter().any(|action| action == "erase"), "what staff did stays: {theirs:?}");
    let verified = jiashu_tests::relay::command(&office.relay.data_dir())
        .args(["audit", "verify"])
        .envs(ground.settings.iter().map(|(key, value)| (key, value)))
        .output()
        .unwrap();
    assert!(verified.status.success(), "{verified:?}");
    let again = office.try_enrol(office.path("families.csv").to_str().unwrap(), &[]).await;
    assert_eq!(ask(coordinator, &["ngo", "worklist"]).await["total"], 0, "{again:?}");
}

#[tokio::test]
async fn who_went_elsewhere_and_left_is_gone_from_both_in_one_file() {
    who_went_elsewhere_and_left_is_gone_from_both(Ground::own()).await;
}

#[tokio::test]
async fn who_went_elsewhere_and_left_is_gone_from_both_over_redis() {
    who_went_elsewhere_and_left_is_gone_from_both(Ground::shared().await).await;
}
