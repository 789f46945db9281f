//! What this phone knows of contact: what the family intends, pauses, and what was heard. Of letters that others wrote to
//! others it knows nothing.

use jiashu_contact::ledger::{Contact, between};
use jiashu_contact::plan::{Intended, Pause as Days, Plan};
use jiashu_proto::entry::{
    ContactPlan, Content, PAUSE_KEYS, PLAN_KEY, PROPOSAL_KEY, Pause, Proposal, Seq,
};
use jiashu_proto::id::{MemberId, Millis, Role};
use jiff::Timestamp;
use rusqlite::Connection;

use super::{fact, receipt};
use crate::clock::timestamp;
use crate::error::Result;

/// What the family intends, as this phone has it.
#[derive(Clone, Debug, Default)]
pub struct Intentions {
    /// Place and time of the plan, and what it says.
    pub plan: Option<(Seq, Millis, ContactPlan)>,
    /// What staff propose, if nobody has answered yet.
    pub proposal: Option<Proposal>,
    /// Pauses, without those that were taken back.
    pub pauses: Vec<Pause>,
}

/// Reads it.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn intentions(db: &Connection) -> Result<Intentions> {
    let mut found = Intentions::default();
    if let Some(fact) = fact::find(db, PLAN_KEY)?
        && let Content::Plan(plan) = fact.content
    {
        found.plan = Some((fact.seq, fact.at, plan));
    }
    let since = found.plan.as_ref().map_or(0, |(seq, ..)| *seq);
    if let Some(fact) = fact::find(db, PROPOSAL_KEY)?
        && fact.seq > since
        && let Content::Proposal(proposal) = fact.content
    {
        found.proposal = Some(proposal);
    }
    for fact in fact::with_prefix(db, PAUSE_KEYS)? {
        if let Content::Pause(pause) = fact.content
            && !pause.withdrawn
        {
            found.pauses.push(pause);
        }
    }
    Ok(found)
}

impl Intentions {
    /// As it is reckoned with.
    #[must_use]
    pub fn reckoned(&self) -> Plan {
        let mut plan = Plan::default();
        if let Some((_, at, standing)) = &self.plan {
            let (from, until) = (timestamp(*at), Timestamp::MAX);
            let rules = standing.rules.iter();
            plan.rules.extend(rules.filter_map(|rule| Intended::of(rule, from, until)));
        }
        plan.pauses = self.pauses.iter().filter_map(Days::of).collect();
        plan
    }
}

/// What was heard between a child and a parent.
///
/// # Errors
///
/// If the state cannot be read.
pub fn contacts(
    db: &Connection,
    role_of: impl Fn(MemberId) -> Option<Role>,
) -> Result<Vec<Contact>> {
    let mut contacts = Vec::new();
    for (author, heard) in receipt::of_letters(db)? {
        if !heard.rung.is_heard(heard.share) {
            continue;
        }
        let roles = role_of(author).zip(role_of(heard.member));
        let between = roles.and_then(|(role, by)| between((author, role), (heard.member, by)));
        let Some((child, way)) = between else { continue };
        contacts.push(Contact { heard_at: timestamp(heard.at), child, way });
    }
    contacts.sort_unstable();
    Ok(contacts)
}
