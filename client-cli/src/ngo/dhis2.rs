//! `jiashu ngo dhis2`: a data value set for DHIS2, as a file or sent there from this machine. The relay never calls out.
//!
//! Source: DHIS2, *Developer guide*, "Data values" (import parameters, import summary).

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::{Request, StatusCode, header};
use jiashu_api::export::Preview;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::export::{SpanArgs, path_of, period, prefix};
use super::staff::Staff;
use super::{api, disk};
use crate::args::Globals;
use crate::error::{CliError, ExitCode, Result};
use crate::http::{self, HttpError, Origin};
use crate::say::{json_line, note, one_line, warn};

/// Arguments of `jiashu ngo dhis2`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The login for --send is user:password, or a personal access token (d2pat_…). It stands in the variable
JIASHU_DHIS2_LOGIN, or in the file of --login-file; never on the command line. DHIS2 finds data elements
and organisation units by their codes: jiashu ngo codebook dhis2 lists the ones, jiashu ngo site the
others. It is safe to send again.")]
pub struct Dhis2Args {
    /// A week or month: 2026W48, 2026-11 [default: the last week that has closed]
    #[arg(long, value_name = "PERIOD", conflicts_with = "from", value_parser = period)]
    pub period: Option<String>,
    /// The first of several
    #[arg(long, value_name = "PERIOD", requires = "until", value_parser = period)]
    pub from: Option<String>,
    /// The last of them
    #[arg(long, value_name = "PERIOD", requires = "from", value_parser = period)]
    pub until: Option<String>,
    /// Also what has not closed, and may still change
    #[arg(long)]
    pub provisional: bool,
    /// In which form
    #[arg(long, default_value = "json")]
    pub format: Dhis2Format,
    /// What the codes of the data elements begin with
    #[arg(long, default_value = "JIASHU_", value_name = "TEXT", value_parser = prefix)]
    pub prefix: String,
    /// Show what would be in it; with --send DHIS2 checks it and stores nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write it there [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Send it to that DHIS2: its address up to where /api begins
    #[arg(long, value_name = "URL")]
    pub send: Option<String>,
    /// The file in which the login for it stands
    #[arg(long, value_name = "FILE", requires = "send")]
    pub login_file: Option<PathBuf>,
}

/// The form of a data value set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Dhis2Format {
    /// JSON.
    Json,
    /// DHIS2's columns.
    Csv,
}

/// Where the login stands, unless in a file.
const LOGIN: &str = "JIASHU_DHIS2_LOGIN";

/// How long DHIS2 may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Conflicts that are shown.
const SHOWN: usize = 20;

/// Makes it, and puts it where it was asked for.
pub(super) async fn run(args: &Dhis2Args, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let staff = Staff::load(globals)?;
    let server = match &args.send {
        Some(url) => Some(Server::at(url, args.login_file.as_deref())?),
        None => None,
    };
    let mut query = SpanArgs {
        week: args.period.clone(),
        from: args.from.clone(),
        until: args.until.clone(),
        ..SpanArgs::default()
    }
    .query();
    query.extend(args.provisional.then(|| "provisional=yes".to_owned()));
    let ask = [&query[..], &["dry_run=yes".to_owned()]].concat();
    let preview: Preview = api::get(&staff, globals, &path_of("dhis2", &ask)).await?;
    tell(&preview);
    if args.dry_run && server.is_none() {
        return show(&preview, globals, out);
    }
    query.push(format!("prefix={}", args.prefix));
    query.push(format!("format={}", args.format.word()));
    let mut set = Vec::new();
    api::save(&staff, globals, &path_of("dhis2", &query), &mut set).await?;
    if let Some(path) = &args.out {
        disk::write(path, &set)?;
    }
    match (server, &args.out) {
        (Some(server), _) => {
            let summary = server.send(set, args, globals).await?;
            summary.show(args.dry_run, globals, out)
        }
        (None, Some(path)) if globals.json => {
            let path = path.display().to_string();
            Ok(writeln!(out, "{}", json_line(&json!({ "file": path, "preview": preview }))?)?)
        }
        (None, Some(path)) => Ok(writeln!(out, "{} in {}.", counted(&preview), path.display())?),
        (None, None) => Ok(out.write_all(&set)?),
    }
}

impl Dhis2Format {
    fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "application/csv",
        }
    }
}

/// Says what is missing from it, and why.
fn tell(preview: &Preview) {
    for site in &preview.left_out {
        let name = site.site.as_deref().map_or("families without a site".to_owned(), |site| {
            format!("site {}", one_line(site))
        });
        warn(&format!("Left out: {name}: {}", one_line(&site.reason)));
    }
    if !preview.not_closed.is_empty() {
        let periods = one_line(&preview.not_closed.join(", "));
        note(&format!("Not closed yet, and left out: {periods} (--provisional takes them in)."));
    }
}

fn counted(preview: &Preview) -> String {
    let Preview { values, deletions, .. } = preview;
    let (units, periods) = (preview.org_units.len(), one_line(&preview.periods.join(", ")));
    let deletions =
        if *deletions == 0 { String::new() } else { format!(", {deletions} deletions") };
    format!("{periods}: {values} values of {units} organisation units{deletions}")
}

fn show(preview: &Preview, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    if globals.json {
        return Ok(writeln!(out, "{}", json_line(preview)?)?);
    }
    if preview.periods.is_empty() {
        return Ok(writeln!(out, "Nothing of that has closed yet.")?);
    }
    Ok(writeln!(out, "{}. Nothing was written.", counted(preview))?)
}

/// A DHIS2, and as whom.
struct Server {
    origin: Origin,
    /// What stands before `/api`.
    base: String,
    login: Login,
}

/// Never shown.
struct Login(String);

impl Server {
    fn at(url: &str, login_file: Option<&Path>) -> Result<Self> {
        let bad = |text: &str| CliError::new(ExitCode::BadInput, text.to_owned());
        let (origin, base) = split(url).ok_or_else(|| {
            bad("--send takes the address of a DHIS2: https://dhis2.example.org or https://example.org/dhis")
        })?;
        let is_here = ["localhost", "127.0.0.1", "::1"].contains(&origin.host.as_str());
        if !origin.tls && !is_here {
            return Err(bad("the login would cross the network for all to read: use https"));
        }
        let text = match login_file {
            Some(path) => std::fs::read_to_string(path).map_err(|error| {
                bad(&format!("cannot read the login in {}: {error}", path.display()))
            })?,
            None => std::env::var(LOGIN).map_err(|_| {
                bad("the login is missing: put user:password or a token into JIASHU_DHIS2_LOGIN, or name a file by --login-file")
            })?,
        };
        Ok(Self { origin, base, login: Login::parse(&text)? })
    }

    /// Sends it, by code; DHIS2's summary of what it did.
    async fn send(&self, set: Vec<u8>, args: &Dhis2Args, globals: &Globals) -> Result<Summary> {
        let dry_run = if args.dry_run { "&dryRun=true" } else { "" };
        let path = format!(
            "{}/api/dataValueSets?idScheme=CODE&importStrategy=CREATE_AND_UPDATE{dry_run}",
            self.base
        );
        let request = Request::post(path)
            .header(header::AUTHORIZATION, self.login.header())
            .header(header::CONTENT_TYPE, args.format.media_type())
            .header(header::ACCEPT, "application/json");
        let ca = globals.ca.as_deref();
        let asked = http::ask_within(PATIENCE, &self.origin, ca, request, set).await;
        let (status, answer) = asked.map_err(|error| self.failed(error))?;
        self.read(status, &answer)
    }

    fn failed(&self, error: HttpError) -> CliError {
        let origin = &self.origin;
        match error {
            HttpError::Unreachable { source, .. } => {
                let text = format!("cannot reach DHIS2 at {origin}: {source}");
                CliError::new(ExitCode::Offline, text)
            }
            HttpError::TooSlow { .. } | HttpError::BrokenOff { .. } => {
                let text = format!("DHIS2 at {origin} did not answer: it is safe to send again");
                CliError::new(ExitCode::Offline, text)
            }
            other => other.into(),
        }
    }

    /// What it answered: a summary with 200 and, where it did not take all, with 409.
    fn read(&self, status: StatusCode, answer: &[u8]) -> Result<Summary> {
        let no =
            |code, text: &str| Err(CliError::new(code, format!("DHIS2 at {}{text}", self.origin)));
        match status.as_u16() {
            200 | 409 => {}
            401 => return no(ExitCode::Refused, " does not know this login"),
            403 => return no(ExitCode::Refused, " does not let this login import data"),
            404 => {
                return no(ExitCode::BadInput, " has no /api there: give its address up to that");
            }
            500..=599 => return no(ExitCode::Offline, " is in trouble: try again in a minute"),
            _ => return no(ExitCode::Refused, &format!(" answered {status}")),
        }
        match serde_json::from_slice(answer) {
            Ok(Answer::Wrapped { response }) => Ok(response),
            Ok(Answer::Plain(summary)) => Ok(summary),
            Err(_) => no(ExitCode::General, " answered something else than a summary"),
        }
    }
}

/// Where it is, and what stands before `/api`.
fn split(url: &str) -> Option<(Origin, String)> {
    let url = url.trim_end_matches('/');
    let begins = url.find("://")? + 3;
    let at = url.get(begins..)?.find('/').map_or(url.len(), |at| begins + at);
    let (origin, base) = url.split_at_checked(at)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let is_plain = base.bytes().all(allowed) && !base.ends_with("/api");
    Some((origin.parse().ok()?, base.to_owned())).filter(|_| is_plain)
}

impl Login {
    fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let is_token = text.starts_with("d2pat_") && !text.contains(':');
        let is_plain = text.chars().all(|c| !c.is_control());
        if is_plain && (is_token || text.split_once(':').is_some_and(|(user, _)| !user.is_empty()))
        {
            return Ok(Self(text.to_owned()));
        }
        let text = "a login is user:password, or a personal access token, d2pat_…";
        Err(CliError::new(ExitCode::BadInput, text))
    }

    /// As DHIS2 takes it (RFC 7617, or its own `ApiToken`).
    fn header(&self) -> String {
        if self.0.starts_with("d2pat_") && !self.0.contains(':') {
            format!("ApiToken {}", self.0)
        } else {
            format!("Basic {}", STANDARD.encode(&self.0))
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}

/// Since 2.38 the summary stands in an envelope.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Answer {
    Wrapped { response: Summary },
    Plain(Summary),
}

/// What DHIS2 did.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    #[serde(default)]
    status: String,
    import_count: Count,
    #[serde(default)]
    conflicts: Vec<Conflict>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Count {
    imported: u64,
    updated: u64,
    ignored: u64,
    deleted: u64,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Conflict {
    object: String,
    value: String,
}

impl Summary {
    fn show(&self, dry_run: bool, globals: &Globals, out: &mut dyn Write) -> Result<()> {
        if globals.json {
            writeln!(out, "{}", json_line(self)?)?;
        } else {
            let Count { imported, updated, ignored, deleted } = self.import_count;
            let what = if dry_run { "DHIS2 would have" } else { "DHIS2 has" };
            writeln!(
                out,
                "{what} imported {imported}, updated {updated}, deleted {deleted}; ignored {ignored}."
            )?;
            for Conflict { object, value } in self.conflicts.iter().take(SHOWN) {
                warn(&format!("{}: {}", one_line(object), one_line(value)));
            }
        }
        if self.conflicts.is_empty() && self.status != "ERROR" {
            return Ok(());
        }
        let text = "DHIS2 did not take all of it: are there data elements and organisation units of these codes, in a data set of that period?";
        Err(CliError::new(ExitCode::Refused, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_that_of_a_server_or_of_a_folder_on_it() {
        let cases = [
            ("https://dhis2.example.org", "https://dhis2.example.org", ""),
            ("https://example.org/dhis/", "https://example.org", "/dhis"),
            ("http://[::1]:8080/a/b", "http://[::1]:8080", "/a/b"),
        ];
        for (url, origin, base) in cases {
            let found = split(url).unwrap();
            assert_eq!((found.0.to_string().as_str(), found.1.as_str()), (origin, base), "{url}");
        }
        for bad in [
            "",
            "dhis2.example.org",
            "https://user:pw@example.org",
            "https://example.org/a?b",
            "https://example.org/a b",
            "https://example.org/api",
            "https://",
        ] {
            assert!(split(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_login_is_a_name_and_a_password_or_a_token_and_shows_itself_nowhere() {
        let basic = Login::parse("admin:dis:trict\n").unwrap();
        assert_eq!(basic.header(), "Basic YWRtaW46ZGlzOnRyaWN0");
        assert_eq!(format!("{basic:?}"), "Login(..)");
        assert_eq!(Login::parse("d2pat_x").unwrap().header(), "ApiToken d2pat_x");
        for bad in ["", "admin", ":x", "a:b\r\nx: y"] {
            assert!(Login::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_summary_reads_with_its_envelope_and_without() {
        let plain = r#"{"status":"WARNING","importCount":{"imported":2,"updated":0,"ignored":1,
            "deleted":3},"conflicts":[{"object":"OU_X","value":"not found"}],"dataSetComplete":"false"}"#;
        let wrapped = format!(r#"{{"httpStatus":"Conflict","response":{plain}}}"#);
        let server = Server {
            origin: "https://x.example".parse().unwrap(),
            base: String::new(),
            login: Login(String::new()),
        };
        for answer in [plain, &wrapped] {
            let summary = server.read(StatusCode::CONFLICT, answer.as_bytes()).unwrap();
            let Count { imported, ignored, deleted, .. } = summary.import_count;
            assert_eq!((imported, ignored, deleted, summary.conflicts.len()), (2, 1, 3, 1));
            let mut out = Vec::new();
            let shown = summary.show(false, &Globals::default(), &mut out);
            assert_eq!(shown.unwrap_err().code, ExitCode::Refused);
        }
        let unknown = server.read(StatusCode::UNAUTHORIZED, b"").unwrap_err();
        assert!(unknown.message.contains("does not know this login"));
        assert!(server.read(StatusCode::OK, b"<html>").is_err());
    }
}
