//! Who acts in somebody's name, where it is not the one in whose name it is (RFC 8693 section 4.1).

use serde::{Deserialize, Serialize};

use super::subject::{Subject, SubjectType};

/// The party that acts for the subject of a token: the `act` claim. It may act for another actor in turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Actor {
    /// The user or the client that acts.
    pub sub: String,
    /// Which of them: grantor's own, and missing in the tokens of other issuers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<SubjectType>,
    /// For whom it took over: the actor before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

/// The most links of a chain of delegation.
pub(crate) const MAX_ACTORS: usize = 8;

impl Actor {
    /// This party, which takes over from another one.
    pub(crate) fn taking_over(subject: &Subject, from: Option<&Self>) -> Self {
        let sub_type = match subject {
            Subject::User(_) => SubjectType::User,
            Subject::Client(_) => SubjectType::Client,
        };
        Self { sub: subject.id().to_owned(), sub_type: Some(sub_type), act: from.cloned().map(Box::new) }
    }

    /// How many links the chain has.
    pub(crate) fn links(&self) -> usize {
        1 + self.act.as_deref().map_or(0, Self::links)
    }
}
