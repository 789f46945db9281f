//! `family`: who is in, on which phones, by which open cards, and what changed.

use jiashu_proto::id::{MemberId, Millis};
use jiashu_roster::{Asked, Event};
use serde::Serialize;

use super::letter::utc;
use super::{Context, View};
use crate::clock::{now, now_ms};
use crate::error::Result;
use crate::say::{People, on_clock, zone};
use crate::state::chain;

/// For how long every change is shown, in ms.
const CHANGES_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// What `family --json` says.
#[derive(Serialize)]
pub(super) struct FamilyJson {
    members: Vec<MemberJson>,
    devices: Vec<DeviceJson>,
    cards: Vec<CardJson>,
    changes: Vec<ChangeJson>,
}

#[derive(Serialize)]
struct MemberJson {
    member: u32,
    name: String,
    role: &'static str,
    zone: Option<String>,
    local: Option<String>,
}

#[derive(Serialize)]
struct DeviceJson {
    device: u32,
    serves: Vec<String>,
    this: bool,
}

#[derive(Serialize)]
struct CardJson {
    invite: u32,
    serves: Vec<String>,
    expires_at: String,
}

#[derive(Serialize)]
struct ChangeJson {
    at: String,
    what: String,
}

pub(super) async fn run(context: &mut Context<'_>) -> Result<()> {
    context.exchange_or_go_on().await?;
    let view = View::open(&context.home)?;
    let family = describe(&view)?;
    if context.globals.json { context.json(&family) } else { print(context, &view, &family) }
}

/// The family as it stands.
pub(super) fn describe(view: &View) -> Result<FamilyJson> {
    let View { people, family, lane, .. } = view;
    let names = |members: &[MemberId]| members.iter().map(|member| people.name(*member)).collect();
    let members = people.roles().iter().map(|(member, role)| {
        let zone_name = people.zone(*member);
        MemberJson {
            member: member.0,
            name: people.name(*member),
            role: role.name(),
            zone: zone_name.map(ToOwned::to_owned),
            local: zone_name.map(|name| on_clock(now(), &zone(name))),
        }
    });
    let devices = family.roster.devices().iter().map(|(id, device)| DeviceJson {
        device: id.0,
        serves: names(&device.members),
        this: *id == lane.me(),
    });
    let cards = family.roster.invites().iter().map(|(id, invite)| CardJson {
        invite: id.0,
        serves: names(&invite.members),
        expires_at: utc(invite.expires_at),
    });
    Ok(FamilyJson {
        members: members.collect(),
        devices: devices.collect(),
        cards: cards.collect(),
        changes: changes(view)?,
    })
}

fn changes(view: &View) -> Result<Vec<ChangeJson>> {
    let since = now_ms().saturating_sub(CHANGES_MS);
    let changes = chain::changes(view.state.db())?.into_iter();
    let recent = changes.filter(|(_, at)| *at >= since).flat_map(|(change, at)| {
        let events = change.events.into_iter();
        let lines = events.map(|event| in_words(&event, &view.people));
        lines.map(|what| ChangeJson { at: utc(at), what }).collect::<Vec<_>>()
    });
    Ok(recent.collect())
}

fn in_words(event: &Event, people: &People) -> String {
    match event {
        Event::MemberAdded { member, role } => {
            format!("{} belongs to the family, as {role}", people.name(*member))
        }
        Event::InviteMade { members, .. } => {
            format!("a card was made for {}", people.names(members))
        }
        Event::Joined { device, members, .. } => {
            format!("phone {device} joined, for {}", people.names(members))
        }
        Event::Removed { device, members, asked, .. } => {
            format!("phone {device} of {} was removed{}", people.names(members), by(*asked))
        }
        Event::InviteClosed { members, asked, .. } => {
            format!("a card for {} was closed unused{}", people.names(members), by(*asked))
        }
        Event::ServesNow { device, members, .. } => {
            format!("phone {device} is now for {}", people.names(members))
        }
    }
}

fn by(asked: Asked) -> &'static str {
    match asked {
        Asked::ByFamily => "",
        Asked::ByRelay => ", as the relay asked",
    }
}

fn print(context: &mut Context<'_>, view: &View, family: &FamilyJson) -> Result<()> {
    for MemberJson { member, name, role, local, .. } in &family.members {
        let local = local.as_ref().map(|local| format!("  now {local}")).unwrap_or_default();
        writeln!(context.out, "{member}  {name}, {role}{local}")?;
    }
    writeln!(context.out)?;
    for DeviceJson { device, serves, this } in &family.devices {
        let this = if *this { "  (this one)" } else { "" };
        writeln!(context.out, "phone {device}  for {}{this}", serves.join(", "))?;
    }
    for (card, (_, invite)) in family.cards.iter().zip(view.family.roster.invites()) {
        let over = if invite.expires_at <= now_ms() { "expired" } else { "good until" };
        let until = view.people.clock(invite.expires_at);
        writeln!(context.out, "open card  for {}, {over} {until}", card.serves.join(", "))?;
    }
    if !family.changes.is_empty() {
        writeln!(context.out, "\nin the last 30 days:")?;
    }
    for ChangeJson { at, what } in &family.changes {
        writeln!(context.out, "  {}  {what}", view.people.clock(parsed(at)))?;
    }
    Ok(())
}

fn parsed(at: &str) -> Millis {
    at.parse::<jiff::Timestamp>().map_or(0, |at| at.as_millisecond())
}
