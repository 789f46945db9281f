//! `jiashu ngo tasks`: what is to be done for families; and `jiashu ngo mail`: what of it nobody was told of by e-mail.

use std::io::Write;

use jiashu_api::mail::Undelivered;
use jiashu_api::task::{Done, Task};

use super::pause::case_code;
use super::staff::Staff;
use super::{TasksCommand, api};
use crate::args::Globals;
use crate::error::Result;
use crate::say::{json_line, table};

/// Does what was typed.
pub(super) async fn run(
    command: Option<&TasksCommand>,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let staff = Staff::load(globals)?;
    let Some(TasksCommand::Done { case, kind, member }) = command else {
        return list(&staff, globals, out).await;
    };
    let case_code = case_code(case)?;
    let done = Done { kind: kind.word().to_owned(), member: *member };
    api::post(&staff, globals, &api::of_family(&case_code, "tasks/done"), &done).await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json_line(&done)?)?);
    }
    writeln!(out, "Noted that you have seen to it.")?;
    Ok(())
}

async fn list(staff: &Staff, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let tasks: Vec<Task> = api::get(staff, globals, "/api/v1/tasks").await?;
    if globals.json {
        for task in &tasks {
            writeln!(out, "{}", json_line(task)?)?;
        }
        return Ok(());
    }
    if tasks.is_empty() {
        writeln!(out, "Nothing waits for you.")?;
        return Ok(());
    }
    let mut rows = vec![["case", "what", "member", "since"].map(str::to_owned)];
    rows.extend(tasks.iter().map(|task| {
        let what = if task.kind == "help" { "asked for help" } else { "missed again and again" };
        [task.case_code.clone(), what.to_owned(), task.member.to_string(), task.since.clone()]
    }));
    for line in table(&rows) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// E-mails that did not arrive.
pub(super) async fn mail(globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let staff = Staff::load(globals)?;
    let all: Vec<Undelivered> = api::get(&staff, globals, "/api/v1/mail").await?;
    if globals.json {
        for one in &all {
            writeln!(out, "{}", json_line(one)?)?;
        }
        return Ok(());
    }
    if all.is_empty() {
        writeln!(out, "Every e-mail that was to be sent has been taken by the mail server.")?;
        return Ok(());
    }
    let mut rows = vec![["when", "about", "to", "what became of it"].map(str::to_owned)];
    rows.extend(all.iter().map(|one| {
        let to = match (one.staff, &one.case_code) {
            (Some(number), _) => format!("staff {number}"),
            (None, Some(case_code)) => format!("of {case_code}"),
            (None, None) => String::new(),
        };
        [one.at.clone(), one.about.clone(), to, became(one)]
    }));
    for line in table(&rows) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn became(one: &Undelivered) -> String {
    match (one.outcome.as_str(), one.smtp_code) {
        ("refused", Some(code)) => {
            format!("refused by the mail server ({code}): is the address right?")
        }
        ("given_up", _) => "given up after three days: ask the operator".to_owned(),
        ("nobody_to_tell", _) => "nobody has an address: jiashu ngo me --email ADDRESS".to_owned(),
        ("no_mail_server", _) => "no mail server is set up: ask the operator".to_owned(),
        ("unknown", _) => "nobody knows whether it arrived: ask whom it was for".to_owned(),
        ("perhaps_twice", _) => "arrived, perhaps twice".to_owned(),
        (other, _) => other.to_owned(),
    }
}
