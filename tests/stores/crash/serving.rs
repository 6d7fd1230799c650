//! `examples/server` as a process that is killed and started again.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::servers::watched::free_port;
use crate::support::browser::Config;
use crate::support::programs::program;

/// One node on a store; it ends with this value.
pub struct Serving {
    config: Config,
    store: String,
    pub base: String,
    running: Option<(Child, BufReader<ChildStdout>)>,
}

/// Nothing expires while the proof lasts; `app` is a public client with refresh tokens, and `conf` may look
/// at every token.
const TAIL: &str = "
[[clients]]
client_id = \"app\"
token_endpoint_auth_method = \"none\"
redirect_uris = [\"https://app.example/cb\"]
grant_types = [\"authorization_code\", \"refresh_token\"]
[lifetimes]
code = 600
access_token = 86400
leeway = 86400
[introspection]
clients = [\"conf\"]
";

impl Serving {
    pub fn start(store: &str) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let config = Config::listening(&address, "", TAIL);
        let base = format!("http://{address}");
        let mut serving = Self { config, store: store.to_owned(), base, running: None };
        serving.start_again();
        serving
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some((mut child, _)) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// At the same address and on the same store.
    pub fn start_again(&mut self) {
        let mut command = Command::new(program("grantor-server"));
        command.arg(&self.config.0).args(["--store", &self.store]).env("RUST_LOG", "off");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert!(line.contains("listening"), "the server does not start again: {line:?}");
        self.running = Some((child, output));
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How long it took until this was so; a limit that no machine needs stands for a test that hangs.
pub fn until(mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing works again");
        std::thread::sleep(Duration::from_millis(2));
    }
    begun.elapsed()
}
