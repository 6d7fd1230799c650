//! An audit log that tests can read.

use std::sync::{Arc, Mutex};

use grantor::{Audit, Event, EventKind, Reason};

/// Remembers the kind and the text of every event.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<(EventKind, String)>>>);

impl Log {
    pub fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, text)| text.clone()).collect()
    }

    pub fn whats(&self) -> Vec<EventKind> {
        self.0.lock().unwrap().iter().map(|(what, _)| *what).collect()
    }

    /// The reason of the latest refusal, fault or end.
    pub fn last_reason(&self) -> Option<Reason> {
        self.whats().into_iter().rev().find_map(|what| match what {
            EventKind::Refused(reason) | EventKind::Ended(reason) | EventKind::Failed(reason) => Some(reason),
            _ => None,
        })
    }
}

impl Audit for Log {
    fn record(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push((event.what, event.to_string()));
    }
}
