//! What this store is, for the operator.

use std::fs;
use std::path::Path;

use super::FILE;
use crate::store::status::{ServerStatus, Setting, StoreStatus};

/// Of the file there; `journal` is how SQLite says that it keeps its log.
pub(super) fn status(path: &Path, journal: String) -> StoreStatus {
    let setting = |name, is: String, wanted, why| Setting {
        server: String::new(),
        name,
        is: Some(is),
        wanted,
        why,
    };
    let lost = "what was acknowledged last is gone after a power failure";
    let files = [FILE.to_owned(), format!("{FILE}-wal")];
    let sizes =
        files.map(|file| fs::metadata(path.with_file_name(file)).map_or(0, |file| file.len()));
    StoreStatus {
        kind: "embedded",
        durability: vec![
            setting("journal_mode", journal, "wal", lost),
            // The writer was opened with it.
            setting("synchronous", "full".to_owned(), "full", lost),
        ],
        could_lose: "nothing that was acknowledged, as long as this machine's disk keeps what it synced; there is \
                     no other copy but your backups"
            .to_owned(),
        servers: vec![ServerStatus {
            version: format!("SQLite {}", rusqlite::version()),
            used_bytes: Some(sizes.iter().sum()),
            ..ServerStatus::default()
        }],
        ..StoreStatus::default()
    }
}
