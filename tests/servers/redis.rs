//! `redis-server`, alone and as a cluster of three masters with a replica each.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::watched::{self, Watched, fresh_directory, signal};

const START: Duration = Duration::from_secs(20);

/// A server of our own. It is stopped, and what it wrote removed, when this is dropped or the process ends.
pub struct RedisServer {
    pub port: u16,
    directory: PathBuf,
    options: Vec<String>,
    /// One for each start; only the last one runs.
    starts: Vec<Watched>,
}

impl RedisServer {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With options as of a configuration file: `["--maxmemory-policy", "allkeys-lru"]`.
    pub fn with(options: &[&str]) -> Self {
        // Somebody else may take the port before the server does.
        for _ in 0..5 {
            let mut server = Self {
                port: free_port(),
                directory: fresh_directory("redis"),
                options: options.iter().map(ToString::to_string).collect(),
                starts: Vec::new(),
            };
            server.run();
            if server.answers() {
                return server;
            }
        }
        panic!("redis-server does not start: install Debian's package redis-server");
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        assert!(signal("-KILL", self.last().process()));
        wait_until("a killed server to be gone", || TcpStream::connect(("127.0.0.1", self.port)).is_err());
    }

    /// Stops it in the middle of whatever it does, or lets it continue.
    pub fn freeze(&self, frozen: bool) {
        assert!(signal(if frozen { "-STOP" } else { "-CONT" }, self.last().process()));
    }

    /// Again on the same port and with the same data.
    pub fn restart(&mut self) {
        self.run();
        assert!(self.answers(), "the server does not start again");
    }

    /// What `redis-cli` prints.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let output = cli(self.port, arguments);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// All that it ever wrote to its disk.
    pub fn written(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.directory.join("appendonlydir")).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }

    fn run(&mut self) {
        let (port, directory) = (self.port.to_string(), self.directory.to_str().unwrap());
        let mut command = vec!["redis-server", "--bind", "127.0.0.1", "--port", &port, "--dir", directory];
        command.extend(["--appendonly", "yes", "--save", ""]);
        command.extend(self.options.iter().map(String::as_str));
        self.starts.push(Watched::run(&self.directory, "KILL", &command));
    }

    fn last(&self) -> &Watched {
        self.starts.last().unwrap()
    }

    /// Whether it takes commands before long.
    fn answers(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < START {
            let answer = self.cli(&["PING"]);
            // One that wants a password, or a cluster of one, is up as well.
            if answer.contains("PONG") || answer.contains("NOAUTH") {
                return true;
            }
            if !self.last().is_running() {
                return false;
            }
            sleep(Duration::from_millis(20));
        }
        false
    }
}

/// Three masters, `nodes[..3]`, and as a rule three replicas.
pub struct RedisCluster {
    pub nodes: Vec<RedisServer>,
    replicas: usize,
}

impl RedisCluster {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(options: &[&str]) -> Self {
        Self::of(1, options)
    }

    /// Masters alone.
    pub fn without_replicas() -> Self {
        Self::of(0, &[])
    }

    /// With this many replicas for each master.
    fn of(replicas: usize, options: &[&str]) -> Self {
        let mut all = vec!["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
        all.extend(["--repl-diskless-sync-delay", "0"]);
        all.extend(options);
        let nodes: Vec<_> = (0..3 + 3 * replicas).map(|_| RedisServer::with(&all)).collect();
        let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(addresses);
        create.args(["--cluster-replicas", &replicas.to_string(), "--cluster-yes"]);
        let output = create.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let cluster = Self { nodes, replicas };
        wait_until("a new cluster to be whole", || cluster.is_whole());
        cluster
    }

    /// Some of its nodes.
    pub fn url(&self) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis-cluster://{}", addresses.join(","))
    }

    /// Has all nodes say that they are to be reached by these ports.
    pub fn announce(&self, ports: &[u16]) {
        for (node, port) in self.nodes.iter().zip(ports) {
            node.cli(&["CONFIG", "SET", "cluster-announce-port", &port.to_string()]);
        }
        wait_until("all nodes to know the ports", || {
            let known = |port: &u16| {
                let address = format!("127.0.0.1:{port}@");
                self.nodes.iter().all(|node| node.cli(&["CLUSTER", "NODES"]).contains(&address))
            };
            ports.iter().all(known)
        });
    }

    /// Whether every slot has a master, and every master the replicas that it should have, with everything.
    fn is_whole(&self) -> bool {
        self.nodes.iter().all(|node| {
            let about = node.cli(&["INFO", "replication"]);
            let linked = match about.contains("role:master") {
                true if self.replicas == 0 => true,
                true => about.contains("connected_slaves:1") && about.contains("state=online"),
                false => about.contains("master_link_status:up"),
            };
            linked && node.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
        })
    }

    /// The number of the master that has this key.
    pub fn master_of(&self, key: &str) -> usize {
        let slot = self.nodes[0].cli(&["CLUSTER", "KEYSLOT", key]);
        let slot: u32 = slot.parse().unwrap();
        self.masters().into_iter().find(|node| self.has_slot(*node, slot)).unwrap()
    }

    /// The numbers of the nodes that are masters now.
    pub fn masters(&self) -> Vec<usize> {
        let is_master = |node: &usize| self.nodes[*node].cli(&["ROLE"]).starts_with("master");
        (0..self.nodes.len()).filter(is_master).collect()
    }

    fn has_slot(&self, node: usize, slot: u32) -> bool {
        let lines = self.nodes[node].cli(&["CLUSTER", "NODES"]);
        let myself = lines.lines().find(|line| line.contains("myself")).unwrap_or_default();
        myself.split_whitespace().skip(8).any(|range| {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            matches!((from.parse::<u32>(), to.parse::<u32>()), (Ok(from), Ok(to)) if from <= slot && slot <= to)
        })
    }

    /// Kills a master, and waits until its replica has taken over.
    pub fn fail_over(&mut self, master: usize) {
        let masters = self.masters();
        assert!(masters.contains(&master));
        self.nodes[master].kill();
        wait_until("a replica to take over", || {
            let now = self.masters();
            now.iter().any(|node| !masters.contains(node))
                && now
                    .iter()
                    .all(|node| self.nodes[*node].cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
        });
    }

    /// Starts a killed node again, and waits until it is a replica that has everything.
    pub fn come_back(&mut self, node: usize) {
        self.nodes[node].restart();
        wait_until("a node to be back in its cluster", || self.is_whole());
    }
}

pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waiting for {what}");
        sleep(Duration::from_millis(20));
    }
}

fn cli(port: u16, arguments: &[&str]) -> Output {
    let mut command = Command::new("redis-cli");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]).args(arguments);
    command.output().expect("redis-cli, of Debian's package redis-tools")
}

/// One whose cluster bus, ten thousand above, is free, too.
fn free_port() -> u16 {
    loop {
        let port = watched::free_port();
        if port < 55_000 && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}
