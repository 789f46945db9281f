//! Who works for a programme: `/api/v1/staff`.

use serde::{Deserialize, Serialize};

/// Whether somebody is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = StaffStatus))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Has a link and has not used it.
    Invited,
    /// Is in.
    Active,
    /// Is out.
    Left,
}

/// A member of staff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = StaffMember))]
pub struct Member {
    /// The number in the programme.
    pub number: u32,
    /// `coordinator`, `caseworker` or `auditor`.
    pub role: String,
    /// What colleagues call them.
    pub name: String,
    /// Where letters to staff go.
    pub email: Option<String>,
    /// Codes of their sites.
    pub sites: Vec<String>,
    /// Whether they are in.
    pub status: Status,
    /// How many families are theirs by name.
    pub families: usize,
}

/// Somebody new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = NewStaff))]
#[serde(deny_unknown_fields)]
pub struct New {
    /// `coordinator`, `caseworker` or `auditor`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(coordinator|caseworker|auditor)$"))]
    pub role: String,
    /// What colleagues call them.
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub name: String,
    /// Where letters to staff go.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub email: Option<String>,
    /// In which language, BCP 47.
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub language: String,
    /// Codes of their sites.
    #[serde(default)]
    pub sites: Vec<String>,
    /// SHA-256 of the secret in the link that lets them in, hexadecimal. The relay never sees the secret.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9a-fA-F]{64}$"))]
    pub code_hash: String,
}

/// What a member of staff says of itself: `PUT /api/v1/staff/me`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = OwnEntry))]
#[serde(deny_unknown_fields)]
pub struct Me {
    /// What colleagues call them; absent: as before.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub name: Option<String>,
    /// Where letters to staff go; empty: nowhere; absent: as before.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub email: Option<String>,
    /// In which language, BCP 47; absent: as before.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_length = 200))]
    pub language: Option<String>,
}

/// Somebody new may come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = InvitedStaff))]
pub struct Invited {
    /// The number they will have.
    pub number: u32,
    /// Until when the link holds, in ms.
    pub expires_at: i64,
}

/// Whose a family is: `PUT /api/v1/families/{case}/worker`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Assign {
    /// The number of a member of staff.
    pub staff: u32,
}

/// A link by which a member of staff signs in with a browser, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignInLink {
    /// Whoever has it is let in.
    pub link: String,
    /// Until when it holds, in ms.
    pub expires_at: i64,
}

/// A browser in which a member of staff is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = StaffSession))]
pub struct Session {
    /// By which it is ended.
    pub name: String,
    /// Since when.
    pub began_at: String,
    /// When it was used last, to half an hour.
    pub seen_at: String,
    /// When it ends by itself if it is not used.
    pub ends_at: String,
    /// Which browser, on what.
    pub agent: String,
}
