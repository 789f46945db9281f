//! `family_week.csv`: what each week says of each child that is counted.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream;
use jiashu_contact::figures::Band;
use jiashu_contact::standing::Standing;
use jiashu_contact::week::Week;
use jiashu_proto::id::Scope;
use jiashu_recurrence::utc_text;

use super::pseudonym::Pseudonyms;
use super::sheet::Kind::{Integer, OneOf, Period, Text, Time, YesNo};
use super::sheet::{Column, Lines, header, yes_no};
use super::{Pieces, Wish, allow_file};
use crate::clock::timestamp;
use crate::contact::rows::{ChildWeek, WeekRow, week_book};
use crate::execute::Failure;
use crate::ngo::staff::{Staff, Wants};
use crate::relay::Relay;
use crate::store::{Book, BookRow};

/// What it is asked for by.
pub const NAME: &str = "family-week";

/// Families that are written at once: some 200 kB.
const AT_ONCE: usize = 1_000;

/// A row: a week of a child.
pub struct Row {
    week: Week,
    family: String,
    of: WeekRow,
    child: ChildWeek,
}

/// As they stand in the file.
pub const COLUMNS: [Column<Row>; 20] = [
    Column {
        name: "week",
        kind: Period,
        unit: None,
        meaning: "Week of ISO 8601 on the clock of the family's site",
        formula: "Weeks and months",
        cell: |row| row.week.to_string(),
    },
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
        cell: |row| row.child.member.to_string(),
    },
    Column {
        name: "site",
        kind: Text,
        unit: None,
        meaning: "Code of the site where the family was",
        formula: "Weeks and months",
        cell: |row| row.of.site.clone().unwrap_or_default(),
    },
    Column {
        name: "home_zone",
        kind: Text,
        unit: None,
        meaning: "Time zone at home, IANA",
        formula: "What counts as contact",
        cell: |row| row.of.home_zone.clone().unwrap_or_default(),
    },
    Column {
        name: "away_zone",
        kind: Text,
        unit: None,
        meaning: "Time zone of the first parent, IANA",
        formula: "What counts as contact",
        cell: |row| row.of.away_zone.clone().unwrap_or_default(),
    },
    Column {
        name: "expected",
        kind: Integer,
        unit: Some("evenings of the plan"),
        meaning: "Expected of the family's plan in that week, outside of pauses, as far as it is decided",
        formula: "What was expected, and what was kept",
        cell: |row| row.child.expected.to_string(),
    },
    Column {
        name: "kept",
        kind: Integer,
        unit: Some("evenings of the plan"),
        meaning: "Of these, kept",
        formula: "What was expected, and what was kept",
        cell: |row| row.child.kept.to_string(),
    },
    Column {
        name: "both_ways",
        kind: Integer,
        unit: Some("evenings of the plan"),
        meaning: "Of these, kept by each way by itself",
        formula: "What was expected, and what was kept",
        cell: |row| row.child.both_ways.to_string(),
    },
    Column {
        name: "home",
        kind: Integer,
        unit: Some("contacts"),
        meaning: "How often the child heard a parent",
        formula: "What counts as contact",
        cell: |row| row.child.home.to_string(),
    },
    Column {
        name: "away",
        kind: Integer,
        unit: Some("contacts"),
        meaning: "How often a parent heard the child",
        formula: "What counts as contact",
        cell: |row| row.child.away.to_string(),
    },
    Column {
        name: "late",
        kind: Integer,
        unit: Some("contacts"),
        meaning: "Of home and away, what came after the week in which it was heard had closed",
        formula: "Other figures",
        cell: |row| row.child.late.to_string(),
    },
    Column {
        name: "days",
        kind: Integer,
        unit: Some("days"),
        meaning: "Days of the week on which something was heard either way",
        formula: "Other figures",
        cell: |row| row.child.days.to_string(),
    },
    Column {
        name: "longest_gap",
        kind: Integer,
        unit: Some("hours"),
        meaning: "The longest time in the week without any contact",
        formula: "Other figures",
        cell: |row| row.child.longest_gap_h.to_string(),
    },
    Column {
        name: "standing",
        kind: OneOf(|| Standing::ALL.map(Standing::name).to_vec()),
        unit: None,
        meaning: "How the child stood at the end of the week",
        formula: "How a child stands",
        cell: |row| row.child.standing.name().to_owned(),
    },
    Column {
        name: "band",
        kind: OneOf(|| Band::ALL.map(Band::name).to_vec()),
        unit: None,
        meaning: "How often there was contact in the 28 days up to the end of the week",
        formula: "Other figures",
        cell: |row| row.child.band.name().to_owned(),
    },
    Column {
        name: "shared_phones",
        kind: Integer,
        unit: Some("phones"),
        meaning: "Phones of the household; the same in each row of a family",
        formula: "Other figures",
        cell: |row| row.of.shared_phones.to_string(),
    },
    Column {
        name: "idle_phones",
        kind: Integer,
        unit: Some("phones"),
        meaning: "Of these, those on which nothing was said or heard for 42 days since counting began",
        formula: "Other figures",
        cell: |row| row.of.idle_phones.to_string(),
    },
    Column {
        name: "closed",
        kind: YesNo,
        unit: None,
        meaning: "Whether the week has closed: then the row stays as it is",
        formula: "Weeks and months",
        cell: |row| yes_no(row.of.closed),
    },
    Column {
        name: "as_of",
        kind: Time,
        unit: None,
        meaning: "When the row was reckoned, in UTC",
        formula: "Weeks and months",
        cell: |row| utc_text(timestamp(row.of.as_of)),
    },
];

/// The file, for a coordinator.
///
/// # Errors
///
/// [`Failure`].
pub async fn file(relay: Arc<Relay>, staff: &Staff, wish: &Wish) -> Result<impl Pieces, Failure> {
    allow_file(&relay, staff, Wants::Programme, NAME, wish).await?;
    let now = relay.clock.now();
    let walk = Walk {
        names: Pseudonyms::of(&*relay.store, staff.programme, now).await?,
        relay,
        programme: staff.programme,
        header: Some(header(&COLUMNS)),
        weeks: wish.weeks().into(),
        rows: None,
    };
    Ok(stream::try_unfold(walk, |mut walk| async move {
        Ok(walk.next().await?.map(|piece| (piece, walk)))
    }))
}

/// Goes through the weeks. Of one at a time the rows are in memory, as they stand in the ledger.
struct Walk {
    relay: Arc<Relay>,
    programme: Scope,
    names: Pseudonyms,
    header: Option<Vec<u8>>,
    weeks: VecDeque<Week>,
    /// The week whose rows are written, and from which place on.
    rows: Option<(Week, Book, usize)>,
}

impl Walk {
    /// The next piece that is not empty.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(header) = self.header.take() {
            return Ok(Some(header));
        }
        loop {
            if let Some((week, book, from)) = &mut self.rows {
                let mut lines = Lines::default();
                let some = book.iter().skip(*from).take(AT_ONCE);
                some.for_each(|row| add(&mut lines, *week, &self.names, row));
                *from += AT_ONCE;
                if *from >= book.len() {
                    self.rows = None;
                }
                let piece = lines.into_bytes();
                if !piece.is_empty() {
                    return Ok(Some(piece));
                }
                continue;
            }
            let Some(week) = self.weeks.pop_front() else { return Ok(None) };
            let book = self.relay.store.whole_book(self.programme, &week_book(week)).await?;
            self.rows = Some((week, book, 0));
        }
    }
}

fn add(lines: &mut Lines, week: Week, names: &Pseudonyms, row: BookRow<'_>) {
    let number = row.name.try_into().map(|name| Scope(u64::from_be_bytes(name)));
    let (Ok(number), Some(mut of)) = (number, WeekRow::from_bytes(row.value)) else { return };
    let mut children = std::mem::take(&mut of.children).into_iter();
    let Some(first) = children.next() else { return };
    let mut row = Row { week, family: names.name(number), of, child: first };
    lines.row(&COLUMNS, &row);
    for child in children {
        row.child = child;
        lines.row(&COLUMNS, &row);
    }
}
