//! Who can have answers by HS256: confidential clients with a secret that the host can open.

use std::time::Duration;

use grantor::client::{ClientError, ProfileMismatch, SealedSecretError};
use grantor::jose::{Algorithm, SigningKey};
use grantor::keys::JwtSigner;
use grantor::server::AuthorizationServerBuilder;
use grantor::{
    ApplicationType, AuthMethod, Client, ClientBuilder, ClientMetadata, HostError, Profile, Registrar,
    Registration, Request,
};
use serde_json::{Value, json};

use super::hs256::sealed;
use crate::support::asserting::set_of;
use crate::support::provider::{People, SCOPES, keys};
use crate::support::registering::{Own, Registering, app, app_with};
use crate::support::sealing::{Chest, unmaced};
use crate::support::{Answer, CALLBACK, basic, encode, redemption};

const MEMBERS: [&str; 2] = ["id_token_signed_response_alg", "userinfo_signed_response_alg"];

fn with_member(member: &str) -> ClientBuilder {
    let metadata: ClientMetadata = serde_json::from_value(json!({ (member): "HS256" })).unwrap();
    Client::builder("app").metadata(metadata).redirect_uri(CALLBACK)
}

#[test]
fn oi_11_only_a_confidential_client_with_a_sealed_secret_can_be_registered() {
    let long = "x".repeat(32);
    for member in MEMBERS {
        let own = || with_member(member);
        let errors = |builder: ClientBuilder| builder.build().unwrap_err().all().to_vec();
        assert_eq!(errors(own().secret(&long)), [ClientError::SecretNotSealed], "{member}: a digest");
        let public = [ClientError::SecretNotSealed, ClientError::PublicWithMac];
        assert_eq!(errors(own().auth_method(AuthMethod::None)), public, "{member}");
        let native = own().sealed_secret(&long, &Chest::default()).unwrap();
        let native = native.application_type(ApplicationType::Native);
        assert_eq!(errors(native), [ClientError::PublicWithMac], "{member}");
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let by_key = own().auth_method(AuthMethod::PrivateKeyJwt).jwks(set_of(&key));
        assert_eq!(errors(by_key), [ClientError::SecretNotSealed], "{member}");
        let short = own().sealed_secret("x".repeat(31), &Chest::default());
        assert!(matches!(short, Err(SealedSecretError::TooShort)), "{member}");
        let of_fapi = own().sealed_secret(&long, &Chest::default()).unwrap().profile(Profile::Fapi2Security);
        let symmetric = ClientError::Profile(ProfileMismatch::Algorithm(member));
        assert!(errors(of_fapi).contains(&symmetric), "{member}");
        let built = own().sealed_secret(&long, &Chest::default()).unwrap().build().unwrap();
        assert_eq!(Client::decode(&built.encode()).unwrap(), built, "{member}");
    }
    for member in ["authorization_signed_response_alg", "introspection_signed_response_alg"] {
        let read = serde_json::from_value::<ClientMetadata>(json!({ (member): "HS256" }));
        assert!(read.is_err(), "{member}");
    }
}

fn registering(
    configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
) -> Registering {
    Registering::configured(Registration::open(), |builder| {
        let builder = builder.scopes(SCOPES).token_signer(JwtSigner::new(keys()).unwrap());
        configure(builder.openid(People::default()))
    })
}

fn hs256() -> Value {
    json!({ "scope": "openid read", "id_token_signed_response_alg": "HS256" })
}

#[tokio::test]
async fn oi_11_a_client_registers_itself_for_it_where_it_gets_a_secret() {
    let chest = Chest::default();
    let opens = chest.clone();
    let server = registering(|builder| builder.sealed_secrets(opens));
    let own = server.registered(&app_with(hs256())).await;
    assert_eq!(own.0["id_token_signed_response_alg"], "HS256");
    assert_eq!(server.get(&own).await.text("client_secret"), own.text("client_secret"));
    let tokens = server.tokens(&own, "openid").await;
    assert_eq!(unmaced(own.text("client_secret"), &tokens.text("id_token")).1["aud"], own.id());

    for (name, more) in [
        ("a public one", json!({ "token_endpoint_auth_method": "none" })),
        ("a native one", json!({ "application_type": "native" })),
        ("another hash", json!({ "id_token_signed_response_alg": "HS512" })),
        ("another answer", json!({ "authorization_signed_response_alg": "HS256" })),
    ] {
        let mut changes = hs256();
        changes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(server.refusal(changes).await, (400, "invalid_client_metadata".to_owned()), "{name}");
    }
    chest.lock(true);
    assert_eq!(server.refusal(hs256()).await, (503, "temporarily_unavailable".to_owned()));
    chest.lock(false);
}

#[tokio::test]
async fn oi_11_a_client_that_changes_to_it_gets_a_secret_that_can_be_opened() {
    let server = registering(|builder| builder.sealed_secrets(Chest::default()));
    let with_a_digest = server.registered(&app()).await;
    let public = server.registered(&app_with(json!({ "token_endpoint_auth_method": "none" }))).await;
    for own in [with_a_digest, public] {
        let changed = server.put(&own, &app_with(hs256())).await;
        assert_eq!(changed.status(), 200, "{}", changed.json());
        let changed = Own(changed.json());
        let secret = changed.text("client_secret");
        assert_ne!(own.0.get("client_secret"), Some(&secret.into()), "of which only a digest was kept");
        let tokens = server.tokens(&changed, "openid").await;
        assert_eq!(unmaced(secret, &tokens.text("id_token")).1["aud"], changed.id());
        let again = server.put(&own, &app_with(hs256())).await;
        assert_eq!(again.text("client_secret"), secret, "whose answer may have been lost");
    }
}

fn is_unsealed(error: &HostError) -> bool {
    matches!(error, HostError::Client(errors) if errors.all() == [ClientError::SecretNotSealed])
}

#[tokio::test]
async fn oi_11_the_host_registers_a_client_for_it_and_gives_it_a_new_secret() {
    let application = || {
        let metadata: ClientMetadata = serde_json::from_value(hs256()).unwrap();
        Client::application().metadata(metadata).redirect_uri(CALLBACK)
    };
    let server = registering(|builder| builder.sealed_secrets(Chest::default()));
    let before = server.registry.all().len();
    server.fixture.server.check_registration(application()).unwrap();
    assert_eq!(server.registry.all().len(), before, "a check registers nothing");
    let made = server.fixture.server.register(application()).await.unwrap();
    let (id, first) = (made.client.id(), made.secret.unwrap());
    let rotated = server.fixture.server.rotate_client_secret(id, Duration::from_secs(60)).await;
    let second = rotated.unwrap().unwrap();
    for secret in [&first, &second] {
        let code = server.fixture.code(id.as_str(), "openid").await;
        let request = Request::post_form(encode(&redemption(&code)))
            .header("authorization", basic(id.as_str(), secret.reveal()));
        let answer = Answer(server.fixture.server.token(&request).await);
        assert_eq!(answer.status(), 200, "either authenticates: {}", answer.json());
        unmaced(second.reveal(), &answer.text("id_token"));
    }

    let off = registering(|builder| builder);
    let refused = off.fixture.server.register(application()).await.unwrap_err();
    assert!(is_unsealed(&refused), "{refused}");
    assert!(is_unsealed(&off.fixture.server.check_registration(application()).unwrap_err()));
    let before = sealed("app", hs256()).build().unwrap();
    off.registry.insert(before.clone()).await.unwrap();
    let rotated = off.fixture.server.rotate_client_secret(before.id(), Duration::ZERO).await;
    assert!(is_unsealed(&rotated.unwrap_err()));
    assert_eq!(*off.stored("app").await.unwrap(), before, "nothing has changed");
}
