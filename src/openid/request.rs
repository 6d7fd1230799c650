//! [`ClaimsRequest`]: the parameter `claims` (OpenID Connect Core section 5.5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::names::is_of_protocol;
use crate::base::strict_json;
use crate::error::Reason;

/// The maximum length of the parameter `claims`, in bytes.
pub const MAX_CLAIMS_LENGTH: usize = 8 * 1024;

/// The maximum number of claims in it.
pub const MAX_CLAIM_NAMES: usize = 100;

/// The maximum length of the name of a claim, in bytes; longer ones are ignored.
pub const MAX_CLAIM_NAME: usize = 128;

/// The individual claims that a request asks for, by the place where they should be. They are untrusted. A
/// name with a space, an invisible or a non-ASCII character is ignored: with it, a client could write
/// sentences on the consent page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimsRequest {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    id_token: Asked,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    userinfo: Asked,
}

type Asked = BTreeMap<Box<str>, Option<ClaimTerms>>;

/// What a request says about one claim (OpenID Connect Core section 5.5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ClaimTerms {
    /// The client needs the claim for the task that the user requested. A missing claim is nevertheless not
    /// an error.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub essential: bool,
    /// The values that the client accepts; empty is any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
}

impl ClaimsRequest {
    /// Reads the parameter. Unknown members are ignored.
    ///
    /// # Errors
    /// [`Reason::ClaimsMalformed`]: it is not a JSON object, has a duplicate member at any depth, does not
    /// have the form of section 5.5, or is too large.
    pub fn parse(text: &str) -> Result<Self, Reason> {
        if text.len() > MAX_CLAIMS_LENGTH {
            return Err(Reason::ClaimsMalformed);
        }
        let Ok(Value::Object(mut object)) = strict_json::read(text) else {
            return Err(Reason::ClaimsMalformed);
        };
        let request =
            Self { id_token: asked(&mut object, "id_token")?, userinfo: asked(&mut object, "userinfo")? };
        match request.id_token.len() + request.userinfo.len() <= MAX_CLAIM_NAMES {
            true => Ok(request),
            false => Err(Reason::ClaimsMalformed),
        }
    }

    /// The requested claims of the `id_token`, except those that only the protocol sets.
    pub fn of_id_token(&self) -> impl Iterator<Item = (&str, Option<&ClaimTerms>)> {
        of_user(&self.id_token)
    }

    /// The requested claims of the UserInfo response, except those that only the protocol sets.
    pub fn of_userinfo(&self) -> impl Iterator<Item = (&str, Option<&ClaimTerms>)> {
        of_user(&self.userinfo)
    }

    /// Whether it asks for claims of the UserInfo response.
    pub(crate) fn asks_userinfo(&self) -> bool {
        !self.userinfo.is_empty()
    }

    /// Whether it asks for this claim of the `id_token`.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.id_token.contains_key(name)
    }

    /// What it says about the `sub` or the `acr` of the `id_token`.
    pub(crate) fn terms(&self, name: &str) -> Option<&ClaimTerms> {
        self.id_token.get(name)?.as_ref()
    }

    /// Keeps the claims for which the predicate is true.
    pub(crate) fn retain(&mut self, keeps: impl Fn(&str) -> bool) {
        self.id_token.retain(|name, _| is_of_protocol(name) || keeps(name));
        self.userinfo.retain(|name, _| is_of_protocol(name) || keeps(name));
    }
}

impl ClaimTerms {
    /// Whether the client accepts this value.
    pub(crate) fn accept(&self, value: &Value) -> bool {
        self.values.is_empty() || self.values.contains(value)
    }
}

fn of_user(asked: &Asked) -> impl Iterator<Item = (&str, Option<&ClaimTerms>)> {
    let claims = asked.iter().filter(|(name, _)| !is_of_protocol(name));
    claims.map(|(name, terms)| (&**name, terms.as_ref()))
}

fn asked(object: &mut Map<String, Value>, place: &str) -> Result<Asked, Reason> {
    let claims = match object.remove(place) {
        None | Some(Value::Null) => return Ok(Asked::new()),
        Some(Value::Object(claims)) => claims,
        Some(_) => return Err(Reason::ClaimsMalformed),
    };
    let read = claims.into_iter().map(|(name, terms)| Ok((name.into_boxed_str(), terms_of(terms)?)));
    read.filter(|claim| claim.as_ref().map_or(true, |(name, _)| is_word(name))).collect()
}

fn is_word(name: &str) -> bool {
    (1..=MAX_CLAIM_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

fn terms_of(value: Value) -> Result<Option<ClaimTerms>, Reason> {
    let mut members = match value {
        Value::Null => return Ok(None),
        Value::Object(members) => members,
        _ => return Err(Reason::ClaimsMalformed),
    };
    let essential = match members.remove("essential") {
        None => false,
        Some(Value::Bool(essential)) => essential,
        Some(_) => return Err(Reason::ClaimsMalformed),
    };
    let values = match (members.remove("value"), members.remove("values")) {
        (None, None) => Vec::new(),
        (Some(value), None) => vec![value],
        (None, Some(Value::Array(values))) if !values.is_empty() => values,
        // `value` and `values` exclude each other.
        (Some(_), Some(_)) | (None, Some(_)) => return Err(Reason::ClaimsMalformed),
    };
    Ok(Some(ClaimTerms { essential, values }))
}
