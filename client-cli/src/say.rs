//! How it looks to people: names for numbers, times on the reader's own clock, colour only beside
//! words. What is said where is the verbs' own.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;

use jiashu_proto::entry::MemberFact;
use jiashu_proto::id::{DeviceId, MemberId, Millis, Role};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::Connection;

use crate::clock::timestamp;
use crate::error::{CliError, ExitCode, Result};
use crate::state::chain::{self, Family};
use crate::state::lane::Lane;

/// The family as its members call each other, seen from one device.
#[derive(Clone, Debug)]
pub struct People {
    names: BTreeMap<MemberId, String>,
    facts: BTreeMap<MemberId, MemberFact>,
    roles: BTreeMap<MemberId, Role>,
    served: Vec<MemberId>,
    me: DeviceId,
    tz: TimeZone,
}

impl People {
    /// As the state and the checked roster have it.
    ///
    /// # Errors
    ///
    /// If the state cannot be read.
    pub fn load(db: &Connection, lane: &Lane, family: &Family) -> Result<Self> {
        let facts = chain::members(db)?;
        let device = family.roster.devices().get(&lane.me());
        let served = device.map(|device| device.members.clone()).unwrap_or_default();
        let first = served.first().and_then(|member| facts.get(member));
        let tz = first.map_or(TimeZone::UTC, |fact| zone(&fact.zone));
        let (names, roles) = (chain::names(db)?, family.roster.members().clone());
        Ok(Self { names, facts, roles, served, me: lane.me(), tz })
    }

    /// This device's number.
    #[must_use]
    pub fn me(&self) -> DeviceId {
        self.me
    }

    /// Whom this device serves.
    #[must_use]
    pub fn served(&self) -> &[MemberId] {
        &self.served
    }

    /// Everybody.
    #[must_use]
    pub fn roles(&self) -> &BTreeMap<MemberId, Role> {
        &self.roles
    }

    /// What a member is called.
    #[must_use]
    pub fn name(&self, member: MemberId) -> String {
        let name = self.names.get(&member).map(|name| one_line(name));
        name.unwrap_or_else(|| format!("member {member}"))
    }

    /// What several are called, with commas.
    #[must_use]
    pub fn names(&self, members: &[MemberId]) -> String {
        let names: Vec<_> = members.iter().map(|member| self.name(*member)).collect();
        names.join(", ")
    }

    /// What a member is.
    #[must_use]
    pub fn role(&self, member: MemberId) -> Option<Role> {
        self.roles.get(&member).copied()
    }

    /// A member's zone, if it is known.
    #[must_use]
    pub fn zone(&self, member: MemberId) -> Option<&str> {
        self.facts.get(&member).map(|fact| fact.zone.as_str())
    }

    /// The zone of the first member that this device serves.
    #[must_use]
    pub fn tz(&self) -> &TimeZone {
        &self.tz
    }

    /// The member whom somebody means by a name or a number.
    ///
    /// # Errors
    ///
    /// [`ExitCode::BadInput`] if nobody is called so, or two are.
    pub fn find(&self, text: &str) -> Result<MemberId> {
        let numbered = text.parse().map(MemberId).ok();
        if let Some(member) = numbered.filter(|member| self.roles.contains_key(member)) {
            return Ok(member);
        }
        let called = |name: &String| name.to_lowercase() == text.to_lowercase();
        let mut found =
            self.names.iter().filter(|(_, name)| called(name)).map(|(member, _)| member);
        match (found.next(), found.next()) {
            (Some(member), None) => Ok(*member),
            (Some(_), Some(_)) => Err(bad_name(format!("two are called {text}: give the number"))),
            (None, _) => {
                let everybody: Vec<_> = self.roles.keys().copied().collect();
                let text = one_line(text);
                Err(bad_name(format!(
                    "nobody is called {text}; there are: {}",
                    self.names(&everybody)
                )))
            }
        }
    }

    /// Whom a message is for, ascending; none named is all.
    ///
    /// # Errors
    ///
    /// As of [`People::find`].
    pub fn addressees(&self, names: &[String]) -> Result<Vec<MemberId>> {
        let mut to = names.iter().map(|name| self.find(name)).collect::<Result<Vec<_>>>()?;
        to.sort_unstable();
        to.dedup();
        Ok(to)
    }

    /// The member who speaks: the one named, else the first adult that this device serves.
    ///
    /// # Errors
    ///
    /// [`ExitCode::BadInput`] if this device does not serve the one named.
    pub fn speaker(&self, named: Option<&str>) -> Result<MemberId> {
        let Some(named) = named else {
            let adult = self.served.iter().find(|member| self.is_adult(**member));
            let speaker = adult.or(self.served.first()).copied();
            return speaker.ok_or_else(|| bad_name("this phone serves nobody any more".to_owned()));
        };
        let member = self.find(named)?;
        if self.served.contains(&member) {
            return Ok(member);
        }
        let (name, served) = (self.name(member), self.names(&self.served));
        Err(bad_name(format!("this phone is not {name}'s, it serves: {served}")))
    }

    /// Whether that member is a parent or caregiver.
    #[must_use]
    pub fn is_adult(&self, member: MemberId) -> bool {
        self.role(member).is_some_and(Role::is_adult)
    }

    /// A time as the reader's own clock shows it: "Sun 28 Mar 19:30".
    #[must_use]
    pub fn clock(&self, at: Millis) -> String {
        on_clock(timestamp(at), &self.tz)
    }

    /// As [`People::clock`], but only the hour where the day is that of `beside`.
    #[must_use]
    pub fn clock_beside(&self, at: Millis, beside: Millis) -> String {
        let day = |at| self.tz.to_datetime(timestamp(at)).date();
        if day(at) == day(beside) {
            self.tz.to_datetime(timestamp(at)).strftime("%H:%M").to_string()
        } else {
            self.clock(at)
        }
    }
}

fn bad_name(text: String) -> CliError {
    CliError::new(ExitCode::BadInput, text)
}

/// The zone of that name, of those compiled in; UTC if there is none.
#[must_use]
pub fn zone(name: &str) -> TimeZone {
    jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap_or(TimeZone::UTC)
}

/// "Sun 28 Mar 19:30".
#[must_use]
pub fn on_clock(at: Timestamp, tz: &TimeZone) -> String {
    tz.to_datetime(at).strftime("%a %-d %b %H:%M").to_string()
}

/// "28 Mar 2027", by UTC.
#[must_use]
pub fn day(at: Millis) -> String {
    TimeZone::UTC.to_datetime(timestamp(at)).strftime("%-d %b %Y").to_string()
}

/// Whether a character is not seen and yet changes what is: controls, and those that turn the
/// direction of writing, by which a name could read otherwise than it is.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of another person, safe to print: nothing hidden but the end of a line.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// "on Wednesday and Sunday at 19:30", of a rule's civil start and its RRULE; what people seldom mean stays as it is.
#[must_use]
pub fn rule_in_words(start: &str, rrule: Option<&str>) -> String {
    let time = start.get(11..16).unwrap_or_default();
    let days = match rrule {
        Some("FREQ=DAILY") => "every day".to_owned(),
        Some(rrule) => match rrule.strip_prefix("FREQ=WEEKLY;BYDAY=") {
            Some(days) if !days.contains(';') => weekdays(days),
            _ => rrule.to_owned(),
        },
        None => format!("on {}", start.get(..10).unwrap_or_default()),
    };
    one_line(&format!("{days} at {time}"))
}

/// "on Wednesday and Sunday", of `WE,SU`.
fn weekdays(days: &str) -> String {
    let full = |day| match day {
        "MO" => "Monday",
        "TU" => "Tuesday",
        "WE" => "Wednesday",
        "TH" => "Thursday",
        "FR" => "Friday",
        "SA" => "Saturday",
        "SU" => "Sunday",
        other => other,
    };
    let days: Vec<_> = days.split(',').map(full).collect();
    match days.split_last() {
        Some((last, before)) if !before.is_empty() => {
            format!("on {} and {last}", before.join(", "))
        }
        _ => format!("on {}", days.concat()),
    }
}

/// As [`plain`], on one line.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// Its first line, and that there is more.
#[must_use]
pub fn first_line(text: &str) -> String {
    match text.trim_start().split_once('\n') {
        Some((first, _)) => format!("{} …", one_line(first)),
        None => one_line(text),
    }
}

/// Rows of cells as lines, each column as wide as its widest cell.
#[must_use]
pub fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, &wide)| format!("{cell:wide$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// As one line of JSON, with what is hidden as escapes: it means the same, and a terminal obeys none
/// of it.
///
/// # Errors
///
/// If the value has no form in JSON.
pub fn json_line(value: &impl serde::Serialize) -> Result<String> {
    use std::fmt::Write as _;
    let line =
        serde_json::to_string(value).map_err(|error| CliError::new(ExitCode::General, error))?;
    let mut safe = String::with_capacity(line.len());
    for c in line.chars() {
        if is_hidden(c) {
            // None is beyond four digits, and none stands outside a string.
            write!(safe, "\\u{:04x}", u32::from(c)).expect("writing to memory cannot fail");
        } else {
            safe.push(c);
        }
    }
    Ok(safe)
}

/// Text as text on a page, never as HTML.
#[must_use]
pub fn as_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A line of warning on standard error, red where there are colours. The words say it all.
pub fn warn(text: &str) {
    if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        eprintln!("\u{1b}[31m{text}\u{1b}[0m");
    } else {
        eprintln!("{text}");
    }
}

/// Rings the terminal's bell, where there is one: somebody may be in the next room.
pub fn ring() {
    if std::io::stderr().is_terminal() {
        eprint!("\u{7}");
    }
}

/// Shows a line on the desktop, where there is one: it says nothing of what was written.
pub fn notify(text: &str) {
    use std::process::Stdio;
    let mut command = tokio::process::Command::new("notify-send");
    command.args(["--app-name=Jiashu", "Jiashu", text]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Where there is no such program there is no desktop to speak of.
    let _ = command.spawn();
}

/// A quiet line on standard error.
pub fn note(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_json_speaks_to_a_terminal_and_none_loses_a_letter() {
        let text = "好\u{1b}[2J \u{7f} \u{9b}31m \u{202e}\u{2066} \n\"";

        let line = json_line(&text).unwrap();

        assert!(!line.contains(is_hidden), "{line:?}");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
