//! Private keys that a host imports: what is read signs, is written back to the same key, and shows nothing.
//!
//! The first byte chooses the form and the algorithm.
#![no_main]

use grantor::jose::{Algorithm, Signer as _, SigningKey, VerifyingKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else { return };
    let algorithm = Algorithm::ALL[usize::from(choice / 3) % Algorithm::ALL.len()];
    let text = std::str::from_utf8(input);
    let key = match (choice % 3, text) {
        (0, Ok(pem)) => SigningKey::from_pem(algorithm, pem),
        (1, Ok(jwk)) => SigningKey::from_jwk(jwk),
        _ => SigningKey::from_pkcs8(algorithm, input),
    };
    let Ok(key) = key else { return };
    let public = serde_json::to_value(key.key()).expect("JSON");
    assert!(["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().all(|name| public.get(name).is_none()));
    let pkcs8 = key.to_pkcs8().expect("PKCS#8");
    let again =
        SigningKey::from_pkcs8(key.algorithm(), pkcs8.reveal()).expect("what was written can be read");
    assert_eq!(again.key().thumbprint(), key.key().thumbprint());
    let signature = again.sign_now(b"message").expect("a key of this process").expect("a signature");
    let verifying = VerifyingKey::from_jwk(key.key()).expect("a public key");
    assert!(verifying.verify(key.algorithm(), b"message", &signature).is_ok());
    assert!(verifying.verify(key.algorithm(), b"massage", &signature).is_err());
});
