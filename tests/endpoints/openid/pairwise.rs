//! Pairwise subject identifiers (OpenID Connect Core section 8.1): what each client knows a user by.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::audit::EventKind;
use grantor::keys::JwtSigner;
use grantor::outbound::{Outbound, OutboundError, OutboundRequest, OutboundResponse};
use grantor::server::ConfigError;
use grantor::store::Filter;
use grantor::{
    AccessTokens, AuthorizationServer, Client, ClientMetadata, Clock as _, GrantType, Login, MemoryRegistry,
    MemoryStore, Reason, Registration, Request, SignedIn, Subject, async_trait,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::provider::{People, Provider, SCOPES, client, keys};
use crate::support::registering::{Registering, app_with};
use crate::support::scripted::Scripted;
use crate::support::{Answer, CALLBACK, ISSUER, SECRET, code_query, encode, redemption};

const PAIRWISE_SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
/// HMAC-SHA-256 under that secret, of the sector `app.example` and alice: the vector of the unit test.
const ALICE: &str = "ATukPmTyNLpjbXdmaR41hrMoaCZbLk6dSo1VS6kSiqk";
/// The same of the sector `other.example`.
const ALICE_ELSEWHERE: &str = "_ThP2qOg9CjaZEKNMmy0S2PWlwSN5oCu_GjkQWqgcok";
const LIST: &str = "https://sector.example/list.json";

/// `pair` and `twin` share the sector `app.example`; `far` has another one.
fn pairwise(
    configure: impl FnOnce(
        grantor::server::AuthorizationServerBuilder,
    ) -> grantor::server::AuthorizationServerBuilder,
) -> Provider {
    let far =
        json!({ "subject_type": "pairwise", "sector_identifier_uri": "https://other.example/list.json" });
    let more = vec![
        client("pair", json!({ "subject_type": "pairwise", "id_token_claims_from_scope": true })),
        client("twin", json!({ "subject_type": "pairwise" })),
        client("far", far),
    ];
    Provider::with(more, |builder| configure(builder.pairwise_secret(PAIRWISE_SECRET)))
}

fn claims_of(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a payload");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn oi_70_an_identifier_is_the_same_in_a_sector_and_another_one_elsewhere() {
    let provider = pairwise(|builder| builder);
    for (name, expected) in
        [("pair", ALICE), ("twin", ALICE), ("far", ALICE_ELSEWHERE), ("other", "alice"), ("pair", ALICE)]
    {
        let answer = provider.tokens(name, "openid", &[]).await;
        assert_eq!(provider.id_token(&answer).await["sub"], expected, "{name}");
    }
    let builder = AuthorizationServer::builder(ISSUER)
        .clients(MemoryRegistry::default())
        .store(MemoryStore::new())
        .token_signer(JwtSigner::new(keys()).unwrap())
        .openid(People::default());
    let errors = builder.pairwise_secret([7; 31]).build().unwrap_err();
    assert_eq!(errors.all(), [ConfigError::PairwiseSecret]);
}

#[tokio::test]
async fn oi_70_without_the_secret_such_a_client_gets_nothing() {
    let pair = client("pair", json!({ "subject_type": "pairwise" }));
    let provider = Provider::with(vec![pair], |builder| builder);
    let answer = provider.ask("pair", "openid", &[], provider.fixture.alice()).await;
    assert_eq!(answer.location_parameter("error").as_deref(), Some("server_error"));
    assert_eq!(provider.fixture.log.last_reason(), Some(Reason::NotConfigured));
}

#[test]
fn oi_71_the_sector_is_one_host_or_is_named() {
    let build = |metadata: Value| {
        let metadata: ClientMetadata = serde_json::from_value(metadata).unwrap();
        Client::builder("app")
            .metadata(metadata)
            .secret(SECRET)
            .build()
            .map(|client| client.sector().map(str::to_owned))
    };
    let with = |uris: &[&str], more: Value| {
        let mut metadata = json!({ "subject_type": "pairwise", "redirect_uris": uris });
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        build(metadata).ok().flatten()
    };
    let one = with(&["https://app.example/a", "https://APP.example/b"], json!({}));
    assert_eq!(one.as_deref(), Some("app.example"));
    let two = ["https://app.example/a", "https://b.example/b"];
    assert_eq!(with(&two, json!({})), None);
    let named = with(&two, json!({ "sector_identifier_uri": LIST }));
    assert_eq!(named.as_deref(), Some("sector.example"));
    assert_eq!(with(&two, json!({ "sector_identifier_uri": "http://sector.example/" })), None);
    assert_eq!(with(&["http://127.0.0.1/cb"], json!({})), None, "the host of every program on a device");
}

fn registering(outbound: &Scripted) -> Registering {
    let terms = Registration::open().sector_identifiers(outbound.clone());
    Registering::configured(terms, |builder| {
        let builder = builder.scopes(SCOPES).token_signer(JwtSigner::new(keys()).unwrap());
        builder.openid(People::default()).pairwise_secret(PAIRWISE_SECRET)
    })
}

fn in_sector() -> Value {
    json!({ "subject_type": "pairwise", "sector_identifier_uri": LIST, "scope": "openid" })
}

#[tokio::test]
async fn oi_72_the_list_of_a_sector_is_fetched_and_has_every_redirect_uri() {
    let outbound = Scripted::saying(&json!([CALLBACK, "https://b.example/cb"]));
    let server = registering(&outbound);
    let own = server.registered(&app_with(in_sector())).await;
    assert_eq!((own.text("subject_type"), own.text("sector_identifier_uri")), ("pairwise", LIST));
    assert_eq!((outbound.calls(), outbound.asked()[0].url.as_str()), (1, LIST));

    let refused = (400, "invalid_client_metadata".to_owned());
    for body in
        [json!(["https://b.example/cb"]), json!({ "redirect_uris": [CALLBACK] }), json!([1]), json!(CALLBACK)]
    {
        outbound.says(OutboundResponse::new(200, body.to_string()));
        assert_eq!(server.refusal(in_sector()).await, refused, "{body}");
    }
    let good = json!([CALLBACK]).to_string();
    outbound.says(OutboundResponse::new(302, good.clone()).header("location", "https://b.example/"));
    assert_eq!(server.refusal(in_sector()).await, refused, "a redirect");
    outbound.says(OutboundResponse::new(200, format!("{good}{}", " ".repeat(64 * 1024))));
    assert_eq!(server.refusal(in_sector()).await, refused, "too large");
    for error in [OutboundError::AddressRefused, OutboundError::Timeout] {
        outbound.does(move |_| Err(error));
        assert_eq!(server.refusal(in_sector()).await, refused, "{error}");
        assert_eq!(server.fixture.log.last_reason(), Some(Reason::RegistrationSector));
    }
    let calls = outbound.calls();
    let plain = json!({ "subject_type": "pairwise", "sector_identifier_uri": "http://sector.example/" });
    assert_eq!(server.refusal(plain).await, refused, "not https");
    assert_eq!(outbound.calls(), calls);
}

/// Answers with the list for [`CALLBACK`], each time for a permit.
struct Slow(Arc<Semaphore>);

#[async_trait]
impl Outbound for Slow {
    async fn send(&self, _: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        self.0.acquire().await.unwrap().forget();
        Ok(OutboundResponse::new(200, json!([CALLBACK]).to_string()))
    }
}

#[tokio::test]
async fn oi_72_few_lists_are_fetched_at_once() {
    let permits = Arc::new(Semaphore::new(0));
    let terms = Registration::open().sector_identifiers(Slow(permits.clone()));
    let server = Registering::configured(terms, |builder| {
        let builder = builder.scopes(SCOPES).token_signer(JwtSigner::new(keys()).unwrap());
        builder.openid(People::default()).pairwise_secret(PAIRWISE_SECRET)
    });
    let metadata = app_with(in_sector());
    let post = || server.post(&metadata);
    let (first, second, third, fourth, fifth) = tokio::join!(post(), post(), post(), post(), async {
        tokio::task::yield_now().await;
        let fifth = post().await;
        permits.add_permits(4);
        fifth
    });
    assert_eq!(fifth.error(), (503, "temporarily_unavailable".to_owned()), "a fifth from one host");
    assert!(server.fixture.log.whats().contains(&EventKind::Failed(Reason::Overloaded)));
    for answer in [first, second, third, fourth] {
        assert_eq!(answer.status(), 201);
    }
}

/// The rules of addresses are those of every other URL of a stranger.
#[tokio::test]
async fn oi_72_a_sector_at_an_address_inside_is_not_reached() {
    let outbound = grantor::outbound::HttpOutbound::builder().build().unwrap();
    let terms = Registration::open().sector_identifiers(outbound);
    let server = Registering::configured(terms, |builder| {
        let builder = builder.scopes(SCOPES).token_signer(JwtSigner::new(keys()).unwrap());
        builder.openid(People::default()).pairwise_secret(PAIRWISE_SECRET)
    });
    for inside in
        ["https://10.0.0.1/list", "https://127.0.0.1/list", "https://[::1]/list", "https://169.254.169.254/"]
    {
        let metadata = json!({ "subject_type": "pairwise", "sector_identifier_uri": inside });
        assert_eq!(server.refusal(metadata).await, (400, "invalid_client_metadata".to_owned()), "{inside}");
    }
}

#[tokio::test]
async fn oi_73_a_change_that_would_make_every_user_another_one_is_refused() {
    let outbound = Scripted::saying(&json!([CALLBACK, "https://b.example/cb"]));
    let server = registering(&outbound);
    let plain = json!({ "subject_type": "pairwise", "scope": "openid" });
    let own = server.registered(&app_with(plain.clone())).await;
    let refused = (400, "invalid_client_metadata".to_owned());
    let with = |more: Value| {
        let mut changes = plain.clone();
        changes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        app_with(changes)
    };
    for change in [
        json!({ "redirect_uris": ["https://b.example/cb"] }),
        json!({ "redirect_uris": [CALLBACK, "https://b.example/cb"] }),
        json!({ "sector_identifier_uri": LIST }),
        json!({ "subject_type": "public" }),
        json!({ "subject_type": null }),
    ] {
        assert_eq!(server.put(&own, &with(change.clone())).await.error(), refused, "{change}");
    }
    let same_host = format!("{CALLBACK}/other");
    assert_eq!(server.put(&own, &with(json!({ "redirect_uris": [same_host] }))).await.status(), 200);
    let public = server.registered(&app_with(json!({ "scope": "openid" }))).await;
    assert_eq!(server.put(&public, &with(json!({}))).await.error(), refused, "nor from public to pairwise");

    let listed = server.registered(&app_with(in_sector())).await;
    let mut moved = app_with(in_sector());
    moved["redirect_uris"] = json!(["https://b.example/cb"]);
    assert_eq!(server.put(&listed, &moved).await.status(), 200, "within its sector");
    let calls = outbound.calls();
    let mut query = crate::support::code_query(listed.id(), "openid");
    query.retain(|(name, _)| *name != "redirect_uri");
    query.push(("redirect_uri", "https://b.example/cb"));
    assert!(server.fixture.approve(&query).await.location_parameter("code").is_some());
    assert_eq!(outbound.calls(), calls, "nothing is fetched at a login");
}

#[tokio::test]
async fn oi_74_nothing_that_a_pairwise_client_reads_has_the_users_own_name() {
    for format in [AccessTokens::Opaque, AccessTokens::Jwt] {
        let provider = pairwise(|builder| builder.access_tokens(format));
        let answer = provider.tokens("pair", "openid email read", &[]).await;
        let refreshed = provider.fixture.refresh("pair", &answer.refresh_token()).await;
        for answer in [&answer, &refreshed] {
            let token = answer.access_token();
            assert_eq!(provider.id_token(answer).await["sub"], ALICE);
            assert_eq!(provider.userinfo(&token).await.json()["sub"], ALICE);
            assert_eq!(provider.fixture.introspect("pair", &token).await.json()["sub"], ALICE);
            if format == AccessTokens::Jwt {
                assert_eq!(claims_of(&token)["sub"], ALICE);
            }
        }
        let refresh = provider.fixture.introspect("pair", &answer.refresh_token()).await.json();
        assert_eq!((&refresh["active"], &refresh["sub"]), (&json!(true), &json!(ALICE)));
        let code = provider.code("pair", "read", &[]).await;
        let plain = provider.fixture.token("pair", &redemption(&code)).await;
        let seen = provider.fixture.introspect("pair", &plain.access_token()).await.json();
        assert_eq!(seen["sub"], ALICE, "of plain OAuth, too");
    }
}

#[tokio::test]
async fn oi_74_a_repeated_answer_names_the_user_as_the_lost_one_did() {
    let metadata = serde_json::from_value(json!({ "subject_type": "pairwise" })).unwrap();
    let pair = Client::builder("pair").metadata(metadata).redirect_uri(CALLBACK).secret(SECRET);
    let pair = pair.grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken]).rotate_refresh(true);
    let provider = Provider::with(vec![pair.build().unwrap()], |builder| {
        builder.pairwise_secret(PAIRWISE_SECRET).access_tokens(AccessTokens::Jwt)
    });
    let first = provider.tokens("pair", "openid read", &[]).await;
    let lost = provider.fixture.refresh("pair", &first.refresh_token()).await;
    let again = provider.fixture.refresh("pair", &first.refresh_token()).await;
    assert_eq!(again.refresh_token(), lost.refresh_token());
    assert_eq!(claims_of(&again.access_token()), claims_of(&lost.access_token()));
    assert_eq!(claims_of(&again.access_token())["sub"], ALICE);
}

#[tokio::test]
async fn oi_74_others_see_a_token_as_its_client_knows_it() {
    let provider = pairwise(|builder| builder.introspect_all(["other"]));
    let answer = provider.tokens("pair", "openid", &[]).await;
    let seen = provider.fixture.introspect("other", &answer.access_token()).await.json();
    assert_eq!((&seen["active"], &seen["sub"]), (&json!(true), &json!(ALICE)));
    let public = provider.tokens("post", "openid", &[]).await;
    assert_eq!(provider.fixture.introspect("other", &public.access_token()).await.json()["sub"], "alice");
}

#[tokio::test]
async fn oi_33_a_hint_names_the_user_as_its_client_knows_them() {
    let provider = pairwise(|builder| builder);
    let hint = provider.tokens("pair", "openid", &[]).await.text("id_token");
    let query = encode(&[code_query("pair", "openid"), vec![("id_token_hint", &hint)]].concat());
    for (user, is_meant) in [("alice", true), ("bob", false)] {
        let asked = provider.fixture.server.authorize(&Request::get(query.clone())).await.unwrap();
        let signed_in = asked.signed_in(Login::new(user, provider.fixture.clock.now())).await;
        assert_eq!(matches!(signed_in, SignedIn::Consent(_)), is_meant, "{user}");
    }
}

#[tokio::test]
async fn oi_75_the_host_knows_users_by_its_own_names_alone() {
    let provider = pairwise(|builder| builder.access_tokens(AccessTokens::Jwt));
    let answer = provider.tokens("pair", "openid email", &[]).await;
    assert_eq!(
        provider.id_token(&answer).await["email"],
        "alice@example.com",
        "its users are asked of alice"
    );
    assert_eq!(provider.fixture.server.check(&answer.access_token()).await.unwrap().user(), Some("alice"));
    let grants = provider.fixture.server.grants(&Filter::default(), None, 10).await.unwrap();
    assert_eq!(grants.records[0].grant().subject(), &Subject::user("alice"));
    assert_eq!(provider.fixture.server.revoke_subject(&Subject::user(ALICE)).await.unwrap(), 0);
    assert_eq!(provider.fixture.server.revoke_subject(&Subject::user("alice")).await.unwrap(), 1);
    assert!(!provider.fixture.is_live(&answer.access_token()).await);
    assert_eq!(provider.fixture.refresh("pair", &answer.refresh_token()).await.error().1, "invalid_grant");
}

#[tokio::test]
async fn oi_35_the_user_of_the_claims_is_named_as_the_client_knows_them() {
    let provider = pairwise(|builder| builder);
    for (name, sub, good) in
        [("pair", ALICE, true), ("pair", "alice", false), ("far", ALICE, false), ("other", "alice", true)]
    {
        let claims = json!({ "id_token": { "sub": { "value": sub } } }).to_string();
        let answer = provider.ask(name, "openid", &[("claims", &claims)], provider.fixture.alice()).await;
        assert_eq!(answer.location_parameter("code").is_some(), good, "{name} {sub}");
        let error = answer.location_parameter("error");
        assert_eq!(error.as_deref(), Some("login_required").filter(|_| !good), "{name} {sub}");
    }
}

#[tokio::test]
async fn oi_69_pairwise_subjects_are_listed_where_there_is_a_secret() {
    let provider = pairwise(|builder| builder);
    let document = Answer(provider.fixture.server.metadata()).json();
    assert_eq!(document["subject_types_supported"], json!(["public", "pairwise"]));
}
