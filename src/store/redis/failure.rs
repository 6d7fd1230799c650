//! What a failed call means: whether it was done, and whether another try may help.

use redis::{RedisError, ServerError, ServerErrorKind};

use crate::store::BackendError;

/// Why a call has no answer. The texts say nothing of keys or values.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was not done, and may be later.
    NotDone(String),
    /// It was not done, and will not be.
    Refused(String),
    /// It may have been done.
    Lost(String),
    /// It was not done, for the server has not seen the script.
    UnknownScript,
    /// It was not done, for the store is closed.
    Closed,
}

impl Failure {
    pub(super) fn of(error: &RedisError) -> Self {
        // Of a pipeline, the first command is the call; what follows only waits for its replicas.
        match error.clone().into_server_errors() {
            Some(errors) => match errors.iter().find(|(at, _)| *at == 0) {
                Some((_, error)) => Self::answered(error),
                None => Self::Lost("the server could not wait for its replicas".to_owned()),
            },
            None => Self::Lost(error.to_string()),
        }
    }

    /// An answer that is an error. Every script ends with its one write that counts, and a server that
    /// refuses a command has not begun with it, so nothing was done.
    fn answered(error: &ServerError) -> Self {
        match error.kind() {
            Some(ServerErrorKind::NoScript) => Self::UnknownScript,
            Some(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly,
            ) => Self::NotDone(text(error)),
            Some(_) => Self::Refused(text(error)),
            // Out of memory; too few replicas; no room on the disk; a script that runs for too long.
            None if matches!(error.code(), "OOM" | "NOREPLICAS" | "MISCONF" | "BUSY") => {
                Self::NotDone(text(error))
            }
            None => Self::Refused(text(error)),
        }
    }

    /// The store's error for something that was only read: nothing happened, whatever became of it.
    pub(super) fn of_read(self) -> BackendError {
        match self {
            Self::NotDone(text) | Self::Lost(text) => BackendError::transient(text),
            Self::Refused(text) => BackendError::permanent(text),
            Self::UnknownScript => BackendError::transient("the server forgot a script at once"),
            Self::Closed => BackendError::transient("the store is closed"),
        }
    }

    /// The store's error for something that was written; `lost` says that an earlier attempt may have been
    /// done.
    pub(super) fn of_write(self, lost: bool) -> BackendError {
        match self {
            Self::Lost(text) => BackendError::unknown_outcome(text),
            Self::NotDone(text) | Self::Refused(text) if lost => BackendError::unknown_outcome(text),
            Self::Closed if lost => BackendError::unknown_outcome("the store is closed"),
            other => other.of_read(),
        }
    }
}

/// The server's words. To an unknown command it repeats arguments, which must not be shown.
fn text(error: &ServerError) -> String {
    let details = error.details().unwrap_or_default();
    let details = details.split(", with args").next().unwrap_or_default();
    format!("{}: {details}", error.code())
}
