//! Client authentication: RFC 6749 sections 2.3 and 3.2.1.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use grantor::client::argon2::Argon2Secrets;
use grantor::client::{ClientError, SlowHash};
use grantor::{
    ApplicationType, AuthMethod, Client, GrantType, MemoryRegistry, Policy, Reason, Request, SecretText,
    async_trait,
};

use crate::support::{Answer, Fixture, SECRET, TestClock, basic, encode, phc, redemption, request};

const ROBOT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// A server whose only client is this one.
fn only(client: Client) -> Fixture {
    Fixture::with(|builder| builder.clients(MemoryRegistry::new([client])))
}

fn robot(id: &str) -> grantor::client::ClientBuilder {
    Client::builder(id).grant_types([GrantType::ClientCredentials])
}

/// The answer to `client_credentials` with this `Authorization` header.
async fn with_header(fixture: &Fixture, header: &str) -> Answer {
    let request = Request::post_form(encode(&ROBOT)).header("authorization", header);
    Answer(fixture.server.token(&request).await)
}

async fn with_form(fixture: &Fixture, more: &[(&str, &str)]) -> Answer {
    Answer(fixture.server.token(&Request::post_form(encode(&[&ROBOT[..], more].concat()))).await)
}

/// RFC 6749 appendix B, for one text.
fn encoded(text: &str) -> String {
    encode(&[("", text)])[1..].to_owned()
}

#[tokio::test]
async fn ca_01_basic_credentials_are_form_encoded() {
    for secret in ["p:q", "100%", "a+b", "a b", "é🔑", "%41", "a&b=c", "\"\\"] {
        let fixture = only(robot("app one").secret(secret).build().unwrap());
        let right = basic(&encoded("app one"), &encoded(secret));
        assert_eq!(with_header(&fixture, &right).await.status(), 200, "{secret}");
        let spaces = right_with_percent_20(secret);
        assert_eq!(with_header(&fixture, &spaces).await.status(), 200, "{secret}");
        if secret.contains(['%', '+']) {
            let raw = with_header(&fixture, &basic("app+one", secret)).await;
            assert_eq!(raw.error(), (401, "invalid_client".to_owned()), "{secret}");
        }
    }
}

fn right_with_percent_20(secret: &str) -> String {
    basic(&encoded("app one").replace('+', "%20"), &encoded(secret).replace('+', "%20"))
}

#[tokio::test]
async fn ca_01_a_header_that_is_not_basic_credentials_is_refused() {
    let fixture = Fixture::new();
    let good = basic("robot", SECRET);
    let (scheme, credentials) = good.split_once(' ').unwrap();
    assert_eq!(with_header(&fixture, &format!("{scheme}   {credentials}  ")).await.status(), 200);
    for bad in [
        "",
        "Basic",
        "Basic ",
        credentials,
        &format!("Bearer {credentials}"),
        &format!("Basic {credentials}!"),
        &format!("Basic {credentials}, Basic {credentials}"),
        &format!("Basic {}", credentials.trim_end_matches('=').to_owned() + "===="),
        "Basic cm9ib3Q=",
        "Basic Og==",
        &basic("robot", "%FF"),
        &basic("robot", "%"),
        &basic("ROBOT", SECRET),
        &basic("robot\0", SECRET),
        &basic("robot", &SECRET.to_lowercase()),
        &basic("robot", &SECRET[1..]),
        &basic("robot", ""),
    ] {
        let answer = with_header(&fixture, bad).await;
        assert_eq!(answer.error(), (401, "invalid_client".to_owned()), "{bad:?}");
    }
    let twice =
        Request::post_form(encode(&ROBOT)).header("authorization", &good).header("authorization", &good);
    assert_eq!(Answer(fixture.server.token(&twice).await).error(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn ca_02_credentials_in_the_body_work_where_they_are_registered() {
    let fixture = Fixture::new();
    let right = with_form(&fixture, &[("client_id", "post"), ("client_secret", SECRET)]).await;
    assert_eq!(right.status(), 200);
    let wrong = with_form(&fixture, &[("client_id", "post"), ("client_secret", "wrong")]).await;
    assert_eq!(wrong.error(), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn ca_03_one_request_has_one_method_of_authentication() {
    let fixture = Fixture::new();
    let assertion = ("client_assertion", "a.b.c");
    let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let mixtures: [&[(&str, &str)]; 5] = [
        &[("client_id", "conf"), ("client_secret", SECRET)],
        &[("client_secret", "wrong")],
        &[assertion, kind],
        &[kind],
        &[("client_id", "post")],
    ];
    for mixture in mixtures {
        let form = encode(&[&ROBOT[..], mixture].concat());
        let request = Request::post_form(form).header("authorization", basic("conf", SECRET));
        let answer = Answer(fixture.server.token(&request).await);
        assert_eq!(answer.error(), (400, "invalid_request".to_owned()), "{mixture:?}");
    }
    assert_eq!(fixture.log.last_reason(), Some(Reason::ClientIdsDiffer), "the last of them");
    let both = with_form(&fixture, &[("client_id", "post"), ("client_secret", SECRET), assertion]).await;
    assert_eq!(both.error(), (400, "invalid_request".to_owned()));
    let same = encode(&[ROBOT[0], ("client_id", "conf")]);
    let request = Request::post_form(same).header("authorization", basic("conf", SECRET));
    assert_eq!(fixture.server.token(&request).await.status, 200, "to name oneself is no second method");
}

#[tokio::test]
async fn ca_04_only_the_registered_method_is_accepted() {
    let fixture = Fixture::new();
    let in_body = |id| [("client_id", id), ("client_secret", SECRET)];
    for answer in [
        with_header(&fixture, &basic("post", SECRET)).await,
        with_form(&fixture, &in_body("conf")).await,
        with_form(&fixture, &in_body("pub")).await,
        with_header(&fixture, &basic("pub", "")).await,
        with_form(&fixture, &[("client_id", "post"), ("client_assertion", "a.b.c")]).await,
    ] {
        assert_eq!(answer.error(), (401, "invalid_client".to_owned()));
    }
    assert_eq!(with_header(&fixture, &basic("conf", SECRET)).await.status(), 200);
}

#[tokio::test]
async fn d_08_a_secret_may_travel_in_the_header_or_in_the_body_as_registered() {
    let fixture = Fixture::new();
    for client in ["conf", "post"] {
        assert_eq!(fixture.token(client, &ROBOT).await.status(), 200, "{client}");
        let token = fixture.tokens(client, "read").await.access_token();
        assert_eq!(fixture.introspect(client, &token).await.json()["active"], true);
        assert_eq!(fixture.revoke(client, &token).await.status(), 200);
    }
    let methods = Answer(fixture.server.metadata()).json();
    let methods = methods["token_endpoint_auth_methods_supported"].as_array().unwrap().clone();
    assert!(
        methods.contains(&"client_secret_basic".into()) && methods.contains(&"client_secret_post".into())
    );
}

#[tokio::test]
async fn ca_05_a_failure_is_401_with_a_challenge() {
    let fixture = Fixture::new();
    let wrong = Request::post_form("grant_type=client_credentials&token=x")
        .header("authorization", basic("conf", "no"));
    for response in [
        fixture.server.token(&wrong).await,
        fixture.server.revoke(&wrong).await,
        fixture.server.introspect(&wrong).await,
    ] {
        let answer = Answer(response);
        assert_eq!(answer.error(), (401, "invalid_client".to_owned()));
        assert!(answer.0.header("www-authenticate").unwrap().starts_with("Basic realm="));
    }
    let in_body = with_form(&fixture, &[("client_id", "post"), ("client_secret", "no")]).await;
    assert_eq!(in_body.status(), 401);
}

#[tokio::test]
async fn ca_06_a_confidential_client_authenticates_on_every_grant() {
    let fixture = Fixture::legacy();
    let code = fixture.code("conf", "read").await;
    let live = fixture.tokens("conf", "read").await;
    let (access, refresh) = (live.access_token(), live.refresh_token());
    let forms: [&[(&str, &str)]; 4] = [
        &redemption(&code),
        &[("grant_type", "refresh_token"), ("refresh_token", &refresh)],
        &ROBOT,
        &[("grant_type", "password"), ("username", "alice"), ("password", "wonderland")],
    ];
    for form in forms {
        for id in ["conf", "legacy", "post"] {
            let form = encode(&[form, &[("client_id", id)]].concat());
            let answer = Answer(fixture.server.token(&Request::post_form(form)).await);
            assert_eq!(answer.error(), (401, "invalid_client".to_owned()), "{id}");
        }
    }
    let token = Request::post_form(encode(&[("token", access.as_str()), ("client_id", "conf")]));
    assert_eq!(fixture.server.revoke(&token).await.status, 401);
    assert_eq!(fixture.server.introspect(&token).await.status, 401);

    assert!(fixture.is_live(&access).await);
    assert_eq!(fixture.redeem("conf", &code).await.status(), 200, "the code was not spent");
}

#[tokio::test]
async fn ca_07_a_client_without_authentication_names_itself() {
    let fixture = Fixture::new();
    let code = fixture.code("pub", "read").await;
    let nameless = Answer(fixture.server.token(&Request::post_form(encode(&redemption(&code)))).await);
    assert_eq!(nameless.error(), (401, "invalid_client".to_owned()));
    let empty = with_form(&fixture, &[("client_id", "")]).await;
    assert_eq!(empty.error(), (401, "invalid_client".to_owned()));
    let unknown = with_form(&fixture, &[("client_id", "PUB")]).await;
    assert_eq!(unknown.error(), (401, "invalid_client".to_owned()));
    assert_eq!(fixture.redeem("pub", &code).await.status(), 200);
}

#[tokio::test]
async fn ca_08_an_id_alone_authenticates_nobody_confidential() {
    let fixture = Fixture::new();
    for id in ["conf", "post", "robot", "native"] {
        for more in [vec![("client_id", id)], vec![("client_id", id), ("client_secret", "")]] {
            let answer = with_form(&fixture, &more).await;
            assert_eq!(answer.error(), (401, "invalid_client".to_owned()), "{more:?}");
        }
        assert_eq!(with_header(&fixture, &basic(id, "")).await.status(), 401);
    }
}

#[tokio::test]
async fn ca_08_an_unknown_client_and_a_wrong_secret_are_told_alike() {
    let fixture = Fixture::new();
    let unknown = with_header(&fixture, &basic("nobody", SECRET)).await;
    assert_eq!(fixture.log.last_reason(), Some(Reason::ClientUnknown));
    let wrong = with_header(&fixture, &basic("conf", "wrong")).await;
    assert_eq!(fixture.log.last_reason(), Some(Reason::ClientSecretWrong));
    assert_eq!(unknown.0.body, wrong.0.body);
    assert_eq!(unknown.0.headers, wrong.0.headers);
}

#[tokio::test]
async fn ca_09_the_secret_of_a_native_application_proves_nothing() {
    let fixture = Fixture::new();
    let mut query = crate::support::code_query("native", "read");
    query.retain(|(name, _)| !name.starts_with("code_challenge"));
    assert_eq!(fixture.approve(&query).await.location_parameter("error").as_deref(), Some("invalid_request"));

    let code = fixture.code("native", "read").await;
    let mut form = redemption(&code);
    form[2].1 = "com.example.app:/cb";
    let first = fixture.token("native", &form).await;
    assert_eq!(first.status(), 200, "it may send the secret that it was given");
    let second = fixture.refresh("native", &first.refresh_token()).await;
    assert_ne!(first.refresh_token(), second.refresh_token(), "and its refresh tokens rotate");
    assert_eq!(fixture.introspect("native", &second.access_token()).await.status(), 401);

    let native = || Client::builder("app").application_type(ApplicationType::Native).secret(SECRET);
    let errors = native()
        .redirect_uri("com.example.app:/cb")
        .grant_types([GrantType::AuthorizationCode, GrantType::ClientCredentials])
        .require_pkce(false)
        .rotate_refresh(false)
        .build()
        .unwrap_err();
    let expected = [
        ClientError::PublicClientCredentials,
        ClientError::PublicWithoutPkce,
        ClientError::PublicWithoutRotation,
    ];
    assert_eq!(errors.all(), expected);
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(TestClock::START + seconds, 0).unwrap()
}

#[tokio::test]
async fn two_secrets_are_valid_at_once_until_the_old_one_expires() {
    let fixture = only(
        robot("app").secret_until("old", at(60)).secret("new").secret_until("older", at(0)).build().unwrap(),
    );
    for (secret, status) in [("old", 200), ("new", 200), ("older", 401), ("other", 401)] {
        assert_eq!(with_header(&fixture, &basic("app", secret)).await.status(), status, "{secret}");
    }
    fixture.clock.advance(Duration::from_secs(59));
    assert_eq!(with_header(&fixture, &basic("app", "old")).await.status(), 200);
    fixture.clock.advance(Duration::from_secs(1));
    for (secret, status) in [("old", 401), ("new", 200)] {
        assert_eq!(with_header(&fixture, &basic("app", secret)).await.status(), status, "{secret}");
    }
}

fn with_argon2(client: Client, hash: impl SlowHash + 'static) -> Fixture {
    Fixture::with(|builder| builder.clients(MemoryRegistry::new([client])).slow_hash(hash))
}

#[tokio::test]
async fn a_secret_that_a_person_chose_is_checked_by_argon2() {
    let client = robot("app").secret_phc(phc("correct horse")).secret("generated").build().unwrap();
    let fixture = with_argon2(client, Argon2Secrets::default());
    for (secret, status) in [("correct+horse", 200), ("generated", 200), ("wrong", 401), ("", 401)] {
        assert_eq!(with_header(&fixture, &basic("app", secret)).await.status(), status, "{secret}");
    }
    let literal = encoded(&phc("correct horse"));
    assert_eq!(with_header(&fixture, &basic("app", &literal)).await.status(), 401, "the hash is no secret");
}

#[tokio::test]
async fn two_secrets_that_people_chose_are_valid_at_once() {
    let client = robot("app").secret_phc(phc("old")).secret_phc(phc("new")).build().unwrap();
    let fixture = with_argon2(client, Argon2Secrets::default());
    for (secret, status) in [("old", 200), ("new", 200), ("other", 401)] {
        assert_eq!(with_header(&fixture, &basic("app", secret)).await.status(), status, "{secret}");
    }
}

#[tokio::test]
async fn a_malformed_hash_lets_nobody_in() {
    for hash in ["", "$argon2id$", "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$", "$2b$12$abc", "correct horse"] {
        let fixture = with_argon2(robot("app").secret_phc(hash).build().unwrap(), Argon2Secrets::default());
        for secret in ["correct horse", "", hash] {
            let answer = with_header(&fixture, &basic("app", &encoded(secret))).await;
            assert_eq!(answer.status(), 401, "{hash:?}");
        }
    }
}

#[tokio::test]
async fn a_server_without_argon2_says_that_the_fault_is_its_own() {
    let fixture = only(robot("app").secret_phc(phc("correct horse")).build().unwrap());
    let answer = with_header(&fixture, &basic("app", "correct+horse")).await;
    assert_eq!(answer.error(), (500, "server_error".to_owned()));
    assert_eq!(fixture.log.last_reason(), Some(Reason::ClientSecretUnverifiable));
}

#[tokio::test]
async fn more_slow_checks_than_the_limit_are_503() {
    let client = robot("app").secret_phc(phc("correct horse")).build().unwrap();
    let full = with_argon2(client.clone(), Argon2Secrets::new(0));
    let answer = with_header(&full, &basic("app", "correct+horse")).await;
    assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()));
    assert_eq!(answer.0.header("retry-after"), Some("1"));
    assert_eq!(full.log.last_reason(), Some(Reason::Overloaded));

    let one = with_argon2(client, Argon2Secrets::new(1));
    for _ in 0..3 {
        let answer = with_header(&one, &basic("app", "correct+horse")).await;
        assert_eq!(answer.status(), 200, "a slot is given back");
    }
}

/// Answers only when it is told to.
#[derive(Clone, Debug, Default)]
struct Held(Arc<tokio::sync::Notify>);

#[async_trait]
impl SlowHash for Held {
    async fn verify(&self, _phc: &str, presented: &SecretText) -> Option<bool> {
        self.0.notified().await;
        Some(presented.reveal() == "right")
    }
}

#[tokio::test]
async fn a_slow_check_does_not_hold_up_others() {
    let hash = Held::default();
    let clients =
        [robot("slow").secret_phc("$held$").build().unwrap(), robot("fast").secret("s").build().unwrap()];
    let fixture = Fixture::with(|b| b.clients(MemoryRegistry::new(clients)).slow_hash(hash.clone()));
    let slow = tokio::spawn({
        let fixture = fixture.clone();
        async move { with_header(&fixture, &basic("slow", "right")).await.status() }
    });
    tokio::task::yield_now().await;
    assert_eq!(with_header(&fixture, &basic("fast", "s")).await.status(), 200);
    assert!(!slow.is_finished());
    hash.0.notify_one();
    assert_eq!(slow.await.unwrap(), 200);
}

#[tokio::test]
async fn a_slow_check_that_hangs_is_503() {
    let mut policy = Policy::default();
    policy.store_deadline = Duration::from_millis(20);
    let client = robot("slow").secret_phc("$held$").build().unwrap();
    let fixture = Fixture::with(|builder| {
        builder.clients(MemoryRegistry::new([client])).slow_hash(Held::default()).policy(policy)
    });
    let answer = with_header(&fixture, &basic("slow", "right")).await;
    assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()));
    assert_eq!(answer.0.header("retry-after"), Some("1"));
    assert_eq!(fixture.log.last_reason(), Some(Reason::StoreUnavailable));
}

async fn guess(fixture: &Fixture, peer: &str, secret: &str) -> u16 {
    let peer: IpAddr = peer.parse().unwrap();
    let request = Request::post_form(encode(&ROBOT)).header("authorization", basic("robot", secret));
    fixture.server.token(&request.from_peer(peer)).await.status
}

/// At most three wrong secrets a minute.
fn throttled(per_minute: u32) -> Fixture {
    let mut policy = Policy::default();
    policy.secret_failures_per_minute = per_minute;
    Fixture::with(|builder| builder.policy(policy))
}

#[tokio::test]
async fn one_address_is_throttled_and_its_neighbours_are_not() {
    let fixture = throttled(3);
    for _ in 0..3 {
        assert_eq!(guess(&fixture, "192.0.2.1", "wrong").await, 401);
    }
    assert_eq!(guess(&fixture, "192.0.2.1", "wrong").await, 429);
    assert_eq!(guess(&fixture, "::ffff:192.0.2.1", "wrong").await, 429, "the same address");
    assert_eq!(guess(&fixture, "192.0.2.1", SECRET).await, 200, "what cannot be guessed is judged first");
    assert_eq!(guess(&fixture, "192.0.2.2", "wrong").await, 401);
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(guess(&fixture, "192.0.2.1", "wrong").await, 401);
}

#[tokio::test]
async fn an_ipv6_network_of_64_bits_counts_as_one() {
    let fixture = throttled(3);
    for host in ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:1::3"] {
        assert_eq!(guess(&fixture, host, "wrong").await, 401);
    }
    assert_eq!(guess(&fixture, "2001:db8:0:1:abcd::4", "wrong").await, 429);
    assert_eq!(guess(&fixture, "2001:db8:0:2::1", "wrong").await, 401);
}

#[tokio::test]
async fn right_secrets_are_not_counted_and_zero_is_no_limit() {
    let fixture = throttled(1);
    for _ in 0..5 {
        assert_eq!(guess(&fixture, "192.0.2.1", SECRET).await, 200);
    }
    let unlimited = throttled(0);
    for _ in 0..500 {
        assert_eq!(guess(&unlimited, "192.0.2.1", "wrong").await, 401);
    }
}

#[tokio::test]
async fn the_public_clients_that_name_themselves_pass_introspection_by() {
    let fixture = Fixture::new();
    let access = fixture.tokens("pub", "read").await.access_token();
    let asked = Answer(fixture.server.introspect(&request("pub", &[("token", &access)])).await);
    assert_eq!(asked.error(), (401, "invalid_client".to_owned()));
    let confidential =
        Client::builder("x").auth_method(AuthMethod::None).secret("s").redirect_uri("https://x.example");
    assert_eq!(confidential.build().unwrap_err().all(), [ClientError::PublicWithSecret]);
}
