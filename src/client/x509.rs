//! [`X509Certificates`]: client certificates by the names in them, or by the keys that clients registered
//! (feature `mtls`).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use x509_parser::asn1_rs::Any;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::x509::X509Name;

use super::certificate_keys::{CertificateKey, CertificateKeys, FetchedCertificateKeys};
use super::{CertificateSubject, ClientCertificates, ClientKeys, ExpectedCertificate, ShownCertificate};
use crate::base::{Attribute, DistinguishedName};
use crate::error::CertificateFlaw as Flaw;
use crate::outbound::{ChosenBy, Outbound};
use crate::trust::{ClientSets, Recent};

/// Reads client certificates for `tls_client_auth` and `self_signed_tls_client_auth` (RFC 8705 section 2).
///
/// A distinguished name is compared part by part, in order, ignoring the case of ASCII letters and repeated
/// spaces (RFC 5280 section 7.1). Of the alternative names, a DNS name and the host of an e-mail address are
/// compared case-insensitively, a URI and the local part of an e-mail address exactly, and an IP address by
/// its bytes. Wildcards never match.
///
/// Keys are compared by value: the key itself, or that of its `x5c`. A set at a `jwks_uri` is fetched and
/// cached as by [`ClientJwts`](super::ClientJwts).
///
/// ```
/// use grantor::client::X509Certificates;
/// use grantor::{AuthMethod, AuthorizationServer, Client, GrantType, MemoryRegistry, MemoryStore};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let robot = Client::builder("robot")
///     .auth_method(AuthMethod::TlsClientAuth)
///     .certificate_subject_dn("CN=robot,O=Example,C=DE")
///     .grant_types([GrantType::ClientCredentials])
///     .build()?;
/// let server = AuthorizationServer::builder("https://as.example")
///     .clients(MemoryRegistry::new([robot]))
///     .store(MemoryStore::new())
///     .client_certificates(X509Certificates::new())
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct X509Certificates {
    remote: Option<ClientSets<FetchedCertificateKeys>>,
    parsed: Recent<[u8; 32], Arc<CertificateKeys>>,
}

/// The most key sets by value that are cached; the least used are evicted first.
const KEPT: usize = 1000;

impl X509Certificates {
    /// Checks names, and keys that clients registered by value (`jwks`).
    pub fn new() -> Self {
        Self { remote: None, parsed: Recent::new(KEPT) }
    }

    /// Like [`new`](Self::new), and also checks keys at a `jwks_uri`, which are fetched through this
    /// `Outbound`.
    pub fn over(outbound: impl Outbound + 'static) -> Self {
        Self { remote: Some(ClientSets::over(outbound)), ..Self::new() }
    }

    async fn is_of(
        &self,
        keys: &ClientKeys,
        chosen_by: ChosenBy,
        shown: &CertificateKey,
        now: DateTime<Utc>,
    ) -> Result<bool, Flaw> {
        match keys {
            ClientKeys::Set(set) => {
                let parse = || Arc::new(CertificateKeys::parse(set.json().as_bytes()).unwrap_or_default());
                Ok(self.parsed.get_or_insert(*set.digest().expose(), parse).has(shown))
            }
            ClientKeys::At(url) => {
                let remote = self.remote.as_ref().ok_or(Flaw::KeyWrong)?;
                let new = |outbound| FetchedCertificateKeys::new(Arc::clone(url), chosen_by, outbound);
                remote.at(url, chosen_by, new).has(shown, now).await
            }
        }
    }
}

#[async_trait]
impl ClientCertificates for X509Certificates {
    async fn check(&self, shown: &ShownCertificate<'_>, now: DateTime<Utc>) -> Result<(), Flaw> {
        // A block, because the parsed certificate borrows and must not be held across an await.
        let key = {
            let (rest, certificate) =
                parse_x509_certificate(shown.certificate.der()).map_err(|_| Flaw::Unreadable)?;
            if !rest.is_empty() {
                return Err(Flaw::Unreadable);
            }
            match shown.expected {
                None => return Err(Flaw::SubjectWrong),
                Some(ExpectedCertificate::Named(subject)) => {
                    return if is_named(&certificate, subject)? { Ok(()) } else { Err(Flaw::SubjectWrong) };
                }
                Some(ExpectedCertificate::OfKey(keys)) => {
                    (keys, CertificateKey::of(&certificate).ok_or(Flaw::KeyWrong)?)
                }
            }
        };
        if self.is_of(key.0, shown.chosen_by, &key.1, now).await? { Ok(()) } else { Err(Flaw::KeyWrong) }
    }

    fn fetches(&self) -> bool {
        self.remote.is_some()
    }
}

fn is_named(certificate: &X509Certificate<'_>, subject: &CertificateSubject) -> Result<bool, Flaw> {
    if let CertificateSubject::DistinguishedName(text) = subject {
        let own = distinguished_name(certificate.subject());
        return Ok(DistinguishedName::parse(text).is_some_and(|registered| registered == own));
    }
    // Two extensions of one kind, or one that cannot be read, are an error.
    let names = certificate.subject_alternative_name().map_err(|_| Flaw::Unreadable)?;
    let mut names = names.iter().flat_map(|names| &names.value.general_names);
    Ok(names.any(|name| is_alternative(name, subject)))
}

fn is_alternative(name: &GeneralName<'_>, subject: &CertificateSubject) -> bool {
    match (name, subject) {
        (GeneralName::DNSName(own), CertificateSubject::Dns(registered)) => {
            own.eq_ignore_ascii_case(registered)
        }
        (GeneralName::URI(own), CertificateSubject::Uri(registered)) => own == registered,
        (GeneralName::RFC822Name(own), CertificateSubject::Email(registered)) => {
            match (own.rsplit_once('@'), registered.rsplit_once('@')) {
                (Some((own, host)), Some((registered, domain))) => {
                    own == registered && host.eq_ignore_ascii_case(domain)
                }
                _ => false,
            }
        }
        (GeneralName::IPAddress(own), CertificateSubject::Ip(IpAddr::V4(registered))) => {
            **own == registered.octets()
        }
        (GeneralName::IPAddress(own), CertificateSubject::Ip(IpAddr::V6(registered))) => {
            **own == registered.octets()
        }
        _ => false,
    }
}

fn distinguished_name(name: &X509Name<'_>) -> DistinguishedName {
    let part = |part: &x509_parser::x509::RelativeDistinguishedName<'_>| {
        let attributes = part.iter().map(|attribute| {
            let value = attribute.attr_value();
            Attribute::of_der(attribute.attr_type().to_id_string(), identifier_of(value), value.as_bytes())
        });
        attributes.collect()
    };
    DistinguishedName::new(name.iter_rdn().map(part).collect())
}

/// The first octet of its DER: class, form and tag. A tag above 30 is written as 31, because it follows in
/// further octets.
fn identifier_of(value: &Any<'_>) -> u8 {
    let form = u8::from(value.header.is_constructed());
    let tag = u8::try_from(value.tag().0).map_or(0x1F, |tag| tag.min(0x1F));
    ((value.class() as u8) << 6) | (form << 5) | tag
}

impl Default for X509Certificates {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for X509Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("X509Certificates").finish_non_exhaustive()
    }
}
