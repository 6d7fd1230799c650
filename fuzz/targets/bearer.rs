//! The `Authorization` field at a resource: one token in one place, and every refusal says how to do better.
//!
//! An input is lines of fields, a line `?query`, an empty line and a form; `$T` is a token that is good.
#![no_main]

use std::sync::OnceLock;

use grantor::Request;
use grantor::http::Method;
use grantor::jose::encode_now;
use grantor::resource::{Guard, Requirement, StaticKeys};
use grantor_fuzz::{ISSUER, NOW, Still, guard, key, public_keys};
use libfuzzer_sys::fuzz_target;

const API: &str = "https://api.example";

fuzz_target!(|text: &str| {
    let (own, token) = world();
    let text = text.replace("$T", token);
    let (head, form) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut request = if form.is_empty() { Request::new(Method::Get) } else { Request::post_form(form) };
    for line in head.lines().take(8) {
        match line.strip_prefix('?') {
            Some(query) => request.query = Some(query.to_owned()),
            None => request.headers.push("authorization", line),
        }
    }
    match guard(own, &request, &Requirement::scopes(["read"])) {
        Ok(access) => {
            assert_eq!((access.user(), access.scope().as_str()), (Some("alice"), "read"));
            let fields: Vec<&str> = request.headers.all("authorization").collect();
            let [field] = fields[..] else { panic!("{} fields", fields.len()) };
            let (scheme, rest) = field.split_once(' ').expect("a scheme");
            assert!(scheme.eq_ignore_ascii_case("bearer") && rest.trim() == token);
            let query = request.query.as_deref().unwrap_or_default();
            assert!(
                ![query, form]
                    .iter()
                    .any(|text| text.split('&').any(|pair| pair.starts_with("access_token=")))
            );
        }
        Err(response) => {
            assert!(matches!(response.status, 400 | 401));
            let all: String = response.headers.iter().map(|(_, value)| value.as_ref()).collect();
            assert!(all.contains("Bearer realm=") && !all.contains(token.as_str()), "a token in an answer");
        }
    }
});

fn world() -> &'static (Guard, String) {
    static WORLD: OnceLock<(Guard, String)> = OnceLock::new();
    WORLD.get_or_init(|| {
        let builder = Guard::builder(API).jwks(ISSUER, StaticKeys::new(&public_keys())).clock(Still);
        let claims = serde_json::json!({
            "iss": ISSUER, "sub": "alice", "sub_type": "user", "aud": API, "client_id": "app", "jti": "a",
            "iat": NOW, "exp": NOW + 600, "scope": "read",
        });
        let token = encode_now("at+jwt", &claims, &**key()).expect("a key of this process").expect("a token");
        let own = builder.build().expect("a guard");
        let good = Request::get("").header("authorization", format!("Bearer {token}"));
        assert!(guard(&own, &good, &Requirement::scopes(["read"])).is_ok(), "a token in order");
        (own, token)
    })
}
