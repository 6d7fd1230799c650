//! Signing keys that rotate without a restart.

mod brought;
mod care;
mod driver;
mod files;
mod ring;

use std::convert::Infallible;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use grantor::jose::{Algorithm, SigningKey};
use grantor::keys::{KeyRing, KeySchedule};

const ED: &[Algorithm] = &[Algorithm::EdDsa];

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn day(days: i64) -> DateTime<Utc> {
    start() + TimeDelta::days(days)
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}

fn step_of(ring: &KeyRing, now: DateTime<Utc>, algorithms: &[Algorithm]) -> Option<KeyRing> {
    let fresh = |algorithm| Ok::<_, Infallible>(SigningKey::generate(algorithm).unwrap());
    ring.step(now, &KeySchedule::default(), algorithms, fresh).unwrap()
}

/// The ring after everything that is due at `now`.
fn stepped(ring: KeyRing, now: DateTime<Utc>) -> KeyRing {
    step_of(&ring, now, ED).unwrap_or(ring)
}
