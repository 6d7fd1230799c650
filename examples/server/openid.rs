//! `[openid]` of the configuration file, and `claims` of `[[users]]`: what applications learn about the person who signs in.

use std::sync::Arc;

use grantor::openid::{ClaimsAsked, ClaimsSource};
use grantor::{BackendError, async_trait};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::users::Users;

/// `[openid]`: with it, the server is an OpenID Provider.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OpenIdSettings {
    /// In seconds; what is missing keeps grantor's default.
    pub(crate) id_token_lifetime: Option<u32>,
}

/// The users of the file, as applications know them.
pub(crate) struct People(pub(crate) Arc<Users>);

#[async_trait]
impl ClaimsSource for People {
    async fn claims(&self, asked: &ClaimsAsked<'_>) -> Result<Map<String, Value>, BackendError> {
        let user = self.0.by_sub(asked.user());
        Ok(user.map(|user| user.claims.clone()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const HEAD: &str = "listen = \"127.0.0.1:0\"\n";

    fn mistakes(text: &str) -> Vec<String> {
        Config::parse(&format!("{HEAD}{text}")).err().unwrap_or_default()
    }

    #[test]
    fn claims_are_a_table_of_the_users_own() {
        let user = "[openid]\n[[users]]\nusername = \"a\"\nsub = \"a\"\npassword = \"p\"\nclaims = ";
        assert_eq!(
            mistakes(&format!("{user}{{ name = \"Alice\", email_verified = true }}")),
            Vec::<String>::new()
        );
        assert_eq!(mistakes(&format!("{user}\"Alice\"")).len(), 1);
    }

    #[test]
    fn a_lifetime_of_nothing_or_a_misspelt_name_is_a_mistake() {
        assert_eq!(mistakes("[openid]\nid_token_lifetime = 60"), Vec::<String>::new());
        assert_eq!(mistakes("[openid]\nid_token_lifetime = 0").len(), 1);
        assert_eq!(mistakes("[openid]\nlifetime = 60").len(), 1);
    }
}
