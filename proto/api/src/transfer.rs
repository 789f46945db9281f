//! Families that go to another programme of the same relay: `/api/v1/transfers`.

use serde::{Deserialize, Serialize};

/// Offers a family to another programme: `POST /api/v1/families/{case}/transfer`. `DELETE` takes that back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The other programme's number, 16 hexadecimal digits.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9a-f]{16}$"))]
    pub programme: String,
}

/// An offer that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Offered {
    /// What the other programme takes it by, 16 hexadecimal digits.
    pub offer: String,
    /// The code that the family has where it is.
    pub case_code: String,
    /// The number of the other programme.
    pub programme: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// Takes a family that is offered: `POST /api/v1/transfers/{offer}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// The code that the family has from then on.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Za-z0-9._/-]{1,64}$"))]
    pub case_code: String,
    /// The code of its site; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
}

/// What is offered: `GET /api/v1/transfers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Transfers {
    /// The own programme's number: who wants to offer a family to it has to know it.
    pub programme: String,
    /// To this programme.
    pub received: Vec<Offered>,
    /// By this programme.
    pub given: Vec<Offered>,
}
