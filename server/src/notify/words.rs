//! What e-mails say, in each language: a file each, all with the same keys.

use serde::Deserialize;

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

const FILES: [(&str, &str); 5] = [
    ("en", include_str!("words/en.json")),
    ("zh", include_str!("words/zh-Hans.json")),
    ("ro", include_str!("words/ro.json")),
    ("lv", include_str!("words/lv.json")),
    ("it", include_str!("words/it.json")),
];

/// Those of a language by its tag; English where there are none.
pub(super) fn of(tag: &str) -> Words {
    let primary = tag.split('-').next().unwrap_or_default().to_lowercase();
    let found = FILES.iter().find(|(language, _)| *language == primary);
    let (_, file) = found.or(FILES.first()).expect("there are some");
    serde_json::from_str(file).expect("a test reads every file")
}

/// The text with what its names stand for in their places.
pub(crate) fn filled(text: &str, names: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        filled.push_str(before);
        let value = names.iter().find(|(known, _)| *known == name);
        filled.push_str(value.map_or("", |(_, value)| value));
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_says_all_of_it() {
        for (language, file) in FILES {
            let words: Words = serde_json::from_str(file).unwrap();
            assert!(words.language.starts_with(language));
            let names = |text: &str| text.matches('{').count();
            let of = |note: &Note| note.lines.iter().map(|line| names(line)).sum::<usize>();
            assert_eq!((of(&words.nudge), of(&words.help)), (0, 6), "{language}");
            assert!(!file.contains("\"\""), "{language}: nothing is left empty");
        }
        assert_eq!(of("zh-Hans-CN").language, "zh-Hans");
        assert_eq!(of("RO").language, "ro");
        assert_eq!(of("tlh").language, "en");
    }

    #[test]
    fn a_value_is_put_in_once_and_not_looked_at_again() {
        let names = [("case", "{who}"), ("who", "x")];

        assert_eq!(filled("a {case} b {who}{none}", &names), "a {who} b x");
        assert_eq!(filled("open {", &names), "open {");
    }
}
