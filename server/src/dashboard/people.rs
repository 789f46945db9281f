//! Staff and sites: who works for the programme, where, and how they come in.

use askama::Template;
use jiashu_api::site::Site;
use jiashu_api::staff::{Member, SignInLink, Status};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

use super::case::called;
use super::frame::Frame;
use super::words::{self, Words};
use super::{moment, rendered};
use crate::clock::text;
use crate::programme::Role;
use crate::wording::filled;

#[derive(Template)]
#[template(path = "staff/people.html")]
struct Page<'a> {
    frame: Frame,
    words: &'static words::People,
    lines: Vec<Line>,
    sites: &'a [Site],
    roles: Vec<(&'static str, &'static str)>,
    languages: &'static [Words],
}

struct Line {
    number: u32,
    name: String,
    role: String,
    sites: String,
    email: String,
    families: usize,
    status: &'static str,
    is_out: bool,
    /// Whether a link for them is a coordinator's to make.
    may_have_link: bool,
    /// Nobody ends their own access.
    is_own: bool,
}

/// The page, for the member of staff of that number.
#[must_use]
pub fn page(frame: Frame, staff: &[Member], sites: &[Site], own: u32) -> String {
    let all = frame.words;
    let words = &all.people;
    let line = |one: &Member| Line {
        number: one.number,
        name: called(all, one),
        role: words::name(&all.codes.role, &one.role).to_owned(),
        sites: if one.sites.is_empty() { words.all_sites.clone() } else { one.sites.join(", ") },
        email: one.email.clone().unwrap_or_default(),
        families: one.families,
        status: match one.status {
            Status::Invited => &words.invited,
            Status::Active => &words.active,
            Status::Left => &words.left,
        },
        is_out: one.status == Status::Left,
        may_have_link: one.status == Status::Invited
            || one.role == "caseworker"
            || one.number == own,
        is_own: one.number == own,
    };
    // A caseworker is added most often.
    let roles = [Role::Caseworker, Role::Coordinator, Role::Auditor].map(Role::name);
    let page = Page {
        words,
        lines: staff.iter().map(line).collect(),
        sites,
        roles: roles.into_iter().map(|role| (role, words::name(&all.codes.role, role))).collect(),
        languages: words::all(),
        frame,
    };
    rendered(&page)
}

#[derive(Template)]
#[template(path = "staff/handed.html")]
struct Handed {
    frame: Frame,
    says: String,
    until: String,
    link: String,
    qr: String,
}

/// A link that is handed to somebody: as text, and for the camera of their phone.
#[must_use]
pub fn handed(frame: Frame, name: &str, made: &SignInLink) -> String {
    let all = frame.words;
    let words = &all.people;
    let until = moment::instant(all, &text(made.expires_at));
    let page = Handed {
        says: filled(&words.link_hint, &[("name", name)]),
        until: filled(&words.link_until, &[("time", &until)]),
        link: made.link.clone(),
        qr: qr(&made.link),
        frame,
    };
    rendered(&page)
}

/// The link as a QR code, as an element of SVG.
fn qr(link: &str) -> String {
    let Ok(code) = QrCode::with_error_correction_level(link, EcLevel::M) else {
        return String::new();
    };
    let svg = code.render::<svg::Color<'_>>().module_dimensions(4, 4).build();
    // What precedes the element is for files that hold nothing else.
    svg.split_once("?>").map_or(svg.clone(), |(_, element)| element.to_owned())
}
