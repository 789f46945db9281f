//! One family, and what staff do for it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::Path;
use axum::response::Response;
use jiashu_api::family::{Pause, Plan, Rule, Visit};
use jiashu_api::task::Done;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::id::DeviceId;
use jiashu_recurrence::{parse_every, utc_text};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::answer::{NoPage, csv, html};
use super::families::own_sites;
use super::form::Form;
use super::{Desk, done};
use crate::clock::timestamp;
use crate::dashboard::case::{self as page, Around};
use crate::dashboard::families::path;
use crate::dashboard::frame::Part;
use crate::family::Refusal;
use crate::ngo::{case, caseload, colleagues, family, tasks, visits};
use crate::programme::Role;
use crate::wording::filled;

type Answer = Result<Response, NoPage>;

pub(super) async fn show(
    Extension(desk): Extension<Arc<Desk>>,
    Path(code): Path<String>,
) -> Answer {
    let case = case::show(&desk.relay, &desk.staff, &code).await?;
    let colleagues = match desk.staff.role {
        Role::Coordinator => colleagues::list(&desk.relay, &desk.staff).await?,
        _ => Vec::new(),
    };
    let title = filled(&desk.words.case.title, &[("case", &code)]);
    let frame = desk.frame(Part::Families, title);
    let now = utc_text(now(&desk));
    let around = Around { sites: &own_sites(&desk).await?, staff: &colleagues, now: &now };
    Ok(html(page::page(frame, &case, &around)))
}

/// One of its tables as a file: `weeks.csv`, `letters.csv`.
pub(super) async fn file(
    Extension(desk): Extension<Arc<Desk>>,
    Path((code, name)): Path<(String, String)>,
) -> Answer {
    let case = case::show(&desk.relay, &desk.staff, &code).await?;
    let key = name.strip_suffix(".csv").unwrap_or_default();
    let table = page::table(desk.words, &case, key).ok_or_else(no_file)?;
    desk.note_file(&code, key).await?;
    Ok(csv(key, &table))
}

pub(super) async fn pause(
    Extension(desk): Extension<Arc<Desk>>,
    Path(code): Path<String>,
    Extension(form): Extension<Form>,
) -> Answer {
    let until = form.get("until").parse().map_err(|_| no_day())?;
    let first = form.said("first").map(|day| day.parse()).transpose().map_err(|_| no_day())?;
    let wish = Pause { reason: form.get("reason").to_owned(), first, until };
    family::pause(&desk.relay, &desk.staff, &code, &wish).await?;
    Ok(done(&path(&code), "pause"))
}

pub(super) async fn visit(
    Extension(desk): Extension<Arc<Desk>>,
    Path(code): Path<String>,
    Extension(form): Extension<Form>,
) -> Answer {
    let on = form.get("on").parse().map_err(|_| no_day())?;
    let wish = Visit { how: form.get("how").to_owned(), on: Some(on) };
    visits::record(&desk.relay, &desk.staff, &code, &wish).await?;
    if form.get("seen_to") == "yes" {
        tasks::met(&desk.relay, &desk.staff, &code, on).await?;
    }
    Ok(done(&path(&code), "visit"))
}

pub(super) async fn resume(
    Extension(desk): Extension<Arc<Desk>>,
    Path(code): Path<String>,
) -> Answer {
    family::resume(&desk.relay, &desk.staff, &code).await?;
    Ok(done(&path(&code), "resume"))
}

pub(super) async fn plan(
    Extension(desk): Extension<Arc<Desk>>,
    Path(code): Path<String>,
    Extension(form): Extension<Form>,
) -> Answer {
    let rule = rule(&form, TimeZone::UTC.to_datetime(now(&desk)).date())?;
    family::propose(&desk.relay, &desk.staff, &code, Plan { rules: vec![rule] }).await?;
    Ok(done(&path(&code), "plan"))
}

/// The days that are ticked, at that hour.
fn rule(form: &Form, today: Date) -> Result<Rule, Refusal> {
    let bad = |_| Refusal::new(ErrorCode::BadRule, "choose a day at least, and an hour as 19:30");
    let days: Vec<_> = form.all("day").collect();
    let every = parse_every(&days.join(","), form.get("at"), today).map_err(bad)?;
    Ok(Rule { start: every.start, zone: None, rrule: Some(every.rrule), tolerance_min: None })
}

pub(super) async fn task(
    Extension(desk): Extension<Arc<Desk>>,
    Path(code): Path<String>,
    Extension(form): Extension<Form>,
) -> Answer {
    let member = form.get("member").parse().map_err(|_| no_number())?;
    let wish = Done { kind: form.get("kind").to_owned(), member };
    tasks::done(&desk.relay, &desk.staff, &code, &wish).await?;
    Ok(done(&path(&code), "task"))
}

pub(super) async fn assign(
    Extension(desk): Extension<Arc<Desk>>,
    Path(code): Path<String>,
    Extension(form): Extension<Form>,
) -> Answer {
    let worker = form.get("staff").parse().map(DeviceId).map_err(|_| no_number())?;
    caseload::assign(&desk.relay, &desk.staff, &code, worker).await?;
    Ok(done(&path(&code), "assign"))
}

fn no_day() -> Refusal {
    Refusal::new(ErrorCode::Malformed, "a day is written 2026-11-29")
}

/// There is no such file.
pub(super) fn no_file() -> Refusal {
    Refusal::new(ErrorCode::Unknown, "there is no such file")
}

fn no_number() -> Refusal {
    Refusal::new(ErrorCode::Malformed, "a number is asked for")
}

fn now(desk: &Desk) -> Timestamp {
    timestamp(desk.relay.clock.now())
}
