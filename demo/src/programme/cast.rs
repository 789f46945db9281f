//! Who is in the simulated programme: three sites, and what each family is like. Pure.

use std::fmt::Write as _;

use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Families of a site that are each of a kind of their own; more of them begin again with the first.
pub(super) const KINDS: usize = 20;

/// A place of the programme.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    /// Its code.
    pub(super) code: &'static str,
    /// What staff call it.
    pub(super) name: &'static str,
    /// Its clock, and that of its children.
    pub(super) zone: &'static str,
    /// What its case codes begin with.
    prefix: &'static str,
    language: &'static str,
    /// Where parents have gone, the first the most.
    away: [&'static str; 4],
    /// What a mother, a father and a grandmother are called.
    adults: [&'static str; 3],
    children: [&'static str; 12],
}

/// All of them.
pub(super) const SITES: [Site; 3] = [
    Site {
        code: "tianshui",
        name: "天水",
        zone: "Asia/Shanghai",
        prefix: "TS",
        language: "zh-Hans",
        // Prato and Milan; and Guangzhou, which has the clock of home.
        away: ["Europe/Rome", "Asia/Shanghai", "Europe/Rome", "Europe/Madrid"],
        adults: ["妈妈", "爸爸", "外婆"],
        children: [
            "Lili", "Bao", "Meimei", "Long", "Xiaoyu", "Tao", "Jing", "Wei", "Yan", "Hao", "Fang",
            "Ming",
        ],
    },
    Site {
        code: "soroca",
        name: "Soroca",
        zone: "Europe/Chisinau",
        prefix: "SO",
        language: "ro",
        away: ["Europe/Rome", "Europe/London", "Europe/Paris", "Europe/Rome"],
        adults: ["Mama", "Tata", "Bunica"],
        children: [
            "Ion", "Ana", "Mihai", "Elena", "Andrei", "Daria", "Vlad", "Sofia", "Radu", "Irina",
            "Petru", "Maria",
        ],
    },
    Site {
        code: "rezekne",
        name: "Rēzekne",
        zone: "Europe/Riga",
        prefix: "RE",
        language: "lv",
        away: ["Europe/London", "Europe/Dublin", "Europe/Oslo", "Europe/London"],
        adults: ["Mamma", "Tētis", "Vecmāmiņa"],
        children: [
            "Anna", "Jānis", "Līga", "Kārlis", "Elza", "Artūrs", "Paula", "Rūta", "Toms", "Zane",
            "Emīls", "Laura",
        ],
    },
];

/// What becomes of contact in a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// Nearly every evening that is planned, up to today.
    Steady,
    /// So many evenings of a hundred.
    Uneven(u64),
    /// Steady until so many days ago, and nothing since.
    Until(i64),
    /// The mother writes and is heard; nothing comes back.
    OneWay,
    /// The first child as [`Habit::Steady`], the second not since so many days.
    Neglects(i64),
    /// For a while their phone has no network: what was heard becomes known two weeks later.
    Late,
    /// Steady; nothing is expected from so many days ago on, for as many weeks.
    Paused(i64, i64),
    /// Enrolled so many days ago; the mother has written, nobody has answered yet.
    New(i64),
    /// Does not write: not all have agreed.
    Mute,
}

/// What families of a kind have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) habit: Habit,
    /// Days and hour as the list has them.
    pub(super) plan: Option<(&'static str, &'static str)>,
    parents: u32,
    has_caregiver: bool,
    children: u32,
    /// Whether the household shares a phone, rather than each having one.
    shares: bool,
    agrees: Agrees,
}

/// To what a family agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agrees {
    All,
    /// To taking part, not to being counted.
    Uncounted,
    /// The child has not said yes yet.
    NotYet,
}

const DAILY: Option<(&str, &str)> = Some(("day", "19:30"));
const SUNDAYS: Option<(&str, &str)> = Some(("sun", "19:30"));
const TWICE: Option<(&str, &str)> = Some(("sun,wed", "18:00"));

/// A grandmother and so many children, who share her phone; the mother is away.
const fn village(habit: Habit, plan: Option<(&'static str, &'static str)>, children: u32) -> Kind {
    let agrees = Agrees::All;
    Kind { habit, plan, parents: 1, has_caregiver: true, children, shares: true, agrees }
}

fn kind(number: usize) -> Kind {
    match number % KINDS {
        0 => village(Habit::Steady, DAILY, 1),
        1 => village(Habit::Steady, SUNDAYS, 2),
        2 => village(Habit::Until(10), SUNDAYS, 1),
        3 => village(Habit::Until(20), TWICE, 1),
        4 => village(Habit::Until(35), SUNDAYS, 1),
        5 => village(Habit::Until(55), DAILY, 2),
        6 => village(Habit::Paused(6, 4), TWICE, 1),
        7 => village(Habit::New(5), SUNDAYS, 1),
        8 => Kind { agrees: Agrees::NotYet, ..village(Habit::Mute, SUNDAYS, 1) },
        9 => Kind { agrees: Agrees::Uncounted, ..village(Habit::Steady, SUNDAYS, 1) },
        10 => village(Habit::Neglects(30), DAILY, 2),
        11 => village(Habit::Late, SUNDAYS, 1),
        // Three cousins and one phone; the parents of two of them in one country, of the third in another.
        12 => Kind { parents: 2, ..village(Habit::Steady, TWICE, 3) },
        // A boarder with a phone of her own, and nothing planned.
        13 => Kind { has_caregiver: false, shares: false, ..village(Habit::Uneven(60), None, 1) },
        // Three evenings were missed, and yet both heard each other this week.
        14 => village(Habit::Until(6), DAILY, 1),
        15 => village(Habit::Uneven(60), DAILY, 1),
        16 => village(Habit::Uneven(50), SUNDAYS, 2),
        17 => village(Habit::OneWay, TWICE, 1),
        // The grandmother's own phone lies in a drawer.
        18 => Kind { shares: false, ..village(Habit::Steady, TWICE, 1) },
        _ => village(Habit::Paused(45, 2), DAILY, 1),
    }
}

/// Who somebody is in a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Parent,
    Caregiver,
    Child,
}

/// A member, and the phone that serves them.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) number: u32,
    pub(super) part: Part,
    pub(super) name: String,
    zone: &'static str,
    /// Of a child of whom it is known, in years, younger than from where its own word is enough.
    age: Option<i64>,
    /// As the list names it; the folder of the phone, too.
    pub(super) device: String,
}

/// A family.
#[derive(Clone, Debug)]
pub(super) struct Family {
    pub(super) case_code: String,
    pub(super) site: Site,
    pub(super) kind: Kind,
    pub(super) members: Vec<Member>,
}

/// So many families of each site.
pub(super) fn families(of_each_site: usize) -> Vec<Family> {
    let all = SITES.iter().flat_map(|site| (0..of_each_site).map(|number| family(*site, number)));
    all.collect()
}

fn family(site: Site, number: usize) -> Family {
    let kind = kind(number);
    let pick = |names: &[&'static str], at: usize| names.get(at % names.len()).copied();
    let away = |parent: usize| pick(&site.away, number + parent).unwrap_or(site.zone);
    let mut members = Vec::new();
    let mut add = |part, name: Option<&str>, zone, device: &str, age| {
        let number = u32::try_from(members.len() + 1).unwrap_or(u32::MAX);
        let (name, device) = (name.unwrap_or_default().to_owned(), device.to_owned());
        members.push(Member { number, part, name, zone, age, device });
    };
    for parent in 0..kind.parents as usize {
        let device = if parent == 0 { "mother" } else { "father" };
        add(Part::Parent, pick(&site.adults, parent), away(parent), device, None);
    }
    if kind.has_caregiver {
        let device = if kind.shares { "home" } else { "grandmother" };
        add(Part::Caregiver, pick(&site.adults, 2), site.zone, device, None);
    }
    for child in 0..kind.children as usize {
        let name = pick(&site.children, number * 2 + child);
        let age = i64::try_from(4 + (number * 3 + child * 2) % 10).ok();
        // Of one of ten nobody has asked for it.
        let age = age.filter(|_| number % 10 != 3);
        add(Part::Child, name, site.zone, if kind.shares { "home" } else { "child" }, age);
    }
    let case_code = format!("{}-{:03}", site.prefix, number + 1);
    Family { case_code, site, kind, members }
}

impl Family {
    /// The clock at home.
    pub(super) fn zone(&self) -> TimeZone {
        TimeZoneDatabase::bundled().get(self.site.zone).unwrap_or(TimeZone::UTC)
    }

    /// Those of that part.
    pub(super) fn of(&self, part: Part) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(move |member| member.part == part)
    }

    /// The parent whose child it is.
    pub(super) fn parent_of(&self, child: u32) -> u32 {
        let last = self.of(Part::Child).last().map(|member| member.number);
        let parents: Vec<_> = self.of(Part::Parent).map(|member| member.number).collect();
        // Of cousins the last is the other's.
        let own = if last == Some(child) { parents.last() } else { parents.first() };
        own.copied().unwrap_or(1)
    }

    /// Whether what is heard is counted.
    pub(super) fn is_counted(&self) -> bool {
        self.kind.agrees == Agrees::All
    }

    /// Its rows of a list, as a worker would type them that day.
    pub(super) fn rows(&self, on: Date) -> String {
        let mut rows = String::new();
        for member in &self.members {
            let is_child = member.part == Part::Child;
            let role = match member.part {
                Part::Parent => "parent",
                Part::Caregiver => "caregiver",
                Part::Child => "child",
            };
            let date = |given: bool| if given { on.to_string() } else { String::new() };
            let counts = self.is_counted() && member.part != Part::Caregiver;
            let (case, site, language) = (&self.case_code, self.site.code, self.site.language);
            let Member { number, name, zone, age, device, .. } = member;
            let born = age.and_then(|age| on.checked_sub(age.years()).ok());
            let born = born.map(|born| born.to_string()).unwrap_or_default();
            let plan = self.kind.plan.filter(|_| *number == 1);
            let plan = plan.map(|(days, at)| format!("\"{days} {at}\"")).unwrap_or_default();
            let care = if self.kind.has_caregiver { "grandparents" } else { "boarding-school" };
            let care = if *number == 1 { care } else { "" };
            let assent = date(is_child && self.kind.agrees != Agrees::NotYet);
            let _ = writeln!(
                rows,
                "{case},{number},{role},{name},{zone},{language},{device},,{},{assent},{born},{},{},{site},{plan},{care}",
                date(true),
                date(counts),
                date(counts && is_child),
            );
        }
        rows
    }
}

/// The head of such a list.
pub(super) const COLUMNS: &str = "case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on,born_on,\
     counting_on,counting_assent_on,site,plan,care";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_cousins_have_two_parents_and_one_phone() {
        let all = families(KINDS);
        let cousins = all.iter().find(|family| family.of(Part::Child).count() == 3).unwrap();

        let parents: Vec<_> = cousins
            .of(Part::Child)
            .map(|child| (cousins.parent_of(child.number), child.device.as_str()))
            .collect();

        assert_eq!(parents, [(1, "home"), (1, "home"), (2, "home")]);
        assert_eq!(all.len(), 60);
    }

    #[test]
    fn who_is_not_counted_says_so_on_the_list() {
        let all = families(KINDS);
        let rows = all[9].rows("2026-09-01".parse().unwrap());

        assert!(!all[9].is_counted());
        assert!(rows.lines().all(|row| row.contains(",,,tianshui,")), "{rows}");
    }
}
