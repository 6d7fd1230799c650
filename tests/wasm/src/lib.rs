//! A token endpoint and a guarded API in a WebAssembly module without an operating system and without other
//! glue code. `run.mjs` loads it, and is its host.

mod host;
mod task;
#[cfg(feature = "web")]
mod web;

use std::error::Error;
use std::future::pending;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use grantor::client::ClientErrors;
use grantor::error::BackendError;
use grantor::resource::{Guard, Requirement};
use grantor::{AuthMethod, AuthorizationServer, Client, ClientId, ClientRegistry, GrantType};
use grantor::{MemoryRegistry, MemoryStore, Policy, Request, Resource, async_trait};

const ISSUER: &str = "https://as.example";
const API: &str = "https://api.example";

static MODULE: OnceLock<(AuthorizationServer, Guard)> = OnceLock::new();
/// The same server, which gives its registry a month to answer.
static PATIENT: OnceLock<AuthorizationServer> = OnceLock::new();

/// Clients in memory, except for one whose lookup never ends.
struct Clients(MemoryRegistry);

#[async_trait]
impl ClientRegistry for Clients {
    async fn client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, BackendError> {
        match id.as_str() {
            "lost" => pending().await,
            _ => self.0.client(id).await,
        }
    }
}

fn worker() -> Result<Client, ClientErrors> {
    Client::builder("worker")
        .auth_method(AuthMethod::ClientSecretPost)
        .secret("a secret that was drawn, and not chosen")
        .grant_types([GrantType::ClientCredentials])
        .build()
}

fn server(policy: Policy) -> Result<AuthorizationServer, Box<dyn Error>> {
    let builder = AuthorizationServer::builder(ISSUER)
        .clients(Clients(MemoryRegistry::new([worker()?])))
        .store(MemoryStore::new())
        .policy(policy)
        .scopes(["read", "write"])
        .resource(Resource::new(API));
    Ok(builder.build()?)
}

fn patient() -> Result<AuthorizationServer, Box<dyn Error>> {
    let mut policy = Policy::default();
    policy.store_deadline = Duration::from_secs(30 * 24 * 60 * 60);
    server(policy)
}

fn build() -> Result<(AuthorizationServer, Guard), Box<dyn Error>> {
    let server = server(Policy::default())?;
    let guard = Guard::builder(API).local(server.clone()).build()?;
    Ok((server, guard))
}

/// Answers with the errors of building a server and a guard before there is a host.
#[unsafe(no_mangle)]
pub extern "C" fn build_too_early() {
    let server = build().err().map(|error| error.to_string()).unwrap_or_default();
    let guard = Guard::builder(API).build().err().map(|error| error.to_string()).unwrap_or_default();
    task::answer(500, format!("{server}\n{guard}").as_bytes());
}

/// Installs the host, and builds the servers and the guard.
#[unsafe(no_mangle)]
pub extern "C" fn start() {
    grantor::base::host::install(host::Program);
    match build().and_then(|built| Ok((built, patient()?))) {
        Ok((built, patient)) => {
            let _ = (MODULE.set(built), PATIENT.set(patient));
            task::answer(200, b"");
        }
        Err(mistakes) => task::answer(500, mistakes.to_string().as_bytes()),
    }
}

/// A token request with this form.
#[unsafe(no_mangle)]
pub extern "C" fn token() {
    answer_form(MODULE.get().map(|(server, _)| server));
}

/// The same at the patient server.
#[unsafe(no_mangle)]
pub extern "C" fn patient_token() {
    answer_form(PATIENT.get());
}

fn answer_form(server: Option<&'static AuthorizationServer>) {
    let form = task::argument();
    task::run(async move {
        let Some(server) = server else { return (500, Vec::new()) };
        let response = server.token(&Request::post_form(form)).await;
        (response.status, response.body)
    });
}

/// A request to the API, with this token: what it permits, or the challenge.
#[unsafe(no_mangle)]
pub extern "C" fn read() {
    let request = Request::get("").header("authorization", format!("Bearer {}", task::argument()));
    task::run(async move {
        let Some((_, guard)) = MODULE.get() else { return (500, Vec::new()) };
        match guard.check(&request, &Requirement::scopes(["read"])).await {
            Ok(access) => (200, access.scope().as_str().into()),
            Err(response) => {
                (response.status, response.header("www-authenticate").unwrap_or_default().into())
            }
        }
    });
}
