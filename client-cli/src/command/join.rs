//! `join`: looks at what an invite opens, checks it, asks the person, and lets this device in.
//!
//! Keys, token and frame are on disk before the relay sees the join: if its answer is lost, the
//! same link in the same home sends the same frame again. A link that staff gave for a re-issued
//! card opens nothing: by it a phone asks (`asking`), and joins once it was let in.

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;

use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Join, Joined, Look, RelayFrame};
use jiashu_proto::id::{MemberId, Scope};
use jiashu_roster::{Author, Op, token_hash};
use jiashu_seal::{InviteSecret, JoinLink, KeyPairs, Signer, random, write_link};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::asking;
use super::invited::{Checked, check, check_request};
use super::{Context, View};
use crate::args::family::JoinArgs;
use crate::clock::{now_ms, timestamp};
use crate::error::{CliError, ExitCode, Result};
use crate::http::{self, Origin};
use crate::round;
use crate::say::{note, on_clock, one_line};
use crate::state::lane::{Ended, Lane};
use crate::state::request::OwnRequest;
use crate::state::{State, chain, outbox, told};
use crate::sync::{self, draft};

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
    let mut state = State::create(&context.home)?;
    let lock = context.home.try_sender()?.ok_or_else(|| {
        CliError::new(ExitCode::Refused, "another jiashu of this folder is at work: wait for it")
    })?;
    let (origin, scope, way) = way(&state, args.link.as_deref())?;
    let mut before = Lane::load(state.db())?;
    let mut kept = None;
    let another = before.as_ref().filter(|lane| lane.code != way.code());
    if let Some(ended) = another.and_then(|lane| lane.ended) {
        ask_to_put_away(ended, args.yes)?;
        kept = Some(state.put_away(&context.home)?);
        state = State::create(&context.home)?;
        before = None;
    }
    let mut joining = Joining { context, origin, scope, way, state };
    let outcome = match joining.begin(before, args.yes).await {
        Ok(outcome) => outcome,
        Err(error) => {
            if let Some(dir) = kept {
                joining.take_back(&dir)?;
            }
            return Err(error);
        }
    };
    drop(lock);
    if let Some(dir) = kept {
        let dir = dir.display();
        note(&format!("The letters until now are in {dir}: jiashu --home {dir} log"));
    }
    match outcome {
        Outcome::Joined => tell(joining.context).await,
        Outcome::Asked(request) => asking::show(joining.context, &request),
    }
}

/// By what this phone comes in: the card of a link, or its own request.
fn way(state: &State, link: Option<&str>) -> Result<(Origin, Scope, Way)> {
    let request = OwnRequest::load(state.db())?;
    let Some(link) = link else {
        let request = request.ok_or_else(|| {
            CliError::new(ExitCode::BadInput, "type the link on your card: jiashu join LINK")
        })?;
        return Ok((request.origin.clone(), request.scope, Way::Request(Box::new(request))));
    };
    let link = JoinLink::parse(link.trim()).map_err(|_| {
        CliError::new(ExitCode::BadInput, "this is not a link to join by: type all of it")
    })?;
    let origin: Origin =
        link.origin.parse().map_err(|error| CliError::new(ExitCode::BadInput, error))?;
    let scope = link.scope;
    let own =
        request.filter(|request| (request.scope, request.link_code) == (scope, link.secret.code()));
    Ok((origin, scope, own.map_or(Way::Card(link.secret), |own| Way::Request(Box::new(own)))))
}

/// Whether the letters of a phone that is out may be put into a folder beside.
fn ask_to_put_away(ended: Ended, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    note(&sync::ended(ended).message);
    let question = "This folder holds the letters of a phone that is out. Keep them in a folder \
                    beside, and join anew?";
    Context::confirm(question, "nothing was changed: join elsewhere with --home DIR")
}

/// By what a phone comes in.
#[derive(Debug)]
pub(super) enum Way {
    /// A card, whose secret its maker sealed keys under.
    Card(InviteSecret),
    /// This phone's own request, which the family let in.
    Request(Box<OwnRequest>),
}

impl Way {
    /// What stands for it at the relay.
    fn code(&self) -> [u8; 16] {
        match self {
            Self::Card(secret) => secret.code(),
            Self::Request(request) => request.code,
        }
    }
}

/// What came of it.
enum Outcome {
    /// The phone is in.
    Joined,
    /// It has asked, and somebody must let it in.
    Asked(Box<OwnRequest>),
}

/// What the relay shows for a way in.
enum Looked {
    /// It is open, and all that is shown checks.
    Open(Box<Checked>),
    /// There is no open invite behind it.
    Shut,
}

struct Joining<'a, 'b> {
    context: &'a mut Context<'b>,
    origin: Origin,
    scope: Scope,
    way: Way,
    state: State,
}

impl Joining<'_, '_> {
    /// From what an earlier try has left, if there was one.
    async fn begin(&mut self, before: Option<Lane>, yes: bool) -> Result<Outcome> {
        let code = self.way.code();
        match before {
            Some(lane) if lane.code != code && lane.device.is_some() => {
                let text = "this folder is another phone's already: join with --home DIR";
                Err(CliError::new(ExitCode::BadInput, text))
            }
            Some(lane) if lane.device.is_some() => Ok(Outcome::Joined),
            Some(lane) if lane.code == code => self.again(lane).await,
            Some(lane) => {
                self.settle_earlier(lane).await?;
                self.look_and_join(yes, None).await
            }
            None => self.look_and_join(yes, None).await,
        }
    }

    /// Nothing came of it: what was put away stands where it was.
    fn take_back(self, dir: &Path) -> Result<()> {
        let db = self.state.db();
        if Lane::load(db)?.is_some() || OwnRequest::load(db)?.is_some() {
            return Ok(());
        }
        drop(self.state);
        self.context.home.take_back(dir)
    }

    /// A join whose answer was lost: the same frame first.
    async fn again(&mut self, lane: Lane) -> Result<Outcome> {
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

    async fn look_and_join(&mut self, mut yes: bool, before: Option<Lane>) -> Result<Outcome> {
        let (secret, keys) = match before {
            Some(lane) => (lane.secret, lane.keys),
            None => (random(), KeyPairs::generate()),
        };
        for _ in 0..ATTEMPTS {
            let checked = match self.look().await? {
                Looked::Open(checked) => checked,
                Looked::Shut => return self.ask_to_be_let_in().await,
            };
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

    async fn look(&self) -> Result<Looked> {
        if matches!(&self.way, Way::Request(request) if request.answer.is_none()) {
            return Ok(Looked::Shut);
        }
        let look = ClientFrame::Look(Look { scope: self.scope, code: self.way.code() });
        let checked = match (self.ask(&look.to_bytes(0)).await?, &self.way) {
            (RelayFrame::Invited(invited), Way::Card(secret)) => check(secret, &invited)?,
            (RelayFrame::Invited(invited), Way::Request(request)) => {
                check_request(request, &invited)?
            }
            (RelayFrame::Refused(refused), _) if refused.code == ErrorCode::Invite => {
                return Ok(Looked::Shut);
            }
            (other, _) => return Err(refusal(&other)),
        };
        Ok(Looked::Open(Box::new(checked)))
    }

    /// Behind the link is no card, or behind the request none yet: staff may have given the link to
    /// ask by.
    async fn ask_to_be_let_in(&mut self) -> Result<Outcome> {
        let request = match &self.way {
            Way::Request(request) if request.answer.is_some() => {
                let waits = asking::still_waits(&self.state, request)?;
                return Ok(Outcome::Asked(Box::new(waits)));
            }
            Way::Request(request) => (**request).clone(),
            Way::Card(secret) => {
                let (origin, scope) = (self.origin.clone(), self.scope);
                asking::draw(&self.state, origin, scope, secret.code())?
            }
        };
        match self.ask(&asking::frame(&request).to_bytes(0)).await? {
            RelayFrame::Requested(requested) => {
                let asked = asking::answered(&self.state, request, requested)?;
                Ok(Outcome::Asked(Box::new(asked)))
            }
            RelayFrame::Refused(refused)
                if matches!(refused.code, ErrorCode::SlowDown | ErrorCode::Unavailable) =>
            {
                Err(refusal(&RelayFrame::Refused(refused)))
            }
            _ => {
                asking::forget(&self.state)?;
                Err(no_such_invite())
            }
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
        let (scope, code) = (self.scope, self.way.code());
        let frame = Join { scope, code, link: new.link, wraps: new.wraps };
        let lane = Lane {
            origin: self.origin.clone(),
            scope,
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
            ended: None,
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

    fn let_in(&mut self, mut lane: Lane, joined: Joined) -> Result<Outcome> {
        (lane.device, lane.join_frame) = (Some(joined.device), None);
        let tx = self.state.begin()?;
        lane.store(&tx)?;
        tx.commit()?;
        Ok(Outcome::Joined)
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

fn no_such_invite() -> CliError {
    let text = "this invite is wrong, used or expired: ask for a new one";
    CliError::new(ExitCode::Refused, text)
}

fn refusal(answer: &RelayFrame) -> CliError {
    let text = match answer {
        RelayFrame::Refused(refused) if refused.code == ErrorCode::Invite => {
            return no_such_invite();
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
    // What was before it is no news to this phone.
    if told::upto(view.state.db(), told::LINK)?.is_none() && view.family.roster.number() > 0 {
        told::put(view.state.db(), told::LINK, view.family.roster.number().into())?;
    }
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
