//! Figures as files: `/api/v1/exports/…`. A file is handed out as it is made; where it cannot be made to its end, the
//! connection breaks rather than that an end is told.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{StreamExt, stream};
use jiashu_proto::error::ErrorCode;

use super::{json, query};
use crate::execute::Failure;
use crate::family::Refusal;
use crate::listener::problem::{No, malformed};
use crate::listener::routes::Door;
use crate::ngo::export::{Pieces, Wish, codebook, contact_events, dhis2, family_week, site_period};
use crate::ngo::period::{NoPeriod, Period};
use crate::ngo::staff::Staff;

/// Their addresses.
pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/api/v1/exports/family-week", get(family_weeks))
        .route("/api/v1/exports/contact-events", get(contacts))
        .route("/api/v1/exports/site-period", get(site_periods))
        .route("/api/v1/exports/dhis2", get(data_values))
        .route("/api/v1/exports/codebook/{name}", get(explain))
}

async fn family_weeks(State(door): State<Door>, staff: Staff, uri: Uri) -> Result<Response, No> {
    let wish = Asked::read(&door, &uri, &[])?.wish;
    let pieces = family_week::file(door.relay, &staff, &wish).await?;
    csv(family_week::NAME, pieces).await
}

async fn contacts(State(door): State<Door>, staff: Staff, uri: Uri) -> Result<Response, No> {
    let wish = Asked::read(&door, &uri, &[])?.wish;
    let pieces = contact_events::file(door.relay, &staff, &wish).await?;
    csv(contact_events::NAME, pieces).await
}

async fn site_periods(State(door): State<Door>, staff: Staff, uri: Uri) -> Result<Response, No> {
    let wish = Asked::read(&door, &uri, &["provisional"])?.wish;
    let pieces = site_period::file(door.relay, &staff, &wish).await?;
    csv(site_period::NAME, pieces).await
}

async fn data_values(State(door): State<Door>, staff: Staff, uri: Uri) -> Result<Response, No> {
    let Asked { wish, format, prefix, dry_run } =
        Asked::read(&door, &uri, &["provisional", "format", "prefix", "dry_run"])?;
    if dry_run {
        return Ok(json(&dhis2::preview(&door.relay, &staff, &wish).await?));
    }
    let set = dhis2::data_value_set(&door.relay, &staff, &wish, &prefix).await?;
    Ok(match format {
        Format::Json => json(&set),
        Format::Csv => (headers("dhis2.csv"), set.to_csv()).into_response(),
    })
}

async fn explain(_staff: Staff, Path(name): Path<String>) -> Result<Response, No> {
    let none = || {
        let text = "there are family-week, contact-events, site-period and dhis2";
        Refusal::new(ErrorCode::Unknown, text)
    };
    Ok(json(&codebook(&name).ok_or_else(none)?))
}

/// What stands behind the question mark.
struct Asked {
    wish: Wish,
    format: Format,
    prefix: String,
    dry_run: bool,
}

#[derive(Clone, Copy)]
enum Format {
    Json,
    Csv,
}

impl Asked {
    /// `week=`, `month=`, or `from=` and `until=`, both of them too; without a period the last week that has closed. And
    /// whichever of `more` there are.
    fn read(door: &Door, uri: &Uri, more: &[&str]) -> Result<Self, No> {
        let mut asked = Self {
            wish: Wish { periods: Vec::new(), provisional: false },
            format: Format::Json,
            prefix: dhis2::PREFIX.to_owned(),
            dry_run: false,
        };
        let (mut one, mut from, mut until) = (None, None, None);
        for (key, value) in query(uri)? {
            let yes = || match value {
                "yes" => Ok(true),
                "no" => Ok(false),
                _ => Err(malformed("yes or no")),
            };
            match key {
                "week" | "month" if one.is_none() => one = Some(value),
                "from" => from = Some(value),
                "until" => until = Some(value),
                "provisional" if more.contains(&key) => asked.wish.provisional = yes()?,
                "dry_run" if more.contains(&key) => asked.dry_run = yes()?,
                "prefix" if more.contains(&key) => value.clone_into(&mut asked.prefix),
                "format" if more.contains(&key) => {
                    asked.format = match value {
                        "json" => Format::Json,
                        "csv" => Format::Csv,
                        _ => return Err(malformed("json or csv")),
                    };
                }
                _ => {
                    return Err(malformed("a file is asked for by week, month, or from and until"));
                }
            }
        }
        let bad = |error: NoPeriod| malformed(&error.to_string());
        asked.wish.periods = match (one, from, until) {
            (Some(one), None, None) => Period::span(one, one).map_err(bad)?,
            (None, Some(from), Some(until)) => Period::span(from, until).map_err(bad)?,
            (None, None, None) => vec![Period::last_closed(door.relay.clock.now())],
            _ => return Err(malformed("a week or a month, or both from and until")),
        };
        Ok(asked)
    }
}

async fn csv(name: &str, pieces: impl Pieces) -> Result<Response, No> {
    let mut pieces = Box::pin(pieces);
    // Header and first rows, before anything is promised.
    let mut first = Vec::new();
    for piece in [pieces.next().await, pieces.next().await].into_iter().flatten() {
        first.extend(piece?);
    }
    let rest = pieces.map(|piece| piece.map(Bytes::from).map_err(broken));
    let all = stream::once(std::future::ready(Ok(Bytes::from(first)))).chain(rest);
    let name = format!("{}.csv", name.replace('-', "_"));
    Ok((headers(&name), Body::from_stream(all)).into_response())
}

/// What is logged where a file breaks off; who fetches it sees that it has no end.
fn broken(failure: Failure) -> std::io::Error {
    tracing::warn!(?failure, "a file broke off");
    std::io::Error::other("it broke off")
}

fn headers(name: &str) -> [(header::HeaderName, String); 4] {
    [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ]
}
