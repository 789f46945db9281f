//! What holds of consent in a programme where nobody says otherwise: `/api/v1/consent-settings`.

use serde::{Deserialize, Serialize};

/// It.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ConsentSettings {
    /// By whose law a child's own word is enough from some age on: `cn`, `ro`, `md`, `lv` or `it`; absent: by none, and the
    /// guardian and the child are both needed until the child is 18.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(pattern = "^(cn|ro|md|lv|it)$"))]
    pub jurisdiction: Option<String>,
    /// Number of the text that is read, 1 to 9,999.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 9999))]
    pub text_version: Option<u32>,
    /// For how many months a consent holds, 1 to 240; absent: without end.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 240))]
    pub valid_months: Option<u32>,
}
