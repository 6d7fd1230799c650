//! [`Grant`]: the life of one authorization, and the only code that knows its rules.
//!
//! No traits, no clock, no I/O: a grant, what was presented, randomness and the time go in, a
//! `Verdict` comes out.

mod access;
mod binding;
mod bridge;
mod code;
mod codec;
mod device;
mod end;
mod front_channel;
mod origin;
mod pushed;
mod refresh;
mod stage;

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
    AccessRights, AuthorizationDetails, FreshSecrets, Parties, ResourceIndicators, RightsRef, Scope, Second,
    Secret, TokenName, after,
};
use crate::client::ClientId;
use crate::error::{Reason, Refusal};
use crate::issuance::{Granted, Issuable, Issuance, Policy};
use crate::openid::{OFFLINE_ACCESS, OpenId, Session};
use access::LiveTokens;
use origin::{Circumstances, Origin};
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
/// A pushed request is a grant in the stage `Pushed`; the approved grant replaces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    id: GrantId,
    /// Whose it is; the subject is the client itself while the grant waits for its user.
    origin: Origin,
    /// The approved scope; no token ever has more.
    scope: Scope,
    /// The approved resources; without any, the tokens are for the server's default audience.
    targets: ResourceIndicators,
    created: Second,
    /// The absolute end, which no rotation moves.
    ends: Second,
    stage: Stage,
}

/// The decision of the rules. The type does not allow issuing tokens without a grant to store.
#[must_use]
#[derive(Debug)]
pub(crate) enum Verdict {
    /// New tokens, once the next grant is stored.
    Issue {
        /// The grant that has to be stored first.
        next: Grant,
        /// The tokens to send then.
        tokens: Issued,
    },
    /// The lost response again. It was stored before, so nothing has to be written.
    Repeat {
        /// The unchanged grant.
        grant: Grant,
        /// The very same tokens.
        tokens: Issued,
    },
    /// Nothing changes.
    Refuse {
        /// Why.
        refusal: Refusal,
    },
    /// Refused for now: the user has not answered yet. Only the time of the poll is written.
    RefuseAndNote {
        /// The grant with its last poll, which has to be stored.
        next: Grant,
        /// Why.
        reason: Reason,
    },
    /// Refused, and the grant ends, which has to be written.
    RefuseAndEnd {
        /// The ended grant, which has to be stored.
        next: Grant,
        /// Why.
        reason: Reason,
    },
}

impl Grant {
    /// A grant whose response has a code.
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
        let grant = Self::new(issuance.for_grant(), authentication, Stage::Live(live), id, now, policy);
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
        let Issuable { client, subject, rights, actor, parent, openid, .. } = issuance.into_inner();
        let AccessRights { scope, details, resources, confirmation } = rights;
        let circumstances = Circumstances {
            authentication,
            actor,
            parent: parent.map(Box::new),
            details,
            openid,
            confirmation: confirmation.map(Box::new),
            spent: None,
        };
        Self {
            id,
            origin: Origin::of(&client, subject, circumstances),
            scope,
            targets: resources,
            created: Second::of(now),
            ends: Second::of(ends),
            stage,
        }
    }

    /// A grant of which hardly anything is known except that it has ended.
    pub(crate) fn ended(
        id: GrantId,
        parties: Parties,
        session: Option<SessionId>,
        at: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Self {
        let session = session.map(|id| Box::new(Session { id, kept_until: None }));
        let openid = session.map(|session| Box::new(OpenId { session: Some(session), ..OpenId::default() }));
        Self {
            id,
            origin: Origin::new(parties, Circumstances { openid, ..Circumstances::default() }),
            scope: Scope::empty(),
            targets: ResourceIndicators::default(),
            created: Second::of(at),
            ends: Second::of(until),
            stage: Stage::Ended(Ended { at, until }),
        }
    }

    /// Its id.
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

    /// The client that it was issued to.
    #[must_use]
    pub fn client(&self) -> &ClientId {
        &self.origin.parties().client
    }

    /// The subject of its tokens; while it waits for its user, the client.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.origin.parties().subject
    }

    /// The approved scope.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The approved resources.
    #[must_use]
    pub fn resources(&self) -> &ResourceIndicators {
        &self.targets
    }

    /// How the user signed in; none for a client's own grant.
    #[must_use]
    pub fn authentication(&self) -> Option<&Authentication> {
        self.origin.circumstances()?.authentication.as_ref()
    }

    /// Who acts for the subject, if the grant is the result of a token exchange (RFC 8693 section 4.1).
    #[must_use]
    pub fn actor(&self) -> Option<&Actor> {
        self.origin.circumstances()?.actor.as_ref()
    }

    /// The subject token of the exchange that made this grant. The grant ends with that token: see
    /// `server/lineage.rs`.
    pub(crate) fn parent(&self) -> Option<TokenName> {
        self.origin.circumstances()?.parent.as_deref().copied()
    }

    /// The approved authorization details (RFC 9396).
    #[must_use]
    pub fn details(&self) -> &AuthorizationDetails {
        self.origin.circumstances().map_or(AuthorizationDetails::NONE, |origin| &origin.details)
    }

    /// Its data for OpenID Connect; `None` if the grant did not begin with the scope `openid`.
    pub(crate) fn openid(&self) -> Option<&OpenId> {
        self.origin.circumstances()?.openid.as_deref()
    }

    /// The session of the host in which the grant began, unless that session has ended; `None` for a grant of
    /// plain OAuth.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.openid()?.session.as_ref().map(|session| session.id)
    }

    /// The time until which its client may have a session that a logout has to end.
    fn kept_for_logout(&self) -> Option<DateTime<Utc>> {
        self.openid()?.session.as_ref()?.kept_until
    }

    /// The time until which the record is kept so that a logout of this session finds its client.
    pub(crate) fn kept_for_logout_of(&self, session: SessionId) -> Option<DateTime<Utc>> {
        self.kept_for_logout().filter(|_| self.session() == Some(session) && self.has_id_token())
    }

    /// Whether its client got an `id_token`, or may have got one concurrently.
    fn has_id_token(&self) -> bool {
        match &self.stage {
            Stage::Live(_) | Stage::Ended(_) => true,
            Stage::Offered(offer) => offer.beside.is_some(),
            Stage::Pushed(_) | Stage::Waiting(_) => false,
        }
    }

    /// The same grant, after its session has ended.
    pub(crate) fn without_session(mut self) -> Self {
        if self.session().is_some() {
            self.origin = self.origin.with(|origin| {
                if let Some(openid) = &mut origin.openid {
                    openid.session = None;
                }
            });
        }
        self
    }

    /// The upper bound of what its tokens may permit.
    pub(crate) fn granted(&self) -> Granted<'_> {
        let Self { scope, targets: resources, .. } = self;
        let subject = self.subject();
        let (details, confirmation) = (self.details(), self.confirmation());
        Granted { subject, rights: RightsRef { scope, details, resources, confirmation } }
    }

    /// When it was approved.
    #[must_use]
    pub fn created(&self) -> DateTime<Utc> {
        self.created.moment()
    }

    /// The absolute end.
    fn ends(&self) -> DateTime<Utc> {
        self.ends.moment()
    }

    /// When it last issued a token; when it was approved, if it has issued none.
    #[must_use]
    pub fn last_used(&self) -> DateTime<Utc> {
        let issued = self.stage.tokens().and_then(LiveTokens::last_issued);
        issued.unwrap_or_else(|| self.created())
    }

    /// Whether its code, its refresh token or one of its access tokens can still be used.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.stage.lifetime().is_live(now)
    }

    /// Whether its user was asked on a page for what it holds, and it is still live. No page is shown for a
    /// token exchange, a password grant or a grant type of the host. A grant whose code was not redeemed does
    /// not count, because the user cannot see and end it yet: silent requests could keep it up without end.
    pub(crate) fn was_asked_for(&self, now: DateTime<Utc>) -> bool {
        let was_asked = match &self.stage {
            Stage::Live(_) => self.origin.spent().is_some(),
            Stage::Offered(_) | Stage::Pushed(_) | Stage::Waiting(_) | Stage::Ended(_) => false,
        };
        was_asked && self.is_live(now)
    }

    /// Whether its refresh tokens outlive the session in which its user agreed to them (OpenID Connect Core
    /// section 11).
    #[must_use]
    pub fn is_offline(&self) -> bool {
        self.scope.contains(OFFLINE_ACCESS)
    }

    /// Whether access tokens were issued and the grant is still live. Before its code is redeemed: whether a
    /// token that was sent beside the code is still live.
    #[must_use]
    pub fn is_redeemed(&self, now: DateTime<Utc>) -> bool {
        match &self.stage {
            Stage::Live(live) => live.is_live(now),
            Stage::Offered(offer) => offer.beside.as_ref().is_some_and(|tokens| now < tokens.expires()),
            Stage::Pushed(_) | Stage::Waiting(_) | Stage::Ended(_) => false,
        }
    }

    /// The time from which the record can be purged: nothing of it can be used or replayed any more, and no
    /// logout has to find it.
    #[must_use]
    pub fn expires(&self) -> DateTime<Utc> {
        let expires = self.stage.lifetime().expires();
        let kept = self.kept_for_logout().filter(|_| self.has_id_token());
        kept.map_or(expires, |kept| expires.max(kept))
    }

    /// The upper bound of [`expires`](Self::expires): only a write that
    /// [reindexes](crate::store::Write::reindexes) moves it beyond this. It is for stores that update their
    /// indexes as seldom as possible.
    #[must_use]
    pub fn latest_expiry(&self) -> DateTime<Utc> {
        let latest = self.stage.lifetime().latest_expiry(self.ends());
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

    /// When this refresh token expires, if it is the current one.
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
