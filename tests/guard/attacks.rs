//! The attack table of the guard: whatever is forged, borrowed, late or odd does not pass.

use grantor::http::Request;
use grantor::jose::{self, Algorithm, Jws, Signer as _, SigningKey};
use grantor::resource::{Guard, JwtVerifier, Requirement, StaticKeys};
use grantor::{Reason, Resource};
use serde_json::{Value, json};

use crate::support::guarded::{API, Api, b64, call, claims, forged, key, parameter, set, token};
use crate::support::{Fixture, ISSUER, encode};

const REFUSED: u16 = 401;

/// What becomes of good claims under this header.
async fn header(json: &str) -> (u16, Option<Reason>) {
    let key = key();
    let token = forged(&key, json, &claims(json!({})).to_string());
    Api::trusting(&key).outcome(&token).await
}

/// What becomes of a token whose claims are changed so.
async fn changed(changes: Value) -> (u16, Option<Reason>) {
    let key = key();
    Api::trusting(&key).outcome(&token(&key, changes)).await
}

#[tokio::test]
async fn the_forger_of_these_tests_can_make_a_right_token() {
    assert_eq!(header(r#"{"alg":"EdDSA","typ":"at+jwt"}"#).await, (200, None));
    assert_eq!(header(r#"{"alg":"EdDSA","typ":"application/at+jwt"}"#).await, (200, None));
    assert_eq!(changed(json!({})).await, (200, None));
}

#[tokio::test]
async fn rs_07_alg_none_is_refused_in_every_spelling() {
    for alg in ["none", "None", "NONE", "nOnE", "none ", "\\u006eone", ""] {
        let json = format!(r#"{{"alg":"{alg}","typ":"at+jwt"}}"#);
        assert_eq!(header(&json).await, (REFUSED, Some(Reason::TokenUnreadable)), "{alg}");
    }
    let unsigned =
        format!("{}.{}.", b64(r#"{"alg":"none","typ":"at+jwt"}"#), b64(&claims(json!({})).to_string()));
    assert_eq!(Api::trusting(&key()).outcome(&unsigned).await.0, REFUSED);
}

#[tokio::test]
async fn rs_07_hs256_with_the_public_key_is_refused() {
    let key = key();
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = key.key().kid().map(str::to_owned);
    let secret = jsonwebtoken::EncodingKey::from_secret(&serde_json::to_vec(key.key()).unwrap());
    let token = jsonwebtoken::encode(&header, &claims(json!({})), &secret).unwrap();
    assert_eq!(Api::trusting(&key).outcome(&token).await, (REFUSED, Some(Reason::TokenUnreadable)));
}

#[tokio::test]
async fn rs_07_a_header_that_brings_a_key_or_an_extension_is_refused() {
    for name in ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc"] {
        let json = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","{name}":"https://evil.example"}}"#);
        assert_eq!(header(&json).await, (REFUSED, Some(Reason::TokenUnreadable)), "{name}");
    }
    let (own, evil) = (key(), key());
    let jwk = serde_json::to_string(evil.key()).unwrap();
    let json = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","jwk":{jwk}}}"#);
    let token = forged(&evil, &json, &claims(json!({})).to_string());
    assert_eq!(Api::trusting(&own).outcome(&token).await.0, REFUSED);
}

#[tokio::test]
async fn rs_07_another_kind_of_token_is_no_access_token() {
    for typ in ["JWT", "jwt", "dpop+jwt", "logout+jwt", "client-authentication+jwt", "at+jw", "", "at+jwt "] {
        let json = format!(r#"{{"alg":"EdDSA","typ":"{typ}"}}"#);
        assert_eq!(header(&json).await, (REFUSED, Some(Reason::TokenUnreadable)), "{typ}");
    }
    assert_eq!(header(r#"{"alg":"EdDSA"}"#).await.0, REFUSED, "no typ at all");
    // An ID token of the same issuer and key, even one that is for this API.
    let key = key();
    let id_token =
        json!({ "iss": ISSUER, "sub": "alice", "aud": API, "nonce": "n", "iat": 1, "exp": 1_i64 << 40 });
    let token = jose::encode_now("JWT", &id_token, &key).unwrap().unwrap();
    assert_eq!(Api::trusting(&key).outcome(&token).await.0, REFUSED);
    let disguised = jose::encode_now("at+jwt", &id_token, &key).unwrap().unwrap();
    assert_eq!(Api::trusting(&key).outcome(&disguised).await, (REFUSED, Some(Reason::TokenUnreadable)));
}

#[tokio::test]
async fn rs_07_the_issuer_is_compared_as_a_string() {
    for iss in ["https://evil.example", "https://as.example/", "https://AS.example", "http://as.example", ""]
    {
        assert_eq!(changed(json!({ "iss": iss })).await, (REFUSED, Some(Reason::TokenIssuerWrong)), "{iss}");
    }
}

#[tokio::test]
async fn rs_07_the_audience_has_to_be_this_resource() {
    for aud in [
        json!("https://other.example"),
        json!("https://api.example"),
        json!("https://api.example/v1/"),
        json!("https://api.example/v10"),
        json!(["https://other.example", "https://api.example"]),
        json!([]),
        json!(""),
    ] {
        let outcome = changed(json!({ "aud": aud })).await;
        assert_eq!(outcome, (REFUSED, Some(Reason::TokenAudienceWrong)), "{aud}");
    }
    assert_eq!(changed(json!({ "aud": ["https://other.example", API] })).await, (200, None));
}

#[tokio::test]
async fn rs_06_a_token_that_does_not_say_what_it_must_is_refused() {
    for name in ["iss", "sub", "sub_type", "aud", "client_id", "iat", "exp", "jti"] {
        let outcome = changed(json!({ name: null })).await;
        assert_eq!(outcome, (REFUSED, Some(Reason::TokenUnreadable)), "without {name}");
    }
    for odd in [
        json!({ "exp": "1800000600" }),
        json!({ "exp": 1e300 }),
        json!({ "sub": "" }),
        json!({ "sub": ["alice"] }),
        json!({ "client_id": "" }),
        json!({ "scope": ["read"] }),
        json!({ "scope": "re\"ad" }),
        json!({ "sub_type": "admin" }),
        json!({ "aud": { "0": API } }),
        json!({ "nbf": "now" }),
    ] {
        assert_eq!(changed(odd.clone()).await, (REFUSED, Some(Reason::TokenUnreadable)), "{odd}");
    }
}

#[tokio::test]
async fn rs_06_time_has_a_small_leeway_and_an_end() {
    use crate::support::TestClock;
    let start = TestClock::START;
    for (changes, reason) in [
        (json!({ "exp": start - 9 }), None),
        (json!({ "exp": start - 10 }), Some(Reason::TokenExpired)),
        (json!({ "exp": 0 }), Some(Reason::TokenExpired)),
        (json!({ "exp": 253_402_300_799_i64 }), None),
        (json!({ "exp": 253_402_300_800_i64 }), Some(Reason::TokenUnreadable)),
        (json!({ "exp": i64::MIN }), Some(Reason::TokenUnreadable)),
        (json!({ "exp": i64::MAX }), Some(Reason::TokenUnreadable)),
        (json!({ "nbf": start + 30 }), None),
        (json!({ "nbf": start + 31 }), Some(Reason::TokenTooEarly)),
        (json!({ "iat": start + 30 }), None),
        (json!({ "iat": start + 31 }), Some(Reason::TokenTooEarly)),
        (json!({ "nbf": 253_402_300_799_i64 }), Some(Reason::TokenTooEarly)),
    ] {
        let status = if reason.is_some() { REFUSED } else { 200 };
        assert_eq!(changed(changes.clone()).await, (status, reason), "{changes}");
    }
}

#[tokio::test]
async fn no_prefix_of_a_token_and_no_changed_letter_passes() {
    let key = key();
    let (api, token) = (Api::trusting(&key), token(&key, json!({})));
    for end in (0..token.len()).step_by(3) {
        assert_ne!(api.outcome(&token[..end]).await.0, 200, "the first {end} letters");
        let other = if token.as_bytes()[end] == b'A' { "B" } else { "A" };
        let changed = format!("{}{other}{}", &token[..end], &token[end + 1..]);
        assert_eq!(api.outcome(&changed).await.0, REFUSED, "letter {end}");
    }
    for odd in [format!("{token}="), format!("{token}.AA"), format!("{token}."), token.replace('.', "~")] {
        assert_eq!(api.outcome(&odd).await.0, REFUSED, "{odd}");
    }
}

#[tokio::test]
async fn an_oversized_token_is_refused_unread() {
    let key = key();
    let api = Api::trusting(&key);
    let padded = |n: usize| token(&key, json!({ "pad": "a".repeat(n) }));
    assert_eq!(api.outcome(&padded(11_000)).await, (200, None));
    assert_eq!(api.outcome(&padded(12_300)).await, (REFUSED, Some(Reason::TokenUnreadable)));
    assert_eq!(api.outcome(&"a".repeat(Jws::MAX_BYTES * 100)).await.0, REFUSED);
}

#[tokio::test]
async fn a_member_that_is_there_twice_is_refused() {
    let key = key();
    let api = Api::trusting(&key);
    let good = claims(json!({})).to_string();
    let twice = good.replacen('{', r#"{"sub":"eve","#, 1);
    let escaped = good.replacen('{', r#"{"s\u0075b":"eve","#, 1);
    let nested = good.replacen('{', r#"{"x":{"a":1,"a":2},"#, 1);
    for payload in [twice, escaped, nested] {
        let token = forged(&key, r#"{"alg":"EdDSA","typ":"at+jwt"}"#, &payload);
        assert_eq!(api.outcome(&token).await, (REFUSED, Some(Reason::TokenUnreadable)), "{payload}");
    }
    let token = forged(&key, r#"{"alg":"EdDSA","typ":"at+jwt","typ":"at+jwt"}"#, &good);
    assert_eq!(api.outcome(&token).await.0, REFUSED);
}

#[tokio::test]
async fn another_issuers_key_of_the_same_name_signs_nothing_here() {
    let (own, evil) = (key().with_kid("k"), key().with_kid("k"));
    let api = Api::trusting(&own);
    assert_eq!(api.outcome(&token(&evil, json!({}))).await, (REFUSED, Some(Reason::TokenSignatureWrong)));
    // Where both issuers are trusted, each by its own key: neither speaks for the other.
    let evil_set = StaticKeys::new(&set([&evil]));
    let both = Api::with(|builder| {
        builder.jwks(ISSUER, StaticKeys::new(&set([&own]))).jwks("https://evil.example", evil_set)
    });
    assert_eq!(both.outcome(&token(&own, json!({}))).await, (200, None));
    assert_eq!(both.outcome(&token(&evil, json!({ "iss": "https://evil.example" }))).await, (200, None));
    assert_eq!(both.outcome(&token(&evil, json!({}))).await, (REFUSED, Some(Reason::TokenIssuerWrong)));
    assert_eq!(both.outcome(&token(&own, json!({ "iss": "https://evil.example" }))).await.0, REFUSED);
}

#[tokio::test]
async fn a_key_verifies_its_own_algorithm_alone() {
    let (ed, es) = (key().with_kid("k"), SigningKey::generate(Algorithm::Es256).unwrap().with_kid("k"));
    let api = Api::trusting(&ed);
    assert_eq!(api.outcome(&token(&es, json!({}))).await, (REFUSED, Some(Reason::TokenSignatureWrong)));
    let claimed = forged(&ed, r#"{"alg":"ES256","typ":"at+jwt"}"#, &claims(json!({})).to_string());
    assert_eq!(api.outcome(&claimed).await.0, REFUSED);
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_is_no_bearer_token() {
    let outcome = changed(json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } })).await;
    assert_eq!(outcome, (REFUSED, Some(Reason::TokenBound)));
}

#[tokio::test]
async fn a_client_never_passes_as_the_user_of_its_name() {
    let key = key();
    let own = token(&key, json!({ "sub": "conf", "sub_type": "client" }));
    let access = Api::trusting(&key).check(&own, &Requirement::any()).await.unwrap();
    assert_eq!(access.user(), None);
    // A foreign issuer does not say which it is: refused unless the host vouches for its names.
    let untyped = |sub: &str| token(&key, json!({ "sub": sub, "sub_type": null }));
    let keys = StaticKeys::new(&set([&key]));
    let api = Api::with(|b| b.verifier(JwtVerifier::new(ISSUER, keys).allow_untyped_subjects()));
    let as_client = api.check(&untyped("conf"), &Requirement::any()).await.unwrap();
    assert_eq!((as_client.user(), as_client.client().as_str()), (None, "conf"));
    let as_user = api.check(&untyped("alice"), &Requirement::any()).await.unwrap();
    assert_eq!(as_user.user(), Some("alice"));
}

#[tokio::test]
async fn a_token_that_was_passed_on_never_hides_who_acts() {
    let passed_on = json!({ "act": { "sub": "service", "iss": "https://elsewhere.example" } });
    assert_eq!(changed(passed_on).await, (200, None));
    for act in
        [json!("service"), json!({}), json!({ "sub": 1 }), json!({ "sub": "s", "act": [] }), json!([1])]
    {
        let outcome = changed(json!({ "act": act })).await;
        assert_eq!(outcome, (REFUSED, Some(Reason::TokenUnreadable)), "{act}");
    }
}

#[tokio::test]
async fn rs_02_a_token_in_the_query_is_not_looked_at() {
    let key = key();
    let (api, token) = (Api::trusting(&key), token(&key, json!({})));
    let request = Request::get(encode(&[("access_token", &token)]));
    let refused = api.guard.check(&request, &Requirement::any()).await.unwrap_err();
    assert_eq!((refused.status, parameter(&refused, "error")), (401, None));
}

#[tokio::test]
async fn rs_03_a_token_in_two_places_is_an_error() {
    let key = key();
    let (api, token) = (Api::trusting(&key), token(&key, json!({})));
    let form = Request::post_form(encode(&[("a", "b"), ("access_token", &token)]));
    let header = format!("Bearer {token}");
    for request in [
        Request::get(encode(&[("access_token", &token)])).header("authorization", header.clone()),
        form.header("authorization", header.clone()),
        call(&token).header("authorization", header.clone()),
        call(&token).header("authorization", "Basic YTpi"),
    ] {
        let refused = api.guard.check(&request, &Requirement::any()).await.unwrap_err();
        assert_eq!(refused.status, 400);
        assert_eq!(parameter(&refused, "error").as_deref(), Some("invalid_request"));
    }
    let json = Request::post_form(encode(&[("accessory_token", "x")])).header("authorization", header);
    assert!(api.guard.check(&json, &Requirement::any()).await.is_ok());
}

#[tokio::test]
async fn rs_06_what_is_revoked_does_not_pass_a_local_guard() {
    let fixture = Fixture::with(|builder| builder.resource(Resource::new(API)));
    let guard = Guard::builder(API).local(fixture.server.clone()).build().unwrap();
    let tokens = fixture.tokens("conf", "read").await;
    let token = tokens.access_token();
    assert!(guard.check(&call(&token), &Requirement::any()).await.is_ok());
    assert_eq!(fixture.revoke("conf", &token).await.status(), 200);
    let refused = guard.check(&call(&token), &Requirement::any()).await.unwrap_err();
    assert_eq!((refused.status, parameter(&refused, "error").as_deref()), (401, Some("invalid_token")));
    for other in [tokens.refresh_token(), "gat_no".to_owned(), "a.b.c".to_owned()] {
        assert_eq!(guard.check(&call(&other), &Requirement::any()).await.unwrap_err().status, 401, "{other}");
    }
}

#[tokio::test]
async fn rs_17_no_token_stands_in_an_answer_an_event_or_a_debug_text() {
    let key = key();
    let api = Api::trusting(&key);
    let good = token(&key, json!({}));
    let needed = Requirement::scopes(["admin"]);
    let mut texts = vec![format!("{:?} {:?}", api.guard, call(&good))];
    for bad in [token(&key, json!({ "aud": "x" })), good.clone(), format!("{good}x"), "hunter2".to_owned()] {
        let refused = api.check(&bad, &needed).await.unwrap_err();
        texts.extend(refused.headers.iter().map(|(_, value)| value.to_string()));
        texts.push(String::from_utf8(refused.body).unwrap());
    }
    texts.push(format!("{:?}", api.check(&good, &Requirement::any()).await.unwrap()));
    texts.extend(api.log.texts());
    let parts: Vec<&str> = good.split('.').collect();
    for text in texts {
        assert!(!parts.iter().chain(&["hunter2"]).any(|part| text.contains(part)), "{text}");
    }
}
