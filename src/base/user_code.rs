//! User codes: short enough to be typed, and valid only while their grant waits.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::secret::{Digest, Secret};

/// Letters that do not look alike and form no words (RFC 8628 section 6.1).
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

const LETTERS: usize = 8;

/// A device's user code: 8 of 20 letters, 25.6 billion codes. Its `Display` is the text that people see,
/// `WDJB-MJHT`; its `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UserCode([u8; LETTERS]);

impl UserCode {
    /// The code derived from a random secret. With 256 bits, the bias is below 2^-90, so no rejection
    /// sampling is needed.
    pub(crate) fn of(drawn: &Secret) -> Self {
        let mut number = drawn.bytes().first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes));
        Self([(); LETTERS].map(|()| {
            let letter = ALPHABET[(number % ALPHABET.len() as u128) as usize];
            number /= ALPHABET.len() as u128;
            letter
        }))
    }

    /// Reads what a person typed, in upper, lower or full-width letters. Everything that is not a letter or a
    /// digit is ignored (RFC 8628 section 6.1). `None` if it is not a code.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        let mut letters = [0; LETTERS];
        let mut read = 0;
        for c in typed.chars().filter(|c| c.is_alphanumeric()) {
            let letter = narrow(c)?.to_ascii_uppercase();
            *letters.get_mut(read).filter(|_| ALPHABET.contains(&letter))? = letter;
            read += 1;
        }
        (read == LETTERS).then_some(Self(letters))
    }

    /// The stored digest.
    #[must_use]
    pub fn digest(&self) -> UserCodeDigest {
        UserCodeDigest::of(&self.0.map(char::from).iter().collect::<String>())
    }
}

/// A letter of ASCII, also in the full width of East Asian input methods.
fn narrow(c: char) -> Option<u8> {
    let code = match c {
        '\u{FF21}'..='\u{FF3A}' | '\u{FF41}'..='\u{FF5A}' => u32::from(c) - 0xFEE0,
        _ => u32::from(c),
    };
    u8::try_from(code).ok()
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, letter) in self.0.iter().enumerate() {
            let dash = if at == LETTERS / 2 { "-" } else { "" };
            write!(f, "{dash}{}", char::from(*letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(..)")
    }
}

/// The digest of a device user code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserCodeDigest(Digest);

impl Hash for UserCodeDigest {
    fn hash<H: Hasher>(&self, to: &mut H) {
        self.0.expose().hash(to);
    }
}

impl UserCodeDigest {
    /// The digest of a user code in its canonical spelling.
    #[must_use]
    pub fn of(code: &str) -> Self {
        Self(Digest::of("grantor:user-code:v1", code.as_bytes()))
    }

    /// The bytes, for a store's unique index.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_shown_and_as_people_type_it() {
        let code = UserCode::of(&Secret::new([0x9C; 32]));
        let shown = code.to_string();
        let bare = shown.replace('-', "");
        assert_eq!(shown.len(), 9);
        for typed in [
            shown.clone(),
            bare.clone(),
            bare.to_lowercase(),
            format!("  {} \u{2013} {}\t", &bare[..4], &bare[4..]),
            bare.chars().flat_map(|c| [c, '-']).collect(),
            format!("\u{feff}{}\u{2212}{}\u{200b}.", &bare[..4], &bare[4..]),
            format!("({}_{})", &bare[..4], &bare[4..]),
            bare.chars().filter_map(|c| char::from_u32(u32::from(c) + 0xFEE0)).collect(),
            bare.to_lowercase().chars().filter_map(|c| char::from_u32(u32::from(c) + 0xFEE0)).collect(),
        ] {
            assert_eq!(UserCode::parse(&typed), Some(code), "{typed}");
        }
    }

    #[test]
    fn what_has_other_letters_or_another_length_is_no_code() {
        for typed in [
            "",
            "-",
            "BCDF-GHJ",
            "BCDF-GHJK-L",
            "BCDF-GHJA",
            "BCDF-GHJ1",
            "BCDFGHJ\u{212a}",
            "BCDFGHJ\u{41d}",
        ] {
            assert_eq!(UserCode::parse(typed), None, "{typed}");
        }
    }

    #[test]
    fn every_letter_is_as_likely_as_any_other_at_every_place() {
        let mut seen = [[0_u32; 20]; LETTERS];
        for n in 0..20_000_u32 {
            let drawn = Secret::new(*Digest::of("drawn", &n.to_be_bytes()).expose());
            for (place, letter) in UserCode::of(&drawn).0.iter().enumerate() {
                seen[place][ALPHABET.iter().position(|l| l == letter).unwrap()] += 1;
            }
        }
        // The expected count is 1000, and six standard deviations are 185.
        assert!(seen.iter().flatten().all(|times| (815..=1185).contains(times)), "{seen:?}");
    }
}
