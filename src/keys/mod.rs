//! Signing keys that rotate without a restart (feature `jwt`).
//!
//! ```text
//! Announced ── 14 days ──▶ Signing ── 90 days ──▶ Published ── 14 days ──▶ gone
//! in the key set,          exactly one             no longer signs; its last
//! does not sign yet        of each algorithm       tokens can still be verified
//! ```
//!
//! [`KeyRing`] is that life as a pure function of time. [`KeyStore`] keeps the ring in one versioned cell,
//! and its conditional write makes several nodes agree. [`Keys`] drives both and returns a [`KeyView`]: which
//! key signs now, and which are published. A successor is always announced for the full `announce` before it
//! signs, counted from the time of its write. So a verifier whose key set is not older than that knows every
//! key that signs, no matter how late a server ran.

mod care;
mod change;
mod codec;
mod driver;
mod export;
mod file;
mod ring;
mod schedule;
mod store;
mod token_signer;
mod view;

pub use care::KeyChangeError;
pub use codec::KeyRingDecodeError;
pub use driver::Keys;
pub use file::FileKeyStore;
pub use ring::{KeyRing, KeyStage, KeyState};
pub use schedule::{KeySchedule, KeyScheduleError};
pub use store::{KeyRecord, KeyStore, MemoryKeyStore};
pub use token_signer::JwtSigner;
pub use view::{KeyView, KeysError};
