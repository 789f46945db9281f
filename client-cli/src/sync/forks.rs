//! Another chain than ours that a relay shows. Nothing of it is believed: it is kept beside ours
//! for a person to look at, who alone may take it.

use jiashu_proto::entry::Content;
use jiashu_proto::frame::WireEntry;
use jiashu_proto::id::Epoch;
use jiashu_roster::{Link, Roster};
use rusqlite::{Connection, Transaction};

use crate::error::Result;
use crate::state::chain;
use crate::state::damaged;
use crate::state::fork::{self, ForkLink};
use crate::state::lane::Lane;
use crate::state::{held, told};

/// Why nothing is sealed while there is a fork.
#[must_use]
pub(super) fn in_words(number: Epoch) -> String {
    format!(
        "from its change {number} on the relay shows another list than this phone knows (both: \
         jiashu family)"
    )
}

/// Our own roster before that link.
pub(super) fn before(db: &Connection, number: Epoch) -> Result<Roster> {
    let before = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let links = chain::links(db)?.into_iter().take(before);
    let (roster, _) = Roster::replay(links.map(|(link, _)| link)).map_err(damaged)?;
    Ok(roster)
}

/// Keeps all links of the other chain that these entries bring, from that number on.
pub(super) fn keep(db: &Connection, from: Epoch, entries: &[WireEntry]) -> Result<()> {
    let mut roster = before(db, from)?;
    let mut links = Vec::new();
    for entry in entries {
        let Ok(Content::Link(fact)) = Content::from_bytes(&entry.content) else { continue };
        let number = Link::parse(&fact.link).and_then(|link| link.read()).map(|body| body.number);
        let Ok(number) = number else { break };
        if number >= from && roster.follow(&fact.link).is_ok() {
            links.push(ForkLink { number, link: fact.link, at: entry.at });
        }
    }
    fork::put(db, &links)
}

/// The family as the relay shows it where that is another than ours, as far as it has shown it.
///
/// # Errors
///
/// If the state cannot be read, or is damaged.
pub fn shown(db: &Connection) -> Result<Option<(Epoch, Roster)>> {
    let links = fork::all(db)?;
    let Some(first) = links.first() else { return Ok(None) };
    let mut roster = before(db, first.number)?;
    for link in &links {
        roster.follow(&link.link).map_err(damaged)?;
    }
    Ok(Some((first.number, roster)))
}

/// Whether this very phone, by its keys, is live in that roster.
#[must_use]
pub fn is_in(roster: &Roster, lane: &Lane) -> bool {
    let device = roster.devices().get(&lane.me());
    device.is_some_and(|device| {
        device.sign_pub == lane.keys.sign.public()
            && device.hpke_pub == lane.keys.hpke.public()
            && roster.hash_of(device.joined) == Some(lane.join_hash)
    })
}

/// Takes the relay's chain in the place of ours from that link on: ours is cut, with its keys, and
/// the log is read again from its start. What waits is sealed under the key that comes then.
///
/// # Errors
///
/// If the state cannot be written.
pub fn accept(tx: &Transaction<'_>, mut lane: Lane, from: Epoch) -> Result<()> {
    chain::cut(tx, from)?;
    // What the relay holds under a key of ours that it does not know is not known to be sealed.
    held::doubt(tx, from)?;
    fork::clear(tx)?;
    let known = i64::from(from.saturating_sub(1));
    if told::upto(tx, told::LINK)?.is_some_and(|upto| upto > known) {
        told::put(tx, told::LINK, known)?;
    }
    (lane.cursor, lane.log_epoch, lane.broken) = (None, 0, None);
    lane.store(tx)
}
