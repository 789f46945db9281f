//! Weeks go by on an injected clock, and what is to be told is told.

use std::sync::{Arc, Mutex};

use jiashu_api::family::Suspend;
use jiashu_api::site::Site;
use jiashu_api::staff::Me;
use jiashu_api::task::Done;
use jiashu_contact::standing::Standing;
use jiashu_proto::entry::{Content, Nudged, nudge_key};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::AskForHelp;
use jiashu_proto::id::{DeviceId, MemberId, Ref, TokenHash};

use super::mailer::{Letter, Mailer, Outcome};
use super::outbox::{About, Mail, Recipient};
use super::undelivered::{self, Why};
use super::{became, digest};
use crate::contact::rows::{FAMILIES, FamilyRow};
use crate::contact::tests::{LILI, MOTHER, PROGRAMME, Weeks, at};
use crate::execute::Failure;
use crate::execute::family::tasks;
use crate::family::Sender;
use crate::family::help::{REACH, decide_help};
use crate::family::tasks::{Task, TaskKind};
use crate::ngo::caseload::{assign, own};
use crate::ngo::colleagues::{list, remove, set_me};
use crate::ngo::staff::Staff;
use crate::ngo::transfer::to_site;
use crate::ngo::worklist::{Which, worklist};
use crate::ngo::{case, sites, suspension, tasks as task_list};
use crate::programme::{self, Role, StaffFact, staff_key};
use crate::scheduler;
use crate::store::{Batch, Change, LedgerRow};

struct Mails {
    weeks: Weeks,
    sent: Arc<Mutex<Vec<Letter>>>,
}

impl Mails {
    async fn begin() -> Self {
        let mut weeks = Weeks::begin().await;
        let (mailer, sent) = Mailer::memory();
        weeks.relay.mailer = Some(mailer);
        Self { weeks, sent }
    }

    async fn coordinator(&self) -> Staff {
        Staff::load(&*self.weeks.relay.store, PROGRAMME, DeviceId(1)).await.unwrap()
    }

    /// The coordinator has an address.
    async fn with_address(self) -> Self {
        let me = Me { name: None, email: Some("li@ngo.example".into()), language: None };
        set_me(&self.weeks.relay, &self.coordinator().await, me).await.unwrap();
        self
    }

    /// The programme has a place.
    async fn site(&self, code: &str, zone: &str) {
        let (code, name, zone) = (code.to_owned(), code.to_owned(), zone.to_owned());
        let site = Site { code, name, zone, org_unit: None };
        sites::put(&self.weeks.relay, &self.coordinator().await, site).await.unwrap();
    }

    /// Somebody of the staff has come in, of that place.
    async fn staff(&self, number: u32, role: Role, site: &str) -> Staff {
        let (number, email) = (DeviceId(number), format!("{number}@ngo.example"));
        let (sites, name, language) = (vec![site.to_owned()], String::new(), "en".to_owned());
        let fact = StaffFact { role, sites, name, email: Some(email), language, left: false };
        let token_hash = TokenHash([9; 32]);
        let seat = Change::AddSeat { device: number, token_hash, members: Vec::new() };
        let entries = vec![programme::entry(staff_key(number), &fact)];
        let batch = Batch { entries, changes: vec![seat], ..Batch::new(0) };
        let store = &*self.weeks.relay.store;
        store.commit(PROGRAMME, batch).await.unwrap();
        Staff::load(store, PROGRAMME, number).await.unwrap()
    }

    /// The mother may be written to.
    async fn reach(&self) {
        let row = LedgerRow {
            book: REACH.into(),
            name: MOTHER.0.to_be_bytes().to_vec(),
            version: (1, 0),
            value: b"ana@home.example".to_vec(),
        };
        let batch = Batch { changes: vec![Change::Enter(row)], ..Batch::new(0) };
        self.weeks.relay.store.commit(self.weeks.family, batch).await.unwrap();
    }

    /// She is to be prompted, and no mail server takes it until then.
    async fn prompt_at(&self, civil: &str) {
        let mail = Mail::new(Recipient::Member(MOTHER), About::Nudge, self.weeks.relay.clock.now());
        let changes = mail.put(Ref([9; 12]), at(civil)).to_vec();
        let batch = Batch { changes, ..Batch::new(self.weeks.relay.clock.now()) };
        self.weeks.relay.store.commit(self.weeks.family, batch).await.unwrap();
    }

    async fn nudged(&self) -> Option<Nudged> {
        let store = &*self.weeks.relay.store;
        let fact = store.fact(self.weeks.family, &nudge_key(LILI)).await.unwrap()?;
        match Content::from_bytes(&fact.content).unwrap() {
            Content::Nudge(nudge) => Some(nudge.whom),
            other => panic!("{other:?}"),
        }
    }

    async fn row(&self) -> FamilyRow {
        let rows = self.weeks.relay.store.book(PROGRAMME, FAMILIES).await.unwrap();
        FamilyRow::read(&rows[0]).unwrap()
    }

    async fn help(&self, entry_ref: Ref) {
        let (store, family) = (&*self.weeks.relay.store, self.weeks.family);
        let phone = Sender { device: DeviceId(2), members: vec![LILI] };
        let ask = AskForHelp { n: 1, entry_ref, from: LILI };
        let standing = tasks(store, family).await.unwrap();
        let batch = decide_help(&phone, &ask, &standing, self.weeks.relay.clock.now()).unwrap();
        store.commit(family, Batch { author: None, ..batch }).await.unwrap();
    }

    fn sent(&self) -> Vec<Letter> {
        self.sent.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn one_after_the_other_is_asked_until_there_is_contact() {
    let mut mails = Mails::begin().await;
    mails.reach().await;

    // Each evening's is over half a day later.
    mails.weeks.until("2026-11-03T07:00").await;
    assert_eq!((mails.nudged().await, mails.sent().len()), (None, 0));
    mails.weeks.until("2026-11-03T08:00").await;
    assert_eq!(mails.nudged().await, Some(Nudged::Parents));
    let letters = mails.sent();
    assert_eq!((letters.len(), letters[0].to.to_string().as_str()), (1, "ana@home.example"));
    for name in ["小明", "Li", "GS-001", "奶奶"] {
        assert!(!format!("{:?}", letters[0].written).contains(name), "{name}");
    }
    mails.weeks.until("2026-11-04T08:00").await;
    assert_eq!(mails.nudged().await, Some(Nudged::Caregivers));
    assert_eq!(mails.row().await.tasks, []);
    mails.weeks.until("2026-11-05T08:00").await;
    let task = Task {
        opened_at: mails.row().await.tasks[0].opened_at,
        ..Task::open(TaskKind::Missed, LILI, 0)
    };
    assert_eq!(mails.row().await.tasks, [task]);
    assert_eq!(mails.sent().len(), 1, "she is written to once");

    // She is heard, and all of it ends.
    mails.weeks.heard(MOTHER, LILI, "2026-11-05T09:00", "2026-11-05T09:00").await;
    mails.weeks.until("2026-11-05T10:00").await;
    assert_eq!(mails.nudged().await, Some(Nudged::Nobody));
    assert_eq!(mails.row().await.tasks, []);

    // And may begin again.
    mails.weeks.until("2026-11-07T12:00").await;
    assert_eq!(mails.sent().len(), 2);
}

#[tokio::test]
async fn what_was_seen_to_is_not_asked_again_before_there_was_contact() {
    let mut mails = Mails::begin().await;
    mails.weeks.until("2026-11-05T08:00").await;
    let coordinator = mails.coordinator().await;
    let done = Done { kind: "missed".into(), member: LILI.0 };

    let open = task_list::list(&mails.weeks.relay, &coordinator).await.unwrap();
    assert_eq!((open[0].kind.as_str(), open[0].case_code.as_str()), ("missed", "GS-001"));
    task_list::done(&mails.weeks.relay, &coordinator, "GS-001", &done).await.unwrap();
    mails.weeks.until("2026-11-09T12:00").await;
    assert_eq!(task_list::list(&mails.weeks.relay, &coordinator).await.unwrap(), []);

    mails.weeks.both_ways("2026-11-09T12:30").await;
    mails.weeks.until("2026-11-14T12:00").await;
    assert_eq!(task_list::list(&mails.weeks.relay, &coordinator).await.unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_is_asked_in_a_pause_or_where_nothing_is_counted() {
    let mails = Mails::begin().await;
    mails.reach().await;
    mails.weeks.consent(|consent| consent.counting_withdrawn_on = Some("2026-11-02".into())).await;

    mails.weeks.until("2026-11-09T12:00").await;

    assert_eq!((mails.nudged().await, mails.sent().len()), (None, 0));
    assert_eq!(mails.row().await.tasks, []);
}

#[tokio::test]
async fn a_prompt_that_waits_for_a_mail_server_leaves_where_it_is_still_meant() {
    let mails = Mails::begin().await;
    mails.weeks.until("2026-11-03T08:00").await;
    mails.reach().await;
    mails.prompt_at("2026-11-03T12:00").await;

    mails.weeks.until("2026-11-03T13:00").await;

    assert_eq!(mails.sent().len(), 1);
}

#[tokio::test]
async fn a_prompt_that_waits_for_a_mail_server_is_dropped_after_contact() {
    let mut mails = Mails::begin().await;
    mails.weeks.until("2026-11-03T08:00").await;
    mails.reach().await;
    mails.prompt_at("2026-11-03T12:00").await;

    mails.weeks.heard(MOTHER, LILI, "2026-11-03T09:00", "2026-11-03T09:00").await;
    mails.weeks.until("2026-11-03T13:00").await;

    assert_eq!((mails.nudged().await, mails.sent().len()), (Some(Nudged::Nobody), 0));
}

#[tokio::test]
async fn a_prompt_that_waits_for_a_mail_server_is_dropped_where_nothing_is_counted_any_more() {
    let mails = Mails::begin().await;
    mails.weeks.until("2026-11-03T08:00").await;
    mails.reach().await;
    mails.prompt_at("2026-11-03T12:00").await;

    mails.weeks.consent(|consent| consent.counting_withdrawn_on = Some("2026-11-03".into())).await;
    mails.weeks.until("2026-11-03T13:00").await;

    assert_eq!(mails.sent().len(), 0);
}

#[tokio::test]
async fn a_prompt_that_waits_for_a_mail_server_is_dropped_where_she_is_suspended() {
    let mails = Mails::begin().await;
    mails.weeks.until("2026-11-03T08:00").await;
    mails.reach().await;
    mails.prompt_at("2026-11-03T12:00").await;

    let suspend = Change::Suspend(MOTHER);
    let now = mails.weeks.relay.clock.now();
    let batch = Batch { changes: vec![suspend], ..Batch::new(now) };
    mails.weeks.relay.store.commit(mails.weeks.family, batch).await.unwrap();
    mails.weeks.until("2026-11-03T13:00").await;

    assert_eq!(mails.sent().len(), 0);
}

#[tokio::test]
async fn who_asks_for_help_is_heard_at_once_and_stands_first() {
    let mails = Mails::begin().await;
    mails.site("tianshui", "Asia/Shanghai").await;
    let mails = mails.with_address().await;

    mails.help(Ref([7; 12])).await;
    mails.help(Ref([8; 12])).await;
    mails.weeks.until("2026-11-02T09:00").await;

    let letters = mails.sent();
    assert_eq!(letters.len(), 1, "pressed twice, heard once");
    let text = &letters[0].written.text;
    assert!(text.contains("GS-001") && text.contains("2026-11-02 08:00"), "{text}");
    assert_eq!(mails.row().await.tasks[0].kind, TaskKind::Help);
    let coordinator = mails.coordinator().await;
    let open = task_list::list(&mails.weeks.relay, &coordinator).await.unwrap();
    assert_eq!(open[0].kind, "help");

    let done = Done { kind: "help".into(), member: LILI.0 };
    task_list::done(&mails.weeks.relay, &coordinator, "GS-001", &done).await.unwrap();
    let other = Done { kind: "help".into(), member: MemberId(9).0 };
    assert!(task_list::done(&mails.weeks.relay, &coordinator, "GS-001", &other).await.is_err());
    mails.weeks.until("2026-11-02T10:00").await;
    assert_eq!(mails.row().await.tasks, []);
}

#[tokio::test]
async fn who_is_suspended_is_not_asked_to_write() {
    let mails = Mails::begin().await;
    mails.weeks.until("2026-11-03T08:00").await;
    mails.reach().await;
    let (relay, coordinator) = (&mails.weeks.relay, mails.coordinator().await);
    let wish = Suspend { reason: "court-order".into() };
    suspension::suspend(relay, &coordinator, "GS-001", MOTHER, &wish).await.unwrap();
    mails.prompt_at("2026-11-03T12:00").await;

    mails.weeks.until("2026-11-03T13:00").await;

    assert_eq!(mails.sent().len(), 0);
}

#[tokio::test]
async fn a_call_for_help_that_nobody_can_be_written_of_is_told_of() {
    let mails = Mails::begin().await;

    mails.help(Ref([7; 12])).await;
    mails.weeks.until("2026-11-02T09:00").await;

    assert_eq!(mails.row().await.tasks[0].kind, TaskKind::Help);
    let left = undelivered::all(&*mails.weeks.relay.store, PROGRAMME).await.unwrap();
    let [one] = &left[..] else { panic!("{left:?}") };
    assert_eq!((one.why.name(), one.case_code.as_deref()), ("nobody_to_tell", Some("GS-001")));
}

#[tokio::test]
async fn a_family_whose_caseworker_left_is_with_those_of_its_site() {
    let mails = Mails::begin().await.with_address().await;
    let (relay, coordinator) = (&mails.weeks.relay, mails.coordinator().await);
    mails.site("tianshui", "Asia/Shanghai").await;
    to_site(relay, &coordinator, "GS-001", "tianshui").await.unwrap();
    let wang = mails.staff(2, Role::Caseworker, "tianshui").await;
    let zhao = mails.staff(3, Role::Caseworker, "tianshui").await;
    let auditor = mails.staff(4, Role::Auditor, "tianshui").await;
    assign(relay, &coordinator, "GS-001", wang.number).await.unwrap();
    let seen = async |staff: &Staff| {
        let list = worklist(relay, staff, &Which::first(9)).await.unwrap();
        (list.total, case::show(relay, staff, "GS-001").await.is_ok())
    };
    mails.weeks.until("2026-11-02T08:30").await;
    assert_eq!((seen(&wang).await, seen(&zhao).await), ((1, true), (0, false)));

    remove(relay, &coordinator, wang.number).await.unwrap();
    mails.help(Ref([7; 12])).await;
    mails.weeks.until("2026-11-02T09:00").await;

    let sent = mails.sent().into_iter();
    let of_it = sent.filter(|letter| letter.written.text.contains("GS-001"));
    let mut told: Vec<_> = of_it.map(|letter| letter.to.to_string()).collect();
    told.sort();
    assert_eq!(told, ["3@ngo.example", "li@ngo.example"]);
    assert_eq!(seen(&zhao).await, (1, true));
    assert_eq!(task_list::list(relay, &zhao).await.unwrap().len(), 1);
    let staff = list(relay, &coordinator).await.unwrap();
    assert_eq!(staff.iter().map(|one| one.families).sum::<usize>(), 0);
    // Nor is it given to who is shown none; where an older relay did so, that counts for nothing.
    let refused = assign(relay, &coordinator, "GS-001", auditor.number).await.unwrap_err();
    assert!(matches!(refused, Failure::Refused(no) if no.code == ErrorCode::NotAllowed));
    let changes = vec![own(mails.weeks.family, auditor.number, (u64::MAX, 0))];
    relay.store.commit(PROGRAMME, Batch { changes, ..Batch::new(0) }).await.unwrap();
    assert_eq!(seen(&zhao).await, (1, true));
}

#[tokio::test]
async fn on_mondays_at_eight_the_digest_leaves_once_on_each_clock() {
    let mails = Mails::begin().await.with_address().await;
    mails.site("tianshui", "Asia/Shanghai").await;
    mails.site("soroca", "Europe/Chisinau").await;

    // That of this very Monday.
    mails.weeks.until("2026-11-02T15:00").await;
    assert_eq!(mails.sent().len(), 1);
    mails.sent.lock().unwrap().clear();

    mails.weeks.until("2026-11-09T07:00").await;
    assert_eq!(mails.sent().len(), 0);
    // The coordinator's is that of the first site by code: eight in Moldova is two in the afternoon in Gansu.
    mails.weeks.until("2026-11-09T13:00").await;
    assert_eq!(mails.sent().len(), 0);
    mails.weeks.until("2026-11-09T14:00").await;
    let letters = mails.sent();
    assert_eq!(letters.len(), 1);
    let text = &letters[0].written.text;
    assert!(text.contains("44/2026") && text.contains("45/2026"), "{text}");
    assert!(text.contains("2026-11-09 08:00 (Europe/Chisinau)"), "{text}");
    assert!(!text.contains("GS-001"), "no case: {text}");

    // A relay that was off over two Mondays sends the last of them, and once.
    mails.weeks.relay.clock.set(at("2026-11-26T12:00"));
    mails.weeks.until("2026-11-26T14:00").await;
    let letters = mails.sent();
    assert_eq!(letters.len(), 2);
    assert!(letters[1].written.text.contains("47/2026"), "{}", letters[1].written.text);
    mails.weeks.until("2026-11-30T15:00").await;
    assert_eq!(mails.sent().len(), 3);
    assert_eq!(mails.weeks.standing().await, Standing::AtRisk);
}

#[tokio::test]
async fn a_week_is_sent_once_where_a_site_on_another_clock_comes_on_a_monday() {
    let mails = Mails::begin().await.with_address().await;
    mails.site("tianshui", "Asia/Shanghai").await;
    mails.weeks.until("2026-11-09T07:00").await;
    mails.sent.lock().unwrap().clear();
    mails.weeks.until("2026-11-09T10:00").await;
    assert_eq!(mails.sent().len(), 1);

    // By its code it is the first: from now on hers is that of eight in Moldova.
    mails.site("soroca", "Europe/Chisinau").await;
    mails.weeks.until("2026-11-10T10:00").await;
    assert_eq!(mails.sent().len(), 1, "not again");
    mails.weeks.until("2026-11-16T13:00").await;
    assert_eq!(mails.sent().len(), 1);
    mails.weeks.until("2026-11-16T14:00").await;
    assert_eq!(mails.sent().len(), 2);
}

#[tokio::test]
async fn a_week_is_sent_where_eight_has_passed_on_the_clock_of_a_site_that_comes_on_a_monday() {
    let mails = Mails::begin().await.with_address().await;
    mails.site("soroca", "Europe/Chisinau").await;
    mails.weeks.until("2026-11-09T12:00").await;
    mails.sent.lock().unwrap().clear();

    mails.site("gansu", "Asia/Shanghai").await;
    mails.weeks.until("2026-11-10T10:00").await;
    assert_eq!(mails.sent().len(), 1);
    mails.weeks.until("2026-11-16T09:00").await;
    assert_eq!(mails.sent().len(), 2);
}

#[tokio::test]
async fn a_relay_that_was_off_reckons_the_weeks_before_it_tells_of_them() {
    let mails = Mails::begin().await.with_address().await;
    mails.site("tianshui", "Asia/Shanghai").await;
    mails.weeks.until("2026-11-05T12:00").await;

    mails.weeks.relay.clock.set(at("2026-11-23T10:00"));
    scheduler::settle_all(&mails.weeks.relay).await;

    let store = &*mails.weeks.relay.store;
    let figures = digest::figures(store, PROGRAMME, "2026W47 Asia/Shanghai").await.unwrap();
    let total = figures.unwrap().of_ended.pop().unwrap();
    assert_eq!(total.children, None, "one is left out; 0 were nobody");
}

#[test]
fn what_may_have_arrived_is_never_told_as_what_did_not() {
    let refused = Outcome::Refused { code: 550, for_good: true };
    let away = Outcome::NotReached("away");
    let cases = [
        (&Outcome::Taken, false, None),
        (&Outcome::Taken, true, Some(Why::PerhapsTwice)),
        (&refused, false, Some(Why::Refused(550))),
        (&refused, true, Some(Why::Unknown)),
        (&away, false, Some(Why::GivenUp)),
        (&away, true, Some(Why::Unknown)),
    ];

    for (outcome, is_unknown, expected) in cases {
        assert_eq!(became(outcome, is_unknown), expected, "{outcome:?} {is_unknown}");
    }
}
