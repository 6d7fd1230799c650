//! `private_key_jwt`: a JWT that the client signs with a key whose public key the server has (RFC 7521
//! section 4.2, RFC 7523 section 3, OpenID Connect Core section 9).
//!
//! Signatures are verified outside the core, by a [`ClientSignatures`](crate::client::ClientSignatures). This
//! file checks the claims of an assertion.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Carried, Check, Credentials, Method, Presented, Reader};
use crate::base::numeric_date::NumericDate;
use crate::base::{ReplayKey, SecretText};
use crate::client::{AuthMethod, Client, ClientId};
use crate::error::{AssertionFlaw as Flaw, Reason};
use crate::http::form::Form;
use crate::trust::times;

/// `client_assertion_type` (RFC 7523 section 2.2).
const URN: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The optional `typ` of an assertion (draft-ietf-oauth-rfc7523bis section 4).
pub(crate) const ASSERTION_TYPES: &[&str] = &["JWT", "client-authentication+jwt"];

pub(super) const METHOD: Method = Method {
    name: AuthMethod::PrivateKeyJwt,
    credentials: Credentials::Keys,
    carried: Carried::Assertion,
    check: |_, _, _| Check::Signature,
};

pub(super) const IN_BODY: Reader =
    Reader { find: |_, form| Ok(form.one("client_assertion")?.or(form.one("client_assertion_type")?)), read };

/// How a server accepts assertions.
#[derive(Clone, Debug, Default)]
pub(crate) struct AssertionRules {
    /// The signature algorithms, by the names of the metadata.
    pub(crate) algorithms: Vec<&'static str>,
    /// Whether keys may be at a `jwks_uri`.
    pub(crate) fetches: bool,
    /// Whether clients may authenticate by a MAC.
    pub(crate) macs: bool,
    /// The URL of the token endpoint, if it also counts as an audience.
    pub(crate) legacy_audience: Option<String>,
}

fn read(_: &str, form: &Form<'_>) -> Result<Presented, Reason> {
    let (Some(assertion), Some(URN)) = (form.one("client_assertion")?, form.one("client_assertion_type")?)
    else {
        return Err(Reason::ClientCredentialsMalformed);
    };
    let id = match form.one("client_id")? {
        Some(id) => ClientId::new(id),
        None => claimed_subject(assertion).ok_or(Reason::ClientCredentialsMalformed)?,
    };
    Ok(Presented { id, carried: Carried::Assertion, evidence: SecretText::new(assertion), certificate: None })
}

/// The client that the assertion claims to be from (RFC 7521 section 4.2); unverified. It only selects the
/// client to look up.
fn claimed_subject(assertion: &str) -> Option<ClientId> {
    #[derive(Deserialize)]
    struct Json {
        sub: String,
    }
    let mut parts = assertion.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let Json { sub } = serde_json::from_slice(&payload).ok()?;
    Some(ClientId::new(sub))
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Value>,
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    jti: Option<String>,
}

/// Every check of the claims, in the order of RFC 7523 section 3. Returns the replay key of the assertion,
/// and until when it is valid.
#[rustfmt::skip]
pub(super) fn check(claims: Map<String, Value>, client: &Client, now: DateTime<Utc>, issuer: &str, rules: Option<&AssertionRules>) -> Result<(ReplayKey, DateTime<Utc>), Flaw> {
    let claims = Claims::deserialize(Value::Object(claims)).map_err(|_| Flaw::ClaimMissing)?;
    let id = client.id().as_str();
    if claims.iss.as_deref() != Some(id)                        { return Err(Flaw::IssuerUnknown) }
    if claims.sub.as_deref() != Some(id)                        { return Err(Flaw::ForAnotherClient) }
    let audience = claims.aud.ok_or(Flaw::ClaimMissing)?;
    if !is_for_us(&audience, issuer, rules)                     { return Err(Flaw::AudienceWrong) }
    let exp = claims.exp.ok_or(Flaw::ClaimMissing)?;
    times::check(exp, claims.nbf, claims.iat, times::MAX_LIFETIME, now)?;
    let jti = claims.jti.filter(|jti| !jti.is_empty() && jti.len() <= times::MAX_JTI);
    let jti = jti.ok_or(Flaw::ClaimMissing)?;
    let key = ReplayKey::new(id, &format!("client assertion {jti}")).within(issuer);
    Ok((key, times::accepted(exp)))
}

/// The audience must be the issuer as a string: one server could use an assertion for several servers at
/// another of them (draft-ietf-oauth-rfc7523bis section 4). With the legacy switch, the URL of the token
/// endpoint counts as well, and so does an array of the two.
fn is_for_us(audience: &Value, issuer: &str, rules: Option<&AssertionRules>) -> bool {
    let legacy = rules.and_then(|own| own.legacy_audience.as_deref());
    let is_ours = |name: &Value| name.as_str().is_some_and(|name| name == issuer || Some(name) == legacy);
    match (audience, legacy) {
        (Value::Array(several), Some(_)) => !several.is_empty() && several.iter().all(is_ours),
        (other, _) => is_ours(other),
    }
}
