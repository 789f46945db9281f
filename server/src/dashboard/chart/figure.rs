//! A chart as it grows downwards: what stands in it, and what every chart has around it.

use super::svg::{Area, Svg, number};
use super::text::{LARGE, SMALL, bounded, fitted, width, wrapped};
use super::{About, WIDTH, Week};
use crate::markup::escaped;

/// From one line of text to the next.
const LINE: f64 = 15.0;

/// Of the little squares in front of what the marks mean.
const SWATCH: f64 = 12.0;

/// Space beside and below what stands together.
const SPACE: f64 = 6.0;

/// A chart that is being drawn.
#[derive(Debug)]
pub(super) struct Figure<'a> {
    about: About<'a>,
    pub(super) svg: Svg,
    /// Where the next thing begins.
    pub(super) y: f64,
    has_left_out: bool,
    is_explained: bool,
}

impl<'a> Figure<'a> {
    pub(super) fn new(about: About<'a>) -> Self {
        Self { about, svg: Svg::default(), y: 0.0, has_left_out: false, is_explained: false }
    }

    /// A dash in place of a number.
    pub(super) fn left_out(&mut self, told: &str, area: Area) {
        self.has_left_out = true;
        let told = format!("{told}: {}", self.about.left_out);
        self.svg.told(&told, |svg| svg.left_out(area));
    }

    /// A label, in two lines if it is long, and what is counted at the right end of its last.
    pub(super) fn heading(&mut self, label: &str, counted: &str) {
        let room = WIDTH - width(counted, LARGE) - SPACE;
        for (place, line) in wrapped(label, room, LARGE, 2).iter().enumerate() {
            if place > 0 {
                self.y += LINE;
            }
            self.svg.text("ink", (0.0, self.y + LARGE), line);
        }
        let at = (WIDTH, self.y + LARGE);
        self.svg.text("ink end", at, counted);
        self.y += LINE + 2.0;
    }

    /// The names of weeks below their places, as many as have room.
    pub(super) fn week_names(&mut self, weeks: &[Week], left: f64, step: f64) {
        let widest = weeks.iter().map(|week| width(week.label, SMALL)).fold(0.0, f64::max);
        let widest = widest.min(WIDTH / 4.0);
        let every = every(widest * 1.5 + 2.0, step);
        // From the last, which is what is looked for first.
        for (place, week) in weeks.iter().enumerate().rev().step_by(every) {
            let label = fitted(week.label, (step * every as f64).min(WIDTH / 4.0), SMALL);
            let half = width(&label, SMALL) / 2.0;
            let x = (left + step * (place as f64 + 0.5)).min(WIDTH - half);
            self.svg.text("small muted mid", (x, self.y + SMALL), &label);
        }
        self.y += LINE;
    }

    /// What marks mean, and a dash if there is one, in as many lines as they need.
    pub(super) fn legend<T>(&mut self, marks: &[(T, String)], draw: impl Fn(&mut Svg, &T, Area)) {
        self.is_explained = true;
        let dash = self.has_left_out.then_some((None, self.about.left_out));
        let marks = marks.iter().map(|(mark, label)| (Some(mark), label.as_str()));
        let mut x = 0.0;
        self.y += SPACE;
        for (mark, label) in marks.chain(dash) {
            let label = fitted(label, WIDTH - SWATCH - SPACE, LARGE);
            let item = SWATCH + 4.0 + width(&label, LARGE);
            if x > 0.0 && x + item > WIDTH {
                x = 0.0;
                self.y += LINE + 3.0;
            }
            let swatch = Area::new(x, self.y + 1.0, SWATCH, SWATCH);
            match mark {
                Some(mark) => draw(&mut self.svg, mark, swatch),
                None => self.svg.left_out(swatch),
            }
            self.svg.text("ink", (x + SWATCH + 4.0, self.y + LARGE - 1.0), &label);
            x += item + 2.0 * SPACE;
        }
        if x > 0.0 {
            self.y += LINE + 2.0;
        }
    }

    /// The whole, with its name, and with what a dash means if there is one.
    pub(super) fn finish(mut self) -> String {
        if self.has_left_out && !self.is_explained {
            self.legend::<()>(&[], |_, (), _| {});
        }
        let [title, told] = [self.about.title, self.about.told].map(|text| escaped(&bounded(text)));
        let (width, height) = (number(WIDTH), number(self.y.max(1.0)));
        let elements = self.svg.into_elements();
        format!(
            "<svg class=\"chart\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {width} {height}\">\
             <title>{title}</title><desc>{told}</desc>{elements}</svg>"
        )
    }
}

/// Each of which place has a label, if a label is that wide.
pub(super) fn every(label: f64, step: f64) -> usize {
    let places = (1_usize..).find(|places| step * *places as f64 >= label || *places >= 1000);
    places.unwrap_or(1)
}
