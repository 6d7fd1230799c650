//! Whether a client fits a profile: what can be seen of its registration, before any request.

use super::auth::Credentials;
use super::{ApplicationType, Client, ClientError, ClientErrors, GrantType, Profile};
use crate::base::redirect_uri::RedirectUri;
use crate::error::Mistakes;

/// What a profile forbids a client to have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileMismatch {
    /// The other profiles say how a server speaks to all of its clients.
    #[error("the profile of a client can be fapi2 or fapi2-message-signing: leave any other to the server")]
    OfServers,
    /// FAPI 2.0 Security Profile section 5.3.2.1(6).
    #[error("auth_method must be private_key_jwt, tls_client_auth or self_signed_tls_client_auth")]
    AuthMethod,
    /// Section 5.3.2.1(3): the user of a program has every secret in it.
    #[error("a native client is public: leave application_type out")]
    Native,
    /// Section 5.3.2.1(2) and 5.3.2.2(1).
    #[error("grant_types cannot have {:?}", .0.as_str())]
    GrantType(GrantType),
    /// Section 5.3.2.2(8).
    #[error("redirect_uri {0:?} must be https, or http on 127.0.0.1 or [::1]")]
    RedirectUri(RedirectUri),
    /// Section 5.3.2.2(5).
    #[error("PKCE cannot be waived: leave require_pkce out")]
    WithoutPkce,
    /// Section 5.3.2.1(9).
    #[error("refresh tokens cannot rotate: leave rotate_refresh out")]
    Rotation,
    /// Section 5.4.1.
    #[error("{0} must be EdDSA, Ed25519, ES256 or PS256")]
    Algorithm(&'static str),
    /// FAPI 2.0 Message Signing section 5.4.1.
    #[error("response_modes must have a signed one, such as jwt")]
    ResponseModes,
}

impl Client {
    /// Whether its registration fits this profile. A server checks each client against its own profile before it serves it, and a client
    /// with a profile of its own is checked when it is built. Check the clients of a file when you start.
    ///
    /// # Errors
    /// Every mistake, not only the first.
    pub fn check_profile(&self, profile: Profile) -> Result<(), ClientErrors> {
        let mistakes: Vec<ClientError> = self.mismatches(profile).map(ClientError::Profile).collect();
        if mistakes.is_empty() { Ok(()) } else { Err(Mistakes(mistakes)) }
    }

    /// Whether it fits, without the list of mistakes.
    pub(crate) fn fits(&self, profile: Profile) -> bool {
        !profile.switches().strong_clients || self.mismatches(profile).next().is_none()
    }

    fn mismatches(&self, profile: Profile) -> impl Iterator<Item = ProfileMismatch> {
        use ProfileMismatch as M;
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
            (signs_nothing && switches.signed_messages, M::ResponseModes),
        ];
        let found = found.into_iter().filter_map(|(is_wrong, mismatch)| is_wrong.then_some(mismatch));
        let grants = self.grant_types.iter().filter(move |own| !profile.knows(own));
        let uris = self.redirect_uris.iter().filter(|uri| !is_private(uri));
        let signed = [own.authorization_signed_response_alg, own.introspection_signed_response_alg];
        let openid = [own.id_token_signed_response_alg, own.userinfo_signed_response_alg];
        let of_answers = ANSWERS.iter().zip(signed.into_iter().chain(openid));
        let of_answers = of_answers.filter_map(|(member, named)| Some((*member, named?.as_str())));
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

/// The members that name the algorithm of an answer.
const ANSWERS: [&str; 4] = [
    "authorization_signed_response_alg",
    "introspection_signed_response_alg",
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
];

/// Whether what is sent there cannot be read on its way: by TLS, or because it stays on the machine. `localhost` is a name, which
/// a resolver may lead elsewhere (RFC 8252 section 8.3).
fn is_private(uri: &RedirectUri) -> bool {
    let scheme = uri.as_str().split(':').next().unwrap_or_default();
    // With http no other host than this machine can be registered.
    let stays_here = || scheme.eq_ignore_ascii_case("http") && !uri.host().starts_with("localhost");
    scheme.eq_ignore_ascii_case("https") || stays_here()
}
