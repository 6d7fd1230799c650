//! The actor of a token, if it is not its subject (RFC 8693 section 4.1).

use serde::{Deserialize, Serialize};

use super::subject::{Subject, SubjectType};

/// The party that acts for the subject of a token: the `act` claim. It may act for another actor in turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Actor {
    /// The user or the client that acts.
    pub sub: String,
    /// User or client: grantor's own member, missing in the tokens of other issuers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<SubjectType>,
    /// The previous actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

/// The longest delegation chain.
pub(crate) const MAX_ACTORS: usize = 8;

impl Actor {
    /// This party, acting for a previous actor.
    pub(crate) fn taking_over(subject: &Subject, from: Option<&Self>) -> Self {
        let sub_type = match subject {
            Subject::User(_) => SubjectType::User,
            Subject::Client(_) => SubjectType::Client,
        };
        Self { sub: subject.id().to_owned(), sub_type: Some(sub_type), act: from.cloned().map(Box::new) }
    }

    /// The length of the chain.
    pub(crate) fn links(&self) -> usize {
        1 + self.act.as_deref().map_or(0, Self::links)
    }
}
