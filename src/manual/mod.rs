//! The manual: prose that is compiled with the crate.

#[doc = include_str!("defaults.md")]
pub mod defaults {}

#[doc = include_str!("storage.md")]
pub mod storage {}

#[doc = include_str!("storage_redis.md")]
pub mod storage_redis {}

#[cfg(feature = "axum")]
#[doc = include_str!("pages.md")]
pub mod pages {}

#[cfg(feature = "axum")]
#[doc = include_str!("devices.md")]
pub mod devices {}

#[cfg(all(feature = "axum", feature = "jwt"))]
#[doc = include_str!("recipes.md")]
pub mod recipes {}

#[doc = include_str!("words.md")]
pub mod words {}

#[cfg(all(feature = "axum", feature = "jwt"))]
#[doc = include_str!("production.md")]
pub mod production {}

#[cfg(all(feature = "metrics", feature = "tracing"))]
#[doc = include_str!("observability.md")]
pub mod observability {}

#[doc = include_str!("figures.md")]
pub mod figures {}

#[doc = include_str!("wasm.md")]
pub mod wasm {}

#[doc = include_str!("spa.md")]
pub mod spa {}

#[cfg(feature = "axum")]
#[doc = include_str!("upstream.md")]
pub mod upstream {}

#[doc = include_str!("threats.md")]
pub mod threats {}

#[doc = include_str!("logout.md")]
pub mod logout {}

#[doc = include_str!("migration.md")]
pub mod migration {}

#[doc = include_str!("misuse.md")]
pub mod misuse {}

#[cfg(feature = "openid")]
#[doc = include_str!("openid.md")]
pub mod openid {}

#[doc = include_str!("protecting.md")]
pub mod protecting {}

#[doc = include_str!("sender_constrained.md")]
pub mod sender_constrained {}

#[doc = include_str!("fapi.md")]
pub mod fapi {}

#[cfg(all(feature = "testing", feature = "openid"))]
#[doc = include_str!("testing.md")]
pub mod testing {}
