//! What a filter of the programme's page can be set to, in words.

use jiashu_api::programme::{Filters, Programme};

use crate::dashboard::moment;
use crate::dashboard::words::{self, Words};

/// What can be chosen for one filter.
pub(super) struct Choice {
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    /// Its code, its word, and whether it is chosen.
    pub(super) options: Vec<(String, String, bool)>,
}

/// All of them that leave something to choose.
pub(super) fn choices(all: &'static Words, programme: &Programme) -> Vec<Choice> {
    let words = &all.programme;
    let Filters { site, worker, corridor, age, care, standing } = &programme.filters;
    let choices = &programme.choices;
    let corridors = choices.corridors.iter().map(|value| (value.clone(), corridor_name(value)));
    let unknown = |value: &String| match value.as_str() {
        "unknown" => (value.clone(), words.unknown.clone()),
        _ => (value.clone(), value.clone()),
    };
    let named = |names: &'static words::Names| {
        move |value: &String| match value.as_str() {
            "unknown" => (value.clone(), words.unknown.clone()),
            code => (value.clone(), words::name(names, code).to_owned()),
        }
    };
    let sites = choices.sites.iter().map(|one| (one.code.clone(), one.name.clone())).collect();
    let workers = choices.workers.iter().map(|one| {
        let name = if one.name.is_empty() { one.number.to_string() } else { one.name.clone() };
        (one.number.to_string(), name)
    });
    let of = |key,
              label: &'static String,
              options: Vec<(String, String)>,
              chosen: Option<String>| Choice {
        key,
        label,
        options: options
            .into_iter()
            .map(|(code, name)| (code.clone(), name, chosen.as_ref() == Some(&code)))
            .collect(),
    };
    let all = [
        of("site", &words.site, sites, site.clone()),
        of("worker", &words.worker, workers.collect(), worker.map(|number| number.to_string())),
        of("corridor", &words.corridor, corridors.collect(), corridor.clone()),
        of("age", &words.age, choices.ages.iter().map(unknown).collect(), age.clone()),
        of(
            "care",
            &words.care,
            choices.cares.iter().map(named(&all.codes.care)).collect(),
            care.clone(),
        ),
        of(
            "standing",
            &words.standing,
            choices.standings.iter().map(named(&all.codes.standing)).collect(),
            standing.clone(),
        ),
    ];
    // What leaves nothing to choose is not asked.
    all.into_iter().filter(|choice| !choice.options.is_empty()).collect()
}

/// `Europe/Rome>Asia/Shanghai` as people say it.
fn corridor_name(corridor: &str) -> String {
    corridor.split('>').map(moment::place).collect::<Vec<_>>().join(" → ")
}
