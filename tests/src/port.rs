//! Ports for servers that cannot be told to choose one.

use std::hash::{BuildHasher, RandomState};
use std::net::{TcpListener, UdpSocket};
use std::sync::Mutex;

/// What this process holds of them until it ends, see [`hold`].
static HELD: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// A port that nobody listens on, beside those that the system gives to whoever asks for any. Until this process ends
/// no other test gets it, whether a server listens there yet, or does not for a while.
///
/// # Panics
///
/// If none is left.
#[must_use]
pub fn free_port() -> u16 {
    // By chance: of two processes that look at once each is likely to begin elsewhere.
    let start = RandomState::new().hash_one(0) % 12_000;
    let ports = (0..12_000).map(|step| 20_000 + (start + step) % 12_000);
    let mut ports = ports.filter_map(|port| u16::try_from(port).ok());
    ports.find(|port| hold(*port)).expect("one of them is free")
}

/// Takes it if it is free. Between looking and the server's listening there is time for another to find it free as
/// well, and then to talk to a server that is not its own: hence whoever holds the UDP port of that number, which
/// none of these servers wants, has the other one too.
fn hold(port: u16) -> bool {
    let Ok(token) = UdpSocket::bind(("127.0.0.1", port)) else { return false };
    let is_free = TcpListener::bind(("127.0.0.1", port)).is_ok();
    if is_free {
        HELD.lock().unwrap().push(token);
    }
    is_free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_given_anothers_port_though_nobody_listens_there_yet() {
        let mut given: Vec<u16> = (0..300).map(|_| free_port()).collect();

        given.sort_unstable();
        given.dedup();

        assert_eq!(given.len(), 300);
    }
}
