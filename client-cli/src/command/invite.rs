//! `invite`: a card that lets one more phone in, perhaps of a new member.

use jiashu_proto::frame::Card as CardFrame;
use jiashu_proto::id::{MemberId, Ref, Role};
use jiashu_roster::{Op, code_hash};
use jiashu_seal::{Card, DeviceCard, InviteSecret, JoinLink, KeyPairs};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde::Serialize;

use super::letter::utc;
use super::{Context, View, turning};
use crate::args::family::InviteArgs;
use crate::clock::now_ms;
use crate::error::{CliError, ExitCode, Result};
use crate::round;
use crate::say;
use crate::state::card::{self, MadeCard};
use crate::sync::draft;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What `invite --json` says.
#[derive(Serialize)]
struct Invited {
    invite: u32,
    members: Vec<String>,
    expires_at: String,
    link: String,
}

pub(super) async fn run(context: &mut Context<'_>, args: &InviteArgs) -> Result<()> {
    round::exchange(&context.home, context.ca(), &[]).await?;
    if args.show {
        return show_open(context);
    }
    let later = "the relay did not answer: see later with jiashu invite --show";
    let entry_ref = turning::hand_in(context, later, |view| write(view, args)).await?;
    done(context, args, entry_ref).await
}

/// Writes the link and the card, and queues both. What the card's link carries is on disk first.
fn write(view: &mut View, args: &InviteArgs) -> Result<Ref> {
    let roster = &view.family.roster;
    turning::check_may_write(view, "make cards")?;
    if args.role == Some(Role::Child) {
        let text = "a child joins through the programme, with the guardian's consent and the \
                    child's own: ask its staff";
        return Err(CliError::new(ExitCode::Refused, text));
    }
    let members = match &args.new {
        Some(_) => vec![roster.next_member()],
        None => view.people.addressees(&args.members)?,
    };
    let (keys, secret) = (KeyPairs::generate(), InviteSecret::generate());
    let invite = roster.next_invite();
    let new_member = args
        .new
        .iter()
        .zip(args.role)
        .map(|(_, role)| Op::AddMember { member: roster.next_member(), role });
    let ops = new_member.chain([Op::AddInvite {
        invite,
        sign_pub: keys.sign.public(),
        hpke_pub: keys.hpke.public(),
        members,
        expires_at: now_ms().saturating_add(i64::from(args.days).saturating_mul(DAY_MS)),
    }]);
    let new = turning::link(view, ops.collect())?;
    let names = new.roster.members().keys().map(|member| (*member, name_of(view, args, *member)));
    let card = DeviceCard {
        pin: new.hash,
        keys,
        names: names.collect(),
        device_name: args.device.clone(),
    };
    let blob = Card::Device(Box::new(card)).seal(&secret);
    let cards = vec![CardFrame { invite, code_hash: code_hash(&secret.code()), blob }];
    let tx = view.state.begin()?;
    let hash = new.hash;
    let entry_ref = turning::queue(&tx, new, cards)?;
    card::put(&tx, &MadeCard { entry_ref, invite, hash, secret })?;
    tx.commit()?;
    Ok(entry_ref)
}

fn name_of(view: &View, args: &InviteArgs, member: MemberId) -> String {
    match &args.new {
        Some(name) if view.people.role(member).is_none() => name.clone(),
        _ => view.people.name(member),
    }
}

/// The relay has it: the new member's name goes to all, the card to the person.
async fn done(context: &mut Context<'_>, args: &InviteArgs, entry_ref: Ref) -> Result<()> {
    let mut view = View::open(&context.home)?;
    let made = card::all(view.state.db())?.into_iter().find(|card| card.entry_ref == entry_ref);
    let Some(made) = made else { return Ok(()) };
    if let Some(name) = &args.new {
        let from = view.people.speaker(None)?;
        let invite = view.family.roster.invites().get(&made.invite);
        let member = invite.and_then(|invite| invite.members.first().copied());
        let tx = view.state.begin()?;
        let named =
            member.map(|member| draft::name(&tx, from, member, name, now_ms())).transpose()?;
        tx.commit()?;
        match round::exchange(&context.home, context.ca(), named.as_slice()).await {
            Err(error) if error.code != ExitCode::Offline => return Err(error),
            _ => view = View::open(&context.home)?,
        }
    }
    print(context, &view, &made)
}

fn show_open(context: &mut Context<'_>) -> Result<()> {
    let view = View::open(&context.home)?;
    for made in card::all(view.state.db())? {
        print(context, &view, &made)?;
    }
    Ok(())
}

/// Prints a card, if it is open and was the one let in under its number.
fn print(context: &mut Context<'_>, view: &View, made: &MadeCard) -> Result<()> {
    let roster = &view.family.roster;
    let Some(invite) = roster.invites().get(&made.invite) else { return Ok(()) };
    if roster.hash_of(invite.made) != Some(made.hash) {
        return Ok(());
    }
    let (origin, scope) = (view.lane.origin.to_string(), view.lane.scope);
    let link = JoinLink { origin, scope, secret: made.secret.clone() }.to_url();
    if context.globals.json {
        let members = invite.members.iter().map(|member| view.people.name(*member)).collect();
        let (invite, expires_at) = (made.invite.0, utc(invite.expires_at));
        return context.json(&Invited { invite, members, expires_at, link });
    }
    let (names, until) = (view.people.names(&invite.members), view.people.clock(invite.expires_at));
    if let Ok(code) = QrCode::new(&link) {
        writeln!(context.out, "{}", code.render::<Dense1x2>().build())?;
    }
    writeln!(context.out, "{link}")?;
    writeln!(context.out, "A card for {names}, good once until {until}.")?;
    say::note("Whoever sees it can join: hand it over yourself.");
    Ok(())
}
