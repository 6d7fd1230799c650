//! [`Reason`]: why a request was refused, and the exhaustive table from reasons to public errors.

use std::fmt;

use super::ErrorCode;

/// Why a request was refused. Private to the host; it holds no request data, so it is always safe to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    // The request as such.
    /// More than 64 KiB, more than 64 parameters, or one of more than 8 KiB.
    FormTooLarge,
    /// A broken escape, or text that is not UTF-8.
    FormMalformed,
    /// The endpoint does not have this method.
    MethodWrong,
    /// The body does not say that it is a form.
    ContentTypeWrong,
    /// A parameter stands there twice (RFC 6749 section 3.1).
    ParameterRepeated,
    /// A header field stands there twice.
    HeaderRepeated,
    /// A parameter that this request needs is absent.
    ParameterMissing,

    // The client.
    /// No client authenticated or named itself.
    ClientMissing,
    /// No client has this id.
    ClientUnknown,
    /// An authorization request names a client that nobody registered.
    ClientUnregistered,
    /// The `Authorization` header is not one that a client can authenticate by.
    ClientCredentialsMalformed,
    /// Two ways of authentication in one request (RFC 6749 section 2.3).
    ClientMethodsMixed,
    /// Credentials in the URI (RFC 6749 section 2.3.1).
    ClientSecretInQuery,
    /// Not the way of authentication that is registered.
    ClientMethodNotRegistered,
    /// The secret is wrong, or no longer valid.
    ClientSecretWrong,
    /// The client has a slow hash, and the server was built without one.
    ClientSecretUnverifiable,
    /// Too many wrong secrets from this address.
    ClientThrottled,
    /// The client may not use this grant type.
    GrantTypeNotAllowed,
    /// A public client asked for what needs authentication.
    ClientNotConfidential,

    // The metadata document of a client.
    /// The id is an https URL, but not one that a document may have.
    DocumentUrlRefused,
    /// The document's host is at an address that is not public.
    DocumentAddressRefused,
    /// The document's host has no address.
    DocumentNameUnknown,
    /// No connection to the document's host, or one that broke.
    DocumentUnreachable,
    /// The document took too long.
    DocumentTimeout,
    /// The document's host has a fault of its own: 5xx, or 429.
    DocumentServerFailed,
    /// The answer sends elsewhere.
    DocumentRedirected,
    /// The answer is not 200.
    DocumentStatusWrong,
    /// The document has more than 5 KiB.
    DocumentTooLarge,
    /// The document's media type is not one of JSON.
    DocumentTypeWrong,
    /// Not a JSON object of client metadata, each member once and of its type.
    DocumentMalformed,
    /// The document's `client_id` is not its own URL.
    DocumentOfAnother,
    /// The document has a client secret, or an authentication method that needs one.
    DocumentHasSecret,
    /// The client would have to prove a key, which is not supported.
    DocumentNeedsKeys,
    /// A redirect URI of the document could not be registered.
    DocumentRedirectUri,
    /// Metadata of the document that could not be registered, or of which the terms leave nothing.
    DocumentMetadata,
    /// Too many documents are being asked for.
    DocumentsBusy,

    // Token requests.
    /// No grant type of this name, or one that the profile forbids.
    GrantTypeUnsupported,
    /// No code of this server, or one whose grant is long gone.
    CodeUnknown,
    /// The code's time is over.
    CodeExpired,
    /// The code was issued to another client.
    CodeForAnotherClient,
    /// The code was spent.
    CodeReplayed,
    /// Not the redirect URI of the authorization request.
    RedirectUriMismatch,
    /// A code challenge was made, and no verifier was sent.
    VerifierMissing,
    /// Not 43 to 128 unreserved characters.
    VerifierMalformed,
    /// The verifier is not the one of the challenge.
    VerifierMismatch,
    /// A verifier without a challenge (RFC 9700 section 2.1.1).
    VerifierUnexpected,
    /// No refresh token of this server, or one whose grant is long gone.
    RefreshUnknown,
    /// The refresh token was not used for too long, or its grant is at its end.
    RefreshExpired,
    /// The refresh token was issued to another client.
    RefreshForAnotherClient,
    /// A spent refresh token after its time.
    RefreshReplayed,
    /// A spent refresh token that came a moment too late; nothing ended.
    RefreshSuperseded,
    /// A retry that asks for something else than the request whose answer it repeats.
    RetryDiffers,
    /// The grant was revoked or ended.
    GrantEnded,
    /// No device code of this server, or one whose grant is long gone.
    DeviceCodeUnknown,
    /// The device code was issued to another client.
    DeviceCodeForAnotherClient,
    /// The device code's time is over.
    DeviceCodeExpired,
    /// The device code was redeemed.
    DeviceCodeSpent,
    /// The user of the device has not answered yet.
    DevicePending,
    /// The device polls more often than it may.
    DevicePollsTooFast,
    /// The user of the device said no.
    DeviceDenied,
    /// The subject token is not a live access token of this server.
    SubjectTokenInvalid,
    /// The actor token is not a live access token of this server.
    ActorTokenInvalid,
    /// The type of an actor token, and no actor token.
    ActorTokenMissing,
    /// A type of token that cannot be exchanged here, or not be had.
    TokenTypeUnsupported,
    /// A chain of delegation that is too long.
    ActorsTooMany,
    /// The host does not allow this exchange.
    ExchangeDenied,
    /// The user name or the password is wrong.
    OwnerCredentialsWrong,
    /// The host says that this user may not go on.
    SubjectBlocked,
    /// Characters that no scope has (RFC 6749 section 3.3), or too many tokens.
    ScopeMalformed,
    /// More than the server knows, the client may have, or the user granted.
    ScopeExceeded,
    /// No scope was named, and the server has no default.
    ScopeMissing,
    /// Not an absolute URI without a fragment (RFC 8707 section 2), or too many of them.
    TargetMalformed,
    /// No resource of this name.
    TargetUnknown,
    /// A resource that was not granted.
    TargetExceeded,
    /// Several resources, and a token is for one.
    TargetAmbiguous,

    // Authorization requests.
    /// The redirect URI is not registered.
    RedirectUriUnregistered,
    /// Several are registered, and none was named.
    RedirectUriMissing,
    /// The request names no response type.
    ResponseTypeMissing,
    /// No response type of this name, or one that the profile forbids.
    ResponseTypeUnsupported,
    /// The client may not use this response type.
    ResponseTypeNotAllowed,
    /// No response mode of this name, or not one for this response type or client.
    ResponseModeInvalid,
    /// PKCE is required and the request has no challenge.
    ChallengeMissing,
    /// Not the base64url of a SHA-256 digest.
    ChallengeMalformed,
    /// Only `S256` is supported.
    ChallengeMethodUnsupported,
    /// `prompt` says `none` and something else.
    PromptMalformed,
    /// `max_age` is not a number of seconds.
    MaxAgeMalformed,
    /// Request objects are not supported (RFC 9101).
    RequestObjectUnsupported,
    /// Request URIs are not supported (RFC 9101).
    RequestUriUnsupported,
    /// `prompt=none`, and nobody is signed in.
    LoginRequired,
    /// `prompt=none`, and the user has to be asked.
    ConsentRequired,
    /// None of the asked `acr_values` was reached (RFC 9470).
    AuthenticationUnmet,
    /// The user said no.
    ConsentDenied,

    // User codes, as people enter them.
    /// No device waits under this user code.
    UserCodeUnknown,
    /// The user code's time is over.
    UserCodeExpired,
    /// Another browser session entered the user code.
    UserCodeClaimed,
    /// No browser session has entered the user code.
    UserCodeUnclaimed,
    /// A user has answered.
    UserCodeAnswered,
    /// Too many wrong user codes from this address or browser session.
    UserCodeThrottled,

    // Tokens at a resource, revocation and introspection.
    /// No token was sent.
    TokenMissing,
    /// Two ways to send a token in one request (RFC 6750 section 2).
    TokenMethodsMixed,
    /// The `Authorization` header is not `Bearer` and one token.
    TokenMalformed,
    /// No live access token.
    TokenInactive,
    /// The token is for another resource.
    TokenAudienceWrong,
    /// Not a signed access token: no JWS, another `typ`, claims that are missing or of another type (RFC 9068).
    TokenUnreadable,
    /// No trusted key has signed the token.
    TokenSignatureWrong,
    /// The token is of another issuer.
    TokenIssuerWrong,
    /// The signed token's time is over.
    TokenExpired,
    /// The signed token's time lies ahead.
    TokenTooEarly,
    /// The token is bound to a key that was not proven (`cnf`).
    TokenBound,
    /// The token lacks a scope.
    TokenScopeInsufficient,
    /// The user signed in not well enough, or too long ago (RFC 9470).
    TokenAuthenticationInsufficient,
    /// A signed access token of which nothing is recorded: it lives until it expires.
    TokenNotRevocable,
    /// Another client's token at the revocation endpoint.
    TokenForAnotherClient,

    // Registrations.
    /// The body does not say that it is JSON.
    RegistrationNotJson,
    /// Not a JSON object of metadata, or a member of the wrong type or that stands there twice.
    RegistrationMalformed,
    /// A text that is too long, or a list of too many.
    RegistrationTooLarge,
    /// Control characters, or such that hide or turn others, in a text for people.
    RegistrationText,
    /// The address of a page that is no http or https URL.
    RegistrationUri,
    /// A redirect URI that cannot be registered.
    RegistrationRedirectUri,
    /// A grant type needs a redirect URI.
    RegistrationRedirectUriMissing,
    /// No way of client authentication that is known here.
    RegistrationAuthMethod,
    /// Of the grant types none that can be used may be registered.
    RegistrationGrantTypes,
    /// Response types that do not belong to the grant types (RFC 7591 section 2.1), or what a public client cannot do.
    RegistrationInconsistent,
    /// A malformed scope, or one of which nothing may be registered.
    RegistrationScope,
    /// Both `jwks` and `jwks_uri` (RFC 7591 section 2).
    RegistrationKeysTwice,
    /// A change that names another client, or not its secret (RFC 7592 section 2.2).
    RegistrationOfAnother,
    /// A change that has what only the server says (RFC 7592 section 2.2).
    RegistrationMemberForbidden,
    /// A software statement that is malformed, forged or out of date.
    SoftwareStatementInvalid,
    /// A software statement of nobody who is trusted.
    SoftwareStatementUnapproved,
    /// A registration needs an initial access token.
    InitialTokenMissing,
    /// Not one of the initial access tokens.
    InitialTokenWrong,
    /// No registration access token of this client, or no such client (RFC 7592 section 2).
    RegistrationTokenWrong,
    /// The host's policy says no.
    RegistrationRefused,
    /// Too many registrations from this address.
    RegistrationThrottled,
    /// The host disabled the client; it cannot change that.
    ClientDisabled,

    // The server's own state; nothing of the request is wrong.
    /// The store could not answer; a retry may work.
    StoreUnavailable,
    /// The store is broken, or holds what this version cannot read.
    StoreBroken,
    /// Others changed the grant again and again.
    Contended,
    /// Too many slow hashes at once.
    Overloaded,
    /// An endpoint that is switched off, or a host trait that is not there.
    NotConfigured,
    /// The server that issues the tokens could not be asked: for its keys, its metadata, or about a token.
    IssuerUnavailable,
    /// The server that issues the tokens does not let this resource ask: its credentials are wrong, or the address is.
    IssuerRefused,
}

impl Reason {
    /// The public error. No wildcard arm: a new reason does not compile until someone chooses its public face.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        self.public().0
    }

    /// A sentence for the developer of the other side. Where a difference would help an attacker, the
    /// sentence does not make it.
    #[must_use]
    pub const fn description(self) -> &'static str {
        self.public().1
    }

    /// The HTTP status of the back-channel answer (RFC 6749 section 5.2, RFC 6750 section 3.1).
    #[must_use]
    pub const fn status(self) -> u16 {
        if matches!(self, Self::FormTooLarge) {
            return 413;
        }
        if matches!(self, Self::MethodWrong) {
            return 405;
        }
        if matches!(self, Self::ClientThrottled | Self::UserCodeThrottled | Self::RegistrationThrottled) {
            return 429;
        }
        if matches!(self, Self::RegistrationRefused | Self::ClientDisabled) {
            return 403;
        }
        match self.code() {
            ErrorCode::InvalidClient
            | ErrorCode::InvalidToken
            | ErrorCode::InsufficientUserAuthentication => 401,
            ErrorCode::InsufficientScope => 403,
            ErrorCode::ServerError => 500,
            ErrorCode::TemporarilyUnavailable => 503,
            ErrorCode::AccessDenied
            | ErrorCode::AuthorizationPending
            | ErrorCode::ConsentRequired
            | ErrorCode::ExpiredToken
            | ErrorCode::InvalidClientMetadata
            | ErrorCode::InvalidGrant
            | ErrorCode::InvalidRedirectUri
            | ErrorCode::InvalidRequest
            | ErrorCode::InvalidScope
            | ErrorCode::InvalidSoftwareStatement
            | ErrorCode::InvalidTarget
            | ErrorCode::LoginRequired
            | ErrorCode::RequestNotSupported
            | ErrorCode::RequestUriNotSupported
            | ErrorCode::SlowDown
            | ErrorCode::UnapprovedSoftwareStatement
            | ErrorCode::UnauthorizedClient
            | ErrorCode::UnmetAuthenticationRequirements
            | ErrorCode::UnsupportedGrantType
            | ErrorCode::UnsupportedResponseType
            | ErrorCode::UnsupportedTokenType => 400,
        }
    }

    /// The table: one row for each reason.
    #[rustfmt::skip]
    const fn public(self) -> (ErrorCode, &'static str) {
        use ErrorCode as E;
        use Reason as R;
        match self {
            R::FormTooLarge => (E::InvalidRequest, "the request is too large"),
            R::FormMalformed => (E::InvalidRequest, "the parameters are not well-formed UTF-8 in form encoding"),
            R::MethodWrong => (E::InvalidRequest, "the method is not allowed here"),
            R::ContentTypeWrong => (E::InvalidRequest, "the content type must be application/x-www-form-urlencoded"),
            R::ParameterRepeated => (E::InvalidRequest, "a parameter is repeated"),
            R::HeaderRepeated => (E::InvalidRequest, "a header field is repeated"),
            R::ParameterMissing => (E::InvalidRequest, "a required parameter is missing"),

            R::ClientMissing => (E::InvalidClient, "client authentication is missing"),
            R::ClientUnknown
            | R::ClientCredentialsMalformed
            | R::ClientMethodNotRegistered
            | R::ClientSecretWrong => (E::InvalidClient, "client authentication failed"),
            R::ClientUnregistered => (E::InvalidClient, "no client is registered by this client_id"),
            R::ClientMethodsMixed => (E::InvalidRequest, "more than one client authentication method"),
            R::ClientSecretInQuery => (E::InvalidRequest, "client credentials must not stand in the URI"),
            R::ClientSecretUnverifiable => (E::ServerError, "the server is not configured for this client"),
            R::ClientThrottled => (E::TemporarilyUnavailable, "too many failed attempts, try again later"),
            R::GrantTypeNotAllowed => (E::UnauthorizedClient, "the client may not use this grant type"),
            R::ClientNotConfidential => (E::UnauthorizedClient, "a public client may not do this"),

            R::DocumentUrlRefused =>
                (E::InvalidClient, "this URL cannot be a client_id: https, a path, no user, fragment or dot segments"),
            // Nobody learns which names are known inside.
            R::DocumentAddressRefused | R::DocumentNameUnknown =>
                (E::InvalidClient, "the client's metadata document cannot be had"),
            R::DocumentUnreachable | R::DocumentTimeout | R::DocumentServerFailed =>
                (E::TemporarilyUnavailable, "the client's metadata document cannot be had now, try again"),
            R::DocumentsBusy => (E::TemporarilyUnavailable, "too many metadata documents are being asked for, try again"),
            R::DocumentRedirected | R::DocumentStatusWrong =>
                (E::InvalidClient, "the client's metadata document must be answered with 200, without a redirect"),
            R::DocumentTooLarge => (E::InvalidClient, "the client's metadata document is larger than 5 KiB"),
            R::DocumentTypeWrong => (E::InvalidClient, "the client's metadata document must be application/json"),
            R::DocumentMalformed =>
                (E::InvalidClient, "the client's metadata document must be a JSON object, each member once and of its type"),
            R::DocumentOfAnother => (E::InvalidClient, "the client_id of the metadata document is not its own URL"),
            R::DocumentHasSecret => (E::InvalidClient, "a metadata document has no client secret and no method that needs one"),
            R::DocumentNeedsKeys => (E::InvalidClient, "clients with keys in their metadata document are not supported"),
            R::DocumentRedirectUri => (E::InvalidClient, "a redirect URI of the metadata document is not acceptable"),
            R::DocumentMetadata => (E::InvalidClient, "the metadata document asks for what cannot be had"),

            R::GrantTypeUnsupported => (E::UnsupportedGrantType, "the grant type is not supported"),
            R::CodeUnknown | R::CodeForAnotherClient | R::CodeReplayed =>
                (E::InvalidGrant, "the authorization code is not valid"),
            R::CodeExpired => (E::InvalidGrant, "the authorization code has expired"),
            R::RedirectUriMismatch => (E::InvalidGrant, "redirect_uri is not that of the authorization request"),
            R::VerifierMissing => (E::InvalidGrant, "code_verifier is missing"),
            R::VerifierMalformed => (E::InvalidGrant, "code_verifier is not 43 to 128 unreserved characters"),
            R::VerifierMismatch => (E::InvalidGrant, "code_verifier does not match the challenge"),
            R::VerifierUnexpected => (E::InvalidGrant, "code_verifier without a code_challenge"),
            R::RefreshUnknown
            | R::RefreshForAnotherClient
            | R::RefreshReplayed
            | R::RefreshSuperseded => (E::InvalidGrant, "the refresh token is not valid"),
            R::RetryDiffers => (E::InvalidGrant, "the refresh token was used with other parameters"),
            R::RefreshExpired => (E::InvalidGrant, "the refresh token has expired"),
            R::GrantEnded => (E::InvalidGrant, "the authorization has ended"),
            R::DeviceCodeUnknown | R::DeviceCodeForAnotherClient | R::DeviceCodeSpent =>
                (E::InvalidGrant, "the device code is not valid"),
            R::DeviceCodeExpired => (E::ExpiredToken, "the device code has expired: begin anew"),
            R::DevicePending => (E::AuthorizationPending, "the user has not answered yet"),
            R::DevicePollsTooFast => (E::SlowDown, "wait 5 seconds longer from one poll to the next"),
            R::DeviceDenied => (E::AccessDenied, "the user denied the request"),
            R::SubjectTokenInvalid => (E::InvalidRequest, "the subject token is unknown, expired or revoked"),
            R::ActorTokenInvalid => (E::InvalidRequest, "the actor token is unknown, expired or revoked"),
            R::ActorTokenMissing => (E::InvalidRequest, "actor_token_type without an actor_token"),
            R::TokenTypeUnsupported => (E::InvalidRequest, "only access tokens are exchanged, and for access tokens"),
            R::ActorsTooMany => (E::InvalidRequest, "the token was passed on too often"),
            R::ExchangeDenied => (E::InvalidTarget, "the client may not exchange this token for that target"),
            R::OwnerCredentialsWrong => (E::InvalidGrant, "the user name or password is wrong"),
            R::SubjectBlocked => (E::InvalidGrant, "the user may not continue"),
            R::ScopeMalformed => (E::InvalidScope, "the scope is malformed"),
            R::ScopeExceeded => (E::InvalidScope, "the scope exceeds what may be granted"),
            R::ScopeMissing => (E::InvalidScope, "a scope is required"),
            R::TargetMalformed => (E::InvalidTarget, "resource is not an absolute URI without a fragment"),
            R::TargetUnknown => (E::InvalidTarget, "the resource is not known here"),
            R::TargetExceeded => (E::InvalidTarget, "the resource was not granted"),
            R::TargetAmbiguous => (E::InvalidTarget, "an access token is for one resource: name one"),

            R::RedirectUriUnregistered => (E::InvalidRequest, "redirect_uri is not registered for this client"),
            R::RedirectUriMissing => (E::InvalidRequest, "redirect_uri is required, for several are registered"),
            R::ResponseTypeMissing => (E::InvalidRequest, "response_type is missing"),
            R::ResponseTypeUnsupported => (E::UnsupportedResponseType, "the response type is not supported"),
            R::ResponseTypeNotAllowed => (E::UnauthorizedClient, "the client may not use this response type"),
            R::ResponseModeInvalid => (E::InvalidRequest, "response_mode is not possible here"),
            R::ChallengeMissing => (E::InvalidRequest, "code_challenge is required (PKCE)"),
            R::ChallengeMalformed => (E::InvalidRequest, "code_challenge is not the base64url of a SHA-256 digest"),
            R::ChallengeMethodUnsupported => (E::InvalidRequest, "code_challenge_method must be S256"),
            R::PromptMalformed => (E::InvalidRequest, "prompt=none stands alone"),
            R::MaxAgeMalformed => (E::InvalidRequest, "max_age must be a number of seconds"),
            R::RequestObjectUnsupported => (E::RequestNotSupported, "request objects are not supported"),
            R::RequestUriUnsupported => (E::RequestUriNotSupported, "request URIs are not supported"),
            R::LoginRequired => (E::LoginRequired, "nobody is signed in"),
            R::ConsentRequired => (E::ConsentRequired, "the user has to be asked"),
            R::AuthenticationUnmet => (E::UnmetAuthenticationRequirements, "the authentication does not meet acr_values"),
            R::ConsentDenied => (E::AccessDenied, "the user denied the request"),

            R::UserCodeUnknown | R::UserCodeClaimed | R::UserCodeUnclaimed =>
                (E::InvalidRequest, "no device waits under this code, or it was entered in another browser"),
            R::UserCodeExpired => (E::InvalidRequest, "the code has expired: begin anew on the device"),
            R::UserCodeAnswered => (E::InvalidRequest, "the code was used"),
            R::UserCodeThrottled => (E::TemporarilyUnavailable, "too many wrong codes, try again later"),

            R::TokenMissing => (E::InvalidToken, "an access token is required"),
            R::TokenMethodsMixed => (E::InvalidRequest, "more than one way of sending the access token"),
            R::TokenMalformed => (E::InvalidRequest, "the Authorization header is malformed"),
            R::TokenAudienceWrong => (E::InvalidToken, "the access token is for another resource"),
            R::TokenInactive
            | R::TokenUnreadable
            | R::TokenSignatureWrong
            | R::TokenIssuerWrong
            | R::TokenExpired
            | R::TokenTooEarly
            | R::TokenBound => (E::InvalidToken, "the access token is unknown, expired or revoked"),
            R::TokenScopeInsufficient => (E::InsufficientScope, "the access token lacks a scope"),
            R::TokenAuthenticationInsufficient =>
                (E::InsufficientUserAuthentication, "the user has to sign in anew or in another way"),
            R::TokenNotRevocable => (E::UnsupportedTokenType, "the token cannot be revoked; it expires by itself"),
            R::TokenForAnotherClient => (E::UnauthorizedClient, "the token belongs to another client"),

            R::RegistrationNotJson => (E::InvalidClientMetadata, "the content type must be application/json"),
            R::RegistrationMalformed =>
                (E::InvalidClientMetadata, "the body must be a JSON object of client metadata, each member once and of its type"),
            R::RegistrationTooLarge => (E::InvalidClientMetadata, "a member is too long, or has too many entries"),
            R::RegistrationText => (E::InvalidClientMetadata, "a text has characters that cannot be shown"),
            R::RegistrationUri => (E::InvalidClientMetadata, "a page's address must be an http or https URL"),
            R::RegistrationRedirectUri =>
                (E::InvalidRedirectUri, "a redirect URI must be https, http on a loopback address, or of a private scheme with a dot, without fragment, user or wildcard"),
            R::RegistrationRedirectUriMissing => (E::InvalidRedirectUri, "redirect_uris is required"),
            R::RegistrationAuthMethod =>
                (E::InvalidClientMetadata, "token_endpoint_auth_method must be none, client_secret_basic or client_secret_post"),
            R::RegistrationGrantTypes => (E::InvalidClientMetadata, "none of the grant types may be registered"),
            R::RegistrationInconsistent =>
                (E::InvalidClientMetadata, "grant_types, response_types and token_endpoint_auth_method do not fit together"),
            R::RegistrationScope => (E::InvalidClientMetadata, "none of the scopes may be registered"),
            R::RegistrationKeysTwice => (E::InvalidClientMetadata, "jwks and jwks_uri exclude each other"),
            R::RegistrationOfAnother => (E::InvalidClientMetadata, "client_id and client_secret must be those of the client"),
            R::RegistrationMemberForbidden =>
                (E::InvalidClientMetadata, "a change must not have registration_access_token, registration_client_uri, client_secret_expires_at or client_id_issued_at"),
            R::SoftwareStatementInvalid => (E::InvalidSoftwareStatement, "the software statement is not valid"),
            R::SoftwareStatementUnapproved =>
                (E::UnapprovedSoftwareStatement, "the software statement is of an issuer that is not trusted here"),
            R::InitialTokenMissing => (E::InvalidToken, "an initial access token is required"),
            R::InitialTokenWrong => (E::InvalidToken, "the initial access token is not valid"),
            R::RegistrationTokenWrong => (E::InvalidToken, "the registration access token is not valid for this client"),
            R::RegistrationRefused => (E::AccessDenied, "the registration was refused"),
            R::RegistrationThrottled => (E::TemporarilyUnavailable, "too many registrations, try again later"),
            R::ClientDisabled => (E::AccessDenied, "the client is disabled"),

            R::StoreUnavailable | R::Contended | R::Overloaded | R::IssuerUnavailable =>
                (E::TemporarilyUnavailable, "the server cannot answer now, try again"),
            R::StoreBroken | R::NotConfigured | R::IssuerRefused => (E::ServerError, "the server has a fault of its own"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Reason {}
