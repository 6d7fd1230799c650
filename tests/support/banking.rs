//! A client under a FAPI profile, which applies either to the whole server or only to this client.

use std::sync::atomic::{AtomicUsize, Ordering};

use grantor::client::MessageSigning;
use grantor::jose::SigningKey;
use grantor::keys::JwtSigner;
use grantor::server::AuthorizationServerBuilder;
use grantor::{Client, ClientBuilder, Profile, Request, SignedIn};
use serde_json::{Value, json};

use super::asserting::{Asserting, by_assertion, claims, set_of, signing};
use super::guarded::forged;
use super::objects::{HEADER, asking};
use super::provider::keys;
use super::proving::{PAR, Prover, TOKEN, dpop};
use super::{Answer, code_query, encode, redemption};

/// What the profile applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Server,
    Client,
}

/// Every rule of a profile has to hold in both cases.
pub const BOTH: [Of; 2] = [Of::Server, Of::Client];

/// A server with the client `bank`, which signs with the key of `pkj` and proves possession of another key.
pub struct Bank {
    pub server: Asserting,
    pub prover: Prover,
    made: AtomicUsize,
}

/// The same client with more metadata.
pub fn with_metadata(client: ClientBuilder, more: &Value) -> ClientBuilder {
    let built = client.build().unwrap();
    let mut all = serde_json::to_value(built.metadata()).unwrap();
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Client::builder(built.id().as_str()).metadata(serde_json::from_value(all).unwrap())
}

/// How the parameters differ from those of a valid request; `None` removes one.
pub type Changes<'a> = &'a [(&'a str, Option<&'a str>)];

impl Bank {
    pub fn new(of: Of) -> Self {
        Self::with(of, Profile::Fapi2Security, |client| client, |builder| builder)
    }

    /// With these kinds of messages signed.
    pub fn signing(of: Of, signed: MessageSigning) -> Self {
        Self::signing_for(of, signed, |client| client)
    }

    /// The same for a client with changed metadata.
    pub fn signing_for(
        of: Of,
        signed: MessageSigning,
        registered: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Self {
        let signed_answers = move |builder: AuthorizationServerBuilder| {
            let builder = builder.message_signing(signed).token_signer(JwtSigner::new(keys()).unwrap());
            match of {
                Of::Server => builder,
                Of::Client => builder
                    .request_objects(grantor::client::RequestObjects::accepted())
                    .sign_authorization_responses()
                    .sign_introspection_answers(),
            }
        };
        Self::with(of, Profile::Fapi2MessageSigning, registered, signed_answers)
    }

    pub fn with(
        of: Of,
        profile: Profile,
        registered: impl FnOnce(ClientBuilder) -> ClientBuilder,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        let bank = |key: &SigningKey| {
            let client = registered(signing("bank").jwks(set_of(key)));
            vec![if of == Of::Client { client.profile(profile) } else { client }]
        };
        let server = Asserting::with(bank, |builder| {
            let builder = builder.dpop(dpop());
            configure(if of == Of::Server { builder.profile(profile) } else { builder })
        });
        Self { server, prover: Prover::new(), made: AtomicUsize::new(0) }
    }

    /// A new assertion, with these changes of its claims.
    pub fn assertion(&self, changes: Value) -> String {
        let made = self.made.fetch_add(1, Ordering::SeqCst);
        let fresh = json!({ "jti": format!("assertion {made}"), "iat": self.now(), "exp": self.now() + 60 });
        let own = super::guarded::changed(claims("bank", fresh), changes);
        forged(&self.server.key, r#"{"alg":"ES256"}"#, &own.to_string())
    }

    /// A request object with these changes of its claims.
    pub fn object(&self, changes: Value) -> String {
        forged(&self.server.key, HEADER, &asking("bank", changes).to_string())
    }

    pub fn now(&self) -> i64 {
        self.server.fixture.clock_seconds()
    }

    /// A DPoP proof for the token endpoint.
    pub fn proof(&self) -> String {
        self.prover.proof("POST", TOKEN, json!({ "iat": self.now() }))
    }

    pub async fn push(&self, changes: Changes<'_>) -> Answer {
        let mut form = code_query("bank", "read");
        form.retain(|(name, _)| changes.iter().all(|(other, _)| other != name));
        form.extend(changes.iter().filter_map(|(name, value)| Some((*name, (*value)?))));
        self.push_form(&form).await
    }

    pub async fn push_form(&self, form: &[(&str, &str)]) -> Answer {
        self.push_request(by_assertion(&self.assertion(json!({})), form)).await
    }

    pub async fn push_request(&self, request: Request) -> Answer {
        Answer(self.server.fixture.server.pushed_authorization_request(&request).await)
    }

    /// A pushed request with a proof of the key.
    pub async fn push_proven(&self) -> Answer {
        let request = by_assertion(&self.assertion(json!({})), &code_query("bank", "read"));
        let proof = self.prover.proof("POST", PAR, json!({ "iat": self.now() }));
        self.push_request(request.header("dpop", proof)).await
    }

    /// The response after alice approves the pushed request.
    pub async fn approve(&self, request_uri: &str) -> Answer {
        self.visit(&[("client_id", "bank"), ("request_uri", request_uri)]).await
    }

    pub async fn visit(&self, query: &[(&str, &str)]) -> Answer {
        let fixture = &self.server.fixture;
        let asked = match fixture.server.authorize(&Request::get(encode(query))).await {
            Ok(asked) => asked,
            Err(page) => return Answer(page.into_response()),
        };
        match asked.signed_in(fixture.alice()).await {
            SignedIn::Consent(consent) => Answer(consent.approve().await),
            SignedIn::Answered(response) => Answer(response),
            SignedIn::Reauthenticate(again) => Answer(again.cannot().await),
        }
    }

    pub async fn code(&self) -> String {
        let pushed = self.push(&[]).await;
        assert_eq!(pushed.status(), 201, "{}", pushed.json());
        let answer = self.approve(&pushed.text("request_uri")).await;
        answer.location_parameter("code").expect("a code")
    }

    /// A token request that is authenticated by an assertion, with this DPoP proof if there is one.
    pub async fn token(&self, form: &[(&str, &str)], proof: Option<&str>) -> Answer {
        let request = by_assertion(&self.assertion(json!({})), form);
        let request = proof.into_iter().fold(request, |request, proof| request.header("dpop", proof));
        Answer(self.server.fixture.server.token(&request).await)
    }

    pub async fn redeem(&self, code: &str) -> Answer {
        self.token(&redemption(code), Some(&self.proof())).await
    }

    pub async fn tokens(&self) -> Answer {
        let answer = self.redeem(&self.code().await).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        answer
    }

    pub async fn refresh(&self, token: &str, proof: Option<&str>) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)], proof).await
    }

    pub fn metadata(&self) -> Value {
        Answer(self.server.fixture.server.metadata()).json()
    }
}
