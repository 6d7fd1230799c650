//! The configuration file: it is read completely, and all mistakes are reported at once.

mod lifetimes;

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use grantor::adapter::TrustedProxies;
use grantor::outbound::HttpOutbound;
use grantor::{Client, ClientMetadata, Profile, Scope};
use serde::Deserialize;
use toml::{Table, Value};

pub(crate) use lifetimes::Lifetimes;

use crate::assertions::AssertionEntry;
use crate::details::DetailEntry;
use crate::dpop::DpopSettings;
use crate::exchange::ExchangeEntry;
use crate::fapi::FapiSettings;
use crate::openid::OpenIdSettings;
use crate::registration::SelfRegistration;
use crate::site::{Site, is_loopback};
use crate::tls::{Forwarded, Tls};
use crate::tokens::Tokens;
use crate::toml_reader::{Reader, names, syntax_error};
use crate::users::{User, check_hash};
use crate::vault::Vault;

const DEMO: &str = include_str!("demo.toml");
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9400);

/// The content of a file.
pub(crate) struct Config {
    /// If `None`, it is derived from the server's address, which has to be a loopback address.
    pub(crate) issuer: Option<String>,
    pub(crate) listen: SocketAddr,
    /// The proxies in front of this server, which report the address that a request comes from; `None` if the
    /// file does not mention any.
    pub(crate) trusted_proxies: Option<TrustedProxies>,
    /// How this server serves https itself; `None` means http, or a proxy in front.
    pub(crate) tls: Option<Tls>,
    /// Where clients present certificates, if not at the issuer's own address.
    pub(crate) mtls_endpoint_aliases: Option<String>,
    /// How those proxies pass on client certificates.
    pub(crate) forwarded_certificates: Option<Forwarded>,
    /// The address of the store, see `stores.rs`.
    pub(crate) store: String,
    pub(crate) profile: Profile,
    /// The settings of FAPI 2.0.
    pub(crate) fapi: FapiSettings,
    pub(crate) scopes: Vec<String>,
    /// What a scope lets an application do, for the consent page.
    pub(crate) scope_text: BTreeMap<String, String>,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) tokens: Tokens,
    pub(crate) limits: Limits,
    /// Clients that may introspect every token.
    pub(crate) introspection: Vec<String>,
    /// What applications may request in addition to scopes.
    pub(crate) details: Vec<DetailEntry>,
    /// Who may exchange which token for which.
    pub(crate) exchanges: Vec<ExchangeEntry>,
    /// Whether applications register themselves.
    pub(crate) registration: Option<SelfRegistration>,
    /// The issuers whose assertions replace a sign-in.
    pub(crate) assertion_issuers: Vec<AssertionEntry>,
    /// How proofs of possession are accepted.
    pub(crate) dpop: DpopSettings,
    /// OpenID Connect, by which applications learn who signed in.
    pub(crate) openid: Option<OpenIdSettings>,
    /// Whether client ID metadata documents are accepted.
    pub(crate) documents: bool,
    /// Fetches those documents and the keys of applications.
    pub(crate) outbound: Option<Arc<HttpOutbound>>,
    /// Whether the audience of a client assertion may be the token endpoint.
    pub(crate) legacy_assertion_audience: bool,
    /// The requirements for every authorization request.
    pub(crate) requests: Requests,
    pub(crate) users: Vec<User>,
    pub(crate) clients: Vec<Client>,
    /// The secrets of clients that need a MAC.
    pub(crate) vault: Arc<Vault>,
    /// Whether what grantor itself checks was read without mistakes, so that it can say what else is wrong.
    pub(crate) can_be_built: bool,
    /// Whether this is the demonstration configuration, used without a file; its passwords are public.
    pub(crate) demo: bool,
}

/// The requirements for every authorization request, named as in the server metadata.
pub(crate) struct Requests {
    /// Pushed (RFC 9126).
    pub(crate) pushed: bool,
    /// Signed (RFC 9101).
    pub(crate) signed: bool,
}

/// `[limits]`: per address and, except for `user_code`, per minute; 0 turns a limit off. Missing values keep
/// grantor's limits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Wrong passwords for one user name, on the sign-in page and in the password grant.
    pub(crate) login: u32,
    /// Wrong client secrets and other secrets at the machine endpoints.
    pub(crate) secret: Option<u32>,
    /// New device authorization requests.
    pub(crate) device: Option<u32>,
    /// Applications that register themselves.
    pub(crate) registration: Option<u32>,
    /// Wrong user codes per browser session within the lifetime of a device code; an address gets four times
    /// as many.
    pub(crate) user_code: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { login: 20, secret: None, device: None, registration: None, user_code: None }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Introspection {
    clients: Vec<String>,
}

impl Config {
    /// Reads a file's text.
    ///
    /// # Errors
    /// One line for every mistake.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<String>> {
        match Self::read(text)? {
            (config, mistakes) if mistakes.is_empty() => Ok(config),
            (_, mistakes) => Err(mistakes),
        }
    }

    /// Reads a file's text: what is sound in it, and one line for every mistake.
    ///
    /// # Errors
    /// It is not TOML.
    pub(crate) fn read(text: &str) -> Result<(Self, Vec<String>), Vec<String>> {
        let table = text.parse::<Table>().map_err(|error| vec![syntax_error(text, &error)])?;
        let mut reader = Reader::default();
        let config = reader.config(table);
        Ok((config, reader.mistakes))
    }

    /// Resolves the relative paths in the file against the folder of the file.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        if let Some(tls) = &mut self.tls {
            tls.in_folder(folder);
        }
        if let Some(file) = &mut self.tokens.keys.file {
            *file = folder.join(&*file);
        }
        let file = self.store.strip_prefix("sqlite:").filter(|path| !["", ":memory:"].contains(path));
        if let Some(path) = file {
            self.store = format!("sqlite:{}", folder.join(path).display());
        }
        self
    }

    /// Settings that work but are probably not what was meant.
    pub(crate) fn warnings(&self) -> Vec<&'static str> {
        let https = self.issuer.as_deref().is_some_and(|issuer| issuer.starts_with("https://"));
        let behind_a_proxy = https && self.tls.is_none() && self.listen.ip().is_loopback();
        let unheard = behind_a_proxy && self.trusted_proxies.is_none();
        [
            (unheard, NO_TRUSTED_PROXIES),
            (self.forgets_secrets(), NO_SEALING_KEY),
            (self.renames_sessions(), NO_SESSION_SECRET),
            (self.splits_nonces(), NO_NONCE_KEY),
        ]
        .into_iter()
        .filter_map(|(applies, text)| applies.then_some(text))
        .collect()
    }

    /// The configuration that is used when no file is given.
    ///
    /// # Errors
    /// None, unless someone broke `demo.toml`.
    pub(crate) fn demo() -> Result<Self, Vec<String>> {
        Self::parse(DEMO).map(|config| Self { demo: true, ..config })
    }
}

const NO_TRUSTED_PROXIES: &str = "the issuer is https and the server listens on a loopback address, so a proxy is in front of \
    it; without trusted_proxies = [\"127.0.0.1\"] all visitors have the proxy's address, and one visitor uses up the limits of \
    all. trusted_proxies = [] is for a proxy that does not report its clients.";

const NO_SEALING_KEY: &str =
    "without sealing_key, a client that registers itself for HS256 has no usable secret after a restart";

const NO_SESSION_SECRET: &str =
    "without openid.session_secret, the sid of a session differs between nodes and changes at each start";

const NO_NONCE_KEY: &str =
    "without dpop.nonce_key, each node refuses the nonces of the others, and several nodes lock clients out";

const KNOWN: &str = "issuer, listen, tls, mtls_endpoint_aliases, trusted_proxies, forwarded_certificates, profile, fapi, store, scopes, scope_text, access_tokens, audience, lifetimes, \
    limits, keys, introspection, registration, authorization_details, assertion_issuers, exchange, \
    client_id_metadata_documents, legacy_assertion_audience, require_pushed_authorization_requests, \
    require_signed_request_object, sealing_key, dpop, openid, outbound, resources, users, clients";

/// The keys of the file that do not change what grantor says of the others.
const NOT_OF_GRANTOR: [&str; 10] = [
    "users",
    "clients",
    "store",
    "tls",
    "trusted_proxies",
    "forwarded_certificates",
    "scope_text",
    "limits",
    "introspection",
    "unknown",
];

impl Reader {
    fn config(&mut self, mut file: Table) -> Config {
        self.sealing_key(&mut file);
        let client_ids = names(&file, "clients", "client_id");
        let users = self.each(&mut file, "users", Self::user);
        let clients = self.each(&mut file, "clients", Self::client);
        let issuer: Option<String> = self.take(&mut file, "issuer");
        let profile = self.profile(&mut file);
        let fapi = self.fapi(&mut file);
        let registration = self.registration(&mut file);
        let mut keys = clients.iter().map(|client| client.metadata().jwks_uri.is_some());
        let openid = self.openid(&mut file);
        // For the keys of applications, and to notify applications of logouts.
        let asks = registration.is_some() || openid.is_some() || keys.any(|fetches| fetches);
        let is_local = issuer.as_deref().is_none_or(|issuer| issuer.starts_with("http://"));
        let (documents, outbound) = self.outbound(&mut file, profile, asks, is_local);
        let has_proxies = file.contains_key("trusted_proxies");
        let trusted_proxies = self.trusted_proxies(&mut file);
        let mut config = Config {
            listen: self.take(&mut file, "listen").unwrap_or_else(|| listen_of(issuer.as_deref())),
            tls: self.tls(&mut file),
            mtls_endpoint_aliases: self.take(&mut file, "mtls_endpoint_aliases"),
            forwarded_certificates: self.forwarded_certificates(&mut file, has_proxies),
            trusted_proxies,
            issuer,
            store: self.take(&mut file, "store").unwrap_or_else(|| "memory".to_owned()),
            profile,
            fapi,
            scopes: self.take(&mut file, "scopes").unwrap_or_default(),
            scope_text: self.table(&mut file, "scope_text"),
            lifetimes: self.table(&mut file, "lifetimes"),
            tokens: self.tokens(&mut file),
            limits: self.table(&mut file, "limits"),
            introspection: self.table::<Introspection>(&mut file, "introspection").clients,
            details: self.each(&mut file, "authorization_details", Self::detail),
            exchanges: self.each(&mut file, "exchange", Self::exchange),
            registration,
            assertion_issuers: self.assertion_issuers(&mut file),
            openid,
            dpop: self.dpop(&mut file),
            documents,
            outbound,
            legacy_assertion_audience: self.take(&mut file, "legacy_assertion_audience").unwrap_or_default(),
            requests: Requests {
                pushed: self.take(&mut file, "require_pushed_authorization_requests").unwrap_or_default(),
                signed: self.take(&mut file, "require_signed_request_object").unwrap_or_default(),
            },
            users,
            clients,
            vault: Arc::clone(&self.vault),
            can_be_built: true,
            demo: false,
        };
        for key in file.keys() {
            self.mistakes.push(format!("unknown key `{key}`; the known keys are {KNOWN}"));
        }
        self.all_is_read();
        self.whole(&config, client_ids.as_deref());
        config.can_be_built = self.has_all_but(&NOT_OF_GRANTOR);
        config
    }

    fn user(&mut self, place: &str, mut entry: Table) -> Option<User> {
        let username: Option<String> = self.must(&mut entry, place, "username");
        let sub: Option<String> = self.must(&mut entry, place, "sub");
        let (key, password) = match (entry.remove("password_hash"), entry.remove("password")) {
            (Some(_), Some(_)) => {
                self.mistakes.push(format!("{place}: it needs password or password_hash, and not both"));
                ("password", None)
            }
            (Some(hash), None) => ("password_hash", self.secret(&format!("{place}.password_hash"), hash)),
            (None, Some(plain)) => ("password", self.secret(&format!("{place}.password"), plain)),
            (None, None) => {
                self.mistakes.push(format!("{place}: password is missing"));
                ("password", None)
            }
        };
        let pin = entry.remove("pin").and_then(|value| self.secret(&format!("{place}.pin"), value));
        let claims = self.may(&mut entry, place, "claims").unwrap_or_default();
        self.nothing_left(&entry, place, "username, password, password_hash, sub, pin, claims");
        let password = password?;
        if key == "password_hash" && !password.starts_with("$argon2") {
            self.mistakes.push(format!("{place}.password_hash: it is not an Argon2 hash ($argon2id$…)"));
            return None;
        }
        match User::new(username?, sub?, &password) {
            Ok(user) => Some(user.with_pin(pin.as_deref()).with_claims(claims)),
            Err(error) => {
                self.mistakes.push(format!("{place}.{key}: {error}"));
                None
            }
        }
    }

    /// `client_id` and `client_secret` are ours; all else is [`ClientMetadata`], which knows its names.
    fn client(&mut self, place: &str, mut entry: Table) -> Option<Client> {
        let before = self.mistakes.len();
        let id: Option<String> = self.must(&mut entry, place, "client_id");
        let secrets = match entry.remove("client_secret") {
            None => Vec::new(),
            Some(Value::Array(several)) => several,
            Some(one) => vec![one],
        };
        let secret_place = format!("{place}.client_secret");
        let secrets: Vec<String> =
            secrets.into_iter().filter_map(|s| self.secret(&secret_place, s)).collect();
        for secret in secrets.iter().filter(|secret| secret.starts_with("$argon2")) {
            if let Err(error) = check_hash(secret) {
                self.mistakes.push(format!("{secret_place}: {error}"));
            }
        }
        let metadata: ClientMetadata = self.settings(place, entry)?;
        if self.mistakes.len() > before {
            return None;
        }
        let is_sealed = metadata.needs_sealed_secret();
        let builder = Client::builder(id?).metadata(metadata);
        let vault = Arc::clone(&self.vault);
        let builder = secrets.into_iter().try_fold(builder, |builder, secret| {
            match (is_sealed, secret.starts_with("$argon2")) {
                (true, _) => builder.sealed_secret(secret, &*vault),
                (false, true) => Ok(builder.secret_phc(secret)),
                (false, false) => Ok(builder.secret(secret)),
            }
        });
        let builder = builder.map_err(|error| self.mistakes.push(format!("{place}: {error}"))).ok()?;
        match builder.build() {
            Ok(client) => Some(client),
            Err(errors) => {
                self.mistakes.extend(errors.all().iter().map(|error| format!("{place}: {error}")));
                None
            }
        }
    }

    fn trusted_proxies(&mut self, file: &mut Table) -> Option<TrustedProxies> {
        let listed: Vec<String> = self.take(file, "trusted_proxies")?;
        for network in &listed {
            if let Err(error) = TrustedProxies::networks([network.as_str()]) {
                self.mistakes.push(format!("trusted_proxies: {error}"));
            }
        }
        TrustedProxies::networks(listed).ok()
    }

    /// Checks that involve several parts of the file.
    fn whole(&mut self, config: &Config, client_ids: Option<&[String]>) {
        let (mut ids, mut names, mut subs) = (HashSet::new(), HashSet::new(), HashSet::new());
        for id in client_ids.iter().copied().flatten().filter(|id| !ids.insert(id.as_str())) {
            self.mistakes.push(format!("clients: client_id {id:?} appears twice"));
        }
        for User { username, sub, .. } in &config.users {
            if username.is_empty() || sub.is_empty() {
                self.mistakes.push("users: neither username nor sub may be empty".to_owned());
            }
            if !names.insert(username) {
                self.mistakes.push(format!("users: username {username:?} appears twice"));
            }
            if !subs.insert(sub) {
                self.mistakes.push(format!("users: sub {sub:?} appears twice"));
            }
            if ids.contains(sub.as_str()) {
                self.mistakes.push(format!(
                    "users: sub {sub:?} is also a client_id; a token could be taken for another's"
                ));
            }
        }
        let known_ids = client_ids.map(|_| &ids);
        for id in config.introspection.iter().filter(|id| lacks(known_ids, id)) {
            self.mistakes.push(format!("introspection.clients: {id:?} is not a client_id in this file"));
        }
        let has_scopes = self.has(&["scopes"]);
        let strange = config.scope_text.keys().filter(|scope| !config.scopes.contains(scope));
        for scope in strange.filter(|_| has_scopes) {
            self.mistakes.push(format!("scope_text: {scope:?} is not one of the scopes"));
        }
        for scope in config.scopes.iter().filter(|scope| !is_scope(scope)) {
            self.mistakes
                .push(format!("scopes: {scope:?} is not one token of the characters that scopes may have"));
        }
        let terms = config.registration.iter().filter(|_| has_scopes);
        self.mistakes.extend(terms.flat_map(|terms| terms.mistakes(&config.scopes)));
        self.mistakes.extend(config.lifetimes.mistakes());
        self.whole_tokens(config, known_ids);
        self.whole_exchanges(config);
        self.whole_details(config);
        self.whole_assertions(config);
        self.whole_fapi(config);
        self.whole_clients(config);
        if self.has(&["issuer", "listen"]) {
            self.mistakes.extend(mistake_of_issuer(config.issuer.as_deref(), config.listen));
        }
        let tls = config.tls.iter();
        self.mistakes.extend(tls.flat_map(|tls| tls.mistakes(config.issuer.as_deref())));
    }
}

/// Whether the clients of the file are known, and this is the id of none of them.
pub(crate) fn lacks(client_ids: Option<&HashSet<&str>>, id: &str) -> bool {
    client_ids.is_some_and(|ids| !ids.contains(id))
}

/// If the issuer's host is an IP address, the server listens there; otherwise it has a name, or a proxy in
/// front.
fn listen_of(issuer: Option<&str>) -> SocketAddr {
    let authority =
        issuer.and_then(|issuer| issuer.split_once("://")).and_then(|(_, rest)| rest.split('/').next());
    authority.and_then(|authority| authority.parse().ok()).unwrap_or(DEFAULT_LISTEN)
}

fn mistake_of_issuer(issuer: Option<&str>, listen: SocketAddr) -> Option<String> {
    let Some(issuer) = issuer else {
        let derived = is_loopback(&listen.to_string());
        return (!derived).then(|| {
            format!(
                "issuer is missing; it can be left out only where listen is a loopback address, not {listen}"
            )
        });
    };
    let Some(site) = Site::of(issuer) else {
        return Some(format!("issuer: {issuer:?} is not an http or https URL"));
    };
    if site.host.ends_with(":0") {
        return Some(
            "issuer: port 0 is not an address; leave issuer out to take the port that the server gets"
                .to_owned(),
        );
    }
    let open = !site.secure && !is_loopback(&site.host);
    open.then(|| format!("issuer: {issuer:?} must be https; http is for loopback addresses only"))
}

fn is_scope(text: &str) -> bool {
    Scope::parse(text).is_ok_and(|scope| !scope.is_empty() && scope.as_str() == text && !text.contains(' '))
}

#[cfg(test)]
mod tests;
