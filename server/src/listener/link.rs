//! Links to voice notes over HTTP: made for a member, followed by whoever has one.

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use serde_json::json;
use tokio::time::timeout;

use super::Guest;
use super::blob::{Asked, asked};
use super::part::{Part, hand_out};
use super::problem::{No, malformed, slow_down};
use super::routes::{Door, admit};
use crate::blobs::BlobName;
use crate::execute::blob::lent;
use crate::execute::link;
use crate::links::Link;

/// What stands before a link in its address.
const LINKS: &str = "/1/v/";

/// A wish for a link, in bytes.
const MAX_WISH: usize = 1024;

/// Their addresses, with what may be done there.
pub(super) fn routes() -> Router<Door> {
    // A HEAD is no GET here: links are made for one method.
    let by_link = get(follow_link).head(not_here);
    Router::new().route("/1/blob/{id}/link", post(make_link)).route("/1/v/{link}", by_link)
}

async fn not_here() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}

/// Stored bytes for somebody who has a link, which stands in the path in its one form: nothing beside it is read.
async fn follow_link(
    State(door): State<Door>,
    Extension(guest): Extension<Guest>,
    request: Request,
) -> Result<Response, No> {
    let (relay, headers) = (&door.relay, request.headers());
    let ticket = admit(relay, &guest, headers).map_err(No::answer)?;
    if let Err(too_fast) = relay.limits.pace.knock(ticket.address()) {
        return Err(slow_down(relay, too_fast));
    }
    // As it came: what is written otherwise, or has something behind it, is another address.
    let text = request.uri().path_and_query().map(|path| path.as_str());
    let text = text.and_then(|text| text.strip_prefix(LINKS)).unwrap_or_default();
    let (Link { scope, id, .. }, standing) = link::follow(relay, text).await?;
    let part = Part::of(headers, standing.fact.size)?;
    lent(relay, scope, id, part.length()).await?;
    ticket.come_in();
    hand_out(door.relay, BlobName { scope, id }, &standing.fact, part).await
}

/// Makes a link, for a member.
async fn make_link(
    State(door): State<Door>,
    Extension(guest): Extension<Guest>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, No> {
    let (parts, body) = request.into_parts();
    let relay = &door.relay;
    let Asked { scope, sender, id } = asked(relay, &guest, &parts.headers, &id).await?;
    let body = axum::body::to_bytes(body, MAX_WISH);
    let body = timeout(relay.config.limits.handshake(), body).await.ok().and_then(Result::ok);
    let wish: Option<Wish> = body.and_then(|body| serde_json::from_slice(&body).ok());
    let Wish { seconds } = wish.ok_or_else(|| malformed("how long it shall hold is not said"))?;
    let lasts_ms = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
    let (token, expires_at, standing) = link::make(relay, scope, &sender, id, lasts_ms).await?;
    let fetched = standing.fact.linked as f64 / standing.fact.size as f64;
    let body = json!({ "token": token, "expires_at": expires_at, "fetched": fetched });
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, body.to_string()).into_response())
}

/// What is asked for with a link.
#[derive(serde::Deserialize)]
struct Wish {
    seconds: u64,
}
