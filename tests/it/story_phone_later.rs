//! The page for phones of a parent abroad, who says now what is heard later, gives a voice note to somebody outside, and confirms
//! what the programme proposes.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use jiashu_tests::browser::tell;
use jiashu_tests::clock::WallClock;
use jiashu_tests::ground::Ground;
use serde_json::json;
use tempfile::TempDir;

use crate::story::{Office, ask};
use crate::story_phone::{FAMILIES, hum, told};

/// Case code, language, parent, the child's zone, what the child answers, what is meant for one evening, and a letter bank.
const SPOKEN: [([&str; 6], [&str; 3]); 2] = [
    (
        ["GS-001", "zh-Hans", "妈妈", "Asia/Shanghai", "早点睡", "晚安，Lili"],
        ["第一封", "第二封", "第三封"],
    ),
    (
        ["MD-001", "ro", "Ana", "Europe/Chisinau", "Somn ușor", "Noapte bună, Lili"],
        ["Prima scrisoare", "A doua", "A treia"],
    ),
];

/// A script tells its story to two families, on a relay whose clock it may put on. Each parent has a laptop, too.
async fn story(script: &str, ground: Ground) {
    let folder = tempfile::tempdir().unwrap();
    let seen = WallClock::in_folder(folder.path()).settings();
    let seen: Vec<_> = seen.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let office = Office::on(ground.relay(&folder, &seen).await).await;
    let cards = office.enrol(FAMILIES).await;
    let mut families = Vec::new();
    for ([case, language, parent, zone, answer, text], letters) in SPOKEN {
        let home = office.join(&format!("{case} home"), &cards.link(case, "Lili")).await;
        let own = office.join(&format!("{case} laptop"), &cards.link(case, parent)).await;
        let card = ask(&own, &["invite", "--for", parent]).await;
        families.push(json!({
            "case": case, "language": language, "parent": parent, "zone": zone, "answer": answer, "text": text,
            "letters": letters, "card": card["link"], "home": home.home(), "own": own.home(),
        }));
    }
    let voice = office.path("song.ogg");
    hum(&voice).await;
    let more = json!({
        "families": families, "clock": folder.path().join("clock"), "worker": office.worker.home(),
        "voice": voice, "player": player(&folder),
    });

    tell(script, &told(&office, &more)).await;
}

/// A program that plays for two seconds, as far as anybody hears.
fn player(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("player");
    std::fs::write(&path, "#!/bin/sh\nexec sleep 2\n").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn what_is_said_now_is_heard_in_the_childs_evening_from_one_file() {
    story("later.mjs", Ground::own()).await;
}

#[tokio::test]
async fn somebody_outside_hears_a_voice_note_by_its_link_from_one_file() {
    story("outsider.mjs", Ground::own()).await;
}

#[tokio::test]
async fn a_plan_that_is_proposed_is_confirmed_from_one_file() {
    story("plan.mjs", Ground::own()).await;
}
