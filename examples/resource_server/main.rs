//! A small API in its own process, which trusts the tokens of an authorization server.
//!
//! In one terminal, the server, with a configuration that knows this API:
//!
//! ```text
//! cargo run -p grantor-server -- examples/resource_server/server.toml
//! ```
//!
//! In another, the API, which trusts it in one of three ways:
//!
//! ```text
//! cargo run -p grantor-resource-server -- --discovery http://127.0.0.1:9400
//! cargo run -p grantor-resource-server -- --jwks http://127.0.0.1:9400/jwks --issuer http://127.0.0.1:9400
//! cargo run -p grantor-resource-server -- --introspection http://127.0.0.1:9400/introspect \
//!     --issuer http://127.0.0.1:9400 --client-id notes-api --client-secret notes-api-secret
//! ```
//!
//! In a third, a program that writes a note and reads it:
//!
//! ```text
//! TOKEN=$(curl -s -u robot:robot-secret -d grant_type=client_credentials http://127.0.0.1:9400/token \
//!     | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
//! curl -d 'buy milk' -H "Authorization: Bearer $TOKEN" http://127.0.0.1:9402/api/notes
//! curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:9402/api/notes
//! curl -i http://127.0.0.1:9402/api/notes                                # the challenge without a token
//! curl -i -X DELETE -H "Authorization: Bearer $TOKEN" http://127.0.0.1:9402/api/notes  # a user has to sign in
//! curl http://127.0.0.1:9402/.well-known/oauth-protected-resource/api   # where to get one
//! ```
//!
//! With `--certificate` and `--key` it serves https and requests client certificates, so that it accepts
//! tokens that are bound to one (RFC 8705). Any certificate is accepted in the handshake, because the token
//! says which one it has to be.
//!
//! After `curl -u robot:robot-secret -d token=$TOKEN http://127.0.0.1:9400/revoke` the API with
//! `--introspection` refuses the token within `--max-age` seconds; the other two ask no server, and accept it
//! until it expires.

mod api;
mod trust;

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use grantor::adapter::CertificateRequest;
use grantor::adapter::axum::{Connection, TlsListener};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::trust::Trust;

/// A small API that trusts an authorization server.
#[derive(Parser)]
#[command(name = "resource_server")]
struct Arguments {
    /// Where to listen; port 0 is any free one.
    #[arg(long, default_value = "127.0.0.1:9402")]
    listen: SocketAddr,
    /// The URL of the API as its clients know it, and the audience of its tokens; by default where it
    /// listens, and /api.
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    /// A PEM file with its certificate chain, to serve https.
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// A PEM file with the key of the certificate.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let wanted = arguments.listen;
    let listener = TcpListener::bind(wanted).await.map_err(|error| format!("{wanted}: {error}"))?;
    let address = listener.local_addr()?;
    let files = arguments.certificate.zip(arguments.key);
    let scheme = if files.is_some() { "https" } else { "http" };
    let resource = arguments.resource.unwrap_or_else(|| format!("{scheme}://{address}/api"));
    let guard = arguments.trust.guard(resource)?;
    // Printed only now, when connections are accepted: the program that started this one waits for the line.
    let mut out = std::io::stdout();
    writeln!(out, "grantor example resource server listening on {scheme}://{address}")?;
    out.flush()?;
    let app = api::router(guard);
    let Some((certificate, key)) = files else { return Ok(axum::serve(listener, app).await?) };
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let clients = CertificateRequest::optional();
    let config = clients.server_config(chain, PrivateKeyDer::from_pem_file(key)?)?;
    let listener = TlsListener::new(listener, Arc::new(config)).client_certificates(clients);
    Ok(axum::serve(listener, app.into_make_service_with_connect_info::<Connection>()).await?)
}

/// `RUST_LOG` has the form `info` or `grantor=debug,info`.
fn log_to_stderr() {
    let wanted = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let filter = wanted.unwrap_or_else(|| Targets::new().with_default(tracing::Level::INFO));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(lines).with(filter).init();
}
