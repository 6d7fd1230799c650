//! The pushed authorization request (RFC 9126 section 2).
//!
//! ```text
//! Request ─▶ AwaitClient ─▶ AwaitParameters ─▶ AwaitSecrets ─▶ (Write, SealedRequestUri) ─▶ RequestUri
//!                                     └─▶ AwaitObject ─▲
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use super::AwaitsClient;
use super::authorize::{AwaitRequestObject, DPOP_JKT, REQUEST, REQUEST_URI, check_pushed};
use crate::base::{FreshSecrets, SecretText, Thumbprint};
use crate::client::auth::{AuthenticatedClient, Presented};
use crate::client::{Client, SignedText, Unsigned};
use crate::error::{ProofFlaw, Reason, Refusal};
use crate::grant::{Grant, Handle, Kind};
use crate::http::form::Form;
use crate::http::{MAX_BODY, Parameters, Request, Response};
use crate::issuance::{Facts, Policy};
use crate::store::{Committed, Write, WriteName};

/// Parsed; the client is only claimed.
pub type AwaitClient = super::AwaitClient<PushedRequest>;

/// What a client pushes.
#[derive(Debug)]
pub struct PushedRequest {
    parameters: Parameters,
    /// The key that the request proves.
    key: Option<Thumbprint>,
}

impl AwaitClient {
    /// Reads a pushed authorization request. The client has to prove who it is as at the token endpoint.
    ///
    /// # Errors
    /// The form cannot be read, a parameter is repeated, or it names a `request_uri` (RFC 9126 section 2.1).
    pub fn parse(request: &Request, facts: &Facts<'_>) -> Result<Self, Refusal> {
        let Facts { .. } = facts; // Nothing of them decides how a form is read.
        let form = Form::parse(request.posted_form()?)?;
        form.check_repeats()?;
        let presented = Presented::parse(request, &form)?;
        if form.one("request_uri")?.is_some() {
            return Err(Reason::RequestUriPushed.into());
        }
        let parameters = Parameters::of(&form);
        Ok(Self { presented, request: PushedRequest { parameters, key: None } })
    }

    /// The same request, which proves this key: the code is bound to it (RFC 9449 section 10.1).
    pub(crate) fn proving(mut self, key: Option<Thumbprint>) -> Self {
        self.request.key = key;
        self
    }
}

impl AwaitsClient for PushedRequest {
    type Next = AwaitParameters;

    fn with_client(self, client: AuthenticatedClient) -> Result<AwaitParameters, Refusal> {
        Ok(AwaitParameters { client, parameters: self.parameters, key: self.key })
    }
}

/// The client is known; waits for the rules, which say where the parameters are.
#[derive(Debug)]
pub struct AwaitParameters {
    client: AuthenticatedClient,
    parameters: Parameters,
    key: Option<Thumbprint>,
}

/// Where the parameters of a pushed request are.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "each case needs an answer")]
pub enum Pushed {
    /// In the request itself.
    Plain(AwaitSecrets),
    /// In an object that the client signed; nothing else counts (RFC 9126 section 3).
    Signed(AwaitObject),
}

impl AwaitParameters {
    /// Finds them.
    ///
    /// # Errors
    /// The request has an object and the server takes none, or has none and has to.
    pub fn resolve(self, facts: &Facts<'_>) -> Result<Pushed, Refusal> {
        let (Self { client, parameters, key }, rules) = (self, facts.rules);
        match (parameters.one(REQUEST).map(SecretText::new), rules.request_objects) {
            (Some(_), None) => Err(Reason::RequestObjectUnsupported.into()),
            (Some(object), Some(_)) => {
                let object = AwaitRequestObject::new(Arc::clone(client.client()), object);
                Ok(Pushed::Signed(AwaitObject { client, object, key }))
            }
            (None, _) if rules.requires_signed_requests(client.client()) => {
                Err(Reason::RequestNotSigned.into())
            }
            (None, _) => Ok(Pushed::Plain(AwaitSecrets::new(client, parameters, key)?)),
        }
    }
}

/// Waits for what the object of a pushed request says.
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

    /// Takes the claims: from here on the request is as if it had been pushed without an object.
    ///
    /// # Errors
    /// The object does not count, its keys could not be had, or a parameter in it is of another type.
    pub fn with_claims(
        self,
        claims: Result<Map<String, Value>, Unsigned>,
        facts: &Facts<'_>,
    ) -> Result<AwaitSecrets, Refusal> {
        let opened = self.object.open(claims, Duration::ZERO, facts)?;
        opened.types?;
        Ok(AwaitSecrets::new(self.client, Parameters::of(&opened.parameters), self.key)?)
    }
}

/// Waits for randomness only.
#[derive(Debug)]
pub struct AwaitSecrets {
    client: AuthenticatedClient,
    parameters: Parameters,
}

impl AwaitSecrets {
    /// The parameters name the key that the request proves, if it proves one.
    fn new(
        client: AuthenticatedClient,
        mut parameters: Parameters,
        key: Option<Thumbprint>,
    ) -> Result<Self, Reason> {
        if let Some(key) = key.map(|key| key.to_string()) {
            match parameters.one(DPOP_JKT) {
                Some(named) if named != key => return Err(ProofFlaw::PushedOtherKey.into()),
                Some(_) => {}
                None => parameters.insert(DPOP_JKT, key),
            }
        }
        Ok(Self { client, parameters })
    }

    /// The client that pushes.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.client.client()
    }

    /// Decides. Borrows: should the name of the grant be taken, the driver asks again with another one.
    ///
    /// # Errors
    /// What an authorization request with these parameters would be refused for.
    pub fn decide(
        &self,
        fresh: FreshSecrets,
        facts: &Facts<'_>,
    ) -> Result<(Write, SealedRequestUri), Refusal> {
        let Facts { now, rules, .. } = *facts;
        let client = self.client.client();
        check_pushed(self.parameters.form(), client, facts)?;
        let form = self.parameters.encode();
        // Escapes make it longer, and it is read back as a form.
        if form.len() > MAX_BODY {
            return Err(Reason::FormTooLarge.into());
        }
        let grant = Grant::push(client.id(), form, &fresh, now, &rules.policy);
        let request_uri = RequestUri(Handle::new(grant.id(), fresh.first));
        let write = Write::insert(grant, now);
        let sealed = SealedRequestUri { request_uri, write: write.name() };
        Ok((write, sealed))
    }
}

/// A `request_uri` that must not leave before its write is proven.
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

/// A `request_uri` on its way to the client.
pub struct RequestUri(Handle);

#[derive(Serialize)]
struct Body {
    request_uri: String,
    expires_in: u64,
}

impl RequestUri {
    /// The JSON answer (RFC 9126 section 2.2); the `request_uri` leaves here and nowhere else.
    pub fn into_response(self, policy: &Policy) -> Response {
        let handle = self.0.into_text(Kind::RequestUri, &policy.prefixes);
        let request_uri = format!("{REQUEST_URI}{handle}");
        let body = Body { request_uri, expires_in: policy.request_uri_lifetime.as_secs() };
        match serde_json::to_vec(&body) {
            Ok(json) => Response::secret_json(201, json),
            Err(_) => Response::empty(500),
        }
    }
}

impl fmt::Debug for RequestUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestUri(..)")
    }
}
