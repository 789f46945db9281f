//! A form as it was sent, or what stands behind a question mark.

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use jiashu_proto::error::ErrorCode;
use tokio::time::timeout;

use crate::family::Refusal;
use crate::listener::problem::No;
use crate::relay::Relay;

/// The most of a form, in bytes.
const MOST: usize = 64 * 1024;

/// Fields, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads it; what is no form has no fields.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// Reads the body of a request.
    pub(super) async fn read(relay: &Relay, body: Body) -> Result<Self, No> {
        match timeout(relay.config.limits.handshake(), to_bytes(body, MOST)).await {
            Ok(Ok(body)) => Ok(Self::of(&body)),
            Ok(Err(_)) => Err(Refusal::new(ErrorCode::TooLarge, "at most 64 KiB").into()),
            Err(_) => Err(No::answer(StatusCode::REQUEST_TIMEOUT)),
        }
    }

    /// A field without the spaces around it; empty if there is none.
    pub(super) fn get(&self, key: &str) -> &str {
        self.all(key).next().unwrap_or_default()
    }

    /// A field that says something.
    pub(super) fn said(&self, key: &str) -> Option<String> {
        Some(self.get(key).to_owned()).filter(|value| !value.is_empty())
    }

    /// Every field of that name.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == key).map(|(_, value)| value.trim())
    }
}
