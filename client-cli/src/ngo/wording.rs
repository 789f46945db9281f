//! What a card says beside names, in the language of its family; English where we have no other. The page in a browser
//! reads the same file.

use std::sync::LazyLock;

use serde::Deserialize;

/// The lines of a card.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wording {
    /// What the card is.
    pub(super) title: String,
    /// Before the names.
    pub(super) for_whom: String,
    /// Before the phone's label.
    pub(super) phone: String,
    /// Before the last day.
    pub(super) valid_until: String,
    /// What to do, in order.
    pub(super) steps: [String; 3],
    /// What not to do.
    pub(super) warning: String,
    /// Before the case code.
    pub(super) code: String,
}

/// Every wording there is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wordings {
    #[serde(rename = "zh-Hans")]
    zh: Wording,
    ro: Wording,
    en: Wording,
}

static WORDINGS: LazyLock<Wordings> = LazyLock::new(|| {
    let words = include_str!("../../../client-web/locale/cards.json");
    serde_json::from_str(words).expect("a test reads them")
});

/// The wording for a language tag, by its first part, and its own BCP 47 tag.
pub(super) fn of(language: &str) -> (&'static str, &'static Wording) {
    match language.split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "zh" | "cmn" => ("zh-Hans", &WORDINGS.zh),
        "ro" => ("ro", &WORDINGS.ro),
        _ => ("en", &WORDINGS.en),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_speaks_the_language_of_its_family() {
        let cases =
            [("zh-Hans", "zh-Hans"), ("zh", "zh-Hans"), ("RO", "ro"), ("it", "en"), ("", "en")];

        for (language, tag) in cases {
            assert_eq!(of(language).0, tag, "{language}");
        }
    }
}
