//! Refused requests and failures, and the events of the audit.

use std::error::Error;
use std::net::IpAddr;

use super::{AuthorizationServer, ErrorPage};
use crate::audit::{Endpoint, Event, EventKind};
use crate::client::ClientId;
use crate::client::auth::Evidence;
use crate::error::{Reason, Refusal};
use crate::grant::{Grant, GrantId, Subject};
use crate::http::{Request, Response};

impl AuthorizationServer {
    pub(super) fn audit(&self, what: EventKind, endpoint: Endpoint, about: EventSubject<'_>) {
        if let Some(audit) = &self.inner.audit {
            let EventSubject { client, grant, subject, peer, first_peer, cause } = about;
            audit.record(&Event { what, endpoint, client, grant, subject, peer, first_peer, cause });
        }
    }

    /// The response to a refused request; also audits it.
    pub(super) fn refuse(&self, refusal: Refusal, endpoint: Endpoint, about: EventSubject<'_>) -> Response {
        let reason = refusal.reason();
        let what =
            if is_own_failure(reason) { EventKind::Failed(reason) } else { EventKind::Refused(reason) };
        self.audit(what, endpoint, about.cause(refusal.cause()));
        refusal.into_response()
    }

    /// Like [`refuse`](Self::refuse), but returns a page for the user.
    pub(super) fn refuse_page(
        &self,
        refusal: Refusal,
        endpoint: Endpoint,
        about: EventSubject<'_>,
    ) -> ErrorPage {
        let page = ErrorPage::from(&refusal);
        let _ = self.refuse(refusal, endpoint, about);
        page
    }

    /// Like [`refuse`](Self::refuse), for endpoints with client authentication. A request without credentials
    /// gets no `Basic` challenge, on which a browser would ask its user for a password. Only the request
    /// decides, so the response does not reveal which clients exist.
    pub(super) fn refuse_client(
        &self,
        refusal: Refusal,
        endpoint: Endpoint,
        request: &Request,
        (client, evidence): (&ClientId, Evidence),
    ) -> Response {
        let response = self.refuse(refusal, endpoint, EventSubject::client(client).peer(request.peer));
        match evidence {
            Evidence::Nothing | Evidence::Proof => response.without("www-authenticate"),
            Evidence::Short | Evidence::Long => response,
        }
    }

    /// Like [`refuse_client`](Self::refuse_client), for a request whose form cannot be read.
    pub(super) fn refuse_unread(&self, refusal: Refusal, endpoint: Endpoint, request: &Request) -> Response {
        let response = self.refuse(refusal, endpoint, EventSubject::default().peer(request.peer));
        match request.headers.all("authorization").next() {
            Some(_) => response,
            None => response.without("www-authenticate"),
        }
    }
}

/// What an event is about.
#[derive(Clone, Copy, Default)]
pub(super) struct EventSubject<'a> {
    pub(super) client: Option<&'a ClientId>,
    pub(super) grant: Option<GrantId>,
    pub(super) subject: Option<&'a Subject>,
    pub(super) peer: Option<IpAddr>,
    pub(super) first_peer: Option<IpAddr>,
    pub(super) cause: Option<&'a (dyn Error + Send + Sync + 'static)>,
}

impl<'a> EventSubject<'a> {
    pub(super) fn client(client: &'a ClientId) -> Self {
        Self { client: Some(client), ..Self::default() }
    }

    pub(super) fn grant(self, grant: GrantId) -> Self {
        Self { grant: Some(grant), ..self }
    }

    pub(super) fn peer(self, peer: Option<IpAddr>) -> Self {
        Self { peer, ..self }
    }

    pub(super) fn cause<E: Error + Send + Sync + 'static>(self, cause: Option<&'a E>) -> Self {
        Self { cause: cause.map(|cause| cause as _), ..self }
    }

    /// The grant with its client and its user.
    pub(super) fn of(grant: &'a Grant) -> Self {
        let (client, subject) = (Some(grant.client()), Some(grant.subject()));
        Self { client, grant: Some(grant.id()), subject, ..Self::default() }
    }
}

/// Whether this server or a part of the host failed. A failure to fetch a client's metadata document is not
/// one: a stranger chose the URL.
pub(super) fn is_own_failure(reason: Reason) -> bool {
    let of_a_stranger = matches!(
        reason,
        Reason::DocumentUnreachable
            | Reason::DocumentTimeout
            | Reason::DocumentServerFailed
            | Reason::DocumentsBusy
    );
    matches!(reason.status(), 500 | 503) && !of_a_stranger
}
