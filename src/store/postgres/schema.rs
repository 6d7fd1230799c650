//! The tables of PostgreSQL.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Row};

use super::error::{code, code_of};

/// The version that the tables have after the last of [`MIGRATIONS`].
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Number `n` migrates from version `n` to the next, and records that in `grantor_schema`. A released
/// migration is never changed. Each statement can be repeated: if definitions are not transactional, a failed
/// attempt may have applied only some of them.
pub(super) const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql"), include_str!("schema/2.sql")];

/// An arbitrary number that other programs are unlikely to lock.
const LOCK: i64 = 0x6772_616e_746f_7201;

/// Migrates the tables to [`VERSION`], and returns the version that it found. A later version is left as it
/// is.
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

/// The version of the tables; 0 if there are none. Needs only read permission, because another user may own
/// the tables.
pub(super) async fn version(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    // Sent as a single message, which a pooler cannot split over two connections.
    let found = sqlx::raw_sql("SELECT max(version) FROM grantor_schema").fetch_one(connection).await;
    match found {
        Ok(row) => Ok(row.try_get::<Option<i64>, _>(0)?.unwrap_or_default()),
        Err(error) if code_of(&error).as_deref() == Some(code::NO_TABLE) => Ok(0),
        Err(error) => Err(error),
    }
}

/// The schema that the tables are in, which depends on the user and the parameters of the connection. `None`
/// if the database cannot tell.
pub(super) async fn name(connection: &mut PgConnection) -> Option<String> {
    const NAME: &str = "SELECT nspname::text FROM pg_class \
         JOIN pg_namespace ON pg_namespace.oid = relnamespace \
         WHERE pg_class.oid = to_regclass('grantor_grants')";
    sqlx::raw_sql(NAME).fetch_one(connection).await.ok()?.try_get(0).ok()
}

/// Applies the migrations in one transaction, one process at a time. The lock is not essential: in a database
/// without advisory locks, the second process fails.
async fn apply(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).persistent(false);
    lock.execute(&mut *transaction).await?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS grantor_schema (version BIGINT PRIMARY KEY)")
        .execute(&mut *transaction)
        .await?;
    let found = version(&mut transaction).await?;
    let done = usize::try_from(found).unwrap_or_default();
    for statements in MIGRATIONS.iter().skip(done) {
        sqlx::raw_sql(*statements).execute(&mut *transaction).await?;
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
