//! The tables of PostgreSQL.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

use super::error::{code, code_of};

/// The version that the tables have after the last of [`MIGRATIONS`].
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Number `n` leads from version `n` to the next. One that was released is never changed. Each statement may be repeated: where
/// definitions are no part of a transaction, the first attempt may have left a half of them.
const MIGRATIONS: &[&str] = &[
    r#"
CREATE TABLE IF NOT EXISTS grantor_grants (
    space     TEXT COLLATE "C" NOT NULL,
    id        BYTEA NOT NULL,
    version   BIGINT NOT NULL,
    client    TEXT COLLATE "C" NOT NULL,
    subject   TEXT COLLATE "C" NOT NULL, -- `user:…` or `client:…`
    expires   BIGINT NOT NULL,           -- seconds since 1970
    user_code BYTEA,
    body      TEXT NOT NULL,             -- JSON
    PRIMARY KEY (space, id)
);
CREATE INDEX IF NOT EXISTS grantor_grants_subject ON grantor_grants (space, subject, id);
CREATE INDEX IF NOT EXISTS grantor_grants_client ON grantor_grants (space, client, id);
CREATE INDEX IF NOT EXISTS grantor_grants_expires ON grantor_grants (space, expires);
CREATE UNIQUE INDEX IF NOT EXISTS grantor_grants_user_code ON grantor_grants (space, user_code) WHERE user_code IS NOT NULL;

CREATE TABLE IF NOT EXISTS grantor_clients (
    space    TEXT COLLATE "C" NOT NULL,
    id       TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    owner    TEXT COLLATE "C",
    body     TEXT NOT NULL, -- JSON
    PRIMARY KEY (space, id)
);
CREATE INDEX IF NOT EXISTS grantor_clients_owner ON grantor_clients (space, owner, id) WHERE owner IS NOT NULL;

CREATE TABLE IF NOT EXISTS grantor_replays (
    space TEXT COLLATE "C" NOT NULL,
    id    BYTEA NOT NULL,
    until BIGINT NOT NULL, -- seconds since 1970
    PRIMARY KEY (space, id)
);
CREATE INDEX IF NOT EXISTS grantor_replays_until ON grantor_replays (space, until);

CREATE TABLE IF NOT EXISTS grantor_keys ( -- private keys
    space   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    body    TEXT NOT NULL
);
"#,
    r#"
ALTER TABLE grantor_grants ADD COLUMN IF NOT EXISTS session BYTEA;
CREATE INDEX IF NOT EXISTS grantor_grants_session ON grantor_grants (space, session, id) WHERE session IS NOT NULL;
"#,
];

/// Any number that no other program is likely to lock.
const LOCK: i64 = 0x6772_616e_746f_7201;

/// Brings the tables to [`VERSION`]; the version that it found. A later one is left as it is.
pub(super) async fn migrate(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    const TRIES: u32 = 20;
    for _ in 0..TRIES {
        let found = version(connection).await?;
        if found >= VERSION {
            return Ok(found);
        }
        match apply(connection).await {
            Ok(()) => {}
            Err(error) if somebody_else_was_there(&error) => {}
            Err(error) => return Err(error),
        }
    }
    version(connection).await
}

/// 0 where there are no tables yet. It needs no right but to read, for tables that somebody else has made.
async fn version(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    // In one message, which a pooler cannot tear apart.
    let found = sqlx::raw_sql("SELECT max(version) FROM grantor_schema").fetch_one(connection).await;
    match found {
        Ok(row) => Ok(row.try_get::<Option<i64>, _>(0)?.unwrap_or_default()),
        Err(error) if code_of(&error).as_deref() == Some(code::NO_TABLE) => Ok(0),
        Err(error) => Err(error),
    }
}

/// All or nothing, one process at a time. The lock is a courtesy: a database whose locks do nothing lets the second one fail.
async fn apply(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).persistent(false);
    lock.execute(&mut *transaction).await?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS grantor_schema (version BIGINT PRIMARY KEY)")
        .execute(&mut *transaction)
        .await?;
    let found = version(&mut transaction).await?;
    let done = usize::try_from(found).unwrap_or_default();
    for (number, statements) in (1_i64..).zip(MIGRATIONS).skip(done) {
        sqlx::raw_sql(*statements).execute(&mut *transaction).await?;
        let insert = sqlx::query("INSERT INTO grantor_schema (version) VALUES ($1)").bind(number);
        insert.persistent(false).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

fn somebody_else_was_there(error: &sqlx::Error) -> bool {
    let known = [
        code::SERIALIZATION,
        code::DEADLOCK,
        code::UNIQUE_VIOLATION,
        code::DUPLICATE_TABLE,
        code::DUPLICATE_OBJECT,
    ];
    code_of(error).is_some_and(|code| known.contains(&&*code))
}
