//! Charts from plain numbers to SVG, drawn here, so that a page needs no script. What they mean is the page's to say: words come
//! from the caller, and beside each chart stands its table.
//!
//! What is left out of a table is left out of its chart: `None` is hatched, with a dash, never drawn as 0. A colour never stands
//! alone: marks, numbers and places say the same. Colours are classes: their rules are in `chart.css`, their values are the page's.
//! All are drawn for [`WIDTH`] units, a small phone held upright, and grow with what they stand in.

mod figure;
mod svg;
mod text;

pub mod clock;
pub mod funnel;
pub mod heat;
pub mod histogram;
pub mod interval;
pub mod stack;
pub mod trend;

#[cfg(test)]
mod tests;

pub use clock::Clock;
pub use funnel::Funnel;
pub use heat::Heat;
pub use histogram::Histogram;
pub use interval::Intervals;
pub use stack::Stack;
pub use trend::Trend;

/// Units from left to right: pixels on a phone of 360 with a margin of 16.
pub const WIDTH: f64 = 328.0;

/// What every chart says beside its numbers.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// What it is of, which is its name for who has it read out.
    pub title: &'a str,
    /// What there is to see, in a sentence.
    pub told: &'a str,
    /// What a dash means: that they are too few, or that nothing is known.
    pub left_out: &'a str,
}

/// A week that is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Week<'a> {
    /// Under its place: a few letters.
    pub label: &'a str,
    /// In full.
    pub name: &'a str,
    /// Whether more may still come to it.
    pub is_open: bool,
}

/// A share of what was counted, in percent.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// From 0 to 100.
    pub percent: f64,
    /// Between what it lies.
    pub between: Option<(f64, f64)>,
}

impl Share {
    /// The same with everything from 0 to 100; none where the share is no number.
    fn sound(self) -> Option<Self> {
        let within = |percent: f64| percent.is_finite().then(|| percent.clamp(0.0, 100.0));
        let percent = within(self.percent)?;
        let between = self.between.and_then(|(low, high)| Some((within(low)?, within(high)?)));
        let between = between.map(|(low, high)| (low.min(percent), high.max(percent)));
        Some(Self { percent, between })
    }

    /// As it stands under the pointer.
    fn told(self) -> String {
        let percent = text::percent(self.percent);
        match self.between {
            Some((low, high)) => format!("{percent} ({low:.0}–{high:.0})"),
            None => percent,
        }
    }
}
