//! Families of a list, enrolled from a browser: the page, and the frames that its script sends. Names do not come here.

use std::sync::Arc;

use axum::Extension;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiashu_proto::bounds;
use jiashu_proto::entry::Jurisdiction;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, RelayFrame};
use tokio::time::timeout;

use super::answer::{NoPage, html, policy};
use super::{Desk, assets};
use crate::dashboard::enrol::{self as page, Given};
use crate::dashboard::frame::{Part, SCRIPT_POLICY};
use crate::execute;
use crate::family::Refusal;
use crate::listener::problem;
use crate::ngo::{consent_settings, sites};

/// Families in one request: some seconds of work for the store.
const MOST: usize = 64;

/// In what a script of ours says the form's token, as its body is no form.
pub(super) const FORM_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");

/// The page.
pub(super) async fn show(Extension(desk): Extension<Arc<Desk>>) -> Result<Response, NoPage> {
    if !Part::Enrol.is_of(desk.staff.role) {
        let text = "only a coordinator or a caseworker enrols";
        return Err(Refusal::new(ErrorCode::NotAllowed, text).into());
    }
    let sites = sites::list(&desk.relay, &desk.staff).await?;
    let settings = consent_settings::show(&desk.relay, &desk.staff).await?;
    let jurisdiction = settings.jurisdiction.as_deref().and_then(Jurisdiction::from_name);
    let frame = desk.frame(Part::Enrol, desk.words.frame.enrol.clone());
    let given = Given {
        language: &desk.words.language,
        origin: &desk.relay.origin,
        zones: page::zones(),
        sites: sites.into_iter().map(|site| site.code).collect(),
        own_word_age: jurisdiction.map(Jurisdiction::own_word_age),
        programme: desk.staff.programme.to_string(),
        form_token: frame.form_token.clone(),
    };
    let shown = page::page(frame, &given, assets::of_page("enrol"));
    let mut answer = html(shown);
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy(&SCRIPT_POLICY));
    Ok(answer)
}

/// Enrols each family that the body holds, a frame each as in `POST /1`; an answer each, in their order.
pub(super) async fn send(Extension(desk): Extension<Arc<Desk>>, request: Request) -> Response {
    let patience = desk.relay.config.limits.handshake();
    let body = match timeout(patience, to_bytes(request.into_body(), bounds::MAX_ROUND)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let Some(families) = read(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let mut answers = Vec::new();
    for (place, family) in families.into_iter().enumerate() {
        enrol(&desk, place, family).await.write_to(0, &mut answers);
    }
    ([(header::CONTENT_TYPE, "application/cbor")], answers).into_response()
}

/// The families, or `None` if the body holds anything else, or too many.
fn read(mut body: &[u8]) -> Option<Vec<ClientFrame>> {
    let mut families = Vec::new();
    while !body.is_empty() {
        match ClientFrame::read_from(&mut body) {
            Ok((0, family @ ClientFrame::Enrol(_))) if families.len() < MOST => {
                families.push(family);
            }
            _ => return None,
        }
    }
    Some(families)
}

async fn enrol(desk: &Desk, place: usize, family: ClientFrame) -> RelayFrame {
    let Desk { relay, staff, .. } = desk;
    // For the first it was asked at the door.
    if place > 0
        && let Err(too_fast) = relay.limits.pace.post(staff.programme, staff.number, false)
    {
        return RelayFrame::Refused(problem::too_much(relay, too_fast));
    }
    let done = execute::staff::command(relay, staff.programme, staff.number, family).await;
    done.map_or_else(|failure| RelayFrame::Refused(failure.answer(None)), RelayFrame::Enrolled)
}

#[cfg(test)]
mod tests {
    use jiashu_proto::frame::{Beat, Enrol};
    use jiashu_proto::id::Scope;

    use super::*;

    fn family() -> ClientFrame {
        ClientFrame::Enrol(Enrol {
            case_code: "LI-7".into(),
            family: Scope(7),
            link: vec![1],
            cards: Vec::new(),
            members: Vec::new(),
            consents: Vec::new(),
            replaces: None,
            site: None,
            proposal: Vec::new(),
            care: None,
        })
    }

    fn bytes(frames: &[ClientFrame], lane: u8) -> Vec<u8> {
        frames.iter().flat_map(|frame| frame.to_bytes(lane)).collect()
    }

    #[test]
    fn a_body_is_families_and_nothing_else() {
        let two = [family(), family()];

        assert_eq!(read(&bytes(&two, 0)), Some(two.to_vec()));
        assert_eq!(read(b""), Some(Vec::new()));
        for (label, body) in [
            ("another lane", bytes(&two, 1)),
            ("another frame", bytes(&[family(), ClientFrame::Beat(Beat {})], 0)),
            ("cut short", bytes(&two, 0)[1..].to_vec()),
            ("too many", bytes(&vec![family(); MOST + 1], 0)),
        ] {
            assert_eq!(read(&body), None, "{label}");
        }
    }
}
