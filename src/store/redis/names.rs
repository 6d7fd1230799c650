//! [`Names`]: the Redis keys of all records. The part in braces determines the hash slot.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::client::ClientId;
use crate::grant::GrantId;
use crate::store::{ReplayKey, UserCodeDigest};

/// `prefix:space:`, the beginning of all keys of one space.
#[derive(Clone, Debug)]
pub(super) struct Names {
    prefix: Arc<str>,
    stem: Arc<str>,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        let prefix = escaped(prefix);
        Self { stem: format!("{prefix}::").into(), prefix: prefix.into() }
    }

    /// The same prefix, another space.
    pub(super) fn space(&self, space: &str) -> Self {
        Self { prefix: Arc::clone(&self.prefix), stem: format!("{}:{}:", self.prefix, escaped(space)).into() }
    }

    /// The beginning of all keys.
    pub(super) fn stem(&self) -> &str {
        &self.stem
    }

    /// The key of the format version of all records under the prefix.
    pub(super) fn format(&self) -> String {
        format!("{}:format", self.prefix)
    }

    pub(super) fn grant(&self, id: GrantId) -> String {
        format!("{}g:{{{id}}}", self.stem)
    }

    /// The key of a user code, from its digest as [`text`].
    pub(super) fn user_code(&self, digest: &str) -> String {
        format!("{}u:{digest}", self.stem)
    }

    pub(super) fn replay(&self, key: &ReplayKey) -> String {
        format!("{}r:{}", self.stem, URL_SAFE_NO_PAD.encode(key.as_bytes()))
    }

    /// A client, in the slot of its part.
    pub(super) fn client(&self, part: u8, id: &ClientId) -> String {
        format!("{}k:{{k{part:x}}}:{}", self.stem, escaped(id.as_str()))
    }

    /// All clients of a part.
    pub(super) fn clients(&self, part: u8) -> String {
        format!("{}l:{{k{part:x}}}", self.stem)
    }

    /// The clients of one owner in a part.
    pub(super) fn clients_of(&self, part: u8, owner: &str) -> String {
        format!("{}o:{{k{part:x}}}:{}", self.stem, escaped(owner))
    }

    /// The signing keys.
    #[cfg_attr(not(feature = "jwt"), expect(dead_code, reason = "only signed tokens have keys"))]
    pub(super) fn keys(&self) -> String {
        format!("{}keys", self.stem)
    }

    /// An index of one subject or client, or a part of it.
    pub(super) fn owned(&self, kind: char, tag: &[u8; 16], part: u8) -> String {
        format!("{}{kind}:{}:{part:x}", self.stem, URL_SAFE_NO_PAD.encode(tag))
    }

    /// A part of the index of all grants.
    pub(super) fn all(&self, part: u8) -> String {
        format!("{}a:{{{part:x}}}", self.stem)
    }

    /// The grants of a part by the time when a purge has to check them; in the same slot.
    pub(super) fn due(&self, part: u8) -> String {
        format!("{}d:{{{part:x}}}", self.stem)
    }
}

/// A user code's digest as a text.
pub(super) fn text(code: &UserCodeDigest) -> String {
    URL_SAFE_NO_PAD.encode(code.as_bytes())
}

/// Escapes the characters that have a meaning in a key; different texts stay different.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            _ => drop(write!(out, "%{byte:02x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_place_in_a_key() {
        let names = Names::new("my:app{x}");
        assert_eq!(names.grant(GrantId::new([0; 16])), "my%3aapp%7bx%7d::g:{AAAAAAAAAAAAAAAAAAAAAA}");
        assert_eq!(names.space("a:b").all(10), "my%3aapp%7bx%7d:a%3ab:a:{a}");
        assert_eq!(names.client(10, &ClientId::new("k{1}%ż")), "my%3aapp%7bx%7d::k:{ka}:k%7b1%7d%25%c5%bc");
        assert_ne!(names.space("").keys(), names.space("a").keys());
    }
}
