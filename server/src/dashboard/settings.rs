//! What holds in the programme: where one standing ends and the next begins, and what holds of consent.

use askama::Template;
use jiashu_api::consent::ConsentSettings;
use jiashu_api::report::Thresholds;

use super::frame::Frame;
use super::rendered;
use super::words;

/// By whose law, as the API names them: two letters each.
const JURISDICTIONS: [&str; 5] = ["cn", "it", "lv", "md", "ro"];

#[derive(Template)]
#[template(path = "staff/settings.html")]
struct Page<'a> {
    frame: Frame,
    words: &'static words::Settings,
    limits: [(&'static str, &'static str, u32); 5],
    consent: &'a ConsentSettings,
}

impl Page<'_> {
    fn jurisdictions(&self) -> impl Iterator<Item = (&'static str, String, bool)> {
        let chosen = self.consent.jurisdiction.as_deref();
        JURISDICTIONS.into_iter().map(move |one| (one, one.to_uppercase(), chosen == Some(one)))
    }

    fn number(number: Option<&u32>) -> String {
        number.map(u32::to_string).unwrap_or_default()
    }
}

/// The page.
#[must_use]
pub fn page(frame: Frame, thresholds: &Thresholds, consent: &ConsentSettings) -> String {
    let words = &frame.words.settings;
    let Thresholds { on_track, watch, at_risk, silent, missed } = *thresholds;
    let limits = [
        ("on_track", words.on_track.as_str(), on_track),
        ("watch", &words.watch, watch),
        ("at_risk", &words.at_risk, at_risk),
        ("silent", &words.silent, silent),
        ("missed", &words.missed, missed),
    ];
    rendered(&Page { words, limits, consent, frame })
}
