//! Fail-overs of PostgreSQL to its synchronous standby, behind an HAProxy that leads to whichever of the two
//! is the primary.

use std::time::Duration;

use super::{Run, first_token};
use crate::scale::rounds;
use crate::servers::haproxy::HaProxy;
use crate::servers::postgres::Postgres;

struct Pair {
    primary: Postgres,
    standby: Postgres,
}

impl Pair {
    fn start() -> Self {
        let primary = Postgres::start();
        let standby = Postgres::standby_of(&primary);
        primary.wait_for_standby();
        Self { primary, standby }
    }

    /// The primary crashes, and the standby takes its place.
    fn fail_over(&mut self) {
        self.primary.stop_at_once();
        self.standby.promote();
        std::mem::swap(&mut self.primary, &mut self.standby);
    }

    /// What was the primary comes back as the standby.
    fn come_back(&mut self) {
        self.standby.follow(&self.primary);
        self.primary.wait_for_standby();
    }
}

#[test]
fn a_fail_over_to_a_synchronous_standby_loses_nothing() {
    let mut pair = Pair::start();
    let proxy = HaProxy::before([&pair.primary, &pair.standby]);
    let url = proxy.url();
    let run = Run { name: "postgres, fail-over", store: &url, restarts: false, times: rounds(3, 30) };
    let mut slowest = Duration::ZERO;
    let all = run.all(|serving| {
        pair.fail_over();
        slowest = slowest.max(first_token(serving));
        pair.come_back();
    });
    let all = all.unwrap_or_else(|found| panic!("{found}"));
    println!("postgres, fail-over: a token at most {slowest:?} after the promotion");
    assert!(all.answered >= 10 * run.times && all.unanswered > 0, "the load was no load");
}
