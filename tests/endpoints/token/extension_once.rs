//! What is good once: one winner, and no honest retry that is lost where the server knows that nothing came
//! of the first.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use chrono::{DateTime, Utc};
use grantor::error::ExtensionRefusal;
use grantor::flow::token::{Entitlement, ExtensionTerms};
use grantor::store::ReplayKey;
use grantor::{BackendError, MemoryStore, Policy, Reason, ReplayGuard, async_trait};

use crate::support::extending::{Extending, VOUCHER, scope};
use crate::support::faulty::{Fault, Faulty, Plan};
use crate::support::request;

const REPLAYED: Reason = Reason::Extension(ExtensionRefusal::Replayed);
const MINUTE: Duration = Duration::from_secs(60);

/// A replay guard that fails as planned.
struct FaultyGuard(Arc<MemoryStore>, Plan);

#[async_trait]
impl ReplayGuard for FaultyGuard {
    async fn first_use(
        &self,
        key: &ReplayKey,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, BackendError> {
        self.1.call(self.0.first_use(key, until, now)).await
    }
}

/// A server for vouchers that are good once, for a minute.
struct Bench {
    extending: Extending,
    store: Plan,
    guard: Plan,
}

impl Bench {
    fn new() -> Self {
        Self::sharing(&Arc::new(MemoryStore::new()))
    }

    /// One node of several with the same store.
    fn sharing(memory: &Arc<MemoryStore>) -> Self {
        Self::with(memory, Policy::default())
    }

    /// One that does not wait long for what hangs.
    fn impatient() -> Self {
        let mut policy = Policy::default();
        policy.store_deadline = Duration::from_millis(200);
        Self::with(&Arc::new(MemoryStore::new()), policy)
    }

    fn with(memory: &Arc<MemoryStore>, policy: Policy) -> Self {
        let (store, guard) = (Plan::default(), Plan::default());
        let used = Faulty::new(memory.clone(), &store);
        let replays = FaultyGuard(memory.clone(), guard.clone());
        let extending =
            Extending::on(memory.clone(), used, ExtensionTerms::default().single_use(), |builder| {
                builder.replay_guard(replays).policy(policy)
            });
        extending.host.answers(|ask| {
            let voucher = ask.parameters.one("voucher").unwrap_or_default();
            Ok(Entitlement::user("alice", scope("read")).single_use("series", voucher, ask.now + MINUTE))
        });
        Self { extending, store, guard }
    }

    async fn redeem(&self, voucher: &str) -> u16 {
        self.extending.redeem("shop", &[("voucher", voucher)]).await.status()
    }

    async fn assert_replayed(&self, voucher: &str) {
        let answer = self.extending.redeem("shop", &[("voucher", voucher)]).await;
        assert_eq!(answer.error(), (400, "invalid_grant".into()));
        assert_eq!(self.extending.fixture.log.last_reason(), Some(REPLAYED));
    }
}

#[tokio::test]
async fn the_second_use_is_refused_and_others_are_not() {
    let bench = Bench::new();
    assert_eq!(bench.redeem("1").await, 200);
    bench.assert_replayed("1").await;
    assert_eq!(bench.redeem("2").await, 200);
    assert_eq!(bench.extending.fixture.count().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_uses_at_once_one_wins() {
    let bench = Arc::new(Bench::new());
    bench.store.pause();
    bench.guard.pause();
    let uses = (0..64).map(|_| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.redeem("1").await })
    });
    let mut won = 0;
    for status in futures_util::future::join_all(uses).await {
        match status.unwrap() {
            200 => won += 1,
            other => assert_eq!(other, 400),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(bench.extending.fixture.count().await, 1);
}

#[tokio::test]
async fn a_request_that_is_refused_spends_nothing_on_any_node() {
    let memory = Arc::new(MemoryStore::new());
    let (one, other) = (Bench::sharing(&memory), Bench::sharing(&memory));
    for (voucher, wrong, code) in [
        ("1", ("scope", "admin"), "invalid_scope"),
        ("2", ("resource", "https://evil.example"), "invalid_target"),
    ] {
        let answer = one.extending.redeem("shop", &[("voucher", voucher), wrong]).await;
        assert_eq!(answer.error(), (400, code.into()));
        assert_eq!(other.redeem(voucher).await, 200);
    }
    one.extending.fixture.users.blocked.lock().unwrap().push("alice".into());
    assert_eq!(one.redeem("3").await, 400);
    assert_eq!(other.redeem("3").await, 200);
}

#[tokio::test]
async fn a_write_that_fails_gives_back_what_was_used_once() {
    for fault in Fault::ALL {
        let bench = Bench::impatient();
        bench.store.arm(0, fault);
        let status = bench.redeem("1").await;
        assert_eq!(status, if fault == Fault::Permanent { 500 } else { 503 }, "{fault:?}");
        assert!(bench.store.recover());
        assert_eq!(bench.redeem("1").await, 200, "{fault:?}: nothing of the first had left");
        bench.assert_replayed("1").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_retries_at_once_one_wins() {
    let bench = Arc::new(Bench::new());
    bench.store.arm(0, Fault::Transient);
    assert_eq!(bench.redeem("1").await, 503);
    bench.store.pause();
    let retries = (0..64).map(|_| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.redeem("1").await })
    });
    let statuses = futures_util::future::join_all(retries).await;
    assert_eq!(statuses.into_iter().filter(|status| matches!(status, Ok(200))).count(), 1);
}

#[tokio::test]
async fn a_request_that_is_dropped_gives_back_what_it_used() {
    // Pending once before and once after the mark, and the same around the write: dropped at each of them.
    for polls in 1..=4 {
        let bench = Bench::new();
        bench.guard.pause();
        bench.store.pause();
        let request = request("shop", &[("grant_type", VOUCHER), ("voucher", "1")]);
        {
            let mut token = pin!(bench.extending.fixture.server.token(&request));
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..polls {
                assert!(token.as_mut().poll(&mut context).is_pending(), "{polls}");
            }
        }
        bench.guard.recover();
        bench.store.recover();
        let status = bench.redeem("1").await;
        // If it was dropped while the guard marked it, nobody knows whether the guard did, so it is not used
        // twice.
        assert_eq!(status, if polls == 2 { 400 } else { 200 }, "{polls}");
    }
}

#[tokio::test]
async fn ft_23_a_retry_that_comes_before_the_first_request_is_gone_waits_for_it() {
    let bench = Bench::new();
    bench.store.pause();
    let request = request("shop", &[("grant_type", VOUCHER), ("voucher", "1")]);
    let mut context = Context::from_waker(Waker::noop());
    let retry = {
        let mut first = pin!(bench.extending.fixture.server.token(&request));
        assert!(first.as_mut().poll(&mut context).is_pending(), "marked, and not yet written");
        bench.store.recover();
        let mut retry = Box::pin(bench.extending.fixture.server.token(&request));
        assert!(retry.as_mut().poll(&mut context).is_pending(), "nobody knows yet what becomes of the first");
        retry
    };
    assert_eq!(retry.await.status, 200);
    bench.assert_replayed("1").await;
    assert_eq!(bench.extending.fixture.count().await, 1);
}

#[tokio::test]
async fn a_guard_that_fails_is_503_and_decides_about_the_retry() {
    for fault in Fault::ALL {
        let bench = Bench::impatient();
        bench.guard.arm(0, fault);
        let status = bench.redeem("1").await;
        assert_eq!(status, if fault == Fault::Permanent { 500 } else { 503 }, "{fault:?}");
        assert_eq!(
            bench.extending.fixture.count().await,
            0,
            "{fault:?}: nothing is written without the mark"
        );
        bench.guard.recover();
        let marked = matches!(fault, Fault::HangAfter | Fault::UnknownAfter);
        assert_eq!(bench.redeem("1").await, if marked { 400 } else { 200 }, "{fault:?}");
    }
}

#[tokio::test]
async fn on_another_node_the_retry_is_a_replay() {
    let memory = Arc::new(MemoryStore::new());
    let (one, other) = (Bench::sharing(&memory), Bench::sharing(&memory));
    one.store.arm(0, Fault::Transient);
    assert_eq!(one.redeem("1").await, 503);
    other.assert_replayed("1").await;
    assert_eq!(one.redeem("1").await, 200, "the node that knows lets it pass");
    other.assert_replayed("1").await;
}

#[tokio::test]
async fn what_was_given_back_is_good_no_longer_than_before() {
    let bench = Bench::new();
    bench.store.arm(0, Fault::Transient);
    assert_eq!(bench.redeem("1").await, 503);
    bench.extending.fixture.clock.advance(MINUTE);
    bench.assert_replayed("1").await;
    // Once no node would take it any more, the guard has forgotten it, and is asked again.
    bench.extending.fixture.clock.advance(MINUTE);
    assert_eq!(bench.redeem("1").await, 200);
    bench.assert_replayed("1").await;
}

#[tokio::test]
async fn without_a_guard_nothing_that_is_good_once_is_taken() {
    let extending = Extending::new();
    extending.host.answers(|ask| {
        Ok(Entitlement::user("alice", scope("read")).single_use("series", "1", ask.now + MINUTE))
    });
    let answer = extending.redeem("shop", &[]).await;
    assert_eq!(answer.error(), (500, "server_error".into()));
    assert_eq!(extending.fixture.log.last_reason(), Some(Reason::NotConfigured));
}
