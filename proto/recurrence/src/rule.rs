//! A rule that makes sense as a whole: it has a start, a zone, dates and an end, and gives at least
//! one occurrence. Turning its civil times into instants is left to `occurrence`.

use jiashu_proto::bounds::MAX_RULE_DATES;
use jiashu_proto::entry::RuleText;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use crate::RuleError;
use crate::civil_text;
use crate::dates::{self, add_days};
use crate::error::shown;
use crate::recur::{End, Recur};
use crate::zone;

/// The first year in which a rule may start.
pub const FIRST_YEAR: i16 = 1970;
/// The last year in which a rule gives occurrences; a rule without an end ends with it.
pub const LAST_YEAR: i16 = 2199;

const LAST_DAY: Date = Date::constant(LAST_YEAR, 12, 31);

/// When something happens: a civil start in a zone, how it repeats, if it does, the times at which it
/// happens besides (RDATE), and those at which it does not (EXDATE).
///
/// The parts are those of RFC 5545, 3.3.10. The start is the first occurrence if its day meets
/// the parts, else the first is the first day after it that does (as python-dateutil has it; RFC
/// 5545, 3.8.5.3 leaves it open). All of the rule's own occurrences are at the start's time of day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    start: DateTime,
    tz: TimeZone,
    recur: Option<Recur>,
    /// No date after this one. COUNT counts planned dates, so it becomes one here, once and for all.
    last: Date,
    /// Ascending.
    also: Vec<DateTime>,
    /// Ascending.
    except: Vec<DateTime>,
}

impl Rule {
    /// Reads a start `YYYY-MM-DDThh:mm[:ss]`, an IANA zone name (in any case of letters) and an
    /// RRULE value without `RRULE:`; without an RRULE it happens once.
    ///
    /// UNTIL is inclusive: a time in UTC (converted to the zone, then compared in civil time), a
    /// civil time, or a civil day, which counts to its end. COUNT counts planned civil times.
    ///
    /// # Errors
    ///
    /// [`RuleError`] names the part that is not supported or makes no sense. A rule that would
    /// give nothing is refused, too.
    pub fn parse(start: &str, zone: &str, rrule: Option<&str>) -> Result<Self, RuleError> {
        let rule = Self::read(start, zone, rrule)?;
        rule.check_not_empty()?;
        Ok(rule)
    }

    /// The rule of a schedule, as sent. `also` and `except` are as occurrences are written, 19
    /// characters, ascending, at most [`MAX_RULE_DATES`] each.
    ///
    /// # Errors
    ///
    /// As of [`Rule::parse`].
    pub fn of(text: &RuleText) -> Result<Self, RuleError> {
        let also = parse_dates("RDATE", &text.also)?;
        let except = parse_dates("EXDATE", &text.except)?;
        let rule = Self::read(&text.start, &text.zone, text.rrule.as_deref())?;
        let rule = Self { also, except, ..rule };
        rule.check_not_empty()?;
        Ok(rule)
    }

    fn read(start: &str, zone: &str, rrule: Option<&str>) -> Result<Self, RuleError> {
        let start = parse_start(start)?;
        let tz = zone::find(zone)?;
        let recur = rrule.map(Recur::parse).transpose()?;
        let last = match &recur {
            Some(recur) => last_date(recur, start, &tz)?.min(LAST_DAY),
            None => start.date(),
        };
        Ok(Self { start, tz, recur, last, also: Vec::new(), except: Vec::new() })
    }

    fn check_not_empty(&self) -> Result<(), RuleError> {
        self.planned_from(DateTime::MIN).next().map(|_| ()).ok_or(RuleError::Empty)
    }

    /// The civil start, whole seconds.
    #[must_use]
    pub fn start(&self) -> DateTime {
        self.start
    }

    /// The start as text, `YYYY-MM-DDThh:mm:ss`.
    #[must_use]
    pub fn start_text(&self) -> String {
        civil_text::write(self.start)
    }

    /// The zone's name, spelt as in the IANA database.
    #[must_use]
    pub fn zone(&self) -> &str {
        self.tz.iana_name().expect("parse takes only zones with a name")
    }

    /// The zone, from the database that is compiled in.
    #[must_use]
    pub fn tz(&self) -> &TimeZone {
        &self.tz
    }

    /// The RRULE value in its canonical form, or `None` if it happens once. Reading it again gives
    /// an equal rule.
    #[must_use]
    pub fn rrule_text(&self) -> Option<String> {
        self.recur.as_ref().map(Recur::to_string)
    }

    /// The rule as it is sent, in its canonical form: [`Rule::of`] gives an equal one.
    #[must_use]
    pub fn text(&self) -> RuleText {
        let written = |times: &[DateTime]| times.iter().copied().map(civil_text::write).collect();
        RuleText {
            start: self.start_text(),
            zone: self.zone().to_owned(),
            rrule: self.rrule_text(),
            also: written(&self.also),
            except: written(&self.except),
        }
    }

    /// The civil times planned on that day, `YYYY-MM-DDThh:mm:ss`, ascending: what a person means who
    /// leaves out a day.
    #[must_use]
    pub fn planned_on_day(&self, day: Date) -> Vec<String> {
        let planned = self.planned_from(day.to_datetime(Time::midnight()));
        planned.take_while(|planned| planned.date() == day).map(civil_text::write).collect()
    }

    /// Every civil time planned at or after `from`, ascending, each once.
    pub(crate) fn planned_from(&self, from: DateTime) -> impl Iterator<Item = DateTime> {
        let first = self.next_planned(from);
        std::iter::successors(first, |planned| self.next_planned(after(*planned)?))
    }

    /// The first civil time planned at or after `from`. Each that is left out costs one more step, and
    /// of those there are few.
    fn next_planned(&self, from: DateTime) -> Option<DateTime> {
        let mut from = from;
        loop {
            let own = self.own_from(from);
            let also = self.also.iter().copied().find(|also| *also >= from);
            let next = own.into_iter().chain(also).min()?;
            if self.except.binary_search(&next).is_err() {
                return Some(next);
            }
            from = after(next)?;
        }
    }

    /// The first of the rule's own times at or after `from`.
    fn own_from(&self, from: DateTime) -> Option<DateTime> {
        let date =
            if from.time() > self.start.time() { add_days(from.date(), 1)? } else { from.date() };
        let start = self.start.date();
        let date = match &self.recur {
            Some(recur) => dates::first_from(recur, start, date, self.last)?,
            None => Some(start).filter(|start| *start >= date)?,
        };
        Some(date.to_datetime(self.start.time()))
    }
}

/// The next second.
fn after(at: DateTime) -> Option<DateTime> {
    at.checked_add(jiff::SignedDuration::from_secs(1)).ok()
}

fn parse_start(text: &str) -> Result<DateTime, RuleError> {
    let start = civil_text::read(text, civil_text::PLANNED)
        .or_else(|| civil_text::read(text, civil_text::TO_THE_MINUTE))
        .ok_or_else(|| RuleError::Start(shown(text)))?;
    check_year(start).map(|()| start)
}

fn check_year(at: DateTime) -> Result<(), RuleError> {
    if (FIRST_YEAR..=LAST_YEAR).contains(&at.year()) {
        Ok(())
    } else {
        Err(RuleError::Year(at.year()))
    }
}

/// Single times, which must ascend.
fn parse_dates(part: &str, texts: &[String]) -> Result<Vec<DateTime>, RuleError> {
    if texts.len() > MAX_RULE_DATES {
        return Err(RuleError::part(part, "has more than 64 times"));
    }
    let mut times: Vec<DateTime> = Vec::with_capacity(texts.len());
    for text in texts {
        let time = civil_text::read(text, civil_text::PLANNED).ok_or_else(|| {
            RuleError::part(part, "must be local times such as 2027-03-28T19:30:00")
        })?;
        check_year(time)?;
        if times.last().is_some_and(|before| *before >= time) {
            return Err(RuleError::part(part, "must be in order, each time once"));
        }
        times.push(time);
    }
    Ok(times)
}

/// The last date on which the rule itself may plan an occurrence.
fn last_date(recur: &Recur, start: DateTime, tz: &TimeZone) -> Result<Date, RuleError> {
    let until = match recur.end {
        End::Never => return Ok(LAST_DAY),
        End::Count(count) => {
            return Ok(dates::nth(recur, start.date(), count, LAST_DAY).unwrap_or(LAST_DAY));
        }
        End::UntilDay(until) => until.date().to_datetime(Time::constant(23, 59, 59, 0)),
        End::UntilCivil(until) => until,
        End::UntilUtc(until) => {
            // "99991231T235959Z" is beyond what an instant can say, and means: no end.
            tz.to_datetime(Offset::UTC.to_timestamp(until).unwrap_or(Timestamp::MAX))
        }
    };
    if until < start {
        return Err(RuleError::part("UNTIL", "lies before the start"));
    }
    if until.time() >= start.time() {
        return Ok(until.date());
    }
    add_days(until.date(), -1).ok_or(RuleError::Empty)
}
