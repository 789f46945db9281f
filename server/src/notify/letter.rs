//! What an e-mail says, in the language of who reads it: as text, and as HTML that loads nothing.

use askama::Template;
use jiashu_proto::entry::Content;
use jiashu_proto::id::{MemberId, Millis, Role, Scope};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::digest::{Figures, figures};
use super::lines::{Line, seen_by};
use super::outbox::{About, Mail, Recipient, Written};
use super::programme_of;
use super::words::{self, Note, Words};
use crate::clock::timestamp;
use crate::contact;
use crate::execute::{self, Failure};
use crate::ngo::sign_in;
use crate::programme::{self, StaffFact, staff_key};
use crate::relay::Relay;
use crate::store::{Store, StoreError};
use crate::wording::filled;

/// A few lines.
#[derive(Template)]
#[template(path = "mail/note.txt")]
struct NoteText<'a> {
    heading: &'a str,
    lines: &'a [String],
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mail/note.html")]
struct NoteHtml<'a> {
    language: &'a str,
    heading: &'a str,
    lines: &'a [String],
    link: &'a str,
}

/// A table a week.
#[derive(Template)]
#[template(path = "mail/digest.txt")]
struct DigestText<'a> {
    words: &'a words::Digest,
    as_of: &'a str,
    parts: &'a [Part],
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mail/digest.html")]
struct DigestHtml<'a> {
    language: &'a str,
    words: &'a words::Digest,
    as_of: &'a str,
    parts: &'a [Part],
    link: &'a str,
}

struct Part {
    heading: String,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    cells: Vec<Cell>,
}

struct Cell {
    label: String,
    value: String,
}

/// What stands for a figure that is not shown.
const LEFT_OUT: &str = "–";

/// What it says; `None` where nobody is there any more to read it.
///
/// # Errors
///
/// [`Failure`].
pub async fn write(relay: &Relay, scope: Scope, mail: &Mail) -> Result<Option<Written>, Failure> {
    let store = &*relay.store;
    let link = relay.origin.as_str();
    match (&mail.about, mail.to) {
        (About::Nudge, Recipient::Member(member)) => {
            let words = words::of(&language_of(store, scope, member).await?);
            Ok(Some(note(&words.language, &words.nudge, &[], link)))
        }
        (About::Help(member), Recipient::Staff(number)) => {
            let programme = programme_of(store, scope).await?;
            let Some(placement) = contact::placement(store, scope).await? else { return Ok(None) };
            let fact: Option<StaffFact> =
                programme::find(store, programme, &staff_key(number)).await?;
            let Some(fact) = fact else { return Ok(None) };
            let words = words::of(&fact.language);
            let who = role(&words, role_of(relay, scope, *member).await?).to_owned();
            let zone = contact::home_zone(relay, scope).await?.unwrap_or_else(|| "UTC".to_owned());
            let (member, time) = (member.to_string(), clock(mail.asked_at, &zone));
            let names = [
                ("case", placement.case_code.as_str()),
                ("who", &who),
                ("member", &member),
                ("time", &time),
            ];
            Ok(Some(note(&words.language, &words.help, &names, link)))
        }
        (About::SignIn, Recipient::Staff(number)) => {
            let fact: Option<StaffFact> = programme::find(store, scope, &staff_key(number)).await?;
            let Some(fact) = fact else { return Ok(None) };
            let link = sign_in::make(relay, scope, number, "mail").await?.link;
            let words = words::of(&fact.language);
            Ok(Some(note(&words.language, &words.sign_in, &[], &link)))
        }
        (About::Digest(name), Recipient::Staff(number)) => {
            let fact: Option<StaffFact> = programme::find(store, scope, &staff_key(number)).await?;
            let figures = figures(store, scope, name).await?;
            let both = fact.zip(figures);
            Ok(both.map(|(fact, figures)| digest(&fact, figures, link)))
        }
        _ => Ok(None),
    }
}

async fn language_of(
    store: &dyn Store,
    family: Scope,
    member: MemberId,
) -> Result<String, StoreError> {
    let fact = store.fact(family, &format!("member/{member}")).await?;
    Ok(match fact.map(|record| Content::from_bytes(&record.content)) {
        Some(Ok(Content::Member(member))) => member.language,
        _ => String::new(),
    })
}

async fn role_of(relay: &Relay, family: Scope, member: MemberId) -> Result<Option<Role>, Failure> {
    let state = relay.store.state(family).await?.ok_or(StoreError::NoScope)?;
    let roster = execute::roster(relay, family, state.roster_head).await?;
    Ok(roster.members().get(&member).copied())
}

fn role(words: &Words, role: Option<Role>) -> &str {
    match role {
        Some(Role::Parent) => &words.roles.parent,
        Some(Role::Child) => &words.roles.child,
        Some(Role::Caregiver) | None => &words.roles.caregiver,
    }
}

fn note(language: &str, words: &Note, names: &[(&str, &str)], link: &str) -> Written {
    let lines: Vec<_> = words.lines.iter().map(|line| filled(line, names)).collect();
    let (heading, lines) = (words.heading.as_str(), lines.as_slice());
    Written {
        subject: words.subject.clone(),
        text: rendered(&NoteText { heading, lines, link }),
        html: rendered(&NoteHtml { language, heading, lines, link }),
    }
}

fn rendered(template: &impl Template) -> String {
    template.render().expect("writing to memory cannot fail")
}

/// What somebody is shown of a Monday's figures.
#[must_use]
pub fn digest(fact: &StaffFact, figures: Figures, link: &str) -> Written {
    let all = words::of(&fact.language);
    let Words { language, decimal, digest: words, .. } = &all;
    let Figures { ended, closed, zone, as_of, of_closed, of_ended } = figures;
    let part = |heading: &str, week: &str, lines: Vec<Line>| {
        let count = lines.len();
        let seen = seen_by(fact, lines);
        // Where the last is of all together, it says so.
        let total = (seen.len() == count).then(|| count.saturating_sub(1));
        let rows = seen.iter().enumerate();
        let rows = rows.map(|(place, line)| row(words, decimal, line, total == Some(place)));
        Part { heading: filled(heading, &[("week", &week_name(week))]), rows: rows.collect() }
    };
    let parts = [part(&words.closed, &closed, of_closed), part(&words.open, &ended, of_ended)];
    let as_of = filled(&words.as_of, &[("time", &clock(as_of, &zone))]);
    let (as_of, parts) = (as_of.as_str(), parts.as_slice());
    Written {
        subject: filled(&words.subject, &[("week", &week_name(&closed))]),
        text: rendered(&DigestText { words, as_of, parts, link }),
        html: rendered(&DigestHtml { language, words, as_of, parts, link }),
    }
}

/// `2026W48` as people write it.
fn week_name(week: &str) -> String {
    week.split_once('W').map_or_else(|| week.to_owned(), |(year, week)| format!("{week}/{year}"))
}

fn row(words: &words::Digest, decimal: &str, line: &Line, is_total: bool) -> Row {
    let name = match &line.site {
        Some(site) => site.clone(),
        None if is_total => words.total.clone(),
        None => words.elsewhere.clone(),
    };
    let count = |count: Option<u32>| count.map_or_else(|| LEFT_OUT.to_owned(), |n| n.to_string());
    let tenths = |value: f64| format!("{value:.1}").replace('.', decimal);
    let kept = match (line.adherence, line.kept, line.expected) {
        (Some(adherence), Some(kept), Some(expected)) => {
            format!("{} % ({kept}/{expected})", tenths(adherence))
        }
        (None, Some(kept), Some(expected)) => format!("{kept}/{expected}"),
        _ => LEFT_OUT.to_owned(),
    };
    let change = line.change.map_or_else(
        || LEFT_OUT.to_owned(),
        |change| format!("{}{}", if change > 0.0 { "+" } else { "" }, tenths(change)),
    );
    let idle = match (line.idle_phones, line.shared_phones) {
        (Some(idle), Some(shared)) => format!("{idle}/{shared}"),
        _ => LEFT_OUT.to_owned(),
    };
    let columns = &words.columns;
    let cells = [
        (&columns.children, count(line.children)),
        (&columns.kept, kept),
        (&columns.change, change),
        (&columns.at_risk, count(line.at_risk)),
        (&columns.silent, count(line.silent)),
        (&columns.newly, count(line.newly)),
        (&columns.idle, idle),
    ];
    let cell = |(label, value): (&String, String)| Cell { label: label.clone(), value };
    Row { name, cells: cells.into_iter().map(cell).collect() }
}

/// `2026-11-30 08:00 (Asia/Shanghai)`.
fn clock(at: Millis, zone: &str) -> String {
    let known = TimeZoneDatabase::bundled().get(zone).unwrap_or(TimeZone::UTC);
    let at = timestamp(at);
    let civil = known.to_datetime(at);
    let (date, hour, minute) = (civil.date(), civil.hour(), civil.minute());
    format!("{date} {hour:02}:{minute:02} ({zone})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programme::Role as StaffRole;

    fn figures() -> Figures {
        let line = Line {
            site: Some("<b>a&b</b>".into()),
            children: Some(30),
            expected: Some(210),
            kept: Some(175),
            adherence: Some(83.3),
            change: Some(4.2),
            at_risk: None,
            silent: Some(0),
            newly: None,
            shared_phones: Some(30),
            idle_phones: Some(12),
        };
        Figures {
            ended: "2026W48".into(),
            closed: "2026W47".into(),
            zone: "Asia/Shanghai".into(),
            as_of: 1_795_996_800_000,
            of_closed: vec![line.clone(), Line { site: None, ..line.clone() }],
            of_ended: vec![line.clone(), Line { site: None, ..line }],
        }
    }

    #[test]
    fn a_digest_says_the_figures_in_each_language_and_marks_what_is_left_out() {
        for (language, kept) in [
            ("en", "83.3 % (175/210)"),
            ("zh-Hans", "83.3 % (175/210)"),
            ("ro", "83,3 % (175/210)"),
            ("lv", "83,3 % (175/210)"),
            ("it", "83,3 % (175/210)"),
        ] {
            let fact = StaffFact {
                role: StaffRole::Coordinator,
                sites: vec![],
                name: String::new(),
                email: None,
                language: language.into(),
                left: false,
            };
            let Written { subject, text, html } = digest(&fact, figures(), "https://relay.example");

            assert!(subject.contains("47/2026") && !subject.contains('\n'), "{subject}");
            for body in [&text, &html] {
                assert!(body.contains(kept) && body.contains("12/30"), "{body}");
                assert!(body.contains("48/2026") && body.contains(LEFT_OUT), "{body}");
                assert!(body.contains("2026-11-30 08:00 (Asia/Shanghai)"), "{body}");
                assert!(body.contains("https://relay.example"), "{body}");
                assert!(!body.contains(" 0 %"), "what is left out is not 0: {body}");
            }
            assert!(!html.contains("<b>"), "a site's name is text: {html}");
            assert!(!html.contains("<img") && !html.contains("src="), "nothing is loaded");
        }
    }

    #[test]
    fn a_note_names_nobody() {
        let words = words::of("zh-Hans");

        let Written { subject, text, html } = note("zh-Hans", &words.nudge, &[], "http://r");

        assert!(subject.contains("家书") && text.contains("半分钟") && html.contains("半分钟"));
        assert!(!text.contains('{') && html.contains("<a href=\"http://r\">"), "{text}{html}");
    }
}
