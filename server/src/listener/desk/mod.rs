//! The pages for staff over HTTP: `/staff/…`. Who is signed in, which form was sent, what goes around every answer. What a
//! page says is `dashboard`'s, what stands in it `ngo`'s, by the same checks as `/api/v1`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use jiashu_proto::error::ErrorCode;

use super::Guest;
use super::problem::{self, No};
use super::routes::{Door, is_own, no_place};
use crate::dashboard;
use crate::dashboard::frame::{Frame, Part};
use crate::dashboard::words::{self, Words};
use crate::execute::Failure;
use crate::family::Refusal;
use crate::limits::guests::Ticket;
use crate::ngo::audit::{self, Asked};
use crate::ngo::sessions::{self, Session};
use crate::ngo::sign_in::PAGES;
use crate::ngo::staff::Staff;
use crate::programme::{self, StaffFact, staff_key};
use crate::relay::Relay;
use crate::store::StoreError;

mod answer;

mod cookie;

mod form;

mod sign_in;

mod families;

mod case;

mod figures;

mod enrol;

mod assets;

mod people;

mod settings;

mod own;

use answer::NoPage;
use form::Form;

/// Their addresses.
pub(super) fn routes(door: &Door) -> Router<Door> {
    let inside = Router::new()
        .route("/staff/families", get(families::list))
        .route("/staff/families.csv", get(families::file))
        .route("/staff/family", get(families::find))
        .route("/staff/families/{case}", get(case::show))
        .route("/staff/families/{case}/{file}", get(case::file))
        .route("/staff/families/{case}/task", post(case::task))
        .route("/staff/families/{case}/pause", post(case::pause))
        .route("/staff/families/{case}/resume", post(case::resume))
        .route("/staff/families/{case}/plan", post(case::plan))
        .route("/staff/families/{case}/worker", post(case::assign))
        .route("/staff/families/{case}/visit", post(case::visit))
        .route("/staff/programme", get(figures::show))
        .route("/staff/programme/{table}", get(figures::file))
        .route(Part::Enrol.path(), get(enrol::show).post(enrol::send))
        .route("/staff/people", get(people::show).post(people::add))
        .route("/staff/people/{number}/link", post(people::link))
        .route("/staff/people/{number}/end", post(people::end))
        .route("/staff/sites", post(people::put_site))
        .route("/staff/settings", get(settings::show))
        .route("/staff/settings/thresholds", post(settings::set_thresholds))
        .route("/staff/settings/consent", post(settings::set_consent))
        .route("/staff/audit", get(settings::audit_log))
        .route("/staff/audit.csv", get(settings::audit_file))
        .route("/staff/me", get(own::show).post(own::save))
        .route("/staff/me/sessions", post(own::end_session))
        .route("/staff/sign-out", post(own::sign_out))
        .route_layer(from_fn_with_state(door.clone(), seated));
    Router::new()
        .route("/staff", get(sign_in::door))
        .route("/staff/sign-in", post(sign_in::send))
        .route("/staff/in/{code}", get(sign_in::look).post(sign_in::enter))
        .route("/staff/assets/{name}", get(assets::send))
        .merge(inside)
        .layer(from_fn_with_state(door.clone(), answer::dressed))
}

/// Who sits at it, and how they are spoken to.
struct Desk {
    relay: Arc<Relay>,
    staff: Staff,
    session: Session,
    words: &'static Words,
    /// What stands of them.
    fact: Option<StaffFact>,
    /// What was done just before, by its key.
    done: String,
}

impl Desk {
    /// What stands around a page of theirs.
    fn frame(&self, here: Part, title: String) -> Frame {
        let name = self.fact.as_ref().map(|fact| fact.name.clone()).filter(|name| !name.is_empty());
        let role = words::name(&self.words.codes.role, self.staff.role.name());
        let done = self.words.done.get(&self.done).cloned();
        Frame {
            who: Some(name.unwrap_or_else(|| role.to_owned())),
            form_token: self.session.form_token(),
            done,
            ..Frame::inside(self.words, title, self.staff.role, here)
        }
    }

    /// Notes that a table leaves as a file, before it does.
    async fn note_file(&self, of: &str, key: &str) -> Result<(), StoreError> {
        let asked = Asked::of("export", of).saying(key);
        audit::note(&self.relay, self.staff.programme, self.staff.number, &asked, true).await
    }
}

/// Says what was done, on the page where one goes on.
fn done(path: &str, key: &str) -> Response {
    Redirect::to(&format!("{path}?done={key}")).into_response()
}

/// What stands behind the question mark, each key once.
fn query(uri: &Uri) -> Form {
    Form::of(uri.query().unwrap_or_default().as_bytes())
}

/// Lets nobody by who is not signed in, nor a form that is not one of ours.
async fn seated(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let relay = &door.relay;
    let ticket = match place(relay, &request) {
        Ok(ticket) => ticket,
        Err(no) => return no.into_response(),
    };
    let (headers, uri) = (request.headers().clone(), request.uri().clone());
    let desk = match sit_down(relay, &headers, &uri).await {
        Ok(Some(desk)) => desk,
        Ok(None) => return not_signed_in(&request),
        Err(failure) => return problem::problem(failure),
    };
    ticket.come_in();
    let (programme, number) = (desk.staff.programme, desk.staff.number);
    let mut frame = desk.frame(Part::first_of(desk.staff.role), String::new());
    frame.done = None;
    if let Err(too_fast) = relay.limits.pace.post(programme, number, false) {
        return NoPage::of(problem::too_much(relay, too_fast)).shown(frame);
    }
    if request.method() == Method::POST {
        let (parts, body) = request.into_parts();
        // A script says it in a header: its body is no form, and for whoever serves the address.
        let sent = match parts.headers.get(enrol::FORM_TOKEN) {
            Some(token) => {
                Ok((token.to_str().unwrap_or_default().to_owned(), Form::default(), body))
            }
            None => Form::read(relay, body)
                .await
                .map(|form| (form.get("form_token").to_owned(), form, Body::empty())),
        };
        match sent {
            Ok((token, form, body))
                if is_own(&parts.headers) && desk.session.is_form_token(&token) =>
            {
                request = Request::from_parts(parts, body);
                request.extensions_mut().insert(form);
            }
            Ok(_) => {
                let text = "this form is not one of ours, or is of an earlier sign-in: open the page again";
                return answer::refused(frame, Refusal::new(ErrorCode::NotAllowed, text).into());
            }
            Err(No::Failure(failure)) => return answer::refused(frame, failure),
            Err(no) => return no.into_response(),
        }
    }
    request.extensions_mut().insert(Arc::new(desk));
    let mut answer = next.run(request).await;
    match answer.extensions_mut().remove::<NoPage>() {
        Some(no) => no.shown(frame),
        None => answer,
    }
}

/// A place at the door. Pages are asked for from where links lead, whatever origin that is.
fn place(relay: &Relay, request: &Request) -> Result<Arc<Ticket>, No> {
    let guest = request.extensions().get::<Guest>();
    let guest = guest.ok_or_else(|| No::answer(StatusCode::INTERNAL_SERVER_ERROR))?;
    guest.admit(relay, request.headers()).map_err(|full| {
        relay.limits.refuse(full.name(), &relay.metrics);
        No::answer(no_place(full))
    })
}

async fn sit_down(
    relay: &Arc<Relay>,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<Option<Desk>, Failure> {
    let Some(session) = cookie::session(relay, headers) else { return Ok(None) };
    let Some(staff) = sessions::whose(relay, &session).await? else { return Ok(None) };
    let key = staff_key(staff.number);
    let fact: Option<StaffFact> = programme::find(&*relay.store, staff.programme, &key).await?;
    let words = match &fact {
        Some(fact) => words::of(&fact.language),
        None => spoken(headers),
    };
    let done = query(uri).get("done").to_owned();
    Ok(Some(Desk { relay: relay.clone(), staff, session, words, fact, done }))
}

/// The language of whoever is not known.
fn spoken(headers: &HeaderMap) -> &'static Words {
    let header = headers.get(header::ACCEPT_LANGUAGE).and_then(|header| header.to_str().ok());
    words::accepted(header.unwrap_or_default())
}

fn not_signed_in(request: &Request) -> Response {
    if request.method() != Method::GET {
        let words = spoken(request.headers());
        return (StatusCode::UNAUTHORIZED, answer::html(dashboard::sign_in::door(words, true)))
            .into_response();
    }
    let ended = if cookie::is_there(request.headers()) { "?ended=yes" } else { "" };
    Redirect::to(&format!("{PAGES}{ended}")).into_response()
}
