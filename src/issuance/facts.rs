//! [`Facts`]: the input that every step of a request has in common.

use chrono::{DateTime, Utc};

use super::Rules;

/// The common input of each step of a request: the time, and the rules of the server. Read the clock again
/// for each step, because the host may have taken a while to answer the last one.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Facts<'a> {
    /// The time of this step.
    pub now: DateTime<Utc>,
    /// The rules of the server.
    pub rules: &'a Rules,
    /// Whether the server knows that the response for the presented code was never sent. A wrong `true` gives
    /// a thief of a spent code the tokens that were issued for it.
    pub unanswered: bool,
}

impl<'a> Facts<'a> {
    /// This time and these rules; no lost response is known.
    #[must_use]
    pub fn new(now: DateTime<Utc>, rules: &'a Rules) -> Self {
        Self { now, rules, unanswered: false }
    }

    /// Sets whether the response for the presented code is known to be lost.
    #[must_use]
    pub fn unanswered(self, unanswered: bool) -> Self {
        Self { unanswered, ..self }
    }
}
