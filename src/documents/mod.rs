//! [`MetadataDocuments`]: clients that are not registered, whose id is the https URL of a document about them
//! (OAuth Client ID Metadata Document, draft-ietf-oauth-client-id-metadata-document).
//!
//! Anyone who can put a document under a URL *is* that client, so the host of the URL is the only verified
//! part of its identity. Everything else in it is a claim.
//!
//! | what a document says | what counts |
//! | --- | --- |
//! | `client_id` | must be its own URL, byte by byte |
//! | a client secret, or a preferred method that needs one | the document is refused, because anyone can read it |
//! | `token_endpoint_auth_method`, `token_endpoint_auth_methods_supported` | the first method that this server supports, or `none` if the document names no method. A document that names only unsupported methods is refused |
//! | `private_key_jwt` with `jwks` or `jwks_uri` | a confidential client, if this server verifies what clients sign ([`client_signatures`](crate::server::AuthorizationServerBuilder::client_signatures)); otherwise the next supported method of `token_endpoint_auth_methods_supported` counts. The keys of a public client are ignored |
//! | `client_name` | under [`Profile::Mcp`](crate::Profile::Mcp) a document without it is refused |
//! | `redirect_uris` | as in a registration: those that are not allowed are dropped, and a document without an allowed one is refused |
//! | `grant_types`, `scope` | what the profile and these terms allow strangers; the rest is dropped |
//! | any other member, grantor's own ones included | ignored |
//!
//! A document is cached as its HTTP header says, between 5 minutes and a day. During an outage of its host
//! (no connection, or a 5xx) the last one is used for another hour; if the document is gone, moved or
//! invalid, its client is unknown from the next fetch on. So a client whose document vanished is unknown
//! after at most 25 hours, unless its host is down and the client has a grant (see below).
//!
//! A failure is never cached: the next request fetches again, and a client recovers at once. Only after three
//! consecutive failures is a URL not fetched for 10 seconds.
//!
//! # Strangers and known clients
//!
//! Anyone can name any number of URLs, including those of slow hosts. So requests for one document share a
//! fetch; at most 16 fetches run at once, 4 of them to one host and 4 for one address
//! ([`Request::peer`](crate::Request::peer)), which may name 30 unknown documents a minute; at most 256
//! requests wait, 64 for one host and 32 from one address. An IPv6 network of 56 bits counts as one address,
//! and one of 48 bits as two. A quarter of the fetches are only for networks without a failed fetch in the
//! last minute; a requester that hangs up counts as failed. After three consecutive timeouts, nothing is
//! fetched from a host for 10 seconds, except for known clients, and each further one doubles the pause, up
//! to about five minutes. A request beyond these limits gets an error and may be retried.
//!
//! A client with a grant of a user is *known*: its document is evicted last, and a quarter more fetches are
//! reserved for known clients. The server remembers them, and after a restart the grant of a presented code
//! or refresh token makes its client known again. At the token endpoint a known client keeps its last
//! document while its host is down: neither load nor an outage ends an existing session, but a document that
//! is gone, moved or invalid does.
//!
//! A client that the host registered with such a URL as its id takes precedence over the document: register
//! it as [`Disabled`](crate::ClientState::Disabled) to block it.

mod cache;
mod document;
mod fetch;
mod hosts;
mod peers;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use crate::client::DocumentUrl;
pub(crate) use cache::Requester;
pub(crate) use fetch::Documents;

use crate::client::GrantType;
use crate::outbound::Outbound;
use crate::registration::Registration;

/// The terms for clients with a metadata document. Give them to
/// [`AuthorizationServerBuilder::client_id_metadata_documents`](crate::server::AuthorizationServerBuilder::client_id_metadata_documents);
/// an [`Outbound`] alone is turned into the default terms.
///
/// The `Outbound` must not reach internal addresses, because strangers choose the URLs of documents
/// ([`ChosenBy::Client`](crate::outbound::ChosenBy)), as `HttpOutbound` (feature `cimd`) ensures.
#[must_use]
pub struct MetadataDocuments {
    pub(crate) outbound: Arc<dyn Outbound>,
    /// A document may ask for the same as a registration.
    pub(crate) terms: Registration,
    pub(crate) shortest: Duration,
    pub(crate) longest: Duration,
    pub(crate) bridge: Duration,
    pub(crate) entries: usize,
    pub(crate) at_once: usize,
    pub(crate) per_minute: u32,
}

impl MetadataDocuments {
    /// The default terms, with this `Outbound`.
    pub fn over(outbound: impl Outbound + 'static) -> Self {
        Self {
            outbound: Arc::new(outbound),
            terms: Registration::open(),
            shortest: Duration::from_secs(5 * 60),
            longest: Duration::from_secs(24 * 60 * 60),
            bridge: Duration::from_secs(60 * 60),
            entries: 1000,
            at_once: 16,
            per_minute: 30,
        }
    }

    /// Every scope that these clients may have; by default all that the server knows. Set it if some are only
    /// for your own applications.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.terms = self.terms.scopes(scopes);
        self
    }

    /// Every grant type that these clients may have; by default `authorization_code` and `refresh_token`.
    pub fn grant_types(mut self, types: impl IntoIterator<Item = GrantType>) -> Self {
        self.terms = self.terms.grant_types(types);
        self
    }

    /// Lets an `http://localhost` URI match any port, as one with `127.0.0.1` does;
    /// [`Profile::Mcp`](crate::Profile::Mcp) does so anyway.
    pub fn localhost_any_port(mut self) -> Self {
        self.terms = self.terms.localhost_any_port();
        self
    }

    /// See [`Registration::redirect_schemes`].
    pub fn redirect_schemes<S: Into<String>>(mut self, schemes: impl IntoIterator<Item = S>) -> Self {
        self.terms = self.terms.redirect_schemes(schemes);
        self
    }

    /// The shortest and longest cache time of a document, regardless of its HTTP header; by default 5 minutes
    /// and a day.
    pub fn kept_between(mut self, shortest: Duration, longest: Duration) -> Self {
        (self.shortest, self.longest) = (shortest, longest);
        self
    }

    /// How long the last document is used while it cannot be fetched; by default an hour.
    pub fn bridge(mut self, outage: Duration) -> Self {
        self.bridge = outage;
        self
    }

    /// How many documents are cached, each of at most 5 KiB; by default 1,000. Those without a grant are
    /// evicted first, the least recently used before the others.
    pub fn entries(mut self, most: usize) -> Self {
        self.entries = most;
        self
    }

    /// How many documents may be fetched at once; by default 16, and 4 of them from one host. A quarter of
    /// them are only for networks without a recent failure, and a quarter more for known clients.
    pub fn at_once(mut self, requests: usize) -> Self {
        self.at_once = requests;
        self
    }

    /// How many documents of clients without any grant may be fetched for one address in a minute; by default
    /// 30, and 0 is no limit. It needs [`Request::peer`](crate::Request::peer); an IPv6 network of 56 bits
    /// counts as one address, and one of 48 bits as two.
    pub fn per_minute(mut self, limit: u32) -> Self {
        self.per_minute = limit;
        self
    }
}

impl<T: Outbound + 'static> From<T> for MetadataDocuments {
    fn from(outbound: T) -> Self {
        Self::over(outbound)
    }
}

impl fmt::Debug for MetadataDocuments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataDocuments").field("entries", &self.entries).finish_non_exhaustive()
    }
}
