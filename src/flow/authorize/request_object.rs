//! Signed request objects by value (RFC 9101): the check of their claims.
//!
//! Signatures are verified outside the core, by a [`ClientSignatures`](crate::client::ClientSignatures). This
//! file checks the claims of an object, and turns them into the parameters of a request. An invalid object
//! ends in an error page: its redirect URI is not trusted, and one outside the object is not read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::AwaitLogin;
use super::source::ClaimedRequest;
use crate::base::numeric_date::NumericDate;
use crate::base::{Algorithm, ReplayKey, SecretText, after};
use crate::client::{ClaimsMissing, Client, RequestObjects, SignedText};
use crate::error::{AssertionFlaw as Flaw, Reason, Refusal};
use crate::http::form::Form;
use crate::issuance::Facts;
use crate::trust::times;

/// The parameter that contains the object.
pub(in crate::flow) const REQUEST: &str = "request";

/// The allowed values of the optional `typ` (RFC 9101 section 10.8).
const TYPES: &[&str] = &["oauth-authz-req+jwt", "JWT"];

/// Waits for the claims of a request object that its client signed.
#[derive(Debug)]
pub struct AwaitRequestObject {
    client: Arc<Client>,
    object: SecretText,
    /// The signature algorithms that this client may use.
    algorithms: &'static [Algorithm],
}

/// The content of a valid request object.
#[derive(Debug)]
pub(in crate::flow) struct Opened {
    pub(in crate::flow) parameters: Form<'static>,
    /// Whether each parameter has the right type.
    pub(in crate::flow) types: Result<(), Reason>,
    pub(super) once: Option<(ReplayKey, DateTime<Utc>)>,
    pub(super) expires: Option<DateTime<Utc>>,
}

impl AwaitRequestObject {
    pub(in crate::flow) fn new(client: Arc<Client>, object: SecretText, facts: &Facts<'_>) -> Self {
        let algorithms = facts.rules.switches_for(&client).algorithms;
        Self { client, object, algorithms }
    }

    /// What has to be verified. Without keys the client has registered none, and the object is refused.
    #[must_use]
    pub fn question(&self) -> SignedText<'_> {
        let algorithm = self.client.metadata().request_object_signing_alg.as_deref();
        let signed = SignedText::new(self.object.reveal(), self.client.keys(), algorithm, TYPES);
        signed.within(self.algorithms).by(Some(&self.client))
    }

    /// Takes the claims. An expired object is accepted while its user may still sign in, because it is sent
    /// again at each visit; whether the first visit was in time is checked once the time of that visit is
    /// known.
    ///
    /// # Errors
    /// An error page: the object is invalid, its keys could not be fetched, or there is no redirect URI that
    /// the response may go to.
    pub fn with_claims(
        self,
        claims: Result<Map<String, Value>, ClaimsMissing>,
        facts: &Facts<'_>,
    ) -> Result<AwaitLogin, Refusal> {
        let opened = self.open(claims, facts.rules.policy.sign_in_window, facts)?;
        Ok(ClaimedRequest::of_object(opened)?.prove(self.client, None, facts)?)
    }

    /// The content of the object, if it is valid, or expired less than `window` ago.
    pub(in crate::flow) fn open(
        &self,
        claims: Result<Map<String, Value>, ClaimsMissing>,
        window: Duration,
        facts: &Facts<'_>,
    ) -> Result<Opened, Reason> {
        let Facts { now, rules, .. } = *facts;
        let claims = claims.map_err(|missing| missing.reason(Reason::RequestObject))?;
        let terms = rules.request_objects_of(&self.client).ok_or(Reason::RequestObjectUnsupported)?;
        let own = read(&claims).map_err(Reason::RequestObject)?;
        let expires = own.exp.map(times::accepted);
        let late = expires.filter(|end| *end <= now && now < after(*end, window));
        let judged = late.map_or(now, |end| end - TimeDelta::seconds(1));
        let jti = check(own, &self.client, judged, &rules.issuer, terms).map_err(Reason::RequestObject)?;
        let once = jti.zip(expires).map(|(key, end)| (key, after(end, window)));
        let (parameters, types) = parameters(claims, &as_signed(self.object.reveal()))?;
        Ok(Opened { parameters, types, once, expires })
    }
}

/// The claims about the object itself. A claim that is `null` counts as absent.
#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Value>,
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    jti: Option<String>,
    client_id: Option<String>,
    request: Option<Value>,
    request_uri: Option<Value>,
}

/// The names of [`Claims`]: none of them is a parameter.
const OWN: &[&str] =
    &["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "request", "request_uri"];

fn read(claims: &Map<String, Value>) -> Result<Claims, Flaw> {
    let own = OWN.iter().filter_map(|name| claims.get_key_value(*name));
    let own: Map<String, Value> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
    Claims::deserialize(Value::Object(own)).map_err(|_| Flaw::ClaimMissing)
}

/// Every check of the claims (RFC 9101 sections 4, 5 and 10). Returns the replay key of an object with a
/// `jti`.
#[rustfmt::skip]
fn check(claims: Claims, client: &Client, now: DateTime<Utc>, issuer: &str, terms: RequestObjects) -> Result<Option<ReplayKey>, Flaw> {
    let id = client.id().as_str();
    if claims.request.is_some() || claims.request_uri.is_some()  { return Err(Flaw::Nested) }
    if claims.client_id.as_deref() != Some(id)                   { return Err(Flaw::ForAnotherClient) }
    if claims.iss.as_deref().is_some_and(|iss| iss != id)        { return Err(Flaw::IssuerUnknown) }
    // A client assertion, whose subject is the client, must not pass as a request (RFC 9101 section 10.8).
    if claims.sub.as_deref() == Some(id)                         { return Err(Flaw::ForAnotherClient) }
    match &claims.aud {
        Some(audience) if !has(audience, issuer)                => return Err(Flaw::AudienceWrong),
        None if terms.dated                                     => return Err(Flaw::ClaimMissing),
        Some(_) | None                                          => {}
    }
    check_times(&claims, terms, now)?;
    let Some(jti) = claims.jti else { return Ok(None) };
    if jti.is_empty() || jti.len() > times::MAX_JTI              { return Err(Flaw::ClaimMissing) }
    if claims.exp.is_none()                                      { return Err(Flaw::ClaimMissing) }
    Ok(Some(ReplayKey::new(id, &format!("request object {jti}")).within(issuer)))
}

/// Whether the audience is the issuer, or an array that contains it (FAPI 2.0 Message Signing section 5.3.1).
fn has(audience: &Value, issuer: &str) -> bool {
    match audience {
        Value::Array(several) => several.iter().any(|one| one.as_str() == Some(issuer)),
        one => one.as_str() == Some(issuer),
    }
}

fn check_times(claims: &Claims, terms: RequestObjects, now: DateTime<Utc>) -> Result<(), Flaw> {
    let Claims { exp, nbf, iat, .. } = *claims;
    if terms.dated {
        // An `exp` that has not passed and comes this soon after `nbf` limits the age of `nbf`, too.
        let (exp, nbf) = (exp.ok_or(Flaw::ClaimMissing)?, nbf.ok_or(Flaw::ClaimMissing)?);
        if exp.seconds() - nbf.seconds() > times::MAX_LIFETIME {
            return Err(Flaw::TooLongLived);
        }
    }
    match exp {
        Some(exp) => times::check(exp, nbf, iat.or(nbf), times::MAX_LIFETIME, now),
        None => times::check_begun(nbf, iat, now),
    }
}

/// The JSON type of a parameter in an object (RFC 9101 section 4, OpenID Connect Core section 6.1).
enum Shape {
    Text,
    /// `max_age`
    Number,
    /// A JSON value, or its text as a string.
    Json,
    /// A string, or an array of strings.
    Texts,
}

fn shape(name: &str) -> Option<Shape> {
    match name {
        "response_type"
        | "response_mode"
        | "redirect_uri"
        | "scope"
        | "state"
        | "nonce"
        | "code_challenge"
        | "code_challenge_method"
        | "prompt"
        | "acr_values"
        | "login_hint"
        | "id_token_hint"
        | "ui_locales"
        | "claims_locales"
        | "display"
        | "dpop_jkt" => Some(Shape::Text),
        "max_age" => Some(Shape::Number),
        "claims" | "authorization_details" | "registration" => Some(Shape::Json),
        "resource" => Some(Shape::Texts),
        _ => None,
    }
}

/// The claims as their client wrote them. A [`Value`] rounds numbers, and what the user approves must be what
/// was signed.
fn as_signed(object: &str) -> BTreeMap<String, Box<RawValue>> {
    let payload = object.split('.').nth(1).and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    payload.and_then(|payload| serde_json::from_slice(&payload).ok()).unwrap_or_default()
}

/// The parameters in the claims, as a form, and whether each has the right type. A claim that is not a
/// parameter is ignored.
fn parameters(
    claims: Map<String, Value>,
    as_signed: &BTreeMap<String, Box<RawValue>>,
) -> Result<(Form<'static>, Result<(), Reason>), Reason> {
    let mut types = Ok(());
    let mut pairs = Vec::new();
    for (name, value) in claims {
        let Some(shape) = shape(&name) else { continue };
        let raw = as_signed.get(&name).map(|raw| raw.get());
        match texts(shape, value, raw) {
            Some(texts) => pairs.extend(texts.into_iter().map(|text| (name.clone(), text))),
            None => types = Err(Reason::RequestObjectParameter),
        }
    }
    Ok((Form::of(pairs)?, types))
}

/// The values of a parameter as texts; `None` if it has the wrong type. JSON is taken as it was signed.
fn texts(shape: Shape, value: Value, as_signed: Option<&str>) -> Option<Vec<String>> {
    let one = |text: String| Some(vec![text]);
    match (shape, value) {
        (_, Value::String(text)) => one(text),
        (Shape::Number, Value::Number(number)) if number.is_u64() => one(number.to_string()),
        (Shape::Json, Value::Object(_) | Value::Array(_)) => one(as_signed?.to_owned()),
        (Shape::Texts, Value::Array(several)) => {
            several.into_iter().map(|text| text.as_str().map(str::to_owned)).collect()
        }
        (Shape::Text | Shape::Number | Shape::Json | Shape::Texts, _) => None,
    }
}
