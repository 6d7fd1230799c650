//! Codes whose answer never left: the request was dropped, or the store did not say in time what became of
//! the write.
//!
//! A code is good once, and a replay ends the grant. But where this server *knows* that it never handed the
//! answer over, the replay is an honest retry, and gets the very same tokens over the bridge. The knowledge
//! is this process's own; on another node, the retry counts as a replay.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::grant::GrantId;
use crate::policy::after;

/// So many are remembered; beyond that, a retry counts as a replay.
const LIMIT: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Unanswered {
    leeway: Duration,
    grants: Mutex<HashMap<GrantId, DateTime<Utc>>>,
}

impl Unanswered {
    pub(super) fn new(leeway: Duration) -> Self {
        Self { leeway, grants: Mutex::default() }
    }

    /// Watches one redemption. Of two retries at a time, both know, and both get the very same tokens.
    pub(super) fn watch(&self, grant: GrantId, now: DateTime<Utc>) -> Watch<'_> {
        let grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        let known = grants.get(&grant).is_some_and(|until| now <= *until);
        Watch { all: self, grant, now, known, pending: AtomicBool::new(false) }
    }

    fn forget(&self, grant: GrantId) {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner).remove(&grant);
    }

    fn remember(&self, grant: GrantId, now: DateTime<Utc>) {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        if grants.len() >= LIMIT {
            grants.retain(|_, until| now <= *until);
        }
        if grants.len() < LIMIT {
            grants.insert(grant, after(now, self.leeway));
        }
    }
}

/// Remembers its grant when it is dropped, unless the answer left or nothing was written.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    all: &'a Unanswered,
    grant: GrantId,
    now: DateTime<Utc>,
    known: bool,
    pending: AtomicBool,
}

impl Watch<'_> {
    /// Whether an earlier answer never left.
    pub(super) fn was_unanswered(&self) -> bool {
        self.known
    }

    /// From here on, something may have been written.
    pub(super) fn writes(&self) {
        self.pending.store(true, Ordering::Relaxed);
    }

    /// The write did not happen.
    pub(super) fn wrote_nothing(&self) {
        self.pending.store(false, Ordering::Relaxed);
    }

    /// The answer is on its way.
    pub(super) fn answered(self) {
        self.pending.store(false, Ordering::Relaxed);
        if self.known {
            self.all.forget(self.grant);
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.pending.load(Ordering::Relaxed) {
            self.all.remember(self.grant, self.now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRANT: GrantId = GrantId::new([7; 16]);

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    /// A store of knowledge in which the answer to [`GRANT`] was lost at second 0.
    fn lost() -> Unanswered {
        let all = Unanswered::new(Duration::from_secs(60));
        all.watch(GRANT, at(0)).writes();
        all
    }

    #[test]
    fn what_was_written_and_not_answered_is_known_within_the_leeway() {
        assert!(lost().watch(GRANT, at(60)).was_unanswered());
        assert!(!lost().watch(GRANT, at(61)).was_unanswered());
        assert!(!lost().watch(GrantId::new([8; 16]), at(1)).was_unanswered());
    }

    #[test]
    fn what_was_answered_or_never_written_is_not() {
        let all = Unanswered::new(Duration::from_secs(60));
        let watch = all.watch(GRANT, at(0));
        watch.writes();
        watch.answered();
        assert!(!all.watch(GRANT, at(1)).was_unanswered());
        let watch = all.watch(GRANT, at(1));
        watch.writes();
        watch.wrote_nothing();
        drop(watch);
        assert!(!all.watch(GRANT, at(2)).was_unanswered());
    }

    #[test]
    fn two_retries_at_a_time_both_know_and_a_third_comes_too_late() {
        let all = lost();
        let (one, two) = (all.watch(GRANT, at(1)), all.watch(GRANT, at(1)));
        assert!(one.was_unanswered() && two.was_unanswered());
        one.answered();
        two.answered();
        assert!(!all.watch(GRANT, at(2)).was_unanswered());
    }

    #[test]
    fn a_retry_that_is_dropped_too_loses_nothing() {
        let all = lost();
        drop(all.watch(GRANT, at(1)));
        assert!(all.watch(GRANT, at(2)).was_unanswered());
    }
}
