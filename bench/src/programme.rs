//! (j) What staff ask of a programme of 100,000 families: a report of a week, the worklist, twelve weeks of the programme's
//! page, pages as a browser is sent them, and weeks as a file of rows.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_contact::age::AgeBand;
use jiashu_contact::figures::Band;
use jiashu_contact::standing::Standing;
use jiashu_contact::week::Week;
use jiashu_proto::id::{DeviceId, MemberId, Millis, Role, Scope, Token};
use jiashu_roster::token_hash;
use jiashu_server::contact::rows::{
    ChildRow, ChildWeek, Edges, FAMILIES, FamilyRow, PhoneRow, WeekRow, week_book,
};
use jiashu_server::contact::uses::Uses;
use jiashu_server::store::embedded::{EmbeddedStore, Options};
use jiashu_server::store::redis::{Options as RedisOptions, RedisStore};
use jiashu_server::store::{Batch, Change, LedgerRow, Precondition, ScopeKind, Store};

use crate::figures::Effort;
use crate::machine;
use crate::redis::Server;
use crate::relay::Relay;
use crate::report::Report;

/// Families of the programme.
const COUNT: u64 = 100_000;

/// Children of each of them.
const CHILDREN: u64 = 2;

/// Weeks of which their rows stand; of the last two the machine's clock may say that they have not closed.
const WEEKS: usize = 14;

/// Weeks of the programme's page.
const OF_A_PAGE: usize = 12;

/// Weeks of a file of rows.
const OF_A_FILE: usize = 4;

/// Bytes that no row of a file is shorter than.
const SHORTEST: u64 = 80;

/// Families written in one step.
const AT_ONCE: u64 = 500;

const PROGRAMME: Scope = Scope(0x7070);

/// A Monday's noon.
const NOW: Millis = 1_795_500_000_000;

/// Measures both stores.
pub(crate) fn figures(binary: &Path, effort: Effort, report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let week: Week = "2026W48".parse().context("a week")?;
    let folder = tempfile::tempdir()?;
    runtime.block_on(async {
        let store = EmbeddedStore::open(folder.path(), Options::default())?;
        fill(&store, week).await?;
        store.close().await;
        anyhow::Ok(())
    })?;
    let relay = Relay::start(binary, folder.path(), &[])?;
    measure(&relay, "from one file", 1_000.0, week, effort, report)?;
    drop(relay);

    let (redis, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let server = Server::start(redis.path())?;
    runtime.block_on(async {
        let store = RedisStore::open(server.url(), RedisOptions::default()).await?;
        fill(&store, week).await?;
        store.close().await;
        anyhow::Ok(())
    })?;
    let relay = Relay::start(binary, folder.path(), &[("JIASHU_STORE", Path::new(server.url()))])?;
    measure(&relay, "over Redis", 2_000.0, week, effort, report)
}

fn measure(
    relay: &Relay,
    store: &str,
    aim: f64,
    week: Week,
    effort: Effort,
    report: &mut Report,
) -> Result<()> {
    let address = relay.address;
    let of_week = format!("/api/v1/report?week={week}&by=site");
    let asked = [
        (format!("a report over {COUNT} families by site, {store}"), of_week, aim),
        (
            format!("the worklist of {COUNT} families, {store}"),
            "/api/v1/worklist".to_owned(),
            200.0,
        ),
    ];
    for (what, path, aim) in asked {
        let mut runs = Vec::new();
        for _ in 0..effort.runs {
            let began = Instant::now();
            let body = get(address, &path)?;
            runs.push(began.elapsed().as_secs_f64() * 1_000.0);
            ensure!(body > 1_000, "an answer of {body} bytes");
        }
        report.add(what, "ms", [runs, Vec::new()], Some((aim, aim)));
    }
    page(relay, store, week, effort, report)?;
    pages(relay, store, effort, report)?;
    rows_of_weeks(relay, store, week, effort, report)
}

/// What the programme's page asks for: for the first time, again, and with filters.
fn page(relay: &Relay, store: &str, week: Week, effort: Effort, report: &mut Report) -> Result<()> {
    let before = machine::most_resident_kib(relay.pid())?;
    let until = week.before().before();
    let asked = [
        ("for the first time", "", 1),
        ("again", "", effort.runs),
        ("of a site", "&site=site-7", effort.runs),
        ("of those at risk who are 9 to 11", "&standing=at_risk&age=9-11", effort.runs),
    ];
    for (which, filter, runs) in asked {
        let path = format!("/api/v1/programme?weeks={OF_A_PAGE}&until={until}{filter}");
        let mut times = Vec::new();
        for _ in 0..runs {
            let began = Instant::now();
            let body = get(relay.address, &path)?;
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
            ensure!(body > 1_000, "an answer of {body} bytes");
        }
        let what = format!("{OF_A_PAGE} weeks of {COUNT} families {which}, {store}");
        report.add(what, "ms", [times, Vec::new()], (runs > 1).then_some((300.0, 300.0)));
    }
    let grown = machine::most_resident_kib(relay.pid())?.saturating_sub(before);
    let what = format!("memory of {OF_A_PAGE} weeks of {COUNT} families, {store}");
    report.add(what, "MiB", [vec![figure(grown) / 1024.0], Vec::new()], None);
    Ok(())
}

/// Pages as a browser is sent them, packed: until all of it has come, and how large it is.
fn pages(relay: &Relay, store: &str, effort: Effort, report: &mut Report) -> Result<()> {
    let cookie = come_in(relay.address)?;
    let asked = [
        ("the families", "/staff/families"),
        ("the silent ones", "/staff/families?standing=silent"),
        ("the programme", "/staff/programme"),
    ];
    for (which, path) in asked {
        let headers = format!("cookie: {cookie}\r\naccept-encoding: gzip\r\n");
        let (mut times, mut sizes) = (Vec::new(), Vec::new());
        for _ in 0..effort.runs {
            let began = Instant::now();
            let answer = exchange(relay.address, "GET", path, &headers)?;
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
            sizes.push(figure(u64::try_from(answer.len())?) / 1_000.0);
        }
        let what = format!("the page of {which}, of {COUNT} families, {store}");
        report.add(what.clone(), "ms", [times, Vec::new()], Some((300.0, 300.0)));
        report.add(what, "kB", [sizes, Vec::new()], Some((60.0, 60.0)));
    }
    Ok(())
}

/// Signs in by a link, as a browser does: its cookie.
fn come_in(address: SocketAddr) -> Result<String> {
    let link = exchange(address, "POST", "/api/v1/staff/me/sign-in-link", &bearer())?;
    let link = String::from_utf8(link)?;
    let (_, rest) = link.split_once("/staff/in/").context("no link")?;
    let code = rest.split('"').next().context("no code")?;
    let own = "sec-fetch-site: same-origin\r\n";
    let entered = exchange(address, "POST", &format!("/staff/in/{code}"), own)?;
    let entered = String::from_utf8(entered)?;
    let (_, cookie) = entered.split_once("set-cookie: ").context("no cookie")?;
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
}

/// All that comes back, head and body; it must not be a refusal.
fn exchange(address: SocketAddr, method: &str, path: &str, headers: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: relay\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let is_fine = answer.starts_with(b"HTTP/1.1 2") || answer.starts_with(b"HTTP/1.1 303");
    ensure!(is_fine, "{}", String::from_utf8_lossy(answer.get(..300).unwrap_or(&answer)));
    Ok(answer)
}

fn bearer() -> String {
    let token = Token { scope: PROGRAMME, device: DeviceId(1), secret: [7; 16] };
    format!("authorization: Bearer {}\r\n", URL_SAFE_NO_PAD.encode(token.to_bytes()))
}

/// Rows a second of `family_week.csv`, and how much more memory four weeks of it take than one.
fn rows_of_weeks(
    relay: &Relay,
    store: &str,
    week: Week,
    effort: Effort,
    report: &mut Report,
) -> Result<()> {
    let first = weeks(week).nth(OF_A_FILE - 1).context("a week")?;
    let file = |from: Week| format!("/api/v1/exports/family-week?from={from}&until={week}");
    drain(relay.address, &file(week), COUNT * CHILDREN)?;
    let after_one = machine::most_resident_kib(relay.pid())?;
    let mut runs = Vec::new();
    for _ in 0..effort.runs {
        let began = Instant::now();
        let rows = COUNT * CHILDREN * u64::try_from(OF_A_FILE)?;
        drain(relay.address, &file(first), rows)?;
        runs.push(figure(rows) / began.elapsed().as_secs_f64());
    }
    let what = format!("family_week.csv of {COUNT} families and {OF_A_FILE} weeks, {store}");
    report.add(what, "rows/s", [runs, Vec::new()], Some((20_000.0, 20_000.0)));
    let grown = machine::most_resident_kib(relay.pid())?.saturating_sub(after_one);
    let what = format!("memory of {OF_A_FILE} weeks of it beyond that of one, {store}");
    report.add(what, "MiB", [vec![figure(grown) / 1024.0], Vec::new()], None);
    Ok(())
}

fn figure(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// The last weeks up to that one, the newest first.
fn weeks(week: Week) -> impl Iterator<Item = Week> {
    std::iter::successors(Some(week), |week| Some(week.before())).take(WEEKS)
}

/// Reads a file of so many rows to its end, and keeps nothing of it.
fn drain(address: SocketAddr, path: &str, rows: u64) -> Result<()> {
    let mut stream = ask(address, path)?;
    let (mut piece, mut last, mut length) = (vec![0; 1 << 16], Vec::new(), 0_u64);
    loop {
        let count = stream.read(&mut piece)?;
        let Some(came) = piece.get(..count).filter(|came| !came.is_empty()) else { break };
        if length == 0 {
            ensure!(came.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(came));
        }
        length += u64::try_from(count)?;
        last = [&last[..], came].concat();
        last.drain(..last.len().saturating_sub(8));
    }
    ensure!(last.ends_with(b"0\r\n\r\n"), "the file has no end");
    ensure!(length > rows * SHORTEST, "{length} bytes are not {rows} rows");
    Ok(())
}

/// Length of the answer's body, in bytes.
fn get(address: SocketAddr, path: &str) -> Result<usize> {
    let mut stream = ask(address, path)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    ensure!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(answer.get(..300).unwrap_or(&answer))
    );
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").context("a head")?;
    Ok(answer.len() - head - 4)
}

fn ask(address: SocketAddr, path: &str) -> Result<TcpStream> {
    let bearer = bearer();
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: relay\r\n{bearer}connection: close\r\n\r\n")?;
    Ok(stream)
}

async fn fill(store: &dyn Store, week: Week) -> Result<()> {
    let seat = Change::AddSeat {
        device: DeviceId(1),
        token_hash: token_hash(&[7; 16]),
        members: Vec::new(),
    };
    let programme = Batch {
        requires: vec![Precondition::Absent],
        changes: vec![Change::Create(ScopeKind::Programme), seat],
        ..Batch::new(NOW)
    };
    store.commit(PROGRAMME, programme).await?;
    for first in (0..COUNT).step_by(usize::try_from(AT_ONCE)?) {
        let changes = (first..first + AT_ONCE).flat_map(|family| rows(family, week)).collect();
        store.commit(PROGRAMME, Batch { changes, ..Batch::new(NOW) }).await?;
    }
    Ok(())
}

/// How a family of two children stands, and what its weeks say.
fn rows(family: u64, week: Week) -> Vec<Change> {
    let pick = |of: usize| usize::try_from(family).unwrap_or(0) % of;
    let site = Some(format!("site-{}", pick(40)));
    let (home, away) = (Some("Asia/Shanghai".to_owned()), Some("Europe/Rome".to_owned()));
    let standing = Standing::ALL.get(pick(8)).copied().unwrap_or(Standing::New);
    let band = Band::ALL.get(pick(5)).copied().unwrap_or(Band::Less);
    let (two_way_at, now) = (Some(NOW - 86_400_000 * Millis::try_from(pick(50)).unwrap_or(0)), NOW);
    let child = |member| ChildRow {
        member: MemberId(member),
        standing,
        band,
        missed_in_a_row: 1,
        since: Some(NOW - 90 * 86_400_000),
        two_way_at,
        home_at: two_way_at,
        away_at: two_way_at,
    };
    let phone = |device: u32, serves: &[(u32, Role)]| PhoneRow {
        device: DeviceId(device),
        serves: serves.iter().map(|(member, role)| (MemberId(*member), *role)).collect(),
        used_at: two_way_at,
    };
    let stands = FamilyRow {
        case_code: format!("GS-{family:06}"),
        site: site.clone(),
        active: true,
        counted: true,
        children: vec![child(3), child(4)],
        next: Some(now + 86_400_000),
        home_zone: home.clone(),
        away_zone: away.clone(),
        phones: vec![
            phone(1, &[(1, Role::Parent)]),
            phone(2, &[(2, Role::Caregiver), (3, Role::Child), (4, Role::Child)]),
        ],
        tasks: Vec::new(),
        agreed_until: None,
        leaves_at: None,
        zone: None,
        pauses: Vec::new(),
        as_of: now,
    };
    let weekly = |member| ChildWeek {
        member: MemberId(member),
        expected: 7,
        kept: 5,
        both_ways: 3,
        home: 5,
        away: 4,
        late: 0,
        days: 5,
        longest_gap_h: 50,
        standing,
        band,
        age: AgeBand::ALL.get(pick(7)).copied(),
        edges: Some(Edges { first_min: 1_200, last_min: 2_000 }),
    };
    let of_week = WeekRow {
        site,
        home_zone: home,
        away_zone: away,
        children: vec![weekly(3), weekly(4)],
        shared_phones: 1,
        idle_phones: 0,
        closed: true,
        as_of: now,
        uses: Uses::of((0..7).flat_map(|day| [day * 24 + 12, day * 24 + 20])),
        care: None,
    };
    let row = |book: String, value| {
        let name = family.to_be_bytes().to_vec();
        Change::Enter(LedgerRow { book, name, version: (1, 1), value })
    };
    let of_weeks = weeks(week).map(|week| row(week_book(week), of_week.to_bytes()));
    [row(FAMILIES.to_owned(), stands.to_bytes())].into_iter().chain(of_weeks).collect()
}
