//! `client_secret_jwt`: a JWT with a MAC by a secret that client and server share (OpenID Connect Core
//! sections 9 and 10.1).
//!
//! It is sent like an assertion of `private_key_jwt`, has the same claims, and is also single-use. MACs are
//! verified outside the core, with secrets that the host's [`SealedSecrets`](crate::client::SealedSecrets)
//! opens.

use super::{Carried, Check, Credentials, Method};
use crate::client::AuthMethod;

pub(super) const METHOD: Method = Method {
    name: AuthMethod::ClientSecretJwt,
    credentials: Credentials::SealedSecret,
    carried: Carried::Assertion,
    check: |_, _, _| Check::Signature,
};
