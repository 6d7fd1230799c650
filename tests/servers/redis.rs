//! `redis-server`, alone and as a cluster of three masters with a replica each.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

const START: Duration = Duration::from_secs(20);

/// A server of our own. It is stopped, and what it wrote removed, when this is dropped or the process ends.
pub struct RedisServer {
    pub port: u16,
    directory: PathBuf,
    options: Vec<String>,
    /// Each start has a shell that watches over it.
    watchers: Vec<Watcher>,
}

struct Watcher {
    shell: Child,
    /// The shell stops the server when this is closed.
    open: Option<ChildStdin>,
    server: u32,
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
                directory: fresh_directory(),
                options: options.iter().map(ToString::to_string).collect(),
                watchers: Vec::new(),
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
        let watcher = self.watchers.last().unwrap();
        signal("-KILL", watcher.server);
        wait_until("a killed server to be gone", || TcpStream::connect(("127.0.0.1", self.port)).is_err());
    }

    /// Stops it in the midst of whatever it does, or lets it go on.
    pub fn freeze(&self, frozen: bool) {
        signal(if frozen { "-STOP" } else { "-CONT" }, self.watchers.last().unwrap().server);
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
        let mut command = Command::new("sh");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/watch.sh"));
        command.arg(&self.directory).args(["redis-server", "--bind", "127.0.0.1"]);
        command.arg("--port").arg(self.port.to_string()).arg("--dir").arg(&self.directory);
        command.args(["--appendonly", "yes", "--save", "", "--enable-debug-command", "yes"]);
        command.args(&self.options).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (open, server) = (shell.stdin.take(), line.trim().parse().unwrap());
        self.watchers.push(Watcher { shell, open, server });
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
            let gone =
                Command::new("kill").arg("-0").arg(self.watchers.last().unwrap().server.to_string()).output();
            if !gone.unwrap().status.success() {
                return false;
            }
            sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        for watcher in &mut self.watchers {
            drop(watcher.open.take());
        }
        for watcher in &mut self.watchers {
            let _ = watcher.shell.wait();
        }
    }
}

/// Three masters, `nodes[..3]`, and three replicas.
pub struct RedisCluster {
    pub nodes: Vec<RedisServer>,
}

impl RedisCluster {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(options: &[&str]) -> Self {
        let mut all = vec!["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
        all.extend(["--repl-diskless-sync-delay", "0"]);
        all.extend(options);
        let nodes: Vec<_> = (0..6).map(|_| RedisServer::with(&all)).collect();
        let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(addresses);
        let output = create.args(["--cluster-replicas", "1", "--cluster-yes"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let cluster = Self { nodes };
        wait_until("a new cluster to be whole", || cluster.is_whole());
        cluster
    }

    /// Some of its nodes.
    pub fn url(&self) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis-cluster://{}", addresses.join(","))
    }

    /// Whether every slot has a master, and every master a replica that has everything.
    fn is_whole(&self) -> bool {
        self.nodes.iter().all(|node| {
            let about = node.cli(&["INFO", "replication"]);
            let linked = match about.contains("role:master") {
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

fn signal(name: &str, process: u32) {
    assert!(Command::new("kill").arg(name).arg(process.to_string()).status().unwrap().success());
}

/// One whose cluster bus, ten thousand above, is free, too.
fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if port < 55_000 && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}

fn fresh_directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("grantor-redis-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}
