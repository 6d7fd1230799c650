//! A grant as versioned JSON that an operator can read. Golden files of every released version are
//! decoded in the tests.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use super::access::LiveTokens;
use super::code::SpentCode;
use super::device::{SpentDeviceCode, Waiting};
use super::front_channel::Offer;
use super::origin::{Circumstances, Origin, Spent};
use super::pushed::Pushed;
use super::refresh::Family;
use super::stage::{Ended, Live, Stage};
use super::{Actor, Authentication, Grant, GrantId, PendingCode, Subject};
use crate::base::{
    AuthorizationDetails, Confirmation, Parties, ResourceIndicators, Scope, Second, TokenName,
};
use crate::client::ClientId;
use crate::openid::OpenId;

const VERSION: u32 = 1;

/// The members of version 1. An unknown member is refused: it could be a restriction, and the next write
/// would drop it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    v: u32,
    client: ClientId,
    subject: Subject,
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    scope: Scope,
    #[serde(default, skip_serializing_if = "ResourceIndicators::is_empty")]
    targets: ResourceIndicators,
    #[serde(default, skip_serializing_if = "AuthorizationDetails::is_empty")]
    details: AuthorizationDetails,
    created: Second,
    ends: Second,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authentication: Option<Authentication>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<Actor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<TokenName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    openid: Option<Box<OpenId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
    stage: StageBody<'a>,
}

#[expect(clippy::large_enum_variant, reason = "one lives as long as the call that reads or writes it")]
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StageBody<'a> {
    Pushed(Pushed),
    Waiting(Waiting),
    Offered(PendingCode),
    /// A code is out, and tokens were sent beside it.
    Hybrid {
        code: PendingCode,
        #[serde(default, skip_serializing_if = "LiveTokens::is_empty")]
        access: LiveTokens,
    },
    Live {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<Cow<'a, SpentCode>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<Cow<'a, SpentDeviceCode>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        family: Option<Box<Family>>,
        #[serde(default)]
        access: Cow<'a, LiveTokens>,
    },
    Ended {
        #[serde(with = "chrono::serde::ts_seconds")]
        at: DateTime<Utc>,
        #[serde(with = "chrono::serde::ts_seconds")]
        until: DateTime<Utc>,
    },
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

impl Grant {
    /// The body that a store keeps. It holds digests and masked secrets, never a token.
    #[must_use]
    pub fn encode(&self) -> String {
        let stage = match &self.stage {
            Stage::Pushed(pushed) => StageBody::Pushed(Pushed::clone(pushed)),
            Stage::Waiting(waiting) => StageBody::Waiting(Waiting::clone(waiting)),
            Stage::Offered(offer) => match Offer::clone(offer) {
                Offer { code, beside: None } => StageBody::Offered(code),
                Offer { code, beside: Some(access) } => StageBody::Hybrid { code, access: *access },
            },
            Stage::Live(live) => StageBody::Live {
                code: self.origin.spent_code().map(Cow::Borrowed),
                device: self.origin.spent_device_code().map(Cow::Borrowed),
                family: live.family.clone(),
                access: Cow::Borrowed(&live.access),
            },
            Stage::Ended(ended) => StageBody::Ended { at: ended.at, until: ended.until },
        };
        let body = Body {
            v: VERSION,
            client: self.client().clone(),
            subject: self.subject().clone(),
            scope: self.scope.clone(),
            targets: self.targets.clone(),
            details: self.details().clone(),
            created: self.created,
            ends: self.ends,
            authentication: self.authentication().cloned(),
            actor: self.actor().cloned(),
            parent: self.parent(),
            openid: self.openid().cloned().map(Box::new),
            cnf: self.confirmation().cloned(),
            stage,
        };
        // Serialisation cannot fail: every key is a string, and every number is finite.
        serde_json::to_string(&body).unwrap_or_default()
    }

    /// Reads the body of the grant with this id, written by this version or an earlier one.
    ///
    /// # Errors
    /// The body is damaged, or was written by a later version.
    pub fn decode(id: GrantId, body: &str) -> Result<Self, DecodeError> {
        let Version { v } = serde_json::from_str(body)?;
        if v != VERSION {
            return Err(DecodeError::Version(v));
        }
        let body: Body<'_> = serde_json::from_str(body)?;
        let mut spent = None;
        let stage = match body.stage {
            StageBody::Pushed(pushed) => Stage::Pushed(Box::new(pushed)),
            StageBody::Waiting(waiting) => Stage::Waiting(Box::new(waiting)),
            StageBody::Offered(code) => Stage::Offered(Box::new(code.into())),
            StageBody::Hybrid { code, access } => {
                Stage::Offered(Box::new(Offer { code, beside: Some(Box::new(access)) }))
            }
            StageBody::Live { code, device, family, access } => {
                spent = match (code, device) {
                    (None, None) => None,
                    (Some(code), None) => Some(Arc::new(Spent::Code(code.into_owned()))),
                    (None, Some(device)) => Some(Arc::new(Spent::Device(device.into_owned()))),
                    (Some(_), Some(_)) => return Err(serde_json::Error::custom("two codes").into()),
                };
                Stage::Live(Live { family, access: access.into_owned() })
            }
            StageBody::Ended { at, until } => Stage::Ended(Ended { at, until }),
        };
        Ok(Self {
            id,
            origin: Origin::new(
                Parties { client: body.client, subject: body.subject },
                Circumstances {
                    authentication: body.authentication,
                    actor: body.actor,
                    parent: body.parent.map(Box::new),
                    details: body.details,
                    openid: body.openid,
                    confirmation: body.cnf.map(Box::new),
                    spent,
                },
            ),
            scope: body.scope,
            targets: body.targets,
            created: body.created,
            ends: body.ends,
            stage,
        })
    }
}

/// Why a stored grant could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Written by a later version of this crate.
    #[error("the grant was written in format {0}, but this version reads format {VERSION}: upgrade grantor")]
    Version(u32),
    /// Not what this crate writes.
    #[error("the stored grant is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
}
