//! Families go from one site to another, and from one programme to another, which has to take them.

use jiashu_tests::ground::Ground;
use jiashu_tests::{Cli, until};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::story::{Office, ask, ask_all, failure, hear_each_other};
use crate::story_contact::COLUMNS;

/// Of Tianshui, counted.
const LI: &str = "\
GS-001,1,parent,妈妈,Europe/Rome,zh-Hans,mother,,2026-11-01,,,2026-11-01,,tianshui,
GS-001,2,caregiver,外婆,Asia/Shanghai,zh-Hans,home,,2026-11-01,,,,,tianshui,
GS-001,3,child,Lili,Asia/Shanghai,zh-Hans,home,,2026-11-01,2026-11-01,,2026-11-01,2026-11-02,tianshui,
";

/// Two programmes on one relay, the first with two sites, a caseworker at each, an auditor, and the family Li.
pub(crate) struct Two {
    pub(crate) office: Office,
    pub(crate) other: Cli,
    here: Cli,
    there: Cli,
    auditor: Cli,
    pub(crate) mother: Cli,
    pub(crate) home: Cli,
    _folder: TempDir,
}

impl Two {
    pub(crate) async fn on(ground: &Ground, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let office = Office::on(ground.relay(&folder, settings).await).await;
        let worker = &office.worker;
        add_site(worker, "tianshui", "Asia/Shanghai").await;
        add_site(worker, "soroca", "Europe/Chisinau").await;
        let here = come_in(&office, worker, "here", "caseworker", &["--site", "tianshui"]).await;
        let there = come_in(&office, worker, "there", "caseworker", &["--site", "soroca"]).await;
        let auditor = come_in(&office, worker, "auditor", "auditor", &[]).await;
        let link = office.relay.raw().post_to("/programmes").await;
        let other = office.phone("other");
        let link = String::from_utf8(link.body).unwrap();
        let _ = other.run(&["ngo", "setup", link.trim()]).await.success();
        add_site(&other, "prato", "Europe/Rome").await;
        let list = office.path("families.csv");
        std::fs::write(&list, format!("{COLUMNS}\n{LI}")).unwrap();
        let _ = office.try_enrol(list.to_str().unwrap(), &[]).await.success();
        let cards = office.cards();
        let mother = office.join("mother", &cards.link("GS-001", "妈妈")).await;
        let home = office.join("home", &cards.link("GS-001", "Lili")).await;
        Self { office, other, here, there, auditor, mother, home, _folder: folder }
    }
}

async fn add_site(coordinator: &Cli, code: &str, zone: &str) {
    let add = ["ngo", "site", "add", code, "--name", code, "--tz", zone];
    let _ = coordinator.run(&add).await.success();
}

async fn come_in(office: &Office, by: &Cli, name: &str, role: &str, more: &[&str]) -> Cli {
    let add = ["ngo", "staff", "add", "--role", role, "--name", name];
    let added = ask(by, &[&add, more].concat()).await;
    let new = office.phone(name);
    let _ = new.run(&["ngo", "setup", added["link"].as_str().unwrap()]).await.success();
    new
}

async fn listed(staff: &Cli) -> Vec<Value> {
    let list = ask(staff, &["ngo", "worklist"]).await;
    list["families"].as_array().unwrap().clone()
}

/// Once the worklist is so long; its first.
pub(crate) async fn once_listed(staff: &Cli, count: usize) -> Value {
    until("the worklist to be so", async || {
        let list = listed(staff).await;
        (list.len() == count).then(|| list.first().cloned().unwrap_or_default())
    })
    .await
}

async fn a_family_goes_to_another_site(ground: Ground) {
    let two = Two::on(&ground, &[]).await;
    let Two { office, here, there, auditor, other, mother, .. } = &two;
    let coordinator = &office.worker;
    hear_each_other(&two.mother, &two.home).await;
    let _ = once_listed(here, 1).await;
    let _ = coordinator.run(&["ngo", "assign", "GS-001", "2"]).await.success();

    let to = |case| ["ngo", "transfer", case, "--to-site", "soroca"];
    for staff in [here, there, auditor] {
        assert!(failure(&staff.run(&to("GS-001")).await, 4).contains("not yours to do"));
    }
    add_site(other, "soroca", "Europe/Chisinau").await;
    let theirs = failure(&other.run(&to("GS-001")).await, 4);
    assert_eq!(theirs, failure(&coordinator.run(&to("GS-999")).await, 4));
    let nowhere = ["ngo", "transfer", "GS-001", "--to-site", "nowhere"];
    assert!(failure(&coordinator.run(&nowhere).await, 4).contains("unknown site"));
    assert_eq!(coordinator.run(&["ngo", "transfer", "GS-001"]).await.code, 2);

    let moved = ask(coordinator, &to("GS-001")).await;
    assert_eq!(moved, json!({ "case_code": "GS-001", "site": "soroca" }));
    let _ = coordinator.run(&to("GS-001")).await.success();
    let seen = once_listed(there, 1).await;
    assert_eq!(
        (&seen["site"], &seen["children"][0]["days_since_two_way"]),
        (&json!("soroca"), &json!(0))
    );
    let _ = once_listed(here, 0).await;
    assert_eq!(here.run(&["ngo", "resume", "GS-001"]).await.code, 4, "it is no longer theirs");
    let _ = there.run(&["ngo", "resume", "GS-001"]).await.success();
    let sites = until("the figures to follow", async || {
        let by = ["ngo", "report", "--by", "site", "--week"];
        let week = week_now(office).await;
        let report = ask(coordinator, &[&by[..], &[&week]].concat()).await;
        let groups = report["groups"].as_array().unwrap().clone();
        (groups.first()?["name"] == "soroca").then_some(groups)
    })
    .await;
    assert_eq!((sites.len(), &sites[0]["home"]), (1, &json!(1)), "counted once: {sites:?}");
    assert_eq!(ask(mother, &["who-sees"]).await["site"], "soroca");

    let log = ask_all(auditor, &["ngo", "audit"]).await;
    let moves = log.iter().filter(|entry| entry["action"] == "transfer-site");
    let allowed: Vec<_> = moves.map(|entry| entry["allowed"].as_bool().unwrap()).collect();
    // Of the unknown case and the unknown site it is noted that a coordinator asked.
    assert_eq!(allowed, [false, false, false, true, true, true, true]);
    let _ = coordinator.run(&["ngo", "staff", "remove", "2"]).await.success();
    for command in [&to("GS-001")[..], &["ngo", "transfer", "list"]] {
        assert!(failure(&here.run(command).await, 4).contains("no member of staff"));
    }
}

/// The week that it is in Soroca.
pub(crate) async fn week_now(office: &Office) -> String {
    let now = jiff::Timestamp::from_millisecond(office.relay.raw().now().await).unwrap();
    let date = jiff::tz::TimeZone::get("Europe/Chisinau").unwrap().to_datetime(now).date();
    let iso = date.iso_week_date();
    format!("{}W{}", iso.year(), iso.week())
}

#[tokio::test]
async fn a_family_goes_to_another_site_in_one_file() {
    a_family_goes_to_another_site(Ground::own()).await;
}

#[tokio::test]
async fn a_family_goes_to_another_site_over_redis() {
    a_family_goes_to_another_site(Ground::shared().await).await;
}

async fn a_family_goes_to_another_programme_if_both_want_it(ground: Ground) {
    let two = Two::on(&ground, &[]).await;
    let Two { office, other, here, auditor, mother, home, .. } = &two;
    let coordinator = &office.worker;
    hear_each_other(&two.mother, &two.home).await;
    let _ = once_listed(here, 1).await;
    let programme = ask(other, &["ngo", "transfer", "list"]).await["programme"].clone();
    let programme = programme.as_str().unwrap();
    let own = ask(coordinator, &["ngo", "transfer", "list"]).await["programme"].clone();
    let offer = |case, to| ["ngo", "transfer", case, "--to-programme", to];
    let accept =
        |offer, case| ["ngo", "transfer", "accept", offer, "--case", case, "--site", "prato"];

    // Nobody takes what was not offered, and nobody learns what there is.
    let family = ask_all(mother, &["who-sees"]).await;
    assert_eq!(family[0]["programme"], own);
    let nothing = failure(&other.run(&accept("00000000000000ff", "PR-9")).await, 4);
    for (case, to) in
        [("GS-999", programme), ("GS-001", "00000000000000ff"), ("GS-001", own.as_str().unwrap())]
    {
        assert_eq!(failure(&coordinator.run(&offer(case, to)).await, 4), nothing, "{case} {to}");
    }
    let back = ["ngo", "transfer", "GS-001", "--take-back"];
    assert_eq!(failure(&coordinator.run(&back).await, 4), nothing);
    for staff in [here, auditor] {
        let refused = failure(&staff.run(&offer("GS-001", programme)).await, 4);
        for command in [&["ngo", "transfer", "list"][..], &back, &accept("00000000000000ff", "X")] {
            assert_eq!(failure(&staff.run(command).await, 4), refused, "{command:?}");
        }
    }

    // Offered, taken back, offered again.
    let offered = ask(coordinator, &offer("GS-001", programme)).await;
    let number = offered["offer"].as_str().unwrap();
    assert_eq!(ask(coordinator, &offer("GS-001", programme)).await, offered, "a repeat");
    let list = ask(other, &["ngo", "transfer", "list"]).await;
    assert_eq!(list["received"][0]["offer"], number);
    assert_eq!(listed(other).await, [json!(null); 0], "offered is not yet given");
    assert_eq!(other.run(&["ngo", "resume", "GS-001"]).await.code, 4);
    let own = failure(&coordinator.run(&accept(number, "X")).await, 4);
    assert!(own.contains("unknown site"), "{own}");
    let _ = coordinator.run(&back).await.success();
    assert_eq!(failure(&other.run(&accept(number, "PR-9")).await, 4), nothing);
    assert_eq!(ask(other, &["ngo", "transfer", "list"]).await["received"], json!([]));
    let _ = ask(coordinator, &offer("GS-001", programme)).await;
    let _ = other.run(&accept(number, "PR-9")).await.success();
    let _ = other.run(&accept(number, "PR-9")).await.success();

    // The one has it, the other never had.
    let seen = once_listed(other, 1).await;
    assert_eq!(
        (&seen["case_code"], &seen["site"], &seen["counting"], &seen["days_since_two_way"]),
        (&json!("PR-9"), &json!("prato"), &json!("not_counted"), &Value::Null)
    );
    let _ = once_listed(coordinator, 0).await;
    let resume = |case| ["ngo", "resume", case];
    let gone = failure(&coordinator.run(&resume("GS-001")).await, 4);
    assert_eq!(gone, failure(&coordinator.run(&resume("GS-999")).await, 4));
    assert_eq!(failure(&coordinator.run(&back).await, 4), nothing);
    let _ = other.run(&resume("PR-9")).await.success();
    let again = office.try_enrol(office.path("families.csv").to_str().unwrap(), &[]).await;
    assert!(again.code != 0 && again.stdout.contains("enrol it under another"), "{again:?}");

    // Letters go on, the family sees whose it is, and what was counted is no more.
    let sees = ask(mother, &["who-sees"]).await;
    assert_eq!(
        (&sees["programme"], &sees["case_code"], &sees["counted"]),
        (&json!(programme), &json!("PR-9"), &json!(false))
    );
    hear_each_other(&two.mother, &two.home).await;
    assert_eq!(listed(other).await[0]["days_since_two_way"], Value::Null);
    for member in ["1", "3"] {
        let dates = ["--counting-on", "2026-11-20", "--counting-assent-on", "2026-11-20"];
        let consent = [&["ngo", "consent", "PR-9", member], &dates[..]].concat();
        let _ = other.run(&consent).await.success();
    }
    hear_each_other(&two.mother, &two.home).await;
    let _ = until("it to be counted there", async || {
        let list = listed(other).await;
        (list[0]["days_since_two_way"] == 0).then_some(())
    })
    .await;
    assert_eq!(listed(coordinator).await, [json!(null); 0]);
    assert_eq!(ask(home, &["who-sees"]).await["counted"], true);

    let actions = async |staff: &Cli| -> Vec<String> {
        let log = ask_all(staff, &["ngo", "audit"]).await;
        let of = log.iter().filter(|entry| entry["allowed"] == true);
        let actions = of.map(|entry| entry["action"].as_str().unwrap().to_owned());
        actions.filter(|action| action.starts_with("transfer-")).collect()
    };
    let theirs = actions(coordinator).await;
    assert!(theirs.iter().any(|action| action == "transfer-offer"), "{theirs:?}");
    assert!(theirs.iter().any(|action| action == "transfer-taken"), "{theirs:?}");
    assert!(actions(other).await.iter().any(|action| action == "transfer-accept"));
}

#[tokio::test]
async fn a_family_goes_to_another_programme_if_both_want_it_in_one_file() {
    a_family_goes_to_another_programme_if_both_want_it(Ground::own()).await;
}

#[tokio::test]
async fn a_family_goes_to_another_programme_if_both_want_it_over_redis() {
    a_family_goes_to_another_programme_if_both_want_it(Ground::shared().await).await;
}
