//! Waiting for an event, never for a time: the deadline only ends a test that has failed.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives it up: generous, as the machine may be busy.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks again and again until there is an answer, which it returns.
///
/// # Panics
///
/// If there is none within [`DEADLINE`]; `what` says what was waited for.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < DEADLINE, "waited in vain: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Does it up to that many steps, and then no more, as if the process had ended; `None` then.
pub async fn cut_off<T>(doing: impl Future<Output = T>, mut steps: usize) -> Option<T> {
    let mut doing = pin!(doing);
    poll_fn(|context| {
        let Some(left) = steps.checked_sub(1) else { return Poll::Ready(None) };
        steps = left;
        doing.as_mut().poll(context).map(Some)
    })
    .await
}
