//! The same over axum, with signed access tokens.

use std::error::Error;
use std::sync::OnceLock;

use axum::body::Body;
use axum::http::Request;
use axum::{Router, routing};
use grantor::adapter::axum::{AnyToken, Authorized, GuardLayer, router};
use grantor::jose::{Signer as _, SigningKey};
use grantor::keys::{JwtSigner, KeySchedule, Keys, MemoryKeyStore};
use grantor::resource::{Guard, Requirement};
use grantor::{AccessTokens, Algorithm, AuthorizationServer, MemoryRegistry, MemoryStore, Resource};
use http_body_util::BodyExt as _;
use tower_service::Service as _;

use crate::{ISSUER, task};

const NOTES: &str = "https://as.example/notes";
const MAIL: &str = "https://as.example/mail";

static ROUTER: OnceLock<Router> = OnceLock::new();

fn build() -> Result<Router, Box<dyn Error>> {
    let algorithms = [Algorithm::Es256, Algorithm::EdDsa];
    let keys = Keys::rotating(MemoryKeyStore::new(), KeySchedule::default(), &algorithms)?;
    let signed = |name, by| Resource::new(name).access_tokens(AccessTokens::Jwt).signing_algorithm(by);
    let server = AuthorizationServer::builder(ISSUER)
        .clients(MemoryRegistry::new([crate::worker()?]))
        .store(MemoryStore::new())
        .scopes(["read", "write"])
        .resource(signed(NOTES, Algorithm::Es256))
        .resource(signed(MAIL, Algorithm::EdDsa))
        .token_signer(JwtSigner::new(keys)?)
        .build()?;
    let api = |path, name| {
        let guard = Guard::builder(name).local(server.clone()).build()?;
        let read = async |access: Authorized<AnyToken>| {
            format!("{} of {}", access.scope().as_str(), access.client())
        };
        let api = Router::new().route(path, routing::get(read));
        let api = api.layer(GuardLayer::new(guard.clone(), Requirement::scopes(["read"])));
        Ok::<Router, Box<dyn Error>>(api.with_state(guard))
    };
    Ok(router(server.clone()).merge(api("/notes", NOTES)?).merge(api("/mail", MAIL)?))
}

/// Builds the router.
#[unsafe(no_mangle)]
pub extern "C" fn start_web() {
    match build() {
        Ok(built) => {
            let _ = ROUTER.set(built);
            task::answer(200, b"");
        }
        Err(error) => task::answer(500, error.to_string().as_bytes()),
    }
}

/// A request: a method and a path, an access token and a form, each on its own line.
#[unsafe(no_mangle)]
pub extern "C" fn serve() {
    let argument = task::argument();
    let mut lines = argument.split('\n').map(str::to_owned);
    let [target, token, form] = [(); 3].map(|()| lines.next().unwrap_or_default());
    task::run(async move {
        respond(&target, &token, form).await.unwrap_or_else(|error| (500, error.to_string().into()))
    });
}

async fn respond(
    target: &str,
    token: &str,
    form: String,
) -> Result<(u16, Vec<u8>), Box<dyn Error + Send + Sync>> {
    let (method, path) = target.split_once(' ').ok_or("no method")?;
    let mut request = Request::builder().method(method).uri(path);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request =
        request.header("content-type", "application/x-www-form-urlencoded").body(Body::from(form))?;
    let mut router = ROUTER.get().ok_or("no router")?.clone();
    let response = router.call(request).await?;
    let status = response.status().as_u16();
    Ok((status, response.into_body().collect().await?.to_bytes().to_vec()))
}

/// Reads a private key, with the algorithm on the first line and then PEM or a JWK, exports it and reads it
/// again; its public half, if both are the same key.
#[unsafe(no_mangle)]
pub extern "C" fn import() {
    let argument = task::argument();
    match imported(&argument) {
        Ok(public) => task::answer(200, public.as_bytes()),
        Err(error) => task::answer(400, error.to_string().as_bytes()),
    }
}

fn imported(argument: &str) -> Result<String, Box<dyn Error>> {
    let (name, text) = argument.split_once('\n').ok_or("no algorithm")?;
    let algorithm = Algorithm::parse(name).ok_or("no such algorithm")?;
    let key = match text.starts_with('{') {
        true => SigningKey::from_jwk(text)?,
        false => SigningKey::from_pem(algorithm, text)?,
    };
    let again = SigningKey::from_pkcs8(algorithm, key.to_pkcs8()?.reveal())?;
    match again.key() == key.key() {
        true => Ok(serde_json::to_string(key.key())?),
        false => Err("another key".into()),
    }
}
