//! The page that enrols families from a list. The list is read, and keys and cards are made, by its script in the browser
//! (`client-web`): no name comes here.

use std::sync::LazyLock;

use askama::Template;
use jiff::tz::TimeZoneDatabase;
use serde::Serialize;

use super::frame::Frame;
use super::rendered;
use super::words;

/// What the script is told. It is read by `client-web/src/enrol/page.ts`.
#[derive(Debug, Serialize)]
pub struct Given<'a> {
    /// BCP 47, in which the page speaks.
    pub language: &'a str,
    /// The relay as links to join by name it.
    pub origin: &'a str,
    /// Every time zone that the relay knows.
    pub zones: &'a [String],
    /// Codes of the programme's sites.
    pub sites: Vec<String>,
    /// From which age, in years, a child's own word is enough, where the programme has a jurisdiction.
    pub own_word_age: Option<u8>,
    /// The programme, so that nothing is sent to another that somebody has signed in to meanwhile.
    pub programme: String,
    /// What it sends back with families.
    pub form_token: String,
}

#[derive(Template)]
#[template(path = "staff/enrol.html")]
struct Page {
    frame: Frame,
    words: &'static words::Enrol,
    given: String,
    script: Option<String>,
}

/// The page; without a script, as of a relay that was built without, it says so.
#[must_use]
pub fn page(frame: Frame, given: &Given<'_>, script: Option<String>) -> String {
    let given = serde_json::to_string(given).expect("texts and numbers have a form in JSON");
    // Within a script element nothing but its own end could be taken for HTML.
    let given = given.replace('<', "\\u003c");
    rendered(&Page { words: &frame.words.enrol, given, script, frame })
}

/// Every time zone that the relay knows, as its database writes them.
#[must_use]
pub fn zones() -> &'static [String] {
    static ZONES: LazyLock<Vec<String>> = LazyLock::new(|| {
        TimeZoneDatabase::bundled().available().map(|zone| zone.to_string()).collect()
    });
    &ZONES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::words;

    #[test]
    fn what_the_script_is_told_does_not_end_its_element() {
        let frame = Frame::outside(words::of("en"), "Enrol".into());
        let given = Given {
            language: "en",
            origin: "https://relay.example.org",
            zones: zones(),
            sites: vec!["</script><b>".into()],
            own_word_age: None,
            programme: "7".into(),
            form_token: "x".into(),
        };

        let html = page(frame, &given, Some("/staff/assets/enrol-X.js".into()));

        let (_, told) = html.split_once("id=\"given\">").unwrap();
        let (told, _) = told.split_once("</script>").unwrap();
        let told: serde_json::Value = serde_json::from_str(told).unwrap();
        assert_eq!(told["sites"][0], "</script><b>");
        assert!(told["zones"].as_array().unwrap().len() > 400);
    }

    #[test]
    fn a_relay_without_scripts_says_so() {
        let frame = Frame::outside(words::of("en"), "Enrol".into());
        let given = Given {
            language: "en",
            origin: "https://relay.example.org",
            zones: zones(),
            sites: Vec::new(),
            own_word_age: None,
            programme: "7".into(),
            form_token: "x".into(),
        };

        let html = page(frame, &given, None);

        assert!(html.contains("jiashu ngo enrol") && !html.contains("<script"));
    }
}
