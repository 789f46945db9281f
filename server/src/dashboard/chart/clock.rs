//! When something is used: seven days by twenty-four hours.

use super::figure::Figure;
use super::svg::{Area, Svg};
use super::text::{LARGE, SMALL, bounded, count, fitted};
use super::{About, WIDTH};

/// Space for the names of the days.
const NAMES: f64 = 40.0;

/// From one hour to the next, and from one day to the next.
const STEP: (f64, f64) = ((WIDTH - NAMES) / 24.0, 17.0);

/// How many sizes of squares there are beside none.
const SIZES: u64 = 4;

/// Squares that grow with what is counted.
#[derive(Clone, Debug)]
pub struct Clock<'a> {
    /// What it is of.
    pub about: About<'a>,
    /// From Monday to Sunday.
    pub days: [&'a str; 7],
    /// By day, then by hour; none where it is left out.
    pub counts: [[Option<u64>; 24]; 7],
}

impl Clock<'_> {
    /// Drawn. Size and depth say how much, in four steps up to the most. Where all is left out, so is the whole.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut figure = Figure::new(self.about);
        let most = self.counts.iter().flatten().flatten().copied().max();
        for hour in [0, 6, 12, 18] {
            let x = NAMES + STEP.0 * f64::from(hour);
            figure.svg.text("small muted", (x, SMALL), &format!("{hour:02}:00"));
            figure.svg.line("grid", (x, 14.0), (x, 18.0 + 7.0 * STEP.1));
        }
        figure.y = 17.0;
        for (day, hours) in self.days.iter().zip(&self.counts) {
            let name = fitted(day, NAMES - 4.0, LARGE);
            figure.svg.text("ink", (0.0, figure.y + LARGE), &name);
            if let Some(most) = most {
                row(day, hours, most, &mut figure);
            }
            figure.y += STEP.1;
        }
        if most.is_none() {
            let area = Area::new(NAMES, figure.y - 7.0 * STEP.1, WIDTH - NAMES, 7.0 * STEP.1);
            figure.left_out(self.about.title, area);
        }
        let meanings = most.map(meanings).unwrap_or_default();
        figure.legend(&meanings, |svg, size, area| square(svg, *size, area));
        figure.finish()
    }
}

fn row(day: &str, hours: &[Option<u64>; 24], most: u64, figure: &mut Figure) {
    for (hour, n) in hours.iter().enumerate() {
        let x = NAMES + STEP.0 * hour as f64;
        let area = Area::new(x + 0.5, figure.y + 2.0, STEP.0 - 1.0, STEP.1 - 4.0);
        let told = format!("{} {hour:02}:00", bounded(day));
        match n {
            None => figure.left_out(&told, area),
            Some(n) => {
                let told = format!("{told}: {}", count(*n));
                figure.svg.told(&told, |svg| square(svg, size(*n, most), area));
            }
        }
    }
}

/// From 0 for nothing to [`SIZES`] for the most.
fn size(n: u64, most: u64) -> u64 {
    if n == 0 { 0 } else { n.div_ceil(most.div_ceil(SIZES).max(1)).clamp(1, SIZES) }
}

/// The sizes, and from how many to how many they are.
fn meanings(most: u64) -> Vec<(u64, String)> {
    let each = most.div_ceil(SIZES).max(1);
    let sizes = (1..=SIZES).filter_map(|size| {
        let (first, last) = ((size - 1).saturating_mul(each) + 1, size.saturating_mul(each));
        let last = last.min(most);
        let label = if first == last {
            count(first)
        } else {
            format!("{}–{}", count(first), count(last))
        };
        (first <= last).then_some((size, label))
    });
    [(0, "0".to_owned())].into_iter().chain(sizes).collect()
}

fn square(svg: &mut Svg, size: u64, area: Area) {
    let (x, y) = area.middle();
    let (class, side) = match size {
        0 => ("rest-dot", 2.0),
        1 => ("accent d1", 5.0),
        2 => ("accent d2", 7.0),
        3 => ("accent d3", 9.0),
        _ => ("accent", 11.0),
    };
    svg.rect(class, Area::new(x - side / 2.0, y - side / 2.0, side, side));
}
