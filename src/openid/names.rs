//! The names of claims.

use crate::base::Scope;

/// The claims that a scope asks for (OpenID Connect Core section 5.4).
pub(super) fn of_scope(scope: &Scope) -> impl Iterator<Item = &'static str> {
    let claims_of = |token| BY_SCOPE.iter().find(|(name, _)| *name == token);
    scope.iter().filter_map(claims_of).flat_map(|(_, claims)| claims.iter().copied())
}

/// The scopes that ask for claims about the user.
pub(crate) fn scopes_of_user() -> impl Iterator<Item = &'static str> {
    BY_SCOPE.iter().map(|(name, _)| *name)
}

/// Whether a scope asks for claims about the user.
pub(crate) fn is_of_user(scope: &str) -> bool {
    scopes_of_user().any(|name| name == scope)
}

const BY_SCOPE: &[(&str, &[&str])] = &[
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
];

/// Claims that only the protocol sets; the host cannot set them in any language.
const PROTOCOL: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "nonce",
    "auth_time",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "s_hash",
    "ds_hash",
    "sid",
    "sub_jwk",
    "sub_type",
    "cnf",
    "act",
    "client_id",
    "scope",
    "authorization_details",
    "events",
    "_claim_names",
    "_claim_sources",
];

/// Whether only the protocol sets this claim; `sub#de` is `sub` in German (section 5.2).
pub(super) fn is_of_protocol(name: &str) -> bool {
    PROTOCOL.contains(&without_language(name))
}

pub(super) fn without_language(name: &str) -> &str {
    name.split_once('#').map_or(name, |(name, _)| name)
}
