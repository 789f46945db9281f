//! `contact_events.csv`: each contact that the figures count, by itself.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use futures_util::stream;
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
use crate::contact::rows::week_book;
use crate::execute::Failure;
use crate::ngo::staff::{Staff, Wants};
use crate::relay::Relay;

/// What it is asked for by.
pub const NAME: &str = "contact-events";

/// A row: a contact.
pub struct Row {
    family: String,
    contact: Contact,
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
        cell: |row| Week::of(row.on).to_string(),
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
    let now = relay.clock.now();
    let walk = Walk {
        names: Pseudonyms::of(&*relay.store, staff.programme, now).await?,
        relay,
        programme: staff.programme,
        header: Some(header(&COLUMNS)),
        weeks: weeks.first().zip(weeks.last()).map(|(first, last)| *first..=*last),
        families,
    };
    Ok(stream::try_unfold(walk, |mut walk| async move {
        Ok(walk.next().await?.map(|piece| (piece, walk)))
    }))
}

/// Goes through the families. Of one at a time the ledger is in memory.
struct Walk {
    relay: Arc<Relay>,
    programme: Scope,
    names: Pseudonyms,
    header: Option<Vec<u8>>,
    weeks: Option<RangeInclusive<Week>>,
    families: BTreeSet<u64>,
}

impl Walk {
    /// The next piece that is not empty.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(header) = self.header.take() {
            return Ok(Some(header));
        }
        while let Some(family) = self.families.pop_first().map(Scope) {
            let (contacts, zone) = contact::counted(&self.relay, self.programme, family).await?;
            let name = self.names.name(family);
            let mut lines = Lines::default();
            for counted in contacts {
                let on = |at: Timestamp| zone.to_datetime(at).date();
                let row = Row {
                    family: name.clone(),
                    contact: counted.contact,
                    on: on(counted.contact.heard_at),
                    kind: counted.kind,
                    late: counted.late,
                };
                let week = Week::of(row.on);
                if self.weeks.as_ref().is_some_and(|weeks| weeks.contains(&week)) {
                    lines.row(&COLUMNS, &row);
                }
            }
            let piece = lines.into_bytes();
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}
