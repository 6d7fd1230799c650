//! The bridge over a lost response: the same tokens again, for the client that presents the same again.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::access::Issued;
use crate::base::secret::Masked;
use crate::base::{
    AccessRights, AccessTokens, AuthorizationDetails, ResourceId, ResourceIndicators, Scope, Secret, after,
};
use crate::issuance::{Gate, Policy};

/// The parameters of a token request; a retry has to have the same ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenParameters {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(default, skip_serializing_if = "ResourceIndicators::is_empty")]
    targets: ResourceIndicators,
    #[serde(default, skip_serializing_if = "AuthorizationDetails::is_empty")]
    details: AuthorizationDetails,
}

impl TokenParameters {
    pub(super) fn of(gate: &Gate<'_>) -> Self {
        Self {
            scope: gate.asked.scope.clone(),
            targets: gate.asked.resources.clone(),
            details: gate.asked.details.clone(),
        }
    }
}

/// A response that may have been lost: the new secrets, each under a pad that is derived from what the client
/// presented. That is the old refresh token, the device code, or a code together with a part of its
/// redemption that is in no log. A reader of the store learns nothing from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bridge {
    access: Masked,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<Masked>,
    scope: Scope,
    #[serde(default, skip_serializing_if = "AuthorizationDetails::is_empty")]
    details: AuthorizationDetails,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audience: Option<ResourceId>,
    #[serde(with = "chrono::serde::ts_seconds")]
    access_expires: DateTime<Utc>,
    ask: TokenParameters,
    /// When the response was made; it may be repeated until the leeway has passed.
    #[serde(with = "chrono::serde::ts_seconds")]
    at: DateTime<Utc>,
    /// The address that got the response, for the audit event of a repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) peer: Option<IpAddr>,
}

/// One pad for each secret, each used once.
const ACCESS_PAD: &str = "grantor:bridge-access:v1";
const REFRESH_PAD: &str = "grantor:bridge-refresh:v1";

impl Bridge {
    pub(super) fn over(key: &Secret, tokens: &Issued, ask: TokenParameters) -> Self {
        let refresh = tokens.refresh.as_ref();
        Self {
            access: Masked::hide(&tokens.access, key, ACCESS_PAD),
            refresh: refresh.map(|secret| Masked::hide(secret, key, REFRESH_PAD)),
            scope: tokens.rights.scope.clone(),
            details: tokens.rights.details.clone(),
            audience: tokens.audience.clone(),
            access_expires: tokens.expires,
            ask,
            at: tokens.issued,
            peer: None,
        }
    }

    /// Whether the leeway has not passed yet.
    pub(super) fn stands(&self, now: DateTime<Utc>, policy: &Policy) -> bool {
        now < after(self.at, policy.leeway)
    }

    /// The same tokens again, if the parameters are the same and the leeway has not passed.
    pub(super) fn cross(
        &self,
        key: &Secret,
        ask: &TokenParameters,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Option<Issued> {
        (self.stands(now, policy) && self.ask == *ask).then(|| Issued {
            access: self.access.reveal(key, ACCESS_PAD),
            sub: None,
            issued: self.at,
            expires: self.access_expires,
            rights: AccessRights {
                scope: self.scope.clone(),
                details: self.details.clone(),
                ..AccessRights::default()
            },
            audience: self.audience.clone(),
            format: AccessTokens::default(),
            algorithm: None,
            unrecorded: false,
            refresh: self.refresh.map(|masked| masked.reveal(key, REFRESH_PAD)),
        })
    }
}
