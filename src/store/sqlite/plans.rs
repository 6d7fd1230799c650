//! Tests that no statement scans a table.

use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::super::sql::{Engine as _, clients, grants, replay};
use super::{SqliteEngine, schema};

/// How many rows each table has, unless `GRANTOR_ROWS` says otherwise.
const ROWS: u32 = 20_000;

/// When the first row expires, in seconds since 1970.
const FIRST: i64 = 1_800_000_000;

/// Tested with and without `ANALYZE`, which does not run by itself, but which a host may run.
#[tokio::test]
async fn every_statement_goes_by_an_index() {
    let mut connection = filled().await;
    all_go_by_an_index(&mut connection).await;
    sqlx::raw_sql("ANALYZE").execute(&mut connection).await.unwrap();
    all_go_by_an_index(&mut connection).await;
}

async fn all_go_by_an_index(connection: &mut SqliteConnection) {
    let grants_of = "grantor_grants USING INDEX";
    let by_id = "sqlite_autoindex_grantor_grants_1 (space=? AND id";
    for (statement, expected) in [
        (grants::LOAD, format!("{grants_of} {by_id}=?)")),
        (grants::REPLACE, format!("{grants_of} {by_id}=?)")),
        (grants::REINDEX, format!("{grants_of} {by_id}=?)")),
        (
            grants::FIND_BY_USER_CODE,
            format!("{grants_of} grantor_grants_user_code (space=? AND user_code=?)"),
        ),
        (grants::LIST, format!("{grants_of} {by_id}>?)")),
        (
            grants::LIST_OF_SUBJECT,
            format!("{grants_of} grantor_grants_subject (space=? AND subject=? AND id>?)"),
        ),
        (
            grants::LIST_OF_CLIENT,
            format!("{grants_of} grantor_grants_client (space=? AND client=? AND id>?)"),
        ),
        (
            grants::LIST_OF_PAIR,
            format!("{grants_of} grantor_grants_subject (space=? AND subject=? AND id>?)"),
        ),
        (
            grants::LIST_OF_SESSION,
            format!("{grants_of} grantor_grants_session (space=? AND session=? AND id>?)"),
        ),
        (
            SqliteEngine::PURGE_GRANTS,
            "USING COVERING INDEX grantor_grants_expires (space=? AND expires<?)".to_owned(),
        ),
        (
            SqliteEngine::PURGE_REPLAYS,
            "USING COVERING INDEX grantor_replays_until (space=? AND until<?)".to_owned(),
        ),
        (clients::FIND, "sqlite_autoindex_grantor_clients_1 (space=? AND id=?)".to_owned()),
        (clients::REPLACE, "sqlite_autoindex_grantor_clients_1 (space=? AND id=?)".to_owned()),
        (clients::REMOVE, "sqlite_autoindex_grantor_clients_1 (space=? AND id=?)".to_owned()),
        (clients::LIST, "sqlite_autoindex_grantor_clients_1 (space=? AND id>?)".to_owned()),
        (clients::LIST_OF_OWNER, "grantor_clients_owner (space=? AND owner=? AND id>?)".to_owned()),
    ] {
        let plan = plan(connection, statement).await;
        assert!(plan.contains(&expected), "{statement}: {plan}");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{statement}: {plan}");
    }
    // An insert only uses its unique indexes.
    for statement in [grants::INSERT, replay::FIRST_USE, clients::INSERT] {
        assert_eq!(plan(connection, statement).await, "", "{statement}");
    }
}

async fn filled() -> SqliteConnection {
    let rows = std::env::var("GRANTOR_ROWS").map_or(ROWS, |rows| rows.parse().unwrap());
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    schema::migrate(&mut connection).await.unwrap();
    let fill = format!(
        "CREATE TEMP TABLE numbers AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {rows}) \
           SELECT n FROM c; \
         INSERT INTO grantor_grants SELECT '', randomblob(16), 0, 'client-' || n % 50, 'user:' || n % 5000, {FIRST} + n, \
           CASE WHEN n % 10 = 0 THEN randomblob(32) END, '{{}}', CASE WHEN n % 3 = 0 THEN randomblob(16) END FROM numbers; \
         INSERT INTO grantor_clients SELECT '', 'client-' || n, 0, CASE WHEN n % 2 = 0 THEN 'user-' || n % 5000 END, '{{}}' \
           FROM numbers; \
         INSERT INTO grantor_replays SELECT '', randomblob(32), {FIRST} + n FROM numbers"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(fill)).execute(&mut connection).await.unwrap();
    connection
}

async fn plan(connection: &mut SqliteConnection, statement: &str) -> String {
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let rows = sqlx::raw_sql(explain).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; ")
}
