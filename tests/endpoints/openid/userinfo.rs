//! The UserInfo endpoint (OpenID Connect Core sections 5.3 and 5.4).

use std::time::Duration;

use grantor::http::Method;
use grantor::openid::ClaimsTo;
use grantor::resource::{Guard, Requirement};
use grantor::{AccessTokens, ClientMetadata, MemoryStore, Reason, Request, Resource};
use serde_json::json;

use crate::support::certificates::Identity;
use crate::support::http::{bare, send};
use crate::support::provider::{Provider, alice, client};
use crate::support::proving::{Prover, TOKEN, call_with, dpop, hash, with_nonces};
use crate::support::{Answer, ISSUER, redemption, request};

fn with_token(method: Method, token: &str) -> Request {
    Request::new(method).header("authorization", format!("Bearer {token}"))
}

#[tokio::test]
async fn oi_49_get_and_post_take_the_token_in_the_header_or_in_a_form_and_never_in_the_query() {
    let provider = Provider::new();
    let token = provider.tokens("other", "openid email", &[]).await.access_token();
    let ask = async |request: Request| Answer(provider.fixture.server.userinfo(&request).await);
    let form = |token: &str| Request::post_form(format!("access_token={token}"));
    for request in [with_token(Method::Get, &token), with_token(Method::Post, &token), form(&token)] {
        let answer = ask(request).await;
        assert_eq!((answer.status(), &answer.json()["email"]), (200, &json!("alice@example.com")));
        assert_eq!(answer.0.header("content-type"), Some("application/json"));
        assert_eq!(answer.0.header("cache-control"), Some("no-store"));
    }
    assert_eq!(ask(Request::get(format!("access_token={token}"))).await.status(), 401);
    let twice = form(&token).header("authorization", format!("Bearer {token}"));
    assert_eq!(ask(twice).await.error(), (400, "invalid_request".to_owned()));
    let repeated = form(&format!("{token}&access_token={token}"));
    assert_eq!(ask(repeated).await.error(), (400, "invalid_request".to_owned()));
    let mut also_in_the_query = form(&token);
    also_in_the_query.query = Some(format!("access_token={token}"));
    assert_eq!(ask(also_in_the_query).await.error(), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn oi_50_what_does_not_pass_is_told_why_in_the_challenge() {
    let provider = Provider::new();
    let challenge = |answer: &Answer| answer.0.header("www-authenticate").unwrap().to_owned();
    let none = Answer(provider.fixture.server.userinfo(&Request::get("")).await);
    assert_eq!(none.status(), 401);
    assert_eq!(challenge(&none), "Bearer realm=\"userinfo\", scope=\"openid\"");
    let revoked = provider.tokens("other", "openid", &[]).await.access_token();
    provider.fixture.revoke("other", &revoked).await;
    let expired = provider.tokens("other", "openid", &[]).await.access_token();
    provider.fixture.clock.advance(Duration::from_secs(600));
    for token in [revoked.as_str(), expired.as_str(), "garbage"] {
        let answer = provider.userinfo(token).await;
        assert_eq!(answer.error(), (401, "invalid_token".to_owned()), "{token}");
        assert!(challenge(&answer).contains("error=\"invalid_token\""));
        assert!(!challenge(&answer).contains("resource_metadata"), "there is no such document");
    }
    let plain = provider.tokens("other", "read email", &[]).await.access_token();
    let answer = provider.userinfo(&plain).await;
    assert_eq!(answer.error(), (403, "insufficient_scope".to_owned()));
    assert!(challenge(&answer).contains("scope=\"openid\""));
    assert!(provider.fixture.log.texts().last().unwrap().starts_with("userinfo: Refused"));
}

#[tokio::test]
async fn oi_51_sub_is_that_of_the_id_token() {
    let provider = Provider::new();
    let answer = provider.tokens("other", "openid", &[]).await;
    let seen = provider.userinfo(&answer.access_token()).await.json();
    assert_eq!(seen["sub"], provider.id_token(&answer).await["sub"]);
}

#[tokio::test]
async fn oi_52_each_scope_gives_its_claims_and_no_other() {
    let provider = Provider::new();
    for (scope, names) in [
        ("openid", vec![]),
        ("openid email", vec!["email", "email_verified"]),
        ("openid address", vec!["address"]),
        ("openid phone", vec!["phone_number", "phone_number_verified"]),
        (
            "openid profile",
            vec![
                "name",
                "family_name",
                "given_name",
                "middle_name",
                "nickname",
                "preferred_username",
                "profile",
                "picture",
                "website",
                "gender",
                "birthdate",
                "zoneinfo",
                "locale",
                "updated_at",
            ],
        ),
    ] {
        let token = provider.tokens("other", scope, &[]).await.access_token();
        let all = alice();
        let expected: serde_json::Map<_, _> =
            names.iter().map(|name| ((*name).to_owned(), all[*name].clone())).collect();
        assert_eq!(provider.claims(&token).await, json!(expected), "{scope}");
    }
}

#[tokio::test]
async fn oi_53_what_the_host_does_not_know_is_left_out() {
    let provider = Provider::new();
    provider.people.forget("phone_number");
    let token = provider.tokens("other", "openid phone", &[]).await.access_token();
    assert_eq!(provider.claims(&token).await, json!({ "phone_number_verified": false }));
}

#[tokio::test]
async fn oi_54_the_claims_parameter_adds_to_the_scopes() {
    let provider = Provider::new();
    let asked = r#"{"userinfo":{"name":{"essential":true},"nick":null,"email":null}}"#;
    let token = provider.tokens("other", "openid phone", &[("claims", asked)]).await.access_token();
    let claims = provider.claims(&token).await;
    assert_eq!((&claims["name"], &claims["phone_number"]), (&json!("Alice Liddell"), &json!("+44 1")));
    assert_eq!((&claims["email"], claims.get("nick")), (&json!("alice@example.com"), None));
    assert_eq!(claims.get("email_verified"), None);
}

#[tokio::test]
async fn oi_55_each_call_asks_the_host_for_what_the_user_granted() {
    let provider = Provider::new();
    let query = crate::support::encode(&crate::support::code_query("other", "openid email profile"));
    let ask = provider.fixture.server.authorize(&Request::get(query)).await.unwrap();
    let consent = ask.signed_in(provider.fixture.alice()).await.consent().unwrap();
    let part = grantor::Scope::parse("openid profile").unwrap();
    let code = Answer(consent.approve_scope(&part).await).location_parameter("code").unwrap();
    let answer = provider.fixture.redeem("other", &code).await;
    let token = answer.access_token();
    assert_eq!(provider.claims(&token).await.get("email"), None);
    provider.people.set(json!({ "name": "Alice Hargreaves" }));
    let claims = provider.claims(&token).await;
    assert_eq!((&claims["name"], claims.get("email")), (&json!("Alice Hargreaves"), None));
    assert!(
        provider
            .people
            .asked()
            .iter()
            .all(|(to, names)| { *to == ClaimsTo::UserInfo && !names.iter().any(|name| name == "email") })
    );
}

#[tokio::test]
async fn oi_56_a_user_who_is_blocked_and_users_who_cannot_be_asked_give_nothing() {
    let provider = Provider::new();
    let token = provider.tokens("other", "openid email", &[]).await.access_token();
    provider.people.goes_down(true);
    let answer = provider.userinfo(&token).await;
    assert_eq!(answer.error(), (503, "temporarily_unavailable".to_owned()));
    assert!(answer.0.header("retry-after").is_some());
    provider.people.goes_down(false);
    provider.fixture.users.blocked.lock().unwrap().push("alice".to_owned());
    let answer = provider.userinfo(&token).await;
    assert_eq!(answer.error(), (401, "invalid_token".to_owned()));
    assert_eq!(provider.fixture.log.last_reason(), Some(Reason::SubjectBlocked));
}

#[tokio::test]
async fn oi_59_a_token_for_another_resource_or_of_no_user_does_not_pass() {
    let provider = Provider::with(Vec::new(), |builder| {
        builder.resource(Resource::new("https://rs1.example")).audience(ISSUER)
    });
    let token =
        provider.tokens("other", "openid", &[("resource", "https://rs1.example")]).await.access_token();
    assert_eq!(provider.userinfo(&token).await.error(), (401, "invalid_token".to_owned()));
    assert_eq!(provider.fixture.log.last_reason(), Some(Reason::TokenAudienceWrong));
    let own = [("grant_type", "client_credentials"), ("scope", "openid")];
    let robot = provider.fixture.token("other", &own).await.access_token();
    let answer = provider.userinfo(&robot).await;
    assert_eq!(answer.error(), (401, "invalid_token".to_owned()), "no scope would help");
    assert_eq!(provider.fixture.log.last_reason(), Some(Reason::TokenWithoutUser));
}

#[tokio::test]
async fn oi_60_programs_of_any_origin_read_the_answer_and_no_cookie_goes_with_it() {
    let provider = Provider::new();
    let token = provider.tokens("other", "openid", &[]).await.access_token();
    let mut request = bare("GET", "/userinfo");
    request.headers_mut().insert("origin", "https://app.example".parse().unwrap());
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let reply = send(&provider.fixture.server, request).await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, Some("*")));
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    let mut preflight = bare("OPTIONS", "/userinfo");
    for (name, value) in [
        ("origin", "https://app.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization, dpop"),
    ] {
        preflight.headers_mut().insert(name, value.parse().unwrap());
    }
    let reply = send(&provider.fixture.server, preflight).await;
    let allowed = reply.header("access-control-allow-headers").unwrap();
    assert!(allowed.contains("authorization") && allowed.contains("dpop"), "{allowed}");
}

#[tokio::test]
async fn oi_61_a_token_dies_here_in_the_same_instant_as_at_a_guard() {
    for format in [AccessTokens::Opaque, AccessTokens::Jwt] {
        let provider = Provider::with(Vec::new(), |builder| builder.access_tokens(format));
        let guard = Guard::builder(ISSUER).local(provider.fixture.server.clone()).build().unwrap();
        let answer = provider.tokens("other", "openid email", &[]).await;
        let token = answer.access_token();
        let at_guard =
            async || guard.check(&with_token(Method::Get, &token), &Requirement::any()).await.is_ok();
        assert_eq!((at_guard().await, provider.userinfo(&token).await.status()), (true, 200));
        provider.fixture.revoke("other", &answer.refresh_token()).await;
        assert_eq!((at_guard().await, provider.userinfo(&token).await.status()), (false, 401));
    }
}

#[tokio::test]
async fn d_25_a_signed_token_for_the_servers_own_audience_passes() {
    let provider = Provider::with(Vec::new(), |builder| builder.access_tokens(AccessTokens::Jwt));
    let asked = r#"{"userinfo":{"shoe_size":null}}"#;
    let token = provider.tokens("other", "openid", &[("claims", asked)]).await.access_token();
    assert_eq!(provider.claims(&token).await, json!({ "shoe_size": 36 }));
}

#[tokio::test]
async fn d_25_so_does_one_for_the_endpoint_itself_where_that_is_a_resource() {
    const URL: &str = "https://as.example/userinfo";
    let provider =
        Provider::with(Vec::new(), |builder| builder.resource(Resource::new(URL)).audience(ISSUER));
    let token = provider.tokens("other", "openid phone", &[("resource", URL)]).await.access_token();
    assert_eq!(provider.claims(&token).await["phone_number"], "+44 1");
}

#[tokio::test]
async fn without_openid_connect_there_is_no_such_endpoint() {
    let fixture = crate::support::Fixture::new();
    assert_eq!(fixture.server.endpoint_at("/userinfo"), None);
    assert_eq!(Answer(fixture.server.userinfo(&Request::get("")).await).status(), 500);
}

#[tokio::test]
async fn oi_57_a_client_that_registered_an_algorithm_gets_a_signed_answer() {
    let signed = ["RS256", "ES256"].map(|name| client(name, json!({ "userinfo_signed_response_alg": name })));
    let provider = Provider::with(signed.into(), |builder| builder);
    for name in ["RS256", "ES256"] {
        let tokens = provider.tokens(name, "openid email", &[]).await;
        let answer = provider.userinfo(&tokens.access_token()).await;
        assert_eq!((answer.status(), answer.0.header("content-type")), (200, Some("application/jwt")));
        assert_eq!(answer.0.header("cache-control"), Some("no-store"));
        let text = String::from_utf8(answer.0.body.clone()).unwrap();
        let (header, claims) = provider.fixture.opened(&text).await;
        assert_eq!(header["alg"], name);
        let expected = json!({
            "iss": ISSUER, "aud": name, "sub": "alice", "email": "alice@example.com", "email_verified": true,
        });
        assert_eq!(claims, expected, "and no exp: it is no id_token");
    }
    let plain = provider.tokens("other", "openid", &[]).await;
    let answer = provider.userinfo(&plain.access_token()).await;
    assert_eq!(answer.0.header("content-type"), Some("application/json"));
    assert!(
        serde_json::from_value::<ClientMetadata>(json!({ "userinfo_signed_response_alg": "none" })).is_err()
    );
}

const USERINFO: &str = "https://as.example/userinfo";

#[tokio::test]
async fn oi_58_a_token_that_is_bound_to_a_key_works_with_a_proof_of_it_alone() {
    let (prover, thief) = (Prover::new(), Prover::new());
    let provider =
        Provider::with(Vec::new(), |builder| builder.replay_guard(MemoryStore::new()).dpop(with_nonces()));
    let fixture = &provider.fixture;
    let code = provider.code("other", "openid email", &[]).await;
    let told = fixture.token_by("other", &redemption(&code), &prover.for_token()).await;
    let nonce = told.0.header("dpop-nonce").expect("a nonce").to_owned();
    let proof = prover.proof("POST", TOKEN, json!({ "nonce": nonce }));
    let token = fixture.token_by("other", &redemption(&code), &proof).await.access_token();
    let ask = async |proof: &str| Answer(fixture.server.userinfo(&call_with(&token, proof)).await);
    let nonce_of = |answer: &Answer| answer.0.header("dpop-nonce").map(str::to_owned);

    let first = ask(&prover.proof("GET", USERINFO, json!({ "ath": hash(&token) }))).await;
    assert_eq!(first.error(), (401, "use_dpop_nonce".to_owned()));
    let own = nonce_of(&first).expect("the nonce of UserInfo");
    assert_eq!(own, nonce, "all endpoints of a server have the same");
    let good =
        |prover: &Prover| prover.proof("GET", USERINFO, json!({ "ath": hash(&token), "nonce": nonce }));
    for bad in [prover.proof("GET", USERINFO, json!({ "nonce": nonce })), good(&thief), String::new()] {
        assert_eq!(ask(&bad).await.status(), 401, "{bad}");
    }
    assert_eq!(
        provider.userinfo(&token).await.error(),
        (401, "invalid_token".to_owned()),
        "as a bearer token"
    );
    let answer = ask(&good(&prover)).await;
    assert_eq!((answer.status(), &answer.json()["email"]), (200, &json!("alice@example.com")));
    assert!(nonce_of(&answer).is_some(), "the nonce for the next proof");
    let free = provider.tokens("other", "openid", &[]).await.access_token();
    let free = provider.userinfo(&free).await;
    assert_eq!((free.status(), nonce_of(&free)), (200, None), "no proof, no nonce");
}

#[tokio::test]
async fn oi_58_a_proof_may_name_either_url_of_userinfo() {
    let prover = Prover::new();
    let provider = Provider::with(Vec::new(), |builder| {
        let builder = builder.replay_guard(MemoryStore::new()).dpop(dpop());
        builder.mtls_endpoint_aliases("https://mtls.as.example")
    });
    let server = &provider.fixture.server;
    let code = provider.code("other", "openid", &[]).await;
    let tokens = provider.fixture.token_by("other", &redemption(&code), &prover.for_token()).await;
    let token = tokens.access_token();
    let metadata = Answer(server.metadata()).json();
    let alias = metadata["mtls_endpoint_aliases"]["userinfo_endpoint"].as_str().expect("an alias");
    for (url, status) in [(USERINFO, 200), (alias, 200), ("https://mtls.as.example/token", 401)] {
        let proof = prover.proof("GET", url, json!({ "ath": hash(&token) }));
        assert_eq!(server.userinfo(&call_with(&token, &proof)).await.status, status, "{url}");
    }
}

#[tokio::test]
async fn oi_58_a_token_that_is_bound_to_a_certificate_works_over_such_a_connection_alone() {
    let (own, other) = (Identity::self_signed("own"), Identity::self_signed("other"));
    for format in [AccessTokens::Opaque, AccessTokens::Jwt] {
        let bound = client("bound", json!({ "tls_client_certificate_bound_access_tokens": true }));
        let provider = Provider::with(vec![bound], |builder| {
            builder.certificate_bound_access_tokens().access_tokens(format)
        });
        let code = provider.code("bound", "openid", &[]).await;
        let request = request("bound", &redemption(&code)).with_certificate(own.shown());
        let token = Answer(provider.fixture.server.token(&request).await).access_token();
        for (shown, status) in [(Some(&own), 200), (Some(&other), 401), (None, 401)] {
            for asked in
                [with_token(Method::Get, &token), Request::post_form(format!("access_token={token}"))]
            {
                let asked = match shown {
                    Some(identity) => asked.with_certificate(identity.shown()),
                    None => asked,
                };
                let answer = Answer(provider.fixture.server.userinfo(&asked).await);
                assert_eq!(answer.status(), status, "{}", answer.json());
            }
        }
    }
}
