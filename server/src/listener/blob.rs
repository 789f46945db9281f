//! Stored bytes over HTTP: up by offset, as the IETF's resumable uploads have it
//! (draft-ietf-httpbis-resumable-upload-12), with the digest of all of them (RFC 9530); down by range (`part`).
//!
//! The client draws the name, so the address of an upload is known before it begins, and an answer that is lost
//! costs nothing: a `HEAD` tells how far it has come.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{FutureExt, StreamExt};
use jiashu_proto::entry::BlobState;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{Ref, Scope};
use tokio::time::{Instant, timeout_at};

use super::Guest;
use super::part::{Part, hand_out};
use super::problem::{No, UPLOAD_OFFSET, bearer, malformed, slow_down};
use super::routes::{Door, admit};
use crate::access::{self, Who};
use crate::blobs::uploads::Adding;
use crate::blobs::{BlobError, BlobName};
use crate::execute::Failure;
use crate::execute::blob::{begin_upload, end_upload, look};
use crate::family::blob::{StandingBlob, Upload};
use crate::family::{Refusal, Sender};
use crate::relay::Relay;
use crate::store::StoreError;

/// How long one request may bring bytes: longer ago than an upload is given up, none still does.
const LONGEST_UPLOAD: Duration = Duration::from_secs(20 * 60);

/// Bytes that are made durable at once: a sealed chunk and its tag.
const PIECE: usize = 16 * 1024 + 16;

/// Bytes that are written or handed out at once: as a rule all of a voice note, if line and memory allow it.
pub(super) const AT_ONCE: RangeInclusive<usize> = PIECE..=8 * PIECE;

const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_COMPLETE: HeaderName = HeaderName::from_static("upload-complete");
pub(super) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// The type of what is added to an upload.
const PARTIAL_UPLOAD: &str = "application/partial-upload";

/// Their address, with what may be done there.
pub(super) fn routes() -> Router<Door> {
    let of_members = get(download).head(progress).put(upload).patch(upload);
    Router::new().route("/1/blob/{id}", of_members)
}

/// Who asks, and for which bytes.
pub(super) struct Asked {
    pub(super) scope: Scope,
    pub(super) sender: Sender,
    pub(super) id: Ref,
}

/// Looks whose token it is. In a header, never in the address.
pub(super) async fn asked(
    relay: &Relay,
    guest: &Guest,
    headers: &HeaderMap,
    id: &str,
) -> Result<Asked, No> {
    let ticket = admit(relay, guest, headers).map_err(No::answer)?;
    let id = id.parse().map_err(|_| malformed("a name is 24 hexadecimal digits"))?;
    let token = bearer(headers).ok_or_else(|| Refusal::new(ErrorCode::Unauthorised, "no token"))?;
    let access = access::authenticate(&*relay.store, &token).await;
    let access = access.map_err(|error| error.refusal())?;
    ticket.come_in();
    match access.who {
        Who::Device(sender) => {
            let state = relay.store.state(access.scope).await.map_err(Failure::from)?;
            let state = state.ok_or(Failure::Store(StoreError::NoScope))?;
            if sender.members.iter().all(|member| state.is_suspended(*member)) {
                return Err(crate::family::suspension::suspended().into());
            }
            Ok(Asked { scope: access.scope, sender, id })
        }
        Who::Staff(_) => {
            Err(Refusal::new(ErrorCode::Unauthorised, "a family's phone alone").into())
        }
    }
}

/// How far an upload has come.
async fn progress(
    State(door): State<Door>,
    Extension(guest): Extension<Guest>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, No> {
    let relay = &door.relay;
    let Asked { scope, sender, id } = asked(relay, &guest, &headers, &id).await?;
    let (name, mut standing) = (BlobName { scope, id }, look(relay, scope, id).await?);
    if !is_whole(&standing) && standing.fact.device == sender.device {
        // Who asks has lost the line by which it was sending, though we may not know it yet.
        drop(relay.uploads.take_over(name).await);
        standing = look(relay, scope, id).await?;
    }
    let offset = reached(relay, name, &standing).await?;
    Ok(so_far(StatusCode::NO_CONTENT, &standing, offset, is_whole(&standing)))
}

/// How many of the bytes are there.
async fn reached(relay: &Relay, name: BlobName, standing: &StandingBlob) -> Result<u64, BlobError> {
    if is_whole(standing) { Ok(standing.fact.size) } else { relay.blobs.size(name).await }
}

fn is_whole(standing: &StandingBlob) -> bool {
    standing.fact.state == BlobState::Whole
}

fn so_far(status: StatusCode, standing: &StandingBlob, offset: u64, whole: bool) -> Response {
    let headers = [
        (UPLOAD_OFFSET, offset.to_string()),
        (UPLOAD_LENGTH, standing.fact.size.to_string()),
        (UPLOAD_COMPLETE, if whole { "?1" } else { "?0" }.to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (status, headers).into_response()
}

/// Begins an upload (`PUT`), or goes on with one (`PATCH`).
async fn upload(
    State(door): State<Door>,
    Extension(guest): Extension<Guest>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, No> {
    let relay = &door.relay;
    let headers = request.headers();
    let Asked { scope, sender, id } = asked(relay, &guest, headers, &id).await?;
    let begins = request.method() == Method::PUT;
    if begins && let Err(too_fast) = relay.limits.pace.post(scope, sender.device, false) {
        return Err(slow_down(relay, too_fast));
    }
    let provided = if begins {
        begin_upload(relay, scope, &sender, announced(headers, id)?).await?;
        0
    } else {
        if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != PARTIAL_UPLOAD) {
            let wrong = (StatusCode::UNSUPPORTED_MEDIA_TYPE, [(header::ACCEPT, PARTIAL_UPLOAD)]);
            return Err(No::answer(wrong));
        }
        let offset = number(headers, &UPLOAD_OFFSET);
        let offset = offset.ok_or_else(|| malformed("where it goes on is not said"))?;
        if look(relay, scope, id).await?.fact.device != sender.device {
            return Err(Refusal::new(ErrorCode::Unknown, "there is no such thing").into());
        }
        offset
    };
    let status = if begins { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    let name = BlobName { scope, id };
    let (relay, body) = (Arc::clone(relay), request.into_body());
    // By itself: with a line that is torn goes what waits for it, and what it had brought is to be kept.
    let adding = door.sockets.spawn(async move { add(&relay, name, provided, body).await });
    let (standing, offset) =
        adding.await.map_err(|error| No::from(Failure::Blobs(error.into())))??;
    Ok(so_far(status, &standing, offset, offset == standing.fact.size))
}

/// Adds what comes to an upload that has come as far as `provided` says; how it stands, and how far it has come then.
async fn add(
    relay: &Relay,
    name: BlobName,
    provided: u64,
    body: Body,
) -> Result<(StandingBlob, u64), No> {
    let mut adding = relay.uploads.take_over(name).await;
    // As it is now that whoever was before is done.
    let standing = look(relay, name.scope, name.id).await?;
    let (size, whole) = (standing.fact.size, is_whole(&standing));
    let expected = reached(relay, name, &standing).await?;
    // Who says again what is to come is told that it is there.
    if provided != expected && !(whole && provided == 0) {
        return Err(No::Offset { expected, provided });
    }
    if whole {
        return Ok((standing, size));
    }
    let offset = receive(relay, name, size, expected, body, &mut adding).await?;
    if offset == size {
        end_upload(relay, name.scope, &standing).await?;
    }
    Ok((standing, offset))
}

/// What is to come, as the first request says.
fn announced(headers: &HeaderMap, id: Ref) -> Result<Upload, No> {
    let length = number(headers, &UPLOAD_LENGTH);
    let size = length.ok_or_else(|| malformed("how long it will be is not said"))?;
    let hash = digest(headers).ok_or_else(|| malformed("its SHA-256 is not said"))?;
    Ok(Upload { id, size, hash })
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// `sha-256=:…:`, among others (RFC 9530, 3).
fn digest(headers: &HeaderMap) -> Option<[u8; 32]> {
    let items = headers.get(REPR_DIGEST)?.to_str().ok()?.split(',');
    let ours = items.filter_map(|item| item.trim().strip_prefix("sha-256=:")).next()?;
    STANDARD.decode(ours.strip_suffix(':')?).ok()?.try_into().ok()
}

/// Makes durable what comes, piece by piece; how far it has come. A request that breaks off, or is ended by another,
/// has brought what came of it.
async fn receive(
    relay: &Relay,
    name: BlobName,
    size: u64,
    mut offset: u64,
    body: Body,
    adding: &mut Adding<'_>,
) -> Result<u64, No> {
    let patience = relay.config.limits.handshake();
    let longest = Instant::now() + LONGEST_UPLOAD;
    let mut body = body.into_data_stream();
    let mut piece = Vec::with_capacity(PIECE);
    loop {
        let next = tokio::select! {
            // What has come is taken first.
            biased;
            next = timeout_at((Instant::now() + patience).min(longest), body.next()) => next,
            () = adding.is_wanted() => Ok(None),
        };
        let next = match next {
            Ok(Some(Ok(bytes))) => Some(bytes),
            // All, or all that will come.
            Ok(None | Some(Err(_))) | Err(_) => None,
        };
        let ends = next.is_none();
        piece.extend_from_slice(&next.unwrap_or_default());
        // What a fast line has brought by now is one write.
        while !ends
            && piece.len() < *AT_ONCE.end()
            && let Some(Some(Ok(more))) = body.next().now_or_never()
        {
            piece.extend_from_slice(&more);
        }
        let come = offset.saturating_add(piece.len() as u64);
        if come > size {
            return Err(Refusal::new(ErrorCode::TooLarge, "it is longer than announced").into());
        }
        if !piece.is_empty() && (ends || piece.len() >= PIECE) {
            let added = piece.len() as u64;
            offset = match relay.blobs.append(name, offset, std::mem::take(&mut piece)).await {
                Err(BlobError::Offset(expected)) => {
                    return Err(No::Offset { expected, provided: offset });
                }
                done => done?,
            };
            relay.metrics.voice_stored.inc_by(added);
        }
        if ends {
            return Ok(offset);
        }
    }
}

/// All of it, or a part, for a member.
async fn download(
    State(door): State<Door>,
    Extension(guest): Extension<Guest>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, No> {
    let Asked { scope, id, .. } = asked(&door.relay, &guest, &headers, &id).await?;
    let standing = look(&door.relay, scope, id).await?;
    if !is_whole(&standing) {
        return Err(Refusal::new(ErrorCode::Unknown, "there is no such thing").into());
    }
    let part = Part::of(&headers, standing.fact.size)?;
    hand_out(door.relay, BlobName { scope, id }, &standing.fact, part).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_found_among_others_and_is_the_right_length() {
        let zeros = STANDARD.encode([0; 32]);
        let read = |text: String| {
            let mut headers = HeaderMap::new();
            headers.insert(REPR_DIGEST, text.parse().unwrap());
            digest(&headers)
        };

        assert_eq!(read(format!("sha-256=:{zeros}:")), Some([0; 32]));
        assert_eq!(read(format!("sha-512=:AAAA:, sha-256=:{zeros}:")), Some([0; 32]));
        for bad in
            ["sha-256=:AAAA:".to_owned(), format!("sha-256={zeros}"), format!("md5=:{zeros}:")]
        {
            assert_eq!(read(bad.clone()), None, "{bad}");
        }
    }
}
