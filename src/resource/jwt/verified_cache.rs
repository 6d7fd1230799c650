//! [`VerifiedTokenCache`]: recently verified tokens.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::claims::Validity;
use crate::base::Digest;
use crate::resource::Access;
use crate::signing::Claims;

/// A verified token, with everything that must be checked again at its next use.
#[derive(Clone)]
pub(super) struct VerifiedToken {
    /// Its access, at the resource that accepted it.
    pub(super) access: Access,
    pub(super) validity: Validity,
    /// The key that signed it.
    pub(super) key: Digest,
}

/// Verified tokens by their digests; the tokens themselves are not kept.
///
/// An entry needs a valid signature, so strangers cannot evict others. Each shard has two halves: a used
/// entry moves to the young half, and when that is full, the old half is dropped.
pub(super) struct VerifiedTokenCache {
    shards: Box<[Mutex<Shard>]>,
    /// The capacity of half a shard, in KiB.
    half: usize,
}

#[derive(Default)]
struct Shard {
    young: Half,
    old: Half,
    /// The size of the young half, in KiB.
    filled: usize,
}

type Half = HashMap<TokenDigest, VerifiedToken>;

/// SHA-256 over a whole token, its signature included.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub(super) fn of(token: &str) -> Self {
        Self(*Digest::of("grantor:passed-token:v1", token.as_bytes()).expose())
    }
}

/// The maximum size of a shard, in KiB: small enough to be freed quickly.
const SHARD_KIB: usize = 512;

impl VerifiedTokenCache {
    /// Room for this many KiB.
    pub(super) fn with_limit(kib: usize) -> Self {
        let shards = kib.div_ceil(SHARD_KIB).max(1);
        let half = (kib / shards / 2).max(1);
        Self { shards: (0..shards).map(|_| Mutex::default()).collect(), half }
    }

    pub(super) fn find(&self, token: &TokenDigest) -> Option<VerifiedToken> {
        // Declared before the lock, so freed after it.
        let _gone;
        let mut shard = self.shard(token);
        if let Some(passed) = shard.young.get(token) {
            return Some(passed.clone());
        }
        let passed = shard.old.remove(token)?;
        _gone = shard.insert(*token, passed.clone(), self.half);
        Some(passed)
    }

    pub(super) fn insert(&self, token: TokenDigest, passed: VerifiedToken) {
        let _gone = self.shard(&token).insert(token, passed, self.half);
    }

    fn shard(&self, token: &TokenDigest) -> MutexGuard<'_, Shard> {
        let [first, second, ..] = token.0;
        let at = usize::from(u16::from_be_bytes([first, second])) % self.shards.len();
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    /// Dropped entries are returned to the caller, to be freed after the lock.
    fn insert(&mut self, token: TokenDigest, passed: VerifiedToken, half: usize) -> Half {
        let size = passed.kib();
        if size > half {
            return Half::new();
        }
        let gone = match self.filled + size > half {
            true => {
                self.filled = 0;
                mem::replace(&mut self.old, mem::take(&mut self.young))
            }
            false => Half::new(),
        };
        if self.young.insert(token, passed).is_none() {
            self.filled += size;
        }
        gone
    }
}

impl VerifiedToken {
    /// Roughly how much memory it takes, in KiB.
    fn kib(&self) -> usize {
        self.access.claims().map_or(0, heap).div_ceil(1024).max(1)
    }
}

/// Roughly how many bytes of heap the claims of an entry take; some are stored twice.
fn heap(claims: &Claims) -> usize {
    let Claims { iss, sub, aud, client_id, jti, scope, acr, extra, .. } = claims;
    let texts = [iss, sub, sub, aud, aud, client_id, client_id, jti, scope.as_str()];
    let text: usize = texts.iter().map(|text| text.len()).sum();
    640 + text + acr.as_deref().map_or(0, str::len) + members(extra)
}

/// A growing array may have room for twice its items; a map allocates nodes of eleven entries.
fn members(map: &serde_json::Map<String, Value>) -> usize {
    let members = map.iter().map(|(name, value)| 112 + name.len() + of_value(value));
    if map.is_empty() { 0 } else { 640 + members.sum::<usize>() }
}

fn of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| 64 + of_value(item)).sum(),
        Value::Object(map) => members(map),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::claims::required;
    use super::*;
    use crate::base::ResourceId;
    use serde_json::json;

    fn passed(extra: Value) -> VerifiedToken {
        let mut claims = json!({
            "iss": "https://as.example", "sub": "alice", "sub_type": "user", "aud": "https://api.example",
            "client_id": "app", "iat": 0, "exp": 600, "jti": "a",
        });
        claims["extra"] = extra;
        let wire = serde_json::from_value(claims.clone()).unwrap();
        let resource = ResourceId::parse("https://api.example").unwrap();
        let access = Access::of_claims(serde_json::from_value(claims).unwrap(), &resource);
        VerifiedToken { access, validity: required(&wire).unwrap().validity, key: Digest::of("test", b"") }
    }

    fn name(n: usize) -> TokenDigest {
        TokenDigest::of(&n.to_string())
    }

    /// How many of the first `n` tokens are cached. Does not use `get`, which would move them to the young
    /// half.
    fn held(tokens: &VerifiedTokenCache, n: usize) -> usize {
        let holds = |n: &usize| {
            let shard = tokens.shard(&name(*n));
            shard.young.contains_key(&name(*n)) || shard.old.contains_key(&name(*n))
        };
        (0..n).filter(holds).count()
    }

    #[test]
    fn no_more_are_held_than_there_is_room_for() {
        let small = passed(Value::Null);
        for limit in [2, 64, 512, 1_000, 5_000] {
            let tokens = VerifiedTokenCache::with_limit(limit);
            (0..limit * 3).for_each(|n| tokens.insert(name(n), small.clone()));
            let held = held(&tokens, limit * 3);
            assert!((limit / 3..=limit).contains(&held), "{held} of {limit}");
        }
    }

    #[test]
    fn one_with_large_claims_counts_for_several() {
        let (tokens, large) = (VerifiedTokenCache::with_limit(100), passed(json!("x".repeat(9_000))));
        (0..200).for_each(|n| tokens.insert(name(n), large.clone()));
        let large = held(&tokens, 200);
        assert!((3..=10).contains(&large), "{large}");
        let huge = json!(vec![json!({}); 2_000]);
        tokens.insert(name(1_000), passed(huge));
        assert!(tokens.find(&name(1_000)).is_none(), "one that fills more than half is not held at all");
    }

    #[test]
    fn one_that_is_asked_for_again_stays() {
        let tokens = VerifiedTokenCache::with_limit(100);
        tokens.insert(name(0), passed(Value::Null));
        for n in 1..1_000 {
            tokens.insert(name(n), passed(Value::Null));
            assert!(tokens.find(&name(0)).is_some(), "after {n} others");
        }
    }

    #[test]
    fn the_same_token_again_takes_no_more_room() {
        let tokens = VerifiedTokenCache::with_limit(100);
        (0..40).for_each(|n| tokens.insert(name(n), passed(Value::Null)));
        (0..1_000).for_each(|_| tokens.insert(name(0), passed(Value::Null)));
        assert_eq!(held(&tokens, 40), 40);
    }
}
