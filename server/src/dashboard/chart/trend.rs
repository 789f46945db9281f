//! Shares over weeks: lines that break where a figure is left out.

use super::figure::Figure;
use super::svg::{Area, Svg};
use super::text::{SMALL, bounded};
use super::{About, Share, WIDTH, Week};

/// Space for the percent at the left.
const SCALE: f64 = 38.0;

/// From 0 to 100 percent.
const HEIGHT: f64 = 132.0;

/// Colour, dash and mark of a line: three, which then come again.
const LOOKS: [(&str, &str); 3] = [
    ("a", "M-3.5 0A3.5 3.5 0 1 0 3.5 0A3.5 3.5 0 1 0-3.5 0Z"),
    ("b", "M-3-3H3V3H-3Z"),
    ("c", "M0-4L4 3H-4Z"),
];

/// Lines of shares from 0 to 100 %.
#[derive(Clone, Debug)]
pub struct Trend<'a> {
    /// What it is of.
    pub about: About<'a>,
    /// In order.
    pub weeks: Vec<Week<'a>>,
    /// Up to three can be told apart.
    pub lines: Vec<Line<'a>>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// Of what.
    pub label: &'a str,
    /// For each of the weeks; none where it is left out.
    pub shares: Vec<Option<Share>>,
}

impl Trend<'_> {
    /// Drawn. To a week that is open a line goes dashed.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut figure = Figure::new(self.about);
        let step = (WIDTH - SCALE) / self.weeks.len().max(1) as f64;
        figure.y = 6.0;
        grid(&mut figure);
        for (line, (look, mark)) in self.lines.iter().zip(LOOKS.iter().cycle()) {
            let shares = line.shares.iter().map(|share| share.and_then(Share::sound));
            let shares: Vec<_> = self.weeks.iter().zip(shares).collect();
            let place = Place { step, top: figure.y };
            bands(&shares, look, place, &mut figure.svg);
            ways(&shares, look, place, &mut figure.svg);
            marks(line, &shares, (*look, *mark), place, &mut figure.svg);
        }
        figure.y += HEIGHT + 4.0;
        self.left_out(step, &mut figure);
        figure.week_names(&self.weeks, SCALE, step);
        if self.lines.len() > 1 {
            let looks = self.lines.iter().zip(LOOKS.iter().cycle());
            let meanings: Vec<_> =
                looks.map(|(line, look)| (*look, line.label.to_owned())).collect();
            figure.legend(&meanings, |svg, (look, mark), area| {
                svg.mark(&format!("dot {look}"), area.middle(), mark);
            });
        }
        figure.finish()
    }

    /// A week of which a line has nothing is hatched below it.
    fn left_out(&self, step: f64, figure: &mut Figure) {
        let mut height = 0.0;
        for (place, week) in self.weeks.iter().enumerate() {
            let without = self.lines.iter().filter(|line| {
                line.shares.get(place).copied().flatten().and_then(Share::sound).is_none()
            });
            let lines: Vec<_> = without.map(|line| bounded(line.label)).collect();
            if !lines.is_empty() {
                let room = (step - 2.0).min(22.0);
                let x = SCALE + step * (place as f64 + 0.5) - room / 2.0;
                let told = format!("{}, {}", lines.join(", "), bounded(week.name));
                height = 14.0;
                figure.left_out(&told, Area::new(x, figure.y, room, height));
            }
        }
        figure.y += height;
    }
}

fn grid(figure: &mut Figure) {
    for percent in [0, 25, 50, 75, 100] {
        let y = figure.y + HEIGHT * (1.0 - f64::from(percent) / 100.0);
        let class = if percent == 0 { "axis" } else { "grid" };
        figure.svg.line(class, (SCALE, y), (WIDTH, y));
        if percent % 50 == 0 {
            let at = (SCALE - 5.0, y + SMALL / 2.0 - 1.5);
            figure.svg.text("small muted end", at, &super::text::percent(f64::from(percent)));
        }
    }
}

/// Where the points of a line lie.
#[derive(Clone, Copy)]
struct Place {
    step: f64,
    top: f64,
}

impl Place {
    fn of(self, week: usize, percent: f64) -> (f64, f64) {
        (SCALE + self.step * (week as f64 + 0.5), self.top + HEIGHT * (1.0 - percent / 100.0))
    }
}

type Shares<'a> = [(&'a Week<'a>, Option<Share>)];

/// Stretches without a gap, each with the place of its first week.
fn stretches<'s, 'a>(shares: &'s Shares<'a>) -> Vec<(usize, Vec<(&'s Week<'a>, Share)>)> {
    let mut stretches: Vec<(usize, Vec<_>)> = Vec::new();
    let mut goes_on = false;
    for (place, (week, share)) in shares.iter().enumerate() {
        match (share, stretches.last_mut()) {
            (Some(share), Some((_, stretch))) if goes_on => stretch.push((*week, *share)),
            (Some(share), _) => stretches.push((place, vec![(*week, *share)])),
            (None, _) => {}
        }
        goes_on = share.is_some();
    }
    stretches
}

fn bands(shares: &Shares, look: &str, place: Place, svg: &mut Svg) {
    for (first, stretch) in stretches(shares) {
        let bounds = stretch.iter().enumerate().map_while(|(week, (_, share))| {
            let (low, high) = share.between?;
            Some((place.of(first + week, low), place.of(first + week, high)))
        });
        let (mut lows, highs): (Vec<_>, Vec<_>) = bounds.unzip();
        if lows.len() > 1 {
            lows.extend(highs.into_iter().rev());
            svg.shape(&format!("band {look}"), &lows);
        }
    }
}

fn ways(shares: &Shares, look: &str, place: Place, svg: &mut Svg) {
    for (first, stretch) in stretches(shares) {
        for (week, pair) in stretch.windows(2).enumerate() {
            if let [(_, from), (next, to)] = pair {
                let dash = if next.is_open { " dashed" } else { "" };
                let ends = [(week, from), (week + 1, to)];
                let ends = ends.map(|(week, share)| place.of(first + week, share.percent));
                svg.way(&format!("way {look}{dash}"), &ends);
            }
        }
    }
}

fn marks(line: &Line, shares: &Shares, (look, mark): (&str, &str), place: Place, svg: &mut Svg) {
    for (number, (week, share)) in shares.iter().enumerate() {
        let Some(share) = share else { continue };
        let told = format!("{}, {}: {}", bounded(line.label), bounded(week.name), share.told());
        let hollow = if week.is_open { " hollow" } else { "" };
        svg.told(&told, |svg| {
            svg.mark(&format!("dot {look}{hollow}"), place.of(number, share.percent), mark);
        });
    }
}
