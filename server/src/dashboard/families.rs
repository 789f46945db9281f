//! The worklist: whom to ring first, and why.

use askama::Template;
use jiashu_api::worklist::{Child, Counting, Family, Phone, Use, Worklist};

use super::frame::Frame;
use super::table::Table;
use super::words::{self, Words};
use super::{moment, rendered};
use crate::wording::filled;

/// So many days before an agreement ends it is said.
const RENEW_DAYS: i32 = 30;

/// What is asked for, as it stands in the form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The code of a site.
    pub site: Option<String>,
    /// A standing's code word.
    pub standing: Option<String>,
    /// How many are passed over.
    pub after: usize,
}

impl Chosen {
    /// As what stands behind the question mark.
    fn query(&self, after: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::from("?"));
        for (key, value) in [("site", &self.site), ("standing", &self.standing)] {
            if let Some(value) = value {
                query.append_pair(key, value);
            }
        }
        query.append_pair("after", &after.to_string()).finish()
    }
}

#[derive(Template)]
#[template(path = "staff/families.html")]
struct Page<'a> {
    frame: Frame,
    words: &'static words::Families,
    as_of: String,
    total: String,
    rows: Vec<Row>,
    sites: &'a [(String, String)],
    standings: Vec<(&'static str, &'static str)>,
    chosen: &'a Chosen,
    is_first: bool,
    /// The page after this one, and what the way there says.
    more: Option<(String, String)>,
    csv: String,
}

impl Page<'_> {
    fn is_site(&self, code: &str) -> bool {
        self.chosen.site.as_deref() == Some(code)
    }

    fn is_standing(&self, code: &str) -> bool {
        self.chosen.standing.as_deref() == Some(code)
    }

    fn is_filtered(&self) -> bool {
        self.chosen.site.is_some() || self.chosen.standing.is_some()
    }
}

/// A family, in words.
#[derive(Debug)]
pub struct Row {
    /// Its code.
    pub case_code: String,
    /// Its page.
    pub path: String,
    /// The name of its site.
    pub site: String,
    /// The class of its standing, which gives the colour.
    pub standing: String,
    /// The standing's word.
    pub stands: String,
    /// How long ago both heard each other.
    pub days: String,
    /// Why it stands where it stands, in a sentence.
    pub why: String,
    /// Where they have not both heard each other lately: which way nothing came.
    pub ways: String,
    /// Missed in a row; empty where nothing is counted.
    pub missed: String,
    /// How often there is contact, a child each.
    pub often: String,
    /// Next planned, on the clock at home.
    pub next: String,
    /// The same on the parent's clock.
    pub next_there: String,
    /// A phone each.
    pub phones: Vec<PhoneWords>,
    /// What is to be done, the most urgent first, each with its kind.
    pub to_do: Vec<(&'static str, String)>,
}

/// A phone, in words.
#[derive(Debug)]
pub struct PhoneWords {
    /// Whom it serves.
    pub whose: String,
    /// How it is used.
    pub use_: String,
    /// The code word of that.
    pub code: &'static str,
}

/// What the page shows of sites: their codes and names.
pub type Sites = Vec<(String, String)>;

/// The page.
#[must_use]
pub fn page(frame: Frame, list: &Worklist, sites: &Sites, chosen: &Chosen) -> String {
    let all = frame.words;
    let words = &all.families;
    let passed = chosen.after + list.families.len();
    let left = list.total.saturating_sub(passed);
    let next = left.min(list.families.len().max(1));
    let more = (left > 0).then(|| {
        let says = filled(&all.frame.more, &[("count", &next.to_string())]);
        (chosen.query(passed), says)
    });
    let standings = jiashu_contact::standing::Standing::ALL.iter().rev();
    let page = Page {
        words,
        as_of: filled(&all.frame.as_of, &[("time", &moment::instant(all, &list.as_of))]),
        total: filled(&words.total, &[("count", &list.total.to_string())]),
        rows: list.families.iter().map(|family| row(all, family, sites)).collect(),
        sites,
        standings: standings
            .map(|one| (one.name(), words::name(&all.codes.standing, one.name())))
            .collect(),
        chosen,
        is_first: chosen.after == 0,
        more,
        csv: format!("/staff/families.csv{}", chosen.query(0)),
        frame,
    };
    rendered(&page)
}

/// A family, in words.
#[must_use]
pub fn row(all: &'static Words, family: &Family, sites: &Sites) -> Row {
    let words = &all.families;
    let counted = family.counting == Counting::Counted;
    let when = |text: String| if counted { text } else { String::new() };
    let stands = match family.counting {
        Counting::NotCounted => words.not_counted.clone(),
        _ => words::name(&all.codes.standing, &family.standing).to_owned(),
    };
    let mut often: Vec<_> =
        family.children.iter().map(|child| words::name(&all.codes.band, &child.band)).collect();
    // Where several children are the same, it is said once.
    often.dedup();
    let (next, next_there) = next(all, family);
    Row {
        case_code: family.case_code.clone(),
        path: path(&family.case_code),
        site: site_name(sites, family.site.as_deref()),
        standing: family.standing.replace('_', "-"),
        stands,
        days: when(days_ago(words, family.days_since_two_way)),
        why: why(words, family),
        ways: when(ways(words, family)),
        missed: when(family.missed_in_a_row.to_string()),
        often: when(often.join(", ")),
        next,
        next_there,
        phones: family.phones.iter().map(|phone| phone_words(all, phone)).collect(),
        to_do: to_do(all, family),
    }
}

/// The address of a family's page.
#[must_use]
pub fn path(case_code: &str) -> String {
    let code: String = form_urlencoded::byte_serialize(case_code.as_bytes()).collect();
    // In a path a plus is a plus.
    format!("/staff/families/{}", code.replace('+', "%20"))
}

/// The name of a site by its code.
#[must_use]
pub fn site_name(sites: &Sites, code: Option<&str>) -> String {
    let Some(code) = code else { return String::new() };
    let known = sites.iter().find(|(known, _)| known == code);
    known.map_or(code, |(_, name)| name).to_owned()
}

pub(super) fn days_ago(words: &words::Families, days: Option<i64>) -> String {
    match days {
        None => words.never.clone(),
        Some(0) => words.today.clone(),
        Some(1) => words.day_ago.clone(),
        Some(days) => filled(&words.days_ago, &[("count", &days.to_string())]),
    }
}

/// The child for whom it stands worst.
fn worst(family: &Family) -> Option<&Child> {
    family.children.iter().max_by_key(|child| {
        let longest = child.days_since_two_way.unwrap_or(i64::MAX);
        (child.standing == family.standing, longest)
    })
}

/// Why somebody should ring: help that was asked for, a child that is never heard, or how long nothing came.
fn why(words: &words::Families, family: &Family) -> String {
    if family.tasks.iter().any(|task| task.kind == "help") {
        return words.help.clone();
    }
    let Some(child) = worst(family).filter(|_| family.counting == Counting::Counted) else {
        return String::new();
    };
    match (child.days_since_two_way, child.days_since_home, child.days_since_away) {
        (None, Some(_), None) => words.why_no_answer.clone(),
        (None, None, None) => words.why_nothing.clone(),
        (days, ..) => {
            let (days, missed) = (days_ago(words, days), family.missed_in_a_row.to_string());
            filled(&words.why_days, &[("days", &days), ("missed", &missed)])
        }
    }
}

/// Which way came last, and when, of that child: who rings knows whom to ask.
fn ways(words: &words::Families, family: &Family) -> String {
    let Some(child) = worst(family) else { return String::new() };
    let home = days_ago(words, child.days_since_home);
    let away = days_ago(words, child.days_since_away);
    filled(&words.ways, &[("home", &home), ("away", &away)])
}

fn next(all: &Words, family: &Family) -> (String, String) {
    let Some(next) = &family.next else {
        return (all.families.nothing_planned.clone(), String::new());
    };
    let day_time =
        |local: &Option<String>| local.as_deref().map(|local| moment::day_time(all, local));
    let home = day_time(&next.home).unwrap_or_else(|| moment::instant(all, &next.at));
    let away = match (&next.home, &next.away) {
        // On the same day the hour says enough.
        (Some(home), Some(away)) if home.get(..10) == away.get(..10) => {
            moment::time(away).to_owned()
        }
        _ => day_time(&next.away).unwrap_or_default(),
    };
    (home, away)
}

/// A phone, in words.
#[must_use]
pub fn phone_words(all: &'static Words, phone: &Phone) -> PhoneWords {
    let role = |role: &String| words::name(&all.codes.role, role).to_owned();
    let whose: Vec<_> = phone.serves.iter().map(role).collect();
    let code = match phone.in_use {
        Use::Used => "used",
        Use::Quiet => "quiet",
        Use::Idle => "idle",
        Use::Never => "never",
        Use::NotCounted => "not_counted",
    };
    let mut use_ = words::name(&all.codes.phone, code).to_owned();
    let is_still = matches!(phone.in_use, Use::Quiet | Use::Idle);
    if let Some(days) = phone.days_unused.filter(|_| is_still) {
        let unused = filled(&all.families.unused, &[("count", &days.to_string())]);
        use_ = format!("{use_}, {unused}");
    }
    PhoneWords { whose: whose.join(" + "), use_, code }
}

fn to_do(all: &Words, family: &Family) -> Vec<(&'static str, String)> {
    let words = &all.families;
    let is = |kind: &str| family.tasks.iter().any(|task| task.kind == kind);
    let mut to_do = Vec::new();
    if is("help") {
        to_do.push(("help", words.help.clone()));
    }
    if let Some(at) = &family.leaves_at {
        to_do.push(("leaves", filled(&words.leaves, &[("day", &moment::day(all, at))])));
    }
    if is("missed") {
        to_do.push(("missed", words.ring.clone()));
    }
    if let Some(until) =
        family.agreed_until.as_ref().filter(|until| ends_soon(until, &family.as_of))
    {
        to_do.push(("renew", filled(&words.renew, &[("day", &moment::day(all, until))])));
    }
    to_do
}

fn ends_soon(until: &str, as_of: &str) -> bool {
    let date = |text: &str| text.get(..10).and_then(|date| date.parse::<jiff::civil::Date>().ok());
    let days = date(as_of).zip(date(until)).and_then(|(from, until)| from.until(until).ok());
    days.is_some_and(|days| days.get_days() <= RENEW_DAYS)
}

/// The same as a table.
#[must_use]
pub fn table(all: &'static Words, list: &Worklist, sites: &Sites) -> Table {
    let words = &all.families;
    let there = format!("{} ({})", words.next, words.there);
    let columns = [
        &words.family,
        &words.site,
        &words.stands,
        &words.days,
        &words.missed,
        &words.often,
        &words.next,
        &there,
        &words.phones,
        &words.to_do,
    ];
    let line = |family: &Family| {
        let row = row(all, family, sites);
        let phones = row.phones.iter().map(|phone| format!("{}: {}", phone.whose, phone.use_));
        let to_do = row.to_do.iter().map(|(_, text)| text.as_str());
        vec![
            row.case_code.clone(),
            row.site.clone(),
            row.stands.clone(),
            row.days.clone(),
            row.missed.clone(),
            row.often.clone(),
            row.next.clone(),
            row.next_there.clone(),
            phones.collect::<Vec<_>>().join("; "),
            to_do.collect::<Vec<_>>().join("; "),
        ]
    };
    Table {
        caption: words.title.clone(),
        columns: columns.map(String::clone).to_vec(),
        rows: list.families.iter().map(line).collect(),
    }
}
