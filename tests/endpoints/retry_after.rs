//! `Retry-After`: a limit says to the second when it has room again.

use std::net::IpAddr;
use std::time::Duration;

use grantor::documents::MetadataDocuments;
use grantor::http::Method;
use grantor::{BrowserSession, ErrorPage, Policy, Registration, Request};

use crate::support::pushing::asking;
use crate::support::registering::Registering;
use crate::support::site::{DOCUMENT, Site};
use crate::support::{Answer, CALLBACK, Fixture, basic, code_query, encode, request};

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// The request is refused and told to wait this long; a second earlier it is refused again, and then it is
/// not.
async fn waits(fixture: &Fixture, seconds: u64, ask: impl AsyncFn() -> Answer) {
    let told = |answer: &Answer| (answer.status(), answer.0.header("retry-after").map(str::to_owned));
    assert_eq!(told(&ask().await), (429, Some(seconds.to_string())));
    fixture.clock.advance(Duration::from_secs(seconds - 1));
    assert_eq!(told(&ask().await), (429, Some("1".to_owned())));
    fixture.clock.advance(Duration::from_secs(1));
    assert_ne!(told(&ask().await).0, 429);
}

fn with_policy(change: impl FnOnce(&mut Policy)) -> Fixture {
    let mut policy = Policy::default();
    change(&mut policy);
    Fixture::with(|builder| builder.policy(policy).device_verification("/device"))
}

#[tokio::test]
async fn ft_18_who_guesses_a_secret_is_told_when_one_more_guess_is_judged() {
    let fixture = with_policy(|policy| policy.secret_failures_per_minute = 7);
    let guess = async || {
        let guess = Request::post_form("grant_type=client_credentials").from_peer(HERE);
        Answer(fixture.server.token(&guess.header("authorization", basic("conf", "wrong"))).await)
    };
    for _ in 0..7 {
        assert_eq!(guess().await.status(), 401);
    }
    // A seventh of a minute is 8.6 seconds.
    waits(&fixture, 9, guess).await;
}

#[tokio::test]
async fn ft_18_devices_are_told_when_one_more_may_begin() {
    let fixture = with_policy(|policy| policy.device_requests_per_minute = 3);
    let begin =
        async || Answer(fixture.server.device_authorization(&request("tv", &[]).from_peer(HERE)).await);
    for _ in 0..3 {
        assert_eq!(begin().await.status(), 200);
    }
    fixture.clock.advance(Duration::from_secs(5));
    waits(&fixture, 15, begin).await;
}

#[tokio::test]
async fn ft_18_public_clients_are_told_when_they_may_push_again() {
    let fixture = with_policy(|policy| policy.pushed_requests_per_minute = 2);
    let push = async || {
        let pushed = request("pub", &asking("pub")).from_peer(HERE);
        Answer(fixture.server.pushed_authorization_request(&pushed).await)
    };
    assert_eq!([push().await.status(), push().await.status()], [201, 201]);
    waits(&fixture, 30, push).await;
}

#[tokio::test]
async fn ft_18_registrations_are_told_the_wait_of_the_minute_and_of_the_day() {
    let app = serde_json::json!({ "redirect_uris": [CALLBACK] }).to_string();
    for (terms, seconds) in [
        (Registration::open().per_minute(2), 30),
        // A tenth of 20 a day is one in twelve hours.
        (Registration::open().per_minute(0).per_day(20), 12 * 60 * 60),
    ] {
        let server = Registering::on(terms);
        let register = async || server.send(Request::json(Method::Post, app.clone()).from_peer(HERE)).await;
        assert_eq!([register().await.status(), register().await.status()], [201, 201]);
        waits(&server.fixture, seconds, register).await;
    }
}

#[tokio::test]
async fn ft_22_who_enters_wrong_codes_is_told_when_the_page_is_open_again() {
    let fixture = with_policy(|policy| policy.user_code_failures = 5);
    let enter = async || {
        let entered = fixture.server.device("BCDF-GHJK", &BrowserSession::session("one"), Some(HERE)).await;
        let page = entered.expect_err("no such device");
        let seconds = page.retry_after().map(|seconds| seconds.to_string());
        let answer = Answer(page.into_response());
        assert_eq!(answer.0.header("retry-after"), seconds.as_deref(), "what pages of a host can say");
        answer
    };
    for _ in 0..5 {
        assert_eq!(enter().await.status(), 400);
    }
    waits(&fixture, 120, enter).await;
}

#[tokio::test]
async fn ft_18_a_refresh_waits_until_the_first_access_token_expires() {
    let fixture = with_policy(|policy| policy.live_access_tokens = 2);
    let tokens = fixture.tokens("conf", "read").await;
    let refresh = async || fixture.refresh("conf", &tokens.refresh_token()).await;
    fixture.clock.advance(Duration::from_secs(100));
    assert_eq!(refresh().await.status(), 200);
    fixture.clock.advance(Duration::from_secs(100));
    waits(&fixture, 400, refresh).await;
}

#[tokio::test]
async fn ft_18_a_limit_that_is_set_later_counts_the_access_tokens_that_are_live_already() {
    let mut policy = Policy::default();
    policy.live_access_tokens = 0;
    let fixture = with_policy(|none| *none = policy.clone());
    let tokens = fixture.tokens("conf", "read").await;
    for _ in 0..3 {
        fixture.clock.advance(Duration::from_secs(100));
        assert_eq!(fixture.refresh("conf", &tokens.refresh_token()).await.status(), 200, "0 is no limit");
    }
    policy.live_access_tokens = 2;
    let limited = Fixture::on(fixture.store.clone(), fixture.store.clone(), |builder| {
        builder.policy(policy).clock(fixture.clock.clone())
    });
    waits(&fixture, 500, async || limited.refresh("conf", &tokens.refresh_token()).await).await;
}

#[tokio::test]
async fn ft_18_a_stranger_that_names_documents_waits_for_the_next_minute() {
    let terms = MetadataDocuments::over(Site::new()).per_minute(1);
    let fixture = Fixture::with(|builder| builder.client_id_metadata_documents(terms));
    let name = async || {
        let query = Request::get(encode(&code_query(DOCUMENT, "read"))).from_peer(HERE);
        Answer(
            fixture
                .server
                .authorize(&query)
                .await
                .map_err(ErrorPage::into_response)
                .expect_err("no document"),
        )
    };
    assert_eq!(name().await.status(), 400);
    let next_minute = 60 - u64::try_from(fixture.clock_seconds().rem_euclid(60)).unwrap();
    waits(&fixture, next_minute, name).await;
}
