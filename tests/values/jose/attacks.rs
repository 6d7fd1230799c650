//! The attack table: every forged or odd token is refused, and for the right reason.

use grantor::jose::{Algorithm, JwkSet, Jws, JwsError, Signer as _, SigningKey, VerifyingKey};

use super::{b64, claims, forged, key, signed, trusted};

const PAYLOAD: &str = r#"{"sub":"ada"}"#;

fn outcome(token: &str, trusted: &[VerifyingKey]) -> Result<(), JwsError> {
    Jws::parse(token)?.verify(trusted).map(drop)
}

/// What becomes of a token of this header whose signature is right.
fn header(json: &str) -> Result<(), JwsError> {
    let key = key(Algorithm::EdDsa);
    outcome(&forged(&key, json, PAYLOAD), &trusted(&key))
}

#[test]
fn the_forger_of_these_tests_can_make_a_right_token() {
    assert_eq!(header(r#"{"alg":"EdDSA"}"#), Ok(()));
    assert_eq!(header(r#"{"alg":"Ed25519"}"#), Ok(()));
    assert_eq!(header(r#"{"alg":"EdDSA","x5t":"ignored","cty":"ignored"}"#), Ok(()));
}

#[test]
fn alg_none_is_refused_in_every_spelling() {
    for alg in ["none", "None", "NONE", "nOnE", "none ", " none", "none\\u0000", "\\u006eone", ""] {
        assert_eq!(header(&format!(r#"{{"alg":"{alg}"}}"#)), Err(JwsError::Algorithm), "{alg}");
    }
    assert_eq!(header("{}"), Err(JwsError::Algorithm));
    assert_eq!(header(r#"{"alg":null}"#), Err(JwsError::Algorithm));
    for alg in ["1", "[]", r#"["EdDSA"]"#, "{}", "true"] {
        assert_eq!(header(&format!(r#"{{"alg":{alg}}}"#)), Err(JwsError::NotAnObject), "{alg}");
    }
    let unsigned = format!("{}.{}.", b64(br#"{"alg":"none"}"#), b64(PAYLOAD.as_bytes()));
    assert_eq!(outcome(&unsigned, &[]), Err(JwsError::NotThreeParts));
}

#[test]
fn an_algorithm_has_one_spelling() {
    for alg in ["eddsa", "EDDSA", "ed25519", "EdDSA ", "HS256", "HS384", "HS512", "RS1", "ES256K", "dir"] {
        assert_eq!(header(&format!(r#"{{"alg":"{alg}"}}"#)), Err(JwsError::Algorithm), "{alg}");
    }
}

#[test]
fn hs256_with_the_public_key_is_refused() {
    let key = key(Algorithm::Rs256);
    let public = serde_json::to_vec(key.key()).unwrap();
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    header.kid = key.key().kid().map(str::to_owned);
    let secret = jsonwebtoken::EncodingKey::from_secret(&public);
    let token = jsonwebtoken::encode(&header, &claims(), &secret).unwrap();
    assert_eq!(outcome(&token, &trusted(&key)), Err(JwsError::Algorithm));
}

#[test]
fn a_header_that_brings_a_key_or_an_extension_is_refused() {
    for name in ["crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"] {
        for value in ["null", r#""https://evil.example""#, r#"["exp"]"#, "{}", "false"] {
            let json = format!(r#"{{"alg":"EdDSA","{name}":{value}}}"#);
            assert_eq!(header(&json), Err(JwsError::ForbiddenMember(name)), "{json}");
        }
    }
    assert_eq!(
        header(r#"{"alg":"EdDSA","\u006akujku":1,"\u006aku":1}"#),
        Err(JwsError::ForbiddenMember("jku"))
    );
}

#[test]
fn a_member_that_is_there_twice_is_refused() {
    for json in [
        r#"{"alg":"EdDSA","alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","\u0061lg":"none"}"#,
        r#"{"alg":"EdDSA","a":1,"a":1}"#,
        r#"{"alg":"EdDSA","a":{"b":1,"b":1}}"#,
    ] {
        assert_eq!(header(json), Err(JwsError::DuplicateMember), "{json}");
    }
    let key = key(Algorithm::EdDsa);
    for payload in [
        r#"{"sub":"ada","sub":"eve"}"#,
        r#"{"sub":"ada","s\u0075b":"eve"}"#,
        r#"{"sub":"ada","act":{"sub":"eve","s\u0075b":"bob"}}"#,
        r#"{"sub":"ada","authorization_details":[{"type":"payment","amount":"1","amount":"1000"}]}"#,
    ] {
        let token = forged(&key, r#"{"alg":"EdDSA"}"#, payload);
        assert_eq!(outcome(&token, &trusted(&key)), Err(JwsError::DuplicateMember), "{payload}");
    }
    // Each object has names of its own.
    let token = forged(&key, r#"{"alg":"EdDSA"}"#, r#"{"sub":"ada","act":{"sub":"eve"}}"#);
    assert_eq!(outcome(&token, &trusted(&key)), Ok(()));
}

#[test]
fn a_part_that_is_no_object_is_refused() {
    let key = key(Algorithm::EdDsa);
    for text in ["[]", "null", "7", r#""text""#, "", "{", r#"{"a":1}x"#, r#"{"a":1}{}"#, "\u{feff}{}"] {
        if !text.is_empty() {
            assert_eq!(header(text), Err(JwsError::NotAnObject), "{text}");
            let token = forged(&key, r#"{"alg":"EdDSA"}"#, text);
            assert_eq!(outcome(&token, &trusted(&key)), Err(JwsError::NotAnObject), "{text}");
        }
    }
    let not_utf8 = format!("{}.{}.AAAA", b64(br#"{"alg":"EdDSA"}"#), b64(b"{\"a\":\"\xff\"}"));
    assert_eq!(outcome(&not_utf8, &[]), Err(JwsError::NotAnObject));
    let deep =
        forged(&key, r#"{"alg":"EdDSA"}"#, &format!(r#"{{"a":{}{}}}"#, "[".repeat(5000), "]".repeat(5000)));
    let _no_overflow = outcome(&deep, &trusted(&key));
}

#[test]
fn no_prefix_of_a_token_and_no_changed_letter_is_accepted() {
    for algorithm in Algorithm::ALL.iter().copied() {
        let key = key(algorithm);
        let (token, trusted) = (signed(&key, &claims()), trusted(&key));
        assert_eq!(outcome(&token, &trusted), Ok(()));
        for end in 0..token.len() {
            assert!(outcome(&token[..end], &trusted).is_err(), "{algorithm}, the first {end} letters");
        }
        // One letter of every three: the rest would say the same and take longer.
        for at in (0..token.len()).step_by(3) {
            let swapped = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
            let changed = format!("{}{swapped}{}", &token[..at], &token[at + 1..]);
            assert!(outcome(&changed, &trusted).is_err(), "{algorithm}, letter {at}");
        }
        for odd in [format!("{token}="), format!("{token}.AA"), format!(" {token}"), format!("{token}\n")] {
            assert!(outcome(&odd, &trusted).is_err(), "{algorithm}");
        }
    }
}

#[test]
fn a_signature_has_one_spelling() {
    // The last letter of 64 bytes carries four bits that have to be zero.
    let key = key(Algorithm::EdDsa);
    let token = signed(&key, &claims());
    let (head, last) = token.split_at(token.len() - 1);
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let accepted = alphabet.chars().filter(|c| outcome(&format!("{head}{c}"), &trusted(&key)).is_ok());
    assert_eq!(accepted.collect::<String>(), last);
}

#[test]
fn a_token_that_is_too_long_is_refused_unread() {
    let key = key(Algorithm::EdDsa);
    let padding = |n: usize| forged(&key, r#"{"alg":"EdDSA"}"#, &format!(r#"{{"a":"{}"}}"#, "a".repeat(n)));
    assert_eq!(outcome(&padding(12_000), &trusted(&key)), Ok(()));
    assert_eq!(outcome(&padding(12_300), &trusted(&key)), Err(JwsError::TooLong));
    assert_eq!(outcome(&".".repeat(Jws::MAX_BYTES + 1), &[]), Err(JwsError::TooLong));
}

#[test]
fn three_parts_are_three_parts() {
    for token in ["", ".", "..", "a", "a.b", "a..c", ".b.c", "a.b.", "a.b.c.d", "e30.e30.e30.e30.e30"] {
        assert_eq!(outcome(token, &[]), Err(JwsError::NotThreeParts), "{token}");
    }
    assert_eq!(outcome("e+0.e30.e30", &[]), Err(JwsError::NotBase64Url));
    assert_eq!(outcome("é.e30.e30", &[]), Err(JwsError::NotBase64Url));
}

#[test]
fn a_key_is_chosen_by_its_name_and_its_algorithm() {
    // Three keys of one name: an attacker who may choose among them gains nothing.
    let named = |algorithm| key(algorithm).with_kid("k");
    let keys =
        [named(Algorithm::EdDsa), named(Algorithm::Es256), named(Algorithm::Rs256), named(Algorithm::EdDsa)];
    let set = JwkSet::new(keys.iter().map(|k| k.key().clone())).unwrap();
    let trusted = set.verifying_keys();
    for key in &keys {
        assert_eq!(outcome(&signed(key, &claims()), &trusted), Ok(()));
    }
    // The RSA key of the set is for RS256 and for nothing else.
    assert_eq!(outcome(&signed(&named(Algorithm::Ps256), &claims()), &trusted), Err(JwsError::UnknownKey));
    assert_eq!(outcome(&signed(&named(Algorithm::EdDsa), &claims()), &trusted), Err(JwsError::BadSignature));
    let stranger = SigningKey::generate(Algorithm::EdDsa).unwrap();
    assert_eq!(outcome(&signed(&stranger, &claims()), &trusted), Err(JwsError::UnknownKey));
}

#[test]
fn the_header_cannot_make_a_key_verify_another_algorithm() {
    for (own, claimed) in
        [(Algorithm::Rs256, "PS256"), (Algorithm::Ps256, "RS256"), (Algorithm::EdDsa, "ES256")]
    {
        let key = key(own);
        let token = forged(&key, &format!(r#"{{"alg":"{claimed}"}}"#), PAYLOAD);
        assert_eq!(outcome(&token, &trusted(&key)), Err(JwsError::UnknownKey));
    }
}

#[test]
fn a_typ_is_a_media_type() {
    let key = key(Algorithm::EdDsa);
    let typ = |typ: &str| {
        let token = forged(&key, &format!(r#"{{"alg":"EdDSA","typ":"{typ}"}}"#), PAYLOAD);
        Jws::parse(&token).unwrap().has_typ("at+jwt")
    };
    assert!(typ("at+jwt") && typ("AT+JWT") && typ("application/at+jwt") && typ("Application/at+JWT"));
    assert!(!typ("JWT") && !typ("") && !typ("application/") && !typ("text/at+jwt") && !typ("at+jwt "));
    assert!(!typ("ééééééééé"));
}

#[test]
fn an_error_holds_nothing_of_the_token() {
    let key = key(Algorithm::EdDsa);
    let token = forged(&key, r#"{"alg":"hunter2"}"#, PAYLOAD);
    let error = Jws::parse(&token).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    let token = forged(&key, r#"{"alg":"EdDSA"}"#, r#"{"sub":"hunter2"}"#);
    assert!(!format!("{:?}", Jws::parse(&token).unwrap()).contains("hunter2"));
}
