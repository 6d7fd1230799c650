//! Who takes part, and the requests that each is sent.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::load::{Answer, closed_loop, connect, request};
use crate::servers::postgres::Postgres;
use crate::servers::redis::RedisServer;
use crate::servers::watched::{Watched, listening};
use crate::support::{
    AUTHORIZE, CLIENT_CREDENTIALS, Job, Population, code_of, introspect_body, member, oxide_auth,
    redeem_body, refresh_body,
};
use crate::usage::{Spent, Usage, resident};

pub const NAMES: [&str; 7] = ["memory", "sqlite", "postgres", "redis", "node", "oauth-as", "oxide-auth"];
pub const CONNECTIONS: usize = 16;
/// No client refreshes more often within the life of one access token.
const REFRESHES_OF_ONE_GRANT: usize = 15;

pub struct Contender {
    name: &'static str,
    process: Watched,
    port: u16,
    database: Database,
    tokens: Population,
    refresh_tokens: Vec<String>,
    /// How often each of them has been rotated already.
    refreshed: usize,
    /// How much more memory a live token takes.
    pub bytes_kept: Option<u64>,
}

/// What a store is in, apart from the server's process.
enum Database {
    None,
    Postgres(Postgres),
    Redis(RedisServer),
}

/// One round of one contender and one operation.
#[derive(Default)]
pub struct Round {
    pub requests: usize,
    pub wall: Duration,
    pub server: Spent,
    pub database: Spent,
    pub load: Spent,
    pub took: Vec<Duration>,
    pub answer: usize,
}

impl Contender {
    /// Starts it, with some live tokens.
    pub async fn start(name: &'static str, quick: bool) -> Self {
        let database = match name {
            "postgres" => Database::Postgres(Postgres::start()),
            "redis" => Database::Redis(RedisServer::start()),
            _ => Database::None,
        };
        let (port, process) = listening(name, |directory, port| run(name, directory, port, &database));
        let mut contender = Self {
            name,
            process,
            port,
            database,
            tokens: Population::default(),
            refresh_tokens: Vec::new(),
            refreshed: 0,
            bytes_kept: None,
        };
        contender.populate(quick).await;
        contender
    }

    pub fn title(&self) -> &'static str {
        match self.name {
            "memory" => "grantor, memory",
            "sqlite" => "grantor, SQLite",
            "postgres" => "grantor, PostgreSQL",
            "redis" => "grantor, Redis",
            "node" => "node-oidc-provider, memory",
            "oauth-as" => "oauth-as, memory",
            _ => "oxide-auth, memory",
        }
    }

    pub fn has(&self, job: Job) -> bool {
        self.name != "oxide-auth" || job != Job::Introspect
    }

    /// Whether it waits for nothing but requests.
    pub fn is_alone(&self) -> bool {
        !matches!(self.name, "sqlite" | "postgres" | "redis")
    }

    /// Whether an answer waits until the disk has what was written.
    pub fn flushes(&self) -> bool {
        matches!(self.name, "sqlite" | "postgres")
    }

    /// Requests until this much time has passed; the clock stands still while they are made ready.
    pub async fn round(&mut self, job: Job, window: Duration) -> Round {
        let mut connections = connect(self.port, CONNECTIONS).await;
        let (server, database, own) =
            (vec![self.process.process()], self.database.processes(), vec![std::process::id()]);
        let all = [server, database, own];
        let mut round = Round::default();
        while round.wall < window {
            let requests = self.requests(job, &mut connections).await;
            let before = used(&all).await;
            let begun = Instant::now();
            let answers = closed_loop(&mut connections, &requests).await;
            round.wall += begun.elapsed();
            let after = used(&all).await;
            let spent = [&mut round.server, &mut round.database, &mut round.load];
            for (spent, (after, before)) in spent.into_iter().zip(after.iter().zip(&before)) {
                spent.add(&after.since(before));
            }
            round.requests += requests.len();
            round.answer = answers[0].wire.len();
            round.took.extend(answers.iter().map(|answer| answer.took));
            if job == Job::Refresh {
                self.refresh_tokens = members(&answers, "refresh_token");
                self.refreshed += 1;
            }
            for answer in &answers {
                succeeded(answer);
                assert!(job != Job::Introspect || answer.wire.ends_with(b"}") && is_active(answer));
            }
        }
        round
    }

    /// How many requests are made ready together. node-oidc-provider's memory adapter keeps 1,000 records.
    fn at_once(&self) -> usize {
        if self.forgets() { 128 } else { 1_024 }
    }

    fn forgets(&self) -> bool {
        self.name == "node"
    }

    /// Those of a store in the server's own memory are weighed.
    async fn populate(&mut self, quick: bool) {
        let size = match self.name {
            _ if quick => 128,
            "memory" | "oauth-as" | "oxide-auth" => 50_000,
            "node" => 128,
            _ => 10_000,
        };
        let connections = &mut connect(self.port, CONNECTIONS).await;
        issue(connections, size.min(2_000)).await;
        let before = resident(self.process.process());
        self.tokens = Population::of(issue(connections, size).await);
        let grown = resident(self.process.process()).saturating_sub(before);
        self.bytes_kept = (size == 50_000).then(|| grown / size as u64);
    }

    async fn requests(&mut self, job: Job, connections: &mut [TcpStream]) -> Vec<Vec<u8>> {
        let count = self.at_once();
        match job {
            Job::ClientCredentials => vec![post("/token", CLIENT_CREDENTIALS); count],
            Job::Introspect => {
                if self.forgets() {
                    self.tokens = Population::of(issue(connections, count).await);
                }
                let tokens = self.tokens.sample(count);
                tokens.iter().map(|token| post("/introspect", &introspect_body(token))).collect()
            }
            Job::Redeem => redeemable(connections, count).await,
            Job::Refresh => {
                if self.refresh_tokens.is_empty()
                    || self.forgets()
                    || self.refreshed == REFRESHES_OF_ONE_GRANT
                {
                    let codes = redeemable(connections, count).await;
                    self.refresh_tokens = members(&closed_loop(connections, &codes).await, "refresh_token");
                    self.refreshed = 0;
                }
                let one = |token: &String| match self.name {
                    "oxide-auth" => {
                        request("/token", Some(&oxide_auth::refresh_form(token)), Some(&oxide_auth::basic()))
                    }
                    _ => post("/token", &refresh_body(token)),
                };
                self.refresh_tokens.iter().map(one).collect()
            }
            Job::Authorize | Job::Bearer => unreachable!("not among the figures"),
        }
    }
}

/// Its process, which listens on this port. It has the first core.
fn run(name: &str, directory: &Path, port: u16, database: &Database) -> Watched {
    let url = match database {
        Database::Postgres(server) => server.url(),
        Database::Redis(server) => server.url(),
        Database::None => format!("sqlite:{}", directory.join("grants.db").display()),
    };
    let port = port.to_string();
    let own = std::env::current_exe().unwrap();
    let node = node();
    let command = match name {
        "node" => vec![&node, concat!(env!("CARGO_MANIFEST_DIR"), "/figures/provider.mjs"), &port],
        _ => vec![own.to_str().unwrap(), "serve", name, &port, &url],
    };
    Watched::run(directory, "KILL", &[&["taskset", "-c", "0"], &command[..]].concat())
}

/// The program itself: what is in `PATH` may be a script that starts it.
fn node() -> String {
    let asked = Command::new("node").args(["-p", "process.execPath"]).output();
    asked.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// The requests come from the other cores. Databases run on all.
pub fn leave_core_of_servers() {
    let last = cores() - 1;
    if last > 0 {
        let (others, own) = (format!("1-{last}"), std::process::id().to_string());
        assert!(Command::new("taskset").args(["-cp", &others, &own]).output().unwrap().status.success());
    }
}

/// Of the machine.
pub fn cores() -> usize {
    let all = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    all.lines().filter(|line| line.starts_with("processor")).count()
}

impl Database {
    fn processes(&self) -> Vec<u32> {
        let listed = match self {
            Self::None => String::new(),
            Self::Postgres(server) => server.sql("SELECT string_agg(pid::text, ' ') FROM pg_stat_activity"),
            Self::Redis(server) => {
                let about = server.cli(&["INFO", "server"]);
                about.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap().to_owned()
            }
        };
        listed.split_whitespace().map(|id| id.parse().unwrap()).collect()
    }
}

/// What a thread has used is up to date once it is idle.
async fn used(processes: &[Vec<u32>; 3]) -> [Usage; 3] {
    tokio::time::sleep(Duration::from_millis(5)).await;
    processes.each_ref().map(|ids| Usage::of(ids))
}

fn post(path: &str, form: &str) -> Vec<u8> {
    request(path, Some(form), None)
}

/// Access tokens of the client's own.
async fn issue(connections: &mut [TcpStream], count: usize) -> Vec<String> {
    let requests = vec![post("/token", CLIENT_CREDENTIALS); count];
    members(&closed_loop(connections, &requests).await, "access_token")
}

/// Requests with a fresh code each.
async fn redeemable(connections: &mut [TcpStream], count: usize) -> Vec<Vec<u8>> {
    let asked = vec![request(&format!("/authorize?{AUTHORIZE}"), None, None); count];
    let answers = closed_loop(connections, &asked).await;
    let location = |answer: &Answer| {
        let head = succeeded(answer).lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("location").then(|| value.to_owned())
        });
        head.unwrap()
    };
    answers.iter().map(|answer| post("/token", &redeem_body(&code_of(&location(answer))))).collect()
}

fn members(answers: &[Answer], name: &str) -> Vec<String> {
    answers.iter().map(|answer| member(succeeded(answer).as_bytes(), name)).collect()
}

fn succeeded(answer: &Answer) -> &str {
    let text = std::str::from_utf8(&answer.wire).unwrap();
    assert!(text.starts_with("HTTP/1.1 2") || text.starts_with("HTTP/1.1 3"), "{text}");
    text
}

fn is_active(answer: &Answer) -> bool {
    succeeded(answer).contains("\"active\":true")
}
