//! The members of client metadata that OpenID Connect Registration 1.0 section 2 adds.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::member::{Flag, List, Member, Number, Text};
use crate::base::ResponseAlgorithm;
use crate::base::redirect_uri::RedirectUri;
use crate::client::auth::Credentials;
use crate::client::sector::{https_host, sector_of};
use crate::client::{ApplicationType, ClientMetadata, GrantType, MAX_URI, SubjectIdentifierType};
use crate::error::Reason;
use crate::issuance::Rules;
use crate::openid::OpenIdRules;

/// The limits on `default_acr_values`; values beyond them are dropped.
const MAX_ACR_VALUES: usize = 16;
const MAX_ACR: usize = 256;

/// The members, from untrusted input.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OpenIdMembers {
    id_token_signed_response_alg: Text,
    userinfo_signed_response_alg: Text,
    subject_type: Text,
    sector_identifier_uri: Text,
    pub(super) default_max_age: Number,
    pub(super) require_auth_time: Flag,
    pub(super) default_acr_values: List,
    initiate_login_uri: Text,
    id_token_encrypted_response_alg: Option<IgnoredAny>,
    id_token_encrypted_response_enc: Option<IgnoredAny>,
    userinfo_encrypted_response_alg: Option<IgnoredAny>,
    userinfo_encrypted_response_enc: Option<IgnoredAny>,
}

impl OpenIdMembers {
    /// The members of a software statement override the client's own.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            id_token_signed_response_alg: self
                .id_token_signed_response_alg
                .or(other.id_token_signed_response_alg),
            userinfo_signed_response_alg: self
                .userinfo_signed_response_alg
                .or(other.userinfo_signed_response_alg),
            subject_type: self.subject_type.or(other.subject_type),
            sector_identifier_uri: self.sector_identifier_uri.or(other.sector_identifier_uri),
            default_max_age: self.default_max_age.or(other.default_max_age),
            require_auth_time: self.require_auth_time.or(other.require_auth_time),
            default_acr_values: self.default_acr_values.or(other.default_acr_values),
            initiate_login_uri: self.initiate_login_uri.or(other.initiate_login_uri),
            id_token_encrypted_response_alg: self
                .id_token_encrypted_response_alg
                .or(other.id_token_encrypted_response_alg),
            id_token_encrypted_response_enc: self
                .id_token_encrypted_response_enc
                .or(other.id_token_encrypted_response_enc),
            userinfo_encrypted_response_alg: self
                .userinfo_encrypted_response_alg
                .or(other.userinfo_encrypted_response_alg),
            userinfo_encrypted_response_enc: self
                .userinfo_encrypted_response_enc
                .or(other.userinfo_encrypted_response_enc),
        }
    }

    /// Returns the accepted members; none on a server without OpenID Connect. An unsupported request for
    /// encryption, a signature or pairwise identifiers is refused, because the client must not get less
    /// protection than it asked for.
    ///
    /// # Errors
    /// A security-relevant member that is not supported.
    pub(super) fn check(self, rules: &Rules) -> Result<ClientMetadata, Reason> {
        let Some(openid) = &rules.openid else { return Ok(ClientMetadata::default()) };
        let encrypted = [
            self.id_token_encrypted_response_alg,
            self.id_token_encrypted_response_enc,
            self.userinfo_encrypted_response_alg,
            self.userinfo_encrypted_response_enc,
        ];
        if encrypted.iter().any(Option::is_some) {
            return Err(Reason::RegistrationOpenId);
        }
        let id_token = algorithm(&self.id_token_signed_response_alg, openid)?;
        let id_token = id_token.unwrap_or_else(|| openid.algorithm_to_register().into());
        let subject_type = match &self.subject_type {
            Member::Absent => None,
            Member::Is(name) if name == SubjectIdentifierType::Public.as_str() => {
                Some(SubjectIdentifierType::Public)
            }
            Member::Is(name)
                if name == SubjectIdentifierType::Pairwise.as_str() && openid.pairwise.is_some() =>
            {
                Some(SubjectIdentifierType::Pairwise)
            }
            Member::Is(_) | Member::Other => return Err(Reason::RegistrationOpenId),
        };
        // Without pairwise identifiers there are no sectors.
        let sector = match openid.pairwise {
            Some(_) => https(self.sector_identifier_uri, Reason::RegistrationSector)?,
            None => None,
        };
        let acr_values = self.default_acr_values.texts().into_iter().filter(|acr| is_acr(acr));
        let acr_values: Box<[String]> = acr_values.take(MAX_ACR_VALUES).collect();
        Ok(ClientMetadata {
            id_token_signed_response_alg: Some(id_token),
            userinfo_signed_response_alg: algorithm(&self.userinfo_signed_response_alg, openid)?,
            subject_type,
            sector_identifier_uri: sector,
            default_max_age: self.default_max_age.value(),
            require_auth_time: self.require_auth_time.value(),
            default_acr_values: Some(acr_values).filter(|values| !values.is_empty()),
            initiate_login_uri: https(self.initiate_login_uri, Reason::RegistrationInitiateLogin)?,
            ..ClientMetadata::default()
        })
    }
}

/// Checks that a client with pairwise identifiers has a sector.
pub(super) fn check_sector(metadata: &ClientMetadata) -> Result<(), Reason> {
    if metadata.subject_type != Some(SubjectIdentifierType::Pairwise) {
        return Ok(());
    }
    let schemes = metadata.redirect_schemes.as_deref().unwrap_or_default();
    let uris = metadata.redirect_uris.iter().map(|uri| RedirectUri::register_with(uri, schemes));
    let uris: Vec<RedirectUri> = uris.filter_map(Result::ok).collect();
    match sector_of(metadata.sector_identifier_uri.as_deref(), &uris) {
        Some(_) => Ok(()),
        None => Err(Reason::RegistrationSector),
    }
}

/// HS256 is only for clients that get a secret and can keep it (OpenID Connect Core section 10.1).
pub(super) fn check_macs(metadata: &ClientMetadata) -> Result<(), Reason> {
    let is_native = metadata.application_type == Some(ApplicationType::Native);
    let has_secret = metadata.auth_method().credentials() == Credentials::Secret && !is_native;
    match metadata.needs_sealed_secret() && !has_secret {
        true => Err(Reason::RegistrationOpenId),
        false => Ok(()),
    }
}

/// Tokens in a redirect go only to https URIs of other hosts, unless the client is native (section 2).
pub(super) fn check_implicit(
    metadata: &ClientMetadata,
    grant_types: &[GrantType],
    rules: &Rules,
) -> Result<(), Reason> {
    let is_native = metadata.application_type == Some(ApplicationType::Native);
    if rules.openid.is_none() || is_native || !grant_types.contains(&GrantType::Implicit) {
        return Ok(());
    }
    let is_remote = |uri: &String| {
        https_host(uri).is_some() && RedirectUri::register(uri).is_ok_and(|uri| !uri.is_local())
    };
    match metadata.redirect_uris.iter().all(is_remote) {
        true => Ok(()),
        false => Err(Reason::RegistrationRedirectUri),
    }
}

/// Whether a fetched sector list, which must be an array of strings, has all redirect URIs of a client
/// (section 5).
pub(crate) fn lists_all(list: &[u8], redirect_uris: &[String]) -> bool {
    let Ok(Value::Array(listed)) = serde_json::from_slice(list) else { return false };
    let listed: Option<Vec<&str>> = listed.iter().map(Value::as_str).collect();
    listed.is_some_and(|listed| redirect_uris.iter().all(|uri| listed.contains(&uri.as_str())))
}

fn algorithm(name: &Text, openid: &OpenIdRules) -> Result<Option<ResponseAlgorithm>, Reason> {
    let known = match name {
        Member::Absent => return Ok(None),
        Member::Is(name) => ResponseAlgorithm::parse(name).filter(|known| openid.signs_with(*known)),
        Member::Other => None,
    };
    known.map(Some).ok_or(Reason::RegistrationOpenId)
}

fn https(uri: Text, reason: Reason) -> Result<Option<Box<str>>, Reason> {
    match uri {
        Member::Absent => Ok(None),
        Member::Is(uri) if uri.len() <= MAX_URI && https_host(&uri).is_some() => {
            Ok(Some(uri.into_boxed_str()))
        }
        Member::Is(_) | Member::Other => Err(reason),
    }
}

fn is_acr(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ACR && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_a_sector_is_an_array_of_texts_that_has_them_all() {
        let uris = ["https://a.example/".to_owned(), "https://b.example/".to_owned()];
        let lists = |list: &str| lists_all(list.as_bytes(), &uris);
        assert!(lists(r#"["https://b.example/", "https://a.example/", "https://c.example/"]"#));
        for bad in [
            r#"["https://a.example/"]"#,
            r#"{"redirect_uris":["https://a.example/","https://b.example/"]}"#,
            "[1]",
            r#"["https://a.example/","https://b.example/",1]"#,
            "",
            r#"["https://A.example/","https://b.example/"]"#,
        ] {
            assert!(!lists(bad), "{bad}");
        }
    }
}
