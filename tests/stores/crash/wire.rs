//! Requests over HTTP that may find no one.

use std::time::Duration;

use serde_json::Value;

use crate::support::browser::hidden;
use crate::support::{SECRET, basic, code_query, encode, redemption};

/// The answer to a machine's request; `None` if there was none, or it said that the server is not available.
pub type Heard = Option<(u16, Value)>;

/// A client and alice's browser.
pub struct Wire {
    base: String,
    agent: ureq::Agent,
    cookie: Option<String>,
}

/// A page that asks alice.
pub struct Asked {
    csrf: String,
    request: String,
}

struct Page {
    status: u16,
    location: Option<String>,
    cookie: Option<String>,
    retry_after: bool,
    body: String,
}

impl Wire {
    pub fn new(base: &str) -> Self {
        Self { base: base.to_owned(), agent: agent(), cookie: None }
    }

    /// Forgets its connections, and that alice was signed in.
    pub fn reconnect(&mut self) {
        self.agent = agent();
        self.cookie = None;
    }

    pub fn token(&self, client: &str, form: &[(&str, &str)]) -> Heard {
        self.ask("/token", client, form)
    }

    pub fn redeem(&self, client: &str, code: &str) -> Heard {
        self.token(client, &redemption(code))
    }

    pub fn refresh(&self, client: &str, token: &str) -> Heard {
        self.token(client, &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    pub fn revoke(&self, client: &str, token: &str) -> Heard {
        self.ask("/revoke", client, &[("token", token)])
    }

    pub fn introspect(&self, client: &str, token: &str) -> Heard {
        self.ask("/introspect", client, &[("token", token)])
    }

    /// Alice signs in, if she has not, and approves what `app` asks for.
    pub fn code(&mut self) -> Option<String> {
        let asked = self.asked(&encode(&code_query("app", "read")))?.ok()?;
        self.approve(&asked)
    }

    /// `app` pushes what it asks for (RFC 9126).
    pub fn push(&self) -> Heard {
        let mut form = code_query("app", "read");
        form.retain(|(name, _)| *name != "client_id");
        self.ask("/par", "app", &form)
    }

    /// What alice is asked by this request, once she has signed in; or the status of a refusal.
    pub fn asked(&mut self, query: &str) -> Option<Result<Asked, u16>> {
        if self.cookie.is_none() {
            self.sign_in()?;
        }
        let consent = self.page("GET", &format!("/consent?{query}"), "")?;
        match consent.status {
            200 => {
                let (csrf, request) = (hidden(&consent.body, "csrf"), hidden(&consent.body, "request"));
                Some(Ok(Asked { csrf, request }))
            }
            status @ 400..500 => Some(Err(status)),
            _ => {
                self.cookie = None;
                None
            }
        }
    }

    /// Alice says yes.
    pub fn approve(&mut self, Asked { csrf, request }: &Asked) -> Option<String> {
        let form = encode(&[("csrf", csrf.as_str()), ("request", request), ("decision", "approve")]);
        let location = self.page("POST", "/consent", &form)?.location?;
        let (_, query) = location.split_once('?')?;
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
        pairs.into_iter().find(|(name, _)| name == "code").map(|(_, code)| code)
    }

    fn sign_in(&mut self) -> Option<()> {
        let page = self.page("GET", "/login?return_to=%2F", "")?;
        self.cookie.clone_from(&page.cookie);
        let csrf = hidden(&page.body, "csrf");
        let form =
            [("csrf", &csrf as &str), ("return_to", "/"), ("username", "alice"), ("password", "wonderland")];
        let signed_in = self.page("POST", "/login", &encode(&form));
        self.cookie = signed_in.and_then(|page| page.cookie);
        self.cookie.as_ref().map(|_| ())
    }

    fn ask(&self, path: &str, client: &str, form: &[(&str, &str)]) -> Heard {
        let mut form = form.to_vec();
        let credentials = match client {
            "app" => {
                form.push(("client_id", "app"));
                None
            }
            id => Some(basic(id, SECRET)),
        };
        let mut request = self.agent.post(format!("{}{path}", self.base));
        request = request.header("content-type", "application/x-www-form-urlencoded");
        if let Some(credentials) = credentials {
            request = request.header("authorization", credentials);
        }
        let page = taken(request.send(encode(&form)).ok()?)?;
        if page.status == 503 {
            assert!(
                page.retry_after && !page.body.contains("invalid"),
                "a 503 says when to come back: {}",
                page.body
            );
            return None;
        }
        let body = serde_json::from_str(&page.body).unwrap_or(Value::Null);
        Some((page.status, body))
    }

    fn page(&self, method: &str, path: &str, form: &str) -> Option<Page> {
        let (url, cookie) = (format!("{}{path}", self.base), self.cookie.as_deref().unwrap_or("none=1"));
        let sent = match method {
            "GET" => self.agent.get(url).header("cookie", cookie).call(),
            _ => {
                let post = self.agent.post(url).header("cookie", cookie);
                post.header("content-type", "application/x-www-form-urlencoded").send(form)
            }
        };
        taken(sent.ok()?).filter(|page| page.status < 500)
    }
}

/// The whole of an answer, unless it was cut off.
fn taken(response: ureq::http::Response<ureq::Body>) -> Option<Page> {
    let (parts, mut body) = response.into_parts();
    let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    Some(Page {
        status: parts.status.as_u16(),
        location: header("location"),
        cookie: header("set-cookie").and_then(|cookie| cookie.split(';').next().map(str::to_owned)),
        retry_after: header("retry-after").is_some(),
        body: body.read_to_string().ok()?,
    })
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false);
    config.timeout_global(Some(Duration::from_secs(20))).build().into()
}
