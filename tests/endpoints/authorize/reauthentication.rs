//! What an authorization request says about the user's sign-in, and what the host can make of it: OpenID
//! Connect Core section 3.1.2.1, RFC 9470.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use grantor::{Clock, Login, LoginReason, LoginRequired, Prompt, Request, ShowLogin, SignedIn};

use crate::support::{Answer, Fixture, code_query, encode};

fn asking(more: &[(&str, &str)]) -> Request {
    Request::get(encode(&[code_query("conf", "read"), more.to_vec()].concat()))
}

/// A visit of a request that was first seen then, by a user who is signed in.
async fn visit(fixture: &Fixture, request: &Request, since: DateTime<Utc>, login: Login) -> SignedIn {
    fixture.server.authorize(request).await.unwrap().seen(since).signed_in(login).await
}

fn again(visit: SignedIn) -> ShowLogin {
    match visit {
        SignedIn::Reauthenticate(login) => login,
        other => panic!("{other:?}"),
    }
}

fn error(answer: Answer) -> String {
    answer.location_parameter("error").expect("an error")
}

async fn is_approved(visit: SignedIn) -> bool {
    let consent = visit.consent().expect("a consent");
    Answer(consent.approve().await).location_parameter("code").is_some()
}

#[tokio::test]
async fn ft_29_the_host_is_told_all_that_was_asked_as_untrusted_text() {
    let fixture = Fixture::new();
    let request = asking(&[
        ("prompt", "login consent surprise"),
        ("max_age", "300"),
        ("acr_values", "urn:silver  urn:bronze"),
        ("login_hint", "<script>alert(1)</script>"),
        ("ui_locales", "fr-CA fr en"),
        ("claims_locales", "se"),
        ("display", "weird"),
        ("extra", "foobar"),
    ]);
    let ask = fixture.server.authorize(&request).await.unwrap();
    let LoginRequired::ShowLogin(login) = ask.login_required().await else { panic!("a login page") };
    let requested = login.requested();
    assert_eq!(requested.prompts().collect::<Vec<_>>(), [Prompt::Login, Prompt::Consent]);
    assert_eq!(requested.max_age(), Some(300));
    assert_eq!(requested.acr_values().collect::<Vec<_>>(), ["urn:silver", "urn:bronze"]);
    assert_eq!(requested.login_hint(), Some("<script>alert(1)</script>"));
    assert_eq!(requested.ui_locales().collect::<Vec<_>>(), ["fr-CA", "fr", "en"]);
    assert_eq!(requested.claims_locales().collect::<Vec<_>>(), ["se"]);
    assert_eq!(requested.display(), Some("weird"));
    assert_eq!(login.because(), LoginReason::NoUser);
    assert!(!format!("{requested:?}").contains("script"), "a hint may name a person");
}

#[tokio::test]
async fn ft_29_a_hint_without_bounds_is_no_error_and_is_not_told() {
    let fixture = Fixture::new();
    let (long, values) = ("x".repeat(5_000), "a ".repeat(100));
    let request = asking(&[("login_hint", &long), ("ui_locales", &values), ("display", "a\u{7}b")]);
    let ask = fixture.server.authorize(&request).await.unwrap();
    assert_eq!((ask.requested().login_hint(), ask.requested().display()), (None, None));
    assert_eq!(ask.requested().ui_locales().count(), 16);
    assert!(is_approved(ask.signed_in(fixture.alice()).await).await);
    let thousand = "ж".repeat(1_000);
    let ask = fixture.server.authorize(&asking(&[("login_hint", &thousand)])).await.unwrap();
    assert_eq!(ask.requested().login_hint(), Some(&*thousand));
}

#[tokio::test]
async fn ft_29_a_step_up_is_offered_and_may_be_given_up() {
    let fixture = Fixture::new();
    let request = asking(&[("acr_values", "urn:gold urn:silver")]);
    let since = fixture.clock.now();
    let weak = fixture.alice().with_acr("urn:bronze");
    let login = again(visit(&fixture, &request, since, weak.clone()).await);
    assert_eq!(login.because(), LoginReason::StepUp);
    assert_eq!(login.requested().acr_values().next(), Some("urn:gold"), "the host is told what to reach");
    assert_eq!(error(Answer(login.cannot().await)), "unmet_authentication_requirements");

    let strong = fixture.alice().with_acr("urn:silver");
    assert!(is_approved(visit(&fixture, &request, since, strong).await).await);

    let silent = asking(&[("acr_values", "urn:gold"), ("prompt", "none")]);
    let SignedIn::Answered(response) = visit(&fixture, &silent, since, weak).await else { panic!("no page") };
    assert_eq!(error(Answer(response)), "unmet_authentication_requirements");
}

#[tokio::test]
async fn ft_29_an_account_is_chosen_or_the_client_is_told() {
    let fixture = Fixture::new();
    let request = asking(&[("prompt", "select_account")]);
    let old = fixture.alice();
    fixture.clock.advance(Duration::from_secs(100));
    let since = fixture.clock.now();
    let login = again(visit(&fixture, &request, since, old.clone()).await);
    assert_eq!(login.because(), LoginReason::SelectAccount);
    assert_eq!(error(Answer(login.cannot().await)), "account_selection_required");

    let ask = fixture.server.authorize(&request).await.unwrap().account_chosen();
    assert!(is_approved(ask.signed_in(old).await).await, "chosen on a page of the host's");
    assert!(is_approved(visit(&fixture, &request, since, fixture.alice()).await).await, "or by signing in");
}

#[tokio::test]
async fn ft_29_a_sign_up_is_for_hosts_with_a_page_for_it() {
    let request = asking(&[("prompt", "create")]);
    let without = Fixture::new();
    let answer = without.approve(&[code_query("conf", "read"), vec![("prompt", "create")]].concat()).await;
    assert_eq!(error(answer), "invalid_request");

    let fixture = Fixture::with(|builder| builder.sign_up_page());
    let ask = fixture.server.authorize(&request).await.unwrap();
    let LoginRequired::ShowLogin(login) = ask.login_required().await else { panic!("a page") };
    assert_eq!(login.because(), LoginReason::SignUp);
    let old = fixture.alice();
    fixture.clock.advance(Duration::from_secs(5));
    let since = fixture.clock.now();
    let login = again(visit(&fixture, &request, since, old).await);
    assert_eq!(login.because(), LoginReason::SignUp);
    assert_eq!(error(Answer(login.cannot().await)), "interaction_required");
    assert!(is_approved(visit(&fixture, &request, since, fixture.alice()).await).await);
}

#[tokio::test]
async fn ft_29_prompt_consent_is_asked_every_time_and_so_is_a_program_on_the_device() {
    let fixture = Fixture::new();
    let asks = async |query: Vec<(&str, &str)>| {
        let ask = fixture.server.authorize(&Request::get(encode(&query))).await.unwrap();
        ask.signed_in(fixture.alice()).await.consent().unwrap().must_ask()
    };
    assert!(!asks(code_query("conf", "read")).await);
    assert!(asks([code_query("conf", "read"), vec![("prompt", "consent")]].concat()).await);
    assert!(asks(code_query("native", "read")).await);
    let mut on_the_device = code_query("pub", "read");
    assert!(!asks(on_the_device.clone()).await);
    on_the_device.retain(|(name, _)| *name != "redirect_uri");
    on_the_device.push(("redirect_uri", "http://127.0.0.1:51004/cb"));
    assert!(asks(on_the_device).await, "although its client has an address on the web, too");
}

/// One login page, then the consent, and the request was never edited.
#[tokio::test]
async fn ft_30_a_login_is_fresh_if_it_is_not_older_than_the_first_visit() {
    for (more, because) in [
        (&[("max_age", "0")][..], LoginReason::Stale),
        (&[("max_age", "4")], LoginReason::Stale),
        (&[("prompt", "login")], LoginReason::PromptLogin),
        (&[("prompt", "login"), ("max_age", "10000")], LoginReason::PromptLogin),
    ] {
        let fixture = Fixture::new();
        let request = asking(more);
        let old = fixture.alice();
        fixture.clock.advance(Duration::from_secs(5));
        let since = fixture.clock.now();
        let login = again(visit(&fixture, &request, since, old.clone()).await);
        assert_eq!((login.because(), login.since()), (because, since), "{more:?}");

        fixture.clock.advance(Duration::from_secs(20));
        let fresh = fixture.alice();
        fixture.clock.advance(Duration::from_secs(40));
        assert!(is_approved(visit(&fixture, &request, since, fresh).await).await, "{more:?}: no loop");

        // The back button, with the session of before.
        let login = again(visit(&fixture, &request, since, old).await);
        assert_eq!(error(Answer(login.cannot().await)), "login_required");
    }
}

#[tokio::test]
async fn ft_30_a_login_within_max_age_needs_no_page() {
    let fixture = Fixture::new();
    let login = fixture.alice();
    fixture.clock.advance(Duration::from_secs(2));
    let now = fixture.clock.now();
    let stale = again(visit(&fixture, &asking(&[("max_age", "1")]), now, login.clone()).await);
    assert_eq!(stale.because(), LoginReason::Stale);
    for enough in ["2", "10000"] {
        assert!(
            is_approved(visit(&fixture, &asking(&[("max_age", enough)]), now, login.clone()).await).await
        );
    }
}

#[tokio::test]
async fn ft_30_a_moment_that_lies_ahead_makes_no_login_stale_and_one_that_is_lost_makes_none_fresh() {
    let fixture = Fixture::new();
    let request = asking(&[("max_age", "0")]);
    let ahead = fixture.clock.now() + TimeDelta::days(1);
    assert!(is_approved(visit(&fixture, &request, ahead, fixture.alice()).await).await);
    let login = fixture.alice();
    fixture.clock.advance(Duration::from_secs(1));
    let stale = again(fixture.server.authorize(&request).await.unwrap().signed_in(login).await);
    assert_eq!(stale.because(), LoginReason::Stale);
}

#[tokio::test]
async fn ft_30_prompt_none_is_answered_before_any_page() {
    let fixture = Fixture::new();
    let login = fixture.alice();
    fixture.clock.advance(Duration::from_secs(1));
    let request = asking(&[("prompt", "none"), ("max_age", "0")]);
    let ask = fixture.server.authorize(&request).await.unwrap();
    assert!(ask.prompt_none());
    let SignedIn::Answered(response) = ask.signed_in(login).await else { panic!("no page") };
    assert_eq!(error(Answer(response)), "login_required");
    let ask = fixture.server.authorize(&request).await.unwrap();
    let LoginRequired::Answered(response) = ask.login_required().await else { panic!("no page") };
    assert_eq!(error(Answer(response)), "login_required");
    let consent =
        fixture.server.authorize(&request).await.unwrap().signed_in(fixture.alice()).await.consent();
    assert_eq!(error(Answer(consent.unwrap().interaction_required().await)), "interaction_required");
}
