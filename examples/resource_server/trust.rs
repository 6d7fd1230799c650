//! Which server's tokens the API trusts, and how it checks them.

use std::error::Error;
use std::time::Duration;

use clap::Args;
use grantor::MemoryStore;
use grantor::audit::TracingAudit;
use grantor::dpop::{Dpop, DpopProofs};
use grantor::outbound::HttpOutbound;
use grantor::resource::{Credentials, FetchedKeys, Guard, Introspection};

/// One of the three ways to trust a server.
#[derive(Args)]
pub(crate) struct Trust {
    /// Trusts this issuer's signed tokens; its keys are found by its metadata.
    #[arg(long, value_name = "ISSUER", required_unless_present_any = ["jwks", "introspection"])]
    discovery: Option<String>,
    /// Trusts tokens that are signed by the keys at this URL.
    #[arg(long, value_name = "URL", requires = "issuer", conflicts_with = "discovery")]
    jwks: Option<String>,
    /// The issuer that the tokens name.
    #[arg(long, value_name = "ISSUER")]
    issuer: Option<String>,
    /// Asks the introspection endpoint at this URL what a token allows.
    #[arg(long, value_name = "URL", requires_all = ["client_id", "client_secret"], conflicts_with_all = ["discovery", "jwks"])]
    introspection: Option<String>,
    /// The client id of this resource server, for introspection.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    client_id: Option<String>,
    /// The secret of the resource server. Other users of this machine can see it: read it from a file in your
    /// own program.
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true)]
    client_secret: Option<String>,
    /// For how many seconds an introspection response is cached; for that long, a revoked token is still
    /// accepted.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    max_age: u64,
}

impl Trust {
    /// A guard of this resource.
    pub(crate) fn guard(self, resource: String) -> Result<Guard, Box<dyn Error>> {
        let outbound = HttpOutbound::builder()
            .allow_loopback() // the example server is on this machine
            .on_failure(
                |host, error| tracing::warn!(host, %error, "the authorization server was not reached"),
            )
            .build()?;
        let builder = Guard::builder(resource)
            .allow_http_loopback()
            .realm("notes")
            .scopes(["read", "write"])
            .scope_implies("write", ["read"])
            // This process remembers the proofs it has seen; several processes would need a shared store.
            .dpop(Dpop::new(DpopProofs::new()), MemoryStore::new())
            .audit(TracingAudit::default());
        let builder = match (self.discovery, self.jwks, self.introspection) {
            (Some(issuer), _, _) => builder.issuer(issuer, outbound),
            (None, Some(url), _) => {
                builder.jwks(self.issuer.unwrap_or_default(), FetchedKeys::new(url, outbound))
            }
            (None, None, url) => {
                let (id, secret) =
                    (self.client_id.unwrap_or_default(), self.client_secret.unwrap_or_default());
                let credentials = Credentials::secret(&id, &secret);
                let asking = Introspection::at(url.unwrap_or_default(), outbound, credentials)
                    .max_age(Duration::from_secs(self.max_age));
                builder.verifier(match self.issuer {
                    Some(issuer) => asking.issuer(issuer),
                    None => asking,
                })
            }
        };
        Ok(builder.build()?)
    }
}
