//! The places of a programme.

use jiashu_api::site as api;
use jiashu_proto::bounds;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::Scope;

use super::audit::Asked;
use super::colleagues::is_plain;
use super::staff::{Staff, Wants, allow};
use super::thresholds::look_at_all;
use crate::execute::Failure;
use crate::family::Refusal;
use crate::notify::digest;
use crate::programme::{self, SiteFact, entry, site_key};
use crate::relay::Relay;
use crate::store::{Batch, Store, StoreError};

/// All of them, by code. They are no secret among the staff.
///
/// # Errors
///
/// [`StoreError`].
pub async fn list(relay: &Relay, staff: &Staff) -> Result<Vec<api::Site>, StoreError> {
    let sites: Vec<(String, SiteFact)> = programme::all(&*relay.store, staff.programme).await?;
    let site = |(code, SiteFact { name, zone, org_unit })| api::Site { code, name, zone, org_unit };
    Ok(sites.into_iter().map(site).collect())
}

/// Adds a site, or says something else of one.
///
/// # Errors
///
/// [`Failure`].
pub async fn put(relay: &Relay, staff: &Staff, site: api::Site) -> Result<(), Failure> {
    allow(relay, staff, Wants::Programme, Asked::of("site", &*site.code)).await?;
    let malformed = |text: &str| Failure::from(Refusal::new(ErrorCode::Malformed, text));
    let api::Site { code, name, zone, org_unit } = site;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !(1..=bounds::MAX_SITE_CODE).contains(&code.len()) || !code.bytes().all(allowed) {
        return Err(malformed("a site's code is 1 to 32 letters, digits or any of - _ ."));
    }
    if !is_plain(&name) || org_unit.as_deref().is_some_and(|unit| !is_plain(unit)) {
        return Err(malformed("a text is too long, or has a hidden character"));
    }
    if jiashu_recurrence::local_text(jiff::Timestamp::UNIX_EPOCH, &zone).is_err() {
        return Err(malformed("an unknown time zone"));
    }
    let store = &*relay.store;
    let earlier: Option<SiteFact> =
        programme::find(store, staff.programme, &site_key(&code)).await?;
    let moves = earlier.is_some_and(|earlier| earlier.zone != zone);
    let entries = vec![entry(site_key(&code), &SiteFact { name, zone, org_unit })];
    let batch = Batch { entries, ..Batch::new(relay.clock.now()) };
    store.commit(staff.programme, batch).await?;
    digest::arrange(relay, staff.programme).await?;
    if moves {
        // The days of its families are others.
        look_at_all(relay, staff.programme).await?;
    }
    Ok(())
}

/// Refuses the code of a site that there is not.
pub(super) async fn sites_exist(
    store: &dyn Store,
    programme: Scope,
    codes: &[String],
) -> Result<(), Failure> {
    for code in codes {
        let known: Option<SiteFact> = programme::find(store, programme, &site_key(code)).await?;
        if known.is_none() {
            let text = "unknown site: a coordinator adds it with jiashu ngo site add";
            return Err(Refusal::new(ErrorCode::Malformed, text).into());
        }
    }
    Ok(())
}
