//! Every kind of request to a server, as attempts that may fail and be repeated.

use grantor::{BrowserSession, EventKind, Reason, Request, Response};
use serde_json::{Value, json};

use super::faulty::{Fault, Plan};
use super::{Answer, Fixture, code_query, encode, redemption, request};

/// What the caller has before the attempt.
pub struct Held {
    /// A code, a token, or nothing.
    secret: String,
    /// How many grants the store had.
    grants: usize,
}

/// The requests of clients, browsers and resource servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
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

pub const FLOWS: [Flow; 15] = [
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
    /// The least number of calls to the host that can fail.
    pub fn least_calls(self) -> usize {
        if matches!(self, Self::Check | Self::Protect) { 1 } else { 2 }
    }

    /// Gets what the caller needs before the attempt.
    pub async fn prepare(self, fixture: &Fixture) -> Held {
        let secret = match self {
            Self::Code(client) => fixture.code(client, "read").await,
            Self::Refresh(client) => fixture.tokens(client, "read").await.refresh_token(),
            Self::RevokeRefresh => fixture.tokens("pub", "read").await.refresh_token(),
            Self::RevokeAccess | Self::Introspect | Self::Check | Self::Protect => {
                fixture.tokens("conf", "read").await.access_token()
            }
            Self::EnterUserCode => waits(fixture).await.text("user_code"),
            Self::PollDevice => {
                let codes = waits(fixture).await;
                let session = BrowserSession::session("one");
                let entered = fixture.server.device(&codes.text("user_code"), &session, None).await.unwrap();
                entered.signed_in(fixture.alice()).approve().await.unwrap();
                codes.text("device_code")
            }
            Self::ClientCredentials | Self::Password | Self::Approve | Self::BeginDevice => String::new(),
        };
        Held { secret, grants: fixture.count().await }
    }

    /// One attempt: the result, or the error response.
    pub async fn attempt(self, fixture: &Fixture, held: &Held) -> Result<Value, Response> {
        let server = &fixture.server;
        let held = held.secret.as_str();
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
                let entered = server.device(held, &BrowserSession::session("one"), None).await;
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

    /// Checks the state after a successful attempt.
    pub async fn verify(self, fixture: &Fixture, held: &Held, got: &Value) {
        let Held { secret: held, grants } = held;
        let text = |name: &str| got[name].as_str().unwrap_or_default();
        match self {
            Self::Code(client) => {
                assert!(fixture.is_live(text("access_token")).await);
                assert_eq!(fixture.refresh(client, text("refresh_token")).await.status(), 200);
                assert_eq!(fixture.count().await, *grants, "the grant it was");
                // The code has been redeemed now, so redeeming it again is a replay.
                assert_eq!(fixture.redeem(client, held).await.error().1, "invalid_grant");
                assert!(!fixture.is_live(text("access_token")).await);
            }
            Self::Refresh(client) => {
                assert!(fixture.is_live(text("access_token")).await);
                assert_eq!(fixture.refresh(client, text("refresh_token")).await.status(), 200);
                assert_eq!(fixture.count().await, *grants, "the grant it was");
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
                let another = fixture.server.device(held, &BrowserSession::session("two"), None).await;
                assert_eq!(another.unwrap_err().reason(), Reason::UserCodeClaimed);
                let mine = fixture.server.device(held, &BrowserSession::session("one"), None).await.unwrap();
                mine.signed_in(fixture.alice()).approve().await.unwrap();
            }
            Self::PollDevice => {
                assert!(fixture.is_live(text("access_token")).await);
                assert_eq!(fixture.refresh("tv", text("refresh_token")).await.status(), 200);
                assert_eq!(fixture.count().await, *grants, "the grant it was");
                assert_eq!(fixture.token("tv", &poll(held)).await.error().1, "invalid_grant");
            }
            Self::Approve => assert_eq!(fixture.redeem("pub", text("code")).await.status(), 200),
            Self::Check | Self::Protect => {}
        }
    }
}

/// The codes of a waiting device.
async fn waits(fixture: &Fixture) -> Answer {
    Answer(fixture.server.device_authorization(&request("tv", &[("scope", "read")])).await)
}

fn poll(device_code: &str) -> [(&str, &str); 2] {
    [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", device_code)]
}

async fn approve(fixture: &Fixture) -> Result<Value, Response> {
    let request = Request::get(encode(&code_query("pub", "read")));
    let asked = fixture.server.authorize(&request).await.map_err(|page| page.into_response())?;
    let response = asked.signed_in(fixture.alice()).await.consent().unwrap().approve().await;
    match response.status {
        303 => Ok(json!({ "code": Answer(response).location_parameter("code") })),
        _ => Err(response),
    }
}

/// Makes this call of a flow fail, and checks that the fault gets the right response and that the retry
/// works. Returns `false` if the flow has no such call.
pub async fn fails_honestly(
    fixture: &Fixture,
    plan: &Plan,
    flow: Flow,
    (call, fault): (usize, Fault),
) -> bool {
    let what = format!("{flow:?}, {fault:?} at call {call}");
    let held = flow.prepare(fixture).await;
    plan.arm(call, fault);
    let first = flow.attempt(fixture, &held).await;
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
    if !matches!(flow, Flow::Check) {
        assert_eq!(fixture.log.whats().last(), Some(&EventKind::Failed(reason)), "{what}");
    }
    let retry = flow.attempt(fixture, &held).await;
    flow.verify(fixture, &held, &retry.expect(&what)).await;
    true
}

/// Makes this call of a flow fail, and the same call of the retry: the next attempt works.
pub async fn survives_twice(fixture: &Fixture, plan: &Plan, flow: Flow, call: usize, faults: [Fault; 2]) {
    let what = format!("{flow:?}, {faults:?} at call {call}");
    let held = flow.prepare(fixture).await;
    let mut outcome = None;
    for fault in faults {
        plan.arm(call, fault);
        let attempt = flow.attempt(fixture, &held).await;
        if !plan.recover() {
            outcome = Some(attempt);
            break;
        }
    }
    let outcome = match outcome {
        Some(outcome) => outcome,
        None => flow.attempt(fixture, &held).await,
    };
    flow.verify(fixture, &held, &outcome.expect(&what)).await;
}
