//! The door: sockets, TLS, HTTP and the upgrade. Does not look inside frames.
//!
//! A connection is accepted here, asked for what (`routes`), and becomes a WebSocket (`upgrade`)
//! whose peer is watched (`watch`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod routes;

pub mod upgrade;

pub mod watch;

use crate::relay::Relay;
use routes::Door;

/// After a failed accept (too many files are open) the door rests so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves all that come until `stop`, then waits for those that are there, as long as it may.
pub async fn run(
    relay: Arc<Relay>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
) {
    let sockets = TaskTracker::new();
    let door = Door { relay: relay.clone(), sockets: sockets.clone(), stop: stop.clone() };
    let service = routes::routes(door);
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection =
                    connection(relay.clone(), stream, tls.clone(), service.clone(), stop.clone());
                sockets.spawn(connection);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // Who comes now is told at once that nobody is here, not left in a queue.
    drop(listener);
    sockets.close();
    let drain = relay.config.limits.drain();
    if tokio::time::timeout(drain, sockets.wait()).await.is_err() {
        tracing::warn!("{} connections did not end in time", sockets.len());
    }
}

async fn connection(
    relay: Arc<Relay>,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    service: Router,
    stop: CancellationToken,
) {
    // Letters are small and awaited: they do not wait for more bytes to come.
    let _ = stream.set_nodelay(true);
    match tls {
        None => http(relay, stream, service, stop).await,
        Some(tls) => {
            let patience = relay.config.limits.handshake();
            if let Ok(Ok(stream)) = tokio::time::timeout(patience, tls.accept(stream)).await {
                http(relay, stream, service, stop).await;
            }
        }
    }
}

async fn http<S>(relay: Arc<Relay>, stream: S, service: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
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
    let connection = builder
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
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
