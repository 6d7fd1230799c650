//! A test server as the other side of an [`Outbound`]: a mock issuer without a socket.

use async_trait::async_trait;

use super::TestServer;
use crate::base::origin;
use crate::http::Request;
use crate::outbound::{Outbound, OutboundError, OutboundRequest, OutboundResponse};

/// Answers at the machine endpoints of [its issuer](TestServer::issuer). Every other host is unknown.
#[async_trait]
impl Outbound for TestServer {
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let host = origin::written(self.issuer());
        if origin::written(request.url()) != host {
            return Err(OutboundError::NameUnknown);
        }
        let place = &request.url()[host.len()..];
        let (path, query) = place.split_once('?').unwrap_or((place, ""));
        let Some(endpoint) = self.server().endpoint_at(path) else {
            return Ok(OutboundResponse::new(404, ""));
        };
        let sent = match request.form() {
            Some(form) => Request::post_form(form),
            None => Request::get(query),
        };
        let sent = request.headers().fold(sent, |sent, (name, value)| sent.header(name, value));
        let answer = self.server().handle(endpoint, &sent).await;
        let received = OutboundResponse::new(answer.status, answer.body);
        Ok(answer.headers.iter().fold(received, |received, (name, value)| received.header(name, value)))
    }
}
