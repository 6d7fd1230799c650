//! [`DistinguishedName`]: the name of a certificate's subject, from its text (RFC 4514) or from the
//! certificate, to be compared.

/// A distinguished name, with its parts in the order of the certificate: the text has the reverse order.
///
/// Two names are equal if they have the same parts in the same order (RFC 5280 section 7.1). Within a part,
/// the order of attributes does not matter; in a string, the case of ASCII letters and repeated spaces do not
/// matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DistinguishedName(Vec<Vec<Attribute>>);

/// A type, as a dotted number, and a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attribute {
    kind: String,
    value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    /// A string of any type, in comparable form.
    Text(String),
    /// The identifier octet and the content of anything else.
    Other(u8, Vec<u8>),
}

/// The longest text, in bytes.
const MAX_TEXT: usize = 1024;
/// The most parts of a name, and attributes of a part.
const MAX_PARTS: usize = 32;

/// RFC 4514 section 3, and the names of OpenSSL and RFC 4519 for attributes in certificates.
const KINDS: [(&str, &str); 27] = [
    ("CN", "2.5.4.3"),
    ("SN", "2.5.4.4"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("TITLE", "2.5.4.12"),
    ("BUSINESSCATEGORY", "2.5.4.15"),
    ("POSTALCODE", "2.5.4.17"),
    ("NAME", "2.5.4.41"),
    ("GIVENNAME", "2.5.4.42"),
    ("GN", "2.5.4.42"),
    ("INITIALS", "2.5.4.43"),
    ("GENERATIONQUALIFIER", "2.5.4.44"),
    ("DNQUALIFIER", "2.5.4.46"),
    ("PSEUDONYM", "2.5.4.65"),
    ("ORGANIZATIONIDENTIFIER", "2.5.4.97"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
    ("JURISDICTIONL", "1.3.6.1.4.1.311.60.2.1.1"),
    ("JURISDICTIONST", "1.3.6.1.4.1.311.60.2.1.2"),
    ("JURISDICTIONC", "1.3.6.1.4.1.311.60.2.1.3"),
    ("JURISDICTIONCOUNTRYNAME", "1.3.6.1.4.1.311.60.2.1.3"),
];

impl DistinguishedName {
    /// Parses a text. Spaces around `,`, `+` and `=` are ignored; quoted values (RFC 2253) are not supported.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let (mut parts, mut part, mut rest) = (Vec::new(), Vec::new(), text);
        loop {
            let (attribute, end, behind) = Attribute::parse(rest)?;
            part.push(attribute);
            if end != Some('+') {
                parts.push(std::mem::take(&mut part));
            }
            if parts.len() > MAX_PARTS || part.len() > MAX_PARTS {
                return None;
            }
            match end {
                Some(_) => rest = behind,
                None => break,
            }
        }
        parts.reverse();
        Some(Self::new(parts))
    }

    /// The name with these parts, in the order of the certificate.
    pub(crate) fn new(mut parts: Vec<Vec<Attribute>>) -> Self {
        parts.iter_mut().for_each(|part| part.sort_unstable());
        Self(parts)
    }
}

impl Attribute {
    /// An attribute of a certificate, from its type as a dotted number, and the identifier octet and the
    /// content of its value.
    #[cfg(any(feature = "mtls", test))]
    pub(crate) fn of_der(kind: String, identifier: u8, content: &[u8]) -> Self {
        Self { kind, value: Value::of_der(identifier, content) }
    }

    /// Parses `type=value`. Returns it with the `,` or `+` that ends it, and the rest of the text.
    fn parse(text: &str) -> Option<(Self, Option<char>, &str)> {
        let (name, rest) = text.split_once('=')?;
        let kind = kind(name.trim_matches(' '))?;
        let rest = rest.trim_start_matches(' ');
        if let Some(hex) = rest.strip_prefix('#') {
            let end = hex.find([',', '+']).unwrap_or(hex.len());
            let der = hex_bytes(hex[..end].trim_end_matches(' '))?;
            let (end, behind) = ended(&hex[end..]);
            return Some((Self { kind, value: Value::of_hex(&der)? }, end, behind));
        }
        let mut bytes = Vec::new();
        let mut characters = rest.char_indices();
        let behind = loop {
            match characters.next() {
                None => break "",
                Some((at, ',' | '+')) => break &rest[at..],
                Some((_, '"' | ';' | '<' | '>' | '\0')) => return None,
                Some((_, '\\')) => bytes.push(escaped(&mut characters)?),
                Some((_, plain)) => bytes.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        };
        let value = comparable(&String::from_utf8(bytes).ok()?)?;
        let (end, behind) = ended(behind);
        (!value.is_empty()).then_some((Self { kind, value: Value::Text(value) }, end, behind))
    }
}

const UTF8: u8 = 12;
const PRINTABLE: u8 = 19;
const IA5: u8 = 22;
const BMP: u8 = 30;

impl Value {
    fn of_der(identifier: u8, content: &[u8]) -> Self {
        let text = match identifier {
            UTF8 | PRINTABLE | IA5 => std::str::from_utf8(content).ok().and_then(comparable),
            BMP => bmp(content).as_deref().and_then(comparable),
            _ => None,
        };
        text.map_or_else(|| Self::Other(identifier, content.to_vec()), Self::Text)
    }

    /// A value that the text gives as DER; `MAX_TEXT` bounds its length.
    fn of_hex(der: &[u8]) -> Option<Self> {
        let (identifier, length, content) = match der {
            [identifier, length @ 0..=0x7F, content @ ..] => (*identifier, usize::from(*length), content),
            [identifier, 0x81, length @ 0x80..=0xFF, content @ ..] => {
                (*identifier, usize::from(*length), content)
            }
            [identifier, 0x82, high @ 1..=0xFF, low, content @ ..] => {
                (*identifier, usize::from(u16::from_be_bytes([*high, *low])), content)
            }
            _ => return None,
        };
        // A tag of several octets is not supported.
        let is_whole = length == content.len() && identifier & 0x1F != 0x1F;
        is_whole.then(|| Self::of_der(identifier, content))
    }
}

/// `\,`, or a byte as `\2C`.
fn escaped(characters: &mut std::str::CharIndices<'_>) -> Option<u8> {
    match characters.next()?.1 {
        special @ ('"' | '+' | ',' | ';' | '<' | '=' | '>' | '\\' | ' ' | '#') => u8::try_from(special).ok(),
        high => {
            let (high, low) = (high.to_digit(16)?, characters.next()?.1.to_digit(16)?);
            u8::try_from(high * 16 + low).ok()
        }
    }
}

fn ended(rest: &str) -> (Option<char>, &str) {
    let mut characters = rest.chars();
    (characters.next(), characters.as_str())
}

fn kind(name: &str) -> Option<String> {
    let is_number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    if name.contains('.') && name.split('.').all(is_number) {
        return Some(name.to_owned());
    }
    let known = KINDS.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
    known.map(|(_, number)| (*number).to_owned())
}

fn hex_bytes(hex: &str) -> Option<Vec<u8>> {
    if hex.is_empty() || !hex.len().is_multiple_of(2) || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

/// A string in comparable form. One with control characters is refused: a name with one at its end must not
/// equal the name without it.
fn comparable(text: &str) -> Option<String> {
    if text.chars().any(char::is_control) {
        return None;
    }
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    Some(words.join(" ").to_ascii_lowercase())
}

fn bmp(content: &[u8]) -> Option<String> {
    let (pairs, []) = content.as_chunks::<2>() else { return None };
    String::from_utf16(&pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect::<Vec<_>>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> DistinguishedName {
        DistinguishedName::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    /// The name of a certificate whose one attribute is a `CN` with this value.
    fn certified(identifier: u8, content: &[u8]) -> DistinguishedName {
        let attribute = Attribute::of_der("2.5.4.3".to_owned(), identifier, content);
        DistinguishedName::new(vec![vec![attribute]])
    }

    #[test]
    fn mt_03_a_name_has_many_spellings() {
        let name = parsed("CN=app,O=Example GmbH,C=DE");
        for same in [
            "cn=App,o=EXAMPLE GMBH,c=de",
            "CN = app, O = Example  GmbH , C = DE",
            "2.5.4.3=app,2.5.4.10=Example GmbH,2.5.4.6=DE",
            r"CN=\61pp,O=Example\20GmbH,C=DE",
            "CN=#0C03617070,O=Example GmbH,C=#13024445",
            "CN=#1E06006100700070,O=Example GmbH,C=DE",
        ] {
            assert_eq!(parsed(same), name, "{same}");
        }
        assert_eq!(parsed("OU=a+CN=b,C=DE"), parsed("CN=b+OU=a,C=DE"));
        assert_eq!(parsed(r"CN=M\C3\BCller\, Inc"), parsed("CN=Müller\\2C inc"));
    }

    #[test]
    fn mt_03_no_other_name_is_the_same() {
        let name = parsed("CN=app,O=Example,C=DE");
        for other in [
            "C=DE,O=Example,CN=app",
            "CN=app,O=Example",
            "CN=app,O=Example,C=DE,C=DE",
            "O=Example,CN=app,C=DE",
            "CN=app+O=Example,C=DE",
            r"CN=app\,O=Example,C=DE",
            "CN=app,O=Example,ST=DE",
            "CN=app.,O=Example,C=DE",
            "CN=аpp,O=Example,C=DE",
            "CN=ap p,O=Example,C=DE",
            "CN=#0403617070,O=Example,C=DE",
        ] {
            assert_ne!(parsed(other), name, "{other}");
        }
        assert_ne!(certified(UTF8, b"app\0.evil"), parsed("CN=app"));
        assert_eq!(certified(UTF8, b" aPP "), parsed("CN=app"));
    }

    #[test]
    fn mt_03_a_value_in_hexadecimal_is_the_one_of_the_certificate() {
        const T61: u8 = 20;
        let tele = parsed("CN=#140474656C65");
        assert_eq!(certified(T61, b"tele"), tele);
        for other in [&b"\x04tele"[..], b"Tele", b"tel", b""] {
            assert_ne!(certified(T61, other), tele, "{other:?}");
        }
        assert_ne!(certified(0x80 | T61, b"tele"), tele, "another class");
        assert_ne!(certified(UTF8, b"tele"), tele);
        assert_eq!(certified(UTF8, b"a\0"), parsed("CN=#0C026100"));
        for (length, prefix) in [(127, "7F"), (128, "8180"), (255, "81FF"), (256, "820100")] {
            let hex = "61".repeat(length);
            let long = parsed(&format!("CN=#14{prefix}{hex}"));
            assert_eq!(certified(T61, "a".repeat(length).as_bytes()), long, "{length}");
            assert_eq!(
                parsed(&format!("CN=#0C{prefix}{hex}")),
                parsed(&format!("CN={}", "a".repeat(length)))
            );
        }
    }

    #[test]
    fn mt_03_what_is_no_name_is_not_read() {
        let long = format!("CN={}", "a".repeat(MAX_TEXT));
        let many = vec!["CN=a"; MAX_PARTS + 1].join(",");
        for bad in [
            "",
            "app",
            "CN",
            "CN=",
            "=app",
            "CN=app,",
            ",CN=app",
            "CN=app,,C=DE",
            "CN=app+",
            "XX=app",
            "1..2=a",
            "CN=\"app\"",
            "CN=a;C=DE",
            "CN=<a>",
            r"CN=a\",
            r"CN=a\zz",
            r"CN=\FF",
            "CN=#",
            "CN=#0C0",
            "CN=#0C05617070",
            "CN=#0C8103617070",
            "CN=#0C8003617070",
            "CN=#1F03617070",
            "CN=#0g",
            "CN=a\0",
            "CN=a\nb",
            "01.2=a",
            &long,
            &many,
        ] {
            assert_eq!(DistinguishedName::parse(bad), None, "{bad:.40}");
        }
    }
}
