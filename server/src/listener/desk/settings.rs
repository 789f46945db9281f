//! What holds in the programme, and who looked.

use std::sync::Arc;

use axum::Extension;
use axum::http::Uri;
use axum::response::Response;
use jiashu_api::audit::Log;
use jiashu_api::consent::ConsentSettings;
use jiashu_api::report::Thresholds;
use jiashu_api::staff::Member;
use jiashu_proto::error::ErrorCode;

use super::answer::{NoPage, csv, html};
use super::form::Form;
use super::{Desk, done, query};
use crate::dashboard::frame::Part;
use crate::dashboard::{audit as audit_page, settings as page};
use crate::execute::Failure;
use crate::family::Refusal;
use crate::ngo::{audit, colleagues, consent_settings, thresholds};
use crate::programme::Role;

type Answer = Result<Response, NoPage>;

pub(super) async fn show(Extension(desk): Extension<Arc<Desk>>) -> Answer {
    let thresholds = thresholds::show(&desk.relay, &desk.staff).await?;
    let consent = consent_settings::show(&desk.relay, &desk.staff).await?;
    let frame = desk.frame(Part::Settings, desk.words.settings.title.clone());
    Ok(html(page::page(frame, &thresholds, &consent)))
}

pub(super) async fn set_thresholds(
    Extension(desk): Extension<Arc<Desk>>,
    Extension(form): Extension<Form>,
) -> Answer {
    let days = |key: &str| number(form.get(key));
    let new = Thresholds {
        on_track: days("on_track")?,
        watch: days("watch")?,
        at_risk: days("at_risk")?,
        silent: days("silent")?,
        missed: days("missed")?,
    };
    thresholds::set(&desk.relay, &desk.staff, new).await?;
    Ok(done(Part::Settings.path(), "thresholds"))
}

pub(super) async fn set_consent(
    Extension(desk): Extension<Arc<Desk>>,
    Extension(form): Extension<Form>,
) -> Answer {
    let said = |key: &str| form.said(key).map(|text| number(&text)).transpose();
    let new = ConsentSettings {
        jurisdiction: form.said("jurisdiction"),
        text_version: said("text_version")?,
        valid_months: said("valid_months")?,
    };
    consent_settings::set(&desk.relay, &desk.staff, new).await?;
    Ok(done(Part::Settings.path(), "consent"))
}

fn number(text: &str) -> Result<u32, Refusal> {
    text.parse().map_err(|_| Refusal::new(ErrorCode::Malformed, "a whole number is asked for"))
}

pub(super) async fn audit_log(Extension(desk): Extension<Arc<Desk>>, uri: Uri) -> Answer {
    let (log, colleagues) = log(&desk, &uri).await?;
    let frame = desk.frame(Part::Audit, desk.words.audit.title.clone());
    Ok(html(audit_page::page(frame, &log, &colleagues)))
}

pub(super) async fn audit_file(Extension(desk): Extension<Arc<Desk>>, uri: Uri) -> Answer {
    let (log, colleagues) = log(&desk, &uri).await?;
    Ok(csv("audit", &audit_page::table(desk.words, &log, &colleagues)))
}

/// The newest entries, or those behind one, and who is who: an auditor is told numbers alone.
async fn log(desk: &Desk, uri: &Uri) -> Result<(Log, Vec<Member>), Failure> {
    let after = query(uri).get("after").parse().ok();
    let log = audit::show(&desk.relay, &desk.staff, after).await?;
    let colleagues = match desk.staff.role {
        Role::Coordinator => colleagues::list(&desk.relay, &desk.staff).await?,
        _ => Vec::new(),
    };
    Ok((log, colleagues))
}
