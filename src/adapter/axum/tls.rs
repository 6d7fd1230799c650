//! TLS for `axum::serve` (feature `axum-tls`).

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::axum::extract::connect_info::Connected;
use ::axum::serve::{IncomingStream, Listener};
use chrono::{DateTime, Utc};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Connection;
use crate::adapter::CertificateRequest;

/// The time limit of a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The maximum number of concurrent handshakes; of more, the oldest is ended.
const MOST_HANDSHAKES: usize = 1024;

/// Serves an axum app over TLS by rustls, and passes on client certificates.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use grantor::adapter::CertificateRequest;
/// use grantor::adapter::axum::{Connection, TlsListener};
/// use rustls::pki_types::pem::PemObject as _;
/// use rustls::pki_types::{CertificateDer, PrivateKeyDer};
///
/// # async fn serve(app: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
/// let chain = CertificateDer::pem_file_iter("server.pem")?.collect::<Result<Vec<_>, _>>()?;
/// let key = PrivateKeyDer::from_pem_file("server.key")?;
/// let clients = CertificateRequest::optional();
/// let config = Arc::new(clients.server_config(chain, key)?);
///
/// let tcp = tokio::net::TcpListener::bind("0.0.0.0:443").await?;
/// let listener = TlsListener::new(tcp, config).client_certificates(clients);
/// axum::serve(listener, app.into_make_service_with_connect_info::<Connection>()).await?;
/// # Ok(())
/// # }
/// ```
///
/// A handshake that fails, or takes longer than 10 seconds, ends its connection and nothing else. Of more than
/// 1,024 unfinished handshakes, the oldest is ended, so that idle connections cannot keep other clients out.
#[derive(Debug)]
pub struct TlsListener {
    tcp: TcpListener,
    config: Arc<ServerConfig>,
    clients: Option<CertificateRequest>,
    handshakes: Newest<Option<(TlsStream<TcpStream>, Connection)>>,
}

impl TlsListener {
    /// Serves the connections of this listener with this configuration.
    #[must_use]
    pub fn new(tcp: TcpListener, config: Arc<ServerConfig>) -> Self {
        Self { tcp, config, clients: None, handshakes: Newest::at_most(MOST_HANDSHAKES) }
    }

    /// Reads client certificates as requested, see [`CertificateRequest::server_config`]. Without it, none is
    /// passed on.
    #[must_use]
    pub fn client_certificates(self, clients: CertificateRequest) -> Self {
        Self { clients: Some(clients), ..self }
    }

    fn begin(&mut self, stream: TcpStream, peer: SocketAddr) {
        let config = Arc::clone(&self.config);
        let acceptor = TlsAcceptor::from(Arc::clone(&config));
        let clients = self.clients.clone();
        self.handshakes.spawn(async move {
            let handshake = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await;
            let stream = handshake.ok()?.ok()?;
            let (_, session) = stream.get_ref();
            let now = now(&config)?;
            let certificate = clients.and_then(|clients| clients.of(session, now));
            Some((stream, Connection::new(peer, certificate)))
        });
    }
}

/// The time of the configuration's clock, which the handshake also used.
fn now(config: &ServerConfig) -> Option<DateTime<Utc>> {
    let now = config.time_provider.current_time()?;
    DateTime::from_timestamp(i64::try_from(now.as_secs()).ok()?, 0)
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = Connection;

    async fn accept(&mut self) -> (Self::Io, Connection) {
        loop {
            tokio::select! {
                // First, so that what is done takes no room.
                biased;
                Some(done) = self.handshakes.tasks.join_next() => {
                    if let Ok(Some(connected)) = done {
                        return connected;
                    }
                }
                // Axum's own accept loop waits when the system is out of sockets.
                (stream, peer) = Listener::accept(&mut self.tcp) => self.begin(stream, peer),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Connection> {
        Ok(Connection::new(self.tcp.local_addr()?, None))
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        stream.remote_addr().clone()
    }
}

/// Tasks, of which the oldest is ended if there are too many.
#[derive(Debug)]
struct Newest<T> {
    tasks: JoinSet<T>,
    /// The oldest first. Some may be done.
    running: VecDeque<AbortHandle>,
    most: usize,
}

impl<T: Send + 'static> Newest<T> {
    fn at_most(most: usize) -> Self {
        Self { tasks: JoinSet::new(), running: VecDeque::new(), most }
    }

    fn spawn(&mut self, task: impl Future<Output = T> + Send + 'static) {
        if self.running.len() >= self.most {
            self.running.retain(|task| !task.is_finished());
        }
        let is_full = self.running.len() >= self.most;
        if let Some(oldest) = is_full.then(|| self.running.pop_front()).flatten() {
            oldest.abort();
        }
        self.running.push_back(self.tasks.spawn(task));
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Weak;

    use super::*;

    /// A task that never ends by itself, and what tells whether it is still there.
    fn endless() -> (impl Future<Output = ()> + Send + 'static, Weak<()>) {
        let held = Arc::new(());
        let there = Arc::downgrade(&held);
        let task = async move {
            pending::<()>().await;
            drop(held);
        };
        (task, there)
    }

    #[tokio::test]
    async fn the_oldest_makes_room_for_a_new_one() {
        let mut tasks = Newest::at_most(2);
        let there = [(); 3].map(|()| {
            let (task, there) = endless();
            tasks.spawn(task);
            there
        });
        assert!(tasks.tasks.join_next().await.is_some_and(|ended| ended.is_err()));
        assert_eq!(there.map(|there| there.upgrade().is_some()), [false, true, true]);
    }

    #[tokio::test]
    async fn what_is_done_takes_no_room() {
        let mut tasks = Newest::at_most(2);
        let (task, there) = endless();
        tasks.spawn(task);
        for _ in 0..5 {
            tasks.spawn(async {});
            assert!(tasks.tasks.join_next().await.is_some_and(|done| done.is_ok()));
        }
        assert!(there.upgrade().is_some());
    }
}
