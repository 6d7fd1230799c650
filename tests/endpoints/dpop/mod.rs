//! Proofs of possession at the server's endpoints: RFC 9449.

mod attacks;
mod binding;
mod both;
mod grant_types;
mod nonces;
mod proofs;
mod registration;
