//! `client_secret_basic` and `client_secret_post`: a secret that client and server share (RFC 6749 section
//! 2.3.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use super::{Carried, Check, Credentials, Method, Presented, Reader};
use crate::base::{Digest, SecretText};
use crate::client::{AuthMethod, Client, ClientId, SecretHash};
use crate::error::Reason;
use crate::http::form;

pub(super) const BASIC: Method = Method {
    name: AuthMethod::ClientSecretBasic,
    credentials: Credentials::Secret,
    carried: Carried::Header,
    check,
};

pub(super) const POST: Method = Method {
    name: AuthMethod::ClientSecretPost,
    credentials: Credentials::Secret,
    carried: Carried::Body,
    check,
};

pub(super) const IN_HEADER: Reader = Reader {
    find: |request, _| request.headers.one("authorization"),
    read: |header, form| {
        let presented = basic(header).ok_or(Reason::ClientCredentialsMalformed)?;
        match form.one("client_id")? {
            Some(id) if id != presented.id.as_str() => Err(Reason::ClientIdsDiffer),
            Some(_) | None => Ok(presented),
        }
    },
};

pub(super) const IN_BODY: Reader = Reader {
    find: |_, form| Ok(form.one("client_secret")?),
    read: |secret, form| {
        let id = form.one("client_id")?.ok_or(Reason::ClientMissing)?;
        Ok(Presented {
            id: ClientId::new(id),
            carried: Carried::Body,
            evidence: SecretText::new(secret),
            certificate: None,
        })
    },
};

/// `Basic base64(form(id):form(secret))`, RFC 6749 section 2.3.1.
fn basic(header: &str) -> Option<Presented> {
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let (id, secret) = (form::decode(id).ok()?, form::decode(secret).ok()?);
    Some(Presented {
        id: ClientId::new(id.as_ref()),
        carried: Carried::Header,
        evidence: SecretText::new(secret),
        certificate: None,
    })
}

/// At least one digest and one comparison, with or without a client.
fn check(secret: &SecretText, client: Option<&Client>, now: DateTime<Utc>) -> Check {
    let presented = secret.digest();
    let secrets = client.map_or(&[][..], |client| &client.secrets);
    let live = secrets.iter().filter(|secret| secret.is_live(now));
    let right = live.clone().fold(Digest::DECOY.matches(&presented), |right, secret| match &secret.hash {
        SecretHash::Sha256(digest) => digest.matches(&presented) | right,
        SecretHash::Phc(_) => right,
    });
    if right {
        return Check::Right;
    }
    let slow = live.filter_map(|secret| match &secret.hash {
        SecretHash::Phc(phc) => Some(phc.clone()),
        SecretHash::Sha256(_) => None,
    });
    let slow: Vec<String> = slow.collect();
    match slow.is_empty() {
        true => Check::Wrong(Reason::ClientSecretWrong),
        false => Check::SlowHash(slow),
    }
}
