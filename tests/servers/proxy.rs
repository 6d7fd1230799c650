//! A way to a server that can be cut.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Where a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut {
    /// The request does not arrive.
    BeforeRequest,
    /// The request arrives, and is carried out; the answer does not.
    BeforeAnswer,
}

/// Passes on what comes in on a port of its own, for as long as the runtime lives that it was started on.
pub struct Proxy {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    requests: usize,
    cut: Option<(usize, Cut)>,
    refused: Option<&'static [u8]>,
    down: bool,
}

impl Proxy {
    pub async fn to(server: u16) -> Self {
        let mut proxy = Self { port: 0, state: Arc::default() };
        proxy.port = proxy.also_to(server).await;
        proxy
    }

    /// Leads to one more server, by this port; requests to all of them are counted together.
    pub async fn also_to(&self, server: u16) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(accept(listener, server, Arc::clone(&self.state)));
        port
    }

    /// From here on, the connection of the request number `at` is cut, once.
    pub fn arm(&self, at: usize, cut: Cut) {
        let mut state = self.state.lock().unwrap();
        (state.requests, state.cut) = (0, Some((at, cut)));
    }

    /// From here on, nothing is cut. Returns whether anything was.
    pub fn disarm(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        state.cut.take().is_some_and(|(at, _)| at < state.requests)
    }

    /// From here on, each connection is cut on which a request with these bytes comes.
    pub fn refuse(&self, bytes: &'static [u8]) {
        self.state.lock().unwrap().refused = Some(bytes);
    }

    /// Sets whether no one gets through.
    pub fn down(&self, down: bool) {
        self.state.lock().unwrap().down = down;
    }
}

async fn accept(listener: TcpListener, server: u16, state: Arc<Mutex<State>>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { return };
        tokio::spawn(pass(client, server, Arc::clone(&state)));
    }
}

/// Both directions in one task, so that what was armed meets whole requests: a client of a database writes
/// one at a time.
async fn pass(mut client: TcpStream, server: u16, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    let is_down = || state.lock().unwrap().down;
    if is_down() {
        return Ok(());
    }
    let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut last = false;
    loop {
        tokio::select! {
            length = client.read(&mut asked) => {
                let length = length?;
                let cut = state.lock().unwrap().next(&asked[..length]);
                if length == 0 || cut == Some(Cut::BeforeRequest) || is_down() {
                    return Ok(());
                }
                last = last || cut == Some(Cut::BeforeAnswer);
                server.write_all(&asked[..length]).await?;
            }
            length = server.read(&mut answered) => {
                let length = length?;
                if length == 0 || last || is_down() {
                    return Ok(());
                }
                client.write_all(&answered[..length]).await?;
            }
        }
    }
}

impl State {
    fn next(&mut self, request: &[u8]) -> Option<Cut> {
        let is_refused = |bytes: &&[u8]| request.windows(bytes.len()).any(|part| part == *bytes);
        if self.refused.as_ref().is_some_and(is_refused) {
            return Some(Cut::BeforeRequest);
        }
        let cut = self.cut.filter(|(at, _)| *at == self.requests).map(|(_, cut)| cut);
        self.requests += 1;
        cut
    }
}
