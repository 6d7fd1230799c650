//! [`StoreIdentity`]: which grants a store reads and writes.

use std::fmt;
use std::ptr;
use std::sync::Arc;

/// Which grants a store reads and writes: equal for two handles of the same grants, and different for two of
/// different ones, such as two spaces of one database.
///
/// ```
/// use grantor::store::StoreIdentity;
///
/// let acme = StoreIdentity::named(["dynamo", "eu-central-1", "grants", "acme"]);
/// assert_eq!(acme, StoreIdentity::named(["dynamo", "eu-central-1", "grants", "acme"]));
/// assert_ne!(acme, StoreIdentity::named(["dynamo", "eu-central-1", "grants", "globex"]));
///
/// let (one, other) = (vec![0; 16], vec![0; 16]);
/// assert_ne!(StoreIdentity::at(&one[..]), StoreIdentity::at(&other[..]));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct StoreIdentity(Kind);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Kind {
    At(usize),
    Named(Arc<[Box<str>]>),
}

impl StoreIdentity {
    /// By the address of something that the store owns and that has a size, for grants in memory. It means
    /// nothing after the store is gone, because another one can get its memory.
    #[must_use]
    pub fn at<T: ?Sized>(owned: &T) -> Self {
        Self(Kind::At(ptr::from_ref(owned).addr()))
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
            Kind::At(address) => f.debug_tuple("StoreIdentity").field(address).finish(),
            Kind::Named(names) => f.debug_tuple("StoreIdentity").field(names).finish(),
        }
    }
}
