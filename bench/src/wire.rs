//! What the load generator needs of a protocol. One loop drives the relay and the peers alike.

use std::net::SocketAddr;

/// What came of bytes that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The other end knows who we are: it can begin.
    Ready,
    /// So many messages of ours were taken over.
    Taken(usize),
    /// The message of this number, counted from 0, came, and was acked.
    Delivered(u64),
}

/// One connection's side of a conversation. Bytes in, bytes out; sockets are the loop's.
pub(crate) trait Wire {
    /// Where it connects to.
    fn address(&self) -> SocketAddr;

    /// What is said first.
    fn open(&mut self, out: &mut Vec<u8>);

    /// Takes what is whole of `input`; returns how many bytes that was.
    ///
    /// # Errors
    ///
    /// If the other end said what it must not.
    fn take(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> anyhow::Result<usize>;

    /// Sends a message; its number, counted from 0, is in its body.
    fn send(&mut self, number: u64, out: &mut Vec<u8>);
}

/// Length of a sealed body, its tag included, in bytes: 135 characters of text.
pub(crate) const BODY: usize = 160;

/// A body that tells its number; the rest is as good as random.
pub(crate) fn body(number: u64) -> [u8; BODY] {
    let mut body = [0xa7; BODY];
    if let Some(head) = body.first_chunk_mut() {
        *head = number.to_be_bytes();
    }
    body
}

/// The number in a body.
pub(crate) fn number_of(body: &[u8]) -> Option<u64> {
    body.first_chunk().map(|head| u64::from_be_bytes(*head))
}
