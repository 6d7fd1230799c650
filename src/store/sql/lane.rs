//! [`Lane`]: the priority of a change.

/// The priority of a change, where changes wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// The end of a grant: a revocation should take effect soon, whatever else is waiting.
    Revocation,
    /// A change that a request waits for.
    Request,
    /// The deletion of some expired records; no request waits for it.
    Sweep,
}
