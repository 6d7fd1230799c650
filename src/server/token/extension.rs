//! The driver of the host's own grant types (RFC 6749 section 4.5).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::audit::Endpoint;
use crate::client::GrantType;
use crate::error::{Fault, Reason, Refusal};
use crate::flow::token::{
    AwaitEntitlement, Denial, Entitlement, ExtensionAsk, ExtensionTerms, KnownExtension, TokenReply,
};
use crate::http::Request;
use crate::server::builder::ConfigError;
use crate::server::clients::judge;
use crate::server::limit::Attempt;
use crate::server::{AuthorizationServer, AuthorizationServerBuilder};
use crate::store::ReplayGuard;
use crate::trust::Proven;

/// Your own grant type (RFC 6749 section 4.5): what a request must contain, and the subject of its tokens.
///
/// The server does the rest, as for every other grant type: it authenticates the client, requires that the
/// grant type is registered for it, limits the tokens to the client's scope and to known resources, and
/// writes before it responds. An implementation cannot skip or change any of that.
///
/// ```
/// use grantor::flow::token::{Denial, Entitlement, ExtensionAsk};
/// use grantor::server::ExtensionGrant;
/// use grantor::{AuthorizationServer, Client, GrantType, MemoryRegistry, MemoryStore, Request, Scope, async_trait};
///
/// /// A one-time password from the key fob of a user.
/// struct KeyFob;
///
/// #[async_trait]
/// impl ExtensionGrant for KeyFob {
///     async fn entitle(&self, ask: &ExtensionAsk<'_>) -> Result<Entitlement, Denial> {
///         let user = ask.parameters.one("user").ok_or_else(Denial::invalid_request)?;
///         let password = ask.parameters.one("password").ok_or_else(Denial::invalid_request)?;
///         match (user, password) {
///             ("alice", "492039") => Ok(Entitlement::user("alice", Scope::parse("read").unwrap_or_default())),
///             _ => Err(Denial::wrong_secret()),
///         }
///     }
/// }
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let fob = GrantType::parse("urn:example:key-fob")?;
/// let desk = Client::builder("desk").secret("sesame").grant_types([fob]).build()?;
/// let server = AuthorizationServer::builder("https://as.example")
///     .clients(MemoryRegistry::new([desk]))
///     .store(MemoryStore::new())
///     .scopes(["read", "write"])
///     .extension_grant("urn:example:key-fob", KeyFob)
///     .build()?;
/// let request = Request::post_form("grant_type=urn:example:key-fob&user=alice&password=492039")
///     .header("authorization", "Basic ZGVzazpzZXNhbWU=");
/// assert_eq!(server.token(&request).await.status, 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[async_trait]
pub trait ExtensionGrant: Send + Sync {
    /// The subject of the tokens, and the most access that they may give.
    ///
    /// The client and the time are trusted; the parameters are not. **A wrong entitlement hands over that
    /// user's account**, within the scope that it names, so name no more than what was proven. Limit guesses
    /// for each user or secret yourself; the server limits them by address ([`Denial::wrong_secret`]).
    ///
    /// # Errors
    /// The request is denied, or (from a [`BackendError`](crate::BackendError)) could not be checked; then
    /// the response is 503, or 500 for a permanent error.
    async fn entitle(&self, ask: &ExtensionAsk<'_>) -> Result<Entitlement, Denial>;

    /// The terms of this grant type; called once, when the server is built. By default it is for confidential
    /// clients and issues no refresh tokens.
    fn terms(&self) -> ExtensionTerms {
        ExtensionTerms::default()
    }

    /// Mistakes in the configuration of this grant type, for a server with this issuer;
    /// [`AuthorizationServerBuilder::build`] reports them.
    fn mistakes(&self, issuer: &str) -> Vec<String> {
        let _ = issuer;
        Vec::new()
    }
}

#[async_trait]
impl<T: ExtensionGrant + ?Sized> ExtensionGrant for Arc<T> {
    async fn entitle(&self, ask: &ExtensionAsk<'_>) -> Result<Entitlement, Denial> {
        (**self).entitle(ask).await
    }

    fn terms(&self) -> ExtensionTerms {
        (**self).terms()
    }

    fn mistakes(&self, issuer: &str) -> Vec<String> {
        (**self).mistakes(issuer)
    }
}

impl<C, S> AuthorizationServerBuilder<C, S> {
    /// Adds your own grant type, named by an absolute URI. Only clients that registered it may use it.
    pub fn extension_grant(mut self, uri: impl Into<String>, grant: impl ExtensionGrant + 'static) -> Self {
        self.options.extensions.0.push((uri.into(), Arc::new(grant)));
        self
    }

    /// Remembers single-use identifiers, such as those of assertions. Every store of this crate is one; all
    /// nodes must share it.
    pub fn replay_guard(mut self, guard: impl ReplayGuard + 'static) -> Self {
        self.options.replay_guard = Some(Arc::new(guard));
        self
    }
}

/// The host's own grant types, by name.
#[derive(Default)]
pub(in crate::server) struct Extensions(Vec<(String, Arc<dyn ExtensionGrant>)>);

impl Extensions {
    /// The grant types with a valid name.
    pub(in crate::server) fn known(&self) -> Vec<KnownExtension> {
        let known = self.0.iter().filter_map(|(name, grant)| match GrantType::parse(name) {
            Ok(grant_type @ GrantType::Extension(_)) => {
                Some(KnownExtension { grant_type, terms: grant.terms() })
            }
            Ok(_) | Err(_) => None,
        });
        known.collect()
    }

    pub(in crate::server) fn mistakes(&self, issuer: &str, has_replay_guard: bool) -> Vec<ConfigError> {
        let mut errors = Vec::new();
        for (at, (name, grant)) in self.0.iter().enumerate() {
            let is_built_in = match GrantType::parse(name) {
                Err(_) => {
                    errors.push(ConfigError::GrantTypeName(name.clone()));
                    false
                }
                Ok(grant_type) => !matches!(grant_type, GrantType::Extension(_)),
            };
            if is_built_in || self.0[..at].iter().any(|(earlier, _)| earlier == name) {
                errors.push(ConfigError::GrantTypeTwice(name.clone()));
            }
            if grant.terms().single_use && !has_replay_guard {
                errors.push(ConfigError::ReplayGuardMissing(name.clone()));
            }
            let own = grant.mistakes(issuer).into_iter();
            errors.extend(own.map(|mistake| ConfigError::GrantType(name.clone(), mistake)));
        }
        errors
    }

    fn find(&self, grant_type: &GrantType) -> Option<&dyn ExtensionGrant> {
        let hit = self.0.iter().find(|(name, _)| name == grant_type.as_str());
        hit.map(|(_, grant)| &**grant)
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl AuthorizationServer {
    pub(in crate::server) async fn extension(
        &self,
        flow: AwaitEntitlement,
        request: &Request,
        counted: Option<Attempt<'_>>,
        proof: Option<&Proven>,
    ) -> Result<TokenReply, Refusal> {
        let grant = self.inner.extensions.find(flow.grant_type()).ok_or(Reason::GrantTypeUnsupported)?;
        let endpoint = self.token_endpoint_url();
        let question = flow.question(&endpoint, request.peer, &self.facts());
        let answer = self.in_time(grant.entitle(&question)).await;
        let answer =
            answer.ok_or(Refusal::from(Fault::Deadline)).and_then(|said| said.map_err(Refusal::from));
        let entitlement = judge(counted, answer.map_err(|refusal| refusal.of("ExtensionGrant")))?;
        let account_status = self.account_status(&entitlement.subject(flow.client())).await?;
        let flow = flow.with_entitlement(entitlement, account_status, &self.facts())?;
        match flow.single_use() {
            Some(only_use) => self.grant_once(&flow, only_use, request.peer, proof).await,
            None => self.issue_new_grant(&flow, request.peer, proof).await,
        }
    }

    fn token_endpoint_url(&self) -> String {
        self.url_of(Endpoint::Token).unwrap_or_default()
    }
}
