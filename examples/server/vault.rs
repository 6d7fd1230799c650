//! The client secrets that are used for MACs (`client_secret_jwt`, `id_token`s with HS256), and `sealing_key`
//! of the configuration file.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::client::SealedSecrets;
use grantor::{BackendError, SecretText};
use sha2::{Digest, Sha256};
use toml::Table;

use crate::config::Config;
use crate::toml_reader::Reader;

/// Encrypts the secrets; the ciphertext is stored with the client.
pub(crate) struct Vault {
    key: [u8; 32],
    /// Whether the key outlives this process.
    pub(crate) is_durable: bool,
}

/// Enough for 128 random bits in hexadecimal digits.
const MIN_SEALING_KEY: usize = 32;

impl Vault {
    fn keyed(sealing_key: &str) -> Self {
        let key = Sha256::digest(format!("grantor-server sealing key 1\n{sealing_key}"));
        Self { key: key.into(), is_durable: true }
    }

    fn cipher(&self) -> Option<RandomizedNonceKey> {
        RandomizedNonceKey::new(&AES_256_GCM, &self.key).ok()
    }

    /// Ciphertext, tag and nonce.
    fn sealed(&self, secret: &str) -> Option<Vec<u8>> {
        let mut text = secret.as_bytes().to_vec();
        let nonce = self.cipher()?.seal_in_place_append_tag(Aad::empty(), &mut text).ok()?;
        let nonce: &[u8; NONCE_LEN] = nonce.as_ref();
        text.extend_from_slice(nonce);
        Some(text)
    }

    fn opened(&self, sealed: &str) -> Option<String> {
        let mut text = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let nonce = text.split_off(text.len().checked_sub(NONCE_LEN)?);
        let nonce = Nonce::try_assume_unique_for_key(&nonce).ok()?;
        let secret = self.cipher()?.open_in_place(nonce, Aad::empty(), &mut text).ok()?.to_vec();
        String::from_utf8(secret).ok()
    }
}

impl Default for Vault {
    /// With a random key of this process.
    fn default() -> Self {
        Self { key: rand::random(), is_durable: false }
    }
}

impl SealedSecrets for Vault {
    fn seal(&self, secret: &SecretText) -> Result<String, BackendError> {
        let sealed = self.sealed(secret.reveal()).map(|sealed| URL_SAFE_NO_PAD.encode(sealed));
        sealed.ok_or_else(|| BackendError::permanent("the secret could not be sealed"))
    }

    fn open(&self, sealed: &str) -> Result<SecretText, BackendError> {
        let changed = || BackendError::permanent("the secret was sealed under another sealing_key");
        self.opened(sealed).map(SecretText::new).ok_or_else(changed)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(..)")
    }
}

impl Reader {
    /// Must be read before the clients, whose secrets are sealed with it.
    pub(crate) fn sealing_key(&mut self, file: &mut Table) {
        let value = file.remove("sealing_key");
        let Some(key) = value.and_then(|value| self.secret("sealing_key", value)) else { return };
        if key.len() < MIN_SEALING_KEY {
            self.mistakes.push(format!("sealing_key must have at least {MIN_SEALING_KEY} bytes"));
        }
        self.vault = Arc::new(Vault::keyed(&key));
    }
}

impl Config {
    /// Whether this server can open the secrets of clients.
    pub(crate) fn seals(&self) -> bool {
        self.vault.is_durable || self.clients.iter().any(|client| client.metadata().needs_sealed_secret())
    }

    /// Whether a client that registers itself can outlive the key that its secret is sealed with.
    pub(crate) fn forgets_secrets(&self) -> bool {
        let registers = self.registration.is_some() && self.openid.is_some() && self.store != "memory";
        self.seals() && !self.vault.is_durable && registers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_vault_opens_what_one_with_its_key_sealed_and_nothing_else() {
        let secret = SecretText::new("one client's secret");
        let sealed = Vault::keyed(KEY).seal(&secret).expect("a sealed secret");
        assert_ne!(Vault::keyed(KEY).seal(&secret).expect("a sealed secret"), sealed, "the nonce is fresh");
        assert_eq!(Vault::keyed(KEY).open(&sealed).expect("its own").reveal(), "one client's secret");
        let changed = sealed.replacen(&sealed[..1], if sealed.starts_with('A') { "B" } else { "A" }, 1);
        for wrong in [changed.as_str(), &sealed[1..], "", "AAAA", "?"] {
            assert!(Vault::keyed(KEY).open(wrong).is_err(), "{wrong}");
        }
        assert!(Vault::keyed(&KEY.to_uppercase()).open(&sealed).is_err());
        let (former, restarted) = (Vault::default(), Vault::default());
        let sealed = former.seal(&secret).expect("a sealed secret");
        assert!(former.open(&sealed).is_ok() && restarted.open(&sealed).is_err());
    }

    #[test]
    fn a_sealing_key_is_long_and_missed_where_clients_register_themselves() {
        let config = |head: &str, store: &str| {
            Config::parse(&format!(
                "listen = \"127.0.0.1:0\"\nstore = \"{store}\"\n{head}\n[openid]\n\
                 [registration]\nmode = \"open\"\n\
                 [[clients]]\nclient_id = \"app\"\nclient_secret = \"{KEY}\"\ngrant_types = []\n\
                 id_token_signed_response_alg = \"HS256\""
            ))
        };
        let is_warned = |head: &str, store: &str| {
            let config = config(head, store).unwrap_or_else(|found| panic!("{found:?}"));
            config.warnings().iter().any(|line| line.starts_with("without sealing_key"))
        };
        assert!(is_warned("", "sqlite:grants.db"));
        assert!(!is_warned("", "memory"));
        assert!(!is_warned(&format!("sealing_key = \"{KEY}\""), "sqlite:grants.db"));
        let found = config(&format!("sealing_key = \"{}\"", &KEY[1..]), "memory").err().unwrap_or_default();
        assert_eq!(found, ["sealing_key must have at least 32 bytes"]);
    }
}
