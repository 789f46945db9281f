//! What an enrolment says to the worker: faults and progress on standard error, the rest on `out`.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiashu_proto::entry::Consent;
use jiashu_proto::id::Scope;
use serde_json::json;

use super::check::{Checked, Family, SharedPhone, shared_phones};
use super::folder::Folder;
use super::sheet::Finding;
use crate::error::Result;
use crate::say::{json_line, one_line};

/// How many of the phones that several of a family use are named; `--json` has all.
const MAX_NAMED: usize = 5;

/// What became of the list.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Families that the relay has confirmed as ours, now or before.
    pub(super) families: usize,
    /// Those of them that were confirmed in an earlier run.
    pub(super) already: usize,
    /// Their members.
    pub(super) members: usize,
    /// Families left out for a fault in their rows.
    pub(super) skipped: usize,
    /// Case codes that the relay knows by other cards, and the numbers of those families.
    pub(super) elsewhere: Vec<(String, Scope)>,
    /// Case codes that have begun anew.
    pub(super) anew: Vec<String>,
    /// Case codes that the relay refused, and why.
    pub(super) refused: Vec<(String, String)>,
    /// Case codes of which no letter moves yet, with the commands that change it.
    pub(super) not_active: Vec<(String, Vec<String>)>,
    /// Phones that serve several people.
    pub(super) shared: Vec<SharedPhone>,
    /// Case codes whose rows have changed since their cards were made.
    pub(super) changed: Vec<String>,
}

/// The faults, as a table or as objects, one a line.
pub(super) fn faults(faults: &[Finding], as_json: bool) {
    if as_json {
        for fault in faults {
            eprintln!("{}", json_line(fault).expect("texts have a form in JSON"));
        }
        return;
    }
    let column = faults.iter().map(|fault| fault.column.chars().count()).max().unwrap_or(0).max(6);
    let code = |fault: &Finding| fault.case_code.clone().unwrap_or_else(|| "-".into());
    let case = faults.iter().map(|fault| code(fault).len()).max().unwrap_or(0).max(9);
    if !faults.is_empty() {
        eprintln!("{:>5}  {:column$}  {:case$}  reason", "row", "column", "case_code");
    }
    for fault in faults {
        let Finding { row, column: name, reason, .. } = fault;
        eprintln!("{row:>5}  {name:column$}  {:case$}  {reason}", code(fault));
    }
}

/// The warnings, one line for all rows that have the same.
pub(super) fn warnings<'a>(warnings: impl IntoIterator<Item = &'a Finding>) {
    let mut rows: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for warning in warnings {
        let same = rows.entry((&warning.column, &warning.reason)).or_default();
        same.push(warning.row.to_string());
    }
    for ((column, reason), rows) in rows {
        let word = if rows.len() == 1 { "row" } else { "rows" };
        eprintln!("note: {word} {}, {column}: {reason}", rows.join(", "));
    }
}

/// The phones that serve several people: a line each of those of several families, the others together.
pub(super) fn shared(phones: &[SharedPhone]) {
    let (own, common): (Vec<_>, Vec<_>) =
        phones.iter().partition(|shared| shared.families.len() == 1);
    let name = |shared: &SharedPhone| {
        format!("{} of {}", one_line(&shared.phone), shared.families.join(", "))
    };
    if !own.is_empty() {
        let mut names: Vec<_> = own.iter().take(MAX_NAMED).map(|shared| name(shared)).collect();
        if own.len() > MAX_NAMED {
            names.push(format!("{} more", own.len() - MAX_NAMED));
        }
        let phones = plural(own.len(), "phone serves", "phones serve");
        eprintln!("note: {phones} several of a family: {}", names.join("; "));
    }
    for shared in common {
        let SharedPhone { members, children, .. } = shared;
        let (families, people) = (shared.families.len(), plural(*members, "person", "people"));
        eprintln!(
            "note: a phone serves {families} families, {people} ({}): {}. Each family has a card of its own",
            plural(*children, "child", "children"),
            name(shared)
        );
    }
}

/// The answer to `--dry-run`.
pub(super) fn dry_run(checked: &Checked, as_json: bool, out: &mut dyn Write) -> Result<()> {
    let families = checked.families.len();
    let members: usize = checked.families.iter().map(|family| family.members.len()).sum();
    let cards: usize = checked.families.iter().map(|family| family.phones().len()).sum();
    if as_json {
        let answer = json!({
            "dry_run": true, "families": families, "members": members, "printed": cards,
            "skipped": checked.faulty, "warnings": checked.warnings,
            "shared_phones": shared_phones(&checked.families),
        });
        writeln!(out, "{answer}")?;
    } else {
        let held = counted(families, members, cards);
        writeln!(out, "{held}: nothing was written or sent.")?;
        skipped(checked.faulty, out)?;
    }
    Ok(())
}

fn plural(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

fn counted(families: usize, members: usize, cards: usize) -> String {
    let families = plural(families, "family", "families");
    let members = plural(members, "member", "members");
    format!("{families}, {members}, {}", plural(cards, "card", "cards"))
}

fn skipped(faulty: usize, out: &mut dyn Write) -> Result<()> {
    if faulty > 0 {
        writeln!(
            out,
            "{faulty} left out for the faults above: correct them and run the same again."
        )?;
    }
    Ok(())
}

/// The answer to an enrolment.
pub(super) fn summary(
    tally: &Tally,
    folder: &Folder,
    cards: usize,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<()> {
    if as_json {
        let codes = tally.not_active.iter().map(|(code, _)| code).collect::<Vec<_>>();
        let elsewhere = tally.elsewhere.iter().map(|(code, _)| code).collect::<Vec<_>>();
        let refused = tally.refused.iter();
        let refused: Vec<_> =
            refused.map(|(code, reason)| json!({ "case_code": code, "reason": reason })).collect();
        let path = |path: &Path| path.exists().then(|| path.display().to_string());
        let answer = json!({
            "families": tally.families, "already": tally.already, "members": tally.members,
            "printed": cards, "skipped": tally.skipped, "elsewhere": elsewhere, "anew": tally.anew,
            "refused": refused, "changed": tally.changed, "not_active": codes,
            "shared_phones": tally.shared,
            "invites": path(&folder.invites()), "cards": path(&folder.page()),
        });
        writeln!(out, "{}", json_line(&answer)?)?;
        return Ok(());
    }
    let Tally { families, already, members, .. } = tally;
    let new = families.saturating_sub(*already);
    if new > 0 {
        writeln!(out, "{} enrolled.", plural(new, "family", "families"))?;
    }
    if *already > 0 {
        writeln!(out, "{already} already enrolled: nothing of them was changed.")?;
    }
    writeln!(out, "Of this list: {}.", counted(*families, *members, cards))?;
    skipped(tally.skipped, out)?;
    trouble(tally, out)?;
    if folder.has_cards() { advice(folder, out) } else { Ok(()) }
}

fn trouble(tally: &Tally, out: &mut dyn Write) -> Result<()> {
    for code in &tally.anew {
        writeln!(
            out,
            "{code}: began anew. Hand out its new cards; a phone of before that is found again says \
             so in red and needs one, too."
        )?;
    }
    for code in &tally.changed {
        writeln!(
            out,
            "{code}: enrolled as its cards were printed; what its rows say otherwise now is not used. \
             Names, zones and phones the family changes by itself."
        )?;
    }
    if !tally.elsewhere.is_empty() {
        let codes: Vec<_> = tally.elsewhere.iter().map(|(code, _)| code.as_str()).collect();
        let codes = codes.join(", ");
        writeln!(out, "Already enrolled from elsewhere, cards not in this folder: {codes}")?;
    }
    for (code, reason) in &tally.refused {
        writeln!(out, "{code}: refused: {}", one_line(reason))?;
    }
    if !tally.not_active.is_empty() {
        writeln!(
            out,
            "\n{} not yet active: no letter moves until this is recorded:",
            tally.not_active.len()
        )?;
    }
    for command in tally.not_active.iter().flat_map(|(_, commands)| commands) {
        writeln!(out, "  {command}")?;
    }
    Ok(())
}

fn advice(folder: &Folder, out: &mut dyn Write) -> Result<()> {
    let (page, invites) = (quoted(&folder.page()), quoted(&folder.invites()));
    writeln!(out, "\nPrint {page} and hand each card to its family. Who has a card can join that")?;
    writeln!(out, "family, so when they are printed delete both files:\n  rm {page} {invites}")?;
    Ok(())
}

/// A path as a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%".contains(&byte);
    if text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// The commands that make a family active: one a child without assent on record.
pub(super) fn consent_commands(family: &Family, recorded: &[Consent]) -> Vec<String> {
    let children = family.members.iter().filter(|member| !member.role.is_adult());
    let missing = children.filter(|member| {
        let of = recorded.iter().find(|consent| consent.member == member.number);
        of.is_none_or(|consent| consent.assent_on.is_none())
    });
    missing
        .map(|member| {
            let date = member.assent_on.as_deref().unwrap_or("DATE");
            let (code, number) = (&family.case_code, member.number);
            if code.starts_with('-') {
                // Else it would be read as an option.
                format!("jiashu ngo consent --assent-on {date} -- {code} {number}")
            } else {
                format!("jiashu ngo consent {code} {number} --assent-on {date}")
            }
        })
        .collect()
}

/// How far the sending is: a bar on a terminal, plain lines elsewhere.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    done: usize,
    total: usize,
}

impl Progress {
    /// Of so many families.
    pub(super) fn new(total: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{pos} of {len} families {wide_bar} {eta}");
            let length = u64::try_from(total).unwrap_or(u64::MAX);
            ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr())
                .with_style(style.expect("the template is right"))
        });
        Self { bar, done: 0, total }
    }

    /// So many more are done.
    pub(super) fn advance(&mut self, by: usize) {
        self.done = self.done.saturating_add(by);
        match &self.bar {
            Some(bar) => bar.inc(u64::try_from(by).unwrap_or(u64::MAX)),
            None => eprintln!("{} of {} families", self.done, self.total),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert_eq!(quoted(Path::new("cards/cards.html")), "cards/cards.html");
        assert_eq!(quoted(Path::new("my cards/o'k")), "'my cards/o'\\''k'");
    }

    #[test]
    fn what_a_relay_says_does_not_speak_to_the_terminal() {
        let no = ("LI-7".to_owned(), "full\u{1b}]0;x\u{7}\r\u{202e}".to_owned());
        let tally = Tally { refused: vec![no], ..Tally::default() };
        let mut out = Vec::new();

        trouble(&tally, &mut out).unwrap();

        let said = String::from_utf8(out).unwrap();
        assert_eq!(said, "LI-7: refused: full\u{fffd}]0;x\u{fffd}\u{fffd}\u{fffd}\n");
    }

    #[test]
    fn a_code_that_looks_like_an_option_is_not_read_as_one() {
        use clap::Parser as _;

        let list = "case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on\n\
                    -1,1,parent,Maria,Europe/Rome,ro,Maria,,,\n\
                    -1,2,child,Ion,Europe/Rome,ro,,,2026-05-03,2026-05-04\n";
        let checked = crate::ngo::check::check(list.as_bytes(), jiff::civil::date(2026, 11, 24));

        let commands = consent_commands(&checked.families[0], &[]);

        assert_eq!(commands, ["jiashu ngo consent --assent-on 2026-05-04 -- -1 2"]);
        assert!(crate::args::Cli::try_parse_from(commands[0].split(' ')).is_ok());
    }
}
