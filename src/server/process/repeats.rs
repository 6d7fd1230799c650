//! The responses that this process repeated, so that an audit event can distinguish the first repeat from
//! later ones.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::bounded::Bounded;
use crate::base::secret::Fingerprint;
use crate::base::{Digest, after};

#[derive(Debug)]
pub(in crate::server) struct Repeats {
    leeway: Duration,
    /// Tokens whose response was repeated, until no further repeat is possible. When this is full, a repeat
    /// counts as a later one, so a flood of other repeats cannot hide it.
    seen: Mutex<Bounded<Fingerprint>>,
}

impl Repeats {
    pub(in crate::server) fn new(leeway: Duration) -> Self {
        Self { leeway, seen: Mutex::default() }
    }

    /// Records that the response for this token is repeated; `true` the first time.
    pub(in crate::server) fn is_first(&self, token: &Digest, now: DateTime<Utc>) -> bool {
        let name = token.fingerprint();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        !seen.remembers(&name) && seen.insert(name, after(now, self.leeway), now)
    }
}

#[cfg(test)]
mod tests {
    use super::super::bounded::LIMIT;
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn token(n: usize) -> Digest {
        Digest::of("test", &n.to_be_bytes())
    }

    #[test]
    fn ft_04_the_first_repeat_is_told_from_the_second() {
        let repeats = Repeats::new(Duration::from_secs(60));
        assert!(repeats.is_first(&token(1), at(0)));
        assert!(!repeats.is_first(&token(1), at(0)));
        assert!(repeats.is_first(&token(2), at(0)));
    }

    #[test]
    fn ft_04_who_fills_the_memory_hides_no_repeat() {
        let repeats = Repeats::new(Duration::from_secs(60));
        assert!((0..LIMIT).all(|n| repeats.is_first(&token(n), at(0))));
        assert!(!repeats.is_first(&token(LIMIT), at(59)));
        assert!(repeats.is_first(&token(LIMIT), at(60)), "it is emptied by time");
    }
}
