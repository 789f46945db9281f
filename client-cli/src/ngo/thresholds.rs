//! `jiashu ngo thresholds`: where one standing ends and the next begins.

use std::io::Write;

use jiashu_api::report::Thresholds;

use super::staff::Staff;
use super::{Preset, ThresholdsArgs, api};
use crate::args::Globals;
use crate::error::Result;
use crate::say::json_line;

const PATH: &str = "/api/v1/thresholds";

/// Shows what is in force, after what was typed.
pub(super) async fn run(
    args: &ThresholdsArgs,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let staff = Staff::load(globals)?;
    let stands: Thresholds = api::get(&staff, globals, PATH).await?;
    let base = match args.preset {
        None => stands,
        Some(Preset::Weekly) => Thresholds::WEEKLY,
        Some(Preset::Daily) => Thresholds::DAILY,
    };
    let new = Thresholds {
        on_track: args.on_track.unwrap_or(base.on_track),
        watch: args.watch.unwrap_or(base.watch),
        at_risk: args.at_risk.unwrap_or(base.at_risk),
        silent: args.silent.unwrap_or(base.silent),
        missed: args.missed.unwrap_or(base.missed),
    };
    if new != stands {
        api::put(&staff, globals, PATH, &new).await?;
    }
    if globals.json {
        return Ok(writeln!(out, "{}", json_line(&new)?)?);
    }
    let Thresholds { on_track, watch, at_risk, silent, missed } = new;
    writeln!(out, "on track  both heard each other in the last {on_track} days")?;
    writeln!(out, "watch     in the last {watch}; so long somebody is new, too")?;
    writeln!(out, "at risk   in the last {at_risk}, or {missed} missed one after the other")?;
    writeln!(out, "silent    in the last {silent}")?;
    writeln!(out, "dormant   not even that")?;
    Ok(())
}
