//! [`Introspection`]: verifies tokens by asking the server that issued them (RFC 7662).

mod answer;
#[cfg(feature = "jwt")]
mod signed;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use form_urlencoded::byte_serialize;

use super::{Access, Discovery, TokenVerifier};
use crate::base::{Digest, ResourceId, SecretText, after};
use crate::error::{Reason, Refusal, RemoteError};
use crate::http::bearer::is_token;
use crate::outbound::{self, ChosenBy, Outbound, OutboundRequest};
use crate::trust::Recent;
use crate::trust::kept::{Answer, DEADLINE, RemoteValue};
use answer::Active;

/// Asks the server that issued a token what it permits (RFC 7662). It works for any kind of token, and sees a
/// revocation at most [`max_age`](Self::max_age) late.
///
/// A response is cached under a digest of the token, never beyond the token's expiry; there is one request at
/// a time for the same token. An inactive token is cached for some seconds. If the server cannot be reached,
/// the response is 503.
///
/// ```
/// # use grantor::outbound::Outbound;
/// # fn guard(outbound: std::sync::Arc<dyn Outbound>) -> Result<(), grantor::resource::GuardErrors> {
/// use grantor::resource::{Credentials, Guard, Introspection};
///
/// let credentials = Credentials::secret("resource-server", "the secret from your configuration");
/// let guard = Guard::builder("https://api.example")
///     .verifier(
///         Introspection::at("https://as.example/introspect", outbound, credentials).issuer("https://as.example"),
///     )
///     .build()?;
/// # Ok(())
/// # }
/// ```
pub struct Introspection {
    endpoint: Endpoint,
    outbound: Arc<dyn Outbound>,
    credentials: Credentials,
    issuer: Option<String>,
    max_age: Duration,
    untyped: bool,
    unaddressed: bool,
    /// Reads the responses, if they are not JSON.
    reader: Option<Box<dyn AnswerReader>>,
    cache: Recent<[u8; 32], Entry>,
}

/// The server's response for one token.
type Entry = Arc<RemoteValue<Option<Arc<Active>>>>;

/// Reads responses in another format than JSON.
#[async_trait]
trait AnswerReader: Send + Sync {
    /// The requested media type.
    fn media_type(&self) -> &'static str;

    /// Verifies the response, and returns it as JSON.
    async fn read(&self, body: &[u8], issuer: Option<&str>, now: DateTime<Utc>) -> Result<Vec<u8>, Unread>;
}

/// Why a response could not be read.
#[cfg_attr(not(feature = "jwt"), expect(dead_code, reason = "only signed responses need a reader"))]
enum Unread {
    Flaw(&'static str),
    /// The keys for its signature are missing.
    Keys(Refusal),
}

enum Endpoint {
    At(String),
    Of(Discovery),
}

/// How a resource server authenticates to the authorization server.
pub struct Credentials(SecretText);

impl Credentials {
    /// A client's id and secret (`client_secret_basic`, RFC 6749 section 2.3.1).
    #[must_use]
    pub fn secret(id: &str, secret: &str) -> Self {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encoded(id), encoded(secret));
        Self(SecretText::new(format!("Basic {}", STANDARD.encode(pair))))
    }

    /// An access token for the introspection endpoint.
    #[must_use]
    pub fn bearer(token: &str) -> Self {
        Self(SecretText::new(format!("Bearer {token}")))
    }
}

impl Introspection {
    /// Uses this endpoint, with these credentials.
    #[must_use]
    pub fn at(
        endpoint: impl Into<String>,
        outbound: impl Outbound + 'static,
        credentials: Credentials,
    ) -> Self {
        Self::new(Endpoint::At(endpoint.into()), Arc::new(outbound), credentials)
    }

    /// Uses the `introspection_endpoint` that the issuer publishes.
    #[must_use]
    pub fn of(discovery: Discovery, credentials: Credentials) -> Self {
        let (issuer, outbound) = (discovery.issuer().to_owned(), Arc::clone(discovery.outbound()));
        Self::new(Endpoint::Of(discovery), outbound, credentials).issuer(issuer)
    }

    fn new(endpoint: Endpoint, outbound: Arc<dyn Outbound>, credentials: Credentials) -> Self {
        Self {
            endpoint,
            outbound,
            credentials,
            issuer: None,
            max_age: Duration::from_secs(30),
            untyped: false,
            unaddressed: false,
            reader: None,
            cache: Recent::new(2 * 10_000),
        }
    }

    /// The issuer of the tokens: a response with another issuer is refused, and the metadata of the resource
    /// name this one.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// How long a response is cached, and so how long a revoked token still passes; by default 30 s. With
    /// zero, every request is introspected.
    #[must_use]
    pub fn max_age(mut self, longest: Duration) -> Self {
        self.max_age = longest;
        self
    }

    /// How many responses are cached, at least; by default 10,000. There are never more than twice as many.
    #[must_use]
    pub fn keep(mut self, answers: usize) -> Self {
        // Each half of the cache has room for all of them.
        self.cache = Recent::new(answers.max(1).saturating_mul(2));
        self
    }

    /// Accepts responses without grantor's own `sub_type`, as other servers send them: a subject that is
    /// missing or equals the client's id is the client, any other a user. On a server where clients choose
    /// their id or users their name, one can pass as the other.
    #[must_use]
    pub fn allow_untyped_subjects(mut self) -> Self {
        self.untyped = true;
        self
    }

    /// Accepts responses without `aud`. Only for a server that answers each resource only about its own
    /// tokens: otherwise a token for another resource passes here.
    #[must_use]
    pub fn allow_missing_audience(mut self) -> Self {
        self.unaddressed = true;
        self
    }

    /// The server's response for a token; `None` if it is not active.
    async fn known(&self, token: &str, now: DateTime<Utc>) -> Result<Option<Arc<Active>>, Refusal> {
        if self.max_age.is_zero() {
            return self.ask(token, now).await.map(|answer| answer.value);
        }
        let digest = Digest::of("grantor:introspected:v1", token.as_bytes());
        let entry = self.cache.get_or_insert(*digest.expose(), Entry::default);
        entry.latest(false, now, self.ask(token, now)).await
    }

    async fn ask(&self, token: &str, now: DateTime<Utc>) -> Result<Answer<Option<Arc<Active>>>, Refusal> {
        let found;
        let endpoint = match &self.endpoint {
            Endpoint::At(url) => url,
            Endpoint::Of(discovery) => {
                found = discovery.published(now).await?;
                let named = found.introspection_endpoint.as_ref();
                named.ok_or_else(|| found.refused("no introspection_endpoint"))?
            }
        };
        let form = [("token", token), ("token_type_hint", "access_token")];
        let form = serde_urlencoded::to_string(form).map_err(|_| Reason::TokenUnreadable)?;
        let (accept, longest) = match &self.reader {
            Some(reader) => (reader.media_type(), 2 * MAX_ANSWER),
            None => ("application/json", MAX_ANSWER),
        };
        let request = OutboundRequest::post(endpoint.as_str(), ChosenBy::Host, form)
            .header("authorization", self.credentials.0.reveal())
            .header("accept", accept)
            .limits(longest, DEADLINE);
        let response = outbound::ask(&*self.outbound, &request).await;
        let response = response.map_err(|error| unusable(endpoint, error.to_string()))?;
        match response.status() {
            200 => {}
            status @ (400 | 401 | 403 | 404 | 405) => {
                return Err(RemoteError::refused(WHAT, endpoint, refused(status)).into());
            }
            status => return Err(unusable(endpoint, format!("status {status}"))),
        }
        let read = match &self.reader {
            Some(reader) => Some(reader.read(response.body(), self.issuer.as_deref(), now).await),
            None => None,
        };
        let read = read.transpose().map_err(|unread| match unread {
            Unread::Flaw(flaw) => unusable(endpoint, flaw),
            Unread::Keys(refusal) => refusal,
        })?;
        let json = read.as_deref().unwrap_or(response.body());
        let value = Active::read(json).ok_or_else(|| unusable(endpoint, NO_ANSWER))?.map(Arc::new);
        let until = self.believed_until(value.as_deref(), now);
        Ok(Answer { value, fresh_until: until, stale_until: until })
    }

    /// How long a response is cached: never past the expiry of the token.
    fn believed_until(&self, active: Option<&Active>, now: DateTime<Utc>) -> DateTime<Utc> {
        let longest = after(now, self.max_age);
        match active.map(|active| active.expires().unwrap_or(longest)) {
            Some(expiry) if expiry > now => expiry.min(longest),
            Some(_) | None => after(now, self.max_age.min(INACTIVE_FOR)),
        }
    }
}

/// What is requested, in the cause of a failure.
const WHAT: &str = "the introspection";

const NO_ANSWER: &str = "it is not an introspection response in JSON (RFC 7662 section 2.2)";

fn unusable(endpoint: &str, flaw: impl Into<Cow<'static, str>>) -> Refusal {
    RemoteError::unavailable(WHAT, endpoint, flaw).into()
}

/// What a status says about the host's configuration.
fn refused(status: u16) -> String {
    match status {
        401 => "status 401: it refused the credentials of this API".to_owned(),
        403 => "status 403: this API may not introspect tokens there".to_owned(),
        _ => format!("status {status}"),
    }
}

/// Longer tokens are not introspected; this is also our own limit for a parameter.
const MAX_TOKEN: usize = 8 * 1024;

const MAX_ANSWER: usize = 16 * 1024;

/// How long an inactive answer is cached.
const INACTIVE_FOR: Duration = Duration::from_secs(5);

#[async_trait]
impl TokenVerifier for Introspection {
    async fn verify(
        &self,
        token: &str,
        resource: &ResourceId,
        now: DateTime<Utc>,
    ) -> Result<Access, Refusal> {
        if token.len() > MAX_TOKEN || !is_token(token) {
            return Err(Reason::TokenUnreadable.into());
        }
        let active = self.known(token, now).await?.ok_or(Reason::TokenInactive)?;
        active.check(self.issuer.as_deref(), now)?;
        if !active.is_for(resource).unwrap_or(self.unaddressed) {
            return Err(Reason::TokenAudienceWrong.into());
        }
        let until = after(now, self.max_age);
        let claims = active.claims(resource, self.untyped, now, until).ok_or(Reason::TokenUnreadable)?;
        Ok(Access::of_claims(claims, resource))
    }

    fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
