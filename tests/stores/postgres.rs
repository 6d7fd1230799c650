//! [`PostgresStore`] on a server of our own.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use grantor::client::RegistryError;
use grantor::store::{CommitError, Filter, OpenError, Page, PostgresOptions, PostgresStore, Write};
use grantor::{ClientId, ClientRegistry as _, GrantId, Registrar as _, TokenStore as _};

use crate::behaviour;
use crate::contract::{keeps_every_contract, keeps_every_contract_in};
use crate::scale::rounds;
use crate::secrets;
use crate::servers::postgres::Postgres;
use crate::servers::watched::{free_port, soon};

/// One for all tests that do not stop it.
fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(Postgres::start)
}

async fn connect(url: &str) -> PostgresStore {
    PostgresStore::connect(url).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_keeps_every_contract() {
    keeps_every_contract(connect(&server().database()).await).await;
}

/// As distributed databases do, it refuses what cannot be serialized; the caller sees nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_for_serialization_is_tried_again() {
    let url = format!("{}?options=-c%20default_transaction_isolation%3Dserializable", server().database());
    keeps_every_contract_in(connect(&url).await, rounds(10, 1_000)).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_server_is_said_in_one_line_at_start() {
    let server = server();
    server.sql("CREATE ROLE guest LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let nobody_listens = free_port();
    let cases = [
        ("mysql://localhost/grants".to_owned(), "give postgres://user:password@host:port/database"),
        (
            "postgres://user:hunter2@host:port/db".to_owned(),
            "give postgres://user:password@host:port/database",
        ),
        (server.url_of("nowhere"), "nowhere on 127.0.0.1:"),
        (server.url_of("nowhere"), "there is no such database: create it, or name another one"),
        (server.url().replace("grantor@", "stranger:hunter2@"), "user name or password was rejected"),
        (server.url().replace("grantor@", "guest@"), "the tables cannot be created"),
        (
            format!("postgres://user:hunter2@127.0.0.1:{nobody_listens}/db"),
            "start it, or correct the address",
        ),
    ];
    for (url, expected) in cases {
        let error = PostgresStore::connect(&url).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{url}: {error}");
        assert!(!error.contains('\n') && !error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn nodes_that_start_together_migrate_once() {
    let server = server();
    for _ in 0..3 {
        let url = server.database();
        let starting: Vec<_> = (0..8)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(
                    async move { connect(&url).await.list(&Filter::default(), Page::first(1)).await },
                )
            })
            .collect();
        for started in starting {
            started.await.unwrap().unwrap();
        }
        let database = url.rsplit('/').next().unwrap();
        assert_eq!(server.sql_in(database, "SELECT max(version) FROM grantor_schema"), "2");
    }
}

/// In a database without advisory locks, migrations of two nodes run at the same time.
#[tokio::test]
async fn a_migration_that_fails_because_of_another_one_is_tried_again() {
    for code in ["40001", "40P01", "23505", "42P07", "42710"] {
        let url = server().database();
        let database = url.rsplit('/').next().unwrap();
        let refuses_once = format!(
            "CREATE SEQUENCE attempts; \
             CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF nextval('attempts') = 1 THEN RAISE 'no' USING ERRCODE = '{code}'; END IF; END $$; \
             CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION refuse()"
        );
        server().sql_in(database, &refuses_once);
        connect(&url).await;
        assert_eq!(server().sql_in(database, "SELECT max(version) FROM grantor_schema"), "2", "{code}");
    }
}

#[tokio::test]
async fn the_schema_of_a_later_version_is_refused_and_left_alone() {
    let url = server().database();
    let database = url.rsplit('/').next().unwrap();
    connect(&url).await;
    server().sql_in(database, "INSERT INTO grantor_schema VALUES (99)");
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 99, known: 2, .. }), "{error:?}");
    assert_eq!(server().sql_in(database, "SELECT max(version) FROM grantor_schema"), "99");
}

#[tokio::test]
async fn without_migration_a_database_is_checked_and_left_alone() {
    let url = server().database();
    let database = url.rsplit('/').next().unwrap();
    let connect = || PostgresOptions::new(&url).without_migration().connect();
    for (found, statements) in (0_i64..).zip(PostgresStore::schema()) {
        let error = connect().await.unwrap_err();
        assert!(matches!(error, OpenError::Outdated { found: at, known: 2, .. } if at == found), "{error:?}");
        let tables = "SELECT count(*) FROM pg_tables WHERE tablename = 'grantor_grants'";
        assert_eq!(server().sql_in(database, tables), found.to_string());
        server().sql_in(database, statements);
    }
    let store = connect().await.unwrap();
    behaviour::insert(&store, 1).await;
    behaviour::finds_by_session(&store).await;
}

#[tokio::test]
async fn spaces_know_nothing_of_each_other() {
    behaviour::spaces_know_nothing_of_each_other(connect(&server().database()).await).await;
}

#[tokio::test]
async fn tables_are_the_same_through_each_connection_to_their_schema() {
    let url = server().database();
    let store = connect(&url).await;
    behaviour::identities_are_those_of_database_and_space(&store, &connect(&url).await);
    assert_ne!(store.identity(), connect(&server().database()).await.identity());
    // The tables of `store`, seen by another search path; then tables of their own.
    server().sql_in(url.rsplit('/').next().unwrap(), "CREATE SCHEMA own");
    let apart = |path: &str| format!("{url}?options[search_path]={path}");
    assert_eq!(store.identity(), connect(&apart("own,public")).await.identity());
    assert_ne!(store.identity(), connect(&apart("own")).await.identity());
}

#[tokio::test]
async fn tables_of_the_first_version_get_the_column_of_sessions() {
    let url = server().database();
    let database = url.rsplit('/').next().unwrap();
    let store = connect(&url).await;
    behaviour::insert(&store, 1).await;
    drop(store);
    server().sql_in(
        database,
        "ALTER TABLE grantor_grants DROP COLUMN session; DELETE FROM grantor_schema WHERE version > 1",
    );
    behaviour::finds_by_session(&connect(&url).await).await;
}

#[tokio::test]
async fn a_user_who_may_only_use_the_tables_can_start() {
    let url = server().database();
    let database = url.rsplit('/').next().unwrap();
    connect(&url).await;
    server().sql("CREATE ROLE worker LOGIN");
    // Tables that cannot be read are not taken for missing ones.
    let options = PostgresOptions::new(url.replace("grantor@", "worker@")).without_migration();
    assert!(matches!(options.connect().await.unwrap_err(), OpenError::Forbidden(_)));
    server().sql_in(
        database,
        "GRANT SELECT ON grantor_schema TO worker; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON grantor_grants, grantor_clients, grantor_replays, grantor_keys TO worker; \
         REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    );
    let store = connect(&url.replace("grantor@", "worker@")).await;
    store.insert(behaviour::client("app")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_closed_has_answered_what_was_asked_and_takes_no_more() {
    let url = server().database();
    let store = connect(&url).await;
    behaviour::a_closed_store_takes_no_more(&store, store.close()).await;
    let left = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'",
        url.rsplit('/').next().unwrap()
    );
    assert!(soon(Duration::from_secs(20), || server().sql(&left) == "0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_future_gives_its_connection_back() {
    let store = PostgresOptions::new(server().database()).connections(1).connect().await.unwrap();
    behaviour::a_dropped_future_leaves_nothing_behind(store).await;
}

fn insert(number: u128, subject: &str) -> Write {
    Write::insert(behaviour::grant_of(GrantId::new(number.to_be_bytes()), subject), behaviour::now())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_rows_that_wait_together_share_a_statement() {
    let url = server().database();
    let store = connect(&url).await;
    let writes: Vec<Write> = (0..200).map(|number| insert(number, "alice")).collect();
    let outcomes = join_all(writes.iter().map(|write| store.commit(write))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    let database = url.rsplit('/').next().unwrap();
    let count = |what| server().sql_in(database, &format!("SELECT count({what}) FROM grantor_grants"));
    assert_eq!(count("*"), "200");
    let statements: u32 = count("DISTINCT xmin::text").parse().unwrap();
    assert!(statements <= 4, "{statements}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_rows_that_wait_together_have_an_outcome_each() {
    let store = connect(&server().database()).await;
    drop(store.commit(&insert(7, "alice")).await.unwrap());
    // The database keeps no NUL, and refuses the whole statement for it.
    for subjects in [["alice"; 3], ["alice", "alice", "al\0ice"]] {
        let first = 100 * subjects[2].len() as u128;
        let mut writes: Vec<Write> = (first..first + 60).map(|number| insert(number, subjects[0])).collect();
        writes.extend((first..first + 60).map(|number| insert(number, subjects[1])));
        writes.push(insert(7, "alice"));
        writes.push(insert(first + 99, subjects[2]));
        let outcomes = join_all(writes.iter().map(|write| store.commit(write))).await;
        let (firsts, seconds) = outcomes.split_at(60);
        for pair in firsts.iter().zip(seconds) {
            // Which of the two comes first depends on their connections.
            let one_won =
                matches!(pair, (Ok(_), Err(CommitError::Conflict)) | (Err(CommitError::Conflict), Ok(_)));
            assert!(one_won, "{pair:?}");
        }
        assert!(matches!(outcomes[120], Err(CommitError::Conflict)), "{:?}", outcomes[120]);
        match &outcomes[121] {
            Ok(_) => assert_eq!(subjects[2], "alice"),
            Err(CommitError::Store(error)) => assert!(error.is_permanent() && subjects[2] != "alice"),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Returns those that it ended.
const KILL_WHAT_WAITS: &str = "SELECT pid FROM (SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' OFFSET 0) AS waiting \
     WHERE pg_terminate_backend(pid)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_rows_whose_outcome_is_unknown_are_not_sent_again() {
    const LOCK: &str = "BEGIN; LOCK TABLE grantor_grants IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)";
    const LOCKED: &str = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted \
         AND relation = 'grantor_grants'::regclass";
    let server = Arc::new(Postgres::start());
    let options = PostgresOptions::new(server.url()).statement_timeout(Duration::from_secs(60));
    let store = options.connect().await.unwrap();
    let blocker = {
        let server = Arc::clone(&server);
        std::thread::spawn(move || server.psql("postgres", LOCK))
    };
    assert!(soon(Duration::from_secs(20), || server.sql(LOCKED) == "1"));
    let inserting = tokio::spawn(async move {
        let writes: Vec<Write> = (0..40).map(|number| insert(number, "alice")).collect();
        join_all(writes.iter().map(|write| store.commit(write))).await
    });
    let mut killed = HashSet::new();
    while !inserting.is_finished() {
        killed.extend(server.sql(KILL_WHAT_WAITS).lines().map(str::to_owned));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for outcome in inserting.await.unwrap() {
        assert!(
            matches!(&outcome, Err(CommitError::Store(error)) if error.is_unknown_outcome()),
            "{outcome:?}"
        );
    }
    assert!(killed.len() <= 4, "{} statements for 40 rows", killed.len());
    server.kill_backends();
    assert!(!blocker.join().unwrap().status.success());
}

/// As after a fail-over: the server at the other end takes no writes any more.
#[tokio::test]
async fn a_connection_that_has_become_read_only_is_replaced() {
    let url = server().database();
    let database = url.rsplit('/').next().unwrap();
    let store = PostgresOptions::new(&url).connections(1).connect().await.unwrap();
    // It is read when a connection begins.
    server().sql(&format!("ALTER DATABASE {database} SET default_transaction_read_only = on"));
    store.insert(behaviour::client("a")).await.unwrap_err();
    server().sql(&format!("ALTER DATABASE {database} RESET default_transaction_read_only"));
    store.insert(behaviour::client("a")).await.unwrap();
}

#[tokio::test]
async fn h_18_no_secret_stands_in_a_dump() {
    let url = server().database();
    let secrets = secrets::full_flow(connect(&url).await).await;
    secrets::assert_none_of(&secrets, server().dump(&url).as_bytes());
}

/// The server itself writes down how it ran what the store asked for.
#[tokio::test]
async fn no_statement_scans_a_table() {
    let settings =
        ["session_preload_libraries='auto_explain'", "auto_explain.log_min_duration=0", "fsync=off"];
    let server = Postgres::with(&settings);
    let store = PostgresOptions::new(server.url()).connections(1).connect().await.unwrap();
    let rows = std::env::var("GRANTOR_ROWS").unwrap_or_else(|_| "100000".to_owned());
    server.sql(&format!(
        "INSERT INTO grantor_grants SELECT '', decode(md5(n::text), 'hex'), 0, 'client-' || n % 50, 'user:' || n % 5000, \
           1800000000 + n, CASE WHEN n % 10 = 0 THEN sha256(n::text::bytea) END, '{{}}', \
           CASE WHEN n % 3 = 0 THEN decode(md5('s' || n::text), 'hex') END FROM generate_series(1, {rows}) n; \
         INSERT INTO grantor_clients SELECT '', 'client-' || n, 0, CASE WHEN n % 2 = 0 THEN 'user-' || n % 5000 END, '{{}}' \
           FROM generate_series(1, {rows}) n; \
         INSERT INTO grantor_replays SELECT '', sha256(n::text::bytea), 1800000000 + n FROM generate_series(1, {rows}) n; \
         ANALYZE"
    ));
    let begin = server.log().len();
    // A statement that is asked often is planned again, for any values.
    for _ in 0..8 {
        behaviour::asks_everything(&store).await;
    }
    let log = server.log().split_off(begin);
    let plans = log.matches("plan:").count();
    assert!(plans >= 8 * 15, "{plans} plans");
    // Of the keys there is one row for each issuer.
    let scans = |line: &&str| line.contains("Seq Scan") && !line.contains("grantor_keys");
    let line = log.lines().find(|line| scans(line) || line.contains("Sort Key: id"));
    assert!(line.is_none(), "{line:?} in {log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_away_is_found_again_within_a_second() {
    let mut server = Postgres::start();
    let store = PostgresOptions::new(server.url()).connections(8).connect().await.unwrap();
    store.insert(behaviour::client("app")).await.unwrap();
    let id = ClientId::new("app");
    let reads = || async {
        let store = store.clone();
        let read = |_| {
            let (store, id) = (store.clone(), id.clone());
            tokio::spawn(async move { store.client(&id).await })
        };
        let mut answers = Vec::new();
        for task in (0..8).map(read).collect::<Vec<_>>() {
            answers.push(task.await.unwrap());
        }
        answers
    };
    assert!(reads().await.iter().all(Result::is_ok));
    for round in 0..3 {
        server.stop_at_once();
        let asked = Instant::now();
        for answer in reads().await {
            let error = answer.unwrap_err();
            assert!(!error.is_permanent() && !error.is_unknown_outcome(), "{error}");
        }
        let refused = store.insert(behaviour::client("late")).await.unwrap_err();
        assert!(!refused.to_string().contains("exists"), "{refused}");
        assert!(asked.elapsed() < Duration::from_secs(6), "an answer in time: {:?}", asked.elapsed());

        server.start_again();
        let back = Instant::now();
        while !reads().await.iter().all(Result::is_ok) {}
        assert!(back.elapsed() < Duration::from_secs(1), "after {:?}", back.elapsed());
        store.insert(behaviour::client(&format!("app-{round}"))).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_backend_is_an_unknown_outcome_and_its_place_is_filled() {
    const LOCK: &str = "BEGIN; LOCK TABLE grantor_clients IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)";
    const LOCKED: &str = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted \
         AND relation = 'grantor_clients'::regclass";
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    let server = Arc::new(Postgres::start());
    let store = PostgresOptions::new(server.url()).connections(2).statement_timeout(Duration::from_secs(60));
    let store = store.connect().await.unwrap();
    let (filter, page, id) = (Filter::default(), Page::first(1), ClientId::new("app"));
    store.insert(behaviour::client("app")).await.unwrap();
    for _ in 0..5 {
        let blocker = {
            let server = Arc::clone(&server);
            std::thread::spawn(move || server.psql("postgres", LOCK))
        };
        assert!(soon(Duration::from_secs(20), || server.sql(LOCKED) == "1"));
        let removal = {
            let (store, id) = (store.clone(), id.clone());
            tokio::spawn(async move { store.remove(&id).await })
        };
        assert!(soon(Duration::from_secs(20), || server.sql(WAITING) == "1"));
        server.kill_backends();
        let outcome = removal.await.unwrap();
        assert!(
            matches!(&outcome, Err(RegistryError::Store(error)) if error.is_unknown_outcome()),
            "{outcome:?}"
        );
        assert!(!blocker.join().unwrap().status.success());
        // Both places are free again, as soon as a read has met each dead connection.
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            let (one, other) = tokio::join!(store.list(&filter, page), store.list(&filter, page));
            if one.is_ok() && other.is_ok() {
                break;
            }
            assert!(Instant::now() < until, "{one:?} {other:?}");
        }
        assert!(store.client(&id).await.unwrap().is_some(), "the lock outlived the statement");
    }
}

#[tokio::test]
async fn a_statement_that_waits_too_long_is_given_up_and_did_not_happen() {
    let url = server().database();
    let options = PostgresOptions::new(&url).statement_timeout(Duration::from_millis(200));
    let store = options.connect().await.unwrap();
    let database = url.rsplit('/').next().unwrap().to_owned();
    let blocker = std::thread::spawn({
        let database = database.clone();
        move || server().sql_in(&database, "BEGIN; LOCK TABLE grantor_clients; SELECT pg_sleep(2)")
    });
    let locked = "SELECT count(*) FROM pg_locks WHERE granted AND relation = 'grantor_clients'::regclass";
    assert!(soon(Duration::from_secs(20), || server().sql_in(&database, locked) == "1"));
    let outcome = store.insert(behaviour::client("app")).await;
    assert!(
        matches!(&outcome, Err(RegistryError::Store(e)) if !e.is_unknown_outcome() && !e.is_permanent()),
        "{outcome:?}"
    );
    blocker.join().unwrap();
    store.insert(behaviour::client("app")).await.unwrap();
}

#[tokio::test]
async fn ft_36_a_schema_that_was_left_half_made_is_finished() {
    let (server, url) = (server(), server().database());
    server.sql_in(url.rsplit('/').next().unwrap(), "CREATE TABLE grantor_keys (space TEXT COLLATE \"C\" NOT NULL PRIMARY KEY, version BIGINT NOT NULL, body TEXT NOT NULL)");
    // It writes to each of the tables.
    behaviour::spaces_know_nothing_of_each_other(connect(&url).await).await;
}

#[tokio::test]
async fn ft_36_a_schema_that_did_not_get_its_version_is_not_opened() {
    let (server, url) = (server(), server().database());
    server.sql_in(url.rsplit('/').next().unwrap(), "CREATE TABLE grantor_schema (version BIGINT PRIMARY KEY); CREATE RULE lost AS ON INSERT TO grantor_schema DO INSTEAD NOTHING");
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert!(matches!(error, OpenError::Incomplete { found: 0, .. }), "{error}");
}

#[tokio::test]
async fn ft_07_what_cannot_be_read_stops_nothing() {
    let (server, url) = (server(), server().database());
    behaviour::what_cannot_be_read_stops_nothing(&connect(&url).await, async || {
        let database = url.rsplit('/').next().unwrap();
        server.sql_in(
            database,
            "UPDATE grantor_grants SET body = '{' WHERE id = decode(repeat('02', 16), 'hex')",
        );
        server.sql_in(database, "UPDATE grantor_clients SET body = '{' WHERE id = 'b'");
    })
    .await;
}

#[tokio::test]
async fn the_longest_timeout_is_no_timeout() {
    let options = PostgresOptions::new(server().database()).statement_timeout(Duration::MAX);
    let store = options.connect().await.unwrap();
    store.insert(behaviour::client("app")).await.unwrap();
}
