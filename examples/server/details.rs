//! `[[authorization_details]]`: what applications may request in addition to scopes (RFC 9396), and how pages
//! describe it.

use std::collections::{BTreeMap, HashSet};

use grantor::AuthorizationDetails;
use grantor::{AuthorizationDetail, DetailType};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml::Table;

use crate::config::Config;
use crate::toml_reader::Reader;

/// One type: the members that its details must and may have, besides `type` and `locations`.
#[derive(Clone)]
pub(crate) struct DetailEntry {
    pub(crate) name: String,
    text: String,
    required: BTreeMap<String, Kind>,
    optional: BTreeMap<String, Kind>,
}

/// The type of a member.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Text,
    Number,
    Boolean,
    /// A list of strings.
    List,
}

impl Kind {
    fn is(self, value: &Value) -> bool {
        match self {
            Self::Text => value.as_str().is_some_and(|text| !text.is_empty()),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::List => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        }
    }
}

impl DetailType for DetailEntry {
    fn accepts(&self, detail: &AuthorizationDetail) -> bool {
        let mut others = detail.members().iter().filter(|(name, _)| *name != "type" && *name != "locations");
        let has_all =
            self.required.iter().all(|(name, kind)| detail.get(name).is_some_and(|value| kind.is(value)));
        has_all
            && others.all(|(name, value)| {
                let kind = self.required.get(name).or_else(|| self.optional.get(name));
                kind.is_some_and(|kind| kind.is(value))
            })
    }
}

/// A detail on a page.
#[derive(Debug, Serialize)]
pub(crate) struct DetailLines {
    text: String,
    facts: Vec<(String, String)>,
}

/// Describes the details with the texts of their types. Everything else in them comes from the application.
pub(crate) fn lines(types: &[DetailEntry], details: &AuthorizationDetails) -> Vec<DetailLines> {
    let line = |detail: &AuthorizationDetail| {
        let of = types.iter().find(|of| of.name == detail.kind());
        let facts = detail.members().iter().filter(|(name, _)| *name != "type");
        DetailLines {
            text: of.map_or_else(|| detail.kind().to_owned(), |of| of.text.clone()),
            facts: facts.map(|(name, value)| (name.clone(), plain(value))).collect(),
        }
    };
    details.as_slice().iter().map(line).collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

impl Reader {
    pub(crate) fn detail(&mut self, place: &str, mut entry: Table) -> Option<DetailEntry> {
        let name: Option<String> = self.must(&mut entry, place, "type");
        let text = self.may(&mut entry, place, "text");
        let required = self.may(&mut entry, place, "required").unwrap_or_default();
        let optional = self.may(&mut entry, place, "optional").unwrap_or_default();
        self.nothing_left(&entry, place, "type, text, required, optional");
        let name = name?;
        Some(DetailEntry { text: text.unwrap_or_else(|| name.clone()), name, required, optional })
    }

    /// Checks that each type and each of its members has one meaning.
    pub(crate) fn whole_details(&mut self, config: &Config) {
        let mut seen = HashSet::new();
        for DetailEntry { name, required, optional, .. } in &config.details {
            let place = format!("authorization_details ({name})");
            if !seen.insert(name) {
                self.mistakes.push(format!("{place}: it appears twice"));
            }
            for member in required.keys().filter(|member| optional.contains_key(*member)) {
                self.mistakes.push(format!("{place}: {member:?} is required and optional"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_and_a_member_have_one_meaning() {
        let found = Config::parse(
            r#"
            listen = "127.0.0.1:0"
            [[authorization_details]]
            type = "a"
            required = { amount = "number", to = "text" }
            optional = { to = "text", note = "text" }
            [[authorization_details]]
            type = "b"
            [[authorization_details]]
            type = "b"
            "#,
        );
        assert_eq!(
            found.err().unwrap_or_default(),
            [
                "authorization_details (a): \"to\" is required and optional",
                "authorization_details (b): it appears twice"
            ]
        );
    }
}
