//! [`Screened`]: a service with a layer of this adapter in front of it.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::http::request::Parts;
use ::http::{HeaderName, HeaderValue, Request as HttpRequest, Response as HttpResponse};
use http_body::Body;
use tower_service::Service;

use super::unread::Connection;
use crate::http::{AddedHeaders, Response};

/// A check of a request before the inner service.
pub trait Screen: Clone + Send + 'static {
    /// Checks the request, which it may change, and says what to add to the response; or a response instead.
    fn screen(self, request: &mut Parts) -> impl Future<Output = Result<AddedHeaders, Response>> + Send;
}

/// A service behind a layer of this adapter, such as a [`GuardLayer`](super::GuardLayer).
///
/// It takes requests with any [`http_body::Body`]. What is left of the body of a request that it refuses over
/// HTTP/1 is read, up to 64 KiB and for a second, so that the client reads the response.
#[derive(Clone, Debug)]
pub struct Screened<S, L> {
    inner: S,
    layer: L,
}

impl<S, L> Screened<S, L> {
    pub(super) fn new(inner: S, layer: L) -> Self {
        Self { inner, layer }
    }
}

impl<S, L, B, C> Service<HttpRequest<B>> for Screened<S, L>
where
    S: Service<HttpRequest<B>, Response = HttpResponse<C>> + Clone + Send + 'static,
    S::Future: Send,
    L: Screen,
    B: Body + Send + 'static,
    B::Data: Send,
    C: From<Vec<u8>>,
{
    type Response = HttpResponse<C>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse<C>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        // The ready service is moved into the future; its clone stays and becomes ready again.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match layer.screen(&mut parts).await {
                Ok(added) => Ok(add(inner.call(HttpRequest::from_parts(parts, body)).await?, added)),
                Err(answer) => Ok(Connection::of(&parts).refuse(answer, body).await.into()),
            }
        })
    }
}

fn add<C>(mut response: HttpResponse<C>, added: AddedHeaders) -> HttpResponse<C> {
    for (name, value) in added.into_headers() {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::try_from(&*value));
        match value {
            Ok(value) if AddedHeaders::is_list(name.as_str()) => {
                let _ = response.headers_mut().append(name, value);
            }
            Ok(value) => drop(response.headers_mut().insert(name, value)),
            Err(_) => {}
        }
    }
    response
}
