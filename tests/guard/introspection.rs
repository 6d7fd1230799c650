//! A guard that asks the server which issued a token (RFC 7662), and a server that answers badly.

use std::sync::Arc;
use std::time::Duration;

use grantor::outbound::{HttpOutbound, OutboundError, OutboundResponse};
use grantor::resource::{Credentials, Discovery, Introspection, Requirement};
use grantor::{AccessTokens, ClientId, Clock as _, Reason, Resource, Subject};
use serde_json::{Value, json};

use crate::support::guarded::{API, Api};
use crate::support::remote::{Remote, Says};
use crate::support::scripted::{Behind, Scripted};
use crate::support::{Fixture, ISSUER, SECRET, TestClock, basic, code_query};

const ENDPOINT: &str = "https://as.example/introspect";

fn credentials() -> Credentials {
    Credentials::secret("robot", SECRET)
}

fn asking(issuer: &Scripted) -> Introspection {
    Introspection::at(ENDPOINT, issuer.clone(), credentials()).issuer(ISSUER)
}

fn api(issuer: &Scripted, configure: impl FnOnce(Introspection) -> Introspection) -> Api {
    Api::with(|builder| builder.verifier(configure(asking(issuer))))
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A valid answer for [`API`], with these changes; `null` removes a member.
fn active(changes: Value) -> Value {
    let mut answer = json!({
        "active": true, "iss": ISSUER, "sub": "alice", "sub_type": "user", "aud": API, "client_id": "conf",
        "token_type": "Bearer", "scope": "read", "iat": TestClock::START, "exp": TestClock::START + 600,
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(answer.as_object_mut().unwrap().remove(name)),
            value => answer[name] = value.clone(),
        }
    }
    answer
}

/// A server with [`API`] as a resource that `robot` serves, and a token for it.
async fn issued(format: AccessTokens) -> (Fixture, String, String) {
    use grantor::jose::Algorithm;
    use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
    let fixture = Fixture::with(|builder| {
        let keys =
            Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &[Algorithm::EdDsa]).unwrap();
        let api = Resource::new(API).access_tokens(format).introspection_clients(["robot"]);
        let other = Resource::new("https://other.example");
        builder.token_signer(JwtSigner::new(keys).unwrap()).resource(api).resource(other)
    });
    let mut query = code_query("conf", "read");
    query.push(("resource", API));
    let code = fixture.approve(&query).await.location_parameter("code").unwrap();
    let tokens = fixture.redeem("conf", &code).await;
    (fixture, tokens.access_token(), tokens.refresh_token())
}

#[tokio::test]
async fn a_token_of_a_real_server_is_known_by_its_answer() {
    for format in [AccessTokens::Opaque, AccessTokens::Jwt] {
        let (fixture, token, refresh) = issued(format).await;
        let discovery = Discovery::new(ISSUER, Behind(fixture.server.clone()));
        let api = Api::with(|builder| builder.verifier(Introspection::of(discovery, credentials())));
        let access = api.check(&token, &Requirement::scopes(["read"])).await.unwrap();
        assert_eq!(access.subject(), &Subject::user("alice"));
        assert_eq!((access.client().as_str(), access.scope().as_str()), ("conf", "read"));
        assert_eq!(access.audience().unwrap().as_str(), API);
        assert_eq!(access.auth_time(), Some(TestClock::START));
        assert_eq!(access.expires().timestamp(), TestClock::START + 600);
        assert_eq!(api.outcome(&refresh).await, (401, Some(Reason::TokenInactive)), "a refresh token");
        let own = fixture.tokens("conf", "read").await;
        assert_eq!(
            api.outcome(&own.access_token()).await,
            (401, Some(Reason::TokenInactive)),
            "another audience"
        );

        fixture.revoke("conf", &token).await;
        assert_eq!(api.outcome(&token).await.0, 200, "an answer is believed for a while");
        api.clock.advance(seconds(30));
        fixture.clock.advance(seconds(30));
        assert_eq!(api.outcome(&token).await, (401, Some(Reason::TokenInactive)), "the revocation is seen");
    }
}

#[tokio::test]
async fn a_clients_own_token_is_never_a_users() {
    let fixture = Fixture::with(|b| b.resource(Resource::new(API).introspection_clients(["conf"])));
    let form = [("grant_type", "client_credentials"), ("resource", API)];
    let token = fixture.token("robot", &form).await.access_token();
    let asking =
        Introspection::at(ENDPOINT, Behind(fixture.server.clone()), Credentials::secret("conf", SECRET));
    let api = Api::with(|builder| builder.verifier(asking));
    let access = api.check(&token, &Requirement::any()).await.unwrap();
    assert_eq!((access.user(), access.subject().kind()), (None, "client"));
}

#[tokio::test]
async fn the_question_names_the_token_and_proves_who_asks() {
    let issuer = Scripted::saying(&active(json!({})));
    assert_eq!(api(&issuer, |i| i).outcome("a.b~c+d/e=").await.0, 200);
    let asked = issuer.asked().remove(0);
    assert_eq!(asked.url, ENDPOINT);
    assert_eq!(asked.form.as_deref(), Some("token=a.b%7Ec%2Bd%2Fe%3D&token_type_hint=access_token"));
    assert_eq!(asked.authorization, Some(basic("robot", SECRET)));

    let bearer = Introspection::at(ENDPOINT, issuer.clone(), Credentials::bearer("own-token"));
    assert_eq!(Api::with(|b| b.verifier(bearer)).outcome("a").await.0, 200);
    assert_eq!(issuer.asked()[1].authorization.as_deref(), Some("Bearer own-token"));
    let odd = Introspection::at(ENDPOINT, issuer.clone(), Credentials::secret("a:b", "c d+é"));
    assert_eq!(Api::with(|b| b.verifier(odd)).outcome("a").await.0, 200);
    assert_eq!(
        issuer.asked()[2].authorization,
        Some(basic("a%3Ab", "c+d%2B%C3%A9")),
        "each half is a form's"
    );
}

#[tokio::test]
async fn hostile_text_is_never_sent() {
    let issuer = Scripted::saying(&active(json!({})));
    let api = api(&issuer, |i| i);
    for text in ["a b", "a&token=b", "a\"", "a\u{e9}", "a%20b", "\u{0}", "{}"] {
        let outcome = api.outcome(text).await;
        assert!(matches!(outcome.0, 400 | 401), "{text:?}: {outcome:?}");
    }
    assert_eq!(api.outcome(&"a".repeat(8 * 1024 + 1)).await, (401, Some(Reason::TokenUnreadable)));
    assert_eq!(issuer.calls(), 0);
    assert_eq!(api.outcome(&"a".repeat(8 * 1024)).await.0, 200);
}

#[tokio::test]
async fn what_an_answer_says_decides() {
    for (what, changes, reason) in [
        ("another audience", json!({ "aud": "https://other.example" }), Some(Reason::TokenAudienceWrong)),
        ("audiences without ours", json!({ "aud": ["a", "b"] }), Some(Reason::TokenAudienceWrong)),
        ("ours among others", json!({ "aud": ["a", API] }), None),
        ("no audience", json!({ "aud": null }), Some(Reason::TokenAudienceWrong)),
        ("another issuer", json!({ "iss": "https://evil.example" }), Some(Reason::TokenIssuerWrong)),
        ("no issuer", json!({ "iss": null }), None),
        ("expired", json!({ "exp": TestClock::START }), Some(Reason::TokenExpired)),
        ("not yet", json!({ "nbf": TestClock::START + 31 }), Some(Reason::TokenTooEarly)),
        ("in a moment", json!({ "nbf": TestClock::START + 30 }), None),
        ("bound to a key", json!({ "cnf": { "jkt": "x" } }), Some(Reason::TokenBound)),
        ("of DPoP", json!({ "token_type": "DPoP" }), Some(Reason::TokenBound)),
        ("without a type", json!({ "token_type": null }), None),
        ("a refresh token", json!({ "token_use": "refresh_token" }), Some(Reason::TokenInactive)),
        ("untyped", json!({ "sub_type": null }), Some(Reason::TokenUnreadable)),
        ("no subject", json!({ "sub": null }), Some(Reason::TokenUnreadable)),
        ("no client", json!({ "client_id": null }), Some(Reason::TokenUnreadable)),
        ("an empty subject", json!({ "sub": "" }), Some(Reason::TokenUnreadable)),
    ] {
        let issuer = Scripted::saying(&active(changes));
        let expected = reason.map_or((200, None), |reason| (401, Some(reason)));
        assert_eq!(api(&issuer, |i| i).outcome("token").await, expected, "{what}");
    }
}

#[tokio::test]
async fn another_servers_answers_are_believed_as_far_as_the_host_says() {
    let untyped = |changes| Scripted::saying(&active(changes));
    for (changes, subject) in [
        (json!({ "sub_type": null }), Subject::user("alice")),
        (json!({ "sub_type": null, "sub": "conf" }), Subject::Client(ClientId::new("conf"))),
        (json!({ "sub_type": null, "sub": null }), Subject::Client(ClientId::new("conf"))),
        (json!({ "sub": "conf" }), Subject::user("conf")),
    ] {
        let api = api(&untyped(changes), Introspection::allow_untyped_subjects);
        assert_eq!(api.check("token", &Requirement::any()).await.unwrap().subject(), &subject);
    }
    let nobodys = untyped(json!({ "aud": null }));
    assert_eq!(api(&nobodys, Introspection::allow_missing_audience).outcome("token").await.0, 200);
    let others = untyped(json!({ "aud": "https://other.example" }));
    let outcome = api(&others, Introspection::allow_missing_audience).outcome("token").await;
    assert_eq!(outcome, (401, Some(Reason::TokenAudienceWrong)), "one that is there counts");
}

#[tokio::test]
async fn rs_14_step_up_goes_by_what_the_server_says_of_the_sign_in() {
    let well = json!({ "acr": "mfa", "auth_time": TestClock::START });
    let needed = Requirement::scopes(["read"]).acr(["mfa"]).max_age(60);
    for (changes, status) in [
        (well.clone(), 200),
        (json!({ "auth_time": TestClock::START }), 401),
        (json!({ "acr": "pwd", "auth_time": TestClock::START }), 401),
        (json!({ "acr": "mfa", "auth_time": TestClock::START - 61 }), 401),
        (json!({ "acr": "mfa" }), 401),
    ] {
        let api = api(&Scripted::saying(&active(changes.clone())), |i| i);
        let answer = api.check("token", &needed).await.map_or_else(|refused| refused.status, |_| 200);
        assert_eq!(answer, status, "{changes}");
    }
}

#[tokio::test]
async fn in_07_an_answer_is_kept_as_long_as_the_host_allows_and_never_past_the_expiry() {
    let issuer = Scripted::saying(&active(json!({ "exp": TestClock::START + 75 })));
    let api1 = api(&issuer, |i| i.max_age(seconds(60)));
    for (wait, status, calls) in
        [(0, 200, 1), (59, 200, 1), (1, 200, 2), (14, 200, 2), (1, 401, 3), (4, 401, 3)]
    {
        api1.clock.advance(seconds(wait));
        assert_eq!(
            (api1.outcome("token").await.0, issuer.calls()),
            (status, calls),
            "after {wait} more seconds"
        );
    }
    assert_eq!(api1.outcome("another").await.0, 401);
    assert_eq!(issuer.calls(), 4, "a token is asked about by itself");

    let issuer = Scripted::saying(&active(json!({})));
    let api2 = api(&issuer, |i| i.max_age(Duration::ZERO));
    for calls in 1..4 {
        assert_eq!((api2.outcome("token").await.0, issuer.calls()), (200, calls), "nothing is kept");
    }
}

#[tokio::test]
async fn an_inactive_token_is_remembered_for_some_seconds() {
    let issuer = Scripted::saying(&json!({ "active": false, "exp": "nonsense" }));
    let api = api(&issuer, |i| i);
    for (wait, calls) in [(0, 1), (4, 1), (1, 2)] {
        api.clock.advance(seconds(wait));
        assert_eq!(api.outcome("token").await, (401, Some(Reason::TokenInactive)));
        assert_eq!(issuer.calls(), calls);
    }
    issuer.says(OutboundResponse::new(200, active(json!({})).to_string()));
    api.clock.advance(seconds(5));
    assert_eq!(api.outcome("token").await.0, 200);
}

#[tokio::test]
async fn many_requests_with_one_token_are_one_question() {
    for answer in [active(json!({})), json!({ "active": false })] {
        let issuer = Scripted::saying(&answer);
        let api = Arc::new(api(&issuer, |i| i));
        let checks = (0..64).map(|_| {
            let api = api.clone();
            tokio::spawn(async move { api.outcome("token").await.0 })
        });
        let expected = if answer["active"] == true { 200 } else { 401 };
        for check in checks.collect::<Vec<_>>() {
            assert_eq!(check.await.unwrap(), expected);
        }
        assert_eq!(issuer.calls(), 1);
    }
}

/// The beginning of an answer.
const TWO_AMOUNTS: &str = r#"{"authorization_details":[{"type":"payment","amount":"1","amount":"1000"}],"#;

#[tokio::test]
async fn what_is_no_answer_is_503_and_never_acceptance() {
    let good = active(json!({})).to_string();
    for (what, answer, expected) in [
        ("nothing", Err(OutboundError::Timeout), (503, Reason::IssuerUnavailable)),
        (
            "a server in trouble",
            Ok(OutboundResponse::new(500, good.clone())),
            (503, Reason::IssuerUnavailable),
        ),
        (
            "too many questions",
            Ok(OutboundResponse::new(429, good.clone())),
            (503, Reason::IssuerUnavailable),
        ),
        ("no content", Ok(OutboundResponse::new(204, good.clone())), (503, Reason::IssuerUnavailable)),
        ("a redirect", Ok(OutboundResponse::new(302, good.clone())), (503, Reason::IssuerUnavailable)),
        ("wrong credentials", Ok(OutboundResponse::new(401, good.clone())), (500, Reason::IssuerRefused)),
        ("not for us", Ok(OutboundResponse::new(403, good.clone())), (500, Reason::IssuerRefused)),
        ("nobody there", Ok(OutboundResponse::new(404, good.clone())), (500, Reason::IssuerRefused)),
        ("a page", Ok(OutboundResponse::new(200, "<html>")), (503, Reason::IssuerUnavailable)),
        ("nothing at all", Ok(OutboundResponse::new(200, "")), (503, Reason::IssuerUnavailable)),
        ("no object", Ok(OutboundResponse::new(200, "true")), (503, Reason::IssuerUnavailable)),
        ("no verdict", Ok(OutboundResponse::new(200, "{}")), (503, Reason::IssuerUnavailable)),
        (
            "a verdict in quotes",
            Ok(OutboundResponse::new(200, r#"{"active":"true"}"#)),
            (503, Reason::IssuerUnavailable),
        ),
        (
            "two verdicts",
            Ok(OutboundResponse::new(200, r#"{"active":false,"active":true}"#)),
            (503, Reason::IssuerUnavailable),
        ),
        (
            "two subjects",
            Ok(OutboundResponse::new(200, good.replacen('{', r#"{"sub":"bob","#, 1))),
            (503, Reason::IssuerUnavailable),
        ),
        (
            "two amounts",
            Ok(OutboundResponse::new(200, good.replacen('{', TWO_AMOUNTS, 1))),
            (503, Reason::IssuerUnavailable),
        ),
        (
            "an expiry in quotes",
            Ok(OutboundResponse::new(200, active(json!({ "exp": "9" })).to_string())),
            (503, Reason::IssuerUnavailable),
        ),
        (
            "a huge one",
            Ok(OutboundResponse::new(200, format!("{good}{}", " ".repeat(16 * 1024)))),
            (503, Reason::IssuerUnavailable),
        ),
        ("a deep one", Ok(OutboundResponse::new(200, "[".repeat(10_000))), (503, Reason::IssuerUnavailable)),
        ("broken text", Ok(OutboundResponse::new(200, b"\xff".as_slice())), (503, Reason::IssuerUnavailable)),
    ] {
        let issuer = Scripted::by(move |_| answer.clone());
        let api1 = api(&issuer, |i| i);
        assert_eq!(api1.outcome("token").await, (expected.0, Some(expected.1)), "{what}");
        let strict = Api::with(|builder| builder.verifier(asking(&issuer)).refuse_in_doubt());
        assert_eq!(
            strict.outcome("token").await,
            (401, Some(expected.1)),
            "{what}: the log has the true reason"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_back_is_asked_again() {
    let issuer = Scripted::by(|_| Err(OutboundError::Unreachable));
    let api = api(&issuer, |i| i);
    assert_eq!(api.outcome("token").await.0, 503);
    issuer.says(OutboundResponse::new(200, active(json!({})).to_string()));
    assert_eq!((api.outcome("token").await.0, issuer.calls()), (503, 1), "not at once");
    api.clock.advance(seconds(5));
    assert_eq!(api.outcome("token").await.0, 200);
    issuer.does(|_| Err(OutboundError::Unreachable));
    api.clock.advance(seconds(29));
    assert_eq!(api.outcome("token").await.0, 200);
    api.clock.advance(seconds(1));
    assert_eq!(api.outcome("token").await.0, 503, "no answer is believed for longer because of an outage");
}

#[tokio::test]
async fn a_server_on_the_network_that_behaves_badly_is_503() {
    let outbound = HttpOutbound::builder().allow_loopback().build().unwrap();
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n".to_vec();
    let elsewhere = Remote::saying(Says::json(active(json!({})))).await;
    let location = format!("location: {}", elsewhere.url("/"));
    for says in [
        Says::AndNeverEnds(head.clone()),
        Says::Bytes([head, b"{\"active\":tr".to_vec()].concat()),
        Says::reply(307, &[&location], ""),
        Says::Bytes(Vec::new()),
    ] {
        let remote = Remote::saying(says.clone()).await;
        let asking = Introspection::at(remote.url("/introspect"), outbound.clone(), credentials());
        let api = Api::with(|builder| builder.verifier(asking));
        assert_eq!(api.outcome("token").await, (503, Some(Reason::IssuerUnavailable)), "{says:?}");
    }
    assert_eq!(elsewhere.calls(), 0, "no token goes where a redirect points");
    let slow = Remote::saying(Says::AndHangs(Vec::new())).await;
    let asking = Introspection::at(slow.url("/introspect"), outbound.clone(), credentials());
    let hurried = Api::with(|builder| builder.verifier(asking).deadline(Duration::from_millis(100)));
    assert_eq!(hurried.outcome("token").await.0, 503);
    let well = Introspection::at(elsewhere.url("/introspect"), outbound, credentials());
    assert_eq!(Api::with(|builder| builder.verifier(well)).outcome("token").await.0, 200);
}

#[tokio::test]
async fn rs_17_no_token_and_no_secret_stands_in_a_debug_text() {
    let issuer = Scripted::saying(&active(json!({})));
    let asking = asking(&issuer);
    let shown = format!("{asking:?} {:?}", credentials());
    assert!(!shown.contains(SECRET) && !shown.contains(&basic("robot", SECRET)));
    assert_eq!(Api::with(|b| b.verifier(asking)).clock.now().timestamp(), TestClock::START);
}
