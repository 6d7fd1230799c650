//! Assertions that should never pass, each wrong in one way: RFC 8725, and what other servers were caught by.

use grantor::error::AssertionFlaw as Flaw;
use grantor::jose::{Algorithm, Signer as _, SigningKey};
use grantor::{AccessTokens, Reason};
use serde_json::{Value, json};

use crate::support::asserting::{Asserting, by_assertion, claims, signing};
use crate::support::guarded::{b64, forged};
use crate::support::{Answer, ISSUER, SECRET, TestClock};

const ROBOT: [(&str, &str); 1] = [("grant_type", "client_credentials")];
const ES256: &str = r#"{"alg":"ES256"}"#;

fn good(client: &str) -> String {
    claims(client, json!({})).to_string()
}

/// A good assertion whose parts were changed by hand.
fn pieces(assertion: &str) -> [String; 3] {
    let mut parts = assertion.split('.').map(str::to_owned);
    [(); 3].map(|()| parts.next().unwrap())
}

/// Every one of them has the `jti` of the good one.
fn bad_assertions(server: &Asserting) -> Vec<(&'static str, String)> {
    let key = &server.key;
    let right = server.assertion(json!({}));
    let [header, payload, signature] = pieces(&right);
    let under = |header: &str| forged(key, header, &good("pkj"));
    let claiming = |payload: &str| forged(key, ES256, payload);
    let jwk = serde_json::to_value(key.key()).unwrap();
    let plain = good("pkj");
    let mut flipped = signature.clone().into_bytes();
    flipped[10] = if flipped[10] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let nested = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let mut bad = vec![
        ("a flipped signature", format!("{header}.{payload}.{flipped}")),
        ("no signature", format!("{header}.{payload}.")),
        ("two parts", format!("{header}.{payload}")),
        ("five parts, as of a JWE", format!("{header}.{payload}.{signature}.{payload}.{signature}")),
        ("two assertions", format!("{right} {right}")),
        (
            "the JSON serialisation",
            json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] })
                .to_string(),
        ),
        ("padding", format!("{header}.{payload}.{signature}==")),
        ("a space behind it", format!("{right} ")),
        ("a line break in it", format!("{header}.\n{payload}.{signature}")),
        (
            "another payload under the signature",
            format!(
                "{header}.{}.{signature}",
                b64(&claims("pkj", json!({ "exp": TestClock::START + 600 })).to_string())
            ),
        ),
        ("the key of another client", forged(&server.rivals, ES256, &plain)),
        ("a key that it brings along", under(&json!({ "alg": "ES256", "jwk": jwk }).to_string())),
        ("an address of a key", under(r#"{"alg":"ES256","jku":"https://evil.example/jwks.json"}"#)),
        ("a certificate", under(r#"{"alg":"ES256","x5c":["AAAA"]}"#)),
        ("an extension that is critical", under(r#"{"alg":"ES256","crit":["exp"]}"#)),
        ("an unencoded payload", under(r#"{"alg":"ES256","b64":false,"crit":["b64"]}"#)),
        ("compression", under(r#"{"alg":"ES256","zip":"DEF"}"#)),
        ("a key that is not registered", under(r#"{"alg":"ES256","kid":"nobody"}"#)),
        ("an algorithm twice", under(r#"{"alg":"none","alg":"ES256"}"#)),
        ("a subject twice", claiming(&plain.replacen('{', r#"{"sub":"rival","#, 1))),
        ("an escaped subject twice", claiming(&plain.replacen('{', r#"{"\u0073ub":"rival","#, 1))),
        ("a nested member twice", claiming(&plain.replacen('{', r#"{"x":[{"a":1,"a":2}],"#, 1))),
        ("claims that are no object", claiming(&format!("[{plain}]"))),
        ("claims in a string", claiming(&json!(plain).to_string())),
        ("deep nesting", claiming(&plain.replacen('{', &format!(r#"{{"x":{nested},"#), 1))),
        ("a NUL in the client", claiming(&claims("pkj\0", json!({})).to_string())),
        ("an access token's type", under(r#"{"alg":"ES256","typ":"at+jwt"}"#)),
        ("a proof's type", under(&json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": jwk }).to_string())),
        ("a request object's type", under(r#"{"alg":"ES256","typ":"oauth-authz-req+jwt"}"#)),
        (
            "an audience of others as well",
            server.assertion(json!({ "aud": [ISSUER, "https://evil.example"] })),
        ),
        ("an expiry as text", server.assertion(json!({ "exp": "soon" }))),
        ("a DER signature", {
            let der = [&[0x30, 0x44, 0x02, 0x20][..], &[7; 32], &[0x02, 0x20], &[9; 32]].concat();
            format!("{header}.{payload}.{}", b64_bytes(&der))
        }),
        ("nothing", ".".to_owned()),
    ];
    for name in ["none", "None", "nOnE", "", "HS256", "HS384", "ES256K", "RS1", "es256", "EDDSA", "ES384"] {
        let header = b64(&json!({ "alg": name }).to_string());
        bad.push(("an algorithm that there is not", format!("{header}.{payload}.{signature}")));
        bad.push(("an algorithm that there is not, unsigned", format!("{header}.{payload}.")));
    }
    bad
}

fn b64_bytes(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn ca_19_no_bad_assertion_passes_and_none_spends_the_good_one() {
    let server = Asserting::new();
    let bad = bad_assertions(&server);
    assert!(bad.len() >= 20);
    for (what, assertion) in &bad {
        let answer = server.asks(assertion).await;
        assert_eq!(answer.error(), (401, "invalid_client".to_owned()), "{what}: {assertion}");
        let form = [("grant_type", "client_credentials"), ("client_id", "pkj")];
        let answer = server.asks_with(assertion, &form).await;
        assert_eq!(answer.error(), (401, "invalid_client".to_owned()), "{what}, with a client_id");
    }
    assert_eq!(server.asks(&server.assertion(json!({}))).await.status(), 200, "none of them was spent");
}

#[tokio::test]
async fn ca_40_a_bad_assertion_is_refused_alike_at_every_endpoint() {
    let server = Asserting::new();
    let own = &server.fixture.server;
    for (what, assertion) in bad_assertions(&server) {
        let token = [("token", "nothing"), ("client_id", "pkj")];
        for answer in [
            own.revoke(&by_assertion(&assertion, &token)).await,
            own.introspect(&by_assertion(&assertion, &token)).await,
            own.device_authorization(&by_assertion(&assertion, &[("client_id", "pkj")])).await,
        ] {
            assert_eq!(Answer(answer).error(), (401, "invalid_client".to_owned()), "{what}");
        }
    }
    assert_eq!(server.asks(&server.assertion(json!({}))).await.status(), 200);
}

#[tokio::test]
async fn ca_18_one_parameter_has_one_assertion() {
    let server = Asserting::new();
    let (one, two) = (server.assertion(json!({})), server.assertion(json!({ "jti": "2" })));
    for text in [format!("{one},{two}"), format!("{one}~{two}"), format!("{one}.{two}")] {
        assert_eq!(server.asks(&text).await.error(), (401, "invalid_client".to_owned()));
    }
    let twice = [("grant_type", "client_credentials"), ("client_assertion", two.as_str())];
    assert_eq!(server.asks_with(&one, &twice).await.error(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn ca_16_only_the_clients_own_key_signs_for_it() {
    let server = Asserting::new();
    let stolen = forged(&server.rivals, ES256, &good("pkj"));
    assert_eq!(server.asks(&stolen).await.status(), 401);
    assert_eq!(server.fixture.log.last_reason(), Some(Reason::ClientAssertion(Flaw::SignatureWrong)));
    let posing = forged(&server.rivals, ES256, &claims("pkj", json!({ "iss": "rival" })).to_string());
    let form = [("grant_type", "client_credentials"), ("client_id", "rival")];
    assert_eq!(server.asks_with(&posing, &form).await.status(), 401, "its own key, another subject");
}

#[tokio::test]
async fn ca_17_a_public_key_is_no_shared_secret_and_a_header_chooses_no_algorithm() {
    let rsa = SigningKey::generate(Algorithm::Rs256).unwrap();
    let jwk = serde_json::to_value(rsa.key()).unwrap();
    let only = signing("only").jwks(json!({ "keys": [jwk] }));
    let server = Asserting::with(|_| vec![only], |builder| builder);
    // The key says `RS256`, so a signature by `PS256` is none of its own, however right.
    let mut pss = SigningKey::from_pkcs8(Algorithm::Ps256, rsa.to_pkcs8().unwrap().reveal()).unwrap();
    pss = pss.with_kid(rsa.key().kid().unwrap());
    let header = json!({ "alg": "PS256", "kid": rsa.key().kid() }).to_string();
    assert_eq!(server.asks(&forged(&pss, &header, &good("only"))).await.status(), 401);
    // HMAC by what everybody knows: the key's text, in several spellings.
    let x = jwk["n"].as_str().unwrap().to_owned();
    for secret in [jwk.to_string(), json!({ "keys": [jwk] }).to_string(), x] {
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        let secret = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        let forged = jsonwebtoken::encode(&header, &claims("only", json!({})), &secret).unwrap();
        assert_eq!(server.asks(&forged).await.status(), 401);
    }
    let right = forged(&rsa, r#"{"alg":"RS256"}"#, &good("only"));
    assert_eq!(server.asks(&right).await.status(), 200);
}

#[tokio::test]
async fn ca_20_no_other_kind_of_token_authenticates_a_client() {
    use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
    let keys = Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &[Algorithm::Es256]).unwrap();
    let signer = JwtSigner::new(keys).unwrap();
    let server = Asserting::with(
        |_| Vec::new(),
        |builder| builder.token_signer(signer).access_tokens(AccessTokens::Jwt),
    );
    let token = server.asks(&server.assertion(json!({}))).await.access_token();
    assert_eq!(token.matches('.').count(), 2, "a signed access token, about the client itself");
    assert_eq!(server.asks(&token).await.status(), 401);
    // And an assertion is no access token.
    let assertion = server.assertion(json!({ "jti": "2" }));
    assert!(server.fixture.server.check(&assertion).await.is_err());
    // A request object has a type of its own, and is about no one.
    let object = json!({ "iss": "pkj", "aud": ISSUER, "exp": TestClock::START + 60, "client_id": "pkj", "response_type": "code" });
    let form = [("grant_type", "client_credentials"), ("client_id", "pkj")];
    let untyped = forged(&server.key, ES256, &object.to_string());
    assert_eq!(server.asks_with(&untyped, &form).await.status(), 401);
}

#[tokio::test]
async fn ca_03_an_assertion_stands_alone() {
    let server = Asserting::new();
    let assertion = server.assertion(json!({}));
    let mixed =
        by_assertion(&assertion, &ROBOT).header("authorization", crate::support::basic("pkj", SECRET));
    assert_eq!(
        Answer(server.fixture.server.token(&mixed).await).error(),
        (400, "invalid_request".to_owned())
    );
    let mixed = [("grant_type", "client_credentials"), ("client_secret", SECRET)];
    assert_eq!(server.asks_with(&assertion, &mixed).await.error(), (400, "invalid_request".to_owned()));
    assert_eq!(server.asks(&assertion).await.status(), 200);
}

#[tokio::test]
async fn ca_41_who_cannot_be_the_client_is_told_the_same_whatever_the_reason() {
    let disabled = |key: &SigningKey| {
        let set = crate::support::asserting::set_of(key);
        vec![signing("gone").jwks(set).state(grantor::ClientState::Disabled)]
    };
    let server = Asserting::with(disabled, |builder| builder);
    let by = |key: &SigningKey, client: &str| forged(key, ES256, &good(client));
    let mut answers = Vec::new();
    for (assertion, reason) in [
        (by(&server.rivals, "pkj"), Reason::ClientAssertion(Flaw::SignatureWrong)),
        (by(&server.key, "gone"), Reason::ClientUnknown),
        (by(&server.key, "nobody"), Reason::ClientUnknown),
        (by(&server.key, "conf"), Reason::ClientMethodNotRegistered),
    ] {
        let answer = server.asks(&assertion).await;
        assert_eq!(server.fixture.log.last_reason(), Some(reason));
        answers.push((
            answer.status(),
            answer.json(),
            answer.0.header("www-authenticate").map(str::to_owned),
        ));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    let as_value: Value = answers[0].1.clone();
    assert_eq!(as_value["error"], "invalid_client");
}
