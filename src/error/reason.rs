//! [`Reason`]: why a request was refused.

use std::fmt;

use super::{AssertionFlaw, CertificateFlaw, ExtensionRefusal, MetadataFlaw, ProofFlaw};

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
    /// A parameter is repeated (RFC 6749 section 3.1).
    ParameterRepeated,
    /// A header field is repeated.
    HeaderRepeated,
    /// The field in which a proxy names the client's certificate cannot be read, or is there twice.
    CertificateMalformed,
    /// A parameter that this request needs is absent.
    ParameterMissing,

    // The client.
    /// No client authenticated or named itself.
    ClientMissing,
    /// No client has this id.
    ClientUnknown,
    /// An authorization request names a client that is not registered.
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
    /// A client's assertion does not count.
    ClientAssertion(AssertionFlaw),
    /// A client's certificate proves nothing.
    ClientCertificate(CertificateFlaw),
    /// The keys of the client could not be fetched; that says nothing of the client.
    ClientKeysUnavailable,
    /// The client has a slow hash, and the server was built without one.
    ClientSecretUnverifiable,
    /// Too many wrong secrets, or passwords, of this client from this address, or too many in all from there.
    ClientThrottled,
    /// What is registered of the client does not fit the profile of the server.
    ClientUnfit,
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
    /// The document has no `client_name`, which the profile asks for.
    DocumentNameMissing,
    /// The document has no redirect URIs.
    DocumentRedirectUriMissing,
    /// None of the document's redirect URIs could be registered.
    DocumentRedirectUri,
    /// Metadata of the document that could not be registered, or of which the terms leave nothing.
    DocumentMetadata,
    /// Too many documents are being asked for.
    DocumentsBusy,
    /// This address has named too many unknown documents.
    DocumentsThrottled,

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
    /// A spent refresh token after its time, or a text that begins as the tokens of its family do.
    RefreshReplayed,
    /// As many live access tokens as one authorization may have.
    AccessTokensTooMany,
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
    /// A type of token that cannot be exchanged here, or not be issued.
    TokenTypeUnsupported,
    /// A chain of delegation that is too long.
    ActorsTooMany,
    /// The host does not allow this exchange.
    ExchangeDenied,
    /// A grant type of the host gives nothing.
    Extension(ExtensionRefusal),
    /// An assertion is not believed.
    Assertion(AssertionFlaw),
    /// The request does not prove the key that it has to.
    Proof(ProofFlaw),
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
    /// Authorization details that are not an array of objects with a type, or more than 16.
    DetailsMalformed,
    /// No type of authorization details of this name.
    DetailsTypeUnknown,
    /// A detail that is not of its type's form.
    DetailsRefused,
    /// A type that the client did not register, in a request that would need it.
    DetailsNotAllowed,
    /// More than was granted.
    DetailsExceeded,

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
    /// `prompt` has a value that this server has no page for.
    PromptUnsupported,
    /// `max_age` is not a number of seconds.
    MaxAgeMalformed,
    /// `dpop_jkt` is not a SHA-256 thumbprint in base64url.
    DpopJktMalformed,
    /// `nonce` has more than 512 characters.
    NonceTooLong,
    /// An `id_token` that the browser carries needs a `nonce` (OpenID Connect Core section 3.2.2.1).
    NonceMissing,
    /// An `id_token` is asked for without the scope `openid`.
    IdTokenWithoutScope,
    /// `claims` asks for UserInfo, and the response type gives no access token (OpenID Connect Core section 5.5).
    ClaimsWithoutToken,
    /// `claims` is not what section 5.5 of OpenID Connect Core says, or too large.
    ClaimsMalformed,
    /// Request objects are not supported (RFC 9101).
    RequestObjectUnsupported,
    /// A request object does not count (RFC 9101 section 6).
    RequestObject(AssertionFlaw),
    /// A parameter in a request object is of another type than it has there.
    RequestObjectParameter,
    /// The server or the client requires signed request objects (RFC 9101 section 10.5).
    RequestNotSigned,
    /// `registration` of OpenID Connect Core section 7.2.1.
    RegistrationParameter,
    /// Request URIs are not supported (RFC 9101), but for those of pushed requests.
    RequestUriUnsupported,
    /// A pushed request names a `request_uri` (RFC 9126 section 2.1).
    RequestUriPushed,
    /// No pushed request waits under this `request_uri`, or none any more.
    RequestUriUnknown,
    /// The first visit of a pushed request came too late, or its user took too long.
    RequestUriExpired,
    /// Another client pushed the request.
    RequestUriForAnotherClient,
    /// The pushed request was approved at the same time, or revoked.
    RequestUriSpent,
    /// Both `request` and `request_uri` (RFC 9101 section 5).
    RequestSourcesMixed,
    /// The server or the client requires that requests are pushed (RFC 9126 sections 5 and 6).
    RequestNotPushed,
    /// Too many requests that public clients pushed from this address.
    PushThrottled,
    /// The user has to sign in, and the request or the host does not let them.
    LoginRequired,
    /// The user has to choose an account, and the request or the host does not let them.
    AccountSelectionRequired,
    /// The user has to see another page, and the request or the host does not let them.
    InteractionRequired,
    /// `prompt=none`, and the user has to be asked.
    ConsentRequired,
    /// None of the requested `acr_values` was reached (RFC 9470).
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
    /// Too many devices that began to connect from this address.
    DeviceRequestThrottled,

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
    /// The token is bound to no key, and was presented as one that is, or has to be (RFC 9449 section 7.2).
    TokenUnbound,
    /// The token lacks a scope.
    TokenScopeInsufficient,
    /// The user signed in not well enough, or too long ago (RFC 9470).
    TokenAuthenticationInsufficient,
    /// A browser program of an origin that may not call the resource.
    OriginNotAllowed,
    /// A signed access token of which nothing is recorded: it lives until it expires.
    TokenNotRevocable,
    /// Another client's token at the revocation endpoint.
    TokenForAnotherClient,

    // Answers of OpenID Connect.
    /// The host names this user by more than 255 characters, or by some that are not ASCII.
    SubjectUnfit,
    /// The client wants its `id_token` signed with an algorithm that the signer has no key for.
    IdTokenAlgorithm,
    /// An `id_token_hint` is none that this server issued.
    IdTokenHintInvalid,
    /// An `id_token_hint` was issued to another client.
    IdTokenHintOfAnother,
    /// A logout request names an address that its client did not register.
    PostLogoutRedirectUri,
    /// A client does not take its logout token, and would not take another one.
    LogoutTokenRefused,
    /// A client could not be told of a logout.
    LogoutUndelivered,
    /// An address of a logout that cannot be registered, or a kind of logout that this server has not.
    RegistrationLogoutUri,

    // Registrations.
    /// The body does not say that it is JSON.
    RegistrationNotJson,
    /// Not a JSON object, or one with a member that is there twice.
    RegistrationMalformed,
    /// A member that cannot be registered.
    RegistrationMember(MetadataFlaw),
    /// None of the redirect URIs can be registered.
    RegistrationRedirectUri,
    /// A grant type needs a redirect URI.
    RegistrationRedirectUriMissing,
    /// No way of client authentication that is known here.
    RegistrationAuthMethod,
    /// The profile of the server does not serve a client like this.
    RegistrationProfile,
    /// Of the grant types none that can be used may be registered.
    RegistrationGrantTypes,
    /// Response types that do not belong to the grant types (RFC 7591 section 2.1), or what a public client cannot do.
    RegistrationInconsistent,
    /// A scope of which nothing may be registered.
    RegistrationScope,
    /// Keys of a client that signs, which are missing, private, weak or of no use here, or are where they are not fetched from.
    RegistrationKeys,
    /// Signed authorization responses or introspection answers that are not supported here, or encrypted ones.
    RegistrationSignedAnswers,
    /// Request objects that could not be verified here, or encrypted ones.
    RegistrationRequestObject,
    /// Not exactly one `tls_client_auth_…` name of a client that shows certificates, or one that is malformed (RFC 8705 section 2.1.2).
    RegistrationCertificateSubject,
    /// Both `jwks` and `jwks_uri` (RFC 7591 section 2).
    RegistrationKeysTwice,
    /// Tokens that are bound to a key, which this server does not issue.
    RegistrationDpop,
    /// What this provider has not: an algorithm, encryption, pairwise subjects.
    RegistrationOpenId,
    /// Pairwise subjects without a sector, or a list of its sector that lacks a redirect URI, or could not be fetched.
    RegistrationSector,
    /// A change that would make every user another one for the client.
    RegistrationSubjects,
    /// `initiate_login_uri` is not an https URL.
    RegistrationInitiateLogin,
    /// A change that names another client, or not its secret (RFC 7592 section 2.2).
    RegistrationOfAnother,
    /// A change that has what only the server says (RFC 7592 section 2.2).
    RegistrationMemberForbidden,
    /// A software statement that is malformed, forged or out of date.
    SoftwareStatementInvalid,
    /// The software statement's issuer is not trusted.
    SoftwareStatementUnapproved,
    /// A registration needs an initial access token.
    InitialTokenMissing,
    /// Not one of the initial access tokens.
    InitialTokenWrong,
    /// No registration access token of this client, or no such client (RFC 7592 section 2).
    RegistrationTokenWrong,
    /// The host's policy says no.
    RegistrationRefused,
    /// Too many registrations: from this address in a minute or a day, or in all in a day.
    RegistrationThrottled,
    /// The host disabled the client; it cannot change that.
    ClientDisabled,

    // The server's own state; nothing of the request is wrong.
    /// The store could not answer; a retry may work.
    StoreUnavailable,
    /// The store is broken, or holds what this version cannot read.
    StoreBroken,
    /// What the store has proven is another write than the one that was asked for.
    ProofOfAnotherWrite,
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

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code().as_str(), self.description())
    }
}

impl std::error::Error for Reason {}
