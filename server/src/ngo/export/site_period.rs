//! `site_period.csv`: the sums of each site, of each week or month, so that nobody is singled out.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use futures_util::stream;
use jiashu_api::report::{Count, Group};
use jiashu_proto::id::{Millis, Scope};

use super::sheet::Kind::{Integer, Number, Period as When, Text, YesNo};
use super::sheet::{Column, Lines, header, yes_no};
use super::{Pieces, Wish, allow_file};
use crate::execute::Failure;
use crate::ngo::period::{By, Period};
use crate::ngo::report::{LEAST, rows, shown, sum};
use crate::ngo::staff::{Staff, Wants};
use crate::programme::{self, SiteFact};
use crate::relay::Relay;
use crate::store::{Store, StoreError};

/// What it is asked for by.
pub const NAME: &str = "site-period";

/// A row: a week or month of a site. What would single out somebody is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// As DHIS2 names it.
    pub period: String,
    /// Whether it will stay so.
    pub closed: bool,
    /// The site's organisation unit.
    pub org_unit: Option<String>,
    /// Its figures.
    pub group: Group,
}

/// As they stand in the file. Those that are whole numbers are DHIS2's data elements.
pub const COLUMNS: [Column<Row>; 30] = [
    Column {
        name: "period",
        kind: When,
        unit: None,
        meaning: "Week of ISO 8601, or month: the weeks whose Thursday is in it",
        formula: "Weeks and months",
        cell: |row| row.period.clone(),
    },
    Column {
        name: "site",
        kind: Text,
        unit: None,
        meaning: "Code of the site; empty: families of which nobody said where they live",
        formula: "Weeks and months",
        cell: |row| row.group.name.clone().unwrap_or_default(),
    },
    Column {
        name: "org_unit",
        kind: Text,
        unit: None,
        meaning: "Code of the site's organisation unit in DHIS2",
        formula: "DHIS2",
        cell: |row| row.org_unit.clone().unwrap_or_default(),
    },
    Column {
        name: "closed",
        kind: YesNo,
        unit: None,
        meaning: "Whether the period has closed: then its figures stay as they are",
        formula: "Weeks and months",
        cell: |row| yes_no(row.closed),
    },
    Column {
        name: "families",
        kind: Integer,
        unit: Some("families"),
        meaning: "Families that are counted",
        formula: "What is counted of contact, and how",
        cell: |row| count(row.group.families),
    },
    Column {
        name: "children",
        kind: Integer,
        unit: Some("children"),
        meaning: "Their children that are counted",
        formula: "What is counted of contact, and how",
        cell: |row| count(row.group.children),
    },
    Column {
        name: "standing_not_active",
        kind: Integer,
        unit: Some("children"),
        meaning: "Children of whom taking part was not consented to at the end",
        formula: "How a child stands",
        cell: |row| named(&row.group.standing, "not_active"),
    },
    Column {
        name: "standing_paused",
        kind: Integer,
        unit: Some("children"),
        meaning: "Children who were in a pause at the end",
        formula: "How a child stands",
        cell: |row| named(&row.group.standing, "paused"),
    },
    Column {
        name: "standing_on_track",
        kind: Integer,
        unit: Some("children"),
        meaning: "Children who stood on track at the end",
        formula: "How a child stands",
        cell: |row| named(&row.group.standing, "on_track"),
    },
    Column {
        name: "standing_new",
        kind: Integer,
        unit: Some("children"),
        meaning: "Children who were new at the end",
        formula: "How a child stands",
        cell: |row| named(&row.group.standing, "new"),
    },
    Column {
        name: "standing_watch",
        kind: Integer,
        unit: Some("children"),
        meaning: "Children who stood at watch at the end",
        formula: "How a child stands",
        cell: |row| named(&row.group.standing, "watch"),
    },
    Column {
        name: "standing_at_risk",
        kind: Integer,
        unit: Some("children"),
        meaning: "Children who stood at risk at the end",
        formula: "How a child stands",
        cell: |row| named(&row.group.standing, "at_risk"),
    },
    Column {
        name: "standing_silent",
        kind: Integer,
        unit: Some("children"),
        meaning: "Children who were silent at the end",
        formula: "How a child stands",
        cell: |row| named(&row.group.standing, "silent"),
    },
    Column {
        name: "standing_dormant",
        kind: Integer,
        unit: Some("children"),
        meaning: "Children who were dormant at the end",
        formula: "How a child stands",
        cell: |row| named(&row.group.standing, "dormant"),
    },
    Column {
        name: "band_daily",
        kind: Integer,
        unit: Some("children"),
        meaning: "Children with contact on 24 days or more of the last 28",
        formula: "Other figures",
        cell: |row| named(&row.group.band, "daily"),
    },
    Column {
        name: "band_several_a_week",
        kind: Integer,
        unit: Some("children"),
        meaning: "Children with contact on 8 to 23 days of the last 28",
        formula: "Other figures",
        cell: |row| named(&row.group.band, "several_a_week"),
    },
    Column {
        name: "band_weekly",
        kind: Integer,
        unit: Some("children"),
        meaning: "Children with contact on 4 to 7 days of the last 28",
        formula: "Other figures",
        cell: |row| named(&row.group.band, "weekly"),
    },
    Column {
        name: "band_less",
        kind: Integer,
        unit: Some("children"),
        meaning: "Children with contact on 1 to 3 days of the last 28",
        formula: "Other figures",
        cell: |row| named(&row.group.band, "less"),
    },
    Column {
        name: "band_none",
        kind: Integer,
        unit: Some("children"),
        meaning: "Children with no contact in the last 28 days",
        formula: "Other figures",
        cell: |row| named(&row.group.band, "none"),
    },
    Column {
        name: "expected",
        kind: Integer,
        unit: Some("evenings of plans"),
        meaning: "Expected of the plans, outside of pauses, a child each",
        formula: "What was expected, and what was kept",
        cell: |row| count(row.group.expected),
    },
    Column {
        name: "kept",
        kind: Integer,
        unit: Some("evenings of plans"),
        meaning: "Of these, kept",
        formula: "What was expected, and what was kept",
        cell: |row| count(row.group.kept),
    },
    Column {
        name: "missed",
        kind: Integer,
        unit: Some("evenings of plans"),
        meaning: "Of these, missed: expected less kept",
        formula: "What was expected, and what was kept",
        cell: |row| count(row.group.missed),
    },
    Column {
        name: "both_ways",
        kind: Integer,
        unit: Some("evenings of plans"),
        meaning: "Of these, kept by each way by itself",
        formula: "What was expected, and what was kept",
        cell: |row| count(row.group.both_ways),
    },
    Column {
        name: "home",
        kind: Integer,
        unit: Some("contacts"),
        meaning: "How often a child heard a parent",
        formula: "What counts as contact",
        cell: |row| count(row.group.home),
    },
    Column {
        name: "away",
        kind: Integer,
        unit: Some("contacts"),
        meaning: "How often a parent heard a child",
        formula: "What counts as contact",
        cell: |row| count(row.group.away),
    },
    Column {
        name: "late",
        kind: Integer,
        unit: Some("contacts"),
        meaning: "Of home and away, what came after the week in which it was heard had closed",
        formula: "Other figures",
        cell: |row| count(row.group.late),
    },
    Column {
        name: "shared_phones",
        kind: Integer,
        unit: Some("phones"),
        meaning: "Phones of households",
        formula: "Other figures",
        cell: |row| count(row.group.shared_phones),
    },
    Column {
        name: "idle_phones",
        kind: Integer,
        unit: Some("phones"),
        meaning: "Of these, those on which nothing was said or heard for 42 days since counting began",
        formula: "Other figures",
        cell: |row| count(row.group.idle_phones),
    },
    Column {
        name: "adherence",
        kind: Number,
        unit: Some("percent"),
        meaning: "Kept of expected; empty where fewer than 4 were expected",
        formula: "What was expected, and what was kept",
        cell: |row| percent(row.group.adherence),
    },
    Column {
        name: "two_way_adherence",
        kind: Number,
        unit: Some("percent"),
        meaning: "Both ways of expected; empty where fewer than 4 were expected",
        formula: "What was expected, and what was kept",
        cell: |row| percent(row.group.two_way_adherence),
    },
];

fn count(count: Option<u32>) -> String {
    count.map(|count| count.to_string()).unwrap_or_default()
}

fn named(counts: &[Count], name: &str) -> String {
    count(counts.iter().find(|count| count.name == name).and_then(|count| count.count))
}

fn percent(percent: Option<f64>) -> String {
    percent.map(|percent| format!("{percent:.1}")).unwrap_or_default()
}

/// Organisation units by site.
pub type Sites = HashMap<String, SiteFact>;

/// The sites of a programme.
///
/// # Errors
///
/// [`StoreError`].
pub async fn sites(store: &dyn Store, programme: Scope) -> Result<Sites, StoreError> {
    Ok(programme::all(store, programme).await?.into_iter().collect())
}

/// The sums of a period, a row a site, by its code; `None` where it has not closed and only what has is asked for.
///
/// # Errors
///
/// [`StoreError`].
pub async fn sums(
    store: &dyn Store,
    programme: Scope,
    sites: &Sites,
    period: &Period,
    provisional: bool,
    now: Millis,
) -> Result<Option<Vec<Row>>, StoreError> {
    let mut summed = sum(&rows(store, programme, period).await?, By::Site);
    summed.closed = period.has_closed(summed.closed, now);
    if !summed.closed && !provisional {
        return Ok(None);
    }
    let report = shown(period, By::Site, &summed, Some(LEAST), now);
    let row = |group: Group| Row {
        period: report.period.clone(),
        closed: report.closed,
        org_unit: group.name.as_ref().and_then(|site| sites.get(site)?.org_unit.clone()),
        group,
    };
    Ok(Some(report.groups.clone().into_iter().map(row).collect()))
}

/// The file, for who may see figures.
///
/// # Errors
///
/// [`Failure`].
pub async fn file(relay: Arc<Relay>, staff: &Staff, wish: &Wish) -> Result<impl Pieces, Failure> {
    allow_file(&relay, staff, Wants::Figures, NAME, wish).await?;
    let walk = Walk {
        sites: sites(&*relay.store, staff.programme).await?,
        relay,
        programme: staff.programme,
        header: Some(header(&COLUMNS)),
        periods: wish.periods.clone().into(),
        provisional: wish.provisional,
    };
    Ok(stream::try_unfold(walk, |mut walk| async move {
        Ok(walk.next().await?.map(|piece| (piece, walk)))
    }))
}

/// Goes through the periods. Of one at a time the rows are in memory.
struct Walk {
    relay: Arc<Relay>,
    programme: Scope,
    sites: Sites,
    header: Option<Vec<u8>>,
    periods: VecDeque<Period>,
    provisional: bool,
}

impl Walk {
    /// The next piece that is not empty.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(header) = self.header.take() {
            return Ok(Some(header));
        }
        while let Some(period) = self.periods.pop_front() {
            let (store, now) = (&*self.relay.store, self.relay.clock.now());
            let (sites, provisional) = (&self.sites, self.provisional);
            let rows = sums(store, self.programme, sites, &period, provisional, now).await?;
            let mut lines = Lines::default();
            rows.iter().flatten().for_each(|row| lines.row(&COLUMNS, row));
            let piece = lines.into_bytes();
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}
