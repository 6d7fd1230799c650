//! Whether a client's registration meets a profile, before any request.

use super::auth::Credentials;
use super::{ApplicationType, Client, ClientError, ClientErrors, GrantType, MessageSigning, Profile};
use crate::base::redirect_uri::RedirectUri;
use crate::base::{Algorithm, ResponseAlgorithm};
use crate::error::Mistakes;

/// Why a client does not meet a profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileMismatch {
    /// The other profiles apply to a server and all its clients.
    #[error(
        "the profile of a client can only be fapi2 or fapi2-message-signing: set any other on the server"
    )]
    OfServers,
    /// FAPI 2.0 Security Profile section 5.3.2.1(6).
    #[error(
        "token_endpoint_auth_method must be private_key_jwt, tls_client_auth or self_signed_tls_client_auth"
    )]
    AuthMethod,
    /// Section 5.3.2.1(3): every user of a native client can read its secret.
    #[error(
        "a native client is public, and the profile requires a confidential one: leave out application_type"
    )]
    Native,
    /// Section 5.3.2.1(2) and 5.3.2.2(1).
    #[error("grant_types cannot have {:?}", .0.as_str())]
    GrantType(GrantType),
    /// Section 5.3.2.2(8).
    #[error("redirect_uri {0:?} must be https, or http on 127.0.0.1 or [::1]")]
    RedirectUri(RedirectUri),
    /// Section 5.3.2.2(5).
    #[error("the profile requires PKCE: leave out require_pkce")]
    WithoutPkce,
    /// Section 5.3.2.1(9).
    #[error("the profile forbids the rotation of refresh tokens: leave out rotate_refresh_tokens")]
    Rotation,
    /// Section 5.4.1.
    #[error("{0} must be EdDSA, Ed25519, ES256 or PS256")]
    Algorithm(&'static str),
    /// FAPI 2.0 Message Signing section 5.4.1.
    #[error("response_modes must have a signed mode, such as jwt")]
    ResponseModes,
}

impl Client {
    /// Checks its registration against this profile, or against the client's own where that is stricter, for
    /// a server that signs every kind of message. A server checks each client before it serves it. Check the
    /// clients of a file when you start.
    ///
    /// # Errors
    /// Every mistake, not only the first.
    pub fn check_profile(&self, profile: Profile) -> Result<(), ClientErrors> {
        self.check_profile_with(profile, MessageSigning::default())
    }

    /// Like [`check_profile`](Self::check_profile), for a server with this
    /// [`message_signing`](crate::server::AuthorizationServerBuilder::message_signing): if responses are not
    /// signed, a client needs no signed response mode.
    ///
    /// # Errors
    /// Every mistake, not only the first.
    pub fn check_profile_with(&self, profile: Profile, signed: MessageSigning) -> Result<(), ClientErrors> {
        let mistakes: Vec<ClientError> = self.mismatches(profile, signed).map(ClientError::Profile).collect();
        if mistakes.is_empty() { Ok(()) } else { Err(Mistakes(mistakes)) }
    }

    /// Whether it meets the profile; cheaper than the list of mistakes.
    pub(crate) fn fits(&self, profile: Profile, signed: MessageSigning) -> bool {
        let is_held = profile.with_own(self.profile()).switches().strong_clients;
        !is_held || self.mismatches(profile, signed).next().is_none()
    }

    fn mismatches(&self, profile: Profile, signed: MessageSigning) -> impl Iterator<Item = ProfileMismatch> {
        use ProfileMismatch as M;
        let profile = profile.with_own(self.profile());
        let (own, switches) = (&self.metadata, profile.switches());
        let proves_a_key = match self.auth_method.credentials() {
            Credentials::Keys | Credentials::CertifiedKeys | Credentials::Certificate => true,
            Credentials::Nothing | Credentials::Secret | Credentials::SealedSecret => false,
        };
        let signs_nothing =
            own.response_modes.as_ref().is_some_and(|modes| !modes.iter().any(|mode| mode.is_signed()));
        let is_held = switches.strong_clients;
        let found = [
            (!proves_a_key, M::AuthMethod),
            (self.application_type() == ApplicationType::Native, M::Native),
            (own.require_pkce == Some(false), M::WithoutPkce),
            (own.rotate_refresh_tokens == Some(true), M::Rotation),
            (signs_nothing && switches.signed_messages && signed.responses, M::ResponseModes),
        ];
        let found = found.into_iter().filter_map(|(is_wrong, mismatch)| is_wrong.then_some(mismatch));
        let grants = self.grant_types().iter().filter(move |own| !profile.knows(own));
        let uris = self.redirect_uris.iter().filter(|uri| !is_private(uri));
        let signed = [own.authorization_signed_response_alg, own.introspection_signed_response_alg];
        let signed = signed.map(|named| named.map(Algorithm::as_str));
        let openid = [own.id_token_signed_response_alg, own.userinfo_signed_response_alg];
        let openid = openid.map(|named| named.map(ResponseAlgorithm::as_str));
        let of_answers = ANSWERS.iter().zip(signed.into_iter().chain(openid));
        let of_answers = of_answers.filter_map(|(member, named)| Some((*member, named?)));
        let of_client = [
            ("token_endpoint_auth_signing_alg", own.token_endpoint_auth_signing_alg.as_deref()),
            ("request_object_signing_alg", own.request_object_signing_alg.as_deref()),
        ];
        let of_client = of_client.into_iter().filter_map(|(member, named)| Some((member, named?)));
        let algorithms = of_answers.chain(of_client).filter(|(_, named)| !switches.allows(named));
        let found = found.chain(grants.cloned().map(M::GrantType)).chain(uris.cloned().map(M::RedirectUri));
        found.chain(algorithms.map(|(member, _)| M::Algorithm(member))).filter(move |_| is_held)
    }
}

impl Profile {
    /// Whether a client may have this redirect URI.
    pub(crate) fn allows_redirects_to(self, uri: &RedirectUri) -> bool {
        !self.switches().strong_clients || is_private(uri)
    }
}

/// The metadata members that name the algorithm of a response.
const ANSWERS: [&str; 4] = [
    "authorization_signed_response_alg",
    "introspection_signed_response_alg",
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
];

/// Whether a response to this URI cannot be read in transit: because of TLS, or because it stays on the
/// machine. `localhost` is a name, which a resolver may resolve elsewhere (RFC 8252 section 8.3).
fn is_private(uri: &RedirectUri) -> bool {
    let scheme = uri.as_str().split(':').next().unwrap_or_default();
    // An http URI can only be registered for this machine.
    let stays_here = || scheme.eq_ignore_ascii_case("http") && !uri.host().starts_with("localhost");
    scheme.eq_ignore_ascii_case("https") || stays_here()
}
