//! [`SlowHosts`]: the hosts whose last documents did not arrive in time.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::cache::make_room;

/// The most hosts that are remembered; the one that failed first is forgotten first.
const HOSTS: usize = 4096;

/// Consecutive timeouts after which nothing is fetched from a host for a while.
const TIMEOUTS: u32 = 3;

/// The first pause; each further timeout doubles it.
const PAUSE: TimeDelta = TimeDelta::seconds(10);
const MOST_DOUBLINGS: u32 = 5;

#[derive(Debug, Default)]
pub(super) struct SlowHosts(HashMap<String, Timeouts>);

#[derive(Debug)]
struct Timeouts {
    in_a_row: u32,
    /// The latest.
    at: DateTime<Utc>,
}

impl SlowHosts {
    /// Whether nothing is fetched from this host now.
    pub(super) fn is_paused(&self, host: &str, now: DateTime<Utc>) -> bool {
        let doublings = self.0.get(host).and_then(|last| Some((last, last.in_a_row.checked_sub(TIMEOUTS)?)));
        doublings.is_some_and(|(last, doublings)| {
            // If the clock was set back, do not wait for the old time.
            last.at <= now && now - last.at < PAUSE * 2_i32.pow(doublings.min(MOST_DOUBLINGS))
        })
    }

    /// Whether it may still be slow: then only one fetch at a time tries it.
    pub(super) fn is_on_trial(&self, host: &str) -> bool {
        self.0.get(host).is_some_and(|last| last.in_a_row >= TIMEOUTS)
    }

    pub(super) fn timed_out(&mut self, host: String, now: DateTime<Utc>) {
        make_room(&mut self.0, &host, HOSTS, |_, last| last.at);
        let last = self.0.entry(host).or_insert(Timeouts { in_a_row: 0, at: now });
        *last = Timeouts { in_a_row: last.in_a_row.saturating_add(1), at: now };
    }

    /// It answered, whatever the answer is.
    pub(super) fn answered(&mut self, host: &str) {
        self.0.remove(host);
    }
}
