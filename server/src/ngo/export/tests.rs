//! Files of a programme of which the ledger is known, from the real store.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use jiashu_contact::figures::Band;
use jiashu_contact::standing::Standing;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{DeviceId, MemberId, Millis, Scope, TokenHash};
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::config::Config;
use crate::contact::rows::{ChildWeek, WeekRow, week_book};
use crate::contact::uses::Uses;
use crate::ngo::audit;
use crate::ngo::period::By;
use crate::ngo::report::report;
use crate::programme::{Role, SiteFact, entry, site_key};
use crate::store::embedded::{EmbeddedStore, Options};
use crate::store::{Batch, Change, LedgerRow, Precondition, ScopeKind, Store};

const PROGRAMME: Scope = Scope(70);

struct Programme {
    relay: Arc<Relay>,
    families: u64,
    _folder: TempDir,
}

impl Programme {
    /// On Sunday, 29 November 2026, with three sites.
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data: folder.path().to_owned(), ..Config::defaults() };
        let store = EmbeddedStore::open(folder.path(), Options::default()).unwrap();
        let blobs = crate::blobs::open(&config).unwrap();
        let now: jiff::Timestamp = "2026-11-29T12:00:00Z".parse().unwrap();
        let clock = Clock::manual(now.as_millisecond());
        let relay = Arc::new(Relay::new(config, Arc::new(store), blobs, clock));
        let this = Self { relay, families: 0, _folder: folder };
        for scope in [PROGRAMME, Scope(71)] {
            let changes = vec![
                Change::Create(ScopeKind::Programme),
                Change::AddSeat {
                    device: DeviceId(1),
                    token_hash: TokenHash([1; 32]),
                    members: Vec::new(),
                },
            ];
            let requires = vec![Precondition::Absent];
            let batch = Batch { requires, changes, ..Batch::new(this.now()) };
            this.relay.store.commit(scope, batch).await.unwrap();
        }
        for (code, org_unit) in
            [("-tianshui", Some("OU_T")), ("soroca", Some("OU_S")), ("riga", None)]
        {
            let (name, zone) = ("=HYPERLINK(\"x\")".to_owned(), "Asia/Shanghai".to_owned());
            let site = SiteFact { name, zone, org_unit: org_unit.map(str::to_owned) };
            let entries = vec![entry(site_key(code), &site)];
            let batch = Batch { entries, ..Batch::new(this.now()) };
            this.relay.store.commit(PROGRAMME, batch).await.unwrap();
        }
        this
    }

    fn now(&self) -> Millis {
        self.relay.clock.now()
    }

    fn store(&self) -> &dyn Store {
        &*self.relay.store
    }

    fn staff(role: Role) -> Staff {
        Staff { programme: PROGRAMME, number: DeviceId(1), role, sites: Vec::new() }
    }

    /// So many more families of a child each, of which that week says this.
    async fn week(&mut self, week: &str, site: &str, families: u32, closed: bool) {
        let mut changes = Vec::new();
        for place in 0..families {
            self.families += 1;
            let child = ChildWeek {
                member: MemberId(3),
                expected: 7,
                kept: place % 8,
                both_ways: place % 3,
                home: 5,
                away: place % 4,
                late: place % 2,
                days: 4,
                longest_gap_h: 40,
                standing: Standing::ALL[place as usize % 3 + 2],
                band: Band::ALL[place as usize % 2],
                age: None,
                edges: None,
            };
            let row = WeekRow {
                site: Some(site.to_owned()),
                home_zone: Some("Asia/Shanghai".into()),
                away_zone: Some("Europe/Rome".into()),
                children: vec![child],
                shared_phones: 1,
                idle_phones: place % 2,
                closed,
                as_of: self.now(),
                uses: Uses::default(),
                care: None,
            };
            let book = week_book(week.parse().unwrap());
            let name = self.families.to_be_bytes().to_vec();
            let value = row.to_bytes();
            changes.push(Change::Enter(LedgerRow { book, name, version: (1, 1), value }));
        }
        let batch = Batch { changes, ..Batch::new(self.now()) };
        self.relay.store.commit(PROGRAMME, batch).await.unwrap();
    }

    /// So many families of that week are counted no more.
    async fn strike(&self, week: &str, families: usize) {
        let book = week_book(week.parse().unwrap());
        let rows = self.store().book(PROGRAMME, &book).await.unwrap().into_iter().take(families);
        let changes = rows.map(|row| Change::Strike(book.clone(), row.name)).collect();
        let batch = Batch { changes, ..Batch::new(self.now()) };
        self.relay.store.commit(PROGRAMME, batch).await.unwrap();
    }

    /// What the last entry of the audit log says.
    async fn noted(&self) -> (String, Option<String>, Option<String>, bool) {
        let chain = audit::read(self.store(), PROGRAMME).await.unwrap().unwrap();
        let last = chain.entries.last().unwrap().clone();
        (last.action, last.subject, last.detail, last.allowed)
    }
}

fn wish(first: &str, last: &str, provisional: bool) -> Wish {
    Wish { periods: Period::span(first, last).unwrap(), provisional }
}

/// The lines of a file, by the names of their columns.
async fn lines(pieces: impl Pieces) -> Vec<BTreeMap<String, String>> {
    let pieces: Vec<_> = pieces.map(Result::unwrap).collect().await;
    let bytes = pieces.concat();
    assert!(bytes.windows(2).filter(|two| two == b"\r\n").count() > 0, "RFC 4180");
    csv::Reader::from_reader(&bytes[..]).deserialize().map(Result::unwrap).collect()
}

#[tokio::test]
async fn of_a_closed_week_the_report_the_file_and_dhis2_agree_to_the_last_digit() {
    let mut programme = Programme::open().await;
    for (site, families) in [("-tianshui", 40), ("soroca", 61), ("riga", 33)] {
        programme.week("2026W46", site, families, true).await;
    }
    let coordinator = Programme::staff(Role::Coordinator);
    let (relay, week) = (&programme.relay, wish("2026W46", "2026W46", false));

    let told = report(relay, &coordinator, &week.periods[0], By::Site).await.unwrap();
    let rows = lines(site_period::file(relay.clone(), &coordinator, &week).await.unwrap()).await;
    let set = dhis2::data_value_set(relay, &coordinator, &week, "X_").await.unwrap();
    let families =
        lines(family_week::file(relay.clone(), &coordinator, &week).await.unwrap()).await;

    assert!(told.closed && rows.len() == 3, "{rows:?}");
    for (group, row) in told.groups.iter().zip(&rows) {
        let site = group.name.as_deref().unwrap();
        assert_eq!(row["site"].trim_start_matches('\''), site, "and no formula");
        let json = serde_json::to_value(group).unwrap();
        for figure in
            ["families", "children", "expected", "kept", "missed", "both_ways", "home", "away"]
        {
            assert_eq!(json[figure].to_string(), row[figure], "{site} {figure}");
            let value = set.data_values.iter().find(|value| {
                (value.org_unit.as_str(), value.data_element.as_str())
                    == (&*row["org_unit"], &*format!("X_{}", figure.to_uppercase()))
            });
            let value = value.and_then(|value| value.value.as_deref());
            assert_eq!(value, (site != "riga").then_some(&*row[figure]), "{site} {figure}");
        }
        let adherence = format!("{:.1}", group.adherence.unwrap());
        assert_eq!(adherence, row["adherence"]);
        // And the rows of the families add up to the same.
        let of_site = families.iter().filter(|family| family["site"] == row["site"]);
        let kept: u32 = of_site.map(|family| family["kept"].parse::<u32>().unwrap()).sum();
        assert_eq!(kept.to_string(), row["kept"]);
    }
    assert!(set.data_values.iter().all(|value| value.org_unit.starts_with("OU_")));
    assert_eq!(families.len(), 134);
}

#[tokio::test]
async fn what_is_left_out_later_is_deleted_as_often_as_it_is_asked_for() {
    let mut programme = Programme::open().await;
    programme.week("2026W46", "-tianshui", 12, true).await;
    programme.week("2026W46", "soroca", 30, true).await;
    programme.week("2026W46", "riga", 30, true).await;
    let coordinator = Programme::staff(Role::Coordinator);
    let (relay, week) = (&programme.relay, wish("2026W46", "2026W46", false));
    let set = async || dhis2::data_value_set(relay, &coordinator, &week, "X_").await.unwrap();
    let of = |set: &dhis2::DataValueSet, unit: &str, element: &str| {
        let found = set.data_values.iter().filter(|value| value.org_unit == unit);
        let found: Vec<_> = found.filter(|value| value.data_element == element).cloned().collect();
        found.iter().map(|value| (value.value.clone(), value.deleted)).collect::<Vec<_>>()
    };
    let count = |text: &str| vec![(Some(text.to_owned()), false)];

    let preview = dhis2::preview(relay, &coordinator, &week).await.unwrap();
    let first = set().await;
    assert_eq!(of(&first, "OU_T", "X_CHILDREN"), count("12"));
    assert_eq!((preview.deletions, preview.values), (0, first.data_values.len()));
    assert_eq!(preview.left_out[0].site.as_deref(), Some("riga"));
    assert_eq!(first, set().await, "the same figures make the same set");

    // Three are counted no more; of nine nothing leaves, and of a second site with them.
    programme.strike("2026W46", 3).await;
    let second = set().await;
    assert_eq!(of(&second, "OU_T", "X_CHILDREN"), [(None, true)]);
    assert_eq!(of(&second, "OU_T", "X_KEPT"), [(None, true)]);
    assert_eq!(second, set().await, "nobody knows whether the deletion came through");
    let rows = lines(site_period::file(relay.clone(), &coordinator, &week).await.unwrap()).await;
    assert_eq!((&*rows[0]["site"], &*rows[0]["children"]), ("'-tianshui", ""), "never 0");
    let auditor = Programme::staff(Role::Auditor);
    let again = lines(site_period::file(relay.clone(), &auditor, &week).await.unwrap()).await;
    assert_eq!(again, rows, "what leaves is the same whoever asks for it");
}

#[tokio::test]
async fn only_what_has_closed_leaves_unless_it_is_asked_for() {
    let mut programme = Programme::open().await;
    for (week, closed) in [("2026W46", true), ("2026W47", true), ("2026W48", false)] {
        programme.week(week, "soroca", 30, closed).await;
    }
    let coordinator = Programme::staff(Role::Coordinator);
    let relay = &programme.relay;
    let weeks = async |provisional| {
        let wish = wish("2026W46", "2026W48", provisional);
        let file = site_period::file(relay.clone(), &coordinator, &wish).await.unwrap();
        let rows = lines(file).await.into_iter();
        rows.map(|row| format!("{} {}", row["period"], row["closed"])).collect::<Vec<_>>()
    };

    // Rows of 2026W47 say that they have closed, on a clock ahead of the day.
    assert_eq!(weeks(false).await, ["2026W46 yes"]);
    assert_eq!(weeks(true).await, ["2026W46 yes", "2026W47 no", "2026W48 no"]);
    let month = wish("202611", "202611", false);
    let refused = dhis2::data_value_set(relay, &coordinator, &month, "X_").await.unwrap_err();
    let Failure::Refused(refused) = refused else { panic!("{refused:?}") };
    assert!(refused.text.contains("has not closed yet"), "{refused:?}");
    let preview = dhis2::preview(relay, &coordinator, &month).await.unwrap();
    assert_eq!((preview.not_closed, preview.periods), (vec!["202611".into()], Vec::new()));
    let later = wish("2027W10", "2027W10", true);
    assert!(family_week::file(relay.clone(), &coordinator, &later).await.is_err());
}

#[tokio::test]
async fn rows_of_families_are_a_coordinators_sums_an_auditors_too_and_all_of_it_is_noted() {
    let programme = Programme::open().await;
    let (relay, week) = (&programme.relay, wish("2026W45", "2026W46", false));
    for (role, [rows, sums]) in [
        (Role::Coordinator, [true, true]),
        (Role::Auditor, [false, true]),
        (Role::Caseworker, [false, false]),
    ] {
        let staff = Programme::staff(role);
        let asked = |name: &str| (Some(name.to_owned()), Some("2026W45 to 2026W46".to_owned()));
        let mut seen = Vec::new();
        let answer = family_week::file(relay.clone(), &staff, &week).await.map(|_| ());
        seen.push(("family-week", rows, answer, programme.noted().await));
        let answer = contact_events::file(relay.clone(), &staff, &week).await.map(|_| ());
        seen.push(("contact-events", rows, answer, programme.noted().await));
        let answer = site_period::file(relay.clone(), &staff, &week).await.map(|_| ());
        seen.push(("site-period", sums, answer, programme.noted().await));
        let answer = dhis2::preview(relay, &staff, &week).await.map(|_| ());
        seen.push(("dhis2-preview", sums, answer, programme.noted().await));
        let answer = dhis2::data_value_set(relay, &staff, &week, "X_").await.map(|_| ());
        seen.push(("dhis2", sums, answer, programme.noted().await));
        for (name, may, answer, noted) in seen {
            let (subject, detail) = asked(name);
            assert_eq!(noted, ("export".to_owned(), subject, detail, may), "{role:?} {name}");
            match answer {
                Ok(()) => assert!(may, "{role:?} {name}"),
                Err(Failure::Refused(no)) => {
                    assert!(!may && no.code == ErrorCode::NotAllowed, "{role:?} {name}: {no:?}");
                    assert_eq!(no.text, "this is not yours to do: ask a coordinator");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_pseudonym_is_the_same_in_a_programme_and_another_in_the_next() {
    let programme = Programme::open().await;
    let (store, now) = (programme.store(), programme.now());
    let of = async |scope| pseudonym::Pseudonyms::of(store, scope, now).await.unwrap();

    let both = futures_util::future::join(of(PROGRAMME), of(PROGRAMME)).await;
    let family = Scope(0x1234_5678_9abc_def0);
    let name = both.0.name(family);

    assert_eq!((&name, &name), (&both.1.name(family), &of(PROGRAMME).await.name(family)));
    assert_ne!(name, both.0.name(Scope(1)));
    assert_ne!(name, of(Scope(71)).await.name(family));
    assert!(name.len() == 21 && name.starts_with('F') && !name.contains("123456789abcdef0"));
}

#[test]
fn the_codebooks_say_what_the_headers_say_and_refer_to_what_is_there() {
    let docs = include_str!("../../../../docs/monitoring.md");
    let headings: Vec<_> = docs
        .lines()
        .filter_map(|line| Some(line.strip_prefix('#')?.trim_start_matches('#').trim()))
        .collect();
    let headers = [
        (family_week::NAME, sheet::header(&family_week::COLUMNS)),
        (contact_events::NAME, sheet::header(&contact_events::COLUMNS)),
        (site_period::NAME, sheet::header(&site_period::COLUMNS)),
    ];
    for (name, header) in headers {
        let book = codebook(name).unwrap();
        let columns: Vec<_> = book.columns.iter().map(|column| column.column.as_str()).collect();
        assert_eq!(String::from_utf8(header).unwrap(), format!("{}\r\n", columns.join(",")));
        for column in &book.columns {
            let heading = column.formula.strip_prefix("docs/monitoring.md, ").unwrap();
            assert!(headings.contains(&heading), "{name}, {}: {heading}", column.column);
        }
    }
    for element in codebook(dhis2::NAME).unwrap().columns {
        let row = format!("| `{}` | {} |", element.column, element.meaning);
        assert!(docs.lines().any(|line| line == row), "docs/monitoring.md lacks {row}");
    }
    assert_eq!(codebook("families"), None);
}
