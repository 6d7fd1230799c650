//! [`Grant`]: the life of one authorization, and the only code that knows its rules.
//!
//! No traits, no clock, no I/O: a grant, what was presented, randomness and the time go in, a
//! `Verdict` comes out.

mod access;
mod binding;
mod code;
mod codec;
mod device;
mod end;
mod front_channel;
mod pushed;
mod refresh;
mod stage;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub(crate) use crate::base::MAX_ACTORS;
pub use crate::base::{
    Actor, Authentication, GrantId, Handle, InvalidGrantId, Kind, Login, Prefixes, SessionId, Subject,
    UserCode,
};
pub use access::AccessRecord;
pub(crate) use access::Issued;
pub(crate) use code::{CodeRedemption, PendingCode};
pub use codec::DecodeError;
pub use device::BrowserSession;
pub(crate) use device::DeviceCodeUse;
pub use refresh::MAX_SPENT_REFRESH_TOKENS;
pub(crate) use refresh::RefreshUse;

use crate::base::secret::Fingerprint;
use crate::base::{
    AccessRights, AuthorizationDetails, Confirmation, FreshSecrets, ResourceIndicators, RightsRef, Scope,
    Secret, TokenName, after,
};
use crate::client::ClientId;
use crate::error::{Reason, Refusal};
use crate::issuance::{Granted, Issuance, Policy};
use crate::openid::{OFFLINE_ACCESS, OpenId};
use access::LiveTokens;
use stage::{Ended, Lifetime as _, Live, Stage};

/// One authorization, from the code to its end.
///
/// ```text
///   pushed request ─▶ authorize         device_authorization
///                │ approve                       │
///                ▼                               ▼
///    Offered (a code is out)        Waiting (for the user of a device) ⟲ claim, poll, deny
///                │ redeem_code                   │ approve, redeem_device_code
///                └────────────────────────┐      │
///                                         ▼      ▼
///    client_credentials, password, ───────▶ Live  ⟲ rotate_refresh, issue another access token
///    implicit                                 │
///                                             │ revoke · replay detected
///                                             ▼
///                                           Ended (a tombstone until nothing can be replayed)
/// ```
///
/// A pushed request is a grant of its own, `Pushed`; what its user approves replaces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    id: GrantId,
    client: ClientId,
    /// The client itself, as long as it waits for its user.
    subject: Subject,
    /// All that was approved; no token ever has more.
    scope: Scope,
    /// The resources that were approved; without any, its tokens are for the server's default audience.
    targets: ResourceIndicators,
    created: DateTime<Utc>,
    /// The absolute end, which no rotation moves.
    ends: DateTime<Utc>,
    /// How it came about; mostly none for a client's own grant.
    origin: Option<Arc<Origin>>,
    stage: Stage,
}

/// What of a grant does not change once it has issued tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Origin {
    /// How the user signed in.
    authentication: Option<Authentication>,
    /// Who acts for the subject, where a token was exchanged.
    actor: Option<Actor>,
    /// The token that was exchanged; the grant ends with it. Boxed, for it is rare.
    parent: Option<Box<TokenName>>,
    /// All the details that were approved.
    details: AuthorizationDetails,
    /// What OpenID Connect needs of it; none in a grant of plain OAuth.
    openid: Option<Box<OpenId>>,
    /// The key that it is bound to, and with it its code and its refresh tokens. Boxed, for most have none.
    confirmation: Option<Box<Confirmation>>,
}

impl Origin {
    fn shared(self) -> Option<Arc<Self>> {
        let Self { authentication, actor, parent, details, openid, confirmation } = &self;
        let is_bare = authentication.is_none() && actor.is_none() && parent.is_none();
        let is_bare = is_bare && details.is_empty() && openid.is_none() && confirmation.is_none();
        (!is_bare).then(|| Arc::new(self))
    }
}

/// What the rules say. Issuing without a next grant cannot be written down.
#[must_use]
#[derive(Debug)]
pub(crate) enum Verdict {
    /// New tokens, once the next grant is stored.
    Issue {
        /// The grant that has to be stored first.
        next: Grant,
        /// What the client gets then.
        tokens: Issued,
    },
    /// The answer that was lost, once more. It was stored before, so nothing has to be written.
    Repeat {
        /// The grant as it is.
        grant: Grant,
        /// The very same tokens.
        tokens: Issued,
    },
    /// Nothing changes.
    Refuse {
        /// Why.
        refusal: Refusal,
    },
    /// Not yet. That it was asked for is a write, and nothing else changes.
    RefuseAndNote {
        /// The grant with its last poll, which has to be stored.
        next: Grant,
        /// Why.
        reason: Reason,
    },
    /// The refusal is itself a write.
    RefuseAndEnd {
        /// The ended grant, which has to be stored.
        next: Grant,
        /// Why.
        reason: Reason,
    },
}

impl Grant {
    /// A grant whose code is out.
    #[must_use]
    pub(crate) fn offer(
        issuance: Issuance,
        authentication: Authentication,
        terms: PendingCode,
        fresh: &FreshSecrets,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Self {
        let stage = Stage::Offered(Box::new(terms.into()));
        Self::new(issuance, Some(authentication), stage, fresh.grant, now, policy)
    }

    /// A grant that issues its first access token at once: client credentials, password, implicit, token
    /// exchange.
    #[must_use]
    pub(crate) fn issue(
        issuance: Issuance,
        authentication: Option<Authentication>,
        fresh: FreshSecrets,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> (Self, Issued) {
        let (id, ends) = (fresh.grant, end_of(&issuance, now, policy));
        let confirmation = issuance.grant_confirmation();
        let rights = RightsRef { confirmation: confirmation.as_ref(), ..issuance.rights.as_ref() };
        let granted = Granted { rights, ..issuance.granted() };
        let (live, tokens) = Live::begin(&issuance, granted, ends, fresh, now, policy);
        let rights = AccessRights { confirmation, ..issuance.rights };
        let issuance = Issuance { rights, ..issuance };
        let grant = Self::new(issuance, authentication, Stage::Live(live), id, now, policy);
        (grant, tokens)
    }

    fn new(
        issuance: Issuance,
        authentication: Option<Authentication>,
        stage: Stage,
        id: GrantId,
        now: DateTime<Utc>,
        policy: &Policy,
    ) -> Self {
        let ends = end_of(&issuance, now, policy);
        let AccessRights { scope, details, resources, confirmation } = issuance.rights;
        let origin = Origin {
            authentication,
            actor: issuance.actor,
            parent: issuance.parent.map(Box::new),
            details,
            openid: issuance.openid,
            confirmation: confirmation.map(Box::new),
        };
        Self {
            id,
            client: issuance.client.id().clone(),
            subject: issuance.subject,
            scope,
            targets: resources,
            created: now,
            ends,
            origin: origin.shared(),
            stage,
        }
    }

    /// A grant of which nothing is known but that it has ended.
    pub(crate) fn ended(
        id: GrantId,
        client: ClientId,
        subject: Subject,
        at: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            client,
            subject,
            scope: Scope::empty(),
            targets: ResourceIndicators::default(),
            created: at,
            ends: until,
            origin: None,
            stage: Stage::Ended(Ended { at, until }),
        }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> GrantId {
        self.id
    }

    pub(crate) fn id_ref(&self) -> &GrantId {
        &self.id
    }

    /// Whether it was ended.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    /// The client that it was made for.
    #[must_use]
    pub fn client(&self) -> &ClientId {
        &self.client
    }

    /// The subject of its tokens; while it waits for its user, the client.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// All that was approved.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The resources that were approved.
    #[must_use]
    pub fn resources(&self) -> &ResourceIndicators {
        &self.targets
    }

    /// How the user signed in; none for a client's own grant.
    #[must_use]
    pub fn authentication(&self) -> Option<&Authentication> {
        self.origin.as_ref()?.authentication.as_ref()
    }

    /// Who acts for the subject, where a token was exchanged for another (RFC 8693 section 4.1).
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.origin.as_ref()?.actor.as_ref()
    }

    /// The token that its own one was exchanged for. The grant is no longer than that: see
    /// `server/lineage.rs`.
    pub(crate) fn parent(&self) -> Option<TokenName> {
        self.origin.as_ref()?.parent.as_deref().copied()
    }

    /// What was approved that a scope cannot say (RFC 9396).
    #[must_use]
    pub fn details(&self) -> &AuthorizationDetails {
        self.origin.as_ref().map_or(AuthorizationDetails::NONE, |origin| &origin.details)
    }

    /// What it remembers for OpenID Connect; none of a grant that did not begin with the scope `openid`.
    pub(crate) fn openid(&self) -> Option<&OpenId> {
        self.origin.as_ref()?.openid.as_deref()
    }

    /// The session of the host that it began in, and that has not ended since; none of a grant of plain
    /// OAuth.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.openid()?.session.as_ref().map(|session| session.id)
    }

    /// Until when its client may have a session that a logout has to end.
    fn kept_for_logout(&self) -> Option<DateTime<Utc>> {
        self.openid()?.session.as_ref()?.kept_until
    }

    /// The same grant, after its session has ended.
    pub(crate) fn without_session(mut self) -> Self {
        if self.session().is_some() {
            let origin = self.origin.as_mut().map(Arc::make_mut);
            if let Some(openid) = origin.and_then(|origin| origin.openid.as_mut()) {
                openid.session = None;
            }
        }
        self
    }

    /// The most that its tokens may permit.
    pub(crate) fn granted(&self) -> Granted<'_> {
        let Self { subject, scope, targets: resources, .. } = self;
        let (details, confirmation) = (self.details(), self.confirmation());
        Granted { subject, rights: RightsRef { scope, details, resources, confirmation } }
    }

    /// When it was approved.
    #[must_use]
    pub fn created(&self) -> DateTime<Utc> {
        self.created
    }

    /// When it last issued a token; when it was approved, if it has issued none.
    #[must_use]
    pub fn last_used(&self) -> DateTime<Utc> {
        let issued = self.stage.tokens().and_then(LiveTokens::last_issued);
        issued.unwrap_or(self.created)
    }

    /// Whether something of it can still be used: a code, a refresh token or an access token.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.stage.lifetime().is_live(now)
    }

    /// Whether its user was asked on a page for what it holds, and something of it can still be used. No page
    /// is shown for what was exchanged, or what a password or a grant type of the host gave.
    pub(crate) fn was_asked_for(&self, now: DateTime<Utc>) -> bool {
        let was_asked = match &self.stage {
            Stage::Offered(_) => true,
            Stage::Live(live) => live.spent.is_some(),
            Stage::Pushed(_) | Stage::Waiting(_) | Stage::Ended(_) => false,
        };
        was_asked && self.is_live(now)
    }

    /// Whether its refresh tokens outlive the session in which its user agreed to them (OpenID Connect Core
    /// section 11).
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.scope.contains(OFFLINE_ACCESS)
    }

    /// Whether access tokens were issued and something of the grant can still be used; before its code is
    /// redeemed, one of them.
    #[must_use]
    pub fn is_redeemed(&self, now: DateTime<Utc>) -> bool {
        match &self.stage {
            Stage::Live(live) => live.is_live(now),
            Stage::Offered(offer) => offer.beside.as_ref().is_some_and(|tokens| now < tokens.expires()),
            Stage::Pushed(_) | Stage::Waiting(_) | Stage::Ended(_) => false,
        }
    }

    /// From when on the record can be purged: nothing of it can be used or replayed any more, and no logout
    /// has to find it.
    #[must_use]
    pub fn expires(&self) -> DateTime<Utc> {
        let expires = self.stage.lifetime().expires();
        let has_id_token = match &self.stage {
            // Its client got one, or may have got one at the same moment.
            Stage::Live(_) | Stage::Ended(_) => true,
            Stage::Offered(offer) => offer.beside.is_some(),
            Stage::Pushed(_) | Stage::Waiting(_) => false,
        };
        let kept = self.kept_for_logout().filter(|_| has_id_token);
        kept.map_or(expires, |kept| expires.max(kept))
    }

    /// No write but one that [reindexes](crate::store::Write::reindexes) moves [`expires`](Self::expires)
    /// beyond this: for a store whose indexes are to change as seldom as possible.
    #[must_use]
    pub fn latest_expiry(&self) -> DateTime<Utc> {
        let latest = self.stage.lifetime().latest_expiry(self.ends);
        self.kept_for_logout().map_or(latest, |kept| latest.max(kept))
    }

    /// The live access token with this secret.
    #[must_use]
    pub fn access(&self, presented: &Secret, now: DateTime<Utc>) -> Option<&AccessRecord> {
        self.stage.tokens()?.find(presented, now)
    }

    /// The live access token with this name.
    pub(crate) fn access_by_name(&self, name: Fingerprint, now: DateTime<Utc>) -> Option<&AccessRecord> {
        self.stage.tokens()?.by_name(name, now)
    }

    /// Until when this refresh token could be used, if it is the current one.
    #[must_use]
    pub fn refresh_expires(&self, presented: &Secret, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let Stage::Live(Live { family: Some(family), .. }) = &self.stage else {
            return None;
        };
        (family.is_current(presented) && now < family.idle_until).then_some(family.idle_until)
    }
}

/// The latest end of a grant that begins now.
fn end_of(issuance: &Issuance, now: DateTime<Utc>, policy: &Policy) -> DateTime<Utc> {
    after(now, policy.grant_lifetime).min(issuance.until)
}

fn refuse(reason: Reason) -> Verdict {
    Verdict::Refuse { refusal: reason.into() }
}
