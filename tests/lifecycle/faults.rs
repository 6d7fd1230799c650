//! A host whose parts fail, hang or do not know what they did; and callers who go away. Whatever happens, the
//! client's retry works.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use grantor::MemoryStore;

use crate::support::Fixture;
use crate::support::faulty::{Fault, Plan};
use crate::support::flows::{FLOWS, Flow, fails_honestly, survives_twice};

/// How long what hangs does so.
const SHORT: Duration = Duration::from_millis(5);
/// Nothing hangs.
const LONG: Duration = Duration::from_secs(60);

/// A server where every part of the host fails as this plan says.
fn fixture(plan: &Plan, deadline: Duration) -> Fixture {
    let store = Arc::new(MemoryStore::new());
    Fixture::failing(store.clone(), store, plan, deadline)
}

#[tokio::test]
async fn a_fault_of_any_call_is_the_servers_own_and_the_retry_works() {
    for flow in FLOWS {
        for fault in Fault::ALL {
            let mut faults = 0;
            loop {
                let plan = Plan::default();
                match fails_honestly(&fixture(&plan, SHORT), &plan, flow, (faults, fault)).await {
                    true => faults += 1,
                    false => break,
                }
            }
            assert!(faults >= flow.least_calls(), "{flow:?}");
        }
    }
}

#[tokio::test]
async fn a_fault_that_comes_twice_does_no_more_harm() {
    for flow in FLOWS {
        for first in Fault::ALL {
            for second in [Fault::HangAfter, Fault::UnknownBefore] {
                for call in 0..4 {
                    let plan = Plan::default();
                    survives_twice(&fixture(&plan, SHORT), &plan, flow, call, [first, second]).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn dropping_a_request_at_any_await_loses_nothing() {
    for flow in FLOWS {
        let mut polls = 0;
        while survives(flow, &[polls]).await {
            polls += 1;
        }
        assert!(polls >= 2, "{flow:?} waits for something");
    }
}

#[tokio::test]
async fn dropping_a_request_and_then_its_retry_loses_nothing() {
    for flow in FLOWS {
        for first in 0..9 {
            for second in 0..9 {
                survives(flow, &[first, second]).await;
            }
        }
    }
}

/// Drops one attempt after this many polls, then another, then lets one through. Returns whether all were
/// dropped.
async fn survives(flow: Flow, drops: &[usize]) -> bool {
    let plan = Plan::default();
    let fixture = fixture(&plan, LONG);
    let held = flow.prepare(&fixture).await;
    for polls in drops {
        plan.pause();
        let finished = poll_and_drop(flow.attempt(&fixture, &held), *polls);
        plan.recover();
        if let Some(answer) = finished {
            flow.verify(&fixture, &held, &answer.unwrap_or_else(|r| panic!("{flow:?} {}", r.status))).await;
            return false;
        }
    }
    let retry = flow.attempt(&fixture, &held).await;
    let retry = retry.unwrap_or_else(|r| panic!("{flow:?} dropped at {drops:?}: {}", r.status));
    flow.verify(&fixture, &held, &retry).await;
    true
}

/// Polls this many times, then drops; the output, if it came.
fn poll_and_drop<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}
