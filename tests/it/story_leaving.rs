//! A family leaves, and P13: what was deleted is gone, for its phones, for staff, and from the files.

use std::time::{Duration, Instant};

use jiashu_tests::ground::Ground;
use jiashu_tests::until;
use serde_json::{Value, json};

use crate::canaries::{files, holds};
use crate::story::{ask, ask_all, failure, text};
use crate::two_families::{Families, found};

/// Live within this time (P13).
const LIVE: Duration = Duration::from_secs(60);

async fn a_family_that_leaves_is_gone_and_its_neighbour_is_not(ground: Ground) {
    let families = Families::on(&ground, &[("JIASHU_CLEAN_MINUTES", "0")]).await;
    let Families { office, mother, home, ana, casa, .. } = &families;
    let theirs = families.write(mother, "Lili", "mother@kanarie.example").await;
    let neighbours = families.write(ana, "Ion", "ana@kanarie.example").await;
    let folders = ground.folders(&office.relay);
    until("both are counted", async || {
        let codes = families.codes().await;
        (codes.len() == 2).then_some(())
    })
    .await;
    assert_eq!(found(&folders, &theirs), theirs.len(), "the search finds what is there");
    assert_eq!(ground.stored(&office.relay).await, 2);

    // One of them asks, which waits, and another takes it back.
    let before = families.listed("GS-001").await;
    assert_eq!(before["leaves_at"], Value::Null);
    let asked = ask(mother, &["leave", "--yes"]).await;
    assert!(asked["leaves_at"].as_str().is_some() && asked["erased"] == false, "{asked}");
    let leaves = until("staff see it, and may ring", async || {
        let listed = families.listed("GS-001").await;
        (!listed["leaves_at"].is_null()).then_some(listed)
    })
    .await;
    assert_eq!(
        leaves["leaves_at"].as_str().unwrap().get(..19),
        asked["leaves_at"].as_str().unwrap().get(..19)
    );
    for same in ["counting", "standing", "children"] {
        assert_eq!(leaves[same], before[same], "it is no figure");
    }
    assert_eq!(families.listed("MD-002").await["leaves_at"], Value::Null);
    let list = office.worker.run(&["ngo", "worklist"]).await.success().stdout;
    assert_eq!(list.matches("ring first: leaves").count(), 1, "{list}");
    let case = office.worker.run(&["ngo", "family", "GS-001"]).await.success().stdout;
    assert!(case.contains("LEAVES: all of it is deleted on"), "{case}");
    let told = home.run(&["inbox"]).await.success().stderr;
    assert!(told.contains("妈妈 asked that everything of the family be deleted"), "{told}");
    assert_eq!(ask(home, &["leave", "--undo"]).await["leaves_at"], Value::Null);
    let told = mother.run(&["inbox"]).await.success().stderr;
    assert!(told.contains("外婆 took back that the family leaves"), "{told}");
    until("staff see that it stays", async || {
        families.listed("GS-001").await["leaves_at"].is_null().then_some(())
    })
    .await;
    let again = failure(&home.run(&["leave", "--undo"]).await, 4);
    assert!(again.contains("there is nothing to take back"), "{again}");

    // They take theirs with them; then all of them want it to be now.
    let kept = office.path("kept");
    let _ = mother.run(&["export", "--out", &text(&kept)]).await.success();
    let listens = mother.spawn(&["listen", "--json"]);
    let alone = ask(mother, &["leave", "--now", "--yes"]).await;
    assert_eq!(alone["erased"], false, "her mother has not said so: {alone}");
    let begun = Instant::now();
    let _ = ask(home, &["leave", "--now", "--yes"]).await;
    until("the phones are told", async || {
        let told = home.run(&["inbox"]).await;
        told.stderr.contains("the family has left").then_some(())
    })
    .await;
    until("staff do not see it any more", async || {
        (families.codes().await == ["MD-002"]).then_some(())
    })
    .await;
    until("its voice note is gone", async || {
        (ground.stored(&office.relay).await == 1).then_some(())
    })
    .await;
    assert!(begun.elapsed() < LIVE, "{:?}", begun.elapsed());
    assert_eq!(listens.ended().await, Some(4), "who listens is told");

    until("nothing of it lies in the files", async || {
        (found(&folders, &theirs) == 0).then_some(())
    })
    .await;
    assert_eq!(found(&folders, &neighbours), neighbours.len(), "its neighbour's stays");

    let on_phone = ask_all(home, &["log"]).await;
    assert_eq!(on_phone[0]["text"], "吃饭了吗", "what is on a phone stays there");
    let exported: Vec<_> = files(&kept).iter().map(|file| std::fs::read(file).unwrap()).collect();
    for what in ["吃饭了吗".as_bytes(), b"OggS"] {
        assert!(exported.iter().any(|file| holds(file, what)), "and what was taken along");
    }
    let refused = failure(&mother.run(&["send", "还在吗"]).await, 4);
    assert!(refused.contains("the family has left"), "{refused}");
    for verb in [["ngo", "resume", "GS-001"], ["ngo", "resume", "GS-999"]] {
        let unknown = failure(&office.worker.run(&verb).await, 4);
        assert!(unknown.contains("there is no such case"), "{unknown}");
    }
    assert_eq!(ask_all(casa, &["inbox"]).await[0]["text"], "吃饭了吗", "the neighbour goes on");
}

#[tokio::test]
async fn a_family_that_leaves_is_gone_and_its_neighbour_is_not_from_one_file() {
    a_family_that_leaves_is_gone_and_its_neighbour_is_not(Ground::own()).await;
}

#[tokio::test]
async fn a_family_that_leaves_is_gone_and_its_neighbour_is_not_over_redis() {
    a_family_that_leaves_is_gone_and_its_neighbour_is_not(Ground::shared().await).await;
}

async fn staff_delete_a_family_that_asked_them_to(ground: Ground) {
    let families = Families::on(&ground, &[]).await;
    let Families { office, mother, home, .. } = &families;

    let asked = ask(&office.worker, &["ngo", "erase", "GS-001", "--yes"]).await;
    assert!(asked["erased_at"].as_str().is_some(), "{asked}");
    let told = mother.run(&["inbox"]).await.success().stderr;
    assert!(told.contains("The staff of your programme asked"), "{told}");
    let _ = ask(&office.worker, &["ngo", "erase", "GS-001", "--undo"]).await;
    let _ = ask(home, &["leave", "--yes"]).await;
    let own = failure(&office.worker.run(&["ngo", "erase", "GS-001", "--undo"]).await, 4);
    assert!(own.contains("a parent or caregiver takes it back"), "{own}");

    // The relay is killed in between, again and again.
    let mut families = families;
    let erase = ["ngo", "erase", "GS-001", "--family-asked", "--yes"];
    let _ = ask(&families.office.worker, &erase).await;
    for _ in 0..3 {
        families.office.relay.kill9();
        families.office.relay.restart().await;
    }
    until("it is gone", async || (families.codes().await == ["MD-002"]).then_some(())).await;
    let Families { office, mother, .. } = &families;
    until("its phones are told", async || {
        mother.run(&["inbox"]).await.stderr.contains("the family has left").then_some(())
    })
    .await;
    for case in ["GS-001", "GS-999"] {
        let commands = [
            &["ngo", "erase", case, "--yes"][..],
            &["ngo", "erase", case, "--undo"],
            &["ngo", "assign", case, "1"],
        ];
        for command in commands {
            let unknown = office.worker.run(command).await;
            assert!(failure(&unknown, 4).contains("there is no such case"));
        }
    }
    let log = ask_all(&office.worker, &["ngo", "audit"]).await;
    let unknown = log.iter().filter(|entry| entry["subject"] == "GS-999");
    let noted: Vec<_> = unknown.map(|entry| (&entry["action"], &entry["allowed"])).collect();
    let no = &json!(false);
    let actions = ["erase", "erase-undo", "assign"].map(|action| json!(action));
    assert_eq!(noted, actions.each_ref().map(|action| (action, no)), "{log:?}");
    assert!(log.iter().any(|entry| entry["action"] == "erase"), "what staff did stays: {log:?}");
}

#[tokio::test]
async fn staff_delete_a_family_that_asked_them_to_from_one_file() {
    staff_delete_a_family_that_asked_them_to(Ground::own()).await;
}

#[tokio::test]
async fn staff_delete_a_family_that_asked_them_to_over_redis() {
    staff_delete_a_family_that_asked_them_to(Ground::shared().await).await;
}
