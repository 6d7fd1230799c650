//! The lanes in which writes wait, from the crate's own file: the queue finds them here.

#[path = "../../src/store/sql/lane.rs"]
mod lane;

pub use lane::Lane;
