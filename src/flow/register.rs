//! The registration of a client by itself (RFC 7591), and the change of one (RFC 7592 section 2.2).
//!
//! ```text
//! AwaitClaims ──with_claims──▶ AwaitReview ──with_review──▶ Approved ──create | change──▶ (what to write, its answer)
//! ```

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::configure::{Information, RegistrationToken};
use crate::client::{
    AuthMethod, Client, ClientBuilder, ClientId, ClientMetadata, Replacement, SelfRegistration,
};
use crate::error::{Reason, Refusal};
use crate::http::Request;
use crate::mint::Mint;
use crate::policy::Rules;
use crate::registration::{Allowance, Applicant, Asked, Registration, Review, Wire};
use crate::resource::presented;
use crate::secret::SecretText;

/// A software statement may be this long, in bytes.
const MAX_STATEMENT: usize = 16 * 1024;

/// Parsed; a software statement, if there is one, has not been checked.
pub struct AwaitClaims {
    wire: Wire,
    token: Option<SecretText>,
    peer: Option<IpAddr>,
}

impl AwaitClaims {
    /// The initial access token of a request, if it is one of these terms.
    pub(crate) fn admitted_token<'a>(request: &'a Request, terms: &Registration) -> Option<&'a str> {
        let token = presented(request).ok().filter(|_| !terms.tokens.is_empty())?;
        terms.admits(&SecretText::new(token)).then_some(token)
    }

    /// Reads a registration request. Who may not register is told so before the body is read.
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
        let wire = Wire::parse(request.json_body()?)?;
        Self::new(wire, token, request.peer)
    }

    /// Reads a change of this client, which its registration access token allows. A member that is left out is
    /// removed, for a change replaces all.
    ///
    /// # Errors
    /// The body is not client metadata, names another client, or says what only the server says.
    pub fn parse_change(request: &Request, current: &Client, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let wire = Wire::parse(request.json_body()?)?;
        if wire.says_what_only_the_server_says() {
            return Err(Reason::RegistrationMemberForbidden.into());
        }
        let is_own_id = wire.client_id.as_deref().is_none_or(|id| id == current.id().as_str());
        let secret = wire.client_secret.as_deref().map(SecretText::new);
        if !is_own_id || secret.is_some_and(|secret| !current.has_secret(&secret, now)) {
            return Err(Reason::RegistrationOfAnother.into());
        }
        Self::new(wire, None, request.peer)
    }

    fn new(wire: Wire, token: Option<SecretText>, peer: Option<IpAddr>) -> Result<Self, Refusal> {
        match wire.software_statement.as_ref().is_some_and(|text| text.len() > MAX_STATEMENT) {
            true => Err(Reason::RegistrationTooLarge.into()),
            false => Ok(Self { wire, token, peer }),
        }
    }

    /// The software statement that has to be checked, if there is one.
    #[must_use]
    pub fn statement(&self) -> Option<&str> {
        self.wire.software_statement.as_deref()
    }

    /// Takes the claims of the statement, and checks the metadata with what they override. Without claims no
    /// statement counts.
    ///
    /// # Errors
    /// The metadata cannot be registered, whatever the host says.
    pub fn with_claims(mut self, claims: Option<Map<String, Value>>) -> Result<AwaitReview, Refusal> {
        let statement = self.wire.software_statement.take();
        if statement.is_some() && claims.is_none() {
            return Err(Reason::SoftwareStatementUnapproved.into());
        }
        let wire = match claims {
            Some(claims) => self.wire.overridden_by(claims)?,
            None => self.wire,
        };
        Ok(AwaitReview { asked: wire.check()?, statement, token: self.token, peer: self.peer })
    }
}

impl fmt::Debug for AwaitClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitClaims").finish_non_exhaustive()
    }
}

/// Well-formed; waits for the host's policy.
#[derive(Debug)]
pub struct AwaitReview {
    asked: Asked,
    statement: Option<String>,
    token: Option<SecretText>,
    peer: Option<IpAddr>,
}

impl AwaitReview {
    /// What the policy is asked.
    pub fn applicant<'a>(&'a self, current: Option<&'a Client>) -> Applicant<'a> {
        Applicant {
            metadata: &self.asked.metadata,
            token: self.token.as_ref(),
            peer: self.peer,
            is_attested: self.statement.is_some(),
            current,
        }
    }

    /// Takes its answer; a host without a policy allows all that the terms allow.
    ///
    /// # Errors
    /// The host refuses, or nothing that was asked for may be had.
    pub fn with_review(
        self,
        review: Review,
        terms: &Registration,
        rules: &Rules,
    ) -> Result<Approved, Refusal> {
        let allowance: Allowance = match review {
            Review::Allow(allowance) => allowance,
            Review::Refuse => return Err(Reason::RegistrationRefused.into()),
            Review::RefuseToken if self.token.is_none() => return Err(Reason::InitialTokenMissing.into()),
            Review::RefuseToken => return Err(Reason::InitialTokenWrong.into()),
        };
        let metadata = self.asked.within(terms, &allowance, rules)?;
        let Allowance { expires, owner, .. } = allowance;
        Ok(Approved { metadata, statement: self.statement, expires, owner })
    }
}

/// What may be registered.
#[derive(Debug)]
pub struct Approved {
    metadata: ClientMetadata,
    statement: Option<String>,
    expires: Option<DateTime<Utc>>,
    owner: Option<String>,
}

impl Approved {
    /// A new client, and the answer that tells of it. The id is random: a client that could choose it could choose one that
    /// is a user's name at some resource.
    ///
    /// # Errors
    /// The metadata do not fit together.
    pub fn create(
        self,
        mint: Mint,
        now: DateTime<Utc>,
        terms: &Registration,
    ) -> Result<(Client, Information), Refusal> {
        let id = ClientId::new(mint.grant.to_string());
        let builder = Client::application().id(id).issued(Some(now)).owned_by(self.owner.clone());
        self.build(builder, mint, now, terms)
    }

    /// The client as it will be: its id, its state and its live secrets stay, its registration access token is a new one.
    ///
    /// # Errors
    /// The metadata do not fit together.
    pub fn change(
        self,
        current: &Client,
        mint: Mint,
        now: DateTime<Utc>,
        terms: &Registration,
    ) -> Result<(Replacement, Information), Refusal> {
        let mut kept = current.live_secrets(now);
        if self.metadata.token_endpoint_auth_method == Some(AuthMethod::None) {
            kept.clear();
        }
        let builder = ClientBuilder::keeping(current).secrets(kept);
        let (client, information) = self.build(builder, mint, now, terms)?;
        Ok((Replacement::of(current, client), information))
    }

    fn build(
        self,
        builder: ClientBuilder,
        mint: Mint,
        now: DateTime<Utc>,
        terms: &Registration,
    ) -> Result<(Client, Information), Refusal> {
        let token = terms.is_managed.then(|| RegistrationToken::new(mint.second));
        let own = SelfRegistration {
            token: token.as_ref().map(RegistrationToken::digest),
            expires: self.expires,
            software_statement: self.statement,
        };
        let builder = builder.metadata(self.metadata).self_registration(Some(Box::new(own)));
        let secret = builder.wants_secret().then(|| URL_SAFE_NO_PAD.encode(mint.first.bytes()));
        let lifetime = terms.secret_lifetime.and_then(|lifetime| TimeDelta::from_std(lifetime).ok());
        let expires = lifetime.and_then(|lifetime| now.checked_add_signed(lifetime));
        let builder = match (&secret, expires) {
            (Some(secret), Some(expires)) => builder.secret_until(secret.clone(), expires),
            (Some(secret), None) => builder.secret(secret.clone()),
            (None, _) => builder,
        };
        let client = builder.build().map_err(|_| Reason::RegistrationInconsistent)?;
        let secret = secret.map(SecretText::new);
        let information = Information::new(&client, secret, token, now);
        Ok((client, information))
    }
}
