//! The user's decision, and the response to it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::source::SignedRequest;
use super::{AuthenticationRequest, Prompt};
use crate::base::pkce::CodeChallenge;
use crate::base::redirect_uri::RedirectUri;
use crate::base::{AccessRights, AuthorizationDetails, FreshSecrets, ReplayKey, ResourceIndicators, Scope};
use crate::client::{ApplicationType, Client, ResponseType};
use crate::error::{Reason, Refusal};
use crate::flow::consent::Terms;
use crate::flow::redirect::{Answer, ErrorAnswer, Return, SealedRedirect};
use crate::flow::token::{IdToken, IdTokenTerms, Reply};
use crate::flow::{Facts, Issuance};
use crate::grant::{Authentication, Grant, Handle, Issued, Kind, PendingCode, Subject};
use crate::issuance::{Issuable, Rules};
use crate::openid::{OPENID, OpenId};
use crate::store::{Record, Write};

/// Everything is checked except the user's consent. Neither `Clone` nor serialisable: one question, one
/// answer. While a page waits for the user, the host keeps the query string and the fingerprint, and the
/// request is checked again.
#[derive(Debug)]
pub struct AwaitConsent {
    pub(super) to: Return,
    pub(super) named: bool,
    /// Whether an error needs no approval of the client to be redirected.
    pub(super) redirects_errors: bool,
    /// The record of the request, if it was pushed.
    pub(super) pushed: Option<Record>,
    /// The data of the request object, if the request was signed.
    pub(super) signed: Option<Box<SignedRequest>>,
    pub(super) requested: AuthenticationRequest,
    pub(super) response_type: ResponseType,
    pub(super) challenge: Option<CodeChallenge>,
    pub(super) authentication: Authentication,
    pub(super) issuance: Issuance,
    /// The issuance of the access token beside the code.
    pub(super) beside: Option<Box<Issuance>>,
    pub(super) terms: Terms,
}

impl AwaitConsent {
    /// The client that asks.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.terms.client()
    }

    /// Where the response goes.
    #[must_use]
    pub fn redirect_uri(&self) -> &RedirectUri {
        &self.to.uri
    }

    /// What the user is asked to grant.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        self.terms.scope()
    }

    /// The response type.
    #[must_use]
    pub fn response_type(&self) -> ResponseType {
        self.response_type
    }

    /// The resources that the tokens can be for; none is the server's default audience.
    #[must_use]
    pub fn resources(&self) -> &ResourceIndicators {
        self.terms.resources()
    }

    /// The authorization details that the user is asked to grant (RFC 9396).
    #[must_use]
    pub fn details(&self) -> &AuthorizationDetails {
        self.terms.details()
    }

    /// What the request says about how the user signs in, and about the pages.
    #[must_use]
    pub fn requested(&self) -> &AuthenticationRequest {
        &self.requested
    }

    /// Replaces the details by those that the user grants: fewer, narrower, or enriched by a choice (RFC 9396
    /// section 7.1).
    ///
    /// # Errors
    /// A detail has a type that was not requested, or is not valid for its type. Nothing changes.
    pub fn set_details(&mut self, details: AuthorizationDetails, facts: &Facts<'_>) -> Result<(), Reason> {
        self.terms.set_details(details, facts.rules)
    }

    /// Keeps the part of the scope that the user grants.
    pub fn narrow_scope(&mut self, part: &Scope) {
        self.terms.narrow_scope(part);
    }

    /// The individual claims that the parameter `claims` of OpenID Connect asks for, each once.
    #[must_use]
    pub fn claims(&self) -> Vec<&str> {
        self.issuance.openid.as_deref().map(OpenId::claim_names).unwrap_or_default()
    }

    /// Keeps only the individual claims that the user grants.
    pub fn narrow_claims(&mut self, keep: &[&str]) {
        let claims = self.issuance.openid_mut().and_then(|openid| openid.claims.as_mut());
        if let Some(claims) = claims {
            claims.retain(|name| keep.contains(&name));
        }
    }

    /// A digest of what the user is shown and asked to grant, so that the decision covers that and nothing
    /// else (OpenID Connect Core section 3.1.2.4).
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.terms.fingerprint((&self.issuance.subject, &self.to.uri, self.response_type, self.claims()))
    }

    /// Whether nothing is left of the request: an empty grant is a denial. An `id_token` needs the scope
    /// `openid`.
    #[must_use]
    pub fn is_nothing(&self, rules: &Rules) -> bool {
        let lacks_id_token = self.response_type.has_id_token() && !self.scope().contains(OPENID);
        self.terms.is_nothing(rules) || lacks_id_token
    }

    /// Whether no page may be shown (`prompt=none`).
    #[must_use]
    pub fn prompt_none(&self) -> bool {
        self.requested.has_prompt(Prompt::None)
    }

    /// Whether the user must be asked even if they granted all of this before: the client says so
    /// (`prompt=consent`), any program on the user's device could have sent the request (RFC 8252 section
    /// 8.6), or it has authorization details, which need consent each time.
    #[must_use]
    pub fn must_ask(&self) -> bool {
        let is_native = self.client().application_type() == ApplicationType::Native;
        let is_local = self.to.uri.is_local() || self.client().is_local_only();
        self.requested.has_prompt(Prompt::Consent) || is_native || is_local || !self.details().is_empty()
    }

    /// The user denied the request.
    ///
    /// The denial is redirected at once to a program on the user's own device: no attacker's page can be
    /// there (RFC 9700 section 4.11.2), and the program waits for the response.
    pub fn deny(mut self) -> ErrorAnswer {
        self.redirects_errors |= self.to.uri.is_local();
        self.refuse(Reason::ConsentDenied)
    }

    /// The write that uses up a pushed request, before its denial is sent: one request has one answer (RFC
    /// 9126 section 4). If it conflicts, the request was answered in another window.
    pub(crate) fn use_up(&self, now: DateTime<Utc>) -> Option<Write> {
        let record = self.pushed.as_ref()?;
        Some(Write::replace(record.version(), record.grant().clone().revoke(now), now))
    }

    /// The user would have to be asked, and the request forbids that (`consent_required`). The audit tells
    /// whether that holds for each such request.
    pub fn consent_required(self) -> ErrorAnswer {
        let reason = match self.must_ask() {
            true => Reason::ConsentRequiredEachTime,
            false => Reason::ConsentRequired,
        };
        self.refuse(reason)
    }

    /// Another page would have to be shown, and the request forbids that (`interaction_required`).
    pub fn interaction_required(self) -> ErrorAnswer {
        self.refuse(Reason::InteractionRequired)
    }

    /// The user whose account must be active before the approval, if the response has tokens: nothing asks
    /// for the account later, as the exchange of a code does.
    pub(crate) fn must_be_active(&self) -> Option<&Subject> {
        (self.response_type != ResponseType::Code).then_some(&self.issuance.subject)
    }

    /// The account of the user is blocked.
    pub(crate) fn blocked(self) -> ErrorAnswer {
        self.refuse(Reason::ApproverBlocked)
    }

    pub(super) fn refuse(self, reason: Reason) -> ErrorAnswer {
        let Self { to, redirects_errors, issuance, .. } = self;
        let Issuable { client, subject, .. } = issuance.into_inner();
        to.refuse(reason, redirects_errors, client.id(), Some(subject))
    }

    /// Whether the approval replaces a pushed request.
    #[must_use]
    pub fn is_pushed(&self) -> bool {
        self.pushed.is_some()
    }

    /// The key of a request object that works once, and until when its use has to be remembered. Check it
    /// before the approval.
    pub(crate) fn single_use(&self) -> Option<(ReplayKey, DateTime<Utc>)> {
        self.signed.as_ref()?.once
    }

    /// The user approved what is left. The new grant replaces the record of a pushed request, so that only
    /// one answer can be written.
    ///
    /// # Errors
    /// The `id_token` of the response cannot be made: see [`Reason::SubjectUnfit`] and
    /// [`Reason::IdTokenAlgorithm`].
    pub fn approve(
        self: Box<Self>,
        fresh: FreshSecrets,
        facts: &Facts<'_>,
    ) -> Result<(Write, SealedRedirect), Refusal> {
        let Facts { now, rules, .. } = *facts;
        let Self {
            to, named, pushed, response_type, challenge, authentication, issuance, beside, terms, ..
        } = *self;
        let issuance = issuance.narrowed(terms.scope(), terms.details().clone());
        let fresh = match &pushed {
            Some(record) => fresh.of_grant(record.grant().id()),
            None => fresh,
        };
        let (client, sub) = (Arc::clone(&issuance.client), issuance.sub.clone());
        let mut answer = Answer::default();
        let code = response_type.has_code().then(|| {
            let code = Handle::new(fresh.grant, fresh.first.duplicate());
            answer.add_code(code.into_text(Kind::Code, &rules.policy.prefixes));
            let terms = PendingCode::new(&fresh.first, &to.uri, named, challenge, now, &rules.policy);
            terms.at_most(rules.switches_for(&client).longest_code, now)
        });
        let approved = Approved { response_type, code, beside, authentication, issuance };
        let (grant, tokens) = approved.grant(fresh, facts);
        let id_token = IdTokenTerms {
            scope: grant.scope(),
            sub: sub.as_ref(),
            issued: now,
            has_nonce: true,
            is_alone: response_type == ResponseType::IdToken,
        };
        let id_token = match response_type.has_id_token() {
            true => IdToken::of(&grant, &id_token, &client, rules)?,
            false => None,
        };
        if let Some(tokens) = tokens {
            answer.add_tokens(Reply::new(&grant, tokens, facts), &rules.policy.prefixes);
        }
        if let Some(id_token) = id_token {
            answer.add_id_token(id_token, to.state.as_deref());
        }
        let write = match pushed {
            Some(record) => Write::reindex(record.version(), grant, now),
            None => Write::insert(grant, now),
        };
        let sealed = SealedRedirect { to, answer, write: write.name() };
        Ok((write, sealed))
    }
}

/// The parts of a new grant.
struct Approved {
    response_type: ResponseType,
    code: Option<PendingCode>,
    beside: Option<Box<Issuance>>,
    authentication: Authentication,
    issuance: Issuance,
}

impl Approved {
    /// The grant, and the access token of the response.
    fn grant(self, fresh: FreshSecrets, facts: &Facts<'_>) -> (Grant, Option<Issued>) {
        let Facts { now, rules, .. } = *facts;
        let Self { response_type, code, beside, authentication, issuance } = self;
        let policy = &rules.policy;
        match (code, beside) {
            (Some(code), Some(beside)) => {
                let beside = narrowed(*beside, &issuance, rules);
                let (grant, tokens) =
                    Grant::offer_beside_token(issuance, &beside, authentication, code, fresh, now, policy);
                (grant, Some(tokens))
            }
            (Some(code), None) if response_type.has_id_token() => {
                (Grant::offer_beside_id_token(issuance, authentication, code, &fresh, now, policy), None)
            }
            (Some(code), None) => (Grant::offer(issuance, authentication, code, &fresh, now, policy), None),
            (None, _) if response_type.has_token() => {
                let (grant, tokens) = Grant::issue(issuance, Some(authentication), fresh, now, policy);
                (grant, Some(tokens))
            }
            (None, _) => (Grant::identify(issuance, authentication, fresh.grant, now, policy), None),
        }
    }
}

/// The issuance of the access token beside the code, limited to what was approved.
fn narrowed(beside: Issuance, approved: &Issuance, rules: &Rules) -> Issuance {
    let AccessRights { scope, details, .. } = &approved.rights;
    let details = rules.details_for(beside.audience.as_ref(), &approved.client, details);
    beside.narrowed(scope, details)
}
