//! A Redis master with its replicas, and a sentinel that puts one of them in its place.

use std::net::TcpStream;
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::port::free_port;
use crate::redis::{ask, redis_server, until_on_disk};
use crate::until::until;

/// What the sentinel calls them.
const NAME: &str = "family";

/// A server of the set, and where it listens.
#[derive(Debug)]
struct Server {
    port: u16,
    process: Option<Child>,
}

/// A master, two replicas, a sentinel.
#[derive(Debug)]
pub struct TestSentinel {
    folder: TempDir,
    servers: Vec<Server>,
    sentinel: Server,
}

impl TestSentinel {
    /// All of them, once the replicas follow.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let servers = (0..3).map(|_| Server { port: free_port(), process: None }).collect();
        let sentinel = Server { port: free_port(), process: None };
        let mut set = Self { folder, servers, sentinel };
        for place in 0..3 {
            set.restart(place);
        }
        let first = set.servers[0].port;
        for place in 0..3 {
            until("redis-server listens", async || connect(set.servers[place].port)).await;
        }
        let replicas = until("the replicas follow", async || {
            let told = ask(first, &["INFO", "replication"]);
            told.contains("connected_slaves:2").then_some(())
        });
        replicas.await;
        for replica in &set.servers[1..] {
            until_on_disk(replica.port).await;
        }
        set.watch(first);
        until("the sentinel knows them all", async || {
            let told = ask(set.sentinel.port, &["SENTINEL", "master", NAME]);
            let knows = told.split_whitespace().skip_while(|word| *word != "num-slaves").nth(1);
            (knows == Some("2")).then_some(())
        })
        .await;
        set
    }

    /// What a relay is told.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let replicas = ("JIASHU_REPLICAS".to_owned(), "1".to_owned());
        vec![("JIASHU_STORE".to_owned(), self.url()), replicas]
    }

    /// Where a relay asks for the master.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/{NAME}", self.sentinel.port)
    }

    /// Forgets everything.
    pub fn empty(&self) {
        ask(self.servers[self.master()].port, &["FLUSHALL"]);
    }

    fn watch(&mut self, master: u16) {
        let folder = self.folder.path().join("sentinel");
        std::fs::create_dir(&folder).unwrap();
        let config = folder.join("sentinel.conf");
        let lines = format!(
            "port {}\ndir {}\nsentinel monitor {NAME} 127.0.0.1 {master} 1\n\
             sentinel down-after-milliseconds {NAME} 1500\nsentinel failover-timeout {NAME} 5000\n",
            self.sentinel.port,
            folder.display()
        );
        std::fs::write(&config, lines).unwrap();
        self.sentinel.process = Some(run(redis_server().arg(&config).arg("--sentinel")));
    }

    /// Starts that server again; the first as a master, the others as its replicas, until the sentinel says
    /// otherwise.
    fn restart(&mut self, place: usize) {
        let folder = self.folder.path().join(place.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = redis_server();
        command.args(["--port", &self.servers[place].port.to_string(), "--dir"]).arg(&folder);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
        command.args(["--repl-diskless-sync-delay", "0"]);
        if place > 0 {
            let first = self.servers[0].port.to_string();
            command.args(["--replicaof", "127.0.0.1", &first]);
        }
        self.servers[place].process = Some(run(&mut command));
    }

    /// Whom the sentinel names.
    fn master(&self) -> usize {
        let told = ask(self.sentinel.port, &["SENTINEL", "get-master-addr-by-name", NAME]);
        let place = self.servers.iter().position(|server| told.contains(&server.port.to_string()));
        place.expect("it names one of these")
    }

    /// Ends the replicas as a power cut would: whatever comes now, they do not have.
    pub fn kill_replicas(&mut self) {
        let master = self.master();
        for place in (0..self.servers.len()).filter(|place| *place != master) {
            self.kill(place);
        }
    }

    fn kill(&mut self, place: usize) {
        let mut process = self.servers[place].process.take().expect("it runs");
        process.kill().expect("it can be killed");
        process.wait().expect("it ends");
    }

    /// Waits until every replica has what the master has.
    pub async fn until_replicas_have_all(&self) {
        let master = self.servers[self.master()].port;
        until("the replicas have all", async || {
            // A connection that has written nothing waits for nothing.
            let told = ask(master, &["INFO", "replication"]);
            let after = |name: &str| -> Vec<String> {
                let each =
                    told.split([',', '\n']).filter_map(|part| part.trim().strip_prefix(name));
                each.map(str::to_owned).collect()
            };
            let all = after("master_repl_offset:");
            let replicas = after("offset=");
            (replicas.len() == 2 && replicas.iter().all(|one| *one == all[0])).then_some(())
        })
        .await;
    }

    /// Ends the master as a power cut would, starts the replicas that were ended, and waits until one of them is
    /// named.
    pub async fn kill_master(&mut self) {
        let old = self.master();
        self.kill(old);
        for place in (0..self.servers.len()).filter(|place| *place != old) {
            if self.servers[place].process.is_none() {
                self.restart(place);
            }
        }
        until("another is the master", async || (self.master() != old).then_some(())).await;
    }
}

impl Drop for TestSentinel {
    fn drop(&mut self) {
        let all = self.servers.iter_mut().chain([&mut self.sentinel]);
        for process in all.filter_map(|server| server.process.as_mut()) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn run(command: &mut Command) -> Child {
    command.spawn().expect("tests/run installs redis-server")
}

fn connect(port: u16) -> Option<TcpStream> {
    TcpStream::connect(("127.0.0.1", port)).ok()
}
