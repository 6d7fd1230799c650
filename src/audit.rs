//! What happened: one typed event for each state change, and for each refusal its reason.

use std::fmt;
use std::net::IpAddr;

use crate::client::ClientId;
use crate::error::Reason;
use crate::grant::{GrantId, Subject};

/// Receives every event, after its write is proven and before its answer leaves.
///
/// It is called on the request's path: hand slow work to a queue. Events hold no secret; client and subject
/// identifiers are personal data in some places.
pub trait Audit: Send + Sync {
    /// Something happened.
    fn record(&self, event: &Event<'_>);
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event<'a> {
    /// What.
    pub what: EventKind,
    /// At which endpoint, or by a call of the host.
    pub endpoint: Endpoint,
    /// The client that asked. In a refusal it may be only claimed.
    pub client: Option<&'a ClientId>,
    /// The grant.
    pub grant: Option<GrantId>,
    /// In whose name.
    pub subject: Option<&'a Subject>,
    /// The address that asked ([`Request::peer`](crate::Request::peer)), at the token, revocation and introspection
    /// endpoints.
    pub peer: Option<IpAddr>,
    /// Of a repeated answer to a refresh, the address that got it first.
    pub first_peer: Option<IpAddr>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A client pushed a request; nothing is granted yet (RFC 9126).
    RequestPushed,
    /// A user approved; a code is out.
    CodeIssued,
    /// A device waits for its user; its codes are out.
    DeviceCodeIssued,
    /// A browser session entered the user code of a device.
    DeviceClaimed,
    /// A user approved what a device asked for.
    DeviceApproved,
    /// A user denied what a device asked for.
    DeviceDenied,
    /// Tokens were issued: for a code of either kind, for credentials, or in a fragment.
    TokensIssued,
    /// A refresh token was used.
    Refreshed,
    /// An answer was given once more; nothing changed. It was lost, or two tabs used one refresh token, or somebody who has
    /// stolen the tokens follows their owner within the leeway: then it comes after each [`Refreshed`](Self::Refreshed), from
    /// another address. [`Event::peer`] and [`Event::first_peer`] are the two.
    AnswerRepeated,
    /// The answer to one and the same code or token was given a third time or more, by the knowledge of this process. Many
    /// tabs do that at once.
    AnswerRepeatedAgain,
    /// A grant or one of its tokens was revoked.
    Revoked,
    /// A grant ended because something of it was replayed.
    Ended(Reason),
    /// A client was registered.
    ClientRegistered,
    /// A client changed its registration (RFC 7592).
    ClientChanged,
    /// A client is gone, and all its grants.
    ClientRemoved,
    /// The host named claims of a user that the protocol makes (`sub`, `acr` and so on); they were dropped.
    ClaimsDropped,
    /// No page was shown: the user granted all of it before.
    ConsentRemembered,
    /// No page was shown: the application is the host's own.
    ConsentByPolicy,
    /// A user signed out, by a request of a client at the logout endpoint.
    SignedOut,
    /// A session of the host ended, and the grants that began in it.
    SessionEnded,
    /// A client was told of the end of a session.
    LogoutDelivered,
    /// A field named a client certificate, and the peer that sent it is no proxy; the request went on without it.
    CertificateIgnored,
    /// A request was refused; nothing changed.
    Refused(Reason),
    /// The server could not answer.
    Failed(Reason),
}

/// Where something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// RFC 6749 section 3.1; the host's own handler.
    Authorization,
    /// RFC 9126
    PushedAuthorizationRequest,
    /// RFC 6749 section 3.2
    Token,
    /// RFC 8628 section 3.1
    DeviceAuthorization,
    /// RFC 8628 section 3.3; the host's own page.
    DeviceVerification,
    /// RFC 7009
    Revocation,
    /// RFC 7662
    Introspection,
    /// RFC 8414
    Metadata,
    /// RFC 7517
    Jwks,
    /// RFC 7591 and 7592
    Registration,
    /// OpenID Connect Core section 5.3
    UserInfo,
    /// OpenID Connect RP-Initiated Logout section 2; the host's own page.
    EndSession,
    /// A request for a protected resource.
    Resource,
    /// A call of the host itself. It stays the last one: see the table of `server/endpoint/mod.rs`.
    Host,
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.endpoint.as_str(), self.what)?;
        if let Some(client) = self.client {
            write!(f, " client={:?}", client.as_str())?;
        }
        if let Some(grant) = self.grant {
            write!(f, " grant={grant}")?;
        }
        if let Some(subject) = self.subject {
            write!(f, " subject={subject:?}")?;
        }
        if let Some(peer) = self.peer {
            write!(f, " peer={peer}")?;
        }
        if let Some(first) = self.first_peer {
            write!(f, " first_peer={first}")?;
        }
        Ok(())
    }
}

#[cfg(feature = "tracing")]
mod tracing_sink;
#[cfg(feature = "tracing")]
pub use tracing_sink::TracingAudit;
