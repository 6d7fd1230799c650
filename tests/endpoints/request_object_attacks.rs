//! Request objects that should never count, each wrong in one way: RFC 8725, RFC 9101 section 10.

use grantor::jose::{Algorithm, Signer as _, SigningKey};
use serde_json::{Value, json};

use crate::support::TestClock;
use crate::support::guarded::{b64, forged};
use crate::support::objects::{HEADER, Signing, asking};

const INVALID: &str = "invalid_request_object";

fn bad_objects(signing: &Signing) -> Vec<(&'static str, String)> {
    let key = &signing.server.key;
    let right = signing.object(json!({}));
    let [header, payload, signature] = [0, 1, 2].map(|at| right.split('.').nth(at).unwrap().to_owned());
    let good = asking("pkj", json!({}));
    let under = |header: Value| signing.under(&header.to_string(), &good);
    let claiming = |payload: &str| forged(key, HEADER, payload);
    let jwk = serde_json::to_value(key.key()).unwrap();
    let mut flipped = signature.clone().into_bytes();
    flipped[10] = if flipped[10] == b'A' { b'B' } else { b'A' };
    let nested = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let text = good.to_string();
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let mut bad = vec![
        ("a flipped signature", format!("{header}.{payload}.{}", String::from_utf8(flipped).unwrap())),
        ("no signature", format!("{header}.{payload}.")),
        ("two parts", format!("{header}.{payload}")),
        ("five parts", format!("{header}.{payload}.{signature}.{payload}.{signature}")),
        ("claims in the clear", good.to_string()),
        ("padding", format!("{header}.{payload}.{signature}==")),
        ("a space behind it", format!("{right} ")),
        (
            "another payload",
            format!("{header}.{}.{signature}", b64(&asking("pkj", json!({ "scope": "admin" })).to_string())),
        ),
        ("the key of another client", forged(&signing.server.rivals, HEADER, &text)),
        ("the key of a stranger", forged(&stranger, HEADER, &text)),
        ("a key that it brings along", under(json!({ "alg": "ES256", "jwk": jwk }))),
        ("an address of a key", under(json!({ "alg": "ES256", "jku": "https://evil.example/jwks.json" }))),
        ("a certificate", under(json!({ "alg": "ES256", "x5c": ["AAAA"] }))),
        (
            "an address of a certificate",
            under(json!({ "alg": "ES256", "x5u": "https://evil.example/c.pem" })),
        ),
        ("an extension that is critical", under(json!({ "alg": "ES256", "crit": ["exp"] }))),
        ("an unencoded payload", under(json!({ "alg": "ES256", "b64": false, "crit": ["b64"] }))),
        ("compression", under(json!({ "alg": "ES256", "zip": "DEF" }))),
        ("a key that is not registered", under(json!({ "alg": "ES256", "kid": "nobody" }))),
        ("an access token's type", under(json!({ "alg": "ES256", "typ": "at+jwt" }))),
        ("an assertion's type", under(json!({ "alg": "ES256", "typ": "client-authentication+jwt" }))),
        ("a client twice", claiming(&text.replacen('{', r#"{"client_id":"rival","#, 1))),
        (
            "an escaped address twice",
            claiming(&text.replacen('{', r#"{"redirect\u005furi":"https://evil.example","#, 1)),
        ),
        (
            "an amount twice",
            claiming(&text.replacen(
                '{',
                r#"{"authorization_details":[{"type":"payment","amount":"1","amount":"1000"}],"#,
                1,
            )),
        ),
        ("claims that are no object", claiming(&format!("[{text}]"))),
        ("claims in a string", claiming(&json!(text).to_string())),
        ("deep nesting", claiming(&text.replacen('{', &format!(r#"{{"x":{nested},"#), 1))),
        ("another client", signing.object(json!({ "client_id": "rival" }))),
        ("another issuer", signing.object(json!({ "iss": "rival" }))),
        ("a client as its subject", signing.object(json!({ "sub": "pkj" }))),
        ("another audience", signing.object(json!({ "aud": "https://other.example" }))),
        ("an object in it", signing.object(json!({ "request": right }))),
        ("an address of an object in it", signing.object(json!({ "request_uri": "https://evil.example" }))),
        ("its time is long over", signing.object(json!({ "nbf": null, "exp": TestClock::START - 1811 }))),
        ("its time lies ahead", signing.object(json!({ "nbf": TestClock::START + 61 }))),
        ("a day of life", signing.object(json!({ "exp": TestClock::START + 86_400 }))),
        ("an endless name", signing.object(json!({ "jti": "x".repeat(513) }))),
        ("nothing", ".".to_owned()),
    ];
    for name in ["none", "None", "", "HS256", "HS384", "RS256", "PS256", "ES256K", "es256", "ES384"] {
        let header = b64(&json!({ "alg": name }).to_string());
        bad.push(("another algorithm", format!("{header}.{payload}.{signature}")));
        bad.push(("another algorithm, unsigned", format!("{header}.{payload}.")));
    }
    bad
}

#[tokio::test]
async fn jr_03_no_bad_object_counts_in_an_authorization_request_or_a_push() {
    let signing = Signing::new();
    let bad = bad_objects(&signing);
    assert!(bad.len() >= 20);
    for (at, (what, object)) in bad.iter().enumerate() {
        assert_eq!(signing.refusal(object).await.0, INVALID, "{what}: {object}");
        let pushed = signing.push(&format!("assertion {at}"), &[("request", object)]).await;
        assert_eq!(pushed.error(), (400, INVALID.to_owned()), "{what}, pushed: {object}");
    }
    assert_eq!(signing.server.fixture.count().await, 0, "nothing was stored");
    let good = signing.object(json!({}));
    for (status, what) in [(201, "no refusal used up the assertion"), (401, "a push does")] {
        assert_eq!(signing.push("assertion 0", &[("request", &good)]).await.status(), status, "{what}");
    }
    let answer = signing.send(&good).await.unwrap();
    assert!(answer.location_parameter("code").is_some());
}

#[tokio::test]
async fn jr_04_what_is_encrypted_is_not_read_and_never_taken_for_plain_json() {
    let signing = Signing::new();
    let claims = b64(&asking("pkj", json!({})).to_string());
    for header in
        [r#"{"alg":"dir","enc":"A256GCM"}"#, r#"{"alg":"RSA-OAEP","enc":"A128CBC-HS256","cty":"JWT"}"#]
    {
        for object in [
            format!("{}..iv.{claims}.tag", b64(header)),
            format!("{}.{claims}.", b64(header)),
            format!("{}.{claims}.{claims}", b64(header)),
        ] {
            assert_eq!(signing.refusal(&object).await.0, INVALID);
        }
    }
}
