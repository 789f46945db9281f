//! Data value sets for DHIS2: the counts of `site_period` as data elements, a site as an organisation unit.
//!
//! What was handed out once and may not be seen any more is handed out as a deletion. So the programme's ledger notes of
//! each period which values ever were: before they are handed out, and for good, as nobody here knows what became of a
//! file. A deletion of what is not there does nothing. The same figures make the same set, so it is safe to send again.
//!
//! Source: DHIS2, *Developer guide*, "Data values": `dataValueSets`, CSV data value format, `idScheme`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiashu_api::export as api;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{Millis, Scope};
use serde::Serialize;

use super::sheet::{Kind, Lines, is_formula};
use super::site_period::{COLUMNS, Row, Sites, sites, sums};
use super::{Wish, allow_file};
use crate::execute::Failure;
use crate::family::Refusal;
use crate::ngo::staff::{Staff, Wants};
use crate::programme::SiteFact;
use crate::relay::Relay;
use crate::store::{Batch, Change, LedgerRow, Store, StoreError};

/// What it is asked for by.
pub const NAME: &str = "dhis2";

/// What the codes of data elements begin with where nobody says.
pub const PREFIX: &str = "JIASHU_";

/// The most of a prefix, in bytes: DHIS2's codes have 50 characters.
const MAX_PREFIX: usize = 24;

/// Rows noted in one step.
const AT_ONCE: usize = 1_000;

/// The columns of DHIS2's own files; an import goes by their places.
const CSV: [&str; 11] = [
    "dataelement",
    "period",
    "orgunit",
    "categoryoptioncombo",
    "attributeoptioncombo",
    "value",
    "storedby",
    "lastupdated",
    "comment",
    "followup",
    "deleted",
];

/// A data value set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataValueSet {
    /// By period, organisation unit and data element.
    pub data_values: Vec<DataValue>,
}

/// A value of it, or that there is none any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataValue {
    /// `2026W48` or `202611`.
    pub period: String,
    /// The code of the organisation unit.
    pub org_unit: String,
    /// The code of the data element.
    pub data_element: String,
    /// Absent where it is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether it is to be deleted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
}

impl DataValueSet {
    /// In the columns of DHIS2's CSV.
    #[must_use]
    pub fn to_csv(&self) -> Vec<u8> {
        let mut lines = Lines::default();
        lines.add(CSV);
        for DataValue { period, org_unit, data_element, value, deleted } in &self.data_values {
            let value = value.as_deref().unwrap_or_default();
            let deleted = if *deleted { "true" } else { "false" };
            lines.add([data_element, period, org_unit, "", "", value, "", "", "", "", deleted]);
        }
        lines.into_bytes()
    }
}

/// The data elements, as a codebook.
#[must_use]
pub fn codebook(prefix: &str) -> Vec<api::Column> {
    let element = |column: &super::sheet::Column<Row>| api::Column {
        column: code(prefix, column.name),
        ..column.explained()
    };
    COLUMNS.iter().filter(|column| matches!(column.kind, Kind::Integer)).map(element).collect()
}

fn code(prefix: &str, column: &str) -> String {
    format!("{prefix}{}", column.to_ascii_uppercase())
}

/// Whether codes may begin so.
///
/// # Errors
///
/// [`ErrorCode::Malformed`].
pub fn check_prefix(prefix: &str) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let begins = prefix.bytes().next().is_none_or(|byte| byte.is_ascii_alphabetic());
    if begins && prefix.len() <= MAX_PREFIX && prefix.bytes().all(allowed) {
        return Ok(());
    }
    let text = "a prefix is a letter and then letters, digits or _, at most 24 in all";
    Err(Refusal::new(ErrorCode::Malformed, text))
}

/// What would be handed out; nothing of it is noted.
///
/// # Errors
///
/// [`Failure`].
pub async fn preview(relay: &Relay, staff: &Staff, wish: &Wish) -> Result<api::Preview, Failure> {
    allow_file(relay, staff, Wants::Figures, "dhis2-preview", wish).await?;
    let Gathered { values, not_closed, left_out, .. } =
        gather(relay, staff.programme, wish).await?;
    let (deletions, values): (Vec<_>, Vec<_>) =
        values.iter().flat_map(|(_, values)| values).partition(|value| value.count.is_none());
    let org_units: BTreeSet<_> = values.iter().map(|value| value.org_unit.clone()).collect();
    let periods = wish.periods.iter().map(|period| period.name.clone());
    Ok(api::Preview {
        periods: periods.filter(|name| !not_closed.contains(name)).collect(),
        not_closed,
        org_units: org_units.into_iter().collect(),
        values: values.len(),
        deletions: deletions.len(),
        left_out,
    })
}

/// The set, for who may see figures; what is in it is noted first.
///
/// # Errors
///
/// [`Failure`].
pub async fn data_value_set(
    relay: &Relay,
    staff: &Staff,
    wish: &Wish,
    prefix: &str,
) -> Result<DataValueSet, Failure> {
    allow_file(relay, staff, Wants::Figures, NAME, wish).await?;
    check_prefix(prefix)?;
    let gathered = gather(relay, staff.programme, wish).await?;
    if gathered.values.is_empty() {
        let text = "that has not closed yet: it does seven days after its end, or ask for what is \
                    provisional";
        return Err(Refusal::new(ErrorCode::Malformed, text).into());
    }
    let mut set = DataValueSet::default();
    for (period, values) in gathered.values {
        note(&*relay.store, staff.programme, &period, &values, relay.clock.now()).await?;
        set.data_values.extend(values.into_iter().map(|value| DataValue {
            period: period.clone(),
            org_unit: value.org_unit,
            data_element: code(prefix, value.column),
            deleted: value.count.is_none(),
            value: value.count,
        }));
    }
    Ok(set)
}

/// What there is to hand out.
struct Gathered {
    /// Of each period that is handed out, the values; whoever asked for them.
    values: Vec<(String, Vec<Value>)>,
    not_closed: Vec<String>,
    left_out: Vec<api::LeftOut>,
}

/// A value, by the column of `site_period`; without a count where it is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Value {
    org_unit: String,
    column: &'static str,
    count: Option<String>,
}

async fn gather(relay: &Relay, programme: Scope, wish: &Wish) -> Result<Gathered, Failure> {
    let (store, now) = (&*relay.store, relay.clock.now());
    let sites = sites(store, programme).await?;
    let units = units(&sites);
    let mut gathered =
        Gathered { values: Vec::new(), not_closed: Vec::new(), left_out: Vec::new() };
    let mut without = BTreeMap::new();
    for period in &wish.periods {
        let sums = sums(store, programme, &sites, period, wish.provisional, now).await?;
        let Some(rows) = sums else {
            gathered.not_closed.push(period.name.clone());
            continue;
        };
        let noted = noted(store, programme, &period.name).await?;
        for row in &rows {
            if let Err(reason) = unit(&units, row) {
                without.insert(row.group.name.clone(), reason.to_owned());
            }
        }
        gathered.values.push((period.name.clone(), values(&rows, &units, &noted)));
    }
    gathered.left_out =
        without.into_iter().map(|(site, reason)| api::LeftOut { site, reason }).collect();
    Ok(gathered)
}

/// Of each site its organisation unit, or why nothing of it goes to DHIS2.
type Units<'a> = HashMap<&'a str, Result<&'a str, &'static str>>;

fn units(sites: &Sites) -> Units<'_> {
    let mut used: HashMap<&str, u32> = HashMap::new();
    for unit in sites.values().filter_map(|site| site.org_unit.as_deref()) {
        *used.entry(unit).or_default() += 1;
    }
    sites.iter().map(|(code, site)| (code.as_str(), unit_of(site, &used))).collect()
}

fn unit_of<'a>(site: &'a SiteFact, used: &HashMap<&str, u32>) -> Result<&'a str, &'static str> {
    match site.org_unit.as_deref().filter(|unit| !unit.is_empty()) {
        None => Err("it has no organisation unit: jiashu ngo site add … --org-unit CODE"),
        Some(unit) if used.get(unit).is_some_and(|sites| *sites > 1) => {
            Err("another site has the same organisation unit: one site is one")
        }
        Some(unit) if is_formula(unit) => {
            Err("a spreadsheet takes its organisation unit's code for a formula")
        }
        Some(unit) => Ok(unit),
    }
}

fn unit<'a>(units: &Units<'a>, row: &Row) -> Result<&'a str, &'static str> {
    let Some(site) = row.group.name.as_deref() else {
        return Err("nobody said where these families live");
    };
    units.get(site).copied().unwrap_or(Err("there is no such site any more"))
}

/// What of these rows is seen, and what was noted and is seen no more; in order.
fn values(rows: &[Row], units: &Units<'_>, noted: &BTreeSet<(String, String)>) -> Vec<Value> {
    let mut values = Vec::new();
    for (row, org_unit) in rows.iter().filter_map(|row| Some((row, unit(units, row).ok()?))) {
        for column in COLUMNS.iter().filter(|column| matches!(column.kind, Kind::Integer)) {
            let count = Some((column.cell)(row)).filter(|count| !count.is_empty());
            let (org_unit, column) = (org_unit.to_owned(), column.name);
            values.extend(count.map(|count| Value { org_unit, column, count: Some(count) }));
        }
    }
    let seen: BTreeSet<_> =
        values.iter().map(|value| (value.org_unit.clone(), value.column)).collect();
    for (org_unit, name) in noted {
        let column = COLUMNS.iter().map(|column| column.name).find(|column| column == name);
        let Some(column) = column else { continue };
        if !seen.contains(&(org_unit.clone(), column)) {
            values.push(Value { org_unit: org_unit.clone(), column, count: None });
        }
    }
    values.sort_unstable();
    values
}

/// The book of what was ever handed out of a period: organisation unit and column, whatever the prefix was.
fn book(period: &str) -> String {
    format!("dhis2/{period}")
}

/// Parts the two in a row's name; no code holds it.
const BETWEEN: u8 = 0;

async fn noted(
    store: &dyn Store,
    programme: Scope,
    period: &str,
) -> Result<BTreeSet<(String, String)>, StoreError> {
    let rows = store.book(programme, &book(period)).await?;
    let read = |row: LedgerRow| {
        let name = String::from_utf8(row.name).ok()?;
        let (org_unit, column) = name.split_once(char::from(BETWEEN))?;
        Some((org_unit.to_owned(), column.to_owned()))
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

async fn note(
    store: &dyn Store,
    programme: Scope,
    period: &str,
    values: &[Value],
    now: Millis,
) -> Result<(), StoreError> {
    let noted = noted(store, programme, period).await?;
    let is_new = |value: &&Value| {
        let known = (value.org_unit.clone(), value.column.to_owned());
        value.count.is_some() && !noted.contains(&known)
    };
    let row = |value: &Value| LedgerRow {
        book: book(period),
        name: [value.org_unit.as_bytes(), &[BETWEEN], value.column.as_bytes()].concat(),
        version: (1, 0),
        value: Vec::new(),
    };
    let changes: Vec<_> =
        values.iter().filter(is_new).map(|value| Change::Enter(row(value))).collect();
    for changes in changes.chunks(AT_ONCE) {
        let changes = changes.to_vec();
        store.commit(programme, Batch { changes, ..Batch::new(now) }).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiashu_api::report::Group;

    use super::*;

    fn sites(of: &[(&str, Option<&str>)]) -> Sites {
        let site = |org_unit: Option<&str>| SiteFact {
            name: "x".into(),
            zone: "UTC".into(),
            org_unit: org_unit.map(str::to_owned),
        };
        of.iter().map(|(code, unit)| ((*code).to_owned(), site(*unit))).collect()
    }

    fn row(site: Option<&str>, children: Option<u32>, kept: Option<u32>) -> Row {
        let name = site.map(str::to_owned);
        let group = Group { name, children, kept, ..Group::default() };
        Row { period: "2026W48".into(), closed: true, org_unit: None, group }
    }

    #[test]
    fn a_value_that_was_handed_out_and_is_left_out_now_is_deleted() {
        let sites = sites(&[("a", Some("OU_A")), ("b", Some("OU_B"))]);
        let rows = [row(Some("a"), Some(40), Some(0)), row(Some("b"), None, None)];
        let noted = [("OU_A", "kept"), ("OU_B", "children"), ("OU_GONE", "kept"), ("OU_A", "?")];
        let noted = noted.map(|(unit, column)| (unit.to_owned(), column.to_owned())).into();

        let values = values(&rows, &units(&sites), &noted);

        let values: Vec<_> = values
            .iter()
            .map(|value| (value.org_unit.as_str(), value.column, value.count.as_deref()))
            .collect();
        assert_eq!(
            values,
            [
                ("OU_A", "children", Some("40")),
                ("OU_A", "kept", Some("0")),
                ("OU_B", "children", None),
                ("OU_GONE", "kept", None),
            ]
        );
    }

    #[test]
    fn a_site_without_a_unit_of_its_own_is_left_out_and_says_why() {
        let sites = sites(&[
            ("none", None),
            ("empty", Some("")),
            ("one", Some("OU")),
            ("two", Some("OU")),
            ("odd", Some("=cmd")),
            ("good", Some("OU_G")),
        ]);
        let units = units(&sites);
        let why = |site| unit(&units, &row(site, Some(40), None));

        for (site, reason) in [
            (Some("none"), "no organisation unit"),
            (Some("empty"), "no organisation unit"),
            (Some("one"), "another site has the same"),
            (Some("two"), "another site has the same"),
            (Some("odd"), "formula"),
            (Some("gone"), "no such site"),
            (None, "where these families live"),
        ] {
            assert!(why(site).unwrap_err().contains(reason), "{site:?}");
        }
        assert_eq!(why(Some("good")), Ok("OU_G"));
    }

    #[test]
    fn a_set_is_written_as_dhis2_reads_it() {
        let value = |value: Option<&str>, element: &str| DataValue {
            period: "2026W48".into(),
            org_unit: "OU_1".into(),
            data_element: element.into(),
            value: value.map(str::to_owned),
            deleted: value.is_none(),
        };
        let data_values = vec![value(Some("40"), "JIASHU_CHILDREN"), value(None, "JIASHU_KEPT")];
        let set = DataValueSet { data_values };

        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(
            json,
            r#"{"dataValues":[{"period":"2026W48","orgUnit":"OU_1","dataElement":"JIASHU_CHILDREN","value":"40"},{"period":"2026W48","orgUnit":"OU_1","dataElement":"JIASHU_KEPT","deleted":true}]}"#
        );
        let csv = String::from_utf8(set.to_csv()).unwrap();
        let lines: Vec<_> = csv.split("\r\n").collect();
        assert_eq!(
            lines,
            [
                "dataelement,period,orgunit,categoryoptioncombo,attributeoptioncombo,value,storedby,\
                 lastupdated,comment,followup,deleted",
                "JIASHU_CHILDREN,2026W48,OU_1,,,40,,,,,false",
                "JIASHU_KEPT,2026W48,OU_1,,,,,,,,true",
                ""
            ]
        );
    }

    #[test]
    fn codes_begin_with_a_letter_and_fit() {
        for good in ["", "JIASHU_", "Ngo2_"] {
            assert!(check_prefix(good).is_ok(), "{good}");
        }
        for bad in ["=A", "_x", "2x", "a-b", "a b", &"x".repeat(25)] {
            assert!(check_prefix(bad).is_err(), "{bad}");
        }
        let longest = codebook(&"X".repeat(MAX_PREFIX));
        assert!(longest.iter().all(|element| element.column.len() <= 50));
    }
}
