//! What a server with this configuration can do for its clients: a client that needs more would only get
//! errors.

use grantor::client::SubjectIdentifierType;
use grantor::openid::OPENID;
use grantor::{
    AccessTokens, Algorithm, AuthMethod, ClientMetadata, GrantType, Profile, ResponseAlgorithm, Scope,
};

use crate::config::Config;
use crate::openid::OpenIdSettings;
use crate::toml_reader::Reader;

/// What clients can use.
pub(crate) struct Capabilities {
    /// The algorithms of the signing keys; empty if nothing is signed.
    algorithms: Vec<Algorithm>,
    /// Of access tokens, unless a client says otherwise.
    format: AccessTokens,
    has_signed_resource: bool,
    /// Responses, to clients whose profile signs messages.
    signs_answers: bool,
    scopes: Vec<String>,
    is_provider: bool,
    is_pairwise: bool,
    /// At this server, or at that of `mtls_endpoint_aliases`.
    takes_certificates: bool,
    verifies_chains: bool,
    /// Of `fapi.sender`.
    binds_to_certificates: bool,
    takes_proofs: bool,
    profile: Profile,
    has_exchanges: bool,
    has_assertion_issuers: bool,
    /// The types of authorization details.
    details: Vec<String>,
}

impl Capabilities {
    pub(crate) fn of(config: &Config) -> Self {
        let algorithms = if config.signs() { config.tokens.keys.algorithms.clone() } else { Vec::new() };
        Self {
            algorithms,
            format: config.tokens.format,
            has_signed_resource: config.tokens.has_signed_resource(),
            signs_answers: config.fapi.signs_answers(),
            scopes: config.scopes.clone(),
            is_provider: config.openid.is_some(),
            is_pairwise: config.openid.as_ref().is_some_and(OpenIdSettings::is_pairwise),
            takes_certificates: config.takes_certificates() || config.mtls_endpoint_aliases.is_some(),
            verifies_chains: config.verifies_chains() || config.mtls_endpoint_aliases.is_some(),
            binds_to_certificates: config.fapi.binds_to_certificates(),
            takes_proofs: config.fapi.takes_proofs(),
            profile: config.profile,
            has_exchanges: !config.exchanges.is_empty(),
            has_assertion_issuers: !config.assertion_issuers.is_empty(),
            details: config.details.iter().map(|of| of.name.clone()).collect(),
        }
    }

    /// What this client needs but the server does not have. Each line names the client's setting and the
    /// setting to change.
    pub(crate) fn mistakes(&self, client: &ClientMetadata) -> Vec<String> {
        let strange = client.scope.iter().flat_map(Scope::iter).filter(|scope| !self.has_scope(scope));
        let scopes = strange.map(|scope| format!("scope: {scope:?} is not one of the scopes"));
        let grants = client.grant_types.iter().flatten();
        let grants = grants.filter_map(|grant| Some((grant.as_str(), self.lacks(client, grant)?)));
        let grants = grants.map(|(grant, lacks)| format!("grant_types: {grant} needs {lacks}"));
        let details = client.authorization_details_types.iter().flatten();
        let details = details.filter(|of| !self.details.contains(of));
        let details = details
            .map(|of| format!("authorization_details_types: {of:?} is no type of [[authorization_details]]"));
        // Without OpenID Connect there are no such responses, and HS256 needs no key of the server.
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
        let lacks_key =
            self.signs_under_profile(client) && !self.algorithms.iter().any(|own| FAPI.contains(own));
        let of_profile = lacks_key.then(|| self.no_key("profile", "ES256, PS256 or EdDSA"));
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
        let needs_chain = method == Some(AuthMethod::TlsClientAuth);
        let chains = (needs_chain && self.takes_certificates && !self.verifies_chains)
            .then(|| format!("token_endpoint_auth_method: tls_client_auth: {NO_CHAINS}"));
        let senders = [
            by_certificate.filter(|_| !self.binds_to_certificates).map(|key| (key, "mtls")),
            by_proof.filter(|_| !self.takes_proofs).map(|key| (key, "dpop")),
        ];
        let senders = senders.into_iter().flatten();
        let senders = senders.map(|(key, sender)| format!("{key}: needs {sender:?} in fapi.sender"));
        let mistakes = scopes.chain(grants).chain(details).chain(signed).chain(of_profile).chain(pairwise);
        mistakes.chain(certificates).chain(chains).chain(senders).collect()
    }

    fn has_scope(&self, scope: &str) -> bool {
        is_scope_of(self.is_provider, &self.scopes, scope)
    }

    /// What the file lacks to serve this grant type. What FAPI forbids, it says itself.
    fn lacks(&self, client: &ClientMetadata, grant: &GrantType) -> Option<&'static str> {
        let is_fapi = client.profile.is_some_and(is_fapi) || is_fapi(self.profile);
        let (is_served, lacks) = match grant {
            GrantType::Implicit | GrantType::Password => {
                (is_fapi || self.profile == Profile::Rfc6749, "profile = \"rfc6749\"")
            }
            GrantType::TokenExchange => (self.has_exchanges, "an entry of [[exchange]]"),
            grant if *grant == GrantType::jwt_bearer() => {
                (self.has_assertion_issuers, "an entry of [[assertion_issuers]]")
            }
            GrantType::Extension(_) => (false, "a program that has it; this server does not"),
            _ => return None,
        };
        (!is_served).then_some(lacks)
    }

    /// Whether the client has a profile of FAPI, and anything is signed for it.
    fn signs_under_profile(&self, client: &ClientMetadata) -> bool {
        let signs_answers = match client.profile {
            Some(Profile::Fapi2Security) => false,
            Some(Profile::Fapi2MessageSigning) => self.signs_answers,
            _ => return false,
        };
        let takes_id_tokens = client.scope.as_ref().is_none_or(|scope| scope.contains(OPENID));
        let format = client.access_tokens.unwrap_or(self.format);
        signs_answers
            || (self.is_provider && takes_id_tokens)
            || self.has_signed_resource
            || format == AccessTokens::Jwt
    }

    fn unsigned(&self, key: &str, algorithm: Algorithm) -> Option<String> {
        (!self.algorithms.contains(&algorithm)).then(|| self.no_key(key, algorithm.as_str()))
    }

    fn no_key(&self, key: &str, algorithms: &str) -> String {
        match self.algorithms.is_empty() {
            true => format!("{key}: nothing is signed by this configuration, so it has no keys"),
            false => format!("{key}: there is no key for {algorithms}; add it to keys.algorithms"),
        }
    }
}

/// What is signed for a client with a profile of FAPI is signed by one of these.
const FAPI: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Ps256];

const NO_CERTIFICATES: &str =
    "no client certificates arrive; set tls.client_certificates or [forwarded_certificates]";

const NO_CHAINS: &str =
    "no chain is verified; set tls.client_authorities, or verified_field of [forwarded_certificates]";

/// A provider has `openid` in any case.
fn is_scope_of(is_provider: bool, scopes: &[String], scope: &str) -> bool {
    (is_provider && scope == OPENID) || scopes.iter().any(|own| own == scope)
}

impl Config {
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        is_scope_of(self.openid.is_some(), &self.scopes, scope)
    }
}

fn is_fapi(profile: Profile) -> bool {
    matches!(profile, Profile::Fapi2Security | Profile::Fapi2MessageSigning)
}

fn shows_certificate(method: AuthMethod) -> bool {
    matches!(method, AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth)
}

impl Reader {
    /// Reports clients and users of the file that could only get errors.
    pub(crate) fn whole_clients(&mut self, config: &Config) {
        let capabilities = Capabilities::of(config);
        let is_known = self.has(&WHAT_CLIENTS_USE);
        for client in config.clients.iter().filter(|_| is_known) {
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

/// The keys of the file that decide what clients can use.
const WHAT_CLIENTS_USE: [&str; 14] = [
    "profile",
    "fapi",
    "tls",
    "trusted_proxies",
    "forwarded_certificates",
    "mtls_endpoint_aliases",
    "scopes",
    "access_tokens",
    "resources",
    "keys",
    "openid",
    "authorization_details",
    "exchange",
    "assertion_issuers",
];

const LONGEST_SUB: usize = 255;

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const SECRET: &str = "client_secret = \"0123456789abcdef0123456789abcdef\"\n";
    const BOUND: &str = "tls_client_certificate_bound_access_tokens = true";
    const PROVEN: &str = "dpop_bound_access_tokens = true";
    const ALIASES: &str = "mtls_endpoint_aliases = \"https://mtls.example\"";
    const FILES: &str = "[tls]\ncertificate = \"c\"\nkey = \"k\"\n";
    const PROXY: &str = "trusted_proxies = [\"127.0.0.1\"]\n[forwarded_certificates]\n";
    const KEYED: &str =
        "token_endpoint_auth_method = \"private_key_jwt\"\njwks_uri = \"https://a.example/jwks\"\n";
    const EXCHANGES: &str = "grant_types = [\"urn:ietf:params:oauth:grant-type:token-exchange\"]";
    const ASSERTS: &str = "grant_types = [\"urn:ietf:params:oauth:grant-type:jwt-bearer\"]";
    const PAYMENT: &str = "[[authorization_details]]\ntype = \"payment\"";
    const BY_NAME: &str =
        "token_endpoint_auth_method = \"tls_client_auth\"\ntls_client_auth_san_dns = \"a.example\"";

    fn mistakes(text: &str) -> Vec<String> {
        Config::parse(&format!("listen = \"127.0.0.1:0\"\n{text}")).err().unwrap_or_default()
    }

    /// The mistakes of a file with one client.
    fn of_client(head: &str, client: &str) -> Vec<String> {
        let secret = if client.starts_with("token_endpoint_auth_method") { "" } else { SECRET };
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
            (&format!("{FILES}client_certificates = \"optional\""), BY_NAME, "tls.client_authorities"),
            (&format!("{PROXY}form = \"rfc9440\""), BY_NAME, "verified_field"),
            (&format!("{ALIASES}\n[fapi]\nsender = [\"dpop\"]"), BOUND, "needs \"mtls\" in fapi.sender"),
            ("[fapi]\nsender = [\"mtls\"]", PROVEN, "needs \"dpop\" in fapi.sender"),
            ("scopes = [\"read\"]", "scope = \"read wirte\"", "\"wirte\" is not one of the scopes"),
            ("", "scope = \"openid\"", "\"openid\" is not one of the scopes"),
            ("", "grant_types = [\"implicit\"]", "implicit needs profile = \"rfc6749\""),
            ("profile = \"mcp\"", "grant_types = [\"password\"]", "password needs profile"),
            ("", "grant_types = [\"authorization_code\", \"urn:a\"]", "urn:a needs a program"),
            ("", EXCHANGES, "needs an entry of [[exchange]]"),
            ("", ASSERTS, "needs an entry of [[assertion_issuers]]"),
            (PAYMENT, "authorization_details_types = [\"payment\", \"pay\"]", "\"pay\" is no type of"),
        ] {
            let (found, key) = (of_client(head, client), client.split(' ').next().unwrap_or_default());
            assert_eq!(found.len(), 1, "{head}, {client}: {found:?}");
            let begins = found[0].starts_with(&format!("clients (a): {key}: "));
            assert!(begins && found[0].contains(expected), "{head}, {client}: {found:?}");
        }
    }

    #[test]
    fn a_client_of_fapi_needs_a_key_that_its_profile_takes() {
        let rs256 = "[keys]\nalgorithm = \"RS256\"";
        let two_keys = "[keys]\nalgorithms = [\"RS256\", \"ES256\"]\n[openid]";
        let off = "[fapi]\nsigned_responses = false\nsigned_introspection = false";
        let (security, signing) = ("fapi2", "fapi2-message-signing");
        for (head, profile, is_wrong) in [
            (format!("{rs256}\n[openid]"), security, true),
            (format!("access_tokens = \"jwt\"\n{rs256}"), security, true),
            (rs256.to_owned(), signing, true),
            (rs256.to_owned(), security, false),
            (format!("{rs256}\n{off}"), signing, false),
            (two_keys.to_owned(), security, false),
            (two_keys.to_owned(), signing, false),
        ] {
            let client = format!("{KEYED}profile = \"{profile}\"");
            let found = of_client(&head, &client);
            let line =
                "clients (a): profile: there is no key for ES256, PS256 or EdDSA; add it to keys.algorithms";
            assert_eq!(found, if is_wrong { vec![line.to_owned()] } else { Vec::new() }, "{head}, {profile}");
        }
    }

    #[test]
    fn what_the_server_can_do_is_no_mistake() {
        let two_keys = "[keys]\nalgorithms = [\"RS256\", \"ES256\"]\n[openid]";
        let secret = "[openid]\npairwise_secret = \"0123456789abcdef0123456789abcdef\"";
        let tls = &format!("{FILES}client_certificates = \"optional\"");
        let authorities = &format!("{tls}\nclient_authorities = \"a\"");
        let proxy = &format!("{PROXY}form = \"rfc9440\"");
        let verified = &format!("{proxy}\nverified_field = \"v\"\nverified_value = \"SUCCESS\"");
        for (head, client) in [
            ("", "id_token_signed_response_alg = \"ES256\""),
            ("", "introspection_signed_response_alg = \"EdDSA\""),
            (two_keys, "id_token_signed_response_alg = \"ES256\""),
            (two_keys, "userinfo_signed_response_alg = \"HS256\""),
            (secret, "subject_type = \"pairwise\""),
            ("[openid]", "subject_type = \"public\""),
            (tls, BOUND),
            (proxy, BOUND),
            (authorities, BY_NAME),
            (verified, BY_NAME),
            (ALIASES, BY_NAME),
            (ALIASES, BOUND),
            ("", PROVEN),
            ("profile = \"rfc6749\"", "grant_types = [\"implicit\", \"password\"]"),
            (PAYMENT, "authorization_details_types = [\"payment\"]"),
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
