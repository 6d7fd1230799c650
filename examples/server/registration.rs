//! `[registration]`: whether, and on what terms, applications register themselves over HTTP.

use grantor::{GrantType, Registration, Scope};
use serde::Deserialize;
use toml::Table;

use crate::toml_reader::Reader;

/// The settings of the file.
pub(crate) struct SelfRegistration {
    /// Initial access tokens; if empty, registration is open to everybody.
    tokens: Vec<String>,
    scopes: Option<Vec<String>>,
    grants: Option<Vec<GrantType>>,
    localhost_any_port: bool,
    require_pkce: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Open,
    Token,
}

impl SelfRegistration {
    /// The settings as grantor's type.
    pub(crate) fn terms(self) -> Registration {
        let terms = self.tokens.into_iter().fold(Registration::open(), Registration::initial_access_token);
        let terms = match self.scopes {
            Some(scopes) => terms.scopes(scopes),
            None => terms,
        };
        let terms = match self.grants {
            Some(grants) => terms.grant_types(grants),
            None => terms,
        };
        let terms = if self.localhost_any_port { terms.localhost_any_port() } else { terms };
        if self.require_pkce { terms } else { terms.pkce_optional() }
    }

    /// The scopes that the server does not know.
    pub(crate) fn mistakes(&self, known: &[String]) -> Vec<String> {
        let named = self.scopes.iter().flatten();
        let strange = named.filter(|scope| !known.contains(scope) || Scope::parse(scope).is_err());
        strange.map(|scope| format!("registration.scopes: {scope:?} is not one of the scopes")).collect()
    }
}

impl Reader {
    /// `None` if applications can only be registered by users, on `/applications`.
    pub(crate) fn registration(&mut self, file: &mut Table) -> Option<SelfRegistration> {
        const PLACE: &str = "registration";
        let mut table: Table = self.take(file, PLACE)?;
        let mode: Option<Mode> = self.must(&mut table, PLACE, "mode");
        let tokens = match table.contains_key("tokens") {
            true => self.secrets(&mut table, PLACE, "tokens"),
            false => Some(Vec::new()),
        };
        let scopes = self.may(&mut table, PLACE, "scopes");
        let grants = self.may(&mut table, PLACE, "grants");
        let localhost_any_port = self.may(&mut table, PLACE, "localhost_any_port").unwrap_or(false);
        let require_pkce = self.may(&mut table, PLACE, "require_pkce").unwrap_or(true);
        self.nothing_left(&table, PLACE, "mode, tokens, scopes, grants, localhost_any_port, require_pkce");
        match (mode?, tokens.as_deref()) {
            (Mode::Token, Some([])) => self.mistakes.push("registration: mode token needs tokens".to_owned()),
            (Mode::Open, Some([_, ..])) => {
                self.mistakes.push("registration: mode open has no tokens".to_owned());
            }
            (Mode::Token, Some([_, ..])) | (Mode::Open, Some([])) | (_, None) => {}
        }
        let tokens = tokens.unwrap_or_default();
        Some(SelfRegistration { tokens, scopes, grants, localhost_any_port, require_pkce })
    }
}
