//! What revocation and introspection share: a client presents one token.

use std::sync::Arc;

use super::await_client::{AwaitClient, AwaitsClient};
use crate::base::{SecretText, TokenName};
use crate::client::Client;
use crate::client::auth::{AuthenticatedClient, Presented};
use crate::error::{Reason, Refusal};
use crate::grant::{Grant, GrantId, Handle, Kind};
use crate::http::Request;
use crate::http::form::Form;
use crate::issuance::Facts;
use crate::signing::Claims;

/// What is known about the token.
#[derive(Debug)]
pub(super) enum Token {
    /// No token of this server.
    Unrecognized,
    Handle(Kind, Handle),
    /// Possibly a signed access token.
    Unverified(SecretText),
    /// A signed access token of this server, by its claims.
    Signed(Box<Claims>),
}

/// The content of a request about a token.
#[derive(Debug)]
pub struct TokenQuery {
    token: Token,
    /// Whether public clients may send it.
    public: bool,
}

impl AwaitClient<TokenQuery> {
    /// Reads `token` (RFC 7009 section 2.1, RFC 7662 section 2.1). `token_type_hint` is ignored, because the
    /// prefix shows the kind of a token.
    pub(super) fn parse_query(request: &Request, public: bool, facts: &Facts<'_>) -> Result<Self, Refusal> {
        let form = Form::parse(request.posted_form()?)?;
        form.check_repeats()?;
        let presented = Presented::parse(request, &form)?;
        let text = form.one("token")?.ok_or(Reason::ParameterMissing)?;
        let prefixes = &facts.rules.policy.prefixes;
        let read = |kind| Some(Token::Handle(kind, Handle::parse(text, kind, prefixes)?));
        let handle = Kind::TOKENS.iter().copied().find_map(read);
        let signed = || text.contains('.').then(|| Token::Unverified(SecretText::new(text)));
        let token = handle.or_else(signed).unwrap_or(Token::Unrecognized);
        Ok(Self { presented, request: TokenQuery { token, public } })
    }
}

impl AwaitsClient for TokenQuery {
    type Next = AuthenticatedQuery;

    fn with_client(self, client: AuthenticatedClient, _: &Facts<'_>) -> Result<AuthenticatedQuery, Refusal> {
        if !self.public {
            // An id alone proves nothing, and the response has data of other people.
            client.confidential().map_err(|_| Reason::ClientMissing)?;
        }
        Ok(AuthenticatedQuery { client, token: self.token })
    }
}

/// The client is authenticated. Waits for the grant that the token names, if it names one.
#[derive(Debug)]
pub struct AuthenticatedQuery {
    client: AuthenticatedClient,
    pub(super) token: Token,
}

impl AuthenticatedQuery {
    /// The grant to load; `None` if the token names none.
    #[must_use]
    pub fn grant_id(&self) -> Option<GrantId> {
        match &self.token {
            Token::Handle(_, handle) => Some(handle.grant),
            Token::Signed(claims) => match TokenName::parse(&claims.jti)? {
                TokenName::Recorded { grant, .. } => Some(grant),
                TokenName::Unrecorded(_) => None,
            },
            Token::Unverified(_) | Token::Unrecognized => None,
        }
    }

    /// The client that sent the request.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        self.client.client()
    }

    /// The text whose signature has to be checked, if it may be a signed access token.
    #[must_use]
    pub fn unverified(&self) -> Option<&str> {
        match &self.token {
            Token::Unverified(text) => Some(text.reveal()),
            Token::Handle(..) | Token::Signed(_) | Token::Unrecognized => None,
        }
    }

    /// Takes the claims of the text, if this server signed it.
    #[must_use]
    pub fn with_claims(self, claims: Option<Claims>) -> Self {
        let token = match (self.token, claims) {
            (Token::Unverified(_), Some(claims)) => Token::Signed(Box::new(claims)),
            (Token::Unverified(_), None) => Token::Unrecognized,
            (token @ (Token::Handle(..) | Token::Signed(_) | Token::Unrecognized), _) => token,
        };
        Self { client: self.client, token }
    }

    /// Whether a grant is this client's own.
    pub(super) fn owns(&self, grant: &Grant) -> bool {
        grant.client() == self.client().id()
    }
}
