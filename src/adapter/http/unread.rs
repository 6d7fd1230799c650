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

/// How long to wait for the rest of a refused request.
const DEADLINE: Duration = Duration::from_secs(1);

/// The connection of a refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    /// Only HTTP/1 ends a connection, and says so.
    is_http1: bool,
    /// The client sends its body only if it is told to.
    waits: bool,
}

impl Connection {
    pub(super) fn of(parts: &Parts) -> Self {
        Self { is_http1: parts.version < Version::HTTP_2, waits: parts.headers.contains_key(EXPECT) }
    }

    /// Reads what is left of the body, up to a limit. If that is not all, the connection should end. HTTP/2
    /// resets only the stream.
    async fn is_read<B: Body>(self, body: B) -> bool {
        if !self.is_http1 || body.is_end_stream() {
            return true;
        }
        let is_too_long = body.size_hint().lower() > MAX_BODY as u64;
        !self.waits && !is_too_long && in_time(pin!(ends(body)), DEADLINE).await == Some(true)
    }

    /// This response instead of that of the service, which would have read the body.
    pub(super) async fn refuse<B: Body>(self, response: Response, body: B) -> Response {
        if self.is_read(body).await { response } else { self.end_with(response) }
    }

    /// The last response of the connection.
    pub(super) fn end_with(self, response: Response) -> Response {
        if self.is_http1 { response.with("connection", "close") } else { response }
    }
}

/// Whether the body ends within the limit.
async fn ends<B: Body>(body: B) -> bool {
    let (mut body, mut length) = (pin!(body), 0);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        length += frame.data_ref().map_or(0, bytes::Buf::remaining);
        if length > MAX_BODY {
            return false;
        }
    }
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use ::http::Request;
    use bytes::Bytes;
    use http_body::Frame;
    use http_body_util::{Empty, Full};

    use super::*;

    /// A body that stays open, of which nothing can be asked.
    struct Open;

    impl Body for Open {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            unreachable!("nobody waits for it")
        }
    }

    fn connection(version: Version, expects: bool) -> Connection {
        let request = Request::post("/").version(version);
        let request = if expects { request.header(EXPECT, "100-continue") } else { request };
        Connection::of(&request.body(()).unwrap().into_parts().0)
    }

    #[tokio::test]
    async fn nobody_waits_for_a_body_whose_end_does_not_matter_or_is_too_far() {
        let too_long = || Full::<Bytes>::from(vec![b'a'; MAX_BODY + 1]);
        assert!(connection(Version::HTTP_2, false).is_read(Open).await, "a stream that stays open");
        assert!(!connection(Version::HTTP_11, true).is_read(Open).await, "never sent");
        assert!(!connection(Version::HTTP_11, false).is_read(too_long()).await);
        for expects in [true, false] {
            assert!(connection(Version::HTTP_11, expects).is_read(Empty::<Bytes>::new()).await);
        }
        assert!(connection(Version::HTTP_11, false).is_read(Full::<Bytes>::from("short")).await);
    }
}
