//! What stands at which address. Does not look inside frames.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use jiashu_api::staff::SignInLink;
use jiashu_proto::bounds;
use jiashu_proto::id::{DeviceId, Scope};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Guest, api, blob, desk, link, upgrade};
use crate::cleaning;
use crate::dice;
use crate::execute::Failure;
use crate::limits::guests::{Full, Ticket};
use crate::ngo::audit::{self, Asked};
use crate::ngo::sign_in;
use crate::operator;
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

/// Of a page that runs nothing and fetches nothing.
const PAGE_HEADERS: [(header::HeaderName, &str); 3] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// All of them.
pub(super) fn routes(door: Door) -> Router {
    Router::new()
        .route("/1", get(open_socket).post(one_round))
        .route("/setup", get(card_page))
        .route("/healthz", get(health))
        .merge(for_phones(&door))
        .merge(blob::routes())
        .merge(link::routes())
        .merge(api::routes())
        .merge(desk::routes(&door))
        .merge(for_operators(&door))
        .with_state(door)
}

/// What a person's browser finds where a card or a link leads.
#[cfg(feature = "web")]
fn for_phones(door: &Door) -> Router<Door> {
    super::web::routes(door)
}

/// Whether that is handed out to whoever asks, place or not.
#[cfg(feature = "web")]
pub(super) fn is_for_all(path: &str) -> bool {
    super::web::has(path)
}

/// The same of a relay without the page for phones: each of its pages wants a place.
#[cfg(not(feature = "web"))]
pub(super) fn is_for_all(_: &str) -> bool {
    false
}

/// The same of a relay without the page for phones.
#[cfg(not(feature = "web"))]
fn for_phones(_: &Door) -> Router<Door> {
    Router::new().route("/join", get(card_page)).route("/v", get(voice_page))
}

/// What is nobody else's business.
fn for_operators(door: &Door) -> Router<Door> {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .route("/programmes", post(one_more_programme))
        .route("/staff-links/{programme}/{number}", post(staff_link))
        .route_layer(middleware::from_fn_with_state(door.clone(), operators_alone))
}

/// For all others it is not there.
async fn operators_alone(
    State(door): State<Door>,
    Extension(guest): Extension<Guest>,
    request: Request,
    next: Next,
) -> Response {
    if guest.is_operator(&door.relay, request.headers()) {
        next.run(request).await
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

async fn open_socket(
    State(door): State<Door>,
    Extension(guest): Extension<Guest>,
    request: Request,
) -> Response {
    let ticket = match admit(&door.relay, &guest, request.headers()) {
        Ok(ticket) => ticket,
        Err(refusal) => return refusal.into_response(),
    };
    let Door { relay, sockets, stop } = door;
    match upgrade::accept(request, relay.config.limits.terms()) {
        Err(refusal) => refusal.into_response(),
        Ok((agreed, socket)) => {
            // Tracked, so that a stop waits until the socket was told when to come back.
            // Boxed, and what serves the socket made in there: a task keeps room for all that it ever
            // holds, and for the socket twice.
            let serving =
                Box::pin(
                    async move { Some(Box::pin(live::serve(relay, ticket, socket.await?, stop))) },
                );
            sockets.spawn(async move {
                if let Some(serving) = serving.await {
                    serving.await;
                }
            });
            agreed
        }
    }
}

/// Why a request is not let in.
pub(super) enum NotAdmitted {
    /// It comes from a page of somebody else's.
    Origin,
    /// There is no place for it.
    Full(Full),
}

impl IntoResponse for NotAdmitted {
    fn into_response(self) -> Response {
        match self {
            Self::Origin => StatusCode::FORBIDDEN.into_response(),
            Self::Full(full) => no_place(full),
        }
    }
}

pub(super) fn admit(
    relay: &Relay,
    guest: &Guest,
    headers: &HeaderMap,
) -> Result<Arc<Ticket>, NotAdmitted> {
    if !origin_allowed(relay, headers) {
        return Err(NotAdmitted::Origin);
    }
    guest.admit(relay, headers).map_err(|full| {
        relay.limits.refuse(full.name(), &relay.metrics);
        NotAdmitted::Full(full)
    })
}

/// Says that there is no place, and when to come again.
pub(super) fn no_place(full: Full) -> Response {
    let (least, most) = full.retry_after_s();
    let after = least + dice::below(most - least + 1);
    let status = if full.is_of_address() {
        StatusCode::TOO_MANY_REQUESTS
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, [(header::RETRY_AFTER, after.to_string())]).into_response()
}

/// What somebody without a place is told: that, or how the relay is.
pub(super) fn sorry(relay: &Relay, path: &str, full: Full) -> Response {
    let mut response = if path == "/healthz" { state_of_health(relay) } else { no_place(full) };
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A page of somebody else's may not use a phone's connection; the command line sends no Origin.
fn origin_allowed(relay: &Relay, headers: &HeaderMap) -> bool {
    match headers.get(header::ORIGIN) {
        None => true,
        Some(_) if is_own(headers) => true,
        Some(origin) => origin.to_str().is_ok_and(|origin| relay.config.allows_origin(origin)),
    }
}

/// Whether the browser says that one of our own pages sent it: by Fetch Metadata; an older one by `Origin`, with the host that
/// it asked.
pub(super) fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin"), text("host")) {
        (Some(site), ..) => site == "same-origin",
        (None, Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, own)| own == host)
        }
        _ => false,
    }
}

async fn one_round(
    State(door): State<Door>,
    Extension(guest): Extension<Guest>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let ticket = match admit(&door.relay, &guest, &headers) {
        Ok(ticket) => ticket,
        Err(refusal) => return refusal.into_response(),
    };
    let patience = door.relay.config.limits.handshake();
    let body = match tokio::time::timeout(patience, to_bytes(body, bounds::MAX_ROUND)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    // Without content type: who asks knows what it asked for, and every byte is paid for.
    Response::new(round::round(door.relay, ticket, &body).await.into())
}

/// How to go on from a card without a browser. The secret stays after the #, unsent.
async fn card_page() -> Response {
    (PAGE_HEADERS, concat!(include_str!("head.html"), include_str!("door.html"))).into_response()
}

/// What a browser finds behind a link to a voice note.
#[cfg(not(feature = "web"))]
async fn voice_page() -> Response {
    (PAGE_HEADERS, concat!(include_str!("head.html"), include_str!("voice.html"))).into_response()
}

async fn health(State(door): State<Door>) -> Response {
    state_of_health(&door.relay)
}

fn state_of_health(relay: &Relay) -> Response {
    let unwell = match (relay.store.health(), relay.limits.guests.full()) {
        (Health::Ok, None) => return "ok\n".into_response(),
        (Health::Degraded(why), _) => format!("degraded: {why}\n"),
        (Health::Ok, Some(open)) => format!("full: {open} connections, no more are let in\n"),
    };
    (StatusCode::SERVICE_UNAVAILABLE, unwell).into_response()
}

/// For people who look with a browser a page, for programs JSON.
async fn status(State(door): State<Door>, headers: HeaderMap) -> Response {
    let status = crate::status::of(&door.relay).await;
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accepts.is_some_and(|accept| accept.contains("text/html")) {
        return (PAGE_HEADERS, status.to_html()).into_response();
    }
    ([(header::CONTENT_TYPE, "application/json")], status.to_json()).into_response()
}

/// A link for one more programme's first coordinator. Asked for at a terminal: no page of anybody's may.
async fn one_more_programme(State(door): State<Door>, headers: HeaderMap) -> Response {
    if headers.contains_key(header::ORIGIN) {
        return StatusCode::FORBIDDEN.into_response();
    }
    match crate::setup::one_more(&door.relay).await {
        Ok(link) => ([(header::CACHE_CONTROL, "no-store")], format!("{link}\n")).into_response(),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "no link was made");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// A link by which somebody of the staff signs in, for whoever can read the relay's folder.
async fn staff_link(
    State(door): State<Door>,
    Path((programme, number)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let relay = &door.relay;
    let shown = headers.get(header::AUTHORIZATION).and_then(|shown| shown.to_str().ok());
    let shown = shown.and_then(|shown| shown.strip_prefix("Bearer ")).unwrap_or_default();
    let is_operator = operator::is_shown(&relay.config.data, shown, uri.path(), relay.clock.now());
    let programme = u64::from_str_radix(&programme, 16).map(Scope);
    let (Ok(programme), Ok(number)) = (programme, number.parse().map(DeviceId)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if headers.contains_key(header::ORIGIN) || !is_operator {
        return StatusCode::NOT_FOUND.into_response();
    }
    match operators_link(relay, programme, number).await {
        Ok(made) => {
            tracing::info!(programme.id = %programme, staff = %number, "a link to sign in was made");
            ([(header::CACHE_CONTROL, "no-store")], format!("{}\n", made.link)).into_response()
        }
        Err(failure) => super::problem::problem(failure),
    }
}

async fn operators_link(
    relay: &Relay,
    programme: Scope,
    number: DeviceId,
) -> Result<SignInLink, Failure> {
    let made = sign_in::make(relay, programme, number, "operator").await?;
    let asked = Asked { action: "sign-in-link", subject: None, detail: Some("operator".into()) };
    audit::note(relay, programme, number, &asked, true).await?;
    Ok(made)
}

async fn metrics(State(door): State<Door>) -> Response {
    let relay = &door.relay;
    relay.metrics.store_writes.set(i64::from(relay.store.health() == Health::Ok));
    // What cannot be counted now is shown as it was last.
    if let Ok(count) = relay.store.due_count(relay.clock.now()).await {
        relay.metrics.note_due(count);
    }
    if let Ok(unclean) = cleaning::unclean(&*relay.store).await {
        relay.metrics.store_unclean.set(i64::from(unclean.is_some()));
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], door.relay.metrics.as_text()).into_response()
}
