//! What every secret and every hostile text shares: entropy, storage, logs, pages, limits.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use grantor::store::{Filter, Page, TokenStore};
use grantor::{Client, Entropy, MemoryRegistry, Profile, Request, SystemEntropy};
use serde_json::Value;

use crate::support::http::{bare, post_as, send};
use crate::support::{Answer, Fixture, SECRET, VERIFIER, basic, code_query, encode, redemption, request};

/// A server that has every kind of secret.
fn fixture() -> Fixture {
    Fixture::with(|builder| builder.device_verification("/device"))
}

/// The random bytes of a handle.
fn bytes(handle: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(&handle[4..]).expect("base64url")
}

#[tokio::test]
async fn h_15_a_handle_has_256_bits_that_nobody_can_guess() {
    let fixture = fixture();
    let code = fixture.code("conf", "read").await;
    let tokens = fixture.redeem("conf", &code).await;
    let device = fixture.waits().await.device;
    for handle in [code, tokens.access_token(), tokens.refresh_token(), device] {
        assert_eq!(bytes(&handle).len(), 16 + 32, "a name and a secret");
    }
}

#[tokio::test]
async fn h_15_ten_thousand_tokens_are_distinct_and_uniform() {
    const TOKENS: usize = 10_000;
    let fixture = fixture();
    let (mut names, mut secrets) = (HashSet::new(), HashSet::new());
    let mut histogram = vec![[0_u32; 256]; 48];
    for _ in 0..TOKENS {
        let answer = fixture.token("robot", &[("grant_type", "client_credentials")]).await;
        let bytes = bytes(&answer.access_token());
        bytes.iter().zip(&mut histogram).for_each(|(byte, counts)| counts[usize::from(*byte)] += 1);
        names.insert(bytes[..16].to_vec());
        secrets.insert(bytes[16..].to_vec());
    }
    assert_eq!((names.len(), secrets.len()), (TOKENS, TOKENS), "no two are alike");
    // 39 of each value are expected at each place; each of 12,288 counts is Poisson, so 0 and 100 never
    // happen.
    for (place, counts) in histogram.iter().enumerate() {
        assert!(counts.iter().all(|n| (5..100).contains(n)), "byte {place} is not uniform");
    }
    let total = |value: usize| histogram.iter().map(|counts| counts[value]).sum::<u32>();
    assert!((0..256).all(|value| (1_600..2_150).contains(&total(value))), "1,875 of each are expected");
}

#[test]
fn h_15_the_systems_entropy_does_not_repeat_itself() {
    let (entropy, mut seen) = (SystemEntropy::default(), HashSet::with_capacity(100_000));
    for _ in 0..100_000 {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        assert!(seen.insert(bytes));
    }
}

#[tokio::test]
async fn h_16_guessing_a_secret_is_slowed_down() {
    let fixture = fixture();
    let peer: IpAddr = "192.0.2.7".parse().unwrap();
    let ask = |id: &str, secret: &str| {
        let form = Request::post_form("grant_type=client_credentials&scope=read&token=x");
        form.header("authorization", basic(id, secret)).from_peer(peer)
    };
    let mut statuses = Vec::new();
    for n in 0..1_000 {
        // Guesses at one client are counted together, wherever they are sent.
        let wrong = ask("conf", &format!("guess {n}"));
        statuses.push(match n % 4 {
            0 => fixture.server.token(&wrong).await.status,
            1 => fixture.server.revoke(&wrong).await.status,
            2 => fixture.server.introspect(&wrong).await.status,
            _ => fixture.server.device_authorization(&wrong).await.status,
        });
    }
    assert!(statuses[..120].iter().all(|status| *status == 401));
    assert!(statuses[120..].iter().all(|status| *status == 429));

    let refused = Answer(fixture.server.token(&ask("conf", "guess")).await);
    assert_eq!(refused.error(), (429, "temporarily_unavailable".to_owned()));
    assert_eq!(refused.0.header("retry-after"), Some("1"), "120 a minute");
    assert_eq!(fixture.server.token(&ask("nobody", "guess")).await.status, 401);
    assert_eq!(fixture.server.token(&ask("conf", SECRET)).await.status, 200, "a right secret is no guess");
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(fixture.server.token(&ask("conf", SECRET)).await.status, 200);
}

#[tokio::test]
async fn h_17_no_credentials_stand_in_the_uri() {
    let fixture = fixture();
    let access = fixture.tokens("post", "read").await.access_token();
    let form = encode(&[("grant_type", "client_credentials"), ("token", &access)]);
    let credentials = encode(&[("client_id", "post"), ("client_secret", SECRET)]);
    for path in ["/token", "/revoke", "/introspect", "/device_authorization"] {
        for query in [credentials.clone(), format!("{credentials}&{form}"), format!("client_secret={SECRET}")]
        {
            let uri = format!("{path}?{query}");
            let request = axum::http::Request::post(&uri)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(axum::body::Body::from(form.clone()));
            let reply = send(&fixture.server, request.unwrap()).await;
            assert!(matches!(reply.status, 400 | 401), "{path}: {}", reply.status);
        }
        let right = post_as(&format!("{path}?client_secret=x"), &basic("conf", SECRET), form.clone());
        assert_eq!(send(&fixture.server, right).await.status, 400, "{path}: not even next to the right ones");
    }
    assert!(fixture.is_live(&access).await);
}

/// Everything that a text could show of a handle or a secret.
fn traces(secret: &str) -> Vec<String> {
    let mut traces = vec![secret.to_owned(), STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret)];
    if let Some(body) = secret.get(4..).filter(|_| secret.starts_with('g') && secret.len() == 68) {
        let secret = &bytes(secret)[16..];
        traces.push(body[24..].to_owned());
        traces.push(URL_SAFE_NO_PAD.encode(secret));
        traces.push(STANDARD.encode(secret));
        traces.push(secret.iter().map(|byte| format!("{byte:02x}")).collect());
        traces.push(format!("{secret:?}").trim_matches(['[', ']']).to_owned());
    }
    traces
}

#[tokio::test]
async fn h_18_neither_store_nor_log_nor_debug_shows_a_secret() {
    let fixture = Fixture::with(|b| b.profile(Profile::Rfc6749).device_verification("/device"));
    let mut secrets =
        vec![SECRET.to_owned(), "wonderland".to_owned(), VERIFIER.to_owned(), "wrong-1".to_owned()];
    let mut shown = Vec::new();

    let code = fixture.code("pub", "read").await;
    let unspent = fixture.code("conf", "read").await;
    let first = fixture.redeem("pub", &code).await;
    shown.push(format!("{:?}", first.0));
    let second = fixture.refresh("pub", &first.refresh_token()).await;
    let password = [("grant_type", "password"), ("username", "alice"), ("password", "wonderland")];
    let third = fixture.token("legacy", &password).await;
    for answer in [&first, &second, &third] {
        secrets.extend([answer.access_token(), answer.refresh_token()]);
    }
    secrets.extend([code.clone(), unspent]);
    let (spent, codes) = (fixture.waits().await, fixture.waits().await);
    fixture.says_yes(&spent).await;
    let fourth = fixture.poll("tv", &spent.device).await;
    secrets.extend([fourth.access_token(), fourth.refresh_token()]);
    for codes in [&spent, &codes] {
        secrets.extend([codes.device.clone(), codes.user.clone(), codes.user.replace('-', "")]);
    }
    shown.extend(stored(&fixture).await);
    fixture.poll("tv", &codes.device).await;
    fixture.poll("tv", &spent.device).await;
    let entered = fixture.enter(&codes.user, "browser").await.unwrap();
    shown.push(format!("{entered:?} {:?} {:?}", entered.user_code(), fixture.begin("tv", &[]).await.0));
    shown.extend([format!("{:?}", fixture.enter("BCDF-GHJK", "browser").await)]);

    fixture.revoke("pub", &second.access_token()).await;
    fixture.introspect("conf", &second.access_token()).await;
    fixture.redeem("pub", &code).await;
    fixture
        .token("legacy", &[("grant_type", "password"), ("username", "alice"), ("password", "wrong-1")])
        .await;
    let wrong = request("post", &password).header("x", "y");
    shown.extend([format!("{wrong:?}"), format!("{:?}", wrong.headers)]);
    let _ = fixture
        .server
        .token(&Request::post_form("x=1").header("authorization", basic("conf", "wrong-1")))
        .await;
    let asked = Request::get("").header("authorization", format!("Bearer {}", third.access_token()));
    shown.push(format!("{:?}", fixture.server.protect(&asked, &["read"]).await.expect("live")));

    let ask = fixture.server.authorize(&Request::get(encode(&code_query("conf", "read")))).await.unwrap();
    shown.push(format!("{ask:?}"));
    let consent = ask.signed_in(fixture.alice()).await.consent().unwrap();
    shown.push(format!("{consent:?} {:?}", consent.client()));
    shown.extend(stored(&fixture).await);
    shown.extend(fixture.log.texts());
    shown.push(format!("{:?}", fixture.server));

    assert!(shown.len() > 20 && secrets.len() == 20);
    for secret in &secrets {
        for trace in traces(secret) {
            let leak = shown.iter().find(|text| text.contains(&trace));
            assert_eq!(leak, None, "shows {secret}");
        }
    }
}

/// Every record, as a database keeps it and as `Debug` shows it.
async fn stored(fixture: &Fixture) -> Vec<String> {
    let listing = fixture.store.list(&Filter::default(), Page::first(100)).await.unwrap();
    assert!(!listing.records.is_empty());
    let texts = listing.records.iter().map(|record| [record.grant().encode(), format!("{record:?}")]);
    texts.flatten().collect()
}

#[test]
fn h_18_a_stored_client_has_no_secret() {
    let client =
        Client::builder("app").secret(SECRET).redirect_uri("https://app.example/cb").build().unwrap();
    for shown in
        [client.encode().to_string(), format!("{client:?}"), format!("{:?}", MemoryRegistry::new([client]))]
    {
        for trace in traces(SECRET) {
            assert!(!shown.contains(&trace), "{shown}");
        }
    }
}

const HOSTILE: &str =
    "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&quot;\r\nSet-Cookie: a=b\r\n\r\n</form>`${x}";

#[tokio::test]
async fn h_19_a_hostile_state_is_inert_on_the_form_post_page() {
    let fixture = fixture();
    let mut query = code_query("conf", "read");
    query.retain(|(name, _)| *name != "state");
    query.extend([("state", HOSTILE), ("response_mode", "form_post")]);
    let answer = fixture.approve(&query).await;
    assert_eq!((answer.status(), answer.0.header("location")), (200, None));
    let html = String::from_utf8(answer.0.body.clone()).unwrap();
    assert_eq!(html.matches("<script>").count(), 1, "the page's own");
    assert_eq!(html.matches("<form ").count(), 1);
    assert!(!html.contains("<img"));
    let inputs: Vec<&str> = html.split("<input type=\"hidden\" name=\"").skip(1).collect();
    assert_eq!(inputs.len(), 3, "code, state, iss: {html}");
    let value = inputs[1].strip_prefix("state\" value=\"").unwrap().split('"').next().unwrap();
    assert!(!value.contains(['<', '>', '\'']));
    assert_eq!(unescape(value), HOSTILE);

    let csp = answer.0.header("content-security-policy").unwrap();
    assert!(csp.starts_with("default-src 'none'; script-src 'sha256-"), "{csp}");
    assert!(!csp.contains("unsafe"));
    for (name, value) in [("x-frame-options", "DENY"), ("referrer-policy", "no-referrer")] {
        assert_eq!(answer.0.header(name), Some(value));
    }
}

/// What a browser makes of an attribute's text.
fn unescape(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[tokio::test]
async fn h_19_a_hostile_state_adds_no_header_and_no_parameter() {
    let fixture = fixture();
    for scope in ["read", "unknown"] {
        let mut query = code_query("conf", scope);
        query.retain(|(name, _)| *name != "state");
        query.push(("state", HOSTILE));
        let reply = send(&fixture.server, bare("GET", &format!("/authorize?{}", encode(&query)))).await;
        assert_eq!((reply.status, reply.header("set-cookie")), (303, None));
        let location = reply.header("location").unwrap();
        assert!(location.bytes().all(|b| b.is_ascii_graphic()) && !location.contains(['<', '"', '\'']));
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(location.split_once('?').unwrap().1).unwrap();
        assert_eq!(pairs.iter().find(|(name, _)| name == "state").unwrap().1, HOSTILE);
        assert_eq!(pairs.iter().filter(|(name, _)| name == "iss").count(), 1);
    }
}

#[tokio::test]
async fn h_19_the_error_page_repeats_nothing_of_the_request() {
    let fixture = fixture();
    for name in ["client_id", "redirect_uri", "state", "scope"] {
        let mut query = vec![("client_id", "nobody"), ("redirect_uri", "https://evil.example")];
        query.retain(|(n, _)| *n != name);
        query.push((name, HOSTILE));
        let reply = send(&fixture.server, bare("GET", &format!("/authorize?{}", encode(&query)))).await;
        let html = String::from_utf8(reply.body.clone()).unwrap();
        assert_eq!(reply.status, 400);
        assert!(!html.contains("script") && !html.contains("alert") && !html.contains("evil"), "{html}");
        assert!(reply.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(members) => members.values().any(has_null),
        _ => false,
    }
}

#[tokio::test]
async fn h_20_no_answer_has_a_null_or_an_empty_member() {
    let fixture = fixture();
    let tokens = fixture.tokens("conf", "read").await;
    let bare_tokens = fixture.redeem("bare", &fixture.code("bare", "read").await).await;
    let robot = fixture.token("robot", &[("grant_type", "client_credentials")]).await;
    let mut answers = vec![Answer(fixture.server.metadata())];
    for token in [tokens.access_token(), tokens.refresh_token(), "nonsense".to_owned()] {
        answers.push(fixture.introspect("conf", &token).await);
    }
    answers.push(fixture.introspect("robot", &robot.access_token()).await);
    answers.push(fixture.revoke("conf", "nonsense").await);
    answers.push(fixture.token("conf", &[]).await);
    answers.push(fixture.redeem("conf", "nonsense").await);
    let waits = fixture.begin("tv", &[]).await;
    answers.push(fixture.poll("tv", &waits.text("device_code")).await);
    answers.extend([waits, fixture.begin("robot", &[]).await]);
    answers.extend([tokens, bare_tokens, robot]);
    for answer in answers {
        let json = answer.json();
        assert!(json.is_object() && !has_null(&json), "{json}");
        let empty = |value: &Value| value == "" || value.as_array().is_some_and(Vec::is_empty);
        assert!(!json.as_object().unwrap().values().any(empty), "{json}");
    }
}

#[tokio::test]
async fn h_21_headers_of_proxies_are_not_believed() {
    let fixture = fixture();
    let forged = [
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=192.0.2.1;host=evil.example;proto=http"),
        ("host", "evil.example"),
        ("x-client-cert", "-----BEGIN CERTIFICATE-----"),
        ("x-ssl-client-verify", "SUCCESS"),
        ("x-original-url", "/introspect"),
        ("x-http-method-override", "GET"),
    ];
    let with_forged = |mut request: axum::http::Request<axum::body::Body>| {
        for (name, value) in forged {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        request
    };
    let path = "/.well-known/oauth-authorization-server";
    let plain = send(&fixture.server, bare("GET", path)).await;
    assert_eq!(send(&fixture.server, with_forged(bare("GET", path))).await.body, plain.body);
    let uri = format!("/authorize?{}", encode(&code_query("conf", "read")));
    let reply = send(&fixture.server, with_forged(bare("GET", &uri))).await;
    assert!(reply.header("location").unwrap().ends_with("&iss=https%3A%2F%2Fas.example"));
    let nobody = with_forged(post_as("/token", &basic("conf", "wrong"), "grant_type=client_credentials"));
    assert_eq!(send(&fixture.server, nobody).await.status, 401);
}

#[tokio::test]
async fn h_21_a_forged_address_does_not_evade_the_limit() {
    let fixture = fixture();
    let peer = std::net::SocketAddr::from(([192, 0, 2, 9], 4711));
    let mut last = 0;
    for n in 0..=120 {
        let mut guess = post_as("/token", &basic("conf", "wrong"), "grant_type=client_credentials");
        guess.headers_mut().insert("x-forwarded-for", format!("198.51.100.{n}").parse().unwrap());
        guess.extensions_mut().insert(axum::extract::ConnectInfo(peer));
        last = send(&fixture.server, guess).await.status;
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn h_22_access_tokens_are_short_lived_and_for_somebody() {
    let fixture = Fixture::legacy();
    let password = [("grant_type", "password"), ("username", "alice"), ("password", "wonderland")];
    let robot = [("grant_type", "client_credentials")];
    let mut issued = Vec::new();
    for (client, answer) in [
        ("conf", fixture.tokens("conf", "read").await),
        ("legacy", fixture.token("legacy", &password).await),
        ("robot", fixture.token("robot", &robot).await),
    ] {
        assert!(answer.json()["expires_in"].as_u64().is_some_and(|seconds| (1..=3600).contains(&seconds)));
        let seen = fixture.introspect(client, &answer.access_token()).await.json();
        assert_eq!(seen["aud"], "https://as.example");
        assert_eq!(seen["exp"].as_i64().unwrap() - seen["iat"].as_i64().unwrap(), 600);
        issued.push(answer.access_token());
    }
    fixture.clock.advance(Duration::from_secs(600));
    for access in issued {
        assert!(!fixture.is_live(&access).await);
    }
}

#[tokio::test]
async fn h_24_the_names_of_schemes_have_no_case() {
    let fixture = fixture();
    let access = fixture.tokens("conf", "read").await.access_token();
    for scheme in ["Basic", "basic", "BASIC", "bAsIc"] {
        let header = basic("conf", SECRET).replace("Basic", scheme);
        let reply = send(&fixture.server, post_as("/token", &header, "grant_type=client_credentials")).await;
        assert_eq!(reply.status, 200, "{scheme}");
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request = Request::get("").header("authorization", format!("{scheme} {access}"));
        assert!(fixture.server.protect(&request, &["read"]).await.is_ok(), "{scheme}");
    }
}

#[tokio::test]
async fn h_25_a_scope_is_a_set_of_case_sensitive_tokens() {
    let fixture = fixture();
    for scope in ["read write", "write read", "  write   read write "] {
        let granted = fixture.tokens("conf", scope).await.text("scope");
        let mut tokens: Vec<&str> = granted.split(' ').collect();
        tokens.sort_unstable();
        assert_eq!(tokens, ["read", "write"], "{scope:?}");
    }
    for bad in [
        "read\twrite",
        "re\"ad",
        "re\\ad",
        "read\0",
        "read\nwrite",
        "lecture é",
        "READ",
        "Read",
        "\u{A0}read",
    ] {
        let answer = fixture.approve(&code_query("conf", bad)).await;
        assert_eq!(answer.location_parameter("error").as_deref(), Some("invalid_scope"), "{bad:?}");
        let form = [("grant_type", "client_credentials"), ("scope", bad)];
        assert_eq!(fixture.token("conf", &form).await.error().1, "invalid_scope", "{bad:?}");
    }
    let refresh = fixture.tokens("conf", "write read").await.refresh_token();
    let form = [("grant_type", "refresh_token"), ("refresh_token", &refresh), ("scope", "read write")];
    assert_eq!(fixture.token("conf", &form).await.status(), 200);
    let code = fixture.code("conf", "read").await;
    assert_eq!(fixture.token("conf", &redemption(&code)).await.status(), 200);
}
