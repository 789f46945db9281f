//! Oneself: name, address, language, and where one is signed in.

use std::sync::Arc;

use axum::Extension;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use jiashu_api::staff::Me;

use super::answer::{NoPage, html};
use super::form::Form;
use super::{Desk, cookie, done};
use crate::dashboard::frame::Part;
use crate::dashboard::own::{self, Own};
use crate::ngo::{colleagues, sessions};

pub(super) async fn show(Extension(desk): Extension<Arc<Desk>>) -> Result<Response, NoPage> {
    let frame = desk.frame(Part::Own, desk.words.own.title.clone());
    let own = desk.fact.as_ref().map_or_else(Own::default, |fact| Own {
        name: fact.name.clone(),
        email: fact.email.clone().unwrap_or_default(),
    });
    let sessions = sessions::list(&desk.relay, &desk.staff).await?;
    Ok(html(own::page(frame, &own, sessions, &desk.session.name())))
}

pub(super) async fn save(
    Extension(desk): Extension<Arc<Desk>>,
    Extension(form): Extension<Form>,
) -> Result<Response, NoPage> {
    let said = |key: &str| Some(form.get(key).to_owned());
    let me = Me { name: said("name"), email: said("email"), language: form.said("language") };
    colleagues::set_me(&desk.relay, &desk.staff, me).await?;
    Ok(done(Part::Own.path(), "own"))
}

pub(super) async fn end_session(
    Extension(desk): Extension<Arc<Desk>>,
    Extension(form): Extension<Form>,
) -> Result<Response, NoPage> {
    sessions::end_named(&desk.relay, &desk.staff, form.get("session")).await?;
    Ok(done(Part::Own.path(), "session"))
}

pub(super) async fn sign_out(Extension(desk): Extension<Arc<Desk>>) -> Result<Response, NoPage> {
    sessions::end(&desk.relay, &desk.session).await?;
    let mut answer = Redirect::to("/staff?ended=yes").into_response();
    answer.headers_mut().insert(header::SET_COOKIE, cookie::forget(&desk.relay));
    Ok(answer)
}
