//! A server on this machine that answers as the test wants it to, correctly or not.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Says {
    /// These bytes, then closes the connection.
    Bytes(Vec<u8>),
    /// These bytes, then nothing, forever.
    AndHangs(Vec<u8>),
    /// These bytes, then the letter `x`, forever.
    AndNeverEnds(Vec<u8>),
}

impl Says {
    /// A JSON document.
    pub fn json(body: impl ToString) -> Self {
        Self::reply(200, &["content-type: application/json"], &body.to_string())
    }

    pub fn reply(status: u16, headers: &[&str], body: &str) -> Self {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = body.len();
        let head = format!("HTTP/1.1 {status} Status\r\nconnection: close\r\n{headers}");
        Self::Bytes(format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes())
    }
}

/// A received request.
#[derive(Clone, Debug)]
pub struct Seen {
    pub head: String,
    pub body: String,
}

impl Seen {
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

/// The server. It runs as long as the test's runtime.
#[derive(Clone)]
pub struct Remote {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Answer = Arc<dyn Fn(&Seen) -> Says + Send + Sync>;

impl Remote {
    /// Serves plain HTTP.
    pub async fn start(answer: impl Fn(&Seen) -> Says + Send + Sync + 'static) -> Self {
        Self::listen(Arc::new(answer), None).await
    }

    /// Gives every request the same answer.
    pub async fn saying(says: Says) -> Self {
        Self::start(move |_| says.clone()).await
    }

    /// Serves HTTPS with a self-signed certificate for this name, which is returned as PEM.
    pub async fn over_tls(
        name: &str,
        answer: impl Fn(&Seen) -> Says + Send + Sync + 'static,
    ) -> (Self, String) {
        let own = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let chain = vec![CertificateDer::from(own.cert.der().to_vec())];
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        (Self::listen(Arc::new(answer), Some(acceptor)).await, own.cert.pem())
    }

    async fn listen(answer: Answer, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = Self { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let serving = remote.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (remote, answer, tls) = (serving.clone(), answer.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => remote.serve(stream, answer).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => remote.serve(stream, answer).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        remote
    }

    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Answer) -> Option<()> {
        let seen = read(&mut stream).await?;
        self.seen.lock().unwrap().push(seen.clone());
        match answer(&seen) {
            Says::Bytes(bytes) => stream.write_all(&bytes).await.ok()?,
            Says::AndHangs(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                std::future::pending::<()>().await;
            }
            Says::AndNeverEnds(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
            }
        }
        stream.shutdown().await.ok()
    }

    /// The URL of this path: `http://127.0.0.1:PORT` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).await.ok().filter(|length| *length > 0)?;
        bytes.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let seen = Seen { head: head.to_owned(), body: body.to_owned() };
        let wanted = seen.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if seen.body.len() >= wanted {
            return Some(seen);
        }
    }
}
