//! Coming in: a link is asked for by e-mail, and used once.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use jiashu_proto::id::DeviceId;

use super::answer::{NoPage, html, refused};
use super::form::Form;
use super::{cookie, place, query, sit_down, spoken};
use crate::dashboard::frame::{Frame, Part};
use crate::dashboard::sign_in as page;
use crate::dashboard::words::{self, Words};
use crate::execute::Failure;
use crate::listener::problem::{self, No};
use crate::listener::routes::{self, Door};
use crate::ngo::sign_in::{self, Code};
use crate::programme::{self, Role, StaffFact, staff_key};
use crate::relay::Relay;

/// The beginning: one's first page, or where a link is asked for.
pub(super) async fn door(State(door): State<Door>, request: Request) -> Response {
    if let Err(no) = place(&door.relay, &request) {
        return no.into_response();
    }
    let (headers, uri) = (request.headers().clone(), request.uri().clone());
    drop(request);
    if let Ok(Some(desk)) = sit_down(&door.relay, &headers, &uri).await {
        return Redirect::to(Part::first_of(desk.staff.role).path()).into_response();
    }
    let ended = query(&uri).get("ended") == "yes";
    html(page::door(spoken(&headers), ended))
}

/// Has a link sent, if there is anybody of that address. The answer is the same if not, and as quick: it does not wait.
pub(super) async fn send(State(door): State<Door>, request: Request) -> Response {
    let words = spoken(request.headers());
    let form = match strangers(&door.relay, request).await {
        Ok(form) => form,
        Err(no) => return no.into_response(),
    };
    let email = form.get("email").to_owned();
    let relay = door.relay.clone();
    // Tracked, so that a stop waits for it.
    door.sockets.spawn(async move {
        if let Err(failure) = sign_in::send(&relay, &email).await {
            tracing::warn!(?failure, "a link to sign in was asked for and not sent");
        }
    });
    html(page::sent(words))
}

/// What somebody sends of whom nobody knows who it is.
async fn strangers(relay: &Relay, request: Request) -> Result<Form, No> {
    let words = spoken(request.headers());
    let ticket = place(relay, &request)?;
    if let Err(too_fast) = relay.limits.pace.knock(ticket.address()) {
        let frame = Frame::outside(words, String::new());
        return Err(No::answer(NoPage::of(problem::too_much(relay, too_fast)).shown(frame)));
    }
    if !routes::is_own(request.headers()) {
        return Err(No::answer(StatusCode::FORBIDDEN));
    }
    Form::read(relay, request.into_body()).await.map_err(|no| match no {
        No::Failure(failure) => No::answer(outside(words, failure)),
        no => no,
    })
}

fn outside(words: &'static Words, failure: Failure) -> Response {
    refused(Frame::outside(words, String::new()), failure)
}

/// Shows whom a link lets in, and uses nothing up: what looks into e-mails for harm opens links, too.
pub(super) async fn look(
    State(door): State<Door>,
    Path(code): Path<String>,
    request: Request,
) -> Response {
    let relay = &door.relay;
    let ticket = match place(relay, &request) {
        Ok(ticket) => ticket,
        Err(no) => return no.into_response(),
    };
    if let Err(too_fast) = relay.limits.pace.knock(ticket.address()) {
        return crate::listener::problem::slow_down(relay, too_fast).into_response();
    }
    let spoken = spoken(request.headers());
    match lets_in(relay, &code, spoken).await {
        Ok(Some((words, name))) => html(page::link(words, Some(&name))),
        Ok(None) => (StatusCode::NOT_FOUND, html(page::link(spoken, None))).into_response(),
        Err(failure) => outside(spoken, failure),
    }
}

/// Whom a link lets in, in their own words.
async fn lets_in(
    relay: &Relay,
    code: &str,
    spoken: &'static Words,
) -> Result<Option<(&'static Words, String)>, Failure> {
    let Some(code) = Code::parse(code) else { return Ok(None) };
    let store = &*relay.store;
    if !sign_in::holds(store, &code, relay.clock.now()).await? {
        return Ok(None);
    }
    let fact: Option<StaffFact> =
        programme::find(store, code.programme(), &staff_key(code.staff())).await?;
    Ok(Some(match fact {
        Some(fact) if !fact.name.is_empty() => (words::of(&fact.language), fact.name),
        Some(fact) => {
            let words = words::of(&fact.language);
            (words, called(words, fact.role, code.staff()))
        }
        None => (spoken, called(spoken, Role::Coordinator, code.staff())),
    }))
}

fn called(words: &Words, role: Role, number: DeviceId) -> String {
    format!("{} {number}", words::name(&words.codes.role, role.name()))
}

/// Uses a link up. Whoever was signed in with this browser before is signed out by it.
pub(super) async fn enter(
    State(door): State<Door>,
    Path(code): Path<String>,
    request: Request,
) -> Response {
    let relay = &door.relay;
    let words = spoken(request.headers());
    let (agent, before) = (agent(request.headers()), cookie::session(relay, request.headers()));
    if let Err(no) = strangers(relay, request).await {
        return no.into_response();
    }
    let gone = || (StatusCode::NOT_FOUND, html(page::link(words, None))).into_response();
    let Some(code) = Code::parse(&code) else { return gone() };
    match sign_in::enter(relay, &code, &agent).await {
        Ok(session) => {
            if let Some(before) = before
                && let Err(error) = crate::ngo::sessions::end(relay, &before).await
            {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "an earlier session was not ended"
                );
            }
            let mut answer = Redirect::to("/staff").into_response();
            answer.headers_mut().insert(header::SET_COOKIE, cookie::keep(relay, &session));
            answer
        }
        Err(Failure::Refused(_)) => gone(),
        Err(failure) => outside(words, failure),
    }
}

/// Browsers and systems that are told apart, by a word of what they say of themselves; the first that fits.
const BROWSERS: [(&str, &str); 6] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("MicroMessenger/", "WeChat"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
const SYSTEMS: [(&str, &str); 6] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
];

/// Which browser on what: enough to know one's own by.
fn agent(headers: &HeaderMap) -> String {
    let says =
        headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let of = |known: &[(&'static str, &'static str)]| {
        known.iter().find(|(word, _)| says.contains(word)).map(|(_, name)| *name)
    };
    match (of(&BROWSERS), of(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser}, {system}"),
        (one, other) => one.or(other).unwrap_or("?").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_told_apart_and_no_more() {
        let said = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::USER_AGENT, text.parse().unwrap());
            agent(&headers)
        };

        let chrome = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36";
        assert_eq!(said(chrome), "Chrome, Android");
        assert_eq!(
            said("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            "Firefox, Linux"
        );
        assert_eq!(said("curl/8"), "?");
    }
}
