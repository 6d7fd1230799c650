//! [`Lane`]: where a change waits.

/// Whose change it is, where changes wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// The end of a grant: what is revoked should be over soon, whatever else is going on.
    Revocation,
    /// A change that a request waits for.
    Request,
    /// A slice of what has expired; no request waits for it.
    Sweep,
}
