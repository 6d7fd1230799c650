//! Builds a server from a configuration.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use grantor::audit::TracingAudit;
use grantor::client::argon2::Argon2Secrets;
use grantor::client::{ClientJwts, RequestObjects, X509Certificates};
use grantor::keys::{JwtSigner, KeyStore, Keys, MemoryKeyStore};
use grantor::server::RateLimiter;
use grantor::{AuthorizationServer, Policy, Registration};

use crate::app::{App, Parts};
use crate::assertions;
use crate::capabilities::Capabilities;
use crate::clients::Clients;
use crate::config::{Config, Lifetimes, Limits};
use crate::cookies::Cookie;
use crate::exchange::Exchanges;
use crate::mistakes::in_the_file;
use crate::openid::{OpenIdSettings, People};
use crate::pages::Pages;
use crate::password::PasswordGrant;
use crate::playground::Playground;
use crate::scopes::Scopes;
use crate::session::Sessions;
use crate::site::{Site, is_loopback};
use crate::stores::Stores;
use crate::users::Users;

/// Puts everything together; `address` is where the server listens.
///
/// # Errors
/// One line for every mistake that grantor finds, and for the problem with the store or the keys.
pub(crate) async fn app(config: Config, address: SocketAddr) -> Result<App, Vec<String>> {
    let seals = config.seals();
    let (hands_over, verifies_chains) = (config.takes_certificates(), config.verifies_chains());
    let verifies_chains = verifies_chains || config.mtls_endpoint_aliases.is_some();
    let capabilities = Capabilities::of(&config);
    let keeps_sealed_secrets = config.vault.is_durable;
    // Without the store or the keys, the server is built in memory, to find what else is wrong.
    let mut mistakes = Vec::new();
    let stores = Stores::open(&config.store).await.unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        Stores::memory()
    });
    let keys = match keys(&config, stores.keys).await {
        Ok(keys) => keys,
        Err(mistake) => {
            mistakes.push(mistake);
            config.tokens.keys.keys_in(Arc::new(MemoryKeyStore::new())).ok()
        }
    };
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let issuer = config.issuer.unwrap_or_else(|| format!("{scheme}://{address}"));
    let site =
        Site::of(&issuer).ok_or_else(|| vec![format!("issuer: {issuer:?} is not an http or https URL")])?;
    let pages = Pages::new(&site).map_err(|error| vec![error.to_string()])?;
    let registry = Arc::new(Clients::new(config.clients, Arc::clone(&stores.clients)));
    let users = Arc::new(Users::new(config.users));
    let builder = AuthorizationServer::builder(&issuer)
        .clients(Arc::clone(&registry))
        .registrar(stores.clients)
        .store(stores.grants)
        .replay_guard(stores.replays)
        .scopes(&config.scopes)
        .profile(config.profile)
        .authorization_endpoint("/authorize")
        .device_verification("/device")
        .allow_http_loopback()
        .resource_owner(PasswordGrant::new(Arc::clone(&users), config.limits.login))
        .slow_hash(Argon2Secrets::default())
        .audit(TracingAudit::default())
        .introspect_all(config.introspection)
        .policy(policy(&config.lifetimes, &config.limits, config.openid.as_ref()))
        .access_tokens(config.tokens.format);
    let builder = match config.fapi.takes_proofs() {
        true => builder.dpop(config.dpop.dpop()),
        false => builder,
    };
    let builder =
        config.tokens.resources.iter().fold(builder, |builder, entry| builder.resource(entry.resource()));
    let builder = config
        .details
        .iter()
        .fold(builder, |builder, of| builder.authorization_details_type(&of.name, of.clone()));
    let builder = match config.tokens.audience {
        Some(audience) => builder.audience(audience),
        None => builder,
    };
    let builder = match config.exchanges {
        none if none.is_empty() => builder,
        entries => builder.token_exchange(Exchanges(entries)),
    };
    let builder = match config.registration {
        Some(terms) => {
            let terms = limited(terms.terms(), config.limits.registration);
            builder.registration(match &config.outbound {
                Some(outbound) => terms.sector_identifiers(Arc::clone(outbound)),
                None => terms,
            })
        }
        None => builder,
    };
    let builder = match assertions::grant(config.assertion_issuers) {
        Some(grant) => builder.jwt_bearer(grant),
        None => builder,
    };
    let builder = match config.openid {
        Some(openid) => {
            let sessions = openid.sessions(config.outbound.clone());
            openid.provider(builder, People(Arc::clone(&users))).sessions(sessions).logout_endpoint("/logout")
        }
        None => builder,
    };
    let builder = match &config.outbound {
        Some(outbound) if config.documents => builder.client_id_metadata_documents(Arc::clone(outbound)),
        Some(_) | None => builder,
    };
    let builder = match seals {
        true => builder.sealed_secrets(config.vault),
        false => builder,
    };
    let reads_over = config.outbound.clone();
    let builder = builder.client_signatures(match config.outbound {
        Some(outbound) => ClientJwts::over(outbound),
        None => ClientJwts::new(),
    });
    let builder = builder.request_objects(match config.requests.signed {
        true => RequestObjects::required(),
        false => RequestObjects::accepted(),
    });
    let builder = match config.requests.pushed {
        true => builder.require_pushed_authorization_requests(),
        false => builder,
    };
    let builder = config.fapi.apply(builder, hands_over);
    let builder = match (hands_over, reads_over) {
        (false, _) => builder,
        (true, Some(outbound)) => builder.client_certificates(X509Certificates::over(outbound)),
        (true, None) => builder.client_certificates(X509Certificates::new()),
    };
    let builder = match hands_over && !verifies_chains {
        true => builder.without_verified_chains(),
        false => builder,
    };
    let builder = match &config.mtls_endpoint_aliases {
        Some(base) => builder.mtls_endpoint_aliases(base),
        None => builder,
    };
    let builder = match config.legacy_assertion_audience {
        true => builder.legacy_assertion_audience(),
        false => builder,
    };
    let builder = match &keys {
        Some(keys) => {
            let builder = builder.token_signer(JwtSigner::new(keys.clone()).map_err(one_line)?);
            builder.sign_authorization_responses().sign_introspection_answers()
        }
        None => builder,
    };
    let proxies = config.trusted_proxies.unwrap_or_default();
    let server = match builder.build() {
        Ok(server) if mistakes.is_empty() => server,
        Ok(_) => return Err(mistakes),
        Err(errors) => {
            return Err(mistakes.into_iter().chain(errors.all().iter().map(in_the_file)).collect());
        }
    };
    Ok(App::new(Parts {
        server,
        keys,
        registry,
        capabilities,
        connections: stores.connections,
        keeps_sealed_secrets,
        users,
        sessions: Sessions::new(site.secure, &site.host),
        device_cookie: Cookie::new("grantor-device", site.secure, &site.host),
        logins: RateLimiter::per_minute(config.limits.login),
        certificates: config.forwarded_certificates.map(|of| of.rule(proxies.clone())),
        proxies,
        scopes: Scopes::new(config.scopes, config.scope_text),
        details: config.details,
        pages,
        playground: (config.demo && is_loopback(&site.host)).then(Playground::default),
        site,
        demo: config.demo,
    }))
}

fn limited(terms: Registration, limit: Option<u32>) -> Registration {
    match limit {
        None => terms,
        Some(0) => terms.per_minute(0).per_day(0),
        Some(limit) => terms.per_minute(limit),
    }
}

/// The keys, if anything is signed. They are generated or read now, so that no request has to wait for them.
async fn keys(config: &Config, store: Arc<dyn KeyStore>) -> Result<Option<Keys>, String> {
    if !config.signs() {
        return Ok(None);
    }
    let settings = &config.tokens.keys;
    let keys = settings.keys(store).map_err(|error| format!("keys: {error}"))?;
    match (keys.current(Utc::now()).await, &settings.file) {
        (Ok(_), _) => Ok(Some(keys)),
        (Err(fault), Some(file)) => Err(format!("keys.file: {}: {fault}", file.display())),
        (Err(fault), None) => Err(format!("keys: {fault}")),
    }
}

fn one_line(error: impl Display) -> Vec<String> {
    vec![error.to_string()]
}

/// Settings that are not in the file keep grantor's defaults.
fn policy(lifetimes: &Lifetimes, limits: &Limits, openid: Option<&OpenIdSettings>) -> Policy {
    let mut policy = Policy::default();
    let Policy {
        code_lifetime,
        device_code_lifetime,
        access_token_lifetime,
        id_token_lifetime,
        refresh_token_idle,
        grant_lifetime,
        leeway,
        secret_failures_per_minute,
        device_requests_per_minute,
        user_code_failures,
        user_code_failures_per_address,
        ..
    } = &mut policy;
    for (setting, seconds) in [
        (code_lifetime, lifetimes.code),
        (device_code_lifetime, lifetimes.device_code),
        (access_token_lifetime, lifetimes.access_token),
        (id_token_lifetime, openid.and_then(|openid| openid.id_token_lifetime)),
        (refresh_token_idle, lifetimes.refresh_idle),
        (grant_lifetime, lifetimes.family),
        (leeway, lifetimes.leeway),
    ] {
        if let Some(seconds) = seconds {
            *setting = Duration::from_secs(seconds.into());
        }
    }
    for (setting, limit) in [
        (secret_failures_per_minute, limits.secret),
        (device_requests_per_minute, limits.device),
        (user_code_failures, limits.user_code),
        (user_code_failures_per_address, limits.user_code.map(|limit| limit.saturating_mul(4))),
    ] {
        *setting = limit.unwrap_or(*setting);
    }
    policy
}
