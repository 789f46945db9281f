//! How far messages came: sent, reached the phone, heard, answered.

use super::figure::Figure;
use super::svg::Area;
use super::text::{bounded, count, part_of, percent};
use super::{About, WIDTH};

/// Of a bar.
const HEIGHT: f64 = 14.0;

/// Steps, each a part of the one before.
#[derive(Clone, Debug)]
pub struct Funnel<'a> {
    /// What it is of.
    pub about: About<'a>,
    /// From all to few.
    pub steps: Vec<Step<'a>>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// What came about.
    pub label: &'a str,
    /// How often; none where it is left out.
    pub count: Option<u64>,
}

impl Funnel<'_> {
    /// Drawn. Shares are of the first step.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut figure = Figure::new(self.about);
        let all = self.steps.first().and_then(|step| step.count);
        for step in &self.steps {
            let share = step.count.zip(all).and_then(|(count, all)| part_of(count, all));
            let counted = match (step.count, share) {
                (None, _) => "–".to_owned(),
                (Some(n), None) => count(n),
                (Some(n), Some(share)) => format!("{} · {}", count(n), percent(share)),
            };
            figure.heading(step.label, &counted);
            let bar = Area::new(0.0, figure.y, WIDTH, HEIGHT);
            match step.count {
                None => figure.left_out(step.label, bar),
                Some(_) => {
                    let part = WIDTH * share.unwrap_or_default() / 100.0;
                    let told = format!("{}: {counted}", bounded(step.label));
                    figure.svg.told(&told, |svg| {
                        svg.rect("bar rest", bar);
                        svg.rect("accent", Area::new(0.0, bar.y, part, HEIGHT));
                    });
                }
            }
            figure.y += HEIGHT + 10.0;
        }
        figure.finish()
    }
}
