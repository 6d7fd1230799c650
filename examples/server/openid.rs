//! `[openid]` of the configuration file, and `claims` of `[[users]]`: what applications learn about the
//! person who signs in.

use std::sync::Arc;

use grantor::openid::{ClaimsAsked, ClaimsSource, MIN_PAIRWISE_SECRET};
use grantor::outbound::HttpOutbound;
use grantor::server::AuthorizationServerBuilder;
use grantor::{BackendError, Sessions, async_trait};
use serde::Deserialize;
use toml::Table;

use crate::config::Config;
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
    /// The secret for the names of sessions in tokens, of 32 bytes or more; without it, each start generates a
    /// new one.
    session_secret: Option<String>,
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
        let pairwise_secret = self.openid_secret(&mut table, "pairwise_secret", MIN_PAIRWISE_SECRET);
        let session_secret = self.openid_secret(&mut table, "session_secret", Sessions::MIN_SECRET);
        let settings: OpenIdSettings = self.settings("openid", table)?;
        if settings.id_token_lifetime == Some(0) {
            self.mistakes.push("openid.id_token_lifetime must not be 0".to_owned());
        }
        Some(OpenIdSettings { pairwise_secret, session_secret, ..settings })
    }

    fn openid_secret(&mut self, table: &mut Table, key: &str, min: usize) -> Option<String> {
        let place = format!("openid.{key}");
        let secret = table.remove(key).and_then(|value| self.secret(&place, value))?;
        if secret.len() < min {
            self.mistakes.push(format!("{place} must have at least {min} bytes"));
        }
        Some(secret)
    }
}

/// The users of the file, as a source of claims.
pub(crate) struct People(pub(crate) Arc<Users>);

impl OpenIdSettings {
    pub(crate) fn sessions(&self, outbound: Option<Arc<HttpOutbound>>) -> Sessions {
        let sessions = match &self.session_secret {
            Some(secret) => Sessions::new(secret),
            None => Sessions::new(rand::random::<[u8; 32]>()),
        };
        let sessions = sessions.longest(SIGNED_IN);
        let sessions = match outbound {
            Some(outbound) => sessions.back_channel(outbound, |delivery| drop(tokio::spawn(delivery))),
            None => sessions,
        };
        if self.frontchannel_logout { sessions.front_channel() } else { sessions }
    }
}

impl Config {
    /// Whether the names of sessions in tokens change with the process, while the tokens are in a store that
    /// outlives it.
    pub(crate) fn renames_sessions(&self) -> bool {
        let is_keyless = self.openid.as_ref().is_some_and(|openid| openid.session_secret.is_none());
        is_keyless && self.store != "memory"
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
    fn lo_14_a_session_secret_is_long_and_missed_on_a_store_that_stays() {
        let key = "0123456789abcdef0123456789abcdef";
        assert_eq!(
            mistakes(&format!("[openid]\nsession_secret = \"{}\"", &key[1..])),
            ["openid.session_secret must have at least 32 bytes"]
        );
        let is_warned = |head: &str, openid: &str| {
            let config =
                Config::parse(&format!("{HEAD}{head}\n{openid}")).unwrap_or_else(|m| panic!("{m:?}"));
            config.warnings().iter().any(|line| line.starts_with("without openid.session_secret"))
        };
        let stays = "store = \"sqlite:grants.db\"";
        assert!(is_warned(stays, "[openid]"));
        assert!(!is_warned(stays, "") && !is_warned("", "[openid]"));
        assert!(!is_warned(stays, &format!("[openid]\nsession_secret = \"{key}\"")));
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
