//! A process that ends when the test process does, `kill -9` included.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A server under a shell that stops it, and removes its directory, when this is dropped.
pub struct Watched {
    shell: Child,
    open: Option<ChildStdin>,
    server: u32,
}

impl Watched {
    /// Runs the command, which must not fork into the background; `stop` is the signal that ends it: one that
    /// it cannot put off.
    pub fn run(directory: &Path, stop: &str, command: &[&str]) -> Self {
        let mut shell = Command::new("sh")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/servers/watch.sh"))
            .env("STOP_SIGNAL", stop)
            .arg(directory)
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (open, server) = (shell.stdin.take(), line.trim().parse().unwrap());
        Self { shell, open, server }
    }

    pub fn process(&self) -> u32 {
        self.server
    }

    pub fn is_running(&self) -> bool {
        signal("-0", self.server)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        drop(self.open.take());
        let _ = self.shell.wait();
    }
}

/// Whether the process is there to take it.
pub fn signal(name: &str, process: u32) -> bool {
    Command::new("kill").arg(name).arg(process.to_string()).output().unwrap().status.success()
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn fresh_directory(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("grantor-{name}-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    path
}

/// The path of a program that Debian's package of the same name installs.
pub fn installed(name: &str) -> String {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let mut paths = places.map(|place| format!("{place}/{name}")).into_iter();
    let found = paths.find(|path| Path::new(path).exists());
    found.unwrap_or_else(|| panic!("{name} is missing: install Debian's package {name}"))
}

/// A server that `start` starts in a directory of its own, and the port that it listens on.
pub fn listening(name: &str, start: impl Fn(&Path, u16) -> Watched) -> (u16, Watched) {
    let mut log = String::new();
    // Another program may take the port before the server does.
    for _ in 0..5 {
        let (directory, port) = (fresh_directory(name), free_port());
        let server = start(&directory, port);
        // What listens there may be that program, and then the server has ended.
        let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        if soon(Duration::from_secs(60), || listens() || !server.is_running()) && server.is_running() {
            return (port, server);
        }
        log = std::fs::read_to_string(directory.join("log")).unwrap_or_default();
    }
    panic!("{name} does not start: {log}");
}

/// Whether it became so within this time.
pub fn soon(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}
