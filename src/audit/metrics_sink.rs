//! Counters and histograms by the crate `metrics` (feature `metrics`).

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use super::{Answered, Audit, Called, Event, EventKind};

/// Records metrics with the crate [`metrics`], for the recorder that the program has installed.
///
/// | name | kind | labels |
/// | --- | --- | --- |
/// | `grantor_requests_total` | counter | `endpoint`, `outcome`: `ok` (a status below 400), `refused` (4xx) or `failed` (5xx) |
/// | `grantor_request_duration_seconds` | histogram | `endpoint`, `outcome` |
/// | `grantor_events_total` | counter | `endpoint`, `event`: [`EventKind::as_str`] |
/// | `grantor_errors_total` | counter | `endpoint`, `error`: the public code of what was refused, failed or ended ([`ErrorCode`](crate::ErrorCode)) |
/// | `grantor_host_calls_total` | counter | `call`: [`HostCall::as_str`](super::HostCall::as_str), `outcome`: [`CallOutcome::as_str`](super::CallOutcome::as_str) |
/// | `grantor_host_call_duration_seconds` | histogram | `call`, `outcome` |
/// | `grantor_records_removed_total` | counter | `kind`: `grants` or `clients`, by sweeps |
///
/// Each label has a fixed set of values, never a client, subject or address. Only these names are stable; new
/// values may come with new endpoints and events.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MetricsAudit;

impl MetricsAudit {
    /// Describes each metric to the recorder that is installed now.
    #[must_use]
    pub fn new() -> Self {
        describe_counter!("grantor_requests_total", "Answered requests");
        describe_histogram!("grantor_request_duration_seconds", Unit::Seconds, "Time to answer a request");
        describe_counter!("grantor_events_total", "Audit events");
        describe_counter!(
            "grantor_errors_total",
            "Refusals, failures and ended grants, by public error code"
        );
        describe_counter!("grantor_host_calls_total", "Calls to the store and other parts of the host");
        describe_histogram!(
            "grantor_host_call_duration_seconds",
            Unit::Seconds,
            "Duration of calls to the store and other parts of the host"
        );
        describe_counter!("grantor_records_removed_total", "Records removed by sweeps");
        Self
    }
}

impl Default for MetricsAudit {
    fn default() -> Self {
        Self::new()
    }
}

impl Audit for MetricsAudit {
    fn record(&self, event: &Event<'_>) {
        let endpoint = event.endpoint.as_str();
        counter!("grantor_events_total", "endpoint" => endpoint, "event" => event.what.as_str()).increment(1);
        if let Some(reason) = event.what.reason() {
            let error = reason.code().as_str();
            counter!("grantor_errors_total", "endpoint" => endpoint, "error" => error).increment(1);
        }
        match event.what {
            EventKind::GrantsSwept(gone) => {
                counter!("grantor_records_removed_total", "kind" => "grants").increment(gone);
            }
            EventKind::ClientsSwept(gone) => {
                counter!("grantor_records_removed_total", "kind" => "clients").increment(gone);
            }
            _ => {}
        }
    }

    fn answered(&self, answer: &Answered) {
        let endpoint = answer.endpoint.as_str();
        let outcome = match answer.status {
            ..400 => "ok",
            400..500 => "refused",
            500.. => "failed",
        };
        counter!("grantor_requests_total", "endpoint" => endpoint, "outcome" => outcome).increment(1);
        histogram!("grantor_request_duration_seconds", "endpoint" => endpoint, "outcome" => outcome)
            .record(answer.took);
    }

    fn called(&self, called: &Called) {
        let (call, outcome) = (called.call.as_str(), called.outcome.as_str());
        counter!("grantor_host_calls_total", "call" => call, "outcome" => outcome).increment(1);
        histogram!("grantor_host_call_duration_seconds", "call" => call, "outcome" => outcome)
            .record(called.took);
    }
}
