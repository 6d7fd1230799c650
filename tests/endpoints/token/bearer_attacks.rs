//! The attack table of the JWT bearer grant: whatever is forged, borrowed, late or odd is not believed.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::assertions::AssertionIssuer;
use grantor::error::AssertionFlaw as Flaw;
use grantor::jose::{Algorithm, Signer as _, SigningKey};
use grantor::resource::StaticKeys;
use serde_json::{Value, json};

use crate::support::guarded::{forged, key, set};
use crate::support::vouching::{IDP, Vouching};
use crate::support::{ISSUER, TestClock};

const TOKEN_ENDPOINT: &str = "https://as.example/token";

#[tokio::test]
async fn jb_01_another_algorithm_is_no_way_in() {
    let bench = Vouching::new();
    for alg in ["none", "None", "nOnE", "HS256", "HS512", "ES256K", "", "eddsa"] {
        let header = format!(r#"{{"alg":"{alg}","typ":"oauth-id-jag+jwt"}}"#);
        bench.assert_refused(&bench.jag_under(&header, json!({})), Flaw::Unreadable, alg).await;
    }
    // Without a signature, and with one by the public key as a secret.
    let signed = bench.jag_under(r#"{"alg":"none","typ":"oauth-id-jag+jwt"}"#, json!({}));
    let (message, _) = signed.rsplit_once('.').unwrap();
    bench.assert_refused(&format!("{message}."), Flaw::Unreadable, "unsigned").await;
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    header.typ = Some("oauth-id-jag+jwt".to_owned());
    let secret = jsonwebtoken::EncodingKey::from_secret(&serde_json::to_vec(bench.idp.key()).unwrap());
    let payload = bench.jag(json!({}));
    let payload = URL_SAFE_NO_PAD.decode(payload.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    let confused = jsonwebtoken::encode(&header, &claims, &secret).unwrap();
    bench.assert_refused(&confused, Flaw::Unreadable, "HS256").await;
    // The key is for EdDSA; a header that says ES256 finds none.
    let header = r#"{"alg":"ES256","typ":"oauth-id-jag+jwt"}"#;
    bench.assert_refused(&bench.jag_under(header, json!({})), Flaw::SignatureWrong, "ES256").await;
}

#[tokio::test]
async fn jb_01_an_algorithm_that_the_issuer_does_not_use_is_refused() {
    let rsa = SigningKey::generate(Algorithm::Es256).unwrap();
    let other = AssertionIssuer::id_jag("https://other.example", StaticKeys::new(&set([&rsa])));
    let bench = Vouching::with(|grant| grant.issuer(other.algorithms([Algorithm::EdDsa])), |builder| builder);
    let claims = json!({
        "iss": "https://other.example", "sub": "u-1", "aud": ISSUER, "client_id": "wiki", "jti": "1",
        "iat": TestClock::START, "exp": TestClock::START + 300,
    });
    let assertion = forged(&rsa, r#"{"alg":"ES256","typ":"oauth-id-jag+jwt"}"#, &claims.to_string());
    bench.assert_refused(&assertion, Flaw::AlgorithmRefused, "ES256").await;
}

#[tokio::test]
async fn jb_01_a_key_speaks_for_its_own_issuer_alone() {
    let bench = Vouching::new();
    // The partner's key under the identity provider's name, and the other way round, whatever the kid says.
    let swapped =
        Vouching { idp: Arc::clone(&bench.partner), partner: Arc::clone(&bench.idp), ..Vouching::new() };
    let (idps, partners) = (bench.idp.key().kid().unwrap(), bench.partner.key().kid().unwrap());
    for kid in [idps, partners, "", "../../etc/passwd", "' OR 1=1 --", "https://evil.example/key"] {
        let header = json!({ "alg": "EdDSA", "typ": "oauth-id-jag+jwt", "kid": kid }).to_string();
        bench.assert_refused(&swapped.jag_under(&header, json!({})), Flaw::SignatureWrong, kid).await;
        let header = json!({ "alg": "EdDSA", "kid": kid }).to_string();
        bench.assert_refused(&swapped.plain_under(&header, json!({})), Flaw::SignatureWrong, kid).await;
    }
    bench.assert_refused(&swapped.jag(json!({})), Flaw::SignatureWrong, "no kid").await;
    let by_name = json!({ "alg": "EdDSA", "typ": "oauth-id-jag+jwt", "kid": idps }).to_string();
    assert_eq!(bench.bring(&bench.jag_under(&by_name, json!({}))).await.status(), 200);
}

#[tokio::test]
async fn jb_01_a_header_that_brings_a_key_is_refused() {
    let (bench, evil) = (Vouching::new(), key());
    let jwk = serde_json::to_string(evil.key()).unwrap();
    let claims = bench.jag(json!({}));
    let claims =
        String::from_utf8(URL_SAFE_NO_PAD.decode(claims.split('.').nth(1).unwrap()).unwrap()).unwrap();
    for extra in
        [format!(r#""jwk":{jwk}"#), r#""jku":"https://evil.example/jwks""#.into(), r#""crit":["x"]"#.into()]
    {
        let header = format!(r#"{{"alg":"EdDSA","typ":"oauth-id-jag+jwt",{extra}}}"#);
        bench.assert_refused(&forged(&evil, &header, &claims), Flaw::Unreadable, &extra).await;
    }
    let header = r#"{"alg":"EdDSA","typ":"oauth-id-jag+jwt"}"#;
    bench.assert_refused(&forged(&evil, header, &claims), Flaw::SignatureWrong, "a stranger's key").await;
}

#[tokio::test]
async fn jb_01_an_issuer_that_nobody_named_is_not_believed() {
    let bench = Vouching::new();
    for iss in [
        "https://evil.example",
        "https://idp.example/",
        "https://IDP.example",
        "http://idp.example",
        "",
        ISSUER,
    ] {
        bench.assert_refused(&bench.jag(json!({ "iss": iss })), Flaw::IssuerUnknown, iss).await;
    }
    for odd in [Value::Null, json!(7), json!([IDP])] {
        bench.assert_refused(&bench.jag(json!({ "iss": odd })), Flaw::ClaimMissing, "no issuer").await;
    }
}

#[tokio::test]
async fn jb_01_the_audience_is_this_server_and_nobody_else() {
    let bench = Vouching::new();
    let elsewhere = [
        json!("https://other.example"),
        json!("https://as.example/"),
        json!("https://as.example.evil.example"),
        json!("wiki"),
        json!(""),
        json!([]),
        json!([ISSUER, "https://other.example"]),
    ];
    for aud in &elsewhere {
        bench.assert_refused(&bench.jag(json!({ "aud": aud })), Flaw::AudienceWrong, &aud.to_string()).await;
        bench
            .assert_refused(&bench.plain(json!({ "aud": aud })), Flaw::AudienceWrong, &aud.to_string())
            .await;
    }
    for missing in [Value::Null, json!(7), json!({ "0": ISSUER })] {
        bench.assert_refused(&bench.jag(json!({ "aud": missing })), Flaw::ClaimMissing, "no aud").await;
        bench.assert_refused(&bench.plain(json!({ "aud": missing })), Flaw::ClaimMissing, "no aud").await;
    }
    // The token endpoint is an audience of RFC 7523, and none of an ID-JAG.
    for aud in [json!(TOKEN_ENDPOINT), json!([TOKEN_ENDPOINT, ISSUER])] {
        bench.assert_refused(&bench.jag(json!({ "aud": aud })), Flaw::AudienceWrong, &aud.to_string()).await;
    }
    assert_eq!(bench.bring(&bench.plain(json!({ "aud": TOKEN_ENDPOINT }))).await.status(), 200);
    assert_eq!(bench.bring(&bench.plain(json!({ "aud": [TOKEN_ENDPOINT, ISSUER] }))).await.status(), 200);
    assert_eq!(bench.bring(&bench.jag(json!({ "aud": [ISSUER] }))).await.status(), 200);
}

#[tokio::test]
async fn jb_01_it_has_an_end_that_is_near() {
    const NOW: i64 = TestClock::START;
    let bench = Vouching::new();
    for odd in [Value::Null, json!("never"), json!(-1), json!(1e300), json!([NOW])] {
        bench.assert_refused(&bench.jag(json!({ "exp": odd })), Flaw::ClaimMissing, &odd.to_string()).await;
        bench.assert_refused(&bench.plain(json!({ "exp": odd })), Flaw::ClaimMissing, &odd.to_string()).await;
    }
    let refused = [
        (json!({ "exp": NOW - 10 }), Flaw::Expired),
        (json!({ "exp": 0 }), Flaw::Expired),
        (json!({ "nbf": NOW + 31 }), Flaw::TooEarly),
        (json!({ "iat": NOW + 31, "exp": NOW + 331 }), Flaw::TooEarly),
        (json!({ "exp": NOW + 3_631 }), Flaw::TooLongLived),
        (json!({ "iat": NOW - 3_600, "exp": NOW + 300 }), Flaw::TooLongLived),
        (json!({ "exp": i64::from(i32::MAX) * 100 }), Flaw::TooLongLived),
    ];
    for (changes, flaw) in refused {
        bench.assert_refused(&bench.jag(changes.clone()), flaw, &changes.to_string()).await;
        bench.assert_refused(&bench.plain(changes.clone()), flaw, &changes.to_string()).await;
    }
    // An ID-JAG says when it was made; a plain one that does not is bounded all the same.
    bench.assert_refused(&bench.jag(json!({ "iat": null })), Flaw::ClaimMissing, "no iat").await;
    for (n, changes) in [
        json!({ "exp": NOW - 9, "iat": NOW - 309 }),
        json!({ "iat": NOW + 30, "nbf": NOW + 30 }),
        json!({ "exp": NOW + 3_600 }),
        json!({ "exp": NOW as f64 + 300.5, "iat": NOW as f64 - 0.5 }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut changes = changes;
        changes["jti"] = json!(n.to_string());
        assert_eq!(bench.bring(&bench.jag(changes.clone())).await.status(), 200, "{changes}");
        assert_eq!(bench.bring(&bench.plain(changes.clone())).await.status(), 200, "{changes}");
    }
}

#[tokio::test]
async fn jb_01_a_shorter_bound_is_the_issuers() {
    let signer = key();
    let strict = AssertionIssuer::new("strict", StaticKeys::new(&set([&signer])))
        .longest_lifetime(Duration::from_secs(60));
    let bench = Vouching::with(|grant| grant.issuer(strict), |builder| builder);
    let claims = json!({ "iss": "strict", "sub": "x", "aud": ISSUER, "exp": TestClock::START + 91 });
    let assertion = forged(&signer, r#"{"alg":"EdDSA"}"#, &claims.to_string());
    bench.assert_refused(&assertion, Flaw::TooLongLived, "91 s").await;
}

#[tokio::test]
async fn jb_01_another_kind_of_token_is_no_assertion() {
    let bench = Vouching::new();
    for typ in ["JWT", "at+jwt", "logout+jwt", "oauth-id-jag", "oauth-id-jag+jwt ", ""] {
        let header = json!({ "alg": "EdDSA", "typ": typ }).to_string();
        bench.assert_refused(&bench.jag_under(&header, json!({})), Flaw::TypeWrong, typ).await;
    }
    bench.assert_refused(&bench.jag_under(r#"{"alg":"EdDSA"}"#, json!({})), Flaw::TypeWrong, "none").await;
    for typ in ["at+jwt", "oauth-id-jag+jwt", "dpop+jwt", "client-authentication+jwt", ""] {
        let header = json!({ "alg": "EdDSA", "typ": typ }).to_string();
        bench.assert_refused(&bench.plain_under(&header, json!({})), Flaw::TypeWrong, typ).await;
    }
    assert_eq!(
        bench.bring(&bench.plain_under(r#"{"alg":"EdDSA","typ":"JWT"}"#, json!({}))).await.status(),
        200
    );
}

#[tokio::test]
async fn jb_01_what_it_must_say_it_says() {
    let bench = Vouching::new();
    for name in ["sub", "client_id", "jti"] {
        bench.assert_refused(&bench.jag(json!({ name: null })), Flaw::ClaimMissing, name).await;
        bench.assert_refused(&bench.jag(json!({ name: 7 })), Flaw::ClaimMissing, name).await;
    }
    for name in ["sub", "jti"] {
        bench.assert_refused(&bench.jag(json!({ name: "" })), Flaw::ClaimMissing, name).await;
    }
    bench.assert_refused(&bench.plain(json!({ "sub": null })), Flaw::ClaimMissing, "sub").await;
    for text in ["", "x", "a.b.c", "....", &"a".repeat(8_000)] {
        if text.is_empty() {
            assert_eq!(bench.bring(text).await.error(), (400, "invalid_request".into()));
        } else {
            bench.assert_refused(text, Flaw::Unreadable, text).await;
        }
    }
}

#[tokio::test]
async fn a_limit_that_is_not_understood_makes_it_good_for_nothing() {
    let bench = Vouching::new();
    for (claim, flaw) in [
        (json!({ "cnf": { "jkt": "x" } }), Flaw::Bound),
        (json!({ "act": { "sub": "agent" } }), Flaw::Delegated),
        (json!({ "authorization_details": [] }), Flaw::DetailsUnsupported),
    ] {
        bench.assert_refused(&bench.jag(claim.clone()), flaw, &claim.to_string()).await;
        bench.assert_refused(&bench.plain(claim.clone()), flaw, &claim.to_string()).await;
    }
}

#[tokio::test]
async fn tx_09_an_id_jag_is_of_its_type_for_this_server_and_for_its_client() {
    let bench = Vouching::new();
    // What the identity provider signs for other purposes, and would be enough otherwise.
    for typ in ["JWT", "at+jwt"] {
        let header = json!({ "alg": "EdDSA", "typ": typ }).to_string();
        bench.assert_refused(&bench.jag_under(&header, json!({})), Flaw::TypeWrong, typ).await;
    }
    for aud in [json!("https://other.example"), json!("wiki"), json!([ISSUER, "https://other.example"])] {
        let jag = bench.jag(json!({ "aud": aud }));
        bench.assert_refused(&jag, Flaw::AudienceWrong, &aud.to_string()).await;
    }
    let others = bench.jag(json!({ "client_id": "desk" }));
    bench.assert_refused(&others, Flaw::ForAnotherClient, "desk").await;
    assert_eq!(bench.subject(&bench.bring_as("desk", &others, &[]).await).await, "alice");
}
