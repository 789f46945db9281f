//! A rule, a zone and an instant give the next occurrence. No I/O and no clock: the caller says
//! what time it is, so the relay that fires and the client that checks reckon alike.
//!
//! Read in this order: a text becomes a part list (`recur`), that and a start become a [`Rule`]
//! (`rule`) with its dates (`dates`), which a `zone` turns into instants (`occurrence`); `preview`
//! shows them on both clocks, and `every` is the short form typed on the command line.
//!
//! All arithmetic is in civil time, and only its result meets the zone (RFC 5545, 3.3.10): "19:30
//! every Sunday" stays 19:30 when the clocks change. The zones are those compiled in, never the
//! machine's. What of RFC 5545 is not done is refused by name, never ignored.

mod recur;

mod rule;

mod dates;

mod occurrence;

mod zone;

mod preview;

mod every;

mod civil_text;
mod error;

pub use error::RuleError;
pub use every::{Every, parse_days, parse_every, weekly_rrule};
pub use jiashu_proto::entry::Adjust;
pub use occurrence::{MAX_STEPS, Occurrence, next_occurrence, occurrence_at, occurrences};
pub use preview::{Clock, PreviewEntry, preview};
pub use recur::{MAX_COUNT, MAX_INTERVAL, MAX_RRULE_BYTES};
pub use rule::{FIRST_YEAR, LAST_YEAR, Rule};
pub use zone::{ZONES, local_text, utc_text};
