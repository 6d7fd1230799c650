//! `examples/server` in its own process, and a headless browser.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::programs::program;
use super::{encode, phc};

/// A running server, which is killed when this value is dropped.
pub struct Server {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    pub base: String,
}

impl Server {
    /// Its users are alice and bob, its clients `conf` (with a secret), `pub` (public) and `native`. `head`
    /// is put at the start of the configuration, for example `issuer = "…"`.
    pub fn start(head: &str) -> Self {
        Self::start_with(head, "")
    }

    /// The same; `tail` is put at the end, for example `[[resources]]`.
    pub fn start_with(head: &str, tail: &str) -> Self {
        Self::on(&Config::with(head, tail).0)
    }

    /// With this configuration file.
    pub fn on(file: &Path) -> Self {
        let mut child =
            Command::new(program("grantor-server")).arg(file).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let base =
            line.trim().strip_prefix("grantor example server listening on ").expect("the line of a server");
        Self { child, _stdout: stdout, base: base.to_owned() }
    }

    /// The exit code of a server that does not start, and what it writes to standard error.
    pub fn refused(head: &str, tail: &str) -> (Option<i32>, String) {
        let file = Config::with(head, tail);
        let output = Command::new(program("grantor-server")).arg(&file.0).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    /// Asks the process to stop, as a service manager does, and waits for its end.
    pub fn stop(self) {
        self.stop_by("TERM");
    }

    /// The same by another signal.
    pub fn stop_by(mut self, signal: &str) {
        let told = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status().unwrap();
        assert!(told.success() && self.child.wait().unwrap().success());
    }

    /// A browser without cookies.
    pub fn browser(&self) -> Browser<'_> {
        let config = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false);
        Browser { server: self, agent: config.build().into(), cookies: BTreeMap::new() }
    }

    /// A browser in which this user has signed in.
    pub fn signed_in(&self, username: &str, password: &str) -> Browser<'_> {
        let mut browser = self.browser();
        let answer = browser.sign_in(username, password, "/");
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const CLIENTS: &str = r#"
scopes = ["read", "write"]
[scope_text]
read = "See your <notes>"
write = "Change your notes"
[[clients]]
client_id = "conf"
client_name = "Notes <b>& more"
client_secret = "c2VjcmV0LW9mLXRoZS1maXh0dXJl"
redirect_uris = ["https://app.example/cb"]
grant_types = ["authorization_code", "refresh_token", "client_credentials"]
[[clients]]
client_id = "pub"
client_name = "Public"
token_endpoint_auth_method = "none"
redirect_uris = ["https://app.example/cb"]
[[clients]]
client_id = "native"
client_name = "Native"
token_endpoint_auth_method = "none"
application_type = "native"
redirect_uris = ["com.example.app:/cb"]
"#;

fn users() -> String {
    let user = |name: &str, password: &str| {
        let hash = phc(password);
        format!("[[users]]\nusername = \"{name}\"\nsub = \"user-{name}\"\npassword_hash = \"{hash}\"\n")
    };
    user("alice", "wonderland") + &user("bob", "builder")
}

/// A configuration file, as long as this value lives.
pub struct Config(pub PathBuf);

impl Config {
    fn with(head: &str, tail: &str) -> Self {
        Self::listening("127.0.0.1:0", head, tail)
    }

    /// With the users and clients of [`Server::start`], listening on this address.
    pub fn listening(address: &str, head: &str, tail: &str) -> Self {
        Self::write(&format!("listen = \"{address}\"\n{head}\n{CLIENTS}\n{}\n{tail}", users()))
    }

    fn write(text: &str) -> Self {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let n = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("grantor-server-{}-{n}.toml", std::process::id()));
        std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        Self(path)
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Keeps cookies and follows no redirects.
pub struct Browser<'a> {
    server: &'a Server,
    agent: ureq::Agent,
    pub cookies: BTreeMap<String, String>,
}

/// A response, as the browser received it.
pub struct Answer {
    pub status: u16,
    headers: ureq::http::HeaderMap,
    pub body: String,
}

impl Browser<'_> {
    pub fn get(&mut self, path: &str) -> Answer {
        let request = self.agent.get(format!("{}{path}", self.server.base));
        let request = request.header("cookie", self.cookie());
        let response = request.call().unwrap();
        self.take(response)
    }

    pub fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.agent.post(format!("{}{path}", self.server.base));
        let request = request.header("cookie", self.cookie());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let response = request.send(encode(form)).unwrap();
        self.take(response)
    }

    /// A form from the client `conf`.
    pub fn post_as_conf(&self, path: &str, form: &[(&str, &str)]) -> serde_json::Value {
        self.post_as("conf", path, form)
    }

    /// A form from a client that has the same secret as `conf`.
    pub fn post_as(&self, client: &str, path: &str, form: &[(&str, &str)]) -> serde_json::Value {
        let request = self.agent.post(format!("{}{path}", self.server.base));
        let request = request.header("authorization", super::basic(client, super::SECRET));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let mut text = String::new();
        request.send(encode(form)).unwrap().into_body().as_reader().read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// An API call with an access token.
    pub fn get_with(&mut self, path: &str, token: &str) -> Answer {
        let request = self.agent.get(format!("{}{path}", self.server.base));
        let response = request.header("authorization", format!("Bearer {token}")).call().unwrap();
        self.take(response)
    }

    fn cookie(&self) -> String {
        let pairs = self.cookies.iter().map(|(name, value)| format!("; {name}={value}"));
        format!("none=1{}", pairs.collect::<String>())
    }

    fn take(&mut self, response: ureq::http::Response<ureq::Body>) -> Answer {
        let (parts, mut body) = response.into_parts();
        for cookie in parts.headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            match rest.contains("; Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned()),
            };
        }
        Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.read_to_string().unwrap() }
    }

    /// Fills in the login page.
    pub fn sign_in(&mut self, username: &str, password: &str, return_to: &str) -> Answer {
        let page = self.get(&format!("/login?{}", encode(&[("return_to", return_to)])));
        let (csrf, return_to) = (page.hidden("csrf"), page.hidden("return_to"));
        let form = [
            ("csrf", csrf.as_str()),
            ("return_to", &return_to),
            ("username", username),
            ("password", password),
        ];
        self.post("/login", &form)
    }

    /// Answers the consent page of a request.
    pub fn decide(&mut self, query: &str, decision: &str) -> Answer {
        let page = self.get(&format!("/consent?{query}"));
        let (csrf, request) = (page.hidden("csrf"), page.hidden("request"));
        self.post("/consent", &[("csrf", &csrf), ("request", &request), ("decision", decision)])
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn hidden(&self, name: &str) -> String {
        hidden(&self.body, name)
    }

    /// The inner HTML of the element with this id.
    pub fn element(&self, id: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("id=\"{id}\""))?;
        let (_, rest) = rest.split_once('>')?;
        let tag = self.body[..self.body.len() - rest.len()].rsplit('<').next()?.split([' ', '>']).next()?;
        rest.split(&format!("</{tag}>")).next()
    }

    /// A parameter in the query of the redirect.
    pub fn location_parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.header("location")?.split_once('?')?;
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
        pairs.into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }
}

/// The value of a hidden field of a page, as a browser would send it.
pub fn hidden(page: &str, name: &str) -> String {
    let start = format!("type=\"hidden\" name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no {name} in {page}"));
    unescape(rest.split('"').next().unwrap())
}

/// Decodes the HTML entities of a text.
pub fn unescape(text: &str) -> String {
    let pairs =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&#x2f;", "/")];
    let text = pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    text.replace("&amp;", "&")
}
