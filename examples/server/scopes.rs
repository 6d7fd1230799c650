//! Descriptions of scopes for people.

use std::collections::BTreeMap;

use grantor::Scope;
use serde::Serialize;

/// The scopes that the server knows, and their descriptions.
pub(crate) struct Scopes {
    pub(crate) names: Vec<String>,
    text: BTreeMap<String, String>,
}

/// One scope on a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ScopeLine {
    name: String,
    text: String,
    /// Whether the application asks for more than it has, and this is part of the rest.
    is_new: bool,
}

impl ScopeLine {
    /// Compares it with what the user granted before. If that is nothing, no line stands out.
    pub(crate) fn compare(&mut self, before: &Scope) {
        self.is_new = !before.is_empty() && !before.contains(&self.name);
    }
}

impl Scopes {
    pub(crate) fn new(names: Vec<String>, text: BTreeMap<String, String>) -> Self {
        Self { names, text }
    }

    /// A line for each token of a scope.
    pub(crate) fn lines<'a>(&self, scope: impl Iterator<Item = &'a str>) -> Vec<ScopeLine> {
        let line = |name: &str| ScopeLine { name: name.to_owned(), text: self.text(name), is_new: false };
        scope.map(line).collect()
    }

    fn text(&self, name: &str) -> String {
        match (self.text.get(name), name) {
            (Some(text), _) => text.clone(),
            (None, "read") => "See your data".to_owned(),
            (None, "write") => "Change your data".to_owned(),
            (None, "profile") => "See your name and profile".to_owned(),
            (None, "email") => "See your e-mail address".to_owned(),
            (None, "offline_access") => "Keep access while you are away".to_owned(),
            (None, "admin") => "Manage everything in your account".to_owned(),
            (None, other) => format!("Use “{other}”"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_granted_before_is_new_and_on_a_first_page_nothing_is() {
        let is_new = |before: &str| {
            let mut line = Scopes::new(Vec::new(), BTreeMap::new()).lines(["write"].into_iter()).remove(0);
            line.compare(&Scope::parse(before).unwrap());
            line.is_new
        };
        assert_eq!(["", "read", "read write"].map(is_new), [false, true, false]);
    }
}
