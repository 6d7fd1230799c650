//! [`RemoteError`]: why the response of another server could not be used.

use std::borrow::Cow;
#[cfg(feature = "jwt")]
use std::error::Error as _;
#[cfg(feature = "jwt")]
use std::sync::Arc;

#[cfg(feature = "jwt")]
use super::BackendError;
use super::{Fault, Reason, Refusal};

/// Why the response of another server could not be used: what was requested, where, and what was wrong. It
/// holds no token and no credentials, no query of a URL, and nothing of a body but the name of an issuer.
#[derive(Debug, thiserror::Error)]
#[error("{what} at {url}: {flaw}")]
pub struct RemoteError {
    what: &'static str,
    url: String,
    flaw: Cow<'static, str>,
    reason: Reason,
}

impl RemoteError {
    /// The server is temporarily of no use, as far as one can know.
    pub(crate) fn unavailable(what: &'static str, url: &str, flaw: impl Into<Cow<'static, str>>) -> Self {
        Self { what, url: shown_url(url), flaw: flaw.into(), reason: Reason::IssuerUnavailable }
    }

    /// The server refuses what the host has configured.
    pub(crate) fn refused(what: &'static str, url: &str, flaw: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: Reason::IssuerRefused, ..Self::unavailable(what, url, flaw) }
    }

    /// The same was requested at another URL, without success.
    pub(crate) fn also(mut self, url: &str, flaw: &str) -> Self {
        self.flaw = format!("{}; at {}: {flaw}", self.flaw, shown_url(url)).into();
        self
    }

    /// The reason for the audit and the response.
    pub(super) fn reason(&self) -> Reason {
        self.reason
    }
}

impl From<RemoteError> for Refusal {
    fn from(error: RemoteError) -> Self {
        Fault::Remote(error).into()
    }
}

#[cfg(feature = "jwt")]
impl Refusal {
    /// As the error of a source of keys.
    pub(crate) fn into_backend_error(self) -> BackendError {
        match self.cause {
            Some(cause) => BackendError::transient(cause),
            None => BackendError::transient(self.reason),
        }
    }

    /// The keys of an issuer are missing, because this source of keys failed. The cause is that of the
    /// source, if it is one of ours.
    pub(crate) fn of_key_source(error: BackendError) -> Self {
        match error.source().and_then(|source| source.downcast_ref::<Arc<Fault>>()) {
            Some(cause) => Self { cause: Some(Arc::clone(cause)), ..Reason::IssuerUnavailable.into() },
            None => Fault::KeySource(error).into(),
        }
    }
}

/// The most characters of another server's text in a cause.
const LONGEST: usize = 200;

/// Text of another server, as it is safe to log.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(LONGEST).flat_map(char::escape_debug).collect()
}

/// The URL without user information, query and fragment, which may hold a secret.
fn shown_url(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return shown(url) };
    let end = rest.find('/').unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default();
    shown(&format!("{scheme}://{host}{}", &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_shows_a_url_without_what_may_be_a_secret() {
        for (url, expected) in [
            ("https://as.example/keys?key=s3cret#s3cret", "https://as.example/keys"),
            ("https://me:s3cret@as.example:8443/keys", "https://as.example:8443/keys"),
            ("https://me:s3cret@as.example", "https://as.example"),
            ("https://as.example/\n/@x", "https://as.example/\\n/@x"),
            ("no url", "no url"),
        ] {
            let error = RemoteError::unavailable("the keys", url, "status 404");
            assert_eq!(error.to_string(), format!("the keys at {expected}: status 404"));
        }
        let long = RemoteError::unavailable("the keys", &"a".repeat(9_000), "status 404");
        assert!(long.to_string().len() < 300);
    }

    #[cfg(feature = "jwt")]
    #[test]
    fn the_cause_of_a_key_source_survives_its_error() {
        let error = RemoteError::unavailable("the keys", "https://as.example/keys", "status 404");
        let kept = Refusal::from(error);
        let refusal = Refusal::of_key_source(kept.clone().into_backend_error());
        assert_eq!(refusal, kept);
        assert_eq!(refusal.cause().unwrap().to_string(), "the keys at https://as.example/keys: status 404");
        let own = Refusal::of_key_source(BackendError::permanent("no such file"));
        assert_eq!(own.reason(), Reason::IssuerUnavailable);
        assert!(own.cause().unwrap().to_string().contains("no such file"));
    }
}
