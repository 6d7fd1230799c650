//! `[tls]`: https that this server serves itself; and `[forwarded_certificates]`: how a proxy in front passes
//! on client certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::HeaderName;
use grantor::adapter::axum::TlsListener;
use grantor::adapter::{CertificateRequest, ForwardedCertificates, TrustedProxies, server_config};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use serde::Deserialize;
use tokio::net::TcpListener;
use toml::Table;

use crate::config::Config;
use crate::toml_reader::Reader;

/// `[tls]`
pub(crate) struct Tls {
    /// The certificate chain, which starts with this server's certificate (PEM).
    certificate: PathBuf,
    /// Its private key (PEM).
    key: PathBuf,
    client_certificates: Asked,
    /// The authorities whose certificates are accepted for `tls_client_auth` (PEM).
    client_authorities: Option<PathBuf>,
}

/// Whether clients are asked for certificates.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Asked {
    #[default]
    Off,
    Optional,
    Required,
}

impl Config {
    /// Whether certificates of clients reach this server: over its own TLS, or from a proxy.
    pub(crate) fn takes_certificates(&self) -> bool {
        self.tls.as_ref().is_some_and(Tls::asks) || self.forwarded_certificates.is_some()
    }

    /// Whether this server, or a proxy, verifies the chains of those certificates.
    pub(crate) fn verifies_chains(&self) -> bool {
        let here = self.tls.as_ref().is_some_and(|tls| tls.client_authorities.is_some());
        here || self.forwarded_certificates.as_ref().is_some_and(|of| of.verified_field.is_some())
    }
}

/// The parts of a TLS listener.
pub(crate) struct TlsServer {
    config: Arc<ServerConfig>,
    clients: Option<CertificateRequest>,
}

impl Tls {
    /// Resolves the relative paths of the files against this folder.
    pub(crate) fn in_folder(&mut self, folder: &Path) {
        let files = [Some(&mut self.certificate), Some(&mut self.key), self.client_authorities.as_mut()];
        files.into_iter().flatten().for_each(|file| *file = folder.join(&*file));
    }

    /// Whether this server's own TLS requests client certificates.
    fn asks(&self) -> bool {
        self.client_certificates != Asked::Off
    }

    pub(crate) fn mistakes(&self, issuer: Option<&str>) -> Vec<String> {
        let is_http = issuer.is_some_and(|issuer| issuer.starts_with("http://"));
        let found = [
            is_http.then_some("issuer: with [tls] it must be https"),
            (self.client_authorities.is_some() && !self.asks())
                .then_some("tls.client_authorities: with client_certificates = \"off\" no client is asked for a certificate; set \"optional\" or \"required\""),
        ];
        found.into_iter().flatten().map(str::to_owned).collect()
    }

    /// Reads the files.
    ///
    /// # Errors
    /// One line: a file that cannot be read, or a key that does not match the certificate.
    pub(crate) fn open(&self) -> Result<TlsServer, String> {
        let clients = match self.client_certificates {
            Asked::Off => None,
            Asked::Optional => Some(CertificateRequest::optional()),
            Asked::Required => Some(CertificateRequest::required()),
        };
        let clients = match (clients, &self.client_authorities) {
            (Some(clients), Some(path)) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(path)? {
                    roots.add(root).map_err(|error| in_file(path, &error))?;
                }
                Some(clients.authorities(roots).map_err(|error| in_file(path, &error))?)
            }
            (clients, _) => clients,
        };
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| in_file(&self.key, &error))?;
        let config = server_config(chain, key, clients.as_ref())
            .map_err(|error| in_file(&self.certificate, &error))?;
        Ok(TlsServer { config: Arc::new(config), clients })
    }
}

impl TlsServer {
    pub(crate) fn listener(self, tcp: TcpListener) -> TlsListener {
        let listener = TlsListener::new(tcp, self.config);
        match self.clients {
            Some(clients) => listener.client_certificates(clients),
            None => listener,
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, pem::Error>>);
    let read = read.map_err(|error| in_file(path, &error))?;
    if read.is_empty() { Err(in_file(path, &"no certificate in PEM")) } else { Ok(read) }
}

fn in_file(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("tls: {}: {error}", path.display())
}

/// `[forwarded_certificates]`
#[derive(Clone)]
pub(crate) struct Forwarded {
    form: FieldForm,
    /// The header of nginx or HAProxy, whose name is configurable there.
    field: Option<String>,
    /// The header where the proxy says whether it verified the chain.
    verified_field: Option<String>,
    verified_value: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FieldForm {
    Rfc9440,
    Nginx,
    Haproxy,
    Envoy,
}

impl Forwarded {
    pub(crate) fn rule(&self, proxies: TrustedProxies) -> ForwardedCertificates {
        let field = self.field.clone().unwrap_or_default();
        let rule = match self.form {
            FieldForm::Rfc9440 => ForwardedCertificates::rfc9440(proxies),
            FieldForm::Nginx => ForwardedCertificates::nginx(proxies, field),
            FieldForm::Haproxy => ForwardedCertificates::haproxy(proxies, field),
            FieldForm::Envoy => ForwardedCertificates::envoy(proxies),
        };
        match (&self.verified_field, &self.verified_value) {
            (Some(field), Some(value)) => rule.chain_is_verified_where(field.clone(), value.clone()),
            _ => rule,
        }
    }

    fn mistakes(&self, has_proxies: bool) -> Vec<String> {
        let wants_field = matches!(self.form, FieldForm::Nginx | FieldForm::Haproxy);
        let fields = [("field", &self.field), ("verified_field", &self.verified_field)];
        let fields = fields.into_iter().filter_map(|(key, name)| Some((key, name.as_ref()?)));
        let unfit = fields.filter(|(_, name)| HeaderName::try_from(name.as_str()).is_err());
        let unfit = unfit.map(|(key, name)| format!("{key}: {name:?} is not the name of a header field"));
        let found = [
            (!has_proxies).then_some("trusted_proxies must list the proxies that send them"),
            (wants_field && self.field.is_none())
                .then_some("field must name the header field, such as \"x-ssl-client-cert\""),
            (!wants_field && self.field.is_some()).then_some("field: this form has its own, so leave it out"),
            (self.verified_field.is_some() != self.verified_value.is_some())
                .then_some("verified_field and verified_value go together"),
        ];
        let found = found.into_iter().flatten().map(str::to_owned).chain(unfit);
        found.map(|mistake| format!("forwarded_certificates: {mistake}")).collect()
    }
}

impl Reader {
    pub(crate) fn tls(&mut self, file: &mut Table) -> Option<Tls> {
        const PLACE: &str = "tls";
        let mut table: Table = self.take(file, PLACE)?;
        let certificate = self.must(&mut table, PLACE, "certificate");
        let key = self.must(&mut table, PLACE, "key");
        let before = self.mistakes.len();
        let client_certificates = self.may(&mut table, PLACE, "client_certificates").unwrap_or_default();
        let client_authorities = self.may(&mut table, PLACE, "client_authorities");
        let is_known = self.mistakes.len() == before;
        self.nothing_left(&table, PLACE, "certificate, key, client_certificates, client_authorities");
        let tls = Tls { certificate: certificate?, key: key?, client_certificates, client_authorities };
        Some(tls).filter(|_| is_known)
    }

    pub(crate) fn forwarded_certificates(
        &mut self,
        file: &mut Table,
        has_proxies: bool,
    ) -> Option<Forwarded> {
        const PLACE: &str = "forwarded_certificates";
        let mut table: Table = self.take(file, PLACE)?;
        let before = self.mistakes.len();
        let form = self.must(&mut table, PLACE, "form");
        let mut text = |key| self.may(&mut table, PLACE, key);
        let (field, verified_field) = (text("field"), text("verified_field"));
        let verified_value = text("verified_value");
        let is_known = self.mistakes.len() == before;
        self.nothing_left(&table, PLACE, "form, field, verified_field, verified_value");
        let forwarded = Forwarded { form: form?, field, verified_field, verified_value };
        if is_known {
            self.mistakes.extend(forwarded.mistakes(has_proxies));
        }
        Some(forwarded)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn mistakes(text: &str) -> Vec<String> {
        Config::parse(&format!("listen = \"127.0.0.1:0\"\n{text}")).err().unwrap_or_default()
    }

    #[test]
    fn tls_is_read_strictly() {
        let files = "[tls]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n";
        for good in [
            "",
            "client_certificates = \"off\"",
            "client_certificates = \"optional\"\nclient_authorities = \"b.pem\"",
        ] {
            assert_eq!(mistakes(&format!("{files}{good}")), Vec::<String>::new(), "{good}");
        }
        for bad in ["client_certificates = \"maybe\"", "client_authorities = \"b.pem\"", "ca = \"b.pem\""] {
            assert_eq!(mistakes(&format!("{files}{bad}")).len(), 1, "{bad}");
        }
        assert_eq!(mistakes("[tls]\ncertificate = \"a.pem\""), ["tls: key is missing"]);
        assert_eq!(mistakes("[tls]\ncertificate = 3\nclient_certificates = 4\nca = 5").len(), 4);
        assert_eq!(mistakes(&format!("issuer = \"http://127.0.0.1:1\"\n{files}")).len(), 1);
    }

    #[test]
    fn certificates_of_a_proxy_need_a_list_of_proxies() {
        let proxies = "trusted_proxies = [\"127.0.0.1\"]\n";
        let table = "[forwarded_certificates]\n";
        for good in [
            "form = \"rfc9440\"",
            "form = \"nginx\"\nfield = \"x-cert\"\nverified_field = \"x\"\nverified_value = \"0\"",
        ] {
            assert_eq!(mistakes(&format!("{proxies}{table}{good}")), Vec::<String>::new(), "{good}");
            assert_eq!(mistakes(&format!("{table}{good}")).len(), 1, "{good}");
        }
        for bad in [
            "form = \"haproxy\"",
            "form = \"envoy\"\nfield = \"x\"",
            "form = \"envoy\"\nverified_field = \"x\"",
            "form = \"nginx\"\nfield = \"x ssl\"",
            "form = \"envoy\"\nverified_field = \"\"\nverified_value = \"0\"",
            "form = \"nginx\"\nfield = 3",
        ] {
            assert_eq!(mistakes(&format!("{proxies}{table}{bad}")).len(), 1, "{bad}");
        }
    }
}
