//! A whole programme: three sites, their families, and twelve weeks of letters in a minute.
//!
//! Nothing is made up in the store: families are enrolled from a list, phones join by their cards, letters are sealed,
//! sent and heard, plans confirmed, by the programs' own code; only the clock is moved by hand. `cast` says who there
//! is, `script` what they do and when (both pure), `world` is the relay and the time, `life` and `phone` do it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::{Value, json};

use self::cast::{COLUMNS, Family, Habit, KINDS, SITES, families};
use self::life::Life;
use self::phone::run;
use self::script::{Act, Stretch, script};
use self::world::World;

mod cast;

mod script;

mod world;

mod life;

mod phone;

mod shown;

/// How long it lasts.
const WEEKS: i64 = 12;

/// `demo programme`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Folder to keep it in, new or empty [default: one that is thrown away at the end]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Another number, other evenings that come about
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Families of each of the three sites
    #[arg(long, value_name = "N", default_value_t = KINDS, value_parser = of_each_site)]
    families: usize,
    /// When the twelve weeks end: 2026-11-23T12:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Where the relay is, in the programme and afterwards [default: 127.0.0.1:8080 with --out, else any port]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// End when it is made, instead of serving it
    #[arg(long)]
    once: bool,
}

fn of_each_site(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=200).contains(number));
    number.ok_or_else(|| "a number from 1 to 200".to_owned())
}

/// Where everything is.
struct Folders {
    data: PathBuf,
    mail: PathBuf,
    coordinator: PathBuf,
    phones: PathBuf,
    cards: PathBuf,
    account: PathBuf,
}

impl Folders {
    fn of(folder: &Path) -> Self {
        Self {
            data: folder.join("relay"),
            mail: folder.join("mail"),
            coordinator: folder.join("coordinator"),
            phones: folder.join("phones"),
            cards: folder.join("cards"),
            account: folder.join("account.json"),
        }
    }
}

/// Makes it, shows it, and serves it unless that is not asked for.
pub(crate) async fn tell(args: &Args) -> anyhow::Result<()> {
    let thrown_away = tempfile::Builder::new().prefix("jiashu-programme-").tempdir()?;
    let folder = args.out.as_deref().unwrap_or(thrown_away.path());
    std::fs::create_dir_all(folder)?;
    ensure!(
        std::fs::read_dir(folder)?.next().is_none(),
        "{} is not empty: name a new folder by --out",
        folder.display()
    );
    let port = if args.out.is_some() { 8080 } else { 0 };
    let listen = args.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], port)));
    let folders = Folders::of(folder);
    make(args, listen, &folders).await?;
    match (args.once, &args.out) {
        (false, _) => shown::serve(&folders).await,
        (true, Some(_)) => shown::tell_how_to_serve(&folders),
        (true, None) => Ok(()),
    }
}

async fn make(args: &Args, listen: SocketAddr, folders: &Folders) -> anyhow::Result<()> {
    let began = Instant::now();
    println!(
        "{} families live for {WEEKS} weeks: for sixty it takes a minute or two.",
        SITES.len() * args.families
    );
    let until = args.until.unwrap_or_else(now);
    let start = start(until)?;
    let world = World::begin(&folders.data, &folders.mail, listen, start).await?;
    found(&world, folders).await?;
    let mut programme = Programme { world, folders, lives: Vec::new() };
    let mut enrolments: BTreeMap<Timestamp, Vec<Family>> = BTreeMap::new();
    for family in families(args.families) {
        let at = match family.kind.habit {
            Habit::New(days) => until - SignedDuration::from_hours(24 * days),
            _ => start,
        };
        enrolments.entry(at).or_default().push(family);
    }
    // At each time what each family does then, by its place.
    let mut acts: BTreeMap<Timestamp, BTreeMap<usize, Vec<Act>>> = BTreeMap::new();
    let (mut place, mut letters) = (0, 0);
    for (enrolled, families) in &enrolments {
        for family in families {
            let stretch = Stretch { enrolled: *enrolled, until };
            for (at, act) in script(family, stretch, args.seed) {
                letters += usize::from(matches!(act, Act::Write { .. }));
                acts.entry(at).or_default().entry(place).or_default().push(act);
            }
            place += 1;
        }
    }
    for (at, families) in enrolments {
        programme.live_until(&mut acts, at).await?;
        programme.enrol(families, at).await?;
    }
    programme.live_until(&mut acts, until).await?;
    programme.world.move_to(until).await?;
    let accounts: Vec<Value> = programme.lives.iter().map(Life::account).collect();
    let account = json!({ "until": until.to_string(), "seed": args.seed, "families": accounts });
    std::fs::write(&folders.account, serde_json::to_vec_pretty(&account)?)?;
    programme.world.end().await?;
    println!(
        "{} families at {} sites lived {WEEKS} weeks and wrote {letters} letters, in {:.0} s.",
        accounts.len(),
        SITES.len(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

fn now() -> Timestamp {
    jiashu_cli::clock::now()
}

/// The morning of a Monday, twelve whole weeks before the one that it is.
fn start(until: Timestamp) -> anyhow::Result<Timestamp> {
    let today = TimeZone::UTC.to_datetime(until).date();
    let since_monday = today.weekday().since(Weekday::Monday);
    let monday = today.checked_sub(i64::from(since_monday).days())?.checked_sub(WEEKS.weeks())?;
    Ok(TimeZone::UTC.to_ambiguous_timestamp(monday.at(5, 0, 0, 0)).compatible()?)
}

/// The first coordinator comes in, and says where the programme works and who works there.
async fn found(world: &World, folders: &Folders) -> anyhow::Result<()> {
    let coordinator = &folders.coordinator;
    run(coordinator, &["ngo", "setup", &world.setup_link]).await?;
    for site in SITES {
        let add = ["ngo", "site", "add", site.code, "--name", site.name, "--tz", site.zone];
        run(coordinator, &add).await?;
    }
    // With it the list says how old children are.
    run(coordinator, &["ngo", "consent-settings", "--jurisdiction", "cn"]).await?;
    let me = ["ngo", "me", "--email", "coordinator@ngo.example"];
    run(coordinator, &me).await?;
    for (role, name, language, site) in [
        ("caseworker", "Tianshui", "zh-Hans", Some("tianshui")),
        ("caseworker", "Soroca", "ro", Some("soroca")),
        ("caseworker", "Rezekne", "lv", Some("rezekne")),
        ("auditor", "Auditor", "it", None),
    ] {
        let email = format!("{}@ngo.example", name.to_lowercase());
        let add = ["ngo", "staff", "add", "--role", role, "--name", name, "--language", language];
        let of = site.map(|site| ["--site", site]);
        let add = [&add[..], &["--email", &email], of.as_ref().map_or(&[], |of| &of[..])].concat();
        let added = run(coordinator, &add).await?;
        let link = added.first().and_then(|added| added.get("link")).and_then(Value::as_str);
        let home = coordinator.with_file_name(name.to_lowercase());
        run(&home, &["ngo", "setup", link.context("no link")?]).await?;
    }
    Ok(())
}

struct Programme<'a> {
    world: World,
    folders: &'a Folders,
    lives: Vec<Life>,
}

impl Programme<'_> {
    /// Lets the time pass until then, with all that is done meanwhile.
    async fn live_until(
        &mut self,
        acts: &mut BTreeMap<Timestamp, BTreeMap<usize, Vec<Act>>>,
        until: Timestamp,
    ) -> anyhow::Result<()> {
        while let Some(next) = acts.first_entry().filter(|next| *next.key() <= until) {
            let (at, of_families) = next.remove_entry();
            self.world.move_to(at).await?;
            let now = self.world.now()?;
            self.pause(&of_families).await?;
            let at_once = self.lives.iter_mut().enumerate().filter_map(|(place, life)| {
                of_families.get(&place).map(|acts| life.act(acts, now))
            });
            try_join_all(at_once).await?;
        }
        self.world.move_to(until).await
    }

    /// What a caseworker enters.
    async fn pause(&self, of_families: &BTreeMap<usize, Vec<Act>>) -> anyhow::Result<()> {
        for (place, acts) in of_families {
            for act in acts {
                let Act::Pause { first, last, reason } = act else { continue };
                let case = &self.lives.get(*place).context("no such family")?.family.case_code;
                let (first, last) = (first.to_string(), last.to_string());
                let pause = ["ngo", "pause", case, "--reason", reason, "--from", &first];
                run(&self.folders.coordinator, &[&pause[..], &["--until", &last]].concat()).await?;
            }
        }
        Ok(())
    }

    /// From a list, as a worker does it; then their phones join by the cards.
    async fn enrol(&mut self, families: Vec<Family>, at: Timestamp) -> anyhow::Result<()> {
        let on = TimeZone::UTC.to_datetime(at).date();
        let rows: String = families.iter().map(|family| family.rows(on)).collect();
        let list = self.folders.cards.with_extension(format!("{on}.csv"));
        let cards = self.folders.cards.join(on.to_string());
        std::fs::create_dir_all(&self.folders.cards)?;
        std::fs::write(&list, format!("{COLUMNS}\n{rows}"))?;
        let text =
            |path: &Path| path.to_str().map(str::to_owned).context("the folder is not UTF-8");
        let enrol = ["ngo", "enrol", &text(&list)?, "--out", &text(&cards)?];
        run(&self.folders.coordinator, &enrol).await?;
        let invites = std::fs::read_to_string(cards.join("invites.json"))?;
        let invites: Vec<Value> = serde_json::from_str(&invites)?;
        for family in families {
            let life = Life::begin(family, at, &invites, &self.folders.phones).await?;
            self.lives.push(life);
        }
        Ok(())
    }
}
