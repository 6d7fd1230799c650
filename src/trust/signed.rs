//! Verifies claims with keys that may change.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use super::key_source::{KeySource, TrustedKeys};
use crate::base::Digest;
use crate::error::BackendError;
use crate::jose::{JwsError, Unverified};

/// Claims, and the key that signed them.
pub(crate) struct Signed<T> {
    pub(crate) claims: T,
    pub(crate) key: Digest,
}

/// Why there are no verified claims.
pub(crate) enum SignatureMissing {
    /// None of the keys is the one that it names.
    NoKey,
    /// The signature does not match the key.
    Wrong,
    /// The signature is valid, but the claims have wrong types.
    Claims,
    /// The keys could not be fetched.
    KeysUnavailable(BackendError),
}

/// The claims that one of the keys signed. An unknown key may be new: then the keys are fetched once more.
pub(crate) async fn signed_claims<T: DeserializeOwned>(
    source: &dyn KeySource,
    jws: &Unverified<'_>,
    now: DateTime<Utc>,
) -> Result<Signed<T>, SignatureMissing> {
    let keys = source.keys(false, now).await.map_err(SignatureMissing::KeysUnavailable)?;
    match read(jws, &keys) {
        Err(Unread::KeyMissing(missing)) => {
            let fresh = source.keys(true, now).await.map_err(SignatureMissing::KeysUnavailable)?;
            let read = if fresh.is(&keys) { Err(Unread::KeyMissing(missing)) } else { read(jws, &fresh) };
            read.map_err(|(Unread::KeyMissing(missing) | Unread::Refused(missing))| missing)
        }
        Err(Unread::Refused(missing)) => Err(missing),
        Ok(signed) => Ok(signed),
    }
}

enum Unread {
    /// A fresh key set may have the key.
    KeyMissing(SignatureMissing),
    Refused(SignatureMissing),
}

fn read<T: DeserializeOwned>(jws: &Unverified<'_>, keys: &TrustedKeys) -> Result<Signed<T>, Unread> {
    let verified = jws.verify(keys.as_slice()).map_err(|error| match error {
        JwsError::UnknownKey => Unread::KeyMissing(SignatureMissing::NoKey),
        // A token without a `kid` was tried with all keys.
        _ if jws.kid().is_none() => Unread::KeyMissing(SignatureMissing::Wrong),
        _ => Unread::Refused(SignatureMissing::Wrong),
    })?;
    let claims = verified.claims().map_err(|_| Unread::Refused(SignatureMissing::Claims))?;
    Ok(Signed { claims, key: verified.key().digest() })
}
