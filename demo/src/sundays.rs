//! Four Sundays in as many seconds: a relay and phones of their own, by a clock that the story moves.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;

use anyhow::Context;
use jiashu_server::clock::Clock;
use jiashu_server::config::Config;
use jiashu_server::serve;
use jiashu_server::store::embedded::{EmbeddedStore, Options};
use jiff::{SignedDuration, Timestamp, ToSpan as _, ZonedDateTime};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio_util::sync::CancellationToken;

use crate::phone::Phone;
use crate::story::{CHILD_ZONE, FAMILIES, MOTHER_ZONE, heading, link, on_a_clock, text};

/// The first argument of a process that is this chapter's relay; then its folder, and when it begins.
pub(crate) const ROLE: &str = "as-relay-by-another-clock";

/// A Friday. The clocks of Italy change on the third Sunday after it, those of China never.
const BEGINS: &str = "2027-03-12T20:00:00+01:00[Europe/Rome]";

/// The chapter's relay: its clock is what comes on standard input, a time a line, and ends with it.
pub(crate) fn relay(args: impl Iterator<Item = std::ffi::OsString>) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: impl Iterator<Item = std::ffi::OsString>) -> anyhow::Result<()> {
    let data = args.next().context("no folder")?.into();
    let begins: Timestamp =
        args.next().and_then(|text| text.into_string().ok()).context("no time")?.parse()?;
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config { listen, data, ..Config::defaults() };
    let store = Arc::new(EmbeddedStore::open(&config.data, Options::default())?);
    let clock = Clock::manual(begins.as_millisecond());
    tokio::runtime::Runtime::new()?.block_on(async {
        let stop = CancellationToken::new();
        let (moved, stopped) = (clock.clone(), stop.clone());
        std::thread::spawn(move || follow(&moved, &stopped));
        let started = |started: jiashu_server::Started| {
            println!("{}", started.listen);
            println!("{}", started.setup_link.unwrap_or_default());
        };
        serve(config, store, clock, stop, started).await
    })?;
    Ok(())
}

fn follow(clock: &Clock, stop: &CancellationToken) {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        if let Ok(now) = line.parse::<Timestamp>() {
            clock.set(now.as_millisecond());
        }
    }
    stop.cancel();
}

/// The relay and the two phones, all at one time of the story's.
struct Weeks {
    now: ZonedDateTime,
    /// It ends when this does.
    _relay: Child,
    clock: ChildStdin,
    mother: Phone,
    village: Phone,
}

/// Tells the chapter.
pub(crate) async fn tell(folder: &Path) -> anyhow::Result<()> {
    heading("A letter bank: one evening of writing, four Sundays of letters");
    println!("            (a relay and phones of their own, by a clock that runs ahead)");
    let mut weeks = Weeks::begin(folder).await?;
    let id = weeks.write_ahead().await?;
    for sunday in 1..=4 {
        weeks.sunday(sunday, &id).await?;
    }
    Ok(())
}

impl Weeks {
    async fn begin(folder: &Path) -> anyhow::Result<Self> {
        let now: ZonedDateTime = BEGINS.parse()?;
        let data = folder.join("weeks-relay");
        let mut relay = Command::new(std::env::current_exe()?)
            .arg(ROLE)
            .arg(&data)
            .arg(now.timestamp().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the relay")?;
        let mut printed = BufReader::new(relay.stdout.take().context("no output")?).lines();
        let address = printed.next_line().await?.context("the relay ended at once")?;
        let setup_link = printed.next_line().await?.context("the relay gave no setup link")?;
        let clock = relay.stdin.take().context("no input")?;
        let at = |name: &str| Phone::at(folder.join(name), now.timestamp());
        let (worker, cards) = (at("weeks-worker"), folder.join("weeks-cards"));
        let sheet = folder.join("weeks-families.csv");
        std::fs::write(&sheet, FAMILIES)?;
        let path = |path: &Path| path.to_str().map(str::to_owned).context("not UTF-8");
        worker.run(&["ngo", "setup", &setup_link]).await?;
        worker.run(&["ngo", "enrol", &path(&sheet)?, "--out", &path(&cards)?]).await?;
        let cards = std::fs::read_to_string(cards.join("invites.json"))?;
        let cards: Vec<Value> = serde_json::from_str(&cards)?;
        let origin = format!("http://{address}");
        let (mother, village) = (at("weeks-mother"), at("weeks-village"));
        mother.run(&["join", &link(&cards, "GS-001", "妈妈", &origin)?, "--yes"]).await?;
        village.run(&["join", &link(&cards, "GS-001", "Lili", &origin)?, "--yes"]).await?;
        mother.run(&["inbox"]).await?;
        Ok(Self { now, _relay: relay, clock, mother, village })
    }

    fn say(&self, text: &str) -> anyhow::Result<()> {
        let prato = self.now.in_tz(MOTHER_ZONE)?;
        println!("  {}  {text}", prato.strftime("%a %-d %b %H:%M"));
        Ok(())
    }

    /// From here on everybody lives at that time.
    async fn move_to(&mut self, now: ZonedDateTime) -> anyhow::Result<()> {
        self.clock.write_all(format!("{}\n", now.timestamp()).as_bytes()).await?;
        for phone in [&mut self.mother, &mut self.village] {
            phone.live_at(now.timestamp());
        }
        self.now = now;
        Ok(())
    }

    /// Three letters for the Sundays to come. The schedule's id.
    async fn write_ahead(&self) -> anyhow::Result<String> {
        let add = ["schedule", "add", "--bank", "--every", "sun", "--at", "19:30", "--to", "Lili"];
        let letters = [
            "第一封 I counted the stars for you",
            "第二封 the sea here is grey",
            "第三封 I am well",
        ];
        let planned = self.mother.ask(&[&add[..], &letters].concat()).await?;
        self.say("妈妈 in Prato writes three letters for the Sundays to come, 19:30 in Gansu:")?;
        println!("            {:<26} {:<26}", "in Gansu", "in Prato");
        for entry in planned.get("preview").and_then(Value::as_array).into_iter().flatten().take(4)
        {
            println!(
                "            {:<26} {:<26}",
                on_a_clock(text(entry, "recipient_local")),
                on_a_clock(text(entry, "sender_local"))
            );
        }
        Ok(text(&planned, "id").to_owned())
    }

    async fn sunday(&mut self, number: i64, id: &str) -> anyhow::Result<()> {
        let gansu = self.now.in_tz(CHILD_ZONE)?;
        let days = i64::from(7 - gansu.weekday().to_sunday_zero_offset());
        let evening = gansu.date().checked_add(days.days())?.at(19, 30, 0, 0).in_tz(CHILD_ZONE)?;
        self.move_to(evening.checked_add(SignedDuration::from_secs(1))?).await?;
        let came = self.village.ask(&["inbox", "--wait", "30"]).await?;
        self.say(&format!("Sunday, 19:30 in Gansu, for Lili: “{}”", text(&came, "text")))?;
        for told in self.mother.told(&["inbox"]).await? {
            self.say(&format!("  妈妈 is told, and nobody else: {}", text(&told, "text")))?;
        }
        if number == 1 {
            self.mother.run(&["schedule", "fill", id, "第四封 soon I come home"]).await?;
            self.say("  she writes a fourth")?;
        }
        Ok(())
    }
}
