//! A process that ends when the test process does, `kill -9` included.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
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

/// Whether it came to be so before the time was over.
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
