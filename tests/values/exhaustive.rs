//! Every case within small bounds: redirect URIs, PKCE and handles.

use grantor::base::pkce::{CodeChallenge, CodeVerifier};
use grantor::base::redirect_uri::RedirectUri;
use grantor::grant::{Handle, Kind, Prefixes};
use grantor::{GrantId, base::Secret};

use crate::support::{CHALLENGE, Fixture, VERIFIER, code_query};

/// A URI in pieces, so that two can be compared without reading their texts.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pieces {
    scheme: &'static str,
    host: &'static str,
    port: &'static str,
    path: &'static str,
}

impl Pieces {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for scheme in ["http", "https", "HTTP", "com.example.app"] {
            for host in ["127.0.0.1", "[::1]", "localhost", "LOCALHOST", "127.0.0.2", "app.example"] {
                for port in ["", ":", ":0", ":8080", ":08080", ":65535", ":65536", ":x"] {
                    for path in ["", "/", "/cb", "/cb/", "/CB", "?a", "/cb?a"] {
                        all.push(Self { scheme, host, port, path });
                    }
                }
            }
        }
        all
    }

    fn text(self) -> String {
        let Self { scheme, host, port, path } = self;
        format!("{scheme}://{host}{port}{path}")
    }

    /// RFC 8252 section 7.3: any port of a loopback address matches, with plain http.
    fn covers(self, asked: Self, localhost_any_port: bool) -> bool {
        let hosts = ["127.0.0.1", "[::1]"];
        let is_loopback = hosts.contains(&self.host) || (localhost_any_port && self.host == "localhost");
        let has_port = |of: Self| !matches!(of.port, ":" | ":65536" | ":x");
        let but_for_the_port = Self { port: asked.port, ..self } == asked;
        let any_port = self.scheme == "http" && is_loopback && has_port(self) && has_port(asked);
        self == asked || (any_port && but_for_the_port)
    }
}

#[test]
fn a_redirect_uri_covers_itself_and_of_a_loopback_address_each_port() {
    let all: Vec<(Pieces, String)> =
        Pieces::all().into_iter().map(|pieces| (pieces, pieces.text())).collect();
    let mut covered = 0;
    for (pieces, text) in &all {
        let Ok(registered) = RedirectUri::register(text) else { continue };
        for localhost_any_port in [false, true] {
            for (asked, asked_text) in &all {
                let found = registered.covers(asked_text, localhost_any_port);
                let expected = pieces.covers(*asked, localhost_any_port).then_some(asked_text.as_str());
                let found = found.as_ref().map(RedirectUri::as_str);
                assert_eq!(found, expected, "{text}, {asked_text}, {localhost_any_port}");
                covered += usize::from(found.is_some());
            }
        }
    }
    assert!(covered > 1_000, "{covered}");
}

/// All ASCII characters.
fn ascii() -> impl Iterator<Item = char> {
    (0..=0x7F_u8).map(char::from)
}

/// The text with another character at this place.
fn with(text: &str, place: usize, other: char) -> String {
    text.chars().enumerate().map(|(n, c)| if n == place { other } else { c }).collect()
}

#[test]
fn only_its_verifier_fits_a_challenge() {
    let challenge = CodeChallenge::parse(CHALLENGE).unwrap();
    assert!(challenge.accepts(&CodeVerifier::parse(VERIFIER).unwrap()));
    for (place, right) in VERIFIER.chars().enumerate() {
        for other in ascii().filter(|other| *other != right) {
            let is_unreserved = other.is_ascii_alphanumeric() || "-._~".contains(other);
            let verifier = CodeVerifier::parse(&with(VERIFIER, place, other));
            assert_eq!(verifier.is_ok(), is_unreserved, "{other:?} at {place}");
            assert!(!verifier.is_ok_and(|verifier| challenge.accepts(&verifier)), "{other:?} at {place}");
        }
    }
    for length in 0..=200 {
        let verifier = CodeVerifier::parse(&"a".repeat(length));
        assert_eq!(verifier.is_ok(), (43..=128).contains(&length), "{length}");
        assert!(!verifier.is_ok_and(|verifier| challenge.accepts(&verifier)), "{length}");
    }
}

#[test]
fn only_its_challenge_fits_a_verifier() {
    let verifier = CodeVerifier::parse(VERIFIER).unwrap();
    for (place, right) in CHALLENGE.chars().enumerate() {
        for other in ascii().filter(|other| *other != right) {
            let challenge = CodeChallenge::parse(&with(CHALLENGE, place, other));
            assert!(!challenge.is_ok_and(|challenge| challenge.accepts(&verifier)), "{other:?} at {place}");
        }
    }
    for length in (0..=100).filter(|length| *length != 43) {
        assert!(CodeChallenge::parse(&"A".repeat(length)).is_err(), "{length}");
    }
}

#[tokio::test]
async fn a_challenge_of_the_method_plain_gets_no_code() {
    let fixture = Fixture::new();
    for (method, is_known) in
        [("S256", true), ("plain", false), ("PLAIN", false), ("s256", false), ("S512", false), ("", false)]
    {
        for challenge in [CHALLENGE, VERIFIER] {
            let mut query = code_query("pub", "read");
            query.retain(|(name, _)| !name.starts_with("code_challenge"));
            query.push(("code_challenge", challenge));
            query.extend((!method.is_empty()).then_some(("code_challenge_method", method)));
            let answer = fixture.approve(&query).await;
            let code = answer.location_parameter("code");
            assert_eq!(code.is_some(), is_known, "{method:?}");
            let error = answer.location_parameter("error");
            assert_eq!(error.as_deref(), (!is_known).then_some("invalid_request"), "{method:?}");
            // With the method `plain` this verifier would match.
            if let Some(code) = code.filter(|_| challenge == VERIFIER) {
                let answer = fixture.redeem("pub", &code).await;
                assert_eq!(answer.error(), (400, "invalid_grant".to_owned()));
            }
        }
    }
}

/// The parts of a handle, with the digest of its secret, which is never shown.
fn parsed(text: &str, kind: Kind) -> Option<(GrantId, String)> {
    let handle = Handle::parse(text, kind, &Prefixes::default())?;
    let digest = serde_json::to_string(&handle.secret.digest("test")).unwrap();
    Some((handle.grant, digest))
}

#[test]
fn a_handle_with_any_other_character_is_another_handle_or_none() {
    for kind in Kind::ALL {
        let handle = Handle::new(GrantId::new([0x5A; 16]), Secret::new([0xC3; 32]));
        let text = handle.into_text(*kind, &Prefixes::default());
        let right = parsed(&text, *kind).unwrap();
        let prefix = text.find('_').unwrap() + 1;
        let mut others = 0;
        for (place, own) in text.chars().enumerate() {
            for other in ascii().chain(['é', '\u{10FFFF}']).filter(|other| *other != own) {
                let changed = with(&text, place, other);
                let found = parsed(&changed, *kind);
                assert_ne!(found.as_ref(), Some(&right), "{changed:?}");
                let is_base64url = other.is_ascii_alphanumeric() || "-_".contains(other);
                assert_eq!(found.is_some(), place >= prefix && is_base64url, "{changed:?}");
                others += usize::from(found.is_some());
            }
        }
        assert_eq!(others, 64 * 63);
    }
}

#[test]
fn a_handle_that_is_cut_or_made_longer_anywhere_is_none() {
    for kind in Kind::ALL {
        let handle = Handle::new(GrantId::new([0x5A; 16]), Secret::new([0xC3; 32]));
        let text = handle.into_text(*kind, &Prefixes::default());
        for place in 0..=text.len() {
            let (head, tail) = text.split_at(place);
            for other in ascii().chain(['é']) {
                assert!(parsed(&format!("{head}{other}{tail}"), *kind).is_none(), "{other:?} at {place}");
            }
            for cut in tail.char_indices().map(|(at, c)| at + c.len_utf8()) {
                let rest = format!("{head}{}", &tail[cut..]);
                assert!(parsed(&rest, *kind).is_none(), "{rest:?}");
            }
        }
        for other in Kind::ALL.iter().filter(|other| *other != kind) {
            assert!(parsed(&text, *other).is_none(), "{kind:?} as {other:?}");
        }
    }
}
