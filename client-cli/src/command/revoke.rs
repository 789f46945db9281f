//! `revoke`: a phone that was lost or stolen is put out, a card that nobody used is closed. The key
//! turns with it, and held letters are sealed again.

use std::collections::BTreeSet;

use jiashu_proto::id::{DeviceId, InviteId, MemberId};
use jiashu_roster::{Asked, Change, Event, Op};
use serde::Serialize;

use super::{Context, View, turning};
use crate::args::family::RevokeArgs;
use crate::error::{CliError, ExitCode, Result};
use crate::round;
use crate::say;
use crate::state::chain;

/// What is to go.
#[derive(Clone, Copy, Debug)]
enum Target {
    Phone(DeviceId),
    Card(InviteId),
}

/// What `revoke --json` says.
#[derive(Serialize)]
struct Revoked {
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<u32>,
    serves: Vec<String>,
    /// Phones that came in by its cards, and are still in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    let_in: Vec<u32>,
}

pub(super) async fn run(context: &mut Context<'_>, args: &RevokeArgs) -> Result<()> {
    let target = match (args.device, args.card) {
        (Some(device), _) => Target::Phone(DeviceId(device)),
        (None, Some(card)) => Target::Card(InviteId(card)),
        (None, None) => return Err(CliError::new(ExitCode::Usage, "say which phone, or --card")),
    };
    View::open_to_write(&context.home)?;
    round::exchange(&context.home, context.ca(), &[]).await?;
    let view = View::open(&context.home)?;
    let serves = serves(&view, target)?;
    if !args.yes {
        ask(&view, target, &serves)?;
    }
    let later =
        "the relay did not answer: it is done as soon as it can be reached, see jiashu family";
    turning::hand_in(context, later, |view| {
        // Another may have done it meanwhile, or the numbers mean other phones by now.
        if self::serves(view, target)? != serves {
            let text = "it has changed meanwhile: look at jiashu family again";
            return Err(CliError::new(ExitCode::Refused, text));
        }
        let new = turning::link(view, vec![op(target)])?;
        turning::queue(view.state.db(), new, Vec::new())
    })
    .await?;
    // What it has set off, the held letters above all, is sent on at once if it can be.
    match round::exchange(&context.home, context.ca(), &[]).await {
        Err(error) if error.code != ExitCode::Offline => return Err(error),
        _ => {}
    }
    tell(context, &view, target, &serves)
}

fn op(target: Target) -> Op {
    match target {
        Target::Phone(device) => Op::RemoveDevice { device, asked: Asked::ByFamily },
        Target::Card(invite) => Op::CloseInvite { invite, asked: Asked::ByFamily },
    }
}

/// Whom it serves, if it is there and may be put out from here.
fn serves(view: &View, target: Target) -> Result<Vec<MemberId>> {
    turning::check_may_write(view, "remove phones and close cards")?;
    let roster = &view.family.roster;
    let none = |what: String| {
        CliError::new(
            ExitCode::BadInput,
            format!("there is no {what} (any more): see jiashu family"),
        )
    };
    match target {
        Target::Phone(device) if device == view.lane.me() => {
            let text = "this is that phone itself: another phone of the family removes it";
            Err(CliError::new(ExitCode::BadInput, text))
        }
        Target::Phone(device) => {
            let found = roster.devices().get(&device).map(|device| device.members.clone());
            found.ok_or_else(|| none(format!("phone {device}")))
        }
        Target::Card(invite) => {
            let found = roster.invites().get(&invite).map(|invite| invite.members.clone());
            found.ok_or_else(|| none(format!("open card {invite}")))
        }
    }
}

/// Phones still in that came by a card of `maker`, or by a card of one of those: whoever had it in
/// hand may have let in another, which does not go with it.
fn came_by(changes: &[Change], maker: DeviceId, is_in: impl Fn(DeviceId) -> bool) -> Vec<DeviceId> {
    let mut makers = BTreeSet::from([maker]);
    let mut cards = BTreeSet::new();
    for change in changes {
        let by_one = change.author.device().is_some_and(|author| makers.contains(&author));
        for event in &change.events {
            match event {
                Event::InviteMade { invite, .. } if by_one => {
                    cards.insert(*invite);
                }
                Event::Joined { device, invite, .. } if cards.contains(invite) => {
                    makers.insert(*device);
                }
                _ => {}
            }
        }
    }
    makers.into_iter().filter(|device| *device != maker && is_in(*device)).collect()
}

fn let_in_by(view: &View, target: Target) -> Result<Vec<DeviceId>> {
    let Target::Phone(device) = target else { return Ok(Vec::new()) };
    let changes: Vec<_> =
        chain::changes(view.state.db())?.into_iter().map(|(change, _)| change).collect();
    Ok(came_by(&changes, device, |device| view.family.roster.devices().contains_key(&device)))
}

fn ask(view: &View, target: Target, serves: &[MemberId]) -> Result<()> {
    let names = view.people.names(serves);
    let question = match target {
        Target::Phone(device) => {
            let made = view.family.roster.invites().values();
            let cards = made.filter(|invite| invite.made_by == Some(device)).count();
            let cards = match cards {
                0 => String::new(),
                1 => " The open card that it made is closed with it.".to_owned(),
                cards => format!(" The {cards} open cards that it made are closed with it."),
            };
            format!(
                "Phone {device} is for {names}. It gets no letter any more; what it has it \
                 keeps.{cards} Remove it?"
            )
        }
        Target::Card(invite) => {
            format!("Card {invite} is for {names}. It will let nobody in any more. Close it?")
        }
    };
    Context::confirm(&question, "nothing was changed")
}

fn tell(context: &mut Context<'_>, view: &View, target: Target, serves: &[MemberId]) -> Result<()> {
    let names = serves.iter().map(|member| view.people.name(*member)).collect::<Vec<_>>();
    let let_in = let_in_by(view, target)?;
    if context.globals.json {
        let (device, card) = match target {
            Target::Phone(device) => (Some(device.0), None),
            Target::Card(invite) => (None, Some(invite.0)),
        };
        let let_in = let_in.iter().map(|device| device.0).collect();
        return context.json(&Revoked { device, card, serves: names, let_in });
    }
    match target {
        Target::Phone(device) => {
            writeln!(
                context.out,
                "Phone {device} is out. What is written from now on it cannot open."
            )?;
            for device in let_in {
                say::warn(&format!(
                    "Phone {device} came in by a card of that phone, and is still in. If nobody \
                     of you knows it: jiashu revoke {device}"
                ));
            }
            say::note(&format!("A new phone: jiashu invite --for \"{}\"", names.join(",")));
        }
        Target::Card(invite) => {
            writeln!(context.out, "Card {invite} is closed. It lets nobody in.")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiashu_proto::id::LinkHash;
    use jiashu_roster::Author;

    use super::*;

    fn change(author: Author, event: Event) -> Change {
        Change { number: 1, hash: LinkHash::NONE, author, events: vec![event] }
    }

    fn made(by: u32, invite: u32) -> Change {
        let (invite, members) = (InviteId(invite), vec![MemberId(1)]);
        let made = Event::InviteMade { invite, members, expires_at: 0 };
        change(Author::Device(DeviceId(by)), made)
    }

    fn joined(device: u32, invite: u32) -> Change {
        let (device, members) = (DeviceId(device), vec![MemberId(1)]);
        let joined = Event::Joined { device, invite: InviteId(invite), members };
        change(Author::Invite(InviteId(invite)), joined)
    }

    #[test]
    fn phones_that_a_thief_let_in_are_found_and_those_of_others_are_not() {
        let changes =
            [joined(1, 1), joined(2, 2), made(2, 3), made(1, 4), joined(3, 3), joined(4, 4)]
                .into_iter()
                .chain([made(3, 5), joined(5, 5), made(2, 6)])
                .collect::<Vec<_>>();
        let found = |is_in: fn(DeviceId) -> bool| came_by(&changes, DeviceId(2), is_in);

        assert_eq!(found(|_| true), [DeviceId(3), DeviceId(5)], "its own, and that one's");
        assert_eq!(found(|device| device != DeviceId(3)), [DeviceId(5)], "3 is out already");
    }
}
