//! Scope: a set of case-sensitive tokens (RFC 6749 section 3.3).

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::thread_copies::{ThreadCopies, rough_hash};
use super::value_error::ValueError;

thread_local! {
    static COPIES: RefCell<ThreadCopies<Scope>> = const { RefCell::new(ThreadCopies::new()) };
}

/// The most tokens of a scope.
pub const MAX_SCOPE_TOKENS: usize = 128;

/// A set of scope tokens. The order does not matter; a repeated token counts once.
///
/// ```
/// use grantor::Scope;
/// let asked = Scope::parse("write read write")?;
/// assert_eq!(asked, Scope::parse("read write")?);
/// assert!(Scope::parse("read")?.is_subset(&asked));
/// # Ok::<(), grantor::ValueError>(())
/// ```
#[derive(Clone, Default)]
pub struct Scope(Option<Arc<str>>);

impl Scope {
    /// The scope with no token.
    #[must_use]
    pub const fn empty() -> Self {
        Self(None)
    }

    /// Reads tokens separated by spaces.
    ///
    /// # Errors
    /// [`ValueError::Scope`] on a character outside of `%x21 / %x23-5B / %x5D-7E`, or too many tokens.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        if !text.bytes().all(|b| b == b' ' || is_of_token(b)) {
            return Err(ValueError::Scope);
        }
        match is_canonical(text) {
            true => Ok(Self(Some(text.into()))),
            false => Self::collect(text.split(' ').filter(|t| !t.is_empty())),
        }
    }

    /// The set of these tokens.
    ///
    /// # Errors
    /// [`ValueError::Scope`] if one is empty or is not a single token, or there are too many.
    pub(crate) fn of_tokens<T: AsRef<str>>(tokens: &[T]) -> Result<Self, ValueError> {
        match tokens.iter().all(|token| Self::is_token(token.as_ref())) {
            true => Self::collect(tokens.iter().map(AsRef::as_ref)),
            false => Err(ValueError::Scope),
        }
    }

    /// Whether a text is one token (RFC 6749 section 3.3).
    pub(crate) fn is_token(text: &str) -> bool {
        !text.is_empty() && text.bytes().all(is_of_token)
    }

    /// The tokens, in the order in which they were first named.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let tokens = self.0.as_deref().map(|text| text.split(' '));
        tokens.into_iter().flatten()
    }

    /// Whether this token is in the set.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        // Over bytes, which for texts this short is several times as fast as a search for a character.
        let mut tokens = self.as_str().as_bytes().split(|byte| *byte == b' ');
        !token.is_empty() && tokens.any(|own| own == token.as_bytes())
    }

    /// Whether every token of this scope is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Scope) -> bool {
        self.is_same_text(other) || self.iter().all(|t| other.contains(t))
    }

    /// The tokens that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Scope) -> Self {
        // Equal scopes share one text.
        if self.is_same_text(other) {
            return other.shared();
        }
        self.filtered(|token| other.contains(token))
    }

    /// The tokens that are in either. It can have more tokens than a request may name.
    #[must_use]
    pub fn union(&self, other: &Scope) -> Self {
        let new = other.iter().filter(|token| !self.contains(token));
        let all: Vec<&str> = self.iter().chain(new).collect();
        Self::join(&all)
    }

    /// All tokens but this one.
    #[must_use]
    pub fn without(&self, token: &str) -> Self {
        self.filtered(|own| own != token)
    }

    /// The tokens that satisfy a predicate; shares the text if all do.
    pub(crate) fn filtered(&self, holds: impl Fn(&str) -> bool) -> Self {
        match self.iter().all(&holds) {
            true => self.shared(),
            false => Self::join(&self.iter().filter(|token| holds(token)).collect::<Vec<_>>()),
        }
    }

    /// Whether no token is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The tokens, separated by single spaces.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    fn collect<'a>(tokens: impl Iterator<Item = &'a str>) -> Result<Self, ValueError> {
        let mut seen: Vec<&str> = Vec::with_capacity(8);
        for token in tokens {
            if !seen.contains(&token) {
                seen.push(token);
            }
            if seen.len() > MAX_SCOPE_TOKENS {
                return Err(ValueError::Scope);
            }
        }
        Ok(Self::join(&seen))
    }

    fn join(tokens: &[&str]) -> Self {
        match tokens {
            [] => Self(None),
            [one] => Self(Some(Arc::from(*one))),
            many => Self(Some(Arc::from(many.join(" ")))),
        }
    }

    /// The same scope, whose text only the requests of this thread share.
    fn shared(&self) -> Self {
        let find = |copies: &mut ThreadCopies<Self>| {
            let hash = rough_hash(self.as_str());
            let slot = copies.slot(hash);
            if let Some(copy) = slot.copy.as_ref().filter(|copy| copy.is_same_text(self)) {
                return copy.clone();
            }
            match slot.wants(hash) {
                true => slot.copy.insert(self.apart()).clone(),
                false => self.clone(),
            }
        };
        // A thread that ends has no copies any more.
        COPIES.try_with(|copies| find(&mut copies.borrow_mut())).unwrap_or_else(|_| self.clone())
    }

    /// A copy that shares nothing.
    pub(crate) fn apart(&self) -> Self {
        Self(self.0.as_deref().map(Arc::from))
    }

    pub(crate) fn is_same_text(&self, other: &Scope) -> bool {
        self.as_str() == other.as_str()
    }
}

/// RFC 6749 section 3.3.
fn is_of_token(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}

/// Whether a text is already in the form of [`Scope::as_str`]: not too many tokens, each once, separated by
/// single spaces.
fn is_canonical(text: &str) -> bool {
    const FEW: usize = 8;
    let tokens = || text.split(' ');
    tokens().nth(FEW).is_none()
        && tokens().enumerate().all(|(at, token)| !token.is_empty() && !tokens().take(at).any(|t| t == token))
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.is_same_text(other) || (self.is_subset(other) && other.is_subset(self))
    }
}
impl Eq for Scope {}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({:?})", self.as_str())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).map_err(|_| serde::de::Error::custom("not a scope"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    #[test]
    fn it_is_a_set() {
        assert_eq!(scope("a b"), scope("b  a b"));
        assert_ne!(scope("a b"), scope("a"));
        assert_ne!(scope("a"), scope("A"));
        assert_eq!(scope(" "), Scope::empty());
    }

    #[test]
    fn narrowing_keeps_only_what_both_have() {
        assert_eq!(scope("a b c").intersection(&scope("c a d")), scope("a c"));
        assert!(scope("").is_subset(&scope("")));
        assert!(!scope("a").is_subset(&scope("")));
    }

    #[test]
    fn a_union_has_each_token_once() {
        assert_eq!(scope("a b").union(&scope("b c")), scope("a b c"));
        assert_eq!(scope("").union(&scope("b")), scope("b"));
        assert_eq!((scope("a b").without("a"), scope("a").without("a")), (scope("b"), Scope::empty()));
    }

    #[test]
    fn equal_parts_share_one_text_within_a_thread() {
        let all = scope("thread-copies a b");
        let parts: Vec<Scope> = (0..4).map(|_| scope("thread-copies a b").intersection(&all)).collect();
        let text = |part: &Scope| part.as_str().as_ptr();
        assert_eq!((text(&parts[2]), text(&parts[3])), (text(&parts[1]), text(&parts[1])));
        let elsewhere = std::thread::spawn(move || {
            let shared: Vec<Scope> = (0..4).map(|_| all.filtered(|_| true)).collect();
            assert_ne!(text(&shared[3]), text(&all));
            shared
        });
        assert_ne!(text(&elsewhere.join().unwrap()[3]), text(&parts[3]));
    }

    #[test]
    fn illegal_characters_are_refused() {
        for bad in ["a\tb", "a\"b", "a\\b", "a\0", "é", "a\nb"] {
            assert_eq!(Scope::parse(bad), Err(ValueError::Scope), "{bad:?}");
        }
    }

    #[test]
    fn the_number_of_tokens_has_a_cap() {
        let many: Vec<String> = (0..=MAX_SCOPE_TOKENS).map(|n| n.to_string()).collect();
        assert_eq!(Scope::parse(&many.join(" ")), Err(ValueError::Scope));
    }
}
