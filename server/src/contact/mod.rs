//! How a family stands, for those who help it: reckoned from the family's ledger and log, and entered in its programme's
//! ledger, where the staff find it.
//!
//! Nothing is polled: a family is looked at when something was heard or changed, and at the next instant at which its
//! standing can change by itself. `known` gathers what there is to know, `stays` says where the family was and
//! on which clock its weeks began there, `reckon` reckons (both pure, on `jiashu_contact`), `rows` says how the result is written down,
//! `uses` how the hours of a week are, `glance` what of it orders a list. `funnel` says how far one family's letters came.

use std::collections::BTreeMap;

use self::known::{Counted, Known};
use self::reckon::Setting;
use self::rows::{FAMILIES, week_book};
use self::stays::{Stay, Stays};
use crate::clock::timestamp;
use crate::erasing;
use crate::execute::family::{past_plans, standing_plan};
use crate::execute::{self, ATTEMPTS, Failure};
use crate::family::consent::{has_lapsed, next_turn, turn};
use crate::family::day_of;
use crate::family::help::{REACH, read_reach};
use crate::family::ledger::{CLOSED, HEARD, Heard, SENT, STAYED, Sent, Stayed};
use crate::family::{nudges, tasks};
use crate::notify;
use crate::programme::{self, ProgrammeFact as _, SiteFact, site_key};
use crate::relay::Relay;
use crate::store::{
    Batch, Change, Due, DueItem, LedgerRow, LedgerVersion, Precondition, Record, ScopeState, Store,
    StoreError,
};
use jiashu_contact::standing::Thresholds;
use jiashu_contact::week::Week;
use jiashu_proto::entry::{
    Content, LINK_KEYS, NUDGE_KEYS, Nudge, PAUSE_KEYS, PLACEMENT_KEY, PLAN_KEY, Placement,
    SUSPENSION_KEYS, Seq, link_key,
};
use jiashu_proto::id::{Epoch, MemberId, Millis, Role, Scope};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

pub mod known;

pub mod stays;

pub mod reckon;

pub mod rows;

pub mod uses;

pub mod glance;

pub mod funnel;

pub mod leaving;

/// Looks at a family that is due to be looked at: enters how it stands in its programme's ledger, and when to look
/// again. What was entered for a look that another has overtaken is overtaken too, by its version.
///
/// # Errors
///
/// [`Failure`]; [`StoreError::Stale`] where the family has changed meanwhile, and is due again.
pub async fn look(relay: &Relay, due: &Due) -> Result<(), Failure> {
    let (store, family) = (&*relay.store, due.scope);
    let mut attempts = 0..ATTEMPTS;
    loop {
        let state = store.state(family).await?.ok_or(StoreError::NoScope)?;
        let before = placement(store, family).await?;
        match look_at(relay, due, &state).await {
            Err(Failure::Store(StoreError::Stale { precondition })) => {
                leave_nothing(relay, family, before).await?;
                // What was entered may be of before a change, and come after what another look entered of after it: it
                // is done again, from what stands now.
                let now = store.state(family).await?.ok_or(StoreError::NoScope)?;
                let unchanged = (now.head, now.counted_since) == (state.head, state.counted_since);
                if unchanged || attempts.next().is_none() {
                    return Err(StoreError::Stale { precondition }.into());
                }
            }
            done => return done,
        }
    }
}

/// What was entered where the family was until a moment ago, in a programme that has seen it off, or has another in its
/// place, is struck again.
async fn leave_nothing(
    relay: &Relay,
    family: Scope,
    before: Option<Placement>,
) -> Result<(), Failure> {
    let (store, now) = (&*relay.store, relay.clock.now());
    let is_in = placement(store, family).await?.map(|placement| placement.programme);
    let has_ended = store.state(family).await?.is_none_or(|state| state.superseded);
    let has_left = |before: &Placement| has_ended || Some(before.programme) != is_in;
    if let Some(before) = before.filter(has_left) {
        let changes = leaving::left_rows(store, before.programme, family, now).await?;
        store.commit(before.programme, Batch { changes, ..Batch::new(now) }).await?;
    }
    Ok(())
}

async fn look_at(relay: &Relay, due: &Due, state: &ScopeState) -> Result<(), Failure> {
    let (store, family) = (&*relay.store, due.scope);
    let mut requires = vec![Precondition::DueAt(DueItem::Contact, due.at)];
    let Some((place, placement)) = placed(store, family).await? else {
        // Of an older relay, which noted no programme.
        let changes = vec![Change::ClearDue(DueItem::Contact)];
        let now = relay.clock.now();
        store.commit(family, Batch { requires, changes, ..Batch::new(now) }).await?;
        return Ok(());
    };
    requires.push(Precondition::FactAt(PLACEMENT_KEY.into(), Some(place)));
    let (known, seen) = gather(relay, family, state, &placement).await?;
    let standing = execute::staff::consents(store, family).await?;
    if let Some(batch) = turn(state, &known.roster, &standing, due, relay.clock.now()) {
        // Its weeks that have ended will hear no more, and that which it is will not end: neither waits for what may
        // never be renewed.
        if state.counted_since.is_some() {
            leaving::close_weeks(relay, family, &placement).await?;
            let now = relay.clock.now();
            let changes = leaving::running_week(store, placement.programme, family, now).await?;
            store.commit(placement.programme, Batch { changes, ..Batch::new(now) }).await?;
        }
        // It is due again at once, as what it is then.
        store.commit(family, batch).await?;
        return Ok(());
    }
    let (nudges, tasks) =
        (nudges(store, family).await?, execute::family::tasks(store, family).await?);
    let now = relay.clock.now();
    let setting = Setting { turn: family.0, ..setting(store, &placement, &known.stayed).await? };
    let today = day_of(now);
    let mut reckoned = reckon::reckon(&known, &setting, now);
    let ends = known.consents.iter().filter_map(|consent| consent.ends_on(&today)).min();
    reckoned.row.agreed_until = ends.map(str::to_owned);
    let leaving = erasing::leaving(store, family).await?;
    reckoned.row.leaves_at = leaving.and_then(|(_, leaving)| leaving.until);
    reckoned.row.tasks = tasks::open_after(&tasks, &reckoned.steps, now);
    let entered = |book, version, value| {
        let name = family.0.to_be_bytes().to_vec();
        Change::Enter(LedgerRow { book, name, version, value })
    };
    let version = (state.head, u64::try_from(now).unwrap_or(0));
    let mut changes = vec![entered(FAMILIES.to_owned(), version, reckoned.row.to_bytes())];
    for (week, row) in &reckoned.weeks {
        let version = if row.closed { FOR_GOOD } else { version };
        changes.push(entered(week_book(*week), version, row.to_bytes()));
        changes.extend(row.closed.then(|| rows::changed(Some(*week), now)));
    }
    if known.counted_since.is_none() && !has_lapsed(&known.consents, &today) {
        changes.extend(
            known
                .all_weeks(now)
                .map(|week| Change::Strike(week_book(week), family.0.to_be_bytes().to_vec())),
        );
        changes.push(rows::changed(None, now));
    }
    store.commit(placement.programme, Batch { changes, ..Batch::new(now) }).await?;
    let next = reckoned.next.into_iter().chain(next_turn(&known.consents, now)).min();
    let again = match next {
        Some(next) => Change::SetDue(DueItem::Contact, next.max(now.saturating_add(1))),
        None => Change::ClearDue(DueItem::Contact),
    };
    let nudges = nudges::follow(&nudges, &reckoned.steps);
    let reached = reached(store, family, &known).await?;
    let requires = requires.into_iter().chain(seen).chain(nudges.requires).collect();
    let closed = reckoned.weeks.iter().rev().find(|(_, row)| row.closed);
    let closed = closed.map(|(week, _)| Change::Enter(last_closed(*week)));
    let changes = [again].into_iter().chain(closed);
    let changes = changes.chain(tasks::follow(&tasks, &reckoned.steps, now));
    let mails = notify::nudge(family, reached.into_iter(), &nudges.begun, now);
    let (entries, changes) = (nudges.entries, changes.chain(mails).collect());
    store.commit(family, Batch { requires, entries, changes, ..Batch::new(now) }).await?;
    Ok(())
}

/// Whom the family's phones prompt, by place.
///
/// # Errors
///
/// [`StoreError`].
pub async fn nudges(store: &dyn Store, family: Scope) -> Result<Vec<(Seq, Nudge)>, StoreError> {
    let facts = store.facts(family, NUDGE_KEYS).await?;
    let nudges =
        facts.into_iter().filter_map(|(_, record)| match Content::from_bytes(&record.content) {
            Ok(Content::Nudge(nudge)) => Some((record.seq, nudge)),
            _ => None,
        });
    Ok(nudges.collect())
}

/// The parents that may be written to.
async fn reached(
    store: &dyn Store,
    family: Scope,
    known: &Known,
) -> Result<Vec<MemberId>, StoreError> {
    let rows = store.book(family, REACH).await?;
    let reached = rows.iter().filter_map(read_reach).map(|(member, _)| member);
    let is_parent = |member: &MemberId| known.roster.members().get(member) == Some(&Role::Parent);
    Ok(reached.filter(is_parent).collect())
}

/// The version of what a closed week says: nothing comes over it.
const FOR_GOOD: LedgerVersion = (u64::MAX, 0);

fn last_closed(week: Week) -> LedgerRow {
    let days = u64::try_from(week.first().duration_since(Date::constant(1, 1, 1)).as_hours() / 24);
    LedgerRow {
        book: CLOSED.to_owned(),
        name: Vec::new(),
        version: (days.unwrap_or(0), 0),
        value: week.to_string().into_bytes(),
    }
}

/// What the programme says, of a family that is at that site and was at those.
async fn setting(
    store: &dyn Store,
    placement: &Placement,
    stayed: &[Stayed],
) -> Result<Setting, StoreError> {
    let mut setting = Setting::default();
    let thresholds = programme::find(store, placement.programme, Thresholds::KEYS).await?;
    setting.thresholds = thresholds.unwrap_or_default();
    let sites = stayed.iter().filter_map(|stay| stay.site.as_ref()).chain(&placement.site);
    for code in sites {
        if setting.zones.contains_key(code) {
            continue;
        }
        let site: Option<SiteFact> =
            programme::find(store, placement.programme, &site_key(code)).await?;
        setting.zones.extend(site.map(|site| (code.clone(), site.zone)));
    }
    Ok(setting)
}

/// The day that it is on the clock that counts for a family.
///
/// # Errors
///
/// [`Failure`].
pub async fn today(relay: &Relay, family: Scope) -> Result<Date, Failure> {
    let store = &*relay.store;
    let of_site = match placement(store, family).await? {
        Some(Placement { programme, site: Some(site), .. }) => {
            let site: Option<SiteFact> =
                programme::find(store, programme, &site_key(&site)).await?;
            site.map(|site| site.zone)
        }
        _ => None,
    };
    let zone = match of_site {
        Some(zone) => Some(zone),
        None => home_zone(relay, family).await?,
    };
    let zone = zone.as_deref().and_then(reckon::zone).unwrap_or(TimeZone::UTC);
    Ok(zone.to_datetime(timestamp(relay.clock.now())).date())
}

/// The clock at home: that of the first child.
///
/// # Errors
///
/// [`Failure`].
pub async fn home_zone(relay: &Relay, family: Scope) -> Result<Option<String>, Failure> {
    let store = &*relay.store;
    let state = store.state(family).await?.ok_or(StoreError::NoScope)?;
    let roster = execute::roster(relay, family, state.roster_head).await?;
    let child = roster.members().iter().find(|(_, role)| **role == Role::Child);
    let Some((child, _)) = child else { return Ok(None) };
    let fact = store.fact(family, &format!("member/{child}")).await?;
    Ok(fact.and_then(|record| match Content::from_bytes(&record.content) {
        Ok(Content::Member(member)) => Some(member.zone),
        _ => None,
    }))
}

/// In whose figures a family is.
///
/// # Errors
///
/// [`StoreError`].
pub async fn placement(store: &dyn Store, family: Scope) -> Result<Option<Placement>, StoreError> {
    Ok(placed(store, family).await?.map(|(_, placement)| placement))
}

/// The same, with its place in the log.
///
/// # Errors
///
/// [`StoreError`].
pub async fn placed(
    store: &dyn Store,
    family: Scope,
) -> Result<Option<(Seq, Placement)>, StoreError> {
    let record = store.fact(family, PLACEMENT_KEY).await?;
    Ok(record.and_then(|record| match Content::from_bytes(&record.content) {
        Ok(Content::Placement(placement)) => Some((record.seq, placement)),
        _ => None,
    }))
}

/// The contacts of a family that its programme's figures count, in order, and where it was, on whose clock they are
/// counted. Nothing of a family that is not counted, or is another programme's by now.
///
/// # Errors
///
/// [`Failure`].
pub async fn counted(
    relay: &Relay,
    programme: Scope,
    family: Scope,
) -> Result<(Vec<Counted>, Stays), Failure> {
    let nowhere = Stay { from: Timestamp::MIN, site: None, zone: TimeZone::UTC };
    let nowhere = Stays::new(Vec::new(), nowhere);
    let (store, none) = (&*relay.store, || (Vec::new(), nowhere));
    let Some(state) = store.state(family).await? else { return Ok(none()) };
    let placement = placement(store, family).await?.filter(|one| one.programme == programme);
    let Some(placement) = placement.filter(|_| state.counted_since.is_some()) else {
        return Ok(none());
    };
    let (mut known, _) = gather(relay, family, &state, &placement).await?;
    // Of a family that began anew, or takes part no more, the weeks before stay in the figures.
    known.active = true;
    let stays = known.stays(&setting(store, &placement, &known.stayed).await?.zones);
    Ok((known.counted(&stays, relay.clock.now()), stays))
}

/// What there is to know of a family, and what must still hold where somebody relies on it.
async fn gather(
    relay: &Relay,
    family: Scope,
    state: &ScopeState,
    placement: &Placement,
) -> Result<(Known, Vec<Precondition>), Failure> {
    let store = &*relay.store;
    let plan = standing_plan(store, family).await?;
    let heard = store.book(family, HEARD).await?;
    let seen = vec![
        Precondition::FactAt(PLAN_KEY.into(), plan.as_ref().map(|plan| plan.seq)),
        Precondition::RowsAre(HEARD.into(), heard.len()),
    ];
    let mut known = Known {
        placement: placement.clone(),
        active: state.active && !state.superseded,
        counted_since: state.counted_since,
        roster: execute::roster(relay, family, state.roster_head).await?,
        linked_at: linked_at(store, family).await?,
        zones: BTreeMap::new(),
        consents: Vec::new(),
        pauses: Vec::new(),
        suspensions: Vec::new(),
        plan,
        past: past_plans(store, family).await?.into_iter().map(|(_, past)| past).collect(),
        stayed: store.book(family, STAYED).await?.iter().filter_map(Stayed::read).collect(),
        sent: store.book(family, SENT).await?.iter().filter_map(Sent::read).collect(),
        heard: heard.iter().filter_map(Heard::read).collect(),
        closed: store
            .book(family, CLOSED)
            .await?
            .first()
            .and_then(|row| std::str::from_utf8(&row.value).ok()?.parse().ok()),
    };
    for prefix in ["member/", "consent/", PAUSE_KEYS, SUSPENSION_KEYS] {
        for (_, record) in store.facts(family, prefix).await? {
            match Content::from_bytes(&record.content) {
                Ok(Content::Member(fact)) => {
                    known.zones.insert(fact.member, fact.zone);
                }
                Ok(Content::Consent(consent)) => known.consents.push(consent),
                Ok(Content::Pause(pause)) => known.pauses.push(pause),
                Ok(Content::Suspension(suspension)) => known.suspensions.push(suspension),
                _ => {}
            }
        }
    }
    Ok((known, seen))
}

/// When each link of its roster came, by its number.
async fn linked_at(
    store: &dyn Store,
    family: Scope,
) -> Result<BTreeMap<Epoch, Millis>, StoreError> {
    let links = store.facts(family, LINK_KEYS).await?;
    let numbered =
        |(key, link): (String, Record)| Some((key.strip_prefix(LINK_KEYS)?.parse().ok()?, link.at));
    Ok(links.into_iter().filter_map(numbered).collect())
}

/// When the family's log began.
///
/// # Errors
///
/// [`StoreError`].
pub async fn enrolled_at(store: &dyn Store, family: Scope) -> Result<Millis, StoreError> {
    let link = store.fact(family, &link_key(1)).await?;
    Ok(link.map_or(0, |link| link.at))
}

#[cfg(test)]
pub(crate) mod tests;
