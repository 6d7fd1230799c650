//! The life of a pushed authorization request (RFC 9126): it waits for its user, and the grant that they
//! approve replaces it.
//!
//! ```text
//!   pushed ──first visit──▶ visited ⟲ visit ──approve──▶ a code is out, or tokens are
//!      │                       │
//!      └── its time is over ───┘──▶ nothing is left
//! ```
//!
//! A visit consumes nothing: browsers reload, and programs that preview links visit before the user does
//! (FAPI 2.0 Security Profile section 5.3.2.2). The approval replaces the record of the request, and a denial
//! ends it, so one request has one answer.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::origin::Origin;
use super::stage::{Lifetime, Stage};
use super::{Grant, Kind};
use crate::base::{Digest, FreshSecrets, ResourceIndicators, Scope, Second, Secret, after};
use crate::client::{Client, ClientId};
use crate::error::Reason;
use crate::issuance::Policy;

/// A request that waits for its user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pushed {
    /// The digest of the secret at the end of the `request_uri`.
    request_uri: Digest,
    /// The deadline of the first visit.
    #[serde(with = "chrono::serde::ts_seconds")]
    expires: DateTime<Utc>,
    /// The deadline of the approval, for a request that was visited in time.
    #[serde(with = "chrono::serde::ts_seconds")]
    until: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    visited: bool,
    /// The parameters as a form, without credentials.
    parameters: Box<str>,
}

/// The result of a visit.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    /// The parameters of the request, as a form.
    pub(crate) parameters: &'a str,
    /// At the first visit, the grant to store before the request continues.
    pub(crate) first: Option<Grant>,
}

impl Grant {
    /// A request that waits for its user, listed under its client. `parameters` are those of the request, as
    /// a form.
    pub(crate) fn push(
        client: &Client,
        parameters: String,
        fresh: &FreshSecrets,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Self {
        let expires = after(now, policy.request_uri_lifetime);
        let until = after(expires, policy.sign_in_window);
        let pushed = Pushed {
            request_uri: fresh.first.digest(Kind::RequestUri.tag()),
            expires,
            until,
            visited: false,
            parameters: parameters.into(),
        };
        Self {
            id: fresh.grant,
            origin: Origin::Own(Arc::clone(client.parties())),
            scope: Scope::empty(),
            targets: ResourceIndicators::default(),
            created: Second::of(now),
            ends: Second::of(until),
            stage: Stage::Pushed(Box::new(pushed)),
        }
    }

    /// A visit: an authorization request of this client that names this `request_uri`.
    ///
    /// # Errors
    /// The `request_uri` is not that of this request, it has expired or was used, or the request is of
    /// another client.
    pub(crate) fn visit(
        &self,
        presented: &Secret,
        client: &ClientId,
        now: DateTime<Utc>,
    ) -> Result<Visit<'_>, Reason> {
        let Stage::Pushed(pushed) = &self.stage else {
            return Err(Reason::RequestUriUnknown);
        };
        if !pushed.request_uri.matches(&presented.digest(Kind::RequestUri.tag())) {
            return Err(Reason::RequestUriUnknown);
        }
        if self.client() != client {
            return Err(Reason::RequestUriForAnotherClient);
        }
        if pushed.expires() <= now {
            return Err(Reason::RequestUriExpired);
        }
        let first = (!pushed.visited).then(|| {
            let visited = Pushed { visited: true, ..Pushed::clone(pushed) };
            Self { stage: Stage::Pushed(Box::new(visited)), ..self.clone() }
        });
        Ok(Visit { parameters: &pushed.parameters, first })
    }
}

impl Lifetime for Pushed {
    fn expires(&self) -> DateTime<Utc> {
        if self.visited { self.until } else { self.expires }
    }

    fn latest_expiry(&self, _: DateTime<Utc>) -> DateTime<Utc> {
        self.until
    }

    /// A `request_uri` is not a token, and cannot be revoked.
    fn holds(&self, _: Kind, _: &Secret) -> bool {
        false
    }
}

/// Without the parameters, which may name a person.
impl fmt::Debug for Pushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Pushed");
        shown.field("expires", &self.expires).field("visited", &self.visited).finish_non_exhaustive()
    }
}
