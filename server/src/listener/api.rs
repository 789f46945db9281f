//! What staff ask over HTTP, as JSON under `/api/v1`: who asks, how much, and in which shape. What is answered is
//! `ngo`'s.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Extension, Router};
use jiashu_api::consent::ConsentSettings;
use jiashu_api::family::{Erase, Pause, Plan, Suspend, Visit};
use jiashu_api::report::Thresholds;
use jiashu_api::site::Site;
use jiashu_api::staff::{Assign, Me, New};
use jiashu_api::task::Done;
use jiashu_contact::standing::Standing;
use jiashu_proto::bounds::MAX_SITE_CODE;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::{DeviceId, MemberId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::Guest;
use super::openapi;
use super::problem::{No, bearer, malformed, slow_down};
use super::routes::{Door, admit};
use crate::access::{self, Who};
use crate::execute::Failure;
use crate::family::Refusal;
use crate::ngo::colleagues;
use crate::ngo::family::{pause, propose, resume};
use crate::ngo::leaving;
use crate::ngo::report::{self, By, Period};
use crate::ngo::staff::Staff;
use crate::ngo::worklist::{MOST, USUAL, Which, worklist};
use crate::ngo::{
    audit, case, caseload, consent_settings, mail, sign_in, sites, suspension, tasks, thresholds,
    visits,
};
use crate::relay::Relay;

mod export;

mod programme;

mod transfer;

/// A wish of staff, in bytes.
const MAX_WISH: usize = 64 * 1024;

/// Their addresses, with what may be done there.
pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/api/v1/worklist", get(list))
        .route("/api/v1/families/{case}", get(show_case))
        .route("/api/v1/families/{case}/pause", post(begin_pause).delete(end_pause))
        .route("/api/v1/families/{case}/plan", post(propose_plan))
        .route("/api/v1/families/{case}/suspensions/{member}", put(suspend).delete(unsuspend))
        .route("/api/v1/families/{case}/visits", post(record_visit))
        .route("/api/v1/families/{case}/worker", put(assign))
        .route("/api/v1/families/{case}/erasure", post(erase).delete(keep))
        .merge(transfer::routes())
        .route("/api/v1/report", get(report))
        .merge(programme::routes())
        .route("/api/v1/thresholds", get(show_thresholds).put(set_thresholds))
        .route("/api/v1/consent-settings", get(show_consent_settings).put(set_consent_settings))
        .route("/api/v1/staff", get(list_staff).post(invite_staff))
        .route("/api/v1/staff/me", put(set_me))
        .route("/api/v1/staff/me/sign-in-link", post(own_link))
        .route("/api/v1/staff/{number}/sign-in-link", post(anothers_link))
        .route("/api/v1/staff/{number}", delete(remove_staff))
        .route("/api/v1/tasks", get(list_tasks))
        .route("/api/v1/families/{case}/tasks/done", post(task_done))
        .route("/api/v1/mail", get(list_mail))
        .route("/api/v1/sites", get(list_sites).post(put_site))
        .route("/api/v1/audit", get(audit_log))
        .merge(export::routes())
        .route("/api/v1/openapi.json", get(openapi::document))
}

impl FromRequestParts<Door> for Staff {
    type Rejection = No;

    /// Whose token it is. Whoever is no member of staff learns nothing but that.
    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, No> {
        let relay = &door.relay;
        let Extension(guest) =
            Extension::<Guest>::from_request_parts(parts, door).await.map_err(No::answer)?;
        let ticket = admit(relay, &guest, &parts.headers).map_err(No::answer)?;
        let no = || Refusal::new(ErrorCode::Unauthorised, "this is no member of staff");
        let token = bearer(&parts.headers).ok_or_else(no)?;
        let access = access::authenticate(&*relay.store, &token).await;
        let access = access.map_err(|error| match error {
            access::AccessError::Store(_) => error.refusal(),
            _ => no(),
        })?;
        let Who::Staff(number) = access.who else { return Err(no().into()) };
        ticket.come_in();
        let programme = access.scope;
        if let Err(too_fast) = relay.limits.pace.post(programme, number, false) {
            return Err(slow_down(relay, too_fast));
        }
        let staff = Self::load(&*relay.store, programme, number).await;
        Ok(staff.map_err(Failure::from)?)
    }
}

async fn list(State(door): State<Door>, staff: Staff, uri: Uri) -> Result<Response, No> {
    let no = || {
        malformed(
            "?limit= and ?after= are how many families, at most 100000; ?site= is a code, ?standing= one of this API's words",
        )
    };
    let mut which = Which::first(USUAL);
    for (key, value) in query(&uri)? {
        let number = || value.parse().ok().filter(|number| *number <= MOST).ok_or_else(no);
        match key {
            "limit" => which.most = number()?,
            "after" => which.after = number()?,
            "site" if (1..=MAX_SITE_CODE).contains(&value.len()) => {
                which.site = Some(value.to_owned());
            }
            "standing" if Standing::ALL.iter().any(|one| one.name() == value) => {
                which.standing = Some(value.to_owned());
            }
            _ => return Err(no()),
        }
    }
    Ok(json(&worklist(&door.relay, &staff, &which).await?))
}

async fn show_case(
    State(door): State<Door>,
    staff: Staff,
    Path(case): Path<String>,
) -> Result<Response, No> {
    Ok(json(&case::show(&door.relay, &staff, &case).await?))
}

async fn begin_pause(
    State(door): State<Door>,
    staff: Staff,
    Path(case): Path<String>,
    body: Body,
) -> Result<StatusCode, No> {
    let wish: Pause = wish(&door.relay, body).await?;
    pause(&door.relay, &staff, &case, &wish).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn end_pause(
    State(door): State<Door>,
    staff: Staff,
    Path(case): Path<String>,
) -> Result<StatusCode, No> {
    resume(&door.relay, &staff, &case).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn propose_plan(
    State(door): State<Door>,
    staff: Staff,
    Path(case): Path<String>,
    body: Body,
) -> Result<StatusCode, No> {
    let wish: Plan = wish(&door.relay, body).await?;
    propose(&door.relay, &staff, &case, wish).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn suspend(
    State(door): State<Door>,
    staff: Staff,
    Path((case, member)): Path<(String, String)>,
    body: Body,
) -> Result<StatusCode, No> {
    let wish: Suspend = wish(&door.relay, body).await?;
    suspension::suspend(&door.relay, &staff, &case, number(&member)?, &wish).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn unsuspend(
    State(door): State<Door>,
    staff: Staff,
    Path((case, member)): Path<(String, String)>,
) -> Result<StatusCode, No> {
    suspension::lift(&door.relay, &staff, &case, number(&member)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn number(member: &str) -> Result<MemberId, No> {
    Ok(MemberId(member.parse().map_err(|_| malformed("the number of a member"))?))
}

async fn record_visit(
    State(door): State<Door>,
    staff: Staff,
    Path(case): Path<String>,
    body: Body,
) -> Result<StatusCode, No> {
    let visit: Visit = wish(&door.relay, body).await?;
    visits::record(&door.relay, &staff, &case, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn assign(
    State(door): State<Door>,
    staff: Staff,
    Path(case): Path<String>,
    body: Body,
) -> Result<StatusCode, No> {
    let Assign { staff: worker } = wish(&door.relay, body).await?;
    caseload::assign(&door.relay, &staff, &case, DeviceId(worker)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn erase(
    State(door): State<Door>,
    staff: Staff,
    Path(case): Path<String>,
    body: Body,
) -> Result<Response, No> {
    let wish: Erase = wish(&door.relay, body).await?;
    Ok(json(&leaving::erase(&door.relay, &staff, &case, &wish).await?))
}

async fn keep(
    State(door): State<Door>,
    staff: Staff,
    Path(case): Path<String>,
) -> Result<StatusCode, No> {
    leaving::keep(&door.relay, &staff, &case).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_staff(State(door): State<Door>, staff: Staff) -> Result<Response, No> {
    Ok(json(&colleagues::list(&door.relay, &staff).await?))
}

async fn invite_staff(State(door): State<Door>, staff: Staff, body: Body) -> Result<Response, No> {
    let new: New = wish(&door.relay, body).await?;
    let invited = colleagues::invite(&door.relay, &staff, new).await?;
    Ok(created(&invited))
}

async fn remove_staff(
    State(door): State<Door>,
    staff: Staff,
    Path(number): Path<String>,
) -> Result<StatusCode, No> {
    let number = number.parse().map_err(|_| malformed("the number of a member of staff"))?;
    colleagues::remove(&door.relay, &staff, DeviceId(number)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_me(State(door): State<Door>, staff: Staff, body: Body) -> Result<StatusCode, No> {
    let me: Me = wish(&door.relay, body).await?;
    colleagues::set_me(&door.relay, &staff, me).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn own_link(State(door): State<Door>, staff: Staff) -> Result<Response, No> {
    Ok(created(&sign_in::for_oneself(&door.relay, &staff).await?))
}

async fn anothers_link(
    State(door): State<Door>,
    staff: Staff,
    Path(number): Path<String>,
) -> Result<Response, No> {
    let number = number.parse().map_err(|_| malformed("the number of a member of staff"))?;
    Ok(created(&sign_in::for_another(&door.relay, &staff, DeviceId(number)).await?))
}

fn created(value: &impl Serialize) -> Response {
    (StatusCode::CREATED, json(value)).into_response()
}

async fn list_tasks(State(door): State<Door>, staff: Staff) -> Result<Response, No> {
    Ok(json(&tasks::list(&door.relay, &staff).await?))
}

async fn task_done(
    State(door): State<Door>,
    staff: Staff,
    Path(case): Path<String>,
    body: Body,
) -> Result<StatusCode, No> {
    let done: Done = wish(&door.relay, body).await?;
    tasks::done(&door.relay, &staff, &case, &done).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_mail(State(door): State<Door>, staff: Staff) -> Result<Response, No> {
    Ok(json(&mail::list(&door.relay, &staff).await?))
}

async fn list_sites(State(door): State<Door>, staff: Staff) -> Result<Response, No> {
    let sites = sites::list(&door.relay, &staff).await;
    Ok(json(&sites.map_err(Failure::from)?))
}

async fn put_site(State(door): State<Door>, staff: Staff, body: Body) -> Result<StatusCode, No> {
    let site: Site = wish(&door.relay, body).await?;
    sites::put(&door.relay, &staff, site).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn audit_log(State(door): State<Door>, staff: Staff, uri: Uri) -> Result<Response, No> {
    let no = || malformed("?after= and the number of an entry");
    let after = match query(&uri)?[..] {
        [] => 0,
        [("after", number)] => number.parse().map_err(|_| no())?,
        _ => return Err(no()),
    };
    Ok(json(&audit::show(&door.relay, &staff, Some(after)).await?))
}

/// `?week=2026W48` or `?month=202611`, and `&by=site`; without a period the last week that has closed.
async fn report(State(door): State<Door>, staff: Staff, uri: Uri) -> Result<Response, No> {
    let (mut period, mut by) = (None, By::Programme);
    for (key, value) in query(&uri)? {
        if key != "by" && period.is_some() {
            return Err(malformed("a week or a month, not both"));
        }
        match key {
            "week" => period = value.parse().ok().map(Period::week),
            "month" => period = Period::month(value),
            "by" => {
                by = By::from_name(value).ok_or_else(|| malformed("by what: site or corridor"))?
            }
            _ => return Err(malformed("a report is asked for by week or month, and by")),
        }
        if key != "by" && period.is_none() {
            return Err(malformed("a week is written 2026W48, a month 202611"));
        }
    }
    let period = period.unwrap_or_else(|| Period::last_closed(door.relay.clock.now()));
    Ok(json(&report::report(&door.relay, &staff, &period, by).await?))
}

async fn show_consent_settings(State(door): State<Door>, staff: Staff) -> Result<Response, No> {
    let settings = consent_settings::show(&door.relay, &staff).await;
    Ok(json(&settings.map_err(Failure::from)?))
}

async fn set_consent_settings(
    State(door): State<Door>,
    staff: Staff,
    body: Body,
) -> Result<StatusCode, No> {
    let new: ConsentSettings = wish(&door.relay, body).await?;
    consent_settings::set(&door.relay, &staff, new).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn show_thresholds(State(door): State<Door>, staff: Staff) -> Result<Response, No> {
    let thresholds = thresholds::show(&door.relay, &staff).await;
    Ok(json(&thresholds.map_err(Failure::from)?))
}

async fn set_thresholds(
    State(door): State<Door>,
    staff: Staff,
    body: Body,
) -> Result<StatusCode, No> {
    let new: Thresholds = wish(&door.relay, body).await?;
    thresholds::set(&door.relay, &staff, new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What stands behind the question mark: words of letters, digits and - _ ., none twice.
fn query(uri: &Uri) -> Result<Vec<(&str, &str)>, No> {
    let Some(text) = uri.query() else { return Ok(Vec::new()) };
    let mut found: Vec<(&str, &str)> = Vec::new();
    for pair in text.split('&') {
        let (key, value) = pair.split_once('=').ok_or_else(|| malformed("?key=value&key=value"))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !value.bytes().all(is_plain) || found.iter().any(|(known, _)| *known == key) {
            return Err(malformed(
                "a value is letters, digits, any of - _ ., and no key stands twice",
            ));
        }
        found.push((key, value));
    }
    Ok(found)
}

/// A wish as it was sent, whole and in its shape.
async fn wish<T: DeserializeOwned>(relay: &Relay, body: Body) -> Result<T, No> {
    match timeout(relay.config.limits.handshake(), to_bytes(body, MAX_WISH)).await {
        // Serde would take a list of the values in their order, too.
        Ok(Ok(body)) if !body.trim_ascii_start().starts_with(b"{") => {
            Err(malformed("an object in JSON is asked for"))
        }
        Ok(Ok(body)) => serde_json::from_slice(&body)
            // Where, and not what: a field may hold what somebody should not have sent.
            .map_err(|error| {
                malformed(&format!("not what is asked for, in column {}", error.column()))
            }),
        Ok(Err(_)) => Err(Refusal::new(ErrorCode::TooLarge, "at most 64 KiB").into()),
        Err(_) => Err(No::answer(StatusCode::REQUEST_TIMEOUT)),
    }
}

fn json(value: &impl Serialize) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    match serde_json::to_vec(value) {
        Ok(body) => (headers, body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
