//! Nonces of the server (RFC 9449 section 8): nothing is stored, and a challenge consumes nothing.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request as HttpRequest;
use grantor::base::Secret;
use serde_json::json;

use crate::support::asserting::{Asserting, by_assertion};
use crate::support::http::send;
use crate::support::proving::{PAR, Prover, TOKEN, configured, dpop, with_nonces};
use crate::support::{Answer, Fixture, SECRET, basic, code_query, encode, redemption};

const ROBOT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

fn server() -> Fixture {
    configured(|builder| builder.dpop(with_nonces()))
}

/// The only nonce of an answer.
fn nonce(answer: &Answer) -> String {
    let nonces: Vec<_> = answer.0.headers.iter().filter(|(name, _)| *name == "dpop-nonce").collect();
    assert_eq!(nonces.len(), 1, "{}", answer.json());
    nonces[0].1.to_string()
}

/// The nonce of a challenge, which this has to be.
fn challenged(answer: &Answer) -> String {
    assert_eq!(answer.error(), (400, "use_dpop_nonce".to_owned()));
    assert_eq!(answer.0.header("cache-control"), Some("no-store"));
    nonce(answer)
}

fn proof(prover: &Prover, url: &str, nonce: &str) -> String {
    prover.proof("POST", url, json!({ "nonce": nonce }))
}

#[tokio::test]
async fn dp_08_a_proof_without_the_nonce_is_told_it_and_the_next_one_counts() {
    let (fixture, prover) = (server(), Prover::new());
    for wrong in [json!({}), json!({ "nonce": "" }), json!({ "nonce": "made up" })] {
        let answer = fixture.token_by("robot", &ROBOT, &prover.proof("POST", TOKEN, wrong)).await;
        let told = challenged(&answer);
        let answer = fixture.token_by("robot", &ROBOT, &proof(&prover, TOKEN, &told)).await;
        assert_eq!((answer.status(), answer.text("token_type").as_str()), (200, "DPoP"));
    }
    let form = code_query("conf", "read");
    let told = challenged(&fixture.push_by("conf", &form, &prover.proof("POST", PAR, json!({}))).await);
    assert_eq!(fixture.push_by("conf", &form, &proof(&prover, PAR, &told)).await.status(), 201);
    assert_eq!(fixture.token("robot", &ROBOT).await.status(), 200, "without a proof there is no nonce");
}

#[tokio::test]
async fn dp_09_a_challenge_consumes_nothing() {
    let (fixture, prover) = (server(), Prover::new());
    let code = fixture.code("pub", "read").await;
    let told = challenged(&fixture.token_by("pub", &redemption(&code), &prover.for_token()).await);
    let by_nonce = || proof(&prover, TOKEN, &told);
    let tokens = fixture.token_by("pub", &redemption(&code), &by_nonce()).await;
    assert_eq!(tokens.status(), 200, "the code is still good");
    let refresh = tokens.refresh_token();
    challenged(&fixture.refresh_by("pub", &refresh, &prover.for_token()).await);
    assert_eq!(
        fixture.refresh_by("pub", &refresh, &by_nonce()).await.status(),
        200,
        "the refresh token, too"
    );

    let codes = fixture.waits().await;
    fixture.says_yes(&codes).await;
    let poll = [("grant_type", crate::support::device::DEVICE_CODE), ("device_code", codes.device.as_str())];
    challenged(&fixture.token_by("tv", &poll, &prover.for_token()).await);
    assert_eq!(fixture.token_by("tv", &poll, &by_nonce()).await.status(), 200, "the device code");
}

#[tokio::test]
async fn dp_09_a_challenge_does_not_spend_the_assertion_of_a_client() {
    let server = Asserting::with(|_| Vec::new(), |builder| builder.dpop(with_nonces()));
    let prover = Prover::new();
    let assertion = server.assertion(json!({}));
    let ask = async |proof: String| {
        let request = by_assertion(&assertion, &ROBOT).header("dpop", proof);
        Answer(server.fixture.server.token(&request).await)
    };
    let told = challenged(&ask(prover.for_token()).await);
    assert_eq!(ask(proof(&prover, TOKEN, &told)).await.status(), 200);
    assert_eq!(ask(proof(&prover, TOKEN, &told)).await.error().1, "invalid_client", "now it is spent");
}

#[tokio::test]
async fn dp_10_a_nonce_is_of_one_server_and_one_use_and_every_node_knows_it_for_a_while() {
    let (one, two, prover) = (server(), server(), Prover::new());
    let told = challenged(&one.token_by("robot", &ROBOT, &prover.for_token()).await);
    assert_eq!(
        two.token_by("robot", &ROBOT, &proof(&prover, TOKEN, &told)).await.status(),
        200,
        "another node"
    );
    let stranger = configured(|builder| builder.dpop(dpop().nonces(Secret::new([8; 32]))));
    challenged(&stranger.token_by("robot", &ROBOT, &proof(&prover, TOKEN, &told)).await);
    let api = configured(|builder| builder.dpop(with_nonces()).audience("https://api.example"));
    assert_eq!(api.server.dpop_nonce().unwrap(), told, "what the server guards itself has its nonces");
    let guard = grantor::Guard::builder("https://api.example").local(api.server.clone()).build().unwrap();
    challenged(&api.token_by("robot", &ROBOT, &proof(&prover, TOKEN, &guard.dpop_nonce().unwrap())).await);

    let at = |fixture: &Fixture| json!({ "nonce": told, "iat": fixture.clock_seconds() });
    one.clock.advance(Duration::from_secs(300));
    let earlier = prover.proof("POST", TOKEN, at(&one));
    let answer = one.token_by("robot", &ROBOT, &earlier).await;
    assert_eq!(answer.status(), 200, "the nonce of the period before");
    assert_ne!(nonce(&answer), told);
    one.clock.advance(Duration::from_secs(300));
    challenged(&one.token_by("robot", &ROBOT, &prover.proof("POST", TOKEN, at(&one))).await);
}

#[tokio::test]
async fn dp_06_with_a_nonce_the_clock_of_a_client_may_be_wrong_by_five_minutes() {
    let (fixture, prover) = (server(), Prover::new());
    let told = challenged(&fixture.token_by("robot", &ROBOT, &prover.for_token()).await);
    for (seconds, status) in [(-300, 200), (300, 200), (-301, 400), (301, 400)] {
        let made = fixture.clock_seconds() + seconds;
        let proof = prover.proof("POST", TOKEN, json!({ "nonce": told, "iat": made }));
        assert_eq!(fixture.token_by("robot", &ROBOT, &proof).await.status(), status, "{seconds}");
    }
    for (name, seconds, status) in
        [("exp", -299, 200), ("exp", -300, 400), ("nbf", 300, 200), ("nbf", 301, 400)]
    {
        let claims = json!({ "nonce": told, name: fixture.clock_seconds() + seconds });
        let proof = prover.proof("POST", TOKEN, claims);
        assert_eq!(fixture.token_by("robot", &ROBOT, &proof).await.status(), status, "{name}: {seconds}");
    }
}

#[tokio::test]
async fn dp_11_every_answer_to_a_proof_has_the_nonce_for_the_next_one() {
    let (fixture, prover) = (server(), Prover::new());
    let first = challenged(&fixture.token_by("robot", &ROBOT, &prover.for_token()).await);
    let good = fixture.token_by("robot", &ROBOT, &proof(&prover, TOKEN, &first)).await;
    assert_eq!((good.status(), nonce(&good)), (200, first.clone()));
    let refused =
        fixture.token_by("robot", &[("grant_type", "nonsense")], &proof(&prover, TOKEN, &first)).await;
    assert_eq!((refused.status(), nonce(&refused)), (400, first.clone()));
    fixture.clock.advance(Duration::from_secs(299));
    let made = json!({ "nonce": first, "iat": fixture.clock_seconds() });
    let late = fixture.token_by("robot", &ROBOT, &prover.proof("POST", TOKEN, made)).await;
    assert_eq!(late.status(), 200);
    assert_eq!(fixture.token("robot", &ROBOT).await.0.header("dpop-nonce"), None, "no proof, no nonce");
    let plain = configured(|builder| builder).token_by("robot", &ROBOT, &prover.for_token()).await;
    assert_eq!((plain.status(), plain.0.header("dpop-nonce")), (200, None));
}

#[tokio::test]
async fn dp_12_browser_programs_can_read_the_nonce_and_the_challenge() {
    let (fixture, prover) = (server(), Prover::new());
    for (path, url) in [("/token", TOKEN), ("/par", PAR)] {
        let request = HttpRequest::post(path)
            .header("origin", "https://spa.example")
            .header("authorization", basic("conf", SECRET))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("dpop", prover.proof("POST", url, json!({})))
            .body(Body::from(encode(&[("grant_type", "client_credentials")])))
            .unwrap();
        let reply = send(&fixture.server, request).await;
        assert_eq!(reply.json()["error"], "use_dpop_nonce", "{path}");
        assert!(reply.header("dpop-nonce").is_some());
        let exposed = reply.header("access-control-expose-headers").unwrap().to_lowercase();
        for name in ["dpop-nonce", "www-authenticate"] {
            assert!(exposed.split(',').any(|own| own.trim() == name), "{name} in {exposed}");
        }
        let preflight = HttpRequest::options(path)
            .header("origin", "https://spa.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "dpop,content-type");
        let allowed = send(&fixture.server, preflight.body(Body::empty()).unwrap()).await;
        assert!(allowed.header("access-control-allow-headers").unwrap().contains("dpop"));
    }
}
