//! [`KeySchedule`]: how long a key is announced, signs, and stays published.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

const DAY: u64 = 24 * 60 * 60;

/// How long each stage of a key lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeySchedule {
    /// How long before it signs a key is published; 14 days. A verifier may cache the key set for this long,
    /// less the minute for which a node caches the ring.
    pub announce: Duration,
    /// How long it signs; 90 days.
    pub sign: Duration,
    /// How long it stays published after that; 14 days. It must cover the lifetime of the longest-lived token
    /// that it signs.
    pub retire: Duration,
}

/// What is wrong with a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyScheduleError {
    /// Less than a minute of signing.
    #[error("a key has to sign for at least a minute")]
    SignTooShort,
    /// A stage of more than ten years.
    #[error("no part of a key's life may be longer than ten years")]
    TooLong,
    /// A key would be announced before its predecessor signs.
    #[error("`announce` may not be longer than `sign`")]
    AnnouncedTooEarly,
    /// A key set would have too many retired keys.
    #[error("`retire` may not be longer than eight times `sign`")]
    RetiredTooLong,
}

impl KeySchedule {
    /// A schedule with these three stages.
    ///
    /// # Errors
    /// The stages are inconsistent; see [`validate`](Self::validate).
    pub fn new(announce: Duration, sign: Duration, retire: Duration) -> Result<Self, KeyScheduleError> {
        let schedule = Self { announce, sign, retire };
        schedule.validate()?;
        Ok(schedule)
    }

    /// Checks that the stages are consistent.
    ///
    /// # Errors
    /// The first mistake.
    pub fn validate(&self) -> Result<(), KeyScheduleError> {
        let longest = Duration::from_secs(10 * 366 * DAY);
        if self.sign < Duration::from_secs(60) {
            return Err(KeyScheduleError::SignTooShort);
        }
        if [self.announce, self.sign, self.retire].iter().any(|part| *part > longest) {
            return Err(KeyScheduleError::TooLong);
        }
        if self.announce > self.sign {
            return Err(KeyScheduleError::AnnouncedTooEarly);
        }
        if self.retire > self.sign * 8 {
            return Err(KeyScheduleError::RetiredTooLong);
        }
        Ok(())
    }

    /// Whether a token of this lifetime can be verified until it expires.
    #[must_use]
    pub fn covers(&self, longest_token: Duration) -> bool {
        longest_token <= self.retire
    }

    /// When to announce the successor of a key that signs since `signs`.
    pub(super) fn announces(&self, signs: DateTime<Utc>) -> DateTime<Utc> {
        earlier(later(signs, self.sign), self.announce)
    }
}

impl Default for KeySchedule {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * DAY);
        Self { announce: days(14), sign: days(90), retire: days(14) }
    }
}

pub(super) fn later(from: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let delta = TimeDelta::from_std(by).ok();
    delta.and_then(|by| from.checked_add_signed(by)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn earlier(from: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    let delta = TimeDelta::from_std(by).ok();
    delta.and_then(|by| from.checked_sub_signed(by)).unwrap_or(DateTime::<Utc>::MIN_UTC)
}
