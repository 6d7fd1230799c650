//! Signed request objects (RFC 9101).

use grantor::client::RequestObjects;
use grantor::server::AuthorizationServerBuilder;
use grantor::{ClientBuilder, ErrorPage, Reason, Request, SignedIn};
use serde_json::{Value, json};

use super::asserting::{Asserting, by_assertion, signing};
use super::guarded::{changed, forged};
use super::{Answer, CALLBACK, CHALLENGE, ISSUER, TestClock, encode};

/// A server that accepts request objects; its clients sign with ES256.
pub struct Signing {
    pub server: Asserting,
}

/// The claims of a valid request of this client, with these changes; `null` removes one.
pub fn asking(client: &str, changes: Value) -> Value {
    let claims = json!({
        "iss": client, "client_id": client, "aud": ISSUER, "nbf": TestClock::START, "exp": TestClock::START + 300,
        "response_type": "code", "redirect_uri": CALLBACK, "scope": "read", "state": "the state",
        "code_challenge": CHALLENGE, "code_challenge_method": "S256",
    });
    changed(claims, changes)
}

pub const HEADER: &str = r#"{"alg":"ES256","typ":"oauth-authz-req+jwt"}"#;

impl Signing {
    pub fn new() -> Self {
        Self::with(|builder| builder.request_objects(RequestObjects::accepted()))
    }

    pub fn with(configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder) -> Self {
        Self::among(|_| Vec::new(), configure)
    }

    /// With additional clients, which are made from the key of `pkj`.
    pub fn among(
        more: impl FnOnce(&grantor::jose::SigningKey) -> Vec<ClientBuilder>,
        configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder,
    ) -> Self {
        Self { server: Asserting::with(more, configure) }
    }

    /// With a client `signer` that is like `pkj` and is registered to sign every request.
    pub fn with_signer() -> Self {
        let signer = |key: &grantor::jose::SigningKey| {
            let keys = super::asserting::set_of(key);
            vec![signing("signer").jwks(keys).require_signed_request_object(true)]
        };
        Self::among(signer, |builder| builder.request_objects(RequestObjects::accepted()))
    }

    /// A request object of `pkj`.
    pub fn object(&self, changes: Value) -> String {
        self.under(HEADER, &asking("pkj", changes))
    }

    /// A request object with this header and these claims, correctly signed by `pkj`'s key.
    pub fn under(&self, header: &str, claims: &Value) -> String {
        forged(&self.server.key, header, &claims.to_string())
    }

    /// The response to an authorization request that alice approves, or the error page.
    pub async fn visit(&self, query: &[(&str, &str)]) -> Result<Answer, ErrorPage> {
        let fixture = &self.server.fixture;
        let ask = fixture.server.authorize(&Request::get(encode(query))).await?;
        Ok(match ask.signed_in(fixture.alice()).await {
            SignedIn::Consent(consent) => Answer(consent.approve().await),
            SignedIn::Answered(response) => Answer(response),
            SignedIn::Reauthenticate(again) => Answer(again.cannot().await),
        })
    }

    /// The same for a request with this object of `pkj`.
    pub async fn send(&self, object: &str) -> Result<Answer, ErrorPage> {
        self.visit(&[("client_id", "pkj"), ("request", object)]).await
    }

    /// The error page for an object that is refused without a redirect.
    pub async fn refusal(&self, object: &str) -> (String, Reason) {
        match self.send(object).await {
            Err(page) => (page.code().to_owned(), page.reason()),
            Ok(answer) => panic!("{} {:?}", answer.status(), answer.0.header("location")),
        }
    }

    /// The error in the redirect for this object.
    pub async fn error(&self, object: &str) -> String {
        let answer = self.send(object).await.expect("a proven address");
        answer.location_parameter("error").unwrap_or_else(|| panic!("{}", answer.location()))
    }

    /// A pushed request by `pkj` with these parameters, and an assertion with this `jti`.
    pub async fn push(&self, jti: &str, form: &[(&str, &str)]) -> Answer {
        self.push_as(&self.server.assertion(json!({ "jti": jti })), form).await
    }

    pub async fn push_as(&self, assertion: &str, form: &[(&str, &str)]) -> Answer {
        let request = by_assertion(assertion, form);
        Answer(self.server.fixture.server.pushed_authorization_request(&request).await)
    }
}
