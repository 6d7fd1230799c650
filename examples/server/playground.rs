//! `/playground`: runs the flows of the demonstration's applications against this server, and shows every
//! step.
//!
//! It only exists in the demonstration: its secrets are those of `demo.toml`, which are public.

mod demos;
mod run;

use std::sync::Mutex;

use axum::extract::{RawQuery, Request as HttpRequest, State};
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::adapter::axum::read;
use grantor::http::{Method, Request};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub(crate) use demos::{Button, buttons};
use demos::{Demo, Flow};
pub(crate) use run::Playground;
use run::{Run, Step};

use crate::app::App;
use crate::forms::{Posted, see_other};
use crate::pages::{Page, leads_to_an_application};
use crate::session::{Session, Visitor, lock};

const CALLBACK: &str = "/playground/callback";
const SHOWN: &str = "/playground";

#[derive(Deserialize)]
pub(crate) struct Chosen {
    client_id: String,
}

/// `POST /playground`: a button of the start page.
pub(crate) async fn start(State(app): State<App>, posted: Posted<Chosen>) -> Response {
    let (Some(playground), Some(demo)) = (&app.playground, Demo::find(&posted.fields.client_id)) else {
        return app.pages.problem(StatusCode::NOT_FOUND, "There is no such application.");
    };
    let (id, run) = playground.begin(demo);
    let callback = format!("{}{CALLBACK}", app.site.root);
    match demo.flow {
        Flow::Code | Flow::Implicit => {
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&lock(&run).verifier));
            let mut query = vec![
                ("client_id", demo.id),
                ("redirect_uri", &callback),
                ("scope", demo.scope),
                ("state", &id),
            ];
            match demo.flow {
                Flow::Code => query.extend([
                    ("response_type", "code"),
                    ("nonce", &id[..16]),
                    ("code_challenge", &challenge),
                    ("code_challenge_method", "S256"),
                ]),
                // A fragment would not reach this server.
                _ => query.extend([("response_type", "token"), ("response_mode", "form_post")]),
            }
            let query = serde_urlencoded::to_string(&query).unwrap_or_default();
            lock(&run).add(Step {
                title: "Authorization request",
                request: format!("GET {}/authorize?\n{}", app.site.root, lines(&query)),
                answer: "This server signed you in, and asked you.".to_owned(),
                decoded: Vec::new(),
            });
            return see_other(&format!("{}?{query}", app.site.path("/authorize")));
        }
        Flow::Device => {
            let answer =
                ask(&app, &run, "Device authorization", "/device_authorization", &[("scope", demo.scope)])
                    .await;
            lock(&run).device_code = answer["device_code"].as_str().map(str::to_owned);
        }
        Flow::Client => {
            let form = [("grant_type", "client_credentials"), ("scope", demo.scope)];
            tokens(&app, &run, "Token request", &form).await;
        }
        Flow::Password => {
            let form = [
                ("grant_type", "password"),
                ("username", "alice"),
                ("password", "wonderland"),
                ("scope", demo.scope),
            ];
            tokens(&app, &run, "Token request", &form).await;
        }
        Flow::Introspection => introspect(&app, &run).await,
    }
    to_run(&app, &id)
}

/// `GET` or `POST /playground/callback`: the redirect URI of these applications.
pub(crate) async fn callback(State(app): State<App>, request: HttpRequest) -> Response {
    let request = read(request).await;
    let parameters = match request.method {
        Method::Post => String::from_utf8_lossy(&request.body).into_owned(),
        _ => request.query.clone().unwrap_or_default(),
    };
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&parameters).unwrap_or_default();
    let one = |name: &str| pairs.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
    let found = one("state").and_then(|state| Some((state.clone(), app.playground.as_ref()?.find(&state)?)));
    let Some((id, run)) = found else {
        return app
            .pages
            .problem(StatusCode::NOT_FOUND, "No run of the playground is waiting for this answer.");
    };
    // The response must come from the issuer that the request was sent to (RFC 9207).
    if one("iss").as_deref() != Some(app.site.issuer.as_str()) {
        return app.pages.problem(StatusCode::BAD_REQUEST, "The answer is from another issuer.");
    }
    let answer: serde_json::Map<String, Value> =
        pairs.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let is_new = {
        let mut run = lock(&run);
        let is_new = run.tokens.is_null() && run.steps.len() == 1;
        if is_new {
            run.add(Step {
                title: "Authorization response",
                request: format!(
                    "{} {CALLBACK}",
                    if request.method == Method::Post { "POST" } else { "GET" }
                ),
                answer: pretty(&Value::Object(answer.clone())),
                decoded: Vec::new(),
            });
            if one("access_token").is_some() {
                run.tokens = Value::Object(answer);
            }
        }
        is_new
    };
    if let (true, Some(code)) = (is_new, one("code")) {
        let (redirect_uri, verifier) = (format!("{}{CALLBACK}", app.site.root), lock(&run).verifier.clone());
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", &verifier),
        ];
        tokens(&app, &run, "Token request", &form).await;
    }
    to_run(&app, &id)
}

#[derive(Deserialize)]
pub(crate) struct Next {
    run: String,
    step: NextStep,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum NextStep {
    Refresh,
    Userinfo,
    Poll,
    Revoke,
}

/// `POST /playground/next`: a button below the steps.
pub(crate) async fn next(State(app): State<App>, posted: Posted<Next>) -> Response {
    let Next { run: id, step } = posted.fields;
    let Some(run) = app.playground.as_ref().and_then(|playground| playground.find(&id)) else {
        return app.pages.problem(StatusCode::NOT_FOUND, "This run has ended.");
    };
    let text = |name: &str| lock(&run).text(name).unwrap_or_default();
    match step {
        NextStep::Refresh => {
            let form = [("grant_type", "refresh_token"), ("refresh_token", &text("refresh_token"))];
            tokens(&app, &run, "Refresh", &form).await;
        }
        NextStep::Poll => {
            let device_code = lock(&run).device_code.clone().unwrap_or_default();
            let form = [
                ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                ("device_code", &*device_code),
            ];
            tokens(&app, &run, "Poll", &form).await;
        }
        NextStep::Revoke => {
            let named = text("refresh_token");
            let token = if named.is_empty() { text("access_token") } else { named };
            ask(&app, &run, "Revocation", "/revoke", &[("token", &token)]).await;
        }
        NextStep::Userinfo => {
            let token = text("access_token");
            let request = Request::get("").header("authorization", format!("Bearer {token}"));
            let response = app.server.userinfo(&request).await;
            let shown = format!("GET {}/userinfo\nAuthorization: Bearer {token}", app.site.root);
            note(&run, "UserInfo", shown, &response);
        }
    }
    to_run(&app, &id)
}

#[derive(Deserialize)]
pub(crate) struct Wanted {
    run: String,
}

/// `GET /playground?run=…`
pub(crate) async fn show(State(app): State<App>, visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let wanted = query.as_deref().and_then(|query| serde_urlencoded::from_str::<Wanted>(query).ok());
    let Some(wanted) = wanted else { return see_other(&app.site.path("/")) };
    let found = app.playground.as_ref().and_then(|playground| playground.find(&wanted.run));
    let (Some(run), Some(session)) = (found, visitor.session()) else {
        return see_other(&app.site.path("/"));
    };
    let page = RunPage::new(&app, &wanted.run, &lock(&run));
    leads_to_an_application(app.pages.show(Some(session as &Session), &page))
}

fn to_run(app: &App, id: &str) -> Response {
    see_other(&format!("{}?run={id}", app.site.path(SHOWN)))
}

/// Gets a token for the service, and shows what the API learns about it.
async fn introspect(app: &App, run: &Mutex<Run>) {
    let Some(service) = Demo::find("service") else { return };
    let (request, body) = service.form(&[("grant_type", "client_credentials"), ("scope", service.scope)]);
    let response = app.server.token(&request).await;
    let shown = format!("POST {}/token\n{}", app.site.root, lines(&body));
    let answer = note(run, "The service gets a token", shown, &response);
    let token = answer["access_token"].as_str().unwrap_or_default().to_owned();
    ask(app, run, "Introspection", "/introspect", &[("token", &token)]).await;
}

/// Sends a token request, and keeps the response for the next steps.
async fn tokens(app: &App, run: &Mutex<Run>, title: &'static str, form: &[(&str, &str)]) {
    let answer = ask(app, run, title, "/token", form).await;
    if answer["access_token"].is_string() {
        lock(run).tokens = answer;
    }
}

/// Sends a form to an endpoint, records the step, and returns the response.
async fn ask(app: &App, run: &Mutex<Run>, title: &'static str, path: &str, form: &[(&str, &str)]) -> Value {
    let demo = lock(run).demo;
    let (request, body) = demo.form(form);
    let response = match path {
        "/token" => app.server.token(&request).await,
        "/device_authorization" => app.server.device_authorization(&request).await,
        "/introspect" => app.server.introspect(&request).await,
        _ => app.server.revoke(&request).await,
    };
    let basic = if demo.secret.is_some() { "\nAuthorization: Basic …" } else { "" };
    let shown = format!("POST {}{path}{basic}\n{}", app.site.root, lines(&body));
    note(run, title, shown, &response)
}

fn note(run: &Mutex<Run>, title: &'static str, request: String, response: &grantor::Response) -> Value {
    let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let body = match json.is_null() {
        true => String::from_utf8_lossy(&response.body).into_owned(),
        false => pretty(&json),
    };
    let members = json.as_object().into_iter().flatten();
    let decoded = members.filter_map(|(name, value)| Some((name.clone(), claims_of(value.as_str()?)?)));
    let answer = format!("{}\n{body}", response.status);
    lock(run).add(Step { title, request, answer, decoded: decoded.collect() });
    json
}

/// The header and the claims of a signed token.
fn claims_of(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (header, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
    Some(format!("{}\n{}", pretty(&read(header)?), pretty(&read(claims)?)))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A form, with one parameter per line.
fn lines(form: &str) -> String {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(form).unwrap_or_default();
    pairs.iter().map(|(name, value)| format!("  {name}={value}\n")).collect()
}

#[derive(Serialize)]
struct RunPage {
    run: String,
    client_id: &'static str,
    text: &'static str,
    steps: Vec<Step>,
    /// Where the user of a device enters the code.
    verification: Option<String>,
    /// The possible next steps, each with the text of its button.
    buttons: Vec<(&'static str, &'static str)>,
}

impl Page for RunPage {
    const TEMPLATE: &'static str = "playground.html";
}

impl RunPage {
    fn new(app: &App, id: &str, run: &Run) -> Self {
        let has_token = run.text("access_token").is_some();
        let is_of_openid = run.text("scope").is_some_and(|scope| scope.split(' ').any(|one| one == "openid"));
        let can_poll = run.device_code.is_some() && !has_token;
        let buttons = [
            (can_poll, "poll", "Ask for the tokens"),
            (has_token && is_of_openid, "userinfo", "Ask who the user is"),
            (run.text("refresh_token").is_some(), "refresh", "Refresh"),
            (has_token, "revoke", "Revoke"),
        ];
        Self {
            run: id.to_owned(),
            client_id: run.demo.id,
            text: run.demo.text,
            steps: run.steps.clone(),
            verification: can_poll.then(|| app.site.path("/device")),
            buttons: buttons
                .into_iter()
                .filter_map(|(shown, step, text)| shown.then_some((step, text)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::demos::DEMOS;
    use super::*;
    use crate::config::Config;

    #[test]
    fn its_applications_are_those_of_the_demonstration() {
        let demo = Config::demo().unwrap();
        let text = include_str!("demo.toml");
        for own in DEMOS {
            let client = demo.clients.iter().find(|client| client.id().as_str() == own.id);
            let client = client.unwrap_or_else(|| panic!("{}", own.id));
            assert_eq!(client.is_confidential(), own.secret.is_some(), "{}", own.id);
            assert!(own.secret.is_none_or(|secret| text.contains(&format!("\"{secret}\""))), "{}", own.id);
        }
        assert_eq!(demo.clients.len(), DEMOS.len(), "every one of them has a button");
    }

    async fn demonstration() -> App {
        let address = "127.0.0.1:9400".parse().unwrap();
        crate::setup::app(Config::demo().unwrap(), address)
            .await
            .unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
    }

    fn location(response: &Response) -> String {
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        response.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Presses the button of this application.
    async fn press(app: &App, client_id: &str) -> String {
        let (session, _) = app.sessions.visit(None);
        let fields = Chosen { client_id: client_id.to_owned() };
        location(&start(State(app.clone()), Posted { session, fields }).await)
    }

    async fn go_on(app: &App, run: &str, step: NextStep) {
        let (session, _) = app.sessions.visit(None);
        let fields = Next { run: run.to_owned(), step };
        location(&next(State(app.clone()), Posted { session, fields }).await);
    }

    fn steps(app: &App, run: &str) -> Vec<Step> {
        let run = app.playground.as_ref().unwrap().find(run).expect("a run");
        lock(&run).steps.clone()
    }

    fn run_of(location: &str) -> String {
        location.split_once("run=").expect("the page of a run").1.to_owned()
    }

    #[tokio::test]
    async fn a_code_becomes_tokens_that_are_decoded_and_refreshed() {
        let app = demonstration().await;
        for client in ["web-app", "native-app"] {
            let to = press(&app, client).await;
            let query = to.strip_prefix("/authorize?").expect("the authorization request");
            let ask = app.server.authorize(&Request::get(query)).await.expect("a registered address");
            let login = grantor::Login::new("user-alice", chrono::Utc::now());
            let answer = ask.signed_in(login).await.consent().expect("a consent").approve().await;
            let (_, answer) = answer.header("location").expect("the callback").split_once('?').unwrap();
            let request =
                HttpRequest::get(format!("{CALLBACK}?{answer}")).body(axum::body::Body::empty()).unwrap();
            let run = run_of(&location(&callback(State(app.clone()), request).await));
            go_on(&app, &run, NextStep::Userinfo).await;
            go_on(&app, &run, NextStep::Refresh).await;
            let steps = steps(&app, &run);
            let titles: Vec<&str> = steps.iter().map(|step| step.title).collect();
            let expected =
                ["Authorization request", "Authorization response", "Token request", "UserInfo", "Refresh"];
            assert_eq!(titles, expected, "{client}");
            for step in [&steps[2], &steps[4]] {
                let (name, claims) = &step.decoded[0];
                assert_eq!(name, "id_token");
                assert!(claims.contains("\"sub\": \"user-alice\""), "{claims}");
            }
            assert!(steps[3].answer.contains("user-alice"));
            let (session, _) = app.sessions.visit(None);
            let found = app.playground.as_ref().unwrap().find(&run).unwrap();
            let page = app.pages.show(Some(&session), &RunPage::new(&app, &run, &lock(&found)));
            assert_eq!(page.status(), StatusCode::OK);
            let html = axum::body::to_bytes(page.into_body(), usize::MAX).await.unwrap();
            let html = String::from_utf8_lossy(&html);
            for shown in
                ["id=\"playground-refresh\"", "id=\"playground-userinfo\"", "data-token=\"id_token\""]
            {
                assert!(html.contains(shown), "{shown}");
            }
            assert!(steps.iter().all(|step| !step.request.contains("web-app-secret")));
        }
    }

    #[tokio::test]
    async fn the_others_run_without_a_page_of_their_own() {
        let app = demonstration().await;
        for (client, last, says) in [
            ("service", "Token request", "access_token"),
            ("legacy-app", "Token request", "refresh_token"),
            ("resource-server", "Introspection", "\"active\": true"),
            ("device-app", "Device authorization", "user_code"),
        ] {
            let run = run_of(&press(&app, client).await);
            let steps = steps(&app, &run);
            let step = steps.last().unwrap();
            assert_eq!(step.title, last, "{client}");
            assert!(step.answer.starts_with("200\n") && step.answer.contains(says), "{}", step.answer);
        }
        let run = run_of(&press(&app, "device-app").await);
        go_on(&app, &run, NextStep::Poll).await;
        assert!(steps(&app, &run)[1].answer.contains("authorization_pending"));
        assert!(press(&app, "browser-app").await.contains("response_mode=form_post"));
    }

    #[tokio::test]
    async fn a_real_configuration_has_no_playground() {
        let text = include_str!("demo.toml");
        let config = Config::parse(text).unwrap();
        let app = crate::setup::app(config, "127.0.0.1:9400".parse().unwrap()).await;
        let app = app.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        assert!(app.playground.is_none());
        let (session, _) = app.sessions.visit(None);
        let fields = Chosen { client_id: "web-app".to_owned() };
        let response = start(State(app.clone()), Posted { session, fields }).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn a_token_is_decoded_and_another_text_is_not() {
        let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
        let token = format!("{}.{}.sig", part(r#"{"alg":"RS256"}"#), part(r#"{"sub":"a"}"#));
        assert!(claims_of(&token).unwrap().contains("\"sub\": \"a\""));
        assert_eq!(claims_of("gat_abc"), None);
        assert_eq!(claims_of("a.b.c"), None);
    }
}
