//! A PostgreSQL server of our own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::watched::{Watched, free_port, fresh_directory, soon};

const START: Duration = Duration::from_secs(60);

/// It is stopped, and what it wrote removed, when this is dropped or the process ends. PostgreSQL does not
/// run as root, so root runs it as `postgres`, or as `nobody`.
pub struct Postgres {
    pub port: u16,
    directory: PathBuf,
    user: Option<&'static str>,
    watchers: Vec<Watched>,
}

impl Postgres {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// With settings as of `postgresql.conf`: `["fsync=on"]`.
    pub fn with(settings: &[&str]) -> Self {
        let server = Self::empty();
        server.initialize(settings);
        server.started()
    }

    /// A standby of that server.
    pub fn standby_of(primary: &Self) -> Self {
        let server = Self::empty();
        server.copy(primary);
        server.started()
    }

    fn started(mut self) -> Self {
        // Another program may take the port before the server does.
        for _ in 0..5 {
            self.run();
            if self.answers() {
                return self;
            }
            self.port = free_port();
        }
        panic!("PostgreSQL does not start: {}", self.log());
    }

    fn empty() -> Self {
        let (directory, user) = (fresh_directory("postgres"), other_user());
        if let Some(user) = user {
            assert!(Command::new("chown").arg(user).arg(&directory).status().unwrap().success());
        }
        Self { port: free_port(), directory, user, watchers: Vec::new() }
    }

    /// The URL of its database `postgres`.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://grantor@127.0.0.1:{}/{database}", self.port)
    }

    /// A new and empty database; its URL.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name}"));
        self.url_of(&name)
    }

    /// What `psql` prints, without headings.
    pub fn sql(&self, statement: &str) -> String {
        self.sql_in("postgres", statement)
    }

    pub fn sql_in(&self, database: &str, statement: &str) -> String {
        let output = self.psql(database, statement);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// `pg_dump` of the database of this URL, as text.
    pub fn dump(&self, url: &str) -> String {
        let output = Command::new(binary("pg_dump")).arg(url).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// `pg_ctl stop -m immediate`: no checkpoint, as in a crash. The next start recovers.
    pub fn stop_at_once(&mut self) {
        let data = self.data();
        let stop = self
            .as_user(&binary("pg_ctl"), &["stop", "-m", "immediate", "-w", "-D", &data])
            .output()
            .unwrap();
        assert!(stop.status.success(), "{}", String::from_utf8_lossy(&stop.stderr));
    }

    /// Again on the same port and with the same data.
    pub fn start_again(&mut self) {
        self.run();
        assert!(self.answers(), "PostgreSQL does not start again: {}", self.log());
    }

    /// Becomes a standby of that server, on the port that it has: what it held is lost.
    pub fn follow(&mut self, primary: &Self) {
        self.copy(primary);
        self.start_again();
    }

    fn copy(&self, primary: &Self) {
        let (data, port) = (self.data(), primary.port.to_string());
        if Path::new(&data).exists() {
            std::fs::remove_dir_all(&data).unwrap();
        }
        let from = ["-h", "127.0.0.1", "-p", &port, "-U", "grantor"];
        let copy = ["-D", &data, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"];
        let copied = self.as_user(&binary("pg_basebackup"), &[&from[..], &copy].concat()).output().unwrap();
        assert!(copied.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&copied.stderr));
        // The last line of a name counts: nothing follows a server that follows another one.
        let own = format!("{}\nsynchronous_standby_names=''\n", self.sockets());
        let settings = Path::new(&data).join("postgresql.auto.conf");
        std::fs::OpenOptions::new().append(true).open(settings).unwrap().write_all(own.as_bytes()).unwrap();
    }

    /// From here on, a commit waits until a standby has it.
    pub fn wait_for_standby(&self) {
        self.sql("ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.sql("SELECT pg_reload_conf()");
        let is_waited_for = || self.sql("SELECT sync_state FROM pg_stat_replication") == "sync";
        assert!(soon(START, is_waited_for), "no standby follows: {}", self.log());
    }

    /// No standby any more.
    pub fn promote(&self) {
        assert_eq!(self.sql("SELECT pg_promote()"), "t", "{}", self.log());
    }

    /// Ends every other connection, whatever it is doing; how many.
    pub fn kill_backends(&self) -> usize {
        let ended = self.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        );
        ended.parse().unwrap()
    }

    fn initialize(&self, settings: &[&str]) {
        let data = self.data();
        let arguments =
            ["-D", &data, "-U", "grantor", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
        let output = self.as_user(&binary("initdb"), &arguments).output().unwrap();
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let sockets = self.sockets();
        let all = [&sockets as &str, "listen_addresses='127.0.0.1'", "max_connections=200"];
        let text = all.iter().chain(settings).map(|line| format!("{line}\n")).collect::<String>();
        let path = Path::new(&data).join("postgresql.auto.conf");
        std::fs::write(path, text).unwrap();
    }

    fn sockets(&self) -> String {
        format!("unix_socket_directories='{}'", self.directory.display())
    }

    fn run(&mut self) {
        let (server, data, port) = (binary("postgres"), self.data(), self.port.to_string());
        let run = [&server as &str, "-D", &data, "-p", &port];
        let before = self.before();
        let command: Vec<&str> = before.iter().map(String::as_str).chain(run).collect();
        self.watchers.push(Watched::run(&self.directory, "QUIT", &command));
    }

    /// Whether it takes statements before long.
    fn answers(&self) -> bool {
        let watcher = self.watchers.last().unwrap();
        let answers = || self.psql("postgres", "SELECT 1").status.success();
        soon(START, || answers() || !watcher.is_running()) && answers()
    }

    /// A run of `psql` that may fail.
    pub fn psql(&self, database: &str, statement: &str) -> Output {
        Self::psql_at(&self.url_of(database), statement)
    }

    /// The same at any URL.
    pub fn psql_at(url: &str, statement: &str) -> Output {
        let mut psql = Command::new(binary("psql"));
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, url]);
        psql.output().unwrap()
    }

    fn data(&self) -> String {
        self.directory.join("data").to_str().unwrap().to_owned()
    }

    /// What the server wrote so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// The words before a command that run it as another user, in the same process.
    pub fn before(&self) -> Vec<String> {
        let ids =
            |user: &str| [format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()];
        self.user.map_or_else(Vec::new, |user| ["setpriv".to_owned()].into_iter().chain(ids(user)).collect())
    }

    fn as_user(&self, program: &str, arguments: &[&str]) -> Command {
        let mut words = self.before();
        words.push(program.to_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(arguments).current_dir(&self.directory);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.watchers.clear();
    }
}

/// Whom root runs it as.
fn other_user() -> Option<&'static str> {
    let id = Command::new("id").arg("-u").output().unwrap();
    let known = |user: &&str| Command::new("id").arg(user).output().unwrap().status.success();
    (id.stdout.trim_ascii() == b"0").then(|| ["postgres", "nobody"].into_iter().find(known).unwrap())
}

/// In `PATH`, or where Debian puts it; of several versions the latest.
pub fn binary(name: &str) -> String {
    let in_path =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    debian.sort_by_key(|path| path.parent().and_then(|v| v.file_name()?.to_str()?.parse::<u32>().ok()));
    let places: Vec<PathBuf> = debian.into_iter().rev().chain::<Vec<PathBuf>>(in_path).collect();
    let found = places.iter().map(|place| place.join(name)).find(|path| path.exists());
    let found = found.unwrap_or_else(|| panic!("{name} is missing: install Debian's package postgresql"));
    found.to_str().unwrap().to_owned()
}
