//! [`ClientJwts`]: verifies what clients sign with their registered keys.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{ClaimsMissing, ClientKeys, ClientSignatures, MIN_MAC_SECRET, SignedText};
use crate::base::SecretText;
use crate::error::AssertionFlaw as Flaw;
use crate::jose::{Algorithm, HS256, Jwk, Jws, JwsError, MacText, Unverified, VerifyingKey};
use crate::outbound::{ChosenBy, Outbound};
use crate::trust::{
    ClientSets, FetchedKeys, KeySource, Recent, SignatureMissing, StaticKeys, TrustedKeys, signed_claims,
};

/// Verifies what clients sign, with their registered keys: `private_key_jwt` (RFC 7523, OpenID Connect Core
/// section 9).
///
/// A key set is parsed once and cached while there is room. One at a `jwks_uri` is fetched through the
/// [`Outbound`], which must reach only public addresses, and is cached as its response says, within bounds;
/// concurrent requests share one fetch. An assertion with an unknown key causes another fetch, at most once
/// in 30 seconds. While the URL cannot be reached, the last set is used for an hour; without one the response
/// is 503, which says nothing about the client. At most 16 sets are fetched at once, 4 of them from one host;
/// those of clients that registered themselves or have a metadata document are counted and cached apart.
/// Of the sets by value, the latest 1,000 are cached.
///
/// ```
/// use std::sync::Arc;
/// use grantor::client::ClientJwts;
/// use grantor::{AuthMethod, AuthorizationServer, Client, GrantType, MemoryRegistry, MemoryStore};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let robot = Client::builder("robot")
///     .auth_method(AuthMethod::PrivateKeyJwt)
///     .jwks(serde_json::json!({ "keys": [{
///         "kty": "OKP", "crv": "Ed25519", "kid": "1", "alg": "EdDSA", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
///     }] }))
///     .grant_types([GrantType::ClientCredentials])
///     .build()?;
/// let store = Arc::new(MemoryStore::new());
/// let server = AuthorizationServer::builder("https://as.example")
///     .clients(MemoryRegistry::new([robot]))
///     .store(store.clone())
///     .replay_guard(store)
///     .client_signatures(ClientJwts::new())
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct ClientJwts {
    remote: Option<ClientSets<FetchedKeys>>,
    algorithms: Vec<Algorithm>,
    decoys: Vec<VerifyingKey>,
    parsed: Recent<[u8; 32], TrustedKeys>,
}

/// The most key sets by value that are cached; the least used are evicted first.
const KEPT: usize = 1000;

impl ClientJwts {
    /// With keys that clients registered by value (`jwks`).
    pub fn new() -> Self {
        Self {
            remote: None,
            algorithms: Algorithm::ALL.to_vec(),
            decoys: decoys(),
            parsed: Recent::new(KEPT),
        }
    }

    /// Like [`new`](Self::new), and also with keys at a `jwks_uri`, which are fetched through this
    /// `Outbound`.
    pub fn over(outbound: impl Outbound + 'static) -> Self {
        Self { remote: Some(ClientSets::over(outbound)), ..Self::new() }
    }

    /// Only these algorithms; by default all of them. The symmetric one of `client_secret_jwt` is separate.
    pub fn algorithms(self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        Self { algorithms: algorithms.into_iter().collect(), ..self }
    }

    /// The keys of a client; `None` without an `Outbound` for its `jwks_uri`.
    fn source(&self, keys: &ClientKeys, chosen_by: ChosenBy) -> Option<Arc<dyn KeySource>> {
        match keys {
            ClientKeys::Set(set) => {
                let parse = || TrustedKeys::parse(set.json().as_bytes()).unwrap_or_default();
                let keys = self.parsed.get_or_insert(*set.digest().expose(), parse);
                Some(Arc::new(StaticKeys::of(keys)))
            }
            ClientKeys::At(url) => {
                let keys = self
                    .remote
                    .as_ref()?
                    .at(url, chosen_by, |outbound| FetchedKeys::new(&**url, outbound).chosen_by(chosen_by));
                Some(keys)
            }
        }
    }

    async fn check(
        &self,
        jws: &Unverified<'_>,
        signed: &SignedText<'_>,
        now: DateTime<Utc>,
    ) -> Result<Map<String, Value>, Unchecked> {
        let keys = signed.keys.ok_or(Unchecked::AtOnce(Flaw::SignatureWrong))?;
        let algorithm = jws.algorithm();
        let is_registered = signed.algorithm.is_none_or(|name| Algorithm::parse(name) == Some(algorithm));
        let counts = self.algorithms.contains(&algorithm) && signed.algorithms.contains(&algorithm);
        if !is_registered || !counts {
            return Err(Unchecked::AtOnce(Flaw::AlgorithmRefused));
        }
        if !jws.is_untyped() && !signed.types.iter().any(|typ| jws.has_typ(typ)) {
            return Err(Unchecked::AtOnce(Flaw::TypeWrong));
        }
        let source = self.source(keys, signed.chosen_by).ok_or(Unchecked::AtOnce(Flaw::SignatureWrong))?;
        let signed = signed_claims(&*source, jws, now).await;
        signed.map(|signed| signed.claims).map_err(|missing| match missing {
            SignatureMissing::NoKey => Unchecked::AtOnce(Flaw::SignatureWrong),
            SignatureMissing::Wrong => Unchecked::Verified(Flaw::SignatureWrong),
            SignatureMissing::Claims => Unchecked::Verified(Flaw::ClaimMissing),
            SignatureMissing::KeysUnavailable(_) => Unchecked::KeysUnavailable,
        })
    }

    /// Verifies against a dummy key, so that the refusal takes as long as that of a wrong signature.
    fn verify_in_vain(&self, jws: &Unverified<'_>) {
        let mut decoys = self.decoys.iter();
        let _ =
            decoys.find(|decoy| decoy.key().supports(jws.algorithm())).map(|decoy| jws.is_signed_by(decoy));
    }
}

/// Why an assertion was refused, and whether a signature was verified before that.
enum Unchecked {
    AtOnce(Flaw),
    Verified(Flaw),
    KeysUnavailable,
}

#[async_trait]
impl ClientSignatures for ClientJwts {
    async fn verify(
        &self,
        signed: &SignedText<'_>,
        now: DateTime<Utc>,
    ) -> Result<Map<String, Value>, ClaimsMissing> {
        let jws = Jws::parse(signed.text).map_err(|error| {
            if error == JwsError::Algorithm {
                // Costs the same as for a client with a secret.
                let _ = self.verify_mac(signed, &[]);
            }
            ClaimsMissing::Refused(Flaw::Unreadable)
        })?;
        self.check(&jws, signed, now).await.map_err(|unchecked| match unchecked {
            Unchecked::AtOnce(flaw) => {
                self.verify_in_vain(&jws);
                ClaimsMissing::Refused(flaw)
            }
            Unchecked::Verified(flaw) => ClaimsMissing::Refused(flaw),
            Unchecked::KeysUnavailable => ClaimsMissing::KeysUnavailable,
        })
    }

    fn verify_mac(
        &self,
        signed: &SignedText<'_>,
        secrets: &[SecretText],
    ) -> Result<Map<String, Value>, ClaimsMissing> {
        let mac = MacText::parse(signed.text).map_err(|error| match error {
            JwsError::Algorithm => {
                // Costs the same as for a client with keys.
                if let Ok(jws) = Jws::parse(signed.text) {
                    self.verify_in_vain(&jws);
                }
                Flaw::AlgorithmRefused
            }
            _ => Flaw::Unreadable,
        });
        let mac = mac.map_err(ClaimsMissing::Refused)?;
        let is_registered = signed.algorithm.is_none_or(|name| name == HS256);
        let secrets = secrets.iter().map(|secret| secret.reveal().as_bytes());
        let secrets: Vec<&[u8]> = secrets.filter(|secret| secret.len() >= MIN_MAC_SECRET).collect();
        // Without a secret, a dummy one makes the check cost the same.
        let decoy = [DECOY];
        let tried = if secrets.is_empty() { &decoy[..] } else { &secrets[..] };
        let is_made = tried.iter().fold(false, |is_made, secret| mac.is_made_with(secret) | is_made);
        let right = is_made && !secrets.is_empty() && is_registered;
        match (right, mac.is_of(signed.types)) {
            (false, _) => Err(ClaimsMissing::Refused(Flaw::SignatureWrong)),
            (true, false) => Err(ClaimsMissing::Refused(Flaw::TypeWrong)),
            (true, true) => mac.claims().map_err(|_| ClaimsMissing::Refused(Flaw::ClaimMissing)),
        }
    }

    fn takes_macs(&self) -> bool {
        true
    }

    fn algorithms(&self) -> Vec<&'static str> {
        self.algorithms.iter().flat_map(|algorithm| algorithm.names()).copied().collect()
    }

    fn fetches(&self) -> bool {
        self.remote.is_some()
    }
}

/// A dummy secret for MACs of unknown clients.
const DECOY: &[u8] = &[0; MIN_MAC_SECRET];

/// Dummy keys, one for each algorithm. It does not matter who has the private keys: the result is always a
/// refusal.
fn decoys() -> Vec<VerifyingKey> {
    let rsa = |algorithm: &str| {
        format!(r#"{{"kty":"RSA","alg":"{algorithm}","e":"AQAB","n":"{}ww"}}"#, "w8PD".repeat(85))
    };
    let keys = [
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#.to_owned(),
        r#"{"kty":"EC","crv":"P-256","x":"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY","y":"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}"#.to_owned(),
        rsa("PS256"),
        rsa("RS256"),
    ];
    keys.iter().filter_map(|key| VerifyingKey::from_jwk(&Jwk::parse(key).ok()?).ok()).collect()
}

impl Default for ClientJwts {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ClientJwts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientJwts").field("algorithms", &self.algorithms).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::client::ClientMetadata;
    use crate::jose::{Signer as _, SigningKey, VERIFICATIONS, encode_now};

    fn keys_of(key: &SigningKey) -> ClientKeys {
        let jwks = Some(Box::new(serde_json::json!({ "keys": [key.key()] })));
        ClientKeys::of(&ClientMetadata { jwks, ..ClientMetadata::default() }).unwrap().unwrap()
    }

    /// The answer to an assertion, and how many signatures were verified for it.
    fn answer(jwts: &ClientJwts, signed: &SignedText<'_>) -> (Result<(), ClaimsMissing>, usize) {
        let before = VERIFICATIONS.get();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let mut answer = jwts.verify(signed, now);
        match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => (answer.map(drop), VERIFICATIONS.get() - before),
            Poll::Pending => panic!("nothing is fetched"),
        }
    }

    #[test]
    fn ca_41_every_refusal_verifies_one_signature() {
        let jwts = ClientJwts::new();
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let [own, other] = [(); 2].map(|()| SigningKey::generate(algorithm).unwrap());
            let keys = keys_of(&own);
            let claims = serde_json::json!({ "iss": "pkj" });
            let signed_by = |key, typ| encode_now(typ, &claims, key).unwrap().unwrap();
            let [right, wrong, mistyped] =
                [signed_by(&own, "JWT"), signed_by(&other, "JWT"), signed_by(&own, "at+jwt")];
            let ask = |text: &str, keys, name| answer(&jwts, &SignedText::new(text, keys, name, &["JWT"]));
            assert_eq!(ask(&right, Some(&keys), None), (Ok(()), 1));
            for (text, keys, name, flaw) in [
                (&wrong, Some(&keys), None, Flaw::SignatureWrong),
                (&right, None, None, Flaw::SignatureWrong),
                (&right, Some(&keys), Some("PS256"), Flaw::AlgorithmRefused),
                (&mistyped, Some(&keys), None, Flaw::TypeWrong),
            ] {
                assert_eq!(ask(text, keys, name), (Err(ClaimsMissing::Refused(flaw)), 1), "{algorithm}");
            }
        }
    }

    #[test]
    fn ca_41_a_signature_in_the_place_of_a_mac_is_verified_in_vain() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let text = encode_now("JWT", &serde_json::json!({ "iss": "mac" }), &key).unwrap().unwrap();
        let before = VERIFICATIONS.get();
        let answer = ClientJwts::new().verify_mac(&SignedText::new(&text, None, None, &["JWT"]), &[]);
        assert_eq!(answer, Err(ClaimsMissing::Refused(Flaw::AlgorithmRefused)));
        assert_eq!(VERIFICATIONS.get() - before, 1);
    }

    #[test]
    fn there_is_a_decoy_for_every_algorithm() {
        let decoys = decoys();
        for algorithm in Algorithm::ALL {
            assert!(decoys.iter().any(|decoy| decoy.key().supports(*algorithm)), "{algorithm}");
        }
    }
}
