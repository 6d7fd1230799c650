//! The authorization answer: state, `iss`, PKCE, scope, prompts and response modes.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::{
    Client, ClientMetadata, GrantType, LoginReason, LoginRequired, MemoryRegistry, Policy, Request, Scope,
    SignedIn, Subject,
};
use grantor::{OmittedScope, Resource};

use crate::support::{
    Answer, CALLBACK, CHALLENGE, Fixture, ISSUER, SECRET, VERIFIER, code_query, encode, redemption,
};

/// A valid request, except for these parameters; an empty value counts as none.
fn with<'a>(client: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut query = code_query(client, "read");
    query.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    query.extend(changes);
    query
}

fn error_of(answer: &Answer) -> Option<String> {
    answer.location_parameter("error")
}

/// The fields of a `form_post` page.
fn posted(answer: &Answer) -> Vec<(String, String)> {
    let html = String::from_utf8(answer.0.body.clone()).unwrap();
    let inputs = html.split("<input type=\"hidden\" name=\"").skip(1);
    let fields = inputs.map(|input| {
        let (name, rest) = input.split_once("\" value=\"").unwrap();
        (name.to_owned(), rest.split('"').next().unwrap().to_owned())
    });
    fields.collect()
}

#[tokio::test]
async fn az_14_an_omitted_scope_is_the_registered_one_or_an_error() {
    let fixture = Fixture::new();
    let code = fixture.approve(&with("conf", &[("scope", "")])).await.location_parameter("code").unwrap();
    assert_eq!(fixture.redeem("conf", &code).await.text("scope"), "read write");
    let code = fixture.approve(&with("other", &[("scope", "")])).await.location_parameter("code").unwrap();
    assert_eq!(
        fixture.redeem("other", &code).await.text("scope"),
        "read write admin",
        "all that the server knows"
    );

    let mut policy = Policy::default();
    policy.omitted_scope = OmittedScope::Refused;
    let strict = Fixture::with(|builder| builder.policy(policy));
    let refused = strict.approve(&with("conf", &[("scope", "")])).await;
    assert_eq!(error_of(&refused).as_deref(), Some("invalid_scope"));
    assert!(strict.approve(&with("conf", &[])).await.location_parameter("code").is_some());
}

#[tokio::test]
async fn a_choice_that_leaves_nothing_for_the_resource_is_a_denial() {
    let fixture = Fixture::with(|builder| builder.resource(Resource::new(ISSUER).scopes(["read"])));
    for (part, is_denied) in [("write", true), ("read", false)] {
        let answer = approve_part(&fixture, "read write", part).await;
        assert_eq!(error_of(&answer).is_some_and(|error| error == "access_denied"), is_denied, "{part}");
    }
}

async fn approve_part(fixture: &Fixture, asked: &str, part: &str) -> Answer {
    let ask =
        fixture.server.authorize(&Request::get(encode(&with("conf", &[("scope", asked)])))).await.unwrap();
    let consent = ask.signed_in(fixture.alice()).await.consent().unwrap();
    Answer(consent.approve_scope(&Scope::parse(part).unwrap()).await)
}

#[tokio::test]
async fn az_15_a_scope_that_differs_from_the_asked_one_is_told() {
    let fixture = Fixture::new();
    for (asked, part, granted) in [
        ("read write", "read", "read"),
        ("read", "read write admin", "read"),
        ("read write", "write read", "read write"),
    ] {
        let code = approve_part(&fixture, asked, part).await.location_parameter("code").unwrap();
        let tokens = fixture.redeem("conf", &code).await;
        assert_eq!(tokens.text("scope"), granted);
        let seen = fixture.introspect("conf", &tokens.access_token()).await;
        assert_eq!(seen.text("scope"), granted);
    }
}

#[tokio::test]
async fn az_15_yes_to_nothing_is_no() {
    let fixture = Fixture::new();
    for part in ["", "admin"] {
        let answer = approve_part(&fixture, "read write", part).await;
        assert_eq!(error_of(&answer).as_deref(), Some("access_denied"), "{part:?}");
    }
    assert!(fixture.store.is_empty());
}

#[tokio::test]
async fn az_15_nobody_grants_what_a_client_may_not_have() {
    let fixture = Fixture::new();
    for scope in ["admin", "read admin", "unknown", "read unknown"] {
        let answer = fixture.approve(&with("conf", &[("scope", scope)])).await;
        assert_eq!(error_of(&answer).as_deref(), Some("invalid_scope"), "{scope}");
    }
}

#[tokio::test]
async fn az_16_the_state_comes_back_as_it_was() {
    let fixture = Fixture::new();
    let long = "s".repeat(4 * 1024);
    let states = [
        "x",
        "a b",
        "a+b",
        "a%20b",
        "%",
        "%%41",
        "é🔑\u{202E}\u{FEFF}",
        "\"quoted\" 'too' \\ <b>&amp;</b>",
        "a=b&code=evil&iss=evil#f",
        "\r\n\t\0",
        "eyJhIjoxfQ==.-_~",
        " leading and trailing ",
        long.as_str(),
    ];
    for state in states {
        for (scope, error) in [("read", None), ("unknown", Some("invalid_scope"))] {
            for mode in ["query", "fragment"] {
                let query = with("conf", &[("state", state), ("scope", scope), ("response_mode", mode)]);
                let answer = fixture.approve(&query).await;
                assert_eq!(answer.location_parameter("state").as_deref(), Some(state), "{state:?}");
                assert_eq!(error_of(&answer).as_deref(), error);
                assert_eq!(
                    answer.location_parameter("iss").as_deref(),
                    Some("https://as.example"),
                    "not evil"
                );
            }
        }
    }
    // Both spellings of a space are one.
    for spelling in ["a+b", "a%20b"] {
        let query = encode(&with("conf", &[("state", "STATE")])).replace("STATE", spelling);
        let ask = fixture.server.authorize(&Request::get(query)).await.unwrap();
        let denied = Answer(ask.signed_in(fixture.alice()).await.consent().unwrap().deny().await);
        assert_eq!(denied.location_parameter("state").as_deref(), Some("a b"));
    }
}

#[tokio::test]
async fn az_16_no_state_comes_back_if_none_was_sent() {
    let fixture = Fixture::new();
    for scope in ["read", "unknown"] {
        let mut query = with("conf", &[("scope", scope)]);
        query.retain(|(name, _)| *name != "state");
        assert_eq!(fixture.approve(&query).await.location_parameter("state"), None);
        query.push(("response_mode", "form_post"));
        assert!(posted(&fixture.approve(&query).await).iter().all(|(name, _)| name != "state"));
    }
}

#[tokio::test]
async fn az_17_every_answer_names_its_issuer() {
    let fixture = Fixture::legacy();
    let metadata = Answer(fixture.server.metadata()).json();
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    let issuer = metadata["issuer"].as_str().unwrap();
    for (response_type, modes) in
        [("code", &["query", "fragment", "form_post"][..]), ("token", &["fragment", "form_post"])]
    {
        for mode in modes {
            for scope in ["read", "unknown"] {
                let query = with(
                    "legacy",
                    &[("response_mode", mode), ("response_type", response_type), ("scope", scope)],
                );
                let answer = fixture.approve(&query).await;
                let found: Vec<String> = match *mode {
                    "form_post" => posted(&answer)
                        .into_iter()
                        .filter(|(n, _)| n == "iss")
                        .map(|(_, value)| value)
                        .collect(),
                    _ => answer.location_parameter("iss").into_iter().collect(),
                };
                assert_eq!(found, [issuer], "{response_type} {mode} {scope}");
                let separator = if *mode == "fragment" { '#' } else { '?' };
                assert!(*mode == "form_post" || answer.location()[CALLBACK.len()..].starts_with(separator));
            }
        }
    }
    let ask = fixture.server.authorize(&Request::get(encode(&with("conf", &[])))).await.unwrap();
    let denied = Answer(ask.signed_in(fixture.alice()).await.consent().unwrap().deny().await);
    assert_eq!(error_of(&denied).as_deref(), Some("access_denied"));
    assert_eq!(denied.location_parameter("iss").as_deref(), Some(issuer));
}

#[tokio::test]
async fn az_18_a_code_is_good_for_a_minute() {
    for (seconds, status) in [(0, 200), (59, 200), (60, 400), (61, 400), (3600, 400)] {
        let fixture = Fixture::new();
        let code = fixture.code("conf", "read").await;
        fixture.clock.advance(Duration::from_secs(seconds));
        let answer = fixture.redeem("conf", &code).await;
        assert_eq!(answer.status(), status, "after {seconds} s");
        assert!(status == 200 || answer.error().1 == "invalid_grant");
    }
}

#[tokio::test]
async fn az_19_a_code_is_bound_to_its_challenge_and_does_not_show_it() {
    let fixture = Fixture::new();
    let answer = fixture.approve(&with("conf", &[])).await;
    let code = answer.location_parameter("code").unwrap();
    let digest = URL_SAFE_NO_PAD.decode(CHALLENGE).unwrap();
    assert!(!answer.location().contains(CHALLENGE) && !answer.location().contains("code_challenge"));
    assert!(fixture.log.texts().iter().all(|text| !text.contains(CHALLENGE) && !text.contains(VERIFIER)));
    let handle = URL_SAFE_NO_PAD.decode(&code[4..]).unwrap();
    assert!(digest.windows(8).all(|part| handle.windows(8).all(|window| window != part)));

    let mut form = redemption(&code);
    let (short, upper) = ("a".repeat(43), VERIFIER.to_uppercase());
    for other in [short.as_str(), CHALLENGE, &upper] {
        form[3].1 = other;
        assert_eq!(fixture.token("conf", &form).await.error(), (400, "invalid_grant".to_owned()));
    }
    assert_eq!(fixture.redeem("conf", &code).await.status(), 200, "a wrong verifier does not spend the code");
}

#[tokio::test]
async fn az_20_pkce_is_required_and_s256_is_the_only_method() {
    let fixture = Fixture::new();
    let short = &CHALLENGE[1..];
    for changes in [
        &[("code_challenge", ""), ("code_challenge_method", "")][..],
        &[("code_challenge", "")],
        &[("code_challenge_method", "")],
        &[("code_challenge_method", "plain")],
        &[("code_challenge_method", "s256")],
        &[("code_challenge_method", "S512")],
        &[("code_challenge", short)],
        &[("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM")],
        &[("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=")],
        &[("code_challenge", VERIFIER), ("code_challenge_method", "plain")],
    ] {
        let answer = fixture.approve(&with("conf", changes)).await;
        assert_eq!(error_of(&answer).as_deref(), Some("invalid_request"), "{changes:?}");
        let why = answer.location_parameter("error_description").unwrap();
        assert!(why.contains("code_challenge"), "{why}");
    }
}

#[tokio::test]
async fn az_21_pkce_is_for_public_clients_and_enforced_for_all_who_use_it() {
    let fixture = Fixture::legacy();
    let none = [("code_challenge", ""), ("code_challenge_method", "")];
    assert_eq!(error_of(&fixture.approve(&with("pub", &none)).await).as_deref(), Some("invalid_request"));

    let without =
        fixture.approve(&with("legacy", &none)).await.location_parameter("code").expect("an opt-out");
    let mut form = redemption(&without);
    assert_eq!(
        fixture.token("legacy", &form).await.error().1,
        "invalid_grant",
        "a verifier without a challenge"
    );
    form.retain(|(name, _)| *name != "code_verifier");
    assert_eq!(fixture.token("legacy", &form).await.status(), 200);

    let challenged = fixture.approve(&with("legacy", &[])).await.location_parameter("code").unwrap();
    let mut form = redemption(&challenged);
    form.retain(|(name, _)| *name != "code_verifier");
    assert_eq!(fixture.token("legacy", &form).await.error().1, "invalid_grant", "no verifier");
    assert_eq!(fixture.redeem("legacy", &challenged).await.status(), 200);
}

#[tokio::test]
async fn az_22_s256_is_implemented_and_advertised() {
    let fixture = Fixture::new();
    let metadata = Answer(fixture.server.metadata()).json();
    assert_eq!(metadata["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(fixture.tokens("pub", "read").await.status(), 200, "the vector of RFC 7636 appendix B");
}

#[tokio::test]
async fn d_09_a_confidential_client_needs_pkce_unless_it_opts_out() {
    let fixture = Fixture::new();
    let none = [("code_challenge", ""), ("code_challenge_method", "")];
    assert_eq!(error_of(&fixture.approve(&with("conf", &none)).await).as_deref(), Some("invalid_request"));
    assert!(fixture.approve(&with("legacy", &none)).await.location_parameter("code").is_some());
}

#[tokio::test]
async fn az_24_a_client_whose_id_is_a_users_is_not_that_user() {
    let alice = Client::builder("alice")
        .redirect_uri(CALLBACK)
        .grant_types([GrantType::AuthorizationCode, GrantType::ClientCredentials])
        .secret(SECRET)
        .build();
    let registry = std::sync::Arc::new(MemoryRegistry::new([alice.unwrap()]));
    let fixture = Fixture::with(|builder| builder.clients(registry.clone()).registrar(registry.clone()));
    let own = fixture.token("alice", &[("grant_type", "client_credentials")]).await.access_token();
    let users = fixture.tokens("alice", "read").await.access_token();
    let own_access = fixture.server.check(&own).await.unwrap();
    let users_access = fixture.server.check(&users).await.unwrap();
    assert_eq!((own_access.user(), users_access.user()), (None, Some("alice")));
    assert_ne!(own_access.subject(), users_access.subject());
    for (token, kind) in [(&own, "client"), (&users, "user")] {
        let seen = fixture.introspect("alice", token).await.json();
        assert_eq!((seen["sub"].as_str(), seen["sub_type"].as_str()), (Some("alice"), Some(kind)));
    }
    assert_eq!(fixture.server.revoke_subject(&Subject::user("alice")).await.unwrap(), 1);
    assert!(fixture.is_live(&own).await && !fixture.is_live(&users).await);

    let chosen = Client::builder("bob").redirect_uri(CALLBACK);
    let registered = fixture.server.register(chosen).await.unwrap();
    assert_ne!(registered.client.id().as_str(), "bob", "a registration does not choose its id");
}

fn answered(visit: LoginRequired) -> Answer {
    match visit {
        LoginRequired::Answered(response) => Answer(response),
        LoginRequired::ShowLogin(_) => panic!("an answer, and no login page"),
    }
}

#[tokio::test]
async fn az_28_prompt_none_shows_no_page() {
    let fixture = Fixture::new();
    let silent = Request::get(encode(&with("conf", &[("prompt", "none")])));
    let ask = fixture.server.authorize(&silent).await.unwrap();
    let answer = answered(ask.login_required().await);
    assert_eq!(error_of(&answer).as_deref(), Some("login_required"));
    assert_eq!(answer.location_parameter("state").as_deref(), Some("the state"));

    let consent =
        fixture.server.authorize(&silent).await.unwrap().signed_in(fixture.alice()).await.consent().unwrap();
    assert!(consent.prompt_none());
    assert_eq!(error_of(&Answer(consent.consent_required().await)).as_deref(), Some("consent_required"));

    let stale = Request::get(encode(&with("conf", &[("prompt", "none"), ("max_age", "0")])));
    let login = fixture.alice();
    fixture.clock.advance(Duration::from_secs(61));
    match fixture.server.authorize(&stale).await.unwrap().signed_in(login).await {
        SignedIn::Answered(response) => {
            assert_eq!(error_of(&Answer(response)).as_deref(), Some("login_required"))
        }
        other => panic!("{other:?}"),
    }
    for mixed in ["none login", "login none", "none none"] {
        let answer = fixture.approve(&with("conf", &[("prompt", mixed)])).await;
        assert_eq!(error_of(&answer).as_deref(), Some("invalid_request"), "{mixed}");
    }
    let evil = with("conf", &[("prompt", "none"), ("redirect_uri", "https://evil.example/cb")]);
    assert!(
        fixture.server.authorize(&Request::get(encode(&evil))).await.is_err(),
        "never to an unproven address"
    );
}

#[tokio::test]
async fn az_29_an_old_login_is_not_good_enough_for_max_age() {
    let fixture = Fixture::new();
    let login = fixture.alice();
    fixture.clock.advance(Duration::from_secs(600));
    for (max_age, again) in [("0", true), ("599", true), ("600", false), ("4294967295", false)] {
        let request = Request::get(encode(&with("conf", &[("max_age", max_age)])));
        let signed_in = fixture.server.authorize(&request).await.unwrap().signed_in(login.clone()).await;
        match signed_in {
            SignedIn::Reauthenticate(login) => {
                assert!(again, "{max_age}");
                assert_eq!(login.because(), LoginReason::Stale);
            }
            SignedIn::Consent(_) => assert!(!again, "{max_age}"),
            SignedIn::Answered(_) => panic!("{max_age}"),
        }
    }
    let fresh = fixture.approve(&with("conf", &[("max_age", "0")])).await;
    assert!(fresh.location_parameter("code").is_some(), "who just signed in is not sent back");
    for bad in ["-1", "+5", "x", "1.5", "99999999999", " 1"] {
        let answer = fixture.approve(&with("conf", &[("max_age", bad)])).await;
        assert_eq!(error_of(&answer).as_deref(), Some("invalid_request"), "{bad}");
    }
}

#[tokio::test]
async fn az_29_an_authentication_class_is_met_or_refused_and_then_told() {
    let fixture = Fixture::new();
    let answer = fixture.approve(&with("conf", &[("acr_values", "urn:mfa")])).await;
    assert_eq!(error_of(&answer).as_deref(), Some("unmet_authentication_requirements"));

    let request = Request::get(encode(&with("conf", &[("acr_values", "urn:x urn:mfa")])));
    let login = fixture.alice().with_acr("urn:mfa");
    let signed_in_at = login.authentication().auth_time;
    let consent = fixture.server.authorize(&request).await.unwrap().signed_in(login).await.consent().unwrap();
    let code = Answer(consent.approve().await).location_parameter("code").unwrap();
    fixture.clock.advance(Duration::from_secs(30));
    let tokens = fixture.redeem("conf", &code).await;
    let seen = fixture.introspect("conf", &tokens.access_token()).await.json();
    assert_eq!(seen["acr"], "urn:mfa");
    assert_eq!(seen["auth_time"], signed_in_at.timestamp());
}

#[tokio::test]
async fn az_30_only_registered_response_modes_are_used() {
    let metadata: ClientMetadata = serde_json::from_value(serde_json::json!({
        "redirect_uris": [CALLBACK],
        "response_modes": ["query"],
    }))
    .unwrap();
    let client = Client::builder("app").metadata(metadata).secret(SECRET).build().unwrap();
    let fixture = Fixture::with(|builder| builder.clients(MemoryRegistry::new([client])));
    assert!(
        fixture
            .approve(&with("app", &[("response_mode", "query")]))
            .await
            .location_parameter("code")
            .is_some()
    );
    assert!(fixture.approve(&with("app", &[])).await.location_parameter("code").is_some());
    for mode in ["fragment", "form_post"] {
        let answer = fixture.approve(&with("app", &[("response_mode", mode)])).await;
        assert_eq!(error_of(&answer).as_deref(), Some("invalid_request"), "{mode}");
        assert!(answer.location()[CALLBACK.len()..].starts_with('?'), "nor does the error travel by it");
    }

    let legacy = Fixture::legacy();
    for (response_type, mode) in
        [("code", "web_message"), ("code", "Query"), ("token", "query"), ("token", "jwt")]
    {
        let query = with("legacy", &[("response_type", response_type), ("response_mode", mode)]);
        let answer = legacy.approve(&query).await;
        assert_eq!(error_of(&answer).as_deref(), Some("invalid_request"), "{response_type} {mode}");
        assert!(response_type == "code" || answer.location().contains('#'), "no token in a query");
    }
    assert!(legacy.store.is_empty());
}

#[tokio::test]
async fn az_31_long_nonces_and_states_are_accepted() {
    let fixture = Fixture::new();
    let (nonce, state) = ("n".repeat(64), "s".repeat(2000));
    let answer = fixture.approve(&with("conf", &[("nonce", &nonce), ("state", &state)])).await;
    assert_eq!(answer.location_parameter("state"), Some(state));
    assert!(answer.location_parameter("code").is_some());
}
