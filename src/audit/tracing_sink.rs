//! Events as `tracing` events (feature `tracing`).

use super::{Audit, Event, What};

/// Writes every event to `tracing` with the target `grantor`: faults as errors, replays as warnings, refusals
/// and repeated answers as `info`, and the rest as `debug`.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TracingAudit;

impl Audit for TracingAudit {
    fn record(&self, event: &Event<'_>) {
        match event.what {
            What::Failed(_) => tracing::error!(target: "grantor", "{event}"),
            What::Ended(_) => tracing::warn!(target: "grantor", "{event}"),
            What::Refused(_) | What::AnswerRepeated | What::AnswerRepeatedAgain => {
                tracing::info!(target: "grantor", "{event}")
            }
            What::CodeIssued
            | What::DeviceCodeIssued
            | What::DeviceClaimed
            | What::DeviceApproved
            | What::DeviceDenied
            | What::TokensIssued
            | What::Refreshed
            | What::Revoked
            | What::ClientRegistered
            | What::ClientChanged
            | What::ClientRemoved => tracing::debug!(target: "grantor", "{event}"),
        }
    }
}
