//! [`Access`]: what a live access token permits.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::base::{AuthorizationDetails, Confirmation, ResourceId, Scope, Secret, TokenName};
use crate::client::ClientId;
use crate::grant::{AccessRecord, Actor, Authentication, Grant, GrantId, Subject};
use crate::issuance::Rules;
use crate::signing::Claims;
use crate::store::Record;

/// A live access token: its subject, and what it permits.
#[derive(Clone, Debug)]
pub struct Access(Source);

/// The source of the data.
#[derive(Clone, Debug)]
enum Source {
    /// The grant of an opaque token, in this process.
    Grant { record: Record, token: AccessRecord },
    /// The claims of a token, or of an introspection response.
    Claims(Arc<Claimed>),
}

#[derive(Clone, Debug)]
struct Claimed {
    claims: Claims,
    subject: Subject,
    client: ClientId,
    audience: Option<ResourceId>,
    /// The grant that has a record of the token, if that is in this process.
    record: Option<Record>,
}

impl Access {
    pub(crate) fn of(record: Record, secret: &Secret, now: DateTime<Utc>) -> Option<Self> {
        let token = record.grant().access(secret, now)?.clone();
        Some(Self(Source::Grant { record, token }))
    }

    /// The access of verified claims. The server's default audience becomes `None`, as for opaque tokens.
    pub(crate) fn claimed(claims: Claims, rules: &Rules) -> Self {
        let subject = claims.subject();
        Self::of_server(claims, subject, None, rules)
    }

    /// Like [`claimed`](Self::claimed), for a token with a grant record. The subject is the host's own
    /// identifier, which can differ from the `sub` that the client sees.
    pub(crate) fn recorded(claims: Claims, record: Record, rules: &Rules) -> Self {
        let subject = record.grant().subject().clone();
        Self::of_server(claims, subject, Some(record), rules)
    }

    fn of_server(claims: Claims, subject: Subject, record: Option<Record>, rules: &Rules) -> Self {
        let audience = ResourceId::parse(&claims.aud).ok();
        Self(Source::Claims(Arc::new(Claimed {
            subject,
            client: ClientId::new(claims.client_id.as_str()),
            audience: audience.filter(|audience| audience.as_str() != rules.audience),
            claims,
            record,
        })))
    }

    /// The access of verified claims, at a resource that is among their audiences, for the host's own
    /// [`TokenVerifier`](crate::resource::TokenVerifier). Nothing is checked here.
    #[must_use]
    pub fn of_claims(claims: Claims, resource: &ResourceId) -> Self {
        Self(Source::Claims(Arc::new(Claimed {
            subject: claims.subject(),
            client: ClientId::new(claims.client_id.as_str()),
            audience: Some(resource.clone()),
            claims,
            record: None,
        })))
    }

    /// The grant of the token, in the process that issued it.
    pub(crate) fn grant(&self) -> Option<&Grant> {
        let record = match &self.0 {
            Source::Grant { record, .. } => Some(record),
            Source::Claims(claimed) => claimed.record.as_ref(),
        };
        record.map(Record::grant)
    }

    /// The subject of the request: a user, or the client itself.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        match &self.0 {
            Source::Grant { record, .. } => record.grant().subject(),
            Source::Claims(claimed) => &claimed.subject,
        }
    }

    /// The user, if the request acts for one.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.subject().as_user()
    }

    /// The client that sent the request.
    #[must_use]
    pub fn client(&self) -> &ClientId {
        match &self.0 {
            Source::Grant { record, .. } => record.grant().client(),
            Source::Claims(claimed) => &claimed.client,
        }
    }

    /// What the token allows.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        match &self.0 {
            Source::Grant { record, token } => token.scope(record.grant()),
            Source::Claims(claimed) => &claimed.claims.scope,
        }
    }

    /// The authorization details of the token for this resource (RFC 9396).
    #[must_use]
    pub fn details(&self) -> &AuthorizationDetails {
        match &self.0 {
            Source::Grant { record, token } => token.details(record.grant()),
            Source::Claims(claimed) => &claimed.claims.authorization_details,
        }
    }

    /// The resource of the token; `None` is the server's default audience.
    #[must_use]
    pub fn audience(&self) -> Option<&ResourceId> {
        match &self.0 {
            Source::Grant { token, .. } => token.audience(),
            Source::Claims(claimed) => claimed.audience.as_ref(),
        }
    }

    /// The key that the token is bound to; `None` is a bearer token. A [`Guard`](crate::resource::Guard)
    /// accepts only the holder of the key; a host that checks tokens without a guard must refuse bound
    /// tokens.
    #[must_use]
    pub fn confirmation(&self) -> Option<&Confirmation> {
        match &self.0 {
            Source::Grant { record, token } => token.confirmation(record.grant()),
            Source::Claims(claimed) => claimed.claims.cnf.as_ref(),
        }
    }

    /// When the token expires.
    #[must_use]
    pub fn expires(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::Grant { token, .. } => token.expires(),
            Source::Claims(claimed) => claimed.claims.expires(),
        }
    }

    /// The token's id; `None` for an unrecorded signed token.
    pub(crate) fn token_name(&self) -> Option<TokenName> {
        match &self.0 {
            Source::Grant { record, token } => {
                let (grant, fingerprint) = (record.grant().id(), token.fingerprint());
                Some(TokenName::Recorded { grant, fingerprint })
            }
            Source::Claims(claimed) => match TokenName::parse(&claimed.claims.jti)? {
                TokenName::Unrecorded(_) => None,
                recorded @ TokenName::Recorded { .. } => Some(recorded),
            },
        }
    }

    /// The grant's id; `None` for an unrecorded signed token.
    #[must_use]
    pub fn grant_id(&self) -> Option<GrantId> {
        match &self.0 {
            Source::Grant { record, .. } => Some(record.grant().id()),
            Source::Claims(claimed) => match TokenName::parse(&claimed.claims.jti)? {
                TokenName::Recorded { grant, .. } => Some(grant),
                TokenName::Unrecorded(_) => None,
            },
        }
    }

    /// When the user last signed in, in seconds since 1970.
    #[must_use]
    pub fn auth_time(&self) -> Option<i64> {
        match &self.0 {
            Source::Grant { record, .. } => record.grant().authentication().map(|a| a.auth_time.timestamp()),
            Source::Claims(claimed) => claimed.claims.auth_time,
        }
    }

    /// How well the user signed in (`acr`).
    #[must_use]
    pub fn acr(&self) -> Option<&str> {
        match &self.0 {
            Source::Grant { record, .. } => record.grant().authentication()?.acr.as_deref(),
            Source::Claims(claimed) => claimed.claims.acr.as_deref(),
        }
    }

    /// How and when the user signed in, as far as it is known.
    pub(crate) fn authentication(&self) -> Option<Authentication> {
        match &self.0 {
            Source::Grant { record, .. } => record.grant().authentication().cloned(),
            Source::Claims(claimed) => {
                let auth_time = DateTime::from_timestamp(claimed.claims.auth_time?, 0)?;
                Some(Authentication { auth_time, acr: claimed.claims.acr.as_deref().map(Box::from) })
            }
        }
    }

    /// Who acts for the subject, if the token comes from a token exchange (RFC 8693 section 4.1).
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        match &self.0 {
            Source::Grant { record, .. } => record.grant().actor(),
            Source::Claims(claimed) => claimed.claims.act.as_ref(),
        }
    }

    /// The claims of a signed token; `None` for an opaque one.
    #[must_use]
    pub fn claims(&self) -> Option<&Claims> {
        match &self.0 {
            Source::Grant { .. } => None,
            Source::Claims(claimed) => Some(&claimed.claims),
        }
    }
}
