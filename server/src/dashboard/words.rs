//! What pages for staff say, in each language: a file each, all with the same keys.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::wording::{self, LANGUAGES};

/// A group of words: a field each, none of which a language may leave out.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($key:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $(#[allow(missing_docs, reason = "the English file says it")] pub $key: String),* }
    };
}

/// The words for what code words stand for.
pub type Names = BTreeMap<String, String>;

/// All of a language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// BCP 47.
    pub language: String,
    /// Its own name for itself.
    pub own_name: String,
    /// Before the tenths.
    pub decimal: String,
    /// Monday first, short.
    pub weekdays: [String; 7],
    /// January first, short.
    pub months: [String; 12],
    /// A day and an hour: `{weekday}`, `{day}`, `{month}`, `{time}`.
    pub day_time: String,
    /// A day: `{day}`, `{month}`, `{year}`.
    pub date: String,
    /// By their code words.
    pub codes: Codes,
    /// What every page has.
    pub frame: Frame,
    /// Signing in.
    pub sign_in: SignIn,
    /// The worklist.
    pub families: Families,
    /// One family.
    pub case: Case,
    /// The programme.
    pub programme: Programme,
    /// New families.
    pub enrol: Enrol,
    /// Staff and sites.
    pub people: People,
    /// What holds in the programme.
    pub settings: Settings,
    /// Who looked.
    pub audit: Audit,
    /// Oneself.
    pub own: Own,
    /// What was done, by its key.
    pub done: Names,
    /// What was not, by the name of its code; `other` for all others.
    pub refused: Names,
}

/// Words for code words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// How somebody stands.
    pub standing: Names,
    /// How often there was contact.
    pub band: Names,
    /// Who somebody is in a family, or among the staff.
    pub role: Names,
    /// How a phone is used.
    pub phone: Names,
    /// Why nothing is expected.
    pub pause: Names,
    /// Why somebody is suspended.
    pub suspended: Names,
    /// What is to be done.
    pub task: Names,
    /// Who looks after the children.
    pub care: Names,
    /// What holds of an agreement.
    pub agreed: Names,
    /// What staff did, or wanted to see.
    pub action: Names,
}

words!(
    /// What every page has.
    Frame {
        brand, skip, families, programme, enrol, people, settings, audit, own, sign_out, as_of, csv, table, yes, no, save,
        back, more, nothing, too_few, close
    }
);

words!(
    /// Signing in.
    SignIn {
        title, intro, email, send, sent, sent_hint, link_title, link_for, come_in, gone_title, gone, ended
    }
);

words!(
    /// The worklist.
    Families {
        title, intro, first, find, find_hint, site, any_site, standing, any_standing, narrow, show, family, stands, days, days_ago,
        day_ago, today, never, ways, missed, often, next, at_home, there, nothing_planned, phones, to_do, help, ring, leaves, renew,
        not_counted, none, none_here, total, no_phone, unused, why_no_answer, why_nothing, why_days,
    }
);

words!(
    /// One family.
    Case {
        title, noted, worker, site_team, site, children, child, home, away, weeks, weeks_hint, week, expected, kept, days,
        heard_home, heard_away, open, closed, no_weeks, plan, planned, proposed, no_plan, propose, propose_hint, every_day, at,
        send_plan, pauses, no_pause, taken_back, pause, reason, from, until, set_pause, resume, members, zone, language,
        takes_part, counted, agreed, suspended, phones, serves, use_, tasks, since, seen_to, no_task, next, who, by_whom,
        assign, week_all, week_some, week_none, week_nothing, week_paused, week_unknown, heat_told, funnel, funnel_hint, to_child, to_parent, sent, reached, heard, answered, visits, no_visit, how, visited, called, on, note_it, task_of, note_call, closes,
    }
);

words!(
    /// The programme.
    Programme {
        title, narrow, site, worker, corridor, age, care, standing, period, all, unknown, show, clear, last_weeks, too_few, too_few_hint, children, families, of_week, standing_title, by_site, trend_title, kept_line, both_line, risk_line, trend_told, kept_title, kept_told, kept, expected, share, interval, gaps_title, gaps_told, days, hours_title, hours_told, hour, phones_title, shared, idle, no_site, total, week, open, left_out, suppressed, none, none_fit, both_ways, kept_week, kept_weeks, whole_hint, idle_title, band_told,
    }
);

words!(
    /// Staff and sites.
    People {
        title, staff, name, role, sites, families, status, active, invited, left, add, add_hint, email, language, remove,
        remove_hint, link, link_title, link_hint, link_until, site, code, zone, org_unit, add_site, site_hint, all_sites, sure
    }
);

words!(
    /// What holds in the programme.
    Settings {
        title, thresholds, thresholds_hint, on_track, watch, at_risk, silent, missed, days, weekly, consent, consent_hint,
        jurisdiction, no_jurisdiction, text_version, valid_months, only_coordinator
    }
);

words!(
    /// Who looked.
    Audit { title, intro, when, who, what, of, detail, allowed, hash, refused, shown, older }
);

words!(
    /// New families; the rest is said by the page's script.
    Enrol { needs_script, not_built }
);

words!(
    /// Oneself.
    Own {
        title, name, email, email_hint, language, sessions, sessions_hint, this_one, began, seen, ends, browser, end, end_others
    }
);

/// In the order of [`LANGUAGES`].
const FILES: [&str; LANGUAGES.len()] = [
    include_str!("words/en.json"),
    include_str!("words/zh-Hans.json"),
    include_str!("words/ro.json"),
    include_str!("words/lv.json"),
    include_str!("words/it.json"),
];

static ALL: LazyLock<Vec<Words>> = LazyLock::new(|| {
    let read = |file: &&str| serde_json::from_str(file).expect("a test reads every file");
    FILES.iter().map(read).collect()
});

/// All languages there are, English first.
#[must_use]
pub fn all() -> &'static [Words] {
    &ALL
}

/// Those of a language by its tag; `None` where there are none.
#[must_use]
pub fn find(tag: &str) -> Option<&'static Words> {
    wording::find(tag).and_then(|place| ALL.get(place))
}

/// Those of a language by its tag; English where there are none.
#[must_use]
pub fn of(tag: &str) -> &'static Words {
    find(tag).or(ALL.first()).expect("there are some")
}

/// The best that a browser asks for, by its header `Accept-Language` (RFC 9110, 12.5.4).
#[must_use]
pub fn accepted(header: &str) -> &'static Words {
    let asked = header.split(',').filter_map(|one| {
        let (tag, q) = one.split_once(';').unwrap_or((one, "q=1"));
        let q: f32 = q.trim().strip_prefix("q=")?.parse().ok()?;
        Some((find(tag.trim())?, q))
    });
    let best = asked.fold(None, |best: Option<(&Words, f32)>, (words, q)| match best {
        Some((_, best_q)) if best_q >= q => best,
        _ => Some((words, q)),
    });
    best.map_or_else(|| of("en"), |(words, _)| words)
}

/// The word for a code word; the code word itself, where a newer relay knows more.
#[must_use]
pub fn name<'a>(names: &'a Names, code: &'a str) -> &'a str {
    names.get(code).map_or(code, String::as_str)
}

#[cfg(test)]
mod tests {
    use jiashu_contact::figures::Band;
    use jiashu_contact::standing::Standing;
    use serde_json::Value;

    use super::*;
    use crate::ngo::audit::ACTIONS;

    /// Every key with its text.
    fn leaves(value: &Value, path: &str, found: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(fields) => {
                fields
                    .iter()
                    .for_each(|(key, value)| leaves(value, &format!("{path}/{key}"), found));
            }
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(n, value)| leaves(value, &format!("{path}/{n}"), found));
            }
            Value::String(text) => drop(found.insert(path.to_owned(), text.clone())),
            _ => panic!("{path}"),
        }
    }

    #[test]
    fn every_language_says_all_of_it_with_the_same_names_to_fill_in() {
        let read = |file: &str| {
            let mut found = BTreeMap::new();
            leaves(&serde_json::from_str(file).unwrap(), "", &mut found);
            found
        };
        let names = |text: &str| {
            let mut names: Vec<_> = text
                .split('{')
                .skip(1)
                .map(|part| part.split('}').next().unwrap().to_owned())
                .collect();
            names.sort();
            names
        };
        let english = read(FILES[0]);
        for (language, file) in LANGUAGES.into_iter().zip(FILES) {
            let words = of(language);
            assert_eq!(words.language, language);
            let found = read(file);
            assert_eq!(
                found.keys().collect::<Vec<_>>(),
                english.keys().collect::<Vec<_>>(),
                "{language}"
            );
            for (key, text) in &found {
                assert!(!text.trim().is_empty(), "{language}{key} is empty");
                // A date may leave out the name of a month.
                if !key.ends_with("date") && !key.ends_with("day_time") {
                    assert_eq!(names(text), names(&english[key]), "{language}{key}");
                }
            }
        }
    }

    #[test]
    fn every_code_word_has_a_word() {
        for words in all() {
            let codes = &words.codes;
            assert!(Standing::ALL.iter().all(|one| codes.standing.contains_key(one.name())));
            assert!(Band::ALL.iter().all(|one| codes.band.contains_key(one.name())));
            let roles = ["parent", "caregiver", "child", "coordinator", "caseworker", "auditor"];
            assert!(roles.iter().all(|role| codes.role.contains_key(*role)));
            assert!(ACTIONS.iter().all(|action| codes.action.contains_key(*action)));
        }
    }

    #[test]
    fn a_browser_is_answered_in_the_best_of_its_languages() {
        let cases = [
            ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
            ("de,lv;q=0.5,it;q=0.7", "it"),
            ("en;q=0.1, ro", "ro"),
            ("", "en"),
            ("x;q=nonsense", "en"),
        ];
        for (header, expected) in cases {
            assert_eq!(accepted(header).language, expected, "{header}");
        }
    }
}
