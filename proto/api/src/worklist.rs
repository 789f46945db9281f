//! Which family to ring first: `GET /api/v1/worklist`.

use serde::{Deserialize, Serialize};

use crate::task::Task;

/// The families of a member of staff, those first that need somebody most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Worklist {
    /// When it was asked for.
    pub as_of: String,
    /// How many they are in all.
    pub total: usize,
    /// The first of them, in that order: at most 200, or as many as `?limit=` says.
    pub families: Vec<Family>,
}

/// Whether contact of a family is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Counting {
    /// It is.
    Counted,
    /// Letters move, and nothing is counted: not everybody has agreed to that.
    NotCounted,
    /// Not everybody has agreed to taking part: no letter moves.
    NotActive,
}

/// A family of a worklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = WorklistFamily))]
pub struct Family {
    /// The programme's own code for it.
    pub case_code: String,
    /// The code of its site.
    pub site: Option<String>,
    /// Whether contact is counted.
    pub counting: Counting,
    /// How it stands: as the child of whom that is worst.
    pub standing: String,
    /// Days since both had last heard each other, of the child for whom that is longest: as standings count them, on the
    /// clock of the site and without those of pauses; absent: never since it is counted.
    pub days_since_two_way: Option<i64>,
    /// The most that a child has missed one after the other.
    pub missed_in_a_row: u32,
    /// When contact is intended next, where it is.
    pub next: Option<Next>,
    /// Its children.
    pub children: Vec<Child>,
    /// Its phones.
    pub phones: Vec<Phone>,
    /// When this was reckoned.
    pub as_of: String,
    /// What is to be done for it, a call for help first.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// The first day on which something that is agreed to holds no more, `YYYY-MM-DD`.
    #[serde(default)]
    pub agreed_until: Option<String>,
    /// When all of it is deleted, as it or staff asked, if nobody takes that back before.
    #[serde(default)]
    pub leaves_at: Option<String>,
}

/// When contact is intended next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = NextContact))]
pub struct Next {
    /// In UTC.
    pub at: String,
    /// On the clock at home, with its offset.
    pub home: Option<String>,
    /// On the clock of the first parent.
    pub away: Option<String>,
}

/// A child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = WorklistChild))]
pub struct Child {
    /// Its number in the family.
    pub member: u32,
    /// How it stands.
    pub standing: String,
    /// How often there was contact in the last 28 days.
    pub band: String,
    /// Missed one after the other.
    pub missed_in_a_row: u32,
    /// Days since both had last heard each other, counted likewise; absent: never since it is counted.
    pub days_since_two_way: Option<i64>,
    /// The same of when it last heard a parent.
    pub days_since_home: Option<i64>,
    /// The same of when a parent last heard it.
    pub days_since_away: Option<i64>,
}

/// How a phone is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = PhoneUse))]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// Something was said or heard on it in the last 14 days.
    Used,
    /// Nothing for 14 days.
    Quiet,
    /// Nothing for 42 days.
    Idle,
    /// Nothing yet.
    Never,
    /// Nobody counts.
    NotCounted,
}

/// A phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = WorklistPhone))]
pub struct Phone {
    /// Its number in the family.
    pub device: u32,
    /// The roles of those whom it serves.
    pub serves: Vec<String>,
    /// Whether a household shares it.
    pub shared: bool,
    /// How it is used.
    #[serde(rename = "use")]
    pub in_use: Use,
    /// Whole days since something was said or heard on it.
    pub days_unused: Option<i64>,
}
