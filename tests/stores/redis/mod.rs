//! `RedisStore` on a private server and on a private cluster of three masters and three replicas.

mod at_rest;
mod contract;
mod failover;
mod many;
mod opening;
mod outcomes;
mod spaces;
mod sweeps;
mod tls;
