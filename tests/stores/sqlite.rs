//! [`SqliteStore`] on a file.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use grantor::client::RegistryError;
use grantor::store::{CommitError, Filter, OpenError, Page, SqliteOptions, SqliteStore, Tombstone, Write};
use grantor::{ClientId, ClientRegistry as _, Registrar as _, TokenStore as _};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::behaviour::{self, client};
use crate::contract::keeps_every_contract;
use crate::folder::Folder;
use crate::secrets;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_keeps_every_contract() {
    let folder = Folder::new();
    keeps_every_contract(SqliteStore::open(&folder.file("grants.db")).await.unwrap()).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_in_one_line_at_start() {
    let folder = Folder::new();
    std::fs::write(
        folder.path().join("text.db"),
        "no database, but long enough to be taken for one".repeat(99),
    )
    .unwrap();
    std::fs::create_dir(folder.path().join("directory")).unwrap();
    let cases = [
        ("mysql://localhost/grants".to_owned(), "\"mysql\" is not SQLite: give a path, or sqlite:PATH"),
        ("sqlite:".to_owned(), "it names no file"),
        ("sqlite::memory:".to_owned(), "a database in memory is MemoryStore"),
        (folder.file("none/grants.db"), "its directory does not exist: create it, or name another file"),
        (folder.file("text.db"), "not an SQLite database: name another file"),
        (folder.file("directory"), "cannot be written"),
    ];
    for (address, expected) in cases {
        let error = SqliteStore::open(&address).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{address}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
    assert!(!folder.path().join("none").exists(), "no directory is created");
}

#[tokio::test]
async fn an_address_is_a_path_or_a_path_after_sqlite() {
    let folder = Folder::new();
    let path = folder.file("spaces & 100%?#.db");
    for address in [path.clone(), format!("sqlite:{path}"), format!("sqlite://{path}")] {
        let store = SqliteStore::open(&address).await.unwrap();
        let found = store.client(&ClientId::new("app")).await.unwrap();
        assert_eq!(found.is_some(), address != path, "{address}");
        if found.is_none() {
            store.insert(client("app")).await.unwrap();
        }
    }
    assert!(Path::new(&path).exists());
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_may_read_a_new_file_and_another_one_keeps_its_mode() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let mode = |name: &str| std::fs::metadata(folder.file(name)).unwrap().permissions().mode() & 0o777;
    let store = SqliteStore::open(&folder.file("new.db")).await.unwrap();
    store.insert(client("app")).await.unwrap();
    for name in ["new.db", "new.db-wal", "new.db-shm"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    std::fs::write(folder.file("own.db"), "").unwrap();
    std::fs::set_permissions(folder.file("own.db"), Permissions::from_mode(0o640)).unwrap();
    let store = SqliteStore::open(&folder.file("own.db")).await.unwrap();
    store.insert(client("app")).await.unwrap();
    assert_eq!(mode("own.db"), 0o640);
}

#[tokio::test]
async fn processes_that_start_together_migrate_once() {
    let folder = Folder::new();
    for round in 0..5 {
        let path: Arc<str> = folder.file(&format!("{round}.db")).into();
        let opened = (0..8).map(|_| {
            let path = Arc::clone(&path);
            // A thread and a runtime of its own, as a process has.
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let store = SqliteStore::open(&path).await.unwrap();
                    store.list(&Filter::default(), Page::first(1)).await.unwrap();
                });
            })
        });
        for thread in opened.collect::<Vec<_>>() {
            thread.join().unwrap();
        }
        assert_eq!(query(&path, "SELECT count(*) FROM grantor_schema").await, 2);
    }
}

#[tokio::test]
async fn tables_of_the_first_version_get_the_column_of_sessions() {
    let folder = Folder::new();
    let path = folder.file("grants.db");
    let store = SqliteStore::open(&path).await.unwrap();
    behaviour::insert(&store, 1).await;
    drop(store);
    for statement in [
        "DROP INDEX grantor_grants_session",
        "ALTER TABLE grantor_grants DROP COLUMN session",
        "DELETE FROM grantor_schema WHERE version > 1",
    ] {
        change(&path, statement).await;
    }
    behaviour::finds_by_session(&SqliteStore::open(&path).await.unwrap()).await;
}

#[tokio::test]
async fn without_migration_a_file_is_checked_and_left_alone() {
    let folder = Folder::new();
    let path = folder.file("grants.db");
    let open = || SqliteOptions::new(&path).without_migration().open();
    assert!(matches!(open().await.unwrap_err(), OpenError::NoFile(_)));
    assert!(!Path::new(&path).exists());
    // A file with another program's tables.
    std::fs::File::create(&path).unwrap();
    change(&path, "CREATE TABLE users (name TEXT)").await;
    for (found, statements) in (0_i64..).zip(SqliteStore::schema()) {
        let error = open().await.unwrap_err();
        assert!(matches!(error, OpenError::Outdated { found: at, known: 2, .. } if at == found), "{error:?}");
        assert_eq!(
            query(&path, "SELECT count(*) FROM sqlite_schema WHERE name = 'grantor_grants'").await,
            found
        );
        change(&path, statements).await;
    }
    let store = open().await.unwrap();
    behaviour::insert(&store, 1).await;
    behaviour::finds_by_session(&store).await;
    assert_eq!(query(&path, "SELECT count(*) FROM users").await, 0);
    // What was made by hand is what would have been made.
    drop(SqliteStore::open(&path).await.unwrap());
    assert_eq!(query(&path, "SELECT count(*) FROM grantor_schema").await, 2);
}

#[tokio::test]
async fn the_schema_of_a_later_version_is_refused_and_left_alone() {
    let folder = Folder::new();
    let path = folder.file("grants.db");
    SqliteStore::open(&path).await.unwrap();
    query(&path, "INSERT INTO grantor_schema VALUES (99) RETURNING version").await;
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 99, known: 2, .. }), "{error:?}");
    assert!(
        error.to_string().ends_with("has version 99, and this version of grantor knows 2: upgrade grantor")
    );
    assert_eq!(query(&path, "SELECT max(version) FROM grantor_schema").await, 99);
}

#[tokio::test]
async fn what_is_written_survives_the_store() {
    let folder = Folder::new();
    let path = folder.file("grants.db");
    let store = SqliteOptions::new(&path).readers(1).open().await.unwrap();
    store.insert(client("app")).await.unwrap();
    drop(store);
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.client(&ClientId::new("app")).await.unwrap().as_deref(), Some(&client("app")));
}

#[tokio::test]
async fn a_client_that_another_process_deleted_is_gone_at_once() {
    let folder = Folder::new();
    let path = folder.file("grants.db");
    let (one, other) = (SqliteStore::open(&path).await.unwrap(), SqliteStore::open(&path).await.unwrap());
    let id = ClientId::new("app");
    one.insert(client("app")).await.unwrap();
    assert!(other.client(&id).await.unwrap().is_some());
    one.remove(&id).await.unwrap();
    assert!(other.client(&id).await.unwrap().is_none() && other.try_client(&id).is_none());
}

#[tokio::test]
async fn spaces_know_nothing_of_each_other() {
    let folder = Folder::new();
    let store = SqliteStore::open(&folder.file("grants.db")).await.unwrap();
    behaviour::spaces_know_nothing_of_each_other(store).await;
}

#[tokio::test]
async fn a_file_is_the_same_under_each_of_its_names() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("below")).unwrap();
    let open = async |name: &str| SqliteStore::open(&folder.file(name)).await.unwrap();
    let store = open("grants.db").await;
    behaviour::identities_are_those_of_database_and_space(&store, &open("below/../grants.db").await);
    assert_ne!(store.identity(), open("other.db").await.identity());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_future_gives_its_connection_back() {
    let folder = Folder::new();
    let store = SqliteOptions::new(folder.file("grants.db")).readers(1).open().await.unwrap();
    behaviour::a_dropped_future_leaves_nothing_behind(store).await;
}

#[tokio::test]
async fn h_18_no_secret_stands_in_the_file() {
    let folder = Folder::new();
    let store = SqliteStore::open(&folder.file("grants.db")).await.unwrap();
    let secrets = secrets::full_flow(store.clone()).await;
    let files =
        std::fs::read_dir(folder.path()).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    secrets::assert_none_of(&secrets, &files.collect::<Vec<_>>().concat());
}

#[tokio::test]
async fn a_body_of_a_later_version_is_a_permanent_error_that_says_so() {
    let folder = Folder::new();
    let path = folder.file("grants.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let _ = store.commit(&Write::insert(behaviour::grant(1), behaviour::now())).await.unwrap();
    store.insert(client("app")).await.unwrap();
    query(&path, "UPDATE grantor_grants SET body = json_set(body, '$.v', 2) RETURNING 1").await;
    query(&path, "UPDATE grantor_clients SET body = json_set(body, '$.v', 2) RETURNING 1").await;
    let grant = store.load(behaviour::grant(1).id()).await.unwrap_err();
    let client = store.client(&ClientId::new("app")).await.unwrap_err();
    for error in [grant, client] {
        assert!(error.is_permanent() && error.to_string().ends_with("upgrade grantor"), "{error}");
    }
}

#[tokio::test]
async fn a_missing_table_is_permanent_and_a_locked_file_is_not() {
    let folder = Folder::new();
    let path = folder.file("grants.db");
    let store = SqliteOptions::new(&path).busy_timeout(Duration::from_millis(50)).open().await.unwrap();
    let options = SqliteConnectOptions::new().filename(&path);
    let mut other = options.connect().await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let busy = store.insert(client("app")).await.unwrap_err();
    assert!(
        matches!(&busy, RegistryError::Store(e) if !e.is_permanent() && !e.is_unknown_outcome()),
        "{busy:?}"
    );
    assert!(store.client(&ClientId::new("app")).await.unwrap().is_none(), "readers do not wait");
    lock.rollback().await.unwrap();
    store.insert(client("app")).await.unwrap();
    sqlx::raw_sql("DROP TABLE grantor_clients").execute(&mut other).await.unwrap();
    assert!(store.client(&ClientId::new("app")).await.unwrap_err().is_permanent());
    let missing = store.insert(client("other")).await.unwrap_err();
    assert!(matches!(&missing, RegistryError::Store(error) if error.is_permanent()), "{missing:?}");
}

#[tokio::test]
async fn ft_07_what_cannot_be_read_stops_nothing() {
    let folder = Folder::new();
    let path = folder.file("grants.db");
    let store = SqliteStore::open(&path).await.unwrap();
    behaviour::what_cannot_be_read_stops_nothing(&store, async || {
        query(
            &path,
            "UPDATE grantor_grants SET body = '{' WHERE id = x'02020202020202020202020202020202' RETURNING 1",
        )
        .await;
        query(&path, "UPDATE grantor_clients SET body = '{' WHERE id = 'b' RETURNING 1").await;
    })
    .await;
}

/// Nothing is written while this is held, so that writes wait for each other.
async fn locked(connection: &mut SqliteConnection) -> sqlx::Transaction<'_, sqlx::Sqlite> {
    connection.begin_with("BEGIN IMMEDIATE").await.unwrap()
}

/// A future that was polled once, and its output if it is ready.
type Begun<F> = (Pin<Box<F>>, Option<<F as Future>::Output>);

/// Polls each of them once: now they wait.
fn begun<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<Begun<F>> {
    let mut context = Context::from_waker(Waker::noop());
    let poll = |future: F| {
        let mut future = Box::pin(future);
        let output = match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        };
        (future, output)
    };
    futures.into_iter().map(poll).collect()
}

async fn finished<F: Future>(begun: Vec<Begun<F>>) -> Vec<F::Output> {
    let mut outputs = Vec::new();
    for (future, output) in begun {
        outputs.push(match output {
            Some(output) => output,
            None => future.await,
        });
    }
    outputs
}

fn inserts(numbers: std::ops::Range<u8>) -> Vec<Write> {
    numbers.map(|number| Write::insert(behaviour::grant(number), behaviour::now())).collect()
}

/// How many transactions are in the log: the header of a page says how large the file is after a commit, and
/// else 0.
fn transactions(path: &str) -> usize {
    let log = std::fs::read(format!("{path}-wal")).unwrap();
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let page = 24 + usize::try_from(number(8)).unwrap();
    (32..log.len()).step_by(page).filter(|at| number(at + 4) > 0).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_wait_together_share_one_flush() {
    let folder = Folder::new();
    let path = folder.file("grants.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let lock = locked(&mut other).await;
    let before = transactions(&path);
    let writes = inserts(0..100);
    let waiting = begun(writes.iter().map(|write| store.commit(write)));
    lock.rollback().await.unwrap();
    assert!(finished(waiting).await.iter().all(Result::is_ok));
    // The first may have been alone: it came when nothing else was there.
    let shared = transactions(&path) - before;
    assert!((1..=2).contains(&shared), "{shared} transactions for 100 writes");
    assert_eq!(query(&path, "SELECT count(*) FROM grantor_grants").await, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_a_batch_that_fails_fails_alone() {
    let folder = Folder::new();
    let path = folder.file("grants.db");
    let store = SqliteStore::open(&path).await.unwrap();
    // Every other one: it ends not only its statement but the transaction.
    let bad = "CREATE TRIGGER bad BEFORE INSERT ON grantor_grants WHEN unicode(NEW.id) % 2 = 1 \
         BEGIN SELECT RAISE(ROLLBACK, 'no'); END";
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    sqlx::raw_sql(bad).execute(&mut other).await.unwrap();
    let lock = locked(&mut other).await;
    let writes = inserts(0..60);
    let taken = Write::insert(behaviour::grant(2), behaviour::now());
    let ends = Tombstone::of(behaviour::grant(2), behaviour::now());
    let waiting = begun(writes.iter().map(|write| store.commit(write)));
    let conflicting = begun([store.commit(&taken)]);
    let ending = begun([store.end(&ends)]);
    lock.rollback().await.unwrap();
    for (number, outcome) in finished(waiting).await.into_iter().enumerate() {
        match outcome {
            Ok(_) => assert_eq!(number % 2, 0, "{number}"),
            Err(CommitError::Store(error)) => {
                assert!(number % 2 == 1 && error.is_permanent(), "{number}: {error}")
            }
            Err(error) => panic!("{number}: {error}"),
        }
    }
    assert!(matches!(finished(conflicting).await[..], [Err(CommitError::Conflict)]));
    assert!(finished(ending).await[0].is_ok());
    assert_eq!(query(&path, "SELECT count(*) FROM grantor_grants").await, 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_queue_a_write_is_refused_at_once_and_a_revocation_is_not() {
    const PLACES: usize = 10;
    let folder = Folder::new();
    let path = folder.file("grants.db");
    let store = SqliteOptions::new(&path).most_waiting(PLACES).open().await.unwrap();
    let _ = store.commit(&inserts(200..201)[0]).await.unwrap();
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let lock = locked(&mut other).await;
    let writes = inserts(0..100);
    let waiting = begun(writes.iter().map(|write| store.commit(write)));
    let refused = waiting.iter().filter(|(_, output)| output.is_some()).count();
    // One batch may have left the queue before it was full.
    assert!((100 - 2 * PLACES..=100 - PLACES).contains(&refused), "{refused} refused");
    for (_, output) in &waiting {
        let Some(Err(CommitError::Store(error))) = output else { continue };
        assert!(error.to_string().ends_with("too many writes wait"), "{error}");
        assert!(
            !error.is_permanent() && !error.is_unknown_outcome(),
            "nothing happened, and a retry may work"
        );
    }
    let end = Tombstone::of(behaviour::grant(200), behaviour::now());
    let ending = begun([store.end(&end)]);
    assert!(ending[0].1.is_none(), "it waits");
    assert!(store.load(behaviour::grant(200).id()).await.unwrap().is_some(), "and reads do not");
    lock.rollback().await.unwrap();
    assert!(finished(ending).await[0].is_ok());
    let confirmed = finished(waiting).await.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(confirmed, 100 - refused);
    let rows = query(&path, "SELECT count(*) FROM grantor_grants").await;
    assert_eq!(rows, i64::try_from(confirmed).unwrap() + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_waits_too_long_is_not_written_later() {
    let folder = Folder::new();
    let path = folder.file("grants.db");
    let store = SqliteOptions::new(&path).busy_timeout(Duration::from_millis(50)).open().await.unwrap();
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let lock = locked(&mut other).await;
    let writes = inserts(0..20);
    let waiting = begun(writes.iter().map(|write| store.commit(write)));
    for outcome in finished(waiting).await {
        let Err(CommitError::Store(error)) = outcome else { panic!("{outcome:?}") };
        assert!(!error.is_permanent() && !error.is_unknown_outcome(), "{error}");
    }
    lock.rollback().await.unwrap();
    // What waits is written before the file is closed.
    store.close().await;
    assert_eq!(query(&path, "SELECT count(*) FROM grantor_grants").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_closed_has_written_what_waited_and_writes_no_more() {
    let folder = Folder::new();
    let path = folder.file("grants.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let writes = inserts(0..100);
    let waiting = begun(writes.iter().map(|write| store.commit(write)));
    store.close().await;
    store.close().await;
    assert!(finished(waiting).await.iter().all(Result::is_ok));
    let late = store.commit(&inserts(100..101)[0]).await;
    assert!(matches!(&late, Err(CommitError::Store(e)) if !e.is_unknown_outcome()), "{late:?}");
    assert!(!Path::new(&format!("{path}-wal")).exists(), "the log is in the file");
    assert_eq!(query(&path, "SELECT count(*) FROM grantor_grants").await, 100);
}

/// The writer belongs to no runtime, so none that ends takes it along.
#[test]
fn a_write_that_has_begun_outlives_the_runtime_that_asked_for_it() {
    let folder = Folder::new();
    let path = folder.file("grants.db");
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let options = SqliteOptions::new(&path).most_waiting(1).busy_timeout(Duration::from_secs(60));
    let store = first.block_on(options.open()).unwrap();
    let mut other = second.block_on(SqliteConnectOptions::new().filename(&path).connect()).unwrap();
    let lock = second.block_on(locked(&mut other));
    let asking = store.clone();
    first.spawn(async move { drop(asking.commit(&inserts(0..1)[0]).await) });
    first.block_on(tokio::task::yield_now());
    // There is one place to wait, and it is free once the first write has begun.
    let next = inserts(1..2);
    while begun([store.commit(&next[0])])[0].1.is_some() {
        std::thread::yield_now();
    }
    drop(first);
    second.block_on(async { lock.rollback().await.unwrap() });
    second.block_on(store.close());
    assert_eq!(second.block_on(query(&path, "SELECT count(*) FROM grantor_grants")), 1);
}

/// One number, by a connection of the test's own.
async fn change(path: &str, statement: &'static str) {
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
}

async fn query(path: &str, statement: &'static str) -> i64 {
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap()
}
