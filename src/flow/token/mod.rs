//! The token request (RFC 6749 section 3.2).
//!
//! ```text
//! Request ─▶ AwaitClient ─▶ AwaitGrant ─▶ AwaitAccountStatus ─▶ RedemptionDecision  codes, refresh tokens
//!                       ├─▶ AwaitOwner ─▶ AwaitSecrets ───────▶ NewGrantDecision    password
//!                       ├─▶ AwaitTokens ─▶ … ─▶ AwaitSecrets ─▶ NewGrantDecision    token exchange
//!                       ├─▶ AwaitEntitlement ─▶ AwaitSecrets ─▶ NewGrantDecision    grant types of the host
//!                       └─▶ AwaitSecrets ─────────────────────▶ NewGrantDecision    client credentials
//! ```

mod code;
mod decision;
mod device;
mod entitlement;
mod exchange;
mod extension;
mod id_token;
mod new_grant;
mod password;
mod redemption;
mod refresh;
mod reply;

use super::AwaitsClient;
use crate::base::secret::SecretText;
use crate::base::{Algorithm, Confirmation};
use crate::client::auth::{AuthenticatedClient, Presented};
use crate::client::{Client, GrantType};
use crate::error::{ProofFlaw, Reason, Refusal};
use crate::grant::GrantId;
use crate::http::form::Form;
use crate::http::{Certificate, Request};
use crate::issuance::{Facts, RequestedAccess, Rules};
use crate::trust::Proven;
use new_grant::Bounds;
use redemption::Redemption;

pub use decision::{NewGrantDecision, RedemptionDecision, Sealed};
pub use entitlement::{Denial, Entitlement};
use exchange::Exchanged;
pub use exchange::{AwaitPermission, AwaitTokens, Exchange, ExchangeAsk};
use extension::Extended;
pub(crate) use extension::KnownExtension;
pub use extension::{AwaitEntitlement, ExtensionAsk, ExtensionTerms, Parameters};
pub use id_token::IdToken;
pub(super) use id_token::IdTokenTerms;
pub use new_grant::AwaitSecrets;
pub use password::AwaitOwner;
pub use redemption::{AwaitAccountStatus, AwaitGrant};
pub(super) use reply::ACCESS_TOKEN_MEMBER;
pub use reply::{AwaitPart, Part, Reply, TokenReply};

/// A parsed request; its client is unverified.
pub type AwaitClient = super::AwaitClient<Box<TokenRequest>>;

/// The content of a token request.
#[derive(Debug)]
pub struct TokenRequest {
    grant: GrantRequest,
    access: RequestedAccess,
    /// The client certificate of the connection.
    certificate: Option<Certificate>,
    /// The algorithm of the DPoP proof, if there is one.
    proof_algorithm: Option<Algorithm>,
}

/// The parameters of the request, by grant type.
#[derive(Debug)]
enum GrantRequest {
    /// A code, a device code or a refresh token.
    Redemption(Redemption),
    Client,
    Exchange(Box<Exchanged>),
    Extension(Box<Extended>),
    /// Both are secret: people also type passwords into the user name field.
    Password {
        username: SecretText,
        password: SecretText,
    },
}

impl GrantRequest {
    fn parse(
        form: &Form<'_>,
        request: &Request,
        presented: &Presented,
        facts: &Facts<'_>,
    ) -> Result<Self, Reason> {
        let need = |name| form.one(name)?.ok_or(Reason::ParameterMissing);
        let grant_type = GrantType::parse(need("grant_type")?).map_err(|_| Reason::GrantTypeUnsupported)?;
        let redeem = |row| Redemption::parse(row, form, request, presented, facts).map(Self::Redemption);
        match &grant_type {
            GrantType::AuthorizationCode => redeem(&code::ROW),
            GrantType::DeviceCode => redeem(&device::ROW),
            GrantType::RefreshToken => redeem(&refresh::ROW),
            GrantType::ClientCredentials => Ok(Self::Client),
            GrantType::TokenExchange => Ok(Self::Exchange(Box::new(Exchanged::parse(form)?))),
            GrantType::Password => Ok(Self::Password {
                username: SecretText::new(need("username")?),
                password: SecretText::new(need("password")?),
            }),
            GrantType::Implicit => Err(Reason::GrantTypeUnsupported),
            GrantType::Extension(_) => {
                Ok(Self::Extension(Box::new(Extended::parse(&grant_type, form, facts.rules)?)))
            }
        }
    }

    fn grant_type(&self) -> GrantType {
        match self {
            Self::Redemption(redemption) => redemption.grant_type().clone(),
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
    /// A malformed form; nothing has been looked up yet.
    pub fn parse(request: &Request, facts: &Facts<'_>) -> Result<Self, Refusal> {
        let form = Form::parse(request.posted_form()?)?;
        form.check_repeats()?;
        let presented = Presented::parse(request, &form)?;
        let grant = GrantRequest::parse(&form, request, &presented, facts)?;
        if !facts.rules.serves(&grant.grant_type()) {
            return Err(Reason::GrantTypeUnsupported.into());
        }
        let access = RequestedAccess::parse(&form)?;
        // Without the list a request gets all granted details, so an empty one must not count as none.
        if access.details.is_empty() && form.one("authorization_details")?.is_some() {
            return Err(Reason::DetailsMalformed.into());
        }
        let certificate = request.certificate.clone();
        let request = Box::new(TokenRequest { grant, access, certificate, proof_algorithm: None });
        Ok(Self { presented, request })
    }

    /// Adds the key that the request proves.
    pub(crate) fn proving(mut self, proven: Option<&Proven>) -> Self {
        self.request.access.confirmation = proven.map(|proven| Confirmation::Jkt(proven.key));
        self.request.proof_algorithm = proven.map(|proven| proven.algorithm);
        self
    }

    /// The grant that the presented code or refresh token names; unverified.
    pub(crate) fn named_grant(&self) -> Option<GrantId> {
        match &self.request.grant {
            GrantRequest::Redemption(redemption) => redemption.named_grant(),
            GrantRequest::Client
            | GrantRequest::Exchange(_)
            | GrantRequest::Extension(_)
            | GrantRequest::Password { .. } => None,
        }
    }
}

impl AwaitsClient for Box<TokenRequest> {
    type Next = Authenticated;

    fn with_client(self, client: AuthenticatedClient, facts: &Facts<'_>) -> Result<Authenticated, Refusal> {
        let TokenRequest { grant, access, certificate, proof_algorithm } = *self;
        facts.rules.check_proof_algorithm(proof_algorithm, client.client())?;
        let access = RequestedAccess { resources: facts.rules.as_known(access.resources), ..access };
        let access = bound(access, client.client(), certificate.as_ref(), facts.rules)?;
        Authenticated::new(client, grant, access, certificate)
    }
}

/// Binds the tokens to the certificate of the connection (RFC 8705 section 3), if the client registered for
/// that, or if its tokens must have a key and the request proves no other. This is before anything is used
/// up.
fn bound(
    access: RequestedAccess,
    client: &Client,
    certificate: Option<&Certificate>,
    rules: &Rules,
) -> Result<RequestedAccess, Reason> {
    let needs_some_key = access.confirmation.is_none()
        && rules.certificates.binds
        && rules.requires_key(client)
        && certificate.is_some();
    if !client.binds_to_certificates() && !needs_some_key {
        return Ok(access);
    }
    let print = certificate.ok_or(ProofFlaw::CertificateMissing)?.thumbprint();
    let jkt = access.confirmation.as_ref().and_then(Confirmation::jkt).copied();
    Ok(RequestedAccess { confirmation: Confirmation::of(jkt, Some(print)), ..access })
}

/// The client is authenticated; the next missing fact depends on the grant type.
#[derive(Debug)]
#[non_exhaustive]
pub enum Authenticated {
    /// For a code, a device code or a refresh token: the grant that it names.
    Grant(Box<AwaitGrant>),
    /// For a user name and a password: the user.
    Owner(Box<AwaitOwner>),
    /// For a token exchange: what the presented tokens permit.
    Exchange(Box<AwaitTokens>),
    /// For a grant type of the host: the host's entitlement.
    Extension(Box<AwaitEntitlement>),
    /// Only randomness.
    FreshSecrets(Box<AwaitSecrets>),
}

impl Authenticated {
    fn new(
        client: AuthenticatedClient,
        grant: GrantRequest,
        access: RequestedAccess,
        certificate: Option<Certificate>,
    ) -> Result<Self, Refusal> {
        let grant_type = grant.grant_type();
        if !client.client().allows(&grant_type) {
            return Err(Reason::GrantTypeNotAllowed.into());
        }
        match grant {
            GrantRequest::Redemption(redemption) => {
                Ok(Self::Grant(Box::new(redemption.with_client(client, access)?)))
            }
            GrantRequest::Client => {
                client.confidential()?;
                let subject = None;
                let bounds = Bounds::Client;
                let authentication = None;
                let flow =
                    AwaitSecrets { client, subject, authentication, grant_type, asked: access, bounds };
                Ok(Self::FreshSecrets(Box::new(flow)))
            }
            GrantRequest::Exchange(exchanged) => {
                Ok(Self::Exchange(Box::new(AwaitTokens::new(client, *exchanged, access, certificate)?)))
            }
            GrantRequest::Extension(extended) => {
                Ok(Self::Extension(Box::new(AwaitEntitlement::new(client, *extended, access)?)))
            }
            GrantRequest::Password { username, password } => {
                Ok(Self::Owner(Box::new(AwaitOwner::new(client, username, password, access))))
            }
        }
    }
}
