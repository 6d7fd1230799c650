//! The authorization endpoint: RFC 6749 sections 3.1, 4.1 and 4.2.

mod answers;
mod fingerprint;
mod reauthentication;
mod request;
mod strangers;
