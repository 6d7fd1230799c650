//! The reason for refusing a request with a malformed value.

use super::{Reason, Refusal};
use crate::base::ValueError;

impl From<ValueError> for Reason {
    fn from(error: ValueError) -> Self {
        match error {
            ValueError::Scope => Self::ScopeMalformed,
            ValueError::Resource => Self::TargetMalformed,
            ValueError::CodeVerifier => Self::VerifierMalformed,
            ValueError::CodeChallenge => Self::ChallengeMalformed,
            ValueError::Details => Self::DetailsMalformed,
        }
    }
}

impl From<ValueError> for Refusal {
    fn from(error: ValueError) -> Self {
        Reason::from(error).into()
    }
}
