//! One family: how it stands, its weeks, its plan, and what staff may do for it.

use askama::Template;
use jiashu_api::family::{self as api, Case, Funnel, Rule, Steps};
use jiashu_api::staff::Member as Colleague;

use super::chart::{self, Heat};
use super::families::{PhoneWords, Row, Sites, path, phone_words, row};
use super::frame::Frame;
use super::table::Table;
use super::words::{self, Words};
use super::{moment, rendered};
use crate::wording::filled;

/// The days of RFC 5545, Monday first.
const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// The same as a form sends them.
const SENT_DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Reasons of a pause, as the API names them.
const REASONS: [&str; 4] = ["parent-home", "joined-parent", "exams", "phone-broken"];

#[derive(Template)]
#[template(path = "staff/case.html")]
struct Page<'a> {
    frame: Frame,
    words: &'static words::Case,
    list: &'static words::Families,
    path: String,
    row: Row,
    as_of: String,
    worker: String,
    children: Vec<Child>,
    tasks: Vec<Task>,
    heat: String,
    weeks: Table,
    plan: Vec<String>,
    proposed: Option<Vec<String>>,
    /// What became of its letters, each way.
    funnels: Vec<(String, String)>,
    funnel: Option<Table>,
    visits: Vec<String>,
    pauses: Vec<Pause>,
    reasons: Vec<(&'static str, &'static str)>,
    members: Vec<Member>,
    phones: Vec<PhoneWords>,
    /// Whom the family can be given to; nobody, where that is not theirs to do.
    colleagues: Vec<(u32, String)>,
    today: &'a str,
}

impl Page<'_> {
    /// Whether somebody is to be rung, which a call that is noted sees to. A call for help is seen to by itself.
    fn has_missed(&self) -> bool {
        self.tasks.iter().any(|task| task.kind == "missed")
    }

    /// Days of the week, as they are sent, and the word of each.
    fn days(&self) -> impl Iterator<Item = (&'static str, &'static String)> {
        SENT_DAYS.into_iter().zip(&self.frame.words.weekdays)
    }
}

struct Child {
    name: String,
    standing: String,
    stands: String,
    band: String,
    home: String,
    away: String,
    missed: u32,
}

struct Task {
    kind: String,
    member: u32,
    says: String,
    since: String,
}

struct Pause {
    days: String,
    reason: String,
    withdrawn: bool,
}

struct Member {
    name: String,
    zone: String,
    language: String,
    takes_part: String,
    counted: String,
    suspended: Option<String>,
}

/// What else is known on the page.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The sites by name.
    pub sites: &'a Sites,
    /// The staff, where whoever looks may know of them.
    pub staff: &'a [Colleague],
    /// When it is, as the API writes it.
    pub now: &'a str,
}

impl Around<'_> {
    /// A day that has begun everywhere, `YYYY-MM-DD`.
    fn today(&self) -> &str {
        self.now.get(..10).unwrap_or_default()
    }
}

/// The page.
#[must_use]
pub fn page(frame: Frame, case: &Case, around: &Around<'_>) -> String {
    let all = frame.words;
    let words = &all.case;
    let stands = &case.stands;
    let row = row(all, stands, around.sites);
    let colleague = |one: &Colleague| (one.number, called(all, one));
    let is_shown_families =
        |one: &&Colleague| one.role != "auditor" && one.status == jiashu_api::staff::Status::Active;
    let worker = case.worker.map_or_else(
        || words.site_team.clone(),
        |number| {
            let known = around.staff.iter().find(|one| one.number == number);
            known.map_or_else(|| number.to_string(), |one| called(all, one))
        },
    );
    let page = Page {
        words,
        list: &all.families,
        path: path(&stands.case_code),
        as_of: filled(&all.frame.as_of, &[("time", &moment::instant(all, around.now))]),
        worker,
        children: stands.children.iter().map(|one| child(all, one)).collect(),
        tasks: stands.tasks.iter().map(|one| task(all, one)).collect(),
        heat: heat(all, case),
        weeks: weeks(all, case),
        plan: case.plan.iter().map(|rule| spoken(all, rule)).collect(),
        proposed: case
            .proposed
            .as_ref()
            .map(|rules| rules.iter().map(|rule| spoken(all, rule)).collect()),
        funnels: case.funnel.map(|funnel| funnels(all, funnel)).unwrap_or_default(),
        funnel: case.funnel.map(|funnel| funnel_table(all, funnel)),
        visits: case.visits.iter().map(|one| visit(all, one, around.staff)).collect(),
        pauses: case.pauses.iter().rev().map(|one| pause(all, one)).collect(),
        reasons: REASONS.iter().map(|code| (*code, words::name(&all.codes.pause, code))).collect(),
        members: case.members.iter().map(|one| member(all, one)).collect(),
        phones: stands.phones.iter().map(|phone| phone_words(all, phone)).collect(),
        colleagues: around.staff.iter().filter(is_shown_families).map(colleague).collect(),
        today: around.today(),
        row,
        frame,
    };
    rendered(&page)
}

/// What somebody is called: their name, else what they are and their number.
#[must_use]
pub fn called(all: &Words, colleague: &Colleague) -> String {
    if colleague.name.is_empty() {
        format!("{} {}", words::name(&all.codes.role, &colleague.role), colleague.number)
    } else {
        colleague.name.clone()
    }
}

fn named(all: &Words, number: u32) -> String {
    filled(&all.case.child, &[("number", &number.to_string())])
}

fn child(all: &'static Words, child: &jiashu_api::worklist::Child) -> Child {
    let days = |days| super::families::days_ago(&all.families, days);
    Child {
        name: named(all, child.member),
        standing: child.standing.replace('_', "-"),
        stands: words::name(&all.codes.standing, &child.standing).to_owned(),
        band: words::name(&all.codes.band, &child.band).to_owned(),
        home: days(child.days_since_home),
        away: days(child.days_since_away),
        missed: child.missed_in_a_row,
    }
}

fn task(all: &Words, task: &jiashu_api::task::Task) -> Task {
    Task {
        says: filled(
            &all.case.task_of,
            &[
                ("number", &task.member.to_string()),
                ("what", words::name(&all.codes.task, &task.kind)),
            ],
        ),
        since: filled(&all.case.since, &[("day", &moment::day(all, &task.since))]),
        kind: task.kind.clone(),
        member: task.member,
    }
}

/// A plan as people say it: the days, the hour, and on whose clock.
#[must_use]
pub fn spoken(all: &Words, rule: &Rule) -> String {
    let hour = moment::time(&rule.start);
    let when = match rule.rrule.as_deref() {
        None => moment::day(all, &rule.start),
        Some(rrule) => days_of(all, rrule).unwrap_or_else(|| rrule.to_owned()),
    };
    match &rule.zone {
        Some(zone) => format!("{when}, {hour} ({})", moment::place(zone)),
        None => format!("{when}, {hour}"),
    }
}

/// The days of a rule that says no more than that.
fn days_of(all: &Words, rrule: &str) -> Option<String> {
    let mut parts = rrule.split(';');
    let days = match (parts.next()?, parts.next(), parts.next()) {
        ("FREQ=DAILY", None, None) => return Some(all.case.every_day.clone()),
        ("FREQ=WEEKLY", Some(days), None) => days.strip_prefix("BYDAY=")?,
        _ => return None,
    };
    let word = |day: &str| {
        let place = DAYS.iter().position(|known| *known == day)?;
        all.weekdays.get(place).map(String::as_str)
    };
    Some(days.split(',').map(word).collect::<Option<Vec<_>>>()?.join(", "))
}

fn pause(all: &Words, pause: &api::Paused) -> Pause {
    let day = |text: &String| moment::day(all, text);
    Pause {
        days: format!("{} – {}", day(&pause.first), day(&pause.last)),
        reason: words::name(&all.codes.pause, &pause.reason).to_owned(),
        withdrawn: pause.withdrawn,
    }
}

fn visit(all: &Words, visit: &api::Visited, staff: &[Colleague]) -> String {
    let how = if visit.how == "call" { &all.case.called } else { &all.case.visited };
    let who = staff.iter().find(|one| one.number == visit.staff);
    let who = who.map(|one| format!(" ({})", called(all, one))).unwrap_or_default();
    format!("{}: {how}{who}", moment::day(all, &visit.on))
}

/// The steps of a letter, by the way it goes.
fn steps(all: &Words, funnel: Funnel) -> [(&str, Vec<(&str, u32)>); 2] {
    let words = &all.case;
    let of = |steps: Steps| {
        let mut all: Vec<(&str, u32)> = vec![
            (&words.sent, steps.sent),
            (&words.reached, steps.reached),
            (&words.heard, steps.heard),
        ];
        all.extend(steps.answered.map(|count| (words.answered.as_str(), count)));
        all
    };
    [(&words.to_child, of(funnel.home)), (&words.to_parent, of(funnel.away))]
}

/// The way of each, and how it is drawn.
fn funnels(all: &Words, funnel: Funnel) -> Vec<(String, String)> {
    let drawn = |(title, steps): (&str, Vec<(&str, u32)>)| {
        let step = |(label, count): (&'_ str, u32)| (label.to_owned(), u64::from(count));
        let steps: Vec<_> = steps.into_iter().map(step).collect();
        let steps =
            steps.iter().map(|(label, count)| chart::funnel::Step { label, count: Some(*count) });
        let left_out = &all.case.week_unknown;
        let about = chart::About { title, told: &all.case.funnel_hint, left_out };
        (title.to_owned(), chart::Funnel { about, steps: steps.collect() }.to_svg())
    };
    steps(all, funnel).into_iter().map(drawn).collect()
}

fn funnel_table(all: &Words, funnel: Funnel) -> Table {
    let words = &all.case;
    let columns = [&words.funnel, &words.sent, &words.reached, &words.heard, &words.answered];
    let row = |(title, steps): (&str, Vec<(&str, u32)>)| {
        let cells = (0..4)
            .map(|place| steps.get(place).map_or("–".to_owned(), |(_, count)| count.to_string()));
        [title.to_owned()].into_iter().chain(cells).collect()
    };
    Table {
        caption: words.funnel.clone(),
        columns: columns.map(String::clone).to_vec(),
        rows: steps(all, funnel).into_iter().map(row).collect(),
    }
}

/// A language as those call it who speak it; its tag, where pages do not have it.
fn spoken_by(tag: &str) -> String {
    words::find(tag).map_or(tag, |words| &words.own_name).to_owned()
}

fn member(all: &Words, member: &api::Member) -> Member {
    let words = &all.case;
    let day = |dates: [&Option<String>; 2]| {
        let last = dates.into_iter().flatten().max();
        last.map(|day| moment::day(all, day)).unwrap_or_default()
    };
    let agreed = |state: &str, said: [&Option<String>; 2], back: [&Option<String>; 2]| match state {
        "given" => filled(&words.agreed, &[("day", &day(said))]),
        "withdrawn" => format!("{} {}", words.taken_back, day(back)),
        other => words::name(&all.codes.agreed, other).to_owned(),
    };
    let counted = || {
        agreed(
            &member.counting,
            [&member.counting_on, &member.counting_assent_on],
            [&member.counting_withdrawn_on, &member.counting_guardian_withdrawn_on],
        )
    };
    // A caregiver's contact is not counted, so nobody asks.
    let is_asked = member.role != "caregiver" || member.counting != "not_yet";
    let reason = |reason: &String| words::name(&all.codes.suspended, reason).to_owned();
    Member {
        name: format!("{} {}", words::name(&all.codes.role, &member.role), member.member),
        zone: member.zone.as_deref().map(moment::place).unwrap_or_default(),
        language: member.language.as_deref().map(spoken_by).unwrap_or_default(),
        takes_part: agreed(
            &member.takes_part,
            [&member.consent_on, &member.assent_on],
            [&member.withdrawn_on, &member.guardian_withdrawn_on],
        ),
        counted: is_asked.then(counted).unwrap_or_default(),
        suspended: member.suspended.as_ref().map(reason),
    }
}

/// One of its tables, by its key.
#[must_use]
pub fn table(all: &Words, case: &Case, key: &str) -> Option<Table> {
    match key {
        "weeks" => Some(weeks(all, case)),
        "letters" => case.funnel.map(|funnel| funnel_table(all, funnel)),
        _ => None,
    }
}

/// Its weeks as squares.
fn heat(all: &Words, case: &Case) -> String {
    let words = &all.case;
    let labels: Vec<_> = case.weeks.iter().map(|week| week_label(&week.week)).collect();
    let weeks = case.weeks.iter().zip(&labels);
    let weeks =
        weeks.map(|(week, label)| chart::Week { label, name: &week.week, is_open: !week.closed });
    let mut children: Vec<u32> =
        case.weeks.iter().flat_map(|week| &week.children).map(|child| child.member).collect();
    children.sort_unstable();
    children.dedup();
    let names: Vec<_> = children.iter().map(|child| named(all, *child)).collect();
    let heat = Heat {
        about: chart::About {
            title: &words.weeks,
            told: &words.heat_told,
            left_out: &words.week_unknown,
        },
        words: chart::heat::Words {
            all: &words.week_all,
            some: &words.week_some,
            none: &words.week_none,
            nothing: &words.week_nothing,
            paused: &words.week_paused,
        },
        weeks: weeks.collect(),
        rows: children
            .iter()
            .zip(&names)
            .map(|(child, name)| heat_row(case, *child, name))
            .collect(),
    };
    heat.to_svg()
}

/// The number of a week alone: `2026W48` is 48.
#[must_use]
pub fn week_label(week: &str) -> &str {
    week.split_once('W').map_or(week, |(_, number)| number)
}

fn heat_row<'a>(case: &Case, child: u32, label: &'a str) -> chart::heat::Row<'a> {
    let cell = |week: &api::Week| {
        let found = week.children.iter().find(|one| one.member == child)?;
        if !week.closed && found.expected == 0 && found.standing != "paused" {
            // What is planned in it may still come.
            return None;
        }
        let is_paused = found.standing == "paused";
        Some(chart::heat::Cell { expected: found.expected, kept: found.kept, is_paused })
    };
    chart::heat::Row { label, cells: case.weeks.iter().map(cell).collect() }
}

/// Its weeks, a line each child and week, the newest first.
fn weeks(all: &Words, case: &Case) -> Table {
    let words = &all.case;
    let columns = [
        &words.week,
        &words.children,
        &words.expected,
        &words.kept,
        &words.heard_home,
        &words.heard_away,
        &words.days,
        &all.families.stands,
        &words.closed,
    ];
    let line = |week: &api::Week, child: &api::ChildWeek| {
        let count = |count: u32| count.to_string();
        vec![
            week.week.clone(),
            named(all, child.member),
            count(child.expected),
            count(child.kept),
            count(child.home),
            count(child.away),
            count(child.days),
            words::name(&all.codes.standing, &child.standing).to_owned(),
            if week.closed { &all.frame.yes } else { &words.open }.clone(),
        ]
    };
    let weeks = case.weeks.iter().rev();
    Table {
        caption: words.weeks.clone(),
        columns: columns.map(String::clone).to_vec(),
        rows: weeks
            .flat_map(|week| week.children.iter().map(move |child| line(week, child)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_said_as_people_say_it() {
        let english = words::of("en");
        let rule = |rrule: Option<&str>| Rule {
            start: "2026-11-29T19:30:00".into(),
            zone: Some("Asia/Shanghai".into()),
            rrule: rrule.map(str::to_owned),
            tolerance_min: None,
        };
        let said = |rrule| spoken(english, &rule(rrule));

        assert_eq!(said(Some("FREQ=DAILY")), "every day, 19:30 (Shanghai)");
        assert_eq!(said(Some("FREQ=WEEKLY;BYDAY=SU,WE")), "Sun, Wed, 19:30 (Shanghai)");
        assert_eq!(said(None), "29 Nov 2026, 19:30 (Shanghai)");
        assert_eq!(
            said(Some("FREQ=MONTHLY;BYDAY=1SU")),
            "FREQ=MONTHLY;BYDAY=1SU, 19:30 (Shanghai)"
        );
    }
}
