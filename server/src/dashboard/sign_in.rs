//! Pages for whoever is not signed in yet, and what somebody is told who asked for what cannot be.

use askama::Template;

use super::frame::Frame;
use super::rendered;
use super::words::{self, Words};
use crate::wording::filled;

#[derive(Template)]
#[template(path = "staff/sign_in.html")]
struct SignIn {
    frame: Frame,
    /// Whether somebody was signed in until just now.
    ended: bool,
    sent: bool,
}

/// Where a link is asked for; `ended`: somebody was signed in here until just now.
#[must_use]
pub fn door(words: &'static Words, ended: bool) -> String {
    let frame = Frame::outside(words, words.sign_in.title.clone());
    rendered(&SignIn { frame, ended, sent: false })
}

/// That a link is on its way, if there is anybody of that address.
#[must_use]
pub fn sent(words: &'static Words) -> String {
    let frame = Frame::outside(words, words.sign_in.sent.clone());
    rendered(&SignIn { frame, ended: false, sent: true })
}

#[derive(Template)]
#[template(path = "staff/link.html")]
struct Link {
    frame: Frame,
    /// Whom it lets in; none: it opens nothing.
    says: Option<String>,
}

/// What a link opens: nothing yet, as programs look at links before people do.
#[must_use]
pub fn link(words: &'static Words, lets_in: Option<&str>) -> String {
    let title =
        if lets_in.is_some() { &words.sign_in.link_title } else { &words.sign_in.gone_title };
    let says = lets_in.map(|name| filled(&words.sign_in.link_for, &[("name", name)]));
    rendered(&Link { frame: Frame::outside(words, title.clone()), says })
}

#[derive(Template)]
#[template(path = "staff/refused.html")]
struct Refused<'a> {
    frame: Frame,
    text: &'a str,
}

/// Why not: by the name of a code, and in the words of whoever refused.
#[must_use]
pub fn refused(frame: Frame, code: &str, text: &str) -> String {
    let words = frame.words;
    let other = words::name(&words.refused, "other");
    let title = words.refused.get(code).map_or(other, String::as_str).to_owned();
    rendered(&Refused { frame: Frame { title, ..frame }, text })
}
