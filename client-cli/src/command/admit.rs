//! `admit`: lets in a new phone that asks, once two people have compared its digits by telephone.

use std::io::{BufRead as _, IsTerminal as _};

use jiashu_proto::frame::Card;
use jiashu_roster::{Op, PublicKey};
use serde_json::json;

use super::requests::{self, Asking};
use super::{Context, View, turning};
use crate::args::family::AdmitArgs;
use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::round;
use crate::say;
use crate::state::request::{self, Seen};

pub(super) async fn run(context: &mut Context<'_>, args: &AdmitArgs) -> Result<()> {
    View::open_to_write(&context.home)?;
    round::exchange(&context.home, context.ca(), &[]).await?;
    let view = View::open(&context.home)?;
    if let Some(number) = args.refuse {
        return refuse(context, &view, number);
    }
    turning::check_may_write(&view, "let phones in")?;
    let asking = find(&view, args.request)?;
    compare(&view, &asking, args.yes_digits.as_deref())?;
    let later = "the relay did not answer: it is let in as soon as it can be reached";
    turning::hand_in(context, later, |view| {
        // What was compared must still be what asks.
        let asking = find(view, Some(asking.seq)).ok().filter(|now| now.digits == asking.digits);
        let asking = asking.ok_or_else(|| {
            CliError::new(
                ExitCode::Refused,
                "it has changed meanwhile: look at jiashu family again",
            )
        })?;
        let (op, card) = op_and_card(view, &asking);
        let new = turning::link(view, vec![op])?;
        turning::queue(view.state.db(), new, vec![card])
    })
    .await?;
    let names = view.people.names(&asking.request.members);
    if context.globals.json {
        let answer = json!({ "admitted": asking.json(&view.people) });
        return context.json(&answer);
    }
    writeln!(context.out, "Let in: a phone for {names}.")?;
    say::note("Tell them to type on it: jiashu join");
    Ok(())
}

/// The request of that number, or the only one.
fn find(view: &View, number: Option<u64>) -> Result<Asking> {
    let bad = |text: String| CliError::new(ExitCode::BadInput, text);
    let mut open = requests::open(&view.state, &view.family, now_ms())?;
    match number {
        Some(number) => {
            open.retain(|asking| asking.seq == number);
            open.pop().ok_or_else(|| {
                bad(format!(
                    "no new phone asks under number {number} (any more): see jiashu family"
                ))
            })
        }
        None if open.len() > 1 => {
            let numbers: Vec<_> = open.iter().map(|asking| asking.seq.to_string()).collect();
            Err(bad(format!("several phones ask: say which, {}", numbers.join(" or "))))
        }
        None => open.pop().ok_or_else(|| bad("no new phone asks to be let in".to_owned())),
    }
}

/// Two people read the digits to each other; a script brings them.
fn compare(view: &View, asking: &Asking, digits: Option<&str>) -> Result<()> {
    let others = "NOT let in: these are not its digits. Do not let it in, and tell the \
                  programme's staff";
    if let Some(digits) = digits {
        let read: Vec<_> = digits.split(['-', ' ']).filter(|group| !group.is_empty()).collect();
        let same = read == asking.digits;
        return if same { Ok(()) } else { Err(CliError::new(ExitCode::Refused, others)) };
    }
    if !std::io::stdin().is_terminal() {
        let text = "nobody is here to compare: say --yes-digits with the six groups it shows";
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    let names = view.people.names(&asking.request.members);
    say::note(&format!(
        "A new phone for {names} asks to be let in. Call them, and let them read to you:"
    ));
    say::note(&format!("\n    {}\n", asking.groups()));
    say::note("Do they read the same? (yes/no)");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim().eq_ignore_ascii_case("yes") {
        Ok(())
    } else {
        Err(CliError::new(ExitCode::Refused, others))
    }
}

/// An ordinary card with the keys of the request; the phone has what else a card would carry.
fn op_and_card(view: &View, asking: &Asking) -> (Op, Card) {
    let request = &asking.request;
    let invite = view.family.roster.next_invite();
    let op = Op::AddInvite {
        invite,
        sign_pub: PublicKey(request.sign_pub),
        hpke_pub: PublicKey(request.hpke_pub),
        members: request.members.clone(),
        expires_at: request.expires_at,
    };
    (op, Card { invite, code_hash: request.code_hash, blob: Vec::new() })
}

fn refuse(context: &mut Context<'_>, view: &View, number: u64) -> Result<()> {
    let asking = find(view, Some(number))?;
    request::mark(view.state.db(), asking.request.code_hash, Seen::Refused)?;
    if context.globals.json {
        return context.json(&json!({ "refused": asking.json(&view.people) }));
    }
    Ok(writeln!(context.out, "Not let in. It is not shown on this phone any more.")?)
}
