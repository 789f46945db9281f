//! The one place that writes SVG: escapes every word and rounds every number.

use std::fmt::Write as _;

use super::text::bounded;
use crate::markup::escaped;

/// A rectangle, in units from the top left corner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) fn new(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self { x, y, width: width.max(0.0), height: height.max(0.0) }
    }

    pub(super) fn middle(self) -> (f64, f64) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }
}

/// Elements, one after the other.
#[derive(Debug, Default)]
pub(super) struct Svg(String);

impl Svg {
    pub(super) fn rect(&mut self, class: &str, area: Area) {
        let Area { x, y, width, height } = area;
        let [x, y, width, height] = [x, y, width, height].map(number);
        let _ = write!(
            self.0,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"2\"/>"
        );
    }

    /// One line of text on that baseline.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let ([x, y], text) = ([x, y].map(number), escaped(text));
        let _ = write!(self.0, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>");
    }

    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(number);
        let _ = write!(
            self.0,
            "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
        );
    }

    /// A shape that is drawn around 0, 0, at its place.
    pub(super) fn mark(&mut self, class: &str, (x, y): (f64, f64), d: &str) {
        let [x, y] = [x, y].map(number);
        let _ =
            write!(self.0, "<path class=\"{class}\" transform=\"translate({x} {y})\" d=\"{d}\"/>");
    }

    /// A line through these points.
    pub(super) fn way(&mut self, class: &str, points: &[(f64, f64)]) {
        let _ = write!(self.0, "<polyline class=\"{class}\" points=\"{}\"/>", places(points));
    }

    /// What lies between these points.
    pub(super) fn shape(&mut self, class: &str, points: &[(f64, f64)]) {
        let _ = write!(self.0, "<polygon class=\"{class}\" points=\"{}\"/>", places(points));
    }

    /// What is left out: hatched, with a dash if it has room. The strokes are drawn one by one, as a pattern would need an id,
    /// and there are many charts in a page.
    pub(super) fn left_out(&mut self, area: Area) {
        const STEP: f64 = 5.0;
        let Area { x, y, width, height } = area;
        self.rect("out", area);
        let mut strokes = String::new();
        let mut along = STEP;
        while along < width + height {
            let (from, to) = ((along - height).max(0.0), along.min(width));
            let [x1, y1] = [x + from, y + (along - from)].map(number);
            let [x2, y2] = [x + to, y + (along - to)].map(number);
            let _ = write!(strokes, "M{x1} {y1}L{x2} {y2}");
            along += STEP;
        }
        let _ = write!(self.0, "<path class=\"hatch\" d=\"{strokes}\"/>");
        if width >= 12.0 && height >= 12.0 {
            let (middle, centre) = area.middle();
            self.rect("halo", Area::new(middle - 5.0, centre - 5.0, 10.0, 10.0));
            self.line("dash", (middle - 3.0, centre), (middle + 3.0, centre));
        }
    }

    /// Draws what belongs together, with what is told of it under the pointer.
    pub(super) fn told(&mut self, told: &str, draw: impl FnOnce(&mut Self)) {
        let _ = write!(self.0, "<g><title>{}</title>", escaped(&bounded(told)));
        draw(self);
        self.0.push_str("</g>");
    }

    pub(super) fn into_elements(self) -> String {
        self.0
    }
}

fn places(points: &[(f64, f64)]) -> String {
    let mut places = String::new();
    for (x, y) in points {
        let between = if places.is_empty() { "" } else { " " };
        let _ = write!(places, "{between}{},{}", number(*x), number(*y));
    }
    places
}

/// To a tenth. What is no number is 0, as one attribute that a browser cannot read takes the element with it.
pub(super) fn number(number: f64) -> String {
    let number = if number.is_finite() { number } else { 0.0 };
    let tenths = format!("{number:.1}");
    match tenths.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => tenths,
    }
}
