//! `join`: looks at what an invite opens, checks it, asks the person, and lets this device in.
//!
//! Keys, token and frame are on disk before the relay sees the join: if its answer is lost, the
//! same link in the same home sends the same frame again.

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Join, Joined, Look, RelayFrame};
use jiashu_proto::id::MemberId;
use jiashu_roster::{Author, Op, token_hash};
use jiashu_seal::{JoinLink, KeyPairs, Signer, random, write_link};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::invited::{Checked, check};
use super::{Context, View};
use crate::args::family::JoinArgs;
use crate::clock::{now_ms, timestamp};
use crate::error::{CliError, ExitCode, Result};
use crate::http::{self, Origin};
use crate::round;
use crate::say::{note, on_clock, one_line};
use crate::state::lane::Lane;
use crate::state::{State, chain, outbox};
use crate::sync::draft;

/// How often two joins at once may get in each other's way.
const ATTEMPTS: u32 = 8;

/// What `join --json` says.
#[derive(Serialize)]
struct JoinedJson {
    family: String,
    device: u32,
    members: Vec<String>,
}

pub(super) async fn run(context: &mut Context<'_>, args: &JoinArgs) -> Result<()> {
    let link = JoinLink::parse(args.link.trim()).map_err(|_| {
        CliError::new(ExitCode::BadInput, "this is not a link to join by: type all of it")
    })?;
    let origin: Origin =
        link.origin.parse().map_err(|error| CliError::new(ExitCode::BadInput, error))?;
    let state = State::create(&context.home)?;
    let lock = context.home.try_sender()?.ok_or_else(|| {
        CliError::new(ExitCode::Refused, "another jiashu of this folder is at work: wait for it")
    })?;
    let before = Lane::load(state.db())?;
    let mut joining = Joining { context, link, origin, state };
    match before {
        Some(lane) if lane.code != joining.link.secret.code() && lane.device.is_some() => {
            let text = "this folder is another phone's already: join with --home DIR";
            return Err(CliError::new(ExitCode::BadInput, text));
        }
        Some(lane) if lane.device.is_some() => {}
        Some(lane) if lane.code == joining.link.secret.code() => joining.again(lane).await?,
        Some(lane) => {
            joining.settle_earlier(lane).await?;
            joining.look_and_join(args.yes, None).await?;
        }
        None => joining.look_and_join(args.yes, None).await?,
    }
    drop(lock);
    tell(joining.context).await
}

struct Joining<'a, 'b> {
    context: &'a mut Context<'b>,
    link: JoinLink,
    origin: Origin,
    state: State,
}

impl Joining<'_, '_> {
    /// A join whose answer was lost: the same frame first.
    async fn again(&mut self, lane: Lane) -> Result<()> {
        let Some(frame) = lane.join_frame.clone() else {
            return self.look_and_join(true, Some(lane)).await;
        };
        match self.ask(&frame).await? {
            RelayFrame::Joined(joined) => self.let_in(lane, joined),
            RelayFrame::Refused(refused) if refused.code == ErrorCode::Stale => {
                self.look_and_join(true, Some(lane)).await
            }
            other => Err(refusal(&other)),
        }
    }

    /// A join by another card, whose answer was lost: had it let this phone in, another would take
    /// its keys away.
    async fn settle_earlier(&mut self, lane: Lane) -> Result<()> {
        let Some(frame) = lane.join_frame.clone() else { return Ok(()) };
        match ask(&lane.origin, self.context.ca(), &frame).await? {
            RelayFrame::Joined(joined) => {
                self.let_in(lane, joined)?;
                let text = "this phone has joined by the card before, whose answer was lost: \
                            use this one with --home DIR";
                Err(CliError::new(ExitCode::BadInput, text))
            }
            _ => Ok(()),
        }
    }

    async fn look_and_join(&mut self, mut yes: bool, before: Option<Lane>) -> Result<()> {
        let (secret, keys) = match before {
            Some(lane) => (lane.secret, lane.keys),
            None => (random(), KeyPairs::generate()),
        };
        for _ in 0..ATTEMPTS {
            let checked = self.look().await?;
            if !yes {
                self.show(&checked)?;
                yes = self.confirm()?;
            }
            let lane = self.prepare(&checked, secret, keys.clone())?;
            let frame = lane.join_frame.clone().unwrap_or_default();
            match self.ask(&frame).await? {
                RelayFrame::Joined(joined) => return self.let_in(lane, joined),
                RelayFrame::Refused(refused) if refused.code == ErrorCode::Stale => {}
                other => return Err(refusal(&other)),
            }
        }
        Err(CliError::new(ExitCode::Refused, "others keep joining: try again in a minute"))
    }

    async fn look(&self) -> Result<Checked> {
        let JoinLink { scope, secret, .. } = &self.link;
        let look = ClientFrame::Look(Look { scope: *scope, code: secret.code() });
        match self.ask(&look.to_bytes(0)).await? {
            RelayFrame::Invited(invited) => check(secret, &invited),
            other => Err(refusal(&other)),
        }
    }

    /// Writes all that joining needs to disk. What is sent stands in the lane.
    fn prepare(&mut self, checked: &Checked, secret: [u8; 16], keys: KeyPairs) -> Result<Lane> {
        let join = Op::Join {
            device: checked.roster.next_device(),
            sign_pub: keys.sign.public(),
            hpke_pub: keys.hpke.public(),
            token_hash: token_hash(&secret),
        };
        let signer = Signer::Invite(checked.pinned.invite, &checked.card.keys.sign);
        let new = write_link(&checked.roster, signer, vec![join], checked.key.as_ref())
            .map_err(|error| CliError::new(ExitCode::Refused, format!("cannot join: {error}")))?;
        let JoinLink { scope, secret: invite, .. } = &self.link;
        let code = invite.code();
        let frame = Join { scope: *scope, code, link: new.link, wraps: new.wraps };
        let lane = Lane {
            origin: self.origin.clone(),
            scope: *scope,
            code,
            secret,
            keys,
            device: None,
            join_frame: Some(ClientFrame::Join(frame).to_bytes(0)),
            join_hash: new.hash,
            cursor: None,
            log_epoch: 0,
            last_n: 0,
            cursors_at: None,
            broken: None,
            waits: None,
            retry_at: None,
            synced_at: None,
        };
        let tx = self.state.begin()?;
        outbox::clear(&tx)?;
        chain::forget_names(&tx)?;
        for (member, name) in &checked.card.names {
            chain::put_name(&tx, *member, name)?;
            // Who writes link 2 tells the others everybody's name, once it is in.
            if let (1, Some(from)) = (checked.roster.number(), checked.pinned.members.first()) {
                draft::name(&tx, *from, *member, name, now_ms())?;
            }
        }
        lane.store(&tx)?;
        tx.commit()?;
        Ok(lane)
    }

    fn let_in(&mut self, mut lane: Lane, joined: Joined) -> Result<()> {
        (lane.device, lane.join_frame) = (Some(joined.device), None);
        let tx = self.state.begin()?;
        lane.store(&tx)?;
        Ok(tx.commit()?)
    }

    fn show(&self, checked: &Checked) -> Result<()> {
        let Checked { card, pinned, author, roster, .. } = checked;
        let names: BTreeMap<MemberId, String> =
            card.names.iter().map(|(member, name)| (*member, one_line(name))).collect();
        let name = |member: &MemberId| {
            names.get(member).cloned().unwrap_or_else(|| format!("member {member}"))
        };
        let list = |members: &[MemberId]| members.iter().map(name).collect::<Vec<_>>().join(", ");
        let invited_by = match author {
            Author::Device(device) => {
                let members = roster.devices().get(device).map(|device| list(&device.members));
                members.map_or("a phone that is gone since".to_owned(), |names| {
                    format!("the phone of {names}")
                })
            }
            Author::Founder(_) | Author::Invite(_) => "the programme's staff".to_owned(),
        };
        let mut lines =
            vec![format!("This card was made by {invited_by}."), "The family:".to_owned()];
        for (member, role) in roster.members() {
            lines.push(format!("  {member}  {}, {role}", name(member)));
        }
        lines.push(format!("This phone will be for: {}.", list(&pinned.members)));
        let others = roster.invites().iter().filter(|(invite, _)| **invite != pinned.invite);
        for (_, invite) in others {
            let until = on_clock(timestamp(invite.expires_at), &TimeZone::UTC);
            lines.push(format!(
                "Another card is open: for {}, until {until} UTC.",
                list(&invite.members)
            ));
        }
        lines.push("It will read what is kept: letters to all, and to whom it is for.".to_owned());
        lines.iter().for_each(|line| note(line));
        Ok(())
    }

    /// A person's tap, where there is a person.
    fn confirm(&self) -> Result<bool> {
        if !std::io::stdin().is_terminal() {
            return Ok(true);
        }
        note("Join? [y/N]");
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            Ok(true)
        } else {
            Err(CliError::new(
                ExitCode::Refused,
                "not joined: nothing was used up, the card stays good",
            ))
        }
    }

    async fn ask(&self, frame: &[u8]) -> Result<RelayFrame> {
        ask(&self.origin, self.context.ca(), frame).await
    }
}

/// Sends one frame and gives the answer to it.
async fn ask(origin: &Origin, ca: Option<&Path>, frame: &[u8]) -> Result<RelayFrame> {
    let answer = http::round(origin, ca, frame).await?;
    let (_, frame) = RelayFrame::read_from(&mut answer.as_slice()).map_err(|error| {
        CliError::new(ExitCode::General, format!("the relay's answer: {error}"))
    })?;
    Ok(frame)
}

fn refusal(answer: &RelayFrame) -> CliError {
    let text = match answer {
        RelayFrame::Refused(refused) if refused.code == ErrorCode::Invite => {
            "this invite is wrong, used or expired: ask for a new one".to_owned()
        }
        RelayFrame::Refused(refused) => format!("the relay refused: {}", refused.text),
        other => format!("the relay answered with {}: is it a Jiashu relay?", other.name()),
    };
    CliError::new(ExitCode::Refused, text)
}

/// Reads the log for the first time, and says who this phone is now.
async fn tell(context: &mut Context<'_>) -> Result<()> {
    match round::exchange(&context.home, context.ca(), &[]).await {
        Err(error) if error.code != ExitCode::Offline => return Err(error),
        _ => {}
    }
    let view = View::open(&context.home)?;
    let served = view.people.served();
    if context.globals.json {
        let members = served.iter().map(|member| view.people.name(*member)).collect();
        let (family, device) = (view.lane.scope.to_string(), view.lane.me().0);
        return context.json(&JoinedJson { family, device, members });
    }
    let names =
        if served.is_empty() { "your family".to_owned() } else { view.people.names(served) };
    writeln!(context.out, "Welcome, {names}. This phone has joined.")?;
    writeln!(context.out, "Write: jiashu send TEXT   Read: jiashu inbox   Stay: jiashu listen")?;
    Ok(())
}
