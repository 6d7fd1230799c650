//! What can be wrong with a configuration.

use crate::base::Algorithm;
use crate::error::Mistakes;

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// On `wasm32-unknown-unknown`, where a module has neither a clock nor a random source of its own.
    #[error("there is no host that tells the time and draws randomness: call base::host::install")]
    HostMissing,
    /// RFC 8414 section 2.
    #[error("the issuer is not an absolute URL with a host")]
    IssuerNotAUrl,
    /// RFC 8414 section 2.
    #[error("the issuer must be https (http is possible on a loopback address, by allow_http_loopback)")]
    IssuerNotHttps,
    /// RFC 8414 section 2.
    #[error("the issuer must not have a query or a fragment")]
    IssuerQuery,
    /// A router would take it for a pattern.
    #[error("no segment of the issuer's path may begin with a colon or an asterisk")]
    IssuerPath,
    /// RFC 6749 section 3.3.
    #[error("a scope has a character that scopes cannot have")]
    Scopes,
    /// RFC 8707 section 2.
    #[error("the resource {0:?} is not an absolute URI without a fragment, or has a scope that is malformed")]
    Resource(String),
    /// Two resources with one identifier.
    #[error("the resource {0:?} is registered twice")]
    ResourceTwice(String),
    /// A scope that no client can ever have.
    #[error("the resource {0:?} has a scope that the server does not know")]
    ResourceScope(String),
    /// A resource with a type of authorization details that the server does not know, or one without a name.
    #[error("there is no type of authorization details {0:?}: call authorization_details_type")]
    DetailType(String),
    /// RFC 6749 sections 3.1 and 3.2.
    #[error("the endpoint path {0:?} must begin with a slash and have no query or fragment")]
    EndpointPath(String),
    /// Two endpoints in one place.
    #[error("two endpoints have the path {0:?}")]
    EndpointTwice(String),
    /// A lifetime of nothing.
    #[error("{0} must not be zero")]
    Zero(&'static str),
    /// RFC 6749 section 4.1.2.
    #[error("code_lifetime must be at most 10 minutes")]
    CodeLifetime,
    /// FAPI 2.0 Security Profile section 5.3.2.2.
    #[error("request_uri_lifetime must be less than 10 minutes")]
    RequestUriLifetime,
    /// Handles could not be told apart.
    #[error("the prefixes of handles must differ, in at most 16 letters, digits, _ and -")]
    Prefixes,
    /// Signed access tokens, and no signer.
    #[error("signed access tokens need a signer: call token_signer")]
    SignerMissing,
    /// Signed authorization responses or introspection answers, and no signer.
    #[error("signed answers need a signer: call token_signer")]
    AnswersUnsigned,
    /// Tokens that could not be verified any more.
    #[error("access tokens live longer than the keys that signed them are published")]
    KeysRetireEarly,
    /// OpenID Connect, and no RS256 (OpenID Connect Core section 15.1).
    #[error("OpenID Connect needs a signer with a key for RS256: call token_signer")]
    OpenIdSigner,
    /// OpenID Connect Core section 8.1.
    #[error("the secret of pairwise identifiers must have at least 32 bytes")]
    PairwiseSecret,
    /// An `id_token` that could not be verified any more.
    #[error("id_tokens live longer than the keys that signed them are published")]
    KeysRetireBeforeIdTokens,
    /// The secret of [`Sessions`](super::Sessions) could be guessed.
    #[error("the secret of the sessions has less than 32 bytes")]
    SessionSecret,
    /// A grant type of the host whose name is not an absolute URI (RFC 6749 section 4.5).
    #[error("the name of the grant type {0:?} is not an absolute URI")]
    GrantTypeName(String),
    /// A grant type of the host that is there already.
    #[error("there is a grant type {0:?} already")]
    GrantTypeTwice(String),
    /// What a grant type of the host says is wrong with it.
    #[error("the grant type {0:?} cannot work: {1}")]
    GrantType(String, String),
    /// Something is single-use, and nothing remembers its uses.
    #[error(
        "the grant type {0:?} is single-use, and nothing remembers its uses: call replay_guard, or backend"
    )]
    ReplayGuardMissing(String),
    /// A resource wants an algorithm that nothing signs with.
    #[error("a resource wants {0}, and the signer has no key of that algorithm")]
    AlgorithmMissing(Algorithm),
    /// Assertions of clients work once, and nothing remembers them.
    #[error("clients may authenticate by assertions, which are single-use: call replay_guard, or backend")]
    AssertionsUnremembered,
    /// Clients may sign their requests, and nothing verifies that.
    #[error("request objects are taken, and nothing verifies them: call client_signatures")]
    RequestObjectsUnverified,
    /// Clients may authenticate by a MAC, and nothing verifies it.
    #[error("secrets can be opened, and nothing verifies what is made with them: call client_signatures")]
    MacsUnverified,
    /// DPoP proofs work once, and nothing remembers them.
    #[error("DPoP proofs work once, and nothing remembers them: call replay_guard")]
    ProofsUnremembered,
    /// Every token has to be bound to a key, and no key can be proven.
    #[error(
        "every access token has to be bound to a key, and no key can be proven: call dpop or certificate_bound_access_tokens"
    )]
    BindingMissing,
    /// FAPI 2.0 Security Profile section 5.3.2.1(6).
    #[error(
        "the profile wants clients that prove keys of their own: call client_signatures or client_certificates"
    )]
    ProfileClients,
    /// Section 5.3.2.1(6).
    #[error("under the profile no client has a secret: leave sealed_secrets out")]
    ProfileSecrets,
    /// Section 5.3.2.1(8).
    #[error("the profile takes assertions for the issuer alone: leave legacy_assertion_audience out")]
    ProfileAudience,
    /// Section 5.3.2.1(11).
    #[error("under the profile a code is valid for 60 s at most: call policy with a shorter code_lifetime")]
    ProfileCodes,
    /// Section 5.3.2.1, Note 1.
    #[error(
        "under the profile a refresh token that was rotated works for 30 s more: call policy with a longer leeway"
    )]
    ProfileLeeway,
    /// Section 5.4.1.
    #[error("the profile wants a signer with a key for EdDSA, ES256 or PS256: call token_signer")]
    ProfileSigner,
    /// Section 5.4.1.
    #[error("the resource {0:?} wants an algorithm that the profile forbids: call resource without it")]
    ProfileResource(String),
    /// Section 5.3.2.2(8).
    #[error("the profile forbids redirect URIs on localhost: call registration without localhost_any_port")]
    ProfileLocalhost,
    /// RFC 8705 section 5.
    #[error("mtls_endpoint_aliases must be an https URL without a query or a fragment")]
    MtlsAliases,
    /// Registration over HTTP, and nowhere to write.
    #[error("clients may register themselves, and there is no registrar: call registrar, or backend")]
    RegistrarMissing,
    /// A scope that no client can ever have.
    #[error("the terms of registration have a scope that the server does not know")]
    RegistrationScope,
    /// A grant type that no client can ever use.
    #[error("the terms of registration have a grant type that the profile forbids, or that is not there")]
    RegistrationGrantType,
    /// A redirect scheme that no URI of a client may have.
    #[error("redirect_schemes: {0:?} cannot be a private-use scheme")]
    RedirectScheme(String),
    /// A document would be kept for longer than at most.
    #[error("the shortest time that metadata documents are kept is longer than the longest")]
    DocumentsKept,
}

/// Every mistake that was found in the configuration of a server.
pub type ConfigErrors = Mistakes<ConfigError>;
