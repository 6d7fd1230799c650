//! The tables of SQLite.

use sqlx::{Connection, Row, SqliteConnection};

/// The version that the tables have after the last of [`MIGRATIONS`].
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Number `n` leads from version `n` to the next. One that was released is never changed.
const MIGRATIONS: &[&str] = &["
CREATE TABLE IF NOT EXISTS grantor_grants (
    space     TEXT NOT NULL,
    id        BLOB NOT NULL,
    version   INTEGER NOT NULL,
    client    TEXT NOT NULL,
    subject   TEXT NOT NULL,    -- `user:…` or `client:…`
    expires   INTEGER NOT NULL, -- seconds since 1970
    user_code BLOB,
    body      TEXT NOT NULL,    -- JSON
    PRIMARY KEY (space, id)
) STRICT;
CREATE INDEX IF NOT EXISTS grantor_grants_subject ON grantor_grants (space, subject, id);
CREATE INDEX IF NOT EXISTS grantor_grants_client ON grantor_grants (space, client, id);
CREATE INDEX IF NOT EXISTS grantor_grants_expires ON grantor_grants (space, expires);
CREATE UNIQUE INDEX IF NOT EXISTS grantor_grants_user_code ON grantor_grants (space, user_code) WHERE user_code IS NOT NULL;

CREATE TABLE IF NOT EXISTS grantor_clients (
    space    TEXT NOT NULL,
    id       TEXT NOT NULL,
    revision INTEGER NOT NULL,
    owner    TEXT,
    body     TEXT NOT NULL, -- JSON
    PRIMARY KEY (space, id)
) STRICT;
CREATE INDEX IF NOT EXISTS grantor_clients_owner ON grantor_clients (space, owner, id) WHERE owner IS NOT NULL;

CREATE TABLE IF NOT EXISTS grantor_replays (
    space TEXT NOT NULL,
    id    BLOB NOT NULL,
    until INTEGER NOT NULL, -- seconds since 1970
    PRIMARY KEY (space, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS grantor_replays_until ON grantor_replays (space, until);

CREATE TABLE IF NOT EXISTS grantor_keys ( -- private keys
    space   TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body    TEXT NOT NULL
) STRICT;
", "
ALTER TABLE grantor_grants ADD COLUMN session BLOB;
CREATE INDEX IF NOT EXISTS grantor_grants_session ON grantor_grants (space, session, id) WHERE session IS NOT NULL;
"];

/// Brings the tables to [`VERSION`], in one transaction that excludes other writers; the version that it found.
/// A later one is left as it is.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS grantor_schema (version INTEGER NOT NULL) STRICT")
        .execute(&mut *transaction)
        .await?;
    // On a file that it may only read, SQLite begins a transaction for reading, and says so at the first write.
    sqlx::raw_sql("UPDATE grantor_schema SET version = version").execute(&mut *transaction).await?;
    let found = sqlx::query("SELECT max(version) FROM grantor_schema").fetch_one(&mut *transaction).await?;
    let found: i64 = found.try_get::<Option<i64>, _>(0)?.unwrap_or_default();
    let done = usize::try_from(found).unwrap_or_default();
    for (number, statements) in (1_i64..).zip(MIGRATIONS).skip(done) {
        sqlx::raw_sql(*statements).execute(&mut *transaction).await?;
        let insert = sqlx::query("INSERT INTO grantor_schema (version) VALUES ($1)").bind(number);
        insert.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(found)
}
