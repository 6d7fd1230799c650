//! Descriptions of scopes for people.

use std::collections::BTreeMap;

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
}

impl Scopes {
    pub(crate) fn new(names: Vec<String>, text: BTreeMap<String, String>) -> Self {
        Self { names, text }
    }

    /// A line for each token of a scope.
    pub(crate) fn lines<'a>(&self, scope: impl Iterator<Item = &'a str>) -> Vec<ScopeLine> {
        scope.map(|name| ScopeLine { name: name.to_owned(), text: self.text(name) }).collect()
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
