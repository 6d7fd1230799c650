//! The implicit and the hybrid flow: which clients may ask for what, how, and what they have to send along.

use grantor::keys::JwtSigner;
use grantor::server::AuthorizationServerBuilder;
use grantor::{
    Client, GrantType, MemoryRegistry, MemoryStore, Profile, Reason, Registration, Request, ResponseMode,
    ResponseType, Scope,
};
use serde_json::json;

use crate::support::hybrid::{NONCE, error, field, hybrid, legacy, names, query};
use crate::support::provider::{People, Provider, SCOPES, keys};
use crate::support::proving::dpop;
use crate::support::pushing::{push, visit};
use crate::support::registering::{Registering, app_with};
use crate::support::{Answer, CALLBACK, Fixture, VERIFIER, encode, redemption};

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
    let oauth = Fixture::with(|builder| {
        let clients = MemoryRegistry::new([hybrid("app", json!({}))]);
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
    let oauth = Answer(Fixture::legacy().server.metadata()).json();
    assert_eq!(oauth["response_types_supported"], json!(["code", "token", "code token"]));
}

#[tokio::test]
async fn oi_42_no_token_travels_in_a_query() {
    let signed = |builder: AuthorizationServerBuilder| {
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
    let consent = provider.consent_to(&query, provider.fixture.alice()).await;
    let answer = Answer(consent.approve_scope(&Scope::parse("read").unwrap()).await);
    assert_eq!(error(&answer).as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn oi_47_the_response_types_of_a_registration_go_with_its_grant_types() {
    let terms = || Registration::open().grant_types([GrantType::AuthorizationCode, GrantType::Implicit]);
    let server = Registering::configured(terms(), |builder| {
        let builder = builder.profile(Profile::Rfc6749).scopes(SCOPES);
        builder.token_signer(JwtSigner::new(keys()).unwrap()).openid(People::default())
    });
    let with = |grants: &[&str], responses: &[&str]| {
        json!({
            "grant_types": grants, "response_types": responses, "redirect_uris": [CALLBACK],
        })
    };
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
async fn a_code_beside_a_token_wants_what_every_code_wants() {
    let provider = legacy();
    let without = [NONCE, ("code_challenge", ""), ("code_challenge_method", "")];
    for (response_type, wants) in [("code id_token", true), ("code token", true), ("id_token token", false)] {
        let answer = provider.answer("app", response_type, "openid", &without).await;
        assert_eq!(error(&answer).as_deref() == Some("invalid_request"), wants, "{response_type}");
    }
    let answer = provider.answer("app", "code id_token", "openid", &[NONCE]).await;
    let code = field(&answer, "code");
    let mut form = redemption(&code);
    form.retain(|(_, value)| *value != VERIFIER);
    assert_eq!(provider.fixture.token("app", &form).await.error(), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn a_pushed_request_is_answered_once_in_every_response_type() {
    let provider = legacy();
    let server = &provider.fixture.server;
    for response_type in ResponseType::ALL.iter().copied() {
        let mut form = query("app", response_type.as_str(), "openid", &[NONCE]);
        form.retain(|(name, _)| *name != "client_id");
        let uri = push(&provider.fixture, "app", &form).await.text("request_uri");
        let visit = visit("app", &uri);
        let answer = provider.fixture.approve(&visit).await;
        assert_eq!(answer.location_parameter("id_token").is_some(), response_type.has_id_token());
        assert_eq!(answer.location_parameter("code").is_some(), response_type.has_code());
        assert!(server.authorize(&Request::get(encode(&visit))).await.is_err(), "{response_type}");
    }
}

#[tokio::test]
async fn an_answer_without_an_access_token_needs_no_key() {
    let provider = Provider::with(vec![hybrid("app", json!({}))], |builder| {
        let builder = builder.profile(Profile::Rfc6749).replay_guard(MemoryStore::new());
        builder.dpop(dpop()).require_bound_tokens()
    });
    for response_type in ResponseType::ALL.iter().copied() {
        let answer = provider.answer("app", response_type.as_str(), "openid", &[NONCE]).await;
        // A browser can prove no key.
        let expected = response_type.has_token().then_some("unauthorized_client");
        assert_eq!(error(&answer).as_deref(), expected, "{response_type}");
        let has_id_token = answer.location_parameter("id_token").is_some();
        assert_eq!(has_id_token, response_type.has_id_token() && expected.is_none(), "{response_type}");
    }
}

#[tokio::test]
async fn a_user_who_is_blocked_gets_no_token_by_the_browser() {
    let provider = legacy();
    provider.fixture.users.blocked.lock().unwrap().push("alice".to_owned());
    for response_type in ResponseType::ALL.iter().filter(|known| **known != ResponseType::Code) {
        let before = provider.fixture.count().await;
        let answer = provider.answer("app", response_type.as_str(), "openid", &[NONCE]).await;
        assert_eq!(error(&answer).as_deref(), Some("access_denied"), "{response_type}");
        assert_eq!(names(&answer), ["error", "error_description", "iss", "state"], "{response_type}");
        assert_eq!(provider.fixture.log.last_reason(), Some(Reason::ApproverBlocked));
        assert_eq!(provider.fixture.count().await, before, "{response_type}: nothing is written");
    }
    // The exchange of a code asks for the account.
    let code = provider.answer("app", "code", "openid", &[]).await;
    let redeemed = provider.fixture.redeem("app", &field(&code, "code")).await;
    assert_eq!(redeemed.error(), (400, "invalid_grant".to_owned()));
}
