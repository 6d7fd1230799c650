//! What a failed call means: whether it took effect, and whether a retry may help.

use redis::{RedisError, ServerError, ServerErrorKind};

use crate::store::BackendError;

/// Why a call failed. The texts contain no keys or values.
#[derive(Debug)]
pub(super) enum Failure {
    /// It did not take effect, and a retry may help.
    NotDone(String),
    /// It did not take effect, and no retry will help.
    Refused(String),
    /// It may have taken effect.
    Lost(String),
    /// It did not take effect, because the server does not know the script yet.
    UnknownScript,
    /// It did not take effect, because the store is closed.
    Closed,
}

impl Failure {
    pub(super) fn of(error: &RedisError) -> Self {
        // The first command of a pipeline is the call; the next one only waits for the replicas.
        match error.clone().into_server_errors() {
            Some(errors) => match errors.iter().find(|(at, _)| *at == 0) {
                Some((_, error)) => Self::answered(error),
                None => Self::Lost("the server could not wait for its replicas".to_owned()),
            },
            None => Self::Lost(error.to_string()),
        }
    }

    /// An error reply. The decisive write is the last command of every script, and a refused command has not
    /// begun, so nothing took effect.
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

    /// The error of a read, which changed nothing in any case.
    pub(super) fn of_read(self) -> BackendError {
        match self {
            Self::NotDone(text) | Self::Lost(text) => BackendError::transient(text),
            Self::Refused(text) => BackendError::permanent(text),
            Self::UnknownScript => BackendError::transient("the server forgot a script at once"),
            Self::Closed => BackendError::transient("the store is closed"),
        }
    }

    /// The error of a write; `lost` says that an earlier attempt may have taken effect.
    pub(super) fn of_write(self, lost: bool) -> BackendError {
        match self {
            Self::Lost(text) => BackendError::unknown_outcome(text),
            Self::NotDone(text) | Self::Refused(text) if lost => BackendError::unknown_outcome(text),
            Self::Closed if lost => BackendError::unknown_outcome("the store is closed"),
            other => other.of_read(),
        }
    }
}

/// The error text of the server, without arguments, which must not be shown: it repeats them for an unknown
/// command.
fn text(error: &ServerError) -> String {
    let details = error.details().unwrap_or_default();
    let details = details.split(", with args").next().unwrap_or_default();
    format!("{}: {details}", error.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_may_have_happened_before_stays_uncertain_whatever_comes_after() {
        let text = || "no".to_owned();
        for (failure, is_permanent) in [
            (Failure::NotDone as fn(String) -> Failure, false),
            (Failure::Refused, true),
            ((|_| Failure::Closed) as fn(String) -> Failure, false),
        ] {
            assert!(failure(text()).of_write(true).is_unknown_outcome());
            let error = failure(text()).of_write(false);
            assert!(error.is_permanent() == is_permanent && !error.is_unknown_outcome(), "{error:?}");
        }
        for lost in [false, true] {
            assert!(Failure::Lost(text()).of_write(lost).is_unknown_outcome());
        }
        assert!(!Failure::Lost(text()).of_read().is_unknown_outcome(), "a read changes nothing");
    }
}
