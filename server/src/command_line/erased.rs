//! `erased list`, `erased again`: which families were deleted, kept apart from the store, and deleted again after an older
//! backup was restored.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use jiashu_proto::id::Scope;
use jiff::Timestamp;

use super::carry::{Telling, open_to_read, open_to_write};
use super::runtime;
use crate::clock::Clock;
use crate::config::Config;
use crate::erasing::again::{Again, erase_again, erased};
use crate::ngo::transfer::number;

/// A list is not longer than this, in bytes: a million families.
const MOST_BYTES: u64 = 64 << 20;

/// Prints a line for each family that is erased.
#[expect(clippy::print_stdout, reason = "the answer to what was asked")]
pub(super) fn list(config: &Config, telling: Telling) -> anyhow::Result<()> {
    let all = runtime()?.block_on(async {
        let store = open_to_read(config).await?;
        let all = erased(&*store).await?;
        store.close().await;
        anyhow::Ok(all)
    })?;
    for (family, at) in all {
        let (number, at) = (family.to_string(), Timestamp::from_millisecond(at)?.to_string());
        if telling.json {
            println!("{}", serde_json::json!({ "family": number, "erased_at": at }));
        } else {
            println!("{number}  {at}");
        }
    }
    Ok(())
}

/// Deletes those of a list that [`list`] printed.
#[expect(clippy::print_stdout, reason = "the answer to what was asked")]
pub(super) fn again(config: &Config, file: &Path, telling: Telling) -> anyhow::Result<()> {
    let families = read(file)?;
    let now = Clock::system().now();
    let all = runtime()?.block_on(async {
        let store = open_to_write(config).await?;
        let mut all = Vec::new();
        for family in families {
            let done = erase_again(&*store, family, now).await?;
            anyhow::ensure!(done != Again::NoFamily, "{family} is a programme's number");
            all.push(done);
        }
        store.close().await;
        anyhow::Ok(all)
    })?;
    let count = |what| all.iter().filter(|done| **done == what).count();
    let (go, gone, noted) = (count(Again::Goes), count(Again::Gone), count(Again::Noted));
    if telling.json {
        println!("{}", serde_json::json!({ "go": go, "gone": gone, "noted": noted }));
    } else {
        println!(
            "{go} families go as soon as the relay runs, {gone} were gone, {noted} were not there"
        );
    }
    Ok(())
}

/// The numbers of a list: the first word of each line, before anything is done.
fn read(file: &Path) -> anyhow::Result<Vec<Scope>> {
    let mut text = String::new();
    let whole =
        std::fs::File::open(file).and_then(|it| it.take(MOST_BYTES).read_to_string(&mut text));
    let length = whole.with_context(|| format!("cannot read {}", file.display()))?;
    anyhow::ensure!((length as u64) < MOST_BYTES, "{} is too long for a list", file.display());
    let numbered = text.lines().enumerate().map(|(place, line)| {
        let first = line.split_whitespace().next().unwrap_or_default();
        let line = place.saturating_add(1);
        let bad = || format!("{}: line {line} begins with no family's number", file.display());
        number(first).with_context(bad)
    });
    numbered.collect()
}
