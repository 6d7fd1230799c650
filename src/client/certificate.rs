//! [`ClientCertificates`]: reads the certificates by which clients prove who they are (RFC 8705 section 2),
//! and [`CertificateSubject`], the required name of a certificate.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Client, ClientKeys, ClientMetadata};
use crate::base::DistinguishedName;
use crate::error::CertificateFlaw;
use crate::http::Certificate;
use crate::outbound::ChosenBy;

/// The name that the certificate of a `tls_client_auth` client must have (RFC 8705 section 2.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateSubject {
    /// `tls_client_auth_subject_dn`: the whole distinguished name, as RFC 4514 writes it.
    DistinguishedName(String),
    /// `tls_client_auth_san_dns`
    Dns(String),
    /// `tls_client_auth_san_uri`
    Uri(String),
    /// `tls_client_auth_san_ip`
    Ip(IpAddr),
    /// `tls_client_auth_san_email`
    Email(String),
}

/// What is wrong with the name that a client registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateSubjectError {
    /// RFC 8705 section 2.1.2 requires exactly one.
    #[error("more than one of tls_client_auth_subject_dn, _san_dns, _san_uri, _san_ip and _san_email")]
    Several,
    /// It is empty, too long, or malformed.
    #[error("the tls_client_auth_… name is malformed")]
    Malformed,
}

/// The longest name, in bytes.
const MAX_NAME: usize = 1024;

impl CertificateSubject {
    /// The name that the metadata have, if they have one.
    ///
    /// # Errors
    /// There are several, or it is malformed.
    pub fn of(metadata: &ClientMetadata) -> Result<Option<Self>, CertificateSubjectError> {
        let texts = [
            &metadata.tls_client_auth_subject_dn,
            &metadata.tls_client_auth_san_dns,
            &metadata.tls_client_auth_san_uri,
            &metadata.tls_client_auth_san_ip,
            &metadata.tls_client_auth_san_email,
        ];
        let mut named = texts.into_iter().zip(0..).filter_map(|(text, at)| Some((text.as_deref()?, at)));
        let (Some((text, at)), others) = (named.next(), named.next()) else { return Ok(None) };
        if others.is_some() {
            return Err(CertificateSubjectError::Several);
        }
        let is_plain =
            !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(|b| b.is_ascii_graphic());
        let subject = match at {
            0 => DistinguishedName::parse(text).map(|_| Self::DistinguishedName(text.to_owned())),
            3 => text.parse().ok().map(Self::Ip),
            _ if !is_plain => None,
            1 => Some(Self::Dns(text.to_owned())),
            2 => fluent_uri::Uri::parse(text).ok().map(|_| Self::Uri(text.to_owned())),
            _ => text.split_once('@').is_some().then(|| Self::Email(text.to_owned())),
        };
        subject.map(Some).ok_or(CertificateSubjectError::Malformed)
    }
}

impl Client {
    /// The name that its certificate has to have, if it registered one.
    #[must_use]
    pub fn certificate_subject(&self) -> Option<CertificateSubject> {
        CertificateSubject::of(&self.metadata).ok().flatten()
    }
}

/// Reads client certificates. The feature `mtls` has one:
#[cfg_attr(feature = "mtls", doc = "[`X509Certificates`](super::X509Certificates).")]
#[cfg_attr(not(feature = "mtls"), doc = "`X509Certificates`.")]
///
/// The connection proved possession of the certificate's private key; everything else in it is untrusted, and
/// so are keys from a `jwks_uri`, which the client chose. A wrong `Ok` lets anyone impersonate that client.
#[async_trait]
pub trait ClientCertificates: Send + Sync {
    /// Whether the certificate is the expected one. Its dates and chain are not checked: for a name the host
    /// verified the chain, and for a key they do not count (RFC 8705 section 2.2).
    ///
    /// # Errors
    /// Why it is not, or that the keys could not be fetched, which says nothing about the client. The
    /// deadline is that of [`ClientSignatures::verify`](super::ClientSignatures::verify).
    async fn check(&self, shown: &ShownCertificate<'_>, now: DateTime<Utc>) -> Result<(), CertificateFlaw>;

    /// Whether it fetches key sets from a `jwks_uri`.
    fn fetches(&self) -> bool;
}

/// A certificate that a client presented.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ShownCertificate<'a> {
    /// The certificate.
    pub certificate: &'a Certificate,
    /// What is expected. If it is `None` because the client is unknown, read the certificate nevertheless and
    /// refuse: the response must take the same time.
    pub expected: Option<ExpectedCertificate<'a>>,
    /// Who chose the client's `jwks_uri`.
    pub chosen_by: ChosenBy,
}

impl<'a> ShownCertificate<'a> {
    pub(crate) fn new(
        certificate: &'a Certificate,
        expected: Option<ExpectedCertificate<'a>>,
        chosen_by: ChosenBy,
    ) -> Self {
        Self { certificate, expected, chosen_by }
    }
}

/// The expected certificate of a client.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ExpectedCertificate<'a> {
    /// One with this name (`tls_client_auth`). The host verified its chain.
    Named(&'a CertificateSubject),
    /// One of these keys (`self_signed_tls_client_auth`).
    OfKey(&'a ClientKeys),
}

#[async_trait]
impl<T: ClientCertificates + ?Sized> ClientCertificates for Arc<T> {
    async fn check(&self, shown: &ShownCertificate<'_>, now: DateTime<Utc>) -> Result<(), CertificateFlaw> {
        (**self).check(shown, now).await
    }

    fn fetches(&self) -> bool {
        (**self).fetches()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(member: &str, text: &str) -> Result<Option<CertificateSubject>, CertificateSubjectError> {
        let json = serde_json::json!({ member: text });
        CertificateSubject::of(&serde_json::from_value(json).unwrap())
    }

    #[test]
    fn ca_24_a_name_is_of_its_form() {
        for (member, good, bad) in [
            ("tls_client_auth_subject_dn", "CN=app,C=DE", "app"),
            ("tls_client_auth_san_dns", "app.example", "app example"),
            ("tls_client_auth_san_uri", "spiffe://example/app", "no uri"),
            ("tls_client_auth_san_ip", "2001:db8::1", "192.0.2.256"),
            ("tls_client_auth_san_email", "app@example.com", "app"),
        ] {
            assert!(matches!(read(member, good), Ok(Some(_))), "{good}");
            for bad in [bad, "", "a\nb"] {
                assert_eq!(read(member, bad), Err(CertificateSubjectError::Malformed), "{member} {bad:?}");
            }
        }
        assert_eq!(CertificateSubject::of(&ClientMetadata::default()), Ok(None));
    }
}
