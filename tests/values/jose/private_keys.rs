//! Private keys: made here, brought along, and signed with elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grantor::async_trait;
use grantor::jose::{self, Algorithm, Jwk, Jws, KeyError, SignError, Signer, SigningKey};

use super::vectors::{ED25519_KEY, P256_KEY, RSA_KEY};
use super::{claims, key, signed, trusted};

#[test]
fn each_algorithm_signs_what_it_verifies() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let (key, other) = (key(algorithm), SigningKey::generate(algorithm).unwrap());
        let token = signed(&key, &claims());
        let unverified = Jws::parse(&token).unwrap();
        assert_eq!(unverified.algorithm(), algorithm);
        assert_eq!(unverified.kid(), key.key().kid());
        assert!(unverified.has_typ("AT+JWT") && !unverified.has_typ("jwt"));
        let payload: serde_json::Value = unverified.verify(&trusted(&key)).unwrap().claims().unwrap();
        assert_eq!(payload, claims());
        assert_eq!(unverified.verify(&trusted(&other)).unwrap_err(), jose::JwsError::UnknownKey);
    }
}

#[test]
fn a_key_survives_pkcs_8() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let key = key(algorithm);
        let again = SigningKey::from_pkcs8(algorithm, key.to_pkcs8().unwrap().reveal()).unwrap();
        assert_eq!(again.key().thumbprint(), key.key().thumbprint());
        Jws::parse(&signed(&again, &claims())).unwrap().verify(&trusted(&again)).unwrap();
        let wrong = if algorithm == Algorithm::EdDsa { Algorithm::Es256 } else { Algorithm::EdDsa };
        assert!(SigningKey::from_pkcs8(wrong, key.to_pkcs8().unwrap().reveal()).is_err());
    }
}

#[test]
fn a_pem_file_is_a_key() {
    let key = key(Algorithm::Es256);
    let pem = |label: &str, der: &[u8]| {
        format!("note\n-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    };
    let pkcs8 = pem("PRIVATE KEY", key.to_pkcs8().unwrap().reveal());
    let curve_first = format!("{}{pkcs8}", pem("EC PARAMETERS", &[6, 1, 0]));
    for text in [&pkcs8, &pkcs8.replace('\n', "\r\n"), &curve_first] {
        let read = SigningKey::from_pem(Algorithm::Es256, text).unwrap();
        assert_eq!(read.key().thumbprint(), key.key().thumbprint());
    }
    for text in ["", "-----BEGIN PRIVATE KEY-----", &pkcs8[..80], &pem("PUBLIC KEY", b"AA")] {
        assert_eq!(SigningKey::from_pem(Algorithm::Es256, text).unwrap_err(), KeyError::NotPem, "{text}");
    }
    let encrypted = pem("ENCRYPTED PRIVATE KEY", b"AA");
    assert_eq!(SigningKey::from_pem(Algorithm::Es256, &encrypted).unwrap_err(), KeyError::Mismatch);
    assert!(SigningKey::from_pem(Algorithm::EdDsa, &pkcs8).is_err());
}

#[test]
fn a_private_jwk_is_a_key_if_its_parts_belong_together() {
    assert_eq!(SigningKey::from_jwk(RSA_KEY).unwrap().algorithm(), Algorithm::Rs256);
    assert_eq!(SigningKey::from_jwk(ED25519_KEY).unwrap().algorithm(), Algorithm::EdDsa);
    assert_eq!(SigningKey::from_jwk(P256_KEY).unwrap().algorithm(), Algorithm::Es256);
    let named = ED25519_KEY.replace(r#""kty""#, r#""kid":"mine","kty""#);
    assert_eq!(SigningKey::from_jwk(&named).unwrap().key().kid(), Some("mine"));

    let no_alg = RSA_KEY.replace(r#""alg":"RS256","#, "");
    assert_eq!(SigningKey::from_jwk(&no_alg).unwrap_err(), KeyError::NoAlgorithm);
    let strange = ED25519_KEY.replace("nWGx", "nWGy");
    assert_eq!(SigningKey::from_jwk(&strange).unwrap_err(), KeyError::Rejected);
    let strange = RSA_KEY.replace("Eq5x", "Eq5y");
    assert_eq!(SigningKey::from_jwk(&strange).unwrap_err(), KeyError::Rejected);
    let public = serde_json::to_string(key(Algorithm::EdDsa).key()).unwrap();
    assert_eq!(SigningKey::from_jwk(&public).unwrap_err(), KeyError::Malformed);
    let symmetric = r#"{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}"#;
    assert_eq!(SigningKey::from_jwk(symmetric).unwrap_err(), KeyError::Unsupported);
}

/// A vault: it has to be waited for, and may answer with nonsense.
struct Vault {
    key: SigningKey,
    nonsense: bool,
}

#[async_trait]
impl Signer for Vault {
    fn key(&self) -> &Jwk {
        self.key.key()
    }

    fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        tokio::task::yield_now().await;
        if self.nonsense { Ok(vec![0x30; 71]) } else { self.key.sign(message).await }
    }
}

#[tokio::test]
async fn a_vault_signs_as_a_key_does() {
    let vault = Vault { key: key(Algorithm::Es256), nonsense: false };
    assert!(jose::encode_now("at+jwt", &claims(), &vault).is_none());
    let token = jose::encode("at+jwt", &claims(), &vault).await.unwrap();
    Jws::parse(&token).unwrap().verify(&trusted(&vault.key)).unwrap();
}

#[tokio::test]
async fn a_vault_that_answers_with_der_makes_no_token() {
    let vault = Vault { key: key(Algorithm::Es256), nonsense: true };
    let answer = jose::encode("at+jwt", &claims(), &vault).await;
    assert!(matches!(answer, Err(SignError::Malformed)));
}

#[test]
fn only_an_object_is_signed() {
    let key = key(Algorithm::EdDsa);
    let answer = jose::encode_now("at+jwt", &["a", "list"], &key).unwrap();
    assert!(matches!(answer, Err(SignError::Claims)));
}
