//! Has every server write its log anew, so that nothing of what was deleted stands in it, and looks what came of it.

use super::answer::bytes;
use super::link::{Failure, Link};
use crate::store::Cleaning;

/// What a server says of the writing of its log.
struct Server {
    /// Another one each time it is started.
    process: String,
    /// Whether it is at it, or will be.
    is_busy: bool,
    /// Whether that went well last.
    went_well: bool,
}

/// Begins it, or tells what came of it, by the processes that were asked for it.
///
/// One that was under way before may have begun before the last deletion, so it is waited for and counts as none.
pub(super) async fn clean(link: &Link, begun: Option<&str>) -> Result<Cleaning, Failure> {
    let mut servers = Vec::new();
    for (_, info) in link.ask_each(&redis::cmd("INFO")).await? {
        let info = bytes(info?)?.unwrap_or_default();
        servers.push(server(&String::from_utf8_lossy(&info)));
    }
    let mut processes: Vec<_> = servers.iter().map(|server| server.process.as_str()).collect();
    processes.sort_unstable();
    let asked = processes.join(" ");
    let (is_ours, is_busy) =
        (begun == Some(asked.as_str()), servers.iter().any(|server| server.is_busy));
    match (is_ours, is_busy) {
        (true, true) => Ok(Cleaning::Begun(asked)),
        (true, false) if servers.iter().all(|server| server.went_well) => Ok(Cleaning::Done),
        (true, false) => Err(Failure::NotRewritten),
        (false, true) => Ok(Cleaning::Begun(String::new())),
        (false, false) => {
            for (_, answer) in link.ask_each(&redis::cmd("BGREWRITEAOF")).await? {
                let _begun = answer?;
            }
            Ok(Cleaning::Begun(asked))
        }
    }
}

/// By its INFO.
fn server(info: &str) -> Server {
    let line = |key: &str| {
        let mut lines = info.lines().filter_map(|line| line.trim_end().split_once(':'));
        lines.find(|(found, _)| *found == key).map(|(_, value)| value)
    };
    let is = |key: &str, value: &str| line(key) == Some(value);
    Server {
        process: line("run_id").unwrap_or_default().to_owned(),
        is_busy: is("aof_rewrite_in_progress", "1") || is("aof_rewrite_scheduled", "1"),
        went_well: is("aof_last_bgrewrite_status", "ok"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_the_writing_of_its_log_stands_is_told_by_info() {
        let cases = [
            // In progress, scheduled, how it went last: busy, well.
            ("1", "0", "err", true, false),
            ("0", "1", "ok", true, true),
            ("0", "0", "ok", false, true),
            ("0", "0", "err", false, false),
        ];
        for (progress, scheduled, last, is_busy, went_well) in cases {
            let info = format!(
                "run_id:abc\r\naof_rewrite_in_progress:{progress}\r\naof_rewrite_scheduled:{scheduled}\r\n\
                 aof_last_bgrewrite_status:{last}\r\n"
            );

            let found = server(&info);

            assert_eq!((found.is_busy, found.went_well), (is_busy, went_well), "{info}");
            assert_eq!(found.process, "abc");
        }
    }
}
