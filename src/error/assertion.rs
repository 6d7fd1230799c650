//! [`AssertionFlaw`]: why an assertion is refused.

use super::{ErrorCode, Reason};

/// Why an assertion is refused (RFC 7521 section 4.1.1, RFC 7523 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AssertionFlaw {
    /// Not a signed JWT, or its algorithm is not supported, such as `none` and every symmetric one.
    Unreadable,
    /// Its issuer is not trusted.
    IssuerUnknown,
    /// The issuer does not use this algorithm.
    AlgorithmRefused,
    /// Wrong kind of token (`typ`).
    TypeWrong,
    /// No key of its issuer has signed it.
    SignatureWrong,
    /// A claim is missing or has the wrong type.
    ClaimMissing,
    /// For another server, or for others as well.
    AudienceWrong,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    TooEarly,
    /// Its lifetime is longer than allowed.
    TooLongLived,
    /// It was used before.
    Replayed,
    /// Issued to another client, or by another one.
    ForAnotherClient,
    /// Bound to a key that was not proven (`cnf`).
    Bound,
    /// It has an actor (`act`).
    Delegated,
    /// It has `authorization_details`, which are not supported.
    DetailsUnsupported,
    /// A request object that names another one (`request` or `request_uri`).
    Nested,
}

impl AssertionFlaw {
    /// A wrong signature and an untrusted issuer get the same text.
    #[rustfmt::skip]
    pub(super) const fn public(self) -> (ErrorCode, &'static str) {
        let text = match self {
            Self::Unreadable
            | Self::IssuerUnknown
            | Self::AlgorithmRefused
            | Self::SignatureWrong     => "the assertion is not a JWT that a trusted issuer signed",
            Self::TypeWrong            => "the assertion's typ is not the one that its issuer uses",
            Self::ClaimMissing         => "a claim of the assertion is missing or malformed",
            Self::AudienceWrong        => "the assertion's aud must be only this server",
            Self::Expired              => "the assertion has expired",
            Self::TooEarly             => "the assertion is not valid yet",
            Self::TooLongLived         => "the assertion is valid for longer than allowed",
            Self::Replayed             => "the assertion was used before",
            Self::ForAnotherClient     => "the assertion was given to another client",
            Self::Bound                => "the assertion is bound to a key, which is not supported",
            Self::Delegated            => "the assertion has an actor, which is not supported",
            Self::DetailsUnsupported   => "the assertion has authorization_details, which are not supported",
            Self::Nested               => "the assertion has a claim that is not supported",
        };
        (ErrorCode::InvalidGrant, text)
    }

    /// The public error for a request object with this flaw (RFC 9101 section 6).
    #[rustfmt::skip]
    pub(super) const fn of_request_object(self) -> (ErrorCode, &'static str) {
        let text = match self {
            Self::Unreadable
            | Self::AlgorithmRefused
            | Self::SignatureWrong   => "the request object is not a JWT that a registered key of the client signed with its registered algorithm",
            Self::TypeWrong          => "the typ of a request object must be oauth-authz-req+jwt, JWT or absent",
            Self::ClaimMissing       => "a claim of the request object is missing or malformed",
            Self::AudienceWrong      => "the request object's aud must contain the issuer of this server",
            Self::Expired            => "the request object has expired",
            Self::TooEarly           => "the request object is not valid yet",
            Self::TooLongLived       => "the request object is valid for longer than an hour",
            Self::Replayed           => "the request object was used before",
            Self::IssuerUnknown
            | Self::ForAnotherClient => "client_id, iss or sub of the request object is wrong",
            Self::Bound
            | Self::Delegated
            | Self::DetailsUnsupported
            | Self::Nested           => "a claim of the request object is not supported",
        };
        (ErrorCode::InvalidRequestObject, text)
    }
}

impl From<AssertionFlaw> for Reason {
    fn from(flaw: AssertionFlaw) -> Self {
        Self::Assertion(flaw)
    }
}
