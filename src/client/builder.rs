//! [`ClientBuilder`]: collects what is registered and reports every mistake at once.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::auth::Credentials;
use super::certificate::CertificateSubject;
use super::identity::Identity;
use super::keys::ClientKeys;
use super::{ApplicationType, AuthMethod, Client, ClientError, ClientErrors, ClientId, ClientMetadata};
use super::{ClientSecret, ClientState, GrantType, LogoutUris, Profile, ProfileMismatch, ResponseType};
use super::{MIN_MAC_SECRET, SealedSecretError, SealedSecrets, SecretHash, SelfRegistration};
use crate::base::redirect_uri::{RedirectUri, may_be_named};
use crate::base::{AccessTokens, Scope, SecretText};
use crate::error::Mistakes;

/// Builds a [`Client`].
///
/// ```
/// use grantor::{Client, GrantType};
/// let service = Client::builder("robot")
///     .secret("dGhlIHNlY3JldCBvZiB0aGUgcm9ib3Q")
///     .grant_types([GrantType::ClientCredentials])
///     .scope("read")
///     .build()?;
/// assert!(service.is_confidential());
/// # Ok::<(), grantor::client::ClientErrors>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientBuilder {
    id: Option<ClientId>,
    pub(super) metadata: ClientMetadata,
    scope: Option<String>,
    secrets: Vec<ClientSecret>,
    issued: Option<DateTime<Utc>>,
    revision: u64,
    state: ClientState,
    self_registration: Option<Box<SelfRegistration>>,
    owner: Option<String>,
    is_stored: bool,
}

impl ClientBuilder {
    pub(super) fn new(id: Option<ClientId>) -> Self {
        Self {
            id,
            metadata: ClientMetadata::default(),
            scope: None,
            secrets: Vec::new(),
            issued: None,
            revision: 0,
            state: ClientState::default(),
            self_registration: None,
            owner: None,
            is_stored: false,
        }
    }

    /// Sets all metadata at once, as from a file; earlier settings are dropped.
    pub fn metadata(self, metadata: ClientMetadata) -> Self {
        Self { metadata, scope: None, ..self }
    }

    /// `client_name`
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.metadata.client_name = Some(name.into().into_boxed_str());
        self
    }

    /// Adds one of `redirect_uris`.
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.metadata.redirect_uris.push(uri.into());
        self
    }

    /// Adds one of `post_logout_redirect_uris`: where the browser may be redirected after a logout.
    pub fn post_logout_redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.metadata.post_logout_redirect_uris.push(uri.into());
        self
    }

    /// `backchannel_logout_uri`: where the client is notified of the end of a session.
    pub fn backchannel_logout_uri(mut self, uri: impl Into<String>) -> Self {
        self.metadata.backchannel_logout_uri = Some(uri.into().into_boxed_str());
        self
    }

    /// `frontchannel_logout_uri`: what a hidden frame loads at the end of a session.
    pub fn frontchannel_logout_uri(mut self, uri: impl Into<String>) -> Self {
        self.metadata.frontchannel_logout_uri = Some(uri.into().into_boxed_str());
        self
    }

    /// `grant_types`; by default only `authorization_code`.
    pub fn grant_types(mut self, types: impl IntoIterator<Item = GrantType>) -> Self {
        self.metadata.grant_types = Some(types.into_iter().collect());
        self
    }

    /// `response_types`; by default those that the grant types need.
    pub fn response_types(mut self, types: impl IntoIterator<Item = ResponseType>) -> Self {
        self.metadata.response_types = Some(types.into_iter().collect());
        self
    }

    /// `scope`: tokens separated by spaces; by default all that the server knows.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// `authorization_details_types`; by default, if a user is asked, all that the server knows, else none.
    pub fn authorization_details_types<S: Into<String>>(
        mut self,
        types: impl IntoIterator<Item = S>,
    ) -> Self {
        self.metadata.authorization_details_types = Some(types.into_iter().map(Into::into).collect());
        self
    }

    /// `token_endpoint_auth_method`; by default `client_secret_basic`. [`AuthMethod::None`]: a public client.
    pub fn auth_method(mut self, method: AuthMethod) -> Self {
        self.metadata.token_endpoint_auth_method = Some(method);
        self
    }

    /// `application_type`
    pub fn application_type(mut self, kind: ApplicationType) -> Self {
        self.metadata.application_type = Some(kind);
        self
    }

    /// Adds a secret of at least 22 random characters; only a SHA-256 digest is kept. For one that a person
    /// chose, use [`secret_phc`](Self::secret_phc).
    pub fn secret(self, secret: impl Into<String>) -> Self {
        let hash = SecretHash::Sha256(SecretText::new(secret).digest());
        self.add_secret(hash, None)
    }

    /// Like [`secret`](Self::secret), valid until `expires`.
    pub fn secret_until(self, secret: impl Into<String>, expires: DateTime<Utc>) -> Self {
        let hash = SecretHash::Sha256(SecretText::new(secret).digest());
        self.add_secret(hash, Some(expires))
    }

    /// Adds a secret as a PHC string (`$argon2id$…`). The server needs a [`SlowHash`](super::SlowHash) for
    /// it.
    pub fn secret_phc(self, phc: impl Into<String>) -> Self {
        self.add_secret(SecretHash::Phc(phc.into()), None)
    }

    /// Adds a secret that the server can open: for [`AuthMethod::ClientSecretJwt`], and for tokens with
    /// `HS256`, which the last added secret signs. Its digest is kept, too, so it also works with the other
    /// secret methods.
    ///
    /// # Errors
    /// It has fewer than 32 bytes, or the host did not seal it.
    pub fn sealed_secret(
        mut self,
        secret: impl Into<String>,
        host: &dyn SealedSecrets,
    ) -> Result<Self, SealedSecretError> {
        let secret = SecretText::new(secret);
        if secret.reveal().len() < MIN_MAC_SECRET {
            return Err(SealedSecretError::TooShort);
        }
        self.secrets.push(ClientSecret::new(&secret, Some(host))?);
        Ok(self)
    }

    /// Sets when the last added secret expires.
    pub fn last_secret_until(mut self, expires: DateTime<Utc>) -> Self {
        if let Some(last) = self.secrets.last_mut() {
            last.expires = Some(expires);
        }
        self
    }

    /// `jwks`: its public keys, which verify its assertions.
    pub fn jwks(mut self, keys: serde_json::Value) -> Self {
        self.metadata.jwks = Some(Box::new(keys));
        self
    }

    /// `jwks_uri`: where it publishes its public keys.
    pub fn jwks_uri(mut self, uri: impl Into<String>) -> Self {
        self.metadata.jwks_uri = Some(uri.into().into_boxed_str());
        self
    }

    /// `token_endpoint_auth_signing_alg`: the one algorithm of its assertions.
    pub fn auth_signing_alg(mut self, algorithm: impl Into<String>) -> Self {
        self.metadata.token_endpoint_auth_signing_alg = Some(algorithm.into().into_boxed_str());
        self
    }

    /// `request_object_signing_alg`: the one algorithm of its request objects (RFC 9101).
    pub fn request_object_signing_alg(mut self, algorithm: impl Into<String>) -> Self {
        self.metadata.request_object_signing_alg = Some(algorithm.into().into_boxed_str());
        self
    }

    /// `require_signed_request_object`: whether its authorization requests must be signed (RFC 9101).
    pub fn require_signed_request_object(mut self, required: bool) -> Self {
        self.metadata.require_signed_request_object = Some(required);
        self
    }

    /// `tls_client_auth_subject_dn`: the distinguished name of its certificate. The other names are members
    /// of the [`metadata`](Self::metadata).
    pub fn certificate_subject_dn(mut self, name: impl Into<String>) -> Self {
        self.metadata.tls_client_auth_subject_dn = Some(name.into().into_boxed_str());
        self
    }

    /// `tls_client_certificate_bound_access_tokens`: whether its tokens are bound to its certificate (RFC
    /// 8705). If every token must be bound to a key, a client that presents a certificate gets bound tokens
    /// even without this.
    pub fn certificate_bound_access_tokens(mut self, bound: bool) -> Self {
        self.metadata.tls_client_certificate_bound_access_tokens = Some(bound);
        self
    }

    /// The format of its access tokens, unless their resource says otherwise.
    pub fn access_tokens(mut self, format: AccessTokens) -> Self {
        self.metadata.access_tokens = Some(format);
        self
    }

    /// `require_pushed_authorization_requests`: whether its authorization requests must be pushed (RFC 9126).
    pub fn require_pushed_authorization_requests(mut self, required: bool) -> Self {
        self.metadata.require_pushed_authorization_requests = Some(required);
        self
    }

    /// `dpop_bound_access_tokens`: whether its access tokens must be bound to a DPoP key (RFC 9449).
    pub fn dpop_bound_access_tokens(mut self, required: bool) -> Self {
        self.metadata.dpop_bound_access_tokens = Some(required);
        self
    }

    /// Whether a confidential client must use PKCE; public ones always must.
    pub fn require_pkce(mut self, required: bool) -> Self {
        self.metadata.require_pkce = Some(required);
        self
    }

    /// Whether a registered `http://localhost` URI matches any port, as one with `127.0.0.1` does.
    pub fn localhost_any_port(mut self, any: bool) -> Self {
        self.metadata.localhost_any_port = Some(any);
        self
    }

    /// Private-use schemes without a dot that its redirect URIs may have, such as `cursor`. Any program on
    /// the user's device can claim such a scheme, so only PKCE protects the code (RFC 8252 section 8.1).
    pub fn redirect_schemes<S: Into<String>>(mut self, schemes: impl IntoIterator<Item = S>) -> Self {
        self.metadata.redirect_schemes = Some(schemes.into_iter().map(Into::into).collect());
        self
    }

    /// Whether a confidential client's refresh tokens rotate; those of public ones always do.
    pub fn rotate_refresh(mut self, rotate: bool) -> Self {
        self.metadata.rotate_refresh_tokens = Some(rotate);
        self
    }

    /// Whether a confidential client may push unregistered https redirect URIs (RFC 9126 section 2.4).
    pub fn unregistered_redirect_uris(mut self, allowed: bool) -> Self {
        self.metadata.unregistered_redirect_uris = Some(allowed);
        self
    }

    /// The FAPI profile that applies to this client on a server with another profile.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.metadata.profile = Some(profile);
        self
    }

    /// Whether it is served; by default it is.
    pub fn state(mut self, state: ClientState) -> Self {
        self.state = state;
        self
    }

    /// A builder for a change of this client: it keeps the parts that no change of the metadata affects.
    pub(crate) fn keeping(current: &Client) -> Self {
        let builder = Self::new(Some(current.id().clone())).issued(current.issued);
        builder.state(current.state).owned_by(current.owner.clone())
    }

    /// What an earlier version registered must be read, although it could not be registered now.
    pub(super) fn stored(self) -> Self {
        Self { is_stored: true, ..self }
    }

    pub(super) fn revision(mut self, revision: u64) -> Self {
        self.revision = revision;
        self
    }

    pub(crate) fn self_registration(mut self, own: Option<Box<SelfRegistration>>) -> Self {
        self.self_registration = own;
        self
    }

    /// Who owns the client, as the host names them: for example the user's identifier, for a page of "your
    /// applications" ([`ClientPage::owned_by`](super::ClientPage::owned_by)). It is not client metadata, and
    /// means nothing to the protocol.
    pub fn owner(self, owner: impl Into<String>) -> Self {
        self.owned_by(Some(owner.into()))
    }

    pub(crate) fn owned_by(mut self, owner: Option<String>) -> Self {
        self.owner = owner;
        self
    }

    pub(crate) fn id(mut self, id: ClientId) -> Self {
        self.id = Some(id);
        self
    }

    pub(crate) fn issued(mut self, at: Option<DateTime<Utc>>) -> Self {
        self.issued = at;
        self
    }

    pub(crate) fn secrets(mut self, secrets: Vec<ClientSecret>) -> Self {
        self.secrets = secrets;
        self
    }

    /// Whether a registration has to generate a secret.
    pub(crate) fn wants_secret(&self) -> bool {
        self.goes_by(Credentials::Secret) && self.secrets.is_empty()
    }

    /// Whether its authentication method uses these credentials.
    pub(crate) fn goes_by(&self, credentials: Credentials) -> bool {
        self.metadata.auth_method().credentials() == credentials
    }

    fn add_secret(mut self, hash: SecretHash, expires: Option<DateTime<Utc>>) -> Self {
        self.secrets.push(ClientSecret { hash, sealed: None, expires });
        self
    }

    /// Checks that all parts are consistent.
    ///
    /// # Errors
    /// Every mistake, not only the first.
    pub fn build(self) -> Result<Client, ClientErrors> {
        let mut errors = Vec::new();
        let Self { id, mut metadata, scope, mut secrets, issued, revision, state, .. } = self;
        let Self { self_registration, owner, is_stored, .. } = self;

        let id = id.unwrap_or_else(|| ClientId::new(""));
        if id.as_str().is_empty() || !id.as_str().bytes().all(|b| matches!(b, 0x20..=0x7E)) {
            errors.push(ClientError::Id);
        }
        match scope.as_deref().map(Scope::parse) {
            Some(Ok(scope)) => metadata.scope = Some(scope),
            Some(Err(_)) => errors.push(ClientError::Scope),
            None => {}
        }
        let mut redirect_uris = Vec::new();
        let schemes = metadata.redirect_schemes.as_deref().unwrap_or_default();
        let refused = schemes.iter().filter(|scheme| !may_be_named(scheme));
        errors.extend(refused.map(|scheme| ClientError::RedirectScheme(scheme.clone())));
        let check = match is_stored {
            true => RedirectUri::stored_with::<String>,
            false => RedirectUri::register_with::<String>,
        };
        for uri in &metadata.redirect_uris {
            match check(uri, schemes) {
                Ok(uri) => redirect_uris.push(uri),
                Err(why) => errors.push(ClientError::RedirectUri { uri: uri.clone(), why }),
            }
        }

        errors.extend(LogoutUris(&metadata).mistakes().into_iter().map(ClientError::Logout));

        if metadata.redirect_uris.is_empty() && !metadata.needed_response_types().is_empty() {
            errors.push(ClientError::RedirectUriMissing);
        }
        let grant_types = metadata.grant_types();
        let has_grants = |r: &ResponseType| r.grant_types().iter().all(|own| grant_types.contains(own));
        for response in metadata.response_types().iter().filter(|r| !has_grants(r)) {
            errors.push(ClientError::ResponseTypeWithoutGrant(*response));
        }

        let auth_method = metadata.auth_method();
        let keys = ClientKeys::of(&metadata).unwrap_or_else(|why| {
            errors.push(ClientError::Keys(why));
            None
        });
        match auth_method.credentials() {
            Credentials::Nothing if !secrets.is_empty() => errors.push(ClientError::PublicWithSecret),
            Credentials::Secret if secrets.is_empty() => errors.push(ClientError::SecretMissing),
            Credentials::Keys | Credentials::CertifiedKeys | Credentials::Certificate
                if !secrets.is_empty() =>
            {
                errors.push(ClientError::KeysAndSecret);
            }
            Credentials::Keys | Credentials::CertifiedKeys
                if metadata.jwks.is_none() && metadata.jwks_uri.is_none() =>
            {
                errors.push(ClientError::KeysMissing);
            }
            Credentials::Certificate if CertificateSubject::of(&metadata) == Ok(None) => {
                errors.push(ClientError::CertificateSubjectMissing);
            }
            Credentials::Nothing
            | Credentials::Secret
            | Credentials::SealedSecret
            | Credentials::Keys
            | Credentials::CertifiedKeys
            | Credentials::Certificate => {}
        }
        if metadata.needs_sealed_secret() && secrets.iter().all(|secret| secret.sealed.is_none()) {
            errors.push(ClientError::SecretNotSealed);
        }
        errors.extend(CertificateSubject::of(&metadata).err().map(ClientError::CertificateSubject));
        let known = match auth_method.credentials() {
            Credentials::SealedSecret => &["HS256"][..],
            Credentials::Nothing
            | Credentials::Secret
            | Credentials::Keys
            | Credentials::CertifiedKeys
            | Credentials::Certificate => &ALGORITHMS,
        };
        if metadata.token_endpoint_auth_signing_alg.as_deref().is_some_and(|name| !known.contains(&name)) {
            errors.push(ClientError::SigningAlgorithm);
        }
        let sector = metadata.sector(&redirect_uris);
        errors.extend(metadata.openid_mistakes(sector.as_deref()));
        if metadata.request_object_signing_alg.as_deref().is_some_and(|name| !ALGORITHMS.contains(&name)) {
            errors.push(ClientError::RequestObjectAlgorithm);
        }
        if metadata.require_signed_request_object == Some(true)
            && metadata.jwks.is_none()
            && metadata.jwks_uri.is_none()
        {
            errors.push(ClientError::RequestObjectKeys);
        }
        // A server may hold many clients in memory, and most have one element in each of these lists.
        secrets.shrink_to_fit();
        metadata.redirect_uris.shrink_to_fit();
        metadata.post_logout_redirect_uris.shrink_to_fit();
        let client = Client {
            identity: Identity::new(id),
            metadata,
            redirect_uris: redirect_uris.into_boxed_slice(),
            auth_method,
            secrets,
            keys: keys.map(Arc::new),
            issued,
            revision,
            state,
            self_registration,
            owner,
            sector,
            of_document: false,
        };
        if client.binds_to_certificates() && client.allows(&GrantType::Implicit) {
            errors.push(ClientError::ImplicitUnbound);
        }
        if !client.is_confidential() {
            errors.extend(mistakes_of_public(&client));
        }
        match client.profile() {
            Some(own) if own.is_of_clients() => {
                // Only the server knows which messages are signed, so it checks the client again.
                let checked = client.check_profile_with(own, super::MessageSigning::NONE);
                errors.extend(checked.err().into_iter().flat_map(|mistakes| mistakes.0));
            }
            Some(_) => errors.push(ClientError::Profile(ProfileMismatch::OfServers)),
            None => {}
        }
        if errors.is_empty() { Ok(client) } else { Err(Mistakes(errors)) }
    }
}

/// The signature algorithms of clients, by their metadata names; `Ed25519` is another name of `EdDSA`.
const ALGORITHMS: [&str; 5] = ["EdDSA", "Ed25519", "ES256", "PS256", "RS256"];

fn mistakes_of_public(client: &Client) -> impl Iterator<Item = ClientError> {
    let metadata = &client.metadata;
    let found = [
        client.allows(&GrantType::ClientCredentials).then_some(ClientError::PublicClientCredentials),
        metadata.needs_sealed_secret().then_some(ClientError::PublicWithMac),
        (metadata.require_pkce == Some(false)).then_some(ClientError::PublicWithoutPkce),
        (metadata.rotate_refresh_tokens == Some(false)).then_some(ClientError::PublicWithoutRotation),
        (metadata.unregistered_redirect_uris == Some(true)).then_some(ClientError::PublicWithoutRedirectUris),
    ];
    found.into_iter().flatten()
}
