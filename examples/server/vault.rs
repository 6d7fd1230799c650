//! The secrets of clients that MACs are made with (`client_secret_jwt`, `id_token`s by HS256), kept in this
//! process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use grantor::client::SealedSecrets;
use grantor::{BackendError, SecretText};

/// What is sealed is the name of a secret that the vault has, so a client that registered itself for HS256
/// gets no `id_token` after a restart. A host with a database of clients would encrypt, under a key that is
/// not in the database.
#[derive(Default)]
pub(crate) struct Vault(Mutex<HashMap<String, SecretText>>);

impl SealedSecrets for Vault {
    fn seal(&self, secret: &SecretText) -> Result<String, BackendError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = kept.len().to_string();
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
