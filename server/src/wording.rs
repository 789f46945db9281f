//! The languages in which people are spoken to, and texts with places to fill. What is said stands beside whoever says it: in
//! `notify/words` for e-mails, in `dashboard/words` for pages.

/// BCP 47 tags, English first: what is said to whoever speaks none of them.
pub const LANGUAGES: [&str; 5] = ["en", "zh-Hans", "ro", "lv", "it"];

/// The place of a tag's language among [`LANGUAGES`], whatever region or script it names.
#[must_use]
pub fn find(tag: &str) -> Option<usize> {
    let primary = |tag: &'_ str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    LANGUAGES.iter().position(|known| primary(known) == primary(tag))
}

/// The text with what its names stand for in their places.
#[must_use]
pub fn filled(text: &str, names: &[(&str, &str)]) -> String {
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
    fn a_language_is_found_by_any_of_its_tags() {
        let found = ["en", "zh-CN", "ZH", "ro-MD", "lv", "it", "tlh", "", "z"].map(find);

        assert_eq!(found, [Some(0), Some(1), Some(1), Some(2), Some(3), Some(4), None, None, None]);
    }

    #[test]
    fn a_value_is_put_in_once_and_not_looked_at_again() {
        let names = [("case", "{who}"), ("who", "x")];

        assert_eq!(filled("a {case} b {who}{none}", &names), "a {who} b x");
        assert_eq!(filled("open {", &names), "open {");
    }
}
