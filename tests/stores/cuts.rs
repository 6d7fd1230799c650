//! Connections that are cut before a request arrives, and before its answer does: at every request of every
//! flow.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use grantor::jose::Algorithm;
use grantor::keys::{JwtSigner, KeySchedule, Keys};
use grantor::{AccessTokens, Endpoint, MemoryStore, Profile, Request, Response};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::places::{AnyStore, Place, open_keys, open_small};
use crate::scale::rounds;
use crate::servers::proxy::{Cut, Proxy};
use crate::servers::redis::RedisCluster;
use crate::support::Fixture;
use crate::support::flows::{FLOWS, Flow, Held};

/// Far more than the few connections of the store.
const AT_ONCE: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_to_postgres_costs_no_token() {
    survives_cuts(&Place::postgres()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_to_redis_costs_no_token() {
    survives_cuts(&Place::redis()).await;
}

/// Each node is reached by a port of the proxy, and says so to the client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_to_a_redis_cluster_costs_no_token() {
    let cluster = RedisCluster::without_replicas();
    let proxy = Proxy::to(cluster.nodes[0].port).await;
    let mut ports = vec![proxy.port];
    for node in &cluster.nodes[1..] {
        ports.push(proxy.also_to(node.port).await);
    }
    cluster.announce(&ports);
    survives_cuts_at("redis-cluster", &format!("redis-cluster://127.0.0.1:{}", proxy.port), &proxy).await;
}

async fn survives_cuts(place: &Place) {
    let proxy = Proxy::to(place.port()).await;
    survives_cuts_at(place.name(), &place.url_by(proxy.port), &proxy).await;
}

async fn survives_cuts_at(name: &str, url: &str, proxy: &Proxy) {
    let store = open_small(url).await;
    let wanted = rounds(50, 1_000);
    let (mut cuts, mut slowest) = (0, Duration::ZERO);
    while cuts < wanted {
        for flow in FLOWS {
            for cut in [Cut::BeforeRequest, Cut::BeforeAnswer] {
                let mut request = 0;
                while let Some(took) = survives(&store, proxy, flow, (request, cut)).await {
                    slowest = slowest.max(took);
                    request += 1;
                }
                cuts += request;
            }
        }
    }
    println!("{name}: {cuts} cuts; the slowest answer to one came after {slowest:?}");
    nobody_holds_a_connection(&store).await;
    is_away_and_back(&store, proxy, keys(url).await).await;
}

/// Cuts the connection of one request. How long its answer took, or `None` if there was no such request.
async fn survives(store: &AnyStore, proxy: &Proxy, flow: Flow, (at, cut): (usize, Cut)) -> Option<Duration> {
    let what = format!("{flow:?}, {cut:?} number {at}");
    let fixture = fixture(store);
    let held = flow.prepare(&fixture).await;
    proxy.arm(at, cut);
    let asked = Instant::now();
    let first = flow.attempt(&fixture, &held).await;
    let took = asked.elapsed();
    if !proxy.disarm() {
        assert!(first.is_ok(), "{what}");
        return None;
    }
    // A read may have been made again by the store itself.
    let got = match first {
        Ok(got) => got,
        Err(answer) => {
            is_unavailable(&answer, &what);
            retried(flow, &fixture, &held, &what).await
        }
    };
    flow.verify(&fixture, &held, &got).await;
    Some(took)
}

/// The store may need a moment for a new connection; until then it says so.
async fn retried(flow: Flow, fixture: &Fixture, held: &Held, what: &str) -> Value {
    for _ in 0..100 {
        match flow.attempt(fixture, held).await {
            Ok(got) => return got,
            Err(answer) => is_unavailable(&answer, what),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}: the retry never worked");
}

/// 503, when to come back, and not a word that lets a client throw away what it holds.
fn is_unavailable(answer: &Response, what: &str) {
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 503, "{what}: {body}");
    assert!(answer.header("retry-after").is_some(), "{what}");
    assert!(!body.contains("invalid"), "{what}: {body}");
}

async fn nobody_holds_a_connection(store: &AnyStore) {
    let mut tasks = JoinSet::new();
    for _ in 0..AT_ONCE {
        let fixture = fixture(store);
        tasks.spawn(
            async move { fixture.token("robot", &[("grant_type", "client_credentials")]).await.status() },
        );
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|status| *status == 200), "all connections are free: {answers:?}");
}

/// While the database is away: 503 in time where it is needed, and everything else as ever.
async fn is_away_and_back(store: &AnyStore, proxy: &Proxy, signer: JwtSigner) {
    let fixture = Fixture::on(Arc::new(MemoryStore::new()), store.clone(), |builder| {
        builder.token_signer(signer).access_tokens(AccessTokens::Jwt)
    });
    fixture.clock.set(Utc::now());
    for _ in 0..3 {
        let held = Flow::Code("pub").prepare(&fixture).await;
        proxy.down(true);
        for flow in [Flow::ClientCredentials, Flow::Code("pub")] {
            let asked = Instant::now();
            let answer = flow.attempt(&fixture, &held).await.expect_err("nobody gets through");
            is_unavailable(&answer, "away");
            println!("away: {flow:?} is answered after {:?}", asked.elapsed());
        }
        for endpoint in [Endpoint::Metadata, Endpoint::Jwks] {
            assert_eq!(fixture.server.handle(endpoint, &Request::get("")).await.status, 200, "{endpoint:?}");
        }
        proxy.down(false);
        let back = Instant::now();
        let got = retried(Flow::Code("pub"), &fixture, &held, "back").await;
        println!("answers again after {:?}", back.elapsed());
        Flow::Code("pub").verify(&fixture, &held, &got).await;
    }
}

/// A signer whose keys are in the store, too.
async fn keys(url: &str) -> JwtSigner {
    let keys = Keys::rotating(open_keys(url).await, KeySchedule::default(), &[Algorithm::EdDsa]).unwrap();
    keys.current(Utc::now()).await.unwrap();
    JwtSigner::new(keys).unwrap()
}

fn fixture(store: &AnyStore) -> Fixture {
    let used = store.clone();
    let fixture = Fixture::on(Arc::new(MemoryStore::new()), used, |builder| {
        builder.profile(Profile::Rfc6749).device_verification("/device")
    });
    fixture.clock.set(Utc::now());
    fixture
}
