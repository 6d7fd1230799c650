//! [`FileKeys`]: a key set in a file.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::key_source::{KeySource, TrustedKeys};
use crate::base::system::unblock;
use crate::error::BackendError;
use crate::jose::JwkSet;

/// A key set in a file, which is read again when it changes: checked at most once a second, on a thread pool
/// for blocking work. Replace the file atomically, by a rename. While it is missing or not a key set, the
/// response is 503.
#[derive(Debug)]
pub struct FileKeys {
    path: Arc<Path>,
    state: Mutex<Option<State>>,
}

#[derive(Clone, Debug)]
struct State {
    keys: TrustedKeys,
    stamp: Stamp,
    looked: DateTime<Utc>,
}

/// The attributes that change with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

impl FileKeys {
    /// The key set at this path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into().into(), state: Mutex::new(None) }
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl KeySource for FileKeys {
    async fn keys(&self, unknown_kid: bool, now: DateTime<Utc>) -> Result<TrustedKeys, BackendError> {
        let known = self.state().clone();
        if let Some(state) = known.as_ref().filter(|state| state.looked == now) {
            return Ok(state.keys.clone());
        }
        let path = Arc::clone(&self.path);
        let read = unblock(move || {
            // The file is read again for an unknown key, because its stamp does not show a change within one
            // tick of the file system's clock.
            match (stamp(&path)?, known) {
                (stamp, Some(state)) if stamp == state.stamp && !unknown_kid => Ok((state.keys, stamp)),
                (stamp, _) => Ok((read(&path)?, stamp)),
            }
        });
        let (keys, stamp) = read.await.inspect_err(|_| *self.state() = None)?;
        *self.state() = Some(State { keys: keys.clone(), stamp, looked: now });
        Ok(keys)
    }
}

fn stamp(path: &Path) -> Result<Stamp, BackendError> {
    let about = fs::metadata(path).map_err(BackendError::transient)?;
    Ok(Stamp { modified: about.modified().ok(), length: about.len() })
}

fn read(path: &Path) -> Result<TrustedKeys, BackendError> {
    // Reads one byte more than allowed, so that the parser refuses a file that is too large.
    let most = JwkSet::MAX_BYTES as u64 + 1;
    let mut json = Vec::new();
    let read: io::Result<usize> = File::open(path).and_then(|file| file.take(most).read_to_end(&mut json));
    read.map_err(BackendError::transient)?;
    TrustedKeys::parse(&json).map_err(BackendError::transient)
}
