//! The floor: the same statements with the same bodies by the same client library, and nothing else.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use grantor::store::{Filter, Page};
use redis::AsyncCommands as _;
use redis::cluster_async::ClusterConnection;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::flows::{Flow, Server};
use crate::places::Place;
use crate::support::{CLIENT_CREDENTIALS, SUBJECT};

pub struct Bare {
    database: Database,
    /// Bodies as the flows write them.
    lone: String,
    offered: String,
    redeemed: String,
}

enum Database {
    Sqlite(SqlitePool),
    Postgres(PgPool),
    Redis(redis::aio::MultiplexedConnection),
    Cluster(ClusterConnection),
}

const INSERT: &str = "INSERT INTO grantor_grants (space, id, version, body, expires, client, subject) \
     VALUES ('bare', $1, 0, $2, 2000000000, 'bench-client', 'user:alice') ON CONFLICT DO NOTHING";
const UPDATE: &str = "UPDATE grantor_grants SET version = 1, body = $2, expires = 2000000001 WHERE space = 'bare' AND id = $1 AND version = 0";
const FILL_SQLITE: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
     INSERT INTO grantor_grants (space, id, version, body, expires, client, subject) \
     SELECT '', randomblob(16), 0, replace($2, 'USER', 'user-' || i), $3, 'bench-client', 'user:user-' || i FROM n";
const FILL_POSTGRES: &str = "INSERT INTO grantor_grants (space, id, version, body, expires, client, subject) \
     SELECT '', decode(md5(random()::text || i), 'hex'), 0, replace($2, 'USER', 'user-' || i), $3, \
     'bench-client', 'user:user-' || i FROM generate_series(1::bigint, $1) AS i";
const SELECT: &str = "SELECT version, body FROM grantor_grants WHERE space = 'bare' AND id = $1";
/// A conditional write.
const PUT: &str = "if (redis.call('GETRANGE', KEYS[1], 0, 0)) ~= ARGV[1] then return false end \
     redis.call('SET', KEYS[1], ARGV[2], 'PX', 600000) return 1";

/// The same, and the entries in its indexes.
const PUT_INDEXED: &str = "if (redis.call('GETRANGE', KEYS[1], 0, 0)) ~= ARGV[1] then return false end \
     redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3]) redis.call('ZADD', KEYS[3], 0, ARGV[3]) redis.call('ZADD', KEYS[4], 0, ARGV[3]) \
     redis.call('SET', KEYS[1], ARGV[2], 'PX', 600000) return 1";

impl Bare {
    pub async fn connect(place: &Place, server: &Server) -> Self {
        let database = match place {
            Place::Sqlite(directory) => {
                let options = SqliteConnectOptions::new()
                    .filename(directory.join("grants.db"))
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(Duration::from_secs(5));
                let pool = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
                Database::Sqlite(pool.connect_with(options).await.unwrap())
            }
            Place::Postgres(_) => {
                let pool = PgPoolOptions::new().max_connections(1).test_before_acquire(false);
                Database::Postgres(pool.connect(&place.url()).await.unwrap())
            }
            Place::Redis(_) => {
                let client = redis::Client::open(place.url()).unwrap();
                Database::Redis(client.get_multiplexed_async_connection().await.unwrap())
            }
            Place::Cluster(cluster) => {
                let client = redis::cluster::ClusterClient::new(cluster.nodes.iter().map(|node| node.url()));
                Database::Cluster(client.unwrap().get_async_connection().await.unwrap())
            }
        };
        let (lone, offered, redeemed) = bodies(server).await;
        Self { database, lone, offered, redeemed }
    }

    /// Writes this many grants of as many users at once, with this body and expiry (in seconds since 1970).
    /// SQL only; returns whether it wrote them.
    pub async fn fill(&self, count: usize, body: &str, ends: i64) -> bool {
        let count = i64::try_from(count).unwrap();
        match &self.database {
            Database::Sqlite(pool) => {
                sqlx::query(FILL_SQLITE).bind(count).bind(body).bind(ends).execute(pool).await.unwrap();
            }
            Database::Postgres(pool) => {
                sqlx::query(FILL_POSTGRES).bind(count).bind(body).bind(ends).execute(pool).await.unwrap();
                sqlx::query("VACUUM ANALYZE grantor_grants").execute(pool).await.unwrap();
            }
            Database::Redis(_) | Database::Cluster(_) => return false,
        }
        true
    }

    /// How long the statements of a flow take.
    pub async fn run(&self, flow: Flow) -> Duration {
        let id = rand::random::<[u8; 16]>();
        match flow {
            Flow::ClientCredentials => self.timed(async || self.insert(&id, &self.lone).await).await,
            Flow::Indexed => self.timed(async || self.insert_indexed(&id, &self.lone).await).await,
            Flow::Redeem | Flow::Refresh => {
                self.insert(&id, &self.offered).await;
                self.timed(async || {
                    self.select(&id).await;
                    self.update(&id, &self.redeemed).await;
                })
                .await
            }
            Flow::Introspect => {
                self.insert(&id, &self.lone).await;
                self.timed(async || self.select(&id).await).await
            }
        }
    }

    async fn timed(&self, work: impl AsyncFnOnce()) -> Duration {
        let begun = Instant::now();
        work().await;
        begun.elapsed()
    }

    async fn insert(&self, id: &[u8; 16], body: &str) {
        let changed = match &self.database {
            Database::Sqlite(pool) => {
                sqlx::query(INSERT).bind(&id[..]).bind(body).execute(pool).await.unwrap().rows_affected()
            }
            Database::Postgres(pool) => {
                sqlx::query(INSERT).bind(&id[..]).bind(body).execute(pool).await.unwrap().rows_affected()
            }
            Database::Redis(_) | Database::Cluster(_) => self.put(id, "", &format!("0\n{body}")).await,
        };
        assert_eq!(changed, 1);
    }

    async fn update(&self, id: &[u8; 16], body: &str) {
        let changed = match &self.database {
            Database::Sqlite(pool) => {
                sqlx::query(UPDATE).bind(&id[..]).bind(body).execute(pool).await.unwrap().rows_affected()
            }
            Database::Postgres(pool) => {
                sqlx::query(UPDATE).bind(&id[..]).bind(body).execute(pool).await.unwrap().rows_affected()
            }
            Database::Redis(_) | Database::Cluster(_) => self.put(id, "0", &format!("1\n{body}")).await,
        };
        assert_eq!(changed, 1);
    }

    async fn select(&self, id: &[u8; 16]) {
        match &self.database {
            Database::Sqlite(pool) => {
                drop(sqlx::query(SELECT).bind(&id[..]).fetch_one(pool).await.unwrap());
            }
            Database::Postgres(pool) => {
                drop(sqlx::query(SELECT).bind(&id[..]).fetch_one(pool).await.unwrap());
            }
            Database::Redis(connection) => {
                let _: String = connection.clone().get(key(id)).await.unwrap();
            }
            Database::Cluster(connection) => {
                let _: String = connection.clone().get(key(id)).await.unwrap();
            }
        }
    }

    /// On a cluster, each index entry is a separate command, sent concurrently with the write of the key.
    async fn insert_indexed(&self, id: &[u8; 16], body: &str) {
        const INDEXES: [&str; 3] = ["bare:due", "bare:all", "bare:client"];
        let (value, ends) = (format!("0\n{body}"), 1_899_999_999_000_u64);
        let changed: u64 = match &self.database {
            Database::Sqlite(_) | Database::Postgres(_) => return self.insert(id, body).await,
            Database::Redis(connection) => {
                let script = redis::Script::new(PUT_INDEXED);
                let mut call = script.key(key(id));
                for index in INDEXES {
                    call.key(index);
                }
                call.arg("").arg(value).arg(&id[..]).arg(ends);
                call.invoke_async(&mut connection.clone()).await.unwrap()
            }
            Database::Cluster(connection) => {
                let enter = INDEXES.map(|index| {
                    let mut connection = connection.clone();
                    async move { connection.zadd::<_, _, _, u64>(index, &id[..], ends).await.unwrap() }
                });
                join(self.put(id, "", &value), join_all(enter)).await.0
            }
        };
        assert_eq!(changed, 1);
    }

    async fn put(&self, id: &[u8; 16], expect: &str, value: &str) -> u64 {
        let script = redis::Script::new(PUT);
        let mut call = script.key(key(id));
        call.arg(expect).arg(value);
        match &self.database {
            Database::Redis(connection) => call.invoke_async(&mut connection.clone()).await.unwrap(),
            Database::Cluster(connection) => call.invoke_async(&mut connection.clone()).await.unwrap(),
            Database::Sqlite(_) | Database::Postgres(_) => unreachable!("no Redis"),
        }
    }
}

fn key(id: &[u8; 16]) -> String {
    format!("bare:{{{:032x}}}", u128::from_be_bytes(*id))
}

/// The bodies of a client credentials grant, of one with an unredeemed code, and of one whose code was
/// redeemed.
async fn bodies(server: &Server) -> (String, String, String) {
    server.token(CLIENT_CREDENTIALS).await;
    let lone = only(server, &Filter::default()).await;
    let redeem = Flow::Redeem.prepare(server).await;
    let alices = Filter::subject(grantor::Subject::user(SUBJECT));
    let offered = only(server, &alices).await;
    Flow::Redeem.run(server, &redeem).await;
    (lone, offered, only(server, &alices).await)
}

/// The body of the only grant that matches the filter.
async fn only(server: &Server, filter: &Filter) -> String {
    let listing = server.store.list(filter, Page::first(2)).await.unwrap();
    assert_eq!(listing.records.len(), 1);
    listing.records[0].grant().encode()
}
