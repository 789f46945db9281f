//! Places of a programme: `/api/v1/sites`.

use serde::{Deserialize, Serialize};

/// A place where families live: one organisation unit of DHIS2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// 1 to 32 letters, digits or any of `-` `_` `.`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Za-z0-9._-]{1,32}$"))]
    pub code: String,
    /// What staff call it.
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub name: String,
    /// Its clock, IANA: days and weeks of its families are those of this clock.
    pub zone: String,
    /// Its organisation unit's code in DHIS2.
    #[serde(default)]
    pub org_unit: Option<String>,
}
