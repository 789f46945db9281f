//! A phone of the programme: the command line's own engine on a folder of its own, in this process.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser as _;
use jiashu_cli::args::Cli;
use jiashu_cli::clock;
use jiashu_cli::command;
use jiashu_cli::home::Home;
use jiashu_cli::round;
use jiashu_cli::state::message::{self, Shown, Stored};
use jiashu_cli::state::{State, contact};
use jiashu_cli::sync::Engine;
use jiashu_cli::sync::draft::{self, Parties, Said};
use jiashu_proto::entry::Rung;
use jiashu_proto::id::MemberId;
use serde_json::Value;

/// Runs a verb in a folder, as who types it there, and gives the objects that it printed.
pub(super) async fn run(home: &Path, args: &[&str]) -> anyhow::Result<Vec<Value>> {
    let home = home.to_str().context("the folder is not UTF-8")?;
    let typed = [&["jiashu", "--home", home, "--json"], args].concat();
    let cli = Cli::try_parse_from(typed).context("a verb that is none")?;
    let mut out = Vec::new();
    let done = command::run(cli, &mut out).await;
    done.map_err(|error| anyhow::anyhow!("{}: {error}", args.join(" ")))?;
    let text = String::from_utf8(out)?;
    text.lines().map(|line| serde_json::from_str(line).context("not JSON")).collect()
}

/// A phone that has joined.
#[derive(Debug)]
pub(super) struct Phone {
    engine: Engine,
}

/// A letter that somebody heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    /// Who wrote it.
    pub(super) from: u32,
    /// Who heard it.
    pub(super) by: u32,
}

impl Phone {
    /// Joins by a card.
    pub(super) async fn join(home: PathBuf, link: &str) -> anyhow::Result<Self> {
        run(&home, &["join", link, "--yes"]).await?;
        let engine = Engine::open(State::open(&Home::find(Some(&home))?)?)?;
        // What is lost of a programme that is made up is made up again.
        engine.db().execute_batch("PRAGMA synchronous = OFF")?;
        let mut phone = Self { engine };
        phone.reach().await?;
        Ok(phone)
    }

    /// Exchanges with the relay all there is.
    pub(super) async fn reach(&mut self) -> anyhow::Result<()> {
        Ok(round::sync(&mut self.engine, None).await?)
    }

    /// Writes a letter; it waits for the network.
    pub(super) fn write(&mut self, from: u32, to: u32, text: &str) -> anyhow::Result<()> {
        let parties = Parties { from: MemberId(from), to: vec![MemberId(to)] };
        let letter = Said::Words(text.to_owned());
        let tx = self.engine.state().begin()?;
        draft::letter(&tx, parties, &letter, None, clock::now_ms())?;
        Ok(tx.commit()?)
    }

    /// Takes the plan that was proposed.
    pub(super) async fn confirm(&mut self, by: u32) -> anyhow::Result<()> {
        self.reach().await?;
        let tx = self.engine.state().begin()?;
        let known = contact::intentions(&tx)?;
        let proposal = known.proposal.context("nothing was proposed")?;
        let seen = known.plan.as_ref().map(|(seq, ..)| *seq);
        draft::intend(&tx, MemberId(by), proposal.rules, seen, clock::now_ms())?;
        tx.commit()?;
        self.reach().await
    }

    /// A member hears all letters for them that are on the phone; the relay is told with the next [`Phone::reach`].
    pub(super) fn hear(&mut self, by: u32, rung: Rung) -> anyhow::Result<Vec<Heard>> {
        let (member, me) = (MemberId(by), self.engine.lane().me());
        let new = message::not_shown(self.engine.db(), me)?;
        let for_them = |stored: &&Stored| stored.message.to == [member] && stored.text.is_some();
        let tx = self.engine.state().begin()?;
        let mut heard = Vec::new();
        for stored in new.iter().filter(for_them) {
            draft::report(&tx, stored, member, rung, None, clock::now_ms())?;
            message::mark(&tx, stored.message.entry_ref, Shown::Printed)?;
            heard.push(Heard { from: stored.message.from.0, by });
        }
        tx.commit()?;
        Ok(heard)
    }
}
