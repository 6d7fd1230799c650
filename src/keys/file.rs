//! [`FileKeyStore`]: the ring in one file.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::store::{KeyRecord, KeyStore};
use crate::base::private_file::{beside, private, replace, sync_directory};
use crate::base::system::unblock;
use crate::error::{BackendError, CommitError};

/// Keys in one file that only its owner may read (mode 0600 on Unix), replaced atomically: the disk always
/// has the old file or the new one. Several processes on one machine may share it; a lock file beside it,
/// `….lock`, makes the conditional write one step. Reading and writing happen on a thread pool for blocking
/// work.
///
/// **The file holds private keys.** Keep it out of backups that others can read, and off network file systems
/// whose locks or renames are not atomic.
#[derive(Clone, Debug)]
pub struct FileKeyStore {
    path: PathBuf,
}

impl FileKeyStore {
    /// The store at this path. The file is created at the first commit; its directory has to exist.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

#[async_trait]
impl KeyStore for FileKeyStore {
    async fn load(&self) -> Result<Option<KeyRecord>, BackendError> {
        let path = self.path.clone();
        unblock(move || read(&path)).await
    }

    async fn commit(&self, expect: Option<u64>, body: &str) -> Result<u64, CommitError> {
        let (path, body) = (self.path.clone(), body.to_owned());
        unblock(move || commit(&path, expect, &body)).await
    }
}

/// Far more than the largest ring.
const MAX_BYTES: u64 = 1024 * 1024;

const MAGIC: &str = "grantor-keys";

/// The first line is the version, the rest is the body.
fn read(path: &Path) -> Result<Option<KeyRecord>, BackendError> {
    let text = match fs::metadata(path).and_then(|about| match about.len() {
        0..=MAX_BYTES => fs::read_to_string(path),
        _ => Err(io::Error::other("the key file is too long")),
    }) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(BackendError::transient(error)),
    };
    let parts = text.split_once('\n').and_then(|(head, body)| {
        let version = head.strip_prefix(MAGIC)?.strip_prefix(' ')?;
        Some(KeyRecord::new(version.parse().ok()?, body))
    });
    parts.map(Some).ok_or_else(|| BackendError::permanent("the key file does not begin with its version"))
}

fn commit(path: &Path, expect: Option<u64>, body: &str) -> Result<u64, CommitError> {
    let lock = private(OpenOptions::new().create(true).truncate(false).write(true))
        .open(beside(path, ".lock"))
        .map_err(BackendError::transient)?;
    // Held until `lock` is closed at the end of this function, or with the process.
    lock.lock().map_err(BackendError::transient)?;
    let version = read(path)?.map(|record| record.version());
    if version != expect {
        return Err(CommitError::Conflict);
    }
    let next = version.map_or(1, |v| v.saturating_add(1));
    replace(path, format!("{MAGIC} {next}\n{body}").as_bytes()).map_err(BackendError::transient)?;
    // The new file is already visible, but it may not survive a power cut.
    sync_directory(path).map_err(BackendError::unknown_outcome)?;
    Ok(next)
}
