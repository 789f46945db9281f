//! What stands at which address. Does not look inside frames.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiashu_proto::bounds;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::upgrade;
use crate::relay::Relay;
use crate::session::{live, round};
use crate::store::Health;

/// What every route shares.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) relay: Arc<Relay>,
    pub(super) sockets: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// All of them.
pub(super) fn routes(door: Door) -> Router {
    Router::new()
        .route("/1", get(open_socket).post(one_round))
        .route("/join", get(card_page))
        .route("/setup", get(card_page))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .with_state(door)
}

async fn open_socket(State(door): State<Door>, request: Request) -> Response {
    if !origin_allowed(&door.relay, request.headers()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Door { relay, sockets, stop } = door;
    match upgrade::accept(request, relay.config.limits.terms()) {
        Err(refusal) => refusal.into_response(),
        Ok((agreed, socket)) => {
            // Tracked, so that a stop waits until the socket was told when to come back.
            sockets.spawn(async move {
                if let Some(socket) = socket.await {
                    live::serve(relay, socket, stop).await;
                }
            });
            agreed
        }
    }
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
    let patience = door.relay.config.limits.handshake();
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
