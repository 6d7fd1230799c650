//! The name of a client in its certificate: RFC 8705 section 2.1.

use grantor::client::{AuthMethod, CertificateSubjectError, ClientBuilder, ClientError};
use grantor::error::CertificateFlaw as Flaw;
use grantor::{Client, ClientMetadata, Reason};
use rcgen::string::TeletexString;
use rcgen::{CertificateParams, DnType, DnValue, SanType};
use serde_json::json;

use super::mutual_tls::{Bench, by_name, client, refused};
use crate::support::certificates::named;
use crate::support::{CALLBACK, SECRET};

/// Certificates that have each kind of name.
fn rich() -> CertificateParams {
    let mut params = named("rich");
    let text = |name: &str| name.try_into().unwrap();
    params.subject_alt_names = vec![
        SanType::DnsName(text("client.example")),
        SanType::DnsName(text("*.wild.example")),
        SanType::URI(text("spiffe://example/Client")),
        SanType::Rfc822Name(text("Client@mail.example")),
        SanType::IpAddress([192, 0, 2, 1].into()),
        SanType::IpAddress("2001:db8::1".parse().unwrap()),
    ];
    params
}

#[tokio::test]
async fn mt_03_the_one_registered_name_is_compared() {
    let cases = [
        ("subject_dn", "CN=rich,O=Example,C=DE", true),
        ("subject_dn", "cn = Rich, o=example, c=de", true),
        ("subject_dn", "C=DE,O=Example,CN=rich", false),
        ("subject_dn", "CN=rich", false),
        ("subject_dn", "CN=client.example", false),
        ("san_dns", "client.example", true),
        ("san_dns", "CLIENT.example", true),
        ("san_dns", "lient.example", false),
        ("san_dns", "client.example.evil", false),
        ("san_dns", "a.wild.example", false),
        ("san_dns", "rich", false),
        ("san_uri", "spiffe://example/Client", true),
        ("san_uri", "spiffe://example/client", false),
        ("san_uri", "spiffe://example/Client/x", false),
        ("san_email", "Client@MAIL.example", true),
        ("san_email", "client@mail.example", false),
        ("san_email", "Client@mail.example.evil", false),
        ("san_ip", "192.0.2.1", true),
        ("san_ip", "2001:DB8:0::1", true),
        ("san_ip", "192.0.2.2", false),
        ("san_ip", "::ffff:192.0.2.1", false),
    ];
    let made = cases
        .iter()
        .enumerate()
        .map(|(n, (member, name, _))| by_name(&n.to_string(), &format!("tls_client_auth_{member}"), name));
    let made: Vec<Client> = made.collect();
    let bench = Bench::with(|_| made);
    let shown = bench.authority.issue(&rich()).verified();
    for (n, (member, name, is_right)) in cases.into_iter().enumerate() {
        let answer = bench.asks(&n.to_string(), Some(shown.clone())).await;
        assert_eq!(answer.status() == 200, is_right, "{member} {name}");
        if !is_right {
            assert_eq!(bench.reason(), Some(Reason::ClientCertificate(Flaw::SubjectWrong)), "{name}");
        }
    }
}

#[tokio::test]
async fn mt_03_a_value_in_hexadecimal_is_compared_by_its_type_and_content() {
    let bench = Bench::with(|_| vec![by_name("hex", "tls_client_auth_subject_dn", "CN=#140474656C65")]);
    for (name, is_right) in [("tele", true), ("Tele", false)] {
        let mut params = CertificateParams::default();
        let name = TeletexString::try_from(name).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, DnValue::TeletexString(name));
        let answer = bench.asks("hex", Some(bench.authority.issue(&params).verified())).await;
        assert_eq!(answer.status() == 200, is_right, "{}", answer.json());
    }
}

#[tokio::test]
async fn ca_24_no_trick_makes_one_name_of_another() {
    let bench = Bench::with(|_| vec![by_name("dns", "tls_client_auth_san_dns", "client.example")]);
    let subject = |parts: &[(DnType, DnValue)]| {
        let mut params = named("x");
        params.distinguished_name = rcgen::DistinguishedName::new();
        parts.iter().for_each(|(kind, value)| params.distinguished_name.push(kind.clone(), value.clone()));
        params
    };
    let utf8 = |text: &str| DnValue::Utf8String(text.to_owned());
    let (c, o, cn) = (DnType::CountryName, DnType::OrganizationName, DnType::CommonName);
    let same = subject(&[(c.clone(), utf8("DE")), (o.clone(), utf8("Example")), (cn.clone(), utf8("pki"))]);
    assert_eq!(bench.asks("pki", Some(bench.authority.issue(&same).verified())).await.status(), 200);
    for tricky in [
        subject(&[(c.clone(), utf8("DE")), (cn.clone(), utf8("pki,O=Example"))]),
        subject(&[(cn.clone(), utf8("pki,O=Example,C=DE"))]),
        subject(&[(c.clone(), utf8("DE")), (o.clone(), utf8("Example")), (cn.clone(), utf8("pki\0.evil"))]),
        subject(&[(cn.clone(), utf8("pki")), (o.clone(), utf8("Example")), (c.clone(), utf8("DE"))]),
        subject(&[(c.clone(), utf8("DE")), (o.clone(), utf8("Example")), (cn.clone(), utf8("рki"))]),
        subject(&[
            (c, utf8("DE")),
            (o, utf8("Example")),
            (cn.clone(), utf8("pki")),
            (DnType::OrganizationalUnitName, utf8("x")),
        ]),
        subject(&[(cn, utf8("client.example"))]),
        subject(&[]),
    ] {
        let shown = bench.authority.issue(&tricky).verified();
        for id in ["pki", "dns"] {
            assert_eq!(bench.asks(id, Some(shown.clone())).await.error(), refused());
        }
    }
}

#[test]
fn ca_24_exactly_one_name_is_registered() {
    let errors = |builder: ClientBuilder| builder.build().unwrap_err().all().to_vec();
    let pki = || client("x", AuthMethod::TlsClientAuth);
    assert_eq!(errors(pki()), [ClientError::CertificateSubjectMissing]);
    let several = serde_json::from_value::<ClientMetadata>(json!({
        "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": "CN=a", "tls_client_auth_san_dns": "a.example",
    }));
    assert_eq!(
        errors(Client::builder("x").metadata(several.unwrap())),
        [ClientError::CertificateSubject(CertificateSubjectError::Several)]
    );
    let malformed = errors(pki().certificate_subject_dn("a"));
    assert_eq!(malformed, [ClientError::CertificateSubject(CertificateSubjectError::Malformed)]);
    assert_eq!(errors(client("x", AuthMethod::SelfSignedTlsClientAuth)), [ClientError::KeysMissing]);
    assert_eq!(errors(pki().certificate_subject_dn("CN=a").secret(SECRET)), [ClientError::KeysAndSecret]);
    let built = pki().certificate_subject_dn("CN=a").build().unwrap();
    assert!(built.is_confidential());
    assert_eq!(Client::decode(&built.encode()).unwrap(), built);
}
