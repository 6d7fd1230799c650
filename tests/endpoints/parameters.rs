//! Parameters at every endpoint: unknown, empty, repeated and wrongly encoded ones.

use grantor::{OmittedScope, Policy, Request};

use crate::support::http::{post_as, send};
use crate::support::{Answer, Fixture, SECRET, basic, code_query, encode, redemption, request};

fn fixture() -> Fixture {
    Fixture::with(|builder| builder.device_verification("/device"))
}

#[tokio::test]
async fn h_01_unknown_parameters_are_ignored() {
    let fixture = fixture();
    let mut query = code_query("conf", "read");
    query.extend([("foo", "bar"), ("nonce", "n-1"), ("ui_locales", "fr")]);
    let code = fixture.approve(&query).await.location_parameter("code").expect("a code");
    let mut form = redemption(&code);
    form.push(("foo", "bar"));
    let tokens = fixture.token("conf", &form).await;
    assert_eq!(tokens.status(), 200);

    let (access, refresh) = (tokens.access_token(), tokens.refresh_token());
    let again = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str()), ("foo", "bar")];
    assert_eq!(fixture.token("conf", &again).await.status(), 200);
    let asked = request("conf", &[("token", &access), ("foo", "bar"), ("token_type_hint", "banana")]);
    assert_eq!(Answer(fixture.server.introspect(&asked).await).json()["active"], true);
    assert_eq!(fixture.server.revoke(&asked).await.status, 200);
    assert!(!fixture.is_live(&access).await);
    assert_eq!(fixture.begin("tv", &[("scope", "read"), ("foo", "bar")]).await.status(), 200);
}

#[tokio::test]
async fn h_02_a_parameter_without_a_value_is_absent() {
    let fixture = fixture();
    let mut query = code_query("conf", "");
    query.retain(|(name, _)| *name != "state");
    query.extend([("state", ""), ("response_mode", ""), ("prompt", ""), ("max_age", ""), ("acr_values", "")]);
    let answer = fixture.approve(&query).await;
    assert_eq!(answer.location_parameter("state"), None);
    let code = answer.location_parameter("code").expect("a code");
    let tokens = fixture.redeem("conf", &code).await;
    assert_eq!(tokens.text("scope"), "read write", "the registered scope");

    let (status, error) = fixture.token("conf", &[("grant_type", "")]).await.error();
    assert_eq!((status, error.as_str()), (400, "invalid_request"));
    let mut without_code = redemption("");
    without_code[1].1 = "";
    assert_eq!(fixture.token("conf", &without_code).await.error().1, "invalid_request");
    let waits = fixture.begin("conf", &[("scope", ""), ("resource", "")]).await;
    let consent = fixture.enter(&waits.text("user_code"), "browser").await.unwrap();
    assert_eq!(consent.scope().as_str(), "read write", "the registered scope");

    let strict = Fixture::with(|builder| {
        let mut policy = Policy::default();
        policy.omitted_scope = OmittedScope::Refused;
        builder.policy(policy)
    });
    let refused = strict.token("conf", &[("grant_type", "client_credentials"), ("scope", "")]).await;
    assert_eq!(refused.error(), (400, "invalid_scope".to_owned()));
}

#[tokio::test]
async fn h_03_no_parameter_of_a_form_stands_twice() {
    let fixture = Fixture::legacy();
    let live = fixture.tokens("conf", "read").await;
    let (access, refresh) = (live.access_token(), live.refresh_token());
    let code = fixture.code("conf", "read").await;
    let code_form = redemption(&code);
    let refresh_form =
        [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str()), ("scope", "read")];
    let forms: [&[(&str, &str)]; 5] = [
        &code_form,
        &refresh_form,
        &[("grant_type", "client_credentials"), ("scope", "read")],
        &[("grant_type", "password"), ("username", "alice"), ("password", "wonderland")],
        &[("grant_type", "client_credentials"), ("client_id", "conf"), ("foo", "bar")],
    ];
    for form in forms {
        for twice in form {
            for other in [twice.1, "other", ""] {
                let mut form = form.to_vec();
                form.push((twice.0, other));
                let answer = fixture.token("conf", &form).await;
                assert_eq!(answer.error(), (400, "invalid_request".to_owned()), "{twice:?} twice");
            }
        }
    }
    let token = [("token", access.as_str()), ("token", access.as_str())];
    assert_eq!(fixture.server.revoke(&request("conf", &token)).await.status, 400);
    assert_eq!(fixture.server.introspect(&request("conf", &token)).await.status, 400);
    let hints = [("token", access.as_str()), ("token_type_hint", "a"), ("token_type_hint", "a")];
    assert_eq!(fixture.server.revoke(&request("conf", &hints)).await.status, 400);

    for repeated in [[("scope", "read"), ("scope", "read")], [("foo", "bar"), ("foo", "")]] {
        let answer = self::fixture().begin("conf", &repeated).await;
        assert_eq!(answer.error(), (400, "invalid_request".to_owned()), "{repeated:?}");
    }

    assert!(fixture.is_live(&access).await, "nothing was revoked");
    assert_eq!(fixture.redeem("conf", &code).await.status(), 200, "the code is still good");
}

#[tokio::test]
async fn h_03_no_parameter_of_an_authorization_request_stands_twice() {
    let fixture = fixture();
    let query = code_query("conf", "read");
    for name in ["client_id", "redirect_uri"] {
        for value in [query.iter().find(|(n, _)| *n == name).unwrap().1, "other", ""] {
            let mut query = query.clone();
            query.push((name, value));
            let page = fixture.server.authorize(&Request::get(encode(&query))).await.expect_err(name);
            assert_eq!((page.status(), page.code()), (400, "invalid_request"), "{name}={value}");
        }
    }
    for name in ["response_type", "scope", "state", "code_challenge", "code_challenge_method", "foo"] {
        let mut query = query.clone();
        query.extend([(name, "one"), (name, "two")]);
        let answer = fixture.approve(&query).await;
        assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_request"), "{name}");
        let state = answer.location_parameter("state");
        assert_eq!(state.as_deref(), if name == "state" { None } else { Some("the state") });
    }
}

#[tokio::test]
async fn h_05_names_and_values_are_utf_8_in_form_encoding() {
    let fixture = fixture();
    let query = encode(&code_query("conf", "read")).replace("the+state", "%C3%A9%F0%9F%94%91%20a+b%2B");
    let ask = fixture.server.authorize(&Request::get(query)).await.expect("an address");
    let answer = Answer(ask.signed_in(fixture.alice()).await.consent().expect("a consent").approve().await);
    assert_eq!(answer.location_parameter("state").as_deref(), Some("é🔑 a b+"));

    for broken in ["%FF", "%", "%4", "%ZZ", "%C3", "%C0%AF", "%ED%A0%80", "\u{FFFD}%80"] {
        let query = encode(&code_query("conf", "read"));
        for bad in [format!("{query}&x={broken}"), format!("{query}&{broken}=x")] {
            let page = fixture.server.authorize(&Request::get(bad)).await.expect_err(broken);
            assert_eq!((page.status(), page.code()), (400, "invalid_request"), "{broken}");
        }
        let body = format!("grant_type=client_credentials&scope={broken}");
        let reply = send(&fixture.server, post_as("/token", &basic("conf", SECRET), body)).await;
        assert_eq!(
            (reply.status, reply.json()["error"].as_str()),
            (400, Some("invalid_request")),
            "{broken}"
        );
    }
    let raw = [b"grant_type=client_credentials&scope=".as_slice(), &[0xFF]].concat();
    assert_eq!(send(&fixture.server, post_as("/token", &basic("conf", SECRET), raw)).await.status, 400);
}

#[tokio::test]
async fn d_07_only_resource_and_audience_may_repeat() {
    let fixture = fixture();
    let repeated = [("resource", "https://rs1.example"), ("resource", "https://rs2.example")];
    let audiences = [("audience", "a"), ("audience", "b")];
    let mut query = code_query("conf", "read");
    query.extend(repeated.iter().chain(&audiences));
    let code = fixture.approve(&query).await.location_parameter("code").expect("a code");
    let mut form = redemption(&code);
    form.extend(repeated.iter().chain(&audiences));
    assert_eq!(fixture.token("conf", &form).await.status(), 200);
    form.extend([("resources", "a"), ("resources", "a")]);
    assert_eq!(fixture.token("conf", &form).await.error().1, "invalid_request");
}
