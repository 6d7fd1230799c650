//! [`Identity`]: a client's id, in the forms in which requests and grants need it.

use std::sync::Arc;

use crate::base::{ClientId, Parties};

/// The id is also in what the grants share. But every request reads the id, and every own grant counts the
/// references of that: in one place, the cores would wait for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(super) id: ClientId,
    /// The grants that it has for itself share this.
    pub(super) own: Arc<Parties>,
}

impl Identity {
    pub(crate) fn new(id: ClientId) -> Self {
        let own = Parties::own(id);
        Self { id: own.client.clone(), own: Arc::new(own) }
    }
}
