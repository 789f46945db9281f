//! Rounds of a member of staff: a hello and some commands in one `POST /1`.
//!
//! Commands of staff may be repeated: enrolment by case code, consent by its dates. So a round
//! whose answer was lost, or that the relay had no time for, is simply sent again.

use std::time::Duration;

use jiashu_proto::bounds;
use jiashu_proto::error::ErrorCode;
use jiashu_proto::frame::{ClientFrame, Enrolled, Hello, Refused, RelayFrame};
use tokio::time::sleep;

use super::staff::Staff;
use crate::args::Globals;
use crate::error::{CliError, ExitCode, Result};
use crate::http;

/// Commands in one round: few enough that progress is seen on a slow line.
const BATCH: usize = 8;

/// Times that a round is sent before we give up.
const TRIES: u32 = 5;

/// Longest wait before the next try, whatever the relay asks for.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// What the relay said to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was done, now or before.
    Enrolled(Enrolled),
    /// It was not, and would not be.
    Refused(Refused),
}

/// All frames of an answer.
pub(super) fn read_frames(mut answer: &[u8]) -> Result<Vec<RelayFrame>> {
    let mut frames = Vec::new();
    while !answer.is_empty() {
        let (_, frame) = RelayFrame::read_from(&mut answer).map_err(|error| {
            CliError::new(ExitCode::Refused, format!("the relay's answer does not read: {error}"))
        })?;
        frames.push(frame);
    }
    Ok(frames)
}

/// Finds out that the relay can be reached and knows this member of staff.
pub(super) async fn hello(staff: &Staff, globals: &Globals) -> Result<()> {
    let answer = http::round(&staff.origin, globals.ca.as_deref(), &greeting(staff)).await?;
    read_answers(&answer, 0).map(drop)
}

/// Sends one command.
pub(super) async fn one(staff: &Staff, globals: &Globals, frame: &ClientFrame) -> Result<Answer> {
    let mut answers = Vec::new();
    commands(staff, globals, &[&frame.to_bytes(0)], |batch| answers = batch).await?;
    answers.pop().ok_or_else(|| {
        CliError::new(ExitCode::Refused, "the relay gave no answer: run the same again")
    })
}

/// Sends commands, each as its bytes, and hands each batch's answers, in order, to `done`.
///
/// What was answered before an error has been handed out.
pub(super) async fn commands(
    staff: &Staff,
    globals: &Globals,
    commands: &[&[u8]],
    mut done: impl FnMut(Vec<Answer>),
) -> Result<()> {
    let mut rest = commands;
    while !rest.is_empty() {
        let mut round = greeting(staff);
        let fits = |len: &mut usize, command: &&[u8]| {
            *len = len.saturating_add(command.len());
            (*len <= bounds::MAX_ROUND).then_some(())
        };
        let len = rest.iter().take(BATCH).scan(round.len(), fits).count().max(1);
        let (batch, _) = rest.split_at(len);
        batch.iter().for_each(|command| round.extend_from_slice(command));
        let answers = round_with_retries(staff, globals, &round, batch.len()).await?;
        let (_, after) = rest.split_at(answers.len());
        rest = after;
        done(answers);
    }
    Ok(())
}

fn greeting(staff: &Staff) -> Vec<u8> {
    let hello = Hello { token: staff.token.clone(), cursor: None, cursors_at: None };
    ClientFrame::Hello(hello).to_bytes(0)
}

/// The answers to the first of the commands, at least to one: those behind one that is to wait are not done with.
async fn round_with_retries(
    staff: &Staff,
    globals: &Globals,
    round: &[u8],
    commands: usize,
) -> Result<Vec<Answer>> {
    let mut tries = 1;
    loop {
        let wait = match http::round(&staff.origin, globals.ca.as_deref(), round).await {
            Ok(answer) => {
                let mut answers = read_answers(&answer, commands)?;
                let waits = |(at, answer)| Some((at, asks_to_wait(answer)?));
                match answers.iter().enumerate().find_map(waits) {
                    Some((0, wait)) if tries < TRIES => wait,
                    // It comes first in the next round.
                    Some((at, _)) if at > 0 => {
                        answers.truncate(at);
                        return Ok(answers);
                    }
                    _ => return Ok(answers),
                }
            }
            Err(http::HttpError::Ca { path, reason }) => {
                return Err(http::HttpError::Ca { path, reason }.into());
            }
            Err(error) if tries == TRIES => return Err(error.into()),
            Err(_) => Duration::from_secs(1 << tries.min(4)),
        };
        sleep(wait.min(MAX_WAIT)).await;
        tries += 1;
    }
}

fn asks_to_wait(answer: &Answer) -> Option<Duration> {
    match answer {
        Answer::Refused(no) if matches!(no.code, ErrorCode::SlowDown | ErrorCode::Unavailable) => {
            Some(Duration::from_millis(no.retry_after_ms.unwrap_or(1000).into()))
        }
        _ => None,
    }
}

/// The answers to so many commands, in order; what else the relay has to say is passed over.
fn read_answers(answer: &[u8], commands: usize) -> Result<Vec<Answer>> {
    let mut answers = Vec::new();
    let mut welcomed = false;
    for frame in read_frames(answer)? {
        match frame {
            RelayFrame::Welcome(_) => welcomed = true,
            RelayFrame::Enrolled(enrolled) => answers.push(Answer::Enrolled(enrolled)),
            RelayFrame::Refused(no) if welcomed => answers.push(Answer::Refused(no)),
            RelayFrame::Refused(no) => return Err(not_let_in(&no)),
            _ => {}
        }
    }
    if welcomed && answers.len() == commands {
        Ok(answers)
    } else {
        let text = "the relay left a command unanswered: run the same again";
        Err(CliError::new(ExitCode::Refused, text))
    }
}

fn not_let_in(no: &Refused) -> CliError {
    match no.code {
        ErrorCode::Unauthorised => CliError::new(
            ExitCode::Refused,
            "the relay does not know this member of staff (any more): ask its operator",
        ),
        ErrorCode::SlowDown | ErrorCode::Unavailable => {
            CliError::new(ExitCode::Offline, format!("the relay asks to wait: {}", no.text))
        }
        _ => CliError::new(ExitCode::Refused, format!("the relay refused: {}", no.text)),
    }
}

#[cfg(test)]
mod tests {
    use jiashu_proto::frame::Welcome;
    use jiashu_proto::id::Scope;

    use super::*;

    fn welcome() -> RelayFrame {
        RelayFrame::Welcome(Welcome { now: 1, last_n: 0, generation: 1, restart: None })
    }

    fn refused(code: ErrorCode) -> RelayFrame {
        let text = "no".into();
        RelayFrame::Refused(Refused {
            code,
            text,
            n: None,
            retry_after_ms: None,
            last_n: None,
            to_close: None,
        })
    }

    fn enrolled(case_code: &str) -> RelayFrame {
        let case_code = case_code.into();
        RelayFrame::Enrolled(Enrolled { case_code, family: Scope(7), active: true })
    }

    fn bytes(frames: &[RelayFrame]) -> Vec<u8> {
        frames.iter().flat_map(|frame| frame.to_bytes(0)).collect()
    }

    #[test]
    fn each_command_gets_its_own_answer() {
        let answer = bytes(&[welcome(), enrolled("A"), refused(ErrorCode::BadLink), enrolled("C")]);

        let answers = read_answers(&answer, 3).unwrap();

        assert!(matches!(&answers[0], Answer::Enrolled(it) if it.case_code == "A"));
        assert!(matches!(&answers[1], Answer::Refused(no) if no.code == ErrorCode::BadLink));
        assert!(matches!(&answers[2], Answer::Enrolled(it) if it.case_code == "C"));
    }

    #[test]
    fn an_answer_that_lacks_one_is_an_error() {
        let cases = [
            ("none at all", vec![]),
            ("one of two", vec![welcome(), enrolled("A")]),
            ("not welcome", vec![refused(ErrorCode::Unauthorised)]),
            ("asked to wait", vec![refused(ErrorCode::SlowDown)]),
        ];

        for (label, frames) in cases {
            assert!(read_answers(&bytes(&frames), 2).is_err(), "{label}");
        }
        assert!(read_answers(b"\x82\x10", 0).is_err(), "cut short");
    }
}
