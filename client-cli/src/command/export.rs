//! `export`: everything of one's own family, opened, into a folder for this user alone.

use std::io::Write as _;
use std::path::Path;

use serde::Serialize;

use super::letter::{heading, text_of};
use super::{Context, View, family, log, notices, plan, schedule, withdraw};
use crate::args::family::ExportArgs;
use crate::error::{CliError, ExitCode, Result};
use crate::home::{make_private_dir, private_file};
use crate::say::{self, as_html};
use crate::state::message::{self, Stored};
use crate::state::{fact, receipt};
use crate::voice::file;

pub(super) async fn run(context: &mut Context<'_>, args: &ExportArgs) -> Result<()> {
    View::open(&context.home)?;
    context.exchange_or_go_on().await?;
    let view = View::open(&context.home)?;
    prepare(&args.out)?;
    let letters = message::all(view.state.db())?;
    write_json(&args.out, "messages.json", &logged(&view, &letters)?)?;
    write_file(&args.out, "messages.html", page(&view, &letters)?.as_bytes())?;
    write_json(&args.out, "roster.json", &family::describe(&view)?)?;
    let missing = write_voices(context, &args.out, &view, &letters).await?;
    let schedules = fact::schedules(view.state.db())?;
    let schedules =
        schedules.iter().map(|one| schedule::listed(&view, one)).collect::<Result<Vec<_>>>()?;
    write_json(&args.out, "schedules.json", &schedules)?;
    write_json(&args.out, "receipts.json", &receipts(&view, &letters)?)?;
    write_json(&args.out, "plan.json", &plan::described(&view)?)?;
    write_json(&args.out, "agreements.json", &withdraw::described(&view)?)?;
    write_json(&args.out, "notices.json", &notices::all(view.state.db(), &view.people)?)?;
    if context.globals.json {
        let folder = args.out.display().to_string();
        let messages = letters.len();
        return context.json(&serde_json::json!({
            "out": folder, "messages": messages, "voice_notes_missing": missing
        }));
    }
    if missing > 0 {
        say::warn(&format!("{missing} voice notes are missing: they could not be fetched."));
    }
    let (count, folder) = (letters.len(), args.out.display());
    writeln!(context.out, "{count} letters, the family and its plans are in {folder}.")?;
    Ok(writeln!(context.out, "Open messages.html there to read or print.")?)
}

/// Every voice note that is here or can be fetched, as `voice-SEQ.opus`. How many are missing.
async fn write_voices(
    context: &Context<'_>,
    dir: &Path,
    view: &View,
    letters: &[Stored],
) -> Result<usize> {
    let mut missing = 0_usize;
    for stored in letters {
        let voice = stored.text.as_ref().and_then(|text| text.voice.as_ref());
        let Some(voice) = voice.filter(|_| stored.refused.is_none()) else { continue };
        // Where the relay cannot be reached, or keeps it no longer, what is here goes out all the same.
        match file::fetch(&context.home, context.ca(), &view.lane, voice).await {
            Ok(sound) => write_file(dir, &voice_name(stored), &sound)?,
            Err(_) => missing = missing.saturating_add(1),
        }
    }
    Ok(missing)
}

/// Of two lives of the log two letters may have one number.
fn voice_name(stored: &Stored) -> String {
    format!("voice-{}-{}.opus", stored.seq, stored.message.entry_ref)
}

fn prepare(dir: &Path) -> Result<()> {
    let failed = |error| {
        CliError::new(
            ExitCode::BadInput,
            format!("cannot use the folder {}: {error}", dir.display()),
        )
    };
    make_private_dir(dir).map_err(failed)?;
    if std::fs::read_dir(dir).map_err(failed)?.next().is_some() {
        let text = format!("{} is not empty: name a new folder", dir.display());
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    Ok(())
}

fn write_json(dir: &Path, name: &str, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| CliError::new(ExitCode::General, error))?;
    text.push(b'\n');
    write_file(dir, name, &text)
}

fn write_file(dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let mut file = private_file(&dir.join(name))?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

fn logged(view: &View, letters: &[Stored]) -> Result<Vec<log::Logged>> {
    letters.iter().filter_map(|stored| log::logged(view, stored).transpose()).collect()
}

/// One receipt of the export.
#[derive(Serialize)]
struct ReceiptJson {
    #[serde(rename = "ref")]
    entry_ref: String,
    member: String,
    rung: &'static str,
    at: String,
}

fn receipts(view: &View, letters: &[Stored]) -> Result<Vec<ReceiptJson>> {
    let mut all = Vec::new();
    for stored in letters {
        let heard = receipt::of(view.state.db(), stored.message.entry_ref)?.into_iter();
        all.extend(heard.map(|heard| ReceiptJson {
            entry_ref: stored.message.entry_ref.to_string(),
            member: view.people.name(heard.member),
            rung: heard.rung.name(),
            at: super::letter::utc(heard.at),
        }));
    }
    Ok(all)
}

const PAGE: &str = "<!doctype html>
<meta charset=\"utf-8\">
<title>Letters of our family</title>
<style>
body { font: 16px/1.5 serif; max-width: 40em; margin: 2em auto; padding: 0 1em }
h2 { font-size: 1em; color: #555; margin: 1.5em 0 0 }
p { white-space: pre-wrap; margin: .2em 0; break-inside: avoid }
</style>
<h1>Letters of our family</h1>
";

fn page(view: &View, letters: &[Stored]) -> Result<String> {
    let mut page = PAGE.to_owned();
    for stored in letters.iter().filter(|stored| stored.text.is_some()) {
        let (heading, text) = (heading(stored, &view.people), text_of(stored));
        page.push_str(&format!("<h2>{}</h2>\n", as_html(&heading)));
        if stored.text.as_ref().is_some_and(|text| text.voice.is_some()) {
            page.push_str(&format!("<audio controls src=\"{}\"></audio>\n", voice_name(stored)));
        } else {
            page.push_str(&format!("<p>{}</p>\n", as_html(text.trim())));
        }
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_stays_text_on_the_page() {
        assert_eq!(as_html("<b onload='x'>&\""), "&lt;b onload=&#39;x&#39;&gt;&amp;&quot;");
    }

    #[test]
    fn a_folder_in_use_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("photo.jpg"), b"").unwrap();

        let error = prepare(dir.path()).unwrap_err();

        assert_eq!(error.code, ExitCode::BadInput);
    }
}
