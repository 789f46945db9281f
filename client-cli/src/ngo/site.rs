//! `jiashu ngo site`: the places of the programme.

use std::io::Write;

use jiashu_api::site::Site;
use serde_json::json;

use super::staff::Staff;
use super::{SiteCommand, api, cell};
use crate::args::Globals;
use crate::error::{CliError, ExitCode, Result};
use crate::say::{json_line, one_line};

/// Does what was typed.
pub(super) async fn run(
    command: &SiteCommand,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let staff = Staff::load(globals)?;
    match command {
        SiteCommand::List => {
            for site in &all(&staff, globals).await? {
                if globals.json {
                    writeln!(out, "{}", json_line(site)?)?;
                    continue;
                }
                let unit = site.org_unit.as_ref().map(|unit| format!(", DHIS2 {}", one_line(unit)));
                let (code, name, zone) = (&site.code, one_line(&site.name), &site.zone);
                writeln!(out, "{code}  {name}, {zone}{}", unit.unwrap_or_default())?;
            }
            Ok(())
        }
        SiteCommand::Add { code, name, tz, org_unit } => {
            let bad = |reason| CliError::new(ExitCode::BadInput, reason);
            let code = cell::site(code).map_err(bad)?;
            let zone = cell::time_zone(tz).map_err(bad)?;
            let (name, org_unit) = (name.clone(), org_unit.clone());
            let site = Site { code, name, zone, org_unit };
            api::post(&staff, globals, "/api/v1/sites", &site).await?;
            if globals.json {
                return Ok(writeln!(out, "{}", json!(site))?);
            }
            writeln!(out, "Site {}: its days and weeks are those of {}.", site.code, site.zone)?;
            Ok(())
        }
    }
}

/// All of them.
pub(super) async fn all(staff: &Staff, globals: &Globals) -> Result<Vec<Site>> {
    api::get(staff, globals, "/api/v1/sites").await
}
