//! Weeks go by on an injected clock, with the real store and the real loop.

use jiashu_contact::ledger::Way;
use jiashu_contact::standing::Standing;
use jiashu_contact::week::Week;
use jiashu_proto::entry::{
    Care, Consent, ContactPlan, Content, IntendedRule, Message, Receipt, RuleText, Rung, Terms,
};
use jiashu_proto::frame::{ClientFrame, Enrol, RecordConsent};
use jiashu_proto::id::{DeviceId, MemberId, Millis, Ref, Scope, TokenHash};
use jiashu_tests::{FamilySpec, Raw, joining};
use jiff::Timestamp;
use tempfile::TempDir;

use super::rows::{ChildWeek, FAMILIES, FamilyRow, WeekRow, week_book};
use crate::clock::Clock;
use crate::config::Config;
use crate::execute;
use crate::family::contact::look;
use crate::family::ledger::{Heard, SENT, Sent};
use crate::ngo::caseload::{assign, caseload};
use crate::ngo::staff::Staff;
use crate::notify;
use crate::relay::Relay;
use crate::scheduler;
use crate::store::embedded::{EmbeddedStore, Options};
use crate::store::{Batch, Change, NewEntry, Precondition, ScopeKind};

pub(crate) const PROGRAMME: Scope = Scope(70);
pub(crate) const MOTHER: MemberId = MemberId(1);
pub(crate) const LILI: MemberId = MemberId(3);
mod asked;
mod ends;
mod week;

mod letters;

const HOUR_MS: Millis = 60 * 60 * 1000;

/// An instant in Gansu: `2026-11-02T19:30`.
pub(crate) fn at(civil: &str) -> Millis {
    let zone = super::reckon::zone("Asia/Shanghai").unwrap();
    zone.to_timestamp(civil.parse().unwrap()).unwrap().as_millisecond()
}

pub(crate) struct Weeks {
    pub(crate) relay: Relay,
    pub(crate) family: Scope,
    /// The mother's, and two for phones of the household.
    cards: Vec<joining::Way>,
    letters: u8,
    _folder: TempDir,
}

impl Weeks {
    /// The family Li from Monday, 2 November on, which means to hear each other every evening.
    pub(crate) async fn begin() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config { data: folder.path().to_owned(), ..Config::defaults() };
        config.limits.invite_days = 365;
        let store = EmbeddedStore::open(folder.path(), Options::default()).unwrap();
        let blobs = crate::blobs::open(&config).unwrap();
        let clock = Clock::manual(at("2026-11-02T08:00"));
        let relay = Relay::new(config, std::sync::Arc::new(store), blobs, clock);
        let (number, token_hash) = (DeviceId(1), TokenHash([1; 32]));
        let staff = Change::AddSeat { device: number, token_hash, members: Vec::new() };
        let programme = Batch {
            requires: vec![Precondition::Absent],
            changes: vec![Change::Create(ScopeKind::Programme), staff],
            ..Batch::new(relay.clock.now())
        };
        relay.store.commit(PROGRAMME, programme).await.unwrap();
        let day = || Some("2026-11-02".to_owned());
        let consents = vec![Consent {
            consent_on: day(),
            assent_on: day(),
            counting_on: day(),
            counting_assent_on: day(),
            ..Consent::none(LILI)
        }];
        let phones = FamilySpec::li().with_phones(&[&[1], &[2, 3], &[2, 3]]);
        let expires_at = Some(at("2027-10-01T00:00"));
        let spec = FamilySpec { consents, expires_at, ..phones };
        let (enrol, secrets) = spec.draw("GS-001", relay.clock.now());
        let family = enrol.family;
        let raw = Raw::new(([127, 0, 0, 1], 0).into());
        let way = |secret| joining::Way { raw, scope: family, secret };
        let cards = secrets.into_iter().map(way).collect();
        let enrol = ClientFrame::Enrol(Enrol { care: Some(Care::Grandparents), ..enrol });
        execute::staff::command(&relay, PROGRAMME, number, enrol).await.unwrap();
        let rule = RuleText::new("2026-11-01T19:30:00", "Asia/Shanghai", Some("FREQ=DAILY"));
        let rules = vec![IntendedRule { rule, tolerance_min: None }];
        let weeks = Self { relay, family, cards, letters: 0, _folder: folder };
        weeks.plan(rules).await;
        weeks
    }

    pub(crate) async fn plan(&self, rules: Vec<IntendedRule>) {
        let now = self.relay.clock.now();
        let plan = Content::Plan(ContactPlan { by: MOTHER, rules });
        let batch = Batch {
            entries: vec![NewEntry::of(&plan)],
            changes: vec![look(now)],
            ..Batch::new(now)
        };
        self.relay.store.commit(self.family, batch).await.unwrap();
    }

    /// Time goes by, an hour after the other, and what is due is done.
    pub(crate) async fn until(&self, civil: &str) {
        let end = at(civil);
        while self.relay.clock.now() < end {
            let next = self.relay.clock.now().saturating_add(HOUR_MS).min(end);
            self.relay.clock.set(next);
            scheduler::settle_all(&self.relay).await;
            notify::catch_up(&self.relay).await;
        }
    }

    /// Somebody wrote, and somebody heard it then, which the relay is told at another time.
    pub(crate) async fn heard(&mut self, from: MemberId, by: MemberId, civil: &str, told: &str) {
        self.letters += 1;
        let (entry_ref, heard_at, told_at) = (Ref([self.letters; 12]), at(civil), at(told));
        let message = Message {
            device: DeviceId(1),
            from,
            entry_ref,
            epoch: 2,
            to: Vec::new(),
            sealed: Vec::new(),
            key: None,
            until: None,
            blob: None,
            fired: None,
        };
        let receipt = Receipt {
            device: DeviceId(2),
            from: by,
            of: entry_ref,
            to: from,
            rung: Rung::Opened,
            at: heard_at,
            share: None,
        };
        let sent = Sent::of(1, &message, heard_at - 1).unwrap();
        let heard = Heard::of(&receipt, told_at).unwrap();
        let batch = Batch { changes: vec![sent, heard], ..Batch::new(told_at) };
        self.relay.store.commit(self.family, batch).await.unwrap();
    }

    pub(crate) async fn both_ways(&mut self, civil: &str) {
        self.heard(MOTHER, LILI, civil, civil).await;
        self.heard(LILI, MOTHER, civil, civil).await;
    }

    /// Something else is recorded of Lili from now on.
    pub(crate) async fn consent(&self, change: impl Fn(&mut Consent)) {
        let standing = execute::staff::consents(&*self.relay.store, self.family).await.unwrap();
        let mut consent = standing[0].1.clone();
        change(&mut consent);
        let record = RecordConsent { case_code: "GS-001".into(), consent };
        let record = ClientFrame::RecordConsent(record);
        execute::staff::command(&self.relay, PROGRAMME, DeviceId(1), record).await.unwrap();
    }

    async fn week(&self, week: &str) -> Option<WeekRow> {
        let week: Week = week.parse().unwrap();
        let rows = self.relay.store.book(PROGRAMME, &week_book(week)).await.unwrap();
        rows.first().map(|row| WeekRow::read(row).unwrap())
    }

    async fn child(&self, week: &str) -> ChildWeek {
        self.week(week).await.unwrap().children.remove(0)
    }

    pub(crate) async fn standing(&self) -> Standing {
        let rows = self.relay.store.book(PROGRAMME, FAMILIES).await.unwrap();
        FamilyRow::read(&rows[0]).unwrap().standing()
    }
}

#[tokio::test]
async fn a_week_closes_seven_days_after_its_end_and_stays_as_it_is() {
    let mut weeks = Weeks::begin().await;
    for day in ["2026-11-02", "2026-11-03", "2026-11-05"] {
        weeks.until(&format!("{day}T19:40")).await;
        weeks.both_ways(&format!("{day}T19:40")).await;
    }

    weeks.until("2026-11-09T12:00").await;
    let open = weeks.week("2026W45").await.unwrap();
    // Of an evening's two contacts the second keeps the next evening early, where nothing else does.
    let child = &open.children[0];
    assert_eq!((open.closed, child.expected, child.kept, child.both_ways), (false, 7, 5, 3));
    // Told in time, though heard the week before: kept while a contact of that hour may keep it.
    weeks.heard(MOTHER, LILI, "2026-11-06T20:00", "2026-11-09T12:00").await;
    weeks.until("2026-11-16T06:30").await;
    let closed = weeks.week("2026W45").await.unwrap();
    assert_eq!(
        (closed.closed, closed.children[0].kept, closed.children[0].both_ways),
        (true, 6, 3)
    );

    // What comes later counts when it comes, and says so.
    weeks.heard(LILI, MOTHER, "2026-11-06T20:00", "2026-11-18T09:00").await;
    weeks.until("2026-11-30T06:30").await;
    assert_eq!(weeks.week("2026W45").await.unwrap(), closed);
    let later = weeks.child("2026W47").await;
    assert_eq!((later.late, later.away, later.home), (1, 1, 0));
    assert_eq!(weeks.child("2026W46").await.late, 0);
    assert!(weeks.week("2026W47").await.unwrap().closed);
    assert!(!weeks.week("2026W48").await.unwrap().closed);
    assert!(weeks.week("2026W49").await.is_some(), "the week that has begun has its row");
}

#[tokio::test]
async fn a_family_is_looked_at_when_something_can_change_and_not_in_between() {
    let mut weeks = Weeks::begin().await;
    weeks.until("2026-11-02T20:00").await;
    weeks.both_ways("2026-11-02T19:40").await;
    weeks.until("2026-11-02T21:00").await;
    assert_eq!(weeks.standing().await, Standing::OnTrack);

    // Wednesday's, Thursday's and Friday's are over by Saturday, 7:30.
    weeks.until("2026-11-07T07:30").await;
    assert_eq!(weeks.standing().await, Standing::OnTrack);
    weeks.until("2026-11-07T08:30").await;
    assert_eq!(weeks.standing().await, Standing::AtRisk);
    weeks.both_ways("2026-11-07T08:30").await;
    weeks.until("2026-11-07T09:00").await;
    assert_eq!(weeks.standing().await, Standing::OnTrack);

    weeks.plan(Vec::new()).await;
    weeks.until("2026-11-07T10:00").await;
    let next = weeks.relay.store.next_due().await.unwrap().unwrap();
    let next = Timestamp::from_millisecond(next).unwrap();
    assert!(next.as_millisecond() >= at("2026-11-08T00:00"), "nothing before: {next}");
    weeks.until("2026-11-15T01:00").await;
    assert_eq!(weeks.standing().await, Standing::Watch);
    weeks.until("2026-11-22T01:00").await;
    assert_eq!(weeks.standing().await, Standing::AtRisk);
    weeks.until("2026-12-06T01:00").await;
    assert_eq!(weeks.standing().await, Standing::Silent);
    weeks.until("2026-12-20T01:00").await;
    assert_eq!(weeks.standing().await, Standing::Dormant);
}

#[tokio::test]
async fn a_relay_that_was_off_for_weeks_closes_them_all() {
    let mut weeks = Weeks::begin().await;
    weeks.both_ways("2026-11-02T19:40").await;

    weeks.relay.clock.set(at("2026-12-21T12:00"));
    scheduler::settle_all(&weeks.relay).await;

    let mut found = Vec::new();
    for week in 45..=52 {
        let row = weeks.week(&format!("2026W{week}")).await.unwrap();
        found.push((row.closed, row.children[0].expected, row.children[0].kept));
    }
    let closed =
        [(true, 7, 2), (true, 7, 0), (true, 7, 0), (true, 7, 0), (true, 7, 0), (true, 7, 0)];
    assert_eq!(found[..6], closed);
    assert_eq!(found[6..], [(false, 7, 0), (false, 0, 0)], "Sunday's is decided, Monday's to come");
}

#[tokio::test]
async fn what_was_counted_is_erased_where_that_is_taken_back_and_counts_again_from_a_new_day() {
    let mut weeks = Weeks::begin().await;
    weeks.until("2026-11-02T20:00").await;
    weeks.both_ways("2026-11-02T19:40").await;
    weeks.until("2026-11-17T12:00").await;
    assert!(weeks.week("2026W45").await.unwrap().closed);

    weeks.consent(|consent| consent.counting_withdrawn_on = Some("2026-11-17".into())).await;
    weeks.until("2026-11-18T12:00").await;

    let store = &*weeks.relay.store;
    for book in crate::family::ledger::BOOKS {
        assert_eq!(store.book(weeks.family, book).await.unwrap(), [], "{book}");
    }
    for week in 44..=49 {
        assert_eq!(weeks.week(&format!("2026W{week}")).await, None, "2026W{week}");
    }
    let rows = store.book(PROGRAMME, FAMILIES).await.unwrap();
    let row = FamilyRow::read(&rows[0]).unwrap();
    assert_eq!((row.active, row.counted, row.children[0].two_way_at), (true, false, None));
    weeks.both_ways("2026-11-18T12:30").await;
    assert_eq!(
        weeks.relay.store.book(weeks.family, SENT).await.unwrap(),
        [],
        "and nothing comes anew"
    );

    weeks
        .consent(|consent| {
            consent.counting_on = Some("2026-11-19".into());
            consent.counting_assent_on = Some("2026-11-19".into());
        })
        .await;
    weeks.until("2026-11-21T12:00").await;
    weeks.both_ways("2026-11-21T12:30").await;
    weeks.until("2026-11-21T14:00").await;
    assert_eq!(weeks.week("2026W46").await, None);
    assert_eq!(weeks.child("2026W47").await.home, 1);
}

#[tokio::test]
async fn a_family_that_begins_anew_stands_in_the_place_of_the_old_one() {
    let mut weeks = Weeks::begin().await;
    weeks.until("2026-11-16T12:00").await;
    let coordinator = Staff::load(&*weeks.relay.store, PROGRAMME, DeviceId(1)).await.unwrap();
    assign(&weeks.relay, &coordinator, "GS-001", DeviceId(1)).await.unwrap();
    let old = weeks.family;
    let (enrol, _) = FamilySpec::li().draw("GS-001", weeks.relay.clock.now());
    weeks.family = enrol.family;
    let enrol = ClientFrame::Enrol(Enrol { replaces: Some(old), ..enrol });
    execute::staff::command(&weeks.relay, PROGRAMME, DeviceId(1), enrol).await.unwrap();
    weeks.until("2026-11-16T14:00").await;

    let rows = weeks.relay.store.book(PROGRAMME, FAMILIES).await.unwrap();
    let names: Vec<_> = rows.iter().map(|row| row.name.clone()).collect();
    assert_eq!(names, [weeks.family.0.to_be_bytes()]);
    let caseload = caseload(&*weeks.relay.store, PROGRAMME).await.unwrap();
    assert_eq!(caseload.get(&weeks.family), Some(&DeviceId(1)));
    let past = weeks.week("2026W45").await.unwrap();
    assert_eq!(past.children.len(), 1, "what was, was");
}

#[tokio::test]
async fn an_agreement_that_is_recorded_weeks_later_tells_of_no_weeks_before() {
    let weeks = Weeks::begin().await;
    weeks.consent(|consent| consent.counting_withdrawn_on = Some("2026-11-02".into())).await;
    weeks.until("2026-11-23T12:00").await;

    // Given on the 4th, typed on the 23rd.
    weeks.consent(|consent| consent.counting_on = Some("2026-11-04".into())).await;
    weeks.until("2026-11-23T13:00").await;
    assert_eq!(
        weeks.standing().await,
        Standing::NotActive,
        "the guardian alone brings nothing back"
    );
    weeks.consent(|consent| consent.counting_assent_on = Some("2026-11-04".into())).await;
    weeks.until("2026-11-23T14:00").await;

    assert_eq!(weeks.standing().await, Standing::New, "not silent for three weeks");
    assert_eq!(weeks.week("2026W47").await, None);
    assert!(weeks.week("2026W48").await.is_some());
    // What is recorded besides begins nothing anew.
    weeks.until("2026-12-09T12:00").await;
    weeks.consent(|consent| consent.counting_assent_on = Some("2026-11-05".into())).await;
    weeks.until("2026-12-09T14:00").await;
    assert_eq!(weeks.standing().await, Standing::AtRisk);
}

#[tokio::test]
async fn the_contacts_that_leave_as_rows_are_those_that_the_weeks_count() {
    let mut weeks = Weeks::begin().await;
    for (day, hour) in [("02", "19:40"), ("05", "23:59"), ("09", "00:00"), ("12", "08:00")] {
        weeks.until(&format!("2026-11-{day}T{hour}")).await;
        weeks.both_ways(&format!("2026-11-{day}T{hour}")).await;
    }
    weeks.until("2026-11-18T09:00").await;
    weeks.heard(LILI, MOTHER, "2026-11-06T20:00", "2026-11-18T09:00").await;
    weeks.until("2026-11-30T06:30").await;

    let (contacts, stays) = super::counted(&weeks.relay, PROGRAMME, weeks.family).await.unwrap();

    assert_eq!(contacts.len(), 9);
    for week in ["2026W45", "2026W46", "2026W47", "2026W48"] {
        let of_week = contacts
            .iter()
            .filter(|counted| stays.week_at(counted.contact.heard_at) == week.parse().unwrap());
        let of_way = |way| of_week.clone().filter(|counted| counted.contact.way == way).count();
        let (home, away) = (of_way(Way::Home), of_way(Way::Away));
        let late = of_week.clone().filter(|counted| counted.late).count();
        let child = weeks.child(week).await;
        let counts = [child.home, child.away, child.late].map(|count| count as usize);
        assert_eq!([home, away, late], counts, "{week}");
    }
    assert!(contacts.iter().all(|counted| counted.kind == 1));
    let anothers = super::counted(&weeks.relay, Scope(71), weeks.family).await.unwrap();
    assert_eq!(anothers.0, []);

    weeks.consent(|consent| consent.counting_withdrawn_on = Some("2026-11-30".into())).await;
    let after = super::counted(&weeks.relay, PROGRAMME, weeks.family).await.unwrap();
    assert_eq!(after.0, [], "what is taken back leaves no more");
}

#[tokio::test]
async fn what_is_agreed_to_for_a_time_ends_by_itself_and_goes_on_once_it_is_renewed() {
    let mut weeks = Weeks::begin().await;
    let until =
        |until: &str| Some(Box::new(Terms { until: Some(until.into()), ..Terms::default() }));
    weeks
        .consent(|consent| {
            (consent.terms, consent.counting_terms) = (until("2026-11-20"), until("2026-11-12"));
        })
        .await;
    weeks.until("2026-11-05T19:40").await;
    weeks.both_ways("2026-11-05T19:40").await;
    weeks.until("2026-11-09T09:00").await;
    let before = weeks.week("2026W45").await.unwrap();
    let state = async |weeks: &Weeks| {
        let state = weeks.relay.store.state(weeks.family).await.unwrap().unwrap();
        (state.active, state.counted_since.is_some())
    };
    let row = |weeks: &Weeks| weeks.relay.store.clone();
    let listed = row(&weeks).book(PROGRAMME, FAMILIES).await.unwrap();
    let listed = FamilyRow::read(&listed[0]).unwrap();
    assert_eq!(listed.agreed_until.as_deref(), Some("2026-11-12"), "the first to end is said");
    assert_eq!(state(&weeks).await, (true, true));

    // A day ends when it does in Greenwich: at eight in Gansu.
    weeks.until("2026-11-12T07:30").await;
    assert_eq!(state(&weeks).await, (true, true));
    weeks.until("2026-11-12T09:00").await;
    assert_eq!(state(&weeks).await, (true, false), "letters go on");
    assert_eq!(
        weeks.week("2026W45").await.unwrap().children,
        before.children,
        "and nothing is erased"
    );
    weeks.until("2026-11-20T09:00").await;
    assert_eq!(state(&weeks).await, (false, false));

    let on = || Some("2026-11-20".to_owned());
    weeks
        .consent(|consent| {
            (consent.consent_on, consent.counting_on) = (on(), on());
            (consent.terms, consent.counting_terms) = (until("2027-11-20"), until("2027-11-20"));
        })
        .await;
    assert_eq!(state(&weeks).await, (true, true));
}

#[tokio::test]
async fn a_family_that_moves_leaves_its_closed_weeks_where_they_were() {
    let mut weeks = Weeks::begin().await;
    let coordinator = Staff::load(&*weeks.relay.store, PROGRAMME, DeviceId(1)).await.unwrap();
    for (code, zone) in [("tianshui", "Asia/Shanghai"), ("soroca", "Europe/Chisinau")] {
        let site = jiashu_api::site::Site {
            code: code.into(),
            name: code.into(),
            zone: zone.into(),
            org_unit: None,
        };
        crate::ngo::sites::put(&weeks.relay, &coordinator, site).await.unwrap();
    }
    let go = async |weeks: &Weeks, site| {
        crate::ngo::transfer::to_site(&weeks.relay, &coordinator, "GS-001", site).await
    };
    go(&weeks, "tianshui").await.unwrap();
    weeks.until("2026-11-05T20:00").await;
    weeks.both_ways("2026-11-05T19:40").await;
    // Heard on Monday at four in Gansu: still Sunday in Soroca.
    weeks.until("2026-11-16T04:00").await;
    weeks.both_ways("2026-11-16T04:00").await;
    weeks.until("2026-11-18T12:00").await;
    let first = weeks.week("2026W45").await.unwrap();
    let ended = weeks.week("2026W46").await.unwrap();
    assert_eq!((first.closed, ended.closed), (true, false));

    go(&weeks, "soroca").await.unwrap();
    weeks.until("2026-11-18T13:00").await;
    assert_eq!(weeks.week("2026W45").await.unwrap(), first);
    let sites = async |weeks: &Weeks| {
        let mut sites = Vec::new();
        for week in 45..=48 {
            let row = weeks.week(&format!("2026W{week}")).await;
            sites.push(row.and_then(|row| row.site));
        }
        sites.into_iter().flatten().collect::<Vec<_>>()
    };
    assert_eq!(sites(&weeks).await, ["tianshui", "tianshui", "soroca"]);
    assert_eq!(weeks.child("2026W46").await.home, 0, "it was Monday where they were");
    assert_eq!(weeks.child("2026W47").await.home, 1);
    let rows = weeks.relay.store.book(PROGRAMME, FAMILIES).await.unwrap();
    assert_eq!(FamilyRow::read(&rows[0]).unwrap().site.as_deref(), Some("soroca"));

    // And on: each week closes once, and nothing is lost between the clocks.
    weeks.until("2026-12-08T12:00").await;
    assert_eq!(sites(&weeks).await, ["tianshui", "tianshui", "soroca", "soroca"]);
    assert_eq!(weeks.week("2026W45").await.unwrap(), first);
    let closed = weeks.week("2026W46").await.unwrap();
    assert_eq!((closed.closed, &closed.site), (true, &ended.site));
    let mut home = 0;
    for week in 45..=49 {
        let child = weeks.child(&format!("2026W{week}")).await;
        home += child.home;
        assert!(week == 45 || week == 49 || child.expected == 7, "{week}: {child:?}");
    }
    assert_eq!(home, 2, "what was heard counts once");

    // Where counting is taken back, where it was is forgotten too; the next site begins a new history.
    go(&weeks, "soroca").await.unwrap();
    let stayed = crate::family::ledger::STAYED;
    assert_eq!(weeks.relay.store.book(weeks.family, stayed).await.unwrap().len(), 2);
    weeks.consent(|consent| consent.counting_withdrawn_on = Some("2026-12-08".into())).await;
    assert_eq!(weeks.relay.store.book(weeks.family, stayed).await.unwrap(), []);
}
