//! The guard in front of an API.

mod attacks;
mod causes;
mod challenges;
mod discovery;
mod introspection;
mod keys;
mod leniency;
mod metadata;
mod origins;
mod proofs;
mod remembered;
mod signed_introspection;
mod step_up;
