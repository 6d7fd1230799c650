//! What can be wrong with a configuration.

use crate::base::Algorithm;
use crate::error::Mistakes;

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Only on `wasm32-unknown-unknown`, where a module has neither a clock nor a random source of its own.
    #[error("no host provides the time and random numbers: call base::host::install")]
    HostMissing,
    /// RFC 8414 section 2. Also a URL whose port does not exist.
    #[error("the issuer is not an absolute URL with a host and without user information")]
    IssuerNotAUrl,
    /// RFC 8414 section 2.
    #[error("the issuer must be https (allow_http_loopback permits http on a loopback address)")]
    IssuerNotHttps,
    /// RFC 8414 section 2.
    #[error("the issuer must not have a query or a fragment")]
    IssuerQuery,
    /// A router would read a segment of the path as a pattern.
    #[error("no segment of the issuer's path may begin with a colon or an asterisk")]
    IssuerPath,
    /// RFC 3986 section 6.2.2.3: clients would send their requests to another path.
    #[error("no segment of the issuer's path may be . or .. (also as %2e), because clients remove them")]
    IssuerDotSegment,
    /// RFC 3986 section 4.2: a path that begins with two slashes leads to another host.
    #[error("no segment of the issuer's path may be empty: leave out the second of two slashes")]
    IssuerEmptySegment,
    /// RFC 6749 section 3.3.
    #[error(
        "each scope must be one token of the characters that RFC 6749 section 3.3 allows, without a space"
    )]
    Scopes,
    /// RFC 8707 section 2.
    #[error(
        "the resource {0:?} is not an absolute URI without a fragment, or a scope of it is not one token"
    )]
    Resource(String),
    /// Two resources with one identifier.
    #[error("the resource {0:?} is registered twice")]
    ResourceTwice(String),
    /// A scope that no client can ever have.
    #[error("the resource {0:?} has a scope that the server does not know")]
    ResourceScope(String),
    /// A resource with a type of authorization details that the server does not know, or one without a name.
    #[error("the authorization details type {0:?} is not registered: call authorization_details_type")]
    DetailType(String),
    /// RFC 6749 sections 3.1 and 3.2.
    #[error("the endpoint path {0:?} must begin with a slash and have no query, fragment or dot segments")]
    EndpointPath(String),
    /// The issuer's path would be in the URL twice.
    #[error(
        "the path {0:?} begins with the issuer's own path: leave that out, paths are relative to the issuer"
    )]
    EndpointRepeatsIssuer(String),
    /// Two endpoints at the same path.
    #[error("two endpoints have the path {0:?}")]
    EndpointTwice(String),
    /// A lifetime of zero.
    #[error("{0} must not be zero")]
    Zero(&'static str),
    /// RFC 6749 section 4.1.2.
    #[error("code_lifetime must be at most 10 minutes")]
    CodeLifetime,
    /// FAPI 2.0 Security Profile section 5.3.2.2.
    #[error("request_uri_lifetime must be less than 10 minutes")]
    RequestUriLifetime,
    /// Handles could not be told apart.
    #[error("the prefixes of handles must differ, and have at most 16 letters, digits, _ and -")]
    Prefixes,
    /// Signed access tokens without a signer.
    #[error("signed access tokens need a signer: call token_signer")]
    SignerMissing,
    /// Signed authorization responses, introspection responses or metadata without a signer.
    #[error("signed responses need a signer: call token_signer")]
    AnswersUnsigned,
    /// A token would outlive the publication of its key, and could then not be verified.
    #[error("access tokens must not live longer than their signing keys stay published")]
    KeysRetireEarly,
    /// OpenID Connect without RS256 (OpenID Connect Core section 15.1).
    #[error("OpenID Connect needs a signer with a key for RS256: call token_signer")]
    OpenIdSigner,
    /// OpenID Connect Core section 8.1.
    #[error("the secret of pairwise identifiers must have at least 32 bytes")]
    PairwiseSecret,
    /// An `id_token` would outlive the publication of its key, and could then not be verified.
    #[error("id_tokens must not live longer than their signing keys stay published")]
    KeysRetireBeforeIdTokens,
    /// This method of the builder has no effect without OpenID Connect.
    #[error("{0} belongs to OpenID Connect: call openid too")]
    OpenIdMissing(&'static str),
    /// Without [`Sessions`](crate::server::Sessions), there is nothing to sign out of.
    #[error("the logout endpoint needs sessions: call sessions")]
    SessionsMissing,
    /// The secret of [`Sessions`](crate::server::Sessions) could be guessed.
    #[error("the secret of Sessions must have at least 32 bytes")]
    SessionSecret,
    /// The notices in the queue of [`Sessions`](crate::server::Sessions) could never be delivered.
    #[error("the queue of Sessions needs a way to deliver its notices: call back_channel too")]
    LogoutQueue,
    /// A grant type of the host whose name is not an absolute URI (RFC 6749 section 4.5).
    #[error("the name of the grant type {0:?} is not an absolute URI")]
    GrantTypeName(String),
    /// A grant type of the host whose name is taken.
    #[error("the grant type {0:?} already exists")]
    GrantTypeTwice(String),
    /// A mistake that a grant type of the host reports.
    #[error("the grant type {0:?} cannot work: {1}")]
    GrantType(String, String),
    /// A single-use credential without a replay guard.
    #[error("the grant type {0:?} is single-use, so it needs a replay guard: call replay_guard, or backend")]
    ReplayGuardMissing(String),
    /// A resource requires an algorithm that the signer does not have.
    #[error("a resource requires {0}, but the signer has no key for that algorithm")]
    AlgorithmMissing(Algorithm),
    /// Single-use client assertions without a replay guard.
    #[error("client assertions are single-use, so they need a replay guard: call replay_guard, or backend")]
    AssertionsUnremembered,
    /// Signed requests without a verifier.
    #[error("request objects are accepted, but there is no verifier for them: call client_signatures")]
    RequestObjectsUnverified,
    /// `client_secret_jwt` without a verifier. An OpenID Provider needs none, because it may open the secrets
    /// only to sign.
    #[error(
        "sealed_secrets is set, but nothing uses the secrets: call client_signatures for client_secret_jwt, or openid for HS256"
    )]
    MacsUnverified,
    /// Single-use DPoP proofs without a replay guard.
    #[error("DPoP proofs are single-use, so they need a replay guard: call replay_guard, or backend")]
    ProofsUnremembered,
    /// Every token must be bound to a key, but no key can be proven.
    #[error(
        "every access token must be bound to a key, but no client can prove one: call dpop or certificate_bound_access_tokens"
    )]
    BindingMissing,
    /// FAPI 2.0 Security Profile section 5.3.2.1(6).
    #[error(
        "the profile requires clients that authenticate by their own keys: call client_signatures or client_certificates"
    )]
    ProfileClients,
    /// Section 5.3.2.1(6).
    #[error("the profile allows no client secrets: leave out sealed_secrets")]
    ProfileSecrets,
    /// Section 5.3.2.1(8).
    #[error(
        "the profile accepts only assertions whose aud is the issuer: leave out legacy_assertion_audience"
    )]
    ProfileAudience,
    /// Section 5.3.2.1(11).
    #[error("the profile limits code_lifetime to 60 s: call policy with a shorter one")]
    ProfileCodes,
    /// Section 5.3.2.1, Note 1.
    #[error(
        "the profile requires a leeway of at least 30 s for rotated refresh tokens: call policy with a longer one"
    )]
    ProfileLeeway,
    /// Section 5.4.1.
    #[error("the profile requires a signer with a key for EdDSA, ES256 or PS256: call token_signer")]
    ProfileSigner,
    /// Section 5.4.1.
    #[error(
        "the resource {0:?} names a signing algorithm that the profile forbids: call resource without it"
    )]
    ProfileResource(String),
    /// Section 5.3.2.2(8).
    #[error("the profile forbids redirect URIs on localhost: call registration without localhost_any_port")]
    ProfileLocalhost,
    /// Section 5.3.2.2(5).
    #[error("the profile requires PKCE: call registration without pkce_optional")]
    ProfilePkce,
    /// RFC 8705 section 5.
    #[error("mtls_endpoint_aliases must be an https URL without a query, a fragment or dot segments")]
    MtlsAliases,
    /// Registration over HTTP without a registrar.
    #[error("dynamic client registration needs a registrar: call registrar, or backend")]
    RegistrarMissing,
    /// A scope that no client can ever have.
    #[error("registration allows a scope that the server does not know")]
    RegistrationScope,
    /// A grant type that no client can ever use.
    #[error("registration allows a grant type that the profile forbids, or that the server does not have")]
    RegistrationGrantType,
    /// A scheme that no redirect URI of a client may have.
    #[error("redirect_schemes: {0:?} cannot be a private-use scheme")]
    RedirectScheme(String),
    /// The shortest cache time is longer than the longest.
    #[error("the shortest cache time of metadata documents is longer than the longest")]
    DocumentsKept,
}

/// Every mistake that was found in the configuration of a server.
pub type ConfigErrors = Mistakes<ConfigError>;
