//! [`Reason`]: why a request was refused.

use std::fmt;

use super::{AssertionFlaw, CertificateFlaw, ExtensionRefusal, MetadataFlaw, ProofFlaw};

/// Why a request was refused. Private to the host; it contains no request data, so it is always safe to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    // The request as such.
    /// More than 64 KiB, more than 64 parameters, or one of more than 8 KiB.
    FormTooLarge,
    /// The body of the request took too long.
    BodyTooSlow,
    /// A broken escape, or text that is not UTF-8.
    FormMalformed,
    /// The endpoint does not have this method.
    MethodWrong,
    /// The content type is not that of a form.
    ContentTypeWrong,
    /// A parameter is repeated (RFC 6749 section 3.1).
    ParameterRepeated,
    /// A header field is repeated.
    HeaderRepeated,
    /// The header field with the client certificate from a proxy is malformed or repeated.
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
    /// The `Authorization` header is not a valid client authentication.
    ClientCredentialsMalformed,
    /// Two authentication methods in one request (RFC 6749 section 2.3).
    ClientMethodsMixed,
    /// `client_id` in the form is not the client of the `Authorization` header.
    ClientIdsDiffer,
    /// Credentials in the URI (RFC 6749 section 2.3.1).
    ClientSecretInQuery,
    /// Not the registered authentication method.
    ClientMethodNotRegistered,
    /// The secret is wrong, or no longer valid.
    ClientSecretWrong,
    /// A client assertion is refused.
    ClientAssertion(AssertionFlaw),
    /// A client certificate is refused.
    ClientCertificate(CertificateFlaw),
    /// The keys of the client could not be fetched; that says nothing about the client.
    ClientKeysUnavailable,
    /// The client has a slow hash, and the server was built without one.
    ClientSecretUnverifiable,
    /// Too many wrong secrets or passwords for this client from this address, or from this address in total.
    ClientThrottled,
    /// The client's registration does not meet its profile.
    ClientUnfit,
    /// The client may not use this grant type.
    GrantTypeNotAllowed,
    /// The request needs a confidential client.
    ClientNotConfidential,

    // The metadata document of a client.
    /// The id is an https URL that cannot be a client id.
    DocumentUrlRefused,
    /// The address of the document's host is not public.
    DocumentAddressRefused,
    /// The document's host has no address.
    DocumentNameUnknown,
    /// The document's host could not be reached, or the connection broke.
    DocumentUnreachable,
    /// The document took too long.
    DocumentTimeout,
    /// The document's host answered with 5xx or 429.
    DocumentServerFailed,
    /// The response is a redirect.
    DocumentRedirected,
    /// The response is not 200.
    DocumentStatusWrong,
    /// The document has more than 5 KiB.
    DocumentTooLarge,
    /// The document's media type is not JSON.
    DocumentTypeWrong,
    /// Not a JSON object of client metadata, or with duplicate members or wrong types.
    DocumentMalformed,
    /// The document's `client_id` is not the URL of the document.
    DocumentOfAnother,
    /// The document has a client secret, or an authentication method that needs one.
    DocumentHasSecret,
    /// The document has no authentication method that this server supports for it.
    DocumentNeedsKeys,
    /// The document has no `client_name`, which the profile asks for.
    DocumentNameMissing,
    /// The document has no redirect URIs.
    DocumentRedirectUriMissing,
    /// None of the document's redirect URIs is acceptable.
    DocumentRedirectUri,
    /// The document's metadata are not acceptable, or the terms leave nothing of them.
    DocumentMetadata,
    /// Too many documents are being fetched.
    DocumentsBusy,
    /// This address has named too many unknown documents.
    DocumentsThrottled,

    // Token requests.
    /// No grant type of this name, or one that the profile forbids.
    GrantTypeUnsupported,
    /// Not a code of this server, or its grant was purged.
    CodeUnknown,
    /// The code has expired.
    CodeExpired,
    /// The code was issued to another client.
    CodeForAnotherClient,
    /// The code was already used.
    CodeReplayed,
    /// Not the redirect URI of the authorization request.
    RedirectUriMismatch,
    /// There was a code challenge, but no verifier was sent.
    VerifierMissing,
    /// Not 43 to 128 unreserved characters.
    VerifierMalformed,
    /// The verifier does not match the challenge.
    VerifierMismatch,
    /// A verifier without a challenge (RFC 9700 section 2.1.1).
    VerifierUnexpected,
    /// Not a refresh token of this server, or its grant was purged.
    RefreshUnknown,
    /// The refresh token was unused for too long, or its grant has expired.
    RefreshExpired,
    /// The refresh token was issued to another client.
    RefreshForAnotherClient,
    /// A spent refresh token after the leeway, or a text that begins like the tokens of its family.
    RefreshReplayed,
    /// The authorization has the maximum number of live access tokens.
    AccessTokensTooMany,
    /// A spent refresh token within the leeway whose successor was used; nothing ended.
    RefreshSuperseded,
    /// A retry with other parameters than the first request.
    RetryDiffers,
    /// A retry, but the access token of the first response was revoked since; nothing ended.
    RetryRevoked,
    /// The grant was revoked or ended.
    GrantEnded,
    /// Not a device code of this server, or its grant was purged.
    DeviceCodeUnknown,
    /// The device code was issued to another client.
    DeviceCodeForAnotherClient,
    /// The device code has expired.
    DeviceCodeExpired,
    /// The device code was already redeemed.
    DeviceCodeSpent,
    /// The user of the device has not answered yet.
    DevicePending,
    /// The device polls more often than it may.
    DevicePollsTooFast,
    /// The user of the device denied the request.
    DeviceDenied,
    /// The subject token is not a live access token of this server.
    SubjectTokenInvalid,
    /// The actor token is not a live access token of this server.
    ActorTokenInvalid,
    /// The host does not let the user of the subject token continue.
    ExchangedSubjectBlocked,
    /// The subject or the actor token is bound to another key than the one that the request proves (RFC 8693
    /// section 2.2.2).
    ExchangedTokenOfOtherKey,
    /// `actor_token_type` without `actor_token`.
    ActorTokenMissing,
    /// A token type that cannot be exchanged or issued here.
    TokenTypeUnsupported,
    /// A token that is not a JWT, with the token type of one (RFC 8693 section 2.1).
    TokenTypeWrong,
    /// The delegation chain is too long.
    ActorsTooMany,
    /// The host does not allow this exchange.
    ExchangeDenied,
    /// A grant type of the host refused the request.
    Extension(ExtensionRefusal),
    /// An assertion is refused.
    Assertion(AssertionFlaw),
    /// The request does not prove the required key.
    Proof(ProofFlaw),
    /// The user name or the password is wrong.
    OwnerCredentialsWrong,
    /// The host says that this account is blocked.
    SubjectBlocked,
    /// Invalid characters (RFC 6749 section 3.3), or too many tokens.
    ScopeMalformed,
    /// More scope than the server knows, the client may have, or the user granted.
    ScopeExceeded,
    /// No scope was named, and the server has no default.
    ScopeMissing,
    /// Not an absolute URI without a fragment (RFC 8707 section 2), or too many of them.
    TargetMalformed,
    /// The resource is unknown.
    TargetUnknown,
    /// The `audience` of a token exchange is unknown, or there are too many of them.
    AudienceUnknown,
    /// The resource was not granted.
    TargetExceeded,
    /// Several resources, but a token is for one.
    TargetAmbiguous,
    /// Authorization details that are not an array of objects with a type, or more than 16.
    DetailsMalformed,
    /// No type of authorization details of this name.
    DetailsTypeUnknown,
    /// A detail is not valid for its type.
    DetailsRefused,
    /// An authorization details type that the client has not registered.
    DetailsNotAllowed,
    /// More authorization details than were granted.
    DetailsExceeded,
    /// No token that the request could lead to can carry an authorization detail: its `locations`, or the
    /// types of the resources, exclude it.
    DetailsOfNoResource,

    // Authorization requests.
    /// The redirect URI is not registered.
    RedirectUriUnregistered,
    /// None was named, and several are registered, or OpenID Connect or the client's profile wants it named.
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
    /// `prompt` has an unsupported value.
    PromptUnsupported,
    /// `max_age` is not a number of seconds.
    MaxAgeMalformed,
    /// `dpop_jkt` is not a SHA-256 thumbprint in base64url.
    DpopJktMalformed,
    /// `nonce` has more than 512 characters.
    NonceTooLong,
    /// An `id_token` in an authorization response needs a `nonce` (OpenID Connect Core section 3.2.2.1).
    NonceMissing,
    /// An `id_token` is requested without the scope `openid`.
    IdTokenWithoutScope,
    /// `claims` asks for UserInfo, and the response type gives no access token (OpenID Connect Core section
    /// 5.5).
    ClaimsWithoutToken,
    /// `claims` is malformed (OpenID Connect Core section 5.5) or too large.
    ClaimsMalformed,
    /// Request objects are not supported (RFC 9101).
    RequestObjectUnsupported,
    /// A request object is refused (RFC 9101 section 6).
    RequestObject(AssertionFlaw),
    /// A parameter in a request object has the wrong type.
    RequestObjectParameter,
    /// The server or the client requires signed request objects (RFC 9101 section 10.5).
    RequestNotSigned,
    /// `registration` of OpenID Connect Core section 7.2.1.
    RegistrationParameter,
    /// Request URIs are not supported (RFC 9101), except those of pushed requests.
    RequestUriUnsupported,
    /// A pushed request names a `request_uri` (RFC 9126 section 2.1).
    RequestUriPushed,
    /// No pushed request has this `request_uri`, or no longer.
    RequestUriUnknown,
    /// The first visit of a pushed request was too late, or its user took too long.
    RequestUriExpired,
    /// Another client pushed the request.
    RequestUriForAnotherClient,
    /// The pushed request was approved concurrently, or revoked.
    RequestUriSpent,
    /// Both `request` and `request_uri` (RFC 9101 section 5).
    RequestSourcesMixed,
    /// The server or the client requires pushed requests (RFC 9126 sections 5 and 6).
    RequestNotPushed,
    /// Too many pushed requests of public clients from this address.
    PushThrottled,
    /// A public client pushed more parameters than 8 KiB.
    PushTooLarge,
    /// The user has to sign in, but the request or the host does not allow it.
    LoginRequired,
    /// The user has to choose an account, but the request or the host does not allow it.
    AccountSelectionRequired,
    /// The user has to see another page, but the request or the host does not allow it.
    InteractionRequired,
    /// `prompt=none`, but the user has to be asked.
    ConsentRequired,
    /// `prompt=none`, but requests like this one need consent each time
    /// ([`must_ask`](crate::Consent::must_ask)).
    ConsentRequiredEachTime,
    /// None of the requested `acr_values` was met (RFC 9470).
    AuthenticationUnmet,
    /// The user denied the request.
    ConsentDenied,
    /// The host says that the account of the user who approved is blocked.
    ApproverBlocked,

    // User codes, as people enter them.
    /// No waiting device has this user code.
    UserCodeUnknown,
    /// The user code has expired.
    UserCodeExpired,
    /// Another browser session entered the user code.
    UserCodeClaimed,
    /// No browser session has entered the user code.
    UserCodeUnclaimed,
    /// The user code was already answered.
    UserCodeAnswered,
    /// Too many wrong user codes from this address or browser session.
    UserCodeThrottled,
    /// Too many device authorization requests from this address.
    DeviceRequestThrottled,

    // Tokens at a resource, revocation and introspection.
    /// No token was sent.
    TokenMissing,
    /// Two ways to send a token in one request, or a token that is repeated (RFC 6750 sections 2 and 3.1).
    TokenMethodsMixed,
    /// The `Authorization` header is not `Bearer` and one token.
    TokenMalformed,
    /// No live access token.
    TokenInactive,
    /// The token is for another resource.
    TokenAudienceWrong,
    /// Not a signed access token: no JWS, another `typ`, claims that are missing or of another type (RFC
    /// 9068).
    TokenUnreadable,
    /// No trusted key has signed the token.
    TokenSignatureWrong,
    /// The token is of another issuer.
    TokenIssuerWrong,
    /// The signed token has expired.
    TokenExpired,
    /// The signed token is not valid yet.
    TokenTooEarly,
    /// The token is bound to a key that was not proven (`cnf`).
    TokenBound,
    /// The token is not bound to a key, but was presented as DPoP or must be bound (RFC 9449 section 7.2).
    TokenUnbound,
    /// The token lacks a required scope.
    TokenScopeInsufficient,
    /// The access token is of a client itself, and the resource is about a user.
    TokenWithoutUser,
    /// The user's authentication is too weak or too old (RFC 9470).
    TokenAuthenticationInsufficient,
    /// This origin may not call the resource.
    OriginNotAllowed,
    /// An unrecorded signed access token, which is valid until it expires.
    TokenNotRevocable,
    /// Another client's token at the revocation endpoint.
    TokenForAnotherClient,

    // Responses of OpenID Connect.
    /// The host's identifier of this user is empty, or, in OpenID Connect, has more than 255 characters or is
    /// not ASCII.
    SubjectUnfit,
    /// The client registered an algorithm that the signer has no key for, or HS256 although the host cannot
    /// open its secret.
    IdTokenAlgorithm,
    /// This server did not issue the `id_token_hint`.
    IdTokenHintInvalid,
    /// The `id_token_hint` was issued to another client.
    IdTokenHintOfAnother,
    /// The `id_token_hint` names another user than the `sub` in `claims`.
    IdTokenHintAgainstClaims,
    /// The logout request has an unregistered `post_logout_redirect_uri`.
    PostLogoutRedirectUri,
    /// A client rejected its logout token permanently.
    LogoutTokenRefused,
    /// A client could not be notified of a logout.
    LogoutUndelivered,
    /// A logout URI that cannot be registered, or a kind of logout that this server does not support.
    RegistrationLogoutUri,

    // Registrations.
    /// The content type is not JSON.
    RegistrationNotJson,
    /// Not a JSON object in UTF-8, or one with a duplicate member.
    RegistrationMalformed,
    /// Metadata of more than 16 KiB.
    RegistrationTooLarge,
    /// A member that cannot be registered.
    RegistrationMember(MetadataFlaw),
    /// None of the redirect URIs can be registered.
    RegistrationRedirectUri,
    /// A grant type needs a redirect URI.
    RegistrationRedirectUriMissing,
    /// No supported client authentication method.
    RegistrationAuthMethod,
    /// The client does not meet the profile of the server.
    RegistrationProfile,
    /// None of the grant types may be registered.
    RegistrationGrantTypes,
    /// Response types that do not belong to the grant types (RFC 7591 section 2.1), or what a public client
    /// cannot do.
    RegistrationInconsistent,
    /// None of the scopes may be registered.
    RegistrationScope,
    /// The keys of a client that authenticates by them are missing, private, weak, unusable, or at a
    /// `jwks_uri` that is not fetched.
    RegistrationKeys,
    /// Signed authorization responses or introspection answers that are not supported here, or encrypted
    /// ones.
    RegistrationSignedAnswers,
    /// Request objects that could not be verified here, or encrypted ones.
    RegistrationRequestObject,
    /// Not exactly one well-formed `tls_client_auth_…` name (RFC 8705 section 2.1.2).
    RegistrationCertificateSubject,
    /// Both `jwks` and `jwks_uri` (RFC 7591 section 2).
    RegistrationKeysTwice,
    /// Bound tokens, which this server does not issue.
    RegistrationDpop,
    /// An OpenID Connect feature that this server does not support: an algorithm, encryption or pairwise
    /// subjects.
    RegistrationOpenId,
    /// Pairwise subjects without a sector, or with a sector list that lacks a redirect URI or could not be
    /// fetched.
    RegistrationSector,
    /// A change that would change the identifiers of all users for the client.
    RegistrationSubjects,
    /// `initiate_login_uri` is not an https URL.
    RegistrationInitiateLogin,
    /// A change without the client's own id, or with a wrong secret (RFC 7592 section 2.2).
    RegistrationOfAnother,
    /// A change with members that only the server sets (RFC 7592 section 2.2).
    RegistrationMemberForbidden,
    /// The software statement is malformed, forged or expired.
    SoftwareStatementInvalid,
    /// The software statement's issuer is not trusted.
    SoftwareStatementUnapproved,
    /// A registration needs an initial access token.
    InitialTokenMissing,
    /// Not one of the initial access tokens.
    InitialTokenWrong,
    /// No registration access token was sent.
    RegistrationTokenMissing,
    /// The registration access token is wrong, or there is no such client (RFC 7592 section 2).
    RegistrationTokenWrong,
    /// The host's policy denies it.
    RegistrationRefused,
    /// Too many registrations: from this address in a minute or a day, or in total in a day.
    RegistrationThrottled,
    /// The host disabled the client, and only the host can undo that.
    ClientDisabled,

    // The server's own state; nothing is wrong with the request.
    /// The store or another part of the host could not answer; a retry may work.
    StoreUnavailable,
    /// The store or another part of the host is broken, or contains data that this version cannot read.
    StoreBroken,
    /// The store's proof is for another write than the requested one.
    ProofOfAnotherWrite,
    /// Concurrent requests kept changing the grant.
    Contended,
    /// Too many slow hashes, fetches of sector identifier documents, or requests with the same code or the
    /// same single-use identifier (of an assertion that is presented as a grant, or of a request object), at
    /// once.
    Overloaded,
    /// The claims of an access token would make it so long that nothing reads it.
    AccessTokenTooLong,
    /// An endpoint that is switched off, or a missing host trait.
    NotConfigured,
    /// The issuer of the tokens could not be reached: for its keys, its metadata, or introspection.
    IssuerUnavailable,
    /// The issuer of the tokens refuses this resource: the credentials or the URL are wrong.
    IssuerRefused,
}

/// The public text, which several reasons share. For the log, `Debug` names the reason.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code().as_str(), self.description())
    }
}

impl std::error::Error for Reason {}
