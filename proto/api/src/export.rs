//! Figures as files: `GET /api/v1/exports/…`. The files are CSV (RFC 4180, UTF-8), of DHIS2 JSON too; here is what is told
//! about them.

use serde::{Deserialize, Serialize};

/// What the columns of a file mean: `GET /api/v1/exports/codebook/{name}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Codebook {
    /// `family-week`, `contact-events`, `site-period` or `dhis2`.
    pub name: String,
    /// As they stand in the file; of DHIS2 its data elements.
    pub columns: Vec<Column>,
}

/// What a column means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = CodebookColumn))]
pub struct Column {
    /// As in the header; of DHIS2 the code of the data element.
    pub column: String,
    /// `integer`, `number`, `text`, `date`, `time`, `period`, `yes/no` or a closed list of words.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of what; absent where it counts or measures nothing.
    pub unit: Option<String>,
    /// For a person.
    pub meaning: String,
    /// Where docs/monitoring.md says how it comes about.
    pub formula: String,
}

/// What would be in a data value set: `GET /api/v1/exports/dhis2?dry_run=yes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DataValuePreview))]
pub struct Preview {
    /// Of which weeks or months, as DHIS2 names them.
    pub periods: Vec<String>,
    /// Of those that were asked for these have not closed, and are left out.
    pub not_closed: Vec<String>,
    /// Organisation units of which there are values.
    pub org_units: Vec<String>,
    /// Values.
    pub values: usize,
    /// Values that were handed out before and may not be seen any more.
    pub deletions: usize,
    /// Sites that have none.
    pub left_out: Vec<LeftOut>,
}

/// A site of which nothing goes to DHIS2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeftOut {
    /// Its code; absent: families of which nobody said where they live.
    pub site: Option<String>,
    /// Why, and what to do about it.
    pub reason: String,
}
