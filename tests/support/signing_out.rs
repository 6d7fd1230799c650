//! A provider that tracks the host's sessions, and clients that are notified when one ends.

use std::sync::{Arc, Mutex};

use grantor::openid::{LogoutNotice, LogoutQueue};
use grantor::outbound::{OutboundError, OutboundResponse};
use grantor::server::{AuthorizationServerBuilder, LogoutStep, Sessions};
use grantor::{BackendError, Client, Login, Request, Response, SessionId, async_trait};
use serde_json::{Value, json};

use super::provider::{Provider, SCOPES, client};
use super::scripted::Scripted;
use super::{Answer, encode};

pub const AFTER: &str = "https://app.example/signed-out";
pub const SECRET_OF_SESSIONS: &[u8] = b"a secret of the sessions, 32 bytes or more";

/// `rp` and `rp2` are notified of logouts, `deaf` has no logout URI.
pub struct SigningOut {
    pub provider: Provider,
    pub web: Scripted,
}

/// The metadata of a client that is notified of logouts.
pub fn hearing(host: &str) -> Value {
    json!({
        "backchannel_logout_uri": format!("https://{host}.example/logout?from=op"),
        "post_logout_redirect_uris": [AFTER, "http://127.0.0.1/out", "https://app.example/q?a=1"],
    })
}

pub fn hearers() -> Vec<Client> {
    vec![
        client("rp", hearing("rp")),
        client("rp2", hearing("rp2")),
        client("deaf", json!({ "post_logout_redirect_uris": [AFTER] })),
    ]
}

/// Delivers notifications in the background on the test's runtime.
pub fn sessions(web: &Scripted) -> Sessions {
    Sessions::new(SECRET_OF_SESSIONS).back_channel(web.clone(), |delivery| drop(tokio::spawn(delivery)))
}

/// Keeps notices until a test takes them.
#[derive(Clone, Default)]
pub struct Queue(pub Arc<Mutex<Vec<LogoutNotice>>>);

#[async_trait]
impl LogoutQueue for Queue {
    async fn push(&self, notice: LogoutNotice) -> Result<(), BackendError> {
        self.0.lock().unwrap().push(notice);
        Ok(())
    }
}

impl Queue {
    /// The clients that have to be notified, each once.
    pub fn clients(&self) -> Vec<String> {
        let mut clients: Vec<String> =
            self.0.lock().unwrap().iter().map(|notice| notice.client().to_string()).collect();
        clients.sort();
        clients.dedup();
        clients
    }
}

impl SigningOut {
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub fn with(configure: impl FnOnce(AuthorizationServerBuilder) -> AuthorizationServerBuilder) -> Self {
        let web = Scripted::by(|_| Ok(OutboundResponse::new(200, "")));
        let own = sessions(&web);
        let provider = Provider::with(hearers(), |builder| {
            let scopes = SCOPES.into_iter().chain(["offline_access"]);
            configure(builder.scopes(scopes).sessions(own).logout_endpoint("/logout"))
        });
        Self { provider, web }
    }

    /// The login of alice in this session.
    pub fn alice(&self, session: &str) -> Login {
        self.provider.fixture.alice().with_session(SessionId::new(session))
    }

    pub fn bob(&self, session: &str) -> Login {
        let now = self.provider.fixture.alice().authentication().auth_time;
        Login::new("bob", now).with_session(SessionId::new(session))
    }

    /// The tokens that a client gets when alice approves its request in this session.
    pub async fn tokens(&self, client: &str, scope: &str, session: &str) -> Answer {
        self.tokens_of(client, scope, self.alice(session)).await
    }

    pub async fn tokens_of(&self, client: &str, scope: &str, login: Login) -> Answer {
        let answer = self.provider.ask(client, scope, &[], login).await;
        let code =
            answer.location_parameter("code").unwrap_or_else(|| panic!("no code: {}", answer.location()));
        let answer = self.provider.fixture.redeem(client, &code).await;
        assert_eq!(answer.status(), 200, "{}", answer.json());
        answer
    }

    /// The next step after a logout request; `Err` is the error page.
    pub async fn ask(&self, query: &[(&str, &str)], login: Option<&Login>) -> Result<LogoutStep, Answer> {
        self.send(Request::get(encode(query)), login).await
    }

    pub async fn send(&self, request: Request, login: Option<&Login>) -> Result<LogoutStep, Answer> {
        match self.provider.fixture.server.logout(&request).await {
            Ok(logout) => Ok(logout.session(login)),
            Err(page) => Err(Answer(page.into_response())),
        }
    }

    /// The response to a request that needs no confirmation.
    pub async fn goes(&self, query: &[(&str, &str)], login: Option<&Login>) -> Answer {
        match self.ask(query, login).await {
            Ok(LogoutStep::Go(end)) => Answer(end.finish().await),
            Ok(LogoutStep::Ask(_)) => panic!("the user is asked"),
            Err(page) => panic!("{}", page.status()),
        }
    }

    /// Whether the user is asked for confirmation instead of being redirected. Panics on an error page.
    pub async fn asks(&self, query: &[(&str, &str)], login: Option<&Login>) -> bool {
        match self.ask(query, login).await {
            Ok(LogoutStep::Ask(question)) => {
                let confirmation = ("logout_confirmation", question.token().to_owned());
                assert!(!confirmation.1.is_empty() && question.fields().contains(&confirmation));
                true
            }
            Ok(LogoutStep::Go(_)) => false,
            Err(page) => panic!("a page of status {}", page.status()),
        }
    }

    /// The response after the user has confirmed the request.
    pub async fn yes(&self, query: &[(&str, &str)], login: &Login) -> Answer {
        let Ok(LogoutStep::Ask(question)) = self.ask(query, Some(login)).await else { panic!("no question") };
        let fields = question.fields();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        match self.send(Request::post_form(encode(&fields)), Some(login)).await {
            Ok(LogoutStep::Go(end)) => Answer(end.finish().await),
            Ok(LogoutStep::Ask(_)) => panic!("asked again"),
            Err(page) => page,
        }
    }

    /// The hosts that were notified, sorted by name.
    pub fn told(&self) -> Vec<String> {
        let host = |url: String| url.split('/').nth(2).unwrap().to_owned();
        let mut told: Vec<String> = self.web.asked().into_iter().map(|asked| host(asked.url)).collect();
        told.sort();
        told
    }

    pub async fn end(&self, session: &str) -> u64 {
        self.provider.fixture.server.end_session(&SessionId::new(session)).await.unwrap().grants
    }
}

/// A network where no host can be reached.
pub fn unreachable() -> Scripted {
    Scripted::by(|_| Err(OutboundError::Unreachable))
}

/// Whether the response is an HTML page instead of a redirect.
pub fn is_page(response: &Response) -> bool {
    response.header("location").is_none()
        && response.header("content-type") == Some("text/html; charset=utf-8")
}
