//! The runs: the requests of each, and the responses.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;

use super::demos::Demo;
use crate::expiring::Expiring;
use crate::session::lock;

/// How long a run is kept; only the latest runs are kept.
const KEPT: Duration = Duration::from_secs(60 * 60);
const RUNS: usize = 200;
/// A run has at most this many steps.
const STEPS: usize = 40;

/// The runs, by their `state`, which is 256 random bits.
pub(crate) struct Playground(Mutex<Expiring<String, Arc<Mutex<Run>>>>);

impl Default for Playground {
    fn default() -> Self {
        Self(Mutex::new(Expiring::new(KEPT, RUNS)))
    }
}

impl Playground {
    pub(super) fn begin(&self, demo: &'static Demo) -> (String, Arc<Mutex<Run>>) {
        let (id, verifier) = (random(), random());
        let run = Run { demo, verifier, steps: Vec::new(), tokens: Value::Null, device_code: None };
        let run = Arc::new(Mutex::new(run));
        lock(&self.0).insert(id.clone(), Arc::clone(&run), Instant::now());
        (id, run)
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Mutex<Run>>> {
        lock(&self.0).get(&id.to_owned(), Instant::now()).cloned()
    }
}

pub(super) struct Run {
    pub(super) demo: &'static Demo,
    pub(super) verifier: String,
    pub(super) steps: Vec<Step>,
    /// The latest token response.
    pub(super) tokens: Value,
    pub(super) device_code: Option<String>,
}

#[derive(Clone, Serialize)]
pub(super) struct Step {
    pub(super) title: &'static str,
    /// The request and its target.
    pub(super) request: String,
    /// The response.
    pub(super) answer: String,
    /// The decoded signed tokens of the response.
    pub(super) decoded: Vec<(String, String)>,
}

impl Run {
    pub(super) fn add(&mut self, step: Step) {
        if self.steps.len() < STEPS {
            self.steps.push(step);
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.tokens[name].as_str().map(str::to_owned)
    }
}

pub(super) fn random() -> String {
    let bytes: [u8; 32] = rand::random();
    URL_SAFE_NO_PAD.encode(bytes)
}
