//! The claims of an assertion, and their checks (RFC 7523 section 3).

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::{Assertion, AssertionIssuer};
use crate::base::numeric_date::NumericDate;
use crate::base::{Digest, ResourceId, Scope};
use crate::error::{AssertionFlaw as Flaw, Reason};
use crate::flow::token::{Entitlement, ExtensionAsk};
use crate::resource::Audience;
use crate::trust::times;

#[derive(Deserialize)]
struct AssertionBody {
    iss: String,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    jti: Option<String>,
    client_id: Option<String>,
    scope: Option<Scope>,
    resource: Option<Audience>,
    auth_time: Option<NumericDate>,
    acr: Option<String>,
    cnf: Option<IgnoredAny>,
    act: Option<IgnoredAny>,
    authorization_details: Option<IgnoredAny>,
}

/// The validated content of an assertion.
pub(super) struct ValidatedAssertion {
    claims: Map<String, Value>,
    subject: String,
    /// Until when it is valid, including the leeway.
    until: DateTime<Utc>,
    jti: Option<String>,
    scope: Option<Scope>,
    resources: Option<Vec<ResourceId>>,
    authentication: Option<(DateTime<Utc>, Option<String>)>,
}

impl ValidatedAssertion {
    /// Every check of the claims, in the order of RFC 7523 section 3.
    #[rustfmt::skip]
    pub(super) fn check(claims: Map<String, Value>, issuer: &AssertionIssuer, ask: &ExtensionAsk<'_>) -> Result<Self, Reason> {
        let claims = Value::Object(claims);
        let wire = AssertionBody::deserialize(&claims).map_err(|_| Flaw::ClaimMissing)?;
        let Value::Object(claims) = claims else { return Err(Flaw::ClaimMissing.into()) };
        let given_to_asker = wire.client_id.as_deref().map(|id| id == ask.client.id().as_str());
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let jti = filled(wire.jti);

        if wire.iss != issuer.name()                             { return Err(Flaw::IssuerUnknown.into()) }
        let subject = filled(wire.sub).ok_or(Flaw::ClaimMissing)?;
        let audience = wire.aud.ok_or(Flaw::ClaimMissing)?;
        if !is_for_us(&audience, issuer, ask)                    { return Err(Flaw::AudienceWrong.into()) }
        let exp = wire.exp.ok_or(Flaw::ClaimMissing)?;
        times::check(exp, wire.nbf, wire.iat, issuer.longest(), ask.now)?;
        if issuer.is_id_jag() && (jti.is_none() || wire.iat.is_none() || given_to_asker.is_none())
                                                                 { return Err(Flaw::ClaimMissing.into()) }
        if given_to_asker == Some(false)                         { return Err(Flaw::ForAnotherClient.into()) }
        // A restriction that this server does not support makes the assertion invalid.
        if wire.cnf.is_some()                                    { return Err(Flaw::Bound.into()) }
        if wire.act.is_some()                                    { return Err(Flaw::Delegated.into()) }
        if wire.authorization_details.is_some()                  { return Err(Flaw::DetailsUnsupported.into()) }

        let signed_in = wire.auth_time.and_then(NumericDate::moment).map(|at| (at.min(ask.now), wire.acr));
        Ok(Self {
            claims, subject, jti,
            until: times::accepted(exp),
            scope: wire.scope,
            resources: wire.resource.map(resources).transpose()?,
            authentication: signed_in,
        })
    }

    /// The question to the host.
    pub(super) fn assertion<'a>(
        &'a self,
        issuer: &'a AssertionIssuer,
        ask: &ExtensionAsk<'a>,
    ) -> Assertion<'a> {
        Assertion {
            issuer: issuer.name(),
            subject: &self.subject,
            client: ask.client,
            scope: self.scope.as_ref(),
            resources: self.resources.as_deref(),
            asked_scope: ask.scope,
            claims: &self.claims,
        }
    }

    /// The host's entitlement, limited by the assertion.
    pub(super) fn limit(&self, entitlement: Entitlement) -> Result<Entitlement, Reason> {
        let entitlement = match &self.scope {
            Some(scope) => entitlement.within(scope),
            None => entitlement,
        };
        // Nothing is left of what the issuer allowed.
        if self.scope.as_ref().is_some_and(|scope| !scope.is_empty()) && entitlement.scope().is_empty() {
            return Err(Reason::ScopeExceeded);
        }
        let entitlement = match &self.resources {
            Some(resources) => entitlement.within_resources(resources),
            None => entitlement,
        };
        Ok(match &self.authentication {
            Some((at, acr)) => entitlement.or_authenticated(*at, acr.clone()),
            None => entitlement,
        })
    }

    /// Replay key: the `jti`, or else a digest of the signed part (a signature can have several encodings).
    pub(super) fn single_use(&self, text: &str) -> (String, DateTime<Utc>) {
        let id = match &self.jti {
            Some(jti) => format!("jti {jti}"),
            None => {
                let signed = text.rsplit_once('.').map_or(text, |(signed, _)| signed);
                let digest = Digest::of("grantor:assertion:v1", signed.as_bytes());
                let hex: String = digest.expose().iter().map(|byte| format!("{byte:02x}")).collect();
                format!("signed {hex}")
            }
        };
        (id, self.until)
    }
}

/// Whether it is only for this server: otherwise another server in the audience could use it here.
fn is_for_us(audience: &Audience, issuer: &AssertionIssuer, ask: &ExtensionAsk<'_>) -> bool {
    let names = audience.as_slice();
    match issuer.is_id_jag() {
        true => matches!(names, [only] if only == ask.issuer),
        false => {
            let is_ours = |name: &String| name == ask.issuer || name == ask.token_endpoint;
            !names.is_empty() && names.iter().all(is_ours)
        }
    }
}

fn resources(named: Audience) -> Result<Vec<ResourceId>, Reason> {
    named.as_slice().iter().map(|name| Ok(ResourceId::parse(name)?)).collect()
}
