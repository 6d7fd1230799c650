//! Several guards in the state of one axum app.

use axum::extract::FromRef;
use axum::http::Request;
use axum::routing::get;
use axum::{Router, body::Body};
use grantor::Resource;
use grantor::adapter::{AnyToken, Authorized};
use grantor::resource::Guard;
use tower::ServiceExt as _;

use crate::support::Fixture;

#[derive(Clone)]
struct Notes(Guard);

#[derive(Clone)]
struct Mail(Guard);

impl AsRef<Guard> for Notes {
    fn as_ref(&self) -> &Guard {
        &self.0
    }
}

impl AsRef<Guard> for Mail {
    fn as_ref(&self) -> &Guard {
        &self.0
    }
}

#[derive(Clone)]
struct App {
    notes: Notes,
    mail: Mail,
}

impl FromRef<App> for Notes {
    fn from_ref(app: &App) -> Self {
        app.notes.clone()
    }
}

impl FromRef<App> for Mail {
    fn from_ref(app: &App) -> Self {
        app.mail.clone()
    }
}

#[tokio::test]
async fn each_handler_names_the_guard_that_it_is_behind() {
    let (notes, mail) = ("https://notes.example", "https://mail.example");
    let fixture =
        Fixture::with(|builder| builder.resource(Resource::new(notes)).resource(Resource::new(mail)));
    let guard = |id: &str| Guard::builder(id).local(fixture.server.clone()).build().unwrap();
    let app = App { notes: Notes(guard(notes)), mail: Mail(guard(mail)) };
    let router = Router::new()
        .route("/notes", get(async |access: Authorized<AnyToken, Notes>| access.client().to_string()))
        .route("/mail", get(async |access: Authorized<AnyToken, Mail>| access.client().to_string()))
        .with_state(app);
    let form = [("grant_type", "client_credentials"), ("resource", notes)];
    let token = fixture.token("robot", &form).await.access_token();
    let ask = async |path: &str| {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
    };
    assert_eq!((ask("/notes").await, ask("/mail").await), (200, 401));
}
