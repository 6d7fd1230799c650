//! What we sign, another library verifies, and the other way round.

use grantor::jose::{Algorithm, Jws, Signer as _, SigningKey};
use jsonwebtoken as other;
use serde_json::Value;

use super::{claims, key, signed, trusted};

fn name(algorithm: Algorithm) -> other::Algorithm {
    algorithm.as_str().parse().unwrap()
}

#[test]
fn jsonwebtoken_verifies_what_we_sign() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let key = key(algorithm);
        let jwk: other::jwk::Jwk = serde_json::from_value(serde_json::to_value(key.key()).unwrap()).unwrap();
        let public = other::DecodingKey::from_jwk(&jwk).unwrap();
        let mut rules = other::Validation::new(name(algorithm));
        rules.validate_exp = false;
        let read = other::decode::<Value>(&signed(&key, &claims()), &public, &rules).unwrap();
        assert_eq!(read.claims, claims());
        assert_eq!(read.header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(read.header.kid.as_deref(), key.key().kid());
    }
}

#[test]
fn we_verify_what_jsonwebtoken_signs() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let key = key(algorithm);
        let der = key.to_pkcs8().unwrap();
        let private = match algorithm {
            Algorithm::EdDsa => other::EncodingKey::from_ed_der(der.reveal()),
            Algorithm::Es256 => other::EncodingKey::from_ec_der(der.reveal()),
            _ => other::EncodingKey::from_rsa_der(&pkcs1(&key)),
        };
        let mut header = other::Header::new(name(algorithm));
        header.kid = key.key().kid().map(str::to_owned);
        let token = other::encode(&header, &claims(), &private).unwrap();
        Jws::parse(&token).unwrap().verify(&trusted(&key)).unwrap();
    }
}

/// The other library wants the key within: what follows the 26 bytes of wrapping around 2048 bits.
fn pkcs1(key: &SigningKey) -> Vec<u8> {
    key.to_pkcs8().unwrap().reveal()[26..].to_vec()
}
