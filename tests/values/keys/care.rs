//! Keys that are changed by hand.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use grantor::jose::{Algorithm, SigningKey};
use grantor::keys::{
    KeyChangeError, KeyRecord, KeyRing, KeySchedule, KeyStage, KeyStore, Keys, MemoryKeyStore,
};
use grantor::store::CommitError;
use grantor::{BackendError, async_trait};

use super::{day, start};
use crate::support::key_care::{is_believed, node, nodes_change_keys_by_hand, published, signs, token};

const ED: Algorithm = Algorithm::EdDsa;

fn memory() -> Arc<dyn KeyStore> {
    Arc::new(MemoryKeyStore::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_agree_on_keys_that_are_changed_by_hand() {
    for _ in 0..10 {
        nodes_change_keys_by_hand(memory(), start()).await;
    }
}

#[tokio::test]
async fn a_rotation_ahead_of_its_time_surprises_no_verifier() {
    let keys = node(&memory());
    let before = keys.current(start()).await.unwrap();
    let announced = keys.rotate_now(ED, day(10)).await.unwrap();
    assert_eq!(signs(&announced), signs(&before));
    let almost = keys.current(day(24) - TimeDelta::seconds(1)).await.unwrap();
    assert_eq!(signs(&almost), signs(&before));
    let after = keys.current(day(24)).await.unwrap();
    assert!(signs(&after) != signs(&before) && published(&announced).contains(&signs(&after)));
    assert!(is_believed(&token(&before), &after), "the last tokens of the former key stay good");
    assert!(!is_believed(&token(&before), &keys.current(day(38)).await.unwrap()));
}

#[tokio::test]
async fn a_key_that_leaked_is_gone_at_once() {
    let keys = node(&memory());
    let before = keys.current(start()).await.unwrap();
    let after = keys.replace(&signs(&before), day(1)).await.unwrap();
    assert_eq!(published(&after), BTreeSet::from([signs(&after)]));
    assert_ne!(signs(&after), signs(&before));
    assert!(!is_believed(&token(&before), &after));
    let current = keys.current_now(day(1)).unwrap();
    assert_eq!(signs(&current), signs(&after), "no minute passes on this node");
    assert!(matches!(keys.replace(&signs(&before), day(1)).await, Err(KeyChangeError::Unknown)));
}

#[tokio::test]
async fn a_node_that_replaces_too_late_stops_signing_with_the_key_as_well() {
    let store = memory();
    let (first, late) = (node(&store), node(&store));
    let leaked = signs(&first.current(start()).await.unwrap());
    late.current(start()).await.unwrap();
    first.replace(&leaked, start()).await.unwrap();
    assert!(matches!(late.replace(&leaked, start()).await, Err(KeyChangeError::Unknown)));
    assert_ne!(signs(&late.current_now(start()).unwrap()), leaked);
}

#[tokio::test]
async fn a_successor_or_a_former_key_can_be_replaced_too() {
    let keys = node(&memory());
    keys.current(start()).await.unwrap();
    let announced = keys.current(day(76)).await.unwrap();
    let first = signs(&announced);
    let successor = published(&announced).into_iter().find(|kid| *kid != first).unwrap();
    let after = keys.replace(&successor, day(77)).await.unwrap();
    assert_eq!((signs(&after), published(&after).len()), (first.clone(), 1));
    // Another successor is announced for as long as ever: better that it takes over late than unknown.
    let again = keys.current(day(77) + TimeDelta::seconds(60)).await.unwrap();
    assert_eq!(published(&again).len(), 2);
    let late = keys.current(day(92)).await.unwrap();
    assert_ne!(signs(&late), first);
    let stages: Vec<_> = late.states().iter().map(|state| state.stage).collect();
    assert_eq!(stages, [KeyStage::Published, KeyStage::Signing]);
    let rest = keys.replace(&first, day(92)).await.unwrap();
    assert_eq!((signs(&rest), published(&rest).len()), (signs(&late), 1));
}

#[tokio::test]
async fn a_key_from_elsewhere_keeps_its_name_and_its_tokens() {
    let store = memory();
    let former = || SigningKey::generate(ED).unwrap().with_kid("2024-a");
    let key = former();
    let pkcs8 = key.to_pkcs8().unwrap();
    let again = || SigningKey::from_pkcs8(ED, pkcs8.reveal()).unwrap().with_kid("2024-a");
    let keys = node(&store);
    let view = keys.import(key, start()).await.unwrap();
    assert_eq!((signs(&view), published(&view).len()), ("2024-a".to_owned(), 1));
    let text = token(&view);
    // The second time changes nothing, and another node reads the name from the store.
    assert_eq!(published(&keys.import(again(), day(1)).await.unwrap()).len(), 1);
    let other = node(&store).current(day(1)).await.unwrap();
    assert_eq!(signs(&other), "2024-a");
    assert!(is_believed(&text, &other));
    // A second one is announced, and a third has to wait.
    let second = SigningKey::generate(ED).unwrap().with_kid("2024-b");
    let view = keys.import(second, day(2)).await.unwrap();
    assert_eq!(signs(&view), "2024-a");
    assert_eq!(signs(&keys.current(day(16)).await.unwrap()), "2024-b");
    let keys = node(&memory());
    keys.current(start()).await.unwrap();
    keys.rotate_now(ED, start()).await.unwrap();
    assert!(matches!(keys.import(former(), start()).await, Err(KeyChangeError::Announced)));
}

#[tokio::test]
async fn an_import_leaves_no_other_algorithm_without_a_key() {
    let algorithms = [ED, Algorithm::Es256];
    let keys = Keys::rotating(memory(), KeySchedule::default(), &algorithms).unwrap();
    keys.import(SigningKey::generate(ED).unwrap(), start()).await.unwrap();
    let view = keys.current(start()).await.unwrap();
    assert!(algorithms.iter().all(|algorithm| view.signer(*algorithm).is_some()));
}

#[tokio::test]
async fn a_former_key_of_an_algorithm_that_is_no_longer_wanted_gets_no_successor() {
    let store = memory();
    let both = Keys::rotating(store.clone(), KeySchedule::default(), &[ED, Algorithm::Es256]).unwrap();
    both.current(start()).await.unwrap();
    let keys = node(&store);
    let view = keys.current(day(91)).await.unwrap();
    let mut states = view.states().iter();
    let former = states.find(|key| key.algorithm == Algorithm::Es256).unwrap();
    assert_eq!(former.stage, KeyStage::Published);
    let after = keys.replace(former.key.kid().unwrap(), day(91)).await.unwrap();
    assert!(after.states().iter().all(|key| key.algorithm == ED));
}

#[tokio::test]
async fn what_cannot_be_changed_is_said() {
    let keys = node(&memory());
    let other = SigningKey::generate(Algorithm::Es256).unwrap();
    assert!(matches!(keys.import(other, start()).await, Err(KeyChangeError::Unwanted(Algorithm::Es256))));
    assert!(matches!(keys.rotate_now(Algorithm::Es256, start()).await, Err(KeyChangeError::Unwanted(_))));
    let brought = Keys::from_signers(vec![Arc::new(SigningKey::generate(ED).unwrap())]).unwrap();
    assert!(matches!(brought.replace("any", start()).await, Err(KeyChangeError::NotRotating)));
}

/// A store whose next commit is done and not confirmed, or whose load shows what was there before.
#[derive(Default)]
struct Slow {
    inner: MemoryKeyStore,
    loses_an_answer: AtomicBool,
    /// A load in flight waits until it is told to end.
    holds: AtomicBool,
    /// A commit that is done waits with its answer.
    holds_an_answer: AtomicBool,
    release: tokio::sync::Notify,
    held: tokio::sync::Notify,
}

impl Slow {
    async fn wait_if(&self, told: &AtomicBool) {
        if told.swap(false, Ordering::SeqCst) {
            self.held.notify_one();
            self.release.notified().await;
        }
    }
}

#[async_trait]
impl KeyStore for Slow {
    async fn load(&self) -> Result<Option<KeyRecord>, BackendError> {
        let record = self.inner.load().await;
        self.wait_if(&self.holds).await;
        record
    }

    async fn commit(&self, expect: Option<u64>, body: &str) -> Result<u64, CommitError> {
        let done = self.inner.commit(expect, body).await?;
        self.wait_if(&self.holds_an_answer).await;
        match self.loses_an_answer.swap(false, Ordering::SeqCst) {
            true => Err(BackendError::unknown_outcome("lost").into()),
            false => Ok(done),
        }
    }
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_found_done() {
    let store = Arc::new(Slow::default());
    let keys = node(&(store.clone() as Arc<dyn KeyStore>));
    let leaked = signs(&keys.current(start()).await.unwrap());
    store.loses_an_answer.store(true, Ordering::SeqCst);
    let after = keys.replace(&leaked, start()).await.unwrap();
    assert_eq!(published(&after).len(), 1);
    store.loses_an_answer.store(true, Ordering::SeqCst);
    assert_eq!(published(&keys.rotate_now(ED, start()).await.unwrap()).len(), 2);
}

#[tokio::test]
async fn a_look_into_the_store_that_began_before_does_not_bring_a_leaked_key_back() {
    let store = Arc::new(Slow::default());
    let keys = node(&(store.clone() as Arc<dyn KeyStore>));
    let leaked = signs(&keys.current(start()).await.unwrap());
    let later = start() + TimeDelta::seconds(60);
    store.holds.store(true, Ordering::SeqCst);
    let looking = tokio::spawn({
        let keys = keys.clone();
        async move { keys.current(later).await.unwrap() }
    });
    store.held.notified().await;
    let after = signs(&keys.replace(&leaked, later).await.unwrap());
    store.release.notify_one();
    assert_eq!(signs(&looking.await.unwrap()), after);
    assert_eq!(signs(&keys.current_now(later).unwrap()), after);
}

#[tokio::test]
async fn a_change_whose_answer_is_late_does_not_undo_a_newer_one() {
    let later = start() + TimeDelta::seconds(60);
    for on_this_node in [true, false] {
        let store = Arc::new(Slow::default());
        let shared = store.clone() as Arc<dyn KeyStore>;
        let keys = node(&shared);
        let leaked = signs(&keys.current(start()).await.unwrap());
        store.holds_an_answer.store(true, Ordering::SeqCst);
        let rotating = tokio::spawn({
            let keys = keys.clone();
            async move { keys.rotate_now(ED, later).await.unwrap() }
        });
        store.held.notified().await;
        let after = match on_this_node {
            true => keys.replace(&leaked, later).await.unwrap(),
            false => {
                node(&shared).replace(&leaked, later).await.unwrap();
                keys.current(later).await.unwrap()
            }
        };
        store.release.notify_one();
        let late = rotating.await.unwrap();
        assert_ne!(signs(&after), leaked);
        for view in [late, keys.current_now(later).unwrap()] {
            assert_eq!(published(&view), published(&after), "on this node: {on_this_node}");
        }
    }
}

#[tokio::test]
async fn a_key_that_was_replaced_is_not_imported_again() {
    let store = memory();
    let leaked = SigningKey::generate(ED).unwrap();
    let pkcs8 = leaked.to_pkcs8().unwrap();
    let again = |kid: &str| SigningKey::from_pkcs8(ED, pkcs8.reveal()).unwrap().with_kid(kid);
    let keys = node(&store);
    keys.import(leaked.with_kid("2024-a"), start()).await.unwrap();
    keys.replace("2024-a", start()).await.unwrap();
    let same_name = SigningKey::generate(ED).unwrap().with_kid("2024-a");
    // Another node knows it from the store, after a rotation has written the ring again.
    node(&store).current(day(80)).await.unwrap();
    for key in [again("2024-a"), again("2024-b"), same_name] {
        let refused = node(&store).import(key, day(95)).await;
        assert!(matches!(refused, Err(KeyChangeError::Replaced)), "{refused:?}");
    }
    let other = SigningKey::generate(ED).unwrap().with_kid("2024-c");
    assert!(published(&keys.import(other, day(95)).await.unwrap()).contains("2024-c"));
}

#[test]
fn a_ring_remembers_a_bounded_number_of_replaced_keys() {
    let make = |algorithm| Ok::<_, Infallible>(SigningKey::generate(algorithm).unwrap());
    let named = |number: u32| SigningKey::generate(ED).unwrap().with_kid(number.to_string());
    let schedule = KeySchedule::default();
    let mut ring = KeyRing::new();
    for number in 0..80 {
        ring = ring.import(named(number), day(0), &schedule).unwrap().unwrap();
        ring = ring.replace(&number.to_string(), day(0), make).unwrap().unwrap();
    }
    let body: serde_json::Value = serde_json::from_str(ring.encode().unwrap().reveal()).unwrap();
    assert_eq!(body["replaced"].as_array().unwrap().len(), 64);
    assert!(ring.import(named(0), day(0), &schedule).unwrap().is_some(), "the oldest are forgotten first");
    assert!(matches!(ring.import(named(79), day(0), &schedule), Err(KeyChangeError::Replaced)));
}

#[tokio::test]
async fn an_exported_key_signs_elsewhere_as_it_does_here() {
    let keys = node(&memory());
    let view = keys.current(start()).await.unwrap();
    let exported = keys.export(&signs(&view)).await.unwrap();
    let der = exported.to_pkcs8().unwrap();
    let moved = SigningKey::from_pkcs8(ED, der.reveal()).unwrap().with_kid(signs(&view));
    let elsewhere = node(&memory());
    let imported = elsewhere.import(moved, start()).await.unwrap();
    assert_eq!(published(&imported), published(&view));
    assert!(is_believed(&token(&imported), &view));
    assert_eq!(signs(&keys.current(day(1)).await.unwrap()), signs(&view), "nothing changed here");
    let unknown = keys.export("another").await;
    assert!(matches!(unknown, Err(KeyChangeError::Unknown)), "{unknown:?}");
    let vacant = node(&memory()).export(&signs(&view)).await;
    assert!(matches!(vacant, Err(KeyChangeError::Unknown)), "{vacant:?}");
    let brought = Keys::from_signers(vec![exported]).unwrap().export(&signs(&view)).await;
    assert!(matches!(brought, Err(KeyChangeError::NotRotating)), "{brought:?}");
}
