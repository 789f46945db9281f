//! What came of contact in a programme: `GET /api/v1/report`.

use serde::{Deserialize, Serialize};

/// The figures of a week or month. A figure that is left out would single out a child; it is never 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Report {
    /// A week, `2026W48`, or a month, `202611`: of which the weeks whose Thursday is in it.
    pub period: String,
    /// Its weeks.
    pub weeks: Vec<String>,
    /// Whether all of them have closed: then the figures stay as they are.
    pub closed: bool,
    /// `programme`, `site` or `corridor`.
    pub by: String,
    /// Counts from 1 to below this are left out, and with them what would give them away; absent: none is.
    pub suppressed_below: Option<u32>,
    /// When it was asked for.
    pub as_of: String,
    /// A group each, by name.
    pub groups: Vec<Group>,
    /// All of them together.
    pub total: Group,
}

/// Of some families.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ReportGroup))]
pub struct Group {
    /// The code of a site; the zones of a corridor, `Europe/Rome>Asia/Shanghai`; absent: none is known, or all.
    pub name: Option<String>,
    /// That are counted.
    pub families: Option<u32>,
    /// Their children.
    pub children: Option<u32>,
    /// Children by how they stood at the end, as `jiashu_contact` names it.
    pub standing: Vec<Count>,
    /// Children by how often there was contact in the 28 days up to the end.
    pub band: Vec<Count>,
    /// Occurrences of plans.
    pub expected: Option<u32>,
    /// Of these, kept.
    pub kept: Option<u32>,
    /// Of these, not kept.
    pub missed: Option<u32>,
    /// Of these, kept by each way by itself.
    pub both_ways: Option<u32>,
    /// Kept in percent of expected, with one decimal; absent where fewer than 4 were.
    pub adherence: Option<f64>,
    /// Between what that share lies with 95 % confidence (Wilson's interval), in percent with one decimal.
    pub interval: Option<Interval>,
    /// Both ways in percent of expected.
    pub two_way_adherence: Option<f64>,
    /// How often a parent was heard at home.
    pub home: Option<u32>,
    /// How often a child was heard by a parent.
    pub away: Option<u32>,
    /// Of these two, what came after its week had closed.
    pub late: Option<u32>,
    /// Phones of households.
    pub shared_phones: Option<u32>,
    /// Of these, those on which nothing was said or heard for 42 days.
    pub idle_phones: Option<u32>,
}

/// Between what a share lies, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Interval {
    /// Not below 0.
    pub low: f64,
    /// Not above 100.
    pub high: f64,
}

/// How many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Count {
    /// Of what.
    pub name: String,
    /// Absent: left out.
    pub count: Option<u32>,
}

/// Where one standing ends and the next begins: `/api/v1/thresholds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Days since two-way contact that are on track, at most.
    pub on_track: u32,
    /// The same of watch; and days of taking part that are new.
    pub watch: u32,
    /// The same of at risk.
    pub at_risk: u32,
    /// The same of silent.
    pub silent: u32,
    /// Missed one after the other that put a child at risk.
    pub missed: u32,
}

impl Thresholds {
    /// A contact a week is the floor, as China's rules for the guardians of children left behind have it.
    pub const WEEKLY: Self = Self { on_track: 7, watch: 14, at_risk: 28, silent: 42, missed: 3 };

    /// Every day, where a programme means to come to that.
    pub const DAILY: Self = Self { on_track: 2, watch: 4, at_risk: 10, silent: 21, missed: 3 };
}
