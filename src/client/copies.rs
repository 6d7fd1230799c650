//! [`Edition`]: finds the clients of a [`MemoryRegistry`](super::MemoryRegistry) among the thread's own copies,
//! so that the cores share neither its lock nor what requests count in a client.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Client, ClientId, Identity};
use crate::base::thread_copies::{ThreadCopies, rough_hash};

thread_local! {
    static COPIES: RefCell<ThreadCopies<Kept>> = const { RefCell::new(ThreadCopies::new()) };
}

/// How many registries there have been.
static REGISTRIES: AtomicU64 = AtomicU64::new(0);

/// How often the registries changed. Some share a number, which costs one of them its copies when another one
/// changes. They are not in the registries, because each needs a cache line for itself.
static CHANGES: [Changes; 64] = [const { Changes(AtomicU64::new(0)) }; 64];

/// Read at every request.
#[repr(align(64))]
struct Changes(AtomicU64);

#[derive(Clone)]
struct Kept {
    client: Arc<Client>,
    registry: u64,
    edition: u64,
}

/// Every change of a registry begins a new edition, which ends all copies of the last one.
pub(super) struct Edition {
    registry: u64,
}

impl Default for Edition {
    fn default() -> Self {
        Self { registry: REGISTRIES.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Edition {
    /// The number of the edition. Under the lock of the registry, it is that of what is read there.
    pub(super) fn current(&self) -> u64 {
        self.changes().load(Ordering::Acquire)
    }

    /// Ends the edition, after a change and under its lock.
    pub(super) fn end(&self) {
        self.changes().fetch_add(1, Ordering::Release);
    }

    fn changes(&self) -> &'static AtomicU64 {
        let [first, ..] = &CHANGES;
        &CHANGES.get(self.registry as usize % CHANGES.len()).unwrap_or(first).0
    }

    /// The client with this id: the thread's copy, or what `look_up` finds, with its edition.
    pub(super) fn find(
        &self,
        id: &ClientId,
        look_up: impl Fn() -> Option<(Arc<Client>, u64)>,
    ) -> Option<Arc<Client>> {
        let current = self.current();
        let is_it =
            |kept: &Kept| kept.edition == current && kept.registry == self.registry && kept.client.id() == id;
        let original = || {
            let (client, edition) = look_up()?;
            Some(Kept { client, registry: self.registry, edition })
        };
        let hash = rough_hash(id.as_str()) ^ self.registry;
        let found = COPIES.try_with(|copies| copies.borrow_mut().get(hash, is_it, original, Kept::apart));
        // A thread that ends has no copies any more.
        found.unwrap_or_else(|_| original()).map(|found| found.client)
    }
}

impl Kept {
    fn apart(&self) -> Self {
        Self { client: Arc::new(self.client.apart()), ..*self }
    }
}

impl Client {
    /// A copy that shares nothing whose references a request counts.
    fn apart(&self) -> Self {
        let mut copy = self.clone();
        copy.identity = Identity::new(self.id().apart());
        copy.redirect_uris = self.redirect_uris.iter().map(|uri| uri.apart()).collect();
        copy.metadata.scope = self.scope().map(|scope| scope.apart());
        copy
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::thread;

    use super::*;
    use crate::client::registry::Change;
    use crate::client::{ClientState, MemoryRegistry, Replacement};

    fn client() -> Client {
        Client::builder("app")
            .redirect_uri("https://app.example/cb")
            .scope("read")
            .secret("s")
            .build()
            .unwrap()
    }

    fn address(registry: &MemoryRegistry) -> *const Client {
        Arc::as_ptr(&registry.find(client().id()).unwrap())
    }

    #[test]
    fn each_thread_has_an_equal_copy_of_a_client_that_it_asks_for_again() {
        let registry = MemoryRegistry::new([client()]);
        let original = registry.all().remove(0);
        assert!(Arc::ptr_eq(&registry.find(original.id()).unwrap(), &original));
        let copy = registry.find(original.id()).unwrap();
        assert!(copy == original && !Arc::ptr_eq(&copy, &original));
        assert!(!Arc::ptr_eq(copy.parties(), original.parties()));
        assert_eq!(address(&registry), Arc::as_ptr(&copy));
        let elsewhere = thread::scope(|scope| {
            scope.spawn(|| [address(&registry), address(&registry)].map(|at| at as usize)).join().unwrap()
        });
        assert_eq!(elsewhere[0], Arc::as_ptr(&original) as usize);
        assert!(elsewhere[1] != elsewhere[0] && elsewhere[1] != Arc::as_ptr(&copy) as usize);
    }

    #[test]
    fn a_change_ends_every_copy_of_its_registry() {
        let registries = [MemoryRegistry::new([client()]), MemoryRegistry::new([client()])];
        let [changed, other] =
            registries.each_ref().map(|registry| [address(registry), address(registry)][1]);
        let disabled = client().in_state(ClientState::Disabled);
        let current = registries[0].find(client().id()).unwrap();
        registries[0].change(Change::Replace(Replacement::of(&current, disabled))).unwrap();
        assert_ne!(address(&registries[0]), changed);
        assert_eq!(registries[0].find(client().id()).unwrap().state(), ClientState::Disabled);
        assert_eq!(address(&registries[1]), other);
        registries[0].change(Change::Remove(client().id().clone())).unwrap();
        assert!(registries[0].find(client().id()).is_none());
    }
}
