//! Public keys and sets of them: what is read, and that nothing private is ever written.

use grantor::jose::{Algorithm, Jwk, JwkSet, JwkSetError, KeyError, Signer as _, SigningKey, VerifyingKey};
use serde_json::{Value, json};

use super::key;
use super::vectors::{ED25519_KEY, P256_KEY, RSA_KEY};

#[test]
fn a_key_is_written_as_it_is_read() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let key = key(algorithm);
        let json = serde_json::to_string(key.key()).unwrap();
        assert_eq!(&Jwk::parse(&json).unwrap(), key.key());
        let value: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["alg"], algorithm.as_str());
        assert_eq!(value["use"], "sig");
        assert_eq!(value["kid"], key.key().thumbprint());
    }
}

#[test]
fn a_private_part_cannot_be_read_into_a_public_key() {
    for private in [RSA_KEY, ED25519_KEY, P256_KEY] {
        assert_eq!(Jwk::parse(private), Err(KeyError::Private));
        let value: Value = serde_json::from_str(private).unwrap();
        assert!(serde_json::from_value::<Jwk>(value).is_err());
    }
    for part in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let mut key = serde_json::to_value(key(Algorithm::EdDsa).key()).unwrap();
        key[part] = json!("AAAA");
        assert_eq!(Jwk::parse(&key.to_string()), Err(KeyError::Private), "{part}");
    }
}

#[test]
fn no_public_form_shows_a_private_part() {
    for private in [RSA_KEY, ED25519_KEY, P256_KEY] {
        let key = SigningKey::from_jwk(private).unwrap();
        let set = JwkSet::new([key.key().clone()]).unwrap();
        let verifying = VerifyingKey::from_jwk(key.key()).unwrap();
        let shown = format!("{:?} {:?} {set:?} {verifying:?}", key, key.to_pkcs8().unwrap());
        let json = serde_json::to_string(&set).unwrap();
        let members: Value = serde_json::from_str(private).unwrap();
        for part in ["d", "p", "q", "dp", "dq", "qi"] {
            let Some(text) = members[part].as_str() else { continue };
            assert!(!shown.contains(text) && !json.contains(text), "{part}");
            assert!(serde_json::to_value(&set).unwrap()["keys"][0].get(part).is_none(), "{part}");
        }
        // `Debug` writes numbers as lists of bytes.
        let seed = base64_of(&members["d"]);
        let listed = format!("{:?}", &seed[..8]);
        assert!(!shown.contains(listed.trim_matches(['[', ']'])));
    }
}

fn base64_of(text: &Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}

#[test]
fn a_key_for_something_else_is_refused() {
    let with = |member: &str, value: Value| {
        let mut key = serde_json::to_value(key(Algorithm::EdDsa).key()).unwrap();
        key[member] = value;
        Jwk::parse(&key.to_string())
    };
    assert_eq!(with("use", json!("enc")), Err(KeyError::NotForSignatures));
    assert_eq!(with("key_ops", json!(["sign"])), Err(KeyError::NotForSignatures));
    assert!(with("key_ops", json!(["verify"])).is_ok());
    assert_eq!(with("alg", json!("ES256")), Err(KeyError::Mismatch));
    assert_eq!(with("alg", json!("HS256")), Err(KeyError::Unsupported));
    assert_eq!(with("alg", json!("none")), Err(KeyError::Unsupported));
    assert_eq!(with("crv", json!("X25519")), Err(KeyError::Unsupported));
    assert_eq!(with("kty", json!("oct")), Err(KeyError::Unsupported));
    assert_eq!(with("x", json!("AAAA")), Err(KeyError::Malformed));
    assert_eq!(with("kid", json!("k".repeat(257))), Err(KeyError::Malformed));
    assert_eq!(with("alg", json!("Ed25519")).unwrap().algorithm(), Some(Algorithm::EdDsa));
    assert_eq!(Jwk::parse(r#"{"kty":"OKP","kty":"OKP"}"#), Err(KeyError::NotJson));
}

#[test]
fn a_weak_or_odd_rsa_key_is_refused() {
    let rsa = |n: Vec<u8>, e: &[u8]| {
        Jwk::parse(&json!({ "kty": "RSA", "n": super::b64(&n), "e": super::b64(e) }).to_string())
    };
    assert_eq!(rsa(vec![0xff; 128], &[1, 0, 1]), Err(KeyError::Weak));
    // 2047 bits.
    assert_eq!(rsa([vec![0x7f], vec![0xff; 255]].concat(), &[1, 0, 1]), Err(KeyError::Weak));
    assert!(rsa(vec![0xff; 256], &[1, 0, 1]).is_ok());
    assert_eq!(rsa(vec![0xff; 1025], &[1, 0, 1]), Err(KeyError::Unsupported));
    assert_eq!(rsa([vec![0], vec![0xff; 256]].concat(), &[1, 0, 1]), Err(KeyError::Malformed));
    for e in [&[][..], &[0, 1, 0, 1], &[1], &[2], &[1, 0, 0, 0, 0, 1]] {
        assert_eq!(rsa(vec![0xff; 256], e), Err(KeyError::Malformed), "{e:?}");
    }
}

#[test]
fn a_point_that_is_not_on_the_curve_is_refused() {
    let point = json!({ "kty": "EC", "crv": "P-256", "x": super::b64(&[1; 32]), "y": super::b64(&[2; 32]) });
    let key = Jwk::parse(&point.to_string()).unwrap();
    assert_eq!(VerifyingKey::from_jwk(&key).unwrap_err(), KeyError::Rejected);
}

#[test]
fn a_set_skips_what_it_cannot_use() {
    let good = serde_json::to_value(key(Algorithm::EdDsa).key()).unwrap();
    let mut for_encryption = good.clone();
    for_encryption["use"] = json!("enc");
    let private: Value = serde_json::from_str(P256_KEY).unwrap();
    let set = json!({ "keys": [
        { "kty": "oct", "k": "c2VjcmV0" }, { "kty": "EC", "crv": "P-521", "x": "AA", "y": "AA" }, for_encryption,
        private, 7, "text", {}, good,
    ] });
    let set = JwkSet::parse(&set.to_string()).unwrap();
    assert_eq!(serde_json::to_value(set.keys()).unwrap(), json!([good]));
}

#[test]
fn a_set_has_limits() {
    let key = serde_json::to_value(key(Algorithm::EdDsa).key()).unwrap();
    let set = |n: usize| json!({ "keys": vec![key.clone(); n] }).to_string();
    assert_eq!(JwkSet::parse(&set(64)).unwrap().keys().len(), 64);
    assert_eq!(JwkSet::parse(&set(65)), Err(JwkSetError::TooManyKeys));
    let padded = format!("{}{}", set(1), " ".repeat(64 * 1024));
    assert_eq!(JwkSet::parse(&padded), Err(JwkSetError::TooLong));
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]"#, "null"] {
        assert_eq!(JwkSet::parse(text), Err(JwkSetError::NotJson), "{text}");
    }
    assert!(JwkSet::parse(r#"{"keys":[]}"#).unwrap().keys().is_empty());
}
