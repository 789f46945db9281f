//! The door: sockets, TLS, HTTP and the upgrade. Does not look inside frames.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jiashu_proto::bounds;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::relay::Relay;
use crate::session::{live, round};
use crate::store::Health;

/// Bytes read from a WebSocket at once. The library's default costs 128 KiB a connection.
const READ_BUFFER: usize = 1024;

/// Bytes that may wait to be written to one WebSocket: the largest answer, and room.
const MAX_WRITE_BUFFER: usize = bounds::MAX_ANSWER + 64 * 1024;

/// Request line and headers, in bytes.
const MAX_HEAD: usize = 8 * 1024;

/// Headers of one request.
const MAX_HEADERS: usize = 32;

/// After a failed accept (too many files are open) the door rests so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone)]
struct Door {
    relay: Arc<Relay>,
    sockets: TaskTracker,
    stop: CancellationToken,
}

/// Serves all that come until `stop`, then waits for those that are there, as long as it may.
pub async fn run(
    relay: Arc<Relay>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
) {
    let sockets = TaskTracker::new();
    let door = Door { relay: relay.clone(), sockets: sockets.clone(), stop: stop.clone() };
    let service = routes(door);
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
    sockets.close();
    if tokio::time::timeout(relay.config.drain(), sockets.wait()).await.is_err() {
        tracing::warn!("{} connections did not end in time", sockets.len());
    }
}

fn routes(door: Door) -> Router {
    Router::new()
        .route("/1", get(upgrade).post(one_round))
        .route("/join", get(card_page))
        .route("/setup", get(card_page))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .with_state(door)
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
            let patience = relay.config.handshake();
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
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(relay.config.handshake())
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
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

async fn upgrade(
    State(door): State<Door>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !origin_allowed(&door.relay, &headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_message_size(bounds::MAX_FRAME)
        .max_frame_size(bounds::MAX_FRAME)
        .on_upgrade(move |socket| {
            let Door { relay, sockets, stop } = door;
            // Tracked, so that a stop waits until the socket was told when to come back.
            sockets.track_future(live::serve(relay, socket, stop))
        })
}

/// A page of somebody else's may not use a phone's connection; the command line sends no Origin.
fn origin_allowed(relay: &Relay, headers: &HeaderMap) -> bool {
    match headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => origin.to_str().is_ok_and(|origin| relay.config.allows_origin(origin)),
    }
}

async fn one_round(State(door): State<Door>, headers: HeaderMap, body: Body) -> Response {
    if !origin_allowed(&door.relay, &headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let patience = door.relay.config.handshake();
    let body = match tokio::time::timeout(patience, to_bytes(body, bounds::MAX_ROUND)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    // Without content type: who asks knows what it asked for, and every byte is paid for.
    Response::new(round::round(door.relay, &body).await.into())
}

/// What a phone's camera finds behind a card: how to go on. The secret stays after the #, unsent.
async fn card_page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, include_str!("door.html")).into_response()
}

async fn health(State(door): State<Door>) -> Response {
    match door.relay.store.health() {
        Health::Ok => "ok\n".into_response(),
        Health::Degraded(why) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("degraded: {why}\n")).into_response()
        }
    }
}

async fn metrics(State(door): State<Door>) -> Response {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], door.relay.metrics.as_text()).into_response()
}

/// The address in links where the operator has set none.
#[must_use]
pub fn own_origin(listen: SocketAddr, tls: bool) -> String {
    format!("{}://{listen}", if tls { "https" } else { "http" })
}
