//! The worklist.

use std::sync::Arc;

use axum::Extension;
use axum::http::Uri;
use axum::response::{IntoResponse, Redirect, Response};
use jiashu_api::worklist::Worklist;

use super::answer::{NoPage, csv, html};
use super::{Desk, query};
use crate::dashboard::families::{self, Chosen, Sites};
use crate::dashboard::frame::Part;
use crate::execute::Failure;
use crate::ngo::audit::Asked;
use crate::ngo::overview::kept::aside;
use crate::ngo::sites;
use crate::ngo::staff::{Wants, allow};
use crate::ngo::worklist::{MOST, USUAL, Which, worklist};

pub(super) async fn list(
    Extension(desk): Extension<Arc<Desk>>,
    uri: Uri,
) -> Result<Response, NoPage> {
    let chosen = chosen(&uri);
    let list = listed(&desk, &chosen, USUAL).await?;
    let frame = desk.frame(Part::Families, desk.words.families.title.clone());
    Ok(html(families::page(frame, &list, &own_sites(&desk).await?, &chosen)))
}

/// The same with all of them, as a file, which is noted.
pub(super) async fn file(
    Extension(desk): Extension<Arc<Desk>>,
    uri: Uri,
) -> Result<Response, NoPage> {
    let chosen = Chosen { after: 0, ..chosen(&uri) };
    allow(&desk.relay, &desk.staff, Wants::Families, Asked::of("export", "families")).await?;
    let list = listed(&desk, &chosen, MOST).await?;
    let (sites, words) = (own_sites(&desk).await?, desk.words);
    // Of a large programme it is a million cells: away from the threads that speak with others.
    let table = aside(move || families::table(words, &list, &sites)).await?;
    Ok(csv("families", &table))
}

/// From a case code to its page, which says if there is no such family.
pub(super) async fn find(uri: Uri) -> Response {
    Redirect::to(&families::path(query(&uri).get("case"))).into_response()
}

fn chosen(uri: &Uri) -> Chosen {
    let query = query(uri);
    Chosen {
        site: query.said("site"),
        standing: query.said("standing"),
        after: query.get("after").parse().unwrap_or_default(),
    }
}

async fn listed(desk: &Desk, chosen: &Chosen, most: usize) -> Result<Worklist, Failure> {
    let Chosen { site, standing, after } = chosen.clone();
    worklist(&desk.relay, &desk.staff, &Which { most, after, site, standing }).await
}

/// The sites whose families they may see, by name.
pub(super) async fn own_sites(desk: &Desk) -> Result<Sites, Failure> {
    let sites = sites::list(&desk.relay, &desk.staff).await?;
    let name =
        |name: &str, code: &str| if name.is_empty() { code.to_owned() } else { name.to_owned() };
    Ok(sites.into_iter().map(|site| (site.code.clone(), name(&site.name, &site.code))).collect())
}
