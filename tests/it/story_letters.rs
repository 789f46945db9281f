//! The main job: a parent far away writes, the child hears it and answers, and the parent sees that
//! it was heard.

use std::collections::BTreeSet;

use jiashu_tests::{Cli, until};
use serde_json::{Value, json};

use crate::story::{Li, Office, ask, ask_all, failure, mode, text, texts};

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Member and rung of each receipt of a letter, as `log --json` shows them to this phone.
async fn receipts(phone: &Cli, seq: &Value) -> Vec<(String, String)> {
    let log = ask_all(phone, &["log"]).await;
    let letter = log.iter().find(|letter| letter["seq"] == *seq).expect("the letter stands there");
    let receipts = letter["receipts"].as_array().unwrap().iter();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    receipts.map(|receipt| (word(&receipt["member"]), word(&receipt["rung"]))).collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(member, rung)| ((*member).to_owned(), (*rung).to_owned())).collect()
}

#[tokio::test]
async fn a_letter_arrives_while_the_family_listens() {
    let li = Li::at_home().await;
    let mut listening = li.village.spawn(&["listen", "--json"]);

    let sent = ask(&li.mother, &["send", "--to", "Lili", "吃饭了吗?"]).await;
    let came = listening.json_where(|_| true).await;

    assert_eq!(keys(&sent), BTreeSet::from(["ref", "seq", "queued"]));
    assert_eq!(sent["queued"], false);
    let shape = [
        "seq",
        "ref",
        "at",
        "from",
        "role",
        "to",
        "kind",
        "text",
        "scheduled_for",
        "late",
        "adjust",
    ];
    assert_eq!(keys(&came), BTreeSet::from(shape));
    assert_eq!((&came["seq"], &came["ref"]), (&sent["seq"], &sent["ref"]));
    let at = came["at"].as_str().unwrap();
    assert!(at.ends_with('Z') && at.parse::<jiff::Timestamp>().is_ok(), "{at}");
    let said = json!({
        "from": "妈妈", "role": "parent", "to": ["Lili"], "kind": "text", "text": "吃饭了吗?",
        "scheduled_for": null, "late": false, "adjust": null,
    });
    for (key, value) in said.as_object().unwrap() {
        assert_eq!(came[key], *value, "{key}");
    }
    listening.stop().await;
}

#[tokio::test]
async fn a_letter_is_shown_once() {
    let li = Li::at_home().await;
    ask(&li.mother, &["send", "one"]).await;

    let first = ask_all(&li.village, &["inbox"]).await;
    let second = ask_all(&li.village, &["inbox"]).await;
    let mut listening = li.village.spawn(&["listen", "--json"]);
    ask(&li.mother, &["send", "two"]).await;
    let heard = listening.json_where(|_| true).await;
    listening.stop().await;
    let third = ask_all(&li.village, &["inbox"]).await;

    assert_eq!(texts(&first), ["one"]);
    assert_eq!(second, Vec::<Value>::new());
    assert_eq!(heard["text"], "two", "and not one again");
    assert_eq!(third, Vec::<Value>::new());
    let human = li.village.run(&["inbox"]).await.success();
    assert_eq!(human.stdout, "Nothing new.\n");
}

#[tokio::test]
async fn a_mother_sees_how_far_her_letter_came() {
    let li = Li::at_home().await;
    let sent = ask(&li.mother, &["send", "to all"]).await;
    let nowhere = receipts(&li.mother, &sent["seq"]).await;

    ask_all(&li.village, &["inbox"]).await;
    ask_all(&li.village, &["inbox"]).await;
    let on_the_phone = receipts(&li.mother, &sent["seq"]).await;
    ask(&li.village, &["heard", &sent["seq"].to_string(), "--by", "Lili"]).await;
    let heard = receipts(&li.mother, &sent["seq"]).await;

    assert_eq!(nowhere, []);
    assert_eq!(on_the_phone, pairs(&[("外婆", "device"), ("Lili", "device")]));
    assert_eq!(heard, pairs(&[("外婆", "device"), ("Lili", "shown")]));
    let human = li.mother.run(&["log"]).await.success();
    assert!(human.stdout.contains("Lili heard it"), "{human:?}");
}

#[tokio::test]
async fn reading_counts_as_opened_and_a_script_must_say_so() {
    let li = Li::at_home().await;
    let sent = ask(&li.mother, &["send", "--to", "Lili", "for a script"]).await;
    ask_all(&li.village, &["inbox"]).await;
    let by_script = receipts(&li.mother, &sent["seq"]).await;

    let opened = ask(&li.mother, &["send", "--to", "Lili", "opened by a script"]).await;
    ask_all(&li.village, &["inbox", "--open"]).await;
    let read = ask(&li.mother, &["send", "read by people"]).await;
    let human = li.village.run(&["inbox"]).await.success();

    assert!(human.stdout.contains("妈妈 to everybody\n    read by people"), "{human:?}");
    assert!(by_script.iter().all(|(_, rung)| rung == "device"), "{by_script:?}");
    assert_eq!(receipts(&li.mother, &opened["seq"]).await, pairs(&[("Lili", "opened")]));
    let read = receipts(&li.mother, &read["seq"]).await;
    assert!(read.contains(&("外婆".into(), "opened".into())), "the first adult: {read:?}");
    assert!(!read.contains(&("Lili".into(), "opened".into())), "{read:?}");
}

#[tokio::test]
async fn a_child_answers_in_its_own_name() {
    let li = Li::at_home().await;
    ask(&li.village, &["send", "--as", "Lili", "--to", "妈妈", "两碗!"]).await;
    ask(&li.village, &["send", "all is well"]).await;

    let came = ask_all(&li.mother, &["inbox", "--wait", "20"]).await;

    let said: Vec<_> = came.iter().map(|letter| (&letter["from"], &letter["role"])).collect();
    assert_eq!(said, [(&json!("Lili"), &json!("child")), (&json!("外婆"), &json!("caregiver"))]);
    let stranger = li.village.run(&["send", "--as", "妈妈", "not mine"]).await;
    assert!(failure(&stranger, 5).contains("is not 妈妈's"));
    let nobody = li.village.run(&["send", "--to", "Bo", "who?"]).await;
    assert!(failure(&nobody, 5).contains("妈妈, 外婆, Lili"), "it says who there is");
    let own = li.village.run(&["heard", "999", "--by", "Lili"]).await;
    assert!(failure(&own, 5).contains("no letter 999"));
}

const TWO_CHILDREN: &str = "\
T-1,1,parent,Mama,Europe/Rome,it,Mama,,2026-11-01,
T-1,2,child,Ana,Europe/Chisinau,ro,Ana,,2026-11-01,2026-11-01
T-1,3,child,Ion,Europe/Chisinau,ro,Ion,,2026-11-01,2026-11-01
";

#[tokio::test]
async fn a_letter_to_one_child_does_not_reach_the_other_childs_phone() {
    let office = Office::open().await;
    let cards = office.enrol(TWO_CHILDREN).await;
    let mama = office.join("mama", &cards.link("T-1", "Mama")).await;
    let ana = office.join("ana", &cards.link("T-1", "Ana")).await;
    let ion = office.join("ion", &cards.link("T-1", "Ion")).await;

    ask(&mama, &["send", "--to", "Ana", "for Ana alone"]).await;
    ask(&mama, &["send", "--to", "ana", "--to", "3", "for both"]).await;

    assert_eq!(texts(&ask_all(&ana, &["inbox"]).await), ["for Ana alone", "for both"]);
    assert_eq!(texts(&ask_all(&ion, &["inbox"]).await), ["for both"]);
    assert_eq!(texts(&ask_all(&ion, &["log"]).await), ["for both"]);
    let exported = office.path("export");
    let _ = ion.run(&["export", "--out", &text(&exported)]).await.success();
    for file in std::fs::read_dir(exported).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("for Ana alone"));
    }
}

#[tokio::test]
async fn a_father_is_invited_and_reads_what_is_kept_and_addressed_to_all() {
    let li = Li::at_home().await;
    ask(&li.mother, &["send", "kept for all"]).await;
    ask(&li.mother, &["send", "--to", "Lili", "between us"]).await;

    let card = ask(&li.mother, &["invite", "--new", "爸爸", "--role", "parent"]).await;
    let link = card["link"].as_str().unwrap();
    let father = li.office.join("father", link).await;
    let read = ask_all(&father, &["inbox"]).await;
    ask(&father, &["send", "I am here too"]).await;

    assert_eq!(card["members"], json!(["爸爸"]));
    assert_eq!(texts(&read), ["kept for all"]);
    let came = ask_all(&li.village, &["inbox"]).await;
    assert_eq!(texts(&came), ["kept for all", "between us", "I am here too"]);
    assert_eq!(came[2]["from"], "爸爸", "the others know his name");
}

#[tokio::test]
async fn who_does_not_write_answers_with_a_picture() {
    let li = Li::at_home().await;
    let mut listening = li.mother.spawn(&["listen", "--json", "--open"]);
    let answer = ["send", "--as", "Lili", "--to", "妈妈", "--picture", "heart"];

    let sent = ask(&li.village, &answer).await;
    let came = listening.json_where(|_| true).await;
    listening.stop().await;
    let out = li.office.path("export");
    let _ = li.mother.run(&["export", "--out", &text(&out)]).await.success();

    assert_eq!((&came["seq"], &came["from"]), (&sent["seq"], &json!("Lili")));
    assert_eq!((&came["kind"], &came["picture"]), (&json!("picture"), &json!("heart")));
    assert_eq!(came["text"], "");
    let log = li.mother.run(&["log"]).await.success().stdout;
    assert!(log.contains("    picture: heart"), "{log}");
    until("the child's phone hears that it was opened", async || {
        ask_all(&li.village, &["inbox"]).await;
        (receipts(&li.village, &sent["seq"]).await == pairs(&[("妈妈", "opened")])).then_some(())
    })
    .await;
    let page = std::fs::read_to_string(out.join("messages.html")).unwrap();
    assert!(page.contains("<p>picture: heart</p>"), "{page}");
    let _ = ask(&li.mother, &["send", "--picture", "thumb-up"]).await;
    let shown = li.village.run(&["inbox"]).await.success().stdout;
    assert!(shown.contains("    picture: thumb-up"), "{shown}");
    for wrong in [&["--picture", "skull"][..], &["--picture", "heart", "and words"]] {
        let _ = failure(&li.mother.run(&[&["send"], wrong].concat()).await, 2);
    }
}

#[tokio::test]
async fn everything_of_the_family_can_be_taken_along() {
    let li = Li::at_home().await;
    ask(&li.mother, &["send", "<script>alert('家')</script>"]).await;
    ask(&li.mother, &["schedule", "add", "--every", "day", "--at", "19:30", "晚安"]).await;
    ask_all(&li.village, &["inbox", "--open"]).await;
    let out = li.office.path("export");

    let done = ask(&li.mother, &["export", "--out", &text(&out)]).await;
    let again = li.mother.run(&["export", "--out", &text(&out)]).await;

    assert_eq!(done["messages"], 1);
    assert_eq!(mode(&out), 0o700);
    let read = |name: &str| {
        assert_eq!(mode(&out.join(name)), 0o600, "{name}");
        std::fs::read_to_string(out.join(name)).unwrap()
    };
    let page = read("messages.html");
    assert!(!page.contains("<script>"), "a letter stays text: {page}");
    assert!(page.contains("&lt;script&gt;alert(&#39;家&#39;)&lt;/script&gt;"), "{page}");
    let messages: Vec<Value> = serde_json::from_str(&read("messages.json")).unwrap();
    assert_eq!(messages[0]["text"], "<script>alert('家')</script>");
    assert_eq!(messages[0]["from"], "妈妈");
    let receipts: Vec<Value> = serde_json::from_str(&read("receipts.json")).unwrap();
    assert!(receipts.iter().any(|receipt| receipt["rung"] == "opened"), "{receipts:?}");
    let schedules: Vec<Value> = serde_json::from_str(&read("schedules.json")).unwrap();
    assert_eq!(schedules[0]["text"], "晚安");
    assert!(read("roster.json").contains("Lili"));
    let plan: Value = serde_json::from_str(&read("plan.json")).unwrap();
    assert!(plan["rules"].is_array() && plan["pauses"].is_array(), "{plan}");
    let agreements: Value = serde_json::from_str(&read("agreements.json")).unwrap();
    assert_eq!(agreements["children"][0]["taking_part"], "given", "{agreements}");
    assert!(failure(&again, 5).contains("not empty"));
}

#[tokio::test]
async fn a_phone_tells_who_is_there_and_how_it_does() {
    let li = Li::at_home().await;
    ask_all(&li.mother, &["inbox"]).await;

    let family = ask(&li.mother, &["family"]).await;
    let status = ask(&li.village, &["status"]).await;

    let members = family["members"].as_array().unwrap().iter();
    let members: Vec<_> = members.map(|member| (&member["name"], &member["zone"])).collect();
    let zones = ["Europe/Rome", "Asia/Shanghai", "Asia/Shanghai"].map(Value::from);
    let names = ["妈妈", "外婆", "Lili"].map(Value::from);
    assert_eq!(members, names.iter().zip(&zones).collect::<Vec<_>>());
    assert_eq!(family["devices"][1]["serves"], json!(["外婆", "Lili"]));
    assert_eq!(family["changes"].as_array().unwrap().len(), 7, "members, cards, joins: {family}");
    assert_eq!(status["serves"], json!(["外婆", "Lili"]));
    assert_eq!((&status["connected"], &status["roster"]), (&json!(true), &json!("ok")));
    assert_eq!((&status["waiting"], &status["refused"]), (&json!(0), &json!([])));
}
