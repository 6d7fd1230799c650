//! Events as `tracing` events (feature `tracing`).

use super::{Answered, Audit, Event, EventKind};
use crate::client::ClientId;
use crate::error::Reason;
use crate::grant::Subject;

/// Writes every event to `tracing` with the target `grantor`: faults as errors; replays as warnings, and the
/// two faults after which nothing is broken and the client retries ([`Reason::Contended`] and
/// [`Reason::Overloaded`]); refusals, repeated answers, revocations, changes of clients, consents without a
/// page, dropped claims and ignored certificates as `info`, and the rest as `debug`. Each request at one of
/// the server's endpoints is a span `request` with its `endpoint`, and its response an event at `debug` with
/// `endpoint`, `status`, `took` and `peer`.
///
/// Each has these fields, where the event has them:
///
/// | field | value |
/// | --- | --- |
/// | `endpoint` | the name of the endpoint, as [`Endpoint::as_str`](super::Endpoint::as_str) has it |
/// | `event` | what happened: its [`EventKind`] |
/// | `reason` | why a request was refused or failed, or a grant ended |
/// | `client` | the client's id; in a refusal it may be only claimed |
/// | `grant` | the grant's id |
/// | `subject` | the user's or the client's id |
/// | `peer` | the address that asked |
/// | `first_peer` | for a repeated answer, the address that got it first |
/// | `cause` | for a fault, the error text of the part that failed, such as the store |
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TracingAudit;

impl TracingAudit {
    /// Writes to the current subscriber.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

/// `tracing` needs the level as a constant.
macro_rules! write_at {
    ($level:ident, $event:expr) => {
        tracing::$level!(
            target: "grantor",
            endpoint = $event.endpoint.as_str(),
            event = ?$event.what,
            reason = $event.what.reason().map(tracing::field::debug),
            client = $event.client.map(ClientId::as_str),
            grant = $event.grant.map(tracing::field::display),
            subject = $event.subject.map(Subject::id),
            peer = $event.peer.map(tracing::field::display),
            first_peer = $event.first_peer.map(tracing::field::display),
            cause = $event.cause.map(tracing::field::display),
        )
    };
}

impl Audit for TracingAudit {
    fn record(&self, event: &Event<'_>) {
        match event.what {
            // Nothing is broken: too many requests at once wanted the same.
            EventKind::Failed(Reason::Contended | Reason::Overloaded) | EventKind::Ended(_) => {
                write_at!(warn, event);
            }
            EventKind::Failed(_) => write_at!(error, event),
            EventKind::Refused(_)
            | EventKind::CertificateIgnored
            | EventKind::ClaimsDropped
            | EventKind::ConsentRemembered
            | EventKind::ConsentByPolicy
            | EventKind::AnswerRepeated
            | EventKind::AnswerRepeatedAgain
            | EventKind::Revoked
            | EventKind::ClientRegistered
            | EventKind::ClientChanged
            | EventKind::ClientRemoved => write_at!(info, event),
            EventKind::CodeIssued
            | EventKind::RequestPushed
            | EventKind::DeviceCodeIssued
            | EventKind::DeviceClaimed
            | EventKind::DeviceApproved
            | EventKind::DeviceDenied
            | EventKind::TokensIssued
            | EventKind::SignedOut
            | EventKind::SessionEnded
            | EventKind::LogoutDelivered
            | EventKind::GrantsSwept(_)
            | EventKind::ClientsSwept(_)
            | EventKind::Refreshed => write_at!(debug, event),
        }
    }

    fn answered(&self, answer: &Answered) {
        tracing::debug!(
            target: "grantor",
            endpoint = answer.endpoint.as_str(),
            event = "Answered",
            status = answer.status,
            took = ?answer.took,
            peer = answer.peer.map(tracing::field::display),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Level, Metadata, Subscriber};

    use super::*;
    use crate::audit::Endpoint;

    /// Keeps the level of each event.
    #[derive(Clone, Default)]
    struct Levels(Arc<Mutex<Vec<Level>>>);

    impl Subscriber for Levels {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &tracing::Event<'_>) {
            self.0.lock().unwrap().push(*event.metadata().level());
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_fault_that_a_retry_mends_is_a_warning() {
        let levels = Levels::default();
        let faults = [Reason::Contended, Reason::Overloaded, Reason::StoreUnavailable, Reason::StoreBroken];
        tracing::subscriber::with_default(levels.clone(), || {
            for reason in faults {
                TracingAudit::new().record(&Event::new(EventKind::Failed(reason), Endpoint::Token));
            }
        });
        let expected = [Level::WARN, Level::WARN, Level::ERROR, Level::ERROR];
        assert_eq!(*levels.0.lock().unwrap(), expected);
    }
}
