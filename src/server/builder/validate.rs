//! Checks of the configuration at startup.

use std::time::Duration;

use super::config_error::ConfigError;
use super::setup::Options;
use crate::base::redirect_uri::may_be_named;
use crate::base::{Algorithm, HttpsUrl, HttpsUrlError, Scope};
use crate::client::{GrantType, Switches};
use crate::documents::MetadataDocuments;
use crate::issuance::{DetailTypes, KnownResource, Policy, Resource};
use crate::openid::OpenIdRules;
use crate::registration::Registration;

/// The longest life of a code (RFC 6749 section 4.1.2).
const TEN_MINUTES: Duration = Duration::from_secs(10 * 60);

/// The path of an issuer that RFC 8414 section 2 allows, without a trailing slash. No other segment is empty:
/// a path that begins with two slashes would lead a browser to another host, and many proxies merge them.
pub(in crate::server) fn issuer_path(issuer: &str, loopback: bool) -> Result<String, ConfigError> {
    let url = HttpsUrl::parse_identifier(issuer, loopback).map_err(|error| match error {
        HttpsUrlError::NotAUrl => ConfigError::IssuerNotAUrl,
        HttpsUrlError::NotHttps => ConfigError::IssuerNotHttps,
        HttpsUrlError::Query => ConfigError::IssuerQuery,
        HttpsUrlError::Path => ConfigError::IssuerPath,
        HttpsUrlError::DotSegment => ConfigError::IssuerDotSegment,
    })?;
    match url.path.contains("//") {
        true => Err(ConfigError::IssuerEmptySegment),
        false => Ok(url.path.trim_end_matches('/').to_owned()),
    }
}

/// Single-use credentials need a replay guard, and a required key must be provable.
pub(in crate::server) fn validate_single_use(options: &Options) -> Vec<ConfigError> {
    let forgets = options.replay_guard.is_none();
    let mistakes = [
        (options.client_signatures.is_some() && forgets, ConfigError::AssertionsUnremembered),
        (options.dpop.is_some() && forgets, ConfigError::ProofsUnremembered),
        (
            options.sealed_secrets.is_some()
                && options.client_signatures.is_none()
                && options.openid.claims.is_none(),
            ConfigError::MacsUnverified,
        ),
        (
            options.binds_every_token() && options.dpop.is_none() && !options.mutual_tls.rules().binds,
            ConfigError::BindingMissing,
        ),
    ];
    mistakes.into_iter().filter_map(|(is_wrong, mistake)| is_wrong.then_some(mistake)).collect()
}

/// The resources, each once, with scopes that the server knows.
pub(in crate::server) fn known_resources(
    resources: Vec<Resource>,
    scope: &Scope,
) -> Result<Vec<KnownResource>, Vec<ConfigError>> {
    let mut known: Vec<KnownResource> = Vec::new();
    let mut errors = Vec::new();
    for resource in resources {
        let identifier = resource.identifier.clone();
        match KnownResource::check(resource) {
            Err(_) => errors.push(ConfigError::Resource(identifier)),
            Ok(resource) if known.iter().any(|k| k.id == resource.id) => {
                errors.push(ConfigError::ResourceTwice(identifier));
            }
            Ok(resource) if resource.scope.as_ref().is_some_and(|s| !s.is_subset(scope)) => {
                errors.push(ConfigError::ResourceScope(identifier));
            }
            Ok(resource) => known.push(resource),
        }
    }
    if errors.is_empty() { Ok(known) } else { Err(errors) }
}

/// Detail types without a name, and types that a resource names but the server does not know.
pub(in crate::server) fn validate_details(
    types: &DetailTypes,
    resources: &[KnownResource],
) -> impl Iterator<Item = ConfigError> {
    let named = resources.iter().filter_map(|resource| resource.detail_types.as_ref()).flatten();
    let unknown = named.filter(|name| !types.knows(name));
    let unknown = unknown.map(|name| ConfigError::DetailType(name.clone()));
    unknown.chain(types.knows("").then(|| ConfigError::DetailType(String::new())))
}

pub(in crate::server) fn validate_terms(
    terms: &Registration,
    serves: &impl Fn(&GrantType) -> bool,
    scope: &Scope,
    has_registrar: bool,
) -> impl Iterator<Item = ConfigError> {
    let named = Scope::of_tokens(terms.scopes.as_deref().unwrap_or_default());
    let unknown = !named.is_ok_and(|named| named.is_subset(scope));
    let useless = !terms.grant_types.iter().all(serves);
    let found = [
        (!has_registrar).then_some(ConfigError::RegistrarMissing),
        unknown.then_some(ConfigError::RegistrationScope),
        useless.then_some(ConfigError::RegistrationGrantType),
    ];
    let schemes = terms.redirect_schemes.iter().flatten().filter(|scheme| !may_be_named(scheme));
    let schemes = schemes.map(|scheme| ConfigError::RedirectScheme(scheme.clone()));
    found.into_iter().flatten().chain(schemes)
}

pub(in crate::server) fn validate_documents(
    documents: &MetadataDocuments,
    serves: &impl Fn(&GrantType) -> bool,
    scope: &Scope,
) -> impl Iterator<Item = ConfigError> {
    let zero = [("entries", documents.entries), ("at_once", documents.at_once)];
    let zero = zero.into_iter().filter(|(_, number)| *number == 0);
    let zero = zero.map(|(name, _)| ConfigError::Zero(name));
    let disorder = (documents.shortest > documents.longest).then_some(ConfigError::DocumentsKept);
    zero.chain(disorder).chain(validate_terms(&documents.terms, serves, scope, true))
}

/// Finds settings under which clients could not verify an `id_token`, or not for its whole lifetime.
pub(in crate::server) fn validate_openid(
    openid: &OpenIdRules,
    profile: &Switches,
    longest: Option<Duration>,
) -> impl Iterator<Item = ConfigError> {
    let is_wanted = profile.algorithms.contains(&Algorithm::Rs256);
    let lacks = is_wanted && !openid.algorithms.contains(&Algorithm::Rs256);
    let outlives = longest.is_some_and(|longest| openid.id_token_lifetime > longest);
    let found = [
        lacks.then_some(ConfigError::OpenIdSigner),
        outlives.then_some(ConfigError::KeysRetireBeforeIdTokens),
    ];
    found.into_iter().flatten()
}

pub(in crate::server) fn validate_numbers(policy: &Policy) -> impl Iterator<Item = ConfigError> {
    let positive = [
        ("code_lifetime", policy.code_lifetime),
        ("device_code_lifetime", policy.device_code_lifetime),
        ("request_uri_lifetime", policy.request_uri_lifetime),
        ("sign_in_window", policy.sign_in_window),
        ("access_token_lifetime", policy.access_token_lifetime),
        ("id_token_lifetime", policy.id_token_lifetime),
        ("refresh_token_idle", policy.refresh_token_idle),
        ("grant_lifetime", policy.grant_lifetime),
        ("store_deadline", policy.store_deadline),
    ];
    let zero = positive.into_iter().filter(|(_, value)| value.is_zero());
    let zero = zero.map(|(name, _)| ConfigError::Zero(name));
    let long_code = (policy.code_lifetime > TEN_MINUTES).then_some(ConfigError::CodeLifetime);
    let long_push = (policy.request_uri_lifetime >= TEN_MINUTES).then_some(ConfigError::RequestUriLifetime);
    let prefixes = (!policy.prefixes.are_distinct()).then_some(ConfigError::Prefixes);
    zero.chain(long_code).chain(long_push).chain(prefixes)
}
