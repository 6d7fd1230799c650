//! A `tracing` span around each request (feature `tracing`).

use std::future::Future;

use tracing::Instrument as _;

use super::Endpoint;

/// What happens during the request, in the host's parts too, is inside the span `request`. Where no
/// subscriber wants it, there is none.
pub(crate) fn in_span<F: Future>(endpoint: Endpoint, request: F) -> impl Future<Output = F::Output> {
    request.instrument(tracing::info_span!(target: "grantor", "request", endpoint = endpoint.as_str()))
}
