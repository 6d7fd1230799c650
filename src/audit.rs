//! Audit events: one typed event for each state change, refusal and fault.

mod measured;
#[cfg(feature = "metrics")]
mod metrics_sink;
#[cfg(feature = "tracing")]
mod span;
#[cfg(not(feature = "tracing"))]
#[path = "audit/no_span.rs"]
mod span;
mod standard_error;
#[cfg(feature = "tracing")]
mod tracing_sink;

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

pub(crate) use measured::CallOutput;
pub use measured::{Answered, CallOutcome, Called, HostCall};
#[cfg(feature = "metrics")]
pub use metrics_sink::MetricsAudit;
pub(crate) use span::in_span;
pub(crate) use standard_error::StandardError;
#[cfg(feature = "actix")]
pub(crate) use standard_error::tell_developer;
#[cfg(feature = "tracing")]
pub use tracing_sink::TracingAudit;

use crate::client::ClientId;
use crate::error::Reason;
use crate::grant::{GrantId, Subject};

/// Receives every event, after its write is proven and before its response is sent. A pair of audits passes
/// each event to both.
///
/// It is called on the request's path: hand slow work to a queue. Events hold no secret; client and subject
/// identifiers are personal data in some places. In a debug build without an audit, the first fault of each
/// kind is written to standard error.
pub trait Audit: Send + Sync {
    /// Something happened.
    fn record(&self, event: &Event<'_>);

    /// A request was answered.
    fn answered(&self, answer: &Answered) {
        let _ = answer;
    }

    /// A part of the host was called, such as the store.
    fn called(&self, called: &Called) {
        let _ = called;
    }
}

impl<T: Audit + ?Sized> Audit for Arc<T> {
    fn record(&self, event: &Event<'_>) {
        (**self).record(event);
    }

    fn answered(&self, answer: &Answered) {
        (**self).answered(answer);
    }

    fn called(&self, called: &Called) {
        (**self).called(called);
    }
}

impl<A: Audit, B: Audit> Audit for (A, B) {
    fn record(&self, event: &Event<'_>) {
        self.0.record(event);
        self.1.record(event);
    }

    fn answered(&self, answer: &Answered) {
        self.0.answered(answer);
        self.1.answered(answer);
    }

    fn called(&self, called: &Called) {
        self.0.called(called);
        self.1.called(called);
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// What happened.
    pub what: EventKind,
    /// The endpoint, or [`Endpoint::Host`] for a call of the host.
    pub endpoint: Endpoint,
    /// The client. In a refusal it may be unauthenticated.
    pub client: Option<&'a ClientId>,
    /// The grant.
    pub grant: Option<GrantId>,
    /// The subject of the grant.
    pub subject: Option<&'a Subject>,
    /// The address of the peer ([`Request::peer`](crate::Request::peer)). At the authorization, logout and
    /// device verification endpoints it is that of the user's browser, as your page passed it on.
    pub peer: Option<IpAddr>,
    /// For a repeated response to a refresh, the address that got it first.
    pub first_peer: Option<IpAddr>,
    /// For [`EventKind::Failed`], the error of the store, of another part of the host (with the name of its
    /// trait) or of another server. For [`EventKind::ClaimsDropped`], the names of the claims.
    pub cause: Option<&'a (dyn Error + Send + Sync + 'static)>,
}

impl Event<'_> {
    /// An event without further data.
    pub(crate) fn new(what: EventKind, endpoint: Endpoint) -> Self {
        let (client, grant, subject, peer, first_peer, cause) = (None, None, None, None, None, None);
        Self { what, endpoint, client, grant, subject, peer, first_peer, cause }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A client pushed a request; nothing is granted yet (RFC 9126).
    RequestPushed,
    /// A user approved; a code was issued.
    CodeIssued,
    /// A device waits for its user; its codes were issued.
    DeviceCodeIssued,
    /// A browser session entered the user code of a device.
    DeviceClaimed,
    /// A user approved what a device asked for.
    DeviceApproved,
    /// A user denied what a device asked for.
    DeviceDenied,
    /// Tokens were issued: for a code, a device code or credentials, or in an authorization response.
    TokensIssued,
    /// A refresh token was used.
    Refreshed,
    /// A response was repeated; nothing changed. Either the response was lost, or two tabs used the same
    /// refresh token, or a thief uses stolen tokens within the leeway after their owner. A thief causes one
    /// after each [`Refreshed`](Self::Refreshed), from another address. Compare [`Event::peer`] and
    /// [`Event::first_peer`].
    AnswerRepeated,
    /// The response for one code or token was given a third time or more, as far as this process knows. Many
    /// tabs can cause that at once.
    AnswerRepeatedAgain,
    /// A grant or one of its tokens was revoked.
    Revoked,
    /// A grant ended because one of its codes or tokens was replayed.
    Ended(Reason),
    /// A client was registered.
    ClientRegistered,
    /// A client changed its registration (RFC 7592).
    ClientChanged,
    /// A client was deleted, with all its grants.
    ClientRemoved,
    /// The host's claims of a user included protocol claims (`sub`, `acr` and so on); they were dropped.
    ClaimsDropped,
    /// No page was shown: the user granted all of it before.
    ConsentRemembered,
    /// No page was shown: the application is the host's own.
    ConsentByPolicy,
    /// A user signed out, by a request of a client at the logout endpoint.
    SignedOut,
    /// A session of the host ended, and the grants that began in it.
    SessionEnded,
    /// A client was notified of the end of a session.
    LogoutDelivered,
    /// A header field named a client certificate, but its peer is not a listed proxy; the request continued
    /// without it.
    CertificateIgnored,
    /// A sweep removed this number of grants that had ended or expired, at least one.
    GrantsSwept(u64),
    /// A sweep removed this number of clients that had expired or were unused, at least one.
    ClientsSwept(u64),
    /// A request was refused; nothing changed.
    Refused(Reason),
    /// The server could not answer a request, or could not finish work in the background, such as a sweep or a
    /// logout notice.
    Failed(Reason),
}

impl EventKind {
    /// Its name, without its data.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestPushed => "request_pushed",
            Self::CodeIssued => "code_issued",
            Self::DeviceCodeIssued => "device_code_issued",
            Self::DeviceClaimed => "device_claimed",
            Self::DeviceApproved => "device_approved",
            Self::DeviceDenied => "device_denied",
            Self::TokensIssued => "tokens_issued",
            Self::Refreshed => "refreshed",
            Self::AnswerRepeated => "answer_repeated",
            Self::AnswerRepeatedAgain => "answer_repeated_again",
            Self::Revoked => "revoked",
            Self::Ended(_) => "ended",
            Self::ClientRegistered => "client_registered",
            Self::ClientChanged => "client_changed",
            Self::ClientRemoved => "client_removed",
            Self::ClaimsDropped => "claims_dropped",
            Self::ConsentRemembered => "consent_remembered",
            Self::ConsentByPolicy => "consent_by_policy",
            Self::SignedOut => "signed_out",
            Self::SessionEnded => "session_ended",
            Self::LogoutDelivered => "logout_delivered",
            Self::CertificateIgnored => "certificate_ignored",
            Self::GrantsSwept(_) => "grants_swept",
            Self::ClientsSwept(_) => "clients_swept",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
        }
    }

    /// The reason of a refusal, failure or end.
    #[must_use]
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Refused(reason) | Self::Failed(reason) | Self::Ended(reason) => Some(reason),
            Self::RequestPushed
            | Self::CodeIssued
            | Self::DeviceCodeIssued
            | Self::DeviceClaimed
            | Self::DeviceApproved
            | Self::DeviceDenied
            | Self::TokensIssued
            | Self::Refreshed
            | Self::AnswerRepeated
            | Self::AnswerRepeatedAgain
            | Self::Revoked
            | Self::ClientRegistered
            | Self::ClientChanged
            | Self::ClientRemoved
            | Self::ClaimsDropped
            | Self::ConsentRemembered
            | Self::ConsentByPolicy
            | Self::SignedOut
            | Self::SessionEnded
            | Self::LogoutDelivered
            | Self::CertificateIgnored
            | Self::GrantsSwept(_)
            | Self::ClientsSwept(_) => None,
        }
    }
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
    /// A call of the host itself. It must stay the last variant: the table in `server/endpoint/mod.rs` relies
    /// on that.
    Host,
}

impl Endpoint {
    /// Its name in the audit.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::PushedAuthorizationRequest => "pushed_authorization_request",
            Self::Token => "token",
            Self::DeviceAuthorization => "device_authorization",
            Self::DeviceVerification => "device_verification",
            Self::Revocation => "revocation",
            Self::Introspection => "introspection",
            Self::Metadata => "metadata",
            Self::Jwks => "jwks",
            Self::Registration => "registration",
            Self::UserInfo => "userinfo",
            Self::EndSession => "logout",
            Self::Resource => "resource",
            Self::Host => "host",
        }
    }
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
        if let Some(cause) = self.cause {
            write!(f, " cause={:?}", cause.to_string())?;
        }
        Ok(())
    }
}
