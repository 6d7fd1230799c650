//! Codes whose response was never sent: the request was dropped, or the store did not report the outcome of
//! the write in time.
//!
//! A code works once, and a replay ends the grant. But if this server *knows* that it never sent the
//! response, the replay is an honest retry, and gets the same tokens from the bridge. Only this process
//! knows; on another node, the retry counts as a replay.
//!
//! A retry may arrive before the first request is known to be gone. So requests with codes of one grant take
//! turns: each knows the outcome of those before it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::base::after;
use crate::grant::GrantId;
use crate::server::process::Bounded;
use crate::server::process::{Turn, Turns};

#[derive(Debug)]
pub(in crate::server) struct UndeliveredAnswers {
    leeway: Duration,
    turns: Turns<GrantId>,
    /// How many lost responses are remembered, so that a server that has lost none takes no lock.
    count: AtomicUsize,
    lost: Mutex<Bounded<GrantId>>,
}

impl UndeliveredAnswers {
    pub(in crate::server) fn new(leeway: Duration) -> Self {
        Self { leeway, turns: Turns::default(), count: AtomicUsize::new(0), lost: Mutex::default() }
    }

    /// Watches one redemption, once those of the same grant in progress are over. Two concurrent retries both
    /// learn of the loss, and both get the same tokens. `None` if too many of them wait: nobody has checked
    /// their codes yet.
    pub(in crate::server) async fn watch(&self, grant: GrantId, now: DateTime<Utc>) -> Option<Delivery<'_>> {
        let known = self.knows(grant, now);
        let turn = self.turns.take(grant).await?;
        Some(Delivery { all: self, grant, known, writing: None, _turn: turn })
    }

    fn knows(&self, grant: GrantId, now: DateTime<Utc>) -> bool {
        self.count.load(Ordering::Acquire) > 0 && self.lost(|lost| lost.has(&grant, now))
    }

    fn forget(&self, grant: GrantId) {
        if self.count.load(Ordering::Acquire) > 0 {
            self.lost(|lost| lost.remove(&grant));
        }
    }

    fn remember(&self, grant: GrantId, now: DateTime<Utc>) {
        self.lost(|lost| lost.insert(grant, after(now, self.leeway), now));
    }

    fn lost<T>(&self, look: impl FnOnce(&mut Bounded<GrantId>) -> T) -> T {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = look(&mut lost);
        self.count.store(lost.len(), Ordering::Release);
        seen
    }
}

/// One redemption. Dropping it records its response as lost, unless the response was sent or nothing was
/// written.
#[derive(Debug)]
pub(in crate::server) struct Delivery<'a> {
    all: &'a UndeliveredAnswers,
    grant: GrantId,
    /// Whether the loss was known when the request arrived: another retry may have been answered since.
    known: bool,
    /// The time of the first write that may have happened.
    writing: Option<DateTime<Utc>>,
    /// Dropped last, after the loss is recorded.
    _turn: Turn<'a, GrantId>,
}

impl Delivery<'_> {
    /// Whether an earlier response was never sent. Call it before each decision.
    pub(in crate::server) fn was_unanswered(&self, now: DateTime<Utc>) -> bool {
        self.known || self.all.knows(self.grant, now)
    }

    /// From here on, something may have been written.
    pub(in crate::server) fn writes(&mut self, now: DateTime<Utc>) {
        self.writing = Some(now);
    }

    /// The write did not happen.
    pub(in crate::server) fn wrote_nothing(&mut self) {
        self.writing = None;
    }

    /// The response is about to be sent.
    pub(in crate::server) fn answered(mut self) {
        self.writing = None;
        self.all.forget(self.grant);
    }
}

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        if let Some(since) = self.writing {
            self.all.remember(self.grant, since);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use super::*;

    const GRANT: GrantId = GrantId::new([7; 16]);

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn poll<'a>(watch: Pin<&mut impl Future<Output = Option<Delivery<'a>>>>) -> Option<Delivery<'a>> {
        match watch.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(watch) => Some(watch.unwrap()),
            Poll::Pending => None,
        }
    }

    /// Watches without having to wait.
    fn watch(all: &UndeliveredAnswers, grant: GrantId, second: i64) -> Delivery<'_> {
        poll(pin!(all.watch(grant, at(second)))).unwrap()
    }

    fn is_known(all: &UndeliveredAnswers, grant: GrantId, second: i64) -> bool {
        watch(all, grant, second).was_unanswered(at(second))
    }

    /// Remembers that the response for [`GRANT`] was lost at second 0.
    fn lost() -> UndeliveredAnswers {
        let all = UndeliveredAnswers::new(Duration::from_secs(60));
        watch(&all, GRANT, 0).writes(at(0));
        all
    }

    #[test]
    fn what_was_written_and_not_answered_is_known_within_the_leeway() {
        assert!(is_known(&lost(), GRANT, 59));
        assert!(!is_known(&lost(), GRANT, 60));
        assert!(!is_known(&lost(), GrantId::new([8; 16]), 1));
    }

    #[test]
    fn ft_03_without_leeway_nothing_is_known() {
        let all = UndeliveredAnswers::new(Duration::ZERO);
        watch(&all, GRANT, 0).writes(at(0));
        assert!(!is_known(&all, GRANT, 0));
    }

    #[test]
    fn what_was_answered_or_never_written_is_not() {
        let all = UndeliveredAnswers::new(Duration::from_secs(60));
        let mut one = watch(&all, GRANT, 0);
        one.writes(at(0));
        one.answered();
        assert!(!is_known(&all, GRANT, 1));
        let mut one = watch(&all, GRANT, 1);
        one.writes(at(1));
        one.wrote_nothing();
        drop(one);
        assert!(!is_known(&all, GRANT, 2));
    }

    #[test]
    fn two_retries_at_a_time_both_know_and_a_third_comes_too_late() {
        let all = lost();
        let one = watch(&all, GRANT, 1);
        let mut other = pin!(all.watch(GRANT, at(1)));
        assert!(poll(other.as_mut()).is_none());
        assert!(one.was_unanswered(at(1)));
        one.answered();
        let other = poll(other.as_mut()).unwrap();
        assert!(other.was_unanswered(at(1)));
        other.answered();
        assert!(!is_known(&all, GRANT, 2));
    }

    #[test]
    fn ft_23_a_retry_that_comes_before_the_loss_waits_and_knows_of_it() {
        let all = UndeliveredAnswers::new(Duration::from_secs(60));
        let mut first = watch(&all, GRANT, 0);
        first.writes(at(0));
        let mut retry = pin!(all.watch(GRANT, at(0)));
        assert!(poll(retry.as_mut()).is_none());
        drop(first);
        assert!(poll(retry.as_mut()).unwrap().was_unanswered(at(0)));
    }

    #[test]
    fn a_retry_that_is_dropped_too_loses_nothing() {
        let all = lost();
        drop(watch(&all, GRANT, 1));
        assert!(is_known(&all, GRANT, 2));
    }
}
