//! Lengths of time as people type them.

/// Reads `90s`, `30m`, `2h`, `3d`: a whole number above 0 and its unit. In ms, at most ten years.
///
/// # Errors
///
/// A line that says how it is written.
pub(super) fn length_ms(text: &str) -> Result<i64, String> {
    const MOST_MS: i64 = 10 * 366 * 24 * 60 * 60 * 1_000;
    let wrong = || "a length is a number and its unit, such as 30m, 2h or 3d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let unit_ms = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return Err(wrong()),
    };
    let digits = text.strip_suffix(unit).unwrap_or_default();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: i64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(unit_ms).filter(|ms| (1..=MOST_MS).contains(ms)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_a_number_and_its_unit() {
        let cases = [("90s", 90_000), ("30m", 1_800_000), ("2h", 7_200_000), ("3d", 259_200_000)];
        for (text, ms) in cases {
            assert_eq!(length_ms(text), Ok(ms), "{text}");
        }
        for text in ["", "2", "h", "0h", "-2h", "+2h", "2 h", "1.5h", "2w", "2時", "99999999999d"]
        {
            assert!(length_ms(text).is_err(), "{text}");
        }
    }
}
