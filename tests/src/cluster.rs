//! A Redis Cluster on this machine: three masters that share the slots, and if need be a replica of each.

use std::process::Child;

use tempfile::TempDir;

use crate::port::free_port;
use crate::redis::{ask, redis_server, until_on_disk};
use crate::until::until;

/// Masters.
const MASTERS: usize = 3;

/// All slots of a cluster.
const SLOTS: usize = 16_384;

/// A node, and where it listens for clients and for the others.
#[derive(Debug)]
struct Node {
    port: u16,
    bus: u16,
    process: Option<Child>,
}

/// The nodes: first the masters, then the replicas in the order of their masters.
#[derive(Debug)]
pub struct TestCluster {
    folder: TempDir,
    nodes: Vec<Node>,
    replicas: usize,
}

impl TestCluster {
    /// With so many replicas of each master, 0 or 1, once all know each other.
    pub async fn start(replicas: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = |_| Node { port: free_port(), bus: free_port(), process: None };
        let nodes = (0..MASTERS * (1 + replicas)).map(node).collect();
        let mut cluster = Self { folder, nodes, replicas };
        for place in 0..cluster.nodes.len() {
            cluster.restart(place);
        }
        for place in 0..cluster.nodes.len() {
            let listens = "a node listens";
            until(listens, async || cluster.ask(place, &["PING"]).contains("PONG").then_some(()))
                .await;
        }
        cluster.make().await;
        cluster
    }

    async fn make(&self) {
        let first = &self.nodes[0];
        for place in 0..self.nodes.len() {
            self.ask(place, &["CLUSTER", "SET-CONFIG-EPOCH", &(place + 1).to_string()]);
            if place < MASTERS {
                let from = (SLOTS * place / MASTERS).to_string();
                let to = (SLOTS * (place + 1) / MASTERS - 1).to_string();
                self.ask(place, &["CLUSTER", "ADDSLOTSRANGE", &from, &to]);
            }
            if place > 0 {
                let (port, bus) = (first.port.to_string(), first.bus.to_string());
                self.ask(place, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
            }
        }
        let known = format!("cluster_known_nodes:{}", self.nodes.len());
        for place in 0..self.nodes.len() {
            until("a node knows all", async || {
                let told = self.ask(place, &["CLUSTER", "INFO"]);
                (told.contains("cluster_state:ok") && told.contains(&known)).then_some(())
            })
            .await;
        }
        for place in MASTERS..self.nodes.len() {
            let master = self.ask(place - MASTERS, &["CLUSTER", "MYID"]);
            self.ask(place, &["CLUSTER", "REPLICATE", master.trim()]);
        }
        for place in 0..MASTERS {
            let following = format!("connected_slaves:{}", self.replicas);
            until("the replicas follow", async || {
                self.ask(place, &["INFO", "replication"]).contains(&following).then_some(())
            })
            .await;
        }
        for replica in &self.nodes[MASTERS..] {
            until_on_disk(replica.port).await;
        }
        // Masters vote for whom they know to be a replica.
        for place in 0..self.nodes.len() {
            until("a node knows who is a replica", async || {
                let told = self.ask(place, &["CLUSTER", "NODES"]);
                let known = told.lines().filter(|node| node.contains("slave")).count();
                (known == self.replicas * MASTERS).then_some(())
            })
            .await;
        }
    }

    /// Where it is, as a relay is told.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        format!("redis-cluster://{}", hosts.collect::<Vec<_>>().join(","))
    }

    /// What a relay is told.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let replicas = ("JIASHU_REPLICAS".to_owned(), self.replicas.to_string());
        vec![("JIASHU_STORE".to_owned(), self.url()), replicas]
    }

    /// Forgets everything.
    pub fn empty(&self) {
        for place in 0..MASTERS {
            self.ask(place, &["FLUSHALL"]);
        }
    }

    /// Which master has this scope.
    #[must_use]
    pub fn master_of(&self, scope: u64) -> usize {
        let told = self.ask(0, &["CLUSTER", "KEYSLOT", &format!("{{b{:03}}}", scope % 256)]);
        let slot: usize = told.trim().parse().expect("the number of a slot");
        (0..MASTERS).rfind(|place| SLOTS * place / MASTERS <= slot).expect("a master has it")
    }

    /// Ends the replica of a master as a power cut would: whatever comes now, it does not have.
    pub fn kill_replica(&mut self, master: usize) {
        self.kill(MASTERS + master);
    }

    fn kill(&mut self, place: usize) {
        let mut process = self.nodes[place].process.take().expect("it runs");
        process.kill().expect("it can be killed");
        process.wait().expect("it ends");
    }

    /// Ends a master as a power cut would, starts its replica if that was ended, and waits until it has its place.
    pub async fn kill_master(&mut self, place: usize) {
        self.kill(place);
        let successor = MASTERS + place;
        if self.nodes[successor].process.is_none() {
            self.restart(successor);
        }
        until("the replica is the master", async || {
            let told = self.ask(successor, &["INFO", "replication"]);
            let is_well = self.ask(successor, &["CLUSTER", "INFO"]).contains("cluster_state:ok");
            (told.contains("role:master") && is_well).then_some(())
        })
        .await;
    }

    /// A master and its replica change places, as an operator lets them: nobody dies, no connection breaks.
    pub async fn hand_over(&self, master: usize) {
        let successor = MASTERS + master;
        self.ask(successor, &["CLUSTER", "FAILOVER"]);
        until("they have changed places", async || {
            let is_now = |place, role| self.ask(place, &["INFO", "replication"]).contains(role);
            (is_now(successor, "role:master") && is_now(master, "role:slave")).then_some(())
        })
        .await;
    }

    /// Starts a node again on what it has; who lost its slots to a replica is the replica from now on.
    pub fn restart(&mut self, place: usize) {
        let folder = self.folder.path().join(place.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        let node = &mut self.nodes[place];
        assert!(node.process.is_none(), "it runs already");
        let mut command = redis_server();
        command.args(["--port", &node.port.to_string(), "--dir"]).arg(&folder);
        command.args(["--cluster-enabled", "yes", "--cluster-port", &node.bus.to_string()]);
        command.args(["--cluster-node-timeout", "1500", "--repl-diskless-sync-delay", "0"]);
        // Also who was cut off for long may be elected: the worst that can come.
        command.args(["--cluster-replica-validity-factor", "0"]);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
        node.process = Some(command.spawn().expect("tests/run installs redis-server"));
    }

    fn ask(&self, place: usize, words: &[&str]) -> String {
        ask(self.nodes[place].port, words)
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        for process in self.nodes.iter_mut().filter_map(|node| node.process.as_mut()) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
