//! Contact is made visible: what a family means, what of it came about, and whom its programme rings first.

use jiashu_tests::ground::Ground;
use jiashu_tests::{Cli, until};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::operator::{run, store_file};
use crate::story::{Office, ask, ask_all, failure};

/// A list with all that may be said of a family.
pub(crate) const COLUMNS: &str = "case_code,member,role,name,time_zone,language,device,shared_device,\
                       consent_on,assent_on,born_on,counting_on,counting_assent_on,site,plan";

/// Two children who share their grandmother's phone; one family that does not want to be counted, one that may not
/// write yet.
const FAMILIES: &str = "\
GS-001,1,parent,妈妈,Europe/Rome,zh-Hans,mother,,2026-11-01,,,2026-11-01,,,
GS-001,2,caregiver,外婆,Asia/Shanghai,zh-Hans,home,,2026-11-01,,,,,,
GS-001,3,child,Lili,Asia/Shanghai,zh-Hans,home,,2026-11-01,2026-11-01,2017-03-04,2026-11-01,2026-11-02,,day 19:30
GS-001,4,child,Bao,Asia/Shanghai,zh-Hans,home,,2026-11-01,2026-11-01,2019-08-01,2026-11-01,2026-11-02,,
MD-002,1,parent,Ana,Europe/Rome,ro,ana,,2026-11-01,,,,,,\"sun,wed 18:00\"
MD-002,2,child,Ion,Europe/Chisinau,ro,casa,,2026-11-01,2026-11-01,,,,,
LV-003,1,parent,Ilze,Europe/London,lv,ilze,,2026-11-01,,,2026-11-01,,,
LV-003,2,child,Anna,Europe/Riga,lv,anna,,2026-11-01,,,2026-11-01,2026-11-02,,
";

struct Programme {
    office: Office,
    mother: Cli,
    home: Cli,
    _folder: TempDir,
}

impl Programme {
    async fn on(ground: &Ground) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let office = Office::on(ground.relay(&folder, &[]).await).await;
        let list = office.path("families.csv");
        std::fs::write(&list, format!("{COLUMNS}\n{FAMILIES}")).unwrap();
        let _ = office.try_enrol(list.to_str().unwrap(), &[]).await.success();
        let cards = office.cards();
        let mother = office.join("mother", &cards.link("GS-001", "妈妈")).await;
        let home = office.join("home", &cards.link("GS-001", "Lili")).await;
        Self { office, mother, home, _folder: folder }
    }

    /// The family of that code on the worklist.
    async fn listed(&self, case: &str) -> Value {
        let list = ask(&self.office.worker, &["ngo", "worklist"]).await;
        let families = list["families"].as_array().unwrap();
        families.iter().find(|family| family["case_code"] == case).cloned().unwrap_or_default()
    }

    /// The same, once that holds of it.
    async fn once(&self, case: &str, holds: impl Fn(&Value) -> bool) -> Value {
        until("the family to stand so", async || {
            let listed = self.listed(case).await;
            holds(&listed).then_some(listed)
        })
        .await
    }
}

async fn staff_see_contact_and_never_content(ground: Ground) {
    let programme = Programme::on(&ground).await;
    let Programme { office, mother, home, .. } = &programme;

    let before = programme.once("GS-001", |one| one["standing"] == "new").await;
    assert_eq!(before["days_since_two_way"], Value::Null);
    let not_counted = programme.listed("MD-002").await;
    assert_eq!(
        (&not_counted["counting"], &not_counted["phones"]),
        (&json!("not_counted"), &json!([]))
    );
    assert_eq!(programme.listed("LV-003").await["counting"], "not_active");

    // She writes to both; Lili is shown it, Bao is not. Lili answers with a picture, which counts as words do.
    let _ = ask(mother, &["send", "吃饭了吗"]).await;
    let came = ask_all(home, &["inbox"]).await;
    let seq = came[0]["seq"].to_string();
    let _ = home.run(&["heard", &seq, "--by", "Lili"]).await.success();
    let _ = ask(home, &["send", "--as", "Lili", "--to", "妈妈", "--picture", "heart"]).await;
    let _ = ask_all(mother, &["inbox", "--open"]).await;

    let heard = programme.once("GS-001", |one| one["children"][0]["days_since_two_way"] == 0).await;
    assert_eq!(heard["children"][0]["standing"], "on_track");
    assert_eq!(heard["children"][1]["standing"], "new", "a sister says nothing of her brother");
    assert_eq!(heard["standing"], "new", "the family stands as the child of whom it is worse");
    let phones = heard["phones"].as_array().unwrap();
    assert!(phones.iter().all(|phone| phone["use"] == "used"), "{phones:?}");
    assert_eq!(phones.iter().filter(|phone| phone["shared"] == true).count(), 1);

    let came = ask(&office.worker, &["ngo", "family", "GS-001"]).await["funnel"].clone();
    assert_eq!(came["home"], json!({"sent": 1, "reached": 1, "heard": 1, "answered": 1}));
    assert_eq!(came["away"], json!({"sent": 1, "reached": 1, "heard": 1, "answered": null}));
    let not_counted = ask(&office.worker, &["ngo", "family", "MD-002"]).await;
    assert_eq!(not_counted["funnel"], Value::Null);

    let whole = ask(&office.worker, &["ngo", "worklist"]).await.to_string();
    for canary in ["Lili", "Bao", "妈妈", "外婆", "吃饭", "heart", "2017", "2019"] {
        assert!(!whole.contains(canary), "{canary} is seen: {whole}");
    }
    let table = office.worker.run(&["ngo", "worklist"]).await.success().stdout;
    assert!(table.lines().nth(1).unwrap().starts_with("GS-001  new"), "{table}");
}

#[tokio::test]
async fn staff_see_contact_and_never_content_from_one_file() {
    staff_see_contact_and_never_content(Ground::own()).await;
}

#[tokio::test]
async fn staff_see_contact_and_never_content_over_redis() {
    staff_see_contact_and_never_content(Ground::shared().await).await;
}

async fn a_family_means_something_by_itself_and_staff_may_only_propose(ground: Ground) {
    let programme = Programme::on(&ground).await;
    let Programme { office, mother, home, .. } = &programme;

    let proposed = ask(mother, &["plan"]).await;
    assert_eq!(proposed["rules"], json!([]), "nobody but the family plans: {proposed}");
    assert_eq!(proposed["proposed"][0]["rrule"], "FREQ=DAILY");
    let planned = ask(mother, &["plan", "confirm"]).await;
    assert_eq!((&planned["rules"], &planned["proposed"]), (&proposed["proposed"], &Value::Null));
    let next = planned["next"].clone();
    let seen = programme.once("GS-001", |one| one["next"]["at"] == next).await;
    let home_clock = seen["next"]["home"].as_str().unwrap();
    assert!(home_clock.contains("T19:30:00+08:00"), "{home_clock}");
    assert!(seen["next"]["away"].as_str().unwrap().contains("+01:00"), "{seen}");

    let week = ask_all(home, &["plan", "week"]).await;
    assert!(week.iter().any(|time| time["child"] == "Lili" && time["at"] == next), "{week:?}");

    let plan = ["ngo", "plan", "GS-001", "--every", "sun", "--at", "18:00"];
    let _ = office.worker.run(&plan).await.success();
    assert_eq!(ask(home, &["plan"]).await["proposed"][0]["rrule"], "FREQ=WEEKLY;BYDAY=SU");
    let declined = ask(home, &["plan", "decline"]).await;
    assert_eq!((&declined["rules"], &declined["proposed"]), (&planned["rules"], &Value::Null));
    assert!(failure(&mother.run(&["plan", "confirm"]).await, 5).contains("nothing is proposed"));

    let pause = ["ngo", "pause", "GS-001", "--reason", "parent-home", "--until", "2099-01-01"];
    let _ = office.worker.run(&pause).await.success();
    let paused = programme.once("GS-001", |one| one["standing"] == "paused").await;
    assert_eq!(paused["next"]["at"].as_str().map(|at| &at[..4]), Some("2099"), "{paused}");
    assert_eq!(ask(mother, &["plan"]).await["pauses"][0]["reason"], "parent-home");
    let _ = office.worker.run(&["ngo", "resume", "GS-001"]).await.success();
    let _ = programme.once("GS-001", |one| one["standing"] == "new").await;
    assert_eq!(ask(mother, &["plan"]).await["pauses"], json!([]), "as if it had never been");

    for how in ["visit", "call", "call"] {
        let _ = office.worker.run(&["ngo", "visit", "GS-001", "--how", how]).await.success();
    }
    let early = office.worker.run(&["ngo", "visit", "GS-001", "--on", "2020-01-31"]).await;
    assert!(failure(&early, 4).contains("not before the family was enrolled"));
    let late = office.worker.run(&["ngo", "visit", "GS-001", "--on", "2099-01-31"]).await;
    assert!(failure(&late, 5).contains("is still to come"));

    let case = ask(&office.worker, &["ngo", "family", "GS-001"]).await;
    assert_eq!(case["plan"][0]["rrule"], "FREQ=DAILY", "{case}");
    assert_eq!(case["pauses"][0]["withdrawn"], true);
    assert_eq!(case["members"][2]["role"], "child");
    assert_eq!(case["weeks"][0]["children"][0]["member"], 3);
    let met: Vec<_> = case["visits"].as_array().unwrap().iter().map(|one| &one["how"]).collect();
    assert_eq!(met, ["call", "visit"], "the same of one day is one");
    for canary in ["Lili", "Bao", "妈妈", "外婆", "2017"] {
        assert!(!case.to_string().contains(canary), "{canary} is seen: {case}");
    }
    let shown = office.worker.run(&["ngo", "family", "GS-001"]).await.success().stdout;
    assert!(shown.contains("child 3  [") && shown.contains("plan: every day at 19:30"), "{shown}");
    let log = ask_all(&office.worker, &["ngo", "audit"]).await;
    let looked = log.iter().filter(|entry| entry["action"] == "family").count();
    assert_eq!(looked, 2, "who looked is noted, each time: {log:?}");
    let nobody = failure(&office.worker.run(&["ngo", "family", "GS-999"]).await, 4);
    assert!(nobody.contains("there is no such case"));

    let unknown = office.worker.run(&["ngo", "resume", "GS-999"]).await;
    assert!(failure(&unknown, 4).contains("there is no such case"));
}

#[tokio::test]
async fn a_family_means_something_by_itself_and_staff_may_only_propose_from_one_file() {
    a_family_means_something_by_itself_and_staff_may_only_propose(Ground::own()).await;
}

#[tokio::test]
async fn a_family_means_something_by_itself_and_staff_may_only_propose_over_redis() {
    a_family_means_something_by_itself_and_staff_may_only_propose(Ground::shared().await).await;
}

/// A relay, a programme with two sites, and staff of every role.
pub(crate) struct Staffed {
    pub(crate) office: Office,
    pub(crate) caseworker: Cli,
    pub(crate) auditor: Cli,
    _folder: TempDir,
}

impl Staffed {
    pub(crate) async fn on(ground: &Ground) -> Self {
        let staffed = Self::without_families(ground).await;
        let list = staffed.office.path("families.csv");
        let rows = FAMILIES.replace(",2026-11-02,,day", ",2026-11-02,tianshui,day");
        let rows = rows.replace(",,\"sun", ",soroca,\"sun");
        std::fs::write(&list, format!("{COLUMNS}\n{rows}")).unwrap();
        let _ = staffed.office.try_enrol(list.to_str().unwrap(), &[]).await.success();
        staffed
    }

    pub(crate) async fn without_families(ground: &Ground) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let office = Office::on(ground.relay(&folder, &[]).await).await;
        for (code, name, zone) in
            [("tianshui", "天水", "Asia/Shanghai"), ("soroca", "Soroca", "Europe/Chisinau")]
        {
            let add = ["ngo", "site", "add", code, "--name", name, "--tz", zone];
            let _ = office.worker.run(&add).await.success();
        }
        let caseworker = come_in(&office, "caseworker", &["--site", "tianshui"]).await;
        let auditor = come_in(&office, "auditor", &[]).await;
        Self { office, caseworker, auditor, _folder: folder }
    }
}

/// Somebody new among the staff, by the link that the coordinator hands over.
pub(crate) async fn come_in(office: &Office, role: &str, more: &[&str]) -> Cli {
    let add = ["ngo", "staff", "add", "--role", role, "--name", role, "--email", "x@ngo.example"];
    let added = ask(&office.worker, &[&add, more].concat()).await;
    let new = office.phone(role);
    let _ = new.run(&["ngo", "setup", added["link"].as_str().unwrap()]).await.success();
    new
}

fn codes(worklist: &Value) -> Vec<&str> {
    let families = worklist["families"].as_array().unwrap().iter();
    let mut codes: Vec<_> = families.map(|one| one["case_code"].as_str().unwrap()).collect();
    codes.sort_unstable();
    codes
}

async fn staff_may_what_is_theirs_and_all_of_it_is_noted(ground: Ground) {
    let Staffed { office, caseworker, auditor, .. } = &Staffed::on(&ground).await;
    let coordinator = &office.worker;
    let all = until("all families to be listed", async || {
        let list = ask(coordinator, &["ngo", "worklist"]).await;
        (codes(&list).len() == 3).then_some(list)
    })
    .await;
    assert_eq!(codes(&all), ["GS-001", "LV-003", "MD-002"]);
    let first = ask(coordinator, &["ngo", "worklist", "--limit", "1"]).await;
    assert_eq!((codes(&first).len(), &first["total"]), (1, &json!(3)));

    // By their sites; then by whom a coordinator says.
    assert_eq!(codes(&ask(caseworker, &["ngo", "worklist"]).await), ["GS-001"]);
    let _ = coordinator.run(&["ngo", "assign", "MD-002", "2"]).await.success();
    assert_eq!(codes(&ask(caseworker, &["ngo", "worklist"]).await), ["GS-001", "MD-002"]);
    let _ = coordinator.run(&["ngo", "assign", "GS-001", "1"]).await.success();
    assert_eq!(codes(&ask(caseworker, &["ngo", "worklist"]).await), ["MD-002"]);

    // What is another's is as if it were not there.
    let until = ["--reason", "exams", "--until", "2099-01-01"];
    let pause = |case| [&["ngo", "pause", case], &until[..]].concat();
    let mine = caseworker.run(&pause("MD-002")).await;
    let anothers = failure(&caseworker.run(&pause("GS-001")).await, 4);
    let nobodys = failure(&caseworker.run(&pause("GS-999")).await, 4);
    assert_eq!((mine.code, &anothers), (0, &nobodys));
    for command in [
        &["ngo", "staff", "list"][..],
        &["ngo", "assign", "GS-001", "2"],
        &["ngo", "audit"],
        &["ngo", "site", "add", "x", "--name", "x", "--tz", "UTC"],
        &["ngo", "staff", "remove", "1"],
    ] {
        let refused = failure(&caseworker.run(command).await, 4);
        assert!(refused.contains("this is not yours to do"), "{command:?}: {refused}");
    }
    for command in [&["ngo", "worklist"][..], &pause("GS-001")] {
        assert_eq!(auditor.run(command).await.code, 4, "{command:?}");
    }

    let log = ask_all(auditor, &["ngo", "audit"]).await;
    let refused: Vec<_> = log
        .iter()
        .filter(|entry| entry["allowed"] == false)
        .map(|entry| (entry["staff"].as_u64().unwrap(), entry["action"].as_str().unwrap()))
        .collect();
    let expected = ["pause", "pause", "staff", "assign", "audit", "site", "staff-remove"];
    let expected = expected.map(|action| (2, action)).into_iter();
    assert_eq!(refused, expected.chain([(3, "worklist"), (3, "pause")]).collect::<Vec<_>>());
    assert!(log.iter().any(|entry| entry["action"] == "pause" && entry["allowed"] == true));

    let _ = coordinator.run(&["ngo", "staff", "remove", "2"]).await.success();
    let out = failure(&caseworker.run(&["ngo", "worklist"]).await, 4);
    assert!(out.contains("this is no member of staff"), "{out}");
    let staff = ask_all(coordinator, &["ngo", "staff", "list"]).await;
    let status: Vec<_> = staff.iter().map(|one| one["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["active", "left", "active"]);
}

#[tokio::test]
async fn staff_may_what_is_theirs_and_all_of_it_is_noted_in_one_file() {
    staff_may_what_is_theirs_and_all_of_it_is_noted(Ground::own()).await;
}

#[tokio::test]
async fn staff_may_what_is_theirs_and_all_of_it_is_noted_over_redis() {
    staff_may_what_is_theirs_and_all_of_it_is_noted(Ground::shared().await).await;
}

async fn a_caseworker_cannot_enrol_over_a_family_of_another_site(ground: Ground) {
    let Staffed { office, caseworker, .. } = &Staffed::on(&ground).await;
    let before = until("all families to be listed", async || {
        let list = ask(&office.worker, &["ngo", "worklist"]).await;
        (codes(&list).len() == 3).then_some(list)
    })
    .await;
    let rows = "\
MD-002,1,parent,Eva,Europe/Rome,it,eva,,2026-11-01,,,,,tianshui,
MD-002,2,child,Kid,Asia/Shanghai,zh,kid,,2026-11-01,2026-11-01,,,,tianshui,
";
    let list = office.path("over.csv");
    std::fs::write(&list, format!("{COLUMNS}\n{rows}")).unwrap();
    let (list, out) = (list.to_str().unwrap(), office.path("over"));
    let enrol = ["--json", "ngo", "enrol", list, "--out", out.to_str().unwrap()];

    for again in [&[][..], &["--again", "MD-002"]] {
        let refused = caseworker.run(&[&enrol[..], again].concat()).await;
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(!refused.stdout.contains("\"elsewhere\":[\"MD-002\"]"), "{refused:?}");
    }

    let own = ask(caseworker, &["ngo", "worklist"]).await;
    assert_eq!(codes(&own), ["GS-001"]);
    let mut after = ask(&office.worker, &["ngo", "worklist"]).await;
    after["as_of"] = before["as_of"].clone();
    assert_eq!(after, before);
    let cards = office.cards();
    let _ = office.join("ana", &cards.link("MD-002", "Ana")).await;
    let log = ask_all(&office.worker, &["ngo", "audit"]).await;
    let noted = |entry: &&Value| entry["staff"] == 2 && entry["action"] == "enrol";
    assert!(log.iter().filter(noted).all(|entry| entry["allowed"] == false), "{log:?}");
    assert!(log.iter().any(|entry| noted(&entry)));
}

#[tokio::test]
async fn a_caseworker_cannot_enrol_over_a_family_of_another_site_in_one_file() {
    a_caseworker_cannot_enrol_over_a_family_of_another_site(Ground::own()).await;
}

#[tokio::test]
async fn a_caseworker_cannot_enrol_over_a_family_of_another_site_in_redis() {
    a_caseworker_cannot_enrol_over_a_family_of_another_site(Ground::shared().await).await;
}

#[tokio::test]
async fn an_audit_log_that_somebody_has_altered_is_found() {
    let mut staffed = Staffed::on(&Ground::own()).await;
    let office = &mut staffed.office;
    let _ = office.worker.run(&["ngo", "resume", "GS-001"]).await.success();
    let newest = ask_all(&office.worker, &["ngo", "audit"]).await.len();
    let data = office.relay.data_dir();

    // While the relay goes on; then with an entry that somebody made look like another.
    let (whole, told) = run(&data, &["audit", "verify"], &[]).await;
    office.relay.term().await;
    let store = rusqlite::Connection::open(store_file(&data)).unwrap();
    let altered = "SELECT id, scope, seq, at, tag, content FROM entry
                   WHERE instr(content, CAST('resume' AS BLOB)) ORDER BY id LIMIT 1";
    let (id, scope, seq, at, tag, content): (i64, i64, i64, i64, u32, Vec<u8>) = store
        .query_row(altered, [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })
        .unwrap();
    let at_word = content.windows(6).position(|window| window == b"resume").unwrap();
    let mut other = content;
    other[at_word..at_word + 6].copy_from_slice(b"family");
    // With its check put right, as who can write the file would.
    let sum = entry_sum(scope, seq, at, tag, &other);
    store
        .execute("UPDATE entry SET content = ?1, sum = ?2 WHERE id = ?3", (other, sum, id))
        .unwrap();
    drop(store);
    let (passes, says) = run(&data, &["audit", "verify", "--json"], &[]).await;

    assert!(whole && told.contains(&format!("{newest} entries, nothing altered")), "{told}");
    assert!(!passes && says.contains("\"whole\":false"), "{says}");
}

/// The check of a row, as the store makes it: FNV-1a.
fn entry_sum(scope: i64, seq: i64, at: i64, tag: u32, content: &[u8]) -> i64 {
    let parts: [&[u8]; 5] =
        [&scope.to_le_bytes(), &seq.to_le_bytes(), &at.to_le_bytes(), &tag.to_le_bytes(), content];
    let sum = parts.concat().iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    sum.cast_signed()
}

#[tokio::test]
async fn another_programme_on_the_same_relay_is_as_if_it_were_not_there() {
    let Staffed { office, .. } = &Staffed::on(&Ground::own()).await;
    let link = office.relay.raw().post_to("/programmes").await;
    let other = office.phone("other");
    let link = String::from_utf8(link.body).unwrap();
    let _ = other.run(&["ngo", "setup", link.trim()]).await.success();

    assert_eq!(codes(&ask(&other, &["ngo", "worklist"]).await), [""; 0]);
    let resume = |case| ["ngo", "resume", case];
    let theirs = failure(&other.run(&resume("GS-001")).await, 4);
    assert_eq!(theirs, failure(&other.run(&resume("GS-999")).await, 4));
    let log = ask_all(&other, &["ngo", "audit"]).await;
    assert!(log[..2].iter().all(|entry| entry["allowed"] == false), "{log:?}");
    let again = office.phone("again").run(&["ngo", "setup", link.trim()]).await;
    assert!(failure(&again, 4).contains("wrong, used or expired"));
}

#[tokio::test]
async fn a_list_is_checked_for_its_sites_days_of_birth_and_children() {
    let Staffed { office, .. } = &Staffed::on(&Ground::own()).await;
    let list = office.path("faulty.csv");
    let rows = "\
A-1,1,parent,Mama,Europe/Rome,it,mama,,2026-11-01,,,,,nowhere,
A-1,2,child,Kid,Asia/Shanghai,zh,kid,,2026-11-01,,2099-01-01,,,,
A-2,1,parent,Papa,Europe/Rome,it,papa,,2026-11-01,,,,,soroca,sometimes 19:30
A-2,2,child,Lili,Asia/Shanghai,zh,lili,,,,2017-03-04,,,tianshui,
A-3,1,parent,Tata,Europe/Rom,it,tata,,2026-11-01,,,,,,
A-3,2,child,lili,Asia/Shanghai,zh,li,,2026-11-01,,2017-03-04,,,,
A-4,1,parent,Ana,Europe/Rome,it,ana,,2026-11-01,,,,,soroca,
A-4,2,child,Lili,Asia/Shanghai,zh,li,,2026-11-01,,2017-03-04,,,tianshui,
";
    std::fs::write(&list, format!("{COLUMNS}\n{rows}")).unwrap();
    let dry = office.worker.run(&["ngo", "enrol", list.to_str().unwrap(), "--dry-run"]).await;

    assert_eq!(dry.code, 5, "{dry:?}");
    for (row, column, reason) in [
        (2, "site", "unknown site"),
        (3, "born_on", "the birth date lies in the future"),
        (4, "plan", "sometimes"),
        (5, "consent_on", "missing consent"),
        (6, "time_zone", "Europe/Rome"),
        (9, "site", "says something else"),
        (
            9,
            "born_on",
            "duplicate child: a child of this name and day of birth stands in row 7 (A-3)",
        ),
    ] {
        let found = dry.stderr.lines().any(|line| {
            let begins = line.split_whitespace().take(2).eq([&*row.to_string(), column]);
            begins && line.contains(reason)
        });
        assert!(found, "row {row}, {column}: {reason}\n{}", dry.stderr);
    }
}

async fn a_coordinator_sees_what_came_of_contact(ground: Ground) {
    let programme = Programme::on(&ground).await;
    let Programme { office, mother, home, .. } = &programme;
    let coordinator = &office.worker;
    let auditor = come_in(office, "auditor", &[]).await;
    let now = jiff::Timestamp::from_millisecond(office.relay.raw().now().await).unwrap();
    let date = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap().to_datetime(now).date();
    let iso = date.iso_week_date();
    let week = format!("{}W{}", iso.year(), iso.week());
    let joined = until("their phones to be counted", async || {
        let report = ask(coordinator, &["ngo", "report", "--week", &week]).await;
        (report["total"]["shared_phones"] == 1).then_some(report)
    })
    .await;
    assert_eq!(joined["total"]["idle_phones"], 0, "who has just come has not been idle for weeks");
    let _ = ask(mother, &["send", "吃饭了吗"]).await;
    let _ = ask_all(home, &["inbox"]).await;
    let seq = ask_all(home, &["log"]).await[0]["seq"].to_string();
    let _ = home.run(&["heard", &seq, "--by", "Lili"]).await.success();

    let report = until("what was heard to be reported", async || {
        let report =
            ask(coordinator, &["ngo", "report", "--week", &week, "--by", "corridor"]).await;
        (report["total"]["home"] == 1).then_some(report)
    })
    .await;
    assert_eq!((&report["closed"], &report["suppressed_below"]), (&json!(false), &Value::Null));
    assert_eq!(report["groups"][0]["name"], "Europe/Rome>Asia/Shanghai");
    let total = &report["total"];
    assert_eq!((&total["families"], &total["children"]), (&json!(1), &json!(2)));
    // Two children are too few for who may not see them: nothing is 0 that is only left out.
    let seen = ask(&auditor, &["ngo", "report", "--week", &week]).await;
    assert_eq!(seen["suppressed_below"], 10);
    for left_out in ["families", "children", "home", "kept", "shared_phones"] {
        assert_eq!(seen["total"][left_out], Value::Null, "{left_out}");
    }
    let table = auditor.run(&["ngo", "report"]).await.success().stdout;
    assert!(table.contains("as of"), "{table}");
    for bad in ["2026W54", "48", "2026-48"] {
        assert_eq!(coordinator.run(&["ngo", "report", "--week", bad]).await.code, 4, "{bad}");
    }
    let report = ask(coordinator, &["ngo", "report", "--week", &week]).await;
    let of_week = ["ngo", "programme", "--weeks", "2", "--until", &week];
    let page = ask(coordinator, &of_week).await;
    assert_eq!((&page["total"], page["weeks"].as_array().unwrap().len()), (&report["total"], 2));
    let corridor = [&of_week[..], &["--corridor", "Europe/Rome>Asia/Shanghai"]].concat();
    let few = ask(coordinator, &corridor).await;
    assert_eq!((&few["too_few"], &few["total"]["children"]), (&json!(true), &Value::Null));
    let table = coordinator.run(&["ngo", "programme"]).await.success().stdout;
    assert!(table.contains("longest silence of a child: 0-2 days: 0"), "{table}");

    let stands = ask(coordinator, &["ngo", "thresholds"]).await;
    assert_eq!(stands["on_track"], 7);
    let daily =
        ask(coordinator, &["ngo", "thresholds", "--preset", "daily", "--missed", "2"]).await;
    assert_eq!((&daily["silent"], &daily["missed"]), (&json!(21), &json!(2)));
    assert_eq!(ask(&auditor, &["ngo", "thresholds"]).await, daily);
    let refused = coordinator.run(&["ngo", "thresholds", "--watch", "400"]).await;
    assert!(failure(&refused, 4).contains("each is more days than the one before"));
    assert_eq!(auditor.run(&["ngo", "thresholds", "--preset", "weekly"]).await.code, 4);
}

#[tokio::test]
async fn a_coordinator_sees_what_came_of_contact_from_one_file() {
    a_coordinator_sees_what_came_of_contact(Ground::own()).await;
}

#[tokio::test]
async fn a_coordinator_sees_what_came_of_contact_over_redis() {
    a_coordinator_sees_what_came_of_contact(Ground::shared().await).await;
}

async fn who_agreed_may_take_it_back(ground: Ground) {
    let programme = Programme::on(&ground).await;
    let Programme { office, mother, home, .. } = &programme;
    let _ = ask(mother, &["send", "吃饭了吗"]).await;
    let seen = home.run(&["who-sees"]).await.success().stdout;
    assert!(seen.contains("know you as GS-001") && seen.contains("was agreed to"), "{seen}");
    let _ = programme.once("GS-001", |one| one["counting"] == "counted").await;

    // Bao says so for himself, on the phone that he shares, and for nobody else.
    let anothers =
        home.run(&["withdraw", "counting", "--as", "Bao", "--of", "Lili", "--yes"]).await;
    assert!(failure(&anothers, 5).contains("a child says so for itself"));
    let _ = home.run(&["withdraw", "counting", "--as", "Bao", "--yes"]).await.success();
    let after = programme.once("GS-001", |one| one["counting"] == "not_counted").await;
    assert_eq!(after["days_since_two_way"], Value::Null);
    let phones = after["phones"].as_array().unwrap();
    assert!(phones.iter().all(|phone| phone["days_unused"] == Value::Null), "{after}");
    assert_eq!(ask(home, &["who-sees"]).await["counted"], false);
    let _ = ask(home, &["send", "--as", "Bao", "我还在写"]).await;
    assert_eq!(ask_all(mother, &["inbox"]).await.len(), 1, "letters go on");

    let withdrawn = ask(mother, &["withdraw", "taking-part", "--of", "Lili", "--yes"]).await;
    assert_eq!(withdrawn, json!({ "withdrawn": "taking-part", "of": [3], "queued": false }));
    let waits = ask(home, &["send", "--as", "Lili", "Mama?"]).await;
    assert_eq!(waits["queued"], true, "nothing moves any more");
    let _ = programme.once("GS-001", |one| one["counting"] == "not_active").await;
    let date =
        ask(&office.worker, &["ngo", "consent", "GS-001", "3", "--consent-on", "2026-11-01"]);
    assert_eq!(date.await["active"], false, "an older consent does not undo it");
}

#[tokio::test]
async fn who_agreed_may_take_it_back_in_one_file() {
    who_agreed_may_take_it_back(Ground::own()).await;
}

#[tokio::test]
async fn who_agreed_may_take_it_back_over_redis() {
    who_agreed_may_take_it_back(Ground::shared().await).await;
}

async fn a_suspended_member_is_given_nothing_and_writes_nothing(ground: Ground) {
    let programme = Programme::on(&ground).await;
    let Programme { office, mother, home, .. } = &programme;
    let worker = &office.worker;
    let answer = ["send", "--as", "Lili", "--to", "妈妈"];
    let from_home = async |text: &str| ask(home, &[&answer[..], &[text]].concat()).await;
    from_home("before").await;
    let plan = ["schedule", "add", "--every", "day", "--at", "19:30", "--to", "Lili", "a story"];
    let planned = ask(mother, &plan).await;

    let suspend = ["ngo", "suspend", "GS-001", "1", "--reason", "court-order"];
    let _ = worker.run(&suspend).await.success();
    let _ = worker.run(&suspend).await.success();
    from_home("meanwhile").await;
    let _ = ask(home, &["send", "--as", "外婆", "to all of us"]).await;

    // What was written before comes; nothing of what was written since, on whatever way it is asked for.
    let came = ask_all(mother, &["inbox"]).await;
    assert_eq!(crate::story::texts(&came), ["before"]);
    let refused = failure(&mother.run(&["send", "--to", "Lili", "still here"]).await, 4);
    assert!(refused.contains("not_allowed") || refused.contains("suspended"), "{refused}");
    for verb in [
        &["invite", "--for", "妈妈"][..],
        &["schedule", "add", "--every", "day", "--at", "19:30", "--to", "Lili", "another"],
        &["revoke", "2", "--yes"],
        &["plan", "set", "--every", "day", "--at", "19:30"],
    ] {
        assert_ne!(mother.run(verb).await.code, 0, "{verb:?}");
    }
    let told = home.run(&["inbox"]).await;
    assert!(told.stderr.contains("a court ordered it"), "{told:?}");
    let family = ask(home, &["family"]).await;
    assert_eq!(family["members"][0]["suspended"], true, "{family}");
    let schedules = ask_all(home, &["schedule", "list"]).await;
    assert_eq!(schedules[0]["state"], "paused", "{planned} {schedules:?}");
    let _ = programme.once("GS-001", |one| one["standing"] == "paused").await;

    // A second phone of the same member, which reads from the start, is given no more.
    let card = ask(home, &["invite", "--for", "妈妈"]).await;
    let second = office.join("second", card["link"].as_str().unwrap()).await;
    let came = ask_all(&second, &["inbox"]).await;
    assert_eq!(crate::story::texts(&came), ["before"]);

    let _ = worker.run(&["ngo", "unsuspend", "GS-001", "1"]).await.success();
    from_home("afterwards").await;
    let came = ask_all(mother, &["inbox"]).await;
    assert_eq!(crate::story::texts(&came), ["afterwards"], "and not what was written meanwhile");
    assert_eq!(crate::story::texts(&ask_all(&second, &["inbox"]).await), ["afterwards"]);
    let again = ask(mother, &["send", "--to", "Lili", "I am back"]).await;
    assert_eq!(again["queued"], false);
    assert_eq!(
        worker.run(&["ngo", "suspend", "GS-001", "3", "--reason", "own-wish"]).await.code,
        4
    );
    assert_eq!(
        worker.run(&["ngo", "suspend", "GS-001", "9", "--reason", "own-wish"]).await.code,
        4
    );
}

#[tokio::test]
async fn a_suspended_member_is_given_nothing_and_writes_nothing_from_one_file() {
    a_suspended_member_is_given_nothing_and_writes_nothing(Ground::own()).await;
}

#[tokio::test]
async fn a_suspended_member_is_given_nothing_and_writes_nothing_over_redis() {
    a_suspended_member_is_given_nothing_and_writes_nothing(Ground::shared().await).await;
}
