//! What can be redeemed at the token endpoint: a code, a device code or a refresh token. Each is a file with
//! a row of facts.

use std::net::IpAddr;
use std::sync::Arc;

use super::code::CodeParameters;
use super::decision::RedemptionDecision;
use super::id_token::{IdToken, IdTokenTerms};
use super::refresh::RefreshParameters;
use super::reply::Reply;
use super::{RequestedAccess, device};
use crate::base::fresh_secrets::FreshSecrets;
use crate::base::secret::{Digest, Secret};
use crate::client::auth::{AuthenticatedClient, Presented};
use crate::client::{Client, GrantType};
use crate::error::{Reason, Refusal};
use crate::grant::{Grant, GrantId, Handle, Issued, Kind, Subject, Verdict};
use crate::http::Request;
use crate::http::form::Form;
use crate::issuance::{AccountStatus, Facts, Gate};
use crate::store::{Record, Write};

/// The facts about one of them.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) grant_type: GrantType,
    /// The parameter that contains it.
    pub(super) parameter: &'static str,
    pub(super) kind: Kind,
    /// The refusal if no grant has it.
    pub(super) unknown: Reason,
    /// Whether its response is repeated only if the server knows that the first one was never sent.
    pub(super) is_code: bool,
    /// Reads the other parameters that its redemption needs.
    pub(super) read_parameters: fn(&Form<'_>, &Request, &Presented) -> Result<RedemptionParameters, Reason>,
}

/// The other parameters that a redemption needs.
#[derive(Debug)]
pub(super) enum RedemptionParameters {
    Code(CodeParameters),
    Device,
    Refresh(RefreshParameters),
}

/// The other inputs of a redemption.
pub(super) struct Redeeming<'a> {
    pub(super) secret: &'a Secret,
    pub(super) gate: &'a Gate<'a>,
    pub(super) fresh: FreshSecrets,
    pub(super) facts: &'a Facts<'a>,
}

/// A presented code or token; unverified.
#[derive(Debug)]
pub(super) struct Redemption {
    row: &'static Row,
    handle: Option<Handle>,
    parameters: RedemptionParameters,
}

impl Redemption {
    /// Reads the parameters of a grant type that redeems something.
    pub(super) fn parse(
        row: &'static Row,
        form: &Form<'_>,
        request: &Request,
        presented: &Presented,
        facts: &Facts<'_>,
    ) -> Result<Self, Reason> {
        let text = form.one(row.parameter)?.ok_or(Reason::ParameterMissing)?;
        let handle = Handle::parse(text, row.kind, &facts.rules.policy.prefixes);
        Ok(Self { row, handle, parameters: (row.read_parameters)(form, request, presented)? })
    }

    pub(super) fn grant_type(&self) -> &GrantType {
        &self.row.grant_type
    }

    /// The id of the grant that it names.
    pub(super) fn named_grant(&self) -> Option<GrantId> {
        self.handle.as_ref().map(|handle| handle.grant)
    }

    /// Takes the client.
    ///
    /// # Errors
    /// The text is malformed, so it names no grant.
    pub(super) fn with_client(
        self,
        client: AuthenticatedClient,
        asked: RequestedAccess,
    ) -> Result<AwaitGrant, Reason> {
        let Self { row, handle, parameters } = self;
        let parameters = match parameters {
            RedemptionParameters::Code(code) => RedemptionParameters::Code(code.of(client.client())),
            parameters @ (RedemptionParameters::Device | RedemptionParameters::Refresh(_)) => parameters,
        };
        Ok(AwaitGrant { client, row, handle: handle.ok_or(row.unknown)?, parameters, asked })
    }
}

/// Waits for the grant that a code, a device code or a refresh token names.
#[derive(Debug)]
pub struct AwaitGrant {
    client: AuthenticatedClient,
    row: &'static Row,
    handle: Handle,
    parameters: RedemptionParameters,
    asked: RequestedAccess,
}

impl AwaitGrant {
    /// The grant that has to be loaded.
    #[must_use]
    pub fn grant_id(&self) -> GrantId {
        self.handle.grant
    }

    /// Whether a code or a device code is presented. Unlike that of a refresh token, its response is repeated
    /// only if the server knows that the first one was never sent.
    #[must_use]
    pub fn is_code(&self) -> bool {
        self.row.is_code
    }

    /// A digest of the presented code or token, where its text must not be kept.
    pub(crate) fn digest(&self) -> Digest {
        self.handle.secret.digest(self.row.kind.tag())
    }

    /// The requesting client.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        self.client.client()
    }

    /// Takes the record from the store. Borrows, because the driver loads the record and decides again after
    /// a lost race.
    ///
    /// # Errors
    /// There is no such grant.
    pub fn with_record(&self, found: Option<Record>) -> Result<AwaitAccountStatus<'_>, Refusal> {
        let record = found.ok_or(self.row.unknown)?;
        Ok(AwaitAccountStatus { request: self, record })
    }

    /// The response with these tokens and the `id_token`, if there is one. A resource narrows only the scope
    /// of the access token (RFC 8707 section 2.2), so the `id_token` follows the scope of the grant.
    fn reply(
        &self,
        grant: &Grant,
        tokens: Issued,
        gate: &Gate<'_>,
        facts: &Facts<'_>,
    ) -> Result<Reply, Reason> {
        if grant.openid().is_none() {
            return Ok(Reply::new(grant, tokens, facts));
        }
        let answer = IdTokenTerms {
            scope: &gate.scope_within(grant.scope()),
            sub: tokens.sub.as_ref(),
            issued: tokens.issued,
            has_nonce: self.row.kind == Kind::Code,
            is_alone: false,
        };
        let id_token = IdToken::of(grant, &answer, self.client.client(), facts.rules)?;
        let reply = Reply::new(grant, tokens, facts);
        Ok(match id_token {
            Some(id_token) => reply.with_id_token(id_token, &facts.rules.policy.prefixes),
            None => reply,
        })
    }
}

/// Waits for the status of the account of the grant's user.
#[derive(Debug)]
pub struct AwaitAccountStatus<'a> {
    request: &'a AwaitGrant,
    record: Record,
}

impl AwaitAccountStatus<'_> {
    /// The user that the host is asked about.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        self.record.grant().subject()
    }

    /// The address that got the response which this request may ask to repeat.
    pub(crate) fn answered_peer(&self) -> Option<IpAddr> {
        match self.request.parameters {
            RedemptionParameters::Refresh(_) => self.record.grant().answered_peer(),
            RedemptionParameters::Code(_) | RedemptionParameters::Device => None,
        }
    }

    /// Takes the account status, and decides.
    pub fn decide(
        self,
        account_status: AccountStatus,
        fresh: FreshSecrets,
        facts: &Facts<'_>,
    ) -> RedemptionDecision {
        let Facts { now, rules, .. } = *facts;
        let AwaitGrant { client, row, handle, parameters, asked } = self.request;
        let (version, grant) = (self.record.version(), self.record.into_grant());
        let grant_type = row.grant_type.clone();
        let gate = &Gate { client: client.client(), grant_type, asked, account_status, rules };
        let redeeming = Redeeming { secret: &handle.secret, gate, fresh, facts };
        let verdict = match parameters {
            RedemptionParameters::Code(code) => code.redeem(grant, redeeming),
            RedemptionParameters::Device => device::redeem(grant, redeeming),
            RedemptionParameters::Refresh(refresh) => refresh.redeem(grant, redeeming),
        };
        match verdict {
            Verdict::Issue { next, tokens } => match self.request.reply(&next, tokens, gate, facts) {
                Ok(reply) => RedemptionDecision::commit(Write::replace(version, next, now), Ok(reply)),
                Err(reason) => RedemptionDecision::Refuse(reason.into()),
            },
            Verdict::Repeat { grant, tokens } => match self.request.reply(&grant, tokens, gate, facts) {
                Ok(reply) => RedemptionDecision::Repeat(reply),
                Err(reason) => RedemptionDecision::Refuse(reason.into()),
            },
            Verdict::Refuse { refusal } => RedemptionDecision::Refuse(refusal),
            Verdict::RefuseAndNote { next, reason } => {
                RedemptionDecision::commit(Write::replace(version, next, now), Err(reason.into()))
            }
            Verdict::RefuseAndEnd { next, reason } => RedemptionDecision::end(next, reason, now),
        }
    }
}
