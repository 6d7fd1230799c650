//! An audit log that can be read.

use std::sync::{Arc, Mutex};

use grantor::{Audit, Event, Reason, What};

/// Remembers what happened, as texts and as reasons.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<(What, String)>>>);

impl Log {
    pub fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, text)| text.clone()).collect()
    }

    pub fn whats(&self) -> Vec<What> {
        self.0.lock().unwrap().iter().map(|(what, _)| *what).collect()
    }

    /// The reason of the latest refusal, fault or end.
    pub fn last_reason(&self) -> Option<Reason> {
        self.whats().into_iter().rev().find_map(|what| match what {
            What::Refused(reason) | What::Ended(reason) | What::Failed(reason) => Some(reason),
            _ => None,
        })
    }
}

impl Audit for Log {
    fn record(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push((event.what, event.to_string()));
    }
}
