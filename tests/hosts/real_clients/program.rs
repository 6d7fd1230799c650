//! `examples/server` and `examples/mcp_server` as programs of their own, on a free port, for as long as the
//! value lives.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::support::programs::program;

const CONFIGURATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/server.toml");

pub(crate) struct Server {
    pub(crate) issuer: String,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::of("grantor-server", &[CONFIGURATION])
    }

    pub(crate) fn of(package: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program(package));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let Some(address) = lines.find_map(|line| address_in(&line)) else {
            panic!("the server did not start: {}", all_of(&mut stderr));
        };
        // A program that prints into a pipe that no one empties waits for ever.
        std::thread::spawn(move || lines.for_each(drop));
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Self { issuer: format!("http://{address}"), address, child }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let rest = line.split("http://").nth(1)?;
    rest.split(|c: char| c.is_whitespace() || c == '/').next()?.parse().ok()
}

fn all_of(stderr: &mut ChildStderr) -> String {
    let mut text = String::new();
    let _ = stderr.read_to_string(&mut text);
    text
}
