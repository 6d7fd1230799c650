//! A provider that knows the sessions of its host, and clients that want to hear of their end.

use grantor::outbound::{OutboundError, OutboundResponse};
use grantor::server::{AuthorizationServerBuilder, LogoutStep, Sessions};
use grantor::{Client, Login, Request, Response, SessionId};
use serde_json::{Value, json};

use super::provider::{Provider, SCOPES, client};
use super::scripted::Scripted;
use super::{Answer, encode};

pub const AFTER: &str = "https://app.example/signed-out";
pub const SECRET_OF_SESSIONS: &[u8] = b"a secret of the sessions, 32 bytes or more";

/// `rp` and `rp2` hear of logouts, `deaf` has no logout URI.
pub struct SigningOut {
    pub provider: Provider,
    pub web: Scripted,
}

/// The metadata of a client that hears of logouts.
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

/// Runs what is delivered in the background on the test's runtime.
pub fn sessions(web: &Scripted) -> Sessions {
    Sessions::new(SECRET_OF_SESSIONS).back_channel(web.clone(), |delivery| drop(tokio::spawn(delivery)))
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

    /// alice in this session.
    pub fn alice(&self, session: &str) -> Login {
        self.provider.fixture.alice().with_session(SessionId::new(session))
    }

    pub fn bob(&self, session: &str) -> Login {
        let now = self.provider.fixture.alice().authentication().auth_time;
        Login::new("bob", now).with_session(SessionId::new(session))
    }

    /// Tokens that alice gives to a client in a session.
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

    /// What follows a logout request; `Err` is the page.
    pub async fn ask(&self, query: &[(&str, &str)], login: Option<&Login>) -> Result<LogoutStep, Answer> {
        self.send(Request::get(encode(query)), login).await
    }

    pub async fn send(&self, request: Request, login: Option<&Login>) -> Result<LogoutStep, Answer> {
        match self.provider.fixture.server.logout(&request).await {
            Ok(logout) => Ok(logout.session(login)),
            Err(page) => Err(Answer(page.into_response())),
        }
    }

    /// The answer to a request that needs no question.
    pub async fn goes(&self, query: &[(&str, &str)], login: Option<&Login>) -> Answer {
        match self.ask(query, login).await {
            Ok(LogoutStep::Go(end)) => Answer(end.finish().await),
            Ok(LogoutStep::Ask(_)) => panic!("the user is asked"),
            Err(page) => panic!("{}", page.status()),
        }
    }

    /// Whether the user is asked, by a question that can be answered, and not sent on. A page is neither.
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

    /// The answer to the request once the user has said yes to the question.
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

    /// The hosts that were told, in the order of their names.
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

/// A web that is not there.
pub fn unreachable() -> Scripted {
    Scripted::by(|_| Err(OutboundError::Unreachable))
}

/// A response that takes a page's place.
pub fn is_page(response: &Response) -> bool {
    response.header("location").is_none()
        && response.header("content-type") == Some("text/html; charset=utf-8")
}
