//! How long codes, tokens and grants live.

use std::time::Duration;

use grantor::Policy;
use serde::Deserialize;

/// `[lifetimes]`, in seconds; missing values keep grantor's defaults.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Lifetimes {
    pub(crate) code: Option<u32>,
    pub(crate) device_code: Option<u32>,
    pub(crate) access_token: Option<u32>,
    pub(crate) refresh_idle: Option<u32>,
    pub(crate) family: Option<u32>,
    pub(crate) leeway: Option<u32>,
}

impl Lifetimes {
    /// How long an access token lives.
    pub(crate) fn of_access_tokens(&self) -> Duration {
        let here = self.access_token.map(|seconds| Duration::from_secs(seconds.into()));
        here.unwrap_or(Policy::default().access_token_lifetime)
    }

    pub(super) fn mistakes(&self) -> impl Iterator<Item = String> {
        let Self { code, device_code, access_token, refresh_idle, family, leeway } = *self;
        let positive = [
            ("code", code),
            ("device_code", device_code),
            ("access_token", access_token),
            ("refresh_idle", refresh_idle),
            ("family", family),
        ];
        let zero = positive.into_iter().filter(|(_, seconds)| *seconds == Some(0));
        let zero = zero.map(|(name, _)| format!("lifetimes.{name} must not be 0"));
        let code = code.filter(|seconds| *seconds > LONGEST_CODE);
        let code =
            code.map(|_| format!("lifetimes.code must be at most {LONGEST_CODE} (RFC 6749 section 4.1.2)"));
        let leeway = leeway.filter(|seconds| *seconds > LONGEST_LEEWAY);
        let leeway = leeway.map(|_| format!("lifetimes.leeway must be at most {LONGEST_LEEWAY}"));
        zero.chain(code).chain(leeway)
    }
}

const LONGEST_CODE: u32 = 600;
/// A day. A stolen refresh token works for as long after its owner used it.
const LONGEST_LEEWAY: u32 = 86_400;
