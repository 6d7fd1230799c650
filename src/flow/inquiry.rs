//! What revocation and introspection have in common: a client, and one token that it holds up.

use crate::client::ClientId;
use crate::client::auth::{AuthenticatedClient, Presented};
use crate::error::{Reason, Refusal};
use crate::form::Form;
use crate::grant::{GrantId, Handle, Kind};
use crate::http::Request;
use crate::policy::Rules;
use crate::secret::SecretText;
use crate::signing::{Claims, TokenName};

/// A token, as far as it is known.
#[derive(Debug)]
pub(super) enum Token {
    /// No token of this server.
    Nothing,
    Handle(Kind, Handle),
    /// Perhaps a signed access token.
    Unverified(SecretText),
    /// A signed access token of this server, by its claims.
    Signed(Box<Claims>),
}

/// Parsed; the client is only claimed.
#[derive(Debug)]
pub(super) struct Inquiry {
    pub(super) presented: Presented,
    pub(super) token: Token,
}

impl Inquiry {
    /// Reads `token` (RFC 7009 section 2.1, RFC 7662 section 2.1). A hint is not needed: a token says what it
    /// is by its prefix.
    pub(super) fn parse(request: &Request, rules: &Rules) -> Result<Self, Refusal> {
        let form = Form::parse(request.posted_form()?)?;
        form.check_repeats()?;
        let presented = Presented::parse(request, &form)?;
        let text = form.one("token")?.ok_or(Reason::ParameterMissing)?;
        let prefixes = &rules.policy.prefixes;
        let read = |kind| Some(Token::Handle(kind, Handle::parse(text, kind, prefixes)?));
        let handle = Kind::ALL.into_iter().find_map(read);
        let signed = || text.contains('.').then(|| Token::Unverified(SecretText::new(text)));
        Ok(Self { presented, token: handle.or_else(signed).unwrap_or(Token::Nothing) })
    }

    pub(super) fn client_id(&self) -> &ClientId {
        self.presented.client_id()
    }
}

/// The client is who it says; waits for the grant that the token names.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) client: AuthenticatedClient,
    pub(super) token: Token,
}

impl Known {
    pub(super) fn grant_id(&self) -> Option<GrantId> {
        match &self.token {
            Token::Handle(_, handle) => Some(handle.grant),
            Token::Signed(claims) => match TokenName::parse(&claims.jti)? {
                TokenName::Recorded { grant, .. } => Some(grant),
                TokenName::Unrecorded(_) => None,
            },
            Token::Unverified(_) | Token::Nothing => None,
        }
    }

    /// The text whose signature has to be checked.
    pub(super) fn unverified(&self) -> Option<&str> {
        match &self.token {
            Token::Unverified(text) => Some(text.reveal()),
            Token::Handle(..) | Token::Signed(_) | Token::Nothing => None,
        }
    }

    /// Takes the claims of the text, if it has a signature of this server.
    pub(super) fn with_claims(self, claims: Option<Claims>) -> Self {
        let token = match (self.token, claims) {
            (Token::Unverified(_), Some(claims)) => Token::Signed(Box::new(claims)),
            (Token::Unverified(_), None) => Token::Nothing,
            (token @ (Token::Handle(..) | Token::Signed(_) | Token::Nothing), _) => token,
        };
        Self { client: self.client, token }
    }

    /// Whether a grant is this client's own.
    pub(super) fn owns(&self, grant: &crate::grant::Grant) -> bool {
        grant.client() == self.client.client().id()
    }
}
