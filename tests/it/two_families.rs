//! Two families beside each other, one of which is deleted: what is looked for in every file, and must be there or not.

use std::path::PathBuf;

use jiashu_tests::ground::Ground;
use jiashu_tests::sound::write_opus;
use jiashu_tests::{Cli, until};
use serde_json::Value;
use tempfile::TempDir;

use crate::canaries::{files, holds};
use crate::story::{Office, ask, ask_all, text};

/// Two families, all of whom agreed to everything.
const LIST: &str = "\
case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on,born_on,counting_on,counting_assent_on,site,plan
GS-001,1,parent,妈妈,Europe/Rome,zh-Hans,mother,,2026-11-01,,,2026-11-01,,,
GS-001,2,caregiver,外婆,Asia/Shanghai,zh-Hans,home,,2026-11-01,,,,,,
GS-001,3,child,Lili,Asia/Shanghai,zh-Hans,home,,2026-11-01,2026-11-01,,2026-11-01,2026-11-02,,day 19:30
MD-002,1,parent,Ana,Europe/Rome,ro,ana,,2026-11-01,,,2026-11-01,,,
MD-002,2,child,Ion,Europe/Chisinau,ro,casa,,2026-11-01,2026-11-01,,2026-11-01,2026-11-02,,
";

pub(crate) struct Families {
    pub(crate) office: Office,
    pub(crate) mother: Cli,
    pub(crate) home: Cli,
    pub(crate) ana: Cli,
    pub(crate) casa: Cli,
    folder: TempDir,
}

impl Families {
    pub(crate) async fn on(ground: &Ground, settings: &[(&str, &str)]) -> Self {
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
    pub(crate) async fn write(&self, phone: &Cli, child: &str, email: &str) -> Vec<Vec<u8>> {
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

    /// The family of that code as staff see it, once they do.
    pub(crate) async fn listed(&self, code: &str) -> Value {
        until("it stands on the worklist", async || {
            let list = ask(&self.office.worker, &["ngo", "worklist"]).await;
            list["families"].as_array()?.iter().find(|one| one["case_code"] == code).cloned()
        })
        .await
    }

    pub(crate) async fn codes(&self) -> Vec<String> {
        let list = ask(&self.office.worker, &["ngo", "worklist"]).await;
        let families = list["families"].as_array().unwrap().iter();
        families.map(|one| one["case_code"].as_str().unwrap().to_owned()).collect()
    }
}

/// How many of these are found in the folders.
pub(crate) fn found(folders: &[PathBuf], canaries: &[Vec<u8>]) -> usize {
    let files = folders.iter().flat_map(|folder| files(folder));
    // A file may go while they are looked at.
    let bytes: Vec<_> = files.filter_map(|file| std::fs::read(file).ok()).collect();
    canaries.iter().filter(|canary| bytes.iter().any(|bytes| holds(bytes, canary))).count()
}
