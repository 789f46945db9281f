//! A Redis master with its replicas, and a sentinel that puts one of them in its place.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::port::free_port;
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
        let url = format!("redis+sentinel://127.0.0.1:{}/{NAME}", self.sentinel.port);
        vec![("JIASHU_STORE".to_owned(), url), ("JIASHU_REPLICAS".to_owned(), "1".to_owned())]
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
        self.sentinel.process =
            Some(run(Command::new("redis-server").arg(&config).arg("--sentinel")));
    }

    /// Starts that server again; the first as a master, the others as its replicas, until the sentinel says
    /// otherwise.
    fn restart(&mut self, place: usize) {
        let folder = self.folder.path().join(place.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new("redis-server");
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

    /// Ends the master as a power cut would, and waits until another is named.
    pub async fn kill_master(&mut self) {
        let old = self.master();
        let mut process = self.servers[old].process.take().expect("it runs");
        process.kill().expect("it can be killed");
        process.wait().expect("it ends");
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
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().expect("tests/run installs redis-server")
}

fn connect(port: u16) -> Option<TcpStream> {
    TcpStream::connect(("127.0.0.1", port)).ok()
}

/// What `redis-cli` prints.
fn ask(port: u16, words: &[&str]) -> String {
    let output = Command::new("redis-cli").args(["-p", &port.to_string()]).args(words).output();
    String::from_utf8(output.expect("redis-server brings it").stdout).unwrap()
}
