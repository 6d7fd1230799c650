//! Keys in a file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use grantor::jose::Algorithm;
use grantor::keys::{FileKeyStore, KeySchedule, KeyStore, Keys, MemoryKeyStore};
use grantor::store::CommitError;
use grantor::store::contract::Suite;

use super::{ED, start};
use crate::support::key_care::nodes_change_keys_by_hand;

/// A directory that is removed in the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("grantor-keys-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn store(&self) -> FileKeyStore {
        FileKeyStore::new(self.0.join("keys"))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn key_stores_keep_their_contract() {
    let directory = Directory::new();
    Suite::new(directory.store()).tasks(4).rounds(5).check_key_store().await.unwrap();
    let report = Suite::new(MemoryKeyStore::new()).tasks(8).rounds(50).check_key_store().await.unwrap();
    assert!(report.clauses().count() == 2 && report.clauses().all(|(_, checks)| checks > 0), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_agree_on_keys_in_a_file_that_are_changed_by_hand() {
    let directory = Directory::new();
    nodes_change_keys_by_hand(Arc::new(directory.store()), start()).await;
}

#[tokio::test]
async fn a_key_survives_a_restart() {
    let directory = Directory::new();
    let mut kids = Vec::new();
    for _ in 0..2 {
        let keys = Keys::rotating(directory.store(), KeySchedule::default(), ED).unwrap();
        let view = keys.current(start()).await.unwrap();
        kids.push(view.signer(Algorithm::EdDsa).unwrap().key().kid().unwrap().to_owned());
    }
    assert_eq!(kids[0], kids[1]);
}

#[tokio::test]
async fn to_remove_the_file_resets_all_nodes() {
    let directory = Directory::new();
    let nodes = [(); 2].map(|()| Keys::rotating(directory.store(), KeySchedule::default(), ED).unwrap());
    let old = nodes[0].current(start()).await.unwrap().jwks_json().to_owned();
    assert_eq!(nodes[1].current(start()).await.unwrap().jwks_json(), old);
    std::fs::remove_file(directory.0.join("keys")).unwrap();
    let later = start() + chrono::TimeDelta::seconds(60);
    let new = nodes[0].current(later).await.unwrap();
    // The version is 1 again, and yet another ring.
    assert_ne!(new.jwks_json(), old);
    assert_eq!(nodes[1].current(later).await.unwrap().jwks_json(), new.jwks_json());
    let after = later + chrono::TimeDelta::seconds(1);
    assert_eq!(nodes[1].current(after).await.unwrap().jwks_json(), new.jwks_json());
}

#[tokio::test]
async fn a_write_needs_the_version_that_was_read() {
    let directory = Directory::new();
    let store = directory.store();
    assert!(store.load().await.unwrap().is_none());
    assert!(matches!(store.commit(Some(1), "x").await, Err(CommitError::Conflict)));
    assert_eq!(store.commit(None, "one\ntwo").await.unwrap(), 1);
    assert!(matches!(store.commit(None, "x").await, Err(CommitError::Conflict)));
    assert_eq!(store.commit(Some(1), "two").await.unwrap(), 2);
    assert!(matches!(store.commit(Some(1), "x").await, Err(CommitError::Conflict)));
    let record = directory.store().load().await.unwrap().unwrap();
    assert_eq!((record.version(), record.body().reveal()), (2, "two"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writes_at_once_one_wins() {
    let directory = Directory::new();
    for round in 0..20_u64 {
        let expect = (round > 0).then_some(round);
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let store = directory.store();
                tokio::spawn(
                    async move { store.commit(expect, &format!("{round} {n}")).await.ok().map(|_| n) },
                )
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            winners.extend(task.await.unwrap());
        }
        assert_eq!(winners.len(), 1);
        let record = directory.store().load().await.unwrap().unwrap();
        assert_eq!(record.body().reveal(), format!("{round} {}", winners[0]));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = Directory::new();
    // What a crash has left.
    std::fs::write(directory.0.join("keys.new"), "half").unwrap();
    directory.store().commit(None, "secret").await.unwrap();
    for entry in std::fs::read_dir(&directory.0).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_file_that_is_something_else_is_not_overwritten() {
    let directory = Directory::new();
    for text in ["", "hello", "grantor-keys\n{}", "grantor-keys x\n{}"] {
        std::fs::write(directory.0.join("keys"), text).unwrap();
        assert!(directory.store().load().await.unwrap_err().is_permanent(), "{text}");
        let keys = Keys::rotating(directory.store(), KeySchedule::default(), ED).unwrap();
        assert!(keys.current(start()).await.is_err());
        assert_eq!(std::fs::read_to_string(directory.0.join("keys")).unwrap(), text);
    }
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_a_transient_failure() {
    let directory = Directory::new();
    let store = FileKeyStore::new(directory.0.join("missing").join("keys"));
    let failed = store.commit(None, "x").await;
    assert!(matches!(failed, Err(CommitError::Store(error)) if !error.is_permanent()));
}
