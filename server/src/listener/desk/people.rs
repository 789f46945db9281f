//! Staff and sites.

use std::sync::Arc;

use axum::Extension;
use axum::extract::Path;
use axum::response::Response;
use jiashu_api::site::Site;
use jiashu_api::staff::{New, SignInLink};
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::DeviceId;
use jiashu_roster::sha256;

use super::answer::{NoPage, html};
use super::form::Form;
use super::{Desk, done};
use crate::dashboard::case::called;
use crate::dashboard::frame::Part;
use crate::dashboard::people as page;
use crate::dice::secret;
use crate::family::Refusal;
use crate::ngo::{audit, colleagues, sign_in, sites};
use crate::wording::filled;

type Answer = Result<Response, NoPage>;

pub(super) async fn show(Extension(desk): Extension<Arc<Desk>>) -> Answer {
    let colleagues = colleagues::list(&desk.relay, &desk.staff).await?;
    let sites = sites::list(&desk.relay, &desk.staff).await?;
    let frame = desk.frame(Part::People, desk.words.people.title.clone());
    Ok(html(page::page(frame, &colleagues, &sites, desk.staff.number.0)))
}

/// Somebody new, with the link by which they come in.
pub(super) async fn add(
    Extension(desk): Extension<Arc<Desk>>,
    Extension(form): Extension<Form>,
) -> Answer {
    let no_dice = |_| Refusal::new(ErrorCode::Unavailable, "try again later");
    let new = New {
        role: form.get("role").to_owned(),
        name: form.get("name").to_owned(),
        email: form.said("email"),
        language: form.get("language").to_owned(),
        sites: form.all("site").map(str::to_owned).collect(),
        // Of a code that nobody has: they come by a link to sign in.
        code_hash: audit::hex(&sha256(&secret().map_err(no_dice)?)),
    };
    let invited = colleagues::invite(&desk.relay, &desk.staff, new).await?;
    let made = sign_in::for_another(&desk.relay, &desk.staff, DeviceId(invited.number)).await?;
    handed(&desk, invited.number, &made).await
}

pub(super) async fn link(
    Extension(desk): Extension<Arc<Desk>>,
    Path(number): Path<String>,
) -> Answer {
    let number = numbered(&number)?;
    let made = sign_in::for_another(&desk.relay, &desk.staff, DeviceId(number)).await?;
    handed(&desk, number, &made).await
}

async fn handed(desk: &Desk, number: u32, made: &SignInLink) -> Answer {
    let colleagues = colleagues::list(&desk.relay, &desk.staff).await?;
    let known = colleagues.iter().find(|one| one.number == number);
    let name = known.map_or_else(|| number.to_string(), |one| called(desk.words, one));
    let title = filled(&desk.words.people.link_title, &[("name", &name)]);
    Ok(html(page::handed(desk.frame(Part::People, title), &name, made)))
}

pub(super) async fn end(
    Extension(desk): Extension<Arc<Desk>>,
    Path(number): Path<String>,
) -> Answer {
    colleagues::remove(&desk.relay, &desk.staff, DeviceId(numbered(&number)?)).await?;
    Ok(done(Part::People.path(), "removed"))
}

fn numbered(text: &str) -> Result<u32, Refusal> {
    text.parse().map_err(|_| Refusal::new(ErrorCode::Malformed, "the number of a member of staff"))
}

pub(super) async fn put_site(
    Extension(desk): Extension<Arc<Desk>>,
    Extension(form): Extension<Form>,
) -> Answer {
    let site = Site {
        code: form.get("code").to_owned(),
        name: form.get("name").to_owned(),
        zone: form.get("zone").to_owned(),
        org_unit: form.said("org_unit"),
    };
    sites::put(&desk.relay, &desk.staff, site).await?;
    Ok(done(Part::People.path(), "site"))
}
