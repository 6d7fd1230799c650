//! `[dpop]` of the configuration file: tokens that only the holder of a key can use (RFC 9449).

use grantor::base::Secret;
use grantor::dpop::{Dpop, DpopProofs};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use toml::Table;

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
        for bad in ["nonce = \"on\"", "nonce = true", "nonce_key = \"short\"", "nonces = \"off\""] {
            assert_eq!(mistakes(&format!("[dpop]\n{bad}")).len(), 1, "{bad}");
        }
    }
}
