//! The public keys of clients, from certificates and from key sets.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use x509_parser::certificate::X509Certificate;
use x509_parser::parse_x509_certificate;
use x509_parser::public_key::PublicKey;

use crate::error::{CertificateFlaw, Reason};
use crate::outbound::{self, ChosenBy, Outbound, OutboundRequest};
use crate::trust::kept::{Answer, DEADLINE, Freshness, NoAnswer, RemoteValue};

/// A public key, in comparable form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CertificateKey {
    /// The modulus and the exponent, without leading zeros.
    Rsa(Vec<u8>, Vec<u8>),
    /// The curve, and the point without compression.
    Ec(&'static str, Vec<u8>),
    Ed25519(Vec<u8>),
}

/// The keys of a set that can be in a certificate.
#[derive(Clone, Debug, Default)]
pub(super) struct CertificateKeys(Vec<CertificateKey>);

/// The maximum size of a fetched set.
const MAX_BYTES: usize = 64 * 1024;
const MAX_KEYS: usize = 64;
/// The minimum length of an RSA modulus, in bytes.
const SHORTEST_RSA: usize = 256;

/// The name of a curve, its object identifier in a certificate, and the bytes of a coordinate.
const CURVES: [(&str, &str, usize); 3] =
    [("P-256", "1.2.840.10045.3.1.7", 32), ("P-384", "1.3.132.0.34", 48), ("P-521", "1.3.132.0.35", 66)];
const EC: &str = "1.2.840.10045.2.1";
const ED25519: &str = "1.3.101.112";

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<serde::de::IgnoredAny>,
    x5c: Option<Vec<String>>,
}

impl CertificateKeys {
    /// Reads a key set; a key that cannot be in a certificate is skipped.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let Set { keys } = serde_json::from_slice(json).ok().filter(|_| json.len() <= MAX_BYTES)?;
        let keys = keys.into_iter().take(MAX_KEYS).filter_map(|key| Jwk::deserialize(key).ok());
        Some(Self(keys.filter_map(|key| CertificateKey::of_jwk(&key)).collect()))
    }

    pub(super) fn has(&self, shown: &CertificateKey) -> bool {
        self.0.contains(shown)
    }
}

impl CertificateKey {
    /// The key of a certificate.
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Option<Self> {
        let key = certificate.public_key();
        let number = key.algorithm.algorithm.to_id_string();
        match (number.as_str(), key.parsed().ok()?) {
            (_, PublicKey::RSA(rsa)) => Self::rsa(rsa.modulus, rsa.exponent),
            (EC, PublicKey::EC(point)) => {
                let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
                let (name, _, length) = CURVES.iter().find(|(_, number, _)| *number == curve)?;
                let is_whole = point.data().len() == 2 * length + 1 && point.data().first() == Some(&4);
                is_whole.then(|| Self::Ec(name, point.data().to_vec()))
            }
            (ED25519, _) => Some(Self::Ed25519(key.subject_public_key.data.to_vec())),
            _ => None,
        }
    }

    /// The key of a set, or that of the first certificate of its `x5c`; if it has both, they must be equal
    /// (RFC 7517 section 4.7).
    fn of_jwk(key: &Jwk) -> Option<Self> {
        if key.d.is_some() || key.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        let Some(chain) = &key.x5c else { return Self::bare(key) };
        let der = STANDARD.decode(chain.first()?).ok()?;
        let (rest, certificate) = parse_x509_certificate(&der).ok()?;
        let certified = Self::of(&certificate).filter(|_| rest.is_empty())?;
        let has_numbers = key.n.is_some() || key.x.is_some();
        (!has_numbers || Self::bare(key).as_ref() == Some(&certified)).then_some(certified)
    }

    fn bare(key: &Jwk) -> Option<Self> {
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        match (key.kty.as_str(), key.crv.as_deref()) {
            ("RSA", _) => Self::rsa(&bytes(&key.n)?, &bytes(&key.e)?),
            ("OKP", Some("Ed25519")) => bytes(&key.x).filter(|x| x.len() == 32).map(Self::Ed25519),
            ("EC", Some(curve)) => {
                let (name, _, length) = CURVES.iter().find(|(name, ..)| *name == curve)?;
                let (x, y) = (bytes(&key.x)?, bytes(&key.y)?);
                let is_whole = x.len() == *length && y.len() == *length;
                is_whole.then(|| Self::Ec(name, [&[4], x.as_slice(), y.as_slice()].concat()))
            }
            _ => None,
        }
    }

    fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let significant =
            |bytes: &[u8]| bytes.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<_>>();
        let (modulus, exponent) = (significant(modulus), significant(exponent));
        (modulus.len() >= SHORTEST_RSA).then_some(Self::Rsa(modulus, exponent))
    }
}

/// The key set at the `jwks_uri` of a client, cached as its response says, within bounds; fetched for an
/// unknown key at most twice a minute.
pub(super) struct FetchedCertificateKeys {
    url: Arc<str>,
    chosen_by: ChosenBy,
    outbound: Arc<dyn Outbound>,
    kept: RemoteValue<Arc<CertificateKeys>>,
}

impl FetchedCertificateKeys {
    pub(super) fn new(url: Arc<str>, chosen_by: ChosenBy, outbound: Arc<dyn Outbound>) -> Self {
        let kept = RemoteValue::renewed_every(TimeDelta::seconds(30));
        Self { url, chosen_by, outbound, kept }
    }

    pub(super) async fn has(
        &self,
        shown: &CertificateKey,
        now: DateTime<Utc>,
    ) -> Result<bool, CertificateFlaw> {
        let unavailable = |_| CertificateFlaw::KeysUnavailable;
        let keys = self.kept.latest(false, now, self.fetch(now)).await.map_err(unavailable)?;
        if keys.has(shown) {
            return Ok(true);
        }
        // The cached set stays valid while a newer one cannot be fetched.
        let newer = self.kept.latest(true, now, self.fetch(now)).await;
        Ok(newer.unwrap_or(keys).has(shown))
    }

    async fn fetch(&self, now: DateTime<Utc>) -> Result<Answer<Arc<CertificateKeys>>, NoAnswer> {
        let request = OutboundRequest::get(&*self.url, self.chosen_by)
            .header("accept", "application/jwk-set+json, application/json")
            .limits(MAX_BYTES, DEADLINE);
        let answer = outbound::ask(&*self.outbound, &request).await;
        let response = answer.map_err(|error| NoAnswer::of(error, Reason::ClientKeysUnavailable))?;
        if response.status() != 200 {
            return Err(Reason::ClientKeysUnavailable.into());
        }
        let keys = CertificateKeys::parse(response.body()).ok_or(Reason::ClientKeysUnavailable)?;
        Ok(Freshness::default().of(Arc::new(keys), &response, now))
    }
}
