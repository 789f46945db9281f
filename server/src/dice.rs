//! Random bytes of the system's.

use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};

/// 128 bits that nobody guesses.
///
/// # Errors
///
/// Where the system has no random bytes.
pub fn secret() -> Result<[u8; 16], Unspecified> {
    let mut secret = [0; 16];
    SystemRandom::new().fill(&mut secret)?;
    Ok(secret)
}

/// A number below `below`, which is no secret: who is told another moment comes back at another moment; 0 where the system has no random bytes.
#[must_use]
pub fn below(below: u32) -> u32 {
    let mut bytes = [0; 4];
    let drawn = SystemRandom::new().fill(&mut bytes).is_ok();
    if drawn { u32::from_be_bytes(bytes).checked_rem(below).unwrap_or(0) } else { 0 }
}
