//! [`Edition`]: finds the clients of a [`MemoryRegistry`](super::MemoryRegistry) among the thread's own copies,
//! so that the cores share neither its lock nor what requests count in a client.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Client, ClientId, Identity};
use crate::base::thread_copies::{Slot, ThreadCopies, rough_hash};

thread_local! {
    static COPIES: RefCell<ThreadCopies<Kept>> = const { RefCell::new(ThreadCopies::new()) };
}

/// How many registries there have been.
static REGISTRIES: AtomicU64 = AtomicU64::new(0);

/// How often the registries changed. Each number needs a cache line for itself, which would be too much for a
/// registry with one client, so some registries share one.
static CHANGES: [Changes; 64] = [const { Changes(AtomicU64::new(0)) }; 64];

/// Read at every request.
#[repr(align(64))]
struct Changes(AtomicU64);

struct Kept {
    copy: Arc<Client>,
    /// What it is a copy of, as long as the registry has that.
    original: Arc<Client>,
    registry: u64,
    edition: u64,
}

/// Every change of a registry begins a new edition, in which each copy is compared with the registry once.
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
        let found = COPIES.try_with(|copies| {
            let hash = rough_hash(id.as_str()) ^ self.registry;
            self.find_at(copies.borrow_mut().slot(hash), hash, id, &look_up)
        });
        // A thread that ends has no copies any more.
        found.unwrap_or_else(|_| look_up().map(|(client, _)| client))
    }

    fn find_at(
        &self,
        slot: &mut Slot<Kept>,
        hash: u64,
        id: &ClientId,
        look_up: impl FnOnce() -> Option<(Arc<Client>, u64)>,
    ) -> Option<Arc<Client>> {
        let current = self.current();
        let is_of = |kept: &&mut Kept| kept.registry == self.registry && kept.copy.id() == id;
        let kept = slot.copy.as_mut().filter(is_of);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.edition == current) {
            return Some(Arc::clone(&kept.copy));
        }
        let found = look_up();
        match (kept, &found) {
            // Another client of the registry changed.
            (Some(kept), Some((found, edition))) if Arc::ptr_eq(found, &kept.original) => {
                kept.edition = *edition;
                return Some(Arc::clone(&kept.copy));
            }
            (Some(_), _) => slot.forget(),
            (None, _) => {}
        }
        let (original, edition) = found?;
        if !slot.wants(hash) {
            return Some(original);
        }
        let copy = Arc::new(original.apart());
        slot.copy = Some(Kept { copy: Arc::clone(&copy), original, registry: self.registry, edition });
        Some(copy)
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
    use std::sync::Barrier;
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
    fn a_change_ends_the_copies_of_its_client_in_every_thread() {
        let other = Client::builder("other").redirect_uri("https://other.example/cb").secret("s").build();
        let registry = MemoryRegistry::new([client(), other.unwrap()]);
        let turn = Barrier::new(2);
        thread::scope(|scope| {
            let elsewhere = scope.spawn(|| {
                let copy = [address(&registry), address(&registry)][1];
                turn.wait();
                turn.wait();
                let after_another = address(&registry) == copy;
                turn.wait();
                turn.wait();
                let changed = registry.find(client().id()).map(|client| client.state());
                turn.wait();
                turn.wait();
                (after_another, changed, registry.find(client().id()).is_none())
            });
            turn.wait();
            registry.change(Change::Remove(ClientId::new("other"))).unwrap();
            turn.wait();
            turn.wait();
            let current = registry.find(client().id()).unwrap();
            let disabled = Replacement::of(&current, client().in_state(ClientState::Disabled));
            registry.change(Change::Replace(disabled)).unwrap();
            turn.wait();
            turn.wait();
            registry.change(Change::Remove(client().id().clone())).unwrap();
            turn.wait();
            assert_eq!(elsewhere.join().unwrap(), (true, Some(ClientState::Disabled), true));
        });
    }

    #[test]
    fn a_copy_is_of_one_registry() {
        for state in [ClientState::Active, ClientState::Disabled, ClientState::Active] {
            let registry = MemoryRegistry::new([client().in_state(state)]);
            let found = [(); 3].map(|()| registry.find(client().id()).unwrap().state());
            assert_eq!(found, [state; 3]);
        }
    }
}
