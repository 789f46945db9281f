//! What stands around every page: head, style, the ways to other pages, who is signed in.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiashu_roster::sha256;

use super::words::Words;
use crate::programme::Role;

/// The one style sheet, with what charts need. It stands in each page, so that a page needs no second way over a slow line.
pub const STYLE: &str =
    concat!(include_str!("../../templates/staff/staff.css"), include_str!("chart/chart.css"));

/// What a browser may do with a page: show it in this style, send its forms back. Nothing runs, and nothing is fetched.
pub static CONTENT_POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(sha256(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

/// The same of a page with a script of ours, which may ask the relay and nobody else.
pub static SCRIPT_POLICY: LazyLock<String> =
    LazyLock::new(|| format!("{}; script-src 'self'; connect-src 'self'", *CONTENT_POLICY));

/// A part of the pages, by where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The worklist and what hangs on it.
    Families,
    /// The programme's figures.
    Programme,
    /// New families.
    Enrol,
    /// Staff and sites.
    People,
    /// What holds in the programme.
    Settings,
    /// Who looked.
    Audit,
    /// Oneself.
    Own,
}

impl Part {
    const ALL: [Self; 7] = [
        Self::Families,
        Self::Programme,
        Self::Enrol,
        Self::People,
        Self::Settings,
        Self::Audit,
        Self::Own,
    ];

    /// Its address.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Families => "/staff/families",
            Self::Programme => "/staff/programme",
            Self::Enrol => "/staff/enrol",
            Self::People => "/staff/people",
            Self::Settings => "/staff/settings",
            Self::Audit => "/staff/audit",
            Self::Own => "/staff/me",
        }
    }

    fn word(self, words: &Words) -> &str {
        match self {
            Self::Families => &words.frame.families,
            Self::Programme => &words.frame.programme,
            Self::Enrol => &words.frame.enrol,
            Self::People => &words.frame.people,
            Self::Settings => &words.frame.settings,
            Self::Audit => &words.frame.audit,
            Self::Own => &words.frame.own,
        }
    }

    /// Whether somebody of that role finds anything there.
    #[must_use]
    pub fn is_of(self, role: Role) -> bool {
        match self {
            Self::Families | Self::Enrol => role != Role::Auditor,
            Self::People | Self::Settings => role == Role::Coordinator,
            Self::Programme | Self::Audit => role != Role::Caseworker,
            Self::Own => true,
        }
    }

    /// Where somebody of that role begins.
    #[must_use]
    pub fn first_of(role: Role) -> Self {
        Self::ALL.into_iter().find(|part| part.is_of(role)).unwrap_or(Self::Own)
    }
}

/// A way to another page.
#[derive(Debug)]
pub struct Way {
    /// Where it goes.
    pub path: &'static str,
    /// What it says.
    pub word: &'static str,
    /// Whether one is there.
    pub here: bool,
}

/// What stands around a page.
#[derive(Debug)]
pub struct Frame {
    /// The language.
    pub words: &'static Words,
    /// Of the page.
    pub title: String,
    /// The ways from it; none where nobody is signed in.
    pub ways: Vec<Way>,
    /// Who is signed in.
    pub who: Option<String>,
    /// What its forms carry.
    pub form_token: String,
    /// What was just done.
    pub done: Option<String>,
}

impl Frame {
    /// Of a page that needs nobody to be signed in.
    #[must_use]
    pub fn outside(words: &'static Words, title: String) -> Self {
        Self { words, title, ways: Vec::new(), who: None, form_token: String::new(), done: None }
    }

    /// Of a page of somebody with that role.
    #[must_use]
    pub fn inside(words: &'static Words, title: String, role: Role, here: Part) -> Self {
        let parts = Part::ALL.into_iter().filter(|part| part.is_of(role));
        let way =
            |part: Part| Way { path: part.path(), word: part.word(words), here: part == here };
        Self { ways: parts.map(way).collect(), ..Self::outside(words, title) }
    }

    /// The style sheet.
    #[must_use]
    pub fn style(&self) -> &'static str {
        STYLE
    }
}
