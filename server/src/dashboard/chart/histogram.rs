//! How many lie in each bucket, as of children by their longest gap.

use super::figure::{Figure, every};
use super::svg::Area;
use super::text::{SMALL, bounded, count, fitted, width};
use super::{About, WIDTH};

/// Of the highest column.
const HEIGHT: f64 = 110.0;

/// Of a column, at most.
const WIDEST: f64 = 56.0;

/// Columns side by side.
#[derive(Clone, Debug)]
pub struct Histogram<'a> {
    /// What it is of.
    pub about: About<'a>,
    /// What the buckets are in, as days.
    pub unit: &'a str,
    /// From the least to the most.
    pub buckets: Vec<Bucket<'a>>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Bucket<'a> {
    /// From what to what.
    pub label: &'a str,
    /// How many; none where it is left out.
    pub count: Option<u64>,
}

impl Histogram<'_> {
    /// Drawn. What is left out is hatched over its whole height, as it might be any.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut figure = Figure::new(self.about);
        let step = WIDTH / self.buckets.len().max(1) as f64;
        let most = self.buckets.iter().filter_map(|bucket| bucket.count).max().unwrap_or_default();
        let counts = self.buckets.iter().filter_map(|bucket| bucket.count);
        let has_room = counts.map(|n| width(&count(n), SMALL)).fold(0.0, f64::max) <= step;
        figure.y = 14.0;
        let foot = figure.y + HEIGHT;
        for (place, bucket) in self.buckets.iter().enumerate() {
            let room = (step * 0.84).min(WIDEST);
            let x = step * (place as f64 + 0.5) - room / 2.0;
            let Some(n) = bucket.count else {
                let area = Area::new(x, figure.y, room, HEIGHT);
                figure.left_out(&bounded(bucket.label), area);
                continue;
            };
            let height = if most == 0 { 0.0 } else { HEIGHT * (n as f64 / most as f64) };
            let height = if n > 0 { height.max(1.5) } else { height };
            let told = format!("{} {}: {}", bounded(bucket.label), self.unit, count(n));
            figure.svg.told(&told, |svg| {
                svg.rect("accent", Area::new(x, foot - height, room, height));
                if has_room {
                    svg.text("small ink mid", (x + room / 2.0, foot - height - 4.0), &count(n));
                }
            });
        }
        figure.svg.line("axis", (0.0, foot), (WIDTH, foot));
        figure.y = foot + 3.0;
        self.names(step, &mut figure);
        figure.finish()
    }

    fn names(&self, step: f64, figure: &mut Figure) {
        let labels = self.buckets.iter().map(|bucket| width(bucket.label, SMALL) + 2.0);
        let every = every(labels.fold(0.0, f64::max).min(WIDTH / 4.0), step);
        for (place, bucket) in self.buckets.iter().enumerate().step_by(every) {
            let label = fitted(bucket.label, step * every as f64, SMALL);
            let at = (step * (place as f64 + 0.5), figure.y + SMALL);
            figure.svg.text("small muted mid", at, &label);
        }
        figure.y += 14.0;
        let unit = fitted(self.unit, WIDTH, SMALL);
        figure.svg.text("small muted end", (WIDTH, figure.y + SMALL), &unit);
        figure.y += 15.0;
    }
}
