//! (k) What it costs to watch families while nothing happens: the looks of a silent week, lived by the relay's own code on a
//! clock that is set from one instant at which something is due to the next, and a relay that has nothing to do.
//!
//! A look at one family costs the same however many there are, but for the depth of an index: so fewer live the week than
//! what it is told of.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Error, Result, anyhow, ensure};
use futures_util::future::try_join_all;
use jiashu_proto::entry::{
    Consent, ContactPlan, Content, IntendedRule, MemberFact, Message, Receipt, RuleText, Rung,
};
use jiashu_proto::frame::{Card, ClientFrame, Enrol, Join};
use jiashu_proto::id::{DeviceId, InviteId, MemberId, Millis, Ref, Role, Scope, TokenHash};
use jiashu_roster::{Op, code_hash, token_hash};
use jiashu_seal::{KeyPairs, Signer, write_first_link, write_link};
use jiashu_server::clock::Clock;
use jiashu_server::config::Config;
use jiashu_server::execute::Failure;
use jiashu_server::family::contact::look;
use jiashu_server::family::ledger::{Heard, Sent};
use jiashu_server::relay::Relay;
use jiashu_server::store::embedded::{EmbeddedStore, Options};
use jiashu_server::store::redis::{Options as RedisOptions, RedisStore};
use jiashu_server::store::{Batch, Change, NewEntry, Precondition, ScopeKind, Store};
use jiashu_server::{blobs, execute, notify, scheduler};
use jiff::Timestamp;

use crate::figures::Effort;
use crate::machine::cpu_time;
use crate::redis::Server;
use crate::report::Report;

/// Families that the figures are told of.
const OF: f64 = 100_000.0;

/// Those that live the week, and the same with `--quick`.
const LIVE: u64 = 4_000;
const LIVE_QUICK: u64 = 500;

/// Days on which they heard each other, before nothing happens any more.
const DAYS: i64 = 28;

/// Families that are enrolled at once: each stands in the programme's one audit log, where more would give way too often.
const AT_ONCE: u64 = 10;

/// More than falls due in one instant.
const MOST: usize = 1_000_000;

/// How long an idle relay is looked at, and the same with `--quick`.
const IDLE: Duration = Duration::from_secs(60);
const IDLE_QUICK: Duration = Duration::from_secs(20);

/// Until a relay that has just started has done what it does at its start.
const SETTLED: Duration = Duration::from_secs(3);

const MINUTE_MS: Millis = 60_000;
const DAY_MS: Millis = 24 * 60 * MINUTE_MS;
const WEEK_MS: Millis = 7 * DAY_MS;

/// Seconds of a week.
const WEEK_S: f64 = 604_800.0;

const PROGRAMME: Scope = Scope(0x7070);
const MOTHER: MemberId = MemberId(1);
const CHILDREN: [MemberId; 2] = [MemberId(3), MemberId(4)];

/// Both stores.
pub(crate) fn figures(binary: &Path, effort: Effort, report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let lived = runtime.block_on(async {
        let store = Arc::new(EmbeddedStore::open(folder.path(), Options::default())?);
        live(store, folder.path(), None, effort).await
    })?;
    let relay = crate::relay::Relay::start(binary, folder.path(), &[])?;
    lived.tell("from one file", &[relay.pid()], effort, report)?;
    drop(relay);

    let (redis, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let server = Server::start(redis.path())?;
    let lived = runtime.block_on(async {
        let store = RedisStore::open(server.url(), RedisOptions::default()).await?;
        live(Arc::new(store), folder.path(), Some(server.pid()), effort).await
    })?;
    let settings = [("JIASHU_STORE", Path::new(server.url()))];
    let relay = crate::relay::Relay::start(binary, folder.path(), &settings)?;
    lived.tell("over Redis", &[relay.pid(), server.pid()], effort, report)
}

/// What a silent week took.
struct Lived {
    families: u32,
    /// What fell due in it.
    due: usize,
    /// CPU time, that of a Redis too.
    cpu: Duration,
}

impl Lived {
    /// All of it, with what those processes take that have nothing to do.
    fn tell(&self, store: &str, pids: &[u32], effort: Effort, report: &mut Report) -> Result<()> {
        let families = f64::from(self.families);
        let each = self.cpu.as_secs_f64() / families;
        let of_core = each * OF / WEEK_S * 100.0;
        let mut add = |what: String, unit, figure, bar| {
            report.add(what, unit, [vec![figure], Vec::new()], bar);
        };
        let what =
            format!("watching {OF} families in silence, as {families} lived a week, {store}");
        add(what, "% of a core", of_core, Some((1.0, 1.0)));
        add("  CPU for a family and week".to_owned(), "ms", each * 1_000.0, None);
        let due = f64::from(u32::try_from(self.due)?) / families;
        add("  falls due for a family and week".to_owned(), "times", due, None);
        std::thread::sleep(SETTLED);
        let watched = if effort.runs > 1 { IDLE } else { IDLE_QUICK };
        let used = || pids.iter().map(|pid| cpu_time(*pid)).sum::<Result<Duration>>();
        let before = used()?;
        std::thread::sleep(watched);
        let of_core = (used()? - before).as_secs_f64() / watched.as_secs_f64() * 100.0;
        let what = format!("  a relay beside them, in {} s by the clock", watched.as_secs());
        add(what, "% of a core", of_core, Some((1.0, 1.0)));
        Ok(())
    }
}

/// Families are enrolled, hear each other for weeks, and then are silent for one.
async fn live(
    store: Arc<dyn Store>,
    folder: &Path,
    redis: Option<u32>,
    effort: Effort,
) -> Result<Lived> {
    let config = Config { data: folder.to_owned(), ..Config::defaults() };
    let blobs = blobs::open(&config)?;
    let silent = jiashu_cli::clock::now().as_millisecond() - WEEK_MS;
    let begin = silent - DAYS * DAY_MS;
    let clock = Clock::manual(begin);
    let relay = Relay::new(config, store, blobs, clock.clone());
    let world = World { relay, clock };
    world.found().await?;
    let families = if effort.runs > 1 { LIVE } else { LIVE_QUICK };
    let drawn = Drawn::new(begin)?;
    for first in (0..families).step_by(usize::try_from(AT_ONCE)?) {
        let some = first..families.min(first + AT_ONCE);
        try_join_all(some.map(|number| world.enrol(&drawn, number))).await?;
    }
    world.clock.set(silent);
    for first in (0..families).step_by(usize::try_from(AT_ONCE)?) {
        let some = first..families.min(first + AT_ONCE);
        try_join_all(some.map(|number| world.hear(number, silent))).await?;
    }
    scheduler::catch_up(&world.relay).await?;
    let used = || {
        let pids = [Some(std::process::id()), redis].into_iter().flatten();
        pids.map(cpu_time).sum::<Result<Duration>>()
    };
    let before = used()?;
    let due = world.live_until(silent + WEEK_MS).await?;
    let cpu = used()? - before;
    world.relay.store.close().await;
    Ok(Lived { families: u32::try_from(families)?, due, cpu })
}

/// The relay and the time it is.
struct World {
    relay: Relay,
    clock: Clock,
}

impl World {
    async fn found(&self) -> Result<()> {
        let token_hash = TokenHash(token_hash(&[7; 16]).0);
        let seat = Change::AddSeat { device: DeviceId(1), token_hash, members: Vec::new() };
        let batch = Batch {
            requires: vec![Precondition::Absent],
            changes: vec![Change::Create(ScopeKind::Programme), seat],
            ..Batch::new(self.clock.now())
        };
        self.relay.store.commit(PROGRAMME, batch).await?;
        Ok(())
    }

    /// Enrolled, both phones in, an evening that they intend.
    async fn enrol(&self, drawn: &Drawn, number: u64) -> Result<()> {
        let (family, relay) = (scope(number), &self.relay);
        let enrol = Enrol { family, case_code: format!("GS-{number:06}"), ..drawn.enrol.clone() };
        let enrol = ClientFrame::Enrol(enrol);
        let enrolled = execute::staff::command(relay, PROGRAMME, DeviceId(1), enrol).await;
        enrolled.map_err(told)?;
        for join in &drawn.joins {
            let join = Join { scope: family, ..join.clone() };
            execute::door::join(relay, join).await.map_err(told)?;
        }
        // Between six and ten, each at a minute of its own.
        let (hour, minute) = (18 + number / 60 % 4, number % 60);
        let start = format!("2026-01-01T{hour:02}:{minute:02}:00");
        let rule = RuleText::new(&start, "Asia/Shanghai", Some("FREQ=DAILY"));
        let rules = vec![IntendedRule { rule, tolerance_min: None }];
        let plan = Content::Plan(ContactPlan { by: MOTHER, rules });
        let now = self.clock.now();
        let batch = Batch {
            entries: vec![NewEntry::of(&plan)],
            changes: vec![look(now)],
            ..Batch::new(now)
        };
        relay.store.commit(family, batch).await?;
        Ok(())
    }

    /// Each evening until then, both ways, with both children.
    async fn hear(&self, number: u64, until: Millis) -> Result<()> {
        let evenings = (1..=DAYS).map(|day| until - day * DAY_MS);
        let heard = evenings.enumerate().flat_map(|(evening, at)| {
            let ways = CHILDREN.into_iter().flat_map(|child| [(MOTHER, child), (child, MOTHER)]);
            ways.enumerate().flat_map(move |(way, (from, by))| contact(evening, way, from, by, at))
        });
        let batch = Batch { changes: heard.collect(), ..Batch::new(self.clock.now()) };
        self.relay.store.commit(scope(number), batch).await?;
        Ok(())
    }

    /// What falls due until then happens, each at its time. How much that is.
    async fn live_until(&self, until: Millis) -> Result<usize> {
        let (store, mut count) = (&*self.relay.store, 0);
        while let Some(due) = store.next_due().await?.filter(|due| *due <= until) {
            let now = due.max(self.clock.now());
            self.clock.set(now);
            count += store.due(now, MOST).await?.len();
            scheduler::catch_up(&self.relay).await?;
            notify::catch_up(&self.relay).await;
            let next = store.next_due().await?;
            ensure!(next.is_none_or(|next| next > now), "what was due at {now} was not done");
        }
        self.clock.set(until);
        Ok(count)
    }
}

/// As whoever asked would be told.
fn told(failure: Failure) -> Error {
    anyhow!(failure.answer(None).text)
}

/// Spread over all numbers, as those that clients draw.
fn scope(number: u64) -> Scope {
    Scope((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A letter that was heard.
fn contact(
    evening: usize,
    way: usize,
    from: MemberId,
    by: MemberId,
    at: Millis,
) -> impl Iterator<Item = Change> {
    let byte = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    let mut entry_ref = [byte(evening); 12];
    entry_ref[0] = byte(way);
    let entry_ref = Ref(entry_ref);
    let device_of = |member| if member == MOTHER { DeviceId(1) } else { DeviceId(2) };
    let message = Message {
        device: device_of(from),
        from,
        entry_ref,
        epoch: 3,
        to: Vec::new(),
        sealed: Vec::new(),
        key: None,
        until: None,
        blob: None,
        fired: None,
    };
    let receipt = Receipt {
        device: device_of(by),
        from: by,
        of: entry_ref,
        to: from,
        rung: Rung::Opened,
        at,
        share: None,
    };
    Sent::of(1, &message, at - MINUTE_MS).into_iter().chain(Heard::of(&receipt, at))
}

/// What is alike in all families: signing 100,000 chains would take minutes, and a chain names no family.
struct Drawn {
    enrol: Enrol,
    joins: Vec<Join>,
}

impl Drawn {
    /// Mother has a phone; grandmother and two children share the other.
    fn new(now: Millis) -> Result<Self> {
        let roles = [Role::Parent, Role::Caregiver, Role::Child, Role::Child];
        let members = || (1..).map(MemberId).zip(roles);
        let phones = [vec![MOTHER], vec![MemberId(2), CHILDREN[0], CHILDREN[1]]];
        let keys = phones.each_ref().map(|_| KeyPairs::generate());
        let expires_at = now + 30 * DAY_MS;
        let mut ops: Vec<_> =
            members().map(|(member, role)| Op::AddMember { member, role }).collect();
        ops.extend((1..).map(InviteId).zip(&keys).zip(&phones).map(|((invite, keys), members)| {
            let (sign_pub, hpke_pub) = (keys.sign.public(), keys.hpke.public());
            Op::AddInvite { invite, sign_pub, hpke_pub, members: members.clone(), expires_at }
        }));
        let code = |invite: u32| [u8::try_from(invite).unwrap_or(0); 16];
        let card = |invite: u32| {
            let code_hash = code_hash(&code(invite));
            Card { invite: InviteId(invite), code_hash, blob: vec![2; 500] }
        };
        let first = write_first_link(ops)?;
        let (mut roster, mut key, mut joins) = (first.roster, None, Vec::new());
        for (invite, keys) in (1..).zip(&keys) {
            let own = KeyPairs::generate();
            let join = Op::Join {
                device: roster.next_device(),
                sign_pub: own.sign.public(),
                hpke_pub: own.hpke.public(),
                token_hash: token_hash(&code(invite)),
            };
            let signer = Signer::Invite(InviteId(invite), &keys.sign);
            let new = write_link(&roster, signer, vec![join], key.as_ref())?;
            let (scope, code) = (PROGRAMME, code(invite));
            joins.push(Join { scope, code, link: new.link, wraps: new.wraps });
            (roster, key) = (new.roster, Some(new.key));
        }
        let day = Timestamp::from_millisecond(now)?.to_string();
        let day = || day.get(..10).map(str::to_owned);
        ensure!(day().is_some(), "a day");
        let zone =
            |member: MemberId| if member == MOTHER { "Europe/Rome" } else { "Asia/Shanghai" };
        let member = |(member, _)| {
            let (zone, language) = (zone(member).to_owned(), "zh-Hans".to_owned());
            MemberFact { member, zone, language }
        };
        let consent = |child| Consent {
            consent_on: day(),
            assent_on: day(),
            counting_on: day(),
            counting_assent_on: day(),
            ..Consent::none(child)
        };
        let enrol = Enrol {
            case_code: String::new(),
            family: PROGRAMME,
            link: first.link,
            cards: vec![card(1), card(2)],
            members: members().map(member).collect(),
            consents: CHILDREN.map(consent).to_vec(),
            replaces: None,
            site: None,
            proposal: Vec::new(),
            care: None,
        };
        Ok(Self { enrol, joins })
    }
}
