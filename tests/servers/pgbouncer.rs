//! A PgBouncer of our own in front of a PostgreSQL.

use std::path::PathBuf;
use std::time::Duration;

use super::postgres::Postgres;
use super::watched::{Watched, free_port, fresh_directory, soon};

/// In the mode `transaction`, with fewer connections to the server than it has clients. Otherwise as it
/// comes: it knows no prepared statements, and refuses options at the start.
pub struct PgBouncer {
    port: u16,
    _watcher: Watched,
}

impl PgBouncer {
    pub fn before(server: &Postgres) -> Self {
        let mut log = String::new();
        // Somebody else may take the port before the pooler does.
        for _ in 0..5 {
            match Self::try_before(server) {
                Ok(pooler) => return pooler,
                Err(last) => log = last,
            }
        }
        panic!("PgBouncer does not start: {log}");
    }

    /// `Err` is its log.
    fn try_before(server: &Postgres) -> Result<Self, String> {
        let (directory, port) = (fresh_directory("pgbouncer"), free_port());
        let settings = directory.join("pgbouncer.ini");
        let databases = format!("[databases]\n* = host=127.0.0.1 port={} user=grantor\n", server.port);
        let pooler = format!(
            "[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 200\n"
        );
        std::fs::write(&settings, databases + &pooler).unwrap();
        let (program, settings) = (program(), settings.to_str().unwrap().to_owned());
        let command: Vec<String> = server.before().into_iter().chain([program, settings]).collect();
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let watcher = Watched::run(&directory, "TERM", &command);
        // What listens there may be another program, and then the pooler has ended.
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        if soon(Duration::from_secs(60), || listens() || !watcher.is_running()) && watcher.is_running() {
            return Ok(Self { port, _watcher: watcher });
        }
        Err(std::fs::read_to_string(directory.join("log")).unwrap_or_default())
    }

    /// The URL of a database of the server, by way of the pooler.
    pub fn url_of(&self, url: &str) -> String {
        let database = url.rsplit('/').next().unwrap();
        format!("postgres://grantor@127.0.0.1:{}/{database}", self.port)
    }
}

fn program() -> String {
    let places = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"];
    let found = places.map(PathBuf::from).into_iter().find(|path| path.exists());
    let found = found.expect("pgbouncer is missing: install Debian's package pgbouncer");
    found.to_str().unwrap().to_owned()
}
