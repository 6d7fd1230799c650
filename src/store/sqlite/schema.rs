//! The tables of SQLite.

use sqlx::{Connection, Row, SqliteConnection};

/// The version that the tables have after the last of [`MIGRATIONS`].
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Number `n` migrates from version `n` to the next, and records that in `grantor_schema`. A released
/// migration is never changed.
pub(super) const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// The version of the tables; 0 if there are none. Writes nothing.
pub(super) async fn version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let table = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'grantor_schema'";
    let tables: i64 = sqlx::query(table).fetch_one(&mut *connection).await?.try_get(0)?;
    if tables == 0 {
        return Ok(0);
    }
    let found = sqlx::query("SELECT max(version) FROM grantor_schema").fetch_one(connection).await?;
    Ok(found.try_get::<Option<i64>, _>(0)?.unwrap_or_default())
}

/// Migrates the tables to [`VERSION`], in one transaction that excludes other writers, and returns the
/// version that it found. A later version is left as it is.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS grantor_schema (version INTEGER NOT NULL) STRICT")
        .execute(&mut *transaction)
        .await?;
    // On a read-only file, SQLite begins a read transaction, and fails only at the first write.
    sqlx::raw_sql("UPDATE grantor_schema SET version = version").execute(&mut *transaction).await?;
    let found = sqlx::query("SELECT max(version) FROM grantor_schema").fetch_one(&mut *transaction).await?;
    let found: i64 = found.try_get::<Option<i64>, _>(0)?.unwrap_or_default();
    let done = usize::try_from(found).unwrap_or_default();
    for statements in MIGRATIONS.iter().skip(done) {
        sqlx::raw_sql(*statements).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(found)
}
