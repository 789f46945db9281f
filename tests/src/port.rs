//! Ports for servers that cannot be told to choose one.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;

/// A port that nobody listens on, beside those that the system gives to whoever asks for any: a test that runs
/// at the same time does not get it meanwhile.
#[must_use]
pub fn free_port() -> u16 {
    // By chance: of two processes that look at once each is likely to begin elsewhere.
    let start = u32::try_from(RandomState::new().hash_one(0) % 900).unwrap();
    let ports = (0..900_u32).map(|step| 20_000 + (start + step * 7) % 900 * 13);
    let ports = ports.filter_map(|port| u16::try_from(port + next()).ok());
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.into_iter().find(is_free).expect("one of them is free")
}

/// Another number with each call.
fn next() -> u32 {
    static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 13
}
