//! The secrets of clients that MACs are made with (`client_secret_jwt`, `id_token`s by HS256), kept in this
//! process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grantor::client::SealedSecrets;
use grantor::{BackendError, SecretText};

/// What is sealed is the random name of a secret in the vault, so a client that registered itself for HS256
/// gets no `id_token` after a restart. Counted names would begin again in each process, and such a client
/// would then have the secret of another one. A host with a database of clients would encrypt, under a key
/// that is not in the database.
#[derive(Default)]
pub(crate) struct Vault(Mutex<HashMap<String, SecretText>>);

impl SealedSecrets for Vault {
    fn seal(&self, secret: &SecretText) -> Result<String, BackendError> {
        let name: [u8; 16] = rand::random();
        let name = URL_SAFE_NO_PAD.encode(name);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(name.clone(), SecretText::new(secret.reveal()));
        Ok(name)
    }

    fn open(&self, sealed: &str) -> Result<SecretText, BackendError> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = kept.get(sealed).map(|secret| SecretText::new(secret.reveal()));
        secret.ok_or_else(|| BackendError::permanent("the vault has no such secret"))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_opens_nothing_that_another_one_sealed() {
        let (former, restarted) = (Vault::default(), Vault::default());
        let sealed = former.seal(&SecretText::new("one client's secret")).expect("room");
        restarted.seal(&SecretText::new("another client's secret")).expect("room");
        assert_eq!(former.open(&sealed).expect("its own").reveal(), "one client's secret");
        assert!(restarted.open(&sealed).is_err());
    }
}
