//! The one gate before every token.
//!
//! The most common vulnerability of authorization servers is a check that four grant types have and the fifth
//! lacks. Here a token can only be issued from an [`Issuance`]. Only the `pass` methods of [`Gate`] make one,
//! and all of them check the grant type, the client, the account and the scope by the same function.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::grant_type::{Begins, Holder};
use super::policy::{OmittedScope, Policy, RefreshTokens};
use super::rules::{Rules, any_audience};
use crate::base::time::end_of_time;
use crate::base::{
    AccessRights, AccessTokens, Actor, Algorithm, AuthorizationDetails, Confirmation, ResourceId,
    ResourceIndicators, RightsRef, Scope, Subject, TokenName,
};
use crate::client::{Client, GrantType};
use crate::error::{ProofFlaw, Reason};
use crate::http::form::Form;
use crate::openid::{OFFLINE_ACCESS, OPENID, OpenId, is_of_login};

/// Whether an account is active, as the host says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccountStatus {
    /// The account is active.
    #[default]
    Active,
    /// Disabled or deleted. Nothing is issued; the grant stays as it is.
    Blocked,
}

/// Everything that a decision to issue depends on, except the grant itself.
#[derive(Debug)]
pub(crate) struct Gate<'a> {
    pub(crate) client: &'a Arc<Client>,
    pub(crate) grant_type: GrantType,
    pub(crate) asked: &'a RequestedAccess,
    pub(crate) account_status: AccountStatus,
    pub(crate) rules: &'a Rules,
}

/// The access that a request asks for.
#[derive(Debug, Default)]
pub(crate) struct RequestedAccess {
    pub(crate) scope: Option<Scope>,
    pub(crate) resources: ResourceIndicators,
    pub(crate) details: AuthorizationDetails,
    /// The key that the request proves.
    pub(crate) confirmation: Option<Confirmation>,
}

impl RequestedAccess {
    /// `scope`, `resource` and `authorization_details` of a token request.
    pub(crate) fn parse(form: &Form<'_>) -> Result<Self, Reason> {
        Ok(Self {
            scope: form.one("scope")?.map(Scope::parse).transpose()?,
            resources: ResourceIndicators::parse(form.all("resource"))?,
            details: form
                .one("authorization_details")?
                .map_or(Ok(AuthorizationDetails::default()), AuthorizationDetails::parse)?,
            confirmation: None,
        })
    }
}

/// The ceiling that a host sets for an entitlement.
#[derive(Debug)]
pub(crate) struct Limits {
    pub(crate) scope: Scope,
    /// `None` is every resource that the server knows.
    pub(crate) resources: Option<ResourceIndicators>,
    pub(crate) until: DateTime<Utc>,
    pub(crate) is_refreshable: bool,
}

/// The ceiling of a grant or a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted<'a> {
    /// The subject.
    pub(crate) subject: &'a Subject,
    /// The most that its tokens may permit.
    pub(crate) rights: RightsRef<'a>,
}

/// Permission to issue a token. It can be read everywhere, but outside this file nobody can make one or add a
/// scope, a resource or time to it.
#[derive(Clone, Debug)]
pub(crate) struct Issuance(Issuable);

/// What may be issued: for this client, subject and scope.
#[derive(Clone, Debug)]
pub(crate) struct Issuable {
    pub(crate) client: Arc<Client>,
    pub(crate) subject: Subject,
    /// The `sub` that the client sees, if it is not the host's own identifier.
    pub(crate) sub: Option<Arc<str>>,
    /// What the token permits; for a code, what the grant permits. The resources are those of the grant.
    pub(crate) rights: AccessRights,
    /// The audience of the token, unless it is the server's default.
    pub(crate) audience: Option<ResourceId>,
    /// The format of the access token.
    pub(crate) format: AccessTokens,
    /// The algorithm of a signed access token; `None` is the signer's own choice.
    pub(crate) algorithm: Option<Algorithm>,
    /// Whether there is a refresh token, too.
    pub(crate) refreshable: bool,
    /// The latest expiry of its tokens.
    pub(crate) until: DateTime<Utc>,
    /// Who acts for the subject.
    pub(crate) actor: Option<Actor>,
    /// The subject token of the exchange.
    pub(crate) parent: Option<TokenName>,
    /// The OpenID Connect data of the new grant.
    pub(crate) openid: Option<Box<OpenId>>,
}

impl Issuance {
    /// The ceiling of a new grant: all of this issuance.
    pub(crate) fn granted(&self) -> Granted<'_> {
        Granted { subject: &self.subject, rights: self.rights.as_ref() }
    }

    /// The key that the grant and its refresh tokens are bound to. Only for a public client, whose refresh
    /// tokens have no other protection (RFC 9449 section 5).
    pub(crate) fn grant_confirmation(&self) -> Option<Confirmation> {
        self.rights.confirmation.clone().filter(|_| !self.client.is_confidential())
    }

    /// The same for the grant itself, which has only the [`grant_confirmation`](Self::grant_confirmation).
    pub(crate) fn for_grant(mut self) -> Self {
        self.0.rights.confirmation = self.grant_confirmation();
        self
    }

    /// The part that the user approved. The details may be enriched, so they are checked where they are set.
    /// Without the scope `openid` there are no OpenID Connect data.
    pub(crate) fn narrowed(self, scope: &Scope, details: AuthorizationDetails) -> Self {
        let Issuable { rights, openid, .. } = self.0;
        let scope = rights.scope.intersection(scope);
        let openid = openid.filter(|_| scope.contains(OPENID));
        let rights = AccessRights { scope, details, ..rights };
        Self(Issuable { rights, openid, ..self.0 })
    }

    /// The same with the OpenID Connect data of the new grant.
    pub(crate) fn with_openid(self, openid: Option<Box<OpenId>>) -> Self {
        Self(Issuable { openid, ..self.0 })
    }

    /// The OpenID Connect data of the new grant.
    pub(crate) fn openid_mut(&mut self) -> Option<&mut OpenId> {
        self.0.openid.as_deref_mut()
    }

    /// What it permits, as values for a new grant.
    pub(crate) fn into_inner(self) -> Issuable {
        self.0
    }

    /// Whether nothing has to be stored: for a client's own signed token, if the policy allows that.
    pub(crate) fn is_unrecorded(&self, policy: &Policy) -> bool {
        let own = matches!(self.subject, Subject::Client(_));
        own && self.format == AccessTokens::Jwt && !policy.record_client_jwts
    }
}

impl Deref for Issuance {
    type Target = Issuable;

    fn deref(&self) -> &Issuable {
        &self.0
    }
}

impl Issuable {
    /// Turns it into what a grant that begins with a code may have: for these resources, and with the details
    /// and the key that the request names.
    fn with(mut self, resources: ResourceIndicators, asked: &RequestedAccess) -> Self {
        self.rights.resources = resources;
        self.rights.details = asked.details.clone();
        self.rights.confirmation = asked.confirmation.clone();
        self
    }
}

impl<'a> Gate<'a> {
    /// All checks before an access token, in one place.
    ///
    /// # Errors
    /// The first check that fails.
    pub(crate) fn pass(&self, granted: Granted<'_>) -> Result<Issuance, Reason> {
        let Granted { subject, rights: ceiling } = granted;
        let offer = self.offer(subject, ceiling.scope)?;
        let resources = ceiling.resources.clone();
        let audience = self.audience(&resources)?;
        let scope = self.rules.scope_for(audience.as_ref(), offer.rights.scope);
        let details = self.rules.detail_types.narrow(ceiling.details, &self.asked.details)?;
        let details = self.rules.details_for(audience.as_ref(), self.client, &details);
        let is_cut = scope.is_empty() && !ceiling.scope.is_empty();
        if is_cut && !self.needs_no_scope(audience.as_ref(), &details) {
            return Err(Reason::ScopeExceeded);
        }
        if details.is_empty() && !self.asked.details.is_empty() {
            return Err(Reason::DetailsExceeded);
        }
        let format = self.rules.format_for(audience.as_ref(), self.client);
        let algorithm = match format {
            AccessTokens::Opaque => None,
            AccessTokens::Jwt => self.rules.access_token_algorithm(audience.as_ref(), self.client)?,
        };
        let confirmation = self.binding()?;
        let rights = AccessRights { scope, details, resources, confirmation }.within(ceiling)?;
        Ok(Issuance(Issuable { rights, audience, format, algorithm, ..offer }))
    }

    /// The key to bind a token to: what the request proves, if that meets the requirements of the server and
    /// the client.
    fn binding(&self) -> Result<Option<Confirmation>, Reason> {
        let proven = self.asked.confirmation.as_ref();
        let lacks_proof = self.client.requires_dpop() && proven.and_then(Confirmation::jkt).is_none();
        let lacks_key = self.rules.requires_key(self.client) && proven.is_none();
        match lacks_proof || lacks_key {
            false => Ok(proven.cloned()),
            // An authorization request through a browser cannot prove a key.
            true if self.grant_type == GrantType::Implicit => Err(Reason::GrantTypeNotAllowed),
            true if lacks_proof => Err(ProofFlaw::Missing.into()),
            true => Err(match (self.rules.takes_proofs, self.rules.certificates.binds) {
                (true, true) => ProofFlaw::KeyMissing.into(),
                (true, false) => ProofFlaw::Missing.into(),
                (false, _) => ProofFlaw::CertificateMissing.into(),
            }),
        }
    }

    /// The checks that do not depend on the audience.
    fn offer(&self, subject: &Subject, granted: &Scope) -> Result<Issuable, Reason> {
        let holder = self.grant_type.facts().holder;
        if holder == Holder::Client && !self.client.is_confidential() {
            return Err(Reason::ClientNotConfidential);
        }
        let fits = match subject {
            Subject::Client(_) => matches!(holder, Holder::Client | Holder::Named),
            Subject::User(_) => matches!(holder, Holder::Asked | Holder::User | Holder::Named),
        };
        if !fits {
            return Err(Reason::GrantTypeNotAllowed);
        }
        self.permit(subject, granted)
    }

    /// The checks that do not depend on the subject either.
    fn permit(&self, subject: &Subject, granted: &Scope) -> Result<Issuable, Reason> {
        let client = self.client;
        if !self.rules.serves(&self.grant_type) {
            return Err(Reason::GrantTypeUnsupported);
        }
        if !client.allows(&self.grant_type) {
            return Err(Reason::GrantTypeNotAllowed);
        }
        if self.account_status == AccountStatus::Blocked {
            return Err(Reason::SubjectBlocked);
        }
        let wanted = self.wanted();
        let asked = wanted.as_deref().unwrap_or(granted);
        let is_nothing_known = asked.is_empty() && self.asks_for_scope() && !granted.is_empty();
        if !asked.is_subset(granted) || is_nothing_known {
            return Err(Reason::ScopeExceeded);
        }
        Ok(Issuable {
            client: Arc::clone(client),
            subject: subject.clone(),
            sub: self.rules.sub_of(subject, client)?,
            rights: AccessRights { scope: self.limited(asked), ..AccessRights::default() },
            audience: None,
            format: AccessTokens::Opaque,
            algorithm: None,
            refreshable: self.is_refreshable(asked),
            until: end_of_time(),
            actor: None,
            parent: None,
            openid: None,
        })
    }

    /// The requested scope, if any, without the scopes that the profile ignores: unknown ones and, if a user
    /// is asked, those that the client may not have.
    fn wanted(&self) -> Option<Cow<'a, Scope>> {
        let asked = self.asked.scope.as_ref()?;
        match self.rules.profile.switches().unknown_scopes {
            true if self.asks_a_user() => {
                Some(Cow::Owned(asked.intersection(&self.rules.ceiling(self.client))))
            }
            true => Some(Cow::Owned(asked.intersection(&self.rules.scope))),
            // OpenID Connect Core section 3.1.2.1.
            false if self.asks_a_user() && self.rules.openid.is_some() && asked.contains(OPENID) => {
                let known = asked.intersection(&self.rules.scope);
                // Without a code there is no offline access (section 11).
                let is_offline = self.grant_type != GrantType::Implicit;
                Some(Cow::Owned(if is_offline { known } else { known.without(OFFLINE_ACCESS) }))
            }
            false => Some(Cow::Borrowed(asked)),
        }
    }

    /// The part of a granted scope that the request asks for, before a resource narrows it.
    pub(crate) fn scope_within(&self, granted: &Scope) -> Scope {
        let wanted = self.wanted();
        self.limited(wanted.as_deref().unwrap_or(granted)).intersection(granted)
    }

    /// The part of a scope that the client may have.
    fn limited(&self, scope: &Scope) -> Scope {
        scope.intersection(&self.rules.ceiling(self.client))
    }

    pub(super) fn asks_for_scope(&self) -> bool {
        self.asked.scope.as_ref().is_some_and(|asked| !asked.is_empty())
    }

    /// The gate of a new grant: the ceiling is what the client may have.
    pub(crate) fn pass_new(&self, subject: &Subject) -> Result<Issuance, Reason> {
        let (ceiling, resources) = self.new_terms()?;
        match self.grant_type.facts().begins {
            Begins::Code => self.promise(self.offer(subject, &ceiling)?, resources),
            Begins::DeviceCode => self.promise(self.permit(subject, &ceiling)?, resources),
            Begins::Tokens => {
                let details = &self.asked.details;
                let rights =
                    RightsRef { scope: &ceiling, details, resources: &resources, confirmation: None };
                self.pass(Granted { subject, rights })
            }
        }
    }

    /// The issuance of a code or a device code for these resources, at least one of which can have a token.
    fn promise(&self, offer: Issuable, resources: ResourceIndicators) -> Result<Issuance, Reason> {
        self.check_scope_at(&resources, &offer.rights.scope)?;
        Ok(Issuance(offer.with(resources, self.asked)))
    }

    /// The gate of a response with only an `id_token`: there is no access token to bind to a key or a
    /// resource.
    pub(crate) fn pass_identity(&self, subject: &Subject) -> Result<Issuance, Reason> {
        let (ceiling, resources) = self.new_terms()?;
        if !self.asked.details.is_empty() {
            return Err(Reason::DetailsOfNoResource);
        }
        Ok(Issuance(self.offer(subject, &ceiling)?.with(resources, self.asked)))
    }

    /// The largest scope that a new grant may have, and its resources.
    fn new_terms(&self) -> Result<(Cow<'_, Scope>, ResourceIndicators), Reason> {
        let ceiling = self.rules.ceiling(self.client);
        if self.asked.scope.is_none() && self.rules.policy.omitted_scope == OmittedScope::Refused {
            return Err(Reason::ScopeMissing);
        }
        let resources = self.new_resources()?;
        self.rules.detail_types.check(&self.asked.details, self.client, self.asks_a_user())?;
        self.check_details_at(&resources)?;
        match self.asked.scope {
            Some(_) => Ok((ceiling, resources)),
            None => Ok((Cow::Owned(self.default_scope(&ceiling, &resources)?), resources)),
        }
    }

    /// The scope of a request that names none. Only a request that names `openid` is one of OpenID Connect
    /// (OpenID Connect Core section 3.1.2.1), and offline access has to be requested (section 11). An empty
    /// scope is granted only if the client registered one, or the server has none: a client whose registered
    /// scopes are all unknown here is refused.
    fn default_scope(&self, ceiling: &Scope, resources: &ResourceIndicators) -> Result<Scope, Reason> {
        let scope = ceiling.filtered(|token| !is_of_login(token));
        let registered = self.client.scope().unwrap_or(&self.rules.scope);
        let is_lost = scope.is_empty() && !registered.is_empty();
        match is_lost && !any_audience(resources, |one| self.needs_no_scope(one, &self.asked.details)) {
            true => Err(Reason::ScopeMissing),
            false => Ok(scope),
        }
    }

    /// The resources of a new grant. If a token request may name a resource that the authorization request
    /// did not, the grant has all of those resources, so that the user sees them.
    fn new_resources(&self) -> Result<ResourceIndicators, Reason> {
        match self.asked.resources.is_empty() && self.may_name_late() {
            true => Ok(self.rules.all_resources()),
            false => self.rules.known_resources(&self.asked.resources),
        }
    }

    /// Whether a user decides on a page what is granted.
    fn asks_a_user(&self) -> bool {
        self.grant_type.facts().holder == Holder::Asked
    }

    /// The gate of a new grant by token exchange: it has at most the scope and the lifetime of the subject
    /// token and, if that is bound to a key, the same key.
    pub(crate) fn pass_on(
        &self,
        subject: &Subject,
        ceiling: RightsRef<'_>,
        until: DateTime<Utc>,
        actor: Option<&Actor>,
        parent: Option<TokenName>,
    ) -> Result<Issuance, Reason> {
        let scope = &ceiling.scope.intersection(&self.rules.ceiling(self.client));
        let resources = self.rules.known_resources(&self.asked.resources)?;
        let details = AuthorizationDetails::NONE;
        let rights = RightsRef { scope, details, resources: &resources, confirmation: ceiling.confirmation };
        let Issuance(passed) = self.pass(Granted { subject, rights })?;
        Ok(Issuance(Issuable { until, actor: actor.cloned(), parent, ..passed }))
    }

    /// The gate of a new grant that the host vouches for: at most the scope, resources and time that it
    /// allows.
    pub(crate) fn pass_entitled(&self, subject: &Subject, limits: &Limits) -> Result<Issuance, Reason> {
        let is_user = matches!(subject, Subject::User(_));
        if !is_user && !self.client.is_confidential() {
            return Err(Reason::ClientNotConfidential);
        }
        let granted = limits.scope.intersection(&self.rules.ceiling(self.client));
        let resources = match &limits.resources {
            Some(resources) => self.limited_resources(resources)?,
            None => self.rules.known_resources(&self.asked.resources)?,
        };
        let details = AuthorizationDetails::NONE;
        let rights = RightsRef { scope: &granted, details, resources: &resources, confirmation: None };
        let Issuance(passed) = self.pass(Granted { subject, rights })?;
        let refreshable = is_user && limits.is_refreshable && self.client.allows(&GrantType::RefreshToken);
        Ok(Issuance(Issuable { until: limits.until, refreshable, ..passed }))
    }

    /// The resources to which a host limits a grant. An empty limit must not become the default audience,
    /// which is the meaning of a request without resources, nor may a server without resources ignore the
    /// limit.
    fn limited_resources(&self, limit: &ResourceIndicators) -> Result<ResourceIndicators, Reason> {
        let is_default = |id: &ResourceId| self.rules.is_default_audience(id);
        match self.rules.resources.is_empty() {
            _ if limit.is_empty() => Err(Reason::TargetExceeded),
            true if limit.as_slice().iter().any(is_default) => Ok(ResourceIndicators::default()),
            true => Err(Reason::TargetUnknown),
            false => self.rules.known_resources(limit),
        }
    }

    /// The audience of a token: one of the granted resources; `None` is the server's default audience.
    fn audience(&self, granted: &ResourceIndicators) -> Result<Option<ResourceId>, Reason> {
        let is_default = |id: &ResourceId| self.rules.is_default_audience(id);
        let asked = self.rules.known_resources(&self.asked.resources)?;
        let chosen = match (asked.as_slice(), granted.as_slice()) {
            ([], []) => return Ok(None),
            ([], [only]) => only,
            // The authorization request named no resource.
            ([one], []) if is_default(one) => one,
            // The token request names none either, and the user saw the default audience among the others.
            ([], several) if self.may_name_late() && several.iter().any(is_default) => return Ok(None),
            ([one], granted) if granted.contains(one) => one,
            ([_], _) => return Err(Reason::TargetExceeded),
            ([], _) | ([_, _, ..], _) => return Err(Reason::TargetAmbiguous),
        };
        match is_default(chosen) {
            true => Ok(None),
            false if self.rules.resource(chosen.as_str()).is_none() => Err(Reason::TargetUnknown),
            false => Ok(Some(chosen.clone())),
        }
    }

    /// Whether a token request may name a resource if the authorization request named none.
    fn may_name_late(&self) -> bool {
        self.rules.profile.switches().late_resource && self.grant_type.facts().late_resource
    }

    fn is_refreshable(&self, scope: &Scope) -> bool {
        let is_meant = match self.rules.policy.refresh_tokens {
            RefreshTokens::WhenGranted => true,
            RefreshTokens::OfflineOnly => scope.contains(OFFLINE_ACCESS),
        };
        self.grant_type.facts().refreshable && is_meant && self.client.allows(&GrantType::RefreshToken)
    }
}
