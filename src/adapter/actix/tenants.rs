//! Several issuers in actix: the machine endpoints of all of them, and an extractor for pages.

use std::any::type_name;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::HOST;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{Error, FromRequest, HttpRequest};

use super::extract::{Extracted, missing};
use super::serve;
use crate::http::Response;
use crate::server::AuthorizationServer;
use crate::tenants::{Destination, Tenants};

/// The machine endpoints of every tenant, as the default service of an app: give it to
/// [`App::configure`](actix_web::App::configure). Your own routes go first; anything that is not an endpoint
/// of a tenant is a 404.
pub fn tenant_routes(tenants: Arc<dyn Tenants>) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        let serve =
            move |request: HttpRequest, payload: web::Payload| answer(tenants.clone(), request, payload);
        config.default_service(web::to(serve));
    }
}

async fn answer(tenants: Arc<dyn Tenants>, request: HttpRequest, payload: web::Payload) -> Response {
    match tenants.endpoint(&destination(&request)).await {
        Ok((server, endpoint)) => serve(server, endpoint, request, payload).await,
        Err(answer) => answer,
    }
}

/// The destination of a request, for several issuers in one server: its `:authority` or `Host`, which the
/// sender controls.
fn destination(request: &HttpRequest) -> Destination<'_> {
    let header = || request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(|authority| authority.as_str()).or_else(header);
    Destination::new(authority.unwrap_or_default(), request.uri().path())
}

/// An extractor for your own pages: the server of the tenant for a request, with the `Data<dyn Tenants>` of
/// the app (`Data::from` an `Arc<dyn Tenants>`). If there is none, the response is 404.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs)] // taken apart in the arguments of a handler
pub struct Tenant(pub AuthorizationServer);

impl FromRequest for Tenant {
    type Error = Error;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (request, tenants) = (request.clone(), request.app_data::<Data<dyn Tenants>>().cloned());
        Box::pin(async move {
            let tenants = tenants.ok_or_else(|| missing(type_name::<dyn Tenants>()))?;
            Ok(Self(tenants.server(&destination(&request)).await?))
        })
    }
}
