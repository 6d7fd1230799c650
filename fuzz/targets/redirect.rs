//! Redirect URIs: what is covered leads to the same place as what was registered.
//!
//! An input is a line that was registered, a line that is asked for, and a third if any port of `localhost`
//! will do.
#![no_main]

use grantor::base::redirect_uri::RedirectUri;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let mut lines = input.splitn(3, '\n');
    let (Some(registered), Some(asked)) = (lines.next(), lines.next()) else { return };
    let localhost = lines.next().is_some();
    let _ = RedirectUri::register(asked).inspect(|uri| assert_eq!(uri.as_str(), asked));
    let Ok(uri) = RedirectUri::register(registered) else { return };
    let scheme = registered.split(':').next().unwrap_or_default().to_ascii_lowercase();
    assert!(scheme == "https" || scheme == "http" || scheme.contains('.'));
    assert!(registered.bytes().all(|b| b.is_ascii_graphic()), "no control character reaches a header");
    assert!(!uri.host().is_empty() && uri.covers(registered, localhost).is_some());
    let Some(covered) = uri.covers(asked, localhost) else { return };
    assert_eq!(covered.as_str(), asked);
    if asked == registered {
        return;
    }
    // Only a port of a loopback address was left out or put in.
    assert_eq!(without_port(registered), without_port(asked));
    let host = without_port(asked).0;
    assert!(["127.0.0.1", "[::1]"].contains(&host) || (localhost && host == "localhost"), "{host}");
    assert!(RedirectUri::register(asked).is_ok(), "what is covered could be registered");
});

/// Host and rest of `http://host[:port]rest`, without the crate's parser.
fn without_port(uri: &str) -> (&str, &str) {
    let rest = uri.strip_prefix("http://").expect("only plain http has a loopback port");
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, rest),
        _ => (authority, rest),
    }
}
