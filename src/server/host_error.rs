//! [`HostError`]: why a call of the host itself failed.

use crate::client::{ClientErrors, RegistryError};
use crate::error::{BackendError, Fault, Reason, Refusal};

/// Why a call of the host failed: to register a client, to list or revoke grants, to sweep. A refused request
/// is a [`Refusal`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// A part of the host failed, such as the store; its error text says how.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A part of the host did not answer in time; the operation may have taken effect.
    #[error("a part of the host did not answer in time; the operation may have taken effect")]
    Deadline,
    /// Concurrent requests kept changing the record. Try again.
    #[error("concurrent requests kept changing the record: try again")]
    Contended,
    /// The metadata of a client are inconsistent.
    #[error(transparent)]
    Client(#[from] ClientErrors),
    /// The registry has a client with this id already.
    #[error("a client with this id already exists")]
    ClientExists,
    /// The client does not authenticate with a secret, or it registered itself: nobody could tell it the new
    /// one. Disable it, if its secret is known to others.
    #[error("the client has no secret that the host may change")]
    NoSecret,
    /// Authorization details that cannot be granted: their type was not requested, or they are not valid for
    /// it.
    #[error("these authorization details cannot be granted: {0}")]
    Details(Reason),
    /// The server was built without a registrar.
    #[error("the server was built without a registrar: call registrar, or backend")]
    NoRegistrar,
}

impl HostError {
    /// The reason to record in the audit.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Backend(error) if error.is_permanent() => Reason::StoreBroken,
            Self::Backend(_) | Self::Deadline => Reason::StoreUnavailable,
            Self::Contended | Self::ClientExists => Reason::Contended,
            Self::Client(_) | Self::NoSecret => Reason::RegistrationInconsistent,
            Self::Details(reason) => *reason,
            Self::NoRegistrar => Reason::NotConfigured,
        }
    }
}

impl From<Fault> for HostError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Backend(error) => Self::Backend(error),
            Fault::Deadline => Self::Deadline,
            Fault::Contended => Self::Contended,
            Fault::Part { .. } | Fault::Remote(_) | Fault::KeySource(_) => {
                Self::Backend(match fault.reason() {
                    Reason::StoreBroken => BackendError::permanent(fault),
                    _ => BackendError::transient(fault),
                })
            }
        }
    }
}

impl From<RegistryError> for HostError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Store(error) => Self::Backend(error),
            RegistryError::Exists => Self::ClientExists,
            RegistryError::Missing | RegistryError::Changed => Self::Contended,
        }
    }
}

impl From<HostError> for Refusal {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Backend(error) => Fault::Backend(error).into(),
            HostError::Deadline => Fault::Deadline.into(),
            HostError::Contended
            | HostError::Client(_)
            | HostError::ClientExists
            | HostError::Details(_)
            | HostError::NoRegistrar
            | HostError::NoSecret => error.reason().into(),
        }
    }
}
