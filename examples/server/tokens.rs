//! The format and audience of access tokens, and the keys that sign them: `access_tokens`, `audience`,
//! `[[resources]]` and `[keys]` of the configuration file.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use grantor::jose::Algorithm;
use grantor::keys::{FileKeyStore, KeySchedule, KeyStore, Keys, KeysError};
use grantor::{AccessTokens, Resource, ResourceId};
use toml::Table;

use crate::config::{Config, lacks};
use crate::toml_reader::Reader;

/// The settings of access tokens.
#[derive(Default)]
pub(crate) struct Tokens {
    /// Their format, unless a resource or a client has its own.
    pub(crate) format: AccessTokens,
    /// Their audience if a request names no resource.
    pub(crate) audience: Option<String>,
    pub(crate) resources: Vec<ResourceEntry>,
    pub(crate) keys: KeySettings,
}

impl Tokens {
    /// Whether a resource wants its access tokens signed.
    pub(crate) fn has_signed_resource(&self) -> bool {
        self.resources.iter().any(|resource| resource.access_tokens == Some(AccessTokens::Jwt))
    }
}

/// One of `[[resources]]`.
pub(crate) struct ResourceEntry {
    pub(crate) identifier: String,
    scopes: Option<Vec<String>>,
    access_tokens: Option<AccessTokens>,
    algorithm: Option<String>,
    introspection_clients: Vec<String>,
}

impl ResourceEntry {
    pub(crate) fn resource(&self) -> Resource {
        let mut resource = Resource::new(&self.identifier).introspection_clients(&self.introspection_clients);
        if let Some(scopes) = &self.scopes {
            resource = resource.scopes(scopes);
        }
        if let Some(algorithm) = self.algorithm.as_deref().and_then(Algorithm::parse) {
            resource = resource.signing_algorithm(algorithm);
        }
        match self.access_tokens {
            Some(format) => resource.access_tokens(format),
            None => resource,
        }
    }
}

/// `[keys]`: the signing keys and their lifetimes. It has no effect if nothing is signed.
pub(crate) struct KeySettings {
    /// At least one; the first is the default.
    pub(crate) algorithms: Vec<Algorithm>,
    /// The file of the keys; if `None`, they are in the store with everything else.
    pub(crate) file: Option<PathBuf>,
    schedule: KeySchedule,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self { algorithms: vec![Algorithm::EdDsa], file: None, schedule: KeySchedule::default() }
    }
}

impl KeySettings {
    pub(crate) fn keys(&self, store: Arc<dyn KeyStore>) -> Result<Keys, KeysError> {
        match &self.file {
            Some(path) => Keys::rotating(FileKeyStore::new(path), self.schedule, &self.algorithms),
            None => self.keys_in(store),
        }
    }

    /// In this store, even if the file names one of its own.
    pub(crate) fn keys_in(&self, store: Arc<dyn KeyStore>) -> Result<Keys, KeysError> {
        Keys::rotating(store, self.schedule, &self.algorithms)
    }
}

impl Config {
    /// Whether this server signs anything: access tokens, the tokens of OpenID Connect, or responses for a
    /// client that wants them signed.
    pub(crate) fn signs(&self) -> bool {
        let clients = self.clients.iter().map(|client| client.metadata().access_tokens);
        let mut formats = clients.chain([Some(self.tokens.format)]);
        let mut asks = self.clients.iter().map(|client| {
            let metadata = client.metadata();
            metadata.authorization_signed_response_alg.is_some()
                || metadata.introspection_signed_response_alg.is_some()
        });
        self.openid.is_some()
            || self.signs_messages()
            || self.tokens.has_signed_resource()
            || asks.any(|asks| asks)
            || formats.any(|format| format == Some(AccessTokens::Jwt))
    }
}

impl Reader {
    pub(crate) fn tokens(&mut self, file: &mut Table) -> Tokens {
        Tokens {
            format: self.take(file, "access_tokens").unwrap_or_default(),
            audience: self.take(file, "audience"),
            resources: self.each(file, "resources", Self::resource),
            keys: self.keys(file),
        }
    }

    fn resource(&mut self, place: &str, mut entry: Table) -> Option<ResourceEntry> {
        let identifier = self.must(&mut entry, place, "identifier");
        let scopes = self.may(&mut entry, place, "scopes");
        let access_tokens = self.may(&mut entry, place, "access_tokens");
        let algorithm: Option<String> = self.may(&mut entry, place, "signing_algorithm");
        let unknown = algorithm.iter().filter(|name| Algorithm::parse(name).is_none());
        for name in unknown {
            self.mistakes
                .push(format!("{place}.signing_algorithm: {name:?} is not one of {}", known_algorithms()));
        }
        let introspection_clients = self.may(&mut entry, place, "introspection_clients").unwrap_or_default();
        let known = "identifier, scopes, access_tokens, signing_algorithm, introspection_clients";
        self.nothing_left(&entry, place, known);
        Some(ResourceEntry {
            identifier: identifier?,
            scopes,
            access_tokens,
            algorithm,
            introspection_clients,
        })
    }

    fn keys(&mut self, file: &mut Table) -> KeySettings {
        let mut entry: Table = self.take(file, "keys").unwrap_or_default();
        let KeySettings { algorithms, file: _, mut schedule } = KeySettings::default();
        let algorithms = self.algorithms(&mut entry).unwrap_or(algorithms);
        let file: Option<PathBuf> = self.may(&mut entry, "keys", "file");
        if file.as_ref().is_some_and(|path| path.file_name().is_none()) {
            self.mistakes.push("keys.file must name a file".to_owned());
        }
        let KeySchedule { announce, sign, retire, .. } = &mut schedule;
        for (part, name) in [(announce, "announce"), (sign, "sign"), (retire, "retire")] {
            if let Some(seconds) = self.may(&mut entry, "keys", name) {
                *part = Duration::from_secs(seconds);
            }
        }
        self.nothing_left(&entry, "keys", "algorithm, algorithms, file, announce, sign, retire");
        if let Err(error) = schedule.validate() {
            self.mistakes.push(format!("keys: {error}"));
        }
        KeySettings { algorithms, file, schedule }
    }

    /// `algorithms`, or `algorithm` if there is only one.
    fn algorithms(&mut self, entry: &mut Table) -> Option<Vec<Algorithm>> {
        let one: Option<String> = self.may(entry, "keys", "algorithm");
        let several: Option<Vec<String>> = self.may(entry, "keys", "algorithms");
        let (place, names) = match (one, several) {
            (Some(one), None) => ("keys.algorithm", vec![one]),
            (None, Some(several)) if !several.is_empty() => ("keys.algorithms", several),
            (None, None) => return None,
            (_, Some(_)) => {
                self.mistakes
                    .push("keys.algorithms must name at least one; leave out keys.algorithm".to_owned());
                return None;
            }
        };
        let mut algorithms = Vec::new();
        for name in names {
            match Algorithm::parse(&name) {
                Some(algorithm) => algorithms.push(algorithm),
                None => self.mistakes.push(format!("{place}: {name:?} is not one of {}", known_algorithms())),
            }
        }
        Some(algorithms).filter(|algorithms| !algorithms.is_empty())
    }

    /// Checks of the token settings that involve other parts of the file.
    pub(crate) fn whole_tokens(&mut self, config: &Config, client_ids: Option<&HashSet<&str>>) {
        let has_scopes = self.has(&["scopes"]);
        let Tokens { audience, resources, keys, .. } = &config.tokens;
        let mut seen = HashSet::new();
        for ResourceEntry { identifier, scopes, introspection_clients, .. } in resources {
            let place = format!("resources ({identifier})");
            if ResourceId::parse(identifier).is_err() {
                self.mistakes.push(format!("{place}: identifier is not an absolute URI without a fragment"));
            }
            if !seen.insert(identifier) {
                self.mistakes.push(format!("{place}: it appears twice"));
            }
            let strange = scopes.iter().flatten().filter(|scope| !config.scopes.contains(scope));
            for scope in strange.filter(|_| has_scopes) {
                self.mistakes.push(format!("{place}.scopes: {scope:?} is not one of the scopes"));
            }
            for id in introspection_clients.iter().filter(|id| lacks(client_ids, id)) {
                self.mistakes
                    .push(format!("{place}.introspection_clients: {id:?} is not a client_id in this file"));
            }
        }
        if audience.as_ref().is_some_and(|audience| ResourceId::parse(audience).is_err()) {
            self.mistakes.push("audience is not an absolute URI without a fragment".to_owned());
        }
        let is_known = self.has(&["keys", "lifetimes"]);
        if is_known && config.signs() && !keys.schedule.covers(config.lifetimes.of_access_tokens()) {
            self.mistakes.push(
                "keys.retire must be at least lifetimes.access_token, or tokens outlive their key".to_owned(),
            );
        }
    }
}

fn known_algorithms() -> String {
    let names: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "listen = \"127.0.0.1:0\"\nscopes = [\"read\"]\n";

    fn read(text: &str) -> Result<Config, Vec<String>> {
        Config::parse(&format!("{HEAD}{text}"))
    }

    fn mistakes(text: &str) -> Vec<String> {
        read(text).err().unwrap_or_default()
    }

    #[test]
    fn every_mistake_about_tokens_is_named_at_once() {
        let found = mistakes(
            r#"
            access_tokens = "paper"
            audience = "api"
            [keys]
            algorithm = "HS256"
            announce = 7200
            sign = 3600
            colour = "red"
            [[resources]]
            identifier = "api.example"
            scopes = ["admin"]
            introspection_clients = ["nobody"]
            [[resources]]
            identifier = "https://api.example"
            access_tokens = "saml"
            [[resources]]
            identifier = "https://api.example"
            scope = ["read"]
            [[resources]]
            scopes = ["read"]
            "#,
        );
        for part in [
            "access_tokens: unknown variant `paper`, expected `opaque` or `jwt`",
            "audience is not an absolute URI",
            "keys.algorithm: \"HS256\" is not one of EdDSA, ES256, PS256, RS256",
            "keys: `announce` may not be longer than `sign`",
            "keys: unknown key `colour`",
            "resources (api.example): identifier is not an absolute URI",
            "resources (api.example).scopes: \"admin\" is not one of the scopes",
            "resources (api.example).introspection_clients: \"nobody\" is not a client_id",
            "resources 2 (https://api.example).access_tokens: unknown variant `saml`",
            "resources 3 (https://api.example): unknown key `scope`",
            "resources (https://api.example): it appears twice",
            "resources 4: identifier is missing",
        ] {
            assert_eq!(found.iter().filter(|line| line.contains(part)).count(), 1, "{part:?} in {found:#?}");
        }
        assert_eq!(found.len(), 12, "{found:#?}");
    }

    #[test]
    fn the_format_has_one_name_wherever_it_stands() {
        let client = "[[clients]]\nclient_id = \"a\"\nclient_secret = \"s\"\ngrant_types = []\n";
        for place in ["", "[[resources]]\nidentifier = \"urn:a\"\n", client] {
            assert_eq!(mistakes(&format!("{place}access_tokens = \"jwt\"")), Vec::<String>::new());
            let found = mistakes(&format!("{place}access_token = \"jwt\""));
            assert!(found.len() == 1 && found[0].contains("`access_token`"), "{found:?}");
        }
    }

    #[test]
    fn nothing_is_signed_unless_somebody_asks_for_it() {
        let client = "[[clients]]\nclient_id = \"a\"\nclient_secret = \"s\"\ngrant_types = []\n";
        let signs = |text: &str| read(text).map(|config| config.signs());
        for text in ["", "[keys]\nalgorithm = \"RS256\"", "[[resources]]\nidentifier = \"urn:a\"", client] {
            assert_eq!(signs(text), Ok(false), "{text}");
        }
        for text in [
            "access_tokens = \"jwt\"",
            "[[resources]]\nidentifier = \"urn:a\"\naccess_tokens = \"jwt\"",
            &format!("{client}access_tokens = \"jwt\""),
        ] {
            assert_eq!(signs(text), Ok(true), "{text}");
        }
    }

    #[test]
    fn a_key_stays_published_as_long_as_a_token_lives() {
        let file = |format: &str, retire: u32| {
            mistakes(&format!(
                "access_tokens = {format:?}\n[lifetimes]\naccess_token = 600\n[keys]\nretire = {retire}"
            ))
        };
        assert_eq!(file("jwt", 600), Vec::<String>::new());
        assert_eq!(file("jwt", 599).len(), 1);
        assert_eq!(file("opaque", 0), Vec::<String>::new());
    }
}
