//! `/applications`: where a developer gets an id and a secret.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use grantor::client::{ClientBuilder, ClientPage, is_readable_name};
use grantor::{
    ApplicationType, AuthMethod, BackendError, Client, ClientId, ClientRegistry, GrantType, HostError,
};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::forms::{PostedBy, see_other};
use crate::login::sign_in_first;
use crate::pages::Page;
use crate::session::{Session, SignedIn, Visitor};

const PER_DEVELOPER: u32 = 20;
const LONGEST_NAME: usize = 80;
const CALLBACKS: usize = 10;
const PATH: &str = "/applications";

/// The applications that a developer has registered.
async fn applications_of(app: &App, sub: &str) -> Result<Vec<Arc<Client>>, BackendError> {
    let page = ClientPage::first(PER_DEVELOPER).owned_by(sub);
    Ok(app.registry.registered.clients(&page).await?.clients)
}

/// The credentials of an application that was just registered: shown on the next page, and never again.
#[derive(Serialize)]
pub(crate) struct NewApplication {
    name: String,
    client_id: String,
    secret: Option<String>,
}

/// `GET /applications`
pub(crate) async fn list(State(app): State<App>, visitor: Visitor) -> Response {
    match (visitor.session(), visitor.signed_in()) {
        (Some(session), Some(by)) => show(&app, session, by, Form::default(), Vec::new()).await,
        _ => sign_in_first(&app, &app.site.path(PATH)),
    }
}

/// `POST /applications`
pub(crate) async fn register(State(app): State<App>, posted: PostedBy<Form>) -> Response {
    let PostedBy { session, by, fields: form } = posted;
    let count = match applications_of(&app, &by.user.sub).await {
        Ok(applications) => applications.len(),
        Err(error) => return unavailable(&app, &error),
    };
    if count >= PER_DEVELOPER as usize {
        let full = format!("You have {PER_DEVELOPER} applications. Delete one that you no longer need.");
        return show(&app, &session, &by, form, vec![full]).await;
    }
    let application = match form.application() {
        Ok(application) => application,
        Err(mistakes) => return show(&app, &session, &by, form, mistakes).await,
    };
    match app.server.register(application.owner(by.user.sub.as_str())).await {
        Ok(registered) => {
            let client = registered.client;
            session.show_once(NewApplication {
                name: name_of(&client),
                client_id: client.id().to_string(),
                secret: registered.secret.map(|secret| secret.reveal().to_owned()),
            });
            see_other(&app.site.path(PATH))
        }
        Err(HostError::Client(errors)) => {
            let mistakes = errors.all().iter().map(ToString::to_string).collect();
            show(&app, &session, &by, form, mistakes).await
        }
        Err(error) => unavailable(&app, &error),
    }
}

/// `POST /applications/delete`
pub(crate) async fn delete(State(app): State<App>, posted: PostedBy<Chosen>) -> Response {
    let id = ClientId::new(posted.fields.client_id);
    match app.registry.client(&id).await {
        Ok(Some(client)) if client.owner() == Some(&posted.by.user.sub) => {}
        Ok(_) => return app.pages.problem(StatusCode::NOT_FOUND, "You have no application with this id."),
        Err(error) => return unavailable(&app, &error),
    }
    // First the application is disabled, then its grants end, then its record is removed, so an error in
    // between leaves nothing half deleted.
    match app.server.delete_client(&id).await {
        Ok(_) => see_other(&app.site.path(PATH)),
        Err(refusal) => unavailable(&app, &refusal),
    }
}

/// The application that the pressed button belongs to.
#[derive(Deserialize)]
pub(crate) struct Chosen {
    pub(crate) client_id: String,
}

/// What the registration form sends.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Form {
    name: String,
    redirect_uris: String,
    #[serde(rename = "type")]
    kind: Kind,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Web,
    Native,
    Service,
}

impl Form {
    /// The application, or what to tell its developer.
    fn application(&self) -> Result<ClientBuilder, Vec<String>> {
        let name = self.name.trim();
        let callbacks: Vec<&str> =
            self.redirect_uris.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let mistakes: Vec<String> = [
            (name.is_empty(), "The application needs a name.".to_owned()),
            (
                name.chars().count() > LONGEST_NAME,
                format!("The name has more than {LONGEST_NAME} characters."),
            ),
            (
                !name.is_empty() && !is_readable_name(name),
                "The name needs a letter or a digit, and no character that cannot be seen.".to_owned(),
            ),
            (callbacks.len() > CALLBACKS, format!("There are more than {CALLBACKS} callback addresses.")),
            (
                self.kind == Kind::Service && !callbacks.is_empty(),
                "A service has no callback address.".to_owned(),
            ),
            (
                self.kind != Kind::Service && callbacks.is_empty(),
                "People have to be sent back somewhere: give a callback address.".to_owned(),
            ),
        ]
        .into_iter()
        .filter_map(|(wrong, sentence)| wrong.then_some(sentence))
        .collect();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let application =
            callbacks.into_iter().fold(Client::application().name(name), ClientBuilder::redirect_uri);
        let by_a_user = [GrantType::AuthorizationCode, GrantType::RefreshToken];
        Ok(match self.kind {
            Kind::Web => application.grant_types(by_a_user).application_type(ApplicationType::Web),
            Kind::Native => application
                .grant_types(by_a_user)
                .application_type(ApplicationType::Native)
                .auth_method(AuthMethod::None),
            Kind::Service => application.grant_types([GrantType::ClientCredentials]),
        })
    }
}

async fn show(app: &App, session: &Session, by: &SignedIn, form: Form, mistakes: Vec<String>) -> Response {
    let mut applications = match applications_of(app, &by.user.sub).await {
        Ok(applications) => applications,
        Err(error) => return unavailable(app, &error),
    };
    applications.sort_by_key(|client| (client.issued(), client.id().clone()));
    let page = ApplicationsPage {
        new: session.take_new(),
        applications: applications.iter().map(|client| Line::of(client)).collect(),
        kinds: KINDS,
        form,
        mistakes,
    };
    app.pages.show(Some(session), &page)
}

pub(crate) fn unavailable(app: &App, error: &dyn std::fmt::Display) -> Response {
    tracing::error!(%error, "what a page shows could not be read");
    let page = app.pages.problem(StatusCode::SERVICE_UNAVAILABLE, "Try again in a moment.");
    ([("retry-after", "5")], page).into_response()
}

pub(crate) fn name_of(client: &Client) -> String {
    client.name().unwrap_or_else(|| client.id().as_str()).to_owned()
}

#[derive(Serialize)]
struct ApplicationsPage {
    new: Option<NewApplication>,
    applications: Vec<Line>,
    kinds: &'static [KindText],
    form: Form,
    mistakes: Vec<String>,
}

impl Page for ApplicationsPage {
    const TEMPLATE: &'static str = "applications.html";
}

#[derive(Serialize)]
struct Line {
    name: String,
    client_id: String,
    kind: &'static str,
    redirect_uris: Vec<String>,
}

impl Line {
    fn of(client: &Client) -> Self {
        let kind = match (client.allows(&GrantType::ClientCredentials), client.application_type()) {
            (true, _) => "Service",
            (false, ApplicationType::Native) => "On the user’s device",
            (false, _) => "Web application",
        };
        Self {
            name: name_of(client),
            client_id: client.id().to_string(),
            kind,
            redirect_uris: client.redirect_uris().iter().map(ToString::to_string).collect(),
        }
    }
}

#[derive(Serialize)]
struct KindText {
    value: Kind,
    title: &'static str,
    text: &'static str,
}

const KINDS: &[KindText] = &[
    KindText {
        value: Kind::Web,
        title: "Web application",
        text: "Runs on a server of yours and can keep a secret.",
    },
    KindText {
        value: Kind::Native,
        title: "On the user’s device",
        text: "A phone, desktop or browser app, or a command line. No secret.",
    },
    KindText { value: Kind::Service, title: "Service", text: "Acts for itself; no user signs in." },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(name: &str, redirect_uris: &str, kind: Kind) -> usize {
        let form = Form { name: name.to_owned(), redirect_uris: redirect_uris.to_owned(), kind };
        form.application().err().map_or(0, |mistakes| mistakes.len())
    }

    #[test]
    fn a_form_is_checked_before_it_is_registered() {
        assert_eq!(mistakes("Notes", " https://a.example/cb \r\n\r\nhttps://b.example/cb", Kind::Web), 0);
        assert_eq!(mistakes("Notes", "", Kind::Service), 0);
        assert_eq!(mistakes("", "", Kind::Native), 2);
        assert_eq!(mistakes("Notes", "https://a.example/cb", Kind::Service), 1);
        assert_eq!(mistakes("Ba\u{202e}nk", "https://a.example/cb", Kind::Web), 1);
        assert_eq!(mistakes(&"n".repeat(81), &"https://a.example/cb\n".repeat(11), Kind::Web), 2);
    }
}
