//! Scripts of pages, as `jiashu-web` has them. A relay that was built without them has none.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::place;
use crate::listener::routes::Door;

/// The address of a page's script.
pub(super) fn of_page(page: &str) -> Option<String> {
    #[cfg(feature = "web")]
    return jiashu_web::file(&format!("{page}.js"))
        .map(|asset| format!("/staff/assets/{}", asset.name));
    #[cfg(not(feature = "web"))]
    {
        let _ = page;
        None
    }
}

/// A script; it is the same for everybody, so nobody need be signed in.
pub(super) async fn send(
    State(door): State<Door>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    if let Err(no) = place(&door.relay, &request) {
        return no.into_response();
    }
    found(&name, request.headers()).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

#[cfg(not(feature = "web"))]
fn found(_: &str, _: &axum::http::HeaderMap) -> Option<Response> {
    None
}

#[cfg(feature = "web")]
fn found(name: &str, asked: &axum::http::HeaderMap) -> Option<Response> {
    use crate::listener::assets::{FOR_GOOD, send};

    Some(send(jiashu_web::by_name(name)?, asked, FOR_GOOD))
}

#[cfg(all(test, feature = "web"))]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    #[test]
    fn a_script_has_its_content_in_its_address() {
        let address = of_page("enrol").unwrap();

        let name = address.strip_prefix("/staff/assets/").unwrap();
        assert!(found(name, &HeaderMap::new()).is_some());
        assert!(found("enrol.js", &HeaderMap::new()).is_none());
    }
}
