//! The metadata of an issuer, as a guard reads them: those of another issuer do not count, and keys are
//! fetched from nowhere else.
#![no_main]

use std::sync::{Once, OnceLock};

use grantor::Request;
use grantor::jose::encode_now;
use grantor::outbound::OutboundResponse;
use grantor::resource::{Guard, Requirement};
use grantor_fuzz::{Canned, ISSUER, NOW, Still, guard, key, public_keys};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const API: &str = "https://api.example";

fuzz_target!(|input: &[u8]| {
    static GOOD: Once = Once::new();
    GOOD.call_once(|| assert!(ask(include_bytes!("../seeds/discovery/metadata")).0, "metadata in order"));
    let (passes, asked) = ask(input);
    assert_eq!(asked[0], "https://as.example/.well-known/oauth-authorization-server");
    assert!(!passes || asked.len() > 1, "keys from nowhere");
    // A string in a member that is ignored may be malformed.
    let Ok(said) = serde_json::from_slice::<Value>(input) else { return };
    for url in &asked[1..] {
        assert_eq!((said["issuer"].as_str(), said["jwks_uri"].as_str()), (Some(ISSUER), Some(url.as_str())));
    }
});

/// Whether a guard that reads these metadata lets a token in, and the URLs that it asked for.
fn ask(metadata: &[u8]) -> (bool, Vec<String>) {
    let document = metadata.to_vec();
    let keys = serde_json::to_vec(&public_keys()).expect("JSON");
    let web = Canned::new(move |url| {
        let is_metadata = url.starts_with(ISSUER) && url.contains("/.well-known/");
        Some(OutboundResponse::new(200, if is_metadata { document.clone() } else { keys.clone() }))
    });
    // A new guard for each input, because it would keep what it read.
    let own = Guard::builder(API).issuer(ISSUER, web.clone()).clock(Still).build().expect("a guard");
    let request = Request::get("").header("authorization", format!("Bearer {}", token()));
    let passes = guard(&own, &request, &Requirement::any()).is_ok();
    (passes, web.asked())
}

fn token() -> &'static str {
    static TOKEN: OnceLock<String> = OnceLock::new();
    TOKEN.get_or_init(|| {
        let claims = serde_json::json!({
            "iss": ISSUER, "sub": "alice", "sub_type": "user", "aud": API, "client_id": "app", "jti": "a",
            "iat": NOW, "exp": NOW + 600,
        });
        encode_now("at+jwt", &claims, &**key()).expect("a key of this process").expect("a token")
    })
}
