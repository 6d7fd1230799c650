//! A client registers itself (RFC 7591), or changes its registration (RFC 7592 section 2.2).
//!
//! ```text
//! AwaitClaims ──with_claims──▶ AwaitSector ──with_list──▶ AwaitReview ──with_review──▶ Approved ──create | change──▶ (what to write, its answer)
//! ```

use std::fmt;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::client_configuration::{ClientInformation, RegistrationToken, secret_text};
use crate::base::secret::Masked;
use crate::base::{FreshSecrets, Secret, SecretText};
use crate::client::auth::Credentials;
use crate::client::{
    Client, ClientBuilder, ClientError, ClientErrors, ClientId, ClientMetadata, ProfileMismatch, Replacement,
    SealedSecrets, SelfRegistration,
};
use crate::error::{Fault, Reason, Refusal};
use crate::http::Request;
use crate::http::bearer::presented;
use crate::issuance::Facts;
use crate::registration::{
    Allowance, Applicant, MetadataBody, Registration, RequestedMetadata, Review, lists_all,
};

/// A parsed request; its software statement, if any, has not been checked.
pub struct AwaitClaims {
    wire: MetadataBody,
    statement: Option<String>,
    token: Option<SecretText>,
    peer: Option<IpAddr>,
}

impl AwaitClaims {
    /// The initial access token of a request, if the terms list it.
    pub(crate) fn admitted_token<'a>(request: &'a Request, terms: &Registration) -> Option<&'a str> {
        let token = presented(request).ok().filter(|_| !terms.tokens.is_empty())?;
        terms.admits(&SecretText::new(token)).then_some(token)
    }

    /// Reads a registration request. A request without a required initial access token is refused before its
    /// body is read.
    ///
    /// # Errors
    /// The initial access token is missing or wrong, or the body is not client metadata.
    pub fn parse(request: &Request, terms: &Registration) -> Result<Self, Refusal> {
        let token = match presented(request) {
            Ok(token) => Some(SecretText::new(token)),
            Err(Reason::TokenMissing) => None,
            Err(reason) => return Err(reason.into()),
        };
        if !terms.tokens.is_empty() {
            let token = token.as_ref().ok_or(Reason::InitialTokenMissing)?;
            if !terms.admits(token) {
                return Err(Reason::InitialTokenWrong.into());
            }
        }
        let wire = MetadataBody::parse(request.json_body()?)?;
        Self::new(wire, token, request.peer)
    }

    /// Reads a change of this client, which presented its registration access token. A change replaces all
    /// metadata, so a member that is left out is removed.
    ///
    /// # Errors
    /// The body is not client metadata, does not name this client (RFC 7592 section 2.2), or has a member
    /// that only the server may set.
    pub fn parse_change(request: &Request, current: &Client, facts: &Facts<'_>) -> Result<Self, Refusal> {
        let wire = MetadataBody::parse(request.json_body()?)?;
        if wire.says_what_only_the_server_says() {
            return Err(Reason::RegistrationMemberForbidden.into());
        }
        let is_own_id = wire.client_id.as_str() == Some(current.id().as_str());
        let secret = wire.client_secret.as_str().map(SecretText::new);
        if !is_own_id || secret.is_some_and(|secret| !current.has_secret(&secret, facts.now)) {
            return Err(Reason::RegistrationOfAnother.into());
        }
        Self::new(wire, None, request.peer)
    }

    fn new(wire: MetadataBody, token: Option<SecretText>, peer: Option<IpAddr>) -> Result<Self, Refusal> {
        let statement = wire.statement()?.map(str::to_owned);
        Ok(Self { wire, statement, token, peer })
    }

    /// The software statement that has to be checked, if there is one.
    #[must_use]
    pub fn statement(&self) -> Option<&str> {
        self.statement.as_deref()
    }

    /// Takes the claims of the statement, which override the metadata, and checks the result. A statement
    /// without valid claims is refused.
    ///
    /// # Errors
    /// The metadata cannot be registered under any policy of the host.
    pub fn with_claims(
        self,
        claims: Option<Map<String, Value>>,
        terms: &Registration,
        facts: &Facts<'_>,
    ) -> Result<AwaitSector, Refusal> {
        let Self { wire, statement, token, peer } = self;
        if statement.is_some() && claims.is_none() {
            return Err(Reason::SoftwareStatementUnapproved.into());
        }
        let wire = match claims {
            Some(claims) => wire.overridden_by(claims)?,
            None => wire,
        };
        let asked = wire.check(&terms.schemes(facts.rules.profile), facts.rules)?;
        Ok(AwaitSector(AwaitReview { asked, statement, token, peer }))
    }
}

impl fmt::Debug for AwaitClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitClaims").finish_non_exhaustive()
    }
}

/// The metadata are well-formed. Waits for the redirect URIs of the sector, if the metadata name one (OpenID
/// Connect Registration section 5).
#[derive(Debug)]
pub struct AwaitSector(AwaitReview);

impl AwaitSector {
    /// The URL of the list.
    #[must_use]
    pub fn sector_identifier_uri(&self) -> Option<&str> {
        self.0.asked.metadata.sector_identifier_uri.as_deref()
    }

    /// Takes the list, if it could be fetched.
    ///
    /// # Errors
    /// A redirect URI is not in it.
    pub fn with_list(self, list: Option<&[u8]>) -> Result<AwaitReview, Refusal> {
        let uris = &self.0.asked.metadata.redirect_uris;
        let is_needed = self.sector_identifier_uri().is_some();
        match is_needed && !list.is_some_and(|list| lists_all(list, uris)) {
            true => Err(Reason::RegistrationSector.into()),
            false => Ok(self.0),
        }
    }
}

/// Waits for the host's policy.
#[derive(Debug)]
pub struct AwaitReview {
    asked: RequestedMetadata,
    statement: Option<String>,
    token: Option<SecretText>,
    peer: Option<IpAddr>,
}

impl AwaitReview {
    /// The question to the policy.
    pub fn applicant<'a>(&'a self, current: Option<&'a Client>) -> Applicant<'a> {
        Applicant {
            metadata: &self.asked.metadata,
            token: self.token.as_ref(),
            peer: self.peer,
            is_attested: self.statement.is_some(),
            current,
        }
    }

    /// Takes the answer of the policy; without a policy, the terms alone decide.
    ///
    /// # Errors
    /// The host refuses, or allows nothing that was requested.
    pub fn with_review(
        self,
        review: Review,
        terms: &Registration,
        facts: &Facts<'_>,
    ) -> Result<Approved, Refusal> {
        let allowance: Allowance = match review {
            Review::Allow(allowance) => allowance,
            Review::Refuse => return Err(Reason::RegistrationRefused.into()),
            Review::RefuseToken if self.token.is_none() => return Err(Reason::InitialTokenMissing.into()),
            Review::RefuseToken => return Err(Reason::InitialTokenWrong.into()),
        };
        let metadata = self.asked.within(terms, &allowance, facts.rules)?;
        let Allowance { expires, owner, .. } = allowance;
        Ok(Approved { metadata, statement: self.statement, expires, owner })
    }
}

/// The metadata that may be registered.
#[derive(Debug)]
pub struct Approved {
    metadata: ClientMetadata,
    statement: Option<String>,
    expires: Option<DateTime<Utc>>,
    owner: Option<String>,
}

impl Approved {
    /// A new client, and the response that describes it. The id is random: a client that could choose its id
    /// could choose one that some resource takes for a user. The host seals the secret if the client needs
    /// that.
    ///
    /// # Errors
    /// The metadata are inconsistent, or the secret could not be sealed.
    pub fn create(
        self,
        fresh: FreshSecrets,
        host: Option<&dyn SealedSecrets>,
        terms: &Registration,
        facts: &Facts<'_>,
    ) -> Result<(Client, ClientInformation), Refusal> {
        let Facts { now, .. } = *facts;
        let id = ClientId::new(fresh.grant.to_string());
        let builder = Client::application().id(id).issued(Some(now)).owned_by(self.owner.clone());
        let token = terms.is_managed.then(|| RegistrationToken::new(fresh.second));
        let (client, information) = self.build(builder, token, None, (fresh.first, host), now, terms)?;
        check_profile(&client, facts)?;
        Ok((client, information))
    }

    /// The changed client. It keeps its id, its state, its live secrets (unless it needs one that the host
    /// can open, and has none) and the presented registration access token, so a change whose response was
    /// lost can be repeated and returns the same new secret.
    ///
    /// # Errors
    /// The metadata are inconsistent, or a new secret could not be sealed.
    pub fn change(
        mut self,
        current: &Client,
        presented: &RegistrationToken,
        fresh: FreshSecrets,
        host: Option<&dyn SealedSecrets>,
        terms: &Registration,
        facts: &Facts<'_>,
    ) -> Result<(Replacement, ClientInformation), Refusal> {
        let Facts { now, .. } = *facts;
        self.metadata = self.metadata.keeping_host_terms_of(current.metadata());
        let own = current.self_registration.as_deref();
        self.expires = self.expires.or_else(|| own.and_then(|own| own.expires));
        let mut kept = current.live_secrets(now);
        let is_unsealed = kept.iter().all(|secret| secret.sealed.is_none());
        // Of a secret that is a digest alone there is no MAC, so the client gets a new one.
        let needs_another = is_unsealed && self.metadata.needs_sealed_secret();
        if self.metadata.auth_method().credentials() != Credentials::Secret || needs_another {
            kept.clear();
        }
        let hidden = own.and_then(|own| own.secret);
        let hidden = hidden.filter(|_| !kept.is_empty());
        let builder = ClientBuilder::keeping(current).secrets(kept);
        let token = Some(presented.duplicate());
        let (client, information) = self.build(builder, token, hidden, (fresh.first, host), now, terms)?;
        check_profile(&client, facts)?;
        let is_pairwise = client.is_pairwise();
        let moves = is_pairwise && client.sector() != current.sector();
        if is_pairwise != current.is_pairwise() || moves {
            return Err(Reason::RegistrationSubjects.into());
        }
        Ok((Replacement::of(current, client), information))
    }

    fn build(
        self,
        builder: ClientBuilder,
        token: Option<RegistrationToken>,
        hidden: Option<Masked>,
        (fresh, host): (Secret, Option<&dyn SealedSecrets>),
        now: DateTime<Utc>,
        terms: &Registration,
    ) -> Result<(Client, ClientInformation), Refusal> {
        let builder = builder.metadata(self.metadata);
        let makes_secret = builder.wants_secret();
        let hidden = match makes_secret {
            true => token.as_ref().map(|token| token.hide(&fresh)),
            false => hidden,
        };
        let own = SelfRegistration {
            token: token.as_ref().map(RegistrationToken::digest),
            secret: hidden,
            expires: self.expires,
            software_statement: self.statement,
        };
        let builder = builder.self_registration(Some(Box::new(own)));
        let secret = makes_secret.then(|| secret_text(&fresh));
        let lifetime = terms.secret_lifetime.and_then(|lifetime| TimeDelta::from_std(lifetime).ok());
        let expires = lifetime.and_then(|lifetime| now.checked_add_signed(lifetime));
        let builder = match &secret {
            Some(secret) => builder.generated_secret(secret, host).map_err(Fault::from)?,
            None => builder,
        };
        let builder = match expires.filter(|_| secret.is_some()) {
            Some(expires) => builder.last_secret_until(expires),
            None => builder,
        };
        let client = builder.build().map_err(|mistakes| unregistrable(&mistakes))?;
        let secret = secret.or_else(|| token.as_ref()?.secret_of(&client, now));
        let information = ClientInformation::new(&client, secret, token, now);
        Ok((client, information))
    }
}

/// Refuses a client that the server would not serve.
fn check_profile(client: &Client, facts: &Facts<'_>) -> Result<(), Refusal> {
    match facts.rules.fits(client) {
        true => Ok(()),
        false => Err(Reason::RegistrationProfile.into()),
    }
}

/// The reason why a client cannot be built: its own profile forbids it, or its metadata are inconsistent.
fn unregistrable(mistakes: &ClientErrors) -> Reason {
    let all = |holds: fn(&ClientError) -> bool| mistakes.all().iter().all(holds);
    if all(|mistake| matches!(mistake, ClientError::Profile(ProfileMismatch::RedirectUri(_)))) {
        return Reason::RegistrationRedirectUri;
    }
    match all(|mistake| matches!(mistake, ClientError::Profile(_))) {
        true => Reason::RegistrationProfile,
        false => Reason::RegistrationInconsistent,
    }
}
