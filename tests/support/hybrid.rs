//! A provider with the implicit and the hybrid flow, and the fragments of its responses.

use grantor::{Client, Consent, GrantType, Login, Profile, Request, ResponseType};
use serde_json::{Value, json};

use super::provider::Provider;
use super::{Answer, CALLBACK, SECRET, code_query, encode};

pub const NONCE: (&str, &str) = ("nonce", "n-0S6_WzA2Mj");

/// A client with all response types and this additional metadata.
pub fn hybrid(id: &str, more: Value) -> Client {
    let metadata = serde_json::from_value(more).unwrap();
    let grants = [GrantType::AuthorizationCode, GrantType::Implicit, GrantType::RefreshToken];
    let built = Client::builder(id)
        .metadata(metadata)
        .redirect_uri(CALLBACK)
        .grant_types(grants)
        .response_types(ResponseType::ALL.iter().copied())
        .secret(SECRET);
    built.build().unwrap()
}

pub fn legacy() -> Provider {
    Provider::with(vec![hybrid("app", json!({}))], |builder| builder.profile(Profile::Rfc6749))
}

impl Provider {
    /// The response after alice approves a request for this response type.
    pub async fn answer(
        &self,
        client: &str,
        response_type: &str,
        scope: &str,
        more: &[(&str, &str)],
    ) -> Answer {
        self.fixture.approve(&query(client, response_type, scope, more)).await
    }

    /// The consent that the user of this login is asked for.
    pub async fn consent_to(&self, query: &[(&str, &str)], login: Login) -> Consent {
        let asked = self.fixture.server.authorize(&Request::get(encode(query))).await.unwrap();
        asked.signed_in(login).await.consent().unwrap()
    }

    /// The claims of a JWT of this provider.
    pub async fn says(&self, jwt: &str) -> Value {
        self.fixture.opened(jwt).await.1
    }
}

/// A request; a parameter in `more` replaces the usual one.
pub fn query<'a>(
    client: &'a str,
    response_type: &'a str,
    scope: &'a str,
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let mut query = code_query(client, scope);
    query.retain(|(name, _)| *name != "response_type" && more.iter().all(|(own, _)| own != name));
    query.push(("response_type", response_type));
    query.extend(more);
    query
}

/// The names of the parameters in the fragment, in alphabetical order.
pub fn names(answer: &Answer) -> Vec<String> {
    let parameters = answer.location().strip_prefix(&format!("{CALLBACK}#")).expect("a fragment");
    let parameters: Vec<(String, String)> = serde_urlencoded::from_str(parameters).unwrap();
    let mut names: Vec<String> = parameters.into_iter().map(|(name, _)| name).collect();
    names.sort();
    names
}

pub fn field(answer: &Answer, name: &str) -> String {
    answer.location_parameter(name).unwrap_or_else(|| panic!("no {name} in {}", answer.location()))
}

pub fn error(answer: &Answer) -> Option<String> {
    answer.location_parameter("error")
}
