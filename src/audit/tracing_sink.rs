//! Events as `tracing` events (feature `tracing`).

use super::{Audit, Event, EventKind};

/// Writes every event to `tracing` with the target `grantor`: faults as errors, replays as warnings, refusals
/// and repeated answers as `info`, and the rest as `debug`.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TracingAudit;

impl Audit for TracingAudit {
    fn record(&self, event: &Event<'_>) {
        match event.what {
            EventKind::Failed(_) => tracing::error!(target: "grantor", "{event}"),
            EventKind::Ended(_) => tracing::warn!(target: "grantor", "{event}"),
            EventKind::Refused(_)
            | EventKind::ClaimsDropped
            | EventKind::ConsentRemembered
            | EventKind::ConsentByPolicy
            | EventKind::AnswerRepeated
            | EventKind::AnswerRepeatedAgain => {
                tracing::info!(target: "grantor", "{event}")
            }
            EventKind::CodeIssued
            | EventKind::RequestPushed
            | EventKind::DeviceCodeIssued
            | EventKind::DeviceClaimed
            | EventKind::DeviceApproved
            | EventKind::DeviceDenied
            | EventKind::TokensIssued
            | EventKind::Refreshed
            | EventKind::Revoked
            | EventKind::ClientRegistered
            | EventKind::ClientChanged
            | EventKind::ClientRemoved => tracing::debug!(target: "grantor", "{event}"),
        }
    }
}
