//! What grantor finds wrong with a configuration, by the keys of the file.

use grantor::server::ConfigError;

/// One line that names the key to change.
pub(crate) fn in_the_file(error: &ConfigError) -> String {
    let line = match error {
        ConfigError::OpenIdSigner => "openid: there is no key for RS256; add it to keys.algorithms",
        ConfigError::ProfileSigner => {
            "profile: there is no key for EdDSA, ES256 or PS256; add one to keys.algorithms"
        }
        ConfigError::ProfileSecrets => "profile: it allows no client secrets; leave out sealing_key",
        ConfigError::ProfileCodes => "profile: lifetimes.code must be at most 60",
        ConfigError::ProfileLeeway => "profile: lifetimes.leeway must be at least 30",
        ConfigError::ProfilePkce => "profile: registration.require_pkce must not be false",
        ConfigError::ProfileLocalhost => "profile: registration.localhost_any_port is not allowed",
        ConfigError::BindingMissing => {
            "profile: every token must be bound, but no client can prove a key; name \"dpop\" in fapi.sender"
        }
        ConfigError::ProfileResource(identifier) => {
            return format!("resources ({identifier}): the profile forbids its signing_algorithm");
        }
        ConfigError::AlgorithmMissing(algorithm) => {
            return format!("resources: there is no key for {algorithm}; add it to keys.algorithms");
        }
        ConfigError::IssuerNotAUrl => {
            "issuer: it is not an absolute URL with a host and without user information"
        }
        ConfigError::IssuerQuery => "issuer: it must not have a query or a fragment",
        ConfigError::IssuerPath => "issuer: no segment of its path may begin with a colon or an asterisk",
        ConfigError::IssuerDotSegment => {
            "issuer: no segment of its path may be . or .. (also as %2e), because clients remove them"
        }
        ConfigError::IssuerEmptySegment => {
            "issuer: no segment of its path may be empty: leave out the second of two slashes"
        }
        ConfigError::KeysRetireBeforeIdTokens => {
            "keys.retire must be at least openid.id_token_lifetime, or id_tokens outlive their key"
        }
        ConfigError::RegistrationGrantType => {
            "registration.grants: the profile forbids one of them, or the server does not have it"
        }
        other => return other.to_string(),
    };
    line.to_owned()
}
