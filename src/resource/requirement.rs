//! [`Requirement`]: what a request needs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::Access;
use crate::base::Scope;
use crate::error::Reason;
use crate::openid::OFFLINE_ACCESS;
use crate::trust::times::CLOCK_SKEW;

/// What a request for a protected resource needs.
///
/// ```
/// use grantor::resource::Requirement;
/// let transfer = Requirement::scopes(["accounts", "transfer"]).acr(["urn:example:mfa"]).max_age(300);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Requirement {
    scope: Scope,
    acr: Vec<String>,
    max_age: Option<u64>,
    /// The host made a mistake: it requires something that no token can have, so every request is refused.
    broken: bool,
}

impl Requirement {
    /// Any live token.
    pub fn any() -> Self {
        Self::default()
    }

    /// All of these scopes. With an empty or malformed scope (RFC 6749 section 3.3), or with `offline_access`,
    /// which permits nothing at a resource, no request passes, and the response is 500.
    pub fn scopes<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Self {
        let (mut named, mut has_empty) = (String::new(), false);
        for (number, scope) in scopes.into_iter().enumerate() {
            has_empty |= scope.as_ref().trim().is_empty();
            named.push_str(if number > 0 { " " } else { "" });
            named.push_str(scope.as_ref());
        }
        match Scope::parse(&named) {
            Ok(scope) if !has_empty && !scope.contains(OFFLINE_ACCESS) => Self { scope, ..Self::default() },
            Ok(_) | Err(_) => Self { broken: true, ..Self::default() },
        }
    }

    /// The user signed in with one of these authentication context classes (RFC 9470 section 3). A malformed
    /// one has the same effect as a malformed scope.
    pub fn acr<S: Into<String>>(mut self, values: impl IntoIterator<Item = S>) -> Self {
        self.acr = values.into_iter().map(Into::into).collect();
        let legal = |b: u8| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        self.broken |= self.acr.iter().any(|value| value.is_empty() || !value.bytes().all(legal));
        self
    }

    /// The user signed in at most this many seconds ago (RFC 9470 section 3).
    pub fn max_age(mut self, seconds: u64) -> Self {
        self.max_age = Some(seconds);
        self
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(super) fn acr_values(&self) -> &[String] {
        &self.acr
    }

    pub(super) fn max_age_seconds(&self) -> Option<u64> {
        self.max_age
    }

    /// Refuses a broken requirement, before any token is read.
    pub(crate) fn check_itself(&self) -> Result<(), Reason> {
        if self.broken { Err(Reason::NotConfigured) } else { Ok(()) }
    }

    /// Checks the authentication first: its challenge also names the scopes, so a single new authorization
    /// fixes both.
    pub(crate) fn check(&self, access: &Access, implied: &Implied, now: DateTime<Utc>) -> Result<(), Reason> {
        if !self.is_authenticated(access, now) {
            return Err(Reason::TokenAuthenticationInsufficient);
        }
        match self.scope.iter().all(|scope| implied.grants(access.scope(), scope)) {
            true => Ok(()),
            false => Err(Reason::TokenScopeInsufficient),
        }
    }

    fn is_authenticated(&self, access: &Access, now: DateTime<Utc>) -> bool {
        let well = self.acr.is_empty() || access.acr().is_some_and(|own| self.acr.iter().any(|a| a == own));
        let lately = self.max_age.is_none_or(|most| {
            // An `auth_time` further in the future than the clock skew is not accepted.
            let age = access.auth_time().map(|then| now.timestamp().saturating_sub(then));
            age.filter(|age| *age >= -CLOCK_SKEW).is_some_and(|age| u64::try_from(age).unwrap_or(0) <= most)
        });
        well && lately
    }
}

/// Which scopes include which others, transitively.
#[derive(Clone, Debug, Default)]
pub(crate) struct Implied(BTreeMap<String, BTreeSet<String>>);

impl Implied {
    /// Computes the transitive closure; cycles are allowed.
    pub(super) fn of(said: &[(String, Vec<String>)]) -> Self {
        let mut closed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (scope, _) in said {
            let mut reached = BTreeSet::new();
            let mut next = vec![scope.as_str()];
            while let Some(from) = next.pop() {
                let direct = said.iter().filter(|(name, _)| name == from).flat_map(|(_, implied)| implied);
                next.extend(direct.filter(|to| reached.insert(to.to_string())).map(String::as_str));
            }
            closed.insert(scope.clone(), reached);
        }
        Self(closed)
    }

    /// Whether a token with this scope has `needed`, directly or implied.
    pub(super) fn grants(&self, scope: &Scope, needed: &str) -> bool {
        let implies = |own: &str| self.0.get(own).is_some_and(|implied| implied.contains(needed));
        scope.iter().any(|own| own == needed || implies(own))
    }
}
