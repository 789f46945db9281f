//! Civil times as text, to the letter: one form in, the same form out. jiff's own parser is kind
//! (it takes a space for the `T`, and second 60 for 59), but an occurrence's text is hashed.

use jiff::civil::DateTime;

/// As an occurrence is written: 19 characters.
pub(crate) const PLANNED: &str = "YYYY-MM-DDThh:mm:ss";
/// As a start may be written, too.
pub(crate) const TO_THE_MINUTE: &str = "YYYY-MM-DDThh:mm";

/// Reads `text` as `layout` says: `Y`, `M`, `D`, `h`, `m` and `s` stand for a digit, all else for
/// itself. What the layout does not name is zero. `None` if it differs or no such time exists.
pub(crate) fn read(text: &str, layout: &str) -> Option<DateTime> {
    if text.len() != layout.len() {
        return None;
    }
    let [mut year, mut month, mut day, mut hour, mut minute, mut second] = [0i16; 6];
    for (byte, place) in text.bytes().zip(layout.bytes()) {
        let field = match place {
            b'Y' => &mut year,
            b'M' => &mut month,
            b'D' => &mut day,
            b'h' => &mut hour,
            b'm' => &mut minute,
            b's' => &mut second,
            _ if byte == place => continue,
            _ => return None,
        };
        if !byte.is_ascii_digit() {
            return None;
        }
        *field = *field * 10 + i16::from(byte - b'0');
    }
    let [month, day] = [month, day].map(i8::try_from);
    let [hour, minute, second] = [hour, minute, second].map(i8::try_from);
    DateTime::new(year, month.ok()?, day.ok()?, hour.ok()?, minute.ok()?, second.ok()?, 0).ok()
}

/// Writes [`PLANNED`].
pub(crate) fn write(at: DateTime) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}
