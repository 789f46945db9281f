//! `jiashu ngo consent-settings`: what holds of consent where nobody says otherwise.

use std::io::Write;

use jiashu_api::consent::ConsentSettings;
use jiashu_proto::entry::{Jurisdiction, OF_AGE};

use super::staff::Staff;
use super::{ConsentSettingsArgs, OrNone, api};
use crate::args::Globals;
use crate::error::Result;
use crate::say::json_line;

const PATH: &str = "/api/v1/consent-settings";

/// Shows what is in force, after what was typed.
pub(super) async fn run(
    args: &ConsentSettingsArgs,
    globals: &Globals,
    out: &mut dyn Write,
) -> Result<()> {
    let staff = Staff::load(globals)?;
    let stands = settings(&staff, globals).await?;
    let new = ConsentSettings {
        jurisdiction: match args.jurisdiction {
            None => stands.jurisdiction.clone(),
            Some(one) => one.chosen().map(|one| one.name().to_owned()),
        },
        text_version: args.text_version.map_or(stands.text_version, |OrNone(number)| number),
        valid_months: args.valid_months.map_or(stands.valid_months, |OrNone(number)| number),
    };
    if new != stands {
        api::put(&staff, globals, PATH, &new).await?;
    }
    if globals.json {
        return Ok(writeln!(out, "{}", json_line(&new)?)?);
    }
    let jurisdiction = new.jurisdiction.as_deref().and_then(Jurisdiction::from_name);
    let age = jurisdiction.map_or(OF_AGE, Jurisdiction::own_word_age);
    let number = |number: Option<u32>| number.map_or("none".to_owned(), |it| it.to_string());
    writeln!(out, "jurisdiction  {}", jurisdiction.map_or("none", Jurisdiction::name))?;
    writeln!(out, "own word      a child's is enough from {age}; before, its guardian's too")?;
    writeln!(out, "text          {}", number(new.text_version))?;
    let valid = new.valid_months.map_or("without end".to_owned(), |it| format!("{it} months"));
    writeln!(out, "valid         {valid}")?;
    if jurisdiction.is_some() {
        writeln!(
            out,
            "\nAsk your own lawyer whether the age is right: docs/safeguarding.md says why."
        )?;
    }
    Ok(())
}

/// What is in force.
pub(super) async fn settings(staff: &Staff, globals: &Globals) -> Result<ConsentSettings> {
    api::get(staff, globals, PATH).await
}
