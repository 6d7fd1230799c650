//! Which clients there are under a profile.

use grantor::client::{ClientError, MessageSigning, ProfileMismatch};
use grantor::jose::{Algorithm, SigningKey};
use grantor::{
    ApplicationType, AuthMethod, Client, ClientBuilder, ClientMetadata, GrantType, Profile, Reason,
    Registration, Request,
};
use serde_json::{Value, json};

use crate::support::asserting::{KEYS_AT, set_of, signing};
use crate::support::banking::{Bank, Of};
use crate::support::proving::dpop;
use crate::support::registering::Registering;
use crate::support::site::{DOCUMENT, Site, changed};
use crate::support::{Answer, CALLBACK, Fixture, SECRET, code_query, encode, request};

/// What is wrong with such a client of its own profile. A server's profile says the same of it.
fn mismatches(client: ClientBuilder) -> Vec<ProfileMismatch> {
    let refused = |errors: grantor::client::ClientErrors| -> Vec<ProfileMismatch> {
        let own = errors.all().iter().filter_map(|error| match error {
            ClientError::Profile(mismatch) => Some(mismatch.clone()),
            _ => None,
        });
        own.collect()
    };
    let of_server = client.clone().build().unwrap().check_profile(Profile::Fapi2Security);
    let of_server = of_server.map_or_else(refused, |()| Vec::new());
    let own = client.profile(Profile::Fapi2Security).build().map_or_else(refused, |_| Vec::new());
    assert_eq!(own, of_server);
    own
}

fn keyed() -> ClientBuilder {
    signing("bank").jwks(set_of(&SigningKey::generate(Algorithm::Es256).unwrap()))
}

fn member(members: Value) -> ClientBuilder {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let mut all = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "private_key_jwt" });
    all["jwks"] = set_of(&key);
    all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    Client::builder("bank").metadata(serde_json::from_value::<ClientMetadata>(all).unwrap())
}

/// A server of the profile where strangers register clients with keys.
fn registering() -> Registering {
    let store = std::sync::Arc::new(grantor::MemoryStore::new());
    Registering::configured(Registration::open(), |builder| {
        let builder = builder.client_signatures(grantor::client::ClientJwts::new());
        builder.replay_guard(store).dpop(dpop()).profile(Profile::Fapi2Security)
    })
}

#[tokio::test]
async fn fp_03_a_public_client_cannot_be_had_in_any_way() {
    let public = Client::builder("app").auth_method(AuthMethod::None).redirect_uri(CALLBACK);
    assert_eq!(mismatches(public), [ProfileMismatch::AuthMethod]);
    let native =
        keyed().grant_types([GrantType::AuthorizationCode]).application_type(ApplicationType::Native);
    assert_eq!(mismatches(native), [ProfileMismatch::Native]);

    let server = registering();
    for method in [json!("none"), json!("client_secret_basic"), Value::Null] {
        let refused = server.refusal(json!({ "token_endpoint_auth_method": method })).await;
        assert_eq!(refused, (400, "invalid_client_metadata".to_owned()), "{method}");
    }
    let keys = set_of(&SigningKey::generate(Algorithm::Es256).unwrap());
    let own =
        json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "private_key_jwt", "jwks": keys });
    assert_eq!(server.post(&own).await.status(), 201);
    let mut native = own;
    native["application_type"] = json!("native");
    assert_eq!(server.post(&native).await.error(), (400, "invalid_client_metadata".to_owned()));
}

#[tokio::test]
async fn fp_03_a_document_without_keys_describes_no_client() {
    let site = Site::with_document();
    let bank = Bank::with(
        Of::Server,
        Profile::Fapi2Security,
        |client| client,
        |builder| builder.client_id_metadata_documents(site.clone()),
    );
    let visit = Request::get(encode(&code_query(DOCUMENT, "read")));
    let page = bank.server.fixture.server.authorize(&visit).await.unwrap_err();
    assert_eq!((page.code(), page.reason()), ("invalid_client", Reason::DocumentNeedsKeys));
    site.put(
        DOCUMENT,
        changed(&[
            ("token_endpoint_auth_method", json!("private_key_jwt")),
            ("jwks_uri", json!(KEYS_AT)),
            ("redirect_uris", json!([CALLBACK])),
        ]),
    );
    bank.server.fixture.after(3600);
    assert!(bank.server.fixture.server.authorize(&visit).await.is_ok());
}

#[tokio::test]
async fn fp_05_clients_prove_keys_of_their_own() {
    let secret = Client::builder("app").redirect_uri(CALLBACK).secret(SECRET);
    assert_eq!(mismatches(secret), [ProfileMismatch::AuthMethod]);
    let bank = Bank::new(Of::Server);
    for client in ["conf", "post", "pub", "robot"] {
        let refused = bank.server.fixture.token(client, &[("grant_type", "client_credentials")]).await;
        assert_eq!(refused.error(), (400, "unauthorized_client".to_owned()), "{client}");
        assert_eq!(bank.server.fixture.log.last_reason(), Some(Reason::ClientUnfit), "{client}");
    }
    let asked = request("conf", &[("token", "any")]);
    let fixture = &bank.server.fixture;
    for answer in [fixture.server.introspect(&asked).await, fixture.server.revoke(&asked).await] {
        assert_eq!(Answer(answer).error().1, "unauthorized_client");
    }
    let page = fixture.server.authorize(&Request::get(encode(&code_query("conf", "read")))).await;
    assert_eq!(page.unwrap_err().code(), "unauthorized_client");
    let metadata = bank.metadata();
    for endpoint in ["token", "revocation", "introspection"] {
        let listed = &metadata[format!("{endpoint}_endpoint_auth_methods_supported")];
        assert_eq!(*listed, json!(["private_key_jwt"]), "{endpoint}");
    }
    let certificates = Bank::with(
        Of::Server,
        Profile::Fapi2Security,
        |client| client,
        |builder| builder.client_certificates(grantor::client::X509Certificates::new()),
    );
    assert_eq!(
        certificates.metadata()["token_endpoint_auth_methods_supported"],
        json!(["private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"])
    );
}

#[tokio::test]
async fn fp_05_the_host_registers_no_other_client_either() {
    let server = registering();
    let refused = server.fixture.server.register(Client::application().redirect_uri(CALLBACK)).await;
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("private_key_jwt"), "{message}");
}

#[test]
fn fp_15_redirect_uris_are_https_or_stay_on_the_machine() {
    for good in [CALLBACK, "http://127.0.0.1/cb", "http://[::1]:9000/cb", "HTTPS://app.example/cb"] {
        assert_eq!(mismatches(keyed().redirect_uri(good)), [], "{good}");
    }
    for bad in ["http://localhost/cb", "http://localhost:9000/cb", "com.example.app:/cb"] {
        let found = mismatches(keyed().redirect_uri(bad));
        assert!(matches!(&found[..], [ProfileMismatch::RedirectUri(uri)] if uri.as_str() == bad), "{bad}");
    }
}

#[tokio::test]
async fn fp_15_a_stranger_registers_no_other_redirect_uri() {
    let server = registering();
    for bad in ["http://app.example/cb", "http://localhost/cb", "com.example.app:/cb"] {
        let keys = set_of(&SigningKey::generate(Algorithm::Es256).unwrap());
        let own = |uris: &[&str]| json!({ "redirect_uris": uris, "token_endpoint_auth_method": "private_key_jwt", "jwks": keys });
        let refused = server.post(&own(&[bad])).await;
        assert_eq!(refused.error(), (400, "invalid_redirect_uri".to_owned()), "{bad}");
        let among = server.registered(&own(&[bad, CALLBACK])).await;
        assert_eq!(among.0["redirect_uris"], json!([CALLBACK]), "{bad}");
        let refused = server.put(&among, &own(&[bad])).await;
        assert_eq!(refused.error(), (400, "invalid_redirect_uri".to_owned()), "{bad}");
    }
}

#[test]
fn a_client_has_no_terms_that_weaken_a_flow() {
    let cases = [
        (member(json!({ "require_pkce": false })), ProfileMismatch::WithoutPkce),
        (member(json!({ "rotate_refresh_tokens": true })), ProfileMismatch::Rotation),
        (
            member(json!({ "grant_types": ["authorization_code", "implicit"] })),
            ProfileMismatch::GrantType(GrantType::Implicit),
        ),
        (
            member(json!({ "grant_types": ["authorization_code", "password"] })),
            ProfileMismatch::GrantType(GrantType::Password),
        ),
    ];
    for (client, mismatch) in cases {
        assert_eq!(mismatches(client), [mismatch]);
    }
    let algorithms = [
        "token_endpoint_auth_signing_alg",
        "request_object_signing_alg",
        "authorization_signed_response_alg",
        "introspection_signed_response_alg",
        "id_token_signed_response_alg",
        "userinfo_signed_response_alg",
    ];
    for name in algorithms {
        assert_eq!(mismatches(member(json!({ name: "RS256" }))), [ProfileMismatch::Algorithm(name)]);
        assert_eq!(mismatches(member(json!({ name: "PS256" }))), []);
    }
    let plain = member(json!({ "response_modes": ["query"] })).profile(Profile::Fapi2MessageSigning);
    let plain = plain.build().unwrap();
    let refused = plain.check_profile(Profile::default()).unwrap_err();
    assert_eq!(refused.all(), [ClientError::Profile(ProfileMismatch::ResponseModes)]);
    let mut signed = MessageSigning::default();
    signed.responses = false;
    assert!(plain.check_profile_with(Profile::default(), signed).is_ok());
}

#[test]
fn only_a_profile_of_fapi_can_be_of_one_client() {
    for profile in [Profile::OAuth21, Profile::Rfc6749, Profile::Mcp] {
        let refused = keyed().profile(profile).build().unwrap_err();
        assert_eq!(refused.all(), [ClientError::Profile(ProfileMismatch::OfServers)]);
    }
    for profile in [Profile::Fapi2Security, Profile::Fapi2MessageSigning] {
        let client = keyed().profile(profile).build().unwrap();
        assert_eq!(Client::decode(&client.encode()).unwrap().profile(), Some(profile), "it is kept");
    }
}

#[tokio::test]
async fn fp_28_other_clients_of_a_mixed_server_go_on_as_before() {
    let bank = Bank::new(Of::Client);
    let fixture: &Fixture = &bank.server.fixture;
    let tokens = fixture.tokens("conf", "read").await;
    assert_eq!(tokens.text("token_type"), "Bearer");
    let public = fixture.tokens("pub", "read").await;
    assert_ne!(fixture.refresh("pub", &public.refresh_token()).await.refresh_token(), public.refresh_token());
    let asked = bank.server.asks(&bank.server.assertion(json!({}))).await;
    assert_eq!(asked.text("token_type"), "Bearer", "one with keys, too");
    let plain = bank.visit(&code_query("bank", "read")).await;
    assert_eq!(plain.location_parameter("error").as_deref(), Some("invalid_request"));
    assert_eq!(bank.tokens().await.text("token_type"), "DPoP");
}

#[tokio::test]
async fn fp_28_of_two_profiles_the_stricter_one_counts() {
    let stricter = Bank::with(
        Of::Server,
        Profile::Fapi2Security,
        |client| client.profile(Profile::Fapi2MessageSigning),
        |builder| builder.request_objects(grantor::client::RequestObjects::accepted()),
    );
    assert_eq!(stricter.push(&[]).await.error(), (400, "invalid_request".to_owned()));
    assert_eq!(stricter.server.fixture.log.last_reason(), Some(Reason::RequestNotSigned));
    let laxer = Bank::with(
        Of::Server,
        Profile::Fapi2MessageSigning,
        |client| client.profile(Profile::Fapi2Security),
        |builder| {
            let keys = crate::support::provider::keys();
            builder.token_signer(grantor::keys::JwtSigner::new(keys).unwrap())
        },
    );
    assert_eq!(laxer.push(&[]).await.error(), (400, "invalid_request".to_owned()));
}
