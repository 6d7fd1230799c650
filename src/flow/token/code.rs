//! The redemption of an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

use super::redemption::{Redeeming, RedemptionParameters, Row};
use crate::base::pkce::CodeVerifier;
use crate::base::secret::SecretText;
use crate::client::auth::Presented;
use crate::client::{Client, GrantType};
use crate::error::Reason;
use crate::grant::{CodeRedemption, Grant, Kind, Verdict};
use crate::http::Request;
use crate::http::form::Form;

pub(super) static ROW: Row = Row {
    grant_type: GrantType::AuthorizationCode,
    parameter: "code",
    kind: Kind::Code,
    unknown: Reason::CodeUnknown,
    is_code: true,
    read_parameters,
};

/// What the token request must have besides the code.
#[derive(Debug)]
pub(super) struct CodeParameters {
    verifier: Option<CodeVerifier>,
    /// The secret that the client presented; kept only without PKCE.
    client_secret: Option<SecretText>,
    redirect_uri: Option<String>,
}

fn read_parameters(
    form: &Form<'_>,
    _: &Request,
    presented: &Presented,
) -> Result<RedemptionParameters, Reason> {
    let verifier = form.one("code_verifier")?.map(CodeVerifier::parse).transpose()?;
    let redirect_uri = form.one("redirect_uri")?.map(str::to_owned);
    let client_secret = match verifier {
        Some(_) => None,
        None => presented.shared_secret(),
    };
    Ok(RedemptionParameters::Code(CodeParameters { verifier, client_secret, redirect_uri }))
}

impl CodeParameters {
    /// The parameters of this client's request. A secret that a person chose is dropped, because it must not
    /// open a bridge.
    pub(super) fn of(self, client: &Client) -> Self {
        Self { client_secret: self.client_secret.filter(|_| !client.has_chosen_secret()), ..self }
    }

    pub(super) fn redeem(&self, grant: Grant, redeeming: Redeeming<'_>) -> Verdict {
        let Redeeming { secret, gate, fresh, facts } = redeeming;
        let presented = CodeRedemption {
            secret,
            verifier: self.verifier.as_ref(),
            client_secret: self.client_secret.as_ref(),
            redirect_uri: self.redirect_uri.as_deref(),
            gate,
            unanswered: facts.unanswered,
        };
        grant.redeem_code(presented, fresh, facts.now, &facts.rules.policy)
    }
}
