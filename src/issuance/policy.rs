//! Lifetimes and limits: set once, validated once, read by every decision.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::base::Prefixes;

/// What a request without `scope` gets (RFC 6749 section 3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OmittedScope {
    /// All that is registered for the client; without a registration, all that the server knows. An
    /// authorization, device, password or `client_credentials` request gets `openid` and `offline_access`
    /// only if it names them. This does not hold for a token exchange, nor for what the host itself grants by
    /// an [`Entitlement`](crate::flow::token::Entitlement).
    #[default]
    Registered,
    /// The error `invalid_scope`.
    Refused,
}

/// How the revocation endpoint answers for another client's token; the token stays valid either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForeignToken {
    /// 200, as for an unknown token, so the response does not reveal its owner.
    #[default]
    Ignored,
    /// The error `unauthorized_client` (RFC 7009 section 2.1).
    Refused,
}

/// Which authorizations of users come with a refresh token, for clients that may have one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefreshTokens {
    /// All.
    #[default]
    WhenGranted,
    /// Those with the scope `offline_access` (OpenID Connect Core section 11).
    OfflineOnly,
}

/// The lifetimes and limits of a server. Start from [`Policy::default`], and change the fields that you need.
///
/// ```
/// let mut policy = grantor::Policy::default();
/// policy.access_token_lifetime = std::time::Duration::from_secs(300);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// How long a code is valid; 60 s.
    pub code_lifetime: Duration,
    /// How long a device code and its user code are valid; 10 min.
    pub device_code_lifetime: Duration,
    /// How long after its push a request must first be visited; 60 s, and less than 10 min (FAPI 2.0 section
    /// 5.3.2.2).
    pub request_uri_lifetime: Duration,
    /// How long the user of a pushed request then has to sign in and to answer; 30 min.
    pub sign_in_window: Duration,
    /// Requests that one public client may push from one address in a minute, and ten times as many for all
    /// such clients; 60, and 0 is unlimited. Confidential clients have no limit.
    pub pushed_requests_per_minute: u32,
    /// How long a device waits between polls, in seconds; 5. A device that polls too early has to wait
    /// longer.
    pub device_poll_seconds: u32,
    /// Wrong user codes that one browser session may enter at once; the allowance returns over the lifetime
    /// of a device code. 5, and 0 is unlimited.
    pub user_code_failures: u32,
    /// Wrong user codes that one address may enter at once, because an attacker can use a new session for
    /// each guess; 20, and 0 is unlimited. With that, one address guesses the code of a waiting device with
    /// probability 2^-29.
    pub user_code_failures_per_address: u32,
    /// Device authorization requests of one client from one address in a minute, and ten times as many for
    /// all clients; 60, and 0 is unlimited.
    pub device_requests_per_minute: u32,
    /// How long an access token is valid; 10 min.
    pub access_token_lifetime: Duration,
    /// How long an `id_token` is valid; 10 min. A client reads it once, when it gets it.
    pub id_token_lifetime: Duration,
    /// How long a refresh token lives without being used; 14 days.
    pub refresh_token_idle: Duration,
    /// The maximum lifetime of one authorization, regardless of refreshes; 90 days.
    pub grant_lifetime: Duration,
    /// How long a lost response can be requested again; 60 s. The end is exclusive, so 0 switches this off,
    /// and a rotating refresh token then works once, even if its response is lost.
    pub leeway: Duration,
    /// Live access tokens of one authorization; 64, and 0 is unlimited. A refresh that would make one more
    /// gets 429 and changes nothing: each issued token works until it expires.
    pub live_access_tokens: u32,
    /// Which authorizations come with a refresh token: all, or only those with the scope `offline_access`.
    pub refresh_tokens: RefreshTokens,
    /// What a request without `scope` gets.
    pub omitted_scope: OmittedScope,
    /// How the revocation endpoint answers for another client's token.
    pub foreign_token: ForeignToken,
    /// Wrong secrets of one client that one address may send in a minute, and ten times as many for all
    /// clients; 120, and 0 is unlimited. Passwords, and the secrets of your own grant types, are counted in
    /// the same way. A correct secret of 22 characters or more with a fast hash is never refused.
    pub secret_failures_per_minute: u32,
    /// Whether a client's own signed access token is recorded; `true`. Such a token acts for no user: it is
    /// from `client_credentials`, or from an exchange or a grant type of the host whose subject is a client.
    /// An unrecorded one needs no write to the store, and cannot be revoked before it expires.
    pub record_client_jwts: bool,
    /// How long one call of a store, a registry or another part of the host may take; 3 s. After that the
    /// response is 503. A call that may fetch the keys of a client may take 3 s longer.
    pub store_deadline: Duration,
    /// The prefixes of handles.
    pub prefixes: Prefixes,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            code_lifetime: Duration::from_secs(60),
            device_code_lifetime: Duration::from_secs(10 * 60),
            request_uri_lifetime: Duration::from_secs(60),
            sign_in_window: Duration::from_secs(30 * 60),
            pushed_requests_per_minute: 60,
            device_poll_seconds: 5,
            user_code_failures: 5,
            user_code_failures_per_address: 20,
            device_requests_per_minute: 60,
            access_token_lifetime: Duration::from_secs(10 * 60),
            id_token_lifetime: Duration::from_secs(10 * 60),
            refresh_token_idle: Duration::from_secs(14 * DAY),
            grant_lifetime: Duration::from_secs(90 * DAY),
            leeway: Duration::from_secs(60),
            live_access_tokens: 64,
            refresh_tokens: RefreshTokens::default(),
            omitted_scope: OmittedScope::default(),
            foreign_token: ForeignToken::default(),
            secret_failures_per_minute: 120,
            record_client_jwts: true,
            store_deadline: Duration::from_secs(3),
            prefixes: Prefixes::default(),
        }
    }
}

impl Policy {
    /// Puts the policy into an `Arc`; all servers of the process share the default one.
    pub(crate) fn shared(self) -> Arc<Self> {
        static DEFAULT: LazyLock<Arc<Policy>> = LazyLock::new(Arc::default);
        match self == **DEFAULT {
            true => Arc::clone(&DEFAULT),
            false => Arc::new(self),
        }
    }
}

const DAY: u64 = 24 * 60 * 60;
