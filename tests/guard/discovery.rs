//! A guard that knows an issuer by its name (RFC 8414), and issuers that publish nonsense.

use std::time::Duration;

use grantor::jose::SigningKey;
use grantor::outbound::{HttpOutbound, Outbound, OutboundError, OutboundResponse};
use grantor::resource::{Credentials, Discovery, GuardError, Introspection};
use grantor::{AccessTokens, Reason, Resource};
use serde_json::{Value, json};

use crate::support::guarded::{API, Api, jwks_json, key, set, token};
use crate::support::remote::{Remote, Says};
use crate::support::scripted::{Behind, Scripted};
use crate::support::{Fixture, ISSUER};

const WELL_KNOWN: &str = "https://as.example/.well-known/oauth-authorization-server";
const OPENID: &str = "https://as.example/.well-known/openid-configuration";
const JWKS: &str = "https://as.example/jwks";

fn found(issuer: &str, jwks: &str) -> OutboundResponse {
    OutboundResponse::new(200, json!({ "issuer": issuer, "jwks_uri": jwks, "more": [1] }).to_string())
}

/// Publishes its metadata at one place and its keys at [`JWKS`].
fn publishing(place: &'static str, key: &SigningKey) -> Scripted {
    let keys = jwks_json(&set([key]));
    Scripted::by(move |url| match url {
        url if url == place => Ok(found(ISSUER, JWKS)),
        JWKS => Ok(OutboundResponse::new(200, keys.clone())),
        _ => Ok(OutboundResponse::new(404, "")),
    })
}

fn api(outbound: impl Outbound + 'static) -> Api {
    Api::with(|builder| builder.issuer(ISSUER, outbound))
}

fn good(key: &SigningKey) -> String {
    token(key, json!({}))
}

#[tokio::test]
async fn a_real_servers_signed_tokens_pass_by_its_name_alone() {
    use grantor::jose::Algorithm;
    use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
    let keys = Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &[Algorithm::Es256]).unwrap();
    let fixture = Fixture::with(|builder| {
        let signer = JwtSigner::new(keys).unwrap();
        builder.token_signer(signer).access_tokens(AccessTokens::Jwt).resource(Resource::new(API))
    });
    let form = [("grant_type", "client_credentials"), ("resource", API)];
    let token = fixture.token("robot", &form).await.access_token();
    let api = api(Behind(fixture.server.clone()));
    assert_eq!(api.outcome(&token).await, (200, None));
    let other = fixture.token("robot", &[("grant_type", "client_credentials")]).await.access_token();
    assert_eq!(api.outcome(&other).await.0, 200, "one resource is the default audience");
    let metadata: Value = serde_json::from_slice(&api.guard.metadata().body).unwrap();
    assert_eq!(metadata["authorization_servers"], json!([ISSUER]));
}

#[tokio::test]
async fn the_document_is_looked_for_at_each_place_in_turn() {
    let key = key();
    for (place, expected) in [(WELL_KNOWN, vec![WELL_KNOWN, JWKS]), (OPENID, vec![WELL_KNOWN, OPENID, JWKS])]
    {
        let issuer = publishing(place, &key);
        assert_eq!(api(issuer.clone()).outcome(&good(&key)).await, (200, None));
        assert_eq!(issuer.asked().into_iter().map(|asked| asked.url).collect::<Vec<_>>(), expected);
    }
    let nowhere = publishing("https://elsewhere.example", &key);
    assert_eq!(api(nowhere.clone()).outcome(&good(&key)).await, (503, Some(Reason::IssuerUnavailable)));
    assert_eq!(nowhere.calls(), 2);
}

#[tokio::test]
async fn a_document_of_another_issuer_is_none() {
    let key = key();
    for other in ["https://as.example/", "https://AS.example", "https://evil.example", ""] {
        let keys = jwks_json(&set([&key]));
        let issuer = Scripted::by(move |url| match url {
            JWKS => Ok(OutboundResponse::new(200, keys.clone())),
            _ => Ok(found(other, JWKS)),
        });
        assert_eq!(
            api(issuer.clone()).outcome(&good(&key)).await,
            (503, Some(Reason::IssuerUnavailable)),
            "{other}"
        );
        assert_eq!(issuer.calls(), 1, "nor is another place asked");
    }
}

#[tokio::test]
async fn what_is_no_document_is_503_and_never_acceptance() {
    let key = key();
    for answer in [
        Err(OutboundError::AddressRefused),
        Ok(OutboundResponse::new(500, "")),
        Ok(OutboundResponse::new(302, "")),
        Ok(OutboundResponse::new(200, "<html>")),
        Ok(OutboundResponse::new(200, "[]")),
        Ok(OutboundResponse::new(200, json!({ "issuer": ISSUER }).to_string())),
        Ok(OutboundResponse::new(200, json!({ "issuer": ISSUER, "jwks_uri": 7 }).to_string())),
        Ok(OutboundResponse::new(
            200,
            format!(r#"{{"issuer":"x","issuer":"{ISSUER}","jwks_uri":"{JWKS}"}}"#),
        )),
        Ok(OutboundResponse::new(200, " ".repeat(64 * 1024 + 1))),
        Ok(OutboundResponse::new(200, "{\"a\":".repeat(10_000))),
    ] {
        let issuer = Scripted::by(move |_| answer.clone());
        assert_eq!(api(issuer).outcome(&good(&key)).await, (503, Some(Reason::IssuerUnavailable)));
    }
}

#[tokio::test]
async fn it_is_kept_and_refreshed_like_the_keys() {
    let key = key();
    let issuer = publishing(WELL_KNOWN, &key);
    let api = api(issuer.clone());
    let now = |api: &Api| {
        use grantor::Clock as _;
        let at = api.clock.now().timestamp();
        token(&key, json!({ "iat": at, "exp": at + 600 }))
    };
    for (wait, calls) in [(0, 2), (299, 2), (1, 4)] {
        api.clock.advance(Duration::from_secs(wait));
        assert_eq!(api.outcome(&now(&api)).await, (200, None));
        assert_eq!(issuer.calls(), calls);
    }
    issuer.does(|_| Err(OutboundError::Unreachable));
    api.clock.advance(Duration::from_secs(300 + 3599));
    assert_eq!(api.outcome(&now(&api)).await, (200, None), "an outage is bridged");
    api.clock.advance(Duration::from_secs(1));
    assert_eq!(api.outcome(&now(&api)).await.0, 503, "but not for ever");
}

#[tokio::test]
async fn keys_that_move_are_found_where_they_are() {
    let (old, new) = (key(), key());
    let issuer = publishing(WELL_KNOWN, &old);
    let api = api(issuer.clone());
    assert_eq!(api.outcome(&good(&old)).await, (200, None));
    let keys = jwks_json(&set([&new]));
    issuer.does(move |url| match url {
        WELL_KNOWN => Ok(found(ISSUER, "https://keys.example/2")),
        "https://keys.example/2" => Ok(OutboundResponse::new(200, keys.clone())),
        _ => Err(OutboundError::Unreachable),
    });
    api.clock.advance(Duration::from_secs(300));
    assert_eq!(api.outcome(&good(&new)).await, (200, None));
    assert_eq!(api.outcome(&good(&old)).await, (401, Some(Reason::TokenSignatureWrong)));
}

#[tokio::test]
async fn an_issuer_without_introspection_cannot_be_asked() {
    let key = key();
    let discovery = Discovery::new(ISSUER, publishing(WELL_KNOWN, &key));
    let asking = Introspection::of(discovery, Credentials::bearer("x"));
    let api = Api::with(|builder| builder.verifier(asking));
    assert_eq!(api.outcome("token").await, (500, Some(Reason::IssuerRefused)));
}

#[tokio::test]
async fn an_issuer_is_found_over_http_and_a_bad_one_is_503() {
    let key = key();
    let keys = jwks_json(&set([&key]));
    let text = String::from_utf8(keys).unwrap();
    let serving = Remote::start(move |seen| match seen.path() {
        "/.well-known/oauth-authorization-server/tenant" => Says::json(json!({
            "issuer": format!("http://{}/tenant", seen.header("host").unwrap()),
            "jwks_uri": format!("http://{}/keys", seen.header("host").unwrap()),
        })),
        "/keys" => Says::json(&text),
        _ => Says::reply(404, &[], ""),
    })
    .await;
    let outbound = HttpOutbound::builder().allow_loopback().build().unwrap();
    let issuer = serving.url("/tenant");
    let api = Api::with(|builder| builder.allow_http_loopback().issuer(issuer.as_str(), outbound.clone()));
    assert_eq!(api.outcome(&token(&key, json!({ "iss": issuer }))).await, (200, None));
    let closed = HttpOutbound::builder().build().unwrap();
    let api = Api::with(|builder| builder.allow_http_loopback().issuer(issuer.as_str(), closed));
    assert_eq!(
        api.outcome(&good(&key)).await,
        (503, Some(Reason::IssuerUnavailable)),
        "an address of this machine"
    );
    let endless = Remote::saying(Says::AndNeverEnds(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())).await;
    let api = Api::with(|builder| builder.allow_http_loopback().issuer(endless.url(""), outbound));
    assert_eq!(api.outcome(&good(&key)).await, (503, Some(Reason::IssuerUnavailable)));
}

#[test]
fn an_issuer_has_to_be_https() {
    let scripted = Scripted::by(|_| Err(OutboundError::Unreachable));
    for issuer in ["http://as.example", "as.example", "https://as.example?a", "http://127.0.0.1:9400"] {
        let built = grantor::resource::Guard::builder(API).issuer(issuer, scripted.clone()).build();
        assert_eq!(built.unwrap_err().all(), [GuardError::AuthorizationServer(issuer.to_owned())]);
    }
}
