//! What e-mails say, in each language: a file each, all with the same keys.

use serde::Deserialize;

use crate::wording::{self, LANGUAGES};

/// All of a language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    /// BCP 47.
    pub(super) language: String,
    /// Before the tenths.
    pub(super) decimal: String,
    pub(super) roles: Roles,
    pub(super) nudge: Note,
    pub(super) help: Note,
    pub(super) sign_in: Note,
    pub(super) digest: Digest,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Roles {
    pub(super) parent: String,
    pub(super) caregiver: String,
    pub(super) child: String,
}

/// A few lines.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    pub(super) subject: String,
    pub(super) heading: String,
    pub(super) lines: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Digest {
    pub(super) subject: String,
    pub(super) heading: String,
    pub(super) closed: String,
    pub(super) open: String,
    pub(super) columns: Columns,
    pub(super) total: String,
    pub(super) elsewhere: String,
    pub(super) left_out: String,
    pub(super) more: String,
    pub(super) as_of: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Columns {
    pub(super) children: String,
    pub(super) kept: String,
    pub(super) change: String,
    pub(super) at_risk: String,
    pub(super) silent: String,
    pub(super) newly: String,
    pub(super) idle: String,
}

/// In the order of [`LANGUAGES`].
const FILES: [&str; LANGUAGES.len()] = [
    include_str!("words/en.json"),
    include_str!("words/zh-Hans.json"),
    include_str!("words/ro.json"),
    include_str!("words/lv.json"),
    include_str!("words/it.json"),
];

/// Those of a language by its tag; English where there are none.
pub(super) fn of(tag: &str) -> Words {
    let place = wording::find(tag).unwrap_or_default();
    let file = FILES.get(place).expect("a test looks for each");
    serde_json::from_str(file).expect("a test reads every file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_says_all_of_it() {
        for (language, file) in LANGUAGES.into_iter().zip(FILES) {
            let words: Words = serde_json::from_str(file).unwrap();
            assert_eq!(words.language, language);
            let names = |text: &str| text.matches('{').count();
            let of = |note: &Note| note.lines.iter().map(|line| names(line)).sum::<usize>();
            assert_eq!((of(&words.nudge), of(&words.help)), (0, 6), "{language}");
            assert!(!file.contains("\"\""), "{language}: nothing is left empty");
        }
        assert_eq!(of("zh-Hans-CN").language, "zh-Hans");
        assert_eq!(of("RO").language, "ro");
        assert_eq!(of("tlh").language, "en");
    }
}
