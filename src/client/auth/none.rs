//! `none`: a public client, which only names itself (RFC 6749 section 3.2.1).

use super::{Carried, Check, Credentials, Method, Presented};
use crate::base::SecretText;
use crate::client::{AuthMethod, ClientId};
use crate::error::Reason;
use crate::http::Request;
use crate::http::form::Form;

pub(super) const METHOD: Method = Method {
    name: AuthMethod::None,
    credentials: Credentials::Nothing,
    carried: Carried::Nothing,
    check: |_, _, _| Check::Right,
};

/// A request without credentials.
pub(super) fn read(request: &Request, form: &Form<'_>) -> Result<Presented, Reason> {
    // A certificate does not identify the client (RFC 8705 section 2).
    let missing =
        if request.certificate.is_some() { Reason::ParameterMissing } else { Reason::ClientMissing };
    let id = form.one("client_id")?.ok_or(missing)?;
    let evidence = SecretText::new("");
    Ok(Presented { id: ClientId::new(id), carried: Carried::Nothing, evidence, certificate: None })
}
