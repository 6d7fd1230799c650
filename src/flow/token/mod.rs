//! The token request (RFC 6749 section 3.2).
//!
//! ```text
//! Request ─▶ AwaitClient ─▶ AwaitGrant ─▶ AwaitAccountStatus ─▶ Decision     code, device code, refresh token
//!                       ├─▶ AwaitOwner ─▶ AwaitSecrets ─────▶ Decision     password
//!                       ├─▶ AwaitTokens ─▶ … ─▶ AwaitSecrets ▶ Decision     token exchange
//!                       ├─▶ AwaitEntitlement ─▶ AwaitSecrets ▶ Decision     the host's own grant types
//!                       └─▶ AwaitSecrets ───────────────────▶ Decision     client credentials
//! ```

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::AwaitsClient;
use crate::base::{AccessRights, Confirmation, TokenName};
use crate::client::auth::{AuthenticatedClient, Presented};
use crate::client::{Client, GrantType};
use crate::error::{ProofFlaw, Reason, Refusal};
use crate::form::Form;
use crate::fresh_secrets::FreshSecrets;
use crate::grant::{Actor, Authentication, CodeRedemption, DeviceCodeUse, Grant, GrantId, Handle, Issued};
use crate::grant::{Kind, RefreshUse, Subject, Verdict};
use crate::http::{Certificate, Request};
use crate::issuance::{AccountStatus, Facts, Gate, Limits, RequestedAccess};
use crate::pkce::CodeVerifier;
use crate::policy::Rules;
use crate::secret::{Digest, SecretText};
use crate::store::{Committed, Record, ReplayKey, Tombstone, Write, WriteName};

mod entitlement;
mod exchange;
mod extension;
mod id_token;
mod reply;

pub use entitlement::{Denial, Entitlement};
use exchange::Exchanged;
pub use exchange::{AwaitPermission, AwaitTokens, Exchange, ExchangeAsk};
use extension::Extended;
pub(crate) use extension::KnownExtension;
pub use extension::{AwaitEntitlement, ExtensionAsk, ExtensionTerms, Parameters};
pub use id_token::IdToken;
pub use reply::{AwaitPart, Part, Reply, TokenReply};

/// Parsed; the client is only claimed.
pub type AwaitClient = super::AwaitClient<TokenRequest>;

/// What a token request asks for.
#[derive(Debug)]
pub struct TokenRequest {
    ask: GrantRequest,
    asked: RequestedAccess,
    /// What the client presented, where the code needs it.
    client_secret: Option<SecretText>,
    /// What the connection proved.
    certificate: Option<Certificate>,
}

/// What the request is made of, by grant type.
#[derive(Debug)]
enum GrantRequest {
    Code {
        code: Option<Handle>,
        verifier: Option<CodeVerifier>,
        redirect_uri: Option<String>,
    },
    Device {
        code: Option<Handle>,
    },
    Refresh {
        token: Option<Handle>,
        peer: Option<IpAddr>,
    },
    Client,
    Exchange(Box<Exchanged>),
    Extension(Box<Extended>),
    /// Neither is shown: people type passwords into the other field, too.
    Password {
        username: SecretText,
        password: SecretText,
    },
}

impl GrantRequest {
    fn parse(form: &Form<'_>, peer: Option<IpAddr>, rules: &Rules) -> Result<Self, Reason> {
        let prefixes = &rules.policy.prefixes;
        let need = |name| form.one(name)?.ok_or(Reason::ParameterMissing);
        match need("grant_type")? {
            "authorization_code" => Ok(Self::Code {
                code: Handle::parse(need("code")?, Kind::Code, prefixes),
                verifier: form.one("code_verifier")?.map(CodeVerifier::parse).transpose()?,
                redirect_uri: form.one("redirect_uri")?.map(str::to_owned),
            }),
            "urn:ietf:params:oauth:grant-type:device_code" => {
                Ok(Self::Device { code: Handle::parse(need("device_code")?, Kind::Device, prefixes) })
            }
            "refresh_token" => {
                let token = Handle::parse(need("refresh_token")?, Kind::Refresh, prefixes);
                Ok(Self::Refresh { token, peer })
            }
            "client_credentials" => Ok(Self::Client),
            "urn:ietf:params:oauth:grant-type:token-exchange" => {
                Ok(Self::Exchange(Box::new(Exchanged::parse(form)?)))
            }
            "password" => Ok(Self::Password {
                username: SecretText::new(need("username")?),
                password: SecretText::new(need("password")?),
            }),
            other => Ok(Self::Extension(Box::new(Extended::parse(other, form, rules)?))),
        }
    }

    fn grant_type(&self) -> GrantType {
        match self {
            Self::Code { .. } => GrantType::AuthorizationCode,
            Self::Device { .. } => GrantType::DeviceCode,
            Self::Refresh { .. } => GrantType::RefreshToken,
            Self::Client => GrantType::ClientCredentials,
            Self::Exchange(_) => GrantType::TokenExchange,
            Self::Extension(extended) => extended.grant_type().clone(),
            Self::Password { .. } => GrantType::Password,
        }
    }
}

impl AwaitClient {
    /// Reads a token request.
    ///
    /// # Errors
    /// Whatever is wrong with its form, before anybody is asked.
    pub fn parse(request: &Request, facts: &Facts<'_>) -> Result<Self, Refusal> {
        let Facts { rules, .. } = *facts;
        let form = Form::parse(request.posted_form()?)?;
        form.check_repeats()?;
        let presented = Presented::parse(request, &form)?;
        let ask = GrantRequest::parse(&form, request.peer, rules)?;
        if !rules.serves(&ask.grant_type()) {
            return Err(Reason::GrantTypeUnsupported.into());
        }
        // Only a code without PKCE needs it.
        let client_secret = match &ask {
            GrantRequest::Code { verifier: None, .. } => presented.shared_secret(),
            GrantRequest::Code { .. }
            | GrantRequest::Device { .. }
            | GrantRequest::Refresh { .. }
            | GrantRequest::Client
            | GrantRequest::Exchange(_)
            | GrantRequest::Extension(_)
            | GrantRequest::Password { .. } => None,
        };
        let asked = RequestedAccess::parse(&form)?;
        let certificate = request.certificate.clone();
        Ok(Self { presented, request: TokenRequest { ask, asked, client_secret, certificate } })
    }

    /// The same request, which proves this key.
    pub(crate) fn proving(mut self, key: Option<Confirmation>) -> Self {
        self.request.asked.confirmation = key;
        self
    }

    /// The grant of the code or refresh token that the request brings; nothing of it is proven.
    pub(crate) fn named_grant(&self) -> Option<GrantId> {
        match &self.request.ask {
            GrantRequest::Code { code: handle, .. }
            | GrantRequest::Device { code: handle }
            | GrantRequest::Refresh { token: handle, .. } => handle.as_ref().map(|handle| handle.grant),
            GrantRequest::Client
            | GrantRequest::Exchange(_)
            | GrantRequest::Extension(_)
            | GrantRequest::Password { .. } => None,
        }
    }
}

impl AwaitsClient for TokenRequest {
    type Next = Authenticated;

    fn with_client(self, client: AuthenticatedClient) -> Result<Authenticated, Refusal> {
        let asked = bound(self.asked, client.client(), self.certificate.as_ref())?;
        let secret = self.client_secret.filter(|_| !client.client().has_chosen_secret());
        Authenticated::new(client, self.ask, asked, secret)
    }
}

/// Binds the tokens of a client that wants that to the certificate of the connection (RFC 8705 section 3), before anything is spent.
fn bound(
    asked: RequestedAccess,
    client: &Client,
    certificate: Option<&Certificate>,
) -> Result<RequestedAccess, Reason> {
    if !client.binds_to_certificates() {
        return Ok(asked);
    }
    let print = certificate.ok_or(ProofFlaw::CertificateMissing)?.thumbprint();
    let jkt = asked.confirmation.as_ref().and_then(Confirmation::jkt).copied();
    Ok(RequestedAccess { confirmation: Confirmation::of(jkt, Some(print)), ..asked })
}

/// The client is who it says; what is lacking now depends on the grant type.
#[derive(Debug)]
#[non_exhaustive]
pub enum Authenticated {
    /// A code, a device code or a refresh token: the grant that it names.
    Grant(AwaitGrant),
    /// A user name and a password: whose they are.
    Owner(AwaitOwner),
    /// Access tokens: what they are good for.
    Exchange(Box<AwaitTokens>),
    /// A grant type of the host: its word.
    Extension(Box<AwaitEntitlement>),
    /// Nothing but randomness.
    FreshSecrets(AwaitSecrets),
}

impl Authenticated {
    fn new(
        client: AuthenticatedClient,
        ask: GrantRequest,
        asked: RequestedAccess,
        client_secret: Option<SecretText>,
    ) -> Result<Self, Refusal> {
        let grant_type = ask.grant_type();
        if !client.client().allows(&grant_type) {
            return Err(Reason::GrantTypeNotAllowed.into());
        }
        match ask {
            GrantRequest::Code { code, verifier, redirect_uri } => {
                let handle = code.ok_or(Reason::CodeUnknown)?;
                let proof = Proof::Code { verifier, client_secret, redirect_uri };
                Ok(Self::Grant(AwaitGrant { client, handle, proof, asked }))
            }
            GrantRequest::Device { code } => {
                let handle = code.ok_or(Reason::DeviceCodeUnknown)?;
                Ok(Self::Grant(AwaitGrant { client, handle, proof: Proof::Device, asked }))
            }
            GrantRequest::Refresh { token, peer } => {
                let handle = token.ok_or(Reason::RefreshUnknown)?;
                Ok(Self::Grant(AwaitGrant { client, handle, proof: Proof::Refresh { peer }, asked }))
            }
            GrantRequest::Client => {
                let subject = Subject::Client(client.confidential()?.id().clone());
                let bounds = Bounds::Client;
                Ok(Self::FreshSecrets(AwaitSecrets {
                    client,
                    subject,
                    authentication: None,
                    grant_type,
                    asked,
                    bounds,
                }))
            }
            GrantRequest::Exchange(exchanged) => {
                Ok(Self::Exchange(Box::new(AwaitTokens::new(client, *exchanged, asked)?)))
            }
            GrantRequest::Extension(extended) => {
                Ok(Self::Extension(Box::new(AwaitEntitlement::new(client, *extended, asked)?)))
            }
            GrantRequest::Password { username, password } => {
                Ok(Self::Owner(AwaitOwner { client, username, password, asked }))
            }
        }
    }
}

/// Waits for the grant that a code, a device code or a refresh token names.
#[derive(Debug)]
pub struct AwaitGrant {
    client: AuthenticatedClient,
    handle: Handle,
    proof: Proof,
    asked: RequestedAccess,
}

#[derive(Debug)]
enum Proof {
    Code { verifier: Option<CodeVerifier>, client_secret: Option<SecretText>, redirect_uri: Option<String> },
    Device,
    Refresh { peer: Option<IpAddr> },
}

impl AwaitGrant {
    /// The grant that has to be loaded.
    #[must_use]
    pub fn grant_id(&self) -> GrantId {
        self.handle.grant
    }

    /// Whether a code of either kind is presented: its answer, unlike a refresh token's, can be asked for again only
    /// where the server knows that it never left.
    #[must_use]
    pub fn is_code(&self) -> bool {
        match self.proof {
            Proof::Code { .. } | Proof::Device => true,
            Proof::Refresh { .. } => false,
        }
    }

    /// What the presented code or token is known by, where its text must not be kept.
    pub(crate) fn digest(&self) -> Digest {
        let kind = match self.proof {
            Proof::Code { .. } => Kind::Code,
            Proof::Device => Kind::Device,
            Proof::Refresh { .. } => Kind::Refresh,
        };
        self.handle.secret.digest(kind.tag())
    }

    /// Who asks.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        self.client.client()
    }

    /// Takes what the store has. Borrows: whoever lost a race loads again and asks again.
    ///
    /// # Errors
    /// There is no such grant.
    pub fn with_record(&self, found: Option<Record>) -> Result<AwaitAccountStatus<'_>, Refusal> {
        let unknown = match self.proof {
            Proof::Code { .. } => Reason::CodeUnknown,
            Proof::Device => Reason::DeviceCodeUnknown,
            Proof::Refresh { .. } => Reason::RefreshUnknown,
        };
        let record = found.ok_or(unknown)?;
        Ok(AwaitAccountStatus { request: self, record })
    }
}

impl AwaitGrant {
    /// The answer with these tokens, and with the `id_token` that goes with them.
    fn reply(&self, grant: &Grant, tokens: Issued, facts: &Facts<'_>) -> Result<Reply, Reason> {
        let answers_a_code = matches!(self.proof, Proof::Code { .. });
        let id_token = IdToken::of(grant, &tokens, self.client.client(), answers_a_code, facts.rules)?;
        let reply = Reply::new(grant, tokens, facts);
        Ok(match id_token {
            Some(id_token) => reply.with_id_token(id_token, &facts.rules.policy.prefixes),
            None => reply,
        })
    }
}

/// Waits for the host's word on the user of the grant.
#[derive(Debug)]
pub struct AwaitAccountStatus<'a> {
    request: &'a AwaitGrant,
    record: Record,
}

impl AwaitAccountStatus<'_> {
    /// Of whom the host is asked.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        self.record.grant().subject()
    }

    /// The address that the answer went to which this request may ask for again.
    pub(crate) fn answered_peer(&self) -> Option<IpAddr> {
        match self.request.proof {
            Proof::Refresh { .. } => self.record.grant().answered_peer(),
            Proof::Code { .. } | Proof::Device => None,
        }
    }

    /// Takes the answer, and decides.
    pub fn decide(self, account_status: AccountStatus, fresh: FreshSecrets, facts: &Facts<'_>) -> Decision {
        let Facts { now, rules, unanswered } = *facts;
        let AwaitGrant { client, handle, proof, asked } = self.request;
        let (version, grant) = (self.record.version(), self.record.into_grant());
        let grant_type = match proof {
            Proof::Code { .. } => GrantType::AuthorizationCode,
            Proof::Device => GrantType::DeviceCode,
            Proof::Refresh { .. } => GrantType::RefreshToken,
        };
        let gate = &Gate { client: client.client(), grant_type, asked, account_status, rules };
        let secret = &handle.secret;
        let verdict = match proof {
            Proof::Code { verifier, client_secret, redirect_uri } => {
                let (verifier, client_secret) = (verifier.as_ref(), client_secret.as_ref());
                let redirect_uri = redirect_uri.as_deref();
                let presented =
                    CodeRedemption { secret, verifier, client_secret, redirect_uri, gate, unanswered };
                grant.redeem_code(presented, fresh, now, &rules.policy)
            }
            Proof::Device => {
                let presented = DeviceCodeUse { secret, gate, unanswered };
                grant.redeem_device_code(presented, fresh, now, &rules.policy)
            }
            Proof::Refresh { peer } => {
                let presented = RefreshUse { secret, gate, peer: *peer };
                grant.rotate_refresh(presented, fresh, now, &rules.policy)
            }
        };
        match verdict {
            Verdict::Issue { next, tokens } => match self.request.reply(&next, tokens, facts) {
                Ok(reply) => Decision::commit(Write::replace(version, next, now), Ok(reply)),
                Err(reason) => Decision::Refuse(reason.into()),
            },
            Verdict::Repeat { grant, tokens } => match self.request.reply(&grant, tokens, facts) {
                Ok(reply) => Decision::Repeat(reply),
                Err(reason) => Decision::Refuse(reason.into()),
            },
            Verdict::Refuse { reason } => Decision::Refuse(reason.into()),
            Verdict::RefuseAndNote { next, reason } => {
                Decision::commit(Write::replace(version, next, now), Err(reason.into()))
            }
            Verdict::RefuseAndEnd { next, reason } => {
                let tombstone = Tombstone::of(next, now);
                let sealed = Sealed { answer: Err(reason.into()), write: tombstone.name() };
                Decision::End(tombstone, sealed)
            }
        }
    }
}

/// Waits for the host's word on a user name and a password.
#[derive(Debug)]
pub struct AwaitOwner {
    client: AuthenticatedClient,
    username: SecretText,
    password: SecretText,
    asked: RequestedAccess,
}

impl AwaitOwner {
    /// What has to be checked, for which client.
    #[must_use]
    pub fn question(&self) -> (&str, &SecretText, &Client) {
        (self.username.reveal(), &self.password, self.client.client())
    }

    /// Takes the user, if the password was right.
    ///
    /// # Errors
    /// It was not.
    pub fn with_owner(self, found: Option<Subject>, facts: &Facts<'_>) -> Result<AwaitSecrets, Refusal> {
        Ok(AwaitSecrets {
            client: self.client,
            subject: found.ok_or(Reason::OwnerCredentialsWrong)?,
            authentication: Some(Authentication { auth_time: facts.now, acr: None }),
            grant_type: GrantType::Password,
            asked: self.asked,
            bounds: Bounds::Client,
        })
    }
}

/// Waits for randomness only.
#[derive(Debug)]
pub struct AwaitSecrets {
    client: AuthenticatedClient,
    subject: Subject,
    authentication: Option<Authentication>,
    grant_type: GrantType,
    asked: RequestedAccess,
    bounds: Bounds,
}

/// What a new grant may not exceed.
#[derive(Debug)]
enum Bounds {
    /// The ceiling of its client alone.
    Client,
    /// Nor the token that it comes from.
    Token(Parent),
    /// Nor what the host says.
    Host(Box<Entitled>),
}

/// A token that another one is exchanged for.
#[derive(Debug)]
struct Parent {
    /// None of a signed token of which nothing is recorded.
    name: Option<TokenName>,
    rights: AccessRights,
    expires: DateTime<Utc>,
    actor: Option<Actor>,
    account_status: AccountStatus,
}

/// What the host says of a grant.
#[derive(Debug)]
struct Entitled {
    limits: Limits,
    account_status: AccountStatus,
    /// What works once, and until when it would.
    once: Option<(ReplayKey, DateTime<Utc>)>,
}

impl AwaitSecrets {
    /// Who asks.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        self.client.client()
    }

    /// What has to be used up before the answer leaves, and until when it would be good.
    #[must_use]
    pub fn one_time(&self) -> Option<(ReplayKey, DateTime<Utc>)> {
        match &self.bounds {
            Bounds::Host(entitled) => entitled.once,
            Bounds::Client | Bounds::Token(_) => None,
        }
    }

    /// Decides. Borrows: should the name of the grant be taken, the driver asks again with another.
    pub fn decide(&self, fresh: FreshSecrets, facts: &Facts<'_>) -> Decision {
        let Facts { now, rules, .. } = *facts;
        let gate = Gate {
            client: self.client.client(),
            grant_type: self.grant_type.clone(),
            asked: &self.asked,
            account_status: match &self.bounds {
                Bounds::Client => AccountStatus::Active,
                Bounds::Token(parent) => parent.account_status,
                Bounds::Host(entitled) => entitled.account_status,
            },
            rules,
        };
        let issuance = match &self.bounds {
            Bounds::Client => gate.pass_new(&self.subject),
            Bounds::Token(Parent { rights, expires, actor, name, .. }) => {
                gate.pass_on(&self.subject, rights.as_ref(), *expires, actor.as_ref(), *name)
            }
            Bounds::Host(entitled) => gate.pass_entitled(&self.subject, &entitled.limits),
        };
        match issuance {
            Ok(issuance) => {
                let authentication = self.authentication.clone();
                let (grant, tokens) = Grant::issue(issuance, authentication, fresh, now, &rules.policy);
                let unrecorded = tokens.is_unrecorded();
                let reply = Reply::new(&grant, tokens, facts).for_grant_type(&self.grant_type);
                match unrecorded {
                    true => Decision::Issue(reply),
                    false => Decision::commit(Write::insert(grant, now), Ok(reply)),
                }
            }
            Err(reason) => Decision::Refuse(reason.into()),
        }
    }
}

/// What the driver does next.
#[must_use]
#[derive(Debug)]
#[non_exhaustive]
pub enum Decision {
    /// Answer; nothing changes.
    Refuse(Refusal),
    /// Answer with what an earlier write has proven.
    Repeat(Reply),
    /// Answer with a signed token of which nothing is recorded.
    Issue(Reply),
    /// Write, and open the answer with the proof.
    Commit(Write, Sealed),
    /// End the grant, and open the refusal with the proof.
    End(Tombstone, Sealed),
}

impl Decision {
    fn commit(write: Write, answer: Result<Reply, Refusal>) -> Self {
        let sealed = Sealed { answer, write: write.name() };
        Self::Commit(write, sealed)
    }

    /// The `id_token` of the answer, if it has one.
    pub(crate) fn id_token_mut(&mut self) -> Option<&mut IdToken> {
        match self {
            Self::Repeat(reply) | Self::Issue(reply) => reply.id_token_mut(),
            Self::Commit(_, sealed) => sealed.answer.as_mut().ok().and_then(Reply::id_token_mut),
            Self::Refuse(_) | Self::End(..) => None,
        }
    }
}

/// An answer that must not leave before its write is proven.
///
/// ```compile_fail,E0423
/// # fn f(sealed: grantor::flow::token::Sealed) {
/// let _ = sealed.open(grantor::store::Committed(()));
/// # }
/// ```
#[derive(Debug)]
pub struct Sealed {
    answer: Result<Reply, Refusal>,
    write: WriteName,
}

impl Sealed {
    /// Whether tokens are in it, and not a refusal.
    pub(crate) fn issues(&self) -> bool {
        self.answer.is_ok()
    }

    /// Opens it with the proof of its write.
    ///
    /// # Errors
    /// The refusal whose consequence was written; or the proof is of another write.
    pub fn open(self, proof: Committed) -> Result<Reply, Refusal> {
        self.write.check(proof)?;
        self.answer
    }
}
