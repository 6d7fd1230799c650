//! [`Rules`]: what every decision may assume of its server.

use std::sync::Arc;

use super::detail_types::DetailTypes;
use super::extension_terms::KnownExtension;
use super::policy::Policy;
use super::resource::KnownResource;
use super::signed_answers::SignedAnswers;
use crate::base::{
    AccessTokens, Algorithm, AuthorizationDetails, ClientId, ResourceId, ResourceIndicators, Scope, Subject,
};
use crate::client::auth::{AssertionRules, CertificateRules};
use crate::client::{Client, GrantType, MessageSigning, Profile, RequestObjects, Switches};
use crate::error::{ProofFlaw, Reason};
use crate::openid::OpenIdRules;

/// What every decision may assume of its server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rules {
    /// The issuer identifier (RFC 8414 section 2).
    pub issuer: Arc<str>,
    /// Which grants exist at all.
    pub profile: Profile,
    /// Every scope that the server knows.
    pub scope: Scope,
    /// Whom access tokens are for where a request names no resource (`aud`).
    pub audience: String,
    /// The resources that requests may name; without any, `resource` is ignored.
    pub(crate) resources: Vec<KnownResource>,
    /// The grant types that the host brings along.
    pub(crate) extensions: Vec<KnownExtension>,
    /// The types of authorization details that requests may name.
    pub(crate) detail_types: DetailTypes,
    /// How access tokens are written, unless a resource or a client says otherwise.
    pub access_tokens: AccessTokens,
    /// How assertions of clients are taken, if they are.
    pub(crate) assertions: Option<Box<AssertionRules>>,
    /// How certificates of clients are taken.
    pub(crate) certificates: CertificateRules,
    /// The clients that may introspect every access token.
    pub(crate) introspect_all: Vec<ClientId>,
    /// How requests of OpenID Connect are answered, if they are.
    pub(crate) openid: Option<Box<OpenIdRules>>,
    /// Whether the host has a page where users sign up.
    pub(crate) signs_up: bool,
    /// Whether an authorization request has to be pushed.
    pub(crate) requires_push: bool,
    /// How signed authorization requests are taken, if they are.
    pub(crate) request_objects: Option<RequestObjects>,
    /// Which answers are signed for the client that reads them.
    pub(crate) signed_answers: SignedAnswers,
    /// Which messages a profile of signed messages means.
    pub(crate) message_signing: MessageSigning,
    /// Whether DPoP proofs are taken.
    pub(crate) takes_proofs: bool,
    /// Whether every access token has to be bound to a key.
    pub(crate) requires_bound_tokens: bool,
    /// The numbers.
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
            resources: Vec::new(),
            extensions: Vec::new(),
            detail_types: DetailTypes::default(),
            assertions: None,
            certificates: CertificateRules::default(),
            introspect_all: Vec::new(),
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

    /// The terms of a grant type that the host brings along.
    pub(crate) fn extension(&self, grant_type: &GrantType) -> Option<&KnownExtension> {
        self.extensions.iter().find(|own| own.grant_type == *grant_type)
    }

    /// The resources that a request names, if all of them are known.
    pub(crate) fn known_targets(&self, asked: &ResourceIndicators) -> Result<ResourceIndicators, Reason> {
        if self.resources.is_empty() {
            return Ok(ResourceIndicators::default());
        }
        let known = |id: &ResourceId| id.as_str() == self.audience || self.resource(id.as_str()).is_some();
        if asked.as_slice().iter().all(known) {
            return Ok(asked.clone());
        }
        let lenient = asked.as_slice().iter().map(|id| self.known_alike(id));
        lenient
            .collect::<Option<ResourceIndicators>>()
            .filter(|_| self.profile.switches().resource_spelling)
            .ok_or(Reason::TargetUnknown)
    }

    /// The default audience and every resource; none, where the server has no resources.
    pub(crate) fn all_targets(&self) -> ResourceIndicators {
        if self.resources.is_empty() {
            return ResourceIndicators::default();
        }
        let default = ResourceId::of_audience(&self.audience);
        std::iter::once(default).chain(self.resources.iter().map(|resource| resource.id.clone())).collect()
    }

    /// The known identifier that is spelt alike.
    fn known_alike(&self, asked: &ResourceId) -> Option<ResourceId> {
        let mut known = self.resources.iter().map(|resource| &resource.id);
        let mut alike = known.clone().filter(|id| id.is_spelt_like(asked));
        known.find(|id| *id == asked).or_else(|| alike.next()).cloned()
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

    /// The switches of the profile that this client is held to.
    pub(crate) fn switches_for(&self, client: &Client) -> &'static Switches {
        self.profile.with_own(client.profile()).switches()
    }

    /// Which messages of this client, and to it, have to be signed by its profile.
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

    /// How request objects of this client are taken, if they are.
    pub(crate) fn request_objects_of(&self, client: &Client) -> Option<RequestObjects> {
        let is_dated = self.message_signing_for(client).requests;
        self.request_objects.map(|objects| if is_dated { objects.dated() } else { objects })
    }

    /// Whether this client's authorization requests have to be pushed.
    pub(crate) fn requires_push(&self, client: &Client) -> bool {
        self.requires_push || client.requires_push() || self.switches_for(client).pushed_requests
    }

    /// What is signed with for a client that names no algorithm: RS256, or the signer's first one of those that its profile allows.
    pub(crate) fn default_algorithm(&self, client: &Client) -> Algorithm {
        let allowed = self.switches_for(client).algorithms;
        if allowed.contains(&Algorithm::Rs256) {
            return Algorithm::Rs256;
        }
        let mut own = self.signed_answers.algorithms.iter();
        own.find(|own| allowed.contains(own)).copied().unwrap_or(Algorithm::Es256)
    }

    /// What an authorization response to this client is signed with, if it can be.
    pub(crate) fn authorization_algorithm(&self, client: &Client) -> Option<Algorithm> {
        let named = client.metadata().authorization_signed_response_alg;
        self.signed_answers.authorization(named.unwrap_or_else(|| self.default_algorithm(client)))
    }

    /// What an introspection answer to this client is signed with. One that named an algorithm or whose profile wants it gets no other
    /// answer; any other one gets a signed answer if it asks for one and the server can give it.
    ///
    /// # Errors
    /// The client gets signed answers alone, and the server gives none.
    pub(crate) fn introspection_algorithm(
        &self,
        client: &Client,
        asked: bool,
    ) -> Result<Option<Algorithm>, Reason> {
        let named = client.metadata().introspection_signed_response_alg;
        let is_required = named.is_some() || self.message_signing_for(client).introspection;
        let algorithm = named.unwrap_or_else(|| self.default_algorithm(client));
        match is_required && !self.signed_answers.introspection {
            true => Err(Reason::NotConfigured),
            false => Ok(self.signed_answers.introspection(algorithm, is_required, asked)),
        }
    }

    /// What this client's `id_token`s and logout tokens are signed with.
    pub(crate) fn id_token_algorithm(&self, client: &Client) -> Algorithm {
        client.metadata().id_token_signed_response_alg.unwrap_or_else(|| self.default_algorithm(client))
    }

    /// The registered resource with this identifier.
    pub(crate) fn resource(&self, id: &str) -> Option<&KnownResource> {
        self.resources.iter().find(|resource| resource.id.as_str() == id)
    }

    /// How a token for this audience and client is written: as the resource says, else the client, else the server.
    pub(crate) fn format_for(&self, audience: Option<&ResourceId>, client: &Client) -> AccessTokens {
        let audience = audience.map_or(self.audience.as_str(), ResourceId::as_str);
        let resource = self.resource(audience).and_then(|resource| resource.access_tokens);
        resource.or(client.metadata().access_tokens).unwrap_or(self.access_tokens)
    }

    /// The algorithm of a signed access token for this audience, if it wants a certain one, or the profile leaves the signer no choice.
    pub(crate) fn access_token_algorithm(&self, audience: &str) -> Option<Algorithm> {
        let named = self.resource(audience).and_then(|resource| resource.algorithm);
        let is_free = self.profile.switches().algorithms == Algorithm::ALL;
        named.or_else(|| self.signed_answers.algorithms.first().copied().filter(|_| !is_free))
    }

    /// What of a scope means something to this audience.
    pub(crate) fn scope_for(&self, audience: Option<&ResourceId>, scope: Scope) -> Scope {
        let audience = audience.map_or(self.audience.as_str(), ResourceId::as_str);
        match self.resource(audience).and_then(|resource| resource.scope.as_ref()) {
            Some(understood) => scope.intersection(understood),
            None => scope,
        }
    }

    /// The details that mean something to this audience, of those that the client may still have.
    pub(crate) fn details_for(
        &self,
        audience: Option<&ResourceId>,
        client: &Client,
        details: &AuthorizationDetails,
    ) -> AuthorizationDetails {
        let audience = audience.map_or(self.audience.as_str(), ResourceId::as_str);
        let understood = self.resource(audience).and_then(|resource| resource.detail_types.as_ref());
        let registered = client.metadata().authorization_details_types.as_ref();
        let may = |types: Option<&Vec<String>>, kind: &str| {
            types.is_none_or(|types| types.iter().any(|t| t == kind))
        };
        details.filtered(|detail| {
            let kind = detail.kind();
            let known = self.detail_types.knows(kind) && may(understood, kind) && may(registered, kind);
            known && detail.is_for(audience)
        })
    }

    /// By what a client knows a subject, where that is not the host's own identifier (OpenID Connect Core section 8.1). Whatever
    /// a client reads goes through here; grants, listings and the host's own parts have the host's identifier.
    ///
    /// # Errors
    /// The client has pairwise identifiers, and the server no secret to make them with: no other identifier takes their place.
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

    /// All that a client may ever have: what it registered, of what the server knows.
    pub(crate) fn ceiling(&self, client: &Client) -> Scope {
        match client.scope() {
            Some(registered) => registered.intersection(&self.scope),
            None => self.scope.clone(),
        }
    }
}

/// Whether any client can have this grant type: the profile has it, and an extension is one that the host brings along.
pub(crate) fn is_served(grant_type: &GrantType, profile: Profile, extensions: &[KnownExtension]) -> bool {
    let is_extension = matches!(grant_type, GrantType::Extension(_));
    let is_there = !is_extension || extensions.iter().any(|own| own.grant_type == *grant_type);
    profile.knows(grant_type) && is_there
}
