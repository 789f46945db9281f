//! What holds of consent in a programme where nobody says otherwise.

use jiashu_api::consent as api;
use jiashu_proto::entry::Jurisdiction;
use jiashu_proto::error::ErrorCode;

use super::audit::Asked;
use super::staff::{Staff, Wants, allow};
use crate::execute::{self, Failure};
use crate::family::Refusal;
use crate::programme::{ConsentSettings, ProgrammeFact as _, entry};
use crate::relay::Relay;
use crate::store::{Batch, StoreError};

/// No consent that ends holds longer than this, in months.
const MOST: u32 = 240;

/// The highest number of a text.
const MOST_TEXTS: u32 = 9_999;

/// What is in force.
///
/// # Errors
///
/// [`StoreError`].
pub async fn show(relay: &Relay, staff: &Staff) -> Result<api::ConsentSettings, StoreError> {
    let stands = execute::staff::consent_settings(&*relay.store, staff.programme).await?;
    let ConsentSettings { jurisdiction, text_version, valid_months } = stands;
    let jurisdiction = jurisdiction.map(|one| one.name().to_owned());
    Ok(api::ConsentSettings { jurisdiction, text_version, valid_months })
}

/// Puts others in force, for what is recorded from then on: no consent that stands is changed.
///
/// # Errors
///
/// [`Failure`].
pub async fn set(relay: &Relay, staff: &Staff, new: api::ConsentSettings) -> Result<(), Failure> {
    let api::ConsentSettings { jurisdiction, text_version, valid_months } = new;
    let known = jurisdiction.as_deref().map(Jurisdiction::from_name);
    let word = match known {
        // What is no word of ours stands in no log of ours.
        Some(None) => "?",
        None => "none",
        Some(Some(one)) => one.name(),
    };
    let number = |number: Option<u32>| number.map_or("none".to_owned(), |it| it.to_string());
    let detail = format!("{word} {} {}", number(text_version), number(valid_months));
    let asked = Asked { action: "consent-settings", subject: None, detail: Some(detail) };
    allow(relay, staff, Wants::Programme, asked).await?;
    let malformed = |text: &str| Failure::from(Refusal::new(ErrorCode::Malformed, text));
    let jurisdiction = match known {
        None => None,
        Some(Some(one)) => Some(one),
        Some(None) => return Err(malformed("a jurisdiction is one of cn, ro, md, lv, it")),
    };
    let within = |number: Option<u32>, most| number.is_none_or(|it| (1..=most).contains(&it));
    if !within(text_version, MOST_TEXTS) || !within(valid_months, MOST) {
        return Err(malformed("a text's number is 1 to 9999, a consent holds 1 to 240 months"));
    }
    let fact = ConsentSettings { jurisdiction, text_version, valid_months };
    let entries = vec![entry(ConsentSettings::KEYS.to_owned(), &fact)];
    let batch = Batch { entries, ..Batch::new(relay.clock.now()) };
    relay.store.commit(staff.programme, batch).await?;
    Ok(())
}
