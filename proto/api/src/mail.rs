//! E-mails that did not arrive, or of which nobody knows: `GET /api/v1/mail`.

use serde::{Deserialize, Serialize};

/// An e-mail, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = UndeliveredMail))]
pub struct Undelivered {
    /// Its Message-ID is this at the relay's domain.
    pub id: String,
    /// When that was known.
    pub at: String,
    /// `help`, `nudge` or `digest`.
    pub about: String,
    /// To whom of the staff, by number; absent: to a parent, or to nobody.
    pub staff: Option<u32>,
    /// Of which case; absent: of the programme.
    pub case_code: Option<String>,
    /// `refused`, `given_up`, `nobody_to_tell`, `no_mail_server`; `perhaps_twice`: it arrived once or
    /// more often; or `unknown`: nobody knows whether it arrived.
    pub outcome: String,
    /// What the mail server said, by the code of SMTP.
    pub smtp_code: Option<u16>,
}
