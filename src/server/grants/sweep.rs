//! Deletes expired records in small batches, yielding to requests between them.

use std::sync::PoisonError;
use std::time::Duration;

use super::SLICE;
use crate::audit::{Endpoint, EventKind, HostCall};
use crate::base::system::{Delay, stopwatch};
use crate::error::{BackendError, Fault};
use crate::server::calls::Outcome;
use crate::server::{AuthorizationServer, EventSubject, HostError};
use crate::store::{Filter, Listing, Page, Write};
use crate::trust::times::KEPT_FOR_NODES;

/// How often clients are swept, which reads them all.
const CLIENTS_EVERY: Duration = Duration::from_secs(60 * 60);

/// How many pages of [`SLICE`] grants a sweep searches for expired bridges.
const PAGES_LOOKED_THROUGH: usize = 50;

impl AuthorizationServer {
    /// Removes records that can no longer be used or replayed, in small slices with longer pauses between
    /// them, and returns how many. It also erases stored responses that can no longer be repeated: each call
    /// searches 10,000 grants, and the next call continues there.
    ///
    /// # Errors
    /// The store failed; what was removed stays removed.
    pub async fn sweep(&self) -> Result<u64, HostError> {
        let mut gone = 0;
        let swept = self.sweep_expired(&mut gone).await;
        self.audit_swept(EventKind::GrantsSwept, gone);
        swept?;
        self.erase_answers().await?;
        Ok(gone)
    }

    /// Erases the responses that were kept for retries, once the leeway has passed.
    async fn erase_answers(&self) -> Result<(), Fault> {
        let kept = self.inner.process.get().map(|process| &process.answers_from);
        let mut from = kept.and_then(|kept| *kept.lock().unwrap_or_else(PoisonError::into_inner));
        for _ in 0..PAGES_LOOKED_THROUGH {
            let begun = stopwatch();
            let first = Page::first(SLICE);
            let page = from.map_or(first, |last| first.after(last));
            // A damaged record has no readable response.
            let Listing { records, damaged: _, next } = self.page(&Filter::default(), page).await?;
            let (now, policy) = (self.now(), &self.rules().policy);
            for record in records {
                let version = record.version();
                let Some(next) = record.into_grant().without_old_answers(now, policy) else { continue };
                match self.commit(&Write::replace(version, next, now)).await {
                    // A concurrent write has replaced or removed the stored response.
                    Outcome::Committed(_) | Outcome::Conflict => {}
                    Outcome::Failed(fault) | Outcome::Unknown(fault) => return Err(fault),
                }
            }
            // A server with a single page of grants has nothing to remember.
            if from != next {
                from = next;
                *self.process().answers_from.lock().unwrap_or_else(PoisonError::into_inner) = from;
            }
            if from.is_none() {
                break;
            }
            Delay::new(Pace::pause(begun.elapsed())).await;
        }
        Ok(())
    }

    /// Counts in `gone` what it removes, because that also counts if a later slice fails.
    async fn sweep_expired(&self, gone: &mut u64) -> Result<(), Fault> {
        let mut pace = Pace::START;
        loop {
            let begun = stopwatch();
            let purge = self.inner.store.purge(self.now() - KEPT_FOR_NODES, pace.rows);
            let slice = self.call(HostCall::PurgeGrants, purge).await.ok_or(Fault::Deadline)??;
            if slice > u64::from(pace.rows) {
                let broken = "the store says that it removed more records than the limit";
                return Err(BackendError::permanent(broken).into());
            }
            *gone += slice;
            if slice < u64::from(pace.rows) {
                return Ok(());
            }
            let took = begun.elapsed();
            pace = pace.after(took);
            Delay::new(Pace::pause(took)).await;
        }
    }

    /// Sweeps now and after each pause of this length, while it is polled: a task for your runtime,
    /// `tokio::spawn(server.clone().keep_sweeping(Duration::from_secs(60)))`. One node is enough, and several
    /// do no harm. A failed sweep is audited, and the next one continues.
    pub async fn keep_sweeping(self, every: Duration) {
        let mut since_clients = CLIENTS_EVERY;
        loop {
            if let Err(error) = self.sweep().await {
                self.audit_failure(&error);
            }
            if self.inner.registrar.is_some() && since_clients >= CLIENTS_EVERY {
                since_clients = Duration::ZERO;
                if let Err(error) = self.sweep_clients().await {
                    self.audit_failure(&error);
                }
            }
            Delay::new(every).await;
            since_clients = since_clients.saturating_add(every);
        }
    }

    /// Sweeps are periodic: one that removed nothing is not audited.
    pub(in crate::server) fn audit_swept(&self, what: fn(u64) -> EventKind, gone: u64) {
        if gone > 0 {
            self.audit(what(gone), Endpoint::Host, EventSubject::default());
        }
    }

    fn audit_failure(&self, error: &HostError) {
        let about = EventSubject::default().cause(Some(error));
        self.audit(EventKind::Failed(error.reason()), Endpoint::Host, about);
    }
}

/// How many records a slice removes: few enough that a request which waits for it hardly notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    rows: u32,
}

impl Pace {
    const START: Self = Self { rows: 50 };
    /// A smaller slice would not be faster: each write pays for a flush.
    const FEWEST: u32 = 25;
    const MOST: u32 = 500;

    /// How long a slice should take.
    const GOAL: Duration = Duration::from_millis(1);

    /// The pace after a slice that took this long.
    fn after(self, took: Duration) -> Self {
        let rows = match took {
            _ if took > Self::GOAL * 2 => self.rows / 2,
            _ if took < Self::GOAL / 2 => self.rows * 2,
            _ => self.rows,
        };
        Self { rows: rows.clamp(Self::FEWEST, Self::MOST) }
    }

    /// The pause after a slice that took this long. At least two thirds of the time are left to requests.
    fn pause(took: Duration) -> Duration {
        (took * 2).clamp(Self::GOAL, Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn slices_shrink_in_a_slow_store_and_grow_in_a_fast_one() {
        let rows = |took: u64| (0..20).fold(Pace::START, |pace, _| pace.after(milliseconds(took))).rows;
        assert_eq!((rows(0), rows(2), rows(30)), (Pace::MOST, Pace::START.rows, Pace::FEWEST));
    }

    #[test]
    fn pauses_are_longer_than_slices() {
        assert_eq!(Pace::pause(milliseconds(0)), milliseconds(1));
        assert_eq!(Pace::pause(milliseconds(30)), milliseconds(60));
        assert_eq!(Pace::pause(milliseconds(5000)), milliseconds(1000));
    }
}
