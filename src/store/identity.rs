//! [`StoreIdentity`]: which grants a store reads and writes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which grants a store reads and writes: equal for two handles of the same grants, and different for two of
/// different ones, such as two spaces of one database.
///
/// ```
/// use grantor::store::StoreIdentity;
///
/// let acme = StoreIdentity::named(["dynamo", "eu-central-1", "grants", "acme"]);
/// assert_eq!(acme, StoreIdentity::named(["dynamo", "eu-central-1", "grants", "acme"]));
/// assert_ne!(acme, StoreIdentity::named(["dynamo", "eu-central-1", "grants", "globex"]));
/// assert_ne!(StoreIdentity::unique(), StoreIdentity::unique());
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct StoreIdentity(Kind);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Kind {
    Unique(u64),
    Named(Arc<[Box<str>]>),
}

impl StoreIdentity {
    /// An identity that no other store of this process has or ever had, for grants in memory: make it once,
    /// with the store, and return clones of it.
    #[must_use]
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(Kind::Unique(NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// By names: the kind of the store first, then where it is, and last the space in it. Never a password.
    #[must_use]
    pub fn named<S: Into<Box<str>>>(names: impl IntoIterator<Item = S>) -> Self {
        Self(Kind::Named(names.into_iter().map(Into::into).collect()))
    }
}

impl fmt::Debug for StoreIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Unique(number) => f.debug_tuple("StoreIdentity").field(number).finish(),
            Kind::Named(names) => f.debug_tuple("StoreIdentity").field(names).finish(),
        }
    }
}
