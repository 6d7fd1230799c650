//! The token endpoint: RFC 6749 sections 3.2, 4.1.3, 4.3, 4.4 and 5, and RFC 7636.

use std::time::Duration;

use grantor::{Reason, Request, Scope};

use crate::support::{
    Answer, CALLBACK, Fixture, SECRET, VERIFIER, basic, code_query, encode, redemption, request,
};

/// The parameters with another value for this name; an empty one removes it.
fn with<'a>(form: &[(&'a str, &'a str)], name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let others = form.iter().copied().filter(|(n, _)| *n != name);
    others.chain((!value.is_empty()).then_some((name, value))).collect()
}

#[tokio::test]
async fn tk_01_the_answer_has_the_members_of_rfc_6749() {
    let fixture = Fixture::new();
    let answer = fixture.tokens("conf", "read write").await;
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert_eq!(answer.json()["expires_in"], 600);
    assert_eq!(answer.json()["scope"], "read write");
    assert!(fixture.is_live(&answer.access_token()).await);
    assert_eq!(fixture.refresh("conf", &answer.refresh_token()).await.status(), 200);
}

#[tokio::test]
async fn tk_02_every_bad_input_has_its_error_code_and_changes_nothing() {
    let fixture = Fixture::new();
    let code = fixture.code("conf", "read").await;
    let good = redemption(&code);
    let long = "x".repeat(9 * 1024);
    let many: Vec<(String, String)> = (0..65).map(|n| (format!("p{n}"), "1".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "grt_nobody")];
    let credentials = [("grant_type", "client_credentials")];
    let conf = |form: &[(&str, &str)]| request("conf", form);
    let raw = |body: &str| Request::post_form(body).header("authorization", basic("conf", SECRET));
    let plain = |form: &[(&str, &str)]| Request::post_form(encode(form));
    let mut in_query = conf(&good);
    in_query.query = Some(format!("client_id=conf&client_secret={SECRET}"));
    let mut not_a_form = Request::post_form(encode(&good));
    not_a_form.headers = Default::default();
    let rows = [
        ("no grant type", conf(&with(&good, "grant_type", "")), 400, "invalid_request"),
        ("no code", conf(&with(&good, "code", "")), 400, "invalid_request"),
        ("no refresh token", conf(&refresh[..1]), 400, "invalid_request"),
        ("a parameter twice", conf(&[&good[..], &[("code", "x")]].concat()), 400, "invalid_request"),
        ("the grant type twice", conf(&[&good[..], &credentials].concat()), 400, "invalid_request"),
        ("an unknown name twice", raw("grant_type=client_credentials&a=1&a=2"), 400, "invalid_request"),
        ("a broken escape", raw("grant_type=client_credentials&a=%4"), 400, "invalid_request"),
        ("no UTF-8", raw("grant_type=client_credentials&a=%FF"), 400, "invalid_request"),
        ("a long value", conf(&[&good[..], &[("a", long.as_str())]].concat()), 413, "invalid_request"),
        ("many parameters", conf(&[&good[..], &many].concat()), 413, "invalid_request"),
        ("no content type", not_a_form, 400, "invalid_request"),
        ("credentials in the query", in_query, 400, "invalid_request"),
        ("two methods", conf(&[&good[..], &[("client_secret", SECRET)]].concat()), 400, "invalid_request"),
        ("two names", conf(&[&good[..], &[("client_id", "other")]].concat()), 400, "invalid_request"),
        ("two headers", conf(&good).header("authorization", basic("conf", "x")), 400, "invalid_request"),
        ("nobody", plain(&good), 401, "invalid_client"),
        ("an unknown client", plain(&[&good[..], &[("client_id", "who")]].concat()), 401, "invalid_client"),
        ("an id alone", plain(&[&good[..], &[("client_id", "conf")]].concat()), 401, "invalid_client"),
        ("a wrong secret", plain(&good).header("authorization", basic("conf", "x")), 401, "invalid_client"),
        ("another scheme", plain(&good).header("authorization", "Bearer x"), 401, "invalid_client"),
        ("no base64", plain(&good).header("authorization", "Basic %%"), 401, "invalid_client"),
        ("no colon", plain(&good).header("authorization", "Basic Y29uZg=="), 401, "invalid_client"),
        ("an unregistered method", post_as("conf", &good), 401, "invalid_client"),
        ("a code that is none", conf(&with(&good, "code", "gac_x")), 400, "invalid_grant"),
        ("another code", conf(&with(&good, "code", &another(&code))), 400, "invalid_grant"),
        (
            "a wrong redirect URI",
            conf(&with(&good, "redirect_uri", "https://x.example/")),
            400,
            "invalid_grant",
        ),
        ("a wrong verifier", conf(&with(&good, "code_verifier", &"a".repeat(43))), 400, "invalid_grant"),
        ("a refresh token that is none", conf(&refresh), 400, "invalid_grant"),
        ("a grant type that is not registered", request("robot", &good), 400, "unauthorized_client"),
        ("an unknown grant type", conf(&with(&good, "grant_type", "magic")), 400, "unsupported_grant_type"),
        ("a grant type in capitals", conf(&[("grant_type", "PASSWORD")]), 400, "unsupported_grant_type"),
        ("a scope too many", conf(&with(&credentials, "scope", "admin")), 400, "invalid_scope"),
        ("a scope that nobody knows", conf(&with(&credentials, "scope", "fly")), 400, "invalid_scope"),
        ("a scope with a quote", conf(&with(&credentials, "scope", "re\"ad")), 400, "invalid_scope"),
    ];
    for (what, request, status, error) in rows {
        let answer = Answer(fixture.server.token(&request).await);
        assert_eq!(answer.error(), (status, error.to_owned()), "{what}");
        assert_eq!(answer.0.header("cache-control"), Some("no-store"), "{what}");
        let challenged = status == 401 && !["nobody", "an unknown client", "an id alone"].contains(&what);
        assert_eq!(answer.0.header("www-authenticate").is_some(), challenged, "{what}");
    }
    assert_eq!(fixture.store.len(), 1);
    assert_eq!(fixture.redeem("conf", &code).await.status(), 200);
}

/// Authenticated in the body.
fn post_as(client: &str, form: &[(&str, &str)]) -> Request {
    Request::post_form(encode(&[form, &[("client_id", client), ("client_secret", SECRET)]].concat()))
}

/// The same handle with another secret.
fn another(handle: &str) -> String {
    let (rest, last) = handle.split_at(handle.len() - 1);
    format!("{rest}{}", if last == "A" { "B" } else { "A" })
}

#[tokio::test]
async fn tk_03_a_grant_type_must_be_registered_for_the_client() {
    let fixture = Fixture::legacy();
    let password = [("grant_type", "password"), ("username", "alice"), ("password", "wonderland")];
    let code = fixture.code("conf", "read").await;
    for (client, form) in [
        ("bare", vec![("grant_type", "refresh_token"), ("refresh_token", "grt_x")]),
        ("bare", vec![("grant_type", "client_credentials")]),
        ("robot", redemption(&code)),
        ("conf", password.to_vec()),
    ] {
        let error = fixture.token(client, &form).await.error();
        assert_eq!(error, (400, "unauthorized_client".to_owned()), "{client} {form:?}");
    }
}

#[tokio::test]
async fn tk_04_a_refresh_token_is_for_clients_that_registered_the_grant_type() {
    let fixture = Fixture::new();
    assert!(fixture.tokens("bare", "read").await.json().get("refresh_token").is_none());
    assert!(fixture.tokens("pub", "read").await.json().get("refresh_token").is_some());
}

#[tokio::test]
async fn tk_04_a_refresh_token_is_bound_to_what_the_user_consented_to() {
    let fixture = Fixture::new();
    let request = Request::get(encode(&code_query("conf", "read write")));
    let consent =
        fixture.server.authorize(&request).await.unwrap().signed_in(fixture.alice()).await.consent().unwrap();
    let answer = Answer(consent.approve_scope(&Scope::parse("read admin").unwrap()).await);
    let code = answer.location_parameter("code").unwrap();
    let tokens = fixture.redeem("conf", &code).await;
    assert_eq!(tokens.text("scope"), "read");
    let again = fixture.refresh("conf", &tokens.refresh_token()).await;
    assert_eq!(again.text("scope"), "read");
    let token = tokens.refresh_token();
    let wider = [("grant_type", "refresh_token"), ("refresh_token", &token), ("scope", "read write")];
    assert_eq!(fixture.token("conf", &wider).await.error(), (400, "invalid_scope".to_owned()));
}

#[tokio::test]
async fn tk_05_a_code_of_another_client_stays_good() {
    let fixture = Fixture::new();
    let code = fixture.code("conf", "read").await;
    for thief in ["other", "pub", "post"] {
        assert_eq!(fixture.redeem(thief, &code).await.error(), (400, "invalid_grant".to_owned()));
        assert_eq!(fixture.log.last_reason(), Some(Reason::CodeForAnotherClient));
    }
    assert_eq!(fixture.redeem("conf", &code).await.status(), 200);
}

#[tokio::test]
async fn tk_06_the_redirect_uri_must_be_that_of_the_authorization_request() {
    let fixture = Fixture::new();
    let code = fixture.code("conf", "read").await;
    for bad in ["", "https://app.example/cb/", "https://app.example/CB", "https://app.example/cb?", "x"] {
        let answer = fixture.token("conf", &with(&redemption(&code), "redirect_uri", bad)).await;
        assert_eq!(answer.error(), (400, "invalid_grant".to_owned()), "{bad}");
        assert_eq!(fixture.log.last_reason(), Some(Reason::RedirectUriMismatch));
    }
    assert_eq!(fixture.redeem("conf", &code).await.status(), 200);
}

#[tokio::test]
async fn tk_06_a_redirect_uri_that_was_not_sent_need_not_be_sent_again() {
    let fixture = Fixture::new();
    let answer = fixture.approve(&with(&code_query("conf", "read"), "redirect_uri", "")).await;
    assert!(answer.location().starts_with(CALLBACK));
    let code = answer.location_parameter("code").unwrap();
    let form = with(&redemption(&code), "redirect_uri", "");
    assert_eq!(fixture.token("conf", &form).await.status(), 200);
}

#[tokio::test]
async fn tk_06_of_a_loopback_address_the_port_that_was_asked_for_counts() {
    let fixture = Fixture::new();
    let asked = "http://127.0.0.1:51004/cb";
    let answer = fixture.approve(&with(&code_query("pub", "read"), "redirect_uri", asked)).await;
    let code = answer.location_parameter("code").unwrap();
    let other_port = with(&redemption(&code), "redirect_uri", "http://127.0.0.1:51005/cb");
    assert_eq!(fixture.token("pub", &other_port).await.error().1, "invalid_grant");
    let same_port = with(&redemption(&code), "redirect_uri", asked);
    assert_eq!(fixture.token("pub", &same_port).await.status(), 200);
}

#[tokio::test]
async fn tk_07_a_code_works_once() {
    let fixture = Fixture::new();
    let code = fixture.code("conf", "read").await;
    assert_eq!(fixture.redeem("conf", &code).await.status(), 200);
    for _ in 0..2 {
        assert_eq!(fixture.redeem("conf", &code).await.error(), (400, "invalid_grant".to_owned()));
    }
}

#[tokio::test]
async fn tk_07_a_code_is_over_when_its_minute_is() {
    let fixture = Fixture::new();
    let (early, late) = (fixture.code("conf", "read").await, fixture.code("conf", "read").await);
    fixture.clock.advance(Duration::from_secs(59));
    assert_eq!(fixture.redeem("conf", &early).await.status(), 200);
    fixture.clock.advance(Duration::from_secs(1));
    assert_eq!(fixture.redeem("conf", &late).await.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(fixture.log.last_reason(), Some(Reason::CodeExpired));
}

#[tokio::test]
async fn tk_08_a_replay_of_the_client_itself_ends_all_that_was_issued() {
    let fixture = Fixture::new();
    let code = fixture.code("conf", "read").await;
    let tokens = fixture.redeem("conf", &code).await;
    let refreshed = fixture.refresh("conf", &tokens.refresh_token()).await;
    assert_eq!(fixture.redeem("conf", &code).await.error().1, "invalid_grant");
    assert_eq!(fixture.log.last_reason(), Some(Reason::CodeReplayed));
    assert!(!fixture.is_live(&tokens.access_token()).await);
    assert!(!fixture.is_live(&refreshed.access_token()).await);
    assert_eq!(fixture.refresh("conf", &tokens.refresh_token()).await.error().1, "invalid_grant");
}

#[tokio::test]
async fn d_02_a_replay_that_proves_nothing_ends_nothing() {
    let fixture = Fixture::new();
    let code = fixture.code("conf", "read").await;
    let tokens = fixture.redeem("conf", &code).await;
    let good = redemption(&code);
    let wrong_verifier = with(&good, "code_verifier", VERIFIER_OF_ANOTHER);
    let wrong_secret = Request::post_form(encode(&good)).header("authorization", basic("conf", "x"));
    for request in [
        request("conf", &wrong_verifier),
        request("conf", &with(&good, "code_verifier", "")),
        request("conf", &with(&good, "redirect_uri", "https://x.example/")),
        request("conf", &with(&good, "code", &another(&code))),
        request("other", &good),
        request("pub", &good),
        wrong_secret,
    ] {
        let error = Answer(fixture.server.token(&request).await).error().1;
        assert!(["invalid_grant", "invalid_client"].contains(&error.as_str()), "{error}");
    }
    assert!(fixture.is_live(&tokens.access_token()).await);
    assert_eq!(fixture.refresh("conf", &tokens.refresh_token()).await.status(), 200);
    // The other side: a replay that proves all of it ends the grant.
    fixture.redeem("conf", &code).await;
    assert!(!fixture.is_live(&tokens.access_token()).await);
}

const VERIFIER_OF_ANOTHER: &str = "aBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

#[tokio::test]
async fn tk_09_the_verifier_must_be_the_one_of_the_challenge() {
    let fixture = Fixture::new();
    let code = fixture.code("pub", "read").await;
    let other = with(&redemption(&code), "code_verifier", VERIFIER_OF_ANOTHER);
    assert_eq!(fixture.token("pub", &other).await.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(fixture.log.last_reason(), Some(Reason::VerifierMismatch));
    // The vector of RFC 7636 appendix B.
    assert_eq!(fixture.redeem("pub", &code).await.status(), 200);
}

#[tokio::test]
async fn tk_10_a_verifier_has_43_to_128_unreserved_characters() {
    let fixture = Fixture::new();
    let code = fixture.code("pub", "read").await;
    let odd = |c: char| format!("{}{c}", &VERIFIER[1..]);
    for bad in ["a".repeat(42), "a".repeat(129), odd('='), odd('/'), odd('\0'), odd('é'), odd(' ')] {
        let answer = fixture.token("pub", &with(&redemption(&code), "code_verifier", &bad)).await;
        assert_eq!(answer.error(), (400, "invalid_grant".to_owned()), "{bad:?}");
        assert_eq!(fixture.log.last_reason(), Some(Reason::VerifierMalformed), "{bad:?}");
    }
    assert_eq!(fixture.redeem("pub", &code).await.status(), 200);
}

#[tokio::test]
async fn tk_11_a_verifier_without_a_challenge_is_refused() {
    let fixture = Fixture::new();
    let plain: Vec<_> = code_query("legacy", "read");
    let plain: Vec<_> = plain.into_iter().filter(|(n, _)| !n.starts_with("code_challenge")).collect();
    let code = fixture.approve(&plain).await.location_parameter("code").unwrap();
    assert_eq!(fixture.redeem("legacy", &code).await.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(fixture.log.last_reason(), Some(Reason::VerifierUnexpected));
    let without = with(&redemption(&code), "code_verifier", "");
    assert_eq!(fixture.token("legacy", &without).await.status(), 200);
}

#[tokio::test]
async fn d_10_a_missing_verifier_is_an_invalid_grant() {
    let fixture = Fixture::new();
    let code = fixture.code("conf", "read").await;
    let without = with(&redemption(&code), "code_verifier", "");
    assert_eq!(fixture.token("conf", &without).await.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(fixture.log.last_reason(), Some(Reason::VerifierMissing));
    assert_eq!(fixture.redeem("conf", &code).await.status(), 200);
}

#[tokio::test]
async fn cc_01_only_a_confidential_client_may_use_client_credentials() {
    let fixture = Fixture::new();
    let form = [("grant_type", "client_credentials")];
    assert_eq!(fixture.token("robot", &form).await.status(), 200);
    for public in ["pub", "native"] {
        let error = fixture.token(public, &form).await.error();
        assert_eq!(error, (400, "unauthorized_client".to_owned()), "{public}");
    }
    let unproven = Request::post_form("grant_type=client_credentials&client_id=robot");
    let answer = Answer(fixture.server.token(&unproven).await);
    assert_eq!(answer.error(), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn cc_02_client_credentials_come_without_a_refresh_token() {
    let fixture = Fixture::new();
    let answer = fixture.token("conf", &[("grant_type", "client_credentials")]).await;
    assert_eq!(answer.text("scope"), "read write");
    assert!(answer.json().get("refresh_token").is_none());
}

#[tokio::test]
async fn cc_03_a_client_never_passes_as_the_user_whose_name_it_has() {
    let alice = grantor::Client::builder("alice")
        .grant_types([grantor::GrantType::ClientCredentials])
        .secret(SECRET)
        .build();
    let fixture = Fixture::with(|b| b.clients(grantor::MemoryRegistry::new(alice)));
    let answer = fixture.token("alice", &[("grant_type", "client_credentials"), ("scope", "read")]).await;
    let access = fixture.server.check(&answer.access_token()).await.unwrap();
    assert_eq!((access.user(), access.subject().id()), (None, "alice"));
    let seen = fixture.introspect("alice", &answer.access_token()).await;
    assert_eq!((seen.text("sub"), seen.text("sub_type")), ("alice".to_owned(), "client".to_owned()));
    assert!(fixture.server.grants_of(&grantor::Subject::user("alice")).await.unwrap().is_empty());
}
