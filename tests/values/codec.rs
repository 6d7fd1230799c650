//! What is stored: golden files of every version are read and written back to the same bytes, and what cannot
//! be read is refused, never guessed.

use std::collections::HashMap;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::DateTime;
use grantor::client::ClientDecodeError;
use grantor::grant::DecodeError;
use grantor::grant::Grant;
use grantor::issuance::Fields;
use grantor::store::{Filter, Page};
use grantor::{
    ApplicationType, AuthMethod, BrowserSession, Client, ClientMetadata, GrantId, GrantType, Login,
    MemoryStore, Reason, Request, Resource, TokenStore as _,
};
use serde_json::{Value, json};

use crate::support::bodies::Bodies;
use crate::support::{Answer, CALLBACK, CountingEntropy, Fixture, SECRET, TestClock, code_query, encode};

const ID: GrantId = GrantId::new([7; 16]);

const GRANTS: [&str; 11] = [
    "offered",
    "redeemed",
    "refreshed",
    "client_credentials",
    "ended",
    "waiting",
    "approved_on_a_page",
    "redeemed_by_a_device",
    "with_details",
    "pushed",
    "in_a_session",
];
const CLIENTS: [&str; 2] = ["confidential_client", "public_client"];

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "golden", "v1", &format!("{name}.json")].iter().collect()
}

fn golden(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap().trim_end().to_owned()
}

fn client(text: &str) -> Result<Client, ClientDecodeError> {
    Client::decode(&serde_json::from_str(text)?)
}

#[test]
fn every_golden_grant_is_read_and_written_back_to_the_same_bytes() {
    for name in GRANTS {
        let grant = Grant::decode(ID, &golden(name)).unwrap();
        assert_eq!(grant.encode(), golden(name), "{name}");
        assert_eq!(Grant::decode(ID, &grant.encode()).unwrap(), grant, "{name}");
    }
}

#[test]
fn every_golden_client_is_read_and_written_back_to_the_same_bytes() {
    for name in CLIENTS {
        let client = client(&golden(name)).unwrap();
        assert_eq!(client.encode().to_string(), golden(name), "{name}");
    }
}

#[test]
fn a_client_from_before_keeps_a_redirect_uri_that_could_not_be_registered_now() {
    let uri = "com.example.app:/cb?code=1&state=q";
    let stored = client(&golden("public_client").replace("com.example.app:/cb", uri)).unwrap();
    assert_eq!(stored.redirect_uris()[0].as_str(), uri);
    assert_eq!(Client::decode(&stored.encode()).unwrap(), stored);
    assert!(Client::builder("phone").metadata(stored.metadata().clone()).build().is_err());
}

/// Earlier bodies keep the digests of spent refresh tokens whole, and more of them.
#[test]
fn ft_01_a_body_with_whole_digests_of_spent_tokens_is_read() {
    let text = golden("refreshed_with_whole_digests");
    let grant = Grant::decode(ID, &text).unwrap();
    let (before, after) = (text.parse::<Value>().unwrap(), grant.encode().parse::<Value>().unwrap());
    let spent = "/stage/live/family/spent/0";
    let whole = before.pointer(spent).unwrap();
    let half = after.pointer(spent).unwrap();
    assert_eq!(whole["at"], half["at"]);
    assert_eq!(half["digest"].as_str().unwrap().len(), 22);
    assert_eq!(whole["digest"].as_str().unwrap()[..21], half["digest"].as_str().unwrap()[..21]);
    assert_eq!(Grant::decode(ID, &grant.encode()).unwrap(), grant);
    for bad in ["AAAA", "!", "", &"A".repeat(44)] {
        let text = text.replace(whole["digest"].as_str().unwrap(), bad);
        assert!(Grant::decode(ID, &text).is_err(), "{bad:?}");
    }
}

/// With `GRANTOR_WRITE_GOLDEN` set, the files are written instead; the files of a released version stay as
/// they are.
#[tokio::test]
async fn what_is_written_today_is_what_the_golden_files_have() {
    let today = grants().await.into_iter().map(|(name, grant)| (name, grant.encode()));
    let clients = clients().into_iter().map(|(name, client)| (name, client.encode().to_string()));
    for (name, text) in today.chain(clients) {
        if std::env::var_os("GRANTOR_WRITE_GOLDEN").is_some() {
            std::fs::write(path(name), format!("{text}\n")).unwrap();
        }
        assert_eq!(text, golden(name), "{name}");
    }
}

/// A grant in every stage, with every member.
async fn grants() -> Vec<(&'static str, Grant)> {
    let api = Resource::new("https://api.example").scopes(["read", "write"]);
    let files = Resource::new("https://files.example").scopes(["read"]);
    let fixture = Fixture::with(|b| b.entropy(CountingEntropy::default()).resource(api).resource(files));
    let mut query = code_query("pub", "read write");
    query.extend([("resource", "https://api.example"), ("resource", "https://files.example")]);
    let request = Request::get(encode(&query));
    let login = Login::new("alice", fixture.alice().authentication().auth_time).with_acr("urn:example:gold");
    let consent = fixture.server.authorize(&request).await.unwrap().signed_in(login).await.consent().unwrap();
    let code = Answer(consent.approve().await).location_parameter("code").unwrap();
    let offered = newest(&fixture).await;

    let mut redemption = crate::support::redemption(&code);
    redemption.push(("resource", "https://api.example"));
    let first = fixture.token("pub", &redemption).await;
    let redeemed = newest(&fixture).await;

    let token = first.refresh_token();
    let ask = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.as_str()),
        ("scope", "read"),
        ("resource", "https://files.example"),
    ];
    assert_eq!(fixture.token("pub", &ask).await.status(), 200);
    let refreshed = newest(&fixture).await;

    fixture.revoke("pub", &token).await;
    let ended = newest(&fixture).await;

    let fixture = Fixture::with(|b| b.entropy(CountingEntropy::default()));
    fixture.token("robot", &[("grant_type", "client_credentials")]).await;
    let robot = newest(&fixture).await;
    let [waiting, approved, by_a_device] = device_grants().await;
    let detailed = detailed_grant().await;
    let pushed = pushed_grant().await;
    let all = [offered, redeemed, refreshed, robot, ended, waiting, approved, by_a_device, detailed, pushed];
    GRANTS.into_iter().zip(all).collect()
}

/// Its token has fewer details than it.
async fn detailed_grant() -> Grant {
    let any = || Fields::<HashMap<String, Value>>::new();
    let fixture = Fixture::with(|b| {
        b.entropy(CountingEntropy::default())
            .authorization_details_type("file", any())
            .authorization_details_type("account", any())
    });
    let mut query = code_query("pub", "read");
    query.push((
        "authorization_details",
        r#"[{"type":"file","name":"a"},{"type":"account","amount":[1,0.5,null]}]"#,
    ));
    let code = fixture.approve(&query).await.location_parameter("code").unwrap();
    let mut redemption = crate::support::redemption(&code);
    redemption.push(("authorization_details", r#"[{"type":"file","name":"a"}]"#));
    assert_eq!(fixture.token("pub", &redemption).await.status(), 200);
    newest(&fixture).await
}

/// It was visited.
async fn pushed_grant() -> Grant {
    let fixture = Fixture::with(|b| b.entropy(CountingEntropy::default()));
    let mut form = code_query("post", "read");
    form.retain(|(name, _)| *name != "client_id");
    let pushed = crate::support::request("post", &form);
    let uri = Answer(fixture.server.pushed_authorization_request(&pushed).await).text("request_uri");
    let visit = Request::get(encode(&[("client_id", "post"), ("request_uri", uri.as_str())]));
    drop(fixture.server.authorize(&visit).await.unwrap());
    newest(&fixture).await
}

async fn device_grants() -> [Grant; 3] {
    let fixture = Fixture::with(|b| b.entropy(CountingEntropy::default()).device_verification("/device"));
    let asked = crate::support::request("tv", &[("scope", "read write")]);
    let codes = Answer(fixture.server.device_authorization(&asked).await);
    let session = BrowserSession::session("the browser's");
    let entered = fixture.server.device(&codes.text("user_code"), &session, None).await.unwrap();
    let device_code = codes.text("device_code");
    let grant_type = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let poll = [grant_type, ("device_code", device_code.as_str())];
    fixture.token("tv", &poll).await;
    let waiting = newest(&fixture).await;
    entered.signed_in(fixture.alice()).approve().await.unwrap();
    let approved = newest(&fixture).await;
    fixture.token("tv", &poll).await;
    [waiting, approved, newest(&fixture).await]
}

async fn newest(fixture: &Fixture) -> Grant {
    let listing = fixture.store.list(&Filter::default(), Page::first(1)).await.unwrap();
    listing.records[0].grant().clone()
}

fn clients() -> Vec<(&'static str, Client)> {
    let metadata: ClientMetadata = serde_json::from_value(json!({
        "client_name": "Example", "redirect_uris": [CALLBACK], "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"], "response_modes": ["query", "form_post"],
        "scope": "read write", "authorization_details_types": ["payment"], "token_endpoint_auth_method": "client_secret_post", "application_type": "web",
        "client_uri": "https://app.example", "logo_uri": "https://app.example/logo", "contacts": ["a@app.example"],
        "tos_uri": "https://app.example/tos", "policy_uri": "https://app.example/policy", "software_id": "example",
        "software_version": "1", "require_pkce": false, "localhost_any_port": true, "rotate_refresh_tokens": true,
    }))
    .unwrap();
    let until = DateTime::from_timestamp(TestClock::START, 0).unwrap();
    let confidential = Client::builder("app")
        .metadata(metadata)
        .secret_until(SECRET, until)
        .secret_phc("$argon2id$v=19$x$y");
    let public = Client::builder("phone")
        .redirect_uri("com.example.app:/cb")
        .grant_types([GrantType::AuthorizationCode])
        .application_type(ApplicationType::Native)
        .auth_method(AuthMethod::None);
    CLIENTS.into_iter().zip([confidential, public].map(|builder| builder.build().unwrap())).collect()
}

#[test]
fn a_later_version_is_named_and_not_guessed() {
    for name in GRANTS {
        for version in [0, 2, u32::MAX] {
            let text = golden(name).replacen("\"v\":1", &format!("\"v\":{version}"), 1);
            let error = Grant::decode(ID, &text).unwrap_err();
            assert!(matches!(error, DecodeError::Version(v) if v == version));
            assert!(error.to_string().contains("upgrade grantor"), "{error}");
        }
    }
    for name in CLIENTS {
        for version in [0, 2] {
            let text = golden(name).replacen("\"v\":1", &format!("\"v\":{version}"), 1);
            let error = client(&text).unwrap_err();
            assert!(matches!(error, ClientDecodeError::Version(v) if v == version));
            assert!(error.to_string().contains("upgrade grantor"), "{error}");
        }
    }
}

/// Every object within a value, by its JSON pointer.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.push(at.to_owned());
            members.iter().for_each(|(name, member)| objects(member, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| objects(item, &format!("{at}/{n}"), found));
        }
        _ => {}
    }
}

#[test]
fn a_member_that_is_unknown_is_refused_wherever_it_stands() {
    for name in GRANTS.into_iter().chain(CLIENTS) {
        let body: Value = serde_json::from_str(&golden(name)).unwrap();
        let mut places = Vec::new();
        objects(&body, "", &mut places);
        // What a detail holds is its type's own.
        for place in places.into_iter().filter(|place| !place.contains("/details/")) {
            let mut body = body.clone();
            body.pointer_mut(&place).unwrap()["restricted_to"] = json!("weekdays");
            let read = match CLIENTS.contains(&name) {
                true => Client::decode(&body).is_ok(),
                false => Grant::decode(ID, &body.to_string()).is_ok(),
            };
            assert!(!read, "{name} with another member at {place:?}");
        }
    }
}

#[test]
fn no_prefix_is_a_grant_or_a_client() {
    for name in GRANTS.into_iter().chain(CLIENTS) {
        let text = golden(name);
        for end in 0..text.len() {
            let error = Grant::decode(ID, &text[..end]).unwrap_err();
            assert!(matches!(error, DecodeError::Damaged(_)), "{name} up to {end}");
            assert!(client(&text[..end]).is_err());
        }
        assert!(Grant::decode(ID, &format!("{text}{text}")).is_err());
        assert!(Grant::decode(ID, &format!("{text}x")).is_err());
    }
}

#[test]
fn one_altered_byte_is_refused_or_read_as_what_it_says() {
    for name in GRANTS.into_iter().chain(CLIENTS) {
        let text = golden(name);
        for at in 0..text.len() {
            for byte in b"\x00\"-9A}" {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = *byte;
                let altered = String::from_utf8(bytes).unwrap();
                let what = altered.clone();
                let differs = catch_unwind(move || match CLIENTS.contains(&name) {
                    true => client(&altered).is_ok_and(|c| Client::decode(&c.encode()).unwrap() != c),
                    false => Grant::decode(ID, &altered)
                        .is_ok_and(|g| Grant::decode(ID, &g.encode()).unwrap() != g),
                });
                assert!(differs.is_ok_and(|differs| !differs), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_grant_that_went_through_its_body_lives_on() {
    let fixture = Fixture::on(Arc::new(MemoryStore::new()), Bodies::default(), |b| b);
    let first = fixture.tokens("pub", "read write").await;
    let lost = fixture.refresh("pub", &first.refresh_token()).await;
    let again = fixture.refresh("pub", &first.refresh_token()).await;
    assert_eq!(again.json(), lost.json());
    assert!(fixture.is_live(&lost.access_token()).await);
    fixture.revoke("pub", &lost.refresh_token()).await;
    assert!(!fixture.is_live(&lost.access_token()).await);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_the_servers_own_fault() {
    let damages: [fn(&str) -> String; 4] = [
        |body| body.replacen("\"v\":1", "\"v\":2", 1),
        |body| body.replacen("\"v\":1", "\"v\":1,\"restricted_to\":\"weekdays\"", 1),
        |body| body[..body.len() / 2].to_owned(),
        |_| String::new(),
    ];
    for damage in damages {
        let bodies = Bodies::default();
        let fixture = Fixture::on(Arc::new(MemoryStore::new()), bodies.clone(), |b| b);
        let tokens = fixture.tokens("conf", "read").await;
        for row in bodies.rows().values_mut() {
            row.body = damage(&row.body);
        }
        let before = bodies.rows().clone();
        for answer in [
            fixture.refresh("conf", &tokens.refresh_token()).await,
            fixture.revoke("conf", &tokens.refresh_token()).await,
            fixture.introspect("conf", &tokens.access_token()).await,
        ] {
            assert_eq!(answer.error(), (500, "server_error".to_owned()));
            assert_eq!(fixture.log.last_reason(), Some(Reason::StoreBroken));
        }
        let refusal = fixture.server.check(&tokens.access_token()).await.unwrap_err();
        assert_eq!(refusal.reason(), Reason::StoreBroken);
        assert_eq!(*bodies.rows(), before, "nothing is written over it");
    }
}
