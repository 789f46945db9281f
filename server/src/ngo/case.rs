//! All that staff see of one family. Whoever looks stands in the audit log.

use jiashu_api::family as api;
use jiashu_contact::week::Week;
use jiashu_proto::entry::{
    Agreed, Consent, Content, IntendedRule, PAUSE_KEYS, PLAN_KEY, PROPOSAL_KEY, SUSPENSION_KEYS,
    Seq,
};
use jiashu_proto::id::{MemberId, Role, Scope};

use super::audit::Asked;
use super::caseload::worker_of;
use super::staff::{Staff, allow_family};
use super::visits;
use super::worklist::listed;
use crate::contact::funnel::{Funnel, Steps, funnel};
use crate::contact::rows::{ChildWeek, FAMILIES, FamilyRow, WeekRow, week_book};
use crate::contact::{self, placement};
use crate::execute::{self, Failure};
use crate::family::no_such_case;
use crate::family::tasks::Task;
use crate::relay::Relay;
use crate::store::{Store, StoreError};

/// Weeks that are shown.
const WEEKS: usize = 12;

/// What there is to see of a case.
///
/// # Errors
///
/// [`Failure`].
pub async fn show(relay: &Relay, staff: &Staff, case_code: &str) -> Result<api::Case, Failure> {
    let family = allow_family(relay, staff, case_code, Asked::of("family", case_code)).await?;
    let (store, now) = (&*relay.store, relay.clock.now());
    let row = store.row(staff.programme, FAMILIES, &family.0.to_be_bytes()).await?;
    let row = row.as_ref().and_then(FamilyRow::read).ok_or_else(no_such_case)?;
    let facts = Facts::of(store, family).await?;
    let mut stands = listed(&row, now);
    // Who has just seen to something does not find it here until the row is reckoned anew.
    let tasks = execute::family::tasks(store, family).await?;
    let is_done = |task: &jiashu_api::task::Task| {
        let is_it =
            |one: &&Task| (one.kind.name(), one.member.0) == (task.kind.as_str(), task.member);
        tasks.iter().find(is_it).is_some_and(|one| !one.is_open())
    };
    stands.tasks.retain(|task| !is_done(task));
    Ok(api::Case {
        stands,
        worker: worker_of(store, staff.programme, family).await?.map(|number| number.0),
        members: members(relay, family, &facts).await?,
        plan: facts.plan.iter().map(rule).collect(),
        proposed: facts.proposed.as_ref().map(|rules| rules.iter().map(rule).collect()),
        pauses: facts.pauses,
        weeks: if row.counted { weeks(relay, staff.programme, family).await? } else { Vec::new() },
        visits: visits::of_family(store, staff.programme, family).await?,
        funnel: funnel(relay, staff.programme, family).await?.as_ref().map(came),
    })
}

/// What the family's log says.
#[derive(Default)]
struct Facts {
    plan: Vec<IntendedRule>,
    proposed: Option<Vec<IntendedRule>>,
    pauses: Vec<api::Paused>,
    suspended: Vec<(MemberId, &'static str)>,
    consents: Vec<(Seq, Consent)>,
}

impl Facts {
    async fn of(store: &dyn Store, family: Scope) -> Result<Self, StoreError> {
        let mut facts =
            Self { consents: execute::staff::consents(store, family).await?, ..Self::default() };
        let content = |record: &crate::store::Record| Content::from_bytes(&record.content).ok();
        let plan = store.fact(family, PLAN_KEY).await?;
        let since = plan.as_ref().map_or(0, |record| record.seq);
        if let Some(Content::Plan(plan)) = plan.as_ref().and_then(content) {
            facts.plan = plan.rules;
        }
        let proposal = store.fact(family, PROPOSAL_KEY).await?.filter(|record| record.seq > since);
        if let Some(Content::Proposal(proposal)) = proposal.as_ref().and_then(content) {
            facts.proposed = Some(proposal.rules);
        }
        for prefix in [PAUSE_KEYS, SUSPENSION_KEYS] {
            for (_, record) in store.facts(family, prefix).await? {
                match content(&record) {
                    Some(Content::Pause(pause)) => facts.pauses.push(api::Paused {
                        first: pause.first,
                        last: pause.last,
                        reason: pause.reason.name().to_owned(),
                        withdrawn: pause.withdrawn,
                    }),
                    Some(Content::Suspension(suspension)) => {
                        let lasting = suspension.lasting().map(|time| time.reason.name());
                        facts.suspended.extend(lasting.map(|reason| (suspension.member, reason)));
                    }
                    _ => {}
                }
            }
        }
        Ok(facts)
    }
}

async fn members(relay: &Relay, family: Scope, facts: &Facts) -> Result<Vec<api::Member>, Failure> {
    let store = &*relay.store;
    let state = store.state(family).await?.ok_or(StoreError::NoScope)?;
    let roster = execute::roster(relay, family, state.roster_head).await?;
    let today = contact::today(relay, family).await?.to_string();
    let mut members = Vec::new();
    for (member, role) in roster.members() {
        let fact = store.fact(family, &format!("member/{member}")).await?;
        let (zone, language) = match fact.map(|record| Content::from_bytes(&record.content)) {
            Some(Ok(Content::Member(fact))) => (Some(fact.zone), Some(fact.language)),
            _ => (None, None),
        };
        let consent = facts.consents.iter().find(|(_, consent)| consent.member == *member);
        let consent = consent.map_or_else(|| Consent::none(*member), |(_, one)| one.clone());
        let suspended = facts.suspended.iter().find(|(of, _)| of == member);
        let (takes_part, counting) = agreed(*role, &consent, &today);
        members.push(api::Member {
            member: member.0,
            role: role.name().to_owned(),
            zone,
            language,
            suspended: suspended.map(|(_, reason)| (*reason).to_owned()),
            takes_part: takes_part.name().to_owned(),
            counting: counting.name().to_owned(),
            own_word_from: consent.own_word_from(),
            consent_on: consent.consent_on,
            assent_on: consent.assent_on,
            withdrawn_on: consent.withdrawn_on,
            counting_on: consent.counting_on,
            counting_assent_on: consent.counting_assent_on,
            counting_withdrawn_on: consent.counting_withdrawn_on,
            guardian_withdrawn_on: consent.guardian_withdrawn_on,
            counting_guardian_withdrawn_on: consent.counting_guardian_withdrawn_on,
        });
    }
    Ok(members)
}

/// What holds that day of taking part, and of counting. Of an adult its own word is both that are needed.
fn agreed(role: Role, consent: &Consent, on: &str) -> (Agreed, Agreed) {
    let consent = match role {
        Role::Child => consent.clone(),
        Role::Parent | Role::Caregiver => Consent {
            assent_on: consent.consent_on.clone(),
            counting_assent_on: consent.counting_on.clone(),
            ..consent.clone()
        },
    };
    (consent.taking_part(on), consent.counting(on))
}

fn rule(intended: &IntendedRule) -> api::Rule {
    let IntendedRule { rule, tolerance_min } = intended;
    api::Rule {
        start: rule.start.clone(),
        zone: Some(rule.zone.clone()),
        rrule: rule.rrule.clone(),
        tolerance_min: *tolerance_min,
    }
}

fn came(Funnel { home, away }: &Funnel) -> api::Funnel {
    let steps = |steps: &Steps, answered| {
        let Steps { sent, reached, heard, .. } = *steps;
        api::Steps { sent, reached, heard, answered }
    };
    api::Funnel { home: steps(home, Some(home.answered)), away: steps(away, None) }
}

/// The last weeks of which there are figures, the oldest first.
async fn weeks(relay: &Relay, programme: Scope, family: Scope) -> Result<Vec<api::Week>, Failure> {
    let store = &*relay.store;
    if placement(store, family).await?.is_none_or(|placement| placement.programme != programme) {
        return Ok(Vec::new());
    }
    let mut weeks = Vec::new();
    let mut week = Week::of(contact::today(relay, family).await?);
    for _ in 0..WEEKS {
        let row = store.row(programme, &week_book(week), &family.0.to_be_bytes()).await?;
        weeks.extend(row.as_ref().and_then(WeekRow::read).map(|row| api::Week {
            week: week.to_string(),
            closed: row.closed,
            site: row.site,
            children: row.children.iter().map(child).collect(),
        }));
        week = week.before();
    }
    weeks.reverse();
    Ok(weeks)
}

fn child(row: &ChildWeek) -> api::ChildWeek {
    api::ChildWeek {
        member: row.member.0,
        expected: row.expected,
        kept: row.kept,
        home: row.home,
        away: row.away,
        late: row.late,
        days: row.days,
        standing: row.standing.name().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use jiashu_proto::entry::{LinkFact, link_key};
    use jiashu_proto::error::ErrorCode;
    use jiashu_proto::id::DeviceId;

    use super::*;
    use crate::contact::tests::{PROGRAMME, Weeks};
    use crate::ngo::audit;
    use crate::programme::Role as StaffRole;
    use crate::store::{Batch, NewEntry};

    #[tokio::test]
    async fn anothers_case_is_answered_before_its_chain_is_read() {
        let weeks = Weeks::begin().await;
        weeks.until("2026-11-02T10:00").await;
        let link = Content::Link(LinkFact { link: b"no link".to_vec() });
        let damage = NewEntry { key: Some(link_key(9)), ..NewEntry::of(&link) };
        let batch = Batch { entries: vec![damage], ..Batch::new(0) };
        weeks.relay.store.commit(weeks.family, batch).await.unwrap();
        let staff = |role| Staff {
            programme: PROGRAMME,
            number: DeviceId(2),
            role,
            sites: vec!["tianshui".into()],
        };
        let refused = async |role, case: &str| match show(&weeks.relay, &staff(role), case).await {
            Err(Failure::Refused(no)) => no.code,
            other => panic!("{other:?}"),
        };

        // What reads the chain says that it is damaged; who is not shown the family hears what a stranger's code hears.
        assert_eq!(refused(StaffRole::Coordinator, "GS-001").await, ErrorCode::Unavailable);
        for case in ["GS-001", "GS-404"] {
            assert_eq!(refused(StaffRole::Caseworker, case).await, ErrorCode::Unknown, "{case}");
        }
        let chain = audit::read(&*weeks.relay.store, PROGRAMME).await.unwrap().unwrap();
        assert!(chain.entries.iter().rev().take(3).all(|entry| !entry.allowed));
    }
}
