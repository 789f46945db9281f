//! A family's weeks at a glance: a row for each child, a cell for each week.

use super::figure::Figure;
use super::svg::{Area, Svg};
use super::text::{LARGE, bounded, wrapped};
use super::{About, WIDTH, Week};

/// The most weeks that are drawn; the last ones.
pub const MOST_WEEKS: usize = 12;

/// Space for whose row it is.
const NAMES: f64 = 64.0;

/// From one cell to the next.
const STEP: f64 = (WIDTH - NAMES) / MOST_WEEKS as f64;

/// Of a cell.
const SIDE: f64 = STEP - 2.0;

/// Weeks of some children.
#[derive(Clone, Debug)]
pub struct Heat<'a> {
    /// What it is of. What is left out is a week of which nothing is known.
    pub about: About<'a>,
    /// What the marks mean.
    pub words: Words<'a>,
    /// In order.
    pub weeks: Vec<Week<'a>>,
    /// One for each child.
    pub rows: Vec<Row<'a>>,
}

/// What the marks of a [`Heat`] mean.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    /// All of what was expected was kept.
    pub all: &'a str,
    /// Some of it.
    pub some: &'a str,
    /// None of it.
    pub none: &'a str,
    /// Nothing was expected.
    pub nothing: &'a str,
    /// Nothing was expected, as there was a pause.
    pub paused: &'a str,
}

/// A child's weeks.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// Whose.
    pub label: &'a str,
    /// For each of the weeks; none where nothing is known.
    pub cells: Vec<Option<Cell>>,
}

/// How one week was.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cell {
    /// Occurrences of the plan.
    pub expected: u32,
    /// Of these, those by a contact.
    pub kept: u32,
    /// Whether there was a pause.
    pub is_paused: bool,
}

/// What a cell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    All,
    Some,
    None,
    Nothing,
    Paused,
}

impl State {
    const ALL: [Self; 5] = [Self::All, Self::Some, Self::None, Self::Nothing, Self::Paused];

    fn of(cell: Cell) -> Self {
        match cell {
            Cell { expected: 0, is_paused: true, .. } => Self::Paused,
            Cell { expected: 0, .. } => Self::Nothing,
            Cell { kept: 0, .. } => Self::None,
            Cell { expected, kept, .. } if kept < expected => Self::Some,
            Cell { .. } => Self::All,
        }
    }

    fn word<'a>(self, words: &Words<'a>) -> &'a str {
        match self {
            Self::All => words.all,
            Self::Some => words.some,
            Self::None => words.none,
            Self::Nothing => words.nothing,
            Self::Paused => words.paused,
        }
    }

    /// More is more ink, and each has a mark of its own. Where some was kept, `part` of 1 is filled.
    fn draw(self, svg: &mut Svg, area: Area, part: f64) {
        let Area { x, y, width, height } = area;
        let middle = area.middle();
        match self {
            Self::All => {
                svg.rect("s-on-track", area);
                svg.mark("sign on", middle, "M-4 0L-1 3L4-3");
            }
            Self::Some => {
                svg.rect("edge e-watch", area);
                let filled = (height * part).clamp(3.0, height - 3.0);
                svg.rect("s-watch", Area::new(x, y + height - filled, width, filled));
            }
            Self::None => {
                svg.rect("edge e-at-risk", area);
                svg.mark("sign e-at-risk", middle, "M-3-3L3 3M3-3L-3 3");
            }
            Self::Nothing => svg.mark("sign e-muted", middle, "M0 0H0.1"),
            Self::Paused => svg.mark("sign e-paused", middle, "M-2-4V4M2-4V4"),
        }
    }
}

impl Heat<'_> {
    /// Drawn.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut figure = Figure::new(self.about);
        let skipped = self.weeks.len().saturating_sub(MOST_WEEKS);
        let weeks = self.weeks.get(skipped..).unwrap_or_default();
        for row in &self.rows {
            row_of(row, weeks, skipped, &self.words, &mut figure);
        }
        figure.week_names(weeks, NAMES, STEP);
        let cells = || self.rows.iter().flat_map(|row| row.cells.iter().skip(skipped).flatten());
        let shown = State::ALL.into_iter();
        let shown = shown.filter(|state| cells().any(|cell| State::of(*cell) == *state));
        let meanings: Vec<_> =
            shown.map(|state| (state, state.word(&self.words).to_owned())).collect();
        figure.legend(&meanings, |svg, state, area| state.draw(svg, area, 0.5));
        figure.finish()
    }
}

fn row_of(row: &Row, weeks: &[Week], skipped: usize, words: &Words, figure: &mut Figure) {
    let lines = wrapped(row.label, NAMES - 6.0, LARGE, 2);
    let above = if lines.len() > 1 { 10.0 } else { 16.0 };
    for (place, line) in lines.iter().enumerate() {
        figure.svg.text("ink", (0.0, figure.y + above + 13.0 * place as f64), line);
    }
    for (place, week) in weeks.iter().enumerate() {
        let area = Area::new(NAMES + STEP * place as f64 + 1.0, figure.y + 1.0, SIDE, SIDE);
        let whose = format!("{}, {}", bounded(row.label), bounded(week.name));
        match row.cells.get(skipped + place).copied().flatten() {
            None => figure.left_out(&whose, area),
            Some(cell) => {
                let state = State::of(cell);
                let told =
                    format!("{whose}: {} {}/{}", state.word(words), cell.kept, cell.expected);
                figure.svg.told(&told, |svg| {
                    svg.rect("ground", area);
                    state.draw(svg, area, f64::from(cell.kept) / f64::from(cell.expected.max(1)));
                });
            }
        }
        if week.is_open {
            figure.svg.rect("open", area);
        }
    }
    figure.y += STEP + 4.0;
}
