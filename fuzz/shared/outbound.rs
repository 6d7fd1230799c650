//! The other servers: one answer for all of them.

use std::sync::{Arc, Mutex};

use grantor::async_trait;
use grantor::outbound::{Outbound, OutboundError, OutboundRequest, OutboundResponse};

/// Gives the answers of a function, and remembers what was asked.
#[derive(Clone)]
pub struct Canned(Arc<State>);

struct State {
    answer: Mutex<Box<dyn Fn(&str) -> Option<OutboundResponse> + Send>>,
    asked: Mutex<Vec<String>>,
}

impl Canned {
    /// `None` is a server that cannot be reached.
    pub fn new(answer: impl Fn(&str) -> Option<OutboundResponse> + Send + 'static) -> Self {
        Self(Arc::new(State { answer: Mutex::new(Box::new(answer)), asked: Mutex::default() }))
    }

    /// From now on, gives the answers of this function.
    pub fn set(&self, answer: impl Fn(&str) -> Option<OutboundResponse> + Send + 'static) {
        *self.0.answer.lock().expect("a lock") = Box::new(answer);
    }

    /// The URLs that were asked for since the last call.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.asked.lock().expect("a lock"))
    }
}

#[async_trait]
impl Outbound for Canned {
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        self.0.asked.lock().expect("a lock").push(request.url().to_owned());
        let answer = self.0.answer.lock().expect("a lock")(request.url());
        answer.ok_or(OutboundError::Unreachable)
    }
}
