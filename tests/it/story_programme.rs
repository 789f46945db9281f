//! A programme that has lived for twelve weeks: what its staff are shown is what its families did, counted here by hand.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use jiashu_tests::binary::binary;
use jiashu_tests::redis::TestRedis;
use jiashu_tests::smtpd::decoded;
use jiashu_tests::{Cli, TestRelay, until};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::operator::run;
use crate::story::ask;

/// It takes a minute where nobody else is at work.
const MAKING: Duration = Duration::from_secs(330);

/// A phone that was not used for so long is idle.
const IDLE: SignedDuration = SignedDuration::from_hours(42 * 24);

/// A programme that the demo has made.
pub(crate) struct Made {
    folder: TempDir,
    account: Account,
}

impl Made {
    pub(crate) async fn with(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut demo = Command::new(binary("demo"));
        let out = folder.path().join("made");
        demo.args(["programme", "--once", "--listen", "127.0.0.1:0", "--out"]).arg(&out).args(args);
        let made = demo.stdin(Stdio::null()).kill_on_drop(true).output();
        let made = timeout(MAKING, made).await.expect("it is made").unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let account = std::fs::read(out.join("account.json")).unwrap();
        let account = Account(serde_json::from_slice(&account).unwrap());
        Self { folder, account }
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join("made").join(name)
    }

    /// A member of staff, who finds the relay where it is now.
    pub(crate) fn staff(&self, name: &str, relay: &TestRelay) -> Cli {
        let file = self.path(name).join("staff.json");
        let mut staff: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        staff["relay"] = format!("http://{}", relay.address()).into();
        std::fs::write(&file, staff.to_string()).unwrap();
        Cli::new(self.path(name))
    }
}

/// What the demo says that every family did.
struct Account(Value);

/// What a report says of a group, as far as it is counted here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    families: u64,
    children: u64,
    expected: u64,
    kept: u64,
    both_ways: u64,
    home: u64,
    away: u64,
    late: u64,
    shared_phones: u64,
    idle_phones: u64,
}

impl Counts {
    fn of_group(group: &Value) -> Self {
        let of = |name: &str| group[name].as_u64().unwrap_or_else(|| panic!("{name} in {group}"));
        Self {
            families: of("families"),
            children: of("children"),
            expected: of("expected"),
            kept: of("kept"),
            both_ways: of("both_ways"),
            home: of("home"),
            away: of("away"),
            late: of("late"),
            shared_phones: of("shared_phones"),
            idle_phones: of("idle_phones"),
        }
    }
}

fn at(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

fn monday(day: Date) -> Date {
    day - i64::from(day.weekday().to_monday_zero_offset()).days()
}

/// A family of the account, on the clock at home.
struct Family<'a> {
    account: &'a Value,
    zone: TimeZone,
}

/// A contact as it counts: which way, when, and whether it came late.
type Contact = (bool, Timestamp, bool);

impl Family<'_> {
    fn instant(&self, day: Date, hour: &str) -> Timestamp {
        let time = hour.parse().unwrap();
        self.zone.to_ambiguous_timestamp(day.to_datetime(time)).compatible().unwrap()
    }

    fn date(&self, instant: Timestamp) -> Date {
        self.zone.to_datetime(instant).date()
    }

    /// Late is what came when its week had closed: a week after its end. It counts when it came.
    fn contacts(&self, child: &Value) -> Vec<Contact> {
        let all = self.account["contacts"].as_array().unwrap().iter();
        let mut found: Vec<_> = all
            .filter(|one| one["child"] == *child)
            .map(|one| {
                let (heard, came) = (at(&one["heard_at"]), at(&one["came_at"]));
                let closes = self.instant(monday(self.date(heard)) + 14.days(), "00:00");
                let late = closes <= came;
                (one["way"] == "home", if late { came } else { heard }, late)
            })
            .collect();
        found.sort_unstable_by_key(|(_, at, _)| *at);
        found
    }

    /// The evenings that the family meant, outside of pauses, up to that day.
    fn evenings(&self, last: Date) -> Vec<(Date, Timestamp)> {
        let plan = &self.account["plan"];
        if plan.is_null() {
            return Vec::new();
        }
        let (days, hour, since) =
            (plan["days"].as_str().unwrap(), plan["at"].as_str().unwrap(), at(&plan["since"]));
        let meant = |day: &Date| {
            let word = day.strftime("%a").to_string().to_lowercase();
            days == "day" || days.split(',').any(|one| one == word)
        };
        let paused = |day: &Date| {
            self.account["pauses"].as_array().unwrap().iter().any(|pause| {
                let [first, last] = ["first", "last"]
                    .map(|key| pause[key].as_str().unwrap().parse::<Date>().unwrap());
                first <= *day && *day <= last
            })
        };
        let all = std::iter::successors(Some(self.date(since)), |day| day.tomorrow().ok());
        let all = all.take_while(|day| *day <= last).filter(meant).filter(|day| !paused(day));
        all.map(|day| (day, self.instant(day, hour))).filter(|(_, at)| since < *at).collect()
    }

    /// Which of the evenings were kept: each contact keeps one, the earliest that it may.
    fn kept(&self, evenings: &[(Date, Timestamp)], contacts: &[Contact]) -> Vec<bool> {
        let after = if self.account["plan"]["days"] == "day" { 12 } else { 48 };
        let mut kept = vec![false; evenings.len()];
        for (_, heard, _) in contacts {
            let may = |(_, evening): &(Date, Timestamp)| {
                *evening - SignedDuration::from_hours(24) <= *heard
                    && *heard <= *evening + SignedDuration::from_hours(after)
            };
            let place = (0..evenings.len()).find(|place| !kept[*place] && may(&evenings[*place]));
            if let Some(place) = place {
                kept[place] = true;
            }
        }
        kept
    }

    /// Adds what there was in the week that begins on that day.
    fn count(&self, week: Date, counts: &mut Counts) {
        if self.account["counted_since"].is_null() {
            return;
        }
        let within = |day: Date| week <= day && day < week + 7.days();
        let counted_since = at(&self.account["counted_since"]);
        if self.date(counted_since) >= week + 7.days() {
            return;
        }
        counts.families += 1;
        let ends = self.instant(week + 7.days(), "00:00");
        for phone in self.account["phones"].as_array().unwrap() {
            let used = phone["used"].as_array().unwrap().iter().map(at);
            let last = used.filter(|used| *used <= ends).max();
            // Before it was counted nobody looked.
            let since = last.unwrap_or(Timestamp::MIN).max(counted_since);
            let is_idle = ends.duration_since(since) >= IDLE;
            let shared = u64::from(phone["shared"] == true);
            counts.shared_phones += shared;
            counts.idle_phones += if is_idle { shared } else { 0 };
        }
        let evenings = self.evenings(week + 20.days());
        for child in self.account["children"].as_array().unwrap() {
            counts.children += 1;
            let contacts = self.contacts(child);
            let one_way = |home: bool| -> Vec<Contact> {
                contacts.iter().copied().filter(|(way, ..)| *way == home).collect()
            };
            let kept = self.kept(&evenings, &contacts);
            let (home, away) =
                (self.kept(&evenings, &one_way(true)), self.kept(&evenings, &one_way(false)));
            for (place, _) in evenings.iter().enumerate().filter(|(_, (day, _))| within(*day)) {
                counts.expected += 1;
                counts.kept += u64::from(kept[place]);
                counts.both_ways += u64::from(home[place] && away[place]);
            }
            for (home, when, late) in contacts {
                if within(self.date(when)) {
                    let way = if home { &mut counts.home } else { &mut counts.away };
                    *way += 1;
                    counts.late += u64::from(late);
                }
            }
        }
    }
}

impl Account {
    fn families(&self) -> impl Iterator<Item = Family<'_>> {
        self.0["families"].as_array().unwrap().iter().map(|account| {
            let zone = TimeZone::get(account["zone"].as_str().unwrap()).unwrap();
            Family { account, zone }
        })
    }

    /// The Mondays of the weeks that have closed everywhere.
    fn closed_weeks(&self) -> Vec<Date> {
        let until = TimeZone::UTC.to_datetime(at(&self.0["until"])).date();
        let first = monday(until) - 12.weeks();
        let weeks = std::iter::successors(Some(first), |week| Some(*week + 7.days()));
        // A day more, for clocks behind Greenwich.
        weeks.take_while(|week| *week + 15.days() <= until).collect()
    }

    /// By site, with families that are counted.
    fn counts(&self, week: Date) -> BTreeMap<String, Counts> {
        let mut by_site: BTreeMap<String, Counts> = BTreeMap::new();
        for family in self.families() {
            let site = family.account["site"].as_str().unwrap().to_owned();
            family.count(week, by_site.entry(site).or_default());
        }
        by_site
    }
}

/// Every closed week, site by site, is what was counted by hand. How many contacts were late.
async fn figures_agree(made: &Made, coordinator: &Cli) -> u64 {
    let weeks = made.account.closed_weeks();
    assert!(weeks.len() >= 10, "{weeks:?}");
    let mut late = 0;
    for week in weeks {
        let iso = week.iso_week_date();
        let name = format!("{}W{}", iso.year(), iso.week());
        let report = ask(coordinator, &["ngo", "report", "--week", &name, "--by", "site"]).await;
        assert_eq!((&report["closed"], &report["suppressed_below"]), (&json!(true), &Value::Null));
        let groups = report["groups"].as_array().unwrap().iter();
        let told: BTreeMap<_, _> = groups
            .map(|group| (group["name"].as_str().unwrap().to_owned(), Counts::of_group(group)))
            .collect();
        let counted = made.account.counts(week);
        assert_eq!(told, counted, "{name}");
        assert!(counted.values().all(|counts| counts.expected > 0 && counts.kept > 0), "{name}");
        late += counted.values().map(|counts| counts.late).sum::<u64>();
    }
    late
}

/// How the families of a site stand, in the order of their numbers; of those that roll dice nothing is said.
const STANDINGS: [(usize, &str); 15] = [
    (1, "on_track"),
    (2, "on_track"),
    (3, "watch"),
    (4, "at_risk"),
    (5, "silent"),
    (6, "dormant"),
    (7, "paused"),
    (8, "new"),
    (9, "not_active"),
    (11, "silent"),
    (12, "on_track"),
    (13, "on_track"),
    (15, "at_risk"),
    (18, "dormant"),
    (20, "on_track"),
];

async fn staff_see_how_all_stand(made: &Made, relay: &TestRelay) {
    let coordinator = made.staff("coordinator", relay);
    let list = until("all families to be listed", async || {
        let list = ask(&coordinator, &["ngo", "worklist"]).await;
        (list["total"] == 60).then_some(list)
    })
    .await;
    let families = list["families"].as_array().unwrap();
    let find = |case: &str| families.iter().find(|family| family["case_code"] == case).unwrap();
    for prefix in ["TS", "SO", "RE"] {
        for (number, standing) in STANDINGS {
            let family = find(&format!("{prefix}-{number:03}"));
            assert_eq!(family["standing"], standing, "{family}");
        }
        let case = |number: usize| find(&format!("{prefix}-{number:03}"));
        assert_eq!(case(9)["counting"], "not_active");
        assert_eq!(case(10)["counting"], "not_counted");
        let siblings = &case(11)["children"];
        assert_eq!(
            (&siblings[0]["standing"], &siblings[0]["band"]),
            (&json!("on_track"), &json!("daily"))
        );
        assert_eq!(siblings[1]["standing"], "silent", "her sister is called every day");
        let home =
            case(6)["phones"].as_array().unwrap().iter().find(|phone| phone["shared"] == true);
        assert_eq!(home.unwrap()["use"], "idle");
        let idle: Vec<_> =
            case(19)["phones"].as_array().unwrap().iter().map(|phone| &phone["use"]).collect();
        assert_eq!(idle, ["used", "idle", "used"], "of mother, grandmother and child");
        assert_eq!(case(13)["children"].as_array().unwrap().len(), 3);
    }
    let own = ask(&made.staff("soroca", relay), &["ngo", "worklist"]).await;
    assert_eq!(own["total"], 20, "a caseworker's own site");
    let whole = list.to_string();
    for canary in ["Lili", "Ion", "Anna", "妈妈"] {
        assert!(!whole.contains(canary), "{canary} is seen");
    }
}

/// What each Monday's e-mail says of the week that closed last is what the report says, to the last digit.
async fn digests_agree(made: &Made, coordinator: &Cli) {
    let mails: Vec<String> = std::fs::read_dir(made.path("mail"))
        .unwrap()
        .map(|mail| decoded(&std::fs::read(mail.unwrap().path()).unwrap()))
        .collect();
    let to = |who: &str| {
        let to = format!("To: {who}@ngo.example\n");
        mails.iter().filter(|mail| mail.contains(&to)).collect::<Vec<_>>()
    };
    for who in ["coordinator", "auditor", "tianshui", "soroca", "rezekne"] {
        assert!((12..=13).contains(&to(who).len()), "{who}: {} Mondays", to(who).len());
    }
    for mail in &mails {
        let codes = ["TS-0", "SO-0", "RE-0"];
        assert!(!codes.iter().any(|code| mail.contains(code)), "no case is named: {mail}");
    }
    let mut compared = 0;
    for mail in to("coordinator") {
        let text = mail.as_str();
        let (heading, rest) = text.split_once(", closed\n").unwrap();
        let (week, year) = heading.rsplit_once("Week ").unwrap().1.split_once('/').unwrap();
        let closed = rest.split("\nWeek ").next().unwrap();
        let week = format!("{year}W{week}");
        let report = ask(coordinator, &["ngo", "report", "--week", &week, "--by", "site"]).await;
        let groups = report["groups"].as_array().unwrap();
        for group in groups.iter().chain([&report["total"]]) {
            let name = group["name"].as_str().unwrap_or("All together");
            let Some((_, lines)) = closed.split_once(&format!("\n{name}\n")) else { continue };
            let kept =
                lines.lines().find_map(|line| line.strip_prefix("  Planned contacts kept: "));
            let kept = kept.unwrap();
            if !kept.contains('%') {
                continue;
            }
            let (kept_of, expected) = (&group["kept"], &group["expected"]);
            let adherence = group["adherence"].as_f64().unwrap();
            assert_eq!(kept, format!("{adherence:.1} % ({kept_of}/{expected})"), "{week} {name}");
            compared += 1;
        }
    }
    assert!(compared >= 30, "only {compared} figures of e-mails were compared");
}

#[tokio::test]
async fn a_programme_of_twelve_weeks_is_shown_as_it_was_from_either_store() {
    let made = Made::with(&[]).await;
    let mut relay = TestRelay::on(&made.path("relay"), &[]).await;
    let coordinator = made.staff("coordinator", &relay);

    staff_see_how_all_stand(&made, &relay).await;
    let late = figures_agree(&made, &coordinator).await;
    digests_agree(&made, &coordinator).await;
    let audited = run(&made.path("relay"), &["audit", "verify"], &[]).await;
    relay.term().await;

    assert_eq!(
        late, 6,
        "two letters to each site's family in the hills came two weeks after they were heard"
    );
    assert!(audited.0, "{}", audited.1);

    let redis = TestRedis::start().await;
    let (from, to) = (text(&made.path("relay")), redis.url());
    let moved = run(&made.path("elsewhere"), &["move", "--from", &from, "--to", &to], &[]).await;
    assert!(moved.0, "{}", moved.1);
    let relay = TestRelay::on(&made.path("elsewhere"), &redis.settings()).await;
    staff_see_how_all_stand(&made, &relay).await;
    figures_agree(&made, &made.staff("coordinator", &relay)).await;
}

#[tokio::test]
async fn weeks_in_which_europe_changes_its_clocks_are_counted_as_they_were() {
    // Sunday, 26 October 2025: an hour more there, and none more in China.
    let made =
        Made::with(&["--families", "2", "--until", "2025-11-17T09:00:00Z", "--seed", "7"]).await;
    let relay = TestRelay::on(&made.path("relay"), &[]).await;

    figures_agree(&made, &made.staff("coordinator", &relay)).await;
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
