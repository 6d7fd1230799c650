//! What a server of this file can do for its clients: one that asks for more would only get errors.

use grantor::client::SubjectIdentifierType;
use grantor::openid::OPENID;
use grantor::{Algorithm, AuthMethod, ClientMetadata, ResponseAlgorithm, Scope};

use crate::config::Config;
use crate::openid::OpenIdSettings;
use crate::toml_reader::Reader;

/// What clients can ask for.
pub(crate) struct Capabilities {
    /// Those of the signing keys; none where nothing is signed.
    algorithms: Vec<Algorithm>,
    scopes: Vec<String>,
    is_provider: bool,
    is_pairwise: bool,
    /// Here, or at the server of `mtls_endpoint_aliases`.
    takes_certificates: bool,
    /// Of `fapi.sender`.
    binds_to_certificates: bool,
    takes_proofs: bool,
}

impl Capabilities {
    pub(crate) fn of(config: &Config) -> Self {
        let algorithms = if config.signs() { config.tokens.keys.algorithms.clone() } else { Vec::new() };
        Self {
            algorithms,
            scopes: config.scopes.clone(),
            is_provider: config.openid.is_some(),
            is_pairwise: config.openid.as_ref().is_some_and(OpenIdSettings::is_pairwise),
            takes_certificates: config.takes_certificates() || config.mtls_endpoint_aliases.is_some(),
            binds_to_certificates: config.fapi.binds_to_certificates(),
            takes_proofs: config.fapi.takes_proofs(),
        }
    }

    /// What such a client asks for in vain. Each line names the key of the client, and the one to change.
    pub(crate) fn mistakes(&self, client: &ClientMetadata) -> Vec<String> {
        let strange = client.scope.iter().flat_map(Scope::iter).filter(|scope| !self.has_scope(scope));
        let scopes = strange.map(|scope| format!("scope: {scope:?} is not one of the scopes"));
        // Without OpenID Connect there are no such answers, and HS256 needs no key of the server.
        let of_provider = |algorithm: Option<ResponseAlgorithm>| {
            algorithm.and_then(ResponseAlgorithm::key).filter(|_| self.is_provider)
        };
        let signed = [
            ("id_token_signed_response_alg", of_provider(client.id_token_signed_response_alg)),
            ("userinfo_signed_response_alg", of_provider(client.userinfo_signed_response_alg)),
            ("authorization_signed_response_alg", client.authorization_signed_response_alg),
            ("introspection_signed_response_alg", client.introspection_signed_response_alg),
        ];
        let signed = signed.into_iter().filter_map(|(key, algorithm)| self.unsigned(key, algorithm?));
        let is_pairwise = client.subject_type == Some(SubjectIdentifierType::Pairwise);
        let pairwise = (is_pairwise && !self.is_pairwise)
            .then(|| "subject_type: pairwise identifiers need openid.pairwise_secret".to_owned());
        let method = client.token_endpoint_auth_method.filter(|method| shows_certificate(*method));
        let by_certificate = (client.tls_client_certificate_bound_access_tokens == Some(true))
            .then_some("tls_client_certificate_bound_access_tokens");
        let by_proof = (client.dpop_bound_access_tokens == Some(true)).then_some("dpop_bound_access_tokens");
        let certificates = [
            method.map(|method| format!("token_endpoint_auth_method: {}", method.as_str())),
            by_certificate.map(str::to_owned),
        ];
        let certificates = certificates.into_iter().flatten().filter(|_| !self.takes_certificates);
        let certificates = certificates.map(|key| format!("{key}: {NO_CERTIFICATES}"));
        let senders = [
            by_certificate.filter(|_| !self.binds_to_certificates).map(|key| (key, "mtls")),
            by_proof.filter(|_| !self.takes_proofs).map(|key| (key, "dpop")),
        ];
        let senders = senders.into_iter().flatten();
        let senders = senders.map(|(key, sender)| format!("{key}: needs {sender:?} in fapi.sender"));
        scopes.chain(signed).chain(pairwise).chain(certificates).chain(senders).collect()
    }

    /// A provider has `openid` in any case.
    fn has_scope(&self, scope: &str) -> bool {
        (self.is_provider && scope == OPENID) || self.scopes.iter().any(|own| own == scope)
    }

    fn unsigned(&self, key: &str, algorithm: Algorithm) -> Option<String> {
        let name = algorithm.as_str();
        match self.algorithms.is_empty() {
            true => Some(format!("{key}: nothing is signed by this configuration, so it has no keys")),
            false if self.algorithms.contains(&algorithm) => None,
            false => Some(format!("{key}: there is no key for {name}; add it to keys.algorithms")),
        }
    }
}

const NO_CERTIFICATES: &str =
    "no certificates of clients come in; set tls.client_certificates or [forwarded_certificates]";

fn shows_certificate(method: AuthMethod) -> bool {
    matches!(method, AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth)
}

impl Reader {
    /// Clients and users of the file that the server could only answer with errors.
    pub(crate) fn whole_clients(&mut self, config: &Config) {
        let capabilities = Capabilities::of(config);
        for client in &config.clients {
            let id = client.id();
            let mistakes = capabilities.mistakes(client.metadata());
            self.mistakes.extend(mistakes.iter().map(|mistake| format!("clients ({id}): {mistake}")));
        }
        let unfit = config.users.iter().filter(|user| !user.sub.is_ascii() || user.sub.len() > LONGEST_SUB);
        for user in unfit.filter(|_| config.openid.is_some()) {
            self.mistakes.push(format!(
                "users ({}): sub must be ASCII, of at most {LONGEST_SUB} characters",
                user.username
            ));
        }
    }
}

const LONGEST_SUB: usize = 255;

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const SECRET: &str = "client_secret = \"0123456789abcdef0123456789abcdef\"\n";
    const BOUND: &str = "tls_client_certificate_bound_access_tokens = true";
    const PROVEN: &str = "dpop_bound_access_tokens = true";
    const ALIASES: &str = "mtls_endpoint_aliases = \"https://mtls.example\"";
    const BY_NAME: &str =
        "token_endpoint_auth_method = \"tls_client_auth\"\ntls_client_auth_san_dns = \"a.example\"";

    fn mistakes(text: &str) -> Vec<String> {
        Config::parse(&format!("listen = \"127.0.0.1:0\"\n{text}")).err().unwrap_or_default()
    }

    /// Of a file with one client.
    fn of_client(head: &str, client: &str) -> Vec<String> {
        let secret = if client == BY_NAME { "" } else { SECRET };
        let client =
            format!("client_id = \"a\"\nredirect_uris = [\"https://a.example/cb\"]\n{secret}{client}");
        mistakes(&format!("{head}\n[[clients]]\n{client}"))
    }

    #[test]
    fn what_a_client_asks_for_in_vain_is_a_mistake() {
        let rs256 = "[keys]\nalgorithm = \"RS256\"\n[openid]";
        let no_key = "there is no key for ES256; add it to keys.algorithms";
        let pairwise = "subject_type = \"pairwise\"";
        for (head, client, expected) in [
            (rs256, "id_token_signed_response_alg = \"ES256\"", no_key),
            (rs256, "userinfo_signed_response_alg = \"ES256\"", no_key),
            ("", "authorization_signed_response_alg = \"ES256\"", no_key),
            ("", "introspection_signed_response_alg = \"ES256\"", no_key),
            ("[openid]", pairwise, "openid.pairwise_secret"),
            ("", pairwise, "openid.pairwise_secret"),
            ("", BOUND, "tls.client_certificates"),
            ("", BY_NAME, "tls.client_certificates"),
            ("[tls]\ncertificate = \"c\"\nkey = \"k\"", BOUND, "tls.client_certificates"),
            (&format!("{ALIASES}\n[fapi]\nsender = [\"dpop\"]"), BOUND, "needs \"mtls\" in fapi.sender"),
            ("[fapi]\nsender = [\"mtls\"]", PROVEN, "needs \"dpop\" in fapi.sender"),
            ("scopes = [\"read\"]", "scope = \"read wirte\"", "\"wirte\" is not one of the scopes"),
            ("", "scope = \"openid\"", "\"openid\" is not one of the scopes"),
        ] {
            let (found, key) = (of_client(head, client), client.split(' ').next().unwrap_or_default());
            assert_eq!(found.len(), 1, "{head}, {client}: {found:?}");
            let begins = found[0].starts_with(&format!("clients (a): {key}: "));
            assert!(begins && found[0].contains(expected), "{head}, {client}: {found:?}");
        }
    }

    #[test]
    fn what_the_server_can_do_is_no_mistake() {
        let two_keys = "[keys]\nalgorithms = [\"RS256\", \"ES256\"]\n[openid]";
        let secret = "[openid]\npairwise_secret = \"0123456789abcdef0123456789abcdef\"";
        let tls = "[tls]\ncertificate = \"c\"\nkey = \"k\"\nclient_certificates = \"optional\"";
        let proxy = "trusted_proxies = [\"127.0.0.1\"]\n[forwarded_certificates]\nform = \"rfc9440\"";
        for (head, client) in [
            ("", "id_token_signed_response_alg = \"ES256\""),
            ("", "introspection_signed_response_alg = \"EdDSA\""),
            (two_keys, "id_token_signed_response_alg = \"ES256\""),
            (two_keys, "userinfo_signed_response_alg = \"HS256\""),
            (secret, "subject_type = \"pairwise\""),
            ("[openid]", "subject_type = \"public\""),
            (tls, BOUND),
            (proxy, BY_NAME),
            (ALIASES, BOUND),
            ("", PROVEN),
            ("scopes = [\"read\"]\n[openid]", "scope = \"openid read\""),
            ("[fapi]\nsender = [\"dpop\"]", PROVEN),
            (&format!("{ALIASES}\n[fapi]\nsender = [\"mtls\"]"), BOUND),
            ("[fapi]\nsender = [\"dpop\"]", "tls_client_certificate_bound_access_tokens = false"),
        ] {
            assert_eq!(of_client(head, client), Vec::<String>::new(), "{head}, {client}");
        }
    }

    #[test]
    fn a_user_whom_no_id_token_can_name_is_a_mistake() {
        let of_user = |head: &str, sub: &str| {
            mistakes(&format!("{head}\n[[users]]\nusername = \"u\"\npassword = \"p\"\nsub = \"{sub}\""))
        };
        for bad in ["\u{e9}".to_owned(), "a".repeat(256)] {
            let found = of_user("[openid]", &bad);
            assert!(found.len() == 1 && found[0].starts_with("users (u): sub must be ASCII"), "{found:?}");
            assert_eq!(of_user("", &bad), Vec::<String>::new());
        }
        assert_eq!(of_user("[openid]", &"a".repeat(255)), Vec::<String>::new());
    }
}
