//! How wide words are, as nobody here has the fonts; and numbers as they are written.

/// More of a label is neither drawn nor told.
const MOST_LETTERS: usize = 300;

/// Of the larger and the smaller letters, in units.
pub(super) const LARGE: f64 = 12.0;
pub(super) const SMALL: f64 = 11.0;

/// About how wide a text is in letters of that size; rather too much than too little.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(|letter| of_letter(letter) * size).sum()
}

fn of_letter(letter: char) -> f64 {
    match letter {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' => {
            0.0
        }
        ' ' | '\u{202f}' | '.' | ',' | ':' | 'i' | 'j' | 'l' | 'I' | '\'' | '|' => 0.3,
        'f' | 't' | 'r' | '(' | ')' | '-' | '/' => 0.4,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.95,
        'A'..='Z' => 0.72,
        '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7af}' => 1.05,
        '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ff60}' => 1.05,
        '\u{1f000}'.. => 1.4,
        _ => 0.6,
    }
}

/// In lines no wider than that, the last cut short if there are more than `most`.
pub(super) fn wrapped(text: &str, room: f64, size: f64, most: usize) -> Vec<String> {
    let letters: Vec<char> = bounded(text).chars().collect();
    let mut rest = letters.as_slice();
    let mut lines = Vec::new();
    while !rest.is_empty() && lines.len() < most {
        let fits = fitting(rest, room, size);
        let is_last = lines.len() + 1 == most;
        let (line, after) = match fits {
            fits if fits == rest.len() => (String::from_iter(rest), fits),
            fits if is_last => (cut(rest, fits), rest.len()),
            fits => broken(rest, fits),
        };
        lines.push(line.trim().to_owned());
        rest = rest.get(after..).unwrap_or_default();
    }
    lines
}

/// In one line.
pub(super) fn fitted(text: &str, room: f64, size: f64) -> String {
    wrapped(text, room, size, 1).pop().unwrap_or_default()
}

/// As much as is drawn or told of a text.
pub(super) fn bounded(text: &str) -> String {
    text.trim().chars().take(MOST_LETTERS).collect()
}

/// How many letters have room, at least one.
fn fitting(letters: &[char], room: f64, size: f64) -> usize {
    let mut left = room;
    let fit = letters.iter().take_while(|letter| {
        left -= of_letter(**letter) * size;
        left >= 0.0
    });
    fit.count().max(1)
}

/// A line that ends between words if there are any, and how many letters it takes.
fn broken(letters: &[char], fits: usize) -> (String, usize) {
    let line = letters.get(..=fits).unwrap_or(letters);
    let at = match line.iter().rposition(|letter| letter.is_whitespace()) {
        None | Some(0) => fits,
        Some(space) => space,
    };
    (letters.iter().take(at).collect(), at)
}

fn cut(letters: &[char], fits: usize) -> String {
    let kept = letters.iter().take(fits.saturating_sub(1));
    kept.collect::<String>().trim_end().to_owned() + "…"
}

/// A count, in groups of three from ten thousand on.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// A share, in whole percent as the pages write it; the one before 100 and after 0 are not rounded to these.
pub(super) fn percent(percent: f64) -> String {
    match percent {
        percent if 0.0 < percent && percent < 1.0 => "<1\u{a0}%".to_owned(),
        percent if 99.0 < percent && percent < 100.0 => ">99\u{a0}%".to_owned(),
        percent => format!("{percent:.0}\u{a0}%"),
    }
}

/// How many percent a part is; none of nothing.
pub(super) fn part_of(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 100.0).clamp(0.0, 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_the_last_is_cut() {
        let lines = |text: &str| wrapped(text, 60.0, 10.0, 2);

        assert_eq!(lines("Nothing expected"), ["Nothing", "expected"]);
        assert_eq!(lines("Ķekavas novada sociālais dienests"), ["Ķekavas", "novada so…"]);
        assert_eq!(lines("爷爷奶奶照看的孩子们在村里"), ["爷爷奶奶照", "看的孩子…"]);
        assert_eq!(lines("unbrokenandverylongindeed").len(), 2);
        assert_eq!(lines("  "), [""; 0]);
    }

    #[test]
    fn numbers_are_grouped_and_shares_do_not_round_to_all_or_nothing() {
        assert_eq!([0, 9_999].map(count), ["0", "9999"]);
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        let shares =
            [0.0, 0.2, 49.6, 99.9, 100.0].map(|share| percent(share).replace('\u{a0}', " "));
        assert_eq!(shares, ["0 %", "<1 %", "50 %", ">99 %", "100 %"]);
        assert_eq!([part_of(1, 0), part_of(1, 4), part_of(9, 4)], [None, Some(25.0), Some(100.0)]);
    }
}
