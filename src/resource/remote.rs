//! Questions to the server that issues the tokens.

use std::time::Duration;

use crate::error::Reason;
use crate::outbound::{self, Outbound, OutboundRequest, OutboundResponse};

/// For one question; below the guard's own for all of a verifier.
pub(super) const DEADLINE: Duration = Duration::from_secs(3);

/// What stands at a URL that a server publishes something at.
pub(super) async fn published(
    outbound: &dyn Outbound,
    request: &OutboundRequest,
) -> Result<OutboundResponse, Reason> {
    match outbound::ask(outbound, request).await {
        Ok(response) if response.status() == 200 => Ok(response),
        Ok(_) | Err(_) => Err(Reason::IssuerUnavailable),
    }
}
