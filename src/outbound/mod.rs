//! The one way out: every request that this crate sends to another server.
//!
//! [`Outbound`] is a seam like any other: bring an HTTP client of your own, or take [`HttpOutbound`], which the feature
//! `reqwest` has. What is asked and what is answered are plain types, and [`address`] says where a URL may lead.

pub mod address;
mod exchange;
#[cfg(feature = "reqwest")]
mod http;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use exchange::{ChosenBy, OutboundRequest, OutboundResponse};
#[cfg(feature = "reqwest")]
pub use http::{HttpOutbound, HttpOutboundBuilder, Lookup, OutboundSetupError};

use crate::base::time::in_time;

/// Sends requests to other servers.
///
/// The answer is believed as far as the server behind the URL is: certificates are checked, and **redirects are not
/// followed**, because a stranger's URL would redirect anywhere. A URL that is [`ChosenBy::Client`] is hostile:
/// it must reach no address but public ones ([`address::Reach`]), whatever its name resolves to, at the moment of the
/// connection. A wrong answer to that lets strangers into the host's own network.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// The whole answer, whatever its status. Reading stops behind [`OutboundRequest::max_bytes`], and all of it is over by
    /// [`OutboundRequest::deadline`]; the caller holds you to both.
    ///
    /// # Errors
    /// There was no answer, or none that may be read.
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError>;
}

#[async_trait]
impl<T: Outbound + ?Sized> Outbound for Arc<T> {
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        (**self).send(request).await
    }
}

/// Why there is no answer. It holds nothing of the request and is always safe to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The URL is not an https URL without user name and fragment, or its host is spelt oddly.
    #[error("the URL is not one that may be asked")]
    UrlRefused,
    /// The host is at an address that may not be reached.
    #[error("the address is not one that may be reached")]
    AddressRefused,
    /// The name has no address.
    #[error("the name has no address")]
    NameUnknown,
    /// No connection, or no certificate that is trusted.
    #[error("no connection was made")]
    Unreachable,
    /// The connection broke, or what came is not HTTP.
    #[error("the answer broke off")]
    Interrupted,
    /// The time is over.
    #[error("the answer took too long")]
    Timeout,
    /// More bytes than were allowed.
    #[error("the answer is too large")]
    TooLarge,
    /// The answer sends elsewhere.
    #[error("the answer is a redirect")]
    Redirected,
}

/// Sends a request and holds the other side to its limits, whatever it is made of.
pub(crate) async fn ask(
    outbound: &dyn Outbound,
    request: &OutboundRequest,
) -> Result<OutboundResponse, OutboundError> {
    // An answer of the other side's own deadline is the better one.
    let limit = request.deadline().saturating_add(Duration::from_millis(250));
    let response = in_time(outbound.send(request), limit).await.ok_or(OutboundError::Timeout)??;
    match response.status() {
        301 | 302 | 303 | 307 | 308 => Err(OutboundError::Redirected),
        _ if response.body().len() > request.max_bytes() => Err(OutboundError::TooLarge),
        _ => Ok(response),
    }
}
