//! What happens, step by step, with times and bytes.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use jiashu_cli::voice::{length_text, size_text};
use jiashu_server::clock::Clock;
use jiff::{SignedDuration, Timestamp, Unit, ZonedDateTime};
use serde_json::Value;

use crate::line::Line;
use crate::phone::Phone;
use crate::relay::Relay;
use crate::{spoken, sundays};

/// A mother in Prato; grandmother and son in Gansu, with one phone for both. The second family is
/// for whoever watches.
pub(crate) const FAMILIES: &str = "\
case_code,member,role,name,time_zone,language,device,shared_device,consent_on,assent_on
GS-001,1,parent,妈妈,Europe/Rome,zh-Hans,妈妈's phone,,2026-11-01,
GS-001,2,caregiver,外婆,Asia/Shanghai,zh-Hans,family phone,,2026-11-01,
GS-001,3,child,Lili,Asia/Shanghai,zh-Hans,family phone,,2026-11-01,2026-11-01
GS-002,1,parent,Mum,Europe/Rome,en,Mum's phone,,2026-11-01,
GS-002,2,caregiver,Grandma,Asia/Shanghai,en,Grandma's phone,,2026-11-01,
GS-002,3,child,Bo,Asia/Shanghai,en,Grandma's phone,,2026-11-01,2026-11-01
";

pub(crate) const MOTHER_ZONE: &str = "Europe/Rome";
pub(crate) const CHILD_ZONE: &str = "Asia/Shanghai";

/// How far ahead the story's scheduled letter is. The journey is the same for three months.
const AHEAD: SignedDuration = SignedDuration::from_secs(6);

struct Stage {
    began: Instant,
    relay: Relay,
    mother: Phone,
    mother_line: Line,
    village: Phone,
    village_line: Line,
}

/// Tells it all, and then stays up unless `once`.
pub(crate) async fn tell(once: bool) -> anyhow::Result<()> {
    let began = Instant::now();
    let folder = tempfile::Builder::new().prefix("jiashu-demo-").tempdir()?;
    heading("A relay, as one NGO would run it");
    let relay = Relay::start(folder.path().join("relay")).await?;
    say(began, &format!("the relay listens on {}, its store is empty", relay.address));
    let cards = enrol(began, folder.path(), &relay).await?;
    let mut stage = Stage {
        began,
        mother_line: Line::open(relay.address).await?,
        village_line: Line::open(relay.address).await?,
        relay,
        mother: Phone::new(folder.path().join("mother")),
        village: Phone::new(folder.path().join("village")),
    };
    stage.join(&cards).await?;
    stage.first_letter().await?;
    stage.scheduled_letter().await?;
    stage.voice(folder.path()).await?;
    sundays::tell(folder.path()).await?;
    stage.offline().await?;
    if !once {
        stage.stay_up(&cards).await?;
    }
    Ok(())
}

pub(crate) fn heading(text: &str) {
    println!("\n== {text}");
}

fn say(began: Instant, text: &str) {
    println!("{:7.1} s  {text}", began.elapsed().as_secs_f64());
}

/// The worker's laptop: setup, and two families from a spreadsheet. Gives the cards.
async fn enrol(began: Instant, folder: &Path, relay: &Relay) -> anyhow::Result<Vec<Value>> {
    let worker = Phone::new(folder.join("worker"));
    worker.run(&["ngo", "setup", &relay.setup_link]).await?;
    say(began, "the coordinator used the one-time setup link");
    let (sheet, cards) = (folder.join("families.csv"), folder.join("cards"));
    std::fs::write(&sheet, FAMILIES)?;
    let text = |path: &Path| path.to_str().map(str::to_owned).context("the folder is not UTF-8");
    worker.run(&["ngo", "enrol", &text(&sheet)?, "--out", &text(&cards)?]).await?;
    let invites = std::fs::read_to_string(cards.join("invites.json"))?;
    let invites: Vec<Value> = serde_json::from_str(&invites)?;
    say(
        began,
        &format!(
            "two families enrolled: {} cards with a QR code each; no name left the worker's laptop",
            invites.len()
        ),
    );
    Ok(invites)
}

/// The join link of a card, by case and member, reached over this line.
pub(crate) fn link(
    cards: &[Value],
    case: &str,
    member: &str,
    origin: &str,
) -> anyhow::Result<String> {
    let of_member = |card: &&Value| {
        text(card, "case_code") == case
            && card
                .get("members")
                .and_then(Value::as_array)
                .is_some_and(|members| members.iter().any(|name| name == member))
    };
    let link = cards.iter().find(of_member).map(|card| text(card, "link"));
    let link = link.with_context(|| format!("no card for {member}"))?;
    let (_, path) = link.split_once("/join#").context("not a join link")?;
    Ok(format!("{origin}/join#{path}"))
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn seq(value: &Value) -> anyhow::Result<String> {
    let seq = value.get("seq").and_then(Value::as_u64).context("no seq")?;
    Ok(seq.to_string())
}

impl Stage {
    fn say(&self, text: &str) {
        say(self.began, text);
    }

    fn bytes(&self) -> String {
        let ((up, down), (village_up, village_down)) =
            (self.mother_line.take_bytes(), self.village_line.take_bytes());
        format!("mother ↑{up} ↓{down} bytes, village ↑{village_up} ↓{village_down} bytes")
    }

    async fn join(&self, cards: &[Value]) -> anyhow::Result<()> {
        heading("A family joins: one card each, keys made on the phones");
        let card = link(cards, "GS-001", "妈妈", &self.mother_line.origin())?;
        self.mother.run(&["join", &card, "--yes"]).await?;
        self.say("妈妈's phone in Prato joined, and made the family's first key");
        let card = link(cards, "GS-001", "Lili", &self.village_line.origin())?;
        self.village.run(&["join", &card, "--yes"]).await?;
        self.say("the family phone in Gansu joined; it serves 外婆 and Lili, the key was turned");
        self.mother.run(&["inbox"]).await?;
        self.say(&self.bytes());
        Ok(())
    }

    async fn first_letter(&self) -> anyhow::Result<()> {
        heading("A letter: sealed, sent, delivered, heard");
        let mut listening = self.village.listen()?;
        self.bytes();
        let sent_at = Instant::now();
        let sent =
            self.mother.ask(&["send", "--to", "Lili", "吃饭了吗? Did you eat, my Lili?"]).await?;
        self.say(&format!("mother wrote; the relay keeps it at place {}, sealed", seq(&sent)?));
        let came = listening.next().await?;
        self.say(&format!(
            "it came to the village {} ms after she pressed the key: “{}” from {}",
            sent_at.elapsed().as_millis(),
            text(&came, "text"),
            text(&came, "from")
        ));
        self.village.run(&["heard", &seq(&came)?, "--by", "Lili"]).await?;
        self.show_receipts(&seq(&sent)?).await?;
        self.village.run(&["send", "--as", "Lili", "--to", "妈妈", "两碗! Two bowls!"]).await?;
        let answer = self.mother.ask(&["inbox", "--wait", "20"]).await?;
        self.say(&format!("and the child answers: “{}”", text(&answer, "text")));
        self.say(&self.bytes());
        listening.switch_off().await
    }

    async fn show_receipts(&self, seq: &str) -> anyhow::Result<()> {
        let log = self.mother.run(&["log"]).await?;
        let entry =
            log.iter().find(|entry| entry.get("seq").map(Value::to_string).as_deref() == Some(seq));
        let receipts = entry.and_then(|entry| entry.get("receipts")).and_then(Value::as_array);
        for receipt in receipts.into_iter().flatten() {
            let at: Timestamp = text(receipt, "at").parse()?;
            let at = at.in_tz(MOTHER_ZONE)?.strftime("%H:%M:%S");
            self.say(&format!(
                "mother sees: {} – {} at {at}",
                text(receipt, "member"),
                text(receipt, "rung")
            ));
        }
        Ok(())
    }

    async fn scheduled_letter(&self) -> anyhow::Result<()> {
        heading("Every Sunday and Wednesday, half past seven in the evening – his evening");
        let letter = "睡前故事 – a story for tonight";
        let weekly = self
            .mother
            .ask(&[
                "schedule", "add", "--every", "sun,wed", "--at", "19:30", "--to", "Lili", letter,
            ])
            .await?;
        println!("            {:<26} {:<26}", "in Gansu", "in Prato");
        for entry in weekly.get("preview").and_then(Value::as_array).into_iter().flatten().take(5) {
            println!(
                "            {:<26} {:<26}",
                on_a_clock(text(entry, "recipient_local")),
                on_a_clock(text(entry, "sender_local"))
            );
        }
        let now = Timestamp::from_millisecond(Clock::system().now())?;
        let due = (now + AHEAD).in_tz(CHILD_ZONE)?.round(Unit::Second)?;
        self.mother
            .ask(&[
                "schedule",
                "add",
                "--on",
                &civil(&due),
                "--to",
                "Lili",
                "晚安 Good night, Lili",
            ])
            .await?;
        self.say(&format!(
            "and one for today: {} in Gansu, {} in Prato; then mother's phone is off",
            due.strftime("%H:%M:%S"),
            due.in_tz(MOTHER_ZONE)?.strftime("%H:%M:%S")
        ));
        let mut listening = self.village.listen()?;
        let came = listening.next().await?;
        self.say(&format!(
            "it came due by itself: “{}”, for {}",
            text(&came, "text"),
            text(&came, "scheduled_for")
        ));
        self.say(&self.bytes());
        listening.switch_off().await
    }

    async fn voice(&self, folder: &Path) -> anyhow::Result<()> {
        heading("A child wants the voice: a voice note, sealed, fetched when somebody asks for it");
        let path = |path: &Path| path.to_str().map(str::to_owned).context("not UTF-8");
        let spoken = spoken::speak(folder).await?;
        let file = path(&spoken.file)?;
        self.bytes();
        let sent = self.mother.ask(&["voice", "send", &file, "--to", "Lili"]).await?;
        self.say(&format!("mother says “{}” ({})", spoken::WORDS, spoken.by));
        self.say(&format!("the relay keeps it at place {}: {}", seq(&sent)?, self.bytes()));
        let mut listening = self.village.listen()?;
        let came = listening.next().await?;
        let of = |name| came.get("voice").and_then(|voice| voice.get(name)?.as_u64());
        let (ms, size) = of("duration_ms").zip(of("size")).context("no voice note")?;
        let told = format!("voice, {}, {}", length_text(ms), size_text(size));
        self.say(&format!("in the village it rings: {told}; {}", self.bytes()));
        let number = seq(&came)?;
        let played = self.village.ask(&["voice", "play", &number, "--by", "Lili"]).await?;
        let share = played.get("share").context("not played")?;
        self.say(&format!("外婆 presses once, Lili hears {share} % of it: {}", self.bytes()));
        self.show_receipts(&number).await?;

        let now = Timestamp::from_millisecond(Clock::system().now())?;
        let due = (now + AHEAD).in_tz(CHILD_ZONE)?.round(Unit::Second)?;
        let hour = civil(&due);
        self.mother.ask(&["voice", "send", &file, "--to", "Lili", "--on", &hour]).await?;
        self.say("one more for his evening, stored long before; then mother's phone is off");
        let came = listening.next().await?;
        self.say(&format!("it came due by itself, for {}", text(&came, "scheduled_for")));
        let made = self.village.ask(&["voice", "link", &seq(&came)?, "--for", "2h"]).await?;
        let link = text(&made, "link");
        let out = path(&folder.join("heard by the teacher.opus"))?;
        Phone::new(folder.join("teacher")).run(&["voice", "open", link, "--out", &out]).await?;
        let shown: String = link.chars().take(link.find('#').unwrap_or(0) + 9).collect();
        self.say(&format!("and Lili's teacher hears it by {shown}…, without the app"));
        listening.switch_off().await
    }

    async fn offline(&mut self) -> anyhow::Result<()> {
        heading("The phone in the village is off; then the relay dies too");
        for letter in ["第一封 the first", "第二封 the second"] {
            let sent = self.mother.ask(&["send", "--to", "Lili", letter]).await?;
            self.say(&format!("mother wrote “{letter}”, kept at place {}", seq(&sent)?));
        }
        self.relay.kill().await?;
        let queued = self.mother.ask(&["send", "--to", "Lili", "第三封 the third"]).await?;
        self.say(&format!(
            "kill -9 of the relay; mother writes all the same, queued on her phone: {}",
            queued.get("queued").unwrap_or(&Value::Null)
        ));
        self.relay.restart().await?;
        self.say("the relay is back, from its folder");
        self.mother.run(&["inbox"]).await?;
        let mut listening = self.village.listen()?;
        for _ in 0..3 {
            let came = listening.next().await?;
            self.say(&format!("the village phone is on again: “{}”", text(&came, "text")));
        }
        self.say(&self.bytes());
        listening.switch_off().await
    }

    async fn stay_up(&self, cards: &[Value]) -> anyhow::Result<()> {
        heading("Now you: this stays up until Ctrl-C");
        let origin = format!("http://{}", self.relay.address);
        let jiashu = "cargo run -q --bin jiashu --";
        // In the story's folder, so that the next demo's commands find no phone of this one.
        let (mum, gran) =
            (self.mother.home().with_file_name("mum"), self.mother.home().with_file_name("gran"));
        let (mum, gran) = (mum.display(), gran.display());
        println!("In a second terminal, be a mother:");
        println!("  {jiashu} --home {mum} join '{}'", link(cards, "GS-002", "Mum", &origin)?);
        println!("  {jiashu} --home {mum} send --to Bo 'Good evening, Bo'");
        let card = link(cards, "GS-002", "Bo", &origin)?;
        println!("In a browser, be the grandmother, who holds the phone for Bo too: open");
        println!("  {card}");
        println!("or, as a card lets in one phone, be her in a third terminal:");
        println!("  {jiashu} --home {gran} join '{card}'");
        println!("  {jiashu} --home {gran} listen");
        println!("  {jiashu} --home {gran} heard SEQ --by Bo");
        println!("And further:");
        println!("  {jiashu} --home {mum} voice record --to Bo");
        println!("  {jiashu} --home {gran} voice play --by Bo");
        println!("  {jiashu} --home {mum} log");
        println!(
            "  {jiashu} --home {mum} schedule add --every day --at 19:30 --to Bo 'Sleep well'"
        );
        println!(
            "  {jiashu} --home {} log      (the mother of the story)",
            self.mother.home().display()
        );
        println!("  {jiashu} --help");
        println!("And what staff see of a whole programme, without a word of any letter:");
        println!("  cargo run -p demo -- programme");
        tokio::signal::ctrl_c().await?;
        println!("\nThe relay, the phones and their folder are gone.");
        Ok(())
    }
}

/// `2027-03-28T19:30:00+08:00` as a person reads it: `2027-03-28  19:30 +08:00`.
pub(crate) fn on_a_clock(local: &str) -> String {
    let part = |range: std::ops::Range<usize>| local.get(range).unwrap_or_default();
    let offset = local.get(19..).unwrap_or_default();
    format!("{}  {} {offset}", part(0..10), part(11..16))
}

/// As a person types it: `2027-03-28 19:30:00`.
fn civil(at: &ZonedDateTime) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}
