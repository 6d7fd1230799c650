//! Handles: each has only one spelling, and is of one kind.
#![no_main]

use grantor::grant::{Handle, Kind, Prefixes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let prefixes = Prefixes::default();
    let read = |kind: &Kind| Handle::parse(text, *kind, &prefixes).map(|handle| (*kind, handle));
    let mut read = Kind::ALL.iter().filter_map(read);
    if let Some((kind, handle)) = read.next() {
        assert_eq!(handle.into_text(kind, &prefixes), text);
        assert!(read.next().is_none(), "a handle of two kinds");
    }
    let _ = text.parse::<grantor::GrantId>().inspect(|id| assert_eq!(id.to_string(), text));
});
