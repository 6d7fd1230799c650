//! [`ClaimsRequest`]: the parameter `claims` (OpenID Connect Core section 5.5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::names::is_of_protocol;
use crate::base::strict_json;
use crate::error::Reason;

/// The parameter `claims` may be this long, in bytes.
pub const MAX_CLAIMS_LENGTH: usize = 8 * 1024;

/// It may name this many claims.
pub const MAX_CLAIM_NAMES: usize = 100;

/// The single claims that a request asks for, by where they are to be. They are the client's own words: names
/// can be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimsRequest {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    id_token: Asked,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    userinfo: Asked,
}

type Asked = BTreeMap<Box<str>, Option<ClaimTerms>>;

/// What a request says of one claim (OpenID Connect Core section 5.5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ClaimTerms {
    /// Without it, the client cannot do what it is for. A claim that is missing is no error all the same.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub essential: bool,
    /// The only values that are of use; empty is any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
}

impl ClaimsRequest {
    /// Reads the parameter. Members that are not known are ignored.
    ///
    /// # Errors
    /// [`Reason::ClaimsMalformed`]: it is no JSON object, has a member twice at any depth, asks for claims in
    /// another form than that of section 5.5, or is too large.
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

    /// The claims of the `id_token`, but for those that the protocol makes.
    pub fn of_id_token(&self) -> impl Iterator<Item = (&str, Option<&ClaimTerms>)> {
        of_user(&self.id_token)
    }

    /// The claims of the UserInfo answer, but for those that the protocol makes.
    pub fn of_userinfo(&self) -> impl Iterator<Item = (&str, Option<&ClaimTerms>)> {
        of_user(&self.userinfo)
    }

    /// Whether it asks for claims of the UserInfo answer.
    pub(crate) fn asks_userinfo(&self) -> bool {
        !self.userinfo.is_empty()
    }

    /// What it says of the `sub` or the `acr` of the `id_token`.
    pub(crate) fn terms(&self, name: &str) -> Option<&ClaimTerms> {
        self.id_token.get(name)?.as_ref()
    }

    /// Keeps the claims of which this is true.
    pub(crate) fn retain(&mut self, keeps: impl Fn(&str) -> bool) {
        self.id_token.retain(|name, _| is_of_protocol(name) || keeps(name));
        self.userinfo.retain(|name, _| is_of_protocol(name) || keeps(name));
    }
}

impl ClaimTerms {
    /// Whether a value is of use.
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
    claims.into_iter().map(|(name, terms)| Ok((name.into_boxed_str(), terms_of(terms)?))).collect()
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
        // Both say different things at once.
        (Some(_), Some(_)) | (None, Some(_)) => return Err(Reason::ClaimsMalformed),
    };
    Ok(Some(ClaimTerms { essential, values }))
}
