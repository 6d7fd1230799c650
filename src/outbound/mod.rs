//! Outgoing requests: all requests of this crate to other servers.
//!
//! Implement [`Outbound`] with your own HTTP client, or use `HttpOutbound` (feature `reqwest`). Requests
//! and responses are plain types, and [`address`] says which addresses a URL may reach.

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
/// The response is trusted as much as the server of the URL: check certificates, and **follow no redirects**,
/// because an untrusted URL could redirect anywhere. A URL that is not [`ChosenBy::Host`] is untrusted: it
/// must reach only public addresses ([`address::Reach`]), checked against the resolved address of the actual
/// connection. A mistake lets attackers into the host's own network.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// The whole response, with any status. Stop reading after [`OutboundRequest::max_bytes`], and finish by
    /// [`OutboundRequest::deadline`]; the caller enforces both.
    ///
    /// # Errors
    /// There was no response, or it exceeded a limit.
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError>;
}

#[async_trait]
impl<T: Outbound + ?Sized> Outbound for Arc<T> {
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        (**self).send(request).await
    }
}

/// Why there is no response. It contains nothing of the request, so it is always safe to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The URL is not an https URL without user name and fragment, or its host has a non-standard form.
    #[error("requests to this URL are not allowed")]
    UrlRefused,
    /// The address of the host is not allowed.
    #[error("requests to this address are not allowed")]
    AddressRefused,
    /// The name has no address.
    #[error("the host name has no address")]
    NameUnknown,
    /// No connection, or no trusted certificate.
    #[error("the connection failed")]
    Unreachable,
    /// The connection broke, or the response is not HTTP.
    #[error("the response was cut off")]
    Interrupted,
    /// The deadline has passed.
    #[error("the response took too long")]
    Timeout,
    /// Too many requests are in progress; nothing was sent.
    #[error("too many requests are in progress")]
    Busy,
    /// The response exceeded the size limit.
    #[error("the response is too large")]
    TooLarge,
    /// The response is a redirect.
    #[error("the response is a redirect")]
    Redirected,
}

/// Sends a request and enforces its limits for any implementation.
pub(crate) async fn ask(
    outbound: &dyn Outbound,
    request: &OutboundRequest,
) -> Result<OutboundResponse, OutboundError> {
    // The implementation's own timeout error is more precise.
    let limit = request.deadline().saturating_add(Duration::from_millis(250));
    let response = in_time(outbound.send(request), limit).await.ok_or(OutboundError::Timeout)??;
    match response.status() {
        301 | 302 | 303 | 307 | 308 => Err(OutboundError::Redirected),
        _ if response.body().len() > request.max_bytes() => Err(OutboundError::TooLarge),
        _ => Ok(response),
    }
}
