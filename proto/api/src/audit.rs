//! Who asked for what: `GET /api/v1/audit`.

use serde::{Deserialize, Serialize};

/// The audit log of a programme, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = AuditLog))]
pub struct Log {
    /// SHA-256 of the newest entry, hexadecimal: who notes it elsewhere can tell later whether anything was altered.
    pub hash: String,
    /// How many entries there are in all.
    pub length: u64,
    /// Those that were asked for.
    pub entries: Vec<Entry>,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = AuditEntry))]
pub struct Entry {
    /// From 1, without a gap.
    pub number: u64,
    /// When.
    pub at: String,
    /// Who, by the number in the programme.
    pub staff: u32,
    /// What was asked for.
    pub action: String,
    /// Of which case, site or member of staff.
    pub subject: Option<String>,
    /// What else is to be known, in code words.
    pub detail: Option<String>,
    /// Whether it was let through.
    pub allowed: bool,
}
