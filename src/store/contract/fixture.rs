//! Grants in every stage, with unique names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::report::Stop;
use crate::base::pkce::{CodeChallenge, CodeVerifier};
use crate::base::redirect_uri::RedirectUri;
use crate::base::{
    AuthorizationDetails, Clock, Digest, Entropy, FreshSecrets, ResourceIndicators, RightsRef, Scope, Secret,
    SystemClock,
};
use crate::client::{
    AuthMethod, Client, ClientId, ClientMetadata, ClientSecret, GrantType, Identity, SecretHash,
};
use crate::error::Reason;
use crate::grant::{
    Authentication, BrowserSession, CodeRedemption, DeviceCodeUse, Grant, GrantId, Issued, SessionId,
};
use crate::grant::{Login, MAX_SPENT_REFRESH_TOKENS, PendingCode, RefreshUse, Subject, UserCode, Verdict};
use crate::http::form::Form;
use crate::issuance::{
    AccountStatus, Gate, Granted, KnownResource, Policy, RequestedAccess, Resource, Rules,
};
use crate::openid::{OpenId, Session};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CALLBACK: &str = "https://app.example/it's?a=100%25&b=%22";
const API: &str = "https://api.example/it's?tenant=%25";
const SCOPE: &str = "read write it's 100%_ {a:[b]}";

/// After this time, all records that the suite leaves behind have expired.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

pub(super) struct Fixture {
    seed: u64,
    drawn: AtomicU64,
    pub(super) now: DateTime<Utc>,
    rules: Rules,
    /// Requests all scopes, for the API.
    all: RequestedAccess,
    /// Requests one scope.
    narrow: RequestedAccess,
    /// Requests nothing in particular.
    silent: RequestedAccess,
}

/// All random bytes are derived from the seed.
impl Entropy for Fixture {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
            let digest = Digest::of("grantor:contract", format!("{}:{drawn}", self.seed).as_bytes());
            chunk.copy_from_slice(&digest.expose()[..chunk.len()]);
        }
    }
}

/// A client, and the subject that it acts for.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) client: Arc<Client>,
    pub(super) subject: Subject,
}

/// A grant that waits for its user.
pub(super) struct Wait {
    pub(super) grant: Grant,
    /// The secret half of the device code.
    pub(super) code: Secret,
    /// The code that the user enters.
    pub(super) user_code: UserCode,
}

impl Fixture {
    pub(super) fn new(seed: u64) -> Self {
        let policy = Policy {
            code_lifetime: LIFETIME,
            device_code_lifetime: LIFETIME,
            access_token_lifetime: LIFETIME,
            refresh_token_idle: LIFETIME,
            grant_lifetime: LIFETIME,
            leeway: LIFETIME,
            ..Policy::default()
        };
        let scope = Scope::parse(SCOPE).unwrap_or_default();
        let resources = KnownResource::check(Resource::new(API)).into_iter().collect();
        let rules = Rules { policy: policy.shared(), resources, ..Rules::new("https://as.example", scope) };
        Self {
            seed,
            drawn: AtomicU64::new(0),
            now: SystemClock.now(),
            rules,
            all: asked(&[("resource", API)]),
            narrow: asked(&[("scope", "it's")]),
            silent: RequestedAccess::default(),
        }
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn fresh_secrets(&self) -> FreshSecrets {
        FreshSecrets::draw(self)
    }

    pub(super) fn id(&self) -> GrantId {
        self.fresh_secrets().grant
    }

    /// A text that occurs in no other run.
    pub(super) fn text(&self, name: &str) -> String {
        format!("{name} #{:x}.{}", self.seed, self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn pair(&self) -> Pair {
        self.named(&self.text("client"), Subject::user(self.text("subject")))
    }

    /// A client whose refresh tokens rotate.
    pub(super) fn named(&self, client: &str, subject: Subject) -> Pair {
        Pair { client: client_of(client, true), subject }
    }

    /// A grant with an unredeemed code, and the code.
    pub(super) fn offered(&self, pair: &Pair) -> Result<(Grant, Secret), Stop> {
        self.offered_as(self.id(), pair, self.now)
    }

    /// Like [`offered`](Self::offered), with this id, at this time.
    pub(super) fn offered_as(
        &self,
        id: GrantId,
        pair: &Pair,
        now: DateTime<Utc>,
    ) -> Result<(Grant, Secret), Stop> {
        let fresh = FreshSecrets { grant: id, ..self.fresh_secrets() };
        let challenge = CodeChallenge::parse(CHALLENGE).ok();
        let terms = PendingCode::new(&fresh.first, &callback()?, true, challenge, now, &self.rules.policy);
        let authentication = Authentication { auth_time: now, acr: Some("urn:é:\"1\"".into()) };
        let gate = self.gate(&pair.client, GrantType::AuthorizationCode, &self.all);
        let issuance = gate.pass_new(&pair.subject)?;
        let grant = Grant::offer(issuance, authentication, terms, &fresh, now, &self.rules.policy);
        Ok((grant, fresh.first))
    }

    /// A grant with an unredeemed code that began in a session of the host at this time, and the code.
    pub(super) fn offered_in(
        &self,
        pair: &Pair,
        then: DateTime<Utc>,
        session: Session,
    ) -> Result<(Grant, Secret), Stop> {
        let (fresh, policy) = (self.fresh_secrets(), &self.rules.policy);
        let challenge = CodeChallenge::parse(CHALLENGE).ok();
        let terms = PendingCode::new(&fresh.first, &callback()?, true, challenge, then, policy);
        let authentication = Authentication { auth_time: then, acr: None };
        let gate = self.gate(&pair.client, GrantType::AuthorizationCode, &self.all);
        let openid = OpenId { session: Some(Box::new(session)), ..OpenId::default() };
        let issuance = gate.pass_new(&pair.subject)?.with_openid(Some(Box::new(openid)));
        Ok((Grant::offer(issuance, authentication, terms, &fresh, then, policy), fresh.first))
    }

    /// A session that a logout has to find.
    fn session(&self) -> Session {
        Session { id: SessionId::new(&self.text("session")), kept_until: Some(self.now + LIFETIME * 2) }
    }

    /// A grant of such a session whose code was redeemed.
    fn live_in(&self, pair: &Pair) -> Result<Grant, Stop> {
        let (grant, code) = self.offered_in(pair, self.now, self.session())?;
        Ok(issued(self.redeem(grant, &code, &pair.client))?.0)
    }

    /// A grant whose code was redeemed.
    pub(super) fn live(&self, pair: &Pair) -> Result<(Grant, Issued), Stop> {
        let (grant, code) = self.offered(pair)?;
        issued(self.redeem(grant, &code, &pair.client))
    }

    /// The verdict on a code.
    pub(super) fn redeem(&self, grant: Grant, code: &Secret, client: &Arc<Client>) -> Verdict {
        self.redeem_at(grant, code, client, self.now)
    }

    /// Like [`redeem`](Self::redeem), at this time.
    pub(super) fn redeem_at(
        &self,
        grant: Grant,
        code: &Secret,
        client: &Arc<Client>,
        now: DateTime<Utc>,
    ) -> Verdict {
        let verifier = CodeVerifier::parse(VERIFIER).ok();
        let gate = self.gate(client, GrantType::AuthorizationCode, &self.silent);
        let presented = CodeRedemption {
            secret: code,
            verifier: verifier.as_ref(),
            client_secret: None,
            redirect_uri: Some(CALLBACK),
            gate: &gate,
            unanswered: false,
        };
        grant.redeem_code(presented, self.fresh_secrets(), now, &self.rules.policy)
    }

    /// A grant that waits for its user, with a random user code.
    pub(super) fn waiting(&self, pair: &Pair) -> Result<Wait, Stop> {
        self.waiting_under(self.fresh_secrets().second, pair, self.now)
    }

    /// Like [`waiting`](Self::waiting), with the user code of these random bytes, since this time.
    pub(super) fn waiting_under(&self, drawn: Secret, pair: &Pair, now: DateTime<Utc>) -> Result<Wait, Stop> {
        let fresh = FreshSecrets { second: drawn, ..self.fresh_secrets() };
        let gate = self.gate(&pair.client, GrantType::DeviceCode, &self.all);
        let issuance = gate.pass_new(pair.client.subject())?;
        let (grant, user_code) = Grant::wait(issuance, &fresh, now, &self.rules.policy);
        Ok(Wait { grant, code: fresh.first, user_code })
    }

    /// The grant after this browser session has entered the user code.
    pub(super) fn claimed(&self, wait: &Wait, claimant: &BrowserSession) -> Result<Grant, Stop> {
        Ok(wait.grant.claim(&wait.user_code.digest(), claimant, self.now)?.unwrap_or(wait.grant.clone()))
    }

    /// The grant after its user has approved it.
    pub(super) fn approve(
        &self,
        grant: Grant,
        pair: &Pair,
        claimant: &BrowserSession,
    ) -> Result<Grant, Reason> {
        let login = Login::new(pair.subject.id(), self.now).with_acr("urn:é:\"1\"");
        grant.approve(claimant, &login, None, self.now, &self.rules.policy)
    }

    /// The verdict on a device code.
    pub(super) fn poll(&self, grant: Grant, code: &Secret, client: &Arc<Client>) -> Verdict {
        let gate = self.gate(client, GrantType::DeviceCode, &self.silent);
        let presented = DeviceCodeUse { secret: code, gate: &gate, unanswered: false };
        grant.redeem_device_code(presented, self.fresh_secrets(), self.now, &self.rules.policy)
    }

    /// The verdict on a refresh token.
    pub(super) fn refresh(&self, grant: Grant, token: &Secret, client: &Arc<Client>) -> Verdict {
        self.refresh_for(grant, token, client, &self.silent)
    }

    fn refresh_for(
        &self,
        grant: Grant,
        token: &Secret,
        client: &Arc<Client>,
        asked: &RequestedAccess,
    ) -> Verdict {
        let gate = self.gate(client, GrantType::RefreshToken, asked);
        let presented = RefreshUse { secret: token, gate: &gate, peer: None };
        grant.rotate_refresh(presented, self.fresh_secrets(), self.now, &self.rules.policy)
    }

    /// One grant of each stage, in each of its shapes.
    pub(super) fn every_stage(&self, pair: &Pair) -> Result<Vec<(&'static str, Grant)>, Stop> {
        let claimant = BrowserSession::session("it's");
        let steady = Pair { client: client_of(pair.client.id().as_str(), false), ..pair.clone() };
        Ok(vec![
            ("offered", self.offered(pair)?.0),
            ("offered without anything optional", self.offered_bare(pair)?),
            ("offered beside a token", self.offered_beside(pair)?),
            ("redeemed", self.live(pair)?.0),
            ("refreshed", self.refreshed(pair, 1)?),
            ("refreshed as often as is remembered", self.refreshed(pair, MAX_SPENT_REFRESH_TOKENS + 1)?),
            ("refreshed without rotation", self.refreshed(&steady, 1)?),
            ("a client's own", self.own(pair)?),
            ("waiting for its user", self.waiting(pair)?.grant),
            ("claimed and polled", self.polled(pair)?),
            ("approved on a page", self.approved(pair)?.0),
            ("denied", self.claimed(&self.waiting(pair)?, &claimant)?.deny(&claimant, self.now)?),
            ("redeemed by a device", self.redeemed_by_a_device(pair)?),
            ("ended while it waited", self.waiting(pair)?.grant.revoke(self.now)),
            ("ended before its code was redeemed", self.offered(pair)?.0.revoke(self.now)),
            ("ended", self.live(pair)?.0.revoke(self.now)),
            ("offered in a session", self.offered_in(pair, self.now, self.session())?.0),
            ("redeemed in a session", self.live_in(pair)?),
            ("ended in a session", self.live_in(pair)?.revoke(self.now)),
        ])
    }

    /// A grant that a user approved, and its device code.
    pub(super) fn approved(&self, pair: &Pair) -> Result<(Grant, Secret), Stop> {
        let claimant = BrowserSession::session("it's");
        let wait = self.waiting(pair)?;
        let claimed = self.claimed(&wait, &claimant)?;
        Ok((self.approve(claimed, pair, &claimant)?, wait.code))
    }

    fn redeemed_by_a_device(&self, pair: &Pair) -> Result<Grant, Stop> {
        let (grant, code) = self.approved(pair)?;
        Ok(issued(self.poll(grant, &code, &pair.client))?.0)
    }

    fn polled(&self, pair: &Pair) -> Result<Grant, Stop> {
        let wait = self.waiting(pair)?;
        let claimed = self.claimed(&wait, &BrowserSession::session("it's"))?;
        match self.poll(claimed, &wait.code, &pair.client) {
            Verdict::RefuseAndNote { next, .. } => Ok(next),
            verdict => issued(verdict).map(|(grant, _)| grant),
        }
    }

    fn offered_bare(&self, pair: &Pair) -> Result<Grant, Stop> {
        let fresh = self.fresh_secrets();
        let policy = &self.rules.policy;
        let terms = PendingCode::new(&fresh.first, &callback()?, false, None, self.now, policy);
        let authentication = Authentication { auth_time: self.now, acr: None };
        let gate = self.gate(&pair.client, GrantType::AuthorizationCode, &self.silent);
        let (subject, scope) = (&pair.subject, &Scope::empty());
        let (details, resources) = (AuthorizationDetails::NONE, &ResourceIndicators::default());
        let rights = RightsRef { scope, details, resources, confirmation: None };
        let issuance = gate.pass(Granted { subject, rights })?;
        Ok(Grant::offer(issuance, authentication, terms, &fresh, self.now, policy))
    }

    fn offered_beside(&self, pair: &Pair) -> Result<Grant, Stop> {
        let (fresh, policy) = (self.fresh_secrets(), &self.rules.policy);
        let terms = PendingCode::new(&fresh.first, &callback()?, true, None, self.now, policy);
        let authentication = Authentication { auth_time: self.now, acr: None };
        let gate =
            |asked| self.gate(&pair.client, GrantType::AuthorizationCode, asked).pass_new(&pair.subject);
        let (whole, part) = (gate(&self.silent)?, gate(&self.narrow)?);
        Ok(Grant::offer_beside_token(whole, &part, authentication, terms, fresh, self.now, policy).0)
    }

    /// A grant after several refreshes, every other one with a narrower scope.
    fn refreshed(&self, pair: &Pair, times: usize) -> Result<Grant, Stop> {
        let (mut grant, mut tokens) = self.live(pair)?;
        for n in 0..times {
            let Some(token) = &tokens.refresh else { return Ok(grant) };
            let asked = if n % 2 == 0 { &self.narrow } else { &self.silent };
            (grant, tokens) = issued(self.refresh_for(grant, token, &pair.client, asked))?;
        }
        Ok(grant)
    }

    /// A client's own grant: that of this client, unless the subject of the pair is another client.
    pub(super) fn own(&self, pair: &Pair) -> Result<Grant, Stop> {
        let gate = self.gate(&pair.client, GrantType::ClientCredentials, &self.silent);
        let subject = match &pair.subject {
            Subject::User(_) => pair.client.subject(),
            Subject::Client(_) => &pair.subject,
        };
        let issuance = gate.pass_new(subject)?;
        Ok(Grant::issue(issuance, None, self.fresh_secrets(), self.now, &self.rules.policy).0)
    }

    fn gate<'a>(
        &'a self,
        client: &'a Arc<Client>,
        grant_type: GrantType,
        asked: &'a RequestedAccess,
    ) -> Gate<'a> {
        Gate { client, grant_type, asked, account_status: AccountStatus::Active, rules: &self.rules }
    }
}

/// Texts that people choose, or that an attacker chooses to break a query.
pub(super) fn hostile_texts() -> [String; 8] {
    [
        "O'Brien \"Bob\" \\ `x`".to_owned(),
        "'; DROP TABLE grants; --".to_owned(),
        "100%_*?[a-z]".to_owned(),
        "żółw 🐢 e\u{301} \u{202e}txt".to_owned(),
        "{\"user\":\"root\"}".to_owned(),
        "line\r\nbreak\ttab".to_owned(),
        "a:b/c?d=e&f#g\u{1f}".to_owned(),
        "long".repeat(250),
    ]
}

pub(super) fn issued(verdict: Verdict) -> Result<(Grant, Issued), Stop> {
    match verdict {
        Verdict::Issue { next, tokens } => Ok((next, tokens)),
        Verdict::Refuse { refusal } => Err(refusal.reason().into()),
        Verdict::RefuseAndNote { reason, .. } | Verdict::RefuseAndEnd { reason, .. } => Err(reason.into()),
        Verdict::Repeat { .. } => Err(Stop::Repeated),
    }
}

fn callback() -> Result<RedirectUri, Stop> {
    RedirectUri::register(CALLBACK).map_err(|_| Stop::Refused(Reason::RedirectUriMismatch))
}

/// Parses the parameters as in a request.
fn asked(parameters: &[(&str, &str)]) -> RequestedAccess {
    let form = serde_urlencoded::to_string(parameters).unwrap_or_default();
    Form::parse(form.as_bytes()).ok().and_then(|form| RequestedAccess::parse(&form).ok()).unwrap_or_default()
}

/// A client that passes the builder's checks, because a registry applies them when it reads the client back.
pub(super) fn client_named(id: &str, name: &str) -> Client {
    let metadata = ClientMetadata {
        client_name: Some(name.into()),
        grant_types: Some([GrantType::ClientCredentials].into()),
        ..ClientMetadata::default()
    };
    let hash = SecretHash::Sha256(Digest::of("grantor:contract", b""));
    let secrets = vec![ClientSecret { hash, sealed: None, expires: None }];
    Client { metadata, secrets, ..Client::clone(&client_of(id, true)) }
}

/// Made without the builder: a store has to accept any text, not only what can be registered today.
fn client_of(id: &str, rotates: bool) -> Arc<Client> {
    use GrantType::{AuthorizationCode, ClientCredentials, DeviceCode, RefreshToken};
    let metadata = ClientMetadata {
        grant_types: Some([AuthorizationCode, ClientCredentials, DeviceCode, RefreshToken].into()),
        rotate_refresh_tokens: Some(rotates),
        ..ClientMetadata::default()
    };
    Arc::new(Client {
        identity: Identity::new(ClientId::new(id)),
        metadata,
        redirect_uris: Box::default(),
        auth_method: AuthMethod::ClientSecretBasic,
        keys: None,
        secrets: Vec::new(),
        issued: None,
        revision: 0,
        state: crate::client::ClientState::Active,
        self_registration: None,
        owner: None,
        sector: None,
        of_document: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_have_everything_that_a_grant_can_have() {
        let fixture = Fixture::new(1);
        let stages = fixture.every_stage(&fixture.pair()).unwrap();
        let body = |name| stages.iter().find(|(stage, _)| *stage == name).unwrap().1.encode();
        for part in ["challenge", "acr", "targets", "100%_"] {
            assert!(body("offered").contains(part), "{part}");
            assert!(!body("offered without anything optional").contains(part), "{part}");
        }
        for part in ["spent", "bridge", "narrowed", "audience", "\"scope\":\"it's\"", "\"rotates\":true"] {
            assert!(body("refreshed").contains(part), "{part}");
        }
        assert!(body("offered beside a token").contains("\"hybrid\":{\"code\""));
        assert!(body("redeemed").contains("bridge"));
        assert!(body("refreshed without rotation").contains("\"rotates\":false"));
        assert!(body("a client's own").contains("\"subject\":{\"client\""));
        assert!(body("ended").contains("until"));
        for name in ["offered in a session", "redeemed in a session", "ended in a session"] {
            assert!(body(name).contains("\"session\":{\"id\":"), "{name}");
        }
        assert!(body("waiting for its user").contains("\"subject\":{\"client\""));
        for part in ["claimant", "polled"] {
            assert!(body("claimed and polled").contains(part), "{part}");
            assert!(!body("waiting for its user").contains(part), "{part}");
        }
        assert!(body("redeemed by a device").contains("\"device\":{\"code\""));
        let often = body("refreshed as often as is remembered");
        assert!(often.matches("\"at\":").count() >= MAX_SPENT_REFRESH_TOKENS);
    }
}
