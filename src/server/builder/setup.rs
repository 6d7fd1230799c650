//! Checks the host's configuration, and assembles the server.

use std::mem;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use super::config_error::{ConfigError, ConfigErrors};
use super::profile::validate_profile;
use super::validate::{issuer_path, known_resources, validate_details, validate_documents};
use super::validate::{validate_numbers, validate_openid, validate_single_use, validate_terms};
use crate::audit::{Audit, Endpoint, StandardError};
use crate::base::system::{self, Clock, Entropy, SystemClock, SystemEntropy};
use crate::base::{Algorithm, SECRET_BYTES, Scope, Secret};
use crate::client::auth::AssertionRules;
use crate::client::{
    ClientId, ClientRegistry, ClientSignatures, GrantType, MessageSigning, Profile, Registrar,
    RequestObjects, SealedSecrets, SlowHash,
};
use crate::documents::{Documents, MetadataDocuments};
use crate::error::Mistakes;
use crate::issuance::{DetailType, DetailTypes, KnownExtension, KnownResource, Resource};
use crate::issuance::{Policy, Rules, SignedAnswers, is_served};
use crate::openid::{OPENID, OpenIdRules};
use crate::registration::Registration;
use crate::server::endpoint::Endpoints;
use crate::server::mutual_tls::MutualTls;
use crate::server::openid::ProviderSettings;
use crate::server::process::SingleUse;
use crate::server::token::Extensions;
use crate::server::{AuthorizationServer, ExchangePolicy, Inner, ResourceOwner, Sessions};
use crate::signing::{AccessTokenClaims, AccessTokens, TokenSigner};
use crate::store::{ReplayGuard, TokenStore};
use crate::trust::Dpop;

/// The default clock and random source, which all servers of the process share.
static CLOCK: LazyLock<Arc<dyn Clock>> = LazyLock::new(|| Arc::new(SystemClock));
static ENTROPY: LazyLock<Arc<dyn Entropy>> = LazyLock::new(|| Arc::new(SystemEntropy));

/// All the settings that have a default.
pub(in crate::server) struct Options {
    pub(in crate::server) issuer: String,
    pub(in crate::server) loopback: bool,
    pub(in crate::server) profile: Profile,
    pub(in crate::server) signs_up: bool,
    pub(in crate::server) requires_push: bool,
    pub(in crate::server) request_objects: Option<RequestObjects>,
    pub(in crate::server) signed_answers: SignedAnswers,
    pub(in crate::server) message_signing: MessageSigning,
    pub(in crate::server) policy: Policy,
    pub(in crate::server) scopes: Vec<String>,
    pub(in crate::server) audience: Option<String>,
    pub(in crate::server) resources: Vec<Resource>,
    pub(in crate::server) detail_types: Vec<(String, Arc<dyn DetailType>)>,
    pub(in crate::server) endpoints: Endpoints,
    pub(in crate::server) registration: Option<Registration>,
    pub(in crate::server) introspect_all: Vec<ClientId>,
    pub(in crate::server) registrar: Option<Arc<dyn Registrar>>,
    pub(in crate::server) documents: Option<MetadataDocuments>,
    pub(in crate::server) owner: Option<Arc<dyn ResourceOwner>>,
    pub(in crate::server) exchange: Option<Arc<dyn ExchangePolicy>>,
    pub(in crate::server) extensions: Extensions,
    pub(in crate::server) replay_guard: Option<Arc<dyn ReplayGuard>>,
    pub(in crate::server) slow_hash: Option<Arc<dyn SlowHash>>,
    pub(in crate::server) client_signatures: Option<Arc<dyn ClientSignatures>>,
    pub(in crate::server) sealed_secrets: Option<Arc<dyn SealedSecrets>>,
    pub(in crate::server) mutual_tls: MutualTls,
    pub(in crate::server) legacy_audience: bool,
    pub(in crate::server) access_tokens: AccessTokens,
    pub(in crate::server) signer: Option<Arc<dyn TokenSigner>>,
    pub(in crate::server) access_token_claims: Option<Arc<dyn AccessTokenClaims>>,
    pub(in crate::server) openid: ProviderSettings,
    pub(in crate::server) sessions: Option<Sessions>,
    pub(in crate::server) dpop: Option<Dpop>,
    pub(in crate::server) requires_bound_tokens: bool,
    pub(in crate::server) audit: Option<Arc<dyn Audit>>,
    pub(in crate::server) clock: Arc<dyn Clock>,
    pub(in crate::server) entropy: Arc<dyn Entropy>,
    pub(in crate::server) cursor_key: Option<Secret>,
}

impl Options {
    pub(in crate::server) fn new(issuer: String) -> Self {
        Self {
            issuer,
            loopback: false,
            profile: Profile::default(),
            signs_up: false,
            requires_push: false,
            request_objects: None,
            signed_answers: SignedAnswers::default(),
            message_signing: MessageSigning::default(),
            policy: Policy::default(),
            scopes: Vec::new(),
            audience: None,
            resources: Vec::new(),
            detail_types: Vec::new(),
            endpoints: Endpoints::default(),
            registration: None,
            introspect_all: Vec::new(),
            registrar: None,
            documents: None,
            owner: None,
            exchange: None,
            extensions: Extensions::default(),
            replay_guard: None,
            slow_hash: None,
            client_signatures: None,
            sealed_secrets: None,
            mutual_tls: MutualTls::default(),
            legacy_audience: false,
            access_tokens: AccessTokens::default(),
            signer: None,
            access_token_claims: None,
            openid: ProviderSettings::default(),
            sessions: None,
            dpop: None,
            requires_bound_tokens: false,
            audit: None,
            clock: Arc::clone(&CLOCK),
            entropy: Arc::clone(&ENTROPY),
            cursor_key: None,
        }
    }

    /// Checks the configuration, and assembles the server.
    pub(in crate::server) fn build(
        mut self,
        clients: Arc<dyn ClientRegistry>,
        store: Arc<dyn TokenStore>,
    ) -> Result<AuthorizationServer, ConfigErrors> {
        self.apply_profile();
        let mut errors = validate_single_use(&self);
        errors.extend(validate_profile(&self));
        if !system::is_there() {
            errors.push(ConfigError::HostMissing);
        }
        self.apply_implied();
        let issuer_path = issuer_path(&self.issuer, self.loopback).unwrap_or_else(|error| {
            errors.push(error);
            String::new()
        });
        let scope = Scope::of_tokens(&self.scopes).unwrap_or_else(|_| {
            errors.push(ConfigError::Scopes);
            Scope::empty()
        });
        let signing = self.signing_terms();
        errors.extend(self.signing_mistakes(&signing));
        self.signed_answers.algorithms.clone_from(&signing.allowed);
        let openid = self.openid_rules(&signing);
        errors.extend(self.openid_mistakes(openid.as_ref(), &signing));
        let resources = known_resources(mem::take(&mut self.resources), &scope).unwrap_or_else(|mistakes| {
            errors.extend(mistakes);
            Vec::new()
        });
        let detail_types = mem::take(&mut self.detail_types).into_iter().collect::<DetailTypes>();
        errors.extend(validate_details(&detail_types, &resources));
        errors.extend(self.endpoints.mistakes(&issuer_path));
        errors.extend(validate_numbers(&self.policy));
        let extensions = self.extensions.known();
        errors.extend(self.extensions.mistakes(&self.issuer, self.replay_guard.is_some()));
        if self.request_objects.is_some() && self.client_signatures.is_none() {
            errors.push(ConfigError::RequestObjectsUnverified);
        }
        errors.extend(self.mutual_tls.mistake());
        errors.extend(self.registration_mistakes(&scope, &extensions));
        if !errors.is_empty() {
            return Err(Mistakes(errors));
        }
        let rules = self.rules(scope, resources, detail_types, extensions, openid);
        Ok(AuthorizationServer { inner: Arc::new(self.inner(rules, issuer_path, clients, store)) })
    }

    /// Adds what other settings imply: the terms of registration, and the scope `openid`.
    fn apply_implied(&mut self) {
        if self.profile.switches().open_registration && self.registrar.is_some() {
            self.registration.get_or_insert_with(Registration::open);
        }
        if self.openid.claims.is_some() && !self.scopes.iter().any(|scope| scope == OPENID) {
            self.scopes.push(OPENID.to_owned());
        }
    }

    fn signing_terms(&self) -> SigningTerms {
        let Some(signer) = &self.signer else { return SigningTerms::default() };
        let (algorithms, switches) = (signer.algorithms(), self.profile.switches());
        let allowed = algorithms.iter().copied().filter(|own| switches.algorithms.contains(own)).collect();
        SigningTerms { allowed, algorithms, longest: signer.longest_lifetime() }
    }

    fn signing_mistakes(&self, signing: &SigningTerms) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let formats = self.resources.iter().map(|resource| resource.access_tokens);
        let mut formats = formats.chain([Some(self.access_tokens)]);
        if formats.any(|format| format == Some(AccessTokens::Jwt)) && self.signer.is_none() {
            errors.push(ConfigError::SignerMissing);
        }
        if self.signer.is_none() && self.signed_answers.has_any() {
            errors.push(ConfigError::AnswersUnsigned);
        }
        let asked_for = self.resources.iter().filter_map(|resource| resource.algorithm);
        let missing = asked_for.filter(|algorithm| !signing.algorithms.contains(algorithm));
        errors.extend(missing.map(ConfigError::AlgorithmMissing));
        if signing.longest.is_some_and(|longest| self.policy.access_token_lifetime > longest) {
            errors.push(ConfigError::KeysRetireEarly);
        }
        errors
    }

    fn openid_rules(&self, signing: &SigningTerms) -> Option<OpenIdRules> {
        let opens_secrets = self.sealed_secrets.is_some();
        let openid = self.openid.rules(signing.allowed.clone(), opens_secrets, &self.policy)?;
        Some(OpenIdRules { sessions: self.sessions.as_ref().map(Sessions::rules), ..openid })
    }

    fn openid_mistakes(&self, openid: Option<&OpenIdRules>, signing: &SigningTerms) -> Vec<ConfigError> {
        let has_logout = self.endpoints.path(Endpoint::EndSession).is_some();
        let mut errors = self.openid.mistakes(self.sessions.is_some(), has_logout);
        if self.sessions.as_ref().is_some_and(Sessions::is_weak) {
            errors.push(ConfigError::SessionSecret);
        }
        if self.sessions.as_ref().is_some_and(Sessions::cannot_deliver) {
            errors.push(ConfigError::LogoutQueue);
        }
        if let Some(openid) = openid {
            errors.extend(validate_openid(openid, self.profile.switches(), signing.longest));
        }
        errors
    }

    fn assertion_rules(&self) -> Option<AssertionRules> {
        let signatures = self.client_signatures.as_ref()?;
        let switches = self.profile.switches();
        let path = self.endpoints.path(Endpoint::Token).unwrap_or_default();
        let token_endpoint = || format!("{}{path}", self.issuer.trim_end_matches('/'));
        Some(AssertionRules {
            algorithms: signatures.algorithms().into_iter().filter(|own| switches.allows(own)).collect(),
            fetches: signatures.fetches(),
            macs: self.sealed_secrets.is_some() && signatures.takes_macs(),
            legacy_audience: self.legacy_audience.then(token_endpoint),
        })
    }

    /// What is wrong with the terms of clients that register themselves or have a metadata document.
    fn registration_mistakes(&self, scope: &Scope, extensions: &[KnownExtension]) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        let serves = |grant_type: &GrantType| is_served(grant_type, self.profile, extensions);
        if let Some(terms) = &self.registration {
            errors.extend(validate_terms(terms, &serves, scope, self.registrar.is_some()));
        }
        if let Some(terms) = &self.documents {
            errors.extend(validate_documents(terms, &serves, scope));
        }
        errors
    }

    fn rules(
        &self,
        scope: Scope,
        resources: Vec<KnownResource>,
        detail_types: DetailTypes,
        extensions: Vec<KnownExtension>,
        openid: Option<OpenIdRules>,
    ) -> Rules {
        let only_resource = match resources.as_slice() {
            [only] => Some(only.id.as_str().to_owned()),
            _ => None,
        };
        Rules {
            audience: self.audience.clone().or(only_resource).unwrap_or_else(|| self.issuer.clone()),
            issuer: self.issuer.as_str().into(),
            resources: resources.into_boxed_slice(),
            detail_types,
            access_tokens: self.access_tokens,
            introspect_all: self.introspect_all.clone().into_boxed_slice(),
            profile: self.profile,
            assertions: self.assertion_rules().map(Box::new),
            certificates: self.mutual_tls.rules(),
            extensions: extensions.into_boxed_slice(),
            scope,
            openid: openid.map(Box::new),
            signs_up: self.signs_up,
            requires_push: self.requires_push,
            request_objects: self.request_objects,
            signed_answers: self.signed_answers.clone(),
            message_signing: self.message_signing,
            takes_proofs: self.dpop.is_some(),
            requires_bound_tokens: self.binds_every_token(),
            policy: self.policy.clone().shared(),
        }
    }

    fn inner(
        self,
        rules: Rules,
        issuer_path: String,
        clients: Arc<dyn ClientRegistry>,
        store: Arc<dyn TokenStore>,
    ) -> Inner {
        Inner {
            registration: self.registration.map(Box::new),
            process: OnceLock::new(),
            rules,
            endpoints: self.endpoints,
            issuer_path: issuer_path.into_boxed_str(),
            clients,
            registrar: self.registrar,
            documents: self.documents.map(Documents::new).map(Box::new),
            store,
            owner: self.owner,
            exchange: self.exchange,
            extensions: self.extensions,
            single_use: SingleUse::new(self.replay_guard),
            slow_hash: self.slow_hash,
            client_signatures: self.client_signatures,
            sealed_secrets: self.sealed_secrets,
            mutual_tls: self.mutual_tls.into_used(),
            signer: self.signer,
            access_token_claims: self.access_token_claims,
            dpop: self.dpop.map(Box::new),
            claims: self.openid.claims,
            session_channels: self.sessions.map(|sessions| Box::new(sessions.into_channels())),
            userinfo: OnceLock::new(),
            audit: self.audit.or_else(StandardError::of_debug_builds),
            clock: self.clock,
            cursor_key: self.cursor_key.unwrap_or_else(|| drawn(&*self.entropy)),
            entropy: self.entropy,
        }
    }
}

/// What the server can sign.
#[derive(Default)]
struct SigningTerms {
    /// The algorithms of the signer's keys.
    algorithms: Vec<Algorithm>,
    /// Those that the profile allows.
    allowed: Vec<Algorithm>,
    /// The longest token lifetime for which the key stays published; `None` is unlimited.
    longest: Option<Duration>,
}

fn drawn(entropy: &dyn Entropy) -> Secret {
    let mut bytes = [0; SECRET_BYTES];
    entropy.fill(&mut bytes);
    Secret::new(bytes)
}
