//! The implicit and the hybrid flow (OpenID Connect Core sections 3.2 and 3.3).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::jose::{Algorithm, JwkSet, Jws};
use grantor::keys::JwtSigner;
use grantor::openid::ClaimsTo;
use grantor::store::Filter;
use grantor::{
    AccessTokens, Client, EventKind, GrantType, MemoryStore, Policy, Profile, Reason, Registration, Request,
    ResponseMode, ResponseType, Scope,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

use crate::support::provider::{ALGORITHMS, People, Provider, SCOPES, client, keys};
use crate::support::proving::{Prover, call_with, dpop, hash};
use crate::support::registering::{Registering, app_with};
use crate::support::signing_out::{SigningOut, hearing};
use crate::support::{Answer, CALLBACK, ISSUER, SECRET, VERIFIER, code_query, encode};

const NONCE: (&str, &str) = ("nonce", "n-0S6_WzA2Mj");

/// A client of all response types, with more metadata.
fn hybrid(id: &str, more: Value) -> Client {
    let metadata = serde_json::from_value(more).unwrap();
    let grants = [GrantType::AuthorizationCode, GrantType::Implicit, GrantType::RefreshToken];
    let built = Client::builder(id)
        .metadata(metadata)
        .redirect_uri(CALLBACK)
        .grant_types(grants)
        .response_types(ResponseType::ALL.iter().copied())
        .secret(SECRET);
    built.build().unwrap()
}

fn legacy() -> Provider {
    Provider::with(vec![hybrid("app", json!({}))], |builder| builder.profile(Profile::Rfc6749))
}

impl Provider {
    /// The answer to alice's approval of a request for this response type.
    async fn answer(&self, client: &str, response_type: &str, scope: &str, more: &[(&str, &str)]) -> Answer {
        let query = query(client, response_type, scope, more);
        self.fixture.approve(&query).await
    }

    /// What an `id_token` says.
    async fn says(&self, id_token: &str) -> Value {
        let jwks = self.fixture.server.jwks().await;
        let set = JwkSet::parse(std::str::from_utf8(&jwks.body).unwrap()).unwrap();
        Jws::parse(id_token).unwrap().verify(&set.verifying_keys()).unwrap().claims().unwrap()
    }
}

/// A request; what is named twice counts as it is named last.
fn query<'a>(
    client: &'a str,
    response_type: &'a str,
    scope: &'a str,
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let mut query = code_query(client, scope);
    query.retain(|(name, _)| *name != "response_type" && more.iter().all(|(own, _)| own != name));
    query.push(("response_type", response_type));
    query.extend(more);
    query
}

/// The parameters in the fragment of an answer.
fn fragment(answer: &Answer) -> Vec<(String, String)> {
    let parameters = answer.location().strip_prefix(&format!("{CALLBACK}#")).expect("a fragment");
    serde_urlencoded::from_str(parameters).unwrap()
}

fn names(answer: &Answer) -> Vec<String> {
    let mut names: Vec<String> = fragment(answer).into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

fn field(answer: &Answer, name: &str) -> String {
    answer.location_parameter(name).unwrap_or_else(|| panic!("no {name} in {}", answer.location()))
}

fn error(answer: &Answer) -> Option<String> {
    answer.location_parameter("error")
}

/// The left half of the hash that goes with an algorithm.
fn half(algorithm: Algorithm, text: &str) -> String {
    match algorithm {
        Algorithm::EdDsa => URL_SAFE_NO_PAD.encode(&Sha512::digest(text)[..32]),
        _ => URL_SAFE_NO_PAD.encode(&Sha256::digest(text)[..16]),
    }
}

const TOKEN: &[&str] = &["access_token", "expires_in", "scope", "token_type"];

#[tokio::test]
async fn oi_41_each_response_type_has_its_words_in_the_answer_in_whatever_order_they_are_asked_for() {
    let provider = legacy();
    for (response_type, words) in [
        ("id_token", &["id_token"][..]),
        ("id_token token", &["id_token", "token"]),
        ("token id_token", &["id_token", "token"]),
        ("code id_token", &["code", "id_token"]),
        ("id_token code", &["code", "id_token"]),
        ("code token", &["code", "token"]),
        ("token code", &["code", "token"]),
        ("token id_token code", &["code", "id_token", "token"]),
    ] {
        let answer = provider.answer("app", response_type, "openid read", &[NONCE]).await;
        let has_token = words.contains(&"token");
        let mut expected: Vec<&str> = words.iter().copied().filter(|word| *word != "token").collect();
        expected.extend(TOKEN.iter().filter(|_| has_token));
        expected.extend(["iss", "state"]);
        expected.sort_unstable();
        assert_eq!(names(&answer), expected, "{response_type}");
        assert_eq!((field(&answer, "iss").as_str(), field(&answer, "state").as_str()), (ISSUER, "the state"));
        if has_token {
            assert!(provider.fixture.is_live(&field(&answer, "access_token")).await, "{response_type}");
            assert_eq!(field(&answer, "expires_in"), "600");
        }
        if words.contains(&"code") {
            let redeemed = provider.fixture.redeem("app", &field(&answer, "code")).await;
            assert_eq!(redeemed.status(), 200, "{response_type}");
            assert_eq!(provider.id_token(&redeemed).await["sub"], "alice");
        }
        let whats = provider.fixture.log.whats();
        let issued = has_token || words.contains(&"id_token");
        assert!(!issued || whats.contains(&EventKind::TokensIssued), "{response_type}");
    }
}

#[tokio::test]
async fn oi_41_they_exist_under_one_profile_and_for_clients_that_list_them() {
    let plain = Provider::with(vec![hybrid("app", json!({}))], |builder| builder);
    let provider = legacy();
    for response_type in ResponseType::ALL.iter().filter(|known| **known != ResponseType::Code) {
        let name = response_type.as_str();
        let answer = plain.answer("app", name, "openid", &[NONCE]).await;
        assert_eq!(error(&answer).as_deref(), Some("unsupported_response_type"), "{name}");
        let answer = provider.answer("other", name, "openid", &[NONCE]).await;
        assert_eq!(error(&answer).as_deref(), Some("unauthorized_client"), "{name}");
        assert_eq!(names(&answer), ["error", "error_description", "iss", "state"]);
    }
    for unknown in ["none", "code none", "code code", "code  id_token", "CODE", "id_token x"] {
        let answer = provider.answer("app", unknown, "openid", &[NONCE]).await;
        assert_eq!(error(&answer).as_deref(), Some("unsupported_response_type"), "{unknown}");
    }
    // Without OpenID Connect there is no id_token.
    let oauth = crate::support::Fixture::with(|builder| {
        let clients = grantor::MemoryRegistry::new([hybrid("app", json!({}))]);
        builder.profile(Profile::Rfc6749).clients(clients)
    });
    let answer = oauth.approve(&query("app", "code id_token", "read", &[NONCE])).await;
    assert_eq!(error(&answer).as_deref(), Some("unsupported_response_type"));
    let answer = oauth.approve(&query("app", "code token", "read", &[])).await;
    assert!(oauth.is_live(&field(&answer, "access_token")).await);
    assert_eq!(oauth.redeem("app", &field(&answer, "code")).await.status(), 200);
}

#[tokio::test]
async fn oi_41_the_metadata_list_what_works() {
    let listed = |provider: &Provider| {
        Answer(provider.fixture.server.metadata()).json()["response_types_supported"].clone()
    };
    let all: Vec<&str> = ResponseType::ALL.iter().map(|known| known.as_str()).collect();
    assert_eq!(listed(&legacy()), json!(all));
    assert_eq!(listed(&Provider::new()), json!(["code"]));
    let oauth = Answer(crate::support::Fixture::legacy().server.metadata()).json();
    assert_eq!(oauth["response_types_supported"], json!(["code", "token", "code token"]));
}

#[tokio::test]
async fn oi_42_no_token_travels_in_a_query() {
    let signed = |builder: grantor::server::AuthorizationServerBuilder| {
        builder.profile(Profile::Rfc6749).sign_authorization_responses()
    };
    let provider = Provider::with(vec![hybrid("app", json!({}))], signed);
    for response_type in ResponseType::ALL.iter().filter(|known| **known != ResponseType::Code) {
        let name = response_type.as_str();
        for mode in ["query", "query.jwt"] {
            let answer = provider.answer("app", name, "openid", &[NONCE, ("response_mode", mode)]).await;
            assert_eq!(error(&answer).as_deref(), Some("invalid_request"), "{name} {mode}");
            assert_eq!(names(&answer), ["error", "error_description", "iss", "state"], "in the fragment");
        }
        assert_eq!(ResponseMode::default_of(*response_type), ResponseMode::Fragment);
        let form = provider.answer("app", name, "openid", &[NONCE, ("response_mode", "form_post")]).await;
        let html = String::from_utf8(form.0.body.clone()).unwrap();
        assert_eq!((form.status(), form.0.header("location")), (200, None), "{name}");
        for (word, has) in [
            ("code", response_type.has_code()),
            ("access_token", response_type.has_token()),
            ("id_token", response_type.has_id_token()),
        ] {
            assert_eq!(html.contains(&format!("name=\"{word}\"")), has, "{name}: {word}");
        }
    }
}

#[tokio::test]
async fn oi_42_a_signed_response_has_the_tokens_inside() {
    let provider = Provider::with(vec![hybrid("app", json!({}))], |builder| {
        builder.profile(Profile::Rfc6749).sign_authorization_responses().access_tokens(AccessTokens::Jwt)
    });
    let more = [NONCE, ("response_mode", "jwt")];
    let answer = provider.answer("app", "code id_token token", "openid", &more).await;
    assert_eq!(names(&answer), ["response"]);
    let inside = provider.says(&field(&answer, "response")).await;
    let text = |name: &str| inside[name].as_str().unwrap_or_else(|| panic!("no {name}"));
    assert_eq!((&inside["expires_in"], &inside["state"]), (&json!(600), &json!("the state")));
    let claims = provider.says(text("id_token")).await;
    assert_eq!(claims["at_hash"], half(Algorithm::Rs256, text("access_token")));
    assert_eq!(claims["c_hash"], half(Algorithm::Rs256, text("code")));
    assert_eq!(provider.fixture.redeem("app", text("code")).await.status(), 200);
}

#[tokio::test]
async fn oi_43_an_id_token_of_the_browser_needs_a_nonce() {
    let provider = legacy();
    for response_type in ResponseType::ALL.iter().copied() {
        let name = response_type.as_str();
        let answer = provider.answer("app", name, "openid", &[]).await;
        match response_type.has_id_token() {
            true => assert_eq!(error(&answer).as_deref(), Some("invalid_request"), "{name}"),
            false => assert_eq!(error(&answer), None, "{name}"),
        }
    }
    assert_eq!(provider.fixture.log.last_reason(), Some(Reason::NonceMissing));
}

#[tokio::test]
async fn oi_43_an_id_token_needs_the_scope_openid() {
    let provider = legacy();
    let answer = provider.answer("app", "code id_token", "read", &[NONCE]).await;
    assert_eq!(error(&answer).as_deref(), Some("invalid_scope"));
    assert_eq!(provider.fixture.log.last_reason(), Some(Reason::IdTokenWithoutScope));
    assert_eq!(error(&provider.answer("app", "code token", "read", &[]).await), None);
    // Nor is one given to a user who takes it out.
    let query = query("app", "code id_token", "openid read", &[NONCE]);
    let asked = provider.fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    let consent = asked.signed_in(provider.fixture.alice()).await.consent().unwrap();
    let answer = Answer(consent.approve_scope(&Scope::parse("read").unwrap()).await);
    assert_eq!(error(&answer).as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn oi_44_it_is_bound_to_all_that_goes_with_it() {
    let of_each =
        ALGORITHMS.map(|own| hybrid(own.as_str(), json!({ "id_token_signed_response_alg": own.as_str() })));
    for format in [AccessTokens::Opaque, AccessTokens::Jwt] {
        let provider = Provider::with(of_each.to_vec(), |builder| {
            builder.profile(Profile::Rfc6749).access_tokens(format)
        });
        for algorithm in ALGORITHMS {
            for response_type in ResponseType::ALL.iter().filter(|known| known.has_id_token()) {
                let name = response_type.as_str();
                let answer = provider.answer(algorithm.as_str(), name, "openid", &[NONCE]).await;
                let id_token = field(&answer, "id_token");
                assert_eq!(Jws::parse(&id_token).unwrap().algorithm(), algorithm);
                let claims = provider.says(&id_token).await;
                let hash =
                    |name: &str| answer.location_parameter(name).map(|text| json!(half(algorithm, &text)));
                assert_eq!(claims.get("at_hash"), hash("access_token").as_ref(), "{name}");
                assert_eq!(claims.get("c_hash"), hash("code").as_ref(), "{name}");
                assert_eq!(claims.get("s_hash"), hash("state").as_ref(), "{name}");
                assert_eq!(claims["nonce"], NONCE.1);
            }
        }
    }
    let provider = legacy();
    let answer = provider.answer("app", "id_token", "openid", &[NONCE, ("state", "")]).await;
    assert_eq!(provider.says(&field(&answer, "id_token")).await.get("s_hash"), None, "no state");
}

#[tokio::test]
async fn oi_45_both_id_tokens_tell_of_the_same_login() {
    let provider = legacy();
    let login = provider.fixture.alice().with_acr("silver").with_amr(["pwd"]);
    for response_type in ["code id_token", "code id_token token"] {
        let query = query("app", response_type, "openid", &[NONCE]);
        let asked = provider.fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
        let consent = asked.signed_in(login.clone()).await.consent().unwrap();
        let answer = Answer(consent.approve().await);
        let first = provider.says(&field(&answer, "id_token")).await;
        provider.fixture.clock.advance(Duration::from_secs(20));
        let redeemed = provider.fixture.redeem("app", &field(&answer, "code")).await;
        let second = provider.id_token(&redeemed).await;
        for same in ["iss", "sub", "aud", "nonce", "auth_time", "acr", "amr"] {
            assert!(first.get(same).is_some() && first[same] == second[same], "{same}");
        }
        assert_eq!(second["at_hash"], half(Algorithm::Rs256, &redeemed.access_token()));
        assert_eq!((second.get("c_hash"), second.get("s_hash")), (None, None));
    }
}

#[tokio::test]
async fn oi_46_an_id_token_alone_has_the_claims_of_the_scope() {
    let provider = legacy();
    let answer = provider.answer("app", "id_token", "openid email", &[NONCE]).await;
    let claims = provider.says(&field(&answer, "id_token")).await;
    assert_eq!((&claims["email"], claims.get("name")), (&json!("alice@example.com"), None));
    let asked = provider.people.asked();
    assert_eq!(asked.last().unwrap().0, ClaimsTo::IdToken);
    for response_type in ["id_token token", "code id_token"] {
        let answer = provider.answer("app", response_type, "openid email", &[NONCE]).await;
        assert_eq!(provider.says(&field(&answer, "id_token")).await.get("email"), None, "{response_type}");
    }
    for (claims, refused) in [
        (r#"{"userinfo":{"email":null}}"#, true),
        (r#"{"userinfo":{}}"#, false),
        (r#"{"id_token":{"nickname":null}}"#, false),
    ] {
        let answer = provider.answer("app", "id_token", "openid", &[NONCE, ("claims", claims)]).await;
        assert_eq!(error(&answer).as_deref() == Some("invalid_request"), refused, "{claims}");
    }
    let more = [NONCE, ("claims", r#"{"userinfo":{"nickname":null}}"#)];
    let answer = provider.answer("app", "id_token token", "openid", &more).await;
    assert_eq!(provider.claims(&field(&answer, "access_token")).await["nickname"], "Al");
}

#[tokio::test]
async fn oi_47_the_response_types_of_a_registration_go_with_its_grant_types() {
    let terms = || Registration::open().grant_types([GrantType::AuthorizationCode, GrantType::Implicit]);
    let server = Registering::configured(terms(), |builder| {
        let builder = builder.profile(Profile::Rfc6749).scopes(SCOPES);
        builder.token_signer(JwtSigner::new(keys()).unwrap()).openid(People::default())
    });
    let with = |grants: &[&str], responses: &[&str]| json!({ "grant_types": grants, "response_types": responses, "redirect_uris": [CALLBACK] });
    let (code, both) = (["authorization_code"], ["authorization_code", "implicit"]);
    for (grants, responses, fits) in [
        (&both[..], &["code id_token"][..], true),
        (&both, &["code token", "id_token code token"], true),
        (&both, &["code", "id_token token"], true),
        (&["implicit"], &["id_token"], true),
        (&["implicit"], &["token id_token"], true),
        (&code, &["id_token"], false),
        (&code, &["code id_token"], false),
        (&["implicit"], &["code id_token"], false),
        (&["implicit"], &["code"], false),
        (&both, &["code"], false),
        (&both, &["id_token"], false),
        (&both, &["none"], false),
    ] {
        let metadata = with(grants, responses);
        if !fits {
            assert_eq!(
                server.refusal(metadata).await,
                (400, "invalid_client_metadata".to_owned()),
                "{responses:?}"
            );
            continue;
        }
        let own = server.registered(&app_with(metadata)).await;
        let kept: Vec<ResponseType> = serde_json::from_value(own.0["response_types"].clone()).unwrap();
        let asked: Vec<ResponseType> =
            responses.iter().map(|name| ResponseType::parse(name).unwrap()).collect();
        assert_eq!(kept, asked);
        let stored = server.stored(own.id()).await.unwrap();
        assert_eq!(Client::decode(&stored.encode()).unwrap().response_types(), asked);
    }
    for bad in ["http://app.example/cb", "https://localhost/cb"] {
        let mut metadata = with(&both, &["code id_token"]);
        metadata["redirect_uris"] = json!([bad]);
        assert_eq!(server.refusal(metadata).await, (400, "invalid_redirect_uri".to_owned()), "{bad}");
    }
    // Where the server has no id_tokens, they are left out.
    let oauth = Registering::configured(terms(), |builder| builder.profile(Profile::Rfc6749));
    let own = oauth.registered(&app_with(with(&both, &["code", "code id_token", "token"]))).await;
    assert_eq!(own.0["response_types"], json!(["code", "token"]));
}

#[tokio::test]
async fn oi_48_the_browser_gets_no_refresh_token_and_no_offline_access() {
    let provider = Provider::with(vec![hybrid("app", json!({}))], |builder| {
        builder.profile(Profile::Rfc6749).scopes(["openid", "read", "offline_access"])
    });
    for response_type in ResponseType::ALL.iter().filter(|known| **known != ResponseType::Code) {
        let name = response_type.as_str();
        let more = [NONCE, ("prompt", "consent")];
        let answer = provider.answer("app", name, "openid read offline_access", &more).await;
        assert_eq!(answer.location_parameter("refresh_token"), None, "{name}");
        if response_type.has_token() {
            assert_eq!(field(&answer, "scope"), "openid read", "{name}");
        }
        if response_type.has_code() {
            let redeemed = provider.fixture.redeem("app", &field(&answer, "code")).await;
            assert_eq!(redeemed.text("scope"), "openid read offline_access", "{name}");
            assert_eq!(provider.fixture.refresh("app", &redeemed.refresh_token()).await.status(), 200);
        }
    }
}

#[tokio::test]
async fn a_token_beside_a_code_is_of_the_same_grant() {
    let provider = legacy();
    let fixture = &provider.fixture;
    for format in ["code token", "code id_token token"] {
        let answer = provider.answer("app", format, "openid read", &[NONCE]).await;
        let (code, token) = (field(&answer, "code"), field(&answer, "access_token"));
        let early = fixture.server.check(&token).await.unwrap();
        let redeemed = fixture.redeem("app", &code).await;
        let late = fixture.server.check(&redeemed.access_token()).await.unwrap();
        assert_eq!(early.grant_id(), late.grant_id());
        assert!(fixture.is_live(&token).await, "it lives on");
        assert_eq!(fixture.introspect("app", &token).await.json()["active"], true);
        // A second use of the code ends all of it.
        assert_eq!(fixture.redeem("app", &code).await.error(), (400, "invalid_grant".to_owned()));
        assert!(!fixture.is_live(&token).await && !fixture.is_live(&redeemed.access_token()).await);

        let answer = provider.answer("app", format, "openid read", &[NONCE]).await;
        let (code, token) = (field(&answer, "code"), field(&answer, "access_token"));
        assert_eq!(fixture.revoke("app", &token).await.status(), 200);
        assert!(!fixture.is_live(&token).await);
        let redeemed = fixture.redeem("app", &code).await;
        assert_eq!(redeemed.status(), 200, "a revoked token leaves the code");
        assert!(!fixture.is_live(&token).await);

        let answer = provider.answer("app", format, "openid read", &[NONCE]).await;
        let (code, token) = (field(&answer, "code"), field(&answer, "access_token"));
        assert_eq!(fixture.revoke("app", &code).await.status(), 200);
        assert!(!fixture.is_live(&token).await, "a revoked code takes the token along");
    }
}

#[tokio::test]
async fn a_token_beside_a_code_outlives_it_and_then_goes() {
    let provider = legacy();
    let fixture = &provider.fixture;
    let answer = provider.answer("app", "code token", "openid read", &[]).await;
    let (code, token) = (field(&answer, "code"), field(&answer, "access_token"));
    fixture.clock.advance(Policy::default().code_lifetime + Duration::from_secs(120));
    fixture.server.sweep().await.unwrap();
    assert!(fixture.is_live(&token).await);
    assert_eq!(fixture.redeem("app", &code).await.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(
        fixture.server.grants_of(&grantor::Subject::user("alice")).await.unwrap().len(),
        1,
        "it is listed"
    );
    fixture.clock.advance(Duration::from_secs(600));
    assert!(!fixture.is_live(&token).await);
    fixture.server.sweep().await.unwrap();
    assert_eq!(fixture.count().await, 0);
}

#[tokio::test]
async fn a_token_beside_a_code_has_what_is_left_of_the_consent() {
    let provider = legacy();
    let query = query("app", "code token", "openid read write", &[]);
    let asked = provider.fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
    let consent = asked.signed_in(provider.fixture.alice()).await.consent().unwrap();
    let answer = Answer(consent.approve_scope(&Scope::parse("openid read").unwrap()).await);
    assert_eq!(field(&answer, "scope"), "openid read");
    let access = provider.fixture.server.check(&field(&answer, "access_token")).await.unwrap();
    assert_eq!(access.scope(), &Scope::parse("openid read").unwrap());
    let redeemed = provider.fixture.redeem("app", &field(&answer, "code")).await;
    assert_eq!(redeemed.text("scope"), "openid read");
}

#[tokio::test]
async fn a_code_beside_a_token_wants_what_every_code_wants() {
    let provider = legacy();
    let without = [NONCE, ("code_challenge", ""), ("code_challenge_method", "")];
    for (response_type, wants) in [("code id_token", true), ("code token", true), ("id_token token", false)] {
        let answer = provider.answer("app", response_type, "openid", &without).await;
        assert_eq!(error(&answer).as_deref() == Some("invalid_request"), wants, "{response_type}");
    }
    let answer = provider.answer("app", "code id_token", "openid", &[NONCE]).await;
    let code = field(&answer, "code");
    let mut form = crate::support::redemption(&code);
    form.retain(|(_, value)| *value != VERIFIER);
    assert_eq!(provider.fixture.token("app", &form).await.error(), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn a_logout_tells_a_client_that_got_an_id_token_from_the_browser() {
    let host = SigningOut::with(|builder| {
        let clients = [hybrid("rp", hearing("rp")), hybrid("rp2", hearing("rp2")), hybrid("deaf", json!({}))];
        builder.profile(Profile::Rfc6749).clients(grantor::MemoryRegistry::new(clients))
    });
    let fixture = &host.provider.fixture;
    for (client, response_type) in [("rp", "id_token"), ("rp2", "code id_token"), ("deaf", "id_token")] {
        let query = query(client, response_type, "openid", &[NONCE]);
        let asked = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
        let consent = asked.signed_in(host.alice("s")).await.consent().unwrap();
        let answer = Answer(consent.approve().await);
        assert!(host.provider.says(&field(&answer, "id_token")).await["sid"].is_string());
    }
    fixture.clock.advance(Duration::from_secs(60 * 60));
    fixture.server.sweep().await.unwrap();
    assert_eq!(fixture.count().await, 2, "that of `deaf` is gone");
    assert_eq!(host.end("s").await, 1, "a code that ran out");
    assert_eq!(host.told(), ["rp.example", "rp2.example"]);
}

#[tokio::test]
async fn the_grant_of_an_id_token_alone_holds_nothing() {
    let provider = legacy();
    let fixture = &provider.fixture;
    provider.answer("app", "id_token", "openid email", &[NONCE]).await;
    let grants = fixture.server.grants(&Filter::default(), None, 10).await.unwrap();
    assert_eq!(grants.records.len(), 1);
    assert!(!grants.records[0].grant().is_live(fixture.alice().authentication().auth_time));
    assert!(fixture.server.grants_of(&grantor::Subject::user("alice")).await.unwrap().is_empty());
    fixture.clock.advance(Duration::from_secs(120));
    fixture.server.sweep().await.unwrap();
    assert_eq!(fixture.count().await, 0);
}

#[tokio::test]
async fn a_pushed_request_is_answered_once_in_every_response_type() {
    let provider = legacy();
    let server = &provider.fixture.server;
    for response_type in ResponseType::ALL.iter().copied() {
        let mut form = query("app", response_type.as_str(), "openid", &[NONCE]);
        form.retain(|(name, _)| *name != "client_id");
        let pushed = server.pushed_authorization_request(&crate::support::request("app", &form)).await;
        let uri = Answer(pushed).text("request_uri");
        let visit = [("client_id", "app"), ("request_uri", uri.as_str())];
        let answer = provider.fixture.approve(&visit).await;
        assert_eq!(answer.location_parameter("id_token").is_some(), response_type.has_id_token());
        assert_eq!(answer.location_parameter("code").is_some(), response_type.has_code());
        assert!(server.authorize(&Request::get(encode(&visit))).await.is_err(), "{response_type}");
    }
}

#[tokio::test]
async fn a_pairwise_client_gets_its_own_sub_from_the_browser_too() {
    let own = hybrid("rppw", json!({ "subject_type": "pairwise" }));
    let provider = Provider::with(vec![own, client("plain", json!({}))], |builder| {
        let builder = builder.profile(Profile::Rfc6749).access_tokens(AccessTokens::Jwt);
        builder.pairwise_secret([7; 32])
    });
    let answer = provider.answer("rppw", "code id_token token", "openid", &[NONCE]).await;
    let first = provider.says(&field(&answer, "id_token")).await;
    let second = provider.id_token(&provider.fixture.redeem("rppw", &field(&answer, "code")).await).await;
    assert_eq!(first["sub"], second["sub"]);
    assert_ne!(first["sub"], "alice");
    let userinfo = provider.userinfo(&field(&answer, "access_token")).await.json();
    assert_eq!(userinfo["sub"], first["sub"]);
    assert!(!answer.location().contains("alice"));
}

#[tokio::test]
async fn a_token_beside_a_code_is_bound_to_the_key_that_the_request_names() {
    const USERINFO: &str = "https://as.example/userinfo";
    let (prover, thief) = (Prover::new(), Prover::new());
    let provider = Provider::with(vec![hybrid("app", json!({}))], |builder| {
        builder.profile(Profile::Rfc6749).replay_guard(MemoryStore::new()).dpop(dpop())
    });
    let server = &provider.fixture.server;
    let asks = async |prover: &Prover, token: &str| {
        let proof = prover.proof("GET", USERINFO, json!({ "ath": hash(token) }));
        server.userinfo(&call_with(token, &proof)).await.status
    };
    let jkt = prover.thumbprint();
    let answer = provider.answer("app", "code token", "openid read", &[("dpop_jkt", &jkt)]).await;
    assert_eq!(field(&answer, "token_type"), "DPoP");
    let (code, token) = (field(&answer, "code"), field(&answer, "access_token"));
    for is_redeemed in [false, true] {
        if is_redeemed {
            // A confidential client's grant has no key of its own from then on.
            let form = crate::support::redemption(&code);
            assert_eq!(provider.fixture.token_by("app", &form, &prover.for_token()).await.status(), 200);
        }
        assert_eq!(provider.userinfo(&token).await.status(), 401, "as a bearer token");
        assert_eq!((asks(&prover, &token).await, asks(&thief, &token).await), (200, 401));
    }
}
