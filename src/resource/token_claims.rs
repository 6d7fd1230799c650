//! [`TokenClaims`]: the claims of an access token, or of an introspection response, as any issuer may write
//! them (RFC 9068 section 2.2, RFC 7662 section 2.2).

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::audience::Audience;
use crate::base::numeric_date::NumericDate;
use crate::base::{Actor, AuthorizationDetails, Confirmation, ResourceId, Scope};
use crate::error::Reason;
use crate::signing::{Claims, SubjectType};

/// Every claim is optional here. A verifier adds those that its source may leave out, and
/// [`complete`](Self::complete) requires the rest.
#[derive(Clone, Deserialize)]
pub(super) struct TokenClaims {
    pub(super) iss: Option<String>,
    pub(super) sub: Option<String>,
    pub(super) sub_type: Option<SubjectType>,
    pub(super) aud: Option<Audience>,
    pub(super) client_id: Option<String>,
    pub(super) iat: Option<NumericDate>,
    pub(super) nbf: Option<NumericDate>,
    pub(super) exp: Option<NumericDate>,
    pub(super) jti: Option<String>,
    pub(super) scope: Option<WireScope>,
    auth_time: Option<NumericDate>,
    acr: Option<String>,
    /// A malformed actor makes the token unreadable: a delegated token must not pass as the subject's own.
    act: Option<Actor>,
    #[serde(default)]
    authorization_details: AuthorizationDetails,
    /// A malformed confirmation is an error, because it must not count as none.
    #[serde(default, deserialize_with = "read_confirmation")]
    cnf: Option<Result<Confirmation, Reason>>,
    #[serde(flatten)]
    pub(super) extra: Map<String, Value>,
}

impl TokenClaims {
    /// The key that the token is bound to.
    pub(super) fn confirmation(&self) -> Result<Option<&Confirmation>, Reason> {
        self.cnf.as_ref().map(|read| read.as_ref().map_err(|reason| *reason)).transpose()
    }

    /// The type of the subject, if the token does not state it: a client if `sub` is missing or equals the
    /// client's id, else a user.
    pub(super) fn guessed_subject(&self) -> SubjectType {
        match self.sub.is_none() || self.sub == self.client_id {
            true => SubjectType::Client,
            false => SubjectType::User,
        }
    }

    /// The claims for this resource, if none is missing.
    pub(super) fn complete(self, resource: &ResourceId) -> Option<Claims> {
        let cnf = self.cnf.transpose().ok()?;
        let named = |text: Option<String>| text.filter(|text| !text.is_empty());
        Some(Claims {
            iss: self.iss?,
            sub: named(self.sub)?,
            sub_type: self.sub_type?,
            aud: resource.as_str().to_owned(),
            client_id: named(self.client_id)?,
            iat: self.iat?.seconds(),
            exp: self.exp?.seconds(),
            jti: self.jti?,
            scope: self.scope.map(WireScope::any).unwrap_or_default(),
            auth_time: self.auth_time.map(NumericDate::seconds),
            acr: self.acr,
            act: self.act,
            authorization_details: self.authorization_details,
            cnf,
            extra: self.extra,
        })
    }
}

fn read_confirmation<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Result<Confirmation, Reason>>, D::Error> {
    let sent = Option::<Value>::deserialize(from)?;
    Ok(sent.map(|sent| Confirmation::deserialize(sent).map_err(|_| Reason::TokenBound)))
}

/// A scope as a string or as an array.
#[derive(Clone)]
pub(super) enum WireScope {
    Text(Scope),
    List(Scope),
}

impl WireScope {
    pub(super) fn any(self) -> Scope {
        match self {
            Self::Text(scope) | Self::List(scope) => scope,
        }
    }
}

impl<'de> Deserialize<'de> for WireScope {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = WireScope;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scope, or a list of scope tokens")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<WireScope, E> {
                Scope::parse(text).map(WireScope::Text).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<WireScope, A::Error> {
                let mut tokens: Vec<String> = Vec::new();
                while let Some(token) = list.next_element::<String>()? {
                    // Each item is one scope token; a space in it would make two.
                    if token.is_empty() || token.contains(' ') {
                        return Err(A::Error::custom("not a scope token"));
                    }
                    tokens.push(token);
                }
                Scope::parse(&tokens.join(" ")).map(WireScope::List).map_err(A::Error::custom)
            }
        }
        from.deserialize_any(Either)
    }
}
