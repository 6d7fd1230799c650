//! A host whose parts fail, hang or do not know what they did; and callers who go away. Whatever happens, the
//! client's retry works.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use grantor::{Claimant, MemoryRegistry, MemoryStore, Policy, Profile, Reason, Request, Response, What};
use serde_json::{Value, json};

use crate::support::faulty::{Fault, Faulty, Plan};
use crate::support::{Answer, Fixture, Users, clients, code_query, encode, redemption, request};

/// Everything that a client, a browser or a resource server asks of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Code(&'static str),
    Refresh(&'static str),
    ClientCredentials,
    Password,
    RevokeAccess,
    RevokeRefresh,
    Introspect,
    Approve,
    BeginDevice,
    EnterUserCode,
    PollDevice,
    Check,
    Protect,
}

const FLOWS: [Flow; 15] = [
    Flow::Code("pub"),
    Flow::Code("conf"),
    Flow::Refresh("pub"),
    Flow::Refresh("conf"),
    Flow::ClientCredentials,
    Flow::Password,
    Flow::RevokeAccess,
    Flow::RevokeRefresh,
    Flow::Introspect,
    Flow::Approve,
    Flow::BeginDevice,
    Flow::EnterUserCode,
    Flow::PollDevice,
    Flow::Check,
    Flow::Protect,
];

impl Flow {
    /// What the one who asks holds before: a code, a token, or nothing.
    async fn prepare(self, fixture: &Fixture) -> String {
        match self {
            Self::Code(client) => fixture.code(client, "read").await,
            Self::Refresh(client) => fixture.tokens(client, "read").await.refresh_token(),
            Self::RevokeRefresh => fixture.tokens("pub", "read").await.refresh_token(),
            Self::RevokeAccess | Self::Introspect | Self::Check | Self::Protect => {
                fixture.tokens("conf", "read").await.access_token()
            }
            Self::EnterUserCode => waits(fixture).await.text("user_code"),
            Self::PollDevice => {
                let codes = waits(fixture).await;
                let session = Claimant::session("one");
                let entered = fixture.server.device(&codes.text("user_code"), &session, None).await.unwrap();
                entered.signed_in(fixture.alice()).approve().await.unwrap();
                codes.text("device_code")
            }
            Self::ClientCredentials | Self::Password | Self::Approve | Self::BeginDevice => String::new(),
        }
    }

    /// One attempt: what was hoped for, or the answer that says why not.
    async fn attempt(self, fixture: &Fixture, held: &str) -> Result<Value, Response> {
        let server = &fixture.server;
        let password = [("grant_type", "password"), ("username", "alice"), ("password", "wonderland")];
        let credentials = [("grant_type", "client_credentials")];
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", held)];
        let response = match self {
            Self::Code(client) => server.token(&request(client, &redemption(held))).await,
            Self::Refresh(client) => server.token(&request(client, &refresh)).await,
            Self::ClientCredentials => server.token(&request("robot", &credentials)).await,
            Self::Password => server.token(&request("legacy", &password)).await,
            Self::RevokeAccess => server.revoke(&request("conf", &[("token", held)])).await,
            Self::RevokeRefresh => server.revoke(&request("pub", &[("token", held)])).await,
            Self::Introspect => server.introspect(&request("conf", &[("token", held)])).await,
            Self::Approve => return approve(fixture).await,
            Self::BeginDevice => server.device_authorization(&request("tv", &[])).await,
            Self::EnterUserCode => {
                let entered = server.device(held, &Claimant::session("one"), None).await;
                return entered.map(|_| json!({})).map_err(|page| page.into_response());
            }
            Self::PollDevice => server.token(&request("tv", &poll(held))).await,
            Self::Check => {
                let checked = server.check(held).await;
                return checked.map(|_| json!({})).map_err(|refusal| refusal.into_response());
            }
            Self::Protect => {
                let request = Request::get("").header("authorization", format!("Bearer {held}"));
                return server.protect(&request, &["read"]).await.map(|_| json!({}));
            }
        };
        if response.status == 200 { Ok(Answer(response).json()) } else { Err(response) }
    }

    /// The state after an attempt that worked.
    async fn verify(self, fixture: &Fixture, held: &str, got: &Value) {
        let text = |name: &str| got[name].as_str().unwrap_or_default();
        match self {
            Self::Code(client) => {
                assert!(fixture.is_live(text("access_token")).await);
                assert_eq!(fixture.refresh(client, text("refresh_token")).await.status(), 200);
                assert_eq!(fixture.store.len(), 1);
                // It was answered now, so what follows is a replay.
                assert_eq!(fixture.redeem(client, held).await.error().1, "invalid_grant");
                assert!(!fixture.is_live(text("access_token")).await);
            }
            Self::Refresh(client) => {
                assert!(fixture.is_live(text("access_token")).await);
                assert_eq!(fixture.refresh(client, text("refresh_token")).await.status(), 200);
                assert_eq!(fixture.store.len(), 1);
            }
            Self::ClientCredentials => assert!(fixture.is_live(text("access_token")).await),
            Self::Password => {
                assert!(fixture.is_live(text("access_token")).await);
                assert_eq!(fixture.refresh("legacy", text("refresh_token")).await.status(), 200);
            }
            Self::RevokeAccess => assert!(!fixture.is_live(held).await),
            Self::RevokeRefresh => {
                assert_eq!(fixture.refresh("pub", held).await.error().1, "invalid_grant");
            }
            Self::Introspect => assert_eq!(got["active"], true),
            Self::BeginDevice => {
                let polled = fixture.token("tv", &poll(text("device_code"))).await;
                assert_eq!(polled.error().1, "authorization_pending");
            }
            Self::EnterUserCode => {
                let another = fixture.server.device(held, &Claimant::session("two"), None).await;
                assert_eq!(another.unwrap_err().reason(), Reason::UserCodeClaimed);
                let mine = fixture.server.device(held, &Claimant::session("one"), None).await.unwrap();
                mine.signed_in(fixture.alice()).approve().await.unwrap();
            }
            Self::PollDevice => {
                assert!(fixture.is_live(text("access_token")).await);
                assert_eq!(fixture.refresh("tv", text("refresh_token")).await.status(), 200);
                assert_eq!(fixture.store.len(), 1);
                assert_eq!(fixture.token("tv", &poll(held)).await.error().1, "invalid_grant");
            }
            Self::Approve => assert_eq!(fixture.redeem("pub", text("code")).await.status(), 200),
            Self::Check | Self::Protect => {}
        }
    }
}

/// The codes of a device that waits.
async fn waits(fixture: &Fixture) -> Answer {
    Answer(fixture.server.device_authorization(&request("tv", &[("scope", "read")])).await)
}

fn poll(device_code: &str) -> [(&str, &str); 2] {
    [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", device_code)]
}

async fn approve(fixture: &Fixture) -> Result<Value, Response> {
    let request = Request::get(encode(&code_query("pub", "read")));
    let asked = fixture.server.authorize(&request).await.map_err(|page| page.into_response())?;
    let response = asked.signed_in(fixture.alice()).unwrap().approve().await;
    match response.status {
        303 => Ok(json!({ "code": Answer(response).location_parameter("code") })),
        _ => Err(response),
    }
}

/// What hangs, hangs for so long.
const SHORT: Duration = Duration::from_millis(5);
/// Nothing hangs.
const LONG: Duration = Duration::from_secs(60);

/// A server all of whose parts go wrong by this plan.
fn fixture(plan: &Plan, deadline: Duration) -> Fixture {
    let store = Arc::new(MemoryStore::new());
    let mut policy = Policy::default();
    policy.store_deadline = deadline;
    Fixture::on(store.clone(), Faulty::new(store, plan), |builder| {
        builder
            .clients(Faulty::new(MemoryRegistry::new(clients()), plan))
            .resource_owner(Faulty::new(Users::default(), plan))
            .profile(Profile::Rfc6749)
            .device_verification("/device")
            .policy(policy)
    })
}

#[tokio::test]
async fn a_fault_of_any_call_is_the_servers_own_and_the_retry_works() {
    for flow in FLOWS {
        for fault in Fault::ALL {
            let mut faults = 0;
            while fails_honestly(flow, fault, faults).await {
                faults += 1;
            }
            assert!(faults >= if matches!(flow, Flow::Check | Flow::Protect) { 1 } else { 2 }, "{flow:?}");
        }
    }
}

/// Whether there was such a call; then its fault is answered as it should be, and the retry works.
async fn fails_honestly(flow: Flow, fault: Fault, call: usize) -> bool {
    let what = format!("{flow:?}, {fault:?} at call {call}");
    let plan = Plan::default();
    let fixture = fixture(&plan, SHORT);
    let held = flow.prepare(&fixture).await;
    plan.arm(call, fault);
    let first = flow.attempt(&fixture, &held).await;
    if !plan.recover() {
        assert!(first.is_ok(), "{what}");
        return false;
    }
    let answer = first.expect_err(&what);
    let expected = if fault == Fault::Permanent { 500 } else { 503 };
    assert_eq!(answer.status, expected, "{what}");
    assert_eq!(answer.header("retry-after").is_some(), expected == 503, "{what}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    let body = String::from_utf8(answer.body).unwrap();
    assert!(!body.contains("invalid"), "{what}: {body}");
    let reason = if fault == Fault::Permanent { Reason::StoreBroken } else { Reason::StoreUnavailable };
    if !matches!(flow, Flow::Check | Flow::Protect) {
        assert_eq!(fixture.log.whats().last(), Some(&What::Failed(reason)), "{what}");
    }
    let retry = flow.attempt(&fixture, &held).await;
    flow.verify(&fixture, &held, &retry.expect(&what)).await;
    true
}

#[tokio::test]
async fn a_fault_that_comes_twice_does_no_more_harm() {
    for flow in FLOWS {
        for first in Fault::ALL {
            for second in [Fault::HangAfter, Fault::UnknownBefore] {
                for call in 0..4 {
                    survives_twice(flow, [first, second], call).await;
                }
            }
        }
    }
}

async fn survives_twice(flow: Flow, faults: [Fault; 2], call: usize) {
    let what = format!("{flow:?}, {faults:?} at call {call}");
    let plan = Plan::default();
    let fixture = fixture(&plan, SHORT);
    let held = flow.prepare(&fixture).await;
    let mut outcome = None;
    for fault in faults {
        plan.arm(call, fault);
        let attempt = flow.attempt(&fixture, &held).await;
        if !plan.recover() {
            outcome = Some(attempt);
            break;
        }
    }
    let outcome = match outcome {
        Some(outcome) => outcome,
        None => flow.attempt(&fixture, &held).await,
    };
    flow.verify(&fixture, &held, &outcome.expect(&what)).await;
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

/// Drops one attempt after so many polls, then another, then lets one through. Whether all were dropped.
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

/// Polls so often, then drops; the output, if it came.
fn poll_and_drop<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}
