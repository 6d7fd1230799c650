//! [`HttpOutbound`]: requests over `reqwest`, with a check of every address.

mod builder;
mod destination;
mod lookup;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use ::reqwest::header::{CONTENT_TYPE, HOST, HeaderValue};
use ::reqwest::{Client, RequestBuilder, Response, Url};
use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::address::{Allowed, Host};

use super::{ChosenBy, Outbound, OutboundError, OutboundRequest, OutboundResponse};

use destination::Destination;

pub use builder::{HttpOutboundBuilder, OutboundSetupError};
pub use lookup::Lookup;

/// Sends requests over HTTP/1.1 and TLS, in a `tokio` runtime. Cheap to clone.
///
/// It follows no redirect, goes through no proxy, keeps no cookie, decompresses nothing, and connects only to
/// an address that it has checked: a name is resolved once, and the connection uses that result. Only https
/// is used, except to this machine if that is allowed.
///
/// ```
/// use grantor::outbound::HttpOutbound;
///
/// let outbound = HttpOutbound::builder()
///     .allow_private() // the authorization server is in our own network; a client's URL still cannot point there
///     .build()?;
/// # Ok::<(), grantor::outbound::OutboundSetupError>(())
/// ```
#[derive(Clone)]
pub struct HttpOutbound(Arc<Inner>);

struct Inner {
    host: Way,
    developer: Way,
    client: Way,
    /// The address on this machine that replaces an https origin.
    mapped: BTreeMap<String, SocketAddr>,
    told: Option<Told>,
}

/// Receives a failure: the host of the URL, if it has one, and the cause.
type Told = Arc<dyn Fn(&str, OutboundError) + Send + Sync>;

/// The resources for the URLs of one chooser. They are separate, so that strangers cannot use up what the
/// host needs.
struct Way {
    http: Client,
    allowed: Allowed,
    turns: Semaphore,
}

impl HttpOutbound {
    /// Starts to configure an outbound client; by default it reaches only public addresses.
    pub fn builder() -> HttpOutboundBuilder {
        HttpOutboundBuilder::new()
    }

    fn way(&self, chosen_by: ChosenBy) -> &Way {
        match chosen_by {
            ChosenBy::Host => &self.0.host,
            ChosenBy::Developer => &self.0.developer,
            ChosenBy::Client => &self.0.client,
        }
    }

    async fn exchange(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let way = self.way(request.chosen_by());
        let url = checked(request.url(), way.allowed)?;
        let _turn = way.turns.acquire().await.map_err(|_| OutboundError::Unreachable)?;
        let prepared = match self.mapped(&url, way, request) {
            Some(prepared) => prepared,
            None => prepared(&way.http, url, request),
        };
        let response = prepared.send().await.map_err(|error| failed(&error))?;
        read(response, request.max_bytes()).await
    }

    fn tell(&self, request: &OutboundRequest, error: OutboundError) {
        let Some(told) = &self.0.told else { return };
        // The log must not repeat an invalid URL.
        let url = Url::parse(request.url()).ok().filter(|_| Destination::parse(request.url()).is_ok());
        told(url.as_ref().and_then(Url::host_str).unwrap_or_default(), error);
    }

    /// The request to this machine, if the origin of its URL is mapped there.
    fn mapped(&self, url: &Url, way: &Way, request: &OutboundRequest) -> Option<RequestBuilder> {
        let address = self.0.mapped.get(&url.origin().ascii_serialization())?;
        let mut here = Url::parse(&format!("http://{address}")).ok()?;
        here.set_path(url.path());
        here.set_query(url.query());
        Some(prepared(&way.http, here, request).header(HOST, url.authority()))
    }
}

#[async_trait]
impl Outbound for HttpOutbound {
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let answer = timeout(request.deadline(), self.exchange(request)).await;
        answer.unwrap_or(Err(OutboundError::Timeout)).inspect_err(|error| self.tell(request, *error))
    }
}

/// Parses a URL twice: strictly, and like the HTTP client, which must find the same host. An address is
/// checked here, because no resolver sees it.
fn checked(text: &str, allowed: Allowed) -> Result<Url, OutboundError> {
    let destination = Destination::parse(text)?;
    let url = Url::parse(text).map_err(|_| OutboundError::UrlRefused)?;
    let is_same = match (destination.host, url.host_str()) {
        (Host::Name(name), Some(host)) => name.eq_ignore_ascii_case(host),
        (Host::Address(address), Some(host)) => Host::parse(host) == Some(Host::Address(address)),
        (_, None) => false,
    };
    if !is_same || url.port_or_known_default() != Some(destination.port) {
        return Err(OutboundError::UrlRefused);
    }
    let may_be_plain = allowed.loopback && destination.host.is_loopback();
    if !destination.is_https && !may_be_plain {
        return Err(OutboundError::UrlRefused);
    }
    match destination.host {
        Host::Address(address) if !allowed.permits(address) => Err(OutboundError::AddressRefused),
        Host::Address(_) | Host::Name(_) => Ok(url),
    }
}

fn prepared(http: &Client, url: Url, request: &OutboundRequest) -> RequestBuilder {
    let prepared = match request.form() {
        None => http.get(url),
        Some(form) => {
            http.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.to_owned())
        }
    };
    request.headers().fold(prepared, |prepared, (name, value)| match HeaderValue::from_str(value) {
        Ok(mut value) => {
            value.set_sensitive(true);
            prepared.header(name, value)
        }
        // An invalid header fails when the request is sent.
        Err(_) => prepared.header(name, value),
    })
}

/// Reads a response, and stops if it is too large.
async fn read(mut response: Response, most: usize) -> Result<OutboundResponse, OutboundError> {
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(OutboundError::TooLarge);
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| OutboundError::Interrupted)? {
        if body.len() + chunk.len() > most {
            return Err(OutboundError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let fields = response.headers().iter().filter_map(|(name, value)| Some((name, value.to_str().ok()?)));
    let bare = OutboundResponse::new(response.status().as_u16(), body);
    Ok(fields.fold(bare, |response, (name, value)| response.header(name.as_str(), value)))
}

/// Classifies a failure; its own text contains the URL.
fn failed(error: &::reqwest::Error) -> OutboundError {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(known) = inner.downcast_ref::<OutboundError>() {
            return *known;
        }
        cause = inner.source();
    }
    match (error.is_builder(), error.is_connect()) {
        (true, _) => OutboundError::UrlRefused,
        (_, true) => OutboundError::Unreachable,
        (false, false) => OutboundError::Interrupted,
    }
}

impl fmt::Debug for HttpOutbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOutbound").field("allowed", &self.0.host.allowed).finish_non_exhaustive()
    }
}
