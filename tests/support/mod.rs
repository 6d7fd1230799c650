//! What the tests share: a server with a clock that stands still, its users and clients, and the requests to
//! it.

pub mod answer;
pub mod asserting;
pub mod banking;
pub mod bodies;
pub mod browser;
pub mod certificates;
pub mod clients;
pub mod device;
pub mod extending;
pub mod faulty;
pub mod fixture;
pub mod flows;
pub mod folder;
pub mod guarded;
pub mod http;
pub mod hybrid;
pub mod key_care;
pub mod log;
pub mod objects;
pub mod programs;
pub mod provider;
pub mod proving;
pub mod pushing;
pub mod racing;
pub mod registering;
pub mod remote;
pub mod requests;
pub mod scripted;
pub mod sealing;
pub mod signing_out;
pub mod site;
pub mod system;
pub mod users;
pub mod vouching;

pub use answer::Answer;
pub use clients::{CALLBACK, SECRET, clients, phc};
pub use fixture::{Fixture, ISSUER};
pub use log::Log;
pub use requests::{CHALLENGE, VERIFIER, basic, code_query, encode, redemption, request};
pub use system::{CountingEntropy, TestClock};
pub use users::Users;
