//! `jiashu ngo consent-text`: a text to read out, to the guardian and to the child, before they agree.
//!
//! What it says is docs/safeguarding.md in the words of who agrees; whoever changes the one changes the other.

use std::io::Write;
use std::path::Path;

use jiashu_proto::entry::{Jurisdiction, OF_AGE};
use serde_json::{Value, json};

use super::ConsentTextArgs;
use crate::args::Globals;
use crate::args::programme::Law;
use crate::error::{CliError, ExitCode, Result};
use crate::say::{as_html, note};

/// The texts, by language.
const TEXTS: [(&str, &str); 5] = [
    ("en", include_str!("consent_text/en.txt")),
    ("zh-Hans", include_str!("consent_text/zh-Hans.txt")),
    ("ro", include_str!("consent_text/ro.txt")),
    ("lv", include_str!("consent_text/lv.txt")),
    ("it", include_str!("consent_text/it.txt")),
];

/// The parts of a text, in the order in which they are read. What begins with `title` is a heading.
const PARTS: [&str; 16] = [
    "title",
    "programme",
    "guardian.title",
    "guardian.taking_part",
    "guardian.counting",
    "guardian.staff_see",
    "guardian.take_back",
    "guardian.ask",
    "guardian.question",
    "child.title",
    "child.taking_part",
    "child.counting",
    "child.staff_see",
    "child.take_back",
    "child.ask",
    "child.question",
];

const HEAD: &str = r#"<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<style>
@page { size: A4; margin: 20mm }
body { font-family: system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; font-size: 12pt; line-height: 1.4; max-width: 170mm; margin: 0 auto }
h2 { break-after: avoid }
p { break-inside: avoid }
</style>
"#;

/// Prints it, or saves it as a page.
pub(super) fn run(args: &ConsentTextArgs, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let parts = parts(&args.language, args.jurisdiction.and_then(Law::chosen));
    match &args.html {
        Some(file) => save(file, &page(&args.language, &parts))?,
        None if globals.json => {
            let of = |(name, text): &(&str, String)| ((*name).to_owned(), Value::from(&**text));
            let parts: serde_json::Map<_, _> = parts.iter().map(of).collect();
            writeln!(out, "{}", json!({ "language": args.language, "parts": parts }))?;
        }
        None => {
            for (_, text) in &parts {
                writeln!(out, "{text}\n")?;
            }
        }
    }
    note("A model: put in your programme, and let your own lawyer and a native speaker read it.");
    Ok(())
}

/// The text in that language, by its parts.
fn parts(language: &str, jurisdiction: Option<Jurisdiction>) -> Vec<(&'static str, String)> {
    let text = TEXTS.iter().find(|(tag, _)| *tag == language).map_or(TEXTS[0].1, |(_, text)| text);
    let age = jurisdiction.map_or(OF_AGE, Jurisdiction::own_word_age);
    // Of age everybody is everywhere: to say it by a number would be no news.
    let own_word = if age < OF_AGE { "own_word.age" } else { "own_word.none" };
    let part = |name| Some((name, part(text, name)?.replace("{age}", &age.to_string())));
    PARTS.into_iter().chain([own_word]).filter_map(part).collect()
}

fn part<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("[{name}]\n"))?;
    Some(rest.split("\n[").next().unwrap_or(rest).trim())
}

fn page(language: &str, parts: &[(&str, String)]) -> String {
    let element = |(name, text): &(&str, String)| {
        let tag = match *name {
            "title" => "h1",
            name if name.ends_with(".title") => "h2",
            _ => "p",
        };
        format!("<{tag}>{}</{tag}>\n", as_html(text))
    };
    let title = parts.first().map(|(_, text)| as_html(text)).unwrap_or_default();
    let body: String = parts.iter().map(element).collect();
    format!(
        "<!doctype html>\n<html lang=\"{language}\">\n{HEAD}<title>{title}</title>\n<body>\n{body}</body>\n</html>\n"
    )
}

/// A file of that name that is there already stays as it is: somebody may have written into it.
fn save(file: &Path, page: &str) -> Result<()> {
    let written =
        std::fs::File::create_new(file).and_then(|mut new| new.write_all(page.as_bytes()));
    written.map_err(|error| {
        CliError::new(ExitCode::BadInput, format!("cannot write {}: {error}", file.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_part_once_and_no_other() {
        for (tag, text) in TEXTS {
            let heads: Vec<_> = text.lines().filter(|line| line.starts_with('[')).collect();
            let known = PARTS.into_iter().chain(["own_word.age", "own_word.none"]);
            let expected: Vec<_> = known.clone().map(|name| format!("[{name}]")).collect();
            assert_eq!(heads, expected, "{tag}");
            for name in known {
                let part = part(text, name).unwrap();
                assert!(!part.is_empty() && !part.contains('['), "{tag}: {name}");
            }
        }
    }

    #[test]
    fn whoever_agrees_hears_how_to_take_it_back_and_whom_to_ask() {
        for (tag, _) in TEXTS {
            let all = parts(tag, None).into_iter().map(|(_, text)| text).collect::<String>();
            for verb in
                ["withdraw counting", "withdraw taking-part", "leave", "who-sees", "ask-for-help"]
            {
                assert!(all.contains(&format!("jiashu {verb}")), "{tag}: {verb}");
            }
            let age = |law| parts(tag, law).pop().unwrap().1;
            assert!(age(Some(Jurisdiction::Latvia)).contains("13"), "{tag}");
            assert_eq!(age(Some(Jurisdiction::Moldova)), age(None), "{tag}");
        }
    }

    #[test]
    fn a_page_holds_what_is_read() {
        let parts = parts("it", Some(Jurisdiction::Italy));

        let page = page("it", &parts);

        assert!(
            page.contains("<html lang=\"it\">") && page.contains("<h2>Al genitore o tutore</h2>")
        );
        assert!(page.contains("Se è d&#39;accordo"), "{page}");
        assert!(page.contains("Dai 14 anni"));
    }
}
