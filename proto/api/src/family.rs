//! What staff do for one family.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Days on which nothing is expected: `POST /api/v1/families/{case}/pause`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// `parent-home`, `joined-parent`, `exams` or `phone-broken`.
    pub reason: String,
    /// The first day; absent: today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Date>,
    /// The last day.
    pub until: Date,
}

/// What staff propose to intend: `POST /api/v1/families/{case}/plan`. The family confirms it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// All of these; none: nothing is intended.
    pub rules: Vec<Rule>,
}

/// When contact is intended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// First civil time, `YYYY-MM-DDThh:mm:ss`.
    pub start: String,
    /// IANA zone, the child's; absent: as the relay knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The value of an RRULE (RFC 5545); absent: once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rrule: Option<String>,
    /// How many minutes late is still kept; absent: half a day where the next is less than two days away, else two
    /// days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_min: Option<u32>,
}

/// A member is suspended: `PUT /api/v1/families/{case}/suspensions/{member}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspend {
    /// `court-order`, `safeguarding` or `own-wish`.
    pub reason: String,
}
