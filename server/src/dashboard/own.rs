//! Oneself: how one is called and written to, and where one is signed in.

use askama::Template;
use jiashu_api::staff::Session;

use super::frame::Frame;
use super::words::{self, Words};
use super::{moment, rendered};

#[derive(Template)]
#[template(path = "staff/own.html")]
struct Page<'a> {
    frame: Frame,
    words: &'static words::Own,
    own: &'a Own,
    languages: &'static [Words],
    sessions: Vec<Line>,
}

/// What somebody has said of itself.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// What colleagues call them.
    pub name: String,
    /// Where letters go.
    pub email: String,
}

struct Line {
    name: String,
    agent: String,
    began: String,
    seen: String,
    ends: String,
    is_this: bool,
}

/// The page; `this` is the name of the session that asks.
#[must_use]
pub fn page(frame: Frame, own: &Own, sessions: Vec<Session>, this: &str) -> String {
    let all = frame.words;
    let line = |session: Session| Line {
        is_this: session.name == this,
        name: session.name,
        agent: session.agent,
        began: moment::instant(all, &session.began_at),
        seen: moment::instant(all, &session.seen_at),
        ends: moment::instant(all, &session.ends_at),
    };
    let sessions = sessions.into_iter().map(line).collect();
    rendered(&Page { words: &all.own, own, languages: words::all(), sessions, frame })
}
