//! Figures leave as files and for DHIS2: nobody is named in them, nobody singled out, and who may not have them is told
//! no more than that.

use std::path::Path;

use jiashu_tests::dhis2::{Key, TestDhis2};
use jiashu_tests::ground::Ground;
use jiashu_tests::{Cli, until};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::story::{Office, ask, ask_all, failure, mode, text};

const COLUMNS: &str = "case_code,member,role,name,time_zone,language,device,shared_device,\
                       consent_on,assent_on,born_on,counting_on,counting_assent_on,site,plan";

/// Stands in every name and letter.
const CANARY: &str = "Zimtkanarie";

/// Families at the site that DHIS2 knows: enough to be seen, until three are counted no more.
const TIANSHUI: usize = 12;

/// At the one that it does not.
const SOROCA: usize = 11;

fn family(case: &str, site: &str) -> String {
    format!(
        "{case},1,parent,{CANARY} Mama,Europe/Rome,it,mother,,2026-11-01,,,2026-11-01,,{site},\n\
         {case},2,child,{CANARY} Kid {case},Asia/Shanghai,zh,home,,2026-11-01,2026-11-01,2017-03-04,\
         2026-11-01,2026-11-02,{site},day 19:30\n"
    )
}

struct Programme {
    office: Office,
    mothers: Vec<Cli>,
    /// The week that it is in Gansu.
    week: String,
    _folder: TempDir,
}

impl Programme {
    async fn on(ground: &Ground) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let office = Office::on(ground.relay(&folder, &[]).await).await;
        let add = ["ngo", "site", "add"];
        let tianshui =
            ["tianshui", "--name", "=天水", "--tz", "Asia/Shanghai", "--org-unit", "OU_T"];
        let _ = office.worker.run(&[&add[..], &tianshui].concat()).await.success();
        let soroca = ["soroca", "--name", "Soroca", "--tz", "Asia/Shanghai"];
        let _ = office.worker.run(&[&add[..], &soroca].concat()).await.success();
        let rows = (0..TIANSHUI).map(|number| family(&format!("GS-{number:03}"), "tianshui"));
        let more = (0..SOROCA).map(|number| family(&format!("MD-{number:03}"), "soroca"));
        let list = office.path("families.csv");
        std::fs::write(&list, format!("{COLUMNS}\n{}", rows.chain(more).collect::<String>()))
            .unwrap();
        let _ = office.try_enrol(list.to_str().unwrap(), &[]).await.success();
        let cards = office.cards();
        let mama = format!("{CANARY} Mama");
        let mut mothers = Vec::new();
        for number in 0..3 {
            let case = format!("GS-{number:03}");
            mothers.push(office.join(&case, &cards.link(&case, &mama)).await);
        }
        let now = jiff::Timestamp::from_millisecond(office.relay.raw().now().await).unwrap();
        let date = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap().to_datetime(now).date();
        let iso = date.iso_week_date();
        let week = format!("{}W{}", iso.year(), iso.week());
        Self { office, mothers, week, _folder: folder }
    }

    /// Once so many families are in the week's figures.
    async fn counts(&self, families: usize) {
        until("the families to be counted", async || {
            let report = ask(&self.office.worker, &["ngo", "report", "--week", &self.week]).await;
            (report["total"]["families"] == families).then_some(())
        })
        .await;
    }

    /// A mother and her child hear each other.
    async fn contact(&self) {
        let kid = format!("{CANARY} Kid GS-000");
        let home = self.office.join("home", &self.office.cards().link("GS-000", &kid)).await;
        let _ = ask(&self.mothers[0], &["send", &format!("{CANARY}?")]).await;
        let _ = ask_all(&home, &["inbox", "--open"]).await;
        let _ = ask(&home, &["send", &format!("{CANARY}!")]).await;
        let _ = ask_all(&self.mothers[0], &["inbox", "--open"]).await;
        until("what was heard to be reported", async || {
            let report = ask(&self.office.worker, &["ngo", "report", "--week", &self.week]).await;
            let total = &report["total"];
            ((&total["home"], &total["away"]) == (&json!(1), &json!(1))).then_some(())
        })
        .await;
    }

    /// Saves a file of this week; its lines as cells.
    async fn export(&self, by: &Cli, file: &str, more: &[&str]) -> Vec<Vec<String>> {
        let out = self.office.path("exports");
        let args = ["ngo", "export", file, "--week", &self.week, "--out"];
        let told = ask(by, &[&args[..], &[&text(&out)], more].concat()).await;
        let name = file.replace('-', "_");
        let book = cells(&out.join(format!("{name}.codebook.csv")));
        let lines = cells(&out.join(format!("{name}.csv")));
        assert_eq!(mode(&out.join(format!("{name}.csv"))), 0o600);
        assert_eq!(told["rows"], lines.len() - 1);
        let columns: Vec<_> = book[1..].iter().map(|line| line[0].clone()).collect();
        assert_eq!(lines[0], columns, "the codebook is of this file");
        lines
    }
}

/// The cells of a file of which none holds a comma but in quotes at its end.
fn cells(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.strip_suffix("\r\n").unwrap().split("\r\n");
    lines.map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// What stands in a column of that name.
fn column<'a>(lines: &'a [Vec<String>], name: &str) -> Vec<&'a str> {
    let place = lines[0].iter().position(|column| column == name).unwrap();
    lines[1..].iter().map(|line| line[place].as_str()).collect()
}

async fn figures_leave_and_nobody_is_named(ground: Ground) {
    let programme = Programme::on(&ground).await;
    let coordinator = &programme.office.worker;
    programme.counts(TIANSHUI + SOROCA).await;
    programme.contact().await;

    let weeks = programme.export(coordinator, "family-week", &[]).await;
    let events = programme.export(coordinator, "contact-events", &[]).await;
    let sites = programme.export(coordinator, "site-period", &["--provisional"]).await;

    assert_eq!(weeks.len() - 1, TIANSHUI + SOROCA);
    let families = column(&weeks, "family");
    let heard = column(&weeks, "home").iter().position(|home| *home == "1").unwrap();
    assert_eq!(column(&weeks, "away")[heard], "1");
    assert_eq!(column(&events, "family"), [families[heard]; 2], "the same in every file");
    assert_eq!(
        (column(&events, "way"), column(&events, "kind")),
        (vec!["home", "away"], vec!["text"; 2])
    );
    assert_eq!(column(&events, "week"), [programme.week.as_str(); 2]);
    assert_eq!(column(&sites, "site"), ["soroca", "tianshui"]);
    assert_eq!(column(&sites, "children"), ["11", "12"]);
    assert_eq!(column(&sites, "home"), ["0", "1"]);
    assert_eq!(column(&sites, "closed"), ["no", "no"]);
    let closed = programme.export(coordinator, "site-period", &[]).await;
    assert_eq!(closed.len(), 1, "nothing has closed");
    for lines in [&weeks, &events, &sites] {
        let all = lines.concat().join(" ");
        for canary in [CANARY, "Mama", "Kid", "GS-0", "MD-0", "2017-", "天水"] {
            assert!(!all.contains(canary), "{canary} leaves: {all}");
        }
    }
    let book = ask(coordinator, &["ngo", "codebook", "dhis2"]).await;
    assert_eq!(book["columns"][0]["column"], "JIASHU_FAMILIES");
    let shown = coordinator.run(&["ngo", "codebook", "family-week"]).await.success().stdout;
    assert!(shown.contains("longest_gap") && shown.contains("hours"), "{shown}");
}

#[tokio::test]
async fn figures_leave_and_nobody_is_named_from_one_file() {
    figures_leave_and_nobody_is_named(Ground::own()).await;
}

#[tokio::test]
async fn figures_leave_and_nobody_is_named_over_redis() {
    figures_leave_and_nobody_is_named(Ground::shared().await).await;
}

const LOGIN: &str = "jiashu:a pass:word";

/// Sends the week, in that form; DHIS2's count.
async fn send(programme: &Programme, dhis2: &TestDhis2, more: &[&str]) -> Value {
    let login = programme.office.path("login");
    std::fs::write(&login, format!("{LOGIN}\n")).unwrap();
    let login = text(&login);
    let args = ["ngo", "dhis2", "--period", &programme.week, "--provisional"];
    let there = ["--send", &dhis2.url, "--login-file", &login];
    ask(&programme.office.worker, &[&args[..], &there, more].concat()).await["importCount"].clone()
}

async fn dhis2_is_told_what_may_be_seen_and_what_may_not_any_more(ground: Ground) {
    let programme = Programme::on(&ground).await;
    let Programme { office, mothers, week, .. } = &programme;
    programme.counts(TIANSHUI + SOROCA).await;
    let dhis2 = TestDhis2::start(LOGIN, &["OU_T"]).await;
    let of = |element: &str| (format!("JIASHU_{element}"), week.clone(), "OU_T".to_owned());

    let dry = ["ngo", "dhis2", "--period", week, "--provisional", "--dry-run"];
    let preview = ask(&office.worker, &dry).await;
    assert_eq!((&preview["values"], &preview["deletions"]), (&json!(24), &json!(0)));
    assert_eq!(preview["left_out"][0]["site"], "soroca");
    let shown = office.worker.run(&dry).await.success();
    assert!(
        shown.stderr.contains("Left out: site soroca: it has no organisation unit"),
        "{shown:?}"
    );
    let checked = send(&programme, &dhis2, &["--dry-run"]).await;
    assert_eq!((&checked["imported"], dhis2.values().len()), (&json!(24), 0), "nothing is stored");

    let sent = send(&programme, &dhis2, &[]).await;
    let values = dhis2.values();
    assert_eq!(sent, json!({ "imported": 24, "updated": 0, "ignored": 0, "deleted": 0 }));
    assert_eq!((&*values[&of("CHILDREN")], &*values[&of("STANDING_NEW")]), ("12", "12"));
    let again = send(&programme, &dhis2, &["--format", "csv"]).await;
    assert_eq!((&again["updated"], &again["imported"]), (&json!(24), &json!(0)));
    assert_eq!(dhis2.values(), values, "the same in either form, and as often as one likes");

    let file = office.path("set.json");
    let path = text(&file);
    let to_file = ["--prefix", "OTHER_", "--out", &path];
    let write = ["ngo", "dhis2", "--period", week, "--provisional"];
    let _ = office.worker.run(&[&write[..], &to_file].concat()).await.success();
    let set: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!((set["dataValues"].as_array().unwrap().len(), mode(&file)), (24, 0o600));
    assert_eq!(set["dataValues"][0]["dataElement"], "OTHER_AWAY");
    let printed = office.worker.run(&[&write[..], &["--format", "csv"]].concat()).await.success();
    let first = format!("JIASHU_AWAY,{week},OU_T,,,0,,,,,false");
    assert_eq!(printed.stdout.lines().nth(1), Some(&*first));

    // Three take counting back: nine are too few to be seen.
    for (number, mother) in mothers.iter().enumerate() {
        let kid = format!("{CANARY} Kid GS-{number:03}");
        let withdraw = ["withdraw", "counting", "--of", &kid, "--yes"];
        let _ = mother.run(&withdraw).await.success();
    }
    programme.counts(TIANSHUI + SOROCA - 3).await;
    let deleted = send(&programme, &dhis2, &[]).await;
    let left = dhis2.values();
    assert_eq!(deleted, json!({ "imported": 0, "updated": 11, "ignored": 0, "deleted": 13 }));
    // That nobody at all is silent is no secret.
    let is_known = |key: &Key| key.0.contains("_STANDING_") || key.0.contains("_BAND_");
    assert!(left.iter().all(|(key, value)| is_known(key) && value == "0"), "{left:?}");
    let again = send(&programme, &dhis2, &["--format", "csv"]).await;
    assert_eq!((&again["deleted"], &again["ignored"]), (&json!(0), &json!(13)));
    assert_eq!(dhis2.values(), left);
    assert!(dhis2.asked().iter().all(|path| path.contains("idScheme=CODE")), "{:?}", dhis2.asked());
}

#[tokio::test]
async fn dhis2_is_told_what_may_be_seen_and_what_may_not_any_more_from_one_file() {
    dhis2_is_told_what_may_be_seen_and_what_may_not_any_more(Ground::own()).await;
}

#[tokio::test]
async fn dhis2_is_told_what_may_be_seen_and_what_may_not_any_more_over_redis() {
    dhis2_is_told_what_may_be_seen_and_what_may_not_any_more(Ground::shared().await).await;
}

#[tokio::test]
async fn a_dhis2_that_says_no_is_understood() {
    let programme = Programme::on(&Ground::own()).await;
    let Programme { office, week, .. } = &programme;
    programme.counts(TIANSHUI + SOROCA).await;
    let args = ["ngo", "dhis2", "--period", week, "--provisional"];
    let file = text(&office.path("login"));
    let with = async |login: &str, url: &str| {
        std::fs::write(&file, login).unwrap();
        let there = ["--send", url, "--login-file", &file];
        office.worker.run(&[&args[..], &there].concat()).await
    };
    let told =
        |output: &jiashu_tests::cli::Output| output.stderr.lines().last().unwrap().to_owned();

    let dhis2 = TestDhis2::start(LOGIN, &["OU_ELSE"]).await;
    let conflict = with(LOGIN, &dhis2.url).await;
    assert_eq!(conflict.code, 4, "{conflict:?}");
    assert!(conflict.stderr.contains("OU_T: not found"), "{conflict:?}");
    let mut command = office.worker.command(&[&args[..], &["--send", &dhis2.url]].concat());
    let by_variable = command.env("JIASHU_DHIS2_LOGIN", LOGIN).output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&by_variable.stderr), conflict.stderr, "the same login");
    let unknown = with("jiashu:wrong", &dhis2.url).await;
    assert!(
        unknown.code == 4 && told(&unknown).contains("does not know this login"),
        "{unknown:?}"
    );
    assert!(!unknown.stderr.contains("wrong:") && !unknown.stderr.contains("jiashu:wrong"));
    let nowhere = with(LOGIN, dhis2.url.trim_end_matches("/dhis")).await;
    assert!(nowhere.code == 5 && told(&nowhere).contains("has no /api there"), "{nowhere:?}");
    let clear = with(LOGIN, "http://dhis2.example.org").await;
    assert!(clear.code == 5 && told(&clear).contains("use https"), "{clear:?}");
    let url = dhis2.url.clone();
    drop(dhis2);
    let gone = with(LOGIN, &url).await;
    assert!(gone.code == 3 && told(&gone).contains("cannot reach DHIS2"), "{gone:?}");
    let missing = office.worker.run(&[&args[..], &["--send", &url]].concat()).await;
    assert!(failure(&missing, 5).contains("JIASHU_DHIS2_LOGIN"));
}

#[tokio::test]
async fn whoever_may_not_have_a_file_is_told_no_more_than_that() {
    let programme = Programme::on(&Ground::own()).await;
    let Programme { office, week, .. } = &programme;
    programme.counts(TIANSHUI + SOROCA).await;
    let auditor = come_in(office, "auditor", &[]).await;
    let caseworker = come_in(office, "caseworker", &["--site", "tianshui"]).await;
    let left = come_in(office, "coordinator", &[]).await;
    let _ = office.worker.run(&["ngo", "staff", "remove", "4"]).await.success();
    let link = office.relay.raw().post_to("/programmes").await;
    let other = office.phone("other");
    let link = String::from_utf8(link.body).unwrap();
    let _ = other.run(&["ngo", "setup", link.trim()]).await.success();
    let out = text(&office.path("out"));
    let export = |file| ["ngo", "export", file, "--week", week, "--out", &out];
    let rows = [&export("family-week")[..], &export("contact-events")];
    let dhis2 = ["ngo", "dhis2", "--period", week, "--provisional"];
    let dry = [&dhis2[..], &["--dry-run"]].concat();
    let sums = [&export("site-period")[..], &dhis2, &dry];

    let mut refusals = Vec::new();
    for command in rows {
        refusals.push(failure(&auditor.run(command).await, 4));
    }
    for command in rows.iter().chain(&sums) {
        refusals.push(failure(&caseworker.run(command).await, 4));
        let out = failure(&left.run(command).await, 4);
        assert!(out.contains("this is no member of staff"), "{command:?}: {out}");
    }
    refusals.dedup();
    assert_eq!(refusals, ["the relay refused: this is not yours to do: ask a coordinator"]);
    for command in sums {
        let _ = auditor.run(command).await.success();
    }
    assert!(!office.path("out/family_week.csv").exists(), "nothing is left of what was refused");

    // Another programme's coordinator has files of nobody; nobody has none.
    for file in ["family-week", "contact-events", "site-period"] {
        assert_eq!(ask(&other, &export(file)).await["rows"], 0, "{file}");
        for path in
            [file, "dhis2", "codebook/family-week"].map(|file| format!("/api/v1/exports/{file}"))
        {
            let nobody = office.relay.raw().get(&path).await;
            assert_eq!(nobody.status, 401, "{path}");
            assert!(String::from_utf8_lossy(&nobody.body).contains("this is no member of staff"));
        }
    }
    let log = ask_all(&auditor, &["ngo", "audit"]).await;
    let exports: Vec<_> = log
        .iter()
        .filter(|entry| entry["action"] == "export")
        .map(|entry| {
            (
                entry["staff"].as_u64().unwrap(),
                entry["subject"].as_str().unwrap(),
                entry["allowed"] == true,
            )
        })
        .collect();
    for file in ["family-week", "contact-events"] {
        assert!(
            exports.contains(&(2, file, false)) && exports.contains(&(3, file, false)),
            "{exports:?}"
        );
    }
    assert!(exports.contains(&(2, "site-period", true)) && exports.contains(&(2, "dhis2", true)));
    assert!(exports.contains(&(3, "dhis2-preview", false)), "{exports:?}");
    assert!(
        log.iter()
            .filter(|entry| entry["action"] == "export")
            .all(|entry| entry["detail"] == *week)
    );

    for (bad, code) in [
        (["--week", "2026W54"], 4),
        (["--week", "2026 W48"], 2),
        (["--month", "2026-13"], 4),
        (["--from", "2026W40"], 2),
    ] {
        let args = [&["ngo", "export", "site-period", "--out", &out][..], &bad].concat();
        assert_eq!(office.worker.run(&args).await.code, code, "{bad:?}");
    }
    let mixed =
        ["ngo", "export", "site-period", "--from", "2026W40", "--until", "2026-11", "--out", &out];
    assert!(failure(&office.worker.run(&mixed).await, 4).contains("both weeks or both months"));
}

/// Somebody new among the staff.
async fn come_in(office: &Office, role: &str, more: &[&str]) -> Cli {
    let add = ["ngo", "staff", "add", "--role", role, "--name", role];
    let added = ask(&office.worker, &[&add, more].concat()).await;
    let new = office.phone(role);
    let _ = new.run(&["ngo", "setup", added["link"].as_str().unwrap()]).await.success();
    new
}
