//! An `Outbound` that uses no network.

use std::sync::{Arc, Mutex};

use grantor::outbound::{Outbound, OutboundError, OutboundRequest, OutboundResponse};
use grantor::{AuthorizationServer, Request, async_trait};
use serde_json::Value;

/// A request that was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub url: String,
    pub form: Option<String>,
    pub authorization: Option<String>,
}

type Answer = Result<OutboundResponse, OutboundError>;
type Script = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

/// Answers from a script, which can be replaced.
#[derive(Clone)]
pub struct Scripted {
    script: Arc<Mutex<Script>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Scripted {
    /// The script gets the URL.
    pub fn by(script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self { script: Arc::new(Mutex::new(Arc::new(script))), asked: Arc::default() }
    }

    pub fn saying(body: &Value) -> Self {
        let scripted = Self::by(|_| Err(OutboundError::Unreachable));
        scripted.says(OutboundResponse::new(200, body.to_string()));
        scripted
    }

    pub fn says(&self, response: OutboundResponse) {
        self.does(move |_| Ok(response.clone()));
    }

    pub fn does(&self, script: impl Fn(&str) -> Answer + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl Outbound for Scripted {
    async fn send(&self, request: &OutboundRequest) -> Answer {
        let authorization = request.headers().find(|(name, _)| *name == "authorization");
        self.asked.lock().unwrap().push(Asked {
            url: request.url().to_owned(),
            form: request.form().map(str::to_owned),
            authorization: authorization.map(|(_, value)| value.to_owned()),
        });
        // Lets other tasks run, as a real request would.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        let script = self.script.lock().unwrap().clone();
        script(request.url())
    }
}

/// A server in this process, called as if over the network.
#[derive(Clone)]
pub struct Behind(pub AuthorizationServer);

#[async_trait]
impl Outbound for Behind {
    async fn send(&self, request: &OutboundRequest) -> Answer {
        let form = Request::post_form(request.form().unwrap_or_default().to_owned());
        let form = request.headers().fold(form, |form, (name, value)| form.header(name, value.to_owned()));
        let path = request.url().strip_prefix(super::ISSUER).expect("the issuer's own");
        let response = match path {
            "/introspect" => self.0.introspect(&form).await,
            "/jwks" => self.0.jwks().await,
            "/.well-known/oauth-authorization-server" => self.0.metadata(),
            _ => return Ok(OutboundResponse::new(404, "")),
        };
        let bare = OutboundResponse::new(response.status, response.body.clone());
        Ok(response.headers.iter().fold(bare, |answer, (name, value)| answer.header(name, value)))
    }
}
