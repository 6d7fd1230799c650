//! A PgBouncer of our own in front of a PostgreSQL.

use super::postgres::Postgres;
use super::watched::{Watched, installed, listening};

/// In the mode `transaction`, with fewer connections to the server than it has clients. Otherwise as it
/// comes: it knows no prepared statements, and refuses options at the start.
pub struct PgBouncer {
    port: u16,
    _watcher: Watched,
}

impl PgBouncer {
    pub fn before(server: &Postgres) -> Self {
        let (port, watcher) = listening("pgbouncer", |directory, port| {
            let settings = directory.join("pgbouncer.ini");
            let databases = format!("[databases]\n* = host=127.0.0.1 port={} user=grantor\n", server.port);
            let pooler = format!(
                "[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
                 auth_type = any\npool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 200\n"
            );
            std::fs::write(&settings, databases + &pooler).unwrap();
            let (program, settings) = (installed("pgbouncer"), settings.to_str().unwrap().to_owned());
            let command: Vec<String> = server.before().into_iter().chain([program, settings]).collect();
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            Watched::run(directory, "TERM", &command)
        });
        Self { port, _watcher: watcher }
    }

    /// The URL of a database of the server, by way of the pooler.
    pub fn url_of(&self, url: &str) -> String {
        let database = url.rsplit('/').next().unwrap();
        format!("postgres://grantor@127.0.0.1:{}/{database}", self.port)
    }
}
