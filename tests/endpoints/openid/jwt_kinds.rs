//! Each kind of signed JWT at the place of every other kind (RFC 8725 section 3.11). All of them have right
//! signatures of one and the same key, which the client and the server share here: only what a JWT says of
//! itself tells them apart.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use grantor::assertions::{Assertion, AssertionIssuer, AssertionPolicy, JwtBearer};
use grantor::client::{ClientJwts, RequestObjects};
use grantor::flow::token::{Denial, Entitlement};
use grantor::jose::{Algorithm, Signer, SigningKey};
use grantor::keys::{JwtSigner, Keys};
use grantor::outbound::OutboundResponse;
use grantor::resource::StaticKeys;
use grantor::server::AuthorizationServerBuilder;
use grantor::{
    AccessTokens, Endpoint, GrantType, LogoutStep, MemoryRegistry, MemoryStore, Request, Scope, SessionId,
    SignedIn, async_trait,
};
use serde_json::{Value, json};

use crate::support::asserting::{by_assertion, claims, set_of, signing};
use crate::support::guarded::{forged, set};
use crate::support::objects::{HEADER, asking};
use crate::support::provider::Provider;
use crate::support::proving::{Prover, dpop};
use crate::support::scripted::Scripted;
use crate::support::signing_out::sessions;
use crate::support::vouching::{JWT_BEARER, PARTNER};
use crate::support::{Answer, CALLBACK, ISSUER, TestClock, code_query, encode, redemption};

/// The kinds, and where each belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    IdToken,
    AccessToken,
    UserInfo,
    LogoutToken,
    AuthorizationResponse,
    Introspection,
    Metadata,
    ClientAssertion,
    RequestObject,
    Proof,
    Assertion,
}

const KINDS: [Kind; 11] = [
    Kind::IdToken,
    Kind::AccessToken,
    Kind::UserInfo,
    Kind::LogoutToken,
    Kind::AuthorizationResponse,
    Kind::Introspection,
    Kind::Metadata,
    Kind::ClientAssertion,
    Kind::RequestObject,
    Kind::Proof,
    Kind::Assertion,
];

/// Where a JWT is presented.
#[derive(Clone, Copy, Debug)]
enum Place {
    Guard,
    UserInfo,
    Introspection,
    Revocation,
    ClientAssertion,
    RequestObject,
    Proof,
    Assertion,
    AuthorizationHint,
    LogoutHint,
    Code,
    RefreshToken,
}

/// The kinds that are at home there.
const PLACES: [(Place, &[Kind]); 12] = [
    (Place::Guard, &[Kind::AccessToken]),
    (Place::UserInfo, &[Kind::AccessToken]),
    (Place::Introspection, &[Kind::AccessToken]),
    (Place::Revocation, &[Kind::AccessToken]),
    (Place::ClientAssertion, &[Kind::ClientAssertion]),
    (Place::RequestObject, &[Kind::RequestObject]),
    (Place::Proof, &[Kind::Proof]),
    (Place::Assertion, &[Kind::Assertion]),
    (Place::AuthorizationHint, &[Kind::IdToken]),
    (Place::LogoutHint, &[Kind::IdToken]),
    (Place::Code, &[]),
    (Place::RefreshToken, &[]),
];

/// Believes every assertion.
struct Trusting;

#[async_trait]
impl AssertionPolicy for Trusting {
    async fn accept(&self, _: &Assertion<'_>) -> Result<Entitlement, Denial> {
        Ok(Entitlement::user("alice", Scope::parse("read").unwrap()))
    }
}

/// A server, and its client `twin`, whose key is the server's.
struct World {
    provider: Provider,
    web: Scripted,
    prover: Prover,
    made: AtomicUsize,
}

impl World {
    fn new() -> Self {
        let prover = Prover::new();
        let copy = SigningKey::from_pkcs8(Algorithm::Es256, prover.key.to_pkcs8().unwrap().reveal()).unwrap();
        let rs256 = SigningKey::generate(Algorithm::Rs256).unwrap();
        let signers: Vec<Arc<dyn Signer>> = vec![Arc::new(copy), Arc::new(rs256)];
        let metadata = json!({
            "id_token_signed_response_alg": "ES256", "userinfo_signed_response_alg": "ES256",
            "authorization_signed_response_alg": "ES256", "introspection_signed_response_alg": "ES256",
            "backchannel_logout_uri": "https://twin.example/logout", "logout_token_type_jwt": true,
            "jwks": set_of(&prover.key),
        });
        let grants = [
            GrantType::AuthorizationCode,
            GrantType::RefreshToken,
            GrantType::ClientCredentials,
            GrantType::jwt_bearer(),
        ];
        let twin = signing("twin").metadata(serde_json::from_value(metadata).unwrap());
        let twin = twin.auth_method(grantor::AuthMethod::PrivateKeyJwt).redirect_uri(CALLBACK);
        let twin = twin.grant_types(grants).build().unwrap();
        let web = Scripted::by(|_| Ok(OutboundResponse::new(200, "")));
        // The assertions of an issuer that has the server's key; its name it cannot have.
        let bearer = JwtBearer::new(Trusting)
            .issuer(AssertionIssuer::new(PARTNER, StaticKeys::new(&set([&prover.key]))));
        let own = sessions(&web);
        let configure = |builder: AuthorizationServerBuilder| {
            builder
                .clients(MemoryRegistry::new([twin]))
                .token_signer(JwtSigner::new(Keys::from_signers(signers).unwrap()).unwrap())
                .access_tokens(AccessTokens::Jwt)
                .client_signatures(ClientJwts::new())
                .replay_guard(MemoryStore::new())
                .request_objects(RequestObjects::accepted())
                .sign_authorization_responses()
                .sign_introspection_answers()
                .sign_metadata()
                .dpop(dpop())
                .jwt_bearer(bearer)
                .sessions(own)
                .logout_endpoint("/logout")
        };
        Self { provider: Provider::with(Vec::new(), configure), web, prover, made: AtomicUsize::new(0) }
    }

    fn jti(&self) -> String {
        self.made.fetch_add(1, Ordering::SeqCst).to_string()
    }

    /// A form of the client, authenticated by a fresh assertion.
    fn form(&self, form: &[(&str, &str)]) -> Request {
        by_assertion(&self.own_jwt(Kind::ClientAssertion), form)
    }

    async fn token(&self, form: &[(&str, &str)]) -> Answer {
        Answer(self.provider.fixture.server.token(&self.form(form)).await)
    }

    async fn tokens(&self) -> Answer {
        let login = self.provider.fixture.alice().with_session(SessionId::new("s"));
        let answer = self.provider.ask("twin", "openid read", &[], login).await;
        let code = answer.location_parameter("code").expect("a code");
        let answer = self.token(&redemption(&code)).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        answer
    }

    /// The signed answer of the introspection endpoint.
    async fn introspection_of(&self, token: &str) -> String {
        let request = self.form(&[("token", token)]);
        let request = request.header("accept", "application/token-introspection+jwt");
        String::from_utf8(self.provider.fixture.server.introspect(&request).await.body).unwrap()
    }

    /// A JWT that the client signs.
    fn own_jwt(&self, kind: Kind) -> String {
        let key = &self.prover.key;
        match kind {
            Kind::ClientAssertion => {
                forged(key, r#"{"alg":"ES256"}"#, &claims("twin", json!({ "jti": self.jti() })).to_string())
            }
            Kind::RequestObject => forged(key, HEADER, &asking("twin", json!({})).to_string()),
            Kind::Proof => self.prover.for_token(),
            Kind::Assertion => {
                let claims = json!({
                    "iss": PARTNER, "sub": "alice", "aud": ISSUER, "jti": self.jti(), "exp": TestClock::START + 300,
                });
                forged(key, r#"{"alg":"ES256"}"#, &claims.to_string())
            }
            _ => panic!("the server signs it"),
        }
    }

    /// A fresh JWT of this kind.
    async fn jwt(&self, kind: Kind) -> String {
        let server = &self.provider.fixture.server;
        match kind {
            Kind::IdToken => self.tokens().await.text("id_token"),
            Kind::AccessToken => self.tokens().await.access_token(),
            Kind::UserInfo => {
                let answer = self.provider.userinfo(&self.tokens().await.access_token()).await;
                String::from_utf8(answer.0.body).unwrap()
            }
            Kind::LogoutToken => {
                self.tokens().await;
                server.end_session(&SessionId::new("s")).await.unwrap();
                let form = self.web.asked().pop().expect("a logout token").form.expect("a form");
                let fields: Vec<(String, String)> = serde_urlencoded::from_str(&form).unwrap();
                fields[0].1.clone()
            }
            Kind::AuthorizationResponse => {
                let mode = [("response_mode", "jwt")];
                let answer = self.provider.ask("twin", "openid", &mode, self.provider.fixture.alice()).await;
                answer.location_parameter("response").expect("a response")
            }
            Kind::Introspection => {
                let token = self.tokens().await.access_token();
                self.introspection_of(&token).await
            }
            Kind::Metadata => {
                let document = Answer(server.handle(Endpoint::Metadata, &Request::get("")).await);
                document.text("signed_metadata")
            }
            own => self.own_jwt(own),
        }
    }

    /// Whether the JWT passes there; if not, it is refused as that place refuses.
    async fn passes(&self, place: Place, jwt: &str) -> bool {
        let fixture = &self.provider.fixture;
        let judge = |answer: &Answer, status: u16, error: &str| {
            let passed = answer.status() == 200;
            assert!(passed || answer.error() == (status, error.to_owned()), "{place:?}: {}", answer.json());
            passed
        };
        match place {
            Place::Guard => fixture.server.check(jwt).await.is_ok(),
            Place::UserInfo => {
                let answer = self.provider.userinfo(jwt).await;
                assert!([200, 401].contains(&answer.status()));
                answer.status() == 200
            }
            Place::Introspection => {
                let answer = says(&self.introspection_of(jwt).await);
                answer[1]["token_introspection"]["active"].as_bool().unwrap()
            }
            Place::Revocation => {
                let before = self.tokens().await.access_token();
                let answer = fixture.server.revoke(&self.form(&[("token", jwt)])).await;
                assert_eq!(answer.status, 200);
                assert!(fixture.is_live(&before).await, "another token is not revoked");
                fixture.log.whats().last() == Some(&grantor::EventKind::Revoked)
            }
            Place::ClientAssertion => {
                let request = by_assertion(jwt, &[("grant_type", "client_credentials")]);
                judge(&Answer(fixture.server.token(&request).await), 401, "invalid_client")
            }
            Place::RequestObject => {
                let query = encode(&[("client_id", "twin"), ("request", jwt)]);
                match fixture.server.authorize(&Request::get(query)).await {
                    Ok(asked) => matches!(asked.signed_in(fixture.alice()).await, SignedIn::Consent(_)),
                    Err(page) => {
                        assert_eq!(page.code(), "invalid_request_object");
                        false
                    }
                }
            }
            Place::Proof => {
                let request = self.form(&[("grant_type", "client_credentials")]).header("dpop", jwt);
                judge(&Answer(fixture.server.token(&request).await), 400, "invalid_dpop_proof")
            }
            Place::Assertion => {
                let answer = self.token(&[("grant_type", JWT_BEARER), ("assertion", jwt)]).await;
                judge(&answer, 400, "invalid_grant")
            }
            Place::AuthorizationHint => {
                let mut query = code_query("twin", "openid");
                query.push(("id_token_hint", jwt));
                let answer = fixture.approve(&query).await;
                let error = answer.location_parameter("error");
                assert!([None, Some("invalid_request")].contains(&error.as_deref()), "{error:?}");
                error.is_none()
            }
            Place::LogoutHint => {
                let request = Request::get(encode(&[("id_token_hint", jwt)]));
                match fixture.server.logout(&request).await {
                    Ok(logout) => matches!(logout.session(None), LogoutStep::Go(_)),
                    Err(page) => {
                        assert_eq!(page.code(), "invalid_request");
                        false
                    }
                }
            }
            Place::Code => {
                let answer = self.token(&redemption(jwt)).await;
                judge(&answer, 400, "invalid_grant")
            }
            Place::RefreshToken => {
                let answer = self.token(&[("grant_type", "refresh_token"), ("refresh_token", jwt)]).await;
                judge(&answer, 400, "invalid_grant")
            }
        }
    }
}

#[tokio::test]
async fn oi_18_each_kind_of_jwt_passes_at_its_own_place_and_at_no_other() {
    let world = World::new();
    for kind in KINDS {
        for (place, at_home) in PLACES {
            let jwt = world.jwt(kind).await;
            assert_eq!(jwt.split('.').count(), 3, "{kind:?}");
            let passes = world.passes(place, &jwt).await;
            assert_eq!(passes, at_home.contains(&kind), "{kind:?} at {place:?}: {:?}", says(&jwt));
        }
    }
}

/// The header and the claims, for a message.
fn says(jwt: &str) -> Vec<Value> {
    use base64::Engine as _;
    let read = |part: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
    jwt.split('.').take(2).map(|part| serde_json::from_slice(&read(part)).unwrap()).collect()
}
