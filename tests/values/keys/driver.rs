//! The ring, its store and several nodes.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use grantor::error::Fault;
use grantor::jose::{self, Algorithm, JwkSet, Jws};
use grantor::keys::{KeyRecord, KeySchedule, KeyStore, KeyView, Keys, KeysError, MemoryKeyStore};
use grantor::store::CommitError;
use grantor::{BackendError, async_trait};

use super::{ED, day, days, start};

fn node(store: impl KeyStore + 'static) -> Keys {
    Keys::rotating(store, KeySchedule::default(), ED).unwrap()
}

fn kid(view: &KeyView) -> String {
    view.signer(Algorithm::EdDsa).unwrap().key().kid().unwrap().to_owned()
}

/// A store that counts, and fails or lies when it is told to.
#[derive(Default)]
struct Faulty {
    inner: MemoryKeyStore,
    loads: AtomicU32,
    commits: AtomicU32,
    down: AtomicBool,
    read_only: AtomicBool,
    hangs: AtomicBool,
    /// The next commit is done, and not confirmed.
    loses_an_answer: AtomicBool,
    /// Somebody else's ring, written just before the next commit.
    rival: Mutex<Option<String>>,
}

#[async_trait]
impl KeyStore for Faulty {
    async fn load(&self) -> Result<Option<KeyRecord>, BackendError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.down.load(Ordering::SeqCst) {
            return Err(BackendError::transient("down"));
        }
        tokio::task::yield_now().await;
        self.inner.load().await
    }

    async fn commit(&self, expect: Option<u64>, body: &str) -> Result<u64, CommitError> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        if self.read_only.load(Ordering::SeqCst) {
            return Err(BackendError::transient("read only").into());
        }
        let rival = self.rival.lock().unwrap().take();
        if let Some(rival) = rival {
            self.inner.commit(expect, &rival).await.unwrap();
        }
        let done = self.inner.commit(expect, body).await?;
        if self.loses_an_answer.swap(false, Ordering::SeqCst) {
            return Err(BackendError::unknown_outcome("lost").into());
        }
        Ok(done)
    }
}

#[tokio::test]
async fn two_years_of_rotation_surprise_no_daily_verifier() {
    let (store, mut signed_by) = (Arc::new(MemoryKeyStore::new()), std::collections::HashSet::new());
    let nodes = [node(Arc::clone(&store)), node(store)];
    let mut cached = JwkSet::default();
    for hour in 0..(2 * 365 * 24) {
        let now = start() + TimeDelta::hours(hour);
        // The nodes take turns, so each is idle half of the time; the verifier asks the one that is not
        // signing.
        let (signs, serves) = (&nodes[(hour % 2) as usize], &nodes[((hour + 1) % 2) as usize]);
        if hour % 24 == 0 {
            let view = serves.current(now).await.unwrap();
            cached = JwkSet::parse(view.jwks_json()).unwrap();
        }
        let view = signs.current(now).await.unwrap();
        signed_by.insert(kid(&view));
        if hour % 6 == 0 {
            let signer = view.signer(Algorithm::EdDsa).unwrap();
            let token = jose::encode_now("at+jwt", &serde_json::json!({}), signer).unwrap().unwrap();
            Jws::parse(&token).unwrap().verify(&cached.verifying_keys()).unwrap();
        }
    }
    assert_eq!(signed_by.len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_agree() {
    for _ in 0..20 {
        let store = Arc::new(Faulty::default());
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let keys = node(Arc::clone(&store));
                tokio::spawn(async move { kid(&keys.current(start()).await.unwrap()) })
            })
            .collect();
        let mut kids = Vec::new();
        for task in tasks {
            kids.push(task.await.unwrap());
        }
        kids.dedup();
        assert_eq!(kids.len(), 1, "{kids:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_rotate_at_once_agree() {
    let store = Arc::new(Faulty::default());
    let nodes: Vec<_> = (0..4).map(|_| node(Arc::clone(&store))).collect();
    for keys in &nodes {
        keys.current(start()).await.unwrap();
    }
    let tasks: Vec<_> = nodes
        .iter()
        .map(|keys| {
            let keys = keys.clone();
            tokio::spawn(async move { keys.current(day(80)).await.unwrap().jwks_json().to_owned() })
        })
        .collect();
    let mut sets = Vec::new();
    for task in tasks {
        sets.push(task.await.unwrap());
    }
    sets.dedup();
    assert_eq!(sets.len(), 1);
    assert_eq!(JwkSet::parse(&sets[0]).unwrap().keys().len(), 2);
}

#[tokio::test]
async fn who_loses_the_race_takes_the_winners_keys() {
    let (other, store) = (Arc::new(MemoryKeyStore::new()), Arc::new(Faulty::default()));
    let expected = kid(&node(Arc::clone(&other)).current(start()).await.unwrap());
    let body = other.load().await.unwrap().unwrap().body().reveal().to_owned();
    *store.rival.lock().unwrap() = Some(body);
    assert_eq!(kid(&node(Arc::clone(&store)).current(start()).await.unwrap()), expected);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_found_again() {
    let store = Arc::new(Faulty::default());
    store.loses_an_answer.store(true, Ordering::SeqCst);
    let view = node(Arc::clone(&store)).current(start()).await.unwrap();
    assert_eq!(store.commits.load(Ordering::SeqCst), 1);
    let other = node(Arc::clone(&store)).current(start()).await.unwrap();
    assert_eq!(kid(&view), kid(&other));
}

#[tokio::test]
async fn the_store_is_asked_once_a_minute() {
    let store = Arc::new(Faulty::default());
    let keys = node(Arc::clone(&store));
    let loads = || store.loads.load(Ordering::SeqCst);
    keys.current(start()).await.unwrap();
    assert_eq!(loads(), 1);
    for second in [0, 1, 59, 3, 30] {
        assert!(keys.current_now(start() + TimeDelta::seconds(second)).is_some());
        keys.current(start() + TimeDelta::seconds(second)).await.unwrap();
    }
    assert_eq!(loads(), 1);
    let first = keys.current(start()).await.unwrap();
    let later = keys.current(start() + TimeDelta::seconds(60)).await.unwrap();
    assert_eq!(loads(), 2);
    // The same ring: its key was not parsed again.
    let signer = |view: &KeyView| Arc::as_ptr(view.signer(Algorithm::EdDsa).unwrap()).cast::<()>();
    assert_eq!(signer(&first), signer(&later));
}

#[tokio::test]
async fn a_key_begins_to_sign_on_time_within_the_minute() {
    let store = Arc::new(Faulty::default());
    let keys = node(Arc::clone(&store));
    for at in [start(), day(76)] {
        keys.current(at).await.unwrap();
    }
    let before = kid(&keys.current(day(90) - TimeDelta::seconds(10)).await.unwrap());
    let after = kid(&keys.current(day(90)).await.unwrap());
    assert_ne!(before, after);
}

#[tokio::test]
async fn a_store_that_is_down_does_no_harm_to_keys_that_were_read() {
    let store = Arc::new(Faulty::default());
    let keys = node(Arc::clone(&store));
    let (first, announced) = (keys.current(start()).await.unwrap(), keys.current(day(76)).await.unwrap());
    store.down.store(true, Ordering::SeqCst);
    assert_eq!(kid(&keys.current(day(81)).await.unwrap()), kid(&first));
    // The next key takes over on time, and signs on for as long as the store is away.
    let second = kid(&keys.current(day(90)).await.unwrap());
    assert_ne!(second, kid(&first));
    assert!(announced.jwks_json().contains(&second));
    assert_eq!(kid(&keys.current(day(300)).await.unwrap()), second);
    let loads = store.loads.load(Ordering::SeqCst);
    keys.current(day(300) + TimeDelta::seconds(4)).await.unwrap();
    assert_eq!(store.loads.load(Ordering::SeqCst), loads, "a store that is down is left alone");
    store.down.store(false, Ordering::SeqCst);
    let back = keys.current(day(300) + TimeDelta::seconds(5)).await.unwrap();
    assert_eq!((kid(&back), back.jwks().keys().len()), (second, 2));
}

#[tokio::test]
async fn a_store_that_cannot_be_written_serves_a_node_that_starts() {
    let store = Arc::new(Faulty::default());
    let first = kid(&node(Arc::clone(&store)).current(start()).await.unwrap());
    store.read_only.store(true, Ordering::SeqCst);
    let late = node(Arc::clone(&store));
    assert_eq!(kid(&late.current(day(80)).await.unwrap()), first);
    assert!(late.current_now(day(80) + TimeDelta::seconds(5)).is_none());
    store.read_only.store(false, Ordering::SeqCst);
    let view = late.current(day(80) + TimeDelta::seconds(5)).await.unwrap();
    assert_eq!((kid(&view), view.jwks().keys().len()), (first, 2));
}

#[tokio::test]
async fn a_store_that_hangs_is_one_that_is_down() {
    let store = Arc::new(Faulty::default());
    let keys = node(Arc::clone(&store));
    let first = kid(&keys.current(start()).await.unwrap());
    store.hangs.store(true, Ordering::SeqCst);
    // No one waits behind the one who asks.
    let asking = keys.current(day(1));
    let others = async {
        let view = keys.current(day(1)).await.unwrap();
        (kid(&view), std::time::Instant::now())
    };
    let (asked, (other, answered)) =
        tokio::join!(async { (asking.await, std::time::Instant::now()) }, others);
    assert_eq!(kid(&asked.0.unwrap()), first);
    assert_eq!(other, first);
    assert!(answered < asked.1);
}

#[tokio::test]
async fn without_any_key_a_failing_store_is_a_fault() {
    let store = Arc::new(Faulty::default());
    store.down.store(true, Ordering::SeqCst);
    let keys = node(Arc::clone(&store));
    assert!(keys.current_now(start()).is_none());
    assert!(matches!(keys.current(start()).await, Err(Fault::Backend(error)) if !error.is_permanent()));
    store.down.store(false, Ordering::SeqCst);
    assert!(keys.current(start()).await.is_ok());
}

#[tokio::test]
async fn a_ring_of_the_future_is_a_permanent_fault_and_is_not_overwritten() {
    let store = Arc::new(MemoryKeyStore::new());
    store.commit(None, r#"{"v":2}"#).await.unwrap();
    let fault = node(Arc::clone(&store)).current(start()).await.unwrap_err();
    assert!(matches!(fault, Fault::Backend(error) if error.is_permanent()));
    assert_eq!(store.load().await.unwrap().unwrap().body().reveal(), r#"{"v":2}"#);
}

#[tokio::test]
async fn a_call_that_is_dropped_blocks_nobody() {
    for polls in 0..6 {
        let keys = node(Arc::new(Faulty::default()));
        keys.current(start()).await.unwrap();
        let mut call = Box::pin(keys.current(day(80)));
        for _ in 0..polls {
            if poll_once(&mut call).await {
                break;
            }
        }
        drop(call);
        let view = keys.current(day(80)).await.unwrap();
        assert_eq!(view.jwks().keys().len(), 2, "dropped after {polls} polls");
    }
}

/// Polls once; whether it is ready.
async fn poll_once<F: Future + Unpin>(call: &mut F) -> bool {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *call).poll(context).is_ready())
    })
    .await
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let schedule = KeySchedule::default();
    assert_eq!(Keys::rotating(MemoryKeyStore::new(), schedule, &[]).unwrap_err(), KeysError::Empty);
    let mut wrong = schedule;
    wrong.announce = days(91);
    assert!(matches!(Keys::rotating(MemoryKeyStore::new(), wrong, ED), Err(KeysError::Schedule(_))));
}

#[tokio::test]
async fn nothing_private_is_shown() {
    let store = Arc::new(MemoryKeyStore::new());
    let keys = node(Arc::clone(&store));
    let view = keys.current(start()).await.unwrap();
    let record = store.load().await.unwrap().unwrap();
    let body: serde_json::Value = serde_json::from_str(record.body().reveal()).unwrap();
    let pkcs8 = body["keys"][0]["pkcs8"].as_str().unwrap();
    let shown = format!("{store:?} {keys:?} {view:?} {record:?} {:?} {}", view.states(), view.jwks_json());
    assert!(!shown.contains(pkcs8) && !shown.contains("pkcs8"));
    let _: DateTime<Utc> = view.states()[0].signs;
}
