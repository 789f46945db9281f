//! The status as a page: no script, and every word of a server's own escaped.

use std::fmt::Write as _;

use jiashu_proto::id::Millis;

use super::Status;
use crate::clock::timestamp;
use crate::markup::escaped;
use crate::store::status::{ServerStatus, Setting, StoreStatus};

/// What stands above it.
const HEAD: &str = include_str!("head.html");

/// The whole page.
pub(super) fn page(status: &Status) -> String {
    let Status { version, zones, up_s, health, connections, due, unclean, store } = status;
    let mut page = HEAD.to_owned();
    let is_well = health == "ok" && store.as_ref().is_some_and(is_durable);
    let class = if is_well { "well" } else { "unwell" };
    let _ = write!(page, "<p class=\"{class}\">{}</p>", escaped(health));
    if let Some(store) = store {
        let _ = write!(page, "<p>What could be lost: {}.</p>", escaped(&store.could_lose));
    }
    if let Some(unclean) = unclean {
        let (since, why) = (instant(unclean.since), escaped(&unclean.why));
        let _ = write!(
            page,
            "<p class=\"unwell\">Families that were deleted still lie in the store's files: since {since} they \
             cannot be cleaned, and it is tried again every ten minutes. {why}.</p>"
        );
    }
    let mut rows = Rows::default();
    rows.row("version", version);
    rows.row("time zones", zones);
    rows.row("up for", &duration(*up_s));
    rows.row("connections", &connections.to_string());
    rows.row("due now", &due.overdue.to_string());
    rows.row("the first waits for", &format!("{} ms", due.lag_ms));
    rows.row("waiting for their time", &due.pending.to_string());
    rows.row("fired, and late", &format!("{}, {}", due.fired, due.fired_late));
    page += &rows.table("This relay");
    match store {
        Some(store) => page += &tables(store),
        None => page += "<p class=\"unwell\">The store cannot be asked.</p>",
    }
    page + "</html>\n"
}

fn is_durable(store: &StoreStatus) -> bool {
    store.durability.iter().all(Setting::holds)
}

fn tables(store: &StoreStatus) -> String {
    let mut rows = Rows::default();
    rows.row("kind", store.kind);
    rows.row("replicas waited for", &store.replicas_waited_for.to_string());
    if let Some(share) = store.share {
        rows.row("relays", &share.relays.to_string());
        rows.row(
            "this one looks after",
            &format!("{} of {} buckets", share.own_buckets, share.buckets),
        );
    }
    for server in &store.servers {
        server_rows(server, &mut rows);
    }
    let mut tables = rows.table("The store");
    let mut rows = Rows::default();
    for setting in &store.durability {
        let name = [setting.server.as_str(), setting.name].join(" ");
        let is = setting.is.as_deref().unwrap_or("hidden");
        match setting.weakness() {
            None => rows.row(name.trim(), is),
            Some(weakness) => rows.unwell(name.trim(), &weakness),
        }
    }
    tables += &rows.table("Durability, as checked just now");
    tables
}

fn server_rows(server: &ServerStatus, rows: &mut Rows) {
    let ServerStatus { name, version, used_bytes, most_bytes, replicas } = server;
    rows.row(if name.is_empty() { "server" } else { name }, version);
    if let Some(used) = used_bytes {
        let most = most_bytes.map(|most| format!(" of {}", mib(most))).unwrap_or_default();
        rows.row("holds", &format!("{}{most}", mib(*used)));
    }
    for replica in replicas {
        let told = format!("{}, {} bytes behind", replica.state, replica.lag_bytes);
        rows.row(&format!("replica {}", replica.name), &told);
    }
}

/// Rows of a table.
#[derive(Default)]
struct Rows(String);

impl Rows {
    fn row(&mut self, name: &str, value: &str) {
        let _ = write!(self.0, "<tr><th>{}<td>{}", escaped(name), escaped(value));
    }

    fn unwell(&mut self, name: &str, value: &str) {
        let (name, value) = (escaped(name), escaped(value));
        let _ = write!(self.0, "<tr class=\"unwell\"><th>{name}<td>{value}");
    }

    fn table(self, title: &str) -> String {
        format!("<h2>{title}</h2>\n<table>{}</table>\n", self.0)
    }
}

fn mib(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, (bytes >> 10) % 1024 * 10 / 1024)
}

/// An instant in UTC, to the second.
fn instant(at: Millis) -> String {
    let at = timestamp(at);
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cleaning::Unclean;
    use crate::status::DueStatus;

    #[test]
    fn what_a_server_says_of_itself_is_no_markup() {
        let server = ServerStatus {
            version: "<script>alert(1)</script>".into(),
            used_bytes: Some(1_572_864),
            ..ServerStatus::default()
        };
        let store = StoreStatus { kind: "Redis", servers: vec![server], ..StoreStatus::default() };
        let status = Status {
            version: "1",
            zones: "2026f",
            up_s: 90_061,
            health: "degraded: <b>".into(),
            connections: 3,
            due: DueStatus::default(),
            unclean: Some(Unclean { since: 0, why: "<i>no</i>".into() }),
            store: Some(store),
        };

        let page = status.to_html();

        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("<i>"));
        assert!(page.contains("1.5 MiB") && page.contains("1 d 1 h"), "{page}");
        assert!(page.contains("class=\"unwell\">degraded"), "{page}");
        assert!(page.contains("since 1970-01-01 00:00:00 UTC they cannot be cleaned"), "{page}");
    }
}
