//! Proofs of possession (DPoP, RFC 9449): their claims, and the checks of section 4.3 in one place.
//!
//! The core handles claims, and has no cryptography: a [`ProofVerifier`] reads a proof and checks its
//! signature. The feature `jwt` has one. All other checks are here, the same for the token endpoint and for a
//! resource.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use fluent_uri::Uri;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::nonce::Nonces;
use super::times::{CLOCK_SKEW, EXPIRY_LEEWAY};
use crate::base::numeric_date::NumericDate;
use crate::base::{Algorithm, ReplayKey, Secret, Thumbprint};
use crate::error::ProofFlaw as Flaw;
use crate::http::Request;

/// The longest proof, in bytes. The length is checked before anything is parsed.
pub const MAX_PROOF_BYTES: usize = 8 * 1024;

/// The longest `jti`, in bytes.
const MAX_JTI: usize = 128;

/// How far the times of a proof may be off, in seconds.
struct Window {
    /// The greatest age (`iat`).
    behind: i64,
    /// `iat` or `nbf` in the future.
    ahead: i64,
    /// Past its `exp`.
    expired: i64,
}

const WITHOUT_NONCE: Window = Window { behind: 60, ahead: CLOCK_SKEW, expired: EXPIRY_LEEWAY };

/// The nonce proves when it was made, so the client's clock may be off.
const WITH_NONCE: Window = Window { behind: 300, ahead: 300, expired: 300 };

/// With a nonce, where no time may be more than a minute ahead (FAPI 2.0 Security Profile section 5.3.2.1).
const WITH_NONCE_BY_FAPI: Window = Window { ahead: 60, ..WITH_NONCE };

/// The claims of a proof that the key in its own header signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    key: Thumbprint,
    algorithm: Algorithm,
    claims: Claims,
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: NumericDate,
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    nonce: Option<String>,
    ath: Option<String>,
}

impl Proof {
    /// Reads the claims of a proof. `key` is the thumbprint of the key that signed it with this algorithm.
    /// The payload is a JSON object without duplicate members.
    ///
    /// # Errors
    /// [`ProofFlaw::ClaimMissing`](Flaw::ClaimMissing), also for a claim of the wrong type.
    pub fn read(key: Thumbprint, algorithm: Algorithm, payload: &str) -> Result<Self, Flaw> {
        let claims = serde_json::from_str(payload).map_err(|_| Flaw::ClaimMissing)?;
        Ok(Self { key, algorithm, claims })
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proof").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Reads DPoP proofs.
pub trait ProofVerifier: Send + Sync {
    /// Reads a proof of at most [`MAX_PROOF_BYTES`], and checks that the key in its header signed it. The
    /// text is untrusted. A wrong `Ok` lets a thief use a stolen token.
    ///
    /// # Errors
    /// The type, the algorithm, the key, the signature or a claim is wrong (RFC 9449 section 4.3, checks 2 to
    /// 7).
    fn verify(&self, proof: &str) -> Result<Proof, Flaw>;

    /// The algorithms, by the names of the metadata (`dpop_signing_alg_values_supported`).
    fn algorithms(&self) -> Vec<&'static str>;
}

impl<T: ProofVerifier + ?Sized> ProofVerifier for Arc<T> {
    fn verify(&self, proof: &str) -> Result<Proof, Flaw> {
        (**self).verify(proof)
    }

    fn algorithms(&self) -> Vec<&'static str> {
        (**self).algorithms()
    }
}

/// How DPoP proofs are accepted, at an authorization server or at a resource (RFC 9449).
///
/// A proof is valid for 60 seconds or until its `exp`, and once: a [`ReplayGuard`](crate::ReplayGuard)
/// remembers its `jti`, for its key and URL.
///
/// ```
/// use std::sync::Arc;
/// use grantor::dpop::{Dpop, DpopProofs};
/// use grantor::{AuthorizationServer, MemoryRegistry, MemoryStore};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Arc::new(MemoryStore::new());
/// let server = AuthorizationServer::builder("https://as.example")
///     .clients(MemoryRegistry::default())
///     .store(store.clone())
///     .replay_guard(store)
///     .dpop(Dpop::new(DpopProofs::new()))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct Dpop {
    verifier: Arc<dyn ProofVerifier>,
    nonces: Option<Arc<Nonces>>,
    /// The accepted algorithms, among those that the verifier supports.
    counting: &'static [Algorithm],
    /// How far the times of a proof with a nonce may be off.
    with_nonce: &'static Window,
}

impl Dpop {
    /// Accepts proofs with this verifier, without nonces.
    pub fn new(verifier: impl ProofVerifier + 'static) -> Self {
        Self { verifier: Arc::new(verifier), nonces: None, counting: Algorithm::ALL, with_nonce: &WITH_NONCE }
    }

    /// Requires a nonce of this server in every proof (RFC 9449 sections 8 and 9); the client's clock may
    /// then be wrong by 5 minutes (under a FAPI profile of the server, at most one minute ahead). A nonce is
    /// valid for 5 to 10 minutes. Nothing is stored: every node with the same key accepts it. So give all
    /// nodes the same key, and keep it secret: an attacker who knows it can make proofs in advance.
    pub fn nonces(self, key: Secret) -> Self {
        Self { nonces: Some(Arc::new(Nonces::new(key))), ..self }
    }

    /// The same, limited to these algorithms.
    pub(crate) fn within(self, counting: &'static [Algorithm]) -> Self {
        Self { counting, ..self }
    }

    /// The same, with the times that FAPI 2.0 allows.
    pub(crate) fn with_close_clocks(self) -> Self {
        Self { with_nonce: &WITH_NONCE_BY_FAPI, ..self }
    }

    pub(crate) fn algorithms(&self) -> Vec<&'static str> {
        let counts = |name: &&str| Algorithm::parse(name).is_some_and(|known| self.counting.contains(&known));
        self.verifier.algorithms().into_iter().filter(counts).collect()
    }

    /// The nonce for new proofs, if nonces are required.
    pub(crate) fn nonce(&self, server: &str, now: DateTime<Utc>) -> Option<String> {
        self.nonces.as_ref().map(|nonces| nonces.current(server, now))
    }

    /// Makes every check except that the proof was not used before; `None` for a request without a proof.
    pub(crate) fn check(
        &self,
        request: &Request,
        at: &Place<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<Proven>, Flaw> {
        let mut fields = request.headers.all(FIELD);
        let text = match (fields.next(), fields.next()) {
            (None, _) => return Ok(None),
            (Some(text), None) => text,
            (Some(_), Some(_)) => return Err(Flaw::Repeated),
        };
        if text.len() > MAX_PROOF_BYTES {
            return Err(Flaw::TooLong);
        }
        let Proof { key, algorithm, claims } = self.verifier.verify(text)?;
        if !self.counting.contains(&algorithm) {
            return Err(Flaw::AlgorithmRefused);
        }
        if claims.jti.is_empty() || claims.jti.len() > MAX_JTI {
            return Err(Flaw::IdMalformed);
        }
        if claims.htm != request.method.as_str() {
            return Err(Flaw::MethodWrong);
        }
        if !at.is_at(&claims.htu) {
            return Err(Flaw::UrlWrong);
        }
        match (at.token, &claims.ath) {
            (Some(token), Some(ath)) if *ath == hash(token) => {}
            (Some(_), _) => return Err(Flaw::TokenWrong),
            (None, _) => {}
        }
        let &Window { behind, ahead, expired } = self.window(at.server, claims.nonce.as_deref(), now)?;
        let (made, seconds) = (claims.iat.seconds(), now.timestamp());
        if made < seconds.saturating_sub(behind) || made > seconds.saturating_add(ahead) {
            return Err(Flaw::TimeWrong);
        }
        // RFC 7519 sections 4.1.4 and 4.1.5: no proof needs these claims, but those of one that has them count.
        if claims.exp.is_some_and(|exp| exp.seconds().saturating_add(expired) <= seconds) {
            return Err(Flaw::Expired);
        }
        if claims.nbf.is_some_and(|nbf| nbf.seconds() > seconds.saturating_add(ahead)) {
            return Err(Flaw::TooEarly);
        }
        let until = DateTime::from_timestamp(made.saturating_add(behind), 0).ok_or(Flaw::TimeWrong)?;
        // The key contains the URL as the client signed it, because an attacker can vary the spelling of the
        // request's URL.
        let once = ReplayKey::new(&format!("dpop:{key}:{}", claims.htu), &claims.jti);
        Ok(Some(Proven { key, algorithm, once, until }))
    }

    /// How far the times of a proof may be off.
    fn window(&self, server: &str, nonce: Option<&str>, now: DateTime<Utc>) -> Result<&'static Window, Flaw> {
        let Some(nonces) = &self.nonces else { return Ok(&WITHOUT_NONCE) };
        match nonce.is_some_and(|nonce| nonces.is_fresh(server, nonce, now)) {
            true => Ok(self.with_nonce),
            false => Err(Flaw::NonceWanted),
        }
    }
}

impl fmt::Debug for Dpop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (algorithms, nonces) = (self.algorithms(), self.nonces.is_some());
        f.debug_struct("Dpop").field("algorithms", &algorithms).field("nonces", &nonces).finish()
    }
}

/// The header field of a proof.
pub(crate) const FIELD: &str = "dpop";

/// The required target of a proof.
pub(crate) struct Place<'a> {
    /// The issuer or the resource whose nonces are accepted.
    pub(crate) server: &'a str,
    /// The URL, or its beginning. It comes from the configuration, never from the `Host` that the client
    /// sent.
    pub(crate) base: &'a str,
    /// A second URL, if there is one.
    pub(crate) alias: Option<&'a str>,
    /// The path after it.
    pub(crate) path: &'a str,
    /// At a resource, the presented access token.
    pub(crate) token: Option<&'a str>,
}

impl Place<'_> {
    fn url(&self) -> Cow<'_, str> {
        match self.path.is_empty() {
            true => Cow::Borrowed(self.base),
            false => Cow::Owned(format!("{}{}", self.base, self.path)),
        }
    }

    /// Whether the `htu` of a proof is this place.
    fn is_at(&self, claimed: &str) -> bool {
        is_same_place(claimed, &self.url()) || self.alias.is_some_and(|alias| is_same_place(claimed, alias))
    }
}

/// A key that a request proves, pending the check that the proof is used for the first time.
#[derive(Debug)]
pub(crate) struct Proven {
    pub(crate) key: Thumbprint,
    pub(crate) algorithm: Algorithm,
    /// The single-use identifier: the `jti`, for this key at this URL.
    pub(crate) once: ReplayKey,
    /// When the proof expires.
    pub(crate) until: DateTime<Utc>,
}

/// SHA-256 over the text of a token, in base64url (RFC 9449 section 4.2).
fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token))
}

/// RFC 9449 section 4.3, check 9: without query and fragment, after the normalisation of RFC 3986 sections
/// 6.2.2 and 6.2.3.
fn is_same_place(claimed: &str, url: &str) -> bool {
    claimed == url || normal(claimed).is_some_and(|claimed| normal(url) == Some(claimed))
}

fn normal(url: &str) -> Option<String> {
    let uri = Uri::parse(url).ok()?.normalize();
    let authority = uri.authority().filter(|authority| authority.userinfo().is_none())?;
    let scheme = uri.scheme().as_str();
    let default = match scheme {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    let port = authority.port().map_or("", |port| port.as_str());
    let port = if port.is_empty() { default } else { port };
    let path = uri.path().as_str();
    let path = if path.is_empty() { "/" } else { path };
    Some(format!("{scheme}://{}:{port}{path}", authority.host()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_the_same_in_any_spelling_of_its_scheme_host_and_port() {
        let url = "https://as.example/token";
        for same in [
            "https://as.example/token",
            "HTTPS://AS.Example/token",
            "https://as.example:443/token",
            "https://as.example:/token",
            "https://as.example/token?x=1",
            "https://as.example/token#y",
            "https://as.example/%74oken",
            "https://as.example/a/../token",
        ] {
            assert!(is_same_place(same, url), "{same}");
        }
        for other in [
            "",
            "token",
            "https://as.example/token/",
            "https://as.example/Token",
            "https://as.example:444/token",
            "http://as.example/token",
            "http://as.example:443/token",
            "https://as.example.evil/token",
            "https://as.example@evil/token",
            "https://user@as.example/token",
            "https://as.example",
        ] {
            assert!(!is_same_place(other, url), "{other}");
        }
        assert!(is_same_place("https://as.example", "https://as.example/"));
    }

    #[test]
    fn a_token_is_hashed_as_rfc_9449_hashes_it() {
        let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
        assert_eq!(hash(token), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    }
}
