//! How long the proofs run.

/// The number of the ordinary run; that of the long one if `GRANTOR_LONG` is set.
pub fn rounds(ordinary: usize, long: usize) -> usize {
    if std::env::var_os("GRANTOR_LONG").is_some() { long } else { ordinary }
}
