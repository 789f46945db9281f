//! A member of a family is suspended, and let back.

use jiashu_api::family as api;
use jiashu_proto::entry::{Content, SuspensionReason, suspension_key};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{MemberId, Scope};

use super::audit::Asked;
use super::staff::{Staff, allow_family};
use crate::execute::{self, ATTEMPTS, Failure, schedules};
use crate::family::Refusal;
use crate::family::suspension::{StandingSuspension, decide_lift, decide_pause_of, decide_suspend};
use crate::relay::Relay;
use crate::store::{Store, StoreError};

/// Suspends a member; what it has planned pauses. Where it is suspended already, nothing changes.
///
/// # Errors
///
/// [`Failure`].
pub async fn suspend(
    relay: &Relay,
    staff: &Staff,
    case_code: &str,
    member: MemberId,
    wish: &api::Suspend,
) -> Result<(), Failure> {
    let reason = SuspensionReason::from_name(&wish.reason).ok_or_else(|| {
        let text = "a reason is court-order, safeguarding or own-wish";
        Refusal::new(ErrorCode::Malformed, text)
    })?;
    let asked = Asked::of("suspend", case_code).saying(format!("{member} {}", reason.name()));
    let family = allow_family(relay, staff, case_code, asked).await?;
    let store = &*relay.store;
    let state = store.state(family).await?.ok_or(StoreError::NoScope)?;
    let roster = execute::roster(relay, family, state.roster_head).await?;
    let role = roster.members().get(&member).copied();
    let mut attempts = 0..ATTEMPTS;
    loop {
        let standing = standing(store, family, member).await?;
        let now = relay.clock.now();
        let decided = decide_suspend(staff.number, (member, role), reason, standing.as_ref(), now)?;
        let Some(batch) = decided else { break };
        match store.commit(family, batch).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            done => {
                done?;
                break;
            }
        }
    }
    // Nothing is planned by that member any more, so this ends.
    loop {
        let planned = schedules(store, family, jiashu_proto::entry::SCHEDULE_KEYS).await?;
        let Some(batch) = decide_pause_of(member, &planned, relay.clock.now()) else {
            return Ok(());
        };
        match store.commit(family, batch).await {
            Ok(_) => {}
            // One of them was just firing.
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Lets a member back. Where it is not suspended, nothing changes.
///
/// # Errors
///
/// [`Failure`].
pub async fn lift(
    relay: &Relay,
    staff: &Staff,
    case_code: &str,
    member: MemberId,
) -> Result<(), Failure> {
    let asked = Asked::of("unsuspend", case_code).saying(member.to_string());
    let family = allow_family(relay, staff, case_code, asked).await?;
    let store = &*relay.store;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let standing = standing(store, family, member).await?;
        let Some(batch) = decide_lift(member, standing.as_ref(), relay.clock.now()) else {
            return Ok(());
        };
        match store.commit(family, batch).await {
            Err(StoreError::Stale { .. }) if attempts.next().is_some() => {}
            done => return done.map(|_| ()).map_err(Failure::from),
        }
    }
}

async fn standing(
    store: &dyn Store,
    family: Scope,
    member: MemberId,
) -> Result<Option<StandingSuspension>, StoreError> {
    let record = store.fact(family, &suspension_key(member)).await?;
    Ok(record.and_then(|record| match Content::from_bytes(&record.content) {
        Ok(Content::Suspension(suspension)) => Some((record.seq, suspension)),
        _ => None,
    }))
}

#[cfg(test)]
mod tests {
    use jiashu_proto::frame::{ClientFrame, Enrol};
    use jiashu_proto::id::DeviceId;
    use jiashu_tests::FamilySpec;

    use super::*;
    use crate::contact::tests::{MOTHER, PROGRAMME, Weeks};

    #[tokio::test]
    async fn who_is_suspended_stays_so_where_the_family_begins_anew() {
        let weeks = Weeks::begin().await;
        let (relay, store) = (&weeks.relay, &*weeks.relay.store);
        let staff = Staff::load(store, PROGRAMME, DeviceId(1)).await.unwrap();
        let wish = api::Suspend { reason: "court-order".into() };
        suspend(relay, &staff, "GS-001", MOTHER, &wish).await.unwrap();

        let drawn = FamilySpec::li().draw("GS-001", relay.clock.now()).0;
        let anew = drawn.family;
        let again = ClientFrame::Enrol(Enrol { replaces: Some(weeks.family), ..drawn });
        for _ in 0..2 {
            let again = again.clone();
            execute::staff::command(relay, PROGRAMME, DeviceId(1), again).await.unwrap();
        }

        assert!(store.state(anew).await.unwrap().unwrap().is_suspended(MOTHER));
        let (_, carried) = standing(store, anew, MOTHER).await.unwrap().unwrap();
        assert_eq!(carried.times.len(), 1);
        lift(relay, &staff, "GS-001", MOTHER).await.unwrap();
        assert!(!store.state(anew).await.unwrap().unwrap().is_suspended(MOTHER));
    }
}
