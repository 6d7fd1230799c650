//! Responses, parsed.

use grantor::Response;
use serde_json::Value;

/// A response, with accessors for its parts.
pub struct Answer(pub Response);

impl Answer {
    pub fn status(&self) -> u16 {
        self.0.status
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.0.body).unwrap_or(Value::Null)
    }

    /// A string member of the JSON body.
    pub fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.json())).to_owned()
    }

    pub fn access_token(&self) -> String {
        self.text("access_token")
    }

    pub fn refresh_token(&self) -> String {
        self.text("refresh_token")
    }

    pub fn error(&self) -> (u16, String) {
        (self.status(), self.text("error"))
    }

    pub fn location(&self) -> &str {
        self.0.header("location").expect("a redirect")
    }

    /// A parameter in the query or the fragment of the redirect.
    pub fn location_parameter(&self, name: &str) -> Option<String> {
        let (_, parameters) = self.location().split_once(['?', '#'])?;
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(parameters).unwrap();
        pairs.into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }
}
