//! The programme's figures.

use std::sync::Arc;

use axum::Extension;
use axum::extract::Path;
use axum::http::Uri;
use axum::response::Response;
use jiashu_api::programme::{Filters, Programme};
use jiashu_proto::error::ErrorCode;

use super::answer::{NoPage, csv, html};
use super::case::no_file;
use super::{Desk, query};
use crate::dashboard::frame::Part;
use crate::dashboard::programme::{self as page, Chosen};
use crate::execute::Failure;
use crate::family::Refusal;
use crate::ngo::overview::{Query, USUAL, overview};

type Answer = Result<Response, NoPage>;

pub(super) async fn show(Extension(desk): Extension<Arc<Desk>>, uri: Uri) -> Answer {
    let chosen = chosen(&uri)?;
    let programme = counted(&desk, &chosen).await?;
    let frame = desk.frame(Part::Programme, desk.words.programme.title.clone());
    Ok(html(page::page(frame, &programme, &chosen)))
}

/// One of its tables as a file: what was chosen on the page, the same numbers.
pub(super) async fn file(
    Extension(desk): Extension<Arc<Desk>>,
    Path(name): Path<String>,
    uri: Uri,
) -> Answer {
    let programme = counted(&desk, &chosen(&uri)?).await?;
    let key = name.strip_suffix(".csv").unwrap_or_default();
    let table = page::table(desk.words, &programme, key).ok_or_else(no_file)?;
    desk.note_file("programme", key).await?;
    // What tells small numbers says so by its name, wherever it goes.
    let name = match programme.suppressed_below {
        Some(_) => key.to_owned(),
        None => format!("{key}-not-to-be-passed-on"),
    };
    Ok(csv(&name, &table))
}

fn chosen(uri: &Uri) -> Result<Chosen, Refusal> {
    let query = query(uri);
    let number = |key: &str| {
        let bad = |_| Refusal::new(ErrorCode::Malformed, "a number is asked for");
        query.said(key).map(|text| text.parse::<u32>()).transpose().map_err(bad)
    };
    let usual = u32::try_from(USUAL).unwrap_or(u32::MAX);
    Ok(Chosen {
        weeks: number("weeks")?.unwrap_or(usual),
        filters: Filters {
            site: query.said("site"),
            worker: number("worker")?,
            corridor: query.said("corridor"),
            age: query.said("age"),
            care: query.said("care"),
            standing: query.said("standing"),
        },
    })
}

async fn counted(desk: &Desk, chosen: &Chosen) -> Result<Programme, Failure> {
    let Chosen { filters, weeks } = chosen.clone();
    let weeks = Some(usize::try_from(weeks).unwrap_or(usize::MAX));
    overview(&desk.relay, &desk.staff, &Query { weeks, until: None, filters }).await
}
