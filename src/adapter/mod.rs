//! Adapters: two conversions and a router each. Nothing is decided here.

#[cfg(feature = "axum")]
pub mod axum;
