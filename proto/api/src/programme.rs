//! The programme as its page shows it: `GET /api/v1/programme`.

use serde::{Deserialize, Serialize};

use crate::report::{Count, Group};

/// How the families of a programme, or some of them, do over some weeks. A figure that is left out would single out a child;
/// it is never 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Programme {
    /// When it was asked for.
    pub as_of: String,
    /// Counts from 1 to below this are left out, and with them what would give them away; absent: none is.
    pub suppressed_below: Option<u32>,
    /// Whether not even how many children there are may be said of the last week.
    pub too_few: bool,
    /// Which families and children it is of.
    pub filters: Filters,
    /// What filters may say.
    pub choices: Choices,
    /// The weeks, in order.
    pub weeks: Vec<Week>,
    /// All of it together. What came about is added up, what stands is as it stands at the end of the last week.
    pub total: Group,
    /// The same by site; empty where that would be a second filter for who may set one.
    pub sites: Vec<Group>,
    /// Children of the last week by the longest time without any contact in these weeks, in whole days: `0-2` to `43+`.
    pub gaps: Vec<Count>,
    /// How often phones of households were used, a list of 24 hours for each day, Monday first, on the clock of the site;
    /// absent, or `null` for an hour: left out.
    pub hours: Option<Vec<Vec<Option<u32>>>>,
}

/// A week.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = ProgrammeWeek))]
pub struct Week {
    /// `2026W48`.
    pub week: String,
    /// Whether it has closed: then its figures stay as they are.
    pub closed: bool,
    /// Of that week alone.
    pub figures: Group,
}

/// Which families and children are asked about: those of whom all holds that is said here. A family is where it was in each
/// week, and a child as old and stands as it did then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Filters {
    /// The code of a site.
    pub site: Option<String>,
    /// The number of a member of staff: the families that they have on their worklist.
    pub worker: Option<u32>,
    /// From where to where, `Europe/Rome>Asia/Shanghai`.
    pub corridor: Option<String>,
    /// Years of age at the end of each week, `6-8`; `unknown`.
    pub age: Option<String>,
    /// Who looks after the children, `grandparents`; `unknown`. Left out where nobody asks by it, as older readers know no
    /// such filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub care: Option<String>,
    /// How a child stands at the end of each week, `at_risk`.
    pub standing: Option<String>,
}

/// What filters may say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Choices {
    /// By code.
    pub sites: Vec<Place>,
    /// By number; of who may not filter by them, none.
    pub workers: Vec<Worker>,
    /// In these weeks.
    pub corridors: Vec<String>,
    /// The youngest first.
    pub ages: Vec<String>,
    /// Who looks after children of these weeks; none where nobody said it of any.
    #[serde(default)]
    pub cares: Vec<String>,
    /// The best first.
    pub standings: Vec<String>,
}

/// A site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Place {
    /// Its code.
    pub code: String,
    /// What staff call it.
    pub name: String,
}

/// A member of staff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Worker {
    /// The number in the programme.
    pub number: u32,
    /// What colleagues call them.
    pub name: String,
}
