//! The key that a grant is bound to (RFC 9449 section 5): its code, its refresh tokens, and each of its
//! access tokens.

use super::access::Issued;
use super::stage::Stage;
use super::{Grant, Verdict, refuse};
use crate::base::Confirmation;
use crate::error::{ProofFlaw, Reason};
use crate::issuance::{Gate, Issuance};

impl Grant {
    /// The key that the grant is bound to: its code and its refresh tokens work only with a proof of that
    /// key. Once a confidential client has redeemed its code, only the access tokens are bound, each to its
    /// own key (RFC 9449 section 5).
    #[must_use]
    pub fn confirmation(&self) -> Option<&Confirmation> {
        self.origin.circumstances()?.confirmation.as_deref()
    }

    /// Binds the grant to the key of its first tokens. The key of the code no longer counts once the code is
    /// spent.
    pub(super) fn bind(&mut self, issuance: &Issuance) {
        let confirmation = issuance.grant_confirmation();
        if self.confirmation() == confirmation.as_ref() {
            return;
        }
        self.origin = self.origin.with(|origin| origin.confirmation = confirmation.map(Box::new));
    }

    /// Binds a grant without a key to the key that a refresh proves. Access tokens that were issued before
    /// stay unbound.
    pub(super) fn bind_later(&mut self, issuance: &Issuance) {
        let proven = issuance.grant_confirmation();
        if proven.is_none() || proven.as_ref() == self.confirmation() {
            return;
        }
        let former = self.confirmation().cloned();
        if let Stage::Live(live) = &mut self.stage {
            live.access.keep_key(former.as_ref());
        }
        self.bind(issuance);
    }

    /// Repeats a response, if the request passes the gate and proves the same key as the first one.
    pub(super) fn repeat_answer(self, tokens: Issued, gate: &Gate<'_>) -> Verdict {
        let issuance = match gate.pass(self.granted()) {
            Ok(issuance) => issuance,
            Err(reason) => return refuse(reason),
        };
        let Some(first) = self.stage.tokens().and_then(|live| live.any(&tokens.access)) else {
            return refuse(Reason::RetryRevoked);
        };
        let first = first.confirmation(&self);
        let proven = issuance.rights.confirmation.as_ref();
        match first {
            _ if first == proven => {}
            Some(key) => return refuse(ProofFlaw::lacking(key, proven).into()),
            None => return refuse(ProofFlaw::OtherKey.into()),
        }
        Verdict::Repeat { tokens: tokens.again(&issuance), grant: self }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;
    use crate::base::FreshSecrets;
    use crate::base::Scope;
    use crate::base::Secret;
    use crate::base::pkce::{CodeChallenge, CodeVerifier};
    use crate::base::redirect_uri::RedirectUri;
    use crate::base::{Authentication, Subject, Thumbprint};
    use crate::client::{AuthMethod, Client, GrantType};
    use crate::error::Reason;
    use crate::grant::{CodeRedemption, GrantId, PendingCode, RefreshUse};
    use crate::issuance::Rules;
    use crate::issuance::{AccountStatus, RequestedAccess};

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const CALLBACK: &str = "https://app.example/callback";

    fn key(byte: u8) -> Confirmation {
        Confirmation::Jkt(Thumbprint::new([byte; 32]))
    }

    fn secrets(byte: u8) -> FreshSecrets {
        let (first, second) = (Secret::new([byte; 32]), Secret::new([byte + 1; 32]));
        FreshSecrets { grant: GrantId::new([7; 16]), first, second }
    }

    struct World {
        client: Arc<Client>,
        rules: Rules,
        now: DateTime<Utc>,
    }

    impl World {
        fn with(method: AuthMethod) -> Self {
            let client = Client::builder("app")
                .auth_method(method)
                .redirect_uri(CALLBACK)
                .grant_types([GrantType::AuthorizationCode, GrantType::RefreshToken])
                .scope("read")
                .rotate_refresh(true);
            let client = match method {
                AuthMethod::None => client,
                _ => client.secret("a secret of forty characters, or some more"),
            };
            let rules = Rules::new("https://as.example", Scope::parse("read").unwrap());
            Self {
                client: Arc::new(client.build().unwrap()),
                rules,
                now: DateTime::from_timestamp(1_000_000, 0).unwrap(),
            }
        }

        fn asked(key: Option<Confirmation>) -> RequestedAccess {
            RequestedAccess { confirmation: key, ..RequestedAccess::default() }
        }

        fn gate<'a>(&'a self, grant_type: GrantType, asked: &'a RequestedAccess) -> Gate<'a> {
            let account_status = AccountStatus::Active;
            Gate { client: &self.client, grant_type, asked, account_status, rules: &self.rules }
        }

        fn redeem(&self, key: Option<Confirmation>) -> Result<(Grant, Issued), Reason> {
            let policy = &self.rules.policy;
            let silent = RequestedAccess { scope: Scope::parse("read").ok(), ..RequestedAccess::default() };
            let issuance =
                self.gate(GrantType::AuthorizationCode, &silent).pass_new(&Subject::user("ada"))?;
            let (fresh, challenge) = (secrets(1), CodeChallenge::parse(CHALLENGE).ok());
            let uri = RedirectUri::register(CALLBACK).unwrap();
            let terms = PendingCode::new(&fresh.first, &uri, true, challenge, self.now, policy);
            let authentication = Authentication { auth_time: self.now, acr: None };
            let grant = Grant::offer(issuance, authentication, terms, &fresh, self.now, policy);
            let asked = Self::asked(key);
            let verifier = CodeVerifier::parse(VERIFIER).ok();
            let presented = CodeRedemption {
                secret: &fresh.first,
                verifier: verifier.as_ref(),
                client_secret: None,
                redirect_uri: Some(CALLBACK),
                gate: &self.gate(GrantType::AuthorizationCode, &asked),
                unanswered: false,
            };
            tokens(grant.redeem_code(presented, secrets(3), self.now, policy))
        }

        fn refresh(&self, grant: &Grant, token: &Secret, key: Option<Confirmation>) -> Verdict {
            let asked = Self::asked(key);
            let gate = &self.gate(GrantType::RefreshToken, &asked);
            let presented = RefreshUse { secret: token, gate, peer: None };
            grant.clone().rotate_refresh(
                presented,
                secrets(5),
                self.now + TimeDelta::seconds(1),
                &self.rules.policy,
            )
        }
    }

    fn tokens(verdict: Verdict) -> Result<(Grant, Issued), Reason> {
        match verdict {
            Verdict::Issue { next, tokens } | Verdict::Repeat { grant: next, tokens } => Ok((next, tokens)),
            Verdict::Refuse { refusal } => Err(refusal.reason()),
            Verdict::RefuseAndNote { reason, .. } | Verdict::RefuseAndEnd { reason, .. } => Err(reason),
        }
    }

    fn refused(verdict: Verdict) -> Option<Reason> {
        match verdict {
            Verdict::Refuse { refusal } => Some(refusal.reason()),
            Verdict::Issue { .. }
            | Verdict::Repeat { .. }
            | Verdict::RefuseAndNote { .. }
            | Verdict::RefuseAndEnd { .. } => None,
        }
    }

    fn key_of(grant: &Grant, tokens: &Issued, now: DateTime<Utc>) -> Option<Confirmation> {
        let record = grant.access(&tokens.access, now).unwrap();
        assert_eq!(record.confirmation(grant).cloned(), tokens.rights.confirmation);
        tokens.rights.confirmation.clone()
    }

    #[test]
    fn the_refresh_tokens_of_a_public_client_are_bound_to_its_key() {
        let world = World::with(AuthMethod::None);
        let (grant, first) = world.redeem(Some(key(1))).unwrap();
        assert_eq!((grant.confirmation(), key_of(&grant, &first, world.now)), (Some(&key(1)), Some(key(1))));
        let token = first.refresh.unwrap();
        assert_eq!(refused(world.refresh(&grant, &token, None)), Some(ProofFlaw::Missing.into()));
        assert_eq!(refused(world.refresh(&grant, &token, Some(key(2)))), Some(ProofFlaw::OtherKey.into()));
        let (next, second) = tokens(world.refresh(&grant, &token, Some(key(1)))).unwrap();
        assert_eq!(key_of(&next, &second, world.now), Some(key(1)));
    }

    #[test]
    fn a_proof_at_a_refresh_binds_the_refresh_tokens_of_a_public_client_from_then_on() {
        let world = World::with(AuthMethod::None);
        let (grant, first) = world.redeem(None).unwrap();
        let token = first.refresh.as_ref().unwrap();
        let (bound, second) = tokens(world.refresh(&grant, token, Some(key(1)))).unwrap();
        assert_eq!(bound.confirmation(), Some(&key(1)));
        assert_eq!(key_of(&bound, &second, world.now), Some(key(1)));
        assert_eq!(key_of(&bound, &first, world.now), None, "it was issued without a key");
        let next = second.refresh.unwrap();
        assert_eq!(refused(world.refresh(&bound, &next, None)), Some(ProofFlaw::Missing.into()));
        assert_eq!(refused(world.refresh(&bound, &next, Some(key(2)))), Some(ProofFlaw::OtherKey.into()));
        assert!(tokens(world.refresh(&bound, &next, Some(key(1)))).is_ok());
        assert_eq!(Grant::decode(bound.id(), &bound.encode()).unwrap(), bound);
    }

    #[test]
    fn dp_14_a_key_that_a_refresh_adds_binds_the_refresh_tokens_from_then_on() {
        let [jkt, x5t] = [1, 9].map(|byte| Thumbprint::new([byte; 32]));
        let certificate = Confirmation::X5tS256(x5t);
        let both = Confirmation::of(Some(jkt), Some(x5t)).unwrap();
        let world = World::with(AuthMethod::None);
        let (grant, first) = world.redeem(Some(certificate.clone())).unwrap();
        let token = first.refresh.as_ref().unwrap();
        let (bound, second) = tokens(world.refresh(&grant, token, Some(both.clone()))).unwrap();
        assert_eq!(bound.confirmation(), Some(&both));
        assert_eq!(key_of(&bound, &second, world.now), Some(both.clone()));
        let before = key_of(&bound, &first, world.now);
        assert_eq!(before, Some(certificate.clone()), "it was issued for one key");
        let next = second.refresh.unwrap();
        for fewer in [certificate, Confirmation::Jkt(jkt)] {
            assert!(refused(world.refresh(&bound, &next, Some(fewer))).is_some());
        }
        assert!(tokens(world.refresh(&bound, &next, Some(both))).is_ok());
        assert_eq!(Grant::decode(bound.id(), &bound.encode()).unwrap(), bound);
    }

    #[test]
    fn dp_14_a_token_without_a_key_stays_so_whatever_keys_its_grant_gets() {
        let [jkt, x5t] = [1, 9].map(|byte| Thumbprint::new([byte; 32]));
        let both = Confirmation::of(Some(jkt), Some(x5t));
        let world = World::with(AuthMethod::None);
        let (grant, first) = world.redeem(None).unwrap();
        let token = first.refresh.as_ref().unwrap();
        let (bound, second) = tokens(world.refresh(&grant, token, Some(key(1)))).unwrap();
        let token = second.refresh.as_ref().unwrap();
        let (twice, _) = tokens(world.refresh(&bound, token, both)).unwrap();
        assert_eq!(key_of(&twice, &first, world.now), None);
    }

    #[test]
    fn a_bound_grant_keeps_its_key_when_its_client_becomes_confidential() {
        let (grant, first) = World::with(AuthMethod::None).redeem(Some(key(1))).unwrap();
        let token = first.refresh.unwrap();
        let world = World::with(AuthMethod::ClientSecretBasic);
        let (next, _) = tokens(world.refresh(&grant, &token, Some(key(1)))).unwrap();
        assert_eq!(next.confirmation(), Some(&key(1)));
        assert_eq!(refused(world.refresh(&grant, &token, None)), Some(ProofFlaw::Missing.into()));
    }

    #[test]
    fn a_confidential_client_may_refresh_with_a_new_key() {
        let world = World::with(AuthMethod::ClientSecretBasic);
        let (grant, first) = world.redeem(Some(key(1))).unwrap();
        assert_eq!((grant.confirmation(), key_of(&grant, &first, world.now)), (None, Some(key(1))));
        let token = first.refresh.unwrap();
        for other in [None, Some(key(1)), Some(key(2))] {
            let (next, second) = tokens(world.refresh(&grant, &token, other.clone())).unwrap();
            assert_eq!(key_of(&next, &second, world.now), other);
        }
    }

    #[test]
    fn a_lost_answer_is_repeated_to_the_key_of_the_first_one_alone() {
        for method in [AuthMethod::None, AuthMethod::ClientSecretBasic] {
            let world = World::with(method);
            let (grant, first) = world.redeem(Some(key(1))).unwrap();
            let token = first.refresh.unwrap();
            let (next, answer) = tokens(world.refresh(&grant, &token, Some(key(1)))).unwrap();
            assert_eq!(refused(world.refresh(&next, &token, None)), Some(ProofFlaw::Missing.into()));
            assert_eq!(refused(world.refresh(&next, &token, Some(key(2)))), Some(ProofFlaw::OtherKey.into()));
            let (same, again) = tokens(world.refresh(&next, &token, Some(key(1)))).unwrap();
            assert_eq!((same, again.access.bytes()), (next, answer.access.bytes()));
            assert_eq!(again.rights.confirmation, Some(key(1)));
        }
    }

    #[test]
    fn an_unbound_answer_is_not_repeated_as_a_bound_one() {
        let world = World::with(AuthMethod::None);
        let (grant, first) = world.redeem(None).unwrap();
        let token = first.refresh.unwrap();
        let (next, _) = tokens(world.refresh(&grant, &token, None)).unwrap();
        assert_eq!(refused(world.refresh(&next, &token, Some(key(1)))), Some(ProofFlaw::OtherKey.into()));
        assert!(tokens(world.refresh(&next, &token, None)).is_ok());
    }

    #[test]
    fn a_bound_grant_is_read_back_with_its_key() {
        for method in [AuthMethod::None, AuthMethod::ClientSecretBasic] {
            let world = World::with(method);
            let (bound, _) = world.redeem(Some(key(1))).unwrap();
            let body = bound.encode();
            assert!(body.contains(r#""cnf":{"jkt":"#), "{body}");
            assert_eq!(Grant::decode(bound.id(), &body).unwrap(), bound);
            let (free, _) = world.redeem(None).unwrap();
            assert!(!free.encode().contains("cnf"));
        }
    }

    #[test]
    fn a_grant_without_a_key_takes_no_more_room_than_before_there_were_keys() {
        /// The origin of a grant as it was before grants had keys.
        #[expect(dead_code, reason = "only its size counts")]
        struct Before {
            authentication: Option<Authentication>,
            actor: Option<crate::grant::Actor>,
            parent: Option<crate::base::TokenName>,
            details: crate::base::AuthorizationDetails,
            openid: Option<Box<crate::openid::OpenId>>,
        }
        /// The record of an access token as it was then.
        #[expect(dead_code, reason = "only its size counts")]
        struct RecordBefore {
            digest: crate::base::secret::Digest,
            issued: DateTime<Utc>,
            expires: DateTime<Utc>,
            narrowed: Option<Box<()>>,
        }
        assert!(size_of::<crate::grant::AccessRecord>() <= size_of::<RecordBefore>());
        assert!(size_of::<Confirmation>() <= 40);
        assert!(size_of::<crate::grant::origin::Circumstances>() <= size_of::<Before>());
    }
}
