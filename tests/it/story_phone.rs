//! The page for phones, in a real browser, with a mother who has the command line: both read what the other wrote.

use std::path::Path;

use jiashu_tests::binary::binary;
use jiashu_tests::browser::tell;
use jiashu_tests::ground::Ground;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::story::{Cards, Office};

pub(crate) const FAMILIES: &str = "\
GS-001,1,parent,妈妈,Europe/Rome,zh-Hans,mother's phone,,2026-11-01,
GS-001,2,caregiver,外婆,Asia/Shanghai,zh-Hans,family phone,,2026-11-01,
GS-001,3,child,Lili,Asia/Shanghai,zh-Hans,family phone,,2026-11-01,2026-11-01
MD-001,1,parent,Ana,Europe/Rome,ro,telefonul Anei,,2026-11-01,
MD-001,2,caregiver,Bunica,Europe/Chisinau,ro,telefonul de acasă,,2026-11-01,
MD-001,3,child,Lili,Europe/Chisinau,ro,telefonul de acasă,,2026-11-01,2026-11-01
";

/// Case code, language and parent of each family, what the parent writes, and what is answered.
pub(crate) const SPOKEN: [[&str; 5]; 2] = [
    ["GS-001", "zh-Hans", "妈妈", "吃饭了吗？", "吃了，妈妈"],
    ["MD-001", "ro", "Ana", "Ai mâncat?", "Da, mamă"],
];

/// Each family's mother has joined by the command line; what a script is told of them.
pub(crate) async fn mothers(office: &Office, cards: &Cards, voice: &Path) -> Vec<Value> {
    let mut families = Vec::new();
    for [case, language, parent, text, answer] in SPOKEN {
        let mother = office.join(case, &cards.link(case, parent)).await;
        families.push(json!({
            "case": case, "language": language, "card": cards.link(case, "Lili"),
            "mother": mother.home(), "text": text, "answer": answer, "voice": voice,
        }));
    }
    families
}

/// A script tells what happens at home.
async fn at_home(script: &str, ground: Ground) {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::on(ground.relay(&folder, &[]).await).await;
    let cards = office.enrol(FAMILIES).await;
    let voice = office.path("song.ogg");
    hum(&voice).await;
    let families = mothers(&office, &cards, &voice).await;

    tell(script, &told(&office, &json!({ "families": families }))).await;
}

async fn a_parent_speaks_and_writes(ground: Ground) {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::on(ground.relay(&folder, &[]).await).await;
    let cards = office.enrol(FAMILIES).await;
    let mut families = Vec::new();
    for [case, language, parent, text, answer] in SPOKEN {
        let home = office.join(case, &cards.link(case, "Lili")).await;
        families.push(json!({
            "language": language, "card": cards.link(case, parent), "home": home.home(),
            "text": text, "answer": answer,
        }));
    }

    tell("parent.mjs", &told(&office, &json!({ "families": families }))).await;
}

/// Two seconds of a sound that a browser can play.
pub(crate) async fn hum(to: &Path) {
    let hum =
        ["-f", "lavfi", "-i", "sine=frequency=440:duration=2", "-c:a", "libopus", "-b:a", "16k"];
    let made = Command::new("ffmpeg").args(["-loglevel", "error"]).args(hum).arg(to).status().await;
    assert!(made.expect("tests/run installs ffmpeg").success());
}

/// What every script is told: where the relay is, and the command line of the others.
pub(crate) fn told(office: &Office, more: &Value) -> Value {
    let mut told = json!({
        "origin": format!("http://{}", office.relay.address()), "jiashu": binary("jiashu"),
    });
    let more = more.as_object().unwrap().clone();
    told.as_object_mut().unwrap().extend(more);
    told
}

#[tokio::test]
async fn a_letter_is_heard_in_the_village_from_one_file() {
    at_home("village.mjs", Ground::own()).await;
}

#[tokio::test]
async fn a_letter_is_heard_in_the_village_over_redis() {
    at_home("village.mjs", Ground::shared().await).await;
}

#[tokio::test]
async fn a_parent_speaks_and_writes_from_one_file() {
    a_parent_speaks_and_writes(Ground::own()).await;
}

#[tokio::test]
async fn without_a_line_letters_are_read_and_answers_wait_from_one_file() {
    at_home("offline.mjs", Ground::own()).await;
}
