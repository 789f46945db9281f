//! `contact_events.csv`: each contact that the figures count, by itself.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiashu_contact::ledger::{Contact, Way};
use jiashu_contact::week::Week;
use jiashu_proto::entry::MessageKind;
use jiashu_proto::id::Scope;
use jiashu_recurrence::utc_text;
use jiff::Timestamp;
use jiff::civil::Date;

use super::pseudonym::Pseudonyms;
use super::sheet::Kind::{Date as Day, Integer, OneOf, Period, Text, Time, YesNo};
use super::sheet::{Column, Lines, header, yes_no};
use super::{Pieces, Wish, allow_file};
use crate::contact;
use crate::contact::known::Counted;
use crate::contact::rows::week_book;
use crate::execute::Failure;
use crate::ngo::staff::{Staff, Wants};
use crate::relay::Relay;

/// What it is asked for by.
pub const NAME: &str = "contact-events";

/// Families whose ledgers are in memory at once.
const AT_ONCE: usize = 16;

/// A row: a contact.
pub struct Row {
    family: String,
    contact: Contact,
    week: Week,
    on: Date,
    kind: u32,
    late: bool,
}

/// As they stand in the file.
pub const COLUMNS: [Column<Row>; 8] = [
    Column {
        name: "family",
        kind: Text,
        unit: None,
        meaning: "Pseudonym of the family, the same in every file of the programme",
        formula: "Figures as files",
        cell: |row| row.family.clone(),
    },
    Column {
        name: "child",
        kind: Integer,
        unit: None,
        meaning: "Number of the child in the family",
        formula: "What counts as contact",
        cell: |row| row.contact.child.to_string(),
    },
    Column {
        name: "way",
        kind: OneOf(|| vec!["home", "away"]),
        unit: None,
        meaning: "home: the child heard a parent; away: a parent heard the child",
        formula: "What counts as contact",
        cell: |row| match row.contact.way {
            Way::Home => "home".to_owned(),
            Way::Away => "away".to_owned(),
        },
    },
    Column {
        name: "heard_at",
        kind: Time,
        unit: None,
        meaning: "When it was heard, in UTC; of what is late, when it came",
        formula: "What counts as contact",
        cell: |row| utc_text(row.contact.heard_at),
    },
    Column {
        name: "heard_on",
        kind: Day,
        unit: None,
        meaning: "The same as a day on the clock of the family's site",
        formula: "Weeks and months",
        cell: |row| row.on.to_string(),
    },
    Column {
        name: "week",
        kind: Period,
        unit: None,
        meaning: "The week in which it counts",
        formula: "Weeks and months",
        cell: |row| row.week.to_string(),
    },
    Column {
        name: "kind",
        kind: OneOf(|| {
            let is_heard = |kind: &MessageKind| *kind != MessageKind::Name;
            MessageKind::ALL.into_iter().filter(is_heard).map(MessageKind::name).collect()
        }),
        unit: None,
        meaning: "Of which kind the message was",
        formula: "What counts as contact",
        cell: |row| {
            MessageKind::from_number(row.kind).map(MessageKind::name).unwrap_or_default().to_owned()
        },
    },
    Column {
        name: "late",
        kind: YesNo,
        unit: None,
        meaning: "Whether it came after the week in which it was heard had closed",
        formula: "Other figures",
        cell: |row| yes_no(row.late),
    },
];

/// The file, for a coordinator.
///
/// # Errors
///
/// [`Failure`].
pub async fn file(relay: Arc<Relay>, staff: &Staff, wish: &Wish) -> Result<impl Pieces, Failure> {
    allow_file(&relay, staff, Wants::Programme, NAME, wish).await?;
    let weeks = wish.weeks();
    // Whoever has contacts in them has a row in one of them.
    let mut families = BTreeSet::new();
    for week in &weeks {
        let rows = relay.store.book(staff.programme, &week_book(*week)).await?;
        let number = |name: Vec<u8>| name.try_into().ok().map(u64::from_be_bytes);
        families.extend(rows.into_iter().filter_map(|row| number(row.name)));
    }
    let gatherer = Arc::new(Gatherer {
        names: Pseudonyms::of(&*relay.store, staff.programme, relay.clock.now()).await?,
        relay,
        programme: staff.programme,
        weeks: weeks.into_iter().collect(),
    });
    let head = stream::once(ready(Ok(header(&COLUMNS))));
    let rows = stream::iter(families).map(move |family| {
        let gatherer = Arc::clone(&gatherer);
        async move { gatherer.rows(Scope(family)).await }
    });
    Ok(head.chain(rows.buffered(AT_ONCE)).try_filter(|piece| ready(!piece.is_empty())))
}

/// Writes the rows of one family after the other.
struct Gatherer {
    relay: Arc<Relay>,
    programme: Scope,
    names: Pseudonyms,
    weeks: BTreeSet<Week>,
}

impl Gatherer {
    async fn rows(&self, family: Scope) -> Result<Vec<u8>, Failure> {
        let (contacts, stays) = contact::counted(&self.relay, self.programme, family).await?;
        let name = self.names.name(family);
        let now = Timestamp::from_millisecond(self.relay.clock.now()).unwrap_or(Timestamp::MAX);
        let mut lines = Lines::default();
        for Counted { contact, late, kind } in contacts {
            let week = stays.week_at(contact.heard_at);
            // On the clock that the week's own row is reckoned on.
            let on = stays.of(week, now).zone.to_datetime(contact.heard_at).date();
            if self.weeks.contains(&week) {
                lines.row(&COLUMNS, &Row { family: name.clone(), contact, week, on, kind, late });
            }
        }
        Ok(lines.into_bytes())
    }
}
