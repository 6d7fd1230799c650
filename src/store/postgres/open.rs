//! Connects to a database.

use std::io;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};

use super::super::OpenError;
use super::connections::Connections;
use super::error::{code, code_of};
use super::schema::{self, VERSION};
use super::{PostgresEngine, PostgresStore};

/// How to connect a [`PostgresStore`].
#[derive(Clone)]
#[must_use]
pub struct PostgresOptions {
    url: String,
    connections: u32,
    acquire_timeout: Duration,
    statement_timeout: Duration,
    transaction_pooling: bool,
    migrates: bool,
}

impl PostgresOptions {
    /// `postgres://user:password@host:port/database`, with the parameters of `sqlx` behind a `?`. An unknown
    /// one is refused.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections: 16,
            acquire_timeout: Duration::from_secs(1),
            statement_timeout: Duration::from_millis(1500),
            transaction_pooling: false,
            migrates: true,
        }
    }

    /// The maximum number of connections; 16. All nodes together must stay below the server's
    /// `max_connections`.
    pub fn connections(mut self, connections: u32) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// How long a call waits for a connection; 1 s. If it gets none, nothing has happened. Together with
    /// [`statement_timeout`](Self::statement_timeout) it should be less than
    /// [`store_deadline`](crate::Policy::store_deadline), or requests are answered before the outcome is
    /// known.
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.acquire_timeout = timeout;
        self
    }

    /// How long the server may run a statement; 1.5 s. If it does not report the timeout within another
    /// quarter of a second, the connection is closed.
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = timeout.min(LONGEST);
        self
    }

    /// For PgBouncer or another pooler in the mode `transaction`, in which each transaction may use a
    /// different server connection; off. No statement is then prepared by name, and no option is sent at
    /// startup. Each call is a transaction that sets its own time limit, which takes four round trips instead
    /// of one.
    pub fn transaction_pooling(mut self, on: bool) -> Self {
        self.transaction_pooling = on;
        self
    }

    /// Never creates or changes a table. The tables must exist, of exactly this version, created by the
    /// statements of [`PostgresStore::schema`].
    pub fn without_migration(mut self) -> Self {
        self.migrates = false;
        self
    }

    /// Checks the address, without connecting.
    ///
    /// # Errors
    /// [`OpenError::Address`], with what to write instead.
    pub fn check(&self) -> Result<(), OpenError> {
        self.connect_options().map(drop)
    }

    /// Connects, and creates the tables if they are missing.
    ///
    /// # Errors
    /// One line that says what is wrong and what to do.
    pub async fn connect(self) -> Result<PostgresStore, OpenError> {
        let options = self.connect_options()?;
        let place = place(&options);
        // The first connection is made without the pool, which would keep trying if no server listens.
        let migration = self.for_migration(&options);
        let first = tokio::time::timeout(STARTING, prepare(&place, &migration, self.migrates)).await;
        let (found, schema) = match first {
            Ok(answer) => answer?,
            Err(error) => return Err(OpenError::Unreachable { place, source: error.into() }),
        };
        if found > VERSION {
            return Err(OpenError::Newer { place, found, known: VERSION });
        }
        if found < VERSION && !self.migrates {
            return Err(OpenError::Outdated { place, found, known: VERSION });
        }
        if found < VERSION {
            return Err(OpenError::Incomplete { place, found, known: VERSION });
        }
        let names = schema.map(|schema| names(&options, schema));
        let pool = PgPoolOptions::new()
            .max_connections(self.connections)
            .acquire_timeout(self.acquire_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection, about| {
                Box::pin(async move {
                    if about.idle_for > FRESH {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        let begin = self.transaction_pooling.then(|| {
            let timeout = self.statement_timeout.as_millis();
            format!("BEGIN; SET LOCAL statement_timeout = {timeout}").into()
        });
        let connections = Connections { pool, timeout: self.statement_timeout + GRACE, begin };
        Ok(PostgresStore::new(PostgresEngine::over(connections, names)))
    }

    fn connect_options(&self) -> Result<PgConnectOptions, OpenError> {
        let known = ["postgres://", "postgresql://"].iter().any(|scheme| self.url.starts_with(scheme));
        let wrong = || OpenError::Address("give postgres://user:password@host:port/database".to_owned());
        if !has_known_parameters(&self.url) {
            // It is not named, because a password with a `?` in it would be.
            let known = PARAMETERS.join(", ");
            return Err(OpenError::Address(format!("it has a parameter that is none of {known}")));
        }
        // The error does not say what is wrong, because it could quote the password.
        let options: PgConnectOptions = self.url.parse().ok().filter(|_| known).ok_or_else(wrong)?;
        let timeout = format!("{}ms", self.statement_timeout.as_millis());
        let options = match self.transaction_pooling {
            // A pooler refuses startup options that it cannot set for each client; this one is not needed,
            // because no column has fractions.
            true => options.extra_float_digits(None),
            false => options.options([("statement_timeout", timeout)]),
        };
        let options = options.disable_statement_logging();
        Ok(match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("grantor"),
        })
    }

    /// A migration may take longer than a request.
    fn for_migration(&self, options: &PgConnectOptions) -> PgConnectOptions {
        match self.transaction_pooling {
            true => options.clone(),
            false => options.clone().options([("statement_timeout", "0")]),
        }
    }
}

impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { connections, acquire_timeout, statement_timeout, transaction_pooling, migrates, url: _ } =
            self;
        let mut out = f.debug_struct("PostgresOptions");
        out.field("connections", connections).field("acquire_timeout", acquire_timeout);
        out.field("statement_timeout", statement_timeout).field("transaction_pooling", transaction_pooling);
        out.field("migrates", migrates).finish_non_exhaustive()
    }
}

/// A connection that was used within this time is not tested before use.
const FRESH: Duration = Duration::from_millis(100);

/// The longest timeout that PostgreSQL knows: 24 days.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// The time for the server's timeout error to arrive.
const GRACE: Duration = Duration::from_millis(250);

/// The time limit of a migration, which may have to wait for those of other nodes.
const STARTING: Duration = Duration::from_secs(30);

/// The time limit of the first connection. An address that accepts and stays silent is not a database.
const CONNECTING: Duration = Duration::from_secs(5);

/// The first version with `AS MATERIALIZED`, which sweeping uses.
const OLDEST: u32 = 12;

/// The parameters of an address. `sqlx` would write the value of any other to the log.
const PARAMETERS: [&str; 19] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "options[NAME]",
];

fn has_known_parameters(url: &str) -> bool {
    let url = url.split('#').next().unwrap_or_default();
    let query = url.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes())
        .all(|(name, _)| name.starts_with("options[") || PARAMETERS.contains(&&*name))
}

/// The address for error messages, without the password.
fn place(options: &PgConnectOptions) -> String {
    let (host, database) = host_and_database(options);
    format!("{database} on {host}:{}", options.get_port())
}

/// What tells the tables from those of any other database: two addresses of one server count as two.
fn names(options: &PgConnectOptions, schema: String) -> Box<[Box<str>]> {
    let (host, database) = host_and_database(options);
    ["postgres".to_owned(), host, options.get_port().to_string(), database.to_owned(), schema]
        .map(Into::into)
        .into()
}

fn host_and_database(options: &PgConnectOptions) -> (String, &str) {
    let host =
        options.get_socket().map_or_else(|| options.get_host().to_owned(), |path| path.display().to_string());
    (host, options.get_database().unwrap_or(options.get_username()))
}

/// Returns the version of the tables that it found, and their schema if the database can tell.
async fn prepare(
    place: &str,
    options: &PgConnectOptions,
    migrates: bool,
) -> Result<(i64, Option<String>), OpenError> {
    let connecting = tokio::time::timeout(CONNECTING, options.connect()).await;
    let connected = connecting.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
    let mut connection = connected.map_err(|error| open_error(place, error))?;
    if let Some(version) = connection.server_version_num().filter(|version| version / 10_000 < OLDEST) {
        let _ = connection.close().await;
        let version = version_text(version);
        return Err(OpenError::TooOld { place: place.to_owned(), version, needed: OLDEST });
    }
    let found = match migrates {
        true => schema::migrate(&mut connection).await,
        false => schema::version(&mut connection).await,
    };
    let schema = schema::name(&mut connection).await;
    let _ = connection.close().await;
    found.map(|found| (found, schema)).map_err(|error| open_error(place, error))
}

/// Before version 10 there was a third number.
fn version_text(number: u32) -> String {
    match (number / 10_000, number % 10_000) {
        (major @ 10.., minor) => format!("{major}.{minor}"),
        (first, rest) => format!("{first}.{}.{}", rest / 100, rest % 100),
    }
}

fn open_error(place: &str, error: sqlx::Error) -> OpenError {
    let place = place.to_owned();
    match code_of(&error).as_deref() {
        Some(code::NO_DATABASE) => OpenError::NoDatabase(place),
        Some(code::WRONG_USER | code::WRONG_PASSWORD) => OpenError::Refused(place),
        Some(code::NO_PRIVILEGE) => OpenError::Forbidden(place),
        Some(code::READ_ONLY) => OpenError::ReadOnly(place),
        Some(code::DISK_FULL) => OpenError::Full(place),
        Some(code) if code::AWAY.contains(&code) => OpenError::Unreachable { place, source: error.into() },
        Some(_) => OpenError::Failed { place, source: error.into() },
        None => OpenError::Unreachable { place, source: error.into() },
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Connects to a server that answers the first message with this error code.
    async fn refused_with(code: &str) -> OpenError {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let fields = format!("SFATAL\0VFATAL\0C{code}\0Mnot now\0\0");
        let server = async {
            let (mut client, _) = listener.accept().await.unwrap();
            let _ = client.read(&mut [0; 1024]).await.unwrap();
            let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
            client.write_all(&[b"E", &length[..], fields.as_bytes()].concat()).await.unwrap();
        };
        let url = format!("postgres://user@127.0.0.1:{port}/grants?sslmode=disable");
        let (error, ()) = tokio::join!(PostgresStore::connect(&url), server);
        error.unwrap_err()
    }

    #[test]
    fn an_unknown_parameter_is_refused_and_not_repeated() {
        let check =
            |query: &str| PostgresOptions::new(format!("postgres://user@host/grants?{query}")).check();
        for good in
            ["", "sslmode=disable", "user=u&password=p%26", "options[search_path]=a&application_name=b"]
        {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["sslpassword=SECRET", "sslmode=disable&passwrod=SECRET", "SECRET", "pass%77rod=SECRET"] {
            let error = check(bad).unwrap_err().to_string();
            assert!(
                error.contains("a parameter that is none of sslmode,") && !error.contains("SECRET"),
                "{error}"
            );
        }
        assert!(PostgresOptions::new("postgres://user@host:port/grants").check().is_err());
        assert!(PostgresOptions::new("mysql://user@host/grants").check().is_err());
    }

    #[tokio::test]
    async fn a_server_that_accepts_and_stays_silent_is_given_up() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://user@{}/grants?sslmode=disable", silent.local_addr().unwrap());
        let error = PostgresStore::connect(&url).await.unwrap_err();
        assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
        // Not the limit of the whole migration, which has another text.
        assert!(error.to_string().contains("timed out"), "{error}");
    }

    #[test]
    fn a_version_is_written_as_its_server_writes_it() {
        assert_eq!([90_601, 80_002, 110_022].map(version_text), ["9.6.1", "8.0.2", "11.22"]);
    }

    #[tokio::test]
    async fn a_server_without_materialized_queries_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://user@{}/grants?sslmode=disable", listener.local_addr().unwrap());
        let server = async {
            let (mut client, _) = listener.accept().await.unwrap();
            let _ = client.read(&mut [0; 1024]).await.unwrap();
            let message = |kind: &[u8], content: &[u8]| {
                let length = u32::try_from(content.len() + 4).unwrap().to_be_bytes();
                [kind, &length, content].concat()
            };
            let signed_in = message(b"R", &[0; 4]);
            let version = message(b"S", b"server_version\x0011.22\x00");
            client.write_all(&[signed_in, version, message(b"Z", b"I")].concat()).await.unwrap();
        };
        let (error, ()) = tokio::join!(PostgresStore::connect(&url), server);
        let error = error.unwrap_err().to_string();
        assert!(error.ends_with("the server has version 11.22: 12 or later is needed"), "{error}");
    }

    #[tokio::test]
    async fn ft_36_a_server_that_is_starting_up_cannot_be_reached_yet() {
        for code in code::AWAY {
            let error = refused_with(code).await;
            assert!(matches!(error, OpenError::Unreachable { .. }), "{code}: {error}");
        }
        assert!(matches!(refused_with("XX000").await, OpenError::Failed { .. }));
        assert!(matches!(refused_with("28P01").await, OpenError::Refused(_)));
    }
}
