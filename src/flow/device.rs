//! The device authorization request (RFC 8628 section 3.1).
//!
//! ```text
//! Request ─▶ AwaitClient ─▶ AwaitSecrets ─▶ (Write, SealedCodes) ─▶ Codes
//! ```

use std::fmt;

use serde::Serialize;

use super::AwaitsClient;
use crate::base::FreshSecrets;
use crate::client::GrantType;
use crate::client::auth::{AuthenticatedClient, Presented};
use crate::error::Refusal;
use crate::grant::{Grant, Handle, Kind, UserCode};
use crate::http::form::Form;
use crate::http::{Request, Response};
use crate::issuance::{AccountStatus, Facts, Gate, Issuance, Policy, RequestedAccess};
use crate::store::{Committed, Write, WriteName};

/// A parsed request; its client is unverified.
pub type AwaitClient = super::AwaitClient<DeviceRequest>;

/// The content of a device authorization request.
#[derive(Debug)]
pub struct DeviceRequest {
    asked: RequestedAccess,
}

impl AwaitClient {
    /// Reads a device authorization request. The client authenticates as at the token endpoint.
    ///
    /// # Errors
    /// A malformed form; nothing has been looked up yet.
    pub fn parse(request: &Request, facts: &Facts<'_>) -> Result<Self, Refusal> {
        let Facts { .. } = facts; // No fact affects how a form is read.
        let form = Form::parse(request.posted_form()?)?;
        form.check_repeats()?;
        let presented = Presented::parse(request, &form)?;
        Ok(Self { presented, request: DeviceRequest { asked: RequestedAccess::parse(&form)? } })
    }
}

impl AwaitsClient for DeviceRequest {
    type Next = AwaitSecrets;

    fn with_client(self, client: AuthenticatedClient, facts: &Facts<'_>) -> Result<AwaitSecrets, Refusal> {
        let (client, rules) = (client.client(), facts.rules);
        let (grant_type, account_status) = (GrantType::DeviceCode, AccountStatus::Active);
        let gate = Gate { client, grant_type, asked: &self.asked, account_status, rules };
        let issuance = gate.pass_new(client.subject())?;
        let openid = rules.openid.as_ref().and_then(|openid| openid.begin(&issuance.rights.scope));
        if openid.is_some() {
            rules.signable_id_token(client)?;
        }
        Ok(AwaitSecrets { issuance: issuance.with_openid(openid) })
    }
}

/// Waits for randomness only.
#[derive(Debug)]
pub struct AwaitSecrets {
    /// What the device gets if its user agrees.
    issuance: Issuance,
}

impl AwaitSecrets {
    /// Decides. Borrows, because the driver tries again with new secrets if the user code or the grant id is
    /// taken.
    pub fn decide(&self, fresh: FreshSecrets, facts: &Facts<'_>) -> (Write, SealedCodes) {
        let Facts { now, rules, .. } = *facts;
        let (grant, user_code) = Grant::wait(self.issuance.clone(), &fresh, now, &rules.policy);
        let device_code = Handle::new(grant.id(), fresh.first);
        let (write, codes) = (Write::insert(grant, now), Codes { device_code, user_code });
        let sealed = SealedCodes { codes, write: write.name() };
        (write, sealed)
    }
}

/// Codes that must not be sent before their write is proven.
#[derive(Debug)]
pub struct SealedCodes {
    codes: Codes,
    write: WriteName,
}

impl SealedCodes {
    /// Opens the codes with the proof of their write.
    ///
    /// # Errors
    /// The proof is of another write.
    pub fn open(self, proof: Committed) -> Result<Codes, Refusal> {
        self.write.check(proof)?;
        Ok(self.codes)
    }
}

/// The codes for the device.
pub struct Codes {
    device_code: Handle,
    user_code: UserCode,
}

#[derive(Serialize)]
struct Body<'a> {
    device_code: String,
    user_code: String,
    verification_uri: &'a str,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u32,
}

impl Codes {
    /// The JSON response (RFC 8628 section 3.2): the only way to get the codes out.
    pub fn into_response(self, verification_uri: &str, policy: &Policy) -> Response {
        let user_code = self.user_code.to_string();
        let body = Body {
            device_code: self.device_code.into_text(Kind::Device, &policy.prefixes),
            verification_uri,
            verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
            user_code,
            expires_in: policy.device_code_lifetime.as_secs(),
            interval: policy.device_poll_seconds,
        };
        Response::secret_json_of(200, &body)
    }
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Codes(..)")
    }
}
