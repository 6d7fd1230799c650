//! [`Screened`]: a service with a layer of this adapter in front of it.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::EitherBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{Error, HttpResponse};

use crate::http::{AddedHeaders, Response};

/// A check of a request before the inner service.
pub trait Screen: Clone + 'static {
    /// What to add to the response of the service; or a response instead of it.
    fn screen(&self, request: &ServiceRequest) -> impl Future<Output = Result<AddedHeaders, Response>>;
}

/// A service behind a layer of this adapter, such as a [`GuardLayer`](super::GuardLayer).
#[derive(Clone, Debug)]
pub struct Screened<S, L> {
    inner: Rc<S>,
    layer: L,
}

impl<S, L> Screened<S, L> {
    pub(super) fn new(inner: S, layer: L) -> Self {
        Self { inner: Rc::new(inner), layer }
    }
}

impl<S, L, B> Service<ServiceRequest> for Screened<S, L>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    L: Screen,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (inner, layer) = (Rc::clone(&self.inner), self.layer.clone());
        Box::pin(async move {
            match layer.screen(&request).await {
                Ok(added) => Ok(add(inner.call(request).await?, added).map_into_left_body()),
                Err(answer) => Ok(request.into_response(HttpResponse::from(answer)).map_into_right_body()),
            }
        })
    }
}

fn add<B>(mut response: ServiceResponse<B>, added: AddedHeaders) -> ServiceResponse<B> {
    for (name, value) in added.into_headers() {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::try_from(&*value));
        match value {
            Ok(value) if AddedHeaders::is_list(name.as_str()) => response.headers_mut().append(name, value),
            Ok(value) => drop(response.headers_mut().insert(name, value)),
            Err(_) => {}
        }
    }
    response
}
