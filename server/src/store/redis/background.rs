//! What goes on beside the commits: hearing what other relays have changed, writing how far devices have read.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use redis::Script;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::layout::{Keys, cursor_value, read_wake};
use super::link::{Failure, Link};
use crate::store::Wake;
use crate::store::noted::Noted;

/// How often cursors are written, well within the 5 s promised.
const TICK: Duration = Duration::from_secs(2);

/// How long to wait before listening for wakes again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Passes on what other relays have changed.
pub(super) async fn hear_wakes(
    link: Link,
    wakes: broadcast::Sender<Wake>,
    me: u64,
    stop: CancellationToken,
) {
    loop {
        let heard = async {
            let mut messages = link.listen().await?;
            while let Some(message) = messages.next().await {
                // Our own were told when they were written.
                if let Some(scope) = read_wake(&message, me) {
                    let _ = wakes.send(Wake { scope });
                }
            }
            Ok::<(), Failure>(())
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = heard => {}
        }
        // What was said meanwhile is lost: the log is the truth, and each session looks again.
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LISTEN_AGAIN) => {}
        }
    }
}

/// Writes how far devices have read, now and then, and at the end.
pub(super) async fn write_cursors(link: Link, noted: Arc<Noted>, stop: CancellationToken) {
    let script = Script::new(include_str!("cursor.lua"));
    loop {
        let ends = tokio::select! {
            biased;
            () = stop.cancelled() => true,
            () = tokio::time::sleep(TICK) => false,
        };
        while write_chunk(&link, &noted, &script).await {}
        if ends {
            return;
        }
    }
}

/// Whether something was written, so that there may be more.
async fn write_chunk(link: &Link, noted: &Noted, script: &Script) -> bool {
    let chunk = noted.take_chunk();
    if chunk.is_empty() {
        return false;
    }
    let writes = chunk.iter().map(|((scope, device), reached)| {
        let keys = Keys::of(*scope);
        let args = [device.0.to_string(), reached.seq.to_string(), cursor_value(*reached)];
        let args = args.map(String::into_bytes);
        async move { link.script(script, &[&keys.cursors], &args).await.map(|_| ()) }
    });
    match futures_util::future::try_join_all(writes).await {
        Ok(_) => {
            noted.written();
            true
        }
        Err(failure) => {
            tracing::warn!(error = %failure, "how far devices have read is written later");
            noted.not_written();
            false
        }
    }
}
