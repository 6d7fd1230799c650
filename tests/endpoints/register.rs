//! Clients that register themselves: RFC 7591.

use std::time::Duration;

use grantor::error::MetadataFlaw;
use grantor::http::Method;
use grantor::{Client, Reason, Registration, Request};
use serde_json::{Value, json};

use crate::support::http::{bare, send};
use crate::support::registering::{Registering, app, app_with};
use crate::support::{Answer, CALLBACK, Fixture};

const METADATA: &str = "invalid_client_metadata";
const REDIRECT: &str = "invalid_redirect_uri";

impl Registering {
    fn open() -> Self {
        Self::on(Registration::open())
    }
}

#[tokio::test]
async fn rg_01_a_redirect_uri_is_https_loopback_or_a_private_scheme() {
    let server = Registering::on(Registration::open().per_minute(0));
    for good in [
        "https://app.example/cb?x=1",
        "http://127.0.0.1:8080/cb",
        "http://[::1]/cb",
        "http://localhost/callback",
        "com.example.app:/cb",
    ] {
        let own = server.registered(&app_with(json!({ "redirect_uris": [good] }))).await;
        assert_eq!(own.0["redirect_uris"], json!([good]));
    }
    for bad in [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "javascript://app.example/%0aalert(1)",
        "java\tscript:alert(1)",
        " javascript:alert(1)",
        "\u{1}javascript:alert(1)",
        "java\nscript:alert(1)",
        "javascript&colon;alert(1)",
        "data:text/html,<script>",
        "DATA:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "about:blank",
        "blob:https://app.example/x",
        "view-source:https://app.example",
        "filesystem:https://app.example/x",
        "ms-settings:x",
        "intent://x#Intent;end",
        "myapp://cb",
        "http://app.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://2130706433/cb",
        "https://app.example/cb#f",
        "https://app.example/cb?code=1&iss=x&state=q",
        "https://user@app.example/cb",
        "https://*.example/cb",
        "https:///cb",
        "https:app.example",
        "//app.example/cb",
        "/cb",
        "",
        "https://app.example/c\u{e9}",
    ] {
        let error = server.refusal(json!({ "redirect_uris": [bad] })).await;
        assert_eq!(error, (400, REDIRECT.to_owned()), "{bad:?}");
        let own = server.registered(&app_with(json!({ "redirect_uris": [bad, CALLBACK, bad] }))).await;
        assert_eq!(own.0["redirect_uris"], json!([CALLBACK]), "the answer says that {bad:?} was dropped");
    }
    for missing in [json!(null), json!([])] {
        let error = server.refusal(json!({ "redirect_uris": missing })).await;
        assert_eq!(error, (400, REDIRECT.to_owned()), "a code has to go somewhere");
    }
    let long = format!("https://app.example/{}", "a".repeat(2048));
    assert_eq!(server.refusal(json!({ "redirect_uris": [long] })).await.1, REDIRECT);
    for text in [json!(CALLBACK), json!({ "0": CALLBACK }), json!(7), json!([7])] {
        assert_eq!(server.refusal(json!({ "redirect_uris": text })).await.1, REDIRECT, "{text}");
    }
}

#[tokio::test]
async fn rg_02_metadata_have_to_fit_together_and_unknown_ones_are_ignored() {
    let server = Registering::open();
    for inconsistent in [
        json!({ "jwks": { "keys": [] }, "jwks_uri": "https://app.example/jwks" }),
        json!({ "response_types": ["token"] }),
        json!({ "response_types": ["code", "token"] }),
        json!({ "grant_types": ["refresh_token"], "response_types": ["code"] }),
        json!({ "grant_types": ["implicit"], "response_types": ["code"] }),
        json!({ "grant_types": ["authorization_code", "implicit"], "response_types": ["code"] }),
        json!({ "grant_types": ["refresh_token"] }),
        json!({ "grant_types": ["password"] }),
        json!({ "grant_types": ["client_credentials"] }),
        json!({ "grant_types": ["telepathy"] }),
    ] {
        let error = server.refusal(inconsistent.clone()).await;
        assert_eq!(error, (400, METADATA.to_owned()), "{inconsistent}");
    }
    let own = server
        .registered(&app_with(json!({
            "client_name#de": "Anwendung",
            "jwks_uri": "https://app.example/jwks",
            "require_pkce": false,
            "access_tokens": "jwt",
            "rotate_refresh_tokens": true,
            "localhost_any_port": true,
            "client_id": "conf",
            "client_secret": "chosen",
            "registration_access_token": "chosen",
            "anything": { "deep": [[[]]] },
            "tos_uri": null,
            "logo_uri": "",
        })))
        .await;
    let stored = server.stored(own.id()).await.unwrap();
    for name in
        ["client_name#de", "jwks_uri", "require_pkce", "access_tokens", "anything", "tos_uri", "logo_uri"]
    {
        assert_eq!(own.0.get(name), None, "{name}");
    }
    let metadata = stored.metadata();
    assert_eq!((metadata.require_pkce, metadata.access_tokens), (None, None));
    assert_eq!((metadata.rotate_refresh_tokens, metadata.localhost_any_port), (None, None));
    assert_ne!(own.text("client_secret"), "chosen");
    assert_ne!(own.text("registration_access_token"), "chosen");
}

#[tokio::test]
async fn rg_03_a_software_statement_of_a_trusted_issuer_comes_first() {
    use grantor::jose::{self, Algorithm, JwkSet, Signer as _, SigningKey};
    use grantor::registration::TrustedIssuers;

    let signed = |key: &SigningKey, claims: &Value| jose::encode_now("JWT", claims, key).unwrap().unwrap();
    let (publisher, other, stranger) = (
        SigningKey::generate(Algorithm::EdDsa).unwrap(),
        SigningKey::generate(Algorithm::Es256).unwrap(),
        SigningKey::generate(Algorithm::EdDsa).unwrap(),
    );
    let keys = |key: &SigningKey| JwkSet::new([key.key().clone()]).unwrap();
    let trusted = TrustedIssuers::new()
        .issuer("https://publisher.example", &keys(&publisher))
        .issuer("https://other.example", &keys(&other));
    let server = Registering::on(Registration::open().software_statements(trusted));
    let now = server.fixture.clock_seconds();
    let claims = |changes: Value| {
        let mut claims = json!({
            "iss": "https://publisher.example", "software_id": "4NRB1", "client_name": "Attested",
            "redirect_uris": ["https://attested.example/cb"], "exp": now + 60,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };

    let statement = signed(&publisher, &claims(json!({})));
    let own = server.registered(&app_with(json!({ "software_statement": statement }))).await;
    assert_eq!(own.text("client_name"), "Attested");
    assert_eq!(own.text("software_id"), "4NRB1");
    assert_eq!(own.0["redirect_uris"], json!(["https://attested.example/cb"]), "not what the client says");
    assert_eq!(own.text("scope"), "read write", "of which the statement says nothing");
    assert_eq!(own.text("software_statement"), statement);

    let forged = {
        let (message, signature) = statement.rsplit_once('.').unwrap();
        format!("{message}.{}", signature.chars().rev().collect::<String>())
    };
    let unsigned = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL3B1Ymxpc2hlci5leGFtcGxlIn0.";
    let symmetric = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL3B1Ymxpc2hlci5leGFtcGxlIn0.AAAA";
    for (statement, error) in [
        (forged, "invalid_software_statement"),
        (unsigned.to_owned(), "invalid_software_statement"),
        (symmetric.to_owned(), "invalid_software_statement"),
        ("nonsense".to_owned(), "invalid_software_statement"),
        (signed(&publisher, &claims(json!({ "exp": now }))), "invalid_software_statement"),
        (signed(&publisher, &claims(json!({ "exp": "never" }))), "invalid_software_statement"),
        (signed(&publisher, &claims(json!({ "nbf": now + 1 }))), "invalid_software_statement"),
        (signed(&publisher, &claims(json!({ "client_name": 7 }))), "invalid_software_statement"),
        (
            signed(&publisher, &claims(json!({ "iss": "https://other.example" }))),
            "unapproved_software_statement",
        ),
        (signed(&stranger, &claims(json!({}))), "unapproved_software_statement"),
        (signed(&publisher, &claims(json!({ "redirect_uris": ["javascript:x"] }))), REDIRECT),
    ] {
        let refused = server.refusal(json!({ "software_statement": statement })).await;
        assert_eq!(refused, (400, error.to_owned()), "{statement}");
    }
    let nobody = Registering::open().refusal(json!({ "software_statement": statement })).await;
    assert_eq!(
        nobody,
        (400, "unapproved_software_statement".to_owned()),
        "who trusts nobody trusts no statement"
    );
}

#[tokio::test]
async fn rg_04_registration_is_open_only_where_the_host_says_so() {
    let server = Registering::on(Registration::with_initial_access_token("one").initial_access_token("two"));
    let with = |token: &str| {
        Request::json(Method::Post, app().to_string()).header("authorization", format!("Bearer {token}"))
    };
    let missing = server.post(&app()).await;
    assert_eq!(missing.error(), (401, "invalid_token".to_owned()));
    assert_eq!(missing.0.header("www-authenticate"), Some("Bearer realm=\"oauth\""));
    for wrong in ["three", "One", "on", "onee"] {
        let refused = server.send(with(wrong)).await;
        assert_eq!(refused.error(), (401, "invalid_token".to_owned()), "{wrong}");
        assert_eq!(
            refused.0.header("www-authenticate"),
            Some("Bearer realm=\"oauth\", error=\"invalid_token\"")
        );
    }
    for right in ["one", "two", "two"] {
        assert_eq!(server.send(with(right)).await.status(), 201, "{right}");
    }
    let closed = Fixture::new();
    let answer = send(&closed.server, bare("POST", "/register")).await;
    assert_eq!(answer.status, 404, "by default there is no such endpoint");
    let metadata = Answer(closed.server.metadata()).json();
    assert_eq!(metadata.get("registration_endpoint"), None);
    let open = Registering::open();
    let metadata = Answer(open.fixture.server.metadata()).json();
    assert_eq!(metadata["registration_endpoint"], "https://as.example/register");
}

#[tokio::test]
async fn rg_04_the_body_is_json_in_a_post() {
    let server = Registering::open();
    let positional = format!("[[\"{CALLBACK}\"]]");
    for body in [positional.as_str(), "", "[]", "\"x\"", "{", "{\"scope\":[\"read\"]}", "null"] {
        let answer = server.send(Request::json(Method::Post, body)).await;
        assert_eq!(answer.error(), (400, METADATA.to_owned()), "{body}");
    }
    let twice = format!("{{\"redirect_uris\":[\"{CALLBACK}\"],\"redirect_uris\":[\"{CALLBACK}\"]}}");
    assert_eq!(server.send(Request::json(Method::Post, twice)).await.error().1, METADATA);
    let latin = [app().to_string().trim_end_matches('}').as_bytes(), b",\"x\":\"\xE9\"}"].concat();
    let utf_16: Vec<u8> = app().to_string().encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in [latin, utf_16] {
        let answer = server.send(Request::json(Method::Post, body)).await;
        assert_eq!(answer.error(), (400, METADATA.to_owned()), "not UTF-8");
    }
    let (open, close) = ("[".repeat(30_000), "]".repeat(30_000));
    let deep = format!("{{\"redirect_uris\":[\"{CALLBACK}\"],\"x\":{open}{close}}}");
    let ignored = server.send(Request::json(Method::Post, deep)).await;
    assert_eq!(ignored.status(), 201, "what is ignored is not built, however deep it is");
    let form = server.send(Request::post_form("redirect_uris=x")).await;
    assert_eq!(form.error(), (400, METADATA.to_owned()));
    let patch = send(&server.fixture.server, bare("PATCH", "/register")).await;
    assert_eq!((patch.status, patch.header("allow")), (405, Some("POST, GET, HEAD, PUT, DELETE")));
}

#[tokio::test]
async fn rg_05_the_answer_tells_everything_that_is_registered() {
    let server = Registering::open();
    let asked = json!({
        "client_name": "App", "redirect_uris": [CALLBACK], "client_uri": "https://app.example",
        "logo_uri": "https://app.example/logo.png", "contacts": ["dev@app.example"], "tos_uri": "https://app.example/tos",
        "policy_uri": "https://app.example/privacy", "software_id": "app", "software_version": "1.0",
    });
    let answer = server.post(&asked).await;
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.0.header("cache-control"), Some("no-store"));
    assert_eq!(answer.0.header("content-type"), Some("application/json"));
    let told = answer.json();
    for (name, value) in asked.as_object().unwrap() {
        assert_eq!(&told[name], value, "{name}");
    }
    assert_eq!(told["grant_types"], json!(["authorization_code"]), "the defaults of RFC 7591 are told, too");
    assert_eq!(told["response_types"], json!(["code"]));
    assert_eq!(told["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(told["scope"], "read write admin");
    assert_eq!(told["client_secret_expires_at"], 0);
    assert_eq!(told["client_id_issued_at"], server.fixture.clock_seconds());
    assert_eq!(told["client_secret"].as_str().unwrap().len(), 43, "256 bits");
    let id = told["client_id"].as_str().unwrap();
    let uri = format!("https://as.example/register?client_id={id}");
    assert_eq!(told["registration_client_uri"], uri);

    let public = server.registered(&app_with(json!({ "token_endpoint_auth_method": "none" }))).await;
    for absent in ["client_secret", "client_secret_expires_at"] {
        assert_eq!(public.0.get(absent), None, "{absent}");
    }
    assert_ne!(public.id(), id);
    let unmanaged = Registering::on(Registration::open().without_management());
    let own = unmanaged.registered(&app()).await;
    for absent in ["registration_access_token", "registration_client_uri"] {
        assert_eq!(own.0.get(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn rg_05_a_client_works_as_it_was_told() {
    let server = Registering::open();
    for method in ["none", "client_secret_basic"] {
        let own = server.registered(&app_with(json!({ "token_endpoint_auth_method": method }))).await;
        let tokens = server.tokens(&own, "read").await;
        assert_eq!(server.refresh(&own, &tokens.refresh_token()).await.status(), 200, "{method}");
        let stored = server.stored(own.id()).await.unwrap();
        assert!(stored.is_self_registered() && !server.stored("conf").await.unwrap().is_self_registered());
        assert_eq!(Client::decode(&stored.encode()).unwrap(), *stored, "and survives a restart");
    }
    let lasting = Registering::on(Registration::open().secret_lifetime(Duration::from_secs(60)));
    let own = lasting.registered(&app()).await;
    assert_eq!(own.0["client_secret_expires_at"], lasting.fixture.clock_seconds() + 60);
    let tokens = lasting.tokens(&own, "read").await;
    lasting.fixture.clock.advance(Duration::from_secs(60));
    let expired = lasting.refresh(&own, &tokens.refresh_token()).await;
    assert_eq!(expired.error(), (401, "invalid_client".to_owned()));
}

#[tokio::test]
async fn ft_36_an_error_names_its_member() {
    let server = Registering::open();
    let answer = server.post(&app_with(json!({ "client_name": 7 }))).await;
    assert_eq!(answer.text("error_description"), "client_name must be a string");
    let answer = server.post(&app_with(json!({ "redirect_uris": "https://app.example/cb" }))).await;
    assert_eq!(answer.text("error_description"), "redirect_uris must be an array of strings");
}

#[tokio::test]
async fn rg_06_hostile_metadata_are_refused_and_change_nothing() {
    let server = Registering::on(Registration::open().per_minute(0));
    for (hostile, description) in [
        (json!({ "client_name": "x".repeat(129) }), "client_name must have at most 128 characters"),
        (json!({ "client_name": "App\u{202e}gnp.exe" }), "client_name has characters that cannot be shown"),
        (json!({ "client_name": "Ap\u{200b}p" }), "client_name has characters that cannot be shown"),
        (json!({ "client_name": "App\r\nSet-Cookie: x" }), "client_name has characters that cannot be shown"),
        (json!({ "client_name": "App\u{0}" }), "client_name has characters that cannot be shown"),
        (json!({ "client_name": ["App"] }), "client_name must be a string"),
        (
            json!({ "software_statement": "x".repeat(16 * 1024 + 1) }),
            "software_statement must have at most 16 KiB",
        ),
        (json!({ "software_statement": {} }), "software_statement must be a string"),
        (json!({ "token_endpoint_auth_method": "private_key_jwt" }), "token_endpoint_auth_method, or else "),
        (json!({ "token_endpoint_auth_method": "tls_client_auth" }), "token_endpoint_auth_method, or else "),
        (json!({ "token_endpoint_auth_method": "NONE" }), "token_endpoint_auth_method, or else "),
        (json!({ "token_endpoint_auth_method": 1 }), "token_endpoint_auth_method must be a string"),
        (json!({ "application_type": "toaster" }), "application_type must be web or native"),
        (json!({ "grant_types": "authorization_code" }), "grant_types must be an array of strings"),
        (
            json!({ "grant_types": ["password"], "response_types": [] }),
            "none of the grant_types may be registered",
        ),
        (json!({ "response_types": { "code": true } }), "response_types must be an array of strings"),
        (
            json!({ "authorization_details_types": "payment" }),
            "authorization_details_types must be an array of strings",
        ),
        (json!({ "scope": "re\"ad" }), "scope must be at most 128 tokens"),
        (json!({ "scope": 7 }), "scope must be a string"),
        (json!({ "scope": "nothing that is known" }), "none of the scopes may be registered"),
        (json!({ "grant_types": [7] }), "grant_types must be an array of strings"),
        (json!({ "response_types": [7, null] }), "response_types must be an array of strings"),
        (
            json!({ "token_endpoint_auth_methods_supported": [["none"]] }),
            "token_endpoint_auth_methods_supported must be an array of strings",
        ),
        (json!({ "token_endpoint_auth_signing_alg": 7 }), "token_endpoint_auth_signing_alg must be a string"),
        (json!({ "jwks_uri": 7 }), "jwks must be an object, and jwks_uri a string"),
        (json!({ "jwks": [] }), "jwks must be an object, and jwks_uri a string"),
        (json!({ "default_acr_values": "1" }), "default_acr_values must be an array of strings"),
        (json!({ "tls_client_auth_san_dns": 7 }), "the members that begin with tls_client_auth_ must be "),
        (json!({ "use_mtls_endpoint_aliases": "yes" }), "use_mtls_endpoint_aliases must be true or false"),
        (json!({ "client_id": 7 }), "client_id must be a string"),
    ] {
        let before = server.registry.all().len();
        let answer = server.post(&app_with(hostile.clone())).await;
        assert_eq!(server.registry.all().len(), before, "what is refused is not kept");
        assert_eq!(answer.error(), (400, METADATA.to_owned()), "{hostile}");
        let told = answer.text("error_description");
        assert!(told.starts_with(description), "{hostile}: {told}");
    }
    let log = server.fixture.log.last_reason();
    let reason = Reason::RegistrationMember(MetadataFlaw::ClientIdType);
    assert_eq!(log, Some(reason), "the host's log has the reason");
}

/// What only informs is left out where it is of no use, and the client is registered all the same.
#[tokio::test]
async fn ft_27_a_bad_entry_is_dropped_and_the_answer_says_so() {
    let server = Registering::on(Registration::open().per_minute(0));
    for (changes, left) in [
        (json!({ "logo_uri": "data:image/svg+xml,<svg onload=alert(1)>" }), None),
        (json!({ "client_uri": "javascript:alert(1)" }), None),
        (json!({ "client_uri": "https://app.example:99999" }), None),
        (json!({ "tos_uri": "https://user@app.example" }), None),
        (json!({ "policy_uri": "https:///x" }), None),
        (json!({ "policy_uri": format!("https://app.example/{}", "a".repeat(2048)) }), None),
        (json!({ "logo_uri": { "url": "https://app.example" } }), None),
        (json!({ "contacts": "dev@app.example" }), None),
        (json!({ "contacts": [7, "dev@app.example", "x".repeat(257)] }), Some(json!(["dev@app.example"]))),
        (json!({ "software_id": "x".repeat(257) }), None),
        (json!({ "software_id": 7 }), None),
        (json!({ "software_version": "1\n2" }), None),
        (json!({ "redirect_uris": ["myapp://cb", CALLBACK, 7] }), Some(json!([CALLBACK]))),
        (json!({ "redirect_uris": [CALLBACK, CALLBACK] }), Some(json!([CALLBACK]))),
        (json!({ "grant_types": ["authorization_code", 7] }), Some(json!(["authorization_code"]))),
        (
            json!({ "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"] }),
            Some(json!("client_secret_post")),
        ),
    ] {
        let own = server.registered(&app_with(changes.clone())).await;
        let name = changes.as_object().unwrap().keys().next().unwrap();
        assert_eq!(own.0.get(name), left.as_ref(), "{changes}");
    }
    let uris: Vec<String> = (0..17).map(|n| format!("https://app.example/{n}")).collect();
    let own = server.registered(&app_with(json!({ "redirect_uris": uris }))).await;
    assert_eq!(own.0["redirect_uris"], json!(uris[..16]), "the seventeenth is one too many");
    let contacts: Vec<String> = (0..9).map(|n| format!("dev{n}@app.example")).collect();
    let own = server.registered(&app_with(json!({ "contacts": contacts }))).await;
    assert_eq!(own.0["contacts"], json!(contacts[..8]));
}

#[tokio::test]
async fn ft_39_a_redirect_uri_has_a_port_that_exists() {
    let server = Registering::open();
    for bad in ["https://app.example:99999/cb", "http://127.0.0.1:65536/cb", "com.example.app://x:99999/cb"] {
        assert_eq!(
            server.refusal(json!({ "redirect_uris": [bad] })).await,
            (400, REDIRECT.to_owned()),
            "{bad}"
        );
        assert!(Client::builder("x").secret("s").redirect_uri(bad).build().is_err(), "{bad}");
    }
    let fits = app_with(json!({ "redirect_uris": ["https://app.example:65535/cb"] }));
    server.registered(&fits).await;
}

#[tokio::test]
async fn az_24_a_client_that_registers_itself_does_not_choose_its_id() {
    let server = Registering::open();
    for id in ["alice", "conf", "https://app.example/client"] {
        let own = server.registered(&app_with(json!({ "client_id": id, "client_secret": "chosen" }))).await;
        assert_eq!(own.id().len(), 22, "128 random bits, and no URL");
        assert_ne!(own.id(), id);
    }
}
