//! A stream that watches how a WebSocket's messages are cut up.
//!
//! The WebSocket library joins fragments without counting them and waits for ever for the last.
//! Both show beneath it, in the headers of the frames that come in; what a frame holds is not looked
//! at. While a peer is quiet this keeps no timer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What a peer may take its time for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Fragments of one message.
    pub fragments: u32,
    /// From the first byte of a message to its last.
    pub message: Duration,
}

/// What a peer did that ends its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misconduct {
    /// One message in too many pieces.
    #[error("a message came in too many fragments")]
    TooManyFragments,
    /// One message over too long a time.
    #[error("a message took too long to come")]
    SlowMessage,
    /// It took no byte of what was written for too long.
    #[error("nothing was read for too long")]
    NoProgress,
}

impl Misconduct {
    /// What the WebSocket library met, if it was this.
    #[must_use]
    pub fn in_error(error: &io::Error) -> Option<Self> {
        error.get_ref().and_then(|cause| cause.downcast_ref()).copied()
    }

    pub(super) fn error(self) -> io::Error {
        io::Error::other(self)
    }
}

/// A stream of WebSocket frames, watched.
#[derive(Debug)]
pub struct Watched<S> {
    inner: S,
    patience: Patience,
    frames: Frames,
    /// When the message under way must be there. Boxed: most connections are quiet.
    message_due: Option<Pin<Box<Sleep>>>,
    /// The conversation is over: what still comes is only thrown away.
    ended: bool,
}

impl<S> Watched<S> {
    /// Watches what comes from now on.
    pub fn new(inner: S, patience: Patience) -> Self {
        Self { inner, patience, frames: Frames::default(), message_due: None, ended: false }
    }

    /// From now on nothing that comes in is an error.
    pub fn end(&mut self) {
        self.ended = true;
        self.message_due = None;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(cx, buf);
        if this.ended {
            return polled;
        }
        let new = buf.filled().get(before..).unwrap_or_default();
        if this.frames.take(new) > this.patience.fragments {
            // Who gives an error has read nothing.
            buf.set_filled(before);
            return Poll::Ready(Err(Misconduct::TooManyFragments.error()));
        }
        if this.frames.between_messages() || matches!(polled, Poll::Ready(Err(_))) {
            this.message_due = None;
            return polled;
        }
        let due = Instant::now() + this.patience.message;
        let due = this.message_due.get_or_insert_with(|| Box::pin(sleep_until(due)));
        match due.as_mut().poll(cx) {
            Poll::Ready(()) => {
                buf.set_filled(before);
                Poll::Ready(Err(Misconduct::SlowMessage.error()))
            }
            Poll::Pending => polled,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Bytes of a frame's header before the mask, at most: two, and a length of eight.
const HEADER: usize = 10;

/// Bytes of the mask, which stands behind the length in every frame of a client.
const MASK: u64 = 4;

/// Where in the stream of frames we are. Source: RFC 6455, 5.2 and 5.4.
#[derive(Debug, Default)]
struct Frames {
    /// What has come of a header.
    header: [u8; HEADER],
    have: u8,
    /// Bytes of the frame that are still to come, its mask included.
    rest: u64,
    /// Frames of the message under way.
    pieces: u32,
    /// Whether the frame under way is the message's last, or one of control.
    last: bool,
}

impl Frames {
    /// Passes over `bytes`; the most pieces that a message in them has had so far.
    fn take(&mut self, mut bytes: &[u8]) -> u32 {
        let mut most = self.pieces;
        while let Some((first, behind)) = bytes.split_first() {
            if self.rest > 0 {
                let skip = bytes.len().min(usize::try_from(self.rest).unwrap_or(usize::MAX));
                self.rest -= skip as u64;
                bytes = bytes.get(skip..).unwrap_or_default();
            } else {
                self.add(*first);
                bytes = behind;
            }
            most = most.max(self.pieces);
            if self.have == 0 && self.rest == 0 && self.last {
                self.pieces = 0;
            }
        }
        most
    }

    /// One more byte of a header.
    fn add(&mut self, byte: u8) {
        if let Some(place) = self.header.get_mut(usize::from(self.have)) {
            *place = byte;
        }
        self.have = self.have.saturating_add(1);
        let [first, second, long @ ..] = self.header;
        let (short, wide) = (second & 0x7f, self.have >= 2);
        let length = match (wide, short, self.have) {
            (false, ..) | (_, 126, ..4) | (_, 127, ..10) => return,
            (_, 126, _) => u64::from(u16::from_be_bytes([long[0], long[1]])),
            (_, 127, _) => u64::from_be_bytes(long),
            (_, short, _) => u64::from(short),
        };
        let mask = if second & 0x80 == 0 { 0 } else { MASK };
        (self.have, self.rest) = (0, length.saturating_add(mask));
        let is_control = first & 0x08 != 0;
        // A frame of control may stand between the pieces of a message, and is none of them.
        if !is_control {
            self.last = first & 0x80 != 0;
            self.pieces = self.pieces.saturating_add(1);
        }
    }

    /// Whether nothing has come of the next message.
    fn between_messages(&self) -> bool {
        self.have == 0 && self.rest == 0 && self.pieces == 0
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const PATIENCE: Patience = Patience { fragments: 64, message: Duration::from_millis(300) };

    /// A masked frame: its first byte and its length.
    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![first];
        match u16::try_from(length) {
            Ok(short @ 0..126) => frame.push(0x80 | u8::try_from(short).unwrap()),
            Ok(long) => {
                frame.push(0x80 | 126);
                frame.extend(long.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        // Bytes that would read as headers, if the count went astray.
        frame.extend(std::iter::repeat_n(0x02, 4 + length));
        frame
    }

    /// A message of so many pieces, with a ping after each.
    fn message(pieces: u32) -> Vec<u8> {
        let piece = |place: u32| {
            let (first, last) = (place == 1, place == pieces);
            let opcode = if first { 0x02 } else { 0 } | if last { 0x80 } else { 0 };
            [frame(opcode, 7), frame(0x89, 3)].concat()
        };
        (1..=pieces).flat_map(piece).collect()
    }

    #[test]
    fn pieces_are_counted_wherever_the_bytes_are_parted() {
        let all = [message(1), message(64), frame(0x82, 70_000), message(3), frame(0x82, 300)];
        let all = all.concat();

        for step in [1, 2, 3, 7, 11, 1024, all.len()] {
            let mut frames = Frames::default();
            let most = all.chunks(step).map(|bytes| frames.take(bytes)).max();

            assert_eq!(most, Some(64), "{step} bytes at once");
            assert!(frames.between_messages(), "{step} bytes at once");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_counted_alike_however_they_are_parted(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            step in 1_usize..50,
        ) {
            let (mut whole, mut parted) = (Frames::default(), Frames::default());

            let most = whole.take(&bytes);
            let parts = bytes.chunks(step).map(|part| parted.take(part)).max();

            proptest::prop_assert_eq!(most, parts.unwrap_or(0));
            proptest::prop_assert_eq!(whole.between_messages(), parted.between_messages());
        }
    }

    #[tokio::test]
    async fn a_message_of_64_pieces_passes_and_one_of_65_does_not() {
        for (pieces, passes) in [(64, true), (65, false)] {
            let (mut peer, inner) = duplex(64 * 1024);
            peer.write_all(&message(pieces)).await.unwrap();
            drop(peer);

            let read = Watched::new(inner, PATIENCE).read_to_end(&mut Vec::new()).await;

            let error = read.err().and_then(|error| Misconduct::in_error(&error));
            assert_eq!(error, (!passes).then_some(Misconduct::TooManyFragments), "{pieces}");
        }
    }

    #[tokio::test]
    async fn half_a_message_is_not_waited_for() {
        let halves = [frame(0x02, 7), frame(0x82, 7)[..3].to_vec(), vec![0x82]];
        for half in halves {
            let (mut peer, inner) = duplex(1024);
            let begun = Instant::now();
            peer.write_all(&half).await.unwrap();

            let read = Watched::new(inner, PATIENCE).read_to_end(&mut Vec::new()).await;

            let error = Misconduct::in_error(&read.unwrap_err());
            assert_eq!(error, Some(Misconduct::SlowMessage));
            assert!(begun.elapsed() >= PATIENCE.message);
        }
    }

    #[tokio::test]
    async fn a_quiet_peer_is_waited_for() {
        let (mut peer, inner) = duplex(1024);
        let mut watched = Watched::new(inner, PATIENCE);
        peer.write_all(&frame(0x82, 7)).await.unwrap();
        let mut whole = [0; 13];
        watched.read_exact(&mut whole).await.unwrap();

        let waited = tokio::time::timeout(PATIENCE.message * 2, watched.read_u8()).await;

        assert!(waited.is_err(), "{waited:?}");
    }

    #[test]
    fn a_quiet_connection_costs_few_bytes() {
        assert!(size_of::<Watched<()>>() <= 72, "{} bytes", size_of::<Watched<()>>());
    }
}
