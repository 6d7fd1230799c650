//! `[dpop]` of the configuration file: tokens that only the holder of a key can use (RFC 9449).

use grantor::base::Secret;
use grantor::dpop::{Dpop, DpopProofs};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use toml::Table;

use crate::config::Config;
use crate::stores;
use crate::toml_reader::Reader;

/// `[dpop]`. Proofs are also accepted without this section.
#[derive(Default)]
pub(crate) struct DpopSettings {
    nonce: Nonce,
    /// The key of the nonces, the same on every node. Without it, each start generates a new one.
    key: Option<Secret>,
}

/// Whether a proof needs a nonce from this server.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Nonce {
    #[default]
    Off,
    Required,
}

/// In characters. A shorter key could be guessed by those who see its nonces.
const SHORTEST_KEY: usize = 32;

impl DpopSettings {
    pub(crate) fn dpop(self) -> Dpop {
        let dpop = Dpop::new(DpopProofs::new());
        match self.nonce {
            Nonce::Off => dpop,
            Nonce::Required => dpop.nonces(self.key.unwrap_or_else(|| Secret::new(rand::random()))),
        }
    }
}

impl Config {
    /// Whether each of several nodes has nonces of its own and refuses those of the others.
    pub(crate) fn splits_nonces(&self) -> bool {
        let DpopSettings { nonce, key } = &self.dpop;
        let is_keyless = *nonce == Nonce::Required && key.is_none() && self.fapi.takes_proofs();
        is_keyless && stores::is_shared(&self.store)
    }
}

impl Reader {
    pub(crate) fn dpop(&mut self, file: &mut Table) -> DpopSettings {
        let mut entry: Table = self.take(file, "dpop").unwrap_or_default();
        let nonce = self.may(&mut entry, "dpop", "nonce").unwrap_or_default();
        let key = entry.remove("nonce_key").and_then(|value| self.secret("dpop.nonce_key", value));
        if key.as_ref().is_some_and(|key| key.chars().count() < SHORTEST_KEY) {
            self.mistakes.push(format!("dpop.nonce_key must have at least {SHORTEST_KEY} characters"));
        }
        self.nothing_left(&entry, "dpop", "nonce, nonce_key");
        DpopSettings { nonce, key: key.map(|key| Secret::new(Sha256::digest(key).into())) }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn mistakes(text: &str) -> Vec<String> {
        Config::parse(&format!("listen = \"127.0.0.1:0\"\n{text}")).err().unwrap_or_default()
    }

    #[test]
    fn nonces_are_off_or_required_and_their_key_is_long() {
        let key = "k".repeat(32);
        for good in ["", "[dpop]", "[dpop]\nnonce = \"off\"", "[dpop]\nnonce = \"required\""] {
            assert_eq!(mistakes(good), Vec::<String>::new(), "{good}");
        }
        assert_eq!(
            mistakes(&format!("[dpop]\nnonce = \"required\"\nnonce_key = \"{key}\"")),
            Vec::<String>::new()
        );
        let is_warned = |store: &str, dpop: &str| {
            let file = format!("listen = \"127.0.0.1:0\"\nstore = {store:?}\n[dpop]\n{dpop}");
            let config = Config::parse(&file).unwrap_or_else(|found| panic!("{found:?}"));
            config.warnings().iter().any(|line| line.starts_with("without dpop.nonce_key"))
        };
        let required = "nonce = \"required\"";
        for shared in ["postgres://u@db/d", "redis://db", "rediss-cluster://db:1"] {
            assert!(is_warned(shared, required), "{shared}");
            assert!(!is_warned(shared, &format!("{required}\nnonce_key = \"{key}\"")));
            assert!(!is_warned(shared, ""));
        }
        assert!(!is_warned("memory", required) && !is_warned("sqlite:grants.db", required));
        for bad in ["nonce = \"on\"", "nonce = true", "nonce_key = \"short\"", "nonces = \"off\""] {
            assert_eq!(mistakes(&format!("[dpop]\n{bad}")).len(), 1, "{bad}");
        }
    }
}
