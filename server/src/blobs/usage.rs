//! What stored bytes come to, by programme, for the operator: from what is noted of them in the families' logs.

use std::collections::{BTreeMap, BTreeSet};

use jiashu_proto::entry::{BLOB_KEYS, BlobState, Content};
use jiashu_proto::id::{Millis, Scope};

use crate::family::enrolment::{case_key, read_case};
use crate::store::{ScopeKind, Store, StoreError};

/// Of one programme's families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Families that store something.
    pub families: u64,
    /// What is stored whole.
    pub notes: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Bytes that uploads under way have announced, or that are about to go.
    pub unsettled: u64,
    /// When the oldest came, in ms.
    pub oldest_at: Option<Millis>,
    /// Bytes handed out by links.
    pub linked: u64,
}

/// By programme; `None` is of families that began anew elsewhere: what they had still grows old.
///
/// # Errors
///
/// [`StoreError`].
pub async fn by_programme(store: &dyn Store) -> Result<BTreeMap<Option<Scope>, Usage>, StoreError> {
    let (mut families, mut programme_of) = (BTreeSet::new(), BTreeMap::new());
    for scope in store.scopes().await? {
        match store.state(scope).await?.map(|state| state.kind) {
            Some(ScopeKind::Family) => {
                families.insert(scope);
            }
            Some(ScopeKind::Programme) => {
                for (_, record) in store.facts(scope, &case_key("")).await? {
                    if let Ok(case) = read_case(&record.content) {
                        programme_of.insert(case.family, scope);
                    }
                }
            }
            Some(ScopeKind::Relay) | None => {}
        }
    }
    let mut all: BTreeMap<Option<Scope>, Usage> = BTreeMap::new();
    for programme in programme_of.values() {
        all.entry(Some(*programme)).or_default();
    }
    for family in families {
        let facts = store.facts(family, BLOB_KEYS).await?;
        if facts.is_empty() {
            continue;
        }
        let usage = all.entry(programme_of.get(&family).copied()).or_default();
        usage.families = usage.families.saturating_add(1);
        for (_, record) in facts {
            let Ok(Content::Blob(fact)) = Content::from_bytes(&record.content) else { continue };
            if fact.state == BlobState::Whole {
                usage.notes = usage.notes.saturating_add(1);
                usage.bytes = usage.bytes.saturating_add(fact.size);
            } else {
                usage.unsettled = usage.unsettled.saturating_add(fact.size);
            }
            usage.linked = usage.linked.saturating_add(fact.linked);
            usage.oldest_at = Some(usage.oldest_at.unwrap_or(fact.at).min(fact.at));
        }
    }
    Ok(all)
}
