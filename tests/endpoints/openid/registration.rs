//! What clients register with a provider (OpenID Connect Registration 1.0).

use grantor::keys::JwtSigner;
use grantor::{ApplicationType, Client, ClientMetadata, GrantType, Profile, Registration};
use serde_json::{Value, json};

use crate::support::provider::{People, SCOPES, keys};
use crate::support::registering::{Registering, app_with};
use crate::support::{CALLBACK, ISSUER, SECRET};

fn registering() -> Registering {
    Registering::configured(Registration::open(), |builder| {
        builder.scopes(SCOPES).token_signer(JwtSigner::new(keys()).unwrap()).openid(People::default())
    })
}

fn members() -> Value {
    json!({
        "id_token_signed_response_alg": "ES256",
        "userinfo_signed_response_alg": "RS256",
        "subject_type": "public",
        "default_max_age": 3600,
        "require_auth_time": true,
        "default_acr_values": ["gold", "silver"],
        "initiate_login_uri": "https://app.example/start",
        "application_type": "web",
        "contacts": ["dev@app.example"],
    })
}

#[tokio::test]
async fn oi_80_the_members_of_openid_connect_are_kept_and_told() {
    let server = registering();
    let own = server.registered(&app_with(members())).await;
    let same = |seen: &Value| {
        for (name, value) in members().as_object().unwrap() {
            assert_eq!(seen.get(name), Some(value), "{name}");
        }
    };
    same(&own.0);
    same(&server.get(&own).await.json());
    same(&server.put(&own, &app_with(members())).await.json());
    let kept = server.stored(own.id()).await.unwrap();
    assert_eq!(kept.metadata().default_max_age, Some(3600));
    assert_eq!(Client::decode(&kept.encode()).unwrap(), *kept, "and stored");
    let bare = server.put(&own, &app_with(json!({}))).await.json();
    assert_eq!(bare["id_token_signed_response_alg"], "RS256", "a change replaces all");
    for gone in
        ["userinfo_signed_response_alg", "default_max_age", "default_acr_values", "initiate_login_uri"]
    {
        assert_eq!(bare.get(gone), None, "{gone}");
    }
}

#[tokio::test]
async fn oi_80_what_cannot_be_had_is_refused() {
    let server = registering();
    for (name, value) in [
        ("userinfo_signed_response_alg", json!("HS999")),
        ("userinfo_signed_response_alg", json!("none")),
        ("id_token_signed_response_alg", json!(1)),
        ("subject_type", json!("pairwise")),
        ("subject_type", json!("private")),
        ("default_max_age", json!("3600")),
        ("default_max_age", json!(-1)),
        ("default_max_age", json!(1.5)),
        ("default_max_age", json!(4_294_967_296_u64)),
        ("require_auth_time", json!("true")),
        ("default_acr_values", json!([1])),
    ] {
        let refused = (400, "invalid_client_metadata".to_owned());
        assert_eq!(server.refusal(json!({ name: value })).await, refused, "{name}");
    }
    let body =
        r#"{"redirect_uris":["https://app.example/cb"],"subject_type":"public","subject_type":"public"}"#;
    let twice = server.send(grantor::Request::json(grantor::http::Method::Post, body)).await;
    assert_eq!(twice.status(), 400, "a member twice");
}

#[tokio::test]
async fn oi_80_a_server_of_plain_oauth_ignores_them() {
    let server = Registering::on(Registration::open());
    let own = server.registered(&app_with(members())).await;
    for name in
        ["id_token_signed_response_alg", "userinfo_signed_response_alg", "default_max_age", "subject_type"]
    {
        assert_eq!(own.0.get(name), None, "{name}");
    }
}

#[tokio::test]
async fn oi_82_a_sign_in_begins_at_an_https_address_of_the_client() {
    let server = registering();
    for bad in ["http://app.example/start", "https://u@app.example/", "app", "https://app.example/#f"] {
        let refused = (400, "invalid_client_metadata".to_owned());
        assert_eq!(server.refusal(json!({ "initiate_login_uri": bad })).await, refused, "{bad}");
    }
    for (uri, separator) in [("https://app.example/start", '?'), ("https://app.example/start?a=b", '&')] {
        let own = server.registered(&app_with(json!({ "initiate_login_uri": uri }))).await;
        let client = server.stored(own.id()).await.unwrap();
        let target = "https://app.example/inbox?x=1&y=2";
        let link = server.fixture.server.initiate_login(&client, Some("al & ice"), Some(target)).unwrap();
        let query = link.strip_prefix(&format!("{uri}{separator}")).expect("its own address");
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
        let expected = [("iss", ISSUER), ("login_hint", "al & ice"), ("target_link_uri", target)];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let bare = server.fixture.server.initiate_login(&client, None, None).unwrap();
        assert!(bare.starts_with(uri) && !bare.contains("login_hint"));
    }
    let without = server.registered(&app_with(json!({}))).await;
    let client = server.stored(without.id()).await.unwrap();
    assert_eq!(server.fixture.server.initiate_login(&client, None, None), None);
    let metadata: ClientMetadata = serde_json::from_value(
        json!({ "redirect_uris": [CALLBACK], "initiate_login_uri": "http://a.example/" }),
    )
    .unwrap();
    assert!(Client::builder("app").metadata(metadata).secret(SECRET).build().is_err());
}

#[tokio::test]
async fn oi_81_where_a_client_runs_decides_where_its_answers_may_go() {
    let local = ["http://127.0.0.1:3000/cb", "http://localhost:3000/cb"];
    for profile in [Profile::default(), Profile::Mcp] {
        let server = Registering::configured(Registration::open(), |builder| builder.profile(profile));
        let bare = server.registered(&app_with(json!({}))).await;
        let kept = server.stored(bare.id()).await.unwrap();
        assert_eq!(kept.application_type(), ApplicationType::Web, "the default");
        for uri in local.into_iter().chain(["com.example.app:/cb"]) {
            for kind in ["native", "web"] {
                let metadata = json!({
                    "redirect_uris": [uri], "application_type": kind, "token_endpoint_auth_method": "none",
                });
                assert_eq!(server.registered(&app_with(metadata)).await.text("application_type"), kind);
            }
        }
    }
    let implicit = GrantType::Implicit;
    let terms = Registration::open().grant_types([implicit, GrantType::AuthorizationCode]);
    let server = Registering::configured(terms, |builder| {
        let builder = builder.profile(Profile::Rfc6749).scopes(SCOPES);
        builder.token_signer(JwtSigner::new(keys()).unwrap()).openid(People::default())
    });
    let with = |kind: &str, uri: &str| {
        json!({
            "redirect_uris": [uri], "application_type": kind, "grant_types": ["implicit"],
            "response_types": ["token"], "scope": "openid",
        })
    };
    for uri in local.into_iter().chain(["https://localhost/cb"]) {
        let refused = (400, "invalid_redirect_uri".to_owned());
        assert_eq!(server.refusal(with("web", uri)).await, refused, "{uri}");
        server.registered(&app_with(with("native", uri))).await;
    }
    server.registered(&app_with(with("web", CALLBACK))).await;
}
