//! Limits that hurt only those who guess: by address and client, behind proxies too.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use futures_util::future::join_all;
use grantor::adapter::TrustedProxies;
use grantor::adapter::axum::{Peer, PeerLayer};
use grantor::client::SlowHash;
use grantor::http::Method;
use grantor::{
    AuthMethod, BackendError, BrowserSession, Client, GrantType, MemoryRegistry, Policy, Profile, Reason,
    Registration, Request, ResourceOwner, SecretText, Subject, async_trait,
};
use tower::ServiceExt as _;

use crate::support::browser::Server;
use crate::support::http::post_as;
use crate::support::registering::{Own, Registering, app};
use crate::support::{Answer, CALLBACK, Fixture, SECRET, basic, clients, encode, request};

const HERE: [u8; 4] = [192, 0, 2, 1];
const THERE: [u8; 4] = [192, 0, 2, 2];

fn robot(client: &str, secret: &str) -> Request {
    Request::post_form("grant_type=client_credentials").header("authorization", basic(client, secret))
}

async fn status(fixture: &Fixture, request: Request, peer: [u8; 4]) -> u16 {
    fixture.server.token(&request.from_peer(IpAddr::from(peer))).await.status
}

/// Knows one secret, slowly, and counts how often it is asked.
#[derive(Clone, Debug, Default)]
struct Slow(Arc<AtomicUsize>);

impl Slow {
    async fn takes_a_while(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl SlowHash for Slow {
    async fn verify(&self, _phc: &str, presented: &SecretText) -> Option<bool> {
        self.takes_a_while().await;
        Some(presented.reveal() == "correct horse battery staple")
    }
}

#[async_trait]
impl ResourceOwner for Slow {
    async fn authenticate(
        &self,
        username: &str,
        password: &SecretText,
        _client: &Client,
    ) -> Result<Option<Subject>, BackendError> {
        self.takes_a_while().await;
        match username {
            "broken" => Err(BackendError::transient(std::io::Error::other("no users"))),
            _ => Ok((password.reveal() == "right").then(|| Subject::user(username))),
        }
    }
}

/// `slow` and `slower` have secrets that people chose, `short` one that is as short as theirs.
fn with_chosen_secrets(per_minute: u32) -> (Fixture, Slow) {
    let one = |id| Client::builder(id).grant_types([GrantType::ClientCredentials]);
    let chosen = [
        one("slow").secret_phc("$slow$").build().unwrap(),
        one("slower").secret_phc("$slow$").build().unwrap(),
        one("short").secret("sesame").build().unwrap(),
    ];
    let mut policy = Policy::default();
    policy.secret_failures_per_minute = per_minute;
    let slow = Slow::default();
    let registry = MemoryRegistry::new(clients().into_iter().chain(chosen));
    let fixture = Fixture::with(|b| b.clients(registry).slow_hash(slow.clone()).policy(policy));
    (fixture, slow)
}

#[tokio::test]
async fn ft_18_what_cannot_be_guessed_never_hears_429() {
    let fixture = Fixture::with(|builder| builder.device_verification("/device"));
    let tokens = fixture.tokens("pub", "read").await;
    let held = fixture.tokens("conf", "read").await;
    let wrong = |n: usize| {
        robot(if n.is_multiple_of(2) { "conf" } else { "nobody" }, &format!("a wrong generated secret {n}"))
    };
    let mut last = 0;
    for n in 0..3_000 {
        last = status(&fixture, wrong(n), HERE).await;
    }
    assert_eq!(last, 429, "who guesses is told to stop");
    assert_eq!(status(&fixture, robot("conf", SECRET), HERE).await, 200, "a right secret");
    let public = [("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh_token())];
    assert_eq!(status(&fixture, request("pub", &public), HERE).await, 200, "a public client");
    let here = |request: Request| request.from_peer(IpAddr::from(HERE));
    let asked = here(request("conf", &[("token", &held.access_token())]));
    assert_eq!(Answer(fixture.server.introspect(&asked).await).json()["active"], true, "introspection");
    assert_eq!(fixture.server.revoke(&asked).await.status, 200, "revocation");
    let begun = fixture.server.device_authorization(&here(request("tv", &[]))).await;
    assert_eq!(begun.status, 200, "a device");
}

#[tokio::test]
async fn ft_18_guesses_at_one_client_do_not_stop_another() {
    let (fixture, slow) = with_chosen_secrets(3);
    let right = "correct+horse+battery+staple";
    for _ in 0..3 {
        assert_eq!(status(&fixture, robot("slow", "wrong"), HERE).await, 401);
    }
    let asked = slow.0.load(Ordering::SeqCst);
    assert_eq!(status(&fixture, robot("slow", right), HERE).await, 429, "a secret that a person chose");
    assert_eq!(slow.0.load(Ordering::SeqCst), asked, "and it was not compared");
    assert_eq!(fixture.log.last_reason(), Some(Reason::ClientThrottled));
    assert_eq!(status(&fixture, robot("slower", right), HERE).await, 200, "another client");
    assert_eq!(status(&fixture, robot("slow", right), THERE).await, 200, "another address");
    fixture.clock.advance(Duration::from_secs(20));
    assert_eq!(status(&fixture, robot("slow", right), HERE).await, 200, "a third of a minute later");
}

#[tokio::test]
async fn ft_18_a_short_secret_counts_as_one_that_a_person_chose() {
    let (fixture, _) = with_chosen_secrets(3);
    for _ in 0..10 {
        assert_eq!(status(&fixture, robot("short", "sesame"), HERE).await, 200, "a right one is given back");
    }
    for _ in 0..3 {
        assert_eq!(status(&fixture, robot("short", "wrong"), HERE).await, 401);
    }
    assert_eq!(status(&fixture, robot("short", "sesame"), HERE).await, 429);
}

#[tokio::test]
async fn ft_18_one_address_has_a_higher_limit_for_all_clients_together() {
    let (fixture, slow) = with_chosen_secrets(3);
    for n in 0..30 {
        assert_eq!(status(&fixture, robot(&format!("made up {n}"), "x"), HERE).await, 401);
    }
    assert_eq!(status(&fixture, robot("slow", "wrong"), HERE).await, 429);
    assert_eq!(slow.0.load(Ordering::SeqCst), 0);
    assert_eq!(status(&fixture, robot("conf", SECRET), HERE).await, 200);
}

#[tokio::test]
async fn ft_18_devices_of_one_client_do_not_use_up_the_share_of_another() {
    let mut policy = Policy::default();
    policy.device_requests_per_minute = 2;
    let fixture = Fixture::with(|builder| builder.device_verification("/device").policy(policy));
    let begin = async |request: Request| {
        fixture.server.device_authorization(&request.from_peer(IpAddr::from(HERE))).await.status
    };
    let statuses = [begin(request("tv", &[])).await, begin(request("tv", &[])).await];
    assert_eq!((statuses, begin(request("tv", &[])).await), ([200, 200], 429));
    for _ in 0..5 {
        assert_eq!(begin(robot("conf", "a wrong generated secret")).await, 401);
    }
    assert_eq!(begin(request("conf", &[])).await, 200, "it proves who it is, and only its own count");
}

#[tokio::test]
async fn ft_20_of_2000_passwords_at_once_120_are_compared() {
    let slow = Slow::default();
    let fixture = Fixture::with(|builder| builder.resource_owner(slow.clone()).profile(Profile::Rfc6749));
    let guess = |username: &str, password: &str| {
        let form = [("grant_type", "password"), ("username", username), ("password", password)];
        request("legacy", &form).from_peer(IpAddr::from(HERE))
    };
    let requests: Vec<_> = (0..2_000).map(|n| guess("alice", &n.to_string())).collect();
    let answers = join_all(requests.iter().map(|request| fixture.server.token(request))).await;
    let throttled = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((slow.0.load(Ordering::SeqCst), throttled), (120, 1_880));
    assert_eq!(fixture.server.token(&guess("alice", "right")).await.status, 429);
    assert_eq!(
        fixture.server.token(&guess("bob", "right")).await.status,
        200,
        "another user of the application"
    );
    for _ in 0..200 {
        assert_eq!(fixture.server.token(&guess("broken", "right")).await.status, 503, "no guess was judged");
    }
}

#[tokio::test]
async fn ft_20_of_2000_chosen_secrets_at_once_120_are_compared() {
    let (fixture, slow) = with_chosen_secrets(120);
    let guesses: Vec<_> = (0..2_000)
        .map(|n| robot("slow", &format!("a long passphrase {n}")).from_peer(IpAddr::from(HERE)))
        .collect();
    let answers = join_all(guesses.iter().map(|request| fixture.server.token(request))).await;
    let judged = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!((slow.0.load(Ordering::SeqCst), judged), (120, 120));
}

#[tokio::test]
async fn ft_21_a_failure_of_the_last_minute_forgets_nothing() {
    let (fixture, _) = with_chosen_secrets(3);
    let start = fixture.clock_seconds();
    let set = |second: i64| fixture.clock.set(chrono::DateTime::from_timestamp(start + second, 0).unwrap());
    set(60);
    for _ in 0..3 {
        assert_eq!(status(&fixture, robot("slow", "wrong"), HERE).await, 401);
    }
    for late in [59, 30, 1] {
        set(late);
        assert_eq!(status(&fixture, robot("slower", "wrong"), THERE).await, 401);
        set(60);
        assert_eq!(status(&fixture, robot("slow", "wrong"), HERE).await, 429, "{late}");
    }
}

#[tokio::test]
async fn ft_22_wrong_codes_close_the_page_for_a_session_and_not_for_its_address() {
    let fixture = Fixture::with(|builder| builder.device_verification("/device"));
    let begun = Answer(fixture.server.device_authorization(&request("tv", &[])).await);
    let code = begun.text("user_code");
    let enter = async |code: &str, session: &str| {
        let entered =
            fixture.server.device(code, &BrowserSession::session(session), Some(IpAddr::from(HERE))).await;
        entered.map(drop).map_err(|page| page.status())
    };
    for _ in 0..5 {
        assert_eq!(enter("BCDF-GHJK", "mallory").await, Err(400));
    }
    for _ in 0..50 {
        assert_eq!(enter("BCDF-GHJK", "mallory").await, Err(429));
    }
    assert_eq!(enter(&code, "alice").await, Ok(()), "next to her");
    for n in 0..15 {
        assert_eq!(enter("BCDF-GHJK", &format!("a new session {n}")).await, Err(400));
    }
    for n in 0..50 {
        assert_eq!(enter("BCDF-GHJK", &format!("one more {n}")).await, Err(429), "the address");
    }
    fixture.clock.advance(Duration::from_secs(30));
    assert_eq!(enter(&code, "alice").await, Ok(()), "and room comes back, whatever was refused");
}

#[tokio::test]
async fn ft_17_open_registration_has_a_limit_in_all() {
    let server = Registering::on(Registration::open().per_minute(0).per_day(20));
    let app = serde_json::json!({ "redirect_uris": [CALLBACK] }).to_string();
    let from = |last: u8| Request::json(Method::Post, app.clone()).from_peer(IpAddr::from([192, 0, 2, last]));
    for address in 0..10 {
        let statuses = [server.send(from(address)).await, server.send(from(address)).await];
        assert_eq!(statuses.map(|answer| answer.status()), [201, 201]);
        assert_eq!(server.send(from(address)).await.status(), 429, "a tenth from one address");
    }
    assert_eq!(server.send(from(99)).await.error(), (429, "temporarily_unavailable".to_owned()));
    assert_eq!(server.fixture.log.last_reason(), Some(Reason::RegistrationThrottled));
    assert_eq!(server.fixture.token("conf", &[("grant_type", "client_credentials")]).await.status(), 200);
    server.fixture.clock.advance(Duration::from_secs(24 * 60 * 60 / 20));
    assert_eq!(server.send(from(99)).await.status(), 201);
}

#[tokio::test]
async fn ft_17_a_client_changes_itself_no_more_often_than_others_register() {
    let server = Registering::on(Registration::open().per_minute(3));
    let own = server.registered(&app()).await;
    let other = server.registered(&app()).await;
    let put = |own: &Own| {
        let mut body = app();
        body["client_id"] = own.id().into();
        own.asks(Request::json(Method::Put, body.to_string()))
    };
    let from = |last: u8| IpAddr::from([192, 0, 2, last]);
    for last in 0..3 {
        assert_eq!(server.send(put(&own).from_peer(from(last))).await.status(), 200);
    }
    let throttled = server.send(put(&own).from_peer(from(3))).await;
    assert_eq!(throttled.error(), (429, "temporarily_unavailable".to_owned()), "from whatever address");
    assert_eq!(throttled.0.header("retry-after"), Some("20"));
    assert_eq!(server.send(put(&other).from_peer(from(0))).await.status(), 200, "another client");
    for _ in 0..10 {
        let wrong = other.asks_with(Request::json(Method::Put, "{}"), own.text("registration_access_token"));
        assert_eq!(server.send(wrong.from_peer(from(0))).await.status(), 401);
    }
    assert_eq!(
        server.send(put(&other).from_peer(from(0))).await.status(),
        200,
        "a wrong token counts nothing"
    );
    server.fixture.clock.advance(Duration::from_secs(20));
    assert_eq!(server.send(put(&own).from_peer(from(3))).await.status(), 200);
}

#[tokio::test]
async fn ft_18_a_right_initial_access_token_is_not_stopped_by_wrong_ones() {
    let right = "an-initial-access-token-of-128-bits";
    let server = Registering::on(Registration::with_initial_access_token(right).per_minute(2).per_day(1));
    let app = serde_json::json!({ "redirect_uris": [CALLBACK] }).to_string();
    let ask = |token: &str| {
        let request = Request::json(Method::Post, app.clone()).from_peer(IpAddr::from(HERE));
        request.header("authorization", format!("Bearer {token}"))
    };
    let mut last = 0;
    for n in 0..10 {
        last = server.send(ask(&format!("wrong{n}"))).await.status();
    }
    assert_eq!(last, 429);
    let statuses =
        [server.send(ask(right)).await, server.send(ask(right)).await, server.send(ask(right)).await];
    assert_eq!(statuses.map(|answer| answer.status()), [201, 201, 429]);
}

/// The router behind proxies on 10.0.0.0/8.
fn behind_proxies(fixture: &Fixture) -> axum::Router {
    let proxies = TrustedProxies::networks(["10.0.0.0/8"]).unwrap();
    let page = axum::routing::get(async |Peer(peer): Peer| format!("{peer:?}"));
    let app = axum::Router::new().route("/peer", page);
    app.merge(grantor::adapter::axum::router(fixture.server.clone())).layer(PeerLayer::new(proxies))
}

fn over(
    mut request: axum::http::Request<Body>,
    peer: [u8; 4],
    header: (&'static str, &str),
) -> axum::http::Request<Body> {
    request.headers_mut().insert(header.0, header.1.parse().unwrap());
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 4711))));
    request
}

#[tokio::test]
async fn ft_19_behind_a_proxy_everybody_has_an_address_of_their_own() {
    let (fixture, _) = with_chosen_secrets(3);
    let app = behind_proxies(&fixture);
    let guess = async |secret: &str, peer: [u8; 4], header: (&'static str, &str)| {
        let request = post_as("/token", &basic("slow", secret), "grant_type=client_credentials");
        app.clone().oneshot(over(request, peer, header)).await.unwrap().status().as_u16()
    };
    let (proxy, right) = ([10, 0, 0, 1], "correct+horse+battery+staple");
    for n in 0..3 {
        let forged = format!("198.51.100.{n}, 203.0.113.9");
        assert_eq!(guess("wrong", proxy, ("x-forwarded-for", &forged)).await, 401);
    }
    assert_eq!(guess(right, proxy, ("x-forwarded-for", "198.51.100.77, 203.0.113.9")).await, 429);
    assert_eq!(guess(right, proxy, ("forwarded", "for=203.0.113.9;proto=https")).await, 429);
    assert_eq!(guess(right, proxy, ("x-forwarded-for", "203.0.113.10")).await, 200);
    assert_eq!(guess(right, proxy, ("forwarded", "for=\"203.0.113.11:80\"")).await, 200);
    let direct = [203, 0, 113, 9];
    assert_eq!(guess(right, direct, ("x-forwarded-for", "203.0.113.12")).await, 429, "no proxy is believed");
}

#[tokio::test]
async fn ft_19_a_page_of_the_host_is_told_the_same_address() {
    let app = behind_proxies(&Fixture::new());
    for (peer, header, seen) in [
        ([10, 0, 0, 1], "203.0.113.9", "Some(203.0.113.9)"),
        ([10, 0, 0, 1], "nonsense", "Some(10.0.0.1)"),
        ([203, 0, 113, 7], "203.0.113.9", "Some(203.0.113.7)"),
    ] {
        let request = axum::http::Request::get("/peer").body(Body::empty()).unwrap();
        let answer = app.clone().oneshot(over(request, peer, ("x-forwarded-for", header))).await.unwrap();
        let body = axum::body::to_bytes(answer.into_body(), 100).await.unwrap();
        assert_eq!(body, seen.as_bytes());
    }
}

/// `POST` of a form to the example server, from this client of a proxy on loopback.
fn forwarded(server: &Server, path: &str, authorization: &str, client: &str, form: &[(&str, &str)]) -> u16 {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let request = agent.post(format!("{}{path}", server.base)).header("x-forwarded-for", client);
    let request = request.header("authorization", authorization);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.send(encode(form)).unwrap().status().as_u16()
}

#[test]
fn ft_19_the_example_server_believes_the_proxies_of_its_file() {
    let form = [("grant_type", "client_credentials")];
    let wrong = basic("conf", "a wrong generated secret");
    let limits = "[limits]\nsecret = 2\nregistration = 1\nuser_code = 1\n[registration]\nmode = \"open\"";
    let server = Server::start_with("trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]", limits);
    let guess = |client| forwarded(&server, "/token", &wrong, client, &form);
    assert_eq!([guess("203.0.113.9"), guess("203.0.113.9"), guess("203.0.113.9")], [401, 401, 429]);
    assert_eq!([guess("203.0.113.10"), guess("198.51.100.1, 203.0.113.9, 10.0.0.7")], [401, 429]);
    let register = |client| forwarded(&server, "/register", "", client, &[]);
    assert_eq!([register("203.0.113.9"), register("203.0.113.9"), register("203.0.113.10")], [400, 429, 400]);

    let alone = Server::start_with("", "[limits]\nsecret = 2");
    let guess = |client| forwarded(&alone, "/token", &wrong, client, &form);
    assert_eq!([guess("203.0.113.9"), guess("203.0.113.10"), guess("203.0.113.11")], [401, 401, 429]);
}

#[tokio::test]
async fn ft_35_a_client_without_a_secret_gets_no_basic_challenge() {
    let fixture = Fixture::with(|builder| builder.device_verification("/device"));
    let ask = async |request: &Request| {
        let server = &fixture.server;
        [
            server.token(request).await,
            server.revoke(request).await,
            server.introspect(request).await,
            server.device_authorization(request).await,
        ]
    };
    let form = |client: &str| {
        Request::post_form(format!("grant_type=client_credentials&token=x&client_id={client}"))
    };
    for unproven in
        [form("nobody"), form("conf"), Request::post_form("grant_type=client_credentials&token=x")]
    {
        for answer in ask(&unproven).await {
            assert_eq!((answer.status, answer.header("www-authenticate")), (401, None));
        }
    }
    let introspected = fixture.server.introspect(&form("pub")).await;
    assert_eq!((introspected.status, introspected.header("www-authenticate")), (401, None));
    let basic_header = form("conf").header("authorization", basic("conf", "wrong"));
    let malformed = form("conf").header("authorization", "Basic %%");
    let in_body =
        Request::post_form("grant_type=client_credentials&token=x&client_id=post&client_secret=wrong");
    for tried in [basic_header, malformed, in_body] {
        for answer in ask(&tried).await {
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            assert!(answer.status == 401 && challenge.starts_with("Basic "), "{challenge:?}");
        }
    }
    assert_eq!(clients().iter().filter(|client| client.auth_method() == AuthMethod::None).count(), 2);
}
