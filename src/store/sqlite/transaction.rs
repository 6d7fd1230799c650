//! Runs a batch of writes in one transaction with one flush, each with its own condition and outcome.

use rusqlite::Connection;
use rusqlite::types::Value as Owned;

use super::super::sql::{Value, again};
use super::super::{BackendError, CommitError};
use super::error::{is_busy, is_conflict, not_begun, write_error};

/// A statement that changes rows, and its parameters.
pub(super) struct Change {
    statement: &'static str,
    values: Vec<Owned>,
}

/// The number of changed rows.
pub(super) type Outcome = Result<u64, CommitError>;

impl Change {
    pub(super) fn new(statement: &'static str, values: &[Value<'_>]) -> Self {
        Self { statement, values: values.iter().map(owned).collect() }
    }

    /// Runs the statement in the open transaction or, if there is none, in its own.
    fn run(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let mut statement = connection.prepare_cached(self.statement)?;
        for parameter in 1..=statement.parameter_count() {
            // SQLite numbers a named parameter such as `$2` by its position in the statement, but here it is
            // the second value.
            let name = statement.parameter_name(parameter).and_then(|name| name.strip_prefix('$'));
            let number = name.and_then(|name| name.parse::<usize>().ok()).unwrap_or_default();
            let value = self.values.get(number.wrapping_sub(1));
            let value = value.ok_or(rusqlite::Error::InvalidParameterCount(self.values.len(), number))?;
            statement.raw_bind_parameter(parameter, value)?;
        }
        statement.raw_execute().map(|changed| changed as u64)
    }
}

/// Runs all changes, and returns the outcome of each, in order. A confirmed change has been flushed.
///
/// A change that fails does not affect the others: the transaction is rolled back, and they run again without
/// it.
pub(super) fn run(connection: &Connection, changes: &[Change]) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = changes.iter().map(|_| None).collect();
    loop {
        let open: Vec<usize> = (0..changes.len()).filter(|number| outcomes[*number].is_none()).collect();
        match attempt(connection, changes, &open) {
            Attempt::Written(written) => {
                open.iter().zip(written).for_each(|(number, outcome)| outcomes[*number] = Some(outcome));
            }
            Attempt::OneFailed(number, error) => {
                outcomes[number] = Some(Err(error.into()));
                continue;
            }
            Attempt::AllFailed(error) => {
                open.iter().for_each(|number| outcomes[*number] = Some(Err(again(&error).into())));
            }
        }
        return outcomes.into_iter().flatten().collect();
    }
}

/// How one transaction ended.
enum Attempt {
    /// It was flushed.
    Written(Vec<Outcome>),
    /// This change failed, so the transaction was rolled back.
    OneFailed(usize, BackendError),
    /// All changes have this outcome.
    AllFailed(BackendError),
}

fn attempt(connection: &Connection, changes: &[Change], open: &[usize]) -> Attempt {
    if let [one] = open {
        return Attempt::Written(vec![changes[*one].run(connection).map_err(write_error)]);
    }
    // The cause is, for example, another process that writes: each change alone would have to wait as long.
    if let Err(error) = execute(connection, "BEGIN IMMEDIATE") {
        return Attempt::AllFailed(not_begun(error));
    }
    let mut outcomes = Vec::with_capacity(open.len());
    for number in open {
        outcomes.push(match changes[*number].run(connection) {
            Ok(changed) => Ok(changed),
            // Only the statement is rolled back, and the transaction continues.
            Err(error) if is_conflict(&error) && !connection.is_autocommit() => Err(CommitError::Conflict),
            Err(error) if undone(connection) => return Attempt::OneFailed(*number, not_begun(error)),
            Err(error) => return Attempt::AllFailed(not_begun(error)),
        });
    }
    match execute(connection, "COMMIT") {
        Ok(()) => Attempt::Written(outcomes),
        Err(error) => match write_error(error) {
            CommitError::Store(error) if error.is_unknown_outcome() || !undone(connection) => {
                Attempt::AllFailed(error)
            }
            _ => Attempt::Written(one_by_one(connection, changes, open)),
        },
    }
}

/// The batch may have been too large, for example for a nearly full disk. A single change may still succeed.
fn one_by_one(connection: &Connection, changes: &[Change], open: &[usize]) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(open.len());
    for number in open {
        match changes[*number].run(connection) {
            // Each of the others would wait as long for whatever holds the lock.
            Err(error) if is_busy(&error) => {
                let busy = not_begun(error);
                outcomes.resize_with(open.len(), || Err(again(&busy).into()));
                break;
            }
            outcome => outcomes.push(outcome.map_err(write_error)),
        }
    }
    outcomes
}

/// Rolls the transaction back, unless SQLite has already ended it; `false` if it is still open.
fn undone(connection: &Connection) -> bool {
    connection.is_autocommit() || execute(connection, "ROLLBACK").is_ok()
}

fn execute(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute(()).map(drop)
}

fn owned(value: &Value<'_>) -> Owned {
    match *value {
        Value::Text(text) => Owned::Text(text.to_owned()),
        Value::MaybeText(text) => text.map_or(Owned::Null, |text| Owned::Text(text.to_owned())),
        Value::Bytes(bytes) => Owned::Blob(bytes.to_owned()),
        Value::MaybeBytes(bytes) => bytes.map_or(Owned::Null, |bytes| Owned::Blob(bytes.to_owned())),
        Value::Integer(number) => Owned::Integer(number),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A table that refuses some numbers, each in a different way.
    fn table() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON; \
                 CREATE TABLE parents (number INTEGER PRIMARY KEY); \
                 CREATE TABLE t (number INTEGER UNIQUE, text TEXT, \
                     parent INTEGER REFERENCES parents (number) DEFERRABLE INITIALLY DEFERRED) STRICT; \
                 CREATE TRIGGER aborts BEFORE INSERT ON t WHEN NEW.number = 100 BEGIN SELECT RAISE(ABORT, 'no'); END; \
                 CREATE TRIGGER fails BEFORE INSERT ON t WHEN NEW.number = 101 BEGIN SELECT RAISE(FAIL, 'no'); END; \
                 CREATE TRIGGER ends BEFORE INSERT ON t WHEN NEW.number = 102 BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
            )
            .unwrap();
        connection
    }

    /// The second value comes first, as in the statements of the stores.
    const INSERT: &str = "INSERT INTO t (text, number) VALUES ($2, $1)";
    const INSERT_CHILD: &str = "INSERT INTO t (number, parent) VALUES ($1, $2)";

    fn insert(number: i64) -> Change {
        Change::new(INSERT, &[Value::Integer(number), Value::Text("a")])
    }

    fn numbers(connection: &Connection) -> Vec<i64> {
        let mut statement = connection.prepare("SELECT number FROM t ORDER BY number").unwrap();
        statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn whichever_member_fails_in_whichever_way_fails_alone() {
        for bad in [100, 101, 102] {
            for place in 0..4 {
                let connection = table();
                let mut members: Vec<i64> = (0..3).collect();
                members.insert(place, bad);
                let changes: Vec<Change> = members.iter().map(|number| insert(*number)).collect();
                let outcomes = run(&connection, &changes);
                for (number, outcome) in members.iter().zip(&outcomes) {
                    match outcome {
                        Ok(1) => assert_ne!(*number, bad),
                        Err(CommitError::Store(error)) if error.is_permanent() => assert_eq!(*number, bad),
                        other => panic!("{number}: {other:?}"),
                    }
                }
                assert_eq!(numbers(&connection), [0, 1, 2], "{bad} at {place}");
                assert!(connection.is_autocommit());
            }
        }
    }

    #[test]
    fn a_condition_that_does_not_hold_is_its_members_alone() {
        let connection = table();
        let nothing = Change::new("UPDATE t SET text = 'b' WHERE number = $1", &[Value::Integer(7)]);
        let outcomes = run(&connection, &[insert(1), insert(1), nothing, insert(2)]);
        assert!(matches!(&outcomes[..], [Ok(1), Err(CommitError::Conflict), Ok(0), Ok(1)]), "{outcomes:?}");
        assert_eq!(numbers(&connection), [1, 2]);
    }

    #[test]
    fn what_cannot_be_committed_together_is_committed_one_by_one() {
        let connection = table();
        // The foreign key is checked at the commit.
        let orphan = Change::new(INSERT_CHILD, &[Value::Integer(3), Value::Integer(9)]);
        let outcomes = run(&connection, &[insert(1), orphan, insert(2)]);
        assert!(matches!(&outcomes[..], [Ok(1), Err(CommitError::Store(_)), Ok(1)]), "{outcomes:?}");
        assert_eq!(numbers(&connection), [1, 2]);
        assert!(connection.is_autocommit());
    }

    thread_local! { static WAITS: Cell<u32> = const { Cell::new(0) }; }

    #[test]
    fn where_another_process_writes_one_wait_is_enough_for_all() {
        let path = std::env::temp_dir().join(format!("grantor-busy-{}.db", std::process::id()));
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE t (number INTEGER UNIQUE, text TEXT)").unwrap();
        let count = |_| {
            WAITS.set(WAITS.get() + 1);
            false
        };
        connection.busy_handler(Some(count)).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let changes: Vec<Change> = (0..5).map(insert).collect();
        let outcomes = one_by_one(&connection, &changes, &[0, 1, 2, 3, 4]);
        let transient = |outcome: &Outcome| match outcome {
            Err(CommitError::Store(error)) => !error.is_permanent() && !error.is_unknown_outcome(),
            _ => false,
        };
        assert!(outcomes.len() == 5 && outcomes.iter().all(transient), "{outcomes:?}");
        assert_eq!(WAITS.get(), 1);
        let _ = std::fs::remove_file(&path);
    }

    #[test]
    fn all_that_fail_fail_and_nothing_is_left_open() {
        let connection = table();
        let outcomes = run(&connection, &[insert(100), insert(101), insert(102), insert(100)]);
        assert!(outcomes.len() == 4 && outcomes.iter().all(Result::is_err), "{outcomes:?}");
        assert!(connection.is_autocommit() && numbers(&connection).is_empty());
    }
}
