//! A coordinator enrols families in a browser: the same faults as the command line names, cards that let phones in, and
//! no name on its way or at the relay.

use std::path::PathBuf;

use jiashu_tests::browser::tell;
use jiashu_tests::ground::Ground;
use serde_json::{Value, json};

use crate::story::{Cards, Office, ask, ask_all};
use crate::two_families::found;

const GOOD: &str = "\
KA-1,1,parent,KanaryMama,Europe/Rome,it,KanaryPhone,,2026-05-01,
KA-1,2,caregiver,KanaryNonna,Asia/Shanghai,zh-Hans,KanaryHome,,2026-05-02,
KA-1,3,child,KanaryLili,Asia/Shanghai,zh-Hans,KanaryHome,,2026-05-03,2026-05-04
KA-2,1,parent,KanaryAna,Europe/Rome,ro,KanaryAna,,2026-05-01,
KA-2,2,child,KanaryIon,Europe/Chisinau,ro,KanarySchool,,2026-05-03,2026-05-04
";

/// What the command line finds wrong in a list, an object each.
async fn faults(office: &Office, list: &str) -> Vec<Value> {
    let list = office.list(list);
    let checked = office.worker.run(&["--json", "ngo", "enrol", &list, "--dry-run"]).await;
    let lines = checked.stderr.lines().filter_map(|line| serde_json::from_str(line).ok());
    lines.filter(|line: &Value| line.get("row").is_some()).collect()
}

async fn families_are_enrolled_in_a_browser(ground: Ground) {
    let folder = tempfile::tempdir().unwrap();
    let office = Office::on(ground.relay(&folder, &[]).await).await;
    let origin = format!("http://{}", office.relay.address());
    let link = async || ask(&office.worker, &["ngo", "sign-in"]).await["link"].clone();
    let bad = GOOD
        .replace("Europe/Chisinau", "Europe/Chisnau")
        .replace("KA-1,3", "KA-1,2")
        .replace("KanaryAna,Europe", "=cmd(),Europe")
        .replace("2026-05-02", "2.5.2026");
    let with_columns = |rows: &str| std::fs::read_to_string(office.list(rows)).unwrap();

    let told = json!({
        "origin": origin, "link": link().await, "second": link().await, "bad": with_columns(&bad),
        "good": with_columns(GOOD),
    });
    let seen = tell("enrol.mjs", &told).await;

    let named = faults(&office, &bad).await;
    assert!(named.len() >= 4, "{named:#?}");
    assert_eq!(seen["faults"], Value::Array(named));
    let cards = Cards(seen["invites"].as_array().unwrap().clone());
    let links: Vec<_> = cards.0.iter().map(|card| card["link"].clone()).collect();
    assert_eq!(seen["links"], Value::Array(links), "what is printed is what is saved");
    let mother = office.join("mother", &cards.link("KA-1", "KanaryMama")).await;
    let home = office.join("home", &cards.link("KA-1", "KanaryLili")).await;
    let _ = ask(&mother, &["send", "吃饭了吗"]).await;
    let inbox = ask_all(&home, &["inbox"]).await;
    assert!(inbox.iter().any(|letter| letter.to_string().contains("吃饭了吗")), "{inbox:?}");
    let family = ask(&home, &["family"]).await;
    assert!(family.to_string().contains("KanaryNonna"), "names come by the card: {family}");
    let again = office.try_enrol(&office.list(GOOD), &["--json"]).await.success();
    assert_eq!(again.json_lines()[0]["elsewhere"], json!(["KA-1", "KA-2"]), "no family is doubled");
    no_name_is_anywhere(&office, &ground.folders(&office.relay), &seen["sent"]);
}

fn no_name_is_anywhere(office: &Office, folders: &[PathBuf], sent: &Value) {
    let hex: String = "Kanary".bytes().map(|byte| format!("{byte:02x}")).collect();
    for request in sent.as_array().unwrap() {
        assert!(!request.as_str().unwrap().contains(&hex), "a name was sent");
    }
    let code: String = "KA-1".bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(sent[0].as_str().unwrap().contains(&code), "the search finds what is sent");
    assert!(!office.relay.log().contains("Kanary"));
    let [codes, names] = ["KA-1", "Kanary"].map(|word| found(folders, &[word.into()]));
    assert_eq!((codes, names), (1, 0), "the search finds what is kept, and no name is");
}

#[tokio::test]
async fn families_are_enrolled_in_a_browser_from_one_file() {
    families_are_enrolled_in_a_browser(Ground::own()).await;
}

#[tokio::test]
async fn families_are_enrolled_in_a_browser_over_redis() {
    families_are_enrolled_in_a_browser(Ground::shared().await).await;
}
