//! How far a transfer is: a bar with bytes on a terminal, a line where one goes on elsewhere.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::size_text;
use crate::say::note;

/// Of one transfer.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
}

impl Progress {
    /// `what` is on its way, so many bytes in all.
    pub(super) fn new(what: &'static str, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(
                "{msg} {decimal_bytes} of {decimal_total_bytes} {wide_bar} {eta}",
            );
            ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
                .with_style(style.expect("the template is right"))
                .with_message(what)
        });
        Self { bar, total }
    }

    /// So many are there. Where it goes on in the middle, that is said.
    pub(super) fn goes_on_at(&self, bytes: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(bytes),
            None if bytes > 0 => {
                note(&format!("(goes on at {} of {})", size_text(bytes), size_text(self.total)));
            }
            None => {}
        }
    }

    pub(super) fn advance(&self, bytes: usize) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes as u64);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
