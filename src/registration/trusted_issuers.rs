//! [`TrustedIssuers`]: verifies software statements with fixed keys (feature `jwt`).

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::{StatementError, StatementVerifier};
use crate::base::numeric_date::NumericDate;
use crate::jose::{JwkSet, Jws, JwsError, VerifyingKey};

/// Accepts the statements of these issuers, each verified with its own keys.
///
/// A statement is a signed JWT that says who issued it (`iss`). `exp` and `nbf` are optional; without `exp`
/// it is valid as long as its key is trusted (RFC 7591 section 2.3 requires none).
#[derive(Debug, Default)]
pub struct TrustedIssuers {
    issuers: Vec<(String, Vec<VerifyingKey>)>,
}

impl TrustedIssuers {
    /// Trusts no issuer yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts this issuer's statements, verified with these keys.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>, keys: &JwkSet) -> Self {
        self.issuers.push((issuer.into(), keys.verifying_keys()));
        self
    }

    fn check(&self, statement: &str, now: DateTime<Utc>) -> Result<Map<String, Value>, StatementError> {
        let unverified = Jws::parse(statement).map_err(|_| StatementError::Invalid)?;
        let mut outcome = StatementError::Unapproved;
        for (issuer, keys) in &self.issuers {
            match unverified.verify(keys) {
                Ok(verified) => {
                    let claims: Map<String, Value> =
                        verified.claims().map_err(|_| StatementError::Invalid)?;
                    // A key is only valid for its own issuer.
                    if claims.get("iss").and_then(Value::as_str) == Some(issuer) {
                        return is_timely(&claims, now).then_some(claims).ok_or(StatementError::Invalid);
                    }
                }
                Err(JwsError::BadSignature) => outcome = StatementError::Invalid,
                Err(_) => {}
            }
        }
        Err(outcome)
    }
}

/// Whether the statement is valid now. A malformed date makes it invalid.
fn is_timely(claims: &Map<String, Value>, now: DateTime<Utc>) -> bool {
    let now = now.timestamp();
    let holds = |name: &str, test: &dyn Fn(i64) -> bool| match claims.get(name) {
        None => true,
        Some(date) => NumericDate::deserialize(date).is_ok_and(|date| test(date.seconds())),
    };
    holds("exp", &|until| now < until) && holds("nbf", &|from| from <= now)
}

#[async_trait]
impl StatementVerifier for TrustedIssuers {
    async fn verify(
        &self,
        statement: &str,
        now: DateTime<Utc>,
    ) -> Result<Map<String, Value>, StatementError> {
        self.check(statement, now)
    }
}
