//! [`RequestObjects`]: how a server accepts authorization requests that clients sign.

/// How a server accepts signed request objects (RFC 9101): by value, in the parameter `request` of an
/// authorization request or of a pushed one. Parameters outside the object are ignored; encrypted objects and
/// objects at a URL of the client are not supported.
///
/// An object is signed by a key that the client registered, with its `request_object_signing_alg` if it
/// registered one. `exp` and `nbf` are optional, and an object is valid for at most an hour. `aud`, if
/// present, must contain the issuer. An object with a `jti` needs an `exp`, and in a browser it is approved
/// once; the authenticated client may push it again while it is valid. In a browser, `exp` bounds the first
/// visit ([`Authorization::seen`](crate::Authorization::seen)); from then on the user has
/// [`sign_in_window`](crate::Policy) to sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct RequestObjects {
    pub(crate) required: bool,
    pub(crate) dated: bool,
}

impl RequestObjects {
    /// Accepts them in addition to plain requests. A single client can require them for itself:
    /// [`ClientMetadata::require_signed_request_object`](super::ClientMetadata::require_signed_request_object).
    pub fn accepted() -> Self {
        Self::default()
    }

    /// Refuses every authorization request that is not signed (RFC 9101 section 10.5).
    pub fn required() -> Self {
        Self { required: true, dated: false }
    }

    /// Each object must have `aud`, `nbf` and `exp`; `nbf` is at most an hour ago, and `exp` at most an hour
    /// after it (FAPI 2.0 Message Signing section 5.3.1).
    pub fn dated(self) -> Self {
        Self { dated: true, ..self }
    }
}
