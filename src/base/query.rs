//! Encodes parameters as a form, and adds them to a URI.

use form_urlencoded::byte_serialize;

/// Appends these parameters to the query of a URI, which must have no fragment.
pub(crate) fn with_parameters<'a>(
    uri: &str,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let joint = if uri.contains('?') { '&' } else { '?' };
    behind(uri, joint, parameters)
}

/// Appends the parameters to the URI, after this character.
pub(crate) fn behind<'a>(
    uri: &str,
    joint: char,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut joined = String::with_capacity(uri.len() + 256);
    joined.push_str(uri);
    for (at, (name, value)) in parameters.into_iter().enumerate() {
        joined.push(if at == 0 { joint } else { '&' });
        append_pair(&mut joined, name, value);
    }
    joined
}

/// The parameters as `application/x-www-form-urlencoded`.
pub(crate) fn form<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut form = String::with_capacity(256);
    for (name, value) in parameters {
        if !form.is_empty() {
            form.push('&');
        }
        append_pair(&mut form, name, value);
    }
    form
}

fn append_pair(to: &mut String, name: &str, value: &str) {
    append(to, name);
    to.push('=');
    append(to, value);
}

/// Most values are codes and tokens, which need no encoding.
fn append(to: &mut String, text: &str) {
    match text.bytes().all(|byte| IS_PLAIN[usize::from(byte)]) {
        true => to.push_str(text),
        false => to.extend(byte_serialize(text.as_bytes())),
    }
}

/// The bytes that `application/x-www-form-urlencoded` leaves as they are.
const IS_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = matches!(byte as u8, b'*' | b'-' | b'.' | b'_') || (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bytes_that_the_encoding_leaves_are_plain() {
        for byte in 0..=u8::MAX {
            let encoded: String = byte_serialize(&[byte]).collect();
            assert_eq!(IS_PLAIN[usize::from(byte)], encoded.as_bytes() == [byte], "{byte}");
        }
    }

    #[test]
    fn a_form_is_encoded_as_the_standard_says() {
        let pairs =
            [("scope", "read write"), ("state", "a+b&c=%"), ("nonce", "n-0S6_Wz.A*"), ("name", "Åsa")];
        let standard = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        assert_eq!(form(pairs), standard);
        assert_eq!(form([]), "");
    }

    #[test]
    fn parameters_follow_those_that_are_there() {
        let pairs = [("a", "1 2"), ("b", "&")];
        assert_eq!(with_parameters("https://x.example/cb", pairs), "https://x.example/cb?a=1+2&b=%26");
        assert_eq!(
            with_parameters("https://x.example/cb?c=3", pairs),
            "https://x.example/cb?c=3&a=1+2&b=%26"
        );
    }
}
