//! [`Rules`]: the configuration that every decision depends on.

use std::borrow::Cow;
use std::sync::Arc;

use super::detail_types::DetailTypes;
use super::extension_terms::KnownExtension;
use super::policy::Policy;
use super::resource::KnownResource;
use super::signed_answers::SignedAnswers;
use crate::base::{
    AccessTokens, Algorithm, AuthorizationDetail, AuthorizationDetails, ClientId, ResourceId,
    ResourceIndicators, ResponseAlgorithm, Scope, Subject,
};
use crate::client::auth::{AssertionRules, CertificateRules};
use crate::client::{Client, ClientErrors, GrantType, MessageSigning, Profile, RequestObjects, Switches};
use crate::error::{ProofFlaw, Reason};
use crate::openid::{OPENID, OpenIdRules, is_of_login, is_of_user};

/// The rules of a server, for every decision.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rules {
    /// The issuer identifier (RFC 8414 section 2).
    pub issuer: Arc<str>,
    /// The version or profile of OAuth.
    pub profile: Profile,
    /// Every scope that the server knows.
    pub scope: Scope,
    /// The audience (`aud`) of access tokens if a request names no resource.
    pub audience: String,
    /// The resources that requests may name; without any, `resource` is ignored.
    pub(crate) resources: Box<[KnownResource]>,
    /// The host's own grant types.
    pub(crate) extensions: Box<[KnownExtension]>,
    /// The types of authorization details that requests may name.
    pub(crate) detail_types: DetailTypes,
    /// The format of access tokens, unless a resource or a client says otherwise.
    pub access_tokens: AccessTokens,
    /// How client assertions are accepted, if they are.
    pub(crate) assertions: Option<Box<AssertionRules>>,
    /// How client certificates are accepted.
    pub(crate) certificates: CertificateRules,
    /// The clients that may introspect every access token.
    pub(crate) introspect_all: Box<[ClientId]>,
    /// The OpenID Connect rules, if it is enabled.
    pub(crate) openid: Option<Box<OpenIdRules>>,
    /// Whether the host has a page where users sign up.
    pub(crate) signs_up: bool,
    /// Whether an authorization request has to be pushed.
    pub(crate) requires_push: bool,
    /// How signed authorization requests are accepted, if they are.
    pub(crate) request_objects: Option<RequestObjects>,
    /// Which responses are signed for their client.
    pub(crate) signed_answers: SignedAnswers,
    /// Which messages are signed under a message-signing profile.
    pub(crate) message_signing: MessageSigning,
    /// Whether DPoP proofs are accepted.
    pub(crate) takes_proofs: bool,
    /// Whether every access token must be bound to a key.
    pub(crate) requires_bound_tokens: bool,
    /// Lifetimes and limits.
    pub policy: Arc<Policy>,
}

impl Rules {
    /// The default rules of an issuer that knows this scope.
    #[must_use]
    pub fn new(issuer: impl Into<Arc<str>>, scope: Scope) -> Self {
        let issuer = issuer.into();
        Self {
            audience: issuer.to_string(),
            issuer,
            profile: Profile::default(),
            scope,
            resources: Box::default(),
            extensions: Box::default(),
            detail_types: DetailTypes::default(),
            assertions: None,
            certificates: CertificateRules::default(),
            introspect_all: Box::default(),
            access_tokens: AccessTokens::default(),
            openid: None,
            signs_up: false,
            requires_push: false,
            request_objects: None,
            signed_answers: SignedAnswers::default(),
            message_signing: MessageSigning::default(),
            takes_proofs: false,
            requires_bound_tokens: false,
            policy: Policy::default().shared(),
        }
    }

    /// Whether any client can have this grant type here.
    #[must_use]
    pub fn serves(&self, grant_type: &GrantType) -> bool {
        is_served(grant_type, self.profile, &self.extensions)
    }

    /// The terms of a host's own grant type.
    pub(crate) fn extension(&self, grant_type: &GrantType) -> Option<&KnownExtension> {
        self.extensions.iter().find(|own| own.grant_type == *grant_type)
    }

    /// The resources that a request names, if all of them are known.
    pub(crate) fn known_resources(&self, asked: &ResourceIndicators) -> Result<ResourceIndicators, Reason> {
        if self.resources.is_empty() {
            return Ok(ResourceIndicators::default());
        }
        if asked.as_slice().iter().all(|id| self.knows_target(id)) {
            return Ok(asked.clone());
        }
        let known = asked.as_slice().iter().map(|id| self.known_target(id));
        known.collect::<Option<ResourceIndicators>>().ok_or(Reason::TargetUnknown)
    }

    /// The resources that a request names, in the spelling in which they are known; an unknown one stays as
    /// it is.
    pub(crate) fn as_known(&self, asked: ResourceIndicators) -> ResourceIndicators {
        if asked.as_slice().iter().all(|id| self.knows_target(id)) {
            return asked;
        }
        let known = |id: &ResourceId| self.known_target(id).unwrap_or_else(|| id.clone());
        asked.as_slice().iter().map(known).collect()
    }

    /// The known identifier that a request means.
    pub(crate) fn known_target(&self, asked: &ResourceId) -> Option<ResourceId> {
        match self.knows_target(asked) {
            true => Some(asked.clone()),
            false => self.known_alike(asked).filter(|_| self.profile.switches().resource_spelling),
        }
    }

    /// The default audience and every resource; empty if the server has no resources.
    pub(crate) fn all_resources(&self) -> ResourceIndicators {
        if self.resources.is_empty() {
            return ResourceIndicators::default();
        }
        let default = ResourceId::of_audience(&self.audience);
        std::iter::once(default).chain(self.resources.iter().map(|resource| resource.id.clone())).collect()
    }

    /// The known identifier that differs only in spelling.
    fn known_alike(&self, asked: &ResourceId) -> Option<ResourceId> {
        let own = self.resources.iter().map(|resource| &resource.id).find(|id| id.is_spelt_like(asked));
        let default = || ResourceId::of_audience(&self.audience);
        own.cloned().or_else(|| Some(default()).filter(|id| id.is_spelt_like(asked)))
    }

    /// Whether this client may sign its proofs of a key with this algorithm.
    pub(crate) fn check_proof_algorithm(
        &self,
        algorithm: Option<Algorithm>,
        client: &Client,
    ) -> Result<(), Reason> {
        let allowed = self.switches_for(client).algorithms;
        match algorithm.is_none_or(|algorithm| allowed.contains(&algorithm)) {
            true => Ok(()),
            false => Err(ProofFlaw::AlgorithmRefused.into()),
        }
    }

    /// Whether this client's registration meets its profile.
    pub(crate) fn fits(&self, client: &Client) -> bool {
        client.fits(self.profile, self.message_signing)
    }

    /// Like [`fits`](Self::fits), but returns all mistakes.
    pub(crate) fn check_client(&self, client: &Client) -> Result<(), ClientErrors> {
        client.check_profile_with(self.profile, self.message_signing)
    }

    /// The switches of the profile that applies to this client.
    pub(crate) fn switches_for(&self, client: &Client) -> &'static Switches {
        self.profile.with_own(client.profile()).switches()
    }

    /// Which messages from and to this client its profile requires to be signed.
    pub(crate) fn message_signing_for(&self, client: &Client) -> MessageSigning {
        match self.switches_for(client).signed_messages {
            true => self.message_signing,
            false => MessageSigning::NONE,
        }
    }

    /// Whether this client's authorization requests have to be signed.
    pub(crate) fn requires_signed_requests(&self, client: &Client) -> bool {
        client.requires_signed_requests()
            || self.message_signing_for(client).requests
            || self.request_objects.is_some_and(|objects| objects.required)
    }

    /// How request objects of this client are accepted, if they are.
    pub(crate) fn request_objects_of(&self, client: &Client) -> Option<RequestObjects> {
        let is_dated = self.message_signing_for(client).requests;
        self.request_objects.map(|objects| if is_dated { objects.dated() } else { objects })
    }

    /// Whether this client's authorization requests have to be pushed.
    pub(crate) fn requires_push(&self, client: &Client) -> bool {
        self.requires_push || client.requires_push() || self.switches_for(client).pushed_requests
    }

    /// The algorithm of what is signed for a client that has registered none: RS256, or the signer's first
    /// one that the client's profile allows.
    fn algorithm_without_registration(&self, client: &Client) -> Algorithm {
        let allowed = self.switches_for(client).algorithms;
        if allowed.contains(&Algorithm::Rs256) {
            return Algorithm::Rs256;
        }
        let mut own = self.signed_answers.algorithms.iter();
        own.find(|own| allowed.contains(own)).copied().unwrap_or(Algorithm::Es256)
    }

    /// The algorithm of an authorization response to this client, if it can be signed.
    pub(crate) fn authorization_algorithm(&self, client: &Client) -> Option<Algorithm> {
        let named = client.metadata().authorization_signed_response_alg;
        self.signed_answers
            .authorization(named.unwrap_or_else(|| self.algorithm_without_registration(client)))
    }

    /// The algorithm of an introspection response to this client. A client that registered an algorithm, or
    /// whose profile requires it, gets only signed responses; any other gets one if it asks for it and the
    /// server can sign it.
    ///
    /// # Errors
    /// The client gets only signed responses, and the server cannot sign them.
    pub(crate) fn introspection_algorithm(
        &self,
        client: &Client,
        asked: bool,
    ) -> Result<Option<Algorithm>, Reason> {
        let named = client.metadata().introspection_signed_response_alg;
        let is_required = named.is_some() || self.message_signing_for(client).introspection;
        let algorithm = named.unwrap_or_else(|| self.algorithm_without_registration(client));
        let signed = &self.signed_answers;
        match is_required {
            true if !signed.introspection => Err(Reason::NotConfigured),
            true if !signed.algorithms.contains(&algorithm) => Err(Reason::IdTokenAlgorithm),
            true | false => Ok(signed.introspection(algorithm, is_required, asked)),
        }
    }

    /// The algorithm of this client's `id_token`s and logout tokens.
    pub(crate) fn id_token_algorithm(&self, client: &Client) -> ResponseAlgorithm {
        let named = client.metadata().id_token_signed_response_alg;
        named.unwrap_or_else(|| self.algorithm_without_registration(client).into())
    }

    /// The same, if there is a key for it, or the host opens the client's secret.
    ///
    /// # Errors
    /// No `id_token` can be signed for this client.
    pub(crate) fn signable_id_token(&self, client: &Client) -> Result<ResponseAlgorithm, Reason> {
        let algorithm = self.id_token_algorithm(client);
        let can_sign = self.openid.as_ref().is_some_and(|terms| terms.signs_with(algorithm));
        if can_sign { Ok(algorithm) } else { Err(Reason::IdTokenAlgorithm) }
    }

    /// Whether every token of this client must be bound to a key.
    pub(crate) fn requires_key(&self, client: &Client) -> bool {
        self.requires_bound_tokens || self.switches_for(client).bound_tokens
    }

    /// The registered resource with this identifier.
    pub(crate) fn resource(&self, id: &str) -> Option<&KnownResource> {
        self.resources.iter().find(|resource| resource.id.as_str() == id)
    }

    /// The identifier of an audience; `None` is the server's default.
    pub(crate) fn audience_of<'a>(&'a self, audience: Option<&'a ResourceId>) -> &'a str {
        audience.map_or(self.audience.as_str(), ResourceId::as_str)
    }

    /// The registered resource that is this audience.
    pub(crate) fn resource_of(&self, audience: Option<&ResourceId>) -> Option<&KnownResource> {
        self.resource(self.audience_of(audience))
    }

    /// Whether this is the default audience.
    pub(crate) fn is_default_audience(&self, id: &ResourceId) -> bool {
        id.as_str() == self.audience
    }

    /// Whether the server issues tokens for this resource: it is the default audience, or registered.
    pub(crate) fn knows_target(&self, id: &ResourceId) -> bool {
        self.is_default_audience(id) || self.resource(id.as_str()).is_some()
    }

    /// The format of a token for this audience and client: as the resource says, else the client, else the
    /// server.
    pub(crate) fn format_for(&self, audience: Option<&ResourceId>, client: &Client) -> AccessTokens {
        let resource = self.resource_of(audience).and_then(|resource| resource.access_tokens);
        resource.or(client.metadata().access_tokens).unwrap_or(self.access_tokens)
    }

    /// The algorithm of a signed access token for this audience and client, if the audience or the client's
    /// profile restricts it.
    ///
    /// # Errors
    /// The audience requires an algorithm that the client's profile forbids, or the signer has no allowed
    /// one.
    pub(crate) fn access_token_algorithm(
        &self,
        audience: Option<&ResourceId>,
        client: &Client,
    ) -> Result<Option<Algorithm>, Reason> {
        let named = self.resource_of(audience).and_then(|resource| resource.algorithm);
        let allowed = self.switches_for(client).algorithms;
        if allowed == Algorithm::ALL {
            return Ok(named);
        }
        let mut own = self.signed_answers.algorithms.iter().copied();
        let chosen = named.or_else(|| own.find(|own| allowed.contains(own)));
        chosen.filter(|chosen| allowed.contains(chosen)).map(Some).ok_or(Reason::NotConfigured)
    }

    /// The scopes of this audience, if it has a list of its own.
    pub(crate) fn own_scope(&self, audience: Option<&ResourceId>) -> Option<&Scope> {
        self.resource_of(audience).and_then(|resource| resource.scope.as_ref())
    }

    /// The part of a scope that a token for this audience has: what the audience knows, and what a resource
    /// does not have to list.
    pub(crate) fn scope_for(&self, audience: Option<&ResourceId>, scope: Scope) -> Scope {
        match self.own_scope(audience) {
            Some(own) => {
                let for_userinfo = self.is_for_userinfo(audience, &scope);
                scope.filtered(|token| keeps(own, for_userinfo, token))
            }
            None => scope,
        }
    }

    /// Whether UserInfo takes a token for this audience with this scope, and so reads it.
    fn is_for_userinfo(&self, audience: Option<&ResourceId>, scope: &Scope) -> bool {
        audience.is_none() && self.openid.is_some() && scope.contains(OPENID)
    }

    /// Whether a token for this audience has any of a scope.
    pub(crate) fn has_scope_for(&self, audience: Option<&ResourceId>, scope: &Scope) -> bool {
        match self.own_scope(audience) {
            Some(own) => {
                let for_userinfo = self.is_for_userinfo(audience, scope);
                scope.iter().any(|token| keeps(own, for_userinfo, token))
            }
            None => !scope.is_empty(),
        }
    }

    /// Whether a token for one of these resources, or for the default audience, can have some of this scope.
    pub(crate) fn is_usable(&self, resources: &ResourceIndicators, scope: &Scope) -> bool {
        let fits = |audience: Option<&ResourceId>| {
            let lists_none = self.own_scope(audience).is_some_and(Scope::is_empty);
            lists_none || self.has_scope_for(audience, scope)
        };
        !scope.is_empty() && any_audience(resources, fits)
    }

    /// The details for this audience that the client may still have.
    pub(crate) fn details_for(
        &self,
        audience: Option<&ResourceId>,
        client: &Client,
        details: &AuthorizationDetails,
    ) -> AuthorizationDetails {
        details.filtered(self.takes(audience, client))
    }

    /// Whether a token for this audience can carry a detail of this client.
    pub(super) fn takes<'a>(
        &'a self,
        audience: Option<&'a ResourceId>,
        client: &'a Client,
    ) -> impl Fn(&AuthorizationDetail) -> bool + 'a {
        let understood = self.resource_of(audience).and_then(|resource| resource.detail_types.as_deref());
        let registered = client.metadata().authorization_details_types.as_deref();
        let may =
            |types: Option<&[String]>, kind: &str| types.is_none_or(|types| types.iter().any(|t| t == kind));
        move |detail| {
            let kind = detail.kind();
            let known = self.detail_types.knows(kind) && may(understood, kind) && may(registered, kind);
            known && self.is_told(detail, self.audience_of(audience))
        }
    }

    /// Whether a detail is for this audience. Its `locations` may be spelt as `resource` may.
    fn is_told(&self, detail: &AuthorizationDetail, audience: &str) -> bool {
        let mut means = detail.locations().map(|place| self.known_target(&ResourceId::of_audience(place)));
        detail.is_for(audience) || means.any(|known| known.is_some_and(|known| known.as_str() == audience))
    }

    /// The `sub` that a client sees, if it is not the host's own identifier (OpenID Connect Core section
    /// 8.1). Everything that a client reads uses it; grants, listings and the host's own parts use the host's
    /// identifier.
    ///
    /// # Errors
    /// The client has pairwise identifiers, but the server has no secret for them: there is no fallback.
    pub(crate) fn sub_of(&self, subject: &Subject, client: &Client) -> Result<Option<Arc<str>>, Reason> {
        let Subject::User(user) = subject else { return Ok(None) };
        if !client.is_pairwise() {
            return Ok(None);
        }
        let key = self.openid.as_ref().and_then(|openid| openid.pairwise.as_ref());
        match (key, client.sector()) {
            (Some(key), Some(sector)) => Ok(Some(key.sub(sector, user))),
            (None, _) | (_, None) => Err(Reason::NotConfigured),
        }
    }

    /// Everything that a client may have: what it registered, limited to what the server knows.
    pub(crate) fn ceiling<'a>(&'a self, client: &Client) -> Cow<'a, Scope> {
        match client.scope() {
            Some(registered) if !registered.is_same_text(&self.scope) => {
                Cow::Owned(registered.intersection(&self.scope))
            }
            Some(_) | None => Cow::Borrowed(&self.scope),
        }
    }
}

/// Whether a token for an audience with these scopes of its own has this one.
fn keeps(own: &Scope, for_userinfo: bool, token: &str) -> bool {
    own.contains(token) || is_of_login(token) || for_userinfo && is_of_user(token)
}

/// Whether a predicate holds for one of these resources or, if there are none, for the default audience.
pub(super) fn any_audience(
    resources: &ResourceIndicators,
    holds: impl Fn(Option<&ResourceId>) -> bool,
) -> bool {
    match resources.as_slice() {
        [] => holds(None),
        named => named.iter().any(|target| holds(Some(target))),
    }
}

/// Whether any client can have this grant type: the profile allows it, and an extension must be the host's
/// own.
pub(crate) fn is_served(grant_type: &GrantType, profile: Profile, extensions: &[KnownExtension]) -> bool {
    let is_extension = matches!(grant_type, GrantType::Extension(_));
    let is_there = !is_extension || extensions.iter().any(|own| own.grant_type == *grant_type);
    profile.knows(grant_type) && is_there
}
