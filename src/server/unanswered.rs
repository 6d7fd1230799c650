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

    /// Watches one redemption. Of two at a time, one takes the knowledge.
    pub(super) fn watch(&self, grant: GrantId, now: DateTime<Utc>) -> Watch<'_> {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        let known = grants.remove(&grant).is_some_and(|until| now <= until);
        Watch { all: self, grant, now, known, pending: AtomicBool::new(known) }
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
        self.pending.store(self.known, Ordering::Relaxed);
    }

    /// The answer is on its way.
    pub(super) fn answered(self) {
        self.pending.store(false, Ordering::Relaxed);
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.pending.load(Ordering::Relaxed) {
            self.all.remember(self.grant, self.now);
        }
    }
}
