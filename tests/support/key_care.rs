//! Manual changes of keys on several nodes that share a store of any kind.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use grantor::jose::{self, Algorithm, Jws, Signer};
use grantor::keys::{KeyChangeError, KeySchedule, KeyStore, KeyView, Keys};

const ED: Algorithm = Algorithm::EdDsa;

/// How many nodes act at the same time.
const NODES: usize = 6;

pub fn node(store: &Arc<dyn KeyStore>) -> Keys {
    Keys::rotating(store.clone(), KeySchedule::default(), &[ED]).unwrap()
}

pub fn signs(view: &KeyView) -> String {
    view.signer(ED).unwrap().key().kid().unwrap().to_owned()
}

pub fn published(view: &KeyView) -> BTreeSet<String> {
    view.jwks().keys().iter().map(|key| key.kid().unwrap().to_owned()).collect()
}

pub fn token(view: &KeyView) -> String {
    jose::encode_now("at+jwt", &serde_json::json!({}), view.signer(ED).unwrap()).unwrap().unwrap()
}

pub fn is_believed(token: &str, view: &KeyView) -> bool {
    Jws::parse(token).unwrap().verify(view.verifying_keys()).is_ok()
}

/// The result of the same call on every node, all at the same time.
async fn at_once<F>(nodes: &[Keys], call: impl Fn(Keys) -> F) -> Vec<Result<Arc<KeyView>, KeyChangeError>>
where
    F: Future<Output = Result<Arc<KeyView>, KeyChangeError>> + Send + 'static,
{
    let tasks: Vec<_> = nodes.iter().map(|keys| tokio::spawn(call(keys.clone()))).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

/// Several nodes rotate and replace keys, one after the other and at the same time. The cell of the store may
/// be empty or have a ring.
pub async fn nodes_change_keys_by_hand(store: Arc<dyn KeyStore>, now: DateTime<Utc>) {
    let nodes: Vec<Keys> = (0..NODES).map(|_| node(&store)).collect();
    let first = nodes[0].current(now).await.unwrap();
    let leaked = signs(&first);
    let stolen = token(&first);
    for keys in &nodes {
        keys.current(now).await.unwrap();
    }

    // All rotate at the same time, and one successor is announced.
    for answer in at_once(&nodes, move |keys| async move { keys.rotate_now(ED, now).await }).await {
        let view = answer.unwrap();
        assert_eq!((published(&view).len(), signs(&view)), (2, leaked.clone()), "{:?}", view.states());
    }
    let announced = published(&nodes[0].current(now).await.unwrap());
    let successor = announced.iter().find(|kid| **kid != leaked).unwrap().clone();

    // All replace the key that leaked, and the successor signs.
    let same = leaked.clone();
    let replaced = at_once(&nodes, move |keys| {
        let leaked = same.clone();
        async move { keys.replace(&leaked, now).await }
    });
    let mut done = 0;
    for answer in replaced.await {
        match answer {
            Ok(view) => {
                done += 1;
                assert_eq!(published(&view), BTreeSet::from([successor.clone()]));
                assert_eq!(signs(&view), successor);
                assert!(!is_believed(&stolen, &view));
            }
            // Another node had already replaced the key.
            Err(error) => assert!(matches!(error, KeyChangeError::Unknown), "{error}"),
        }
    }
    assert!(done >= 1);

    // Within a minute every node knows, even one that took no part.
    let soon = now + TimeDelta::seconds(Keys::CACHE_SECONDS);
    for keys in &nodes {
        let view = keys.current(soon).await.unwrap();
        assert_eq!(
            (published(&view), signs(&view)),
            (BTreeSet::from([successor.clone()]), successor.clone())
        );
        assert!(is_believed(&token(&view), &node(&store).current(soon).await.unwrap()));
    }
}
