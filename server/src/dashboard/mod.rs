//! Pages for staff: what `ngo` answers, for people who would rather look than read.
//!
//! Pure: an answer in the shapes of `jiashu_api`, the words of a language (`words`) and a moment become a page. Each page is
//! a module with its template; all stand in one `frame` and one style sheet. What is a table on a page is a `table`,
//! of which the same numbers leave as CSV; beside it may stand a `chart`. Who asks, and what they may, is `listener::desk`'s and `ngo`'s: nothing here reads a store.

pub mod words;

pub mod frame;

pub mod moment;

pub mod table;

pub mod chart;

pub mod sign_in;

pub mod families;

pub mod case;

pub mod programme;

pub mod enrol;

pub mod people;

pub mod settings;

pub mod audit;

pub mod own;

use askama::Template;

/// The page as it is sent.
#[must_use]
pub fn rendered(page: &impl Template) -> String {
    page.render().expect("writing to memory cannot fail")
}
