//! The page for phones, and the one behind a link to a voice note: files that are the same for everybody. What they do is
//! done in the browser (`client-web`); a letter is never here. They cost no more than their bytes, so nobody needs a place.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::assets::{FOR_GOOD, send};
use super::routes::Door;
use crate::dashboard::words;

/// Of a page: it is asked for again each time, and sent again when it is another.
const ASK_AGAIN: &str = "no-cache";

/// Of the service worker, which is asked for each time that the page opens: once a day it costs something.
const A_DAY: &str = "max-age=86400";

/// It is what it is called.
const NO_SNIFFING: (HeaderName, &str) = (header::X_CONTENT_TYPE_OPTIONS, "nosniff");

/// Nobody else's page takes it in.
const OURS_ALONE: (HeaderName, &str) =
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin");

/// What stands at an address that stays.
const PAGES: [&str; 5] = ["/", "/join", "/v", "/sw.js", "/manifest.webmanifest"];

/// Where the parts of pages are.
const PARTS: &str = "/web/";

/// Whether that is a page for phones, or a part of one.
pub(super) fn has(path: &str) -> bool {
    PAGES.contains(&path) || path.starts_with(PARTS)
}

/// Their addresses.
pub(super) fn routes(door: &Door) -> Router<Door> {
    let [home, join, link, at_work, shown] = PAGES;
    Router::new()
        .route(home, get(phone))
        .route(join, get(phone))
        .route(link, get(outsider))
        .route(at_work, get(worker))
        .route(shown, get(manifest))
        .layer(from_fn_with_state(door.clone(), dressed))
        .route(&format!("{PARTS}{{name}}"), get(file))
}

/// With the address of the words that the browser asks for, so that they come together with the script that takes them.
async fn phone(headers: HeaderMap) -> Response {
    let mut answer = page("phone.html", &headers, ASK_AGAIN);
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|header| header.to_str().ok());
    let language = &words::accepted(accepted.unwrap_or_default()).language;
    let words = jiashu_web::file(&format!("{language}.js"));
    let link = words.map(|words| format!("<{PARTS}{}>; rel=modulepreload", words.name));
    if let Some(Ok(link)) = link.map(HeaderValue::try_from) {
        answer.headers_mut().insert(header::LINK, link);
        answer.headers_mut().append(header::VARY, HeaderValue::from_static("accept-language"));
    }
    answer
}

async fn outsider(headers: HeaderMap) -> Response {
    page("outsider.html", &headers, ASK_AGAIN)
}

async fn worker(headers: HeaderMap) -> Response {
    let mut answer = page("sw.js", &headers, A_DAY);
    let all = HeaderValue::from_static("/");
    answer.headers_mut().insert(HeaderName::from_static("service-worker-allowed"), all);
    answer
}

async fn manifest(headers: HeaderMap) -> Response {
    page("manifest.webmanifest", &headers, ASK_AGAIN)
}

fn page(stem: &str, asked: &HeaderMap, keep: &'static str) -> Response {
    let page = jiashu_web::page(stem).map(|page| send(page, asked, keep));
    page.unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

/// A part of a page: what a browser may do with it, the page has said.
async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = jiashu_web::by_name(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    ([NO_SNIFFING, OURS_ALONE], send(file, &headers, FOR_GOOD)).into_response()
}

/// What a browser may do with a page: run what is ours, ask the relay, take sound and pictures, and nothing else.
async fn dressed(State(door): State<Door>, request: Request, next: Next) -> Response {
    let policy = policy(request.headers().get(header::HOST));
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    for (name, value) in [
        NO_SNIFFING,
        OURS_ALONE,
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "microphone=(self), camera=(self)"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if door.relay.origin.starts_with("https:") {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    answer
}

/// Not every browser takes the page's own WebSocket for `'self'`: it is named, by the name that the page was asked for by.
fn policy(host: Option<&HeaderValue>) -> HeaderValue {
    let host = host.and_then(|host| host.to_str().ok()).filter(|host| is_host(host));
    let sockets = host.map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'{sockets}; img-src 'self' blob: data:; \
         media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("words of ours and a host's letters are ASCII")
}

/// A name or an address with its port; what would end a directive is none.
fn is_host(text: &str) -> bool {
    let is_of_host = |letter: char| letter.is_ascii_alphanumeric() || ".-:[]".contains(letter);
    !text.is_empty() && text.chars().all(is_of_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connects_to(host: &'static str) -> String {
        let policy = policy(Some(&HeaderValue::from_static(host)));
        let policy = policy.to_str().unwrap();
        let mut directives = policy.split("; ").filter_map(|one| one.strip_prefix("connect-src "));
        directives.next().unwrap().to_owned()
    }

    #[test]
    fn a_page_speaks_to_the_relay_that_it_came_from() {
        for (host, to) in [
            ("relay.example", "'self' ws://relay.example wss://relay.example"),
            ("[::1]:8080", "'self' ws://[::1]:8080 wss://[::1]:8080"),
            ("a; script-src *", "'self'"),
            ("a,default-src *", "'self'"),
            ("*", "'self'"),
            ("", "'self'"),
        ] {
            assert_eq!(connects_to(host), to, "{host}");
        }
        assert!(policy(None).to_str().unwrap().contains("connect-src 'self';"));
    }
}
