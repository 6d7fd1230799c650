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
            Self::Text => value.as_str().is_some_and(|text| !is_blank(text)),
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
#[derive(Debug, PartialEq, Eq, Serialize)]
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
            text: of.map_or_else(|| visible(detail.kind()), |of| of.text.clone()),
            facts: facts.map(|(name, value)| (visible(name), visible(&plain(value)))).collect(),
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

/// The text with every character escaped that would hide, or would change the order of what is next to it.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_hidden(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown
}

fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || is_hidden(c) || matches!(c, '\u{200C}' | '\u{200D}'))
}

/// Controls, directions of writing, and characters that fonts show as nothing. Those that join letters and
/// choose the look of an emoji are left alone.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180E}'
            | '\u{200B}' | '\u{200E}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}'
            | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
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
    fn what_would_hide_on_a_page_is_shown() {
        let details = r#"[{"type": "pay", "to": "Bank\u202eknaB", "note": "a\nb\u200b", "list": ["می\u200cخواهم", "\u2066"]}]"#;
        let details = AuthorizationDetails::parse(details).unwrap();
        let lines = lines(&[], &details);
        let facts: Vec<(&str, &str)> =
            lines[0].facts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for expected in [
            ("to", r"Bank\u{202e}knaB"),
            ("note", r"a\u{a}b\u{200b}"),
            ("list", "می\u{200c}خواهم, \\u{2066}"),
        ] {
            assert!(facts.contains(&expected), "{expected:?}: {facts:?}");
        }
    }

    #[test]
    fn a_blank_text_is_none() {
        let is_text = |text: &str| Kind::Text.is(&Value::from(text));
        assert!(is_text("a") && is_text(" a ") && is_text("名前"));
        for blank in ["", " ", "\t\n", "\u{a0}", "\u{200b}", "\u{202e}", "\u{3164}\u{200d}"] {
            assert!(!is_text(blank), "{blank:?}");
        }
    }

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
