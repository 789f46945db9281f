//! Who somebody is among the staff of a programme, and what they may ask for.
//!
//! What is refused is refused alike, whether there is no such family, it is another's, or another programme's: who
//! asks learns nothing by it. Refusals stand in the audit log as what was allowed does.

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::Enrol;
use jiashu_proto::id::{DeviceId, Scope};

use super::audit::{self, Asked};
use super::caseload::worker_of;
use super::sites::sites_exist;
use crate::contact::placement;
use crate::execute::{self, Failure};
use crate::family::{Refusal, no_such_case};
use crate::programme::{self, Role, StaffFact, staff_key};
use crate::relay::Relay;
use crate::store::{Store, StoreError};

/// A member of staff who has said who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staff {
    /// The programme.
    pub programme: Scope,
    /// The number in it.
    pub number: DeviceId,
    /// What they may do.
    pub role: Role,
    /// Codes of their sites.
    pub sites: Vec<String>,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// To change the programme, or read what names single families.
    Programme,
    /// To see figures that single out nobody, or the audit log.
    Figures,
    /// To see own families.
    Families,
}

impl Staff {
    /// Who has that number.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn load(
        store: &dyn Store,
        programme: Scope,
        number: DeviceId,
    ) -> Result<Self, StoreError> {
        let fact: Option<StaffFact> = programme::find(store, programme, &staff_key(number)).await?;
        let (role, sites) = match fact {
            Some(fact) => (fact.role, fact.sites),
            // The first coordinator was there before anything was written down.
            None if number == DeviceId(1) => (Role::Coordinator, Vec::new()),
            // What a newer relay wrote does not read: then nothing is theirs.
            None => (Role::Caseworker, Vec::new()),
        };
        Ok(Self { programme, number, role, sites })
    }

    fn may(&self, wants: Wants) -> bool {
        match (self.role, wants) {
            (Role::Coordinator, _) => true,
            (Role::Caseworker, Wants::Families) => true,
            (Role::Auditor, Wants::Figures) => true,
            (Role::Caseworker | Role::Auditor, _) => false,
        }
    }

    /// Whether a family is one of theirs: whose it is was said, or it is of nobody yet and at one of their sites.
    #[must_use]
    pub fn owns(&self, worker: Option<DeviceId>, site: Option<&str>) -> bool {
        match self.role {
            Role::Coordinator => true,
            Role::Caseworker => match worker {
                Some(worker) => worker == self.number,
                None => site.is_some_and(|site| self.sites.iter().any(|own| own == site)),
            },
            Role::Auditor => false,
        }
    }
}

/// Lets somebody do something, and notes it; `asked` is noted whatever comes of it.
///
/// # Errors
///
/// [`ErrorCode::NotAllowed`], which is noted too; of the store: then it is not allowed either.
pub async fn allow(
    relay: &Relay,
    staff: &Staff,
    wants: Wants,
    asked: Asked,
) -> Result<(), Failure> {
    let allowed = staff.may(wants);
    audit::note(relay, staff.programme, staff.number, &asked, allowed).await?;
    if allowed { Ok(()) } else { Err(not_yours().into()) }
}

/// As [`allow`] of what coordinators may do for one family, and notes it as not allowed where there is no such case. The
/// family's number.
///
/// # Errors
///
/// As of [`allow`]; [`ErrorCode::Unknown`], which is noted too.
pub async fn allow_case(
    relay: &Relay,
    staff: &Staff,
    case_code: &str,
    asked: Asked,
) -> Result<Scope, Failure> {
    let found = match staff.may(Wants::Programme) {
        true => execute::staff::family(relay, staff.programme, case_code).await,
        false => Err(not_yours().into()),
    };
    if !matches!(found, Ok(_) | Err(Failure::Refused(_))) {
        // Nobody knows whether it is there.
        return found;
    }
    audit::note(relay, staff.programme, staff.number, &asked, found.is_ok()).await?;
    found
}

/// As [`allow`], of what is not worth an entry where it is allowed: figures of many.
///
/// # Errors
///
/// As of [`allow`].
pub async fn allow_quietly(
    relay: &Relay,
    staff: &Staff,
    wants: Wants,
    asked: Asked,
) -> Result<(), Failure> {
    if staff.may(wants) {
        return Ok(());
    }
    allow(relay, staff, wants, asked).await
}

/// Lets somebody do something for one family, and notes it. The family's number.
///
/// # Errors
///
/// [`ErrorCode::Unknown`], which is noted too, and is the same for a case that is not theirs, not this programme's,
/// and not there.
pub async fn allow_family(
    relay: &Relay,
    staff: &Staff,
    case_code: &str,
    asked: Asked,
) -> Result<Scope, Failure> {
    let found = owned(relay, staff, case_code).await;
    let allowed = match &found {
        Ok(family) => family.is_some(),
        Err(Failure::Refused(_)) => false,
        // Nobody knows whether they might.
        Err(_) => return found.map(|_| Scope::RELAY),
    };
    audit::note(relay, staff.programme, staff.number, &asked, allowed).await?;
    found?.ok_or_else(|| no_such_case().into())
}

async fn owned(relay: &Relay, staff: &Staff, case_code: &str) -> Result<Option<Scope>, Failure> {
    if !staff.may(Wants::Families) {
        return Ok(None);
    }
    let store = &*relay.store;
    let noted = execute::staff::noted_case(store, staff.programme, case_code).await?;
    let noted = noted.map(|(_, case)| case);
    // Before the chain is read, which takes long enough to be noticed.
    let is_own = is_own(store, staff, noted.as_ref()).await?;
    if noted.is_none() {
        return Err(no_such_case().into());
    }
    if !is_own {
        return Ok(None);
    }
    execute::staff::family(relay, staff.programme, case_code).await.map(Some)
}

/// Whether a case is one of theirs, by where it is and with whom; founded or not. Of a code that nobody has as much is looked
/// up as of another's, so that the time tells nothing.
async fn is_own(
    store: &dyn Store,
    staff: &Staff,
    noted: Option<&Enrol>,
) -> Result<bool, StoreError> {
    let family = noted.map_or(Scope::RELAY, |case| case.family);
    let site = match placement(store, family).await? {
        Some(placement) => placement.site,
        None => noted.and_then(|case| case.site.clone()),
    };
    let worker = worker_of(store, staff.programme, family).await?;
    Ok(staff.owns(worker, site.as_deref()))
}

/// Whether somebody may enrol a family at that site, which is noted: at a site of their own, and where the case stands
/// already, a case of their own. It is answered with its family, and may begin anew.
///
/// # Errors
///
/// [`Failure`]; [`ErrorCode::Malformed`] for a site that the programme does not have.
pub async fn allow_enrolment(
    relay: &Relay,
    staff: &Staff,
    case_code: &str,
    site: Option<&str>,
) -> Result<(), Failure> {
    if let Some(site) = site {
        sites_exist(&*relay.store, staff.programme, &[site.to_owned()]).await?;
    }
    let allowed = match staff.role {
        Role::Coordinator => true,
        Role::Caseworker => {
            let store = &*relay.store;
            let noted = execute::staff::noted_case(store, staff.programme, case_code).await?;
            let is_theirs = match noted {
                Some((_, case)) => is_own(store, staff, Some(&case)).await?,
                None => true,
            };
            is_theirs && staff.owns(None, site)
        }
        Role::Auditor => false,
    };
    let asked = Asked::of("enrol", case_code).saying(site.unwrap_or_default());
    audit::note(relay, staff.programme, staff.number, &asked, allowed).await?;
    if allowed { Ok(()) } else { Err(not_yours().into()) }
}

fn not_yours() -> Refusal {
    Refusal::new(ErrorCode::NotAllowed, "this is not yours to do: ask a coordinator")
}

pub(super) fn no_such_staff() -> Refusal {
    Refusal::new(ErrorCode::Unknown, "there is no such member of staff")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_is_its_own() {
        let of = |role| Staff {
            programme: Scope(7),
            number: DeviceId(2),
            role,
            sites: vec!["tianshui".into()],
        };
        let wants = [Wants::Programme, Wants::Figures, Wants::Families];
        let may = |role| wants.map(|wants| of(role).may(wants));

        assert_eq!(may(Role::Coordinator), [true, true, true]);
        assert_eq!(may(Role::Caseworker), [false, false, true]);
        assert_eq!(may(Role::Auditor), [false, true, false]);

        let cases = [
            (Some(2), None, [true, true, false]),
            (Some(3), Some("tianshui"), [true, false, false]),
            (None, Some("tianshui"), [true, true, false]),
            (None, Some("elsewhere"), [true, false, false]),
            (None, None, [true, false, false]),
        ];
        for (worker, site, expected) in cases {
            let owns = Role::ALL.map(|role| of(role).owns(worker.map(DeviceId), site));
            assert_eq!(owns, expected, "{worker:?} {site:?}");
        }
    }
}
