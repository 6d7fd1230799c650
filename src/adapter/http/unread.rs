//! What is left of the body of a refused request. A server that closes a connection with unread data resets
//! it, and the client may lose the answer (RFC 9112 section 9.6).

use std::pin::pin;
use std::time::Duration;

use ::http::Version;
use ::http::header::EXPECT;
use ::http::request::Parts;
use http_body::Body;
use http_body_util::BodyExt as _;

use crate::base::time::in_time;
use crate::http::{MAX_BODY, Response};

/// How long a refused request may take to end.
const DEADLINE: Duration = Duration::from_secs(1);

/// The connection of a refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    /// Only HTTP/1 has to name the end of a connection.
    is_http1: bool,
    /// The client sends its body only if it is told to.
    waits: bool,
}

impl Connection {
    pub(super) fn of(parts: &Parts) -> Self {
        Self { is_http1: parts.version < Version::HTTP_2, waits: parts.headers.contains_key(EXPECT) }
    }

    /// Reads what is left of the body, up to a limit. If that is not all, the connection should end.
    pub(super) async fn is_read<B: Body>(self, body: B) -> bool {
        !self.waits && in_time(pin!(ends(body)), DEADLINE).await == Some(true)
    }

    /// The last response of the connection.
    pub(super) fn end_with(self, response: Response) -> Response {
        if self.is_http1 { response.with("connection", "close") } else { response }
    }
}

/// Whether the body ends within the limit.
async fn ends<B: Body>(body: B) -> bool {
    let (mut body, mut length) = (pin!(body), 0);
    while !body.is_end_stream() {
        match body.frame().await {
            None => break,
            Some(Ok(frame)) => length += frame.data_ref().map_or(0, bytes::Buf::remaining),
            Some(Err(_)) => return false,
        }
        if length > MAX_BODY {
            return false;
        }
    }
    true
}
