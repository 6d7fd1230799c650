//! Tests every order of a few writes, batches and disappearing callers, with the real queue and real
//! transactions.

use rusqlite::Connection;

use super::super::sql::{Lane, Value};
use super::queue::{MOST_AT_ONCE, Queue, Ticket};
use super::transaction::{Change, run};

const WRITES: usize = 3;

/// The kind of a write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Good,
    /// It has the same key as the first write.
    Same,
    /// SQLite refuses it and ends the transaction.
    Bad,
}

const KINDS: [Kind; 3] = [Kind::Good, Kind::Same, Kind::Bad];

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The next write enters the queue.
    Enter,
    /// The caller of this write is dropped.
    Leave(usize),
    /// The waiting writes are written and answered.
    Batch,
}

/// All orders in which three writes enter, at most one caller is dropped, and up to three batches are
/// written.
fn orders(begun: &[Step], all: &mut Vec<Vec<Step>>) {
    let count = |is: fn(&Step) -> bool| begun.iter().filter(|step| is(step)).count();
    let entered = count(|step| matches!(step, Step::Enter));
    if entered == WRITES {
        all.push(begun.to_vec());
    }
    let mut next = Vec::new();
    if entered < WRITES {
        next.push(Step::Enter);
    }
    if count(|step| matches!(step, Step::Leave(_))) == 0 {
        next.extend((0..entered).map(Step::Leave));
    }
    if count(|step| matches!(step, Step::Batch)) < 3 {
        next.push(Step::Batch);
    }
    for step in next {
        orders(&[begun, &[step]].concat(), all);
    }
}

/// The answer to a write, if any.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Nothing,
    TakenBack,
    Written,
    Failed,
}

struct Run<'a> {
    connection: &'a Connection,
    kinds: [Kind; WRITES],
    lanes: [Lane; WRITES],
    queue: Queue<usize>,
    tickets: Vec<Ticket>,
    told: [Told; WRITES],
}

impl Run<'_> {
    fn step(&mut self, step: Step) {
        match step {
            Step::Enter => {
                let number = self.tickets.len();
                self.tickets.push(self.queue.enter(self.lanes[number], number).unwrap());
            }
            Step::Leave(number) => {
                if self.queue.withdraw(self.tickets[number]).is_some() {
                    self.tell(number, Told::TakenBack);
                }
            }
            Step::Batch => self.write(),
        }
    }

    fn write(&mut self) {
        let batch = self.queue.next_batch();
        let changes: Vec<Change> = batch.iter().map(|number| self.change(*number)).collect();
        for (number, outcome) in batch.into_iter().zip(run(self.connection, &changes)) {
            self.tell(number, if outcome.is_ok() { Told::Written } else { Told::Failed });
        }
    }

    fn change(&self, number: usize) -> Change {
        let key = match self.kinds[number] {
            Kind::Good => number,
            Kind::Same => 0,
            Kind::Bad => 100,
        };
        let [key, number] = [key, number].map(|n| Value::Integer(i64::try_from(n).unwrap()));
        Change::new("INSERT INTO t (key, number) VALUES ($1, $2)", &[key, number])
    }

    fn tell(&mut self, number: usize, told: Told) {
        assert_eq!(self.told[number], Told::Nothing, "told twice");
        self.told[number] = told;
    }

    /// Checks that the table contains exactly the confirmed writes.
    fn check(&self) {
        let mut statement = self.connection.prepare_cached("SELECT number FROM t ORDER BY number").unwrap();
        let there: Vec<i64> =
            statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let told = (0_i64..).zip(self.told);
        let confirmed: Vec<i64> = told.filter(|(_, told)| *told == Told::Written).map(|(n, _)| n).collect();
        assert_eq!(there, confirmed);
        assert!(self.connection.is_autocommit());
    }

    /// At the end: every write that was not withdrawn was written, unless it was invalid itself.
    fn check_end(&self) {
        let mut by_key: Vec<usize> = Vec::new();
        for number in 0..WRITES {
            match (self.kinds[number], self.told[number]) {
                (_, Told::Nothing) => panic!("{number} heard nothing"),
                (_, Told::TakenBack) | (Kind::Bad, Told::Failed) => {}
                (Kind::Bad, Told::Written) => panic!("{number} cannot be written"),
                (Kind::Good, told) if number > 0 => {
                    assert_eq!(told, Told::Written, "{number} fails for another one")
                }
                (Kind::Good | Kind::Same, Told::Written) => by_key.push(number),
                (Kind::Good | Kind::Same, Told::Failed) => {}
            }
        }
        // Of the writes with the same key one wins, unless all were withdrawn.
        let rivals = |number: &usize| {
            let is_rival = self.kinds[*number] == Kind::Same || (*number == 0 && self.kinds[0] == Kind::Good);
            is_rival && self.told[*number] != Told::TakenBack
        };
        assert_eq!(by_key.len(), (0..WRITES).filter(rivals).count().min(1));
    }
}

#[test]
fn in_every_order_what_is_confirmed_is_written_and_what_fails_fails_alone() {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "CREATE TABLE t (key INTEGER UNIQUE, number INTEGER) STRICT; \
             CREATE TRIGGER bad BEFORE INSERT ON t WHEN NEW.key = 100 BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
        )
        .unwrap();
    let mut all = Vec::new();
    orders(&[], &mut all);
    let mut runs = 0;
    for kinds in 0..KINDS.len().pow(3) {
        let kinds = [kinds % 3, kinds / 3 % 3, kinds / 9].map(|kind| KINDS[kind]);
        for lanes in [[Lane::Request; WRITES], [Lane::Sweep, Lane::Request, Lane::Revocation]] {
            for order in &all {
                connection.execute("DELETE FROM t", ()).unwrap();
                let told = [Told::Nothing; WRITES];
                let (queue, tickets) = (Queue::new(WRITES, MOST_AT_ONCE), Vec::new());
                let mut run = Run { connection: &connection, kinds, lanes, queue, tickets, told };
                for step in order {
                    run.step(*step);
                    run.check();
                }
                while !run.queue.is_empty() {
                    run.write();
                    run.check();
                }
                run.check_end();
                runs += 1;
            }
        }
    }
    assert!(runs > 10_000, "{runs}");
}
