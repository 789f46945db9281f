//! What a browser keeps of a session (RFC 6265): no script reads it, no other page sends it, and it leaves by TLS alone, save to
//! the machine itself.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ngo::sessions::{LASTS_MS, Session};
use crate::relay::Relay;

/// Its name. The beginning has browsers take it from this host alone, over TLS alone.
const NAME: &str = "__Host-jiashu-staff";

/// Its name where there is no TLS, as on a machine of one's own: browsers that hold that for safe take it all the same.
const PLAIN_NAME: &str = "jiashu-staff";

fn name(relay: &Relay) -> &'static str {
    if relay.origin.starts_with("https:") { NAME } else { PLAIN_NAME }
}

fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|one| one.to_str().ok());
    let mut pairs = all.flat_map(|one| one.split(';')).filter_map(|one| one.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// The session that a request shows.
pub(super) fn session(relay: &Relay, headers: &HeaderMap) -> Option<Session> {
    let value = find(headers, name(relay))?;
    Session::from_bytes(&URL_SAFE_NO_PAD.decode(value).ok()?)
}

/// Whether a request shows one at all.
pub(super) fn is_there(headers: &HeaderMap) -> bool {
    [NAME, PLAIN_NAME].iter().any(|name| find(headers, name).is_some())
}

/// Has the browser keep it.
pub(super) fn keep(relay: &Relay, session: &Session) -> HeaderValue {
    let value = URL_SAFE_NO_PAD.encode(session.to_bytes());
    set(relay, &value, LASTS_MS / 1000)
}

/// Has the browser forget it.
pub(super) fn forget(relay: &Relay) -> HeaderValue {
    set(relay, "", 0)
}

fn set(relay: &Relay, value: &str, seconds: i64) -> HeaderValue {
    let name = name(relay);
    let text =
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Strict");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}
