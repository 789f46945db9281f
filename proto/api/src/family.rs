//! What staff do for one family.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::worklist::Family;

/// Days on which nothing is expected: `POST /api/v1/families/{case}/pause`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// `parent-home`, `joined-parent`, `exams` or `phone-broken`.
    #[cfg_attr(
        feature = "openapi",
        schema(pattern = "^(parent-home|joined-parent|exams|phone-broken)$")
    )]
    pub reason: String,
    /// The first day; absent: today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub first: Option<Date>,
    /// The last day.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub until: Date,
}

/// What staff propose to intend: `POST /api/v1/families/{case}/plan`. The family confirms it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// All of these; none: nothing is intended.
    #[cfg_attr(feature = "openapi", schema(max_items = 8))]
    pub rules: Vec<Rule>,
}

/// When contact is intended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// First civil time, `YYYY-MM-DDThh:mm:ss`.
    #[cfg_attr(
        feature = "openapi",
        schema(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$")
    )]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Suspend {
    /// `court-order`, `safeguarding` or `own-wish`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(court-order|safeguarding|own-wish)$"))]
    pub reason: String,
}

/// That somebody of the staff met a family: `POST /api/v1/families/{case}/visits`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Visit {
    /// `visit` or `call`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(visit|call)$"))]
    pub how: String,
    /// The day; absent: today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub on: Option<Date>,
}

/// A [`Visit`] as it was noted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Visited {
    /// The day.
    pub on: String,
    /// As of a [`Visit`].
    pub how: String,
    /// Who, by the number of a member of staff.
    pub staff: u32,
}

/// All that staff see of a family: `GET /api/v1/families/{case}`. No name, and nothing that was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Case {
    /// How it stands, as on the worklist.
    pub stands: Family,
    /// Whose it is, by the number of a member of staff; absent: its site's caseworkers'.
    pub worker: Option<u32>,
    /// Who is in it, ascending.
    pub members: Vec<Member>,
    /// What it intends.
    pub plan: Vec<Rule>,
    /// What staff have proposed and nobody has answered yet.
    pub proposed: Option<Vec<Rule>>,
    /// Days on which nothing is expected, in the order they were entered.
    pub pauses: Vec<Paused>,
    /// Up to twelve weeks, the oldest first; none where contact is not counted.
    pub weeks: Vec<Week>,
    /// When staff met it, the newest first, at most 24.
    pub visits: Vec<Visited>,
    /// How far its letters came; absent where contact is not counted.
    pub funnel: Option<Funnel>,
}

/// How far letters of the last twelve weeks came. Counts, and nothing of which they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Funnel {
    /// From parents to children.
    pub home: Steps,
    /// From children to parents.
    pub away: Steps,
}

/// How many letters came how far: each is a part of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Steps {
    /// That went.
    pub sent: u32,
    /// That are on a phone of whom they were for.
    pub reached: u32,
    /// That one of them heard.
    pub heard: u32,
    /// After which somebody at home wrote back within 72 hours; absent of the way away.
    pub answered: Option<u32>,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// Its number in the family.
    pub member: u32,
    /// `parent`, `caregiver` or `child`.
    pub role: String,
    /// IANA.
    pub zone: Option<String>,
    /// BCP 47.
    pub language: Option<String>,
    /// Why it is suspended, if it is, as of a [`Suspend`].
    pub suspended: Option<String>,
    /// What is recorded of taking part, and of counting; days.
    pub consent_on: Option<String>,
    /// Of the child itself.
    pub assent_on: Option<String>,
    /// When taking part was taken back; of a child by itself, or nobody says by whom.
    pub withdrawn_on: Option<String>,
    /// The same of the guardian, which is heard until the child's own word is enough.
    pub guardian_withdrawn_on: Option<String>,
    /// That contact is counted.
    pub counting_on: Option<String>,
    /// The same of the child itself.
    pub counting_assent_on: Option<String>,
    /// When counting was taken back.
    pub counting_withdrawn_on: Option<String>,
    /// The same of the guardian.
    pub counting_guardian_withdrawn_on: Option<String>,
    /// What holds of taking part today: `given`, `not_yet`, `expired`, `withdrawn` or `refused`.
    #[serde(default)]
    pub takes_part: String,
    /// The same of counting.
    #[serde(default)]
    pub counting: String,
    /// From which day on a child's own word is enough; absent: not known, and both are needed.
    pub own_word_from: Option<String>,
}

/// Days on which nothing is expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Paused {
    /// The first.
    pub first: String,
    /// The last.
    pub last: String,
    /// As of a [`Pause`].
    pub reason: String,
    /// Whether it was taken back, as if it had never been.
    pub withdrawn: bool,
}

/// What a family's figures say of a week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Week {
    /// `2026W48`.
    pub week: String,
    /// Whether it will stay so.
    pub closed: bool,
    /// Of its site then.
    pub site: Option<String>,
    /// Its children that were counted.
    pub children: Vec<ChildWeek>,
}

/// What a child's figures say of a week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChildWeek {
    /// Its number in the family.
    pub member: u32,
    /// Evenings of the plan that are decided.
    pub expected: u32,
    /// Of these, kept.
    pub kept: u32,
    /// How often a parent was heard at home.
    pub home: u32,
    /// How often the child was heard by a parent.
    pub away: u32,
    /// Of these two, what came late.
    pub late: u32,
    /// On how many days something was heard.
    pub days: u32,
    /// How it stood at the end.
    pub standing: String,
}

/// That a family be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Erase {
    /// Whether the family told staff so: then it is at once, else after the time in which it may be taken back.
    #[serde(default)]
    pub family_asked: bool,
}

/// That a family will be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Leaves {
    /// When, in ms since 1970, UTC.
    pub until: i64,
}

/// Where a family is from now on: `PUT /api/v1/families/{case}/site`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The code of a site of the programme.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Za-z0-9._-]{1,32}$"))]
    pub site: String,
}
