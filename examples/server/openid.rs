//! `[openid]` of the configuration file, and `claims` of `[[users]]`: what applications learn about the
//! person who signs in.

use std::sync::Arc;

use grantor::openid::{ClaimsAsked, ClaimsSource, MIN_PAIRWISE_SECRET};
use grantor::outbound::HttpOutbound;
use grantor::server::AuthorizationServerBuilder;
use grantor::{BackendError, Sessions, async_trait};
use serde::Deserialize;
use toml::{Table, Value};

use crate::session::{BY_PASSWORD, BY_PIN, SIGNED_IN};
use crate::toml_reader::Reader;
use crate::users::Users;

/// `[openid]`: with it, the server is an OpenID Provider.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OpenIdSettings {
    /// In seconds; grantor's default if missing.
    pub(crate) id_token_lifetime: Option<u32>,
    /// The secret for pairwise identifiers, of 32 bytes or more; without it, every application gets the
    /// user's `sub`.
    pairwise_secret: Option<String>,
    /// Whether applications can also be signed out by frames in our page.
    frontchannel_logout: bool,
}

impl OpenIdSettings {
    /// Whether clients can have pairwise identifiers of users.
    pub(crate) fn is_pairwise(&self) -> bool {
        self.pairwise_secret.is_some()
    }

    /// Makes the server a provider.
    pub(crate) fn provider(
        self,
        builder: AuthorizationServerBuilder,
        people: People,
    ) -> AuthorizationServerBuilder {
        let builder = builder.openid(people).acr_values([BY_PASSWORD, BY_PIN]);
        match self.pairwise_secret {
            Some(secret) => builder.pairwise_secret(secret),
            None => builder,
        }
    }
}

impl Reader {
    pub(crate) fn openid(&mut self, file: &mut Table) -> Option<OpenIdSettings> {
        let mut table: Table = self.take(file, "openid")?;
        let secret = table.remove("pairwise_secret");
        let secret = secret.and_then(|value| self.secret("openid.pairwise_secret", value));
        let mut settings: OpenIdSettings = self.decode("openid", Value::Table(table))?;
        settings.pairwise_secret = secret;
        if settings.id_token_lifetime == Some(0) {
            self.mistakes.push("openid.id_token_lifetime must not be 0".to_owned());
        }
        let short =
            settings.pairwise_secret.as_ref().is_some_and(|secret| secret.len() < MIN_PAIRWISE_SECRET);
        if short {
            self.mistakes
                .push(format!("openid.pairwise_secret must have at least {MIN_PAIRWISE_SECRET} bytes"));
        }
        Some(settings)
    }
}

/// The users of the file, as a source of claims.
pub(crate) struct People(pub(crate) Arc<Users>);

impl OpenIdSettings {
    /// Our sessions are only in the memory of this process, so the secret for their names is too.
    pub(crate) fn sessions(&self, outbound: Option<Arc<HttpOutbound>>) -> Sessions {
        let secret: [u8; 32] = rand::random();
        let sessions = Sessions::new(secret).longest(SIGNED_IN);
        let sessions = match outbound {
            Some(outbound) => sessions.back_channel(outbound, |delivery| drop(tokio::spawn(delivery))),
            None => sessions,
        };
        if self.frontchannel_logout { sessions.front_channel() } else { sessions }
    }
}

#[async_trait]
impl ClaimsSource for People {
    async fn claims(
        &self,
        asked: &ClaimsAsked<'_>,
    ) -> Result<serde_json::Map<String, serde_json::Value>, BackendError> {
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
        assert_eq!(mistakes("[openid]\npairwise_secret = \"too short\"").len(), 1);
        let long = "0123456789abcdef0123456789abcdef";
        assert_eq!(mistakes(&format!("[openid]\npairwise_secret = \"{long}\"")), Vec::<String>::new());
        assert_eq!(mistakes("[openid]\nlifetime = 60").len(), 1);
    }
}
