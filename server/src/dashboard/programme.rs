//! The programme: what came of contact, week by week and site by site. Each chart has its table, and each table leaves as CSV.

use askama::Template;
use jiashu_api::programme::{Filters, Programme, Week};
use jiashu_api::report::{Count, Group};
use jiashu_contact::standing::Standing;

use super::case::week_label;
use super::chart::{
    self, About, Clock, Histogram, Intervals, Share, Stack, Trend, histogram, interval, stack,
    trend,
};
use super::frame::Frame;
use super::table::Table;
use super::words::{self, Words};
use super::{moment, rendered};
use crate::wording::filled;

mod choices;

use choices::{Choice, choices};

/// Weeks that can be chosen.
const PERIODS: [u32; 4] = [4, 12, 26, 52];

/// What is asked for, as it stands in the form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Which families.
    pub filters: Filters,
    /// How many weeks.
    pub weeks: u32,
}

impl Chosen {
    /// As what stands behind the question mark.
    fn query(&self) -> String {
        let Filters { site, worker, corridor, age, care, standing } = self.filters.clone();
        let worker = worker.map(|number| number.to_string());
        let pairs = [
            ("site", site),
            ("worker", worker),
            ("corridor", corridor),
            ("age", age),
            ("care", care),
            ("standing", standing),
        ];
        let mut query = form_urlencoded::Serializer::new(String::from("?"));
        query.append_pair("weeks", &self.weeks.to_string());
        for (key, value) in pairs {
            if let Some(value) = value {
                query.append_pair(key, &value);
            }
        }
        query.finish()
    }

    fn is_filtered(&self) -> bool {
        self.filters != Filters::default()
    }
}

/// A part of the page: what is drawn, and the same as a table.
struct Section {
    /// In its address.
    key: &'static str,
    /// Beside the chart.
    says: String,
    svg: String,
    table: Table,
}

#[derive(Template)]
#[template(path = "staff/programme.html")]
struct Page {
    frame: Frame,
    words: &'static words::Programme,
    as_of: String,
    /// How much is hidden, or that nothing is.
    suppressed: String,
    too_few: bool,
    is_filtered: bool,
    choices: Vec<Choice>,
    periods: Vec<(u32, String, bool)>,
    /// Figures that stand alone: what they are of, and how many.
    figures: Vec<(String, String)>,
    sections: Vec<Section>,
    query: String,
}

/// The page.
#[must_use]
pub fn page(frame: Frame, programme: &Programme, chosen: &Chosen) -> String {
    let all = frame.words;
    let words = &all.programme;
    let period = |weeks: u32| {
        (weeks, filled(&words.last_weeks, &[("count", &weeks.to_string())]), weeks == chosen.weeks)
    };
    let suppressed = programme.suppressed_below.map_or_else(
        || words.whole_hint.clone(),
        |least| filled(&words.suppressed, &[("count", &least.to_string())]),
    );
    let nobody = programme.total.children == Some(0);
    let is_empty = programme.too_few || nobody || programme.weeks.is_empty();
    let page = Page {
        words,
        as_of: filled(&all.frame.as_of, &[("time", &moment::instant(all, &programme.as_of))]),
        suppressed,
        too_few: programme.too_few,
        is_filtered: chosen.is_filtered(),
        choices: choices(all, programme),
        periods: PERIODS.map(period).to_vec(),
        figures: figures(all, programme),
        sections: if is_empty { Vec::new() } else { sections(all, programme) },
        query: chosen.query(),
        frame,
    };
    rendered(&page)
}

/// One of its tables, by its key.
#[must_use]
pub fn table(all: &'static Words, programme: &Programme, key: &str) -> Option<Table> {
    sections(all, programme).into_iter().find(|one| one.key == key).map(|one| one.table)
}

/// What stands for a figure that is left out.
const LEFT_OUT: &str = "–";

fn count(count: Option<u32>) -> String {
    count.map_or_else(|| LEFT_OUT.to_owned(), |count| count.to_string())
}

fn percent(all: &Words, percent: f64) -> String {
    format!("{percent:.1} %").replace('.', &all.decimal)
}

/// A share with what it is of: `82.4 % (56/68)`.
fn share(all: &Words, share: Option<f64>, part: Option<u32>, whole: Option<u32>) -> String {
    match (share, part, whole) {
        (Some(share), Some(part), Some(whole)) => {
            format!("{} ({part}/{whole})", percent(all, share))
        }
        (None, Some(part), Some(whole)) => format!("{part}/{whole}"),
        _ => LEFT_OUT.to_owned(),
    }
}

fn between(all: &Words, group: &Group) -> String {
    let interval = group.interval.as_ref();
    interval.map_or_else(
        || LEFT_OUT.to_owned(),
        |one| format!("{:.1} – {:.1} %", one.low, one.high).replace('.', &all.decimal),
    )
}

fn figures(all: &'static Words, programme: &Programme) -> Vec<(String, String)> {
    let words = &all.programme;
    let kept = |group: &Group| share(all, group.adherence, group.kept, group.expected);
    let (total, weeks) = (&programme.total, programme.weeks.len().to_string());
    let mut figures = Vec::new();
    if let Some(last) = programme.weeks.last() {
        let says = filled(&words.kept_week, &[("week", &moment::week(&last.week))]);
        figures.push((says, kept(&last.figures)));
    }
    let idle = share_of(total.idle_phones, total.shared_phones);
    figures.extend([
        (filled(&words.kept_weeks, &[("count", &weeks)]), kept(total)),
        (words.idle.clone(), share(all, idle, total.idle_phones, total.shared_phones)),
        (words.children.clone(), count(total.children)),
        (words.families.clone(), count(total.families)),
    ]);
    figures
}

/// In percent with one decimal.
fn share_of(part: Option<u32>, whole: Option<u32>) -> Option<f64> {
    let (part, whole) = part.zip(whole).filter(|(_, whole)| *whole > 0)?;
    Some((f64::from(part) / f64::from(whole) * 1000.0).round() / 10.0)
}

fn sections(all: &'static Words, programme: &Programme) -> Vec<Section> {
    let mut sections = vec![standings(all, programme), weeks(all, programme)];
    if !programme.sites.is_empty() {
        sections.push(kept(all, programme));
    }
    sections.extend([gaps(all, programme), hours(all, programme)]);
    if !programme.sites.is_empty() {
        sections.push(phones(all, programme));
    }
    sections
}

/// The name of a group, as people know it.
fn group_name(all: &Words, programme: &Programme, group: &Group) -> String {
    let Some(code) = &group.name else { return all.programme.no_site.clone() };
    let known = programme.choices.sites.iter().find(|site| site.code == *code);
    known.map_or_else(|| code.clone(), |site| site.name.clone())
}

fn about<'a>(all: &'a Words, title: &'a str, told: &'a str) -> About<'a> {
    About { title, told, left_out: &all.programme.left_out }
}

fn counts(counts: &[Count]) -> stack::Counts {
    Standing::ALL.map(|standing| {
        let found = counts.iter().find(|one| one.name == standing.name());
        found.and_then(|one| one.count).map(u64::from)
    })
}

/// The sites by name, and all of them together.
fn groups<'a>(all: &Words, programme: &'a Programme) -> Vec<(String, &'a Group)> {
    let sites = programme.sites.iter().map(|group| (group_name(all, programme, group), group));
    sites.chain([(all.programme.total.clone(), &programme.total)]).collect()
}

fn standings(all: &'static Words, programme: &Programme) -> Section {
    let words = &all.programme;
    let names = Standing::ALL.map(|one| words::name(&all.codes.standing, one.name()));
    let groups = groups(all, programme);
    let bar = |(label, group): &'_ (String, &Group)| (label.clone(), counts(&group.standing));
    let bars: Vec<_> = groups.iter().map(bar).collect();
    let chart = Stack {
        about: about(all, &words.standing_title, &words.by_site),
        words: names,
        bars: bars.iter().map(|(label, counts)| stack::Bar { label, counts: *counts }).collect(),
    };
    let line = |(name, group): &(String, &Group)| {
        let of = |standing: &Standing| {
            group.standing.iter().find(|one| one.name == standing.name()).and_then(|one| one.count)
        };
        let cells = [name.clone(), count(group.families), count(group.children)];
        cells.into_iter().chain(Standing::ALL.iter().map(|standing| count(of(standing)))).collect()
    };
    let heads = [words.site.clone(), words.families.clone(), words.children.clone()];
    let last = programme.weeks.last().map(|week| moment::week(&week.week)).unwrap_or_default();
    Section {
        key: "standing",
        says: filled(&words.of_week, &[("week", &last)]),
        svg: chart.to_svg(),
        table: Table {
            caption: words.standing_title.clone(),
            columns: heads.into_iter().chain(names.map(str::to_owned)).collect(),
            rows: groups.iter().map(line).collect(),
        },
    }
}

/// Children at risk or worse, of all whose figures are shown.
fn at_risk(group: &Group) -> Option<u32> {
    let worse = ["at_risk", "silent", "dormant"];
    let found = group.standing.iter().filter(|one| worse.contains(&one.name.as_str()));
    found.map(|one| one.count).sum()
}

fn weeks(all: &'static Words, programme: &Programme) -> Section {
    let words = &all.programme;
    let of = |share: Option<f64>, between: Option<(f64, f64)>| {
        share.map(|percent| Share { percent, between })
    };
    let line = |label: &'static str, shares: &dyn Fn(&Group) -> Option<Share>| trend::Line {
        label,
        shares: programme.weeks.iter().map(|week| shares(&week.figures)).collect(),
    };
    let chart = Trend {
        about: about(all, &words.trend_title, &words.trend_told),
        weeks: programme.weeks.iter().map(drawn_week).collect(),
        lines: vec![
            line(&words.kept_line, &|group| {
                let between = group.interval.as_ref().map(|one| (one.low, one.high));
                of(group.adherence, between)
            }),
            line(&words.both_line, &|group| of(group.two_way_adherence, None)),
            line(&words.risk_line, &|group| of(share_of(at_risk(group), group.children), None)),
        ],
    };
    let columns = [
        &words.week,
        &words.children,
        &words.kept_line,
        &words.interval,
        &words.both_line,
        &words.risk_line,
    ];
    let row = |week: &Week| {
        let group = &week.figures;
        let name =
            if week.closed { week.week.clone() } else { format!("{} ({})", week.week, words.open) };
        vec![
            name,
            count(group.children),
            share(all, group.adherence, group.kept, group.expected),
            between(all, group),
            share(all, group.two_way_adherence, group.both_ways, group.expected),
            share(all, share_of(at_risk(group), group.children), at_risk(group), group.children),
        ]
    };
    Section {
        key: "weeks",
        says: words.band_told.clone(),
        svg: chart.to_svg(),
        table: Table {
            caption: words.trend_title.clone(),
            columns: columns.map(String::clone).to_vec(),
            rows: programme.weeks.iter().map(row).collect(),
        },
    }
}

fn drawn_week(week: &Week) -> chart::Week<'_> {
    chart::Week { label: week_label(&week.week), name: &week.week, is_open: !week.closed }
}

fn kept(all: &'static Words, programme: &Programme) -> Section {
    let words = &all.programme;
    let groups = groups(all, programme);
    let measured = |group: &Group| {
        let (percent, (part, whole)) = group.adherence.zip(group.kept.zip(group.expected))?;
        let between = group.interval.as_ref().map(|one| (one.low, one.high));
        let share = Share { percent, between };
        Some(interval::Measured { share, part: u64::from(part), whole: u64::from(whole) })
    };
    let chart = Intervals {
        about: about(all, &words.kept_title, &words.kept_told),
        rows: groups
            .iter()
            .map(|(label, group)| interval::Row { label, measured: measured(group) })
            .collect(),
    };
    let columns = [
        &words.site,
        &words.expected,
        &words.kept,
        &words.share,
        &words.interval,
        &words.both_ways,
    ];
    let row = |(name, group): &(String, &Group)| {
        vec![
            name.clone(),
            count(group.expected),
            count(group.kept),
            share(all, group.adherence, group.kept, group.expected),
            between(all, group),
            share(all, group.two_way_adherence, group.both_ways, group.expected),
        ]
    };
    Section {
        key: "kept",
        says: words.kept_told.clone(),
        svg: chart.to_svg(),
        table: Table {
            caption: words.kept_title.clone(),
            columns: columns.map(String::clone).to_vec(),
            rows: groups.iter().map(row).collect(),
        },
    }
}

fn gaps(all: &'static Words, programme: &Programme) -> Section {
    let words = &all.programme;
    let buckets = programme.gaps.iter();
    let chart = Histogram {
        about: about(all, &words.gaps_title, &words.gaps_told),
        unit: &words.days,
        buckets: buckets
            .map(|one| histogram::Bucket { label: &one.name, count: one.count.map(u64::from) })
            .collect(),
    };
    let row = |one: &Count| vec![one.name.clone(), count(one.count)];
    Section {
        key: "gaps",
        says: words.gaps_told.clone(),
        svg: chart.to_svg(),
        table: Table {
            caption: words.gaps_title.clone(),
            columns: vec![words.days.clone(), words.children.clone()],
            rows: programme.gaps.iter().map(row).collect(),
        },
    }
}

fn hours(all: &'static Words, programme: &Programme) -> Section {
    let words = &all.programme;
    let of = |day: usize, hour: usize| *programme.hours.as_ref()?.get(day)?.get(hour)?;
    let days: [&str; 7] =
        std::array::from_fn(|day| all.weekdays.get(day).map_or("", String::as_str));
    let chart = Clock {
        about: about(all, &words.hours_title, &words.hours_told),
        days,
        counts: std::array::from_fn(|day| std::array::from_fn(|hour| of(day, hour).map(u64::from))),
    };
    let row = |hour: usize| {
        let cells = (0..7).map(|day| count(of(day, hour)));
        [format!("{hour:02}:00")].into_iter().chain(cells).collect()
    };
    Section {
        key: "hours",
        says: words.hours_told.clone(),
        svg: chart.to_svg(),
        table: Table {
            caption: words.hours_title.clone(),
            columns: [words.hour.clone()].into_iter().chain(days.map(str::to_owned)).collect(),
            rows: (0..24).map(row).collect(),
        },
    }
}

fn phones(all: &'static Words, programme: &Programme) -> Section {
    let words = &all.programme;
    let groups = groups(all, programme);
    let measured = |group: &Group| {
        let (part, whole) = group.idle_phones.zip(group.shared_phones)?;
        let percent = share_of(Some(part), Some(whole))?;
        let share = Share { percent, between: None };
        Some(interval::Measured { share, part: u64::from(part), whole: u64::from(whole) })
    };
    let chart = Intervals {
        about: about(all, &words.idle, &words.by_site),
        rows: groups
            .iter()
            .map(|(label, group)| interval::Row { label, measured: measured(group) })
            .collect(),
    };
    let row = |(name, group): &(String, &Group)| {
        let idle = share_of(group.idle_phones, group.shared_phones);
        vec![
            name.clone(),
            count(group.shared_phones),
            share(all, idle, group.idle_phones, group.shared_phones),
        ]
    };
    Section {
        key: "phones",
        says: String::new(),
        svg: chart.to_svg(),
        table: Table {
            caption: words.idle_title.clone(),
            columns: vec![words.site.clone(), words.shared.clone(), words.idle.clone()],
            rows: groups.iter().map(row).collect(),
        },
    }
}
