//! `family`: who is in, on which phones, by which open cards, what changed, who asks to be let in;
//! and where the relay shows another list of phones, both.

use jiashu_proto::entry::{Care, Content, PLACEMENT_KEY};
use jiashu_proto::id::{Epoch, MemberId, Millis};
use jiashu_roster::Roster;
use rusqlite::Connection;
use serde::Serialize;

use super::changes::{self, ChangeJson};
use super::letter::utc;
use super::requests::{self, Asking, RequestJson};
use super::{Context, View, suspensions};
use crate::clock::{now, now_ms};
use crate::error::{ExitCode, Result};
use crate::say::{self, People, on_clock, zone};
use crate::state::fact;
use crate::sync::forks;

/// What `family --json` says.
#[derive(Serialize)]
pub(super) struct FamilyJson {
    members: Vec<MemberJson>,
    care: Option<&'static str>,
    devices: Vec<DeviceJson>,
    cards: Vec<CardJson>,
    requests: Vec<RequestJson>,
    changes: Vec<ChangeJson>,
    fork: Option<ForkJson>,
}

#[derive(Serialize)]
struct MemberJson {
    member: u32,
    name: String,
    role: &'static str,
    zone: Option<String>,
    local: Option<String>,
    suspended: bool,
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

/// The list of phones that the relay shows, where it is another than ours.
#[derive(Serialize)]
pub(super) struct ForkJson {
    from: Epoch,
    devices: Vec<DeviceJson>,
    cards: Vec<CardJson>,
    this_phone_is_in: bool,
}

pub(super) async fn run(context: &mut Context<'_>) -> Result<()> {
    // A list that does not check is shown before it is said that it does not.
    let exchanged = match context.exchange_or_go_on().await {
        Err(error) if error.code != ExitCode::Unsafe => return Err(error),
        exchanged => exchanged,
    };
    let view = View::open(&context.home)?;
    let family = describe(&view)?;
    if context.globals.json {
        context.json(&family)?;
    } else {
        print(context, &view, &family)?;
        if let Some((from, roster)) = forks::shown(view.state.db())? {
            print_fork(&view, from, &roster);
        }
    }
    exchanged.map(drop)
}

/// The family as it stands.
pub(super) fn describe(view: &View) -> Result<FamilyJson> {
    let View { people, family, state, .. } = view;
    let suspended = suspensions::lasting(state.db())?;
    let members = people.roles().iter().map(|(member, role)| {
        let zone_name = people.zone(*member);
        MemberJson {
            member: member.0,
            name: people.name(*member),
            role: role.name(),
            zone: zone_name.map(ToOwned::to_owned),
            local: zone_name.map(|name| on_clock(now(), &zone(name))),
            suspended: suspended.contains(member),
        }
    });
    let fork = forks::shown(state.db())?;
    let asking = requests::open(state, family, now_ms())?;
    Ok(FamilyJson {
        members: members.collect(),
        care: care(state.db())?,
        devices: devices(view, &family.roster),
        cards: cards(view, &family.roster),
        requests: asking.iter().map(|asking| asking.json(people)).collect(),
        changes: changes::recent(state, people, now_ms())?,
        fork: fork.map(|(from, roster)| fork_json(view, from, &roster)),
    })
}

/// Who looks after the children, as the staff of the programme noted it.
fn care(db: &Connection) -> Result<Option<&'static str>> {
    let placement = fact::find(db, PLACEMENT_KEY)?.and_then(|fact| match fact.content {
        Content::Placement(placement) => Some(placement),
        _ => None,
    });
    Ok(placement.and_then(|placement| placement.care).map(Care::name))
}

fn names(people: &People, members: &[MemberId]) -> Vec<String> {
    members.iter().map(|member| people.name(*member)).collect()
}

fn devices(view: &View, roster: &Roster) -> Vec<DeviceJson> {
    let devices = roster.devices().iter().map(|(id, device)| DeviceJson {
        device: id.0,
        serves: names(&view.people, &device.members),
        this: *id == view.lane.me(),
    });
    devices.collect()
}

fn cards(view: &View, roster: &Roster) -> Vec<CardJson> {
    let cards = roster.invites().iter().map(|(id, invite)| CardJson {
        invite: id.0,
        serves: names(&view.people, &invite.members),
        expires_at: utc(invite.expires_at),
    });
    cards.collect()
}

/// The relay's list as `--json` has it.
pub(super) fn fork_json(view: &View, from: Epoch, roster: &Roster) -> ForkJson {
    ForkJson {
        from,
        devices: devices(view, roster),
        cards: cards(view, roster),
        this_phone_is_in: forks::is_in(roster, &view.lane),
    }
}

fn print(context: &mut Context<'_>, view: &View, family: &FamilyJson) -> Result<()> {
    for MemberJson { member, name, role, local, suspended, .. } in &family.members {
        let local = local.as_ref().map(|local| format!("  now {local}")).unwrap_or_default();
        let suspended = if *suspended { ", suspended by the staff" } else { "" };
        writeln!(context.out, "{member}  {name}, {role}{local}{suspended}")?;
    }
    if let Some(care) = family.care {
        writeln!(context.out, "Who looks after the children, as the staff noted it: {care}")?;
    }
    writeln!(context.out)?;
    for line in phones_and_cards(view, &family.devices, &family.cards) {
        writeln!(context.out, "{line}")?;
    }
    print_requests(context, view)?;
    if !family.changes.is_empty() {
        writeln!(context.out, "\nin the last 30 days:")?;
    }
    for ChangeJson { at, what } in &family.changes {
        writeln!(context.out, "  {}  {what}", view.people.clock(parsed(at)))?;
    }
    Ok(())
}

fn phones_and_cards(view: &View, devices: &[DeviceJson], cards: &[CardJson]) -> Vec<String> {
    let phones = devices.iter().map(|DeviceJson { device, serves, this }| {
        let this = if *this { "  (this one)" } else { "" };
        format!("phone {device}  for {}{this}", serves.join(", "))
    });
    let cards = cards.iter().map(|CardJson { invite, serves, expires_at }| {
        let until = parsed(expires_at);
        let over = if until <= now_ms() { "expired" } else { "good until" };
        let until = view.people.clock(until);
        format!("open card {invite}  for {}, {over} {until}", serves.join(", "))
    });
    phones.chain(cards).collect()
}

fn print_requests(context: &mut Context<'_>, view: &View) -> Result<()> {
    for asking in requests::open(&view.state, &view.family, now_ms())? {
        let Asking { seq, request, .. } = &asking;
        let (names, digits) = (view.people.names(&request.members), asking.groups());
        writeln!(context.out, "\na new phone for {names} asks to be let in; its digits must be")?;
        writeln!(context.out, "    {digits}")?;
        writeln!(context.out, "call them and compare: jiashu admit {seq}")?;
    }
    Ok(())
}

/// Both lists, in red where there are colours; the words say it all.
pub(super) fn print_fork(view: &View, from: Epoch, roster: &Roster) {
    let (ours, theirs) = (&view.family.roster, roster);
    say::warn(&format!(
        "WARNING: from change {from} on the relay shows another list of phones than this one knows."
    ));
    for (whose, roster) in [("this phone's list", ours), ("the relay's list", theirs)] {
        say::warn(&format!("{whose}:"));
        for line in phones_and_cards(view, &devices(view, roster), &cards(view, roster)) {
            say::warn(&format!("  {line}"));
        }
    }
    say::warn("Nothing is sent from here. Call each other: whose phones are these?");
    say::warn(if forks::is_in(roster, &view.lane) {
        "If the relay's list is right, take it: jiashu family accept"
    } else {
        "This phone is not in the relay's list: if that is right, it needs a new card."
    });
}

fn parsed(at: &str) -> Millis {
    at.parse::<jiff::Timestamp>().map_or(0, |at| at.as_millisecond())
}
