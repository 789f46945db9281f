//! `staff list` and `staff link`: how somebody of the staff gets in, where nobody else can send them a link.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use jiashu_proto::id::{DeviceId, Scope};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::carry::{Telling, open_to_read};
use super::runtime;
use crate::clock::Clock;
use crate::config::Config;
use crate::operator;
use crate::programme::{self, Role, StaffFact};
use crate::setup::programmes;
use crate::store::Store;
use crate::tls::pinned;

/// A member of staff, as the list shows them.
struct Member {
    programme: Scope,
    number: DeviceId,
    role: Role,
    name: String,
}

/// Prints the staff of every programme. A relay may go on meanwhile.
#[expect(clippy::print_stdout, reason = "the answer to what was asked")]
pub(super) fn list(config: &Config, telling: Telling) -> anyhow::Result<()> {
    let members = runtime()?.block_on(members(config))?;
    for Member { programme, number, role, name } in members {
        let role = role.name();
        if telling.json {
            let line = serde_json::json!({
                "programme": programme.to_string(), "number": number.0, "role": role, "name": name,
            });
            println!("{line}");
        } else {
            println!("programme {programme}  number {number}  {role}  {name}");
        }
    }
    Ok(())
}

async fn members(config: &Config) -> anyhow::Result<Vec<Member>> {
    let store = open_to_read(config).await?;
    let mut members = Vec::new();
    for programme in programmes(&*store).await? {
        members.extend(of_programme(&*store, programme).await?);
    }
    store.close().await;
    Ok(members)
}

async fn of_programme(store: &dyn Store, programme: Scope) -> anyhow::Result<Vec<Member>> {
    let Some(state) = store.state(programme).await? else { return Ok(Vec::new()) };
    let facts: Vec<(String, StaffFact)> = programme::all(store, programme).await?;
    let facts = facts.into_iter().filter_map(|(number, fact)| Some((number.parse().ok()?, fact)));
    let facts: std::collections::BTreeMap<u32, StaffFact> = facts.collect();
    let seats = state.seats.iter().filter(|(_, seat)| !seat.revoked).map(|(number, _)| number.0);
    let invited = facts.iter().filter(|(_, fact)| !fact.left).map(|(number, _)| *number);
    let numbers: std::collections::BTreeSet<u32> = seats.chain(invited).collect();
    let member = |number: u32| {
        let fact = facts.get(&number);
        Member {
            programme,
            number: DeviceId(number),
            // The first coordinator, of whom nothing may be written down.
            role: fact.map_or(Role::Coordinator, |fact| fact.role),
            name: fact.map(|fact| fact.name.clone()).unwrap_or_default(),
        }
    };
    Ok(numbers.into_iter().map(member).collect())
}

/// Prints a link by which a member of staff signs in with a browser, once. The relay must be running.
#[expect(clippy::print_stdout, reason = "the answer to what was asked")]
pub(super) fn link(
    config: &Config,
    programme: Option<&str>,
    number: u32,
    telling: Telling,
) -> anyhow::Result<()> {
    let made = runtime()?.block_on(async {
        let programme = which(config, programme).await?;
        ask(config, programme, number).await
    })?;
    if telling.json {
        println!("{}", serde_json::json!({ "link": made.trim() }));
    } else {
        eprintln!("open it within an hour; it works once, for whoever comes first:");
        println!("{}", made.trim());
    }
    Ok(())
}

/// The programme that is named, or the only one.
async fn which(config: &Config, named: Option<&str>) -> anyhow::Result<Scope> {
    if let Some(named) = named {
        let number = u64::from_str_radix(named, 16).ok().filter(|number| *number != 0);
        return number.map(Scope).context("a programme is 16 hexadecimal digits: see `staff list`");
    }
    let store = open_to_read(config).await?;
    let all = programmes(&*store).await?;
    store.close().await;
    match all[..] {
        [one] => Ok(one),
        [] => bail!("there is no programme yet: its first coordinator uses the setup link"),
        _ => bail!("there are several programmes: name one by --programme, see `staff list`"),
    }
}

async fn ask(config: &Config, programme: Scope, number: u32) -> anyhow::Result<String> {
    let key = operator::read_key(&config.data).with_context(|| {
        format!("cannot read {}: a relay makes it", operator::key_file(&config.data).display())
    })?;
    let at = reached(config.listen);
    let stream = TcpStream::connect(at).await;
    let stream = stream.with_context(|| format!("no relay answers at {at}: start it first"))?;
    let path = format!("/staff-links/{programme}/{number}");
    let shown = operator::shown(&key, &path, Clock::system().now());
    let request = Request::post(path)
        .header(header::HOST, at.to_string())
        .header(header::AUTHORIZATION, format!("Bearer {shown}"))
        .body(String::new())?;
    let (status, body) = match (&config.tls_cert, &config.tls_key) {
        (Some(cert), Some(_)) => {
            let name = rustls::pki_types::ServerName::IpAddress(at.ip().into());
            let tls = tokio_rustls::TlsConnector::from(Arc::new(pinned(cert)?));
            send(tls.connect(name, stream).await.context("the relay's TLS")?, request).await?
        }
        _ => send(stream, request).await?,
    };
    match status {
        StatusCode::OK => Ok(body),
        StatusCode::NOT_FOUND => {
            bail!(
                "the relay knows no such member of staff, or takes no word from here: see `staff list`"
            )
        }
        status => bail!("the relay answered {status}: {}", body.trim()),
    }
}

/// Where a relay that listens there is reached from its own machine.
fn reached(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<String>,
) -> anyhow::Result<(StatusCode, String)> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driven = tokio::spawn(connection);
    let answer = sender.send_request(request).await.context("the relay hung up")?;
    let status = answer.status();
    let body = axum::body::to_bytes(axum::body::Body::new(answer.into_body()), 64 * 1024).await?;
    driven.abort();
    let text = String::from_utf8_lossy(&body).into_owned();
    ensure!(text.len() <= 4096, "the answer is too long");
    Ok((status, text))
}
