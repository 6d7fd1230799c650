//! The exhaustive table from reasons to public errors.

use super::{ErrorCode, Reason};

impl Reason {
    /// The public error. No wildcard arm: a new reason does not compile until someone chooses its public
    /// error.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        self.public().0
    }

    /// A sentence for the client's developer. Reasons whose difference would help an attacker have the same
    /// sentence.
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
        if matches!(self, Self::BodyTooSlow) {
            return 408;
        }
        if matches!(self, Self::MethodWrong) {
            return 405;
        }
        if matches!(
            self,
            Self::ClientThrottled
                | Self::UserCodeThrottled
                | Self::DeviceRequestThrottled
                | Self::PushThrottled
                | Self::RegistrationThrottled
                | Self::DocumentsThrottled
                | Self::AccessTokensTooMany
        ) {
            return 429;
        }
        if matches!(self, Self::RegistrationRefused | Self::ClientDisabled | Self::OriginNotAllowed) {
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
            | ErrorCode::AccountSelectionRequired
            | ErrorCode::AuthorizationPending
            | ErrorCode::ConsentRequired
            | ErrorCode::ExpiredToken
            | ErrorCode::InteractionRequired
            | ErrorCode::InvalidAuthorizationDetails
            | ErrorCode::InvalidClientMetadata
            | ErrorCode::InvalidDpopProof
            | ErrorCode::InvalidGrant
            | ErrorCode::InvalidRedirectUri
            | ErrorCode::InvalidRequest
            | ErrorCode::InvalidRequestObject
            | ErrorCode::InvalidRequestUri
            | ErrorCode::InvalidScope
            | ErrorCode::InvalidSoftwareStatement
            | ErrorCode::InvalidTarget
            | ErrorCode::LoginRequired
            | ErrorCode::RegistrationNotSupported
            | ErrorCode::RequestNotSupported
            | ErrorCode::RequestUriNotSupported
            | ErrorCode::SlowDown
            | ErrorCode::UnapprovedSoftwareStatement
            | ErrorCode::UnauthorizedClient
            | ErrorCode::UnmetAuthenticationRequirements
            | ErrorCode::UnsupportedGrantType
            | ErrorCode::UnsupportedResponseType
            | ErrorCode::UnsupportedTokenType
            | ErrorCode::UseDpopNonce => 400,
        }
    }

    /// The table: one row for each reason.
    #[rustfmt::skip]
    const fn public(self) -> (ErrorCode, &'static str) {
        use ErrorCode as E;
        use Reason as R;
        match self {
            R::FormTooLarge => (E::InvalidRequest, "the request is too large"),
            R::BodyTooSlow => (E::InvalidRequest, "the request took too long"),
            R::FormMalformed => (E::InvalidRequest, "the parameters are not well-formed UTF-8 in form encoding"),
            R::MethodWrong => (E::InvalidRequest, "the method is not allowed here"),
            R::ContentTypeWrong => (E::InvalidRequest, "the content type must be application/x-www-form-urlencoded"),
            R::ParameterRepeated => (E::InvalidRequest, "a parameter is repeated"),
            R::HeaderRepeated => (E::InvalidRequest, "a header field is repeated"),
            R::CertificateMalformed => (E::InvalidRequest, "the client certificate field is malformed or repeated"),
            R::ParameterMissing => (E::InvalidRequest, "a required parameter is missing"),

            R::ClientMissing => (E::InvalidClient, "client authentication is missing"),
            R::ClientUnknown
            | R::ClientCredentialsMalformed
            | R::ClientMethodNotRegistered
            | R::ClientSecretWrong
            | R::ClientAssertion(_) => (E::InvalidClient, "client authentication failed"),
            R::ClientCertificate(flaw) => flaw.public(),
            R::ClientKeysUnavailable => (E::TemporarilyUnavailable, "the keys of the client could not be fetched: try again"),
            R::ClientUnregistered => (E::InvalidClient, "no client is registered with this client_id: register again"),
            R::ClientMethodsMixed => (E::InvalidRequest, "more than one client authentication method was used"),
            R::ClientIdsDiffer => (E::InvalidRequest, "client_id differs from that of the Authorization header"),
            R::ClientSecretInQuery => (E::InvalidRequest, "client credentials must not be in the URI"),
            R::ClientSecretUnverifiable => (E::ServerError, "the server is not configured for this client"),
            R::ClientThrottled => (E::TemporarilyUnavailable, "too many failed attempts: try again later"),
            R::ClientUnfit => (E::UnauthorizedClient, "the client's registration does not meet the profile of this server"),
            R::GrantTypeNotAllowed => (E::UnauthorizedClient, "the client may not use this grant type"),
            R::ClientNotConfidential => (E::UnauthorizedClient, "a public client may not do this"),

            R::DocumentUrlRefused =>
                (E::InvalidClient, "this URL cannot be a client_id: it must be https with a path, and without user name, fragment or dot segments"),
            // The response must not reveal which names the internal network resolves.
            R::DocumentAddressRefused | R::DocumentNameUnknown =>
                (E::InvalidClient, "the client's metadata document could not be fetched"),
            R::DocumentUnreachable | R::DocumentTimeout | R::DocumentServerFailed =>
                (E::TemporarilyUnavailable, "the client's metadata document could not be fetched now: try again"),
            R::DocumentsBusy | R::DocumentsThrottled =>
                (E::TemporarilyUnavailable, "too many metadata documents are being fetched: try again later"),
            R::DocumentRedirected | R::DocumentStatusWrong =>
                (E::InvalidClient, "the client's metadata document must be served with status 200, without a redirect"),
            R::DocumentTooLarge => (E::InvalidClient, "the client's metadata document is larger than 5 KiB"),
            R::DocumentTypeWrong => (E::InvalidClient, "the client's metadata document must be application/json"),
            R::DocumentMalformed =>
                (E::InvalidClient, "the client's metadata document must be a JSON object without duplicate members, each of the right type"),
            R::DocumentOfAnother => (E::InvalidClient, "the client_id in the metadata document must be the URL of the document"),
            R::DocumentHasSecret => (E::InvalidClient, "a metadata document must not have a client secret, or an authentication method that needs one"),
            R::DocumentNeedsKeys => (E::InvalidClient, "the metadata document names no authentication method that this server supports for such clients"),
            R::DocumentNameMissing => (E::InvalidClient, "the metadata document has no client_name"),
            R::DocumentRedirectUriMissing => (E::InvalidClient, "the metadata document has no redirect_uris"),
            R::DocumentRedirectUri => (E::InvalidClient, "none of the redirect_uris of the metadata document is acceptable"),
            R::DocumentMetadata => (E::InvalidClient, "the metadata document has a value that is not supported"),

            R::GrantTypeUnsupported => (E::UnsupportedGrantType, "the grant type is not supported"),
            // One text for all of these: every `jti` contains a grant id, and nobody may find out with it
            // whether the grant has ended.
            R::CodeUnknown
            | R::CodeForAnotherClient
            | R::CodeReplayed
            | R::RefreshUnknown
            | R::RefreshForAnotherClient
            | R::RefreshReplayed
            | R::RefreshSuperseded
            | R::DeviceCodeUnknown
            | R::DeviceCodeForAnotherClient
            | R::DeviceCodeSpent
            | R::GrantEnded => (E::InvalidGrant, "the code or refresh token is unknown, spent or revoked"),
            R::CodeExpired => (E::InvalidGrant, "the authorization code has expired"),
            R::RedirectUriMismatch => (E::InvalidGrant, "redirect_uri does not match the authorization request"),
            R::VerifierMissing => (E::InvalidGrant, "code_verifier is missing"),
            R::VerifierMalformed => (E::InvalidGrant, "code_verifier must be 43 to 128 unreserved characters"),
            R::VerifierMismatch => (E::InvalidGrant, "code_verifier does not match the challenge"),
            R::VerifierUnexpected => (E::InvalidGrant, "code_verifier was sent, but the authorization request had no code_challenge"),
            R::AccessTokensTooMany =>
                (E::TemporarilyUnavailable, "this authorization has too many unexpired access tokens: use one of them, or try again later"),
            R::RetryRevoked => (E::InvalidGrant, "the access token of the first response was revoked"),
            R::RetryDiffers => (E::InvalidGrant, "the code or refresh token was used with other parameters"),
            R::RefreshExpired => (E::InvalidGrant, "the refresh token has expired"),
            R::DeviceCodeExpired => (E::ExpiredToken, "the device code has expired: start again"),
            R::DevicePending => (E::AuthorizationPending, "the user has not answered yet"),
            R::DevicePollsTooFast => (E::SlowDown, "wait 5 seconds longer between polls"),
            R::DeviceDenied => (E::AccessDenied, "the user denied the request"),
            R::SubjectTokenInvalid => (E::InvalidRequest, "the subject token is unknown, expired or revoked"),
            R::ExchangedSubjectBlocked => (E::InvalidRequest, "the user of the subject token may not continue"),
            R::ExchangedTokenOfOtherKey => (E::InvalidRequest, "the subject or actor token is bound to another key"),
            R::ActorTokenInvalid => (E::InvalidRequest, "the actor token is unknown, expired or revoked"),
            R::ActorTokenMissing => (E::InvalidRequest, "actor_token_type was sent without actor_token"),
            R::TokenTypeWrong => (E::InvalidRequest, "a token is not of the type that the request gives it"),
            R::TokenTypeUnsupported => (E::InvalidRequest, "only access tokens can be exchanged, and only for access tokens"),
            R::ActorsTooMany => (E::InvalidRequest, "the delegation chain is too long"),
            R::ExchangeDenied => (E::InvalidTarget, "the client may not exchange this token for that target"),
            R::Extension(refusal) => refusal.public(),
            R::Assertion(flaw) => flaw.public(),
            R::Proof(flaw) => flaw.public(),
            R::OwnerCredentialsWrong => (E::InvalidGrant, "the user name or password is wrong"),
            R::SubjectBlocked => (E::InvalidGrant, "the account of the user is not active"),
            R::ScopeMalformed => (E::InvalidScope, "the scope is malformed"),
            R::ScopeExceeded => (E::InvalidScope, "the scope exceeds what may be granted"),
            R::ScopeMissing => (E::InvalidScope, "a scope is required"),
            R::TargetMalformed => (E::InvalidTarget, "resource is not an absolute URI without a fragment"),
            R::TargetUnknown => (E::InvalidTarget, "the resource is unknown"),
            R::AudienceUnknown => (E::InvalidTarget, "audience must name at most 8 known resources"),
            R::TargetExceeded => (E::InvalidTarget, "the resource was not granted"),
            R::TargetAmbiguous => (E::InvalidTarget, "an access token is for one resource: name one"),

            R::DetailsMalformed =>
                (E::InvalidAuthorizationDetails, "authorization_details must be a JSON array of objects that each have a type, without duplicate members, and not empty in a token request"),
            R::DetailsTypeUnknown => (E::InvalidAuthorizationDetails, "an authorization details type is not supported"),
            R::DetailsRefused => (E::InvalidAuthorizationDetails, "an authorization detail is not valid for its type"),
            R::DetailsNotAllowed => (E::InvalidAuthorizationDetails, "the client may not use this authorization details type"),
            R::DetailsOfNoResource => (E::InvalidAuthorizationDetails, "none of the requested resources accepts one of the authorization details"),
            R::DetailsExceeded => (E::InvalidAuthorizationDetails, "the authorization details exceed what was granted"),

            R::RedirectUriUnregistered => (E::InvalidRequest, "redirect_uri is not registered for this client"),
            R::RedirectUriMissing => (E::InvalidRequest, "redirect_uri is required"),
            R::ResponseTypeMissing => (E::InvalidRequest, "response_type is missing"),
            R::ResponseTypeUnsupported => (E::UnsupportedResponseType, "the response type is not supported"),
            R::ResponseTypeNotAllowed => (E::UnauthorizedClient, "the client may not use this response type"),
            R::ResponseModeInvalid => (E::InvalidRequest, "response_mode is not supported for this response type or client"),
            R::ChallengeMissing => (E::InvalidRequest, "code_challenge is required (PKCE)"),
            R::ChallengeMalformed => (E::InvalidRequest, "code_challenge must be the base64url encoding of a SHA-256 digest"),
            R::ChallengeMethodUnsupported => (E::InvalidRequest, "code_challenge_method must be S256"),
            R::PromptMalformed => (E::InvalidRequest, "prompt=none must not be combined with another value"),
            R::PromptUnsupported => (E::InvalidRequest, "a value of prompt is not supported"),
            R::MaxAgeMalformed => (E::InvalidRequest, "max_age must be a number of seconds"),
            R::DpopJktMalformed => (E::InvalidRequest, "dpop_jkt must be the base64url encoding of a SHA-256 thumbprint"),
            R::NonceTooLong => (E::InvalidRequest, "nonce is too long"),
            R::NonceMissing => (E::InvalidRequest, "nonce is required for this response type"),
            R::IdTokenWithoutScope => (E::InvalidScope, "an id_token requires the scope openid"),
            R::ClaimsWithoutToken => (E::InvalidRequest, "claims for userinfo need a response type with an access token"),
            R::ClaimsMalformed => (E::InvalidRequest, "claims is malformed or too large (OpenID Connect Core section 5.5)"),
            R::RequestObjectUnsupported => (E::RequestNotSupported, "request objects are not supported"),
            R::RequestObject(flaw) => flaw.of_request_object(),
            R::RequestObjectParameter => (E::InvalidRequest, "a parameter in the request object has the wrong type"),
            R::RequestNotSigned => (E::InvalidRequest, "the request must be a signed request object (RFC 9101)"),
            R::RegistrationParameter => (E::RegistrationNotSupported, "the parameter registration is not supported"),
            R::RequestUriUnsupported => (E::RequestUriNotSupported, "request URIs are not supported"),
            R::RequestUriPushed => (E::InvalidRequest, "a pushed request must not have a request_uri"),
            R::RequestUriUnknown
            | R::RequestUriExpired
            | R::RequestUriForAnotherClient
            | R::RequestUriSpent => (E::InvalidRequestUri, "the request_uri is unknown, expired or used"),
            R::RequestSourcesMixed => (E::InvalidRequest, "request and request_uri are mutually exclusive"),
            R::RequestNotPushed => (E::InvalidRequest, "the request must be pushed first (RFC 9126)"),
            R::PushTooLarge => (E::InvalidRequest, "a public client may push at most 8 KiB of parameters"),
            R::PushThrottled => (E::TemporarilyUnavailable, "too many pushed requests: try again later"),
            R::LoginRequired => (E::LoginRequired, "the user has to sign in"),
            R::AccountSelectionRequired => (E::AccountSelectionRequired, "the user has to choose an account"),
            R::InteractionRequired => (E::InteractionRequired, "the user has to interact with a page"),
            R::ConsentRequired | R::ConsentRequiredEachTime => (E::ConsentRequired, "the user has to give consent"),
            R::AuthenticationUnmet => (E::UnmetAuthenticationRequirements, "the authentication does not meet acr_values"),
            R::ConsentDenied => (E::AccessDenied, "the user denied the request"),
            R::ApproverBlocked => (E::AccessDenied, "the account of the user is not active"),

            R::UserCodeUnknown | R::UserCodeClaimed | R::UserCodeUnclaimed =>
                (E::InvalidRequest, "the code is unknown, or it was entered in another browser"),
            R::UserCodeExpired => (E::InvalidRequest, "the code has expired: start again on the device"),
            R::UserCodeAnswered => (E::InvalidRequest, "the code was used before"),
            R::UserCodeThrottled => (E::TemporarilyUnavailable, "too many wrong codes: try again later"),
            R::DeviceRequestThrottled => (E::TemporarilyUnavailable, "too many device requests: try again later"),

            R::TokenMissing => (E::InvalidToken, "an access token is required"),
            R::TokenMethodsMixed => (E::InvalidRequest, "the access token was sent more than once"),
            R::TokenMalformed => (E::InvalidRequest, "the Authorization header is malformed"),
            R::TokenAudienceWrong => (E::InvalidToken, "the access token is for another resource"),
            R::TokenInactive
            | R::TokenUnreadable
            | R::TokenSignatureWrong
            | R::TokenIssuerWrong
            | R::TokenExpired
            | R::TokenTooEarly
            | R::TokenBound => (E::InvalidToken, "the access token is unknown, expired or revoked"),
            R::TokenUnbound => (E::InvalidToken, "the access token is not bound to a key"),
            R::TokenWithoutUser => (E::InvalidToken, "the access token does not belong to a user"),
            R::TokenScopeInsufficient => (E::InsufficientScope, "the access token lacks a required scope"),
            R::TokenAuthenticationInsufficient =>
                (E::InsufficientUserAuthentication, "the user must sign in again, or in another way"),
            R::TokenNotRevocable => (E::UnsupportedTokenType, "this kind of token cannot be revoked: it stays valid until it expires"),
            R::TokenForAnotherClient => (E::UnauthorizedClient, "the token belongs to another client"),

            R::RegistrationNotJson => (E::InvalidClientMetadata, "the content type must be application/json"),
            R::RegistrationMalformed =>
                (E::InvalidClientMetadata, "the body must be a JSON object of client metadata, in UTF-8 and without duplicate members"),
            R::RegistrationTooLarge => (E::InvalidClientMetadata, "the metadata to register must have at most 16 KiB"),
            R::RegistrationMember(flaw) => flaw.public(),
            R::RegistrationRedirectUri =>
                (E::InvalidRedirectUri, "at least one of redirect_uris must be https, http on a loopback address, or a private-use scheme with a dot (under FAPI 2.0 https, or http on 127.0.0.1 or [::1]), without fragment, user name, or wildcard in the host"),
            R::RegistrationRedirectUriMissing => (E::InvalidRedirectUri, "redirect_uris is required"),
            R::RegistrationAuthMethod =>
                (E::InvalidClientMetadata, "token_endpoint_auth_method, or else one of token_endpoint_auth_methods_supported, must be listed in the server metadata, and client_secret_jwt is not for clients that register themselves"),
            R::RegistrationProfile =>
                (E::InvalidClientMetadata, "the profile of this server requires a client that authenticates by its own key, has https redirect_uris, and does not use RS256"),
            R::RegistrationGrantTypes => (E::InvalidClientMetadata, "none of the grant_types may be registered"),
            R::RegistrationInconsistent =>
                (E::InvalidClientMetadata, "grant_types, response_types and token_endpoint_auth_method are inconsistent"),
            R::RegistrationScope => (E::InvalidClientMetadata, "none of the scopes may be registered"),
            R::RegistrationKeys =>
                (E::InvalidClientMetadata, "private_key_jwt and self_signed_tls_client_auth need jwks with public keys only, or an https jwks_uri; token_endpoint_auth_signing_alg must be listed in the server metadata"),
            R::RegistrationDpop => (E::InvalidClientMetadata, "dpop_bound_access_tokens is not supported"),
            R::RegistrationOpenId =>
                (E::InvalidClientMetadata, "algorithms and subject_type must be listed in the server metadata, and HS256 needs a client_secret; encryption is not supported"),
            R::RegistrationSector =>
                (E::InvalidClientMetadata, "subject_type pairwise needs redirect_uris of one https host, or an https sector_identifier_uri with a JSON array of all redirect_uris"),
            R::RegistrationSubjects =>
                (E::InvalidClientMetadata, "a change of subject_type or of the sector would change the identifiers of all users"),
            R::RegistrationInitiateLogin => (E::InvalidClientMetadata, "initiate_login_uri must be an https URL"),
            R::RegistrationSignedAnswers =>
                (E::InvalidClientMetadata, "authorization_signed_response_alg and introspection_signed_response_alg must be listed in the server metadata; encryption is not supported"),
            R::RegistrationRequestObject =>
                (E::InvalidClientMetadata, "request objects need jwks or jwks_uri, and a request_object_signing_alg that is listed in the server metadata; encryption is not supported"),
            R::RegistrationLogoutUri =>
                (E::InvalidClientMetadata, "post_logout_redirect_uris follow the rules of redirect_uris; backchannel_logout_uri and frontchannel_logout_uri must be https, and the latter must have the origin of a redirect URI; a kind of logout that is not listed in the server metadata is not supported"),
            R::IdTokenHintInvalid => (E::InvalidRequest, "id_token_hint is not an id_token of this server"),
            R::IdTokenHintOfAnother => (E::InvalidRequest, "id_token_hint was issued to another client"),
            R::IdTokenHintAgainstClaims => (E::InvalidRequest, "id_token_hint and the sub in claims name different users"),
            R::PostLogoutRedirectUri => (E::InvalidRequest, "post_logout_redirect_uri is not registered for this client"),
            R::LogoutTokenRefused => (E::InvalidRequest, "the client rejected the logout token"),
            R::LogoutUndelivered => (E::TemporarilyUnavailable, "the client could not be notified of the logout"),
            R::RegistrationCertificateSubject =>
                (E::InvalidClientMetadata, "tls_client_auth needs exactly one well-formed name: tls_client_auth_subject_dn, or one of the tls_client_auth_san_ members"),
            R::RegistrationKeysTwice => (E::InvalidClientMetadata, "jwks and jwks_uri are mutually exclusive"),
            R::RegistrationOfAnother => (E::InvalidClientMetadata, "client_id is required, and client_id and client_secret must be those of the client"),
            R::RegistrationMemberForbidden =>
                (E::InvalidClientMetadata, "a change must not have registration_access_token, registration_client_uri, client_secret_expires_at or client_id_issued_at"),
            R::SoftwareStatementInvalid => (E::InvalidSoftwareStatement, "the software statement is not valid"),
            R::SoftwareStatementUnapproved =>
                (E::UnapprovedSoftwareStatement, "the issuer of the software statement is not trusted"),
            R::InitialTokenMissing => (E::InvalidToken, "an initial access token is required"),
            R::InitialTokenWrong => (E::InvalidToken, "the initial access token is not valid"),
            R::RegistrationTokenMissing => (E::InvalidToken, "a registration access token is required"),
            R::RegistrationTokenWrong => (E::InvalidToken, "the registration access token is not valid for this client"),
            R::RegistrationRefused => (E::AccessDenied, "the registration was refused"),
            R::RegistrationThrottled => (E::TemporarilyUnavailable, "too many registrations or changes: try again later"),
            R::ClientDisabled => (E::AccessDenied, "the client is disabled"),
            R::OriginNotAllowed => (E::AccessDenied, "this origin may not call the resource"),

            R::StoreUnavailable | R::Contended | R::Overloaded | R::IssuerUnavailable =>
                (E::TemporarilyUnavailable, "the server cannot answer now: try again"),
            R::StoreBroken | R::ProofOfAnotherWrite | R::AccessTokenTooLong | R::NotConfigured | R::IssuerRefused | R::SubjectUnfit | R::IdTokenAlgorithm => (E::ServerError, "the server failed to process the request"),
        }
    }
}
