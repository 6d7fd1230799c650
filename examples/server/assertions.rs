//! `[[assertion_issuers]]`: the issuers whose assertions are accepted instead of a sign-in (RFC 7523), and
//! the local users of their subjects.

use std::collections::BTreeMap;
use std::sync::Arc;

use grantor::assertions::{Assertion, AssertionIssuer, AssertionPolicy, JwtBearer};
use grantor::flow::token::{Denial, Entitlement};
use grantor::jose::JwkSet;
use grantor::outbound::HttpOutbound;
use grantor::resource::{FetchedKeys, KeySource, StaticKeys};
use grantor::{Scope, async_trait};
use toml::Table;

use crate::config::Config;
use crate::toml_reader::Reader;

/// One issuer.
pub(crate) struct AssertionEntry {
    issuer: String,
    /// Whether it is an identity provider whose assertions are ID-JAGs.
    id_jag: bool,
    keys: Arc<dyn KeySource>,
    whose: Whose,
}

/// The users and the scope of an issuer.
struct Whose {
    /// The most that its assertions can allow.
    scope: Scope,
    /// The local `sub` of each of its subjects.
    subjects: BTreeMap<String, String>,
}

/// The settings of the issuers in the file.
struct Accounts(BTreeMap<String, Whose>);

#[async_trait]
impl AssertionPolicy for Accounts {
    async fn accept(&self, assertion: &Assertion<'_>) -> Result<Entitlement, Denial> {
        let whose = self.0.get(assertion.issuer).ok_or_else(Denial::invalid_grant)?;
        let sub = whose.subjects.get(assertion.subject).ok_or_else(Denial::invalid_grant)?;
        Ok(Entitlement::user(sub.as_str(), whose.scope.clone()))
    }
}

/// The grant type; `None` if the file has no issuers.
pub(crate) fn grant(entries: Vec<AssertionEntry>) -> Option<JwtBearer> {
    let (mut issuers, mut accounts) = (Vec::new(), BTreeMap::new());
    for AssertionEntry { issuer, id_jag, keys, whose } in entries {
        issuers.push(match id_jag {
            true => AssertionIssuer::id_jag(&issuer, keys),
            false => AssertionIssuer::new(&issuer, keys),
        });
        accounts.insert(issuer, whose);
    }
    let grant = JwtBearer::new(Accounts(accounts));
    (!issuers.is_empty()).then(|| issuers.into_iter().fold(grant, JwtBearer::issuer))
}

impl Reader {
    pub(crate) fn assertion_issuers(&mut self, file: &mut Table) -> Vec<AssertionEntry> {
        self.each(file, "assertion_issuers", Self::assertion_issuer)
    }

    fn assertion_issuer(&mut self, place: &str, mut entry: Table) -> Option<AssertionEntry> {
        let issuer = self.must(&mut entry, place, "issuer");
        let id_jag = self.may(&mut entry, place, "id_jag").unwrap_or(false);
        let keys = self.assertion_keys(place, &mut entry);
        let scope = self.must(&mut entry, place, "scope");
        let subjects = self.must(&mut entry, place, "subjects");
        self.nothing_left(&entry, place, "issuer, id_jag, jwks, jwks_uri, scope, subjects");
        let whose = Whose { scope: scope?, subjects: subjects? };
        Some(AssertionEntry { issuer: issuer?, id_jag, keys: keys?, whose })
    }

    /// `jwks` contains the public keys; `jwks_uri` is their URL.
    fn assertion_keys(&mut self, place: &str, entry: &mut Table) -> Option<Arc<dyn KeySource>> {
        let is_one = entry.contains_key("jwks") != entry.contains_key("jwks_uri");
        let fixed: Option<Table> = self.may(entry, place, "jwks");
        let address: Option<String> = self.may(entry, place, "jwks_uri");
        let keys: Result<Arc<dyn KeySource>, String> = match (fixed, address) {
            (Some(keys), None) => fixed_keys(&keys),
            (None, Some(address)) if !address.starts_with("https://") => {
                Err(format!("jwks_uri: {address:?} is not an https URL"))
            }
            (None, Some(address)) => HttpOutbound::builder()
                .build()
                .map(|outbound| Arc::new(FetchedKeys::new(address, outbound)) as Arc<dyn KeySource>)
                .map_err(|error| error.to_string()),
            // Its mistake is known.
            (None, None) if is_one => return None,
            _ => Err("it needs jwks or jwks_uri, and not both".to_owned()),
        };
        keys.map_err(|error| self.mistakes.push(format!("{place}: {error}"))).ok()
    }
}

impl Reader {
    /// Checks that the file has the scopes and the users of the issuers.
    pub(crate) fn whole_assertions(&mut self, config: &Config) {
        let (has_scopes, has_users) = (self.has(&["scopes", "openid"]), self.has(&["users"]));
        for AssertionEntry { issuer, whose, .. } in &config.assertion_issuers {
            let place = format!("assertion_issuers ({issuer})");
            let strange = whose.scope.iter().filter(|scope| !config.has_scope(scope));
            for scope in strange.filter(|_| has_scopes) {
                self.mistakes.push(format!("{place}.scope: {scope:?} is not one of the scopes"));
            }
            let is_user = |sub: &&String| config.users.iter().any(|user| user.sub == **sub);
            for sub in whose.subjects.values().filter(|sub| has_users && !is_user(sub)) {
                self.mistakes.push(format!("{place}.subjects: {sub:?} is the sub of no user in this file"));
            }
        }
    }
}

fn fixed_keys(keys: &Table) -> Result<Arc<dyn KeySource>, String> {
    let json = serde_json::to_string(keys).map_err(|error| error.to_string())?;
    let set = JwkSet::parse(&json).map_err(|error| format!("jwks: {error}"))?;
    match set.keys() {
        [] => Err("jwks: no key in it can verify".to_owned()),
        _ => Ok(Arc::new(StaticKeys::new(&set))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        r#"{ kty = "OKP", crv = "Ed25519", x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }"#;

    #[test]
    fn every_mistake_about_an_issuer_is_named_at_once() {
        let found = Config::parse(&format!(
            r#"
            listen = "127.0.0.1:0"
            scopes = ["read"]
            [[assertion_issuers]]
            issuer = "https://idp.example"
            jwks = {{ keys = [{KEY}] }}
            scope = "read"
            subjects = {{ a = "b" }}
            [[assertion_issuers]]
            issuer = "both"
            jwks = {{ keys = [] }}
            jwks_uri = "https://idp.example/jwks"
            colour = "red"
            [[assertion_issuers]]
            issuer = "none"
            jwks = {{ keys = [{{ kty = "oct", k = "AAAA" }}] }}
            scope = "re\"ad"
            subjects = {{}}
            [[assertion_issuers]]
            issuer = "strange"
            jwks_uri = "http://idp.example/jwks"
            scope = "read"
            subjects = {{}}
            [[assertion_issuers]]
            issuer = "mistyped"
            jwks = "https://idp.example/jwks"
            scope = "read"
            subjects = {{}}
            [[assertion_issuers]]
            issuer = "unknown"
            jwks = {{ keys = [{KEY}] }}
            scope = "read admin openid"
            subjects = {{ a = "b", c = "d" }}
            [[users]]
            username = "b"
            password = "p"
            sub = "b"
            "#
        ));
        let found = found.err().unwrap_or_default();
        for part in [
            "assertion_issuers 2 (both): it needs jwks or jwks_uri, and not both",
            "assertion_issuers 2 (both): scope is missing",
            "assertion_issuers 2 (both): subjects is missing",
            "assertion_issuers 2 (both): unknown key `colour`",
            "assertion_issuers 3 (none): jwks: no key in it can verify",
            "assertion_issuers 3 (none).scope: ",
            "assertion_issuers 4 (strange): jwks_uri: \"http://idp.example/jwks\" is not an https URL",
            "assertion_issuers 5 (mistyped).jwks: ",
            "assertion_issuers (unknown).scope: \"admin\" is not one of the scopes",
            "assertion_issuers (unknown).scope: \"openid\" is not one of the scopes",
            "assertion_issuers (unknown).subjects: \"d\" is the sub of no user",
        ] {
            assert_eq!(found.iter().filter(|line| line.contains(part)).count(), 1, "{part:?} in {found:#?}");
        }
        assert_eq!(found.len(), 11, "{found:#?}");
    }
}
