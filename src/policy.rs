//! Lifetimes, leeways and profiles: set once, validated once, read by every decision.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::client::{Client, ClientId, GrantType, ResponseType};
use crate::details::{AuthorizationDetails, DetailTypes};
use crate::error::Reason;
use crate::flow::token::KnownExtension;
use crate::grant::Prefixes;
use crate::scope::Scope;
use crate::signing::AccessTokens;
use crate::target::{KnownResource, ResourceId, Targets};

/// Which generation of OAuth the server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// No implicit and no password grant, for anybody (OAuth 2.1, RFC 9700 section 2).
    #[default]
    OAuth21,
    /// Both exist for the clients that list them (RFC 6749).
    Rfc6749,
    /// OAuth 2.1 as the clients of the Model Context Protocol speak it, which nobody registers by hand.
    ///
    /// They are known by their metadata documents, or register themselves: the server needs both. The metadata also stand
    /// at `openid-configuration`, where some of them look. A registered `http://localhost` stands for every port of it. Whether a
    /// `resource` stands in both requests or in one of them, and whether it ends with a slash, makes no difference. Whoever
    /// registers itself may ask for every scope that the terms allow: the SDKs register with the scope of the first challenge
    /// and ask users for further ones later (RFC 7591 section 2 lets a server replace what was named, and the answer says so).
    Mcp,
}

impl Profile {
    /// Whether any client can have this grant type. An extension, besides, has to be one that the server was given.
    #[must_use]
    pub const fn knows(self, grant_type: &GrantType) -> bool {
        match grant_type {
            GrantType::AuthorizationCode
            | GrantType::DeviceCode
            | GrantType::RefreshToken
            | GrantType::ClientCredentials
            | GrantType::TokenExchange
            | GrantType::Extension(_) => true,
            GrantType::Implicit | GrantType::Password => matches!(self, Self::Rfc6749),
        }
    }

    /// Whether a registered `http://localhost` stands for every port of it, unless the client says otherwise.
    #[must_use]
    pub const fn frees_localhost_ports(self) -> bool {
        self.is_mcp()
    }

    /// Whether whoever registers itself is registered for every scope that its kind may have, whatever it names.
    #[must_use]
    pub const fn registers_every_scope(self) -> bool {
        self.is_mcp()
    }

    pub(crate) const fn is_mcp(self) -> bool {
        matches!(self, Self::Mcp)
    }

    /// Whether any client can have this response type.
    #[must_use]
    pub fn answers(self, response_type: ResponseType) -> bool {
        self.knows(&response_type.grant_type())
    }
}

/// What a request without `scope` gets (RFC 6749 section 3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OmittedScope {
    /// All that is registered for the client; without a registration, all that the server knows.
    #[default]
    Registered,
    /// The error `invalid_scope`.
    Refused,
}

/// What the revocation endpoint answers for another client's token; the token stays as it is either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForeignToken {
    /// 200, as for a token that nobody knows, so that nobody learns whose it is.
    #[default]
    Ignored,
    /// The error `unauthorized_client` (RFC 7009 section 2.1).
    Refused,
}

/// The numbers of a server. [`Policy::default`] has those of the design; change the fields that you need.
///
/// ```
/// let mut policy = grantor::Policy::default();
/// policy.access_token_lifetime = std::time::Duration::from_secs(300);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// How long a code is good; 60 s.
    pub code_lifetime: Duration,
    /// How long a device code and its user code are good; 10 min.
    pub device_code_lifetime: Duration,
    /// How long a device waits from one poll to the next, in seconds; 5. One that does not waits for longer.
    pub device_poll_seconds: u32,
    /// Wrong user codes that one address, and one browser session, may enter within the lifetime of a device code; 5,
    /// and 0 is any number. With 5, the code of a device is guessed once in 2^32 times.
    pub user_code_failures: u32,
    /// Devices that one address may begin to connect in a minute; 60, and 0 is any number.
    pub device_requests_per_minute: u32,
    /// How long an access token is good; 10 min.
    pub access_token_lifetime: Duration,
    /// How long a refresh token lives without being used; 14 days.
    pub refresh_token_idle: Duration,
    /// How long anything of one authorization lives, whatever is refreshed; 90 days.
    pub grant_lifetime: Duration,
    /// How long a lost answer can be asked for again; 60 s.
    pub leeway: Duration,
    /// What a request without `scope` gets.
    pub omitted_scope: OmittedScope,
    /// What the revocation endpoint says of another client's token.
    pub foreign_token: ForeignToken,
    /// Wrong client secrets that one address may send in a minute; 120, and 0 is any number.
    pub secret_failures_per_minute: u32,
    /// Whether a signed access token of `client_credentials` is recorded; `true`. One that is not costs no write
    /// to the store, and cannot be revoked before it expires.
    pub record_client_jwts: bool,
    /// How long one call of a store, registry or resource owner may take; 3 s. After that the answer is 503.
    pub store_deadline: Duration,
    /// What handles begin with.
    pub prefixes: Prefixes,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            code_lifetime: Duration::from_secs(60),
            device_code_lifetime: Duration::from_secs(10 * 60),
            device_poll_seconds: 5,
            user_code_failures: 5,
            device_requests_per_minute: 60,
            access_token_lifetime: Duration::from_secs(10 * 60),
            refresh_token_idle: Duration::from_secs(14 * DAY),
            grant_lifetime: Duration::from_secs(90 * DAY),
            leeway: Duration::from_secs(60),
            omitted_scope: OmittedScope::default(),
            foreign_token: ForeignToken::default(),
            secret_failures_per_minute: 120,
            record_client_jwts: true,
            store_deadline: Duration::from_secs(3),
            prefixes: Prefixes::default(),
        }
    }
}

const DAY: u64 = 24 * 60 * 60;

/// What every decision may assume of its server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rules {
    /// The issuer identifier (RFC 8414 section 2).
    pub issuer: Arc<str>,
    /// Which grants exist at all.
    pub profile: Profile,
    /// Every scope that the server knows.
    pub scope: Scope,
    /// Whom access tokens are for where a request names no resource (`aud`).
    pub audience: String,
    /// The resources that requests may name; without any, `resource` is ignored.
    pub(crate) resources: Vec<KnownResource>,
    /// The grant types that the host brings along.
    pub(crate) extensions: Vec<KnownExtension>,
    /// The types of authorization details that requests may name.
    pub(crate) detail_types: DetailTypes,
    /// How access tokens are written, unless a resource or a client says otherwise.
    pub access_tokens: AccessTokens,
    /// The clients that may introspect every access token.
    pub(crate) introspect_all: Vec<ClientId>,
    /// The numbers.
    pub policy: Policy,
}

impl Rules {
    /// The default rules of an issuer that knows this scope.
    #[must_use]
    pub fn new(issuer: impl Into<Arc<str>>, scope: Scope) -> Self {
        let issuer = issuer.into();
        Self {
            audience: issuer.to_string(),
            issuer,
            profile: Profile::default(),
            scope,
            resources: Vec::new(),
            extensions: Vec::new(),
            detail_types: DetailTypes::default(),
            introspect_all: Vec::new(),
            access_tokens: AccessTokens::default(),
            policy: Policy::default(),
        }
    }

    /// Whether any client can have this grant type here.
    #[must_use]
    pub fn serves(&self, grant_type: &GrantType) -> bool {
        is_served(grant_type, self.profile, &self.extensions)
    }

    /// The terms of a grant type that the host brings along.
    pub(crate) fn extension(&self, grant_type: &GrantType) -> Option<&KnownExtension> {
        self.extensions.iter().find(|own| own.grant_type == *grant_type)
    }

    /// The resources that a request names, if all of them are known.
    pub(crate) fn known_targets(&self, asked: &Targets) -> Result<Targets, Reason> {
        if self.resources.is_empty() {
            return Ok(Targets::default());
        }
        let known = |id: &ResourceId| id.as_str() == self.audience || self.resource(id.as_str()).is_some();
        if asked.as_slice().iter().all(known) {
            return Ok(asked.clone());
        }
        let lenient = asked.as_slice().iter().map(|id| self.but_for_a_slash(id));
        lenient.collect::<Option<Targets>>().filter(|_| self.profile.is_mcp()).ok_or(Reason::TargetUnknown)
    }

    /// The known identifier that differs at most by a slash at its end: URL libraries put one behind a bare origin.
    fn but_for_a_slash(&self, asked: &ResourceId) -> Option<ResourceId> {
        let plain = |id: &str| id.strip_suffix('/').unwrap_or(id).to_owned();
        let known = self.resources.iter().map(|resource| &resource.id);
        let found = known.clone().find(|id| *id == asked).or_else(|| {
            let mut known = known;
            known.find(|id| plain(id.as_str()) == plain(asked.as_str()))
        });
        found.cloned()
    }

    /// The registered resource with this identifier.
    pub(crate) fn resource(&self, id: &str) -> Option<&KnownResource> {
        self.resources.iter().find(|resource| resource.id.as_str() == id)
    }

    /// How a token for this audience and client is written: as the resource says, else the client, else the server.
    pub(crate) fn format_for(&self, audience: Option<&ResourceId>, client: &Client) -> AccessTokens {
        let audience = audience.map_or(self.audience.as_str(), ResourceId::as_str);
        let resource = self.resource(audience).and_then(|resource| resource.access_tokens);
        resource.or(client.metadata().access_tokens).unwrap_or(self.access_tokens)
    }

    /// What of a scope means something to this audience.
    pub(crate) fn scope_for(&self, audience: Option<&ResourceId>, scope: Scope) -> Scope {
        let audience = audience.map_or(self.audience.as_str(), ResourceId::as_str);
        match self.resource(audience).and_then(|resource| resource.scope.as_ref()) {
            Some(understood) => scope.intersection(understood),
            None => scope,
        }
    }

    /// The details that mean something to this audience, of those that the client may still have.
    pub(crate) fn details_for(
        &self,
        audience: Option<&ResourceId>,
        client: &Client,
        details: &AuthorizationDetails,
    ) -> AuthorizationDetails {
        let audience = audience.map_or(self.audience.as_str(), ResourceId::as_str);
        let understood = self.resource(audience).and_then(|resource| resource.detail_types.as_ref());
        let registered = client.metadata().authorization_details_types.as_ref();
        let may = |types: Option<&Vec<String>>, kind: &str| {
            types.is_none_or(|types| types.iter().any(|t| t == kind))
        };
        details.filtered(|detail| {
            let kind = detail.kind();
            let known = self.detail_types.knows(kind) && may(understood, kind) && may(registered, kind);
            known && detail.is_for(audience)
        })
    }

    /// All that a client may ever have: what it registered, of what the server knows.
    pub(crate) fn ceiling(&self, client: &Client) -> Scope {
        match client.scope() {
            Some(registered) => registered.intersection(&self.scope),
            None => self.scope.clone(),
        }
    }
}

/// Whether any client can have this grant type: the profile has it, and an extension is one that the host brings along.
pub(crate) fn is_served(grant_type: &GrantType, profile: Profile, extensions: &[KnownExtension]) -> bool {
    let is_extension = matches!(grant_type, GrantType::Extension(_));
    let is_there = !is_extension || extensions.iter().any(|own| own.grant_type == *grant_type);
    profile.knows(grant_type) && is_there
}

/// The moment so much later; the end of time if there is none.
pub(crate) fn after(start: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
    start.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
