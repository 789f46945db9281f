//! `remind`: a letter that rings until somebody has done what it asks for.

use jiashu_proto::text::Ring;

use super::schedule::add;
use super::{Context, View, send};
use crate::args::schedule::RemindArgs;
use crate::error::{CliError, ExitCode, Result};
use crate::sync::draft::{Ahead, Manner, Parties, Said};

pub(super) async fn run(context: &mut Context<'_>, args: &RemindArgs) -> Result<()> {
    let ring = Ring::new(args.again, args.rings).ok_or_else(|| {
        let most = Ring::MAX_TIMES;
        let text = format!("it rings at most {most} times, a second to a day apart");
        CliError::new(ExitCode::BadInput, text)
    })?;
    let text = args.text.join(" ");
    if args.when.is_said() {
        let manner = Manner { valid_for: args.valid_for, ring: Some(ring) };
        let ahead = Ahead { letters: &[Said::Words(text)], bank: false, manner };
        return add::plan(context, &args.when, &args.parties, &ahead).await;
    }
    let View { mut state, people, .. } = View::open_to_write(&context.home)?;
    let from = people.speaker(args.parties.speaker.as_deref())?;
    let parties = Parties { from, to: people.addressees(&args.parties.to)? };
    send::send(context, &mut state, &parties, &[Said::Words(text)], Some(ring)).await
}
