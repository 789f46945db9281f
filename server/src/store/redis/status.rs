//! What this Redis is, read from what it says of itself.

use super::answer::bytes;
use super::durability;
use super::link::{Failure, Link};
use crate::store::status::{ReplicaStatus, ServerStatus, Setting, ShareStatus, StoreStatus};

/// All of it, as of now.
pub(super) async fn status(
    link: &Link,
    replicas_waited_for: usize,
    share: Option<ShareStatus>,
) -> Result<StoreStatus, Failure> {
    let durability = durability::settings(link).await?;
    let mut servers = Vec::new();
    for (name, info) in link.ask_each(&redis::cmd("INFO")).await? {
        let info = bytes(info?)?.unwrap_or_default();
        servers.push(server(name, &String::from_utf8_lossy(&info)));
    }
    let could_lose =
        could_lose(&durability, &servers, replicas_waited_for, link.has_waitaof().await?);
    let kind = link.kind();
    Ok(StoreStatus { kind, durability, could_lose, servers, replicas_waited_for, share })
}

/// One server, by its INFO.
fn server(name: String, info: &str) -> ServerStatus {
    let line = |key: &str| {
        let mut lines = info.lines().filter_map(|line| line.trim_end().split_once(':'));
        lines.find(|(found, _)| *found == key).map(|(_, value)| value)
    };
    let number = |key: &str| line(key)?.parse::<u64>().ok();
    let version = match (line("valkey_version"), line("redis_version")) {
        (Some(version), _) => format!("Valkey {version}"),
        (None, Some(version)) => format!("Redis {version}"),
        (None, None) => "unknown".to_owned(),
    };
    let told = number("master_repl_offset").unwrap_or_default();
    let of_replica = |line: &str| {
        let (key, value) = line.trim_end().split_once(':')?;
        key.strip_prefix("slave")?.parse::<u32>().ok()?;
        let part = |name: &str| {
            let mut parts = value.split(',').filter_map(|part| part.split_once('='));
            parts.find(|(found, _)| *found == name).map(|(_, value)| value)
        };
        let has: u64 = part("offset")?.parse().ok()?;
        Some(ReplicaStatus {
            name: format!("{}:{}", part("ip")?, part("port")?),
            state: part("state")?.to_owned(),
            lag_bytes: told.saturating_sub(has),
        })
    };
    ServerStatus {
        name,
        version,
        used_bytes: number("used_memory"),
        most_bytes: number("maxmemory").filter(|most| *most > 0),
        replicas: info.lines().filter_map(of_replica).collect(),
    }
}

/// In one sentence. What fails over may be elected whatever it has.
fn could_lose(
    durability: &[Setting],
    servers: &[ServerStatus],
    waited_for: usize,
    has_waitaof: bool,
) -> String {
    let weak: Vec<_> = durability.iter().filter_map(Setting::weakness).collect();
    if !weak.is_empty() {
        return format!("acknowledged letters, as was accepted: {}", weak.join("; "));
    }
    let followed = servers.iter().any(|server| !server.replicas.is_empty());
    let most = servers.iter().map(|server| server.replicas.len()).max().unwrap_or_default();
    match (waited_for, followed) {
        (0, false) => "nothing that was acknowledged, as long as this server's disk keeps what it synced; there \
                       is no other copy but your backups"
            .to_owned(),
        (0, true) => "a failover may lose letters that were acknowledged and not at the replica yet: no replica \
                      is waited for (replicas = 0)"
            .to_owned(),
        (count, _) => {
            let which = if most > count {
                format!("is one of the {count}, of {most}, that had it")
            } else {
                "had it, as all must".to_owned()
            };
            let how = if has_waitaof { "on its disk" } else { "in its memory" };
            format!(
                "nothing that was acknowledged, if the replica that takes over {which}; a letter is waited for \
                 until a replica has it {how}"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\n# Memory\r\nused_memory:1048576\r\nmaxmemory:0\r\n\
                        # Replication\r\nrole:master\r\nconnected_slaves:1\r\n\
                        slave0:ip=10.0.0.2,port=6379,state=online,offset=90,lag=1\r\nmaster_repl_offset:100\r\n";

    #[test]
    fn a_server_is_told_by_its_info() {
        let found = server(String::new(), INFO);

        assert_eq!(found.version, "Redis 7.0.15");
        assert_eq!((found.used_bytes, found.most_bytes), (Some(1_048_576), None));
        let state = "online".to_owned();
        let replica = ReplicaStatus { name: "10.0.0.2:6379".into(), state, lag_bytes: 10 };
        assert_eq!(found.replicas, [replica]);
        assert_eq!(
            server(String::new(), "valkey_version:9.1.2\nredis_version:7.2.4").version,
            "Valkey 9.1.2"
        );
        assert_eq!(server(String::new(), "what:\nslave0:\nslave:x,").version, "unknown");
    }

    #[test]
    fn what_could_be_lost_is_said_plainly() {
        let alone = [ServerStatus::default()];
        let followed = [server(String::new(), INFO)];
        let weak = Setting {
            server: String::new(),
            name: "appendfsync",
            is: Some("everysec".into()),
            wanted: "always",
            why: "power",
        };

        let accepted = could_lose(&[weak], &alone, 0, true);
        assert!(accepted.contains("appendfsync is everysec, not always: power"), "{accepted}");
        assert!(could_lose(&[], &alone, 0, true).starts_with("nothing that was acknowledged"));
        assert!(could_lose(&[], &followed, 0, true).starts_with("a failover may lose"));
        assert!(could_lose(&[], &followed, 1, true).contains("as all must"));
        assert!(could_lose(&[], &followed, 1, false).contains("in its memory"));
    }
}
