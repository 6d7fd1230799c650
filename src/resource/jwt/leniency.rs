//! [`Leniency`]: how the access tokens of other servers differ from RFC 9068, and what accepting them costs.

use serde::Deserialize as _;

use crate::resource::token_claims::{TokenClaims, WireScope};

/// A difference from RFC 9068 that is accepted from one issuer, by
/// [`JwtVerifier::allow`](super::JwtVerifier::allow). Without any, a token must follow RFC 9068.
///
/// [`KEYCLOAK`](Self::KEYCLOAK), [`AUTH0`](Self::AUTH0) and [`ENTRA`](Self::ENTRA) are what these servers
/// need in their default configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Leniency {
    /// The header's `typ` may be `JWT`, or absent.
    ///
    /// Gives up: the distinction from other tokens that the issuer signs with the same keys. A recognisable
    /// ID token or logout token is refused (a claim `typ` other than `Bearer`; without one, `nonce`,
    /// `at_hash`, `c_hash`, `s_hash` or `events`). Every other one passes if it names the resource in `aud`,
    /// so let no client of the issuer have the resource's name.
    PlainType,
    /// Without `client_id`, the client is in `azp`, or else in `appid`.
    ///
    /// Gives up: `azp` is "the authorized party", and some servers let clients set it to a client other than
    /// the requesting one. [`Access::client`](crate::Access::client) is only as reliable as this claim.
    AuthorizedParty,
    /// `scope` may be an array of strings.
    ///
    /// Gives up: nothing, if the issuer gives it the same meaning as one string.
    ScopeList,
    /// Without `scope`, the scope is in `scp`, a string or an array of strings.
    ///
    /// Gives up: nothing, if the issuer gives `scp` the meaning of `scope`.
    Scp,
    /// `jti` may be missing.
    ///
    /// Gives up: the token has no id, so a log cannot identify it, and your API cannot block it.
    MissingJti,
    /// Tokens need not say whether their subject is a user (`sub_type`, grantor's own claim). The subject is
    /// then the client if `sub` equals the client's id, and otherwise a user.
    ///
    /// Gives up: the guarantee that no client passes as a user. If an issuer's tokens for clients have
    /// another `sub` than the client id, [`Access::user`](crate::Access::user) returns it as a user. Only for
    /// an issuer whose clients can never have the same identifiers as its users.
    UntypedSubjects,
}

impl Leniency {
    /// Access tokens of Keycloak: `typ` is `JWT`, the client is in `azp`. A client's own tokens have the id
    /// of its service account as `sub`, which counts as a user.
    pub const KEYCLOAK: &'static [Self] = &[Self::PlainType, Self::AuthorizedParty, Self::UntypedSubjects];

    /// Access tokens of Auth0 in its own profile: `typ` is `JWT`, the client is in `azp`, no `jti`. A
    /// client's own tokens have `<client>@clients` as `sub`, which counts as a user. Its RFC 9068 profile
    /// needs only [`UntypedSubjects`](Self::UntypedSubjects).
    pub const AUTH0: &'static [Self] =
        &[Self::PlainType, Self::AuthorizedParty, Self::MissingJti, Self::UntypedSubjects];

    /// Access tokens of Microsoft Entra ID: `typ` is `JWT`, the client is in `azp` or `appid`, the scope in
    /// `scp`, no `jti`. A client's own tokens have the id of its service principal as `sub`, which counts as
    /// a user, and no scope.
    pub const ENTRA: &'static [Self] =
        &[Self::PlainType, Self::AuthorizedParty, Self::Scp, Self::MissingJti, Self::UntypedSubjects];
}

/// The leniencies of one verifier.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leniencies {
    pub(super) plain_type: bool,
    authorized_party: bool,
    scope_list: bool,
    scp: bool,
    missing_jti: bool,
    untyped_subjects: bool,
}

impl Leniencies {
    pub(super) fn add(&mut self, leniency: Leniency) {
        let switch = match leniency {
            Leniency::PlainType => &mut self.plain_type,
            Leniency::AuthorizedParty => &mut self.authorized_party,
            Leniency::ScopeList => &mut self.scope_list,
            Leniency::Scp => &mut self.scp,
            Leniency::MissingJti => &mut self.missing_jti,
            Leniency::UntypedSubjects => &mut self.untyped_subjects,
        };
        *switch = true;
    }

    /// Converts the values that may be written differently, and adds those that may be left out. `None` if
    /// the format of the scope is not accepted.
    pub(super) fn apply(self, claims: &mut TokenClaims) -> Option<()> {
        if claims.client_id.is_none() && self.authorized_party {
            let party = claims.extra.get("azp").or_else(|| claims.extra.get("appid"));
            claims.client_id = party.and_then(|party| party.as_str()).map(str::to_owned);
        }
        match &claims.scope {
            Some(WireScope::List(_)) if !self.scope_list => return None,
            Some(WireScope::Text(_) | WireScope::List(_)) => {}
            None => {
                let scp = claims.extra.get("scp").filter(|_| self.scp);
                claims.scope = scp.map(WireScope::deserialize).transpose().ok()?;
            }
        }
        if claims.jti.is_none() && self.missing_jti {
            claims.jti = Some(String::new());
        }
        if claims.sub_type.is_none() && self.untyped_subjects {
            claims.sub_type = Some(claims.guessed_subject());
        }
        Some(())
    }
}
