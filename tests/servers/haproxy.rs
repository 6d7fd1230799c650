//! An HAProxy of our own in front of PostgreSQL servers of which one at a time is the primary.

use std::fmt::Write as _;
use std::time::Duration;

use super::postgres::Postgres;
use super::watched::{Watched, installed, listening, soon};

/// Leads to the primary: ten times a second it asks each server, in PostgreSQL's protocol, whether it is the
/// primary, and cuts the connections to one that is not.
pub struct HaProxy {
    port: u16,
    _watcher: Watched,
}

/// The start of a session (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
const VERSION: &[u8] = &[0, 3, 0, 0];
const WHO: &[u8] = b"user\0grantor\0database\0postgres\0\0";
const READY: &[u8] = b"Z\0\0\0\x05I";
const QUESTION: &[u8] = b"SELECT pg_is_in_recovery()\0";
/// A row of one column, `f`.
const NO: &[u8] = b"D\0\0\0\x0b\0\x01\0\0\0\x01f";

impl HaProxy {
    pub fn before(servers: [&Postgres; 2]) -> Self {
        let (port, watcher) = listening("haproxy", |directory, port| {
            let settings = directory.join("haproxy.cfg");
            std::fs::write(&settings, configuration(port, servers)).unwrap();
            let program = installed("haproxy");
            let command = [&program as &str, "-db", "-f", settings.to_str().unwrap()];
            Watched::run(directory, "TERM", &command)
        });
        let proxy = Self { port, _watcher: watcher };
        // Until a server has been asked, it counts as a primary.
        let url = proxy.url();
        let leads_to_primary =
            || (0..10).all(|_| Postgres::psql_at(&url, "SELECT pg_is_in_recovery()").stdout == b"f\n");
        assert!(soon(Duration::from_secs(60), leads_to_primary), "HAProxy does not find the primary");
        proxy
    }

    /// The URL of the database `postgres`, by way of the proxy.
    pub fn url(&self) -> String {
        format!("postgres://grantor@127.0.0.1:{}/postgres", self.port)
    }
}

fn configuration(port: u16, servers: [&Postgres; 2]) -> String {
    let mut text = format!(
        "defaults\n mode tcp\n timeout connect 1s\n timeout client 1m\n timeout server 1m\n\
         \x20timeout check 1s\nlisten postgres\n bind 127.0.0.1:{port}\n option tcp-check\n\
         \x20tcp-check connect\n tcp-check send-binary {}\n tcp-check expect binary {}\n\
         \x20tcp-check send-binary {}\n tcp-check expect binary {}\n\
         \x20default-server check inter 100ms rise 1 fall 1 on-marked-down shutdown-sessions\n",
        hex(&[&length(&[VERSION, WHO].concat()), VERSION, WHO].concat()),
        hex(READY),
        hex(&[b"Q", &length(QUESTION)[..], QUESTION].concat()),
        hex(NO),
    );
    for (number, server) in servers.iter().enumerate() {
        writeln!(text, " server s{number} 127.0.0.1:{}", server.port).unwrap();
    }
    text
}

/// The length of a message, its own four bytes included.
fn length(message: &[u8]) -> [u8; 4] {
    u32::try_from(message.len() + 4).unwrap().to_be_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
