//! Client metadata from untrusted input (RFC 7591 section 2), with a limit on everything.

mod flaw;
mod message_signing;
mod statement;

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IgnoredAny, IntoDeserializer as _};
use serde_json::Value;

use super::logout::LogoutMembers;
use super::member::{Flag, List, Member, Text};
use super::openid::{OpenIdMembers, check_implicit, check_macs, check_sector};
use super::values::{application_type, can_be_fetched, contacts, name, page, short, text};
use super::{Allowance, Registration};
use crate::base::Scope;
use crate::base::redirect_uri::RedirectUri;
use crate::client::auth::Credentials;
use crate::client::{
    AuthMethod, CertificateSubject, ClientKeys, ClientMetadata, GrantType, Profile, ResponseType,
};
use crate::error::{MetadataFlaw, Reason};
use crate::issuance::Rules;

/// Further redirect URIs are dropped.
const MAX_REDIRECT_URIS: usize = 16;
/// The maximum length of a software statement, in bytes.
const MAX_STATEMENT: usize = 16 * 1024;
/// The most that is kept of the metadata of one client, in bytes of JSON, without its scope.
const MAX_METADATA: usize = 16 * 1024;

/// The body of a request. Other members are ignored, `null` is absent (RFC 7592 section 2.2), and a duplicate
/// member is an error.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct MetadataBody {
    redirect_uris: List,
    pub(crate) token_endpoint_auth_method: Text,
    pub(crate) token_endpoint_auth_methods_supported: List,
    token_endpoint_auth_signing_alg: Text,
    grant_types: List,
    response_types: List,
    response_modes: List,
    client_name: Text,
    client_uri: Text,
    logo_uri: Text,
    scope: Text,
    authorization_details_types: List,
    contacts: List,
    tos_uri: Text,
    policy_uri: Text,
    jwks_uri: Text,
    jwks: Option<Value>,
    tls_client_auth_subject_dn: Text,
    tls_client_auth_san_dns: Text,
    tls_client_auth_san_uri: Text,
    tls_client_auth_san_ip: Text,
    tls_client_auth_san_email: Text,
    tls_client_certificate_bound_access_tokens: Flag,
    use_mtls_endpoint_aliases: Flag,
    /// Parsed separately from the same body.
    #[serde(skip)]
    openid: OpenIdMembers,
    /// Also parsed separately.
    #[serde(skip)]
    logout: LogoutMembers,
    software_id: Text,
    software_version: Text,
    application_type: Text,
    require_pushed_authorization_requests: Flag,
    request_object_signing_alg: Text,
    require_signed_request_object: Flag,
    request_object_encryption_alg: Option<IgnoredAny>,
    request_object_encryption_enc: Option<IgnoredAny>,
    authorization_signed_response_alg: Text,
    authorization_encrypted_response_alg: Option<IgnoredAny>,
    authorization_encrypted_response_enc: Option<IgnoredAny>,
    introspection_signed_response_alg: Text,
    introspection_encrypted_response_alg: Option<IgnoredAny>,
    introspection_encrypted_response_enc: Option<IgnoredAny>,
    dpop_bound_access_tokens: Flag,
    software_statement: Text,
    // The members of a change that identify the client (RFC 7592 section 2.2).
    pub(crate) client_id: Text,
    pub(crate) client_secret: Text,
    registration_access_token: Option<IgnoredAny>,
    registration_client_uri: Option<IgnoredAny>,
    pub(crate) client_secret_expires_at: Option<IgnoredAny>,
    client_id_issued_at: Option<IgnoredAny>,
}

impl MetadataBody {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Reason> {
        // Serde checks the encoding only of the strings that it keeps (RFC 8259 section 8.1).
        let json = std::str::from_utf8(body).map_err(|_| Reason::RegistrationMalformed)?;
        // Serde would also accept an array with the values in the order of these fields.
        let is_object = json.trim_start().starts_with('{');
        let read = || {
            let (wire, openid) = (serde_json::from_str(json).ok()?, serde_json::from_str(json).ok()?);
            Some(Self { openid, logout: serde_json::from_str(json).ok()?, ..wire })
        };
        is_object.then(read).flatten().ok_or(Reason::RegistrationMalformed)
    }

    /// The software statement, which is checked first.
    ///
    /// # Errors
    /// It is not a string, or too long.
    pub(crate) fn statement(&self) -> Result<Option<&str>, Reason> {
        match &self.software_statement {
            Member::Absent => Ok(None),
            Member::Other => Err(MetadataFlaw::StatementType.into()),
            Member::Is(text) if text.len() > MAX_STATEMENT => Err(MetadataFlaw::StatementTooLong.into()),
            Member::Is(text) => Ok(Some(text)),
        }
    }

    /// Members that only the server sets (RFC 7592 section 2.2).
    pub(crate) fn says_what_only_the_server_says(&self) -> bool {
        self.registration_access_token.is_some()
            || self.registration_client_uri.is_some()
            || self.client_secret_expires_at.is_some()
            || self.client_id_issued_at.is_some()
    }

    /// Whether it has a name that people can read.
    pub(crate) fn is_named(&self) -> bool {
        self.client_name.as_str().is_some_and(|name| !name.trim().is_empty())
    }

    /// The names of the client's authentication methods, the preferred one first (OpenID Connect RP Metadata
    /// Choices).
    fn methods(&self) -> impl Iterator<Item = &str> {
        let others = match &self.token_endpoint_auth_methods_supported {
            Member::Is(others) => others.as_slice(),
            Member::Absent | Member::Other => &[],
        };
        self.token_endpoint_auth_method.as_str().into_iter().chain(others.iter().filter_map(Text::as_str))
    }

    /// The first of the client's methods that is allowed. Without one the client is refused: one that wants
    /// to sign must not get a secret instead.
    pub(crate) fn first_method(&self, may_have: impl Fn(AuthMethod) -> bool) -> Option<AuthMethod> {
        self.methods().filter_map(known::<AuthMethod>).find(|method| may_have(*method))
    }

    /// Whether it names no method at all.
    pub(crate) fn names_no_method(&self) -> bool {
        self.methods().next().is_none()
    }

    /// Reduces the methods to this one. The keys of a public client are dropped.
    pub(crate) fn with_method(self, method: AuthMethod) -> Self {
        let has_keys = method.credentials().are_keys();
        Self {
            token_endpoint_auth_method: Member::Is(method.as_str().to_owned()),
            token_endpoint_auth_methods_supported: Member::Absent,
            jwks: self.jwks.filter(|_| has_keys),
            jwks_uri: if has_keys { self.jwks_uri } else { Member::Absent },
            ..self
        }
    }

    /// Makes every check, in order. Redirect URIs may have these schemes without a dot.
    pub(crate) fn check(self, schemes: &[&str], rules: &Rules) -> Result<RequestedMetadata, Reason> {
        if self.jwks.is_some() && self.jwks_uri != Member::Absent {
            return Err(Reason::RegistrationKeysTwice);
        }
        if let Some(flaw) = self.flaw() {
            return Err(flaw.into());
        }
        let request_object_signing_alg = self.request_objects(rules)?;
        let response_modes = self.response_modes(rules)?;
        let [authorization_signed_response_alg, introspection_signed_response_alg] =
            self.signed_answers(rules)?;
        if self.dpop_bound_access_tokens == Member::Is(true) && !rules.takes_proofs {
            return Err(Reason::RegistrationDpop);
        }
        if self.tls_client_certificate_bound_access_tokens == Member::Is(true) && !rules.certificates.binds {
            return Err(MetadataFlaw::BoundTokensUnsupported.into());
        }
        let method = match self.methods().next() {
            None if rules.profile.switches().strong_clients => return Err(Reason::RegistrationAuthMethod),
            None => AuthMethod::ClientSecretBasic,
            Some(_) => {
                self.first_method(|method| is_served(method, rules)).ok_or(Reason::RegistrationAuthMethod)?
            }
        };
        // The keys of a client that signs nothing are ignored.
        let has_keys = method.credentials().are_keys();
        let signs = method.credentials() == Credentials::Keys;
        let subject = |name: Text| name.boxed().filter(|_| method.credentials() == Credentials::Certificate);
        let openid = self.openid.check(rules)?;
        let signs_requests = rules.request_objects.is_some();
        let fetches = rules.assertions.as_ref().is_some_and(|signed| signed.fetches);
        let grant_names = named(self.grant_types).unwrap_or_else(|| vec!["authorization_code".to_owned()]);
        let response_names = named(self.response_types);
        let response_types = consistent(&grant_names, response_names.as_deref())?;
        let scope = text(self.scope.value()).map(|scope| Scope::parse(&scope)).transpose();
        let (redirect_uris, redirect_schemes) =
            redirect_uris(self.redirect_uris.value(), schemes, rules.profile)?;
        let metadata = ClientMetadata {
            client_name: self.client_name.value().map(name).transpose()?.flatten(),
            redirect_uris,
            redirect_schemes: Some(redirect_schemes).filter(|schemes| !schemes.is_empty()),
            grant_types: Some(grant_names.iter().filter_map(|name| known::<GrantType>(name)).collect()),
            response_types: Some(response_types),
            response_modes,
            scope: scope.map_err(|_| MetadataFlaw::ScopeMalformed)?,
            authorization_details_types: named(self.authorization_details_types).map(Vec::into_boxed_slice),
            token_endpoint_auth_method: Some(method),
            token_endpoint_auth_signing_alg: self.token_endpoint_auth_signing_alg.boxed().filter(|_| signs),
            jwks: self.jwks.filter(|_| has_keys || signs_requests).map(Box::new),
            jwks_uri: self.jwks_uri.boxed().filter(|_| has_keys || (signs_requests && fetches)),
            request_object_signing_alg,
            authorization_signed_response_alg,
            introspection_signed_response_alg,
            require_signed_request_object: self.require_signed_request_object.value(),
            tls_client_auth_subject_dn: subject(self.tls_client_auth_subject_dn),
            tls_client_auth_san_dns: subject(self.tls_client_auth_san_dns),
            tls_client_auth_san_uri: subject(self.tls_client_auth_san_uri),
            tls_client_auth_san_ip: subject(self.tls_client_auth_san_ip),
            tls_client_auth_san_email: subject(self.tls_client_auth_san_email),
            tls_client_certificate_bound_access_tokens: self
                .tls_client_certificate_bound_access_tokens
                .value(),
            use_mtls_endpoint_aliases: self.use_mtls_endpoint_aliases.value(),
            application_type: application_type(self.application_type.as_str())?,
            require_pushed_authorization_requests: self.require_pushed_authorization_requests.value(),
            dpop_bound_access_tokens: self.dpop_bound_access_tokens.value(),
            client_uri: page(self.client_uri),
            logo_uri: page(self.logo_uri),
            tos_uri: page(self.tos_uri),
            policy_uri: page(self.policy_uri),
            contacts: contacts(self.contacts),
            software_id: short(self.software_id.value()).map(String::into_boxed_str),
            software_version: short(self.software_version.value()).map(String::into_boxed_str),
            ..openid
        };
        let metadata = self.logout.check(metadata, rules)?;
        match CertificateSubject::of(&metadata) {
            Ok(subject) if subject.is_some() == (method.credentials() == Credentials::Certificate) => {}
            Ok(_) | Err(_) => return Err(Reason::RegistrationCertificateSubject),
        }
        match ClientKeys::of(&metadata) {
            Ok(Some(ClientKeys::At(uri))) if !can_be_fetched(&uri) => Err(Reason::RegistrationKeys),
            Ok(keys) if keys.is_some() || !has_keys => Ok(RequestedMetadata { metadata }),
            Ok(_) | Err(_) => Err(Reason::RegistrationKeys),
        }
    }
}

/// Well-formed metadata, as requested.
#[derive(Debug)]
pub(crate) struct RequestedMetadata {
    pub(crate) metadata: ClientMetadata,
}

impl RequestedMetadata {
    /// The metadata to register: every value is explicit, so no later default changes it.
    pub(crate) fn within(
        self,
        terms: &Registration,
        allowance: &Allowance,
        rules: &Rules,
    ) -> Result<ClientMetadata, Reason> {
        let mut metadata = self.metadata;
        message_signing::check_assertions(&metadata, rules)?;
        check_sector(&metadata)?;
        check_macs(&metadata)?;
        let may_have = |grant_type: &GrantType| {
            rules.serves(grant_type)
                && terms.grant_types.contains(grant_type)
                && allowance.grant_types.as_ref().is_none_or(|types| types.contains(grant_type))
        };
        let grant_types = metadata.grant_types.take().unwrap_or_default();
        let grant_types: Box<[GrantType]> = grant_types.into_iter().filter(may_have).collect();
        if grant_types.iter().all(|grant_type| *grant_type == GrantType::RefreshToken) {
            return Err(Reason::RegistrationGrantTypes);
        }
        check_implicit(&metadata, &grant_types, rules)?;
        let can_be_had = |response: &ResponseType| {
            let is_answered = !response.has_id_token() || rules.openid.is_some();
            is_answered && response.grant_types().iter().all(|own| grant_types.contains(own))
        };
        let response_types = metadata.response_types.take().unwrap_or_default();
        let response_types: Box<[ResponseType]> = response_types.into_iter().filter(can_be_had).collect();
        if metadata.redirect_uris.is_empty() && !response_types.is_empty() {
            return Err(Reason::RegistrationRedirectUriMissing);
        }
        message_signing::check_requests(&metadata, &response_types, rules)?;
        message_signing::check_modes(&metadata, &response_types)?;
        let scope = scope(metadata.scope.take(), terms, allowance, rules)?;
        metadata.authorization_details_types = metadata
            .authorization_details_types
            .map(|types| types.into_iter().filter(|name| rules.detail_types.knows(name)).collect());
        metadata.grant_types = Some(grant_types);
        metadata.response_types = Some(response_types);
        if !serde_json::to_vec(&metadata).is_ok_and(|json| json.len() <= MAX_METADATA) {
            return Err(Reason::RegistrationTooLarge);
        }
        // Not counted, because it is at most what the host's terms have.
        metadata.scope = Some(scope);
        metadata.localhost_any_port = terms.localhost_any_port.then_some(true);
        let may_omit_pkce = terms.is_pkce_optional && metadata.auth_method() != AuthMethod::None;
        metadata.require_pkce = may_omit_pkce.then_some(false);
        Ok(metadata)
    }
}

/// The allowed part of the requested scope; everything allowed, if none was requested or the profile
/// registers every scope.
fn scope(
    asked: Option<Scope>,
    terms: &Registration,
    allowance: &Allowance,
    rules: &Rules,
) -> Result<Scope, Reason> {
    let ceiling = match &terms.scopes {
        Some(scopes) => Scope::of_tokens(scopes)?.intersection(&rules.scope),
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

/// The value with this name, if this version knows it.
pub(super) fn known<T: DeserializeOwned>(name: &str) -> Option<T> {
    let name: StrDeserializer<'_, Error> = name.into_deserializer();
    T::deserialize(name).ok()
}

/// Each name once. An empty list counts as absent.
fn named(names: List) -> Option<Vec<String>> {
    Some(each_once(names.texts())).filter(|names| !names.is_empty())
}

fn each_once(names: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}

/// The response types, which belong to the grant types (the tables in RFC 7591 section 2.1 and OpenID Connect
/// Registration section 2). If the client names none, they are those of plain OAuth.
fn consistent(grants: &[String], responses: Option<&[String]>) -> Result<Box<[ResponseType]>, Reason> {
    let granted = |grant_type: &GrantType| grants.iter().any(|name| name == grant_type.as_str());
    let Some(responses) = responses else {
        let plain = [ResponseType::Code, ResponseType::Token].into_iter();
        return Ok(plain.filter(|response| response.grant_types().iter().all(granted)).collect());
    };
    let asks =
        |words: &[&str]| responses.iter().any(|name| name.split(' ').any(|word| words.contains(&word)));
    let fits = asks(&["code"]) == granted(&GrantType::AuthorizationCode)
        && asks(&["token", "id_token"]) == granted(&GrantType::Implicit);
    let known: Box<[ResponseType]> = responses.iter().filter_map(|name| ResponseType::parse(name)).collect();
    match known.is_empty() || !fits {
        true => Err(Reason::RegistrationInconsistent),
        false => Ok(known),
    }
}

/// The allowed redirect URIs, and the schemes of the host's list that they need. Other URIs are dropped; a
/// client without any left is refused.
fn redirect_uris(
    uris: Option<Vec<Text>>,
    schemes: &[&str],
    profile: Profile,
) -> Result<(Vec<String>, Box<[String]>), Reason> {
    let asks = uris.as_ref().is_some_and(|uris| !uris.is_empty());
    let uris = each_once(uris.into_iter().flatten().filter_map(Member::value).collect());
    let good = uris.iter().filter_map(|uri| RedirectUri::register_with(uri, schemes).ok());
    let good = good.filter(|uri| profile.allows_redirects_to(uri));
    let good: Vec<RedirectUri> = good.take(MAX_REDIRECT_URIS).collect();
    if asks && good.is_empty() {
        return Err(Reason::RegistrationRedirectUri);
    }
    let used = each_once(good.iter().filter_map(RedirectUri::named_scheme).collect());
    Ok((good.iter().map(|uri| uri.as_str().to_owned()).collect(), used.into_boxed_slice()))
}

/// Whether clients can authenticate by this method here.
pub(crate) fn is_served(method: AuthMethod, rules: &Rules) -> bool {
    match method.credentials() {
        Credentials::Nothing | Credentials::Secret => !rules.profile.switches().strong_clients,
        // Not for self-registered clients, which can use a key instead.
        Credentials::SealedSecret => false,
        Credentials::Keys => rules.assertions.is_some(),
        Credentials::Certificate => rules.certificates.reads_names,
        Credentials::CertifiedKeys => rules.certificates.reads,
    }
}
