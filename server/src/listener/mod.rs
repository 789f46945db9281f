//! The door: sockets, TLS, HTTP and the upgrade. Does not look inside frames.
//!
//! A connection is accepted here if there is a place for it; a trusted proxy says for whom it is
//! (`proxy`). Who takes no byte of what is written is hung up on (`progress`). It is asked for what
//! (`routes`), and becomes a WebSocket (`upgrade`) whose messages are watched (`watch`).

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::HeaderMap;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod progress;

mod proxy;

mod blob;

mod problem;

mod api;

mod desk;

mod assets;

#[cfg(feature = "web")]
mod web;

mod openapi;

mod part;

mod link;
mod routes;

pub mod upgrade;

pub mod watch;

use crate::limits::address::{Address, Networks};
use crate::limits::guests::{Full, Ticket};
use crate::relay::Relay;
use progress::Progress;
use routes::Door;

/// Connections that may wait to be accepted; the system's own limit (`net.core.somaxconn`) may be
/// lower. Those beyond it are dropped without a word, and their phones try again a second later: all
/// of a thousand phones that come back at once find room.
const BACKLOG: u32 = 4096;

/// After a failed accept (too many files are open) the door rests so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long somebody for whom there is no place has to hear that, or to be handed a page on a slow line.
const SORRY: Duration = Duration::from_secs(30);

/// To so many at once it is said; the others are hung up on.
const SORRY_AT_ONCE: usize = 64;

/// Bytes that the system takes for a connection before the relay has read them. So much a phone may have under way,
/// and loses when its line breaks: a kernel that tries out how much a line holds (BBR) would have sent it 40 KiB.
const UNREAD: u32 = 16 * 1024;

/// Begins to listen.
///
/// # Errors
///
/// If the address is taken, or not this machine's.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
    // A relay that starts again does not wait for what its last connections left behind.
    socket.set_reuseaddr(true)?;
    // Each connection has it from here.
    socket.set_recv_buffer_size(UNREAD)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves all that come until `stop`, then waits for those that are there, as long as it may.
pub async fn run(
    relay: Arc<Relay>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
) {
    let sockets = TaskTracker::new();
    let host = Host::new(relay, tls, sockets.clone(), stop.clone());
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => host.greet(stream, peer.ip()),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Who comes now is told at once that nobody is here, not left in a queue.
    drop(listener);
    sockets.close();
    let drain = host.relay.config.limits.drain();
    if timeout(drain, sockets.wait()).await.is_err() {
        tracing::warn!("{} connections did not end in time", sockets.len());
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
struct Guest {
    ip: IpAddr,
    /// Of the connection. Without an address it is a trusted proxy's, and each request says whose.
    ticket: Arc<Ticket>,
}

impl Guest {
    /// Whether it may be told how the relay does.
    fn is_operator(&self, relay: &Relay, headers: &HeaderMap) -> bool {
        let limits = &relay.limits;
        let client = limits.proxies.client(self.ip, headers);
        limits.operators.contain(client) && !limits.proxies.is_other_proxy(self.ip, headers)
    }

    /// The place of one request.
    fn admit(&self, relay: &Relay, headers: &HeaderMap) -> Result<Arc<Ticket>, Full> {
        if self.ticket.address().is_some() {
            return Ok(self.ticket.clone());
        }
        let client = relay.limits.proxies.client(self.ip, headers);
        relay.limits.guests.enter_by(self.ticket.clone(), Address::from(client))
    }
}

/// What every connection needs.
#[derive(Clone)]
struct Host {
    relay: Arc<Relay>,
    tls: Option<TlsAcceptor>,
    service: TowerToHyperService<Router>,
    sockets: TaskTracker,
    stop: CancellationToken,
    /// For those to whom it is said that there is no place.
    sorry: Arc<Semaphore>,
}

impl Host {
    fn new(
        relay: Arc<Relay>,
        tls: Option<TlsAcceptor>,
        sockets: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let door = Door { relay: relay.clone(), sockets: sockets.clone(), stop: stop.clone() };
        let service = TowerToHyperService::new(routes::routes(door));
        let sorry = Arc::new(Semaphore::new(SORRY_AT_ONCE));
        Self { relay, tls, service, sockets, stop, sorry }
    }

    fn proxies(&self) -> &Networks {
        &self.relay.limits.proxies
    }

    fn greet(&self, stream: TcpStream, ip: IpAddr) {
        // Letters are small and awaited: they do not wait for more bytes to come.
        let _ = stream.set_nodelay(true);
        let (ip, guests) = (ip.to_canonical(), &self.relay.limits.guests);
        let ticket = if self.proxies().contain(ip) {
            guests.enter_proxy()
        } else {
            guests.enter(Address::from(ip))
        };
        match ticket {
            Ok(ticket) => {
                self.sockets.spawn(self.clone().serve(stream, Guest { ip, ticket }));
            }
            Err(full) => self.turn_away(stream, full),
        }
    }

    async fn serve(self, mut stream: TcpStream, mut guest: Guest) {
        let patience = self.relay.config.limits.handshake();
        let from_proxy = guest.ticket.address().is_none();
        if from_proxy && self.relay.config.limits.proxy_protocol {
            let Ok(Ok(source)) = timeout(patience, proxy::read_header(&mut stream)).await else {
                return;
            };
            guest.ip = source.map_or(guest.ip, |ip| ip.to_canonical());
            if !self.proxies().contain(guest.ip) {
                let (carrier, address) = (guest.ticket.clone(), Address::from(guest.ip));
                match self.relay.limits.guests.enter_by(carrier, address) {
                    Ok(ticket) => guest.ticket = ticket,
                    Err(full) => return self.turn_away(stream, full),
                }
            }
        }
        let service = self.service;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(guest.clone());
            service.call(request)
        });
        let (relay, stop) = (&self.relay, &self.stop);
        let stream = Progress::new(stream, relay.config.limits.no_progress());
        match self.tls {
            None => http(relay, stream, service, stop).await,
            Some(tls) => {
                if let Ok(Ok(stream)) = timeout(patience, tls.accept(stream)).await {
                    http(relay, stream, service, stop).await;
                }
            }
        }
    }

    /// Says that there is no place, if not too many are being told so.
    fn turn_away(&self, stream: TcpStream, full: Full) {
        self.relay.limits.refuse(full.name(), &self.relay.metrics);
        let Ok(turn) = self.sorry.clone().try_acquire_owned() else { return };
        let Self { relay, tls, stop, service, .. } = self.clone();
        self.sockets.spawn(async move {
            let _turn = turn;
            let service = service_fn(|request: Request<Incoming>| {
                // A page costs no more than its bytes, and a browser asks for its parts all at once: where a school's phones
                // open it together it comes whole. What it asks then finds a place, or is told when to come again.
                let path = request.uri().path();
                let sorry = (!routes::is_for_all(path)).then(|| routes::sorry(&relay, path, full));
                let service = service.clone();
                async move {
                    match sorry {
                        Some(sorry) => Ok(sorry),
                        None => service.call(request).await,
                    }
                }
            });
            let say = async {
                match tls {
                    None => http(&relay, stream, service, &stop).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            http(&relay, stream, service, &stop).await;
                        }
                    }
                }
            };
            let _ = timeout(SORRY, say).await;
        });
    }
}

async fn http<S, V>(relay: &Relay, stream: S, service: V, stop: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    V: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
{
    let limits = &relay.config.limits;
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.handshake())
        .max_headers(limits.headers)
        .max_header_size(limits.head_bytes)
        // A client may close its half after a POST and still wants the answer.
        .half_close(true)
        // 37 bytes of every answer that no client of ours reads.
        .auto_date_header(false);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        // What a peer did wrong is its own affair; an upgraded socket lives in its own task.
        _ = connection.as_mut() => return,
    }
    let _ = connection.await;
}

/// The address in links where the operator has set none.
#[must_use]
pub fn own_origin(listen: SocketAddr, tls: bool) -> String {
    format!("{}://{listen}", if tls { "https" } else { "http" })
}
