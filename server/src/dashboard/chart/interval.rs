//! A share and between what it lies, a row for each site.

use super::figure::Figure;
use super::svg::Area;
use super::text::{SMALL, bounded, count};
use super::{About, Share, WIDTH};

/// Of a row's scale.
const HEIGHT: f64 = 16.0;

/// With more of them the scale stands above them as well.
const MOST_ROWS: usize = 8;

/// Left and right of the scale, so that a dot at its end is whole.
const EDGE: f64 = 6.0;

/// Dots with their intervals, one under another.
#[derive(Clone, Debug)]
pub struct Intervals<'a> {
    /// What it is of.
    pub about: About<'a>,
    /// In the order in which they are to be read.
    pub rows: Vec<Row<'a>>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Of where.
    pub label: &'a str,
    /// Of how many; none where it is left out.
    pub measured: Option<Measured>,
}

/// A share with what it is a share of.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// In percent, with what it lies between.
    pub share: Share,
    /// How many it is.
    pub part: u64,
    /// Of how many.
    pub whole: u64,
}

impl Intervals<'_> {
    /// Drawn.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut figure = Figure::new(self.about);
        if self.rows.len() > MOST_ROWS {
            scale(&mut figure);
        }
        for row in &self.rows {
            let measured = row.measured.and_then(|m| Some((m.share.sound()?, m)));
            let counted = measured.map_or_else(
                || "–".to_owned(),
                |(share, Measured { part, whole, .. })| {
                    format!(
                        "{} · {}/{}",
                        super::text::percent(share.percent),
                        count(part),
                        count(whole)
                    )
                },
            );
            figure.heading(row.label, &counted);
            let centre = figure.y + HEIGHT / 2.0 - 2.0;
            match measured {
                None => {
                    let area = Area::new(EDGE, centre - 7.0, WIDTH - 2.0 * EDGE, 14.0);
                    figure.left_out(&bounded(row.label), area);
                }
                Some((share, _)) => dot(row.label, share, centre, &mut figure),
            }
            figure.y += HEIGHT + 6.0;
        }
        scale(&mut figure);
        figure.finish()
    }
}

fn at(percent: f64) -> f64 {
    EDGE + (WIDTH - 2.0 * EDGE) * percent / 100.0
}

fn dot(label: &str, share: Share, centre: f64, figure: &mut Figure) {
    figure.svg.line("grid", (at(0.0), centre), (at(100.0), centre));
    for percent in [0.0, 50.0, 100.0] {
        figure.svg.line("grid", (at(percent), centre - 4.0), (at(percent), centre + 4.0));
    }
    let told = format!("{}: {}", bounded(label), share.told());
    figure.svg.told(&told, |svg| {
        if let Some((low, high)) = share.between {
            svg.line("whisker", (at(low), centre), (at(high), centre));
            for end in [low, high] {
                svg.line("whisker", (at(end), centre - 4.0), (at(end), centre + 4.0));
            }
        }
        svg.mark(
            "dot a",
            (at(share.percent), centre),
            "M-4.5 0A4.5 4.5 0 1 0 4.5 0A4.5 4.5 0 1 0-4.5 0Z",
        );
    });
}

fn scale(figure: &mut Figure) {
    for (class, percent) in [("", 0.0), (" mid", 50.0), (" end", 100.0)] {
        let x = if percent == 50.0 { at(percent) } else { WIDTH * percent / 100.0 };
        let label = super::text::percent(percent);
        figure.svg.text(&format!("small muted{class}"), (x, figure.y + SMALL - 3.0), &label);
    }
    figure.y += 12.0;
}
