//! What revocation and introspection have in common: a client, and one token that it holds up.

use crate::client::ClientId;
use crate::client::auth::{AuthenticatedClient, Presented};
use crate::error::{Reason, Refusal};
use crate::form::Form;
use crate::grant::{GrantId, Handle, Kind};
use crate::http::Request;
use crate::policy::Rules;

/// A token that was taken apart; none if it is no token of this server.
pub(super) type Token = Option<(Kind, Handle)>;

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
        let read = |kind| Some((kind, Handle::parse(text, kind, prefixes)?));
        Ok(Self { presented, token: Kind::ALL.into_iter().find_map(read) })
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
        self.token.as_ref().map(|(_, handle)| handle.grant)
    }

    /// Whether a grant is this client's own.
    pub(super) fn owns(&self, grant: &crate::grant::Grant) -> bool {
        grant.client() == self.client.client().id()
    }
}
