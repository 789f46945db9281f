//! A family leaves, and P13: what was deleted is gone, for its phones, for staff, and from the files.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiashu_tests::ground::Ground;
use jiashu_tests::sound::write_opus;
use jiashu_tests::{Cli, until};
use serde_json::Value;
use tempfile::TempDir;

use crate::canaries::{files, holds};
use crate::story::{Office, ask, ask_all, failure, text};

/// Two families, all of whom agreed to everything.
const LIST: &str = "\
case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on,born_on,counting_on,counting_assent_on,site,plan
GS-001,1,parent,妈妈,Europe/Rome,zh-Hans,mother,,2026-11-01,,,2026-11-01,,,
GS-001,2,caregiver,外婆,Asia/Shanghai,zh-Hans,home,,2026-11-01,,,,,,
GS-001,3,child,Lili,Asia/Shanghai,zh-Hans,home,,2026-11-01,2026-11-01,,2026-11-01,2026-11-02,,day 19:30
MD-002,1,parent,Ana,Europe/Rome,ro,ana,,2026-11-01,,,2026-11-01,,,
MD-002,2,child,Ion,Europe/Chisinau,ro,casa,,2026-11-01,2026-11-01,,2026-11-01,2026-11-02,,
";

/// Live within this time (P13).
const LIVE: Duration = Duration::from_secs(60);

struct Families {
    office: Office,
    mother: Cli,
    home: Cli,
    ana: Cli,
    casa: Cli,
    folder: TempDir,
}

impl Families {
    async fn on(ground: &Ground, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let office = Office::on(ground.relay(&folder, settings).await).await;
        let list = office.path("families.csv");
        std::fs::write(&list, LIST).unwrap();
        let _ = office.try_enrol(list.to_str().unwrap(), &[]).await.success();
        let cards = office.cards();
        let mother = office.join("mother", &cards.link("GS-001", "妈妈")).await;
        let home = office.join("home", &cards.link("GS-001", "Lili")).await;
        let ana = office.join("ana", &cards.link("MD-002", "Ana")).await;
        let casa = office.join("casa", &cards.link("MD-002", "Ion")).await;
        Self { office, mother, home, ana, casa, folder }
    }

    /// A letter, one for later, a voice note and an address: bytes by which each is found where it lies as it is.
    async fn write(&self, phone: &Cli, child: &str, email: &str) -> Vec<Vec<u8>> {
        let _ = ask(phone, &["send", "--to", child, "吃饭了吗"]).await;
        let later = ["schedule", "add", "--every", "sun", "--at", "19:30", "--to", child, "晚安"];
        let _ = phone.run(&later).await.success();
        let _ = phone.run(&["reach", "--email", email]).await.success();
        let sound = self.folder.path().join("note.opus");
        write_opus(&sound, 1_000, 30);
        let _ = ask(phone, &["voice", "send", &text(&sound), "--to", child]).await;
        let log = ask_all(phone, &["log"]).await;
        let refs = log.iter().map(|letter| letter["ref"].as_str().unwrap());
        let refs: Vec<Vec<u8>> = refs
            .map(|hex| {
                (0..12).map(|at| u8::from_str_radix(&hex[2 * at..][..2], 16).unwrap()).collect()
            })
            .collect();
        assert_eq!(refs.len(), 2, "a letter and a voice note: {log:?}");
        refs.into_iter().chain([email.as_bytes().to_vec()]).collect()
    }

    async fn codes(&self) -> Vec<String> {
        let list = ask(&self.office.worker, &["ngo", "worklist"]).await;
        let families = list["families"].as_array().unwrap().iter();
        families.map(|one| one["case_code"].as_str().unwrap().to_owned()).collect()
    }
}

/// How many of these are found in the folders.
fn found(folders: &[PathBuf], canaries: &[Vec<u8>]) -> usize {
    let files = folders.iter().flat_map(|folder| files(folder));
    // A file may go while they are looked at.
    let bytes: Vec<_> = files.filter_map(|file| std::fs::read(file).ok()).collect();
    canaries.iter().filter(|canary| bytes.iter().any(|bytes| holds(bytes, canary))).count()
}

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
    let asked = ask(mother, &["leave", "--yes"]).await;
    assert!(asked["leaves_at"].as_str().is_some() && asked["erased"] == false, "{asked}");
    let told = home.run(&["inbox"]).await.success().stderr;
    assert!(told.contains("妈妈 asked that everything of the family be deleted"), "{told}");
    assert_eq!(ask(home, &["leave", "--undo"]).await["leaves_at"], Value::Null);
    let told = mother.run(&["inbox"]).await.success().stderr;
    assert!(told.contains("外婆 took back that the family leaves"), "{told}");
    let again = failure(&home.run(&["leave", "--undo"]).await, 4);
    assert!(again.contains("there is nothing to take back"), "{again}");

    // All of them want it to be now.
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

    let kept = ask_all(home, &["log"]).await;
    assert_eq!(kept[0]["text"], "吃饭了吗", "what is on a phone stays there");
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
        let unknown = office.worker.run(&["ngo", "erase", case, "--yes"]).await;
        assert!(failure(&unknown, 4).contains("there is no such case"));
    }
    let log = ask_all(&office.worker, &["ngo", "audit"]).await;
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
