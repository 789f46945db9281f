//! A rule that makes sense as a whole: it has a start, a zone, dates and an end, and gives at least
//! one occurrence. Turning its civil times into instants is left to `occurrence`.

use jiashu_proto::entry::RuleText;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

use crate::RuleError;
use crate::civil_text;
use crate::cycle::{Cycle, add_days};
use crate::error::shown;
use crate::recur::{End, Recur};
use crate::zone;

/// The first year in which a rule may start.
pub const FIRST_YEAR: i16 = 2000;
/// The last year in which a rule gives occurrences; a rule without an end ends with it.
pub const LAST_YEAR: i16 = 2199;

/// When something happens: a civil start in a zone, and how it repeats, if it does.
///
/// The parts are those of RFC 5545, 3.3.10. The start is the first occurrence if its day meets
/// the parts, else the first is the first day after it that does (as python-dateutil has it; RFC
/// 5545, 3.8.5.3 leaves it open). All occurrences are at the start's time of day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    start: DateTime,
    tz: TimeZone,
    recur: Option<Recur>,
    dates: Cycle,
    /// No date after this one. COUNT counts planned dates, so it becomes one here, once and for all.
    last: Date,
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
        let start = parse_start(start)?;
        let tz = zone::find(zone)?;
        let recur = rrule.map(Recur::parse).transpose()?;
        let dates = match &recur {
            Some(recur) => Cycle::new(recur, start.date())?,
            None => Cycle::once(start.date()),
        };
        let end = recur.as_ref().map_or(End::Count(1), |recur| recur.end);
        let last = last_date(end, start, &tz, &dates)?.min(Date::constant(LAST_YEAR, 12, 31));
        let rule = Self { start, tz, recur, dates, last };
        rule.first_date_from(start.date()).map(|_| ()).ok_or(RuleError::Empty)?;
        Ok(rule)
    }

    /// The rule of a schedule, as sent.
    ///
    /// # Errors
    ///
    /// As of [`Rule::parse`].
    pub fn of(text: &RuleText) -> Result<Self, RuleError> {
        if !text.also.is_empty() || !text.except.is_empty() {
            return Err(RuleError::unsupported("a date besides"));
        }
        Self::parse(&text.start, &text.zone, text.rrule.as_deref())
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

    /// The first of the rule's dates at or after `from`.
    pub(crate) fn first_date_from(&self, from: Date) -> Option<Date> {
        let from = Some(from.max(self.start.date())).filter(|from| *from <= self.last)?;
        self.dates.first_from(from).filter(|date| *date <= self.last)
    }

    /// The civil time planned on one of the rule's dates.
    pub(crate) fn planned_on(&self, date: Date) -> DateTime {
        date.to_datetime(self.start.time())
    }
}

fn parse_start(text: &str) -> Result<DateTime, RuleError> {
    let start = civil_text::read(text, civil_text::PLANNED)
        .or_else(|| civil_text::read(text, civil_text::TO_THE_MINUTE))
        .ok_or_else(|| RuleError::Start(shown(text)))?;
    if !(FIRST_YEAR..=LAST_YEAR).contains(&start.year()) {
        return Err(RuleError::Year(start.year()));
    }
    Ok(start)
}

/// The last date on which an occurrence may be planned, of all the calendar has.
fn last_date(end: End, start: DateTime, tz: &TimeZone, dates: &Cycle) -> Result<Date, RuleError> {
    let until = match end {
        End::Never => return Ok(Date::MAX),
        End::Count(count) => return Ok(dates.nth(count - 1).unwrap_or(Date::MAX)),
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
