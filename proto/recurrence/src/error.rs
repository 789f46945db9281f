//! Why a rule was refused, in words that its author can act on. Where it is shown, and in which
//! language, is left to the caller.

use crate::{FIRST_YEAR, LAST_YEAR, MAX_RRULE_BYTES};

/// Why a rule, a zone or a list of days was refused.
///
/// What the author wrote is repeated in at most [`RuleError::SHOWN`] characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The start is not `YYYY-MM-DDThh:mm` or `YYYY-MM-DDThh:mm:ss`, or no such date exists.
    #[error("start {0:?} is not a local time such as 2026-11-22T20:00")]
    Start(String),
    /// The start's year is none in which a rule gives occurrences.
    #[error("the year {0} is not one of {FIRST_YEAR} to {LAST_YEAR}")]
    Year(i16),
    /// Not a name of the IANA time zone database.
    #[error("{0:?} is not a time zone such as Asia/Shanghai")]
    Zone(String),
    /// The rule's text is longer than [`MAX_RRULE_BYTES`].
    #[error("the rule is longer than {MAX_RRULE_BYTES} bytes")]
    TooLong,
    /// A part of RFC 5545 (or of nobody) that we do not do: by its name, or with its value where
    /// other values are done.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// A part that we do, with a value that makes no sense.
    #[error("{part}: {reason}")]
    Part {
        /// Its name, such as `COUNT`.
        part: String,
        /// What is asked of it.
        reason: &'static str,
    },
    /// Every part makes sense, but no date meets them all.
    #[error("the rule gives no occurrence")]
    Empty,
    /// Not a list of days such as `sun,wed`, `mon-fri` or `day`.
    #[error("{0:?} is not a list of days such as sun,wed or mon-fri or day")]
    Days(String),
    /// Not a time of day such as `19:30`.
    #[error("{0:?} is not a time of day such as 19:30")]
    Time(String),
}

impl RuleError {
    /// How many characters of a refused text an error repeats.
    pub const SHOWN: usize = 40;

    pub(crate) fn part(part: &str, reason: &'static str) -> Self {
        Self::Part { part: shown(part), reason }
    }

    pub(crate) fn unsupported(part: &str) -> Self {
        Self::Unsupported(shown(part))
    }
}

/// The text as an error repeats it: a hostile one must not fill a log.
pub(crate) fn shown(text: &str) -> String {
    text.chars()
        .take(RuleError::SHOWN)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
