//! Random numbers that are no secret: who is told another moment comes back at another moment.

use ring::rand::{SecureRandom, SystemRandom};

/// A number below `below`; 0 where the system has no random bytes.
#[must_use]
pub fn below(below: u32) -> u32 {
    let mut bytes = [0; 4];
    let drawn = SystemRandom::new().fill(&mut bytes).is_ok();
    if drawn { u32::from_be_bytes(bytes).checked_rem(below).unwrap_or(0) } else { 0 }
}
