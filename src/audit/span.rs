//! A `tracing` span around each request (feature `tracing`).

use std::future::Future;

use tracing::Instrument as _;

use super::Endpoint;

/// Everything during the request is inside the span `request`, including calls to the host's parts. If no
/// subscriber is interested, no span is created.
pub(crate) fn in_span<F: Future>(endpoint: Endpoint, request: F) -> impl Future<Output = F::Output> {
    request.instrument(tracing::info_span!(target: "grantor", "request", endpoint = endpoint.as_str()))
}
