//! What a profile of FAPI means for a configuration: what it switches on, and what it refuses.

use std::time::Duration;

use super::config_error::ConfigError;
use super::setup::Options;
use crate::base::Algorithm;
use crate::client::{MessageSigning, RequestObjects};
use crate::server::AuthorizationServerBuilder;

/// The shortest time that a rotated refresh token must keep working (FAPI 2.0 Security Profile section
/// 5.3.2.1, Note 1).
const SHORTEST_LEEWAY: Duration = Duration::from_secs(30);

impl<C, S> AuthorizationServerBuilder<C, S> {
    /// Which messages are signed under [`Profile::Fapi2MessageSigning`](crate::Profile::Fapi2MessageSigning),
    /// of the server or of a client; by default all.
    pub fn message_signing(mut self, signed: MessageSigning) -> Self {
        self.options.message_signing = signed;
        self
    }
}

impl Options {
    /// Switches on what the profile requires of the server.
    pub(in crate::server) fn apply_profile(&mut self) {
        let profile = self.profile.switches();
        self.requires_push |= profile.pushed_requests;
        if let Some(dpop) = self.dpop.take().map(|dpop| dpop.within(profile.algorithms)) {
            self.dpop = Some(if profile.close_clocks { dpop.with_close_clocks() } else { dpop });
        }
        if profile.signed_messages {
            let MessageSigning { requests, responses, introspection } = self.message_signing;
            if requests {
                self.request_objects = Some(RequestObjects::required().dated());
            }
            self.signed_answers.authorization |= responses;
            self.signed_answers.introspection |= introspection;
        }
    }
}

/// The settings that conflict with the server's profile.
pub(in crate::server) fn validate_profile(options: &Options) -> Vec<ConfigError> {
    let profile = options.profile.switches();
    if !profile.strong_clients {
        return Vec::new();
    }
    let policy = &options.policy;
    let forbids = |algorithm: &Algorithm| !profile.algorithms.contains(algorithm);
    let signs = options.signer.as_ref().map(|signer| signer.algorithms());
    let terms = options.registration.as_ref();
    let mistakes = [
        (
            options.client_signatures.is_none() && options.mutual_tls.certificates.is_none(),
            ConfigError::ProfileClients,
        ),
        (options.legacy_audience, ConfigError::ProfileAudience),
        (options.sealed_secrets.is_some(), ConfigError::ProfileSecrets),
        (
            profile.longest_code.is_some_and(|at_most| policy.code_lifetime > at_most),
            ConfigError::ProfileCodes,
        ),
        (policy.leeway < SHORTEST_LEEWAY, ConfigError::ProfileLeeway),
        (signs.is_some_and(|own| own.iter().all(forbids)), ConfigError::ProfileSigner),
        (terms.is_some_and(|terms| terms.localhost_any_port), ConfigError::ProfileLocalhost),
        (terms.is_some_and(|terms| terms.is_pkce_optional), ConfigError::ProfilePkce),
    ];
    let found = mistakes.into_iter().filter_map(|(is_wrong, mistake)| is_wrong.then_some(mistake));
    let resources = options.resources.iter().filter(|own| own.algorithm.as_ref().is_some_and(forbids));
    found.chain(resources.map(|own| ConfigError::ProfileResource(own.identifier.clone()))).collect()
}
