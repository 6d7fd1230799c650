//! Races for one pushed request.

use super::racing::at_once;
use super::{Answer, Fixture, code_query, encode, request};

/// Of 64 approvals of one request, one has a code; so often.
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

/// So many users say yes to one request at a time.
pub async fn approvals(fixture: &Fixture, tasks: usize) -> Vec<Answer> {
    let mut form = code_query("conf", "read");
    form.retain(|(name, _)| *name != "client_id");
    let pushed = fixture.server.pushed_authorization_request(&request("conf", &form)).await;
    let query = encode(&[("client_id", "conf"), ("request_uri", &Answer(pushed).text("request_uri"))]);
    at_once(fixture, tasks, |fixture, _| {
        let visit = grantor::Request::get(query.clone());
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
