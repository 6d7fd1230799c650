//! [`RequestObjects`]: how a server takes authorization requests that clients sign.

/// How a server takes signed request objects (RFC 9101): by value, in the parameter `request` of an authorization request
/// or of a pushed one. What is outside the object does not count, and none can be encrypted or at a URL of the client's.
///
/// An object is signed by a key that the client registered, with its `request_object_signing_alg` if it registered one. `exp` and
/// `nbf` count where they are there, and an object is valid for an hour at most. Its `aud` has to have the issuer, if there
/// is one. One that has a `jti` needs an `exp`, and is approved once. In a browser, `exp` bounds the first visit
/// ([`Authorization::seen`](crate::Authorization::seen)); from then on the user has [`sign_in_window`](crate::Policy) to sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct RequestObjects {
    pub(crate) required: bool,
    pub(crate) dated: bool,
}

impl RequestObjects {
    /// Takes them beside plain requests. A single client can require them of itself:
    /// [`ClientMetadata::require_signed_request_object`](super::ClientMetadata::require_signed_request_object).
    pub fn accepted() -> Self {
        Self::default()
    }

    /// Refuses every authorization request that is not signed (RFC 9101 section 10.5).
    pub fn required() -> Self {
        Self { required: true, dated: false }
    }

    /// Each object has to have `aud`, `nbf` and `exp`, is an hour old at most by its `nbf`, and expires within an hour of it (FAPI
    /// 2.0 Message Signing section 5.3.1).
    pub fn dated(self) -> Self {
        Self { dated: true, ..self }
    }
}
