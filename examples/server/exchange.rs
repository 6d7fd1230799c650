//! `[[exchange]]`: which applications may exchange an access token that they received for one for another
//! resource (RFC 8693). Whatever no entry allows is denied.

use std::collections::HashSet;

use grantor::flow::token::{Exchange, ExchangeAsk};
use grantor::server::ExchangePolicy;
use grantor::{BackendError, Client, GrantType, ResourceId, async_trait};
use toml::Table;

use crate::config::Config;
use crate::toml_reader::Reader;

/// One entry: this application may exchange tokens for the resources `from` for tokens for the resources
/// `to`.
pub(crate) struct ExchangeEntry {
    client_id: String,
    from: Vec<String>,
    to: Vec<String>,
    /// Whether the new token names the acting application (`act`).
    delegation: bool,
}

impl ExchangeEntry {
    /// A token without an audience is for this server itself, and cannot be exchanged.
    fn allows(&self, ask: &ExchangeAsk<'_>) -> bool {
        let listed = |list: &[String], id: &ResourceId| list.iter().any(|entry| entry == id.as_str());
        self.client_id == ask.client.id().as_str()
            && ask.actor.is_none()
            && ask.subject.audience().is_some_and(|audience| listed(&self.from, audience))
            && !ask.resources.is_empty()
            && ask.resources.as_slice().iter().all(|target| listed(&self.to, target))
    }
}

/// The entries of the file.
pub(crate) struct Exchanges(pub(crate) Vec<ExchangeEntry>);

#[async_trait]
impl ExchangePolicy for Exchanges {
    async fn exchange(&self, ask: &ExchangeAsk<'_>) -> Result<Exchange, BackendError> {
        let entry = self.0.iter().find(|entry| entry.allows(ask));
        Ok(match entry.map(|entry| entry.delegation) {
            None => Exchange::Denied,
            Some(true) => Exchange::Delegation,
            Some(false) => Exchange::Impersonation,
        })
    }
}

impl Reader {
    pub(crate) fn exchange(&mut self, place: &str, mut entry: Table) -> Option<ExchangeEntry> {
        let client_id = self.must(&mut entry, place, "client_id");
        let from = self.must(&mut entry, place, "from");
        let to = self.must(&mut entry, place, "to");
        let delegation = self.may(&mut entry, place, "delegation").unwrap_or(true);
        self.nothing_left(&entry, place, "client_id, from, to, delegation");
        Some(ExchangeEntry { client_id: client_id?, from: from?, to: to?, delegation })
    }

    /// Checks that the file has everything that the entries name.
    pub(crate) fn whole_exchanges(&mut self, config: &Config) {
        let resources: HashSet<&str> =
            config.tokens.resources.iter().map(|r| r.identifier.as_str()).collect();
        let (has_clients, has_resources) = (self.has(&["clients"]), self.has(&["resources"]));
        for ExchangeEntry { client_id, from, to, .. } in &config.exchanges {
            let place = format!("exchange ({client_id})");
            let may = |client: &&Client| {
                client.id().as_str() == client_id && client.allows(&GrantType::TokenExchange)
            };
            if has_clients && !config.clients.iter().any(|client| may(&client)) {
                self.mistakes.push(format!("{place}: no client in this file has that grant type"));
            }
            for (key, list) in [("from", from), ("to", to)] {
                if list.is_empty() {
                    self.mistakes.push(format!("{place}.{key} must name at least one of the resources"));
                }
                let strange = list.iter().filter(|id| !resources.contains(id.as_str()));
                for id in strange.filter(|_| has_resources) {
                    self.mistakes.push(format!("{place}.{key}: {id:?} is not one of the resources"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_names_what_is_in_the_file() {
        let file = |entry: &str| {
            let text = format!(
                r#"
                listen = "127.0.0.1:0"
                scopes = ["read"]
                [[resources]]
                identifier = "https://a.example"
                [[resources]]
                identifier = "https://b.example"
                [[clients]]
                client_id = "a"
                client_secret = "s"
                grant_types = ["urn:ietf:params:oauth:grant-type:token-exchange"]
                [[clients]]
                client_id = "b"
                client_secret = "s"
                grant_types = []
                [[exchange]]
                {entry}
                "#
            );
            Config::parse(&text).err().unwrap_or_default()
        };
        let pair = "from = [\"https://a.example\"]\nto = [\"https://b.example\"]";
        assert_eq!(file(&format!("client_id = \"a\"\n{pair}\ndelegation = false")), Vec::<String>::new());
        for bad in [
            &format!("client_id = \"b\"\n{pair}"),
            &format!("client_id = \"c\"\n{pair}"),
            &format!("client_id = \"a\"\n{pair}\nscope = \"read\""),
            &format!("client_id = \"a\"\n{pair}\ndelegation = \"yes\""),
            "client_id = \"a\"\nfrom = [\"https://a.example\"]\nto = [\"https://c.example\"]",
            "client_id = \"a\"\nfrom = []\nto = [\"https://b.example\"]",
            "client_id = \"a\"\nfrom = [\"https://a.example\"]\nto = []",
            "client_id = \"a\"\nfrom = [\"https://a.example\"]",
        ] {
            assert_eq!(file(bad).len(), 1, "{bad}");
        }
    }
}
