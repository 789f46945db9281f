//! `jiashu ngo setup LINK`: the first coordinator of a new programme, or more staff of one that is there.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, RelayFrame, Setup, Staffed};
use jiashu_proto::id::Scope;
use jiashu_roster::{code_hash, token_hash};
use serde_json::json;

use super::send::read_frames;
use super::staff::StaffFile;
use crate::args::Globals;
use crate::error::{CliError, ExitCode, Result};
use crate::http::{self, Origin};

/// A one-time link: `https://host/setup#` and 32 characters, the relay's own or a programme's.
#[derive(Debug, PartialEq, Eq)]
struct SetupLink {
    origin: Origin,
    code: [u8; 16],
    /// Of which programme; of the relay's own link none, as that makes one.
    programme: Option<Scope>,
}

impl SetupLink {
    fn parse(link: &str) -> Option<Self> {
        let (origin, fragment) = link.trim().split_once("/setup#")?;
        let bytes: [u8; 24] = URL_SAFE_NO_PAD.decode(fragment).ok()?.try_into().ok()?;
        let (scope, code) = bytes.split_first_chunk::<8>()?;
        let programme = Some(Scope(u64::from_be_bytes(*scope))).filter(|one| *one != Scope::RELAY);
        Some(Self { origin: origin.parse().ok()?, code: code.try_into().ok()?, programme })
    }
}

/// Uses the link. The token is on disk before it is sent, so a repeat after a lost answer is the
/// same request, and gets the first answer.
pub(super) async fn run(link: &str, globals: &Globals, out: &mut dyn Write) -> Result<()> {
    let link = SetupLink::parse(link).ok_or_else(|| {
        let text = "not a setup link: it looks like https://relay.example.org/setup#… and stands \
                    in the file `setup-link` of the relay's data folder";
        CliError::new(ExitCode::BadInput, text)
    })?;
    let mut file = prepare(&link, globals)?;
    let programme = file.programme().expect("read or drawn, it is a number");
    let hash = token_hash(&file.secret.0);
    let setup = Setup { code: link.code, programme, token_hash: hash };
    let frame = ClientFrame::Setup(setup).to_bytes(0);
    let answer = http::round(&link.origin, globals.ca.as_deref(), &frame).await?;

    let staffed = read_answer(&answer, programme)?;
    file.number = Some(staffed.number.0);
    file.write(globals)?;
    if globals.json {
        let (programme, number) = (programme.to_string(), staffed.number.0);
        let answer = json!({ "programme": programme, "number": number, "relay": file.relay });
        writeln!(out, "{answer}")?;
    } else if link.programme.is_some() {
        let (number, relay) = (staffed.number, &file.relay);
        writeln!(
            out,
            "Welcome: you are number {number} among the staff of the programme at {relay}."
        )?;
        writeln!(out, "Next: jiashu ngo worklist")?;
    } else {
        writeln!(
            out,
            "You are coordinator {} of a new programme at {}.",
            staffed.number, file.relay
        )?;
        writeln!(out, "Next, where the families live, each place with its clock:")?;
        writeln!(out, "  jiashu ngo site add CODE --name NAME --tz ZONE")?;
        writeln!(out, "Then: jiashu ngo enrol families.csv --out cards/")?;
    }
    Ok(())
}

/// What an earlier try with this link wrote, else a new programme and token, now on disk.
fn prepare(link: &SetupLink, globals: &Globals) -> Result<StaffFile> {
    let setup = code_hash(&link.code).to_string();
    let relay = link.origin.to_string();
    match StaffFile::read(globals)? {
        Some(file) if file.setup == setup && file.relay == relay => Ok(file),
        Some(file) if file.number.is_some() => {
            let text = format!(
                "this folder is staff of {} already: name another by --home for another programme",
                file.relay
            );
            Err(CliError::new(ExitCode::BadInput, text))
        }
        _ => {
            let file = StaffFile::draw(&link.origin, setup, link.programme);
            file.write(globals)?;
            Ok(file)
        }
    }
}

fn read_answer(answer: &[u8], programme: Scope) -> Result<Staffed> {
    let refused = |text: String| Err(CliError::new(ExitCode::Refused, text));
    match read_frames(answer)?.into_iter().next() {
        Some(RelayFrame::Staffed(staffed)) if staffed.programme == programme => Ok(staffed),
        Some(RelayFrame::Refused(no))
            if matches!(no.code, ErrorCode::Invite | ErrorCode::Unauthorised) =>
        {
            refused(
                "the setup link is wrong, used or expired: ask who gave it to you for a new one"
                    .into(),
            )
        }
        Some(RelayFrame::Refused(no)) => refused(format!("the relay refused: {}", no.text)),
        _ => refused("the relay gave no answer to the setup: does it run the same version?".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globals(dir: &tempfile::TempDir) -> Globals {
        Globals { home: Some(dir.path().join("home")), ..Globals::default() }
    }

    fn link(scope: u64, code: u8) -> String {
        let bytes = [&scope.to_be_bytes()[..], &[code; 16]].concat();
        format!("https://relay.example.org/setup#{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    #[test]
    fn a_setup_link_reads_and_others_do_not() {
        let good = SetupLink::parse(&link(0, 7)).unwrap();

        assert_eq!(good.origin.to_string(), "https://relay.example.org");
        assert_eq!(good.code, [7; 16]);
        assert_eq!(good.programme, None, "the relay's own makes one");
        assert_eq!(SetupLink::parse(&link(9, 7)).unwrap().programme, Some(Scope(9)));
        assert_eq!(SetupLink::parse(&link(0, 7).replace("setup", "join")), None);
        assert_eq!(SetupLink::parse(&format!("{}A", link(0, 7))), None);
        assert_eq!(SetupLink::parse("https://relay.example.org/setup#"), None);
    }

    #[test]
    fn a_repeat_with_the_same_link_is_the_same_request() {
        let dir = tempfile::tempdir().unwrap();
        let globals = globals(&dir);
        let link = SetupLink::parse(&link(0, 7)).unwrap();

        let first = prepare(&link, &globals).unwrap();
        let again = prepare(&link, &globals).unwrap();

        assert_eq!(again.programme(), first.programme());
        assert_eq!(again.secret, first.secret);
    }

    #[test]
    fn another_link_is_taken_only_while_nothing_is_set_up() {
        let dir = tempfile::tempdir().unwrap();
        let globals = globals(&dir);
        let mistyped = SetupLink::parse(&link(0, 7)).unwrap();
        let right = SetupLink::parse(&link(0, 8)).unwrap();
        let first = prepare(&mistyped, &globals).unwrap();

        let mut second = prepare(&right, &globals).unwrap();
        second.number = Some(1);
        second.write(&globals).unwrap();
        let third = prepare(&mistyped, &globals);

        assert_ne!(second.secret, first.secret);
        assert_eq!(third.unwrap_err().code, ExitCode::BadInput);
    }

    #[test]
    fn a_used_link_says_so() {
        let no = jiashu_proto::frame::Refused {
            code: ErrorCode::Invite,
            text: "no".into(),
            n: None,
            retry_after_ms: None,
            last_n: None,
            to_close: None,
        };
        let answer = RelayFrame::Refused(no).to_bytes(0);

        let error = read_answer(&answer, Scope(1)).unwrap_err();

        assert!(error.message.contains("wrong, used or expired"), "{error}");
        assert_eq!(error.code, ExitCode::Refused);
    }
}
