//! A real browser (Chromium), driven by a script of `tests/browser` through playwright-core.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

/// A story in the browser takes seconds; on a machine that is at work with others, more.
const STORY: Duration = Duration::from_secs(240);

/// Has a script tell a story, which finds what it is told in `told` and answers by its last line, as JSON.
///
/// # Panics
///
/// If what drives the browser is not there (`tests/run` fetches it by `tests/chromium`), or the script fails: with what it said.
pub async fn tell(script: &str, told: &Value) -> Value {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let fetched = std::process::Command::new(root.join("tests/chromium")).output().unwrap();
    let folder = String::from_utf8(fetched.stdout).unwrap();
    assert!(
        fetched.status.success(),
        "tests/chromium: {}",
        String::from_utf8_lossy(&fetched.stderr)
    );
    let mut node = Command::new("node");
    node.arg(root.join("tests/browser").join(script))
        .env("JIASHU_BROWSER", folder.trim())
        .env("JIASHU_IMAGES", images(&root))
        .env("JIASHU_TOLD", told.to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output =
        timeout(STORY, node.output()).await.expect("the story ends").expect("node is there");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}: {out}\n{err}");
    let last = out.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|_| panic!("{script} ends with its answer: {out}"))
}

/// Where screenshots go: into the documents only where that is asked for.
fn images(root: &std::path::Path) -> PathBuf {
    let keep = std::env::var_os("JIASHU_WRITE_IMAGES").is_some();
    let folder = root.join(if keep { "docs/images" } else { "target/images" });
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
