//! [`Screened`]: a service with a layer of this adapter in front of it.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::http::header::VARY;
use ::http::{HeaderName, HeaderValue, Request as HttpRequest, Response as HttpResponse};
use tower_service::Service;

use crate::http::Response;
use crate::resource::Shared;

/// A check of a request before the inner service.
pub trait Screen: Clone + Send + 'static {
    /// The request to pass on, and who may read its response; or a response instead.
    fn screen<B: Send>(
        self,
        request: HttpRequest<B>,
    ) -> impl Future<Output = Result<(HttpRequest<B>, Shared), Response>> + Send;
}

/// A service behind a [`GuardLayer`](super::GuardLayer), a [`CrossOriginLayer`](super::CrossOriginLayer) or a
/// [`ForwardedCertificateLayer`](super::ForwardedCertificateLayer).
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
    B: Send + 'static,
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
            match layer.screen(request).await {
                Ok((request, shared)) => Ok(share(inner.call(request).await?, shared)),
                Err(answer) => Ok(answer.into()),
            }
        })
    }
}

fn share<C>(mut response: HttpResponse<C>, shared: Shared) -> HttpResponse<C> {
    for (name, value) in shared.into_headers() {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::try_from(&*value));
        match value {
            Ok(value) if name == VARY => drop(response.headers_mut().append(name, value)),
            Ok(value) => drop(response.headers_mut().insert(name, value)),
            Err(_) => {}
        }
    }
    response
}
