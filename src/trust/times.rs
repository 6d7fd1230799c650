//! The times of a signed text: one rule for access tokens, assertions, and everything else that clients and
//! servers sign. And the limits for what clients sign.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::base::numeric_date::NumericDate;
use crate::error::AssertionFlaw as Flaw;

/// How far a clock may be off, in seconds.
pub(crate) const CLOCK_SKEW: i64 = 30;

/// How long a node keeps what has expired for it: two nodes whose clocks are off by [`CLOCK_SKEW`] can
/// disagree for that long on what has expired.
pub(crate) const KEPT_FOR_NODES: Duration = Duration::from_secs(2 * CLOCK_SKEW as u64);

/// How long a signed text is valid past its `exp`, in seconds, for clocks that differ.
pub(crate) const EXPIRY_LEEWAY: i64 = 10;

/// The maximum lifetime of an assertion or a request object of a client, and the maximum age of the `nbf` of
/// a request object, in seconds (FAPI 2.0 Message Signing section 5.3.1).
pub(crate) const MAX_LIFETIME: i64 = 60 * 60;

/// The longest `jti` of an assertion or a request object of a client, in bytes.
pub(crate) const MAX_JTI: usize = 512;

/// The time until which a text with this `exp` is accepted.
pub(crate) fn accepted(exp: NumericDate) -> DateTime<Utc> {
    let seconds = exp.seconds().saturating_add(EXPIRY_LEEWAY);
    DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Checks that a text is already valid.
pub(crate) fn check_begun(
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    now: DateTime<Utc>,
) -> Result<(), Flaw> {
    let ahead = |date: NumericDate| date.seconds() > now.timestamp() + CLOCK_SKEW;
    match iat.is_some_and(ahead) || nbf.is_some_and(ahead) {
        true => Err(Flaw::TooEarly),
        false => Ok(()),
    }
}

/// Checks that a text is valid now, and for at most `longest` seconds in total.
pub(crate) fn check(
    exp: NumericDate,
    nbf: Option<NumericDate>,
    iat: Option<NumericDate>,
    longest: i64,
    now: DateTime<Utc>,
) -> Result<(), Flaw> {
    if exp.seconds() + EXPIRY_LEEWAY <= now.timestamp() {
        return Err(Flaw::Expired);
    }
    check_begun(nbf, iat, now)?;
    let now = now.timestamp();
    if nbf.is_some_and(|nbf| exp <= nbf) {
        return Err(Flaw::Expired);
    }
    // Without an `iat`, the lifetime counts from now.
    let since = iat.map_or(now, |iat| iat.seconds().min(now));
    match exp.seconds() - since > longest.saturating_add(CLOCK_SKEW) {
        true => Err(Flaw::TooLongLived),
        false => Ok(()),
    }
}
