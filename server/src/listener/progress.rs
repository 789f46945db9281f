//! A stream that notices when its peer takes nothing of what is written.
//!
//! Beneath TLS and HTTP, so that it holds for every answer: who asks for much and does not read it
//! must not keep it in our memory. While nothing is stuck this keeps no timer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::watch::Misconduct;

/// A stream of which some byte must be taken in time.
#[derive(Debug)]
pub(super) struct Progress<S> {
    inner: S,
    patience: Duration,
    /// When the peer must have taken a byte. Boxed: most connections are quiet.
    due: Option<Pin<Box<Sleep>>>,
}

impl<S> Progress<S> {
    /// Waits so long for a byte to be taken.
    pub(super) fn new(inner: S, patience: Duration) -> Self {
        Self { inner, patience, due: None }
    }

    /// A byte was taken, or the time for it is not over yet.
    fn check<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.due = None;
            return polled;
        }
        let due = Instant::now() + self.patience;
        let due = self.due.get_or_insert_with(|| Box::pin(sleep_until(due)));
        ready!(due.as_mut().poll(cx));
        Poll::Ready(Err(Misconduct::NoProgress.error()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Progress<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Progress<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.check(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.check(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.check(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.check(cx, polled)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(2);

    #[tokio::test]
    async fn who_takes_a_byte_now_and_then_may_go_on_and_who_takes_none_may_not() {
        let (mut peer, inner) = duplex(1);
        let mut stream = Progress::new(inner, PATIENCE);
        let slow = tokio::spawn(async move {
            for _ in 0..5 {
                tokio::time::sleep(PATIENCE / 4).await;
                peer.read_u8().await.unwrap();
            }
            peer
        });

        let slowly = stream.write_all(&[1; 6]).await;
        let _peer = slow.await.unwrap();
        let in_vain = stream.write_all(&[1; 2]).await;

        assert!(slowly.is_ok(), "{slowly:?}");
        assert_eq!(Misconduct::in_error(&in_vain.unwrap_err()), Some(Misconduct::NoProgress));
    }

    #[test]
    fn a_quiet_connection_costs_few_bytes() {
        assert!(size_of::<Progress<()>>() <= 24, "{} bytes", size_of::<Progress<()>>());
    }
}
