//! [`FreshSecrets`]: randomness that was drawn before a decision. It is moved in by value, so nothing is
//! spent twice.

use super::handle::GrantId;
use super::secret::{Digest, SECRET_BYTES, Secret};
use super::system::Entropy;

/// The randomness of one decision: a grant's id, and a secret for each of two tokens.
///
/// ```compile_fail,E0382
/// # use grantor::base::FreshSecrets;
/// # fn decide(_: FreshSecrets) {}
/// let fresh = FreshSecrets::fixed("1");
/// decide(fresh);
/// decide(fresh);
/// ```
#[derive(Debug)]
pub struct FreshSecrets {
    pub(crate) grant: GrantId,
    pub(crate) first: Secret,
    pub(crate) second: Secret,
}

impl FreshSecrets {
    /// Draws all of it at once.
    #[must_use]
    pub fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; GrantId::BYTES + 2 * SECRET_BYTES];
        entropy.fill(&mut bytes);
        let (mut grant, mut first, mut second) = ([0; GrantId::BYTES], [0; SECRET_BYTES], [0; SECRET_BYTES]);
        grant.copy_from_slice(&bytes[..16]);
        first.copy_from_slice(&bytes[16..48]);
        second.copy_from_slice(&bytes[48..]);
        Self { grant: GrantId::new(grant), first: Secret::new(first), second: Secret::new(second) }
    }

    /// Replaces the drawn id, for a grant that already has one.
    pub(crate) fn of_grant(self, grant: GrantId) -> Self {
        Self { grant, ..self }
    }

    /// The same secrets every time, for tests and replays. Never for a running server.
    #[must_use]
    pub fn fixed(seed: &str) -> Self {
        struct Fixed<'a>(&'a str);
        impl Entropy for Fixed<'_> {
            fn fill(&self, bytes: &mut [u8]) {
                for (n, chunk) in bytes.chunks_mut(32).enumerate() {
                    let digest = Digest::of("grantor:fixed", format!("{n}:{}", self.0).as_bytes());
                    chunk.copy_from_slice(&digest.expose()[..chunk.len()]);
                }
            }
        }
        Self::draw(&Fixed(seed))
    }
}
