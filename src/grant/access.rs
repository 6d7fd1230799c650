//! The access tokens of a grant: one record each, until the token expires or is revoked.

use std::sync::Arc;
use std::time::Duration;
use std::{mem, slice};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Grant, Kind, Subject};
use crate::base::secret::Fingerprint;
use crate::base::{
    AccessRights, AccessTokens, Algorithm, AuthorizationDetails, Confirmation, Digest, ResourceId, Scope,
    Second, Secret, SubjectType, TokenName, after,
};
use crate::issuance::{Granted, Issuable, Issuance, Policy, Rules};
use crate::signing::Claims;

/// The record of one access token in its grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRecord {
    digest: Digest,
    issued: Second,
    expires: Second,
    /// What the token has instead of the rights of its grant. Boxed, because it is rare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    narrowed: Option<Box<Narrowed>>,
    /// The key of the token, if its grant has a different one or none. Boxed, because most tokens have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cnf: Option<Box<Confirmation>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Narrowed {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    /// `null` is no details at all, and not those of the grant.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    details: Option<AuthorizationDetails>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audience: Option<ResourceId>,
    /// The token has no key, although its grant has one: the grant was bound later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unbound: bool,
}

/// The value of a member that is there.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<AuthorizationDetails>, D::Error> {
    AuthorizationDetails::deserialize(from).map(Some)
}

/// New tokens, which may be sent once their grant is stored.
#[derive(Debug)]
pub(crate) struct Issued {
    /// The access token's secret.
    pub(crate) access: Secret,
    /// The `sub` that the client sees, if it is not the host's own identifier.
    pub(crate) sub: Option<Arc<str>>,
    /// When the access token was issued.
    pub(crate) issued: DateTime<Utc>,
    /// When the access token expires.
    pub(crate) expires: DateTime<Utc>,
    /// What it permits.
    pub(crate) rights: AccessRights,
    /// The audience of the token, unless it is the server's default.
    pub(crate) audience: Option<ResourceId>,
    /// The format of the access token.
    pub(crate) format: AccessTokens,
    /// The algorithm of a signed access token; `None` is the signer's own choice.
    pub(crate) algorithm: Option<Algorithm>,
    /// Whether no record of the access token is stored.
    pub(crate) unrecorded: bool,
    /// The refresh token's secret, if there is one.
    pub(crate) refresh: Option<Secret>,
}

impl Issued {
    pub(super) fn of(
        record: &AccessRecord,
        issuance: &Issuance,
        access: Secret,
        refresh: Option<Secret>,
        policy: &Policy,
    ) -> Self {
        Self {
            access,
            sub: issuance.sub.clone(),
            issued: record.issued(),
            expires: record.expires(),
            rights: issuance.rights.clone(),
            audience: issuance.audience.clone(),
            format: issuance.format,
            algorithm: issuance.algorithm,
            unrecorded: issuance.is_unrecorded(policy),
            refresh,
        }
    }

    /// Whether no record of the access token is stored.
    pub(crate) fn is_unrecorded(&self) -> bool {
        self.unrecorded
    }

    /// The same tokens for a repeated response: in the format that the rules require now, bound to the key
    /// that the request proves, and with the `sub` that the client sees.
    pub(super) fn again(self, issuance: &Issuance) -> Self {
        let rights = AccessRights { confirmation: issuance.rights.confirmation.clone(), ..self.rights };
        let Issuable { format, algorithm, .. } = **issuance;
        Self { format, algorithm, sub: issuance.sub.clone(), rights, ..self }
    }
}

impl Grant {
    /// The claims of a signed access token of this grant (RFC 9068 section 2.2).
    pub(crate) fn claims(&self, tokens: &Issued, rules: &Rules) -> Claims {
        let name = match tokens.unrecorded {
            true => TokenName::Unrecorded(self.id()),
            false => {
                let fingerprint = tokens.access.digest(Kind::Access.tag()).fingerprint();
                TokenName::Recorded { grant: self.id(), fingerprint }
            }
        };
        let authentication = self.authentication();
        Claims {
            iss: rules.issuer.as_ref().to_owned(),
            sub: tokens.sub.as_deref().unwrap_or(self.subject().id()).to_owned(),
            sub_type: match self.subject() {
                Subject::User(_) => SubjectType::User,
                Subject::Client(_) => SubjectType::Client,
            },
            aud: rules.audience_of(tokens.audience.as_ref()).to_owned(),
            client_id: self.client().as_str().to_owned(),
            iat: tokens.issued.timestamp(),
            exp: tokens.expires.timestamp(),
            jti: name.to_string(),
            scope: tokens.rights.scope.clone(),
            auth_time: authentication.map(|a| a.auth_time.timestamp()),
            acr: authentication.and_then(|a| a.acr.as_deref().map(str::to_owned)),
            act: self.actor().cloned(),
            authorization_details: tokens.rights.details.clone(),
            cnf: tokens.rights.confirmation.clone(),
            extra: serde_json::Map::new(),
        }
    }
}

impl AccessRecord {
    /// A record that expires after the token lifetime or with its grant, whichever comes first.
    pub(super) fn new(
        secret: &Secret,
        issuance: &Issuance,
        granted: Granted<'_>,
        grant_ends: DateTime<Utc>,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Self {
        let (own, whole) = (&issuance.rights, granted.rights);
        let scope = (own.scope != *whole.scope).then(|| own.scope.clone());
        let details = (own.details != *whole.details).then(|| own.details.clone());
        let audience = issuance.audience.clone();
        let cnf = own.confirmation.as_ref().filter(|own| whole.confirmation != Some(*own));
        let is_narrowed = scope.is_some() || details.is_some() || audience.is_some();
        Self {
            digest: secret.digest(Kind::Access.tag()),
            issued: Second::of(now),
            expires: Second::of(after(now, policy.access_token_lifetime).min(grant_ends)),
            narrowed: is_narrowed.then(|| Box::new(Narrowed { scope, details, audience, unbound: false })),
            cnf: cnf.cloned().map(Box::new),
        }
    }

    /// The name by which its grant finds it.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.digest.fingerprint()
    }

    /// When it was issued.
    #[must_use]
    pub fn issued(&self) -> DateTime<Utc> {
        self.issued.moment()
    }

    /// When it expires.
    #[must_use]
    pub fn expires(&self) -> DateTime<Utc> {
        self.expires.moment()
    }

    /// Expiry is on a whole second, so comparing whole seconds is exact.
    fn is_live(&self, now: DateTime<Utc>) -> bool {
        Second::of(now) < self.expires
    }

    /// Its scope: that of its grant, unless it was narrowed.
    #[must_use]
    pub fn scope<'a>(&'a self, grant: &'a Grant) -> &'a Scope {
        let narrowed = self.narrowed.as_deref().and_then(|narrowed| narrowed.scope.as_ref());
        narrowed.unwrap_or(grant.scope())
    }

    /// Its authorization details: those of its grant, unless they were narrowed.
    #[must_use]
    pub fn details<'a>(&'a self, grant: &'a Grant) -> &'a AuthorizationDetails {
        let narrowed = self.narrowed.as_deref().and_then(|narrowed| narrowed.details.as_ref());
        narrowed.unwrap_or(grant.details())
    }

    /// The resource that it is for; `None` is the server's default audience.
    #[must_use]
    pub fn audience(&self) -> Option<&ResourceId> {
        self.narrowed.as_deref()?.audience.as_ref()
    }

    /// The key that it is bound to: its own, or else that of its grant, unless the grant was bound later.
    #[must_use]
    pub fn confirmation<'a>(&'a self, grant: &'a Grant) -> Option<&'a Confirmation> {
        let is_unbound = self.narrowed.as_deref().is_some_and(|narrowed| narrowed.unbound);
        self.cnf.as_deref().or_else(|| grant.confirmation().filter(|_| !is_unbound))
    }
}

/// The records in the order of issue. Most grants have one, which is stored inline. No vector that does so is
/// as small: the tag of this enum has room for that of the grant's stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<AccessRecord>")]
pub(super) enum LiveTokens {
    #[default]
    None,
    One(AccessRecord),
    Several(Vec<AccessRecord>),
}

impl From<Vec<AccessRecord>> for LiveTokens {
    fn from(mut records: Vec<AccessRecord>) -> Self {
        match records.len() {
            0 | 1 => records.pop().map_or(Self::None, Self::One),
            _ => Self::Several(records),
        }
    }
}

impl Serialize for LiveTokens {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}

impl LiveTokens {
    pub(super) fn of(only: AccessRecord) -> Self {
        Self::One(only)
    }

    fn as_slice(&self) -> &[AccessRecord] {
        match self {
            Self::None => &[],
            Self::One(only) => slice::from_ref(only),
            Self::Several(records) => records,
        }
    }

    fn iter(&self) -> slice::Iter<'_, AccessRecord> {
        self.as_slice().iter()
    }

    /// Keeps some of the records, and appends others.
    fn change(&mut self, is_kept: impl FnMut(&AccessRecord) -> bool, new: Self) {
        let mut records = Vec::with_capacity(self.as_slice().len() + new.as_slice().len());
        mem::take(self).move_to(&mut records);
        records.retain(is_kept);
        new.move_to(&mut records);
        *self = records.into();
    }

    fn move_to(self, records: &mut Vec<AccessRecord>) {
        match self {
            Self::None => {}
            Self::One(only) => records.push(only),
            Self::Several(several) => records.extend(several),
        }
    }

    /// How long to wait until there is room for one more token; `None` if there is room. A live record is
    /// never evicted for a new one, because its token was issued with a lifetime.
    pub(super) fn until_room(&self, now: DateTime<Utc>, policy: &Policy) -> Option<Duration> {
        let most = policy.live_access_tokens as usize;
        if most == 0 || self.as_slice().len() < most {
            return None;
        }
        let mut live: Vec<_> = self.iter().filter(|r| r.is_live(now)).map(AccessRecord::expires).collect();
        live.sort_unstable();
        let last_to_go = live.len().checked_sub(most).map(|surplus| live[surplus])?;
        (last_to_go - now).to_std().ok()
    }

    /// Adds a record, and drops the expired ones.
    pub(super) fn add(&mut self, record: AccessRecord, now: DateTime<Utc>) {
        match self.iter().any(|r| r.is_live(now)) {
            true => self.change(|r| r.is_live(now), Self::One(record)),
            false => *self = Self::One(record),
        }
    }

    /// Keeps the tokens as they are, whatever keys their grant gets: those without a key of their own keep the
    /// former key of the grant, or none.
    pub(super) fn keep_key(&mut self, former: Option<&Confirmation>) {
        let records = match self {
            Self::None => &mut [],
            Self::One(only) => slice::from_mut(only),
            Self::Several(records) => records,
        };
        for record in records.iter_mut().filter(|record| record.cnf.is_none()) {
            let is_unbound = record.narrowed.as_deref().is_some_and(|narrowed| narrowed.unbound);
            match former {
                None => record.narrowed.get_or_insert_default().unbound = true,
                Some(_) if is_unbound => {}
                Some(key) => record.cnf = Some(Box::new(key.clone())),
            }
        }
    }

    /// Inserts the records of earlier tokens before these.
    pub(super) fn follow(&mut self, mut earlier: Self) {
        earlier.change(|_| true, mem::take(self));
        *self = earlier;
    }

    pub(super) fn find(&self, presented: &Secret, now: DateTime<Utc>) -> Option<&AccessRecord> {
        let digest = presented.digest(Kind::Access.tag());
        let hit = self.iter().find(|r| r.digest.matches(&digest));
        hit.filter(|r| r.is_live(now))
    }

    /// The record of this token, live or not.
    pub(super) fn any(&self, secret: &Secret) -> Option<&AccessRecord> {
        let digest = secret.digest(Kind::Access.tag());
        self.iter().find(|r| r.digest.matches(&digest))
    }

    pub(super) fn by_name(&self, name: Fingerprint, now: DateTime<Utc>) -> Option<&AccessRecord> {
        let hit = self.iter().find(|r| r.digest.fingerprint() == name);
        hit.filter(|r| r.is_live(now))
    }

    /// Removes a live token; `false` if there was none with this name.
    pub(super) fn remove(&mut self, name: Fingerprint, now: DateTime<Utc>) -> bool {
        let is_it = |r: &AccessRecord| r.is_live(now) && r.digest.fingerprint() == name;
        let is_there = self.iter().any(is_it);
        if is_there {
            self.change(|r| !is_it(r), Self::None);
        }
        is_there
    }

    pub(super) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    pub(super) fn last_issued(&self) -> Option<DateTime<Utc>> {
        self.iter().map(AccessRecord::issued).max()
    }

    /// When the last of them expires; the beginning of time if there is none.
    pub(super) fn expires(&self) -> DateTime<Utc> {
        let last = self.iter().map(AccessRecord::expires).max();
        last.unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ra_05_a_token_without_the_details_of_its_grant_does_not_get_them_from_the_store() {
        let none = Narrowed { details: Some(AuthorizationDetails::default()), ..Narrowed::default() };
        let json = serde_json::to_string(&none).unwrap();
        assert_eq!(json, r#"{"details":null}"#);
        assert_eq!(serde_json::from_str::<Narrowed>(&json).unwrap(), none);
        assert_eq!(serde_json::from_str::<Narrowed>("{}").unwrap(), Narrowed::default());
    }
}
