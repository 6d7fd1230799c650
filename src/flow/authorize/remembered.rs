//! Compares what a user granted before with what they are asked to grant now (OpenID Connect Core section
//! 3.1.2.4).

use chrono::{DateTime, Utc};

use super::AwaitConsent;
use crate::base::{Scope, Subject};
use crate::error::Fault;
use crate::flow::redirect::ErrorAnswer;
use crate::grant::Grant;
use crate::openid::{OFFLINE_ACCESS, OpenId, Session};

/// How much of a request was granted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Remembered {
    /// Not all of it.
    No,
    /// Everything except offline access, which the user did not approve: it is left out (OpenID Connect Core
    /// section 11).
    ButOffline,
    /// All of it.
    Yes,
}

impl AwaitConsent {
    /// The user who is asked.
    pub(crate) fn subject(&self) -> &Subject {
        &self.issuance.subject
    }

    /// How much of the request this one grant covers. Grants are not combined: otherwise one resource would
    /// get what was granted for another.
    pub(crate) fn remembered_in(&self, grant: &Grant, now: DateTime<Utc>) -> Remembered {
        let claims = grant.openid().map(OpenId::claim_names).unwrap_or_default();
        match self.scope_granted_in(grant, now) {
            Some(scope) => self.remembered_of(scope, &claims),
            None => Remembered::No,
        }
    }

    /// The scope of this grant, if it came from a page and covers the resources.
    pub(crate) fn scope_granted_in<'a>(&self, grant: &'a Grant, now: DateTime<Utc>) -> Option<&'a Scope> {
        let has_resources = match (self.resources().as_slice(), grant.resources().as_slice()) {
            ([], had) => had.is_empty(),
            (asked, had) => asked.iter().all(|target| had.contains(target)),
        };
        (grant.was_asked_for(now) && has_resources).then(|| grant.scope())
    }

    /// How much of the request the host's own records cover: a scope and individual claims, for the default
    /// audience.
    pub(crate) fn remembered_by_host(&self, scope: &Scope, claims: &[&str]) -> Remembered {
        match self.resources().is_empty() {
            true => self.remembered_of(scope, claims),
            false => Remembered::No,
        }
    }

    fn remembered_of(&self, scope: &Scope, claims: &[&str]) -> Remembered {
        let has_claims = self.claims().iter().all(|asked| claims.contains(asked));
        let has = |token: &str| scope.contains(token);
        let has_others = self.scope().iter().all(|token| token == OFFLINE_ACCESS || has(token));
        match has_claims && has_others {
            false => Remembered::No,
            true if self.scope().contains(OFFLINE_ACCESS) && !has(OFFLINE_ACCESS) => Remembered::ButOffline,
            true => Remembered::Yes,
        }
    }

    /// Whether the record of the new grant would be kept for a logout.
    pub(crate) fn is_kept_for_logout(&self) -> bool {
        self.session().is_some_and(|session| session.kept_until.is_some())
    }

    /// Whether this record is kept for the same session and client, and for half as long or longer. Then that
    /// of the new grant need not be: the session began before both. The half is for a host whose sessions
    /// last longer than it said because their users come back.
    pub(crate) fn is_kept_by(&self, grant: &Grant, now: DateTime<Utc>) -> bool {
        let Some((session, own)) = self.session().and_then(|own| Some((own.id, own.kept_until?))) else {
            return false;
        };
        let kept = grant.kept_for_logout_of(session).filter(|_| grant.client() == self.client().id());
        kept.is_some_and(|kept| (own - now) / 2 <= kept - now)
    }

    /// The record of the new grant is not kept for a logout, because another one is.
    pub(crate) fn without_own_record(&mut self) {
        let session = self.issuance.openid_mut().and_then(|openid| openid.session.as_mut());
        if let Some(session) = session {
            session.kept_until = None;
        }
    }

    fn session(&self) -> Option<&Session> {
        self.issuance.openid.as_ref()?.session.as_deref()
    }

    /// Leaves `offline_access` out.
    pub(crate) fn without_offline(&mut self) {
        let rest = self.scope().without(OFFLINE_ACCESS);
        self.narrow_scope(&rest);
    }

    /// The error if the earlier grants could not be read, and no page may be shown.
    pub(crate) fn unknown(self, fault: &Fault) -> ErrorAnswer {
        self.refuse(fault.reason())
    }
}
