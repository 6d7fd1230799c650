//! [`ClaimsSource`]: what the host knows about its users.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::names::{is_of_protocol, of_scope, without_language};
use super::{ClaimTerms, OpenId};
use crate::base::Scope;
use crate::client::Client;
use crate::error::BackendError;
use crate::signing::DroppedClaims;

/// The host's source of claims about its users.
///
/// ```
/// use grantor::openid::{ClaimsAsked, ClaimsSource};
/// use grantor::{BackendError, async_trait};
/// use serde_json::{Map, Value};
///
/// struct Users;
///
/// #[async_trait]
/// impl ClaimsSource for Users {
///     async fn claims(&self, asked: &ClaimsAsked<'_>) -> Result<Map<String, Value>, BackendError> {
///         let mut claims = Map::new();
///         if asked.user() == "alice" && asked.wants("email") {
///             claims.insert("email".to_owned(), "alice@example.com".into());
///             claims.insert("email_verified".to_owned(), true.into());
///         }
///         Ok(claims)
///     }
/// }
/// ```
#[async_trait]
pub trait ClaimsSource: Send + Sync {
    /// The claims of `asked.user()` among `asked.names()`.
    ///
    /// The claims of the scopes go into the UserInfo response and not into the `id_token` (OpenID Connect
    /// Core section 5.4), unless the client has `id_token_claims_from_scope` or gets no access token
    /// (response type `id_token`). Claims that a request names by the parameter `claims` go where it says.
    /// This is called once for each response that can have such a claim, before anything is written.
    ///
    /// The user is the host's own identifier, and access was approved for the client; the claim names may
    /// come from the client. Claims that were not requested are dropped, as are `null`, empty strings and
    /// protocol claims (`sub`, `acr` and so on, which are audited); a missing claim is not an error. Every
    /// client trusts these values: a wrong `email_verified` lets a user take over other people's accounts
    /// there.
    ///
    /// # Errors
    /// The source is unavailable. The request gets 503, or 500 for a permanent error, and nothing is lost: a
    /// code can be used once more.
    async fn claims(&self, asked: &ClaimsAsked<'_>) -> Result<Map<String, Value>, BackendError>;

    /// The names of all possible claims, for `claims_supported` of the metadata; by default those of the
    /// scopes that the server knows.
    fn supported(&self) -> Vec<String> {
        Vec::new()
    }
}

#[async_trait]
impl<T: ClaimsSource + ?Sized> ClaimsSource for Arc<T> {
    async fn claims(&self, asked: &ClaimsAsked<'_>) -> Result<Map<String, Value>, BackendError> {
        (**self).claims(asked).await
    }

    fn supported(&self) -> Vec<String> {
        (**self).supported()
    }
}

/// The requested claims, their user and their client.
#[derive(Debug)]
pub struct ClaimsAsked<'a> {
    user: &'a str,
    client: &'a Client,
    wanted: &'a Wanted,
    to: ClaimsTo,
}

/// Where the claims will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClaimsTo {
    /// In an `id_token`.
    IdToken,
    /// In a UserInfo response.
    UserInfo,
}

impl<'a> ClaimsAsked<'a> {
    pub(crate) fn new(user: &'a str, client: &'a Client, wanted: &'a Wanted, to: ClaimsTo) -> Self {
        Self { user, client, wanted, to }
    }

    /// The user, by the host's own identifier.
    #[must_use]
    pub fn user(&self) -> &'a str {
        self.user
    }

    /// The client that will read them.
    #[must_use]
    pub fn client(&self) -> &'a Client {
        self.client
    }

    /// The requested claims. A name can have a language after a `#` (section 5.2).
    pub fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.wanted.0.iter().map(|(name, _)| &**name)
    }

    /// Whether this claim is requested, in any language.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.names().any(|asked| without_language(asked) == name)
    }

    /// What the request says about this claim, if the parameter `claims` names it.
    #[must_use]
    pub fn terms(&self, name: &str) -> Option<&'a ClaimTerms> {
        let asked = self.wanted.0.iter().find(|(asked, _)| **asked == *name);
        asked.and_then(|(_, terms)| terms.as_ref())
    }

    /// Where the claims will be.
    #[must_use]
    pub fn to(&self) -> ClaimsTo {
        self.to
    }
}

/// The claims that a response needs from the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted(Vec<(Cow<'static, str>, Option<ClaimTerms>)>);

/// The part of a host's answer that is used.
pub(crate) struct Kept {
    pub(crate) claims: Map<String, Value>,
    pub(crate) dropped: DroppedClaims,
}

impl Wanted {
    /// What a client gets in an `id_token`. This includes the claims of the scope if there is no access
    /// token, or if the client registered for that.
    pub(crate) fn in_id_token(openid: &OpenId, scope: &Scope, client: &Client, is_alone: bool) -> Self {
        let mut wanted = Self::default();
        if is_alone || client.metadata().id_token_claims_from_scope.unwrap_or(false) {
            wanted.add_scope(scope);
        }
        wanted.add(openid.claims.iter().flat_map(|claims| claims.of_id_token()));
        wanted
    }

    /// What a client gets in a UserInfo response.
    pub(crate) fn in_userinfo(openid: Option<&OpenId>, scope: &Scope) -> Self {
        let mut wanted = Self::default();
        wanted.add_scope(scope);
        let claims = openid.and_then(|openid| openid.claims.as_ref());
        wanted.add(claims.into_iter().flat_map(|claims| claims.of_userinfo()));
        wanted
    }

    /// The claims of a scope.
    pub(crate) fn of_scope(scope: &Scope) -> impl Iterator<Item = &'static str> {
        of_scope(scope)
    }

    /// Adds the claims of a scope to an empty set. No two scopes have a claim in common, so no name occurs
    /// twice.
    fn add_scope(&mut self, scope: &Scope) {
        self.0.extend(of_scope(scope).map(|name| (Cow::Borrowed(name), None)));
    }

    /// If a name occurs twice, terms win over no terms.
    fn add<'a>(&mut self, names: impl Iterator<Item = (&'a str, Option<&'a ClaimTerms>)>) {
        for (name, terms) in names {
            match self.0.iter_mut().find(|(own, _)| **own == *name) {
                Some((_, own)) => *own = own.take().or(terms.cloned()),
                None => self.0.push((name.to_owned().into(), terms.cloned())),
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps the claims of a host's answer that were requested, that the client accepts, and that the host
    /// may set.
    pub(crate) fn keep(&self, mut claims: Map<String, Value>) -> Kept {
        let mut dropped = DroppedClaims::of("ClaimsSource");
        claims.retain(|name, value| {
            let is_of_protocol = is_of_protocol(name);
            if is_of_protocol {
                dropped.names.push(name.clone());
            }
            !is_of_protocol && self.takes(name, value)
        });
        Kept { claims, dropped }
    }

    /// A value in some language also counts as an answer to a request for the claim without a language.
    fn takes(&self, name: &str, value: &Value) -> bool {
        let is_absent = value.is_null() || value.as_str().is_some_and(str::is_empty);
        let asked = self.0.iter().find(|(own, _)| **own == *name);
        let asked = asked.or_else(|| self.0.iter().find(|(own, _)| **own == *without_language(name)));
        !is_absent && asked.is_some_and(|(_, terms)| terms.as_ref().is_none_or(|terms| terms.accept(value)))
    }
}
