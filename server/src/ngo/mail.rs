//! E-mails of a programme that did not arrive, or of which nobody knows.

use jiashu_api::mail as api;

use super::audit::Asked;
use super::staff::{Staff, Wants, allow_quietly};
use crate::clock::text;
use crate::execute::Failure;
use crate::notify::undelivered::{Undelivered, Why, all};
use crate::relay::Relay;

/// The newest of them.
///
/// # Errors
///
/// [`Failure`].
pub async fn list(relay: &Relay, staff: &Staff) -> Result<Vec<api::Undelivered>, Failure> {
    let asked = Asked { action: "mail", ..Asked::default() };
    allow_quietly(relay, staff, Wants::Programme, asked).await?;
    let all = all(&*relay.store, staff.programme).await?;
    Ok(all.into_iter().map(listed).collect())
}

fn listed(one: Undelivered) -> api::Undelivered {
    api::Undelivered {
        id: one.id.to_string(),
        at: text(one.at),
        about: one.about,
        staff: one.staff.map(|number| number.0),
        case_code: one.case_code,
        outcome: one.why.name().to_owned(),
        smtp_code: match one.why {
            Why::Refused(code) => Some(code),
            _ => None,
        },
    }
}
