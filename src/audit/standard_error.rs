//! Where a debug build without an [`Audit`] writes its faults, so a first run does not fail silently.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Audit, Event, EventKind};
use crate::error::Reason;

/// Only in debug builds: a library should not write to the standard error of a program in production.
const WRITES: bool = cfg!(debug_assertions);

/// Writes faults to standard error, the first of each kind.
#[derive(Debug, Default)]
pub(crate) struct StandardError {
    written: Mutex<Vec<Reason>>,
}

impl StandardError {
    pub(crate) fn of_debug_builds() -> Option<Arc<dyn Audit>> {
        WRITES.then(|| Arc::new(Self::default()) as Arc<dyn Audit>)
    }

    /// The line for an event that has to be written.
    fn line(&self, event: &Event<'_>) -> Option<String> {
        let EventKind::Failed(reason) = event.what else { return None };
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.contains(&reason) {
            return None;
        }
        written.push(reason);
        let mut line = String::new();
        let _ = write!(
            line,
            "grantor: {event} (printed once, and only in debug builds; set an audit to see every event)"
        );
        Some(line)
    }
}

/// Writes a line to standard error in a debug build, for a mistake that no audit can hear of.
#[cfg(feature = "actix")] // Other frameworks find such a mistake when the program is compiled.
pub(crate) fn tell_developer(line: &str) {
    if WRITES {
        let _ = writeln!(std::io::stderr(), "grantor: {line} (printed only in debug builds)");
    }
}

impl Audit for StandardError {
    fn record(&self, event: &Event<'_>) {
        if let Some(line) = self.line(event) {
            // If standard error cannot be written to, there is nowhere else to report it.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Endpoint;
    use crate::error::BackendError;

    #[test]
    fn the_first_fault_of_a_kind_is_written_with_its_cause() {
        let (sink, cause) = (StandardError::default(), BackendError::permanent("no such table: grants"));
        let event = |what| Event { cause: Some(&cause), ..Event::new(what, Endpoint::Token) };
        let line = sink.line(&event(EventKind::Failed(Reason::StoreBroken))).unwrap();
        assert!(line.contains("token") && line.contains("no such table: grants"), "{line}");
        assert_eq!(sink.line(&event(EventKind::Failed(Reason::StoreBroken))), None);
        assert!(sink.line(&event(EventKind::Failed(Reason::StoreUnavailable))).is_some());
        assert_eq!(sink.line(&event(EventKind::Refused(Reason::ClientUnknown))), None);
    }
}
