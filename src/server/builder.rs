//! [`AuthorizationServerBuilder`]: configures a server and reports every mistake at once, at start.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

use super::config_error::{ConfigError, ConfigErrors};
use super::endpoint::Endpoints;
use super::extension::Extensions;
use super::limit::{AttemptLimiter, RateLimiter, RegistrationLimiter};
use super::repeats::Repeats;
use super::single_use::SingleUse;
use super::undelivered::UndeliveredAnswers;
use super::validate::{issuer_path, known_resources, validate_details, validate_documents};
use super::validate::{validate_numbers, validate_openid, validate_terms};
use super::{AuthorizationServer, ExchangePolicy, Inner, ResourceOwner};
use crate::audit::{Audit, Endpoint};
use crate::client::auth::AssertionRules;
use crate::client::{ClientId, ClientRegistry, ClientSignatures, GrantType, Registrar, SlowHash};
use crate::details::{DetailType, DetailTypes};
use crate::documents::{Documents, MetadataDocuments};
use crate::openid::{ClaimsSource, OPENID, OpenIdRules};
use crate::policy::{Policy, Profile, Rules, is_served};
use crate::registration::Registration;
use crate::scope::Scope;
use crate::secret::{SECRET_BYTES, Secret};
use crate::signing::{AccessTokenClaims, AccessTokens, TokenSigner};
use crate::store::{ReplayGuard, TokenStore};
use crate::system::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::target::Resource;

/// Configures an [`AuthorizationServer`].
#[must_use]
pub struct AuthorizationServerBuilder {
    issuer: String,
    loopback: bool,
    profile: Profile,
    signs_up: bool,
    requires_push: bool,
    policy: Policy,
    scopes: Vec<String>,
    audience: Option<String>,
    resources: Vec<Resource>,
    detail_types: Vec<(String, Arc<dyn DetailType>)>,
    endpoints: Endpoints,
    registration: Option<Registration>,
    introspect_all: Vec<ClientId>,
    clients: Option<Arc<dyn ClientRegistry>>,
    registrar: Option<Arc<dyn Registrar>>,
    documents: Option<MetadataDocuments>,
    store: Option<Arc<dyn TokenStore>>,
    owner: Option<Arc<dyn ResourceOwner>>,
    exchange: Option<Arc<dyn ExchangePolicy>>,
    pub(super) extensions: Extensions,
    pub(super) replay_guard: Option<Arc<dyn ReplayGuard>>,
    slow_hash: Option<Arc<dyn SlowHash>>,
    client_signatures: Option<Arc<dyn ClientSignatures>>,
    legacy_audience: bool,
    access_tokens: AccessTokens,
    signer: Option<Arc<dyn TokenSigner>>,
    access_token_claims: Option<Arc<dyn AccessTokenClaims>>,
    pub(super) claims: Option<Arc<dyn ClaimsSource>>,
    audit: Option<Arc<dyn Audit>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    cursor_key: Option<Secret>,
}

impl AuthorizationServerBuilder {
    pub(super) fn new(issuer: String) -> Self {
        Self {
            issuer,
            loopback: false,
            profile: Profile::default(),
            signs_up: false,
            requires_push: false,
            policy: Policy::default(),
            scopes: Vec::new(),
            audience: None,
            resources: Vec::new(),
            detail_types: Vec::new(),
            endpoints: Endpoints::default(),
            registration: None,
            introspect_all: Vec::new(),
            clients: None,
            registrar: None,
            documents: None,
            store: None,
            owner: None,
            exchange: None,
            extensions: Extensions::default(),
            replay_guard: None,
            slow_hash: None,
            client_signatures: None,
            legacy_audience: false,
            access_tokens: AccessTokens::default(),
            signer: None,
            access_token_claims: None,
            claims: None,
            audit: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            cursor_key: None,
        }
    }

    /// Where clients are looked up. Required.
    pub fn clients(mut self, clients: impl ClientRegistry + 'static) -> Self {
        self.clients = Some(Arc::new(clients));
        self
    }

    /// Where grants are kept. Required.
    pub fn store(mut self, store: impl TokenStore + 'static) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Every scope that the server knows; a request for another one is refused.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// The generation of OAuth; by default [`Profile::OAuth21`].
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Takes requests with `prompt=create`: you have a page where users sign up, and show it for
    /// [`LoginReason::SignUp`](crate::LoginReason::SignUp). Without it, such a request is refused.
    pub fn sign_up_page(mut self) -> Self {
        self.signs_up = true;
        self
    }

    /// The numbers; by default those of [`Policy::default`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Adds a resource that requests may name (RFC 8707). Without any, `resource` is ignored.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.resources.push(resource);
        self
    }

    /// Adds a type of authorization details that requests may name (RFC 9396); see [`details`](crate::details). Without any,
    /// `authorization_details` is refused.
    pub fn authorization_details_type(
        mut self,
        name: impl Into<String>,
        of: impl DetailType + 'static,
    ) -> Self {
        self.detail_types.push((name.into(), Arc::new(of)));
        self
    }

    /// Whom access tokens are for where a request names no resource (`aud`); by default the only resource, and
    /// without one, or with several, the issuer.
    ///
    /// Opaque tokens that name no resource do not keep it: they are for the audience that the server has when they are used. So
    /// name it before you add the first resource to a server in use, or its outstanding tokens are good at that resource.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// The path of your own `/authorize` handler below the issuer. With it, the server has users: codes are
    /// issued, and the endpoint is advertised.
    pub fn authorization_endpoint(mut self, path: impl Into<String>) -> Self {
        self.endpoints.put(Endpoint::Authorization, path);
        self
    }

    /// The path of your own page for user codes below the issuer (RFC 8628 section 3.3). With it, devices are served:
    /// their endpoint is there and advertised. See [`AuthorizationServer::device`].
    pub fn device_verification(mut self, path: impl Into<String>) -> Self {
        self.endpoints.put(Endpoint::DeviceVerification, path);
        self
    }

    /// The path of the device authorization endpoint below the issuer; by default `/device_authorization`.
    pub fn device_authorization_endpoint(mut self, path: impl Into<String>) -> Self {
        self.endpoints.put(Endpoint::DeviceAuthorization, path);
        self
    }

    /// Refuses authorization requests that were not pushed (RFC 9126 section 5). A single client can require it of itself:
    /// [`ClientMetadata::require_pushed_authorization_requests`](crate::ClientMetadata::require_pushed_authorization_requests).
    pub fn require_pushed_authorization_requests(mut self) -> Self {
        self.requires_push = true;
        self
    }

    /// The path of the pushed authorization request endpoint below the issuer (RFC 9126); by default `/par`. It is there
    /// where there is an [`authorization_endpoint`](Self::authorization_endpoint).
    pub fn pushed_authorization_request_endpoint(mut self, path: impl Into<String>) -> Self {
        self.endpoints.put(Endpoint::PushedAuthorizationRequest, path);
        self
    }

    /// The path of the token endpoint below the issuer; by default `/token`.
    pub fn token_endpoint(mut self, path: impl Into<String>) -> Self {
        self.endpoints.put(Endpoint::Token, path);
        self
    }

    /// The path of the revocation endpoint below the issuer; by default `/revoke`.
    pub fn revocation_endpoint(mut self, path: impl Into<String>) -> Self {
        self.endpoints.put(Endpoint::Revocation, path);
        self
    }

    /// The path of the introspection endpoint below the issuer; by default `/introspect`.
    pub fn introspection_endpoint(mut self, path: impl Into<String>) -> Self {
        self.endpoints.put(Endpoint::Introspection, path);
        self
    }

    /// Lets strangers register clients over HTTP, on these terms (RFC 7591). Needs a [`registrar`](Self::registrar) that
    /// writes where [`clients`](Self::clients) reads.
    pub fn registration(mut self, terms: Registration) -> Self {
        self.registration = Some(terms);
        self
    }

    /// Lets clients that nobody registered be known by the https URL of a document about them. Takes an
    /// [`Outbound`](crate::outbound::Outbound), which asks for the documents, or terms of your own.
    pub fn client_id_metadata_documents(mut self, terms: impl Into<MetadataDocuments>) -> Self {
        self.documents = Some(terms.into());
        self
    }

    /// The path of the registration endpoint below the issuer; by default `/register`.
    pub fn registration_endpoint(mut self, path: impl Into<String>) -> Self {
        self.endpoints.put(Endpoint::Registration, path);
        self
    }

    /// Clients that may introspect every access token, such as your resource servers; others see only their own.
    pub fn introspect_all<S: AsRef<str>>(mut self, clients: impl IntoIterator<Item = S>) -> Self {
        self.introspect_all = clients.into_iter().map(|id| ClientId::new(id.as_ref())).collect();
        self
    }

    /// Lets the issuer be `http://` on a loopback address, for development.
    pub fn allow_http_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    /// Who knows the users: needed for the password grant, and asked whether a user may still be acted for.
    pub fn resource_owner(mut self, owner: impl ResourceOwner + 'static) -> Self {
        self.owner = Some(Arc::new(owner));
        self
    }

    /// Where new clients are written, for [`AuthorizationServer::register`].
    pub fn registrar(mut self, registrar: impl Registrar + 'static) -> Self {
        self.registrar = Some(Arc::new(registrar));
        self
    }

    /// Who checks the secrets that people chose.
    pub fn slow_hash(mut self, hash: impl SlowHash + 'static) -> Self {
        self.slow_hash = Some(Arc::new(hash));
        self
    }

    /// Who verifies what clients sign: with it, clients may authenticate by `private_key_jwt`. Needs a
    /// [`replay_guard`](Self::replay_guard), for each assertion is good once.
    pub fn client_signatures(mut self, signatures: impl ClientSignatures + 'static) -> Self {
        self.client_signatures = Some(Arc::new(signatures));
        self
    }

    /// Lets a client's assertion be for the URL of the token endpoint, too, and not for the issuer alone: older clients write it so
    /// (RFC 7523 section 3). Such an assertion can be used here by another server that the client sends it to, if that one may choose
    /// its token endpoint's URL; so switch it on only where a client needs it.
    pub fn legacy_assertion_audience(mut self) -> Self {
        self.legacy_audience = true;
        self
    }

    /// How access tokens are written, unless a resource or a client says otherwise; by default opaque.
    pub fn access_tokens(mut self, format: AccessTokens) -> Self {
        self.access_tokens = format;
        self
    }

    /// Who signs access tokens, and all else that is to be proven to others. With it, the server publishes its public keys at `/jwks`.
    pub fn token_signer(mut self, signer: impl TokenSigner + 'static) -> Self {
        self.signer = Some(Arc::new(signer));
        self
    }

    /// The host's own claims for signed access tokens.
    pub fn access_token_claims(mut self, claims: impl AccessTokenClaims + 'static) -> Self {
        self.access_token_claims = Some(Arc::new(claims));
        self
    }

    /// The path of the public keys below the issuer; by default `/jwks`.
    pub fn jwks_endpoint(mut self, path: impl Into<String>) -> Self {
        self.endpoints.put(Endpoint::Jwks, path);
        self
    }

    /// The path of the UserInfo endpoint below the issuer; by default `/userinfo`. It is there with OpenID Connect.
    pub fn userinfo_endpoint(mut self, path: impl Into<String>) -> Self {
        self.endpoints.put(Endpoint::UserInfo, path);
        self
    }

    /// Who is told of every event.
    pub fn audit(mut self, audit: impl Audit + 'static) -> Self {
        self.audit = Some(Arc::new(audit));
        self
    }

    /// Another clock than the machine's, for tests and replays.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Another source of randomness than the system's, for tests and replays.
    pub fn entropy(mut self, entropy: impl Entropy + 'static) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }

    /// Who may exchange which access token for which (RFC 8693). Without it there is no such grant type.
    pub fn token_exchange(mut self, policy: impl ExchangePolicy + 'static) -> Self {
        self.exchange = Some(Arc::new(policy));
        self
    }

    /// What authenticates the cursors of [`grants`](AuthorizationServer::grants). Give all nodes the same one; without it,
    /// each start draws its own, and a cursor is good at the node that wrote it. Whoever knows it can begin a listing anywhere.
    pub fn cursor_key(mut self, key: Secret) -> Self {
        self.cursor_key = Some(key);
        self
    }

    /// Checks the whole configuration.
    ///
    /// # Errors
    /// Every mistake, not only the first.
    pub fn build(mut self) -> Result<AuthorizationServer, ConfigErrors> {
        let mut errors = Vec::new();
        if self.profile.switches().open_registration && self.registrar.is_some() {
            self.registration.get_or_insert_with(Registration::open);
        }
        let issuer_path = issuer_path(&self.issuer, self.loopback).unwrap_or_else(|error| {
            errors.push(error);
            String::new()
        });
        if self.claims.is_some() && !self.scopes.iter().any(|scope| scope == OPENID) {
            self.scopes.push(OPENID.to_owned());
        }
        let scope = Scope::parse(&self.scopes.join(" ")).unwrap_or_else(|_| {
            errors.push(ConfigError::Scopes);
            Scope::empty()
        });
        let signed = self.resources.iter().map(|resource| resource.access_tokens);
        let signed = signed.chain([Some(self.access_tokens)]).any(|format| format == Some(AccessTokens::Jwt));
        if signed && self.signer.is_none() {
            errors.push(ConfigError::SignerMissing);
        }
        let can_sign = self.signer.as_ref().map(|signer| signer.algorithms()).unwrap_or_default();
        let asked_for = self.resources.iter().filter_map(|resource| resource.algorithm);
        let missing = asked_for.filter(|algorithm| !can_sign.contains(algorithm));
        errors.extend(missing.map(ConfigError::AlgorithmMissing));
        let longest = self.signer.as_ref().and_then(|signer| signer.longest_lifetime());
        if longest.is_some_and(|longest| self.policy.access_token_lifetime > longest) {
            errors.push(ConfigError::KeysRetireEarly);
        }
        let openid = self
            .claims
            .as_ref()
            .map(|_| OpenIdRules { id_token_lifetime: self.policy.id_token_lifetime, algorithms: can_sign });
        if let Some(openid) = &openid {
            errors.extend(validate_openid(openid, longest));
        }
        let resources = known_resources(self.resources, &scope).unwrap_or_else(|mistakes| {
            errors.extend(mistakes);
            Vec::new()
        });
        let detail_types = self.detail_types.into_iter().collect::<DetailTypes>();
        errors.extend(validate_details(&detail_types, &resources));
        errors.extend(self.endpoints.mistakes());
        errors.extend(validate_numbers(&self.policy));
        let extensions = self.extensions.known();
        let serves = |grant_type: &GrantType| is_served(grant_type, self.profile, &extensions);
        errors.extend(self.extensions.mistakes(&self.issuer, self.replay_guard.is_some()));
        if self.client_signatures.is_some() && self.replay_guard.is_none() {
            errors.push(ConfigError::AssertionsUnremembered);
        }
        let token_endpoint = format!(
            "{}{}",
            self.issuer.trim_end_matches('/'),
            self.endpoints.path(Endpoint::Token).unwrap_or_default()
        );
        let assertions = self.client_signatures.as_ref().map(|signatures| AssertionRules {
            algorithms: signatures.algorithms(),
            fetches: signatures.fetches(),
            legacy_audience: self.legacy_audience.then_some(token_endpoint),
        });
        if let Some(terms) = &self.registration {
            errors.extend(validate_terms(terms, &serves, &scope, self.registrar.is_some()));
        }
        if let Some(terms) = &self.documents {
            errors.extend(validate_documents(terms, &serves, &scope));
        }
        if self.clients.is_none() {
            errors.push(ConfigError::ClientsMissing);
        }
        if self.store.is_none() {
            errors.push(ConfigError::StoreMissing);
        }
        let (Some(clients), Some(store), true) = (self.clients, self.store, errors.is_empty()) else {
            return Err(ConfigErrors(errors));
        };
        let only_resource = match resources.as_slice() {
            [only] => Some(only.id.as_str().to_owned()),
            _ => None,
        };
        let rules = Rules {
            audience: self.audience.or(only_resource).unwrap_or_else(|| self.issuer.clone()),
            issuer: self.issuer.into(),
            resources,
            detail_types,
            access_tokens: self.access_tokens,
            introspect_all: self.introspect_all,
            profile: self.profile,
            assertions: assertions.map(Box::new),
            extensions,
            scope,
            openid: openid.map(Box::new),
            signs_up: self.signs_up,
            requires_push: self.requires_push,
            policy: self.policy,
        };
        let terms = self.registration.as_ref();
        let (per_minute, per_day) = terms.map_or((0, 0), |terms| (terms.per_minute, terms.per_day));
        let inner = Inner {
            registrations: RegistrationLimiter::new(per_minute, per_day),
            registration: self.registration.map(Box::new),
            guesses: RateLimiter::per_minute(rules.policy.secret_failures_per_minute),
            devices: RateLimiter::per_minute(rules.policy.device_requests_per_minute),
            pushes: RateLimiter::per_minute(rules.policy.pushed_requests_per_minute),
            user_codes: AttemptLimiter::new(&rules.policy),
            unanswered: UndeliveredAnswers::new(rules.policy.leeway),
            repeats: Repeats::new(rules.policy.leeway),
            answers_from: Mutex::default(),
            rules,
            endpoints: self.endpoints,
            issuer_path,
            clients,
            registrar: self.registrar,
            documents: self.documents.map(Documents::new).map(Box::new),
            store,
            owner: self.owner,
            exchange: self.exchange,
            extensions: self.extensions,
            one_time: SingleUse::new(self.replay_guard),
            slow_hash: self.slow_hash,
            client_signatures: self.client_signatures,
            signer: self.signer,
            access_token_claims: self.access_token_claims,
            claims: self.claims,
            userinfo: OnceLock::new(),
            audit: self.audit,
            clock: self.clock,
            cursor_key: self.cursor_key.unwrap_or_else(|| drawn(&*self.entropy)),
            entropy: self.entropy,
        };
        Ok(AuthorizationServer { inner: Arc::new(inner) })
    }
}

impl fmt::Debug for AuthorizationServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationServerBuilder").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

fn drawn(entropy: &dyn Entropy) -> Secret {
    let mut bytes = [0; SECRET_BYTES];
    entropy.fill(&mut bytes);
    Secret::new(bytes)
}
