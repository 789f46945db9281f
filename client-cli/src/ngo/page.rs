//! The cards as a page to print: one file, that asks nothing of any network. Pure.

use std::fmt::Write as _;

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

use super::draw::PrintedCard;
use super::wording;
use crate::say::as_html;

/// Cards on a sheet of A4, two by two.
const PER_SHEET: usize = 4;

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>Cards: print, then delete this file</title>
<style>
@page { size: A4; margin: 10mm }
* { box-sizing: border-box; margin: 0 }
body { font-family: system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; color: #000 }
.sheet { display: flex; flex-wrap: wrap; width: 190mm; margin: 0 auto }
.sheet + .sheet { break-before: page }
.card { width: 95mm; height: 136mm; padding: 6mm; border: 1px dashed #777; overflow: hidden;
  break-inside: avoid; display: flex; flex-direction: column; gap: 1.5mm; font-size: 10.5pt }
.card > * { flex: none }
h1 { font-size: 13pt }
.who { font-size: 17pt; font-weight: bold; overflow-wrap: anywhere; max-height: 3.6em; overflow: hidden }
.phone { overflow-wrap: anywhere }
svg { width: 46mm; height: 46mm; align-self: center }
ol { padding-left: 5mm }
.warning { font-weight: bold }
.link { font-size: 6.5pt; font-family: monospace; overflow-wrap: anywhere }
.foot { margin-top: auto; display: flex; justify-content: space-between; font-size: 9pt }
@media screen { body { background: #eee } .sheet { background: #fff; margin-bottom: 8mm } }
</style>
<body>
"#;

/// The page with these cards, in this order.
pub(super) fn render(cards: &[&PrintedCard]) -> String {
    let mut html = HEAD.to_owned();
    for sheet in cards.chunks(PER_SHEET) {
        html.push_str("<div class=\"sheet\">\n");
        for card in sheet {
            push_card(&mut html, card);
        }
        html.push_str("</div>\n");
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn push_card(html: &mut String, card: &PrintedCard) {
    let (lang, words) = wording::of(&card.language);
    let separator = if lang.starts_with("zh") { "、" } else { ", " };
    let steps: String = words.steps.iter().map(|step| format!("<li>{step}</li>")).collect();
    write!(
        html,
        "<section class=\"card\" lang=\"{lang}\">\n\
         <h1>{title}</h1>\n\
         <p class=\"who\">{for_whom}: {names}</p>\n\
         <p class=\"phone\">{phone}: {device}</p>\n\
         {qr}\n\
         <ol>{steps}</ol>\n\
         <p class=\"warning\">{warning}</p>\n\
         <p class=\"link\">{link}</p>\n\
         <p class=\"foot\"><span>{valid_until} <b>{expires_on}</b></span> \
         <span>{code} {case_code}</span></p>\n\
         </section>\n",
        title = words.title,
        for_whom = words.for_whom,
        names = as_html(&card.members.join(separator)),
        phone = words.phone,
        device = as_html(&card.device),
        qr = qr(&card.link),
        warning = words.warning,
        link = as_html(&card.link),
        valid_until = words.valid_until,
        expires_on = as_html(&card.expires_on),
        code = words.code,
        case_code = as_html(&card.case_code),
    )
    .expect("writing to memory cannot fail");
}

fn qr(link: &str) -> String {
    let code = QrCode::with_error_correction_level(link, EcLevel::M)
        .expect("a link is far shorter than what a QR code holds");
    let svg = code.render::<svg::Color<'_>>().module_dimensions(4, 4).build();
    // What precedes the element is for files that hold nothing else.
    svg.split_once("?>").map_or(svg.clone(), |(_, element)| element.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(language: &str, name: &str) -> PrintedCard {
        PrintedCard {
            case_code: "LI-7".into(),
            device: "Home & garden".into(),
            members: vec![name.into(), "Lili".into()],
            link: "https://relay.example.org/join#AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into(),
            member_numbers: vec![2, 3],
            language: language.into(),
            expires_on: "2026-12-23".into(),
            shared_device: None,
        }
    }

    #[test]
    fn a_card_shows_what_a_grandmother_needs() {
        let html = render(&[&card("zh-Hans", "奶奶")]);

        for text in
            ["家书", "奶奶、Lili", "有效期至", "2026-12-23", "LI-7", "<svg", "Home &amp; garden"]
        {
            assert!(html.contains(text), "{text}");
        }
    }

    #[test]
    fn names_are_shown_as_text() {
        let html = render(&[&card("en", "<script>alert('x')</script>\"&")]);

        assert!(!html.contains("<script"));
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;"));
    }

    #[test]
    fn the_page_asks_nothing_of_any_network() {
        let html = render(&[&card("ro", "Maria")]);

        let without_link = html.replace("https://relay.example.org", "");
        let without_names = without_link.replace("http://www.w3.org/2000/svg", "");
        for sign in ["http:", "https:", "//", " src=", " href=", "url(", "@import", "<?xml"] {
            assert!(!without_names.contains(sign), "{sign}");
        }
        assert!(html.contains("default-src 'none'"));
    }

    #[test]
    fn four_cards_stand_on_a_sheet() {
        let card = card("en", "Ion");

        let html = render(&[&card; 9]);

        assert_eq!(html.matches("class=\"sheet\"").count(), 3);
        assert_eq!(html.matches("class=\"card\"").count(), 9);
    }
}
