//! [`ValueError`]: a text that cannot be parsed as the expected value.

/// A text or a JSON object is not a valid value of its type. The error contains no input, so it is safe to
/// log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// RFC 6749 section 3.3.
    #[error("a scope has at most 128 tokens, of printable ASCII characters without quotes and backslashes")]
    Scope,
    /// RFC 8707 section 2.
    #[error("a resource is an absolute URI without a fragment, and a request names at most 8")]
    Resource,
    /// RFC 7636 section 4.1.
    #[error("a code verifier has 43 to 128 letters, digits, hyphens, periods, underscores and tildes")]
    CodeVerifier,
    /// RFC 7636 section 4.2.
    #[error("a code challenge is the base64url of a SHA-256 digest: 43 characters")]
    CodeChallenge,
    /// RFC 9396 section 2.
    #[error(
        "authorization details are at most 16 JSON objects with a type, in none of which a member is repeated, nested at \
         most 16 levels deep"
    )]
    Details,
}
