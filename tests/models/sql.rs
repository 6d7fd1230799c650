//! The priorities of writes, from the crate's own file, at the path where its queue imports them.

#[path = "../../src/store/sql/lane.rs"]
mod lane;

pub use lane::Lane;
