//! [`Mistakes`]: everything that is wrong with a configuration, at once.

use std::error::Error;
use std::fmt;

/// All mistakes, each a sentence that says what to do. `Debug` prints the sentences, too, because that is
/// what `main` and `unwrap` show.
#[derive(Clone, PartialEq, Eq)]
pub struct Mistakes<E>(pub(crate) Vec<E>);

impl<E> Mistakes<E> {
    /// The mistakes, at least one.
    #[must_use]
    pub fn all(&self) -> &[E] {
        &self.0
    }
}

impl<E: fmt::Display> fmt::Display for Mistakes<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if n == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl<E: fmt::Display> fmt::Debug for Mistakes<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<E: fmt::Display> Error for Mistakes<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_main_prints_are_the_sentences() {
        let mistakes = Mistakes(vec!["the issuer must be https", "two endpoints have one path"]);
        assert_eq!(mistakes.to_string(), "the issuer must be https; two endpoints have one path");
        assert_eq!(format!("{mistakes:?}"), mistakes.to_string());
    }
}
