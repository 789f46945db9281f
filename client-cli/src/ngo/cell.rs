//! What each cell of the families' list may say, and in which words it is refused. Pure.

use std::sync::OnceLock;

use jiashu_proto::bounds;
use jiashu_proto::entry::{Care, How};
use jiashu_proto::id::Role;
use jiashu_recurrence::parse_every;
use jiff::civil::Date;
use jiff::tz::TimeZoneDatabase;

/// Characters of a name or a label.
const MAX_NAME: usize = 64;

/// Bytes of a language tag; the longest in use are far shorter (RFC 5646, 4.4.1).
const MAX_LANGUAGE: usize = 35;

/// Typing errors that a suggestion bridges.
const MAX_SLIPS: usize = 2;

/// Refuses what a spreadsheet program would run when the list is opened again: the cell before
/// blanks are cut off, as a tab is one of the signs.
pub(super) fn no_formula(raw: &str) -> Result<(), String> {
    let mut chars = raw.chars();
    let formula = match chars.next() {
        Some('=' | '+' | '@' | '＝' | '＋' | '＠' | '\t' | '\r') => true,
        Some('-' | '－') => match chars.next() {
            Some(next) => !next.is_ascii_digit(),
            None => return Err("a dash alone says nothing: leave the cell empty".into()),
        },
        _ => false,
    };
    if formula { Err("looks like a spreadsheet formula".into()) } else { Ok(()) }
}

pub(super) fn case_code(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    if text.len() > bounds::MAX_CASE_CODE {
        Err(format!("a case code has at most {} characters", bounds::MAX_CASE_CODE))
    } else if text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("a case code is letters a-z, digits and - _ . / without spaces, and no name".into())
    }
}

pub(super) fn member(text: &str) -> Result<u32, String> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(0) => Err("members are counted from 1".into()),
        Ok(number) if is_number => Ok(number),
        _ => Err("not a number: the members of a family are counted 1, 2, 3 …".into()),
    }
}

pub(super) fn role(text: &str) -> Result<Role, String> {
    let role = text.to_ascii_lowercase().parse();
    role.map_err(|_| "a role is parent, caregiver or child".to_owned())
}

/// How consent was given.
pub(super) fn how(text: &str) -> Result<How, String> {
    let names = || How::ALL.map(How::name).join(", ");
    How::from_name(text).ok_or_else(|| format!("unknown: it is one of {}", names()))
}

/// Who looks after the children.
pub(super) fn care(text: &str) -> Result<Care, String> {
    let names = || Care::ALL.map(Care::name).join(", ");
    Care::from_name(text).ok_or_else(|| format!("unknown: it is one of {}", names()))
}

/// The number of a text.
pub(super) fn version(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "is the number of a text, from 1 on".into())
}

/// Yes or no.
pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("is yes or no".into()),
    }
}

/// A day that is yet to come.
pub(super) fn until(text: &str, today: Date) -> Result<String, String> {
    let day: Date = text.parse().map_err(|_| "write the date as 2026-03-31".to_owned())?;
    if day.to_string() != text {
        Err("write the date as 2026-03-31".into())
    } else if day <= today {
        Err("is over already: from that day on it holds no more".into())
    } else {
        Ok(text.to_owned())
    }
}

/// A name, or the label of a phone.
pub(super) fn name(text: &str) -> Result<String, String> {
    if text.chars().any(crate::say::is_hidden) {
        Err("has a line break or another hidden character".into())
    } else if text.chars().count() > MAX_NAME {
        Err(format!("has more than {MAX_NAME} characters"))
    } else {
        Ok(text.to_owned())
    }
}

/// The zone as its database writes it.
pub(super) fn time_zone(text: &str) -> Result<String, String> {
    let zones = TimeZoneDatabase::bundled();
    let found = zones.get(text).ok().and_then(|zone| zone.iana_name().map(str::to_owned));
    found.ok_or_else(|| match closest_zone(&zones, text) {
        Some(zone) => format!("unknown time zone: is {zone} meant?"),
        None => "unknown time zone: write it as Europe/Rome or Asia/Shanghai".into(),
    })
}

/// A zone as slips are looked for in it: small letters, the city alone, and as its database writes it.
type Spelt = (String, String, String);

/// All zones. Spelt once: a list may be made of nothing but slips.
fn spelt_zones(zones: &TimeZoneDatabase) -> &'static [Spelt] {
    static SPELT: OnceLock<Vec<Spelt>> = OnceLock::new();
    SPELT.get_or_init(|| {
        let names = zones.available().map(|zone| zone.to_string());
        names.map(|name| (name.to_ascii_lowercase(), city(&name), name)).collect()
    })
}

fn city(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase()
}

/// The zone meant by a slip of the pen, or by a city under the wrong continent or none.
fn closest_zone(zones: &TimeZoneDatabase, text: &str) -> Option<String> {
    let wanted: String =
        text.trim().to_ascii_lowercase().replace(' ', "_").chars().take(40).collect();
    let wanted_city = city(&wanted);
    // China keeps the time of a city that is not its capital, which is what people write.
    if wanted_city == "beijing" {
        return Some("Asia/Shanghai".into());
    }
    let near = spelt_zones(zones).iter().map(|(zone, city, name)| {
        // Each letter too many is a slip, so most zones need no closer look.
        let far = zone.len().abs_diff(wanted.len()) > MAX_SLIPS;
        let slips = match (*city == wanted_city, far) {
            (true, _) => 0,
            (false, true) => usize::MAX,
            (false, false) => slips(zone, &wanted),
        };
        (slips, name)
    });
    near.min().filter(|(slips, _)| *slips <= MAX_SLIPS).map(|(_, zone)| zone.clone())
}

/// Letters to add, leave out or exchange to make one text the other (Levenshtein), or some number above
/// [`MAX_SLIPS`].
fn slips(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    let mut next = Vec::with_capacity(row.len());
    for (place, a) in one.chars().enumerate() {
        let mut diagonal = place;
        let mut left = place.saturating_add(1);
        next.clear();
        next.push(left);
        for (b, &above) in other.chars().zip(row.iter().skip(1)) {
            let exchanged = diagonal.saturating_add(usize::from(a != b));
            left = exchanged.min(left.saturating_add(1)).min(above.saturating_add(1));
            diagonal = above;
            next.push(left);
        }
        std::mem::swap(&mut row, &mut next);
        if row.iter().all(|slips| *slips > MAX_SLIPS) {
            break;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// The shape of a tag of BCP 47: a language of two or three letters, then parts after hyphens.
pub(super) fn language(text: &str) -> Result<String, String> {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let is_language =
        (2..=3).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if is_language && parts.all(is_part) && text.len() <= MAX_LANGUAGE {
        Ok(text.to_owned())
    } else {
        Err("not a language tag such as zh-Hans, ro or it".into())
    }
}

/// A day of birth.
pub(super) fn born(text: &str, today: Date) -> Result<Date, String> {
    let text = date(text, today).map_err(|reason| match reason.contains("future") {
        true => "the birth date lies in the future".to_owned(),
        false => reason,
    })?;
    let born = text.parse::<Date>().map_err(|error| error.to_string())?;
    if born.year() < today.year() - 120 {
        return Err("the birth date lies more than 120 years ago".into());
    }
    Ok(born)
}

/// Of a day of birth what the relay is told: the month.
pub(super) fn month(born_on: Date) -> String {
    format!("{:04}-{:02}", born_on.year(), born_on.month())
}

/// What the programme has, by which a list is judged.
#[derive(Clone, Debug, Default)]
pub(super) struct Settled {
    /// Codes of its sites, where they are known.
    pub(super) sites: Option<Vec<String>>,
    /// From which age a child's own word is enough, where the programme has a jurisdiction.
    pub(super) own_word_age: Option<u8>,
}

/// The code of a site.
pub(super) fn site(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.len() <= bounds::MAX_SITE_CODE && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "a site's code is 1 to {} letters, digits or any of - _ .",
            bounds::MAX_SITE_CODE
        ))
    }
}

/// When a family means to hear each other: days of the week, and an hour on the child's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    /// `sun,wed`.
    pub(super) days: String,
    /// `19:30`.
    pub(super) time: String,
}

/// Such as `sun,wed 19:30` or `day 20:00`.
pub(super) fn plan(text: &str) -> Result<Planned, String> {
    let (days, time) = text.rsplit_once(' ').ok_or("a plan is days and an hour: sun,wed 19:30")?;
    let (days, time) = (days.trim().to_owned(), time.to_owned());
    parse_every(&days, &time, Date::constant(2000, 1, 1)).map_err(|error| error.to_string())?;
    Ok(Planned { days, time })
}

/// A civil date, `YYYY-MM-DD`, that has begun somewhere on earth.
pub(super) fn date(text: &str, today: Date) -> Result<String, String> {
    let date = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
    match date {
        Some(date) if date > today => Err("the date lies in the future".into()),
        Some(_) => Ok(text.to_owned()),
        None => Err("not a date: write it as 2026-03-31".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_refused_and_numbers_are_not() {
        let cases = [
            ("=1+1", false),
            ("+86 138", false),
            ("@SUM(A1)", false),
            ("＝1", false),
            ("\t=1", false),
            ("\rx", false),
            ("-A1", false),
            ("-", false),
            ("-1", true),
            ("a=1", true),
            ("", true),
            ("莉莉", true),
        ];

        for (text, passes) in cases {
            assert_eq!(no_formula(text).is_ok(), passes, "{text:?}");
        }
    }

    #[test]
    fn a_zone_with_a_slip_gets_a_suggestion() {
        let cases = [
            ("Europe/Rom", "is Europe/Rome meant?"),
            ("Asia/Shangai", "is Asia/Shanghai meant?"),
            ("asia/shanghia", "is Asia/Shanghai meant?"),
            ("Asia/Beijing", "is Asia/Shanghai meant?"),
            ("Europe/Shanghai", "is Asia/Shanghai meant?"),
            ("Rome", "is Europe/Rome meant?"),
            ("China Standard Time", "write it as Europe/Rome"),
            ("Etc/Unknown", "unknown time zone"),
            ("../../etc/passwd", "unknown time zone"),
        ];

        for (text, reason) in cases {
            let refused = time_zone(text).unwrap_err();

            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }

    #[test]
    fn a_zone_is_written_as_its_database_does() {
        assert_eq!(time_zone("europe/ROME"), Ok("Europe/Rome".into()));
        assert_eq!(time_zone("Europe/Chisinau"), Ok("Europe/Chisinau".into()));
    }

    #[test]
    fn cells_are_judged_by_their_column() {
        type Judge = fn(&str) -> bool;
        let today = jiff::civil::date(2026, 11, 24);
        let dated: Judge = |text| date(text, jiff::civil::date(2026, 11, 24)).is_ok();
        let longest = "x".repeat(64);
        let cases: &[(&str, Judge, &str, bool)] = &[
            ("case code", |text| case_code(text).is_ok(), "LI-2026/07_a.b", true),
            ("case code", |text| case_code(text).is_ok(), "LI 7", false),
            ("case code", |text| case_code(text).is_ok(), "李-7", false),
            ("case code", |text| case_code(text).is_ok(), &longest, true),
            ("member", |text| member(text).is_ok(), "12", true),
            ("member", |text| member(text).is_ok(), "0", false),
            ("member", |text| member(text).is_ok(), "1.0", false),
            ("member", |text| member(text).is_ok(), "４", false),
            ("member", |text| member(text).is_ok(), "99999999999", false),
            ("role", |text| role(text).is_ok(), "Caregiver", true),
            ("role", |text| role(text).is_ok(), "mother", false),
            ("name", |text| name(text).is_ok(), "Gheorghe-Ștefan d'Amico", true),
            ("name", |text| name(text).is_ok(), &longest, true),
            ("name", |text| name(text).is_ok(), "a\nb", false),
            ("name", |text| name(text).is_ok(), "a\u{202e}b", false),
            ("language", |text| language(text).is_ok(), "zh-Hans-CN", true),
            ("language", |text| language(text).is_ok(), "ro", true),
            ("language", |text| language(text).is_ok(), "Chinese", false),
            ("language", |text| language(text).is_ok(), "zh_CN", false),
            ("language", |text| language(text).is_ok(), "zh-", false),
            ("language", |text| language(text).is_ok(), &longest, false),
            ("date", dated, "2026-11-24", true),
            ("date", dated, "2026-11-25", false),
            ("date", dated, "2026-02-30", false),
            ("date", dated, "24.11.2026", false),
            ("date", dated, "2026/11/24", false),
            ("date", dated, "20261124", false),
        ];

        for (column, judge, text, passes) in cases {
            assert_eq!(judge(text), *passes, "{column} {text:?}");
        }
        assert!(name(&"x".repeat(65)).is_err() && case_code(&"x".repeat(65)).is_err());
        assert!(date("2027-01-01", today).unwrap_err().contains("future"));
    }
}
