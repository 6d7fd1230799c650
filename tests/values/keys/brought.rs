//! Keys that the host brings along.

use std::sync::Arc;

use grantor::jose::{Algorithm, Jwk, Signer, SigningKey};
use grantor::keys::{Keys, KeysError};

use super::start;

fn signer(algorithm: Algorithm, kid: &str) -> Arc<dyn Signer> {
    Arc::new(SigningKey::generate(algorithm).unwrap().with_kid(kid))
}

#[tokio::test]
async fn the_first_of_an_algorithm_signs_and_all_are_published() {
    let next = SigningKey::generate(Algorithm::EdDsa).unwrap().key().clone().with_kid("next");
    let signers =
        vec![signer(Algorithm::EdDsa, "a"), signer(Algorithm::EdDsa, "b"), signer(Algorithm::Es256, "c")];
    let keys = Keys::from_signers_and(signers, vec![next]).unwrap();
    let view = keys.current(start()).await.unwrap();
    let signs = |algorithm| view.signer(algorithm).and_then(|signer| signer.key().kid().map(str::to_owned));
    assert_eq!(signs(Algorithm::EdDsa).as_deref(), Some("a"));
    assert_eq!(signs(Algorithm::Es256).as_deref(), Some("c"));
    assert_eq!(signs(Algorithm::Rs256), None);
    let kids: Vec<_> = view.jwks().keys().iter().filter_map(Jwk::kid).collect();
    assert_eq!(kids, ["a", "b", "c", "next"]);
    assert_eq!(keys.algorithms(), [Algorithm::EdDsa, Algorithm::Es256]);
    assert!(keys.current_now(start()).is_some() && keys.schedule().is_none());
}

#[test]
fn keys_that_cannot_be_told_apart_are_refused() {
    assert_eq!(Keys::from_signers(Vec::new()).unwrap_err(), KeysError::Empty);
    let twice = vec![signer(Algorithm::EdDsa, "a"), signer(Algorithm::Es256, "a")];
    assert_eq!(Keys::from_signers(twice).unwrap_err(), KeysError::Kid);
}
