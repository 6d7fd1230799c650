//! The rest of the Internet, as far as a test needs it: responses by URL.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use grantor::async_trait;
use grantor::outbound::{ChosenBy, Outbound, OutboundError, OutboundRequest, OutboundResponse};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::CALLBACK;

/// The id of the client in most tests.
pub const DOCUMENT: &str = "https://client.example/oauth/id.json";

type Answer = Result<OutboundResponse, OutboundError>;

/// Gives the configured responses, and 404 for all other URLs. It records the requested URLs.
#[derive(Clone)]
pub struct Site {
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// Every response takes a permit.
    gate: Arc<Semaphore>,
}

impl Site {
    pub fn new() -> Self {
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { answers: Arc::default(), asked: Arc::default(), gate }
    }

    /// With a valid document at [`DOCUMENT`].
    pub fn with_document() -> Self {
        let site = Self::new();
        site.put(DOCUMENT, document(DOCUMENT));
        site
    }

    /// A site that does not respond until [`open`](Self::open) is called.
    pub fn closed() -> Self {
        Self { gate: Arc::new(Semaphore::new(0)), ..Self::with_document() }
    }

    pub fn open(&self) {
        self.gate.add_permits(1000);
    }

    pub fn close(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub fn put(&self, url: &str, document: impl ToString) {
        self.answer(url, 200, &[JSON], &document.to_string());
    }

    pub fn answer(&self, url: &str, status: u16, headers: &[(&str, &str)], body: &str) {
        let response = OutboundResponse::new(status, body);
        let add = |response: OutboundResponse, (name, value): &(&str, &str)| response.header(name, value);
        self.answers.lock().unwrap().insert(url.to_owned(), Ok(headers.iter().fold(response, add)));
    }

    pub fn fail(&self, url: &str, error: OutboundError) {
        self.answers.lock().unwrap().insert(url.to_owned(), Err(error));
    }

    pub fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl Outbound for Site {
    async fn send(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        assert_eq!(request.chosen_by(), ChosenBy::Client);
        assert_eq!((request.form(), request.max_bytes(), request.deadline().as_secs()), (None, 5120, 3));
        self.asked.lock().unwrap().push(request.url().to_owned());
        let _turn = self.gate.acquire().await.unwrap();
        let answers = self.answers.lock().unwrap();
        answers.get(request.url()).cloned().unwrap_or(Ok(OutboundResponse::new(404, "")))
    }
}

pub const JSON: (&str, &str) = ("content-type", "application/json");

/// A valid document.
pub fn document(id: &str) -> Value {
    json!({
        "client_id": id,
        "client_name": "An agent",
        "client_uri": "https://client.example",
        "redirect_uris": [CALLBACK, "http://127.0.0.1/cb"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    })
}

/// The same with these changes; `null` unsets a member.
pub fn changed(change: &[(&str, Value)]) -> Value {
    let mut changed = document(DOCUMENT);
    for (name, value) in change {
        changed[*name] = value.clone();
    }
    changed
}
