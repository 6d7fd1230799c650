//! The claims under a signature of keys that may change.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use super::key_source::{KeySource, TrustedKeys};
use crate::jose::{JwsError, Unverified};
use crate::secret::Digest;

/// Claims, and the key that signed them.
pub(crate) struct Signed<T> {
    pub(crate) claims: T,
    pub(crate) key: Digest,
}

/// Why there are no claims to be believed.
pub(crate) enum Unsigned {
    /// None of the keys has signed it.
    NoKey,
    /// One has, and the claims are of another shape.
    Claims,
    /// The keys could not be had.
    KeysUnavailable,
}

/// The claims under a signature of one of the keys. A key that is not there may be new: then the keys are asked for
/// once more.
pub(crate) async fn signed_claims<T: DeserializeOwned>(
    source: &dyn KeySource,
    jws: &Unverified<'_>,
    now: DateTime<Utc>,
) -> Result<Signed<T>, Unsigned> {
    let keys = source.keys(false, now).await.map_err(|_| Unsigned::KeysUnavailable)?;
    match read(jws, &keys) {
        Err(Unread::KeyMissing) => {
            let fresh = source.keys(true, now).await.map_err(|_| Unsigned::KeysUnavailable)?;
            let read = if fresh.is(&keys) { Err(Unread::KeyMissing) } else { read(jws, &fresh) };
            read.map_err(|unread| match unread {
                Unread::KeyMissing => Unsigned::NoKey,
                Unread::Refused(unsigned) => unsigned,
            })
        }
        Err(Unread::Refused(unsigned)) => Err(unsigned),
        Ok(signed) => Ok(signed),
    }
}

enum Unread {
    /// A fresh key set may have the key.
    KeyMissing,
    Refused(Unsigned),
}

fn read<T: DeserializeOwned>(jws: &Unverified<'_>, keys: &TrustedKeys) -> Result<Signed<T>, Unread> {
    // A token that names no key was tried with all of them.
    let may_be_new = |error| error == JwsError::UnknownKey || jws.kid().is_none();
    let verified = jws.verify(keys.as_slice()).map_err(|error| match may_be_new(error) {
        true => Unread::KeyMissing,
        false => Unread::Refused(Unsigned::NoKey),
    })?;
    let claims = verified.claims().map_err(|_| Unread::Refused(Unsigned::Claims))?;
    Ok(Signed { claims, key: verified.key().digest() })
}
