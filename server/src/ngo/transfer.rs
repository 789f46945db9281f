//! Where a family goes: to another site of the programme, or to another programme of the same relay, which has to take it.
//!
//! Whatever is refused of the latter is refused alike: that there is no such programme, no such offer, or that it is
//! another's.

use jiashu_api::transfer as api;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{DeviceId, Scope};

use super::audit::Asked;
use super::caseload::{caseload, disown};
use super::sites::sites_exist;
use super::staff::{Staff, Wants, allow, allow_quietly};
use crate::clock::text;
use crate::contact::placed;
use crate::execute::transfer::{accept, no_such_transfer, offer, offered_to, take_back};
use crate::execute::{self, ATTEMPTS, Failure};
use crate::family::no_such_case;
use crate::family::transfer::decide_move;
use crate::programme::{self, OfferFact, OfferState, Role, Taken};
use crate::relay::Relay;
use crate::store::{Batch, StoreError};

/// A family is at another site from now on; a repeat finds it there.
///
/// # Errors
///
/// [`Failure`].
pub async fn to_site(
    relay: &Relay,
    staff: &Staff,
    case_code: &str,
    site: &str,
) -> Result<(), Failure> {
    let asked = Asked::of("transfer-site", case_code).saying(site);
    allow(relay, staff, Wants::Programme, asked).await?;
    let store = &*relay.store;
    sites_exist(store, staff.programme, &[site.to_owned()]).await?;
    let family = execute::staff::family(relay, staff.programme, case_code).await?;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let standing = placed(store, family).await?.ok_or_else(no_such_case)?;
        let Some(batch) = decide_move(&standing, site, relay.clock.now()) else { break };
        match store.commit(family, batch).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => break,
        }
    }
    leave_with_those_there(relay, staff.programme, family, site).await
}

/// A caseworker who does not work there has the family no more: those of the site have it, until somebody is named.
async fn leave_with_those_there(
    relay: &Relay,
    programme: Scope,
    family: Scope,
    site: &str,
) -> Result<(), Failure> {
    let store = &*relay.store;
    let worker: Option<DeviceId> = caseload(store, programme).await?.get(&family).copied();
    let Some(worker) = worker else { return Ok(()) };
    let worker = Staff::load(store, programme, worker).await?;
    if worker.role == Role::Caseworker && !worker.sites.iter().any(|own| own == site) {
        let changes = vec![disown(family)];
        store.commit(programme, Batch { changes, ..Batch::new(relay.clock.now()) }).await?;
    }
    Ok(())
}

/// Offers a family to another programme; a repeat finds it offered.
///
/// # Errors
///
/// [`Failure`].
pub async fn to_programme(
    relay: &Relay,
    staff: &Staff,
    case_code: &str,
    wish: &api::Offer,
) -> Result<api::Offered, Failure> {
    let to = number(&wish.programme);
    let asked = Asked::of("transfer-offer", case_code);
    let asked = asked.saying(to.map(|to| to.to_string()).unwrap_or_default());
    allow(relay, staff, Wants::Programme, asked).await?;
    let to = to.ok_or_else(no_such_transfer)?;
    let family = alike(offer(relay, staff.programme, staff.number, case_code, to).await)?;
    let given = given(relay, staff).await?;
    let of_family = given.into_iter().find(|offered| offered.offer == family.to_string());
    of_family.ok_or_else(|| no_such_transfer().into())
}

/// Takes it back, if it was not taken yet.
///
/// # Errors
///
/// [`Failure`].
pub async fn back(relay: &Relay, staff: &Staff, case_code: &str) -> Result<(), Failure> {
    let asked = Asked::of("transfer-take-back", case_code);
    allow(relay, staff, Wants::Programme, asked).await?;
    alike(take_back(relay, staff.programme, case_code).await)
}

/// Takes a family that another programme offers; a repeat finds it taken.
///
/// # Errors
///
/// [`Failure`].
pub async fn take(
    relay: &Relay,
    staff: &Staff,
    offer: &str,
    wish: api::Accept,
) -> Result<(), Failure> {
    let family = number(offer);
    let asked = Asked::of("transfer-accept", &*wish.case_code);
    let asked = asked.saying(family.map(|family| family.to_string()).unwrap_or_default());
    allow(relay, staff, Wants::Programme, asked).await?;
    let family = family.ok_or_else(no_such_transfer)?;
    if let Some(site) = &wish.site {
        sites_exist(&*relay.store, staff.programme, std::slice::from_ref(site)).await?;
    }
    let taken = Taken { case_code: wish.case_code, site: wish.site };
    alike(accept(relay, staff.programme, family, taken).await)
}

/// What is offered to the programme, and by it.
///
/// # Errors
///
/// [`Failure`].
pub async fn list(relay: &Relay, staff: &Staff) -> Result<api::Transfers, Failure> {
    let asked = Asked { action: "transfers", ..Asked::default() };
    allow_quietly(relay, staff, Wants::Programme, asked).await?;
    let received = offered_to(&*relay.store, staff.programme).await?;
    let received = received.into_iter().map(|offered| api::Offered {
        offer: offered.family.to_string(),
        case_code: offered.case_code,
        programme: offered.from.to_string(),
        since: text(offered.at),
    });
    Ok(api::Transfers {
        programme: staff.programme.to_string(),
        received: received.collect(),
        given: given(relay, staff).await?,
    })
}

async fn given(relay: &Relay, staff: &Staff) -> Result<Vec<api::Offered>, StoreError> {
    let offers: Vec<(String, OfferFact)> = programme::all(&*relay.store, staff.programme).await?;
    let open = offers.into_iter().filter(|(_, offer)| offer.state == OfferState::Open);
    let given = open.map(|(_, offer)| api::Offered {
        offer: offer.family.to_string(),
        case_code: offer.case_code,
        programme: offer.to.to_string(),
        since: text(offer.at),
    });
    Ok(given.collect())
}

/// A number as it is shown, and nothing that only reads as one.
pub(crate) fn number(text: &str) -> Option<Scope> {
    let read = u64::from_str_radix(text, 16).ok().map(Scope)?;
    (read.to_string() == text && read != Scope::RELAY).then_some(read)
}

/// That there is no such case is said as that there is no such programme or offer.
fn alike<T>(done: Result<T, Failure>) -> Result<T, Failure> {
    done.map_err(|failure| match failure {
        Failure::Refused(refusal) if refusal.code == ErrorCode::Unknown => {
            no_such_transfer().into()
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_one_way() {
        assert_eq!(number("00000000000000ff"), Some(Scope(255)));
        for bad in ["ff", "00000000000000FF", "+0000000000000ff", "0000000000000000", "", "x"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
