//! Pushed requests, visits to `/authorize` with them, and races for one of them.

use grantor::{Client, ErrorPage, MemoryRegistry, Request};

use super::racing::at_once;
use super::{Answer, Fixture, clients, code_query, encode, request};

pub type Form<'a> = Vec<(&'a str, &'a str)>;

/// The parameters of a valid request, without `client_id`, which the authentication provides.
pub fn asking(client: &str) -> Form<'_> {
    let mut form = code_query(client, "read");
    form.retain(|(name, _)| *name != "client_id");
    form
}

pub async fn push(fixture: &Fixture, client: &str, form: &[(&str, &str)]) -> Answer {
    Answer(fixture.server.pushed_authorization_request(&request(client, form)).await)
}

/// The `request_uri` of a valid pushed request.
pub async fn pushed(fixture: &Fixture, client: &str) -> String {
    let answer = push(fixture, client, &asking(client)).await;
    assert_eq!(answer.status(), 201, "{}", answer.json());
    answer.text("request_uri")
}

pub fn visit<'a>(client: &'a str, request_uri: &'a str) -> Form<'a> {
    vec![("client_id", client), ("request_uri", request_uri)]
}

/// The error page of a visit.
pub async fn page(fixture: &Fixture, query: &[(&str, &str)]) -> ErrorPage {
    let request = Request::get(encode(query));
    fixture.server.authorize(&request).await.expect_err("an error page")
}

/// A server on the same store and clock, with other clients.
pub fn with_clients(fixture: &Fixture, change: impl Fn(Client) -> Option<Client>) -> Fixture {
    let registry = MemoryRegistry::new(clients().into_iter().filter_map(change));
    let clock = fixture.clock.clone();
    let store = fixture.store.clone();
    Fixture::on(store.clone(), store, |builder| builder.clients(registry).clock(clock))
}

/// In each round, exactly one of 64 approvals of one request gets a code.
pub async fn one_has_a_code(fixture: &Fixture, rounds: usize) {
    for round in 0..rounds {
        let answers = approvals(fixture, 64).await;
        let codes: Vec<String> = answers
            .iter()
            .filter(|a| a.status() == 303)
            .filter_map(|a| a.location_parameter("code"))
            .collect();
        assert_eq!(codes.len(), 1, "round {round}");
        let pages = answers.iter().filter(|answer| answer.status() == 400);
        assert_eq!(pages.filter(|page| says(page, "invalid_request_uri")).count(), 63, "round {round}");
        assert_eq!(fixture.redeem("conf", &codes[0]).await.status(), 200, "round {round}");
    }
}

/// Approves one request this many times concurrently.
pub async fn approvals(fixture: &Fixture, tasks: usize) -> Vec<Answer> {
    let query = encode(&visit("conf", &pushed(fixture, "conf").await));
    at_once(fixture, tasks, |fixture, _| {
        let visit = Request::get(query.clone());
        async move {
            let visited = match fixture.server.authorize(&visit).await {
                Ok(visited) => visited,
                Err(page) => return Answer(page.into_response()),
            };
            let consent = visited.signed_in(fixture.alice()).await.consent().expect("a page");
            Answer(consent.approve().await)
        }
    })
    .await
}

fn says(page: &Answer, code: &str) -> bool {
    String::from_utf8_lossy(&page.0.body).contains(code)
}
