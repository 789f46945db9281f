//! `jiashu ngo export` and `codebook`: figures as files, and what their columns mean.

use std::io::Write;
use std::path::{Path, PathBuf};

use jiashu_api::export::{Codebook, Column};
use serde_json::json;

use super::api;
use super::disk::{self, Unfinished};
use super::staff::Staff;
use crate::args::Globals;
use crate::error::{CliError, ExitCode, Result};
use crate::home::make_private_dir;
use crate::say::{json_line, note, one_line, table};

/// Arguments of `jiashu ngo export`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
family-week and contact-events are rows of single families: personal data, for coordinators alone.
They name no one and hold no case code, but who knows a family may recognise it. Keep them as you keep
the families' list, and delete them once they are used. Each that is asked for stands in the audit log.")]
pub struct ExportArgs {
    /// Which
    pub file: ExportFile,
    /// Of when
    #[command(flatten)]
    pub span: SpanArgs,
    /// Folder for the file and its codebook; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Of sites: also what has not closed, and may still change
    #[arg(long)]
    pub provisional: bool,
}

/// Of when figures are.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SpanArgs {
    /// One week: 2026W48 [default: the last that has closed]
    #[arg(long, value_name = "WEEK", conflicts_with_all = ["month", "from"], value_parser = period)]
    pub week: Option<String>,
    /// One month: 2026-11
    #[arg(long, value_name = "MONTH", conflicts_with = "from", value_parser = period)]
    pub month: Option<String>,
    /// The first of several weeks or months
    #[arg(long, value_name = "PERIOD", requires = "until", value_parser = period)]
    pub from: Option<String>,
    /// The last of them
    #[arg(long, value_name = "PERIOD", requires = "from", value_parser = period)]
    pub until: Option<String>,
}

/// A file of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFile {
    /// What each week says of each child (coordinators).
    FamilyWeek,
    /// Each contact by itself (coordinators).
    ContactEvents,
    /// The sums of each site, of each week or month.
    SitePeriod,
}

/// What has a codebook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum CodebookOf {
    /// What each week says of each child.
    FamilyWeek,
    /// Each contact by itself.
    ContactEvents,
    /// The sums of each site.
    SitePeriod,
    /// The data elements of DHIS2.
    Dhis2,
}

impl ExportFile {
    fn of(self) -> CodebookOf {
        match self {
            Self::FamilyWeek => CodebookOf::FamilyWeek,
            Self::ContactEvents => CodebookOf::ContactEvents,
            Self::SitePeriod => CodebookOf::SitePeriod,
        }
    }
}

impl CodebookOf {
    fn word(self) -> &'static str {
        match self {
            Self::FamilyWeek => "family-week",
            Self::ContactEvents => "contact-events",
            Self::SitePeriod => "site-period",
            Self::Dhis2 => "dhis2",
        }
    }
}

/// What may stand in an address as a week or month; the relay says whether it is one.
pub(crate) fn period(text: &str) -> std::result::Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_plain = !text.is_empty() && text.bytes().all(allowed);
    is_plain.then(|| text.to_owned()).ok_or("a week is written 2026W48, a month 2026-11")
}

/// What codes of DHIS2 may begin with.
pub(super) fn prefix(text: &str) -> std::result::Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_plain = text.bytes().all(allowed);
    is_plain.then(|| text.to_owned()).ok_or("letters, digits and _")
}

impl SpanArgs {
    /// As it is asked for.
    pub(super) fn query(&self) -> Vec<String> {
        let pair = |key: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!("{key}={value}"))
        };
        let pairs = [
            pair("week", &self.week),
            pair("month", &self.month),
            pair("from", &self.from),
            pair("until", &self.until),
        ];
        pairs.into_iter().flatten().collect()
    }
}

/// Saves a file, and its codebook beside it.
pub(super) async fn run(args: &ExportArgs, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let staff = Staff::load(globals)?;
    let word = args.file.of().word();
    if args.provisional && args.file != ExportFile::SitePeriod {
        let text = "rows of families say in the column closed whether they may still change: leave \
                    --provisional out";
        return Err(CliError::new(ExitCode::BadInput, text));
    }
    let book = explained(&staff, globals, args.file.of()).await?;
    let name = word.replace('-', "_");
    let (path, beside) =
        (args.out.join(format!("{name}.csv")), args.out.join(format!("{name}.codebook.csv")));
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error| CliError::new(ExitCode::BadInput, format!("cannot write {path}: {error}"))
    };
    make_private_dir(&args.out).map_err(failed(&args.out))?;
    let mut query = args.span.query();
    query.extend(args.provisional.then(|| "provisional=yes".to_owned()));
    let mut file = Lines { file: Unfinished::beside(&path).map_err(failed(&path))?, count: 0 };
    api::save(&staff, globals, &path_of(word, &query), &mut file).await?;
    let rows = file.count.saturating_sub(1);
    file.file.finish().map_err(failed(&path))?;
    disk::write(&beside, &as_csv(&book.columns)?)?;
    if globals.json {
        let answer = json!({
            "file": path.display().to_string(),
            "codebook": beside.display().to_string(),
            "rows": rows,
        });
        return Ok(writeln!(out, "{}", json_line(&answer)?)?);
    }
    writeln!(out, "{rows} rows in {}; what they mean, in {}.", path.display(), beside.display())?;
    if args.file != ExportFile::SitePeriod {
        note("These are personal data: delete the file once it is used.");
    } else if rows == 0 {
        note(
            "Nothing of that has closed yet: a week does seven days after its end (--provisional).",
        );
    }
    Ok(())
}

/// The address of a file.
pub(super) fn path_of(word: &str, query: &[String]) -> String {
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/api/v1/exports/{word}{mark}{}", query.join("&"))
}

/// A file, and how many lines it has by now: no cell holds the end of one.
struct Lines {
    file: Unfinished,
    count: usize,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        let lines = bytes.iter().take(written).filter(|byte| **byte == b'\n').count();
        self.count = self.count.saturating_add(lines);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Shows what the columns of a file mean.
pub(super) async fn codebook(of: CodebookOf, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let book = explained(&Staff::load(globals)?, globals, of).await?;
    if globals.json {
        return Ok(writeln!(out, "{}", json_line(&book)?)?);
    }
    let mut rows = vec![["column", "type", "unit", "meaning"].map(str::to_owned)];
    rows.extend(book.columns.iter().map(|column| {
        let unit = column.unit.clone().unwrap_or_default();
        [&column.column, &column.kind, &unit, &column.meaning].map(|cell| one_line(cell))
    }));
    for line in table(&rows) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

async fn explained(staff: &Staff, globals: &Globals, of: CodebookOf) -> Result<Codebook> {
    api::get(staff, globals, &path_of(&format!("codebook/{}", of.word()), &[])).await
}

fn as_csv(columns: &[Column]) -> Result<Vec<u8>> {
    let failed = |error: csv::Error| CliError::new(ExitCode::General, error);
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(["column", "type", "unit", "meaning", "formula"]).map_err(failed)?;
    for Column { column, kind, unit, meaning, formula } in columns {
        let unit = unit.as_deref().unwrap_or_default();
        writer.write_record([column, kind, unit, meaning, formula]).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| CliError::new(ExitCode::General, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_fits_into_an_address() {
        for good in ["2026W48", "2026-11", "202611"] {
            assert_eq!(period(good), Ok(good.to_owned()));
        }
        for bad in ["", "2026 W48", "2026W48&by=site", "W\r\n", "二"] {
            assert!(period(bad).is_err() && (bad.is_empty() || prefix(bad).is_err()), "{bad:?}");
        }
        let span = SpanArgs {
            from: Some("2026W40".into()),
            until: Some("2026W48".into()),
            ..SpanArgs::default()
        };
        assert_eq!(
            path_of("site-period", &span.query()),
            "/api/v1/exports/site-period?from=2026W40&until=2026W48"
        );
        assert_eq!(path_of("dhis2", &[]), "/api/v1/exports/dhis2");
    }
}
