//! The bare signature and the bare verification with a parsed key, by the library that this crate uses.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use grantor::jose::{Algorithm, SigningKey};

/// A private key that is ready to sign.
pub enum Bare {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

impl Bare {
    pub fn new(algorithm: Algorithm) -> Self {
        let pkcs8 = SigningKey::generate(algorithm).unwrap().to_pkcs8().unwrap();
        let der = pkcs8.reveal();
        match algorithm {
            Algorithm::EdDsa => Self::Ed25519(Ed25519KeyPair::from_pkcs8(der).unwrap()),
            Algorithm::Es256 => {
                Self::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).unwrap())
            }
            Algorithm::Ps256 => Self::Rsa(RsaKeyPair::from_pkcs8(der).unwrap(), &RSA_PSS_SHA256),
            Algorithm::Rs256 => Self::Rsa(RsaKeyPair::from_pkcs8(der).unwrap(), &RSA_PKCS1_SHA256),
            _ => unreachable!("one of Algorithm::ALL"),
        }
    }

    /// Signs into a buffer of a fixed size.
    pub fn sign(&self, message: &[u8]) -> [u8; 256] {
        let mut signature = [0; 256];
        match self {
            Self::Ed25519(pair) => signature[..64].copy_from_slice(pair.sign(message).as_ref()),
            Self::P256(pair) => {
                let signed = pair.sign(&SystemRandom::new(), message).unwrap();
                signature[..64].copy_from_slice(signed.as_ref());
            }
            Self::Rsa(pair, encoding) => {
                pair.sign(*encoding, &SystemRandom::new(), message, &mut signature).unwrap();
            }
        }
        signature
    }
}

/// A public key that is ready to verify.
pub struct Published(ParsedPublicKey);

impl Published {
    /// The only key of a JWK set in JSON.
    pub fn parse(jwks: &[u8], algorithm: Algorithm) -> Self {
        let set: serde_json::Value = serde_json::from_slice(jwks).unwrap();
        let part = |name: &str| BASE64URL.decode(set["keys"][0][name].as_str().unwrap()).unwrap();
        let parsed = match algorithm {
            Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, part("x")),
            Algorithm::Es256 => {
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, [vec![4], part("x"), part("y")].concat())
            }
            Algorithm::Ps256 => RsaPublicKeyComponents { n: part("n"), e: part("e") }
                .to_parsed_public_key(&RSA_PSS_2048_8192_SHA256),
            Algorithm::Rs256 => RsaPublicKeyComponents { n: part("n"), e: part("e") }
                .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256),
            _ => unreachable!("one of Algorithm::ALL"),
        };
        Self(parsed.unwrap())
    }

    pub fn verify(&self, message: &[u8], signature: &[u8]) {
        self.0.verify_sig(message, signature).unwrap();
    }
}

/// The signing input of a token, and its signature.
pub fn split(token: &str) -> (Vec<u8>, Vec<u8>) {
    let (message, signature) = token.rsplit_once('.').unwrap();
    (message.into(), BASE64URL.decode(signature).unwrap())
}
