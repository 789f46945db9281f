//! What staff ask of a relay under `/api/v1`, and what they are answered: the shapes of its JSON, for both ends. No I/O.
//!
//! Staff see case codes, roles, zones, counts and times; never a name, and never what was said. Times are RFC 3339 in UTC,
//! days are `YYYY-MM-DD` on the clock of the family's site.

pub mod worklist;

pub mod family;

pub mod consent;

pub mod transfer;

pub mod report;

pub mod programme;

pub mod staff;

pub mod site;

pub mod audit;

pub mod task;

pub mod mail;

pub mod export;

/// Why something was refused (RFC 9457).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// For a person: what to do about it.
    #[serde(default)]
    pub title: String,
    /// For a program: the word of the protocol's error.
    #[serde(default)]
    pub code: String,
}
