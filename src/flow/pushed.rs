//! The pushed authorization request (RFC 9126 section 2).
//!
//! ```text
//! Request ─▶ AwaitClient ─▶ AwaitSecrets ─▶ (Write, SealedRequestUri) ─▶ RequestUri
//!                       └─▶ AwaitObject ─▲
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use super::AwaitsClient;
use super::authorize::{self, AwaitRequestObject, DPOP_JKT, REQUEST, REQUEST_URI};
use super::logout::HintClaims;
use crate::base::{Algorithm, FreshSecrets, SecretText, Thumbprint};
use crate::client::auth::{AuthenticatedClient, Presented};
use crate::client::{ClaimsMissing, Client, SignedText};
use crate::error::{ProofFlaw, Reason, Refusal};
use crate::grant::{Grant, Handle, Kind};
use crate::http::form::Form;
use crate::http::{MAX_BODY, Parameters, Request, Response};
use crate::issuance::{Facts, Policy};
use crate::store::{Committed, Write, WriteName};
use crate::trust::Proven;

/// The most that is stored of a public client's request, in bytes of a form: anyone can push in its name.
pub const MAX_PUBLIC_PUSH: usize = 8 * 1024;

/// A parsed request; its client is unverified.
pub type AwaitClient = super::AwaitClient<PushedRequest>;

/// The content of a pushed request.
#[derive(Debug)]
pub struct PushedRequest {
    parameters: Parameters,
    /// The key that the request proves, and the algorithm of its proof.
    key: Option<(Thumbprint, Algorithm)>,
}

impl AwaitClient {
    /// Reads a pushed authorization request. The client authenticates as at the token endpoint.
    ///
    /// # Errors
    /// The form cannot be read, a parameter is repeated, or it names a `request_uri` (RFC 9126 section 2.1).
    pub fn parse(request: &Request, facts: &Facts<'_>) -> Result<Self, Refusal> {
        let Facts { .. } = facts; // No fact affects how a form is read.
        let form = Form::parse(request.posted_form()?)?;
        form.check_repeats()?;
        let presented = Presented::parse(request, &form)?;
        if form.one("request_uri")?.is_some() {
            return Err(Reason::RequestUriPushed.into());
        }
        let parameters = Parameters::of(&form);
        Ok(Self { presented, request: PushedRequest { parameters, key: None } })
    }

    /// Adds the key that the request proves: the code is bound to it (RFC 9449 section 10.1).
    pub(crate) fn proving(mut self, proven: Option<&Proven>) -> Self {
        self.request.key = proven.map(|proven| (proven.key, proven.algorithm));
        self
    }
}

/// The next state, which depends on where the parameters of the pushed request are.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "each case needs an answer")]
pub enum Pushed {
    /// In the request itself.
    Plain(AwaitSecrets),
    /// In an object that the client signed; other parameters are ignored (RFC 9126 section 3).
    Signed(AwaitObject),
}

impl AwaitsClient for PushedRequest {
    type Next = Pushed;

    /// Finds the parameters, and checks them if they are in the request itself.
    fn with_client(self, client: AuthenticatedClient, facts: &Facts<'_>) -> Result<Pushed, Refusal> {
        let (Self { parameters, key }, rules) = (self, facts.rules);
        rules.check_proof_algorithm(key.map(|(_, algorithm)| algorithm), client.client())?;
        let key = key.map(|(key, _)| key);
        match (parameters.one(REQUEST).map(SecretText::new), rules.request_objects) {
            (Some(_), None) => Err(Reason::RequestObjectUnsupported.into()),
            (Some(object), Some(_)) => {
                let object = AwaitRequestObject::new(Arc::clone(client.client()), object, facts);
                Ok(Pushed::Signed(AwaitObject { client, object, key }))
            }
            (None, _) if rules.requires_signed_requests(client.client()) => {
                Err(Reason::RequestNotSigned.into())
            }
            (None, _) => Ok(Pushed::Plain(AwaitSecrets::new(client, parameters, key, facts)?)),
        }
    }
}

/// Waits for the claims of the request object in a pushed request.
#[derive(Debug)]
pub struct AwaitObject {
    client: AuthenticatedClient,
    object: AwaitRequestObject,
    key: Option<Thumbprint>,
}

impl AwaitObject {
    /// What has to be verified.
    #[must_use]
    pub fn question(&self) -> SignedText<'_> {
        self.object.question()
    }

    /// Takes the claims. From here on the request is treated as if it had been pushed without an object.
    ///
    /// # Errors
    /// The object is invalid, its keys could not be fetched, a parameter in it has the wrong type, or an
    /// authorization request with these parameters would be refused.
    pub fn with_claims(
        self,
        claims: Result<Map<String, Value>, ClaimsMissing>,
        facts: &Facts<'_>,
    ) -> Result<AwaitSecrets, Refusal> {
        let opened = self.object.open(claims, Duration::ZERO, facts)?;
        opened.types?;
        Ok(AwaitSecrets::new(self.client, Parameters::of(&opened.parameters), self.key, facts)?)
    }
}

/// Checked; waits only for randomness.
#[derive(Debug)]
pub struct AwaitSecrets {
    client: AuthenticatedClient,
    /// The parameters as they are stored.
    form: String,
    /// An `id_token_hint` that is still to be verified.
    hint: Option<SecretText>,
}

impl AwaitSecrets {
    /// Adds the key that the request proves, if any, to the parameters. A parameter that names another key is
    /// refused.
    fn new(
        client: AuthenticatedClient,
        mut parameters: Parameters,
        key: Option<Thumbprint>,
        facts: &Facts<'_>,
    ) -> Result<Self, Reason> {
        if let Some(key) = key.map(|key| key.to_string()) {
            match parameters.one(DPOP_JKT) {
                Some(named) if named != key => return Err(ProofFlaw::PushedOtherKey.into()),
                Some(_) => {}
                None => parameters.insert(DPOP_JKT, key),
            }
        }
        let request = authorize::pushed(parameters.form(), client.client(), facts)?;
        request.check_early(facts.rules)?;
        let hint = request.hint(facts.rules).map(SecretText::new);
        let form = parameters.encode();
        // Encoding makes the form longer, and it must not exceed the limit when it is read back.
        if form.len() > MAX_BODY {
            return Err(Reason::FormTooLarge);
        }
        if !client.client().is_confidential() && form.len() > MAX_PUBLIC_PUSH {
            return Err(Reason::PushTooLarge);
        }
        Ok(Self { client, form, hint })
    }

    /// The `id_token_hint`, if the request has one.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_ref().map(SecretText::reveal)
    }

    /// Takes the claims of the hint, `None` if this server did not issue it, and checks the request again.
    ///
    /// # Errors
    /// The hint is not one of this server for this client, or is about another user than the request.
    pub(crate) fn with_hint(&self, hint: Option<HintClaims>, facts: &Facts<'_>) -> Result<(), Reason> {
        let form = Form::parse(self.form.as_bytes())?;
        authorize::pushed(&form, self.client.client(), facts)?.with_hint(hint).check_early(facts.rules)
    }

    /// The client that pushes.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.client.client()
    }

    /// Decides. Borrows, because the driver tries again with new secrets if the grant id is taken.
    pub fn decide(&self, fresh: FreshSecrets, facts: &Facts<'_>) -> (Write, SealedRequestUri) {
        let Facts { now, rules, .. } = *facts;
        let grant = Grant::push(self.client(), self.form.clone(), &fresh, now, &rules.policy);
        let request_uri = RequestUri(Handle::new(grant.id(), fresh.first));
        let write = Write::insert(grant, now);
        let sealed = SealedRequestUri { request_uri, write: write.name() };
        (write, sealed)
    }
}

/// A `request_uri` that must not be sent before its write is proven.
#[derive(Debug)]
pub struct SealedRequestUri {
    request_uri: RequestUri,
    write: WriteName,
}

impl SealedRequestUri {
    /// Opens it with the proof of its write.
    ///
    /// # Errors
    /// The proof is of another write.
    pub fn open(self, proof: Committed) -> Result<RequestUri, Refusal> {
        self.write.check(proof)?;
        Ok(self.request_uri)
    }
}

/// The `request_uri` for the client.
pub struct RequestUri(Handle);

#[derive(Serialize)]
struct Body {
    request_uri: String,
    expires_in: u64,
}

impl RequestUri {
    /// The JSON response (RFC 9126 section 2.2): the only way to get the `request_uri` out.
    pub fn into_response(self, policy: &Policy) -> Response {
        let handle = self.0.into_text(Kind::RequestUri, &policy.prefixes);
        let request_uri = format!("{REQUEST_URI}{handle}");
        let body = Body { request_uri, expires_in: policy.request_uri_lifetime.as_secs() };
        Response::secret_json_of(201, &body)
    }
}

impl fmt::Debug for RequestUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestUri(..)")
    }
}
