//! Children or families by how they stand: a bar for the programme, or one for each site.

use jiashu_contact::standing::Standing;

use super::figure::Figure;
use super::svg::{Area, Svg};
use super::text::{SMALL, bounded, count, part_of, percent, width};
use super::{About, WIDTH};

/// Of a bar.
const HEIGHT: f64 = 20.0;

/// Between parts of a bar: what sets them apart for who sees no colours.
const GAP: f64 = 1.5;

/// Of a part that is left out beside others, as nobody may see how much it is.
const LEFT_OUT: f64 = 40.0;

/// How many there are in each standing, in the order of [`Standing::ALL`]; none where it is left out.
pub type Counts = [Option<u64>; Standing::ALL.len()];

/// Bars of equal length: where there are many is said in numbers.
#[derive(Clone, Debug)]
pub struct Stack<'a> {
    /// What it is of.
    pub about: About<'a>,
    /// What each standing is called, in the order of [`Standing::ALL`].
    pub words: [&'a str; Standing::ALL.len()],
    /// One for each site, or one alone: then what the marks mean is said with their numbers.
    pub bars: Vec<Bar<'a>>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Bar<'a> {
    /// Of where.
    pub label: &'a str,
    /// How many.
    pub counts: Counts,
}

/// A part of a bar: a standing, its word and how many.
type Part<'a> = (Standing, &'a str, Option<u64>);

impl Stack<'_> {
    /// Drawn. Those who need somebody most stand first, so that they begin at one edge.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut figure = Figure::new(self.about);
        for bar in &self.bars {
            self.bar(bar, &mut figure);
        }
        let meanings = match self.bars.as_slice() {
            [bar] => self.counted(bar),
            bars => self.met(bars),
        };
        figure.legend(&meanings, |svg, standing, area| {
            svg.rect(class_of(*standing), area);
            sign(svg, *standing, area.middle());
        });
        figure.finish()
    }

    fn parts(&self, bar: &Bar) -> Vec<Part<'_>> {
        let parts = Standing::ALL.into_iter().zip(self.words).zip(bar.counts);
        parts.rev().map(|((standing, word), count)| (standing, word, count)).collect()
    }

    fn bar(&self, bar: &Bar, figure: &mut Figure) {
        let parts = self.parts(bar);
        let known = total(bar);
        let has_left_out = bar.counts.contains(&None);
        let counted = if has_left_out { "–".to_owned() } else { count(known) };
        figure.heading(bar.label, &counted);
        let mut area = Area::new(0.0, figure.y, WIDTH, HEIGHT);
        figure.svg.rect("bar rest", area);
        let room = match (has_left_out, known) {
            (false, _) => WIDTH,
            (true, 0) => 0.0,
            (true, _) => WIDTH - LEFT_OUT,
        };
        for (standing, word, n) in parts.iter().filter_map(|(s, w, n)| Some((*s, *w, (*n)?))) {
            let share = part_of(n, known).unwrap_or_default();
            area.width = room * share / 100.0;
            if n > 0 {
                let told = format!(
                    "{}, {}: {} ({})",
                    bounded(bar.label),
                    bounded(word),
                    count(n),
                    percent(share)
                );
                let told = if has_left_out { format!("{word}: {}", count(n)) } else { told };
                figure.svg.told(&told, |svg| part(svg, standing, area, n));
            }
            area.x += area.width;
        }
        if has_left_out {
            let without = parts.iter().filter(|(_, _, count)| count.is_none());
            let words: Vec<_> = without.map(|(_, word, _)| bounded(word)).collect();
            let area = Area::new(area.x, area.y, WIDTH - area.x, HEIGHT);
            figure.left_out(&format!("{}, {}", bounded(bar.label), words.join(", ")), area);
        }
        figure.y += HEIGHT + 10.0;
    }

    /// What the marks of one bar mean, with how many there are.
    fn counted(&self, bar: &Bar) -> Vec<(Standing, String)> {
        let known = total(bar);
        let is_whole = !bar.counts.contains(&None);
        let said = |(standing, word, n): Part| {
            let counted = match (n, n.and_then(|n| part_of(n, known))) {
                (None, _) => "–".to_owned(),
                (Some(n), Some(share)) if is_whole => format!("{} · {}", count(n), percent(share)),
                (Some(n), _) => count(n),
            };
            (standing, format!("{} {counted}", bounded(word)))
        };
        self.parts(bar).into_iter().map(said).collect()
    }

    /// What the marks mean that occur in these bars.
    fn met(&self, bars: &[Bar]) -> Vec<(Standing, String)> {
        let places = Standing::ALL.into_iter().zip(self.words).enumerate();
        let met = places.filter(|(place, _)| {
            bars.iter().any(|bar| bar.counts.get(*place).copied().flatten() > Some(0))
        });
        met.map(|(_, (standing, word))| (standing, word.to_owned())).rev().collect()
    }
}

fn total(bar: &Bar) -> u64 {
    bar.counts.iter().flatten().fold(0, |sum, count| sum.saturating_add(*count))
}

/// As far as there is room, with its mark and its number.
fn part(svg: &mut Svg, standing: Standing, area: Area, n: u64) {
    let area = Area::new(area.x, area.y, (area.width - GAP).max(GAP), area.height);
    svg.rect(class_of(standing), area);
    let (counted, (middle, centre)) = (count(n), area.middle());
    let both = 16.0 + width(&counted, SMALL);
    if area.width >= both + 4.0 {
        sign(svg, standing, (middle - both / 2.0 + 6.0, centre));
        let class = if standing == Standing::NotActive { "small ink" } else { "small on-text" };
        svg.text(class, (middle - both / 2.0 + 15.0, centre + 4.0), &counted);
    } else if area.width >= 12.0 {
        sign(svg, standing, (middle, centre));
    }
}

fn class_of(standing: Standing) -> &'static str {
    match standing {
        Standing::NotActive => "s-not-active",
        Standing::Paused => "s-paused",
        Standing::OnTrack => "s-on-track",
        Standing::New => "s-new",
        Standing::Watch => "s-watch",
        Standing::AtRisk => "s-at-risk",
        Standing::Silent => "s-silent",
        Standing::Dormant => "s-dormant",
    }
}

/// The mark of a standing, as it stands on its badge, of nine units a side.
fn sign(svg: &mut Svg, standing: Standing, at: (f64, f64)) {
    const RING: &str = "M-3.5 0A3.5 3.5 0 1 0 3.5 0A3.5 3.5 0 1 0-3.5 0Z";
    let (class, d) = match standing {
        Standing::NotActive => ("sign e-not-active", RING),
        Standing::Paused => ("sign on", "M-2-3.5V3.5M2-3.5V3.5"),
        Standing::OnTrack => ("sign on solid", RING),
        Standing::New => ("sign on solid", "M0-4L1-1L4 0L1 1L0 4L-1 1L-4 0L-1-1Z"),
        Standing::Watch => ("sign on", RING),
        Standing::AtRisk => ("sign on solid", "M0-3.5L4 3H-4Z"),
        Standing::Silent => ("sign on solid", "M-3-3H3V3H-3Z"),
        Standing::Dormant => ("sign on", "M-3-3L3 3M3-3L-3 3"),
    };
    svg.mark(class, at, d);
    if standing == Standing::Watch {
        svg.mark("sign on solid", at, "M0-3.5A3.5 3.5 0 1 0 0 3.5Z");
    }
}
