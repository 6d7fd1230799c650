//! Client metadata as strangers write it (RFC 7591 section 2): read by its names, with a limit on everything.

use std::collections::HashSet;

use fluent_uri::Uri;
use serde::Deserialize;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IgnoredAny, IntoDeserializer as _};
use serde_json::{Map, Value};

use super::{Allowance, Registration};
use crate::client::{ApplicationType, AuthMethod, ClientMetadata, GrantType, ResponseType, is_readable_name};
use crate::details::MAX_DETAILS;
use crate::error::Reason;
use crate::policy::Rules;
use crate::redirect::RedirectUri;
use crate::scope::Scope;

const MAX_REDIRECT_URIS: usize = 16;
const MAX_CONTACTS: usize = 8;
/// In characters.
const MAX_NAME: usize = 128;
const MAX_TEXT: usize = 256;
/// In bytes.
const MAX_URI: usize = 2048;

/// The body of a request. Members that are not here are ignored, `null` is absent (RFC 7592 section 2.2), and one that
/// stands there twice is an error.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wire {
    pub(crate) redirect_uris: Option<Vec<String>>,
    pub(crate) token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    client_name: Option<String>,
    client_uri: Option<String>,
    logo_uri: Option<String>,
    scope: Option<String>,
    authorization_details_types: Option<Vec<String>>,
    contacts: Option<Vec<String>>,
    tos_uri: Option<String>,
    policy_uri: Option<String>,
    jwks_uri: Option<IgnoredAny>,
    jwks: Option<IgnoredAny>,
    software_id: Option<String>,
    software_version: Option<String>,
    application_type: Option<String>,
    pub(crate) software_statement: Option<String>,
    // What a change says of the client that it changes (RFC 7592 section 2.2).
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<String>,
    registration_access_token: Option<IgnoredAny>,
    registration_client_uri: Option<IgnoredAny>,
    pub(crate) client_secret_expires_at: Option<IgnoredAny>,
    client_id_issued_at: Option<IgnoredAny>,
}

impl Wire {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Reason> {
        // An array would be read by the order of the members here.
        let is_object = body.trim_ascii_start().starts_with(b"{");
        let wire = is_object.then(|| serde_json::from_slice(body).ok()).flatten();
        wire.ok_or(Reason::RegistrationMalformed)
    }

    /// What only the server says (RFC 7592 section 2.2).
    pub(crate) fn says_what_only_the_server_says(&self) -> bool {
        self.registration_access_token.is_some()
            || self.registration_client_uri.is_some()
            || self.client_secret_expires_at.is_some()
            || self.client_id_issued_at.is_some()
    }

    /// Whether it would sign what it sends.
    pub(crate) fn has_keys(&self) -> bool {
        self.jwks.is_some() || self.jwks_uri.is_some()
    }

    /// The claims of a software statement come before what the client says itself (RFC 7591 section 2.3).
    pub(crate) fn overridden_by(self, claims: Map<String, Value>) -> Result<Self, Reason> {
        let over: Self =
            serde_json::from_value(Value::Object(claims)).map_err(|_| Reason::SoftwareStatementInvalid)?;
        Ok(Self {
            redirect_uris: over.redirect_uris.or(self.redirect_uris),
            token_endpoint_auth_method: over.token_endpoint_auth_method.or(self.token_endpoint_auth_method),
            grant_types: over.grant_types.or(self.grant_types),
            response_types: over.response_types.or(self.response_types),
            client_name: over.client_name.or(self.client_name),
            client_uri: over.client_uri.or(self.client_uri),
            logo_uri: over.logo_uri.or(self.logo_uri),
            scope: over.scope.or(self.scope),
            authorization_details_types: over
                .authorization_details_types
                .or(self.authorization_details_types),
            contacts: over.contacts.or(self.contacts),
            tos_uri: over.tos_uri.or(self.tos_uri),
            policy_uri: over.policy_uri.or(self.policy_uri),
            jwks_uri: over.jwks_uri.or(self.jwks_uri),
            jwks: over.jwks.or(self.jwks),
            software_id: over.software_id.or(self.software_id),
            software_version: over.software_version.or(self.software_version),
            application_type: over.application_type.or(self.application_type),
            ..self
        })
    }

    /// Checks everything, in one straight line.
    pub(crate) fn check(self) -> Result<Asked, Reason> {
        if self.jwks.is_some() && self.jwks_uri.is_some() {
            return Err(Reason::RegistrationKeysTwice);
        }
        let grant_names =
            named(self.grant_types).map(each_once).unwrap_or_else(|| vec!["authorization_code".to_owned()]);
        let response_names = named(self.response_types).map(each_once);
        let response_types = consistent(&grant_names, response_names.as_deref())?;
        let scope = text(self.scope).map(|scope| Scope::parse(&scope)).transpose();
        let metadata = ClientMetadata {
            client_name: self.client_name.map(name).transpose()?.flatten(),
            redirect_uris: redirect_uris(self.redirect_uris.unwrap_or_default())?,
            grant_types: Some(grant_names.iter().filter_map(|name| known::<GrantType>(name)).collect()),
            response_types: Some(response_types),
            scope: scope.map_err(|_| Reason::RegistrationScope)?,
            authorization_details_types: detail_types(self.authorization_details_types)?,
            token_endpoint_auth_method: Some(auth_method(self.token_endpoint_auth_method.as_deref())?),
            application_type: application_type(self.application_type.as_deref())?,
            client_uri: page(self.client_uri)?,
            logo_uri: page(self.logo_uri)?,
            tos_uri: page(self.tos_uri)?,
            policy_uri: page(self.policy_uri)?,
            contacts: contacts(self.contacts)?,
            software_id: short(self.software_id)?,
            software_version: short(self.software_version)?,
            ..ClientMetadata::default()
        };
        Ok(Asked { metadata })
    }
}

/// Well-formed metadata, as they were asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) metadata: ClientMetadata,
}

impl Asked {
    /// What of it is registered: every value written out, so that no later default changes it.
    pub(crate) fn within(
        self,
        terms: &Registration,
        allowance: &Allowance,
        rules: &Rules,
    ) -> Result<ClientMetadata, Reason> {
        let mut metadata = self.metadata;
        let may_have = |grant_type: &GrantType| {
            rules.serves(grant_type)
                && terms.grant_types.contains(grant_type)
                && allowance.grant_types.as_ref().is_none_or(|types| types.contains(grant_type))
        };
        let mut grant_types = metadata.grant_types.unwrap_or_default();
        grant_types.retain(may_have);
        if grant_types.iter().all(|grant_type| *grant_type == GrantType::RefreshToken) {
            return Err(Reason::RegistrationGrantTypes);
        }
        let mut response_types = metadata.response_types.unwrap_or_default();
        response_types.retain(|response| grant_types.contains(&response.grant_type()));
        if metadata.redirect_uris.is_empty() && !response_types.is_empty() {
            return Err(Reason::RegistrationRedirectUriMissing);
        }
        metadata.scope = Some(scope(metadata.scope, terms, allowance, rules)?);
        if let Some(types) = &mut metadata.authorization_details_types {
            types.retain(|name| rules.detail_types.knows(name));
        }
        metadata.grant_types = Some(grant_types);
        metadata.response_types = Some(response_types);
        metadata.localhost_any_port = terms.localhost_any_port.then_some(true);
        Ok(metadata)
    }
}

/// The part of the asked scope that may be had; all that may be had, if nothing was asked for or the profile takes what
/// is asked here for no more than a beginning.
fn scope(
    asked: Option<Scope>,
    terms: &Registration,
    allowance: &Allowance,
    rules: &Rules,
) -> Result<Scope, Reason> {
    let ceiling = match &terms.scopes {
        Some(scopes) => Scope::parse(&scopes.join(" "))?.intersection(&rules.scope),
        None => rules.scope.clone(),
    };
    let ceiling = allowance.scope.as_ref().map_or(ceiling.clone(), |scope| scope.intersection(&ceiling));
    let Some(asked) = asked.filter(|_| !rules.profile.switches().register_every_scope) else {
        return Ok(ceiling);
    };
    let had = asked.intersection(&ceiling);
    match had.is_empty() && !ceiling.is_empty() {
        true => Err(Reason::RegistrationScope),
        false => Ok(had),
    }
}

/// A value that this version knows by this name.
fn known<T: DeserializeOwned>(name: &str) -> Option<T> {
    let name: StrDeserializer<'_, Error> = name.into_deserializer();
    T::deserialize(name).ok()
}

/// Few names, none of them long.
fn detail_types(names: Option<Vec<String>>) -> Result<Option<Vec<String>>, Reason> {
    let names = named(names);
    let fits = |names: &Vec<String>| names.len() <= MAX_DETAILS && names.iter().all(|n| n.len() <= MAX_TEXT);
    match names.as_ref().is_none_or(fits) {
        true => Ok(names.map(each_once)),
        false => Err(Reason::RegistrationTooLarge),
    }
}

/// An empty list says nothing.
fn named(names: Option<Vec<String>>) -> Option<Vec<String>> {
    names.filter(|names| !names.is_empty())
}

fn each_once(names: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}

/// The response types, which belong to the grant types (the table in RFC 7591 section 2.1). Hybrid ones of OpenID Connect
/// are not known here; they only have to fit.
fn consistent(grants: &[String], responses: Option<&[String]>) -> Result<Vec<ResponseType>, Reason> {
    let pairs = [ResponseType::Code, ResponseType::Token];
    let granted = |response: &ResponseType| grants.iter().any(|g| g == response.grant_type().as_str());
    let Some(responses) = responses else {
        return Ok(pairs.into_iter().filter(granted).collect());
    };
    for pair in pairs {
        let asked = responses.iter().any(|name| name.split(' ').any(|word| word == pair.as_str()));
        if asked != granted(&pair) {
            return Err(Reason::RegistrationInconsistent);
        }
    }
    let known: Vec<ResponseType> = responses.iter().filter_map(|name| known(name)).collect();
    match known.is_empty() {
        true => Err(Reason::RegistrationInconsistent),
        false => Ok(known),
    }
}

fn redirect_uris(uris: Vec<String>) -> Result<Vec<String>, Reason> {
    if uris.len() > MAX_REDIRECT_URIS {
        return Err(Reason::RegistrationTooLarge);
    }
    match uris.iter().all(|uri| RedirectUri::register(uri).is_ok()) {
        true => Ok(uris),
        false => Err(Reason::RegistrationRedirectUri),
    }
}

/// A method that cannot be had is refused and not replaced: a client that wants to sign must not end with a secret.
fn auth_method(name: Option<&str>) -> Result<AuthMethod, Reason> {
    let method = name.map_or(Some(AuthMethod::ClientSecretBasic), known);
    method.ok_or(Reason::RegistrationAuthMethod)
}

fn application_type(name: Option<&str>) -> Result<Option<ApplicationType>, Reason> {
    let known = |name| known(name).ok_or(Reason::RegistrationMalformed);
    name.map(known).transpose()
}

fn text(value: Option<String>) -> Option<String> {
    value.filter(|text| !text.trim().is_empty())
}

/// The name that people read on a consent page: [`is_readable_name`] is the rule.
fn name(name: String) -> Result<Option<String>, Reason> {
    if name.chars().nth(MAX_NAME).is_some() {
        return Err(Reason::RegistrationTooLarge);
    }
    let Some(name) = text(Some(name)) else { return Ok(None) };
    match is_readable_name(&name) {
        true => Ok(Some(name)),
        false => Err(Reason::RegistrationText),
    }
}

fn short(value: Option<String>) -> Result<Option<String>, Reason> {
    let Some(value) = text(value) else { return Ok(None) };
    if value.chars().nth(MAX_TEXT).is_some() {
        return Err(Reason::RegistrationTooLarge);
    }
    match value.chars().any(char::is_control) {
        true => Err(Reason::RegistrationText),
        false => Ok(Some(value)),
    }
}

fn contacts(contacts: Option<Vec<String>>) -> Result<Option<Vec<String>>, Reason> {
    let Some(contacts) = named(contacts) else { return Ok(None) };
    if contacts.len() > MAX_CONTACTS {
        return Err(Reason::RegistrationTooLarge);
    }
    let contacts: Result<Vec<_>, _> = contacts.into_iter().map(|one| short(Some(one))).collect();
    Ok(Some(contacts?.into_iter().flatten().collect()))
}

/// The address of a page, which a host may show as a link: http or https, and nothing that runs.
fn page(uri: Option<String>) -> Result<Option<String>, Reason> {
    let Some(uri) = text(uri) else { return Ok(None) };
    if uri.len() > MAX_URI {
        return Err(Reason::RegistrationTooLarge);
    }
    let is_page = Uri::parse(uri.as_str()).is_ok_and(|uri| {
        let http = ["https", "http"].iter().any(|scheme| uri.scheme().as_str().eq_ignore_ascii_case(scheme));
        let authority = uri.authority();
        http && authority.is_some_and(|a| !a.host().is_empty() && a.userinfo().is_none())
    });
    is_page.then_some(Some(uri)).ok_or(Reason::RegistrationUri)
}
