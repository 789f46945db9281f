//! `audit verify`: whether anything of the programmes' audit logs was altered or left out.

use super::carry::{Telling, open_to_read};
use super::runtime;
use crate::config::Config;
use crate::ngo::audit::{Chain, hex, read};
use crate::store::ScopeKind;

/// Looks at the log of every programme; a relay may go on meanwhile. Fails if one is broken.
#[expect(clippy::print_stdout, reason = "the answer to what was asked")]
pub(super) fn verify(config: &Config, telling: Telling) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let store = open_to_read(config).await?;
        let (mut broken, mut programmes) = (0_usize, 0_usize);
        for scope in store.scopes().await? {
            let state = store.state(scope).await?;
            if state.is_none_or(|state| state.kind != ScopeKind::Programme) {
                continue;
            }
            programmes += 1;
            let found = read(&*store, scope).await?;
            broken += usize::from(found.is_err());
            if telling.json {
                println!("{}", as_json(scope.to_string(), &found));
                continue;
            }
            match found {
                Ok(Chain { entries, hash }) => {
                    let (entries, hash) = (entries.len(), hex(&hash));
                    println!("programme {scope}: {entries} entries, nothing altered; the newest is {hash}");
                }
                Err(why) => println!("programme {scope}: BROKEN: {why}"),
            }
        }
        store.close().await;
        if broken > 0 {
            anyhow::bail!("the audit log of {broken} of {programmes} programmes was altered");
        }
        Ok(())
    })
}

fn as_json(
    programme: String,
    found: &Result<Chain, crate::ngo::audit::Broken>,
) -> serde_json::Value {
    match found {
        Ok(Chain { entries, hash }) => serde_json::json!({
            "programme": programme, "whole": true, "entries": entries.len(), "hash": hex(hash),
        }),
        Err(why) => serde_json::json!({
            "programme": programme, "whole": false, "why": why.to_string(),
        }),
    }
}
