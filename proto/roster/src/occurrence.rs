//! The name of one firing of a schedule. The relay gives it, every reader computes it again.

use jiashu_proto::id::Ref;

use crate::digest::sha256;

/// The ref of the occurrence planned at `planned`, or `None` if that is not the 19 characters
/// `YYYY-MM-DDThh:mm:ss`.
///
/// `planned` is civil time in the schedule's zone, before any shift out of a clock gap; whether it
/// is a date of the calendar is left to the recurrence. The ref is never a nonce: the body was
/// sealed under `body_ref`. Source: docs/sealing.md.
#[must_use]
pub fn occurrence_ref(body_ref: Ref, schedule: Ref, planned: &str) -> Option<Ref> {
    if !is_civil_time(planned) {
        return None;
    }
    let text =
        [b"jiashu/1 occurrence", &body_ref.0[..], &schedule.0[..], planned.as_bytes()].concat();
    sha256(&text).first_chunk().copied().map(Ref)
}

fn is_civil_time(text: &str) -> bool {
    const FORM: &[u8; 19] = b"0000-00-00T00:00:00";
    text.len() == FORM.len()
        && text.bytes().zip(FORM).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            mark => byte == *mark,
        })
}
