//! What a host is told of a server in use: causes, measurements, readiness.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grantor::audit::{
    Answered, Audit, CallOutcome, Called, Endpoint, Event, EventKind, HostCall, MetricsAudit,
};
use grantor::server::HostError;
use grantor::{BrowserSession, LoginRequired, MemoryRegistry, MemoryStore, Policy, Request};
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use crate::support::clients::clients;
use crate::support::faulty::{Fault, Faulty, Plan};
use crate::support::{Fixture, code_query, encode, request};

/// Remembers what was measured.
#[derive(Clone, Default)]
struct Measured {
    answers: Arc<Mutex<Vec<Answered>>>,
    calls: Arc<Mutex<Vec<Called>>>,
}

impl Audit for Measured {
    fn record(&self, _: &Event<'_>) {}

    fn answered(&self, answer: &Answered) {
        self.answers.lock().unwrap().push(*answer);
    }

    fn called(&self, called: &Called) {
        self.calls.lock().unwrap().push(*called);
    }
}

impl Measured {
    fn statuses(&self) -> Vec<(Endpoint, u16)> {
        self.answers.lock().unwrap().iter().map(|answer| (answer.endpoint, answer.status)).collect()
    }

    fn outcomes(&self, call: HostCall) -> Vec<CallOutcome> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|called| called.call == call).map(|called| called.outcome).collect()
    }
}

/// A server on a store that fails as this plan says, and has 5 ms to answer.
fn on_faulty(plan: &Plan, audit: impl Audit + 'static) -> Fixture {
    let store = Arc::new(MemoryStore::new());
    let mut policy = Policy::default();
    policy.store_deadline = Duration::from_millis(5);
    Fixture::on(store.clone(), Faulty::new(store, plan), |builder| builder.policy(policy).audit(audit))
}

fn robot() -> Request {
    request("robot", &[("grant_type", "client_credentials")])
}

#[tokio::test]
async fn a_fault_is_audited_with_its_cause() {
    let (plan, log) = (Plan::default(), crate::support::Log::default());
    let fixture = on_faulty(&plan, log.clone());
    for (fault, cause) in [
        (Fault::Permanent, "cause=\"a part of the host is broken: injected\""),
        (Fault::Hang, "cause=\"a part of the host did not answer in time\""),
    ] {
        plan.arm(0, fault);
        let response = fixture.server.token(&robot()).await;
        assert!(
            !String::from_utf8_lossy(&response.body).contains("injected"),
            "the other side learns nothing"
        );
        let text = log.texts().pop().unwrap();
        assert!(text.contains(cause) && text.contains("client=\"robot\""), "{text}");
    }
}

#[tokio::test]
async fn each_answer_and_each_call_is_measured() {
    let (plan, measured) = (Plan::default(), Measured::default());
    let fixture = on_faulty(&plan, measured.clone());
    let peer = "192.0.2.7".parse().unwrap();
    let send = async |endpoint, request: Request| {
        fixture.server.handle(endpoint, &request.from_peer(peer)).await.status
    };
    assert_eq!(send(Endpoint::Token, robot()).await, 200);
    assert_eq!(send(Endpoint::Token, request("robot", &[("grant_type", "made up")])).await, 400);
    plan.arm(0, Fault::Transient);
    assert_eq!(send(Endpoint::Token, robot()).await, 503);
    plan.arm(0, Fault::Hang);
    assert_eq!(send(Endpoint::Token, robot()).await, 503);
    assert_eq!(send(Endpoint::Metadata, Request::get("")).await, 200);
    let token = Endpoint::Token;
    let expected = [(token, 200), (token, 400), (token, 503), (token, 503), (Endpoint::Metadata, 200)];
    assert_eq!(measured.statuses(), expected);
    assert!(measured.answers.lock().unwrap().iter().all(|answer| answer.peer == Some(peer)));
    use CallOutcome::{Done, Failed, Late};
    assert_eq!(measured.outcomes(HostCall::CommitGrant), [Done, Failed, Late]);
    let late = *measured.calls.lock().unwrap().last().unwrap();
    assert!(late.took >= Duration::from_millis(5), "{late:?}");
}

#[tokio::test]
async fn what_begins_a_grant_names_the_address_that_it_began_from() {
    let fixture = Fixture::with(|builder| builder.device_verification("/device"));
    let peer = "192.0.2.7".parse().unwrap();
    assert_eq!(fixture.server.token(&robot().from_peer(peer)).await.status, 200);
    let query = Request::get(encode(&code_query("conf", "read"))).from_peer(peer);
    let consent = fixture.server.authorize(&query).await.unwrap().signed_in(fixture.alice()).await.consent();
    assert_eq!(consent.unwrap().approve().await.status, 303);
    for says_yes in [true, false] {
        let codes = fixture.waits().await;
        let browser = BrowserSession::session("browser");
        let entered = fixture.server.device(&codes.user, &browser, Some(peer)).await.unwrap();
        let consent = entered.signed_in(fixture.alice());
        let answered = if says_yes { consent.approve().await } else { consent.deny().await };
        answered.unwrap();
    }
    let texts = fixture.log.texts();
    for what in ["TokensIssued", "CodeIssued", "DeviceClaimed", "DeviceApproved", "DeviceDenied"] {
        let of_kind: Vec<&String> =
            texts.iter().filter(|text| text.contains(&format!(": {what} "))).collect();
        assert!(!of_kind.is_empty(), "{what}: {texts:?}");
        assert!(of_kind.iter().all(|text| text.contains(" peer=192.0.2.7")), "{of_kind:?}");
    }
}

#[tokio::test]
async fn an_event_of_a_browser_names_its_address() {
    let fixture = Fixture::new();
    let peer = "192.0.2.7".parse().unwrap();
    let query =
        |more: &str| Request::get(format!("{}{more}", encode(&code_query("conf", "read")))).from_peer(peer);
    let unknown = Request::get("client_id=nobody&response_type=code").from_peer(peer);
    assert!(fixture.server.authorize(&unknown).await.is_err());
    let silent = fixture.server.authorize(&query("&prompt=none")).await.unwrap();
    assert!(matches!(silent.login_required().await, LoginRequired::Answered(_)));
    let asked = fixture.server.authorize(&query("")).await.unwrap();
    let consent = asked.signed_in(fixture.alice()).await.consent().unwrap();
    assert_eq!(consent.deny().await.status, 303);
    assert!(fixture.server.logout(&unknown).await.is_err());
    let texts = fixture.log.texts();
    assert_eq!(texts.len(), 4, "{texts:?}");
    assert!(texts.iter().all(|text| text.contains(" peer=192.0.2.7")), "{texts:?}");
}

#[tokio::test]
async fn a_server_is_ready_while_its_parts_answer() {
    let plan = Plan::default();
    let fixture = on_faulty(&plan, crate::support::Log::default());
    assert!(fixture.server.ready().await.is_ok());
    plan.arm(0, Fault::Transient);
    let failed = fixture.server.ready().await.unwrap_err();
    assert_eq!(failed.to_string(), "a part of the host failed temporarily: injected");
    plan.arm(0, Fault::Hang);
    assert!(matches!(fixture.server.ready().await, Err(HostError::Deadline)));
    let registry = Faulty::new(MemoryRegistry::new(clients()), &plan);
    let fixture = Fixture::with(|builder| builder.clients(registry));
    plan.arm(0, Fault::Transient);
    assert!(fixture.server.ready().await.is_err());
    assert!(fixture.server.ready().await.is_ok());
}

#[tokio::test]
async fn a_sweep_tells_how_much_it_removed() {
    let fixture = Fixture::new();
    drop(fixture.server.token(&robot()).await);
    fixture.clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(fixture.server.sweep().await.unwrap(), 1);
    assert_eq!(fixture.log.whats().pop(), Some(EventKind::GrantsSwept(1)));
    let events = fixture.log.whats().len();
    assert_eq!(fixture.server.sweep().await.unwrap(), 0);
    assert_eq!(fixture.log.whats().len(), events, "nothing was removed, and nothing is told");
}

#[tokio::test]
async fn a_sweep_that_fails_tells_what_it_removed_before() {
    let (plan, log) = (Plan::default(), crate::support::Log::default());
    let fixture = on_faulty(&plan, log.clone());
    for _ in 0..60 {
        drop(fixture.server.token(&robot()).await);
    }
    fixture.clock.advance(Duration::from_secs(24 * 60 * 60));
    plan.arm(1, Fault::Transient);
    assert!(fixture.server.sweep().await.is_err());
    assert_eq!(log.whats().pop(), Some(EventKind::GrantsSwept(50)));
    assert_eq!(fixture.server.sweep().await.unwrap(), 10);
}

/// Counts by name and labels; a histogram by how often it was recorded.
#[derive(Clone, Default)]
struct Counts(Arc<Mutex<BTreeMap<String, Arc<Count>>>>);

#[derive(Default)]
struct Count(AtomicU64);

impl CounterFn for Count {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::SeqCst);
    }

    fn absolute(&self, value: u64) {
        self.0.store(value, Ordering::SeqCst);
    }
}

impl HistogramFn for Count {
    fn record(&self, seconds: f64) {
        assert!((0.0..60.0).contains(&seconds));
        self.increment(1);
    }
}

impl Counts {
    fn of(&self, key: &Key) -> Arc<Count> {
        let labels: Vec<String> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        self.0.lock().unwrap().entry(name).or_default().clone()
    }
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.of(key))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.of(key))
    }
}

#[tokio::test]
async fn metrics_count_by_fixed_labels() {
    let counts = Counts::default();
    let _guard = metrics::set_default_local_recorder(&counts);
    let plan = Plan::default();
    let fixture = on_faulty(&plan, (MetricsAudit::new(), crate::support::Log::default()));
    let handle = async |request: Request| fixture.server.handle(Endpoint::Token, &request).await.status;
    assert_eq!(handle(robot()).await, 200);
    assert_eq!(handle(robot()).await, 200);
    assert_eq!(handle(request("somebody-else", &[("grant_type", "client_credentials")])).await, 401);
    plan.arm(0, Fault::Permanent);
    assert_eq!(handle(robot()).await, 500);
    fixture.clock.advance(Duration::from_secs(24 * 60 * 60));
    fixture.server.sweep().await.unwrap();

    let all = counts.0.lock().unwrap();
    let count = |name: &str| all.get(name).map_or(0, |count| count.0.load(Ordering::SeqCst));
    for (name, expected) in [
        ("grantor_requests_total{endpoint=token,outcome=ok}", 2),
        ("grantor_requests_total{endpoint=token,outcome=refused}", 1),
        ("grantor_requests_total{endpoint=token,outcome=failed}", 1),
        ("grantor_request_duration_seconds{endpoint=token,outcome=ok}", 2),
        ("grantor_events_total{endpoint=token,event=tokens_issued}", 2),
        ("grantor_errors_total{endpoint=token,error=invalid_client}", 1),
        ("grantor_errors_total{endpoint=token,error=server_error}", 1),
        ("grantor_host_calls_total{call=commit_grant,outcome=done}", 2),
        ("grantor_host_calls_total{call=commit_grant,outcome=failed}", 1),
        ("grantor_host_call_duration_seconds{call=commit_grant,outcome=done}", 2),
        ("grantor_records_removed_total{kind=grants}", 2),
    ] {
        assert_eq!(count(name), expected, "{name}: {:?}", all.keys());
    }
    for personal in ["robot", "somebody-else"] {
        assert!(!all.keys().any(|name| name.contains(personal)), "{personal}: {:?}", all.keys());
    }
}
