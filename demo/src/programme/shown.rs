//! What staff see of the programme that was made; it is served until somebody has seen enough.

use std::process::Stdio;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::process::Command;

use super::Folders;
use super::phone::run;
use crate::relay;
use crate::story::heading;

/// Families of the worklist that are shown.
const FIRST: &str = "12";

/// Serves it as any relay does, shows the first families and a report, and says how to see more.
pub(super) async fn serve(folders: &Folders) -> anyhow::Result<()> {
    let listen = relay_of(folders)?;
    let _relay = relay::serve(&folders.data, listen).await?;
    heading("Whom to ring first");
    show(folders, &["ngo", "worklist", "--limit", FIRST]).await?;
    heading("What came of contact, by site, in the last week that has closed");
    show(folders, &["ngo", "report", "--by", "site"]).await?;
    heading("Now you: this stays up until Ctrl-C");
    let signed_in = run(&folders.coordinator, &["ngo", "sign-in"]).await?;
    let link = signed_in.first().and_then(|made| made.get("link")).and_then(Value::as_str);
    println!("To look rather than read, in a browser, within an hour and once:");
    println!("  {}", link.context("no link")?);
    let jiashu = "cargo run -q --bin jiashu --";
    let home = folders.coordinator.display();
    let site = folders.coordinator.with_file_name("soroca");
    println!("As the coordinator:");
    for verb in ["sign-in", "worklist", "report --by corridor", "thresholds", "audit"] {
        println!("  {jiashu} --home {home} ngo {verb}");
    }
    println!("As a caseworker, and as an auditor, who is shown no small numbers:");
    println!("  {jiashu} --home {} ngo worklist", site.display());
    println!(
        "  {jiashu} --home {} ngo report --by site",
        folders.coordinator.with_file_name("auditor").display()
    );
    println!("As a mother, on her own phone:");
    println!("  {jiashu} --home {} plan week", folders.phones.join("TS-001-mother").display());
    println!("Their e-mail of twelve Mondays: {}", folders.mail.display());
    println!("What every family did, for who checks the figures: {}", folders.account.display());
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// How somebody serves it who wanted it kept.
pub(super) fn tell_how_to_serve(folders: &Folders) -> anyhow::Result<()> {
    let listen = relay_of(folders)?;
    println!("To serve it, and to ask as its coordinator:");
    println!(
        "  cargo run -q --bin jiashu-server -- --listen {listen} --data {}",
        folders.data.display()
    );
    println!(
        "  cargo run -q --bin jiashu -- --home {} ngo worklist",
        folders.coordinator.display()
    );
    Ok(())
}

/// Where its staff and phones look for it.
fn relay_of(folders: &Folders) -> anyhow::Result<std::net::SocketAddr> {
    let staff = std::fs::read(folders.coordinator.join("staff.json"))?;
    let staff: Value = serde_json::from_slice(&staff)?;
    let origin = staff.get("relay").and_then(Value::as_str).unwrap_or_default();
    origin
        .strip_prefix("http://")
        .context("the coordinator knows no relay")?
        .parse()
        .context("no address")
}

async fn show(folders: &Folders, args: &[&str]) -> anyhow::Result<()> {
    let mut shown = Command::new(std::env::current_exe()?);
    shown.arg(crate::phone::ROLE).arg("--home").arg(&folders.coordinator).args(args);
    let status = shown.stdin(Stdio::null()).status().await?;
    ensure!(status.success(), "{} failed", args.join(" "));
    Ok(())
}
