//! What staff are asked to do: `/api/v1/tasks`.

use serde::{Deserialize, Serialize};

/// Something to be done for a family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Task {
    /// The programme's own code for it.
    pub case_code: String,
    /// `help`: somebody asked for it. `missed`: contact was missed so often in a row as the thresholds say.
    pub kind: String,
    /// The number of who asked, or of the child.
    pub member: u32,
    /// Since when.
    pub since: String,
}

/// That somebody has seen to it: `POST /api/v1/families/{case}/tasks/done`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = TaskDone))]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// As of a [`Task`].
    pub kind: String,
    /// As of a [`Task`].
    pub member: u32,
}
