//! HS256 at a logout: hints that come back, and logout tokens.

use std::time::Duration;

use grantor::outbound::OutboundResponse;
use grantor::{Login, LoginReason, Reason, Request, SignedIn};
use serde_json::{Value, json};

use super::back_channel::sent;
use super::hs256::{OWN, sealed};
use crate::support::provider::{Provider, client};
use crate::support::scripted::Scripted;
use crate::support::sealing::{Chest, maced, unmaced};
use crate::support::signing_out::{AFTER, SigningOut, hearing, is_page, sessions};
use crate::support::{Answer, SECRET, code_query, encode};

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// `hs` has its tokens by HS256; `rp` has a sealed secret, too, and its tokens by RS256.
fn host() -> (SigningOut, Chest) {
    let web = Scripted::by(|_| Ok(OutboundResponse::new(200, "")));
    let own = sessions(&web);
    let chest = Chest::default();
    let opens = chest.clone();
    let mut metadata = hearing("hs");
    metadata["id_token_signed_response_alg"] = json!("HS256");
    let clients = [sealed("hs", metadata), sealed("rp", hearing("rp"))];
    let clients: Vec<_> = clients.into_iter().map(|client| client.build().unwrap()).collect();
    let clients = [clients, vec![client("digest", json!({}))]].concat();
    let provider = Provider::with(clients, |builder| {
        builder.sealed_secrets(opens).sessions(own).logout_endpoint("/logout")
    });
    (SigningOut { provider, web }, chest)
}

/// The `id_token` of `hs` in a session, and its claims.
async fn hint(host: &SigningOut, session: &str) -> (String, Value) {
    let text = host.tokens("hs", "openid", session).await.text("id_token");
    let (_, claims) = unmaced(OWN, &text);
    (text, claims)
}

/// Hints that are none, and why.
fn bad_hints(good: &str, claims: &Value) -> Vec<(&'static str, String)> {
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims.to_string()
    };
    let (header, payload) = good.rsplit_once('.').unwrap().0.split_once('.').unwrap();
    let by = |secret: &str, payload: &str| maced(secret.as_bytes(), HEADER, payload);
    let claims = claims.to_string();
    vec![
        ("the MAC of another secret", by("another secret of 32 characters or more", &claims)),
        ("the MAC of a secret that cannot be opened", by(SECRET, &claims)),
        ("the MAC of nothing", by("", &claims)),
        ("no MAC", format!("{header}.{payload}.")),
        ("for a client without such a secret", by(SECRET, &with("aud", json!("digest")))),
        ("for no client", by(OWN, &with("aud", json!("nobody")))),
        ("of another issuer", by(OWN, &with("iss", json!("https://other.example")))),
        ("another kind of token", maced(OWN.as_bytes(), r#"{"alg":"HS256","typ":"at+jwt"}"#, &claims)),
        ("another hash", maced(OWN.as_bytes(), r#"{"alg":"HS512","typ":"JWT"}"#, &claims)),
    ]
}

async fn asked(host: &SigningOut, hint: &str, login: Login) -> SignedIn {
    asked_by("hs", host, hint, login).await
}

async fn asked_by(client: &str, host: &SigningOut, hint: &str, login: Login) -> SignedIn {
    let mut query = code_query(client, "openid");
    query.push(("id_token_hint", hint));
    let ask = host.provider.fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    ask.signed_in(login).await
}

#[tokio::test]
async fn oi_11_a_hint_of_an_authorization_request_is_verified_with_the_secret() {
    let (host, _) = host();
    let (good, claims) = hint(&host, "s").await;
    let bob = host.bob("b");
    host.provider.fixture.clock.advance(Duration::from_secs(30 * 24 * 60 * 60));
    assert!(matches!(asked(&host, &good, host.alice("s")).await, SignedIn::Consent(_)));
    let SignedIn::Reauthenticate(login) = asked(&host, &good, bob).await else { panic!("no login") };
    assert_eq!(login.because(), LoginReason::OtherUser);
    for (name, bad) in bad_hints(&good, &claims) {
        let answered = asked(&host, &bad, host.alice("s")).await;
        let SignedIn::Answered(response) = answered else { panic!("{name}") };
        let error = Answer(response).location_parameter("error");
        assert_eq!(error.as_deref(), Some("invalid_request"), "{name}");
        assert_eq!(host.provider.fixture.log.last_reason(), Some(Reason::IdTokenHintInvalid), "{name}");
    }
}

#[tokio::test]
async fn oi_11_a_hint_outlives_the_change_to_another_algorithm() {
    let (host, _) = host();
    // As `rp` had it while its tokens were by HS256.
    let signed = host.tokens("rp", "openid", "s").await;
    let claims = host.provider.id_token(&signed).await.to_string();
    let old = maced(OWN.as_bytes(), HEADER, &claims);
    assert!(matches!(asked_by("rp", &host, &old, host.alice("s")).await, SignedIn::Consent(_)));
    let forged = maced(SECRET.as_bytes(), HEADER, &claims);
    assert!(matches!(asked_by("rp", &host, &forged, host.alice("s")).await, SignedIn::Answered(_)));
    let query = [("id_token_hint", old.as_str()), ("post_logout_redirect_uri", AFTER)];
    assert_eq!(host.goes(&query, Some(&host.alice("s"))).await.location(), AFTER);
}

#[tokio::test]
async fn oi_11_a_hint_of_a_logout_is_verified_with_the_secret() {
    let (host, chest) = host();
    let (good, claims) = hint(&host, "s").await;
    let login = host.alice("s");
    let query = |hint: String| [("id_token_hint", hint), ("post_logout_redirect_uri", AFTER.to_owned())];
    let page = async |hint: String| {
        let query = query(hint);
        let query = query.each_ref().map(|(name, value)| (*name, value.as_str()));
        match host.ask(&query, Some(&login)).await {
            Err(page) => page,
            Ok(_) => panic!("no page"),
        }
    };
    for (name, bad) in bad_hints(&good, &claims) {
        let page = page(bad).await;
        assert!(page.status() == 400 && is_page(&page.0), "{name}");
        assert_eq!(host.provider.fixture.log.last_reason(), Some(Reason::IdTokenHintInvalid), "{name}");
    }
    chest.lock(true);
    assert_eq!(page(good.clone()).await.status(), 503, "no verdict on the hint");
    chest.lock(false);
    let query = [("id_token_hint", good.as_str()), ("post_logout_redirect_uri", AFTER)];
    assert_eq!(host.goes(&query, Some(&login)).await.location(), AFTER);
}

#[tokio::test]
async fn oi_11_a_hint_that_the_client_made_itself_signs_no_one_out() {
    let (host, _) = host();
    let (_, mut claims) = hint(&host, "s").await;
    let stolen = claims["sid"].take();
    for sid in [json!(null), json!("made up"), stolen.clone()] {
        claims["sid"] = sid.clone();
        let own = maced(OWN.as_bytes(), HEADER, &claims.to_string());
        // Of another session of the same user.
        let login = host.alice("t");
        assert!(host.asks(&[("id_token_hint", own.as_str())], Some(&login)).await, "{sid}");
    }
    claims["sub"] = json!("bob");
    claims["sid"] = stolen;
    let of_another = maced(OWN.as_bytes(), HEADER, &claims.to_string());
    assert!(host.asks(&[("id_token_hint", of_another.as_str())], Some(&host.alice("s"))).await);
}

#[tokio::test]
async fn oi_11_a_logout_token_has_the_mac_of_the_id_tokens_and_is_no_hint() {
    let (host, _) = host();
    let (_, claims) = hint(&host, "s").await;
    host.end("s").await;
    let [token] = sent(&host).try_into().unwrap();
    let token: String = token;
    let (header, told) = unmaced(OWN, &token);
    assert_eq!(header, json!({ "alg": "HS256", "typ": "logout+jwt" }));
    assert_eq!((&told["sub"], &told["sid"]), (&claims["sub"], &claims["sid"]));
    assert!(matches!(asked(&host, &token, host.alice("s")).await, SignedIn::Answered(_)));
}
