//! Scopes: they are sets, and no operation makes a token out of nothing.
//!
//! An input is two scopes, each on its line.
#![no_main]

use std::collections::BTreeSet;

use grantor::Scope;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (one, other) = text.split_once('\n').unwrap_or((text, ""));
    let (Some(one), Some(other)) = (parse(one), parse(other)) else { return };
    let (both, either) = (one.intersection(&other), one.union(&other));
    assert_eq!(set(&both), &set(&one) & &set(&other));
    assert_eq!(set(&either), &set(&one) | &set(&other));
    assert_eq!(one.is_subset(&other), set(&one).is_subset(&set(&other)));
    assert_eq!(one == other, set(&one) == set(&other));
    for token in one.iter() {
        let rest = one.without(token);
        assert!(rest.is_subset(&one) && !rest.contains(token) && one.contains(token));
        assert_eq!(rest.iter().count() + 1, one.iter().count());
    }
});

fn parse(text: &str) -> Option<Scope> {
    let scope = Scope::parse(text).ok()?;
    let tokens: BTreeSet<&str> = text.split(' ').filter(|token| !token.is_empty()).collect();
    assert_eq!(set(&scope), tokens, "each token, and once");
    assert_eq!(scope.iter().count(), tokens.len());
    assert_eq!(Scope::parse(scope.as_str()).expect("what was written can be read"), scope);
    let json = serde_json::to_string(&scope).expect("JSON");
    assert_eq!(serde_json::from_str::<Scope>(&json).expect("what was written can be read"), scope);
    Some(scope)
}

fn set(scope: &Scope) -> BTreeSet<&str> {
    scope.iter().collect()
}
