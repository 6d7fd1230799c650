//! The client certificate of a request, if the host's own proxy ends TLS. Independent of frameworks.
//!
//! The proxy writes the certificate into a header field. Anyone else can also write that field, so it is read
//! only from listed peers, and the proxy must remove the field from its client's request.

use std::borrow::Cow;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::TrustedProxies;
use crate::http::Certificate;

/// The longest field that is read, in bytes: a certificate of 16 KiB with every character of its PEM escaped.
const MAX_FIELD: usize = 72 * 1024;

/// How a proxy forwards the client certificate of its connection.
///
/// **A wrong list of proxies lets anyone impersonate any client.** List the addresses of the proxies, and
/// configure each to set the field and to remove it from its client's request. [`TrustedProxies::hops`] lists
/// no addresses, so with it nothing is read.
///
/// ```
/// use std::net::IpAddr;
/// use grantor::adapter::{ForwardedCertificates, TrustedProxies};
///
/// let proxies = TrustedProxies::networks(["127.0.0.1"])?;
/// let certificates = ForwardedCertificates::rfc9440(proxies);
/// let (proxy, stranger) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([192, 0, 2, 1]));
/// let read = |peer| certificates.read(peer, |name| if name == "client-cert" { vec![":MAA=:"] } else { vec![] });
/// assert_eq!(read(proxy)?.unwrap().der(), b"\x30\x00");
/// assert!(read(stranger).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ForwardedCertificates {
    proxies: TrustedProxies,
    form: Form,
    field: Cow<'static, str>,
    chain: Chain,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// A byte sequence of RFC 8941.
    Bytes,
    /// PEM, percent-encoded.
    EscapedPem,
    /// Base64 of DER.
    Base64,
    /// `Cert="…"` with escaped PEM, among other pairs.
    Envoy,
}

/// Who checked the chain.
#[derive(Clone, Debug)]
enum Chain {
    Unchecked,
    Checked,
    /// The proxy says so with this value in this field.
    Said(Cow<'static, str>, Cow<'static, str>),
}

/// Why a field is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ForwardedCertificateError {
    /// The peer is not a listed proxy: the sender forged the field. Ignore it, and log it.
    #[error("the client certificate field comes from a peer that is not a trusted proxy")]
    NotFromProxy,
    /// The field is repeated, or holds several certificates.
    #[error("the client certificate field is repeated")]
    Repeated,
    /// The field is not a certificate in the configured format.
    #[error("the client certificate field is malformed")]
    Malformed,
}

impl ForwardedCertificates {
    /// `Client-Cert: :MIIC…:` (RFC 9440 section 2.2).
    #[must_use]
    pub fn rfc9440(proxies: TrustedProxies) -> Self {
        Self::new(proxies, Form::Bytes, "client-cert")
    }

    /// The certificate as escaped PEM, as nginx has it: `proxy_set_header X-SSL-Client-Cert
    /// $ssl_client_escaped_cert;`.
    #[must_use]
    pub fn nginx(proxies: TrustedProxies, field: impl Into<Cow<'static, str>>) -> Self {
        Self::new(proxies, Form::EscapedPem, field)
    }

    /// The certificate as base64 of its DER, as HAProxy has it: `http-request set-header X-SSL-Client-Cert
    /// %[ssl_c_der,base64]`.
    #[must_use]
    pub fn haproxy(proxies: TrustedProxies, field: impl Into<Cow<'static, str>>) -> Self {
        Self::new(proxies, Form::Base64, field)
    }

    /// `x-forwarded-client-cert` with `Cert`, as Envoy writes it under `forward_client_cert_details:
    /// SANITIZE_SET`.
    #[must_use]
    pub fn envoy(proxies: TrustedProxies) -> Self {
        Self::new(proxies, Form::Envoy, "x-forwarded-client-cert")
    }

    fn new(proxies: TrustedProxies, form: Form, field: impl Into<Cow<'static, str>>) -> Self {
        Self { proxies, form, field: lower_case(field), chain: Chain::Unchecked }
    }

    /// The proxy forwards only certificates whose chain it verified: nginx with `ssl_verify_client on`,
    /// HAProxy with `verify required`. Without this, its certificates cannot be used for `tls_client_auth`.
    #[must_use]
    pub fn chain_is_verified(self) -> Self {
        Self { chain: Chain::Checked, ..self }
    }

    /// The proxy reports a verified chain with this value in this field: nginx with `SUCCESS` and
    /// `proxy_set_header X-SSL-Client-Verify $ssl_client_verify;`, HAProxy with `0` and `http-request
    /// set-header X-SSL-Client-Verify %[ssl_c_verify]`.
    #[must_use]
    pub fn chain_is_verified_where(
        self,
        field: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { chain: Chain::Said(lower_case(field), value.into()), ..self }
    }

    /// Whether this peer is one of the proxies.
    pub(super) fn is_proxy(&self, peer: IpAddr) -> bool {
        self.proxies.lists(peer)
    }

    /// The certificate of a request: `peer` is the address of the connection, and `fields` has the values of
    /// every field with a name (in lower case), in the order in which they were sent. They are untrusted.
    /// `None` if the proxy's client presented no certificate.
    ///
    /// # Errors
    /// See [`ForwardedCertificateError`]. Treat [`NotFromProxy`](ForwardedCertificateError::NotFromProxy) as
    /// a request without a certificate; answer the others with 400.
    pub fn read<'a>(
        &self,
        peer: IpAddr,
        fields: impl Fn(&str) -> Vec<&'a str>,
    ) -> Result<Option<Certificate>, ForwardedCertificateError> {
        let sent = fields(&self.field);
        if sent.is_empty() {
            return Ok(None);
        }
        if !self.is_proxy(peer) {
            return Err(ForwardedCertificateError::NotFromProxy);
        }
        let [field] = sent[..] else { return Err(ForwardedCertificateError::Repeated) };
        // nginx and HAProxy write this if there is no certificate.
        if field.is_empty() || field == "-" {
            return Ok(None);
        }
        let der = self.form.read(field)?;
        let certificate = Certificate::from_der(der);
        let is_verified = match &self.chain {
            Chain::Unchecked => false,
            Chain::Checked => true,
            Chain::Said(name, value) => match fields(name)[..] {
                [said] => said == value,
                [] => false,
                _ => return Err(ForwardedCertificateError::Repeated),
            },
        };
        Ok(Some(if is_verified { certificate.with_verified_chain() } else { certificate }))
    }
}

fn lower_case(name: impl Into<Cow<'static, str>>) -> Cow<'static, str> {
    name.into().to_ascii_lowercase().into()
}

impl Form {
    fn read(self, field: &str) -> Result<Vec<u8>, ForwardedCertificateError> {
        use ForwardedCertificateError::Malformed;
        if field.len() > MAX_FIELD {
            return Err(Malformed);
        }
        let der = match self {
            Self::Bytes => {
                let inner = field.strip_prefix(':').and_then(|rest| rest.strip_suffix(':'));
                decode(inner.ok_or(Malformed)?)
            }
            Self::Base64 => decode(field),
            Self::EscapedPem => der_of_pem(&percent_decoded(field).ok_or(Malformed)?),
            Self::Envoy => {
                let escaped = certificate_of_envoy(field)?.ok_or(Malformed)?;
                der_of_pem(&percent_decoded(escaped).ok_or(Malformed)?)
            }
        };
        der.filter(|der| is_one_sequence(der)).ok_or(Malformed)
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Whether these bytes are one DER sequence from end to end, and no longer than a certificate may be.
fn is_one_sequence(der: &[u8]) -> bool {
    let Some((0x30, rest)) = der.split_first().map(|(tag, rest)| (*tag, rest)) else { return false };
    let Some((first, rest)) = rest.split_first() else { return false };
    let length = match *first {
        short @ 0..=0x7F => Some((usize::from(short), rest)),
        0x81 => rest.split_first().map(|(a, rest)| (usize::from(*a), rest)),
        0x82 => rest.split_first_chunk().map(|(ab, rest)| (u16::from_be_bytes(*ab).into(), rest)),
        _ => None,
    };
    der.len() <= Certificate::MAX_BYTES && length.is_some_and(|(length, rest)| length == rest.len())
}

/// The only certificate of a PEM text (RFC 7468), with nothing before or after it.
fn der_of_pem(pem: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(pem).ok()?.trim_ascii();
    let body = text.strip_prefix("-----BEGIN CERTIFICATE-----")?.strip_suffix("-----END CERTIFICATE-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    decode(&body)
}

/// Decodes percent escapes; a `+` is literal.
fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            plain => plain,
        };
        decoded.push(byte);
    }
    Some(decoded)
}

/// The value of the one `Cert` in `By=…;Hash=…;Cert="…";Subject="…"`. Two elements would be two hops, and it
/// would be unclear which of them is the client.
fn certificate_of_envoy(field: &str) -> Result<Option<&str>, ForwardedCertificateError> {
    let mut found = None;
    let mut rest = field;
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=').ok_or(ForwardedCertificateError::Malformed)?;
        let (value, behind) = match behind.strip_prefix('"') {
            None => behind.split_at(behind.find([';', ',']).unwrap_or(behind.len())),
            Some(quoted) => {
                let end = end_of_quoted(quoted).ok_or(ForwardedCertificateError::Malformed)?;
                (&quoted[..end], &quoted[end + 1..])
            }
        };
        if name.trim().eq_ignore_ascii_case("cert") && found.replace(value).is_some() {
            return Err(ForwardedCertificateError::Repeated);
        }
        rest = match behind.chars().next() {
            None => "",
            Some(';') => &behind[1..],
            Some(',') => return Err(ForwardedCertificateError::Repeated),
            Some(_) => return Err(ForwardedCertificateError::Malformed),
        };
    }
    Ok(found)
}

/// The position of the closing quote; a backslash escapes the next character.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut characters = text.char_indices();
    loop {
        match characters.next()? {
            (at, '"') => return Some(at),
            (_, '\\') => drop(characters.next()?),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DER: &[u8] = b"\x30\x03abc";

    fn proxies() -> TrustedProxies {
        TrustedProxies::networks(["127.0.0.1", "10.0.0.0/8"]).unwrap()
    }

    const ENVOY: &str = "x-forwarded-client-cert";

    type Read = Result<Option<Certificate>, ForwardedCertificateError>;

    fn read(rule: &ForwardedCertificates, peer: &str, sent: &[(&str, &str)]) -> Read {
        let fields = |name: &str| sent.iter().filter(|(n, _)| *n == name).map(|(_, value)| *value).collect();
        rule.read(peer.parse().unwrap(), fields)
    }

    fn pem() -> String {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(DER))
    }

    fn escaped() -> String {
        pem().bytes().map(|b| format!("%{b:02X}")).collect()
    }

    /// Each form, its field, and one certificate in it.
    fn forms() -> Vec<(ForwardedCertificates, &'static str, String)> {
        vec![
            (ForwardedCertificates::rfc9440(proxies()), "client-cert", format!(":{}:", STANDARD.encode(DER))),
            (ForwardedCertificates::nginx(proxies(), "X-Cert"), "x-cert", escaped()),
            (ForwardedCertificates::haproxy(proxies(), "x-cert"), "x-cert", STANDARD.encode(DER)),
            (
                ForwardedCertificates::envoy(proxies()),
                "x-forwarded-client-cert",
                format!("By=spiffe://a;Hash=00;Cert=\"{}\";Subject=\"CN=a,O=\\\"b\\\"\";URI=", escaped()),
            ),
        ]
    }

    #[test]
    fn mt_02_each_form_is_read_from_listed_peers_only() {
        for (rule, field, value) in forms() {
            let found = read(&rule, "127.0.0.1", &[(field, &value)]).unwrap().unwrap();
            assert_eq!((found.der(), found.has_verified_chain()), (DER, false), "{field}");
            assert!(read(&rule, "::ffff:10.1.2.3", &[(field, &value)]).unwrap().is_some());
            for stranger in ["192.0.2.1", "::1", "11.0.0.1"] {
                let forged = read(&rule, stranger, &[(field, &value)]);
                assert_eq!(forged, Err(ForwardedCertificateError::NotFromProxy), "{stranger}");
            }
            assert_eq!(read(&rule, "127.0.0.1", &[]), Ok(None));
            assert_eq!(read(&rule, "127.0.0.1", &[(field, "")]), Ok(None), "what nginx sends without one");
        }
    }

    #[test]
    fn mt_02_duplicates_are_refused() {
        for (rule, field, value) in forms() {
            let twice = read(&rule, "127.0.0.1", &[(field, &value), (field, &value)]);
            assert_eq!(twice, Err(ForwardedCertificateError::Repeated), "{field}");
            let empty_first = read(&rule, "127.0.0.1", &[(field, ""), (field, &value)]);
            assert_eq!(empty_first, Err(ForwardedCertificateError::Repeated), "{field}");
        }
        let envoy = ForwardedCertificates::envoy(proxies());
        let (one, cert) = ("x-forwarded-client-cert", escaped());
        for several in [
            format!("Cert=\"{cert}\",Cert=\"{cert}\""),
            format!("Cert=\"{cert}\";Cert=\"{cert}\""),
            format!("Hash=1,Cert={cert}"),
        ] {
            let read = read(&envoy, "127.0.0.1", &[(one, &several)]);
            assert_eq!(read, Err(ForwardedCertificateError::Repeated), "{several}");
        }
    }

    #[test]
    fn mt_02_a_field_of_another_form_is_malformed() {
        // Envoy's field has other parts beside the certificate, so it is below.
        for (rule, field, value) in forms().into_iter().filter(|(_, field, _)| *field != ENVOY) {
            let bad = [
                "x".to_owned(),
                format!("{value};a=b"),
                format!("{value} {value}"),
                format!("{value},{value}x"),
                value.replace("30", "%3"),
                value[..value.len() - 2].to_owned(),
                value.repeat(20_000),
            ];
            for bad in bad.iter().filter(|bad| **bad != value) {
                let read = read(&rule, "127.0.0.1", &[(field, bad)]);
                assert!(read.is_err(), "{field}: {bad:.80}");
            }
        }
        let (envoy, cert) = (ForwardedCertificates::envoy(proxies()), escaped());
        for bad in [
            "Hash=00;URI=x".to_owned(),
            "Cert=x".to_owned(),
            "Cert=\"%3\"".to_owned(),
            format!("Cert=\"{}\"", &cert[..cert.len() - 9]),
            format!("Cert=\"{cert}"),
            format!("Cert={}", STANDARD.encode(DER)),
            format!("Cert=\"{}\"", cert.repeat(20_000)),
        ] {
            let read = read(&envoy, "127.0.0.1", &[(ENVOY, &bad)]);
            assert_eq!(read, Err(ForwardedCertificateError::Malformed), "{bad:.80}");
        }
        let rule = ForwardedCertificates::haproxy(proxies(), "x");
        for der in [&b""[..], b"\x30", b"\x31\x00", b"\x30\x01", b"\x30\x00x", b"\x30\x80\x00\x00"] {
            let read = read(&rule, "127.0.0.1", &[("x", &format!("{}=", STANDARD.encode(der)))]);
            assert_eq!(read, Err(ForwardedCertificateError::Malformed), "{der:?}");
        }
    }

    #[test]
    fn mt_02_the_chain_is_verified_where_the_proxy_says_so() {
        let value = STANDARD.encode(DER);
        let plain = ForwardedCertificates::haproxy(proxies(), "x-cert");
        let always = plain.clone().chain_is_verified();
        let said = plain.clone().chain_is_verified_where("X-Verify", "SUCCESS");
        let verified = |rule: &ForwardedCertificates, verify: &[&str]| {
            let mut sent = vec![("x-cert", value.as_str())];
            sent.extend(verify.iter().map(|value| ("x-verify", *value)));
            read(rule, "127.0.0.1", &sent).map(|found| found.is_some_and(|found| found.has_verified_chain()))
        };
        assert_eq!(verified(&plain, &["SUCCESS"]), Ok(false));
        assert_eq!(verified(&always, &[]), Ok(true));
        assert_eq!(verified(&said, &["SUCCESS"]), Ok(true));
        for no in [&[][..], &["NONE"], &["FAILED:self-signed certificate"], &["success"], &["SUCCESS "]] {
            assert_eq!(verified(&said, no), Ok(false), "{no:?}");
        }
        let twice = verified(&said, &["FAILED", "SUCCESS"]);
        assert_eq!(twice, Err(ForwardedCertificateError::Repeated));
    }
}
