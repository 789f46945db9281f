//! Figures that leave as files: rows of single families for a coordinator, under names of their own (`family_week`,
//! `contact_events`, named by `pseudonym`), and sums of sites in which nobody can be singled out (`site_period`, `dhis2`).
//!
//! A file is a `sheet`: the table of its columns writes its header and its codebook, so these cannot differ. Every one that
//! is asked for stands in the audit log. None holds a name, a case code or a word of what was said.

use futures_util::Stream;
use jiashu_api::export as api;
use jiashu_contact::week::Week;
use jiashu_proto::error::ErrorCode;

use super::audit::Asked;
use super::period::Period;
use super::staff::{Staff, Wants, allow};
use crate::execute::Failure;
use crate::family::Refusal;
use crate::relay::Relay;

pub mod sheet;

pub mod pseudonym;

pub mod family_week;

pub mod contact_events;

pub mod site_period;

pub mod dhis2;

/// Some rows of a file, one after the other; where one fails, the file has no end.
pub trait Pieces: Stream<Item = Result<Vec<u8>, Failure>> + Send + 'static {}

impl<S: Stream<Item = Result<Vec<u8>, Failure>> + Send + 'static> Pieces for S {}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// In order; never empty.
    pub periods: Vec<Period>,
    /// Whether also those that have not closed.
    pub provisional: bool,
}

impl Wish {
    /// Every week of all of them.
    fn weeks(&self) -> Vec<Week> {
        self.periods.iter().flat_map(|period| period.weeks.iter().copied()).collect()
    }

    /// From which to which, for the audit log.
    fn text(&self) -> String {
        let name = |period: Option<&Period>| period.map(|one| one.name.clone()).unwrap_or_default();
        match &self.periods[..] {
            [one] => one.name.clone(),
            several => format!("{} to {}", name(several.first()), name(several.last())),
        }
    }
}

/// Lets somebody have a file of that name, which is noted.
async fn allow_file(
    relay: &Relay,
    staff: &Staff,
    wants: Wants,
    name: &str,
    wish: &Wish,
) -> Result<(), Failure> {
    allow(relay, staff, wants, Asked::of("export", name).saying(wish.text())).await?;
    if wish.periods.first().is_some_and(|first| !first.has_begun(relay.clock.now())) {
        return Err(Refusal::new(ErrorCode::Malformed, "that has not begun yet").into());
    }
    Ok(())
}

/// What the columns of a file mean; `None` if there is no such file.
#[must_use]
pub fn codebook(name: &str) -> Option<api::Codebook> {
    let columns = match name {
        family_week::NAME => sheet::codebook(&family_week::COLUMNS),
        contact_events::NAME => sheet::codebook(&contact_events::COLUMNS),
        site_period::NAME => sheet::codebook(&site_period::COLUMNS),
        dhis2::NAME => dhis2::codebook(dhis2::PREFIX),
        _ => return None,
    };
    Some(api::Codebook { name: name.to_owned(), columns })
}

#[cfg(test)]
mod tests;
