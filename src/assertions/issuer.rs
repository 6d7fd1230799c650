//! [`AssertionIssuer`]: an issuer whose assertions are accepted, and its keys.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::error::{AssertionFlaw, Reason};
use crate::jose::{Algorithm, Unverified};
use crate::trust::{KeySource, SignatureMissing, signed_claims};

/// An issuer whose assertions are accepted, with exactly this `iss` and only with its own keys.
///
/// Keys are fixed ([`StaticKeys`](crate::resource::StaticKeys)), in a file
/// ([`FileKeys`](crate::resource::FileKeys)), at a `jwks_uri` ([`FetchedKeys`](crate::resource::FetchedKeys))
/// or found by discovery ([`DiscoveredKeys`](crate::resource::DiscoveredKeys)). The holder of one of them can
/// impersonate any user of that issuer.
#[must_use]
pub struct AssertionIssuer {
    name: String,
    keys: Box<dyn KeySource>,
    kind: Kind,
    algorithms: Vec<Algorithm>,
    longest: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Plain RFC 7523.
    Plain,
    /// draft-ietf-oauth-identity-assertion-authz-grant.
    IdJag,
}

/// RFC 7519 section 5.1.
const JWT: &str = "JWT";

/// draft-ietf-oauth-identity-assertion-authz-grant section 3.1.
const ID_JAG: &str = "oauth-id-jag+jwt";

impl AssertionIssuer {
    /// An issuer of assertions by RFC 7523 section 3: `typ` is absent or `JWT`, and `aud` is this server's
    /// issuer or token endpoint.
    pub fn new(issuer: impl Into<String>, keys: impl KeySource + 'static) -> Self {
        Self::of(Kind::Plain, issuer.into(), keys)
    }

    /// An issuer of ID-JAGs: an identity provider that vouches for its users. Beyond RFC 7523 they have their
    /// own `typ`, `aud` must be this server's issuer, `client_id` is the client that they were issued to, and
    /// `jti` and `iat` are required.
    pub fn id_jag(issuer: impl Into<String>, keys: impl KeySource + 'static) -> Self {
        Self::of(Kind::IdJag, issuer.into(), keys)
    }

    fn of(kind: Kind, name: String, keys: impl KeySource + 'static) -> Self {
        let (algorithms, longest) = (Algorithm::ALL.to_vec(), Duration::from_secs(60 * 60));
        Self { name, keys: Box::new(keys), kind, algorithms, longest }
    }

    /// Only these algorithms; by default every [`Algorithm`] of the issuer's keys. All are asymmetric.
    pub fn algorithms(self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        Self { algorithms: algorithms.into_iter().collect(), ..self }
    }

    /// The longest lifetime of its assertions; by default an hour. Each has to be remembered for that time.
    pub fn longest_lifetime(self, longest: Duration) -> Self {
        Self { longest, ..self }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_id_jag(&self) -> bool {
        self.kind == Kind::IdJag
    }

    /// In seconds.
    pub(super) fn longest(&self) -> i64 {
        i64::try_from(self.longest.as_secs()).unwrap_or(i64::MAX)
    }

    /// The signed claims; only the signature has been checked.
    pub(super) async fn verified_claims(
        &self,
        jws: &Unverified<'_>,
        now: DateTime<Utc>,
    ) -> Result<Map<String, Value>, Reason> {
        if !self.algorithms.contains(&jws.algorithm()) {
            return Err(AssertionFlaw::AlgorithmRefused.into());
        }
        let is_right = match self.kind {
            Kind::Plain => jws.is_untyped() || jws.has_typ(JWT),
            Kind::IdJag => jws.has_typ(ID_JAG),
        };
        if !is_right {
            return Err(AssertionFlaw::TypeWrong.into());
        }
        let signed = signed_claims(&*self.keys, jws, now).await;
        signed.map(|signed| signed.claims).map_err(|missing| match missing {
            SignatureMissing::NoKey | SignatureMissing::Wrong => AssertionFlaw::SignatureWrong.into(),
            SignatureMissing::Claims => AssertionFlaw::ClaimMissing.into(),
            SignatureMissing::KeysUnavailable(_) => Reason::IssuerUnavailable,
        })
    }
}

impl fmt::Debug for AssertionIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("AssertionIssuer");
        shown.field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}
