//! Strangers name URLs without end and hosts that never answer; clients that users granted something notice
//! nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use grantor::documents::MetadataDocuments;
use grantor::outbound::{Outbound, OutboundError, OutboundRequest, OutboundResponse};
use grantor::{ErrorPage, MemoryStore, Reason, Request, async_trait};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::support::site::{DOCUMENT, JSON, Site, document};
use crate::support::{Answer, CALLBACK, Fixture, VERIFIER, code_query, encode};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A site whose hosts `slow*.example` do not answer until they are allowed to.
#[derive(Clone)]
struct Web {
    site: Site,
    slow: Arc<Semaphore>,
}

impl Web {
    fn new() -> Self {
        let site = Site::new();
        site.answer(
            DOCUMENT,
            200,
            &[JSON, ("cache-control", "max-age=300")],
            &document(DOCUMENT).to_string(),
        );
        Self { site, slow: Arc::new(Semaphore::new(0)) }
    }
}

#[async_trait]
impl Outbound for Web {
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let answer = self.site.send(request).await;
        if request.url().starts_with("https://slow") {
            let _turn = self.slow.acquire().await.unwrap();
        }
        answer
    }
}

fn served(web: &Web, terms: impl FnOnce(MetadataDocuments) -> MetadataDocuments) -> Fixture {
    let terms = terms(MetadataDocuments::over(web.clone()));
    Fixture::with(|builder| builder.client_id_metadata_documents(terms))
}

fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, last))
}

/// Why the client is refused, if it is.
async fn outcome(fixture: &Fixture, id: &str, peer: Option<IpAddr>) -> Option<Reason> {
    let mut request = Request::get(encode(&code_query(id, "read")));
    request.peer = peer;
    fixture.server.authorize(&request).await.as_ref().err().map(ErrorPage::reason)
}

async fn post(fixture: &Fixture, form: &[(&str, &str)]) -> Answer {
    let form = [form, &[("client_id", DOCUMENT)]].concat();
    Answer(fixture.server.token(&Request::post_form(encode(&form))).await)
}

/// The refresh token of a session.
async fn connected(fixture: &Fixture) -> String {
    let code = fixture.code(DOCUMENT, "read").await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    post(fixture, &form).await.refresh_token()
}

async fn refreshed(fixture: &Fixture, token: &str) -> Answer {
    post(fixture, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

/// Takes every turn that strangers can have, and gives them back at the end.
async fn with_slow_hosts(web: &Web, fixture: &Fixture, then: impl AsyncFnOnce()) {
    let calls = web.site.calls();
    let urls: Vec<String> = (0..16).map(|n| format!("https://slow{n}.example/id")).collect();
    let held = tokio::spawn({
        let fixture = fixture.clone();
        async move { join_all(urls.iter().map(|url| outcome(&fixture, url, None))).await }
    });
    while web.site.calls() < calls + 16 {
        tokio::task::yield_now().await;
    }
    then().await;
    web.slow.add_permits(100);
    held.await.unwrap();
}

#[tokio::test]
async fn ft_10_a_flood_of_documents_and_slow_hosts_do_not_end_a_session() {
    let web = Web::new();
    let fixture = served(&web, |terms| terms.entries(10));
    let token = connected(&fixture).await;
    for n in 0..100 {
        let id = format!("https://cheap{n}.example/id");
        web.site.put(&id, document(&id));
        fixture.clock.advance(Duration::from_secs(1));
        assert_eq!(outcome(&fixture, &id, None).await, None);
    }
    fixture.clock.advance(DAY);
    with_slow_hosts(&web, &fixture, async || {
        assert_eq!(outcome(&fixture, "https://other.example/id", None).await, Some(Reason::DocumentsBusy));
        let calls = web.site.calls();
        let answer = refreshed(&fixture, &token).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        assert_eq!(web.site.calls(), calls + 1, "there are turns for it");
        assert_eq!(outcome(&fixture, DOCUMENT, None).await, None, "for its next users, too");
    })
    .await;
}

#[tokio::test]
async fn ft_10_a_document_that_led_to_a_grant_is_the_last_to_go() {
    let web = Web::new();
    let ids = [1, 2, 3].map(|n| format!("https://cheap{n}.example/id"));
    ids.iter().for_each(|id| web.site.put(id, document(id)));
    let fixture = served(&web, |terms| terms.entries(2));
    connected(&fixture).await;
    for id in &ids {
        fixture.clock.advance(Duration::from_secs(1));
        assert_eq!(outcome(&fixture, id, None).await, None);
    }
    let calls = web.site.calls();
    assert_eq!(outcome(&fixture, DOCUMENT, None).await, None);
    assert_eq!(web.site.calls(), calls, "it is there, though it was used least recently");
}

#[tokio::test]
async fn ft_10_a_server_that_was_restarted_knows_its_sessions() {
    let web = Web::new();
    let store = Arc::new(MemoryStore::new());
    let start = || {
        let terms = MetadataDocuments::over(web.clone());
        Fixture::on(store.clone(), store.clone(), |builder| builder.client_id_metadata_documents(terms))
    };
    let token = connected(&start()).await;
    let fixture = start();
    with_slow_hosts(&web, &fixture, async || {
        let unknown = refreshed(&fixture, &format!("grt_{}", "A".repeat(64))).await;
        assert_eq!(unknown.status(), 503, "a token of no grant makes nobody known: {}", unknown.json());
        let answer = refreshed(&fixture, &token).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
    })
    .await;
}

#[tokio::test]
async fn ft_10_one_address_names_so_many_unknown_documents_a_minute() {
    let web = Web::new();
    let fixture = served(&web, |terms| terms);
    let token = connected(&fixture).await;
    let (stranger, other) = (Some(address(1)), Some(address(2)));
    for n in 0..40 {
        let reason = outcome(&fixture, &format!("https://cheap{n}.example/id"), stranger).await;
        let expected = if n < 30 { Reason::DocumentStatusWrong } else { Reason::DocumentsThrottled };
        assert_eq!(reason, Some(expected), "{n}");
    }
    assert_eq!((Reason::DocumentsThrottled.status(), web.site.calls()), (429, 31));
    let elsewhere = outcome(&fixture, "https://cheap40.example/id", other).await;
    assert_eq!(elsewhere, Some(Reason::DocumentStatusWrong), "the limit is of one address");
    assert_eq!(outcome(&fixture, DOCUMENT, stranger).await, None, "what is kept costs nothing");
    fixture.clock.advance(10 * MINUTE);
    for n in 0..31 {
        outcome(&fixture, &format!("https://more{n}.example/id"), stranger).await;
    }
    assert_eq!(outcome(&fixture, DOCUMENT, stranger).await, None, "a known client is fetched for everybody");
    assert_eq!(refreshed(&fixture, &token).await.status(), 200);
    fixture.clock.advance(MINUTE);
    let again = outcome(&fixture, "https://cheap41.example/id", stranger).await;
    assert_eq!(again, Some(Reason::DocumentStatusWrong));
}

/// From each of these addresses, requests a client whose document is on another slow host. Returns once this
/// many fetches are in progress.
async fn naming_slow_hosts(
    web: &Web,
    fixture: &Fixture,
    peers: Vec<IpAddr>,
    fetched: usize,
) -> JoinHandle<Vec<Option<Reason>>> {
    let (fixture, calls) = (fixture.clone(), web.site.calls());
    let held = tokio::spawn(async move {
        let named = peers.iter().enumerate().map(|(n, peer)| (format!("https://slow{n}.example/id"), *peer));
        let named: Vec<_> = named.collect();
        join_all(named.iter().map(|(url, peer)| outcome(&fixture, url, Some(*peer)))).await
    });
    while web.site.calls() < calls + fetched {
        tokio::task::yield_now().await;
    }
    held
}

#[tokio::test]
async fn ft_10_one_address_holds_few_turns() {
    let web = Web::new();
    let fixture = served(&web, |terms| terms);
    let held = naming_slow_hosts(&web, &fixture, vec![address(1); 10], 4).await;
    assert_eq!(outcome(&fixture, DOCUMENT, Some(address(2))).await, None);
    web.slow.add_permits(100);
    let outcomes = held.await.unwrap();
    let throttled = outcomes.iter().filter(|reason| **reason == Some(Reason::DocumentsThrottled));
    assert_eq!((throttled.count(), web.site.calls()), (6, 5));
}

#[tokio::test]
async fn ft_10_a_site_of_ipv6_holds_as_many_turns_as_two_addresses() {
    let web = Web::new();
    let fixture = served(&web, |terms| terms);
    let subnet = |n: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, n << 8, 0, 0, 0, 1));
    let held = naming_slow_hosts(&web, &fixture, (0..16).map(subnet).collect(), 8).await;
    assert_eq!(outcome(&fixture, DOCUMENT, Some(address(1))).await, None);
    web.slow.add_permits(100);
    let outcomes = held.await.unwrap();
    let throttled = outcomes.iter().filter(|reason| **reason == Some(Reason::DocumentsThrottled));
    assert_eq!((throttled.count(), web.site.calls()), (8, 9));
}

#[tokio::test]
async fn ft_10_some_turns_are_only_for_networks_without_a_recent_failure() {
    let web = Web::new();
    let fixture = served(&web, |terms| terms);
    let peers: Vec<IpAddr> = (1..=4).map(address).collect();
    for peer in &peers {
        let reason = outcome(&fixture, &format!("https://cheap.example/{peer}"), Some(*peer)).await;
        assert_eq!(reason, Some(Reason::DocumentStatusWrong));
    }
    let held = naming_slow_hosts(&web, &fixture, peers.repeat(4), 12).await;
    assert_eq!(outcome(&fixture, DOCUMENT, Some(address(9))).await, None);
    web.slow.add_permits(100);
    let outcomes = held.await.unwrap();
    assert_eq!(outcomes.iter().filter(|reason| **reason == Some(Reason::DocumentsBusy)).count(), 4);
}

#[tokio::test]
async fn ft_10_a_requester_that_hangs_up_has_a_recent_failure() {
    let web = Web::new();
    let fixture = served(&web, |terms| terms);
    let peers: Vec<IpAddr> = (1..=4).map(address).collect();
    let held = naming_slow_hosts(&web, &fixture, peers.clone(), 4).await;
    held.abort();
    assert!(held.await.is_err());
    let held = naming_slow_hosts(&web, &fixture, peers.repeat(4), 12).await;
    assert_eq!(outcome(&fixture, DOCUMENT, Some(address(9))).await, None);
    web.slow.add_permits(100);
    held.await.unwrap();
}

#[tokio::test]
async fn ft_10_a_host_whose_documents_are_late_is_not_asked_for_longer_each_time() {
    let web = Web::new();
    let fixture = served(&web, |terms| terms);
    let late = async |n: usize| {
        let (id, calls) = (format!("https://late.example/id{n}"), web.site.calls());
        web.site.fail(&id, OutboundError::Timeout);
        assert_eq!(outcome(&fixture, &id, None).await, Some(Reason::DocumentTimeout));
        web.site.calls() > calls
    };
    let plan = [
        (0, true),
        (0, true),
        (0, true),
        (9, false),
        (1, true),
        (19, false),
        (1, true),
        (39, false),
        (1, true),
    ];
    for (n, (seconds, is_asked)) in plan.into_iter().enumerate() {
        fixture.clock.advance(Duration::from_secs(seconds));
        assert_eq!(late(n).await, is_asked, "{n}");
    }
    fixture.clock.advance(2 * MINUTE);
    let id = "https://late.example/good";
    web.site.put(id, document(id));
    assert_eq!(outcome(&fixture, id, None).await, None);
    for n in 20..23 {
        assert!(late(n).await, "an answer ends it");
    }
}

#[tokio::test]
async fn ft_10_a_session_goes_on_with_the_last_document_and_ends_with_an_answer() {
    let web = Web::new();
    let fixture = served(&web, |terms| terms);
    let token = connected(&fixture).await;
    web.site.fail(DOCUMENT, OutboundError::Unreachable);
    fixture.clock.advance(2 * DAY);
    let reason = outcome(&fixture, DOCUMENT, None).await;
    assert_eq!(reason, Some(Reason::DocumentUnreachable), "nothing new begins with a document of old");
    let answer = refreshed(&fixture, &token).await;
    assert_eq!(answer.status(), 200, "{}", answer.json());
    fixture.clock.advance(MINUTE);
    web.site.put(DOCUMENT, json!({}));
    let ended = refreshed(&fixture, &answer.refresh_token()).await;
    assert_eq!(ended.error(), (401, "invalid_client".to_owned()), "nobody says that it is still there");
}
