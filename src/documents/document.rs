//! From a document to a client: a pure function of the response.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::MetadataDocuments;
use crate::base::after;
use crate::client::auth::Credentials;
use crate::client::{AuthMethod, Client, ClientId, SubjectIdentifierType};
use crate::error::Reason;
use crate::issuance::Rules;
use crate::outbound::{OutboundError, OutboundResponse};
use crate::registration::{Allowance, Member, MetadataBody, is_served};

/// The lifetime of a document whose response does not state one, in seconds.
const DEFAULT_MAX_AGE: u64 = 60 * 60;

/// Every check, in the order of section 4 of the draft.
#[rustfmt::skip]
pub(super) fn read(id: &ClientId, answer: &OutboundResponse, documents: &MetadataDocuments, rules: &Rules) -> Result<Client, Reason> {
    match answer.status() {
        200             => {}
        429 | 500..=599 => return Err(Reason::DocumentServerFailed),
        _               => return Err(Reason::DocumentStatusWrong),
    }
    if !is_json(answer.content_type())                      { return Err(Reason::DocumentTypeWrong) }
    let wire = MetadataBody::parse(answer.body()).map_err(|_| Reason::DocumentMalformed)?;
    if wire.client_id.as_str() != Some(id.as_str())         { return Err(Reason::DocumentOfAnother) }
    if has_secret(&wire)                                    { return Err(Reason::DocumentHasSecret) }
    let method = common_method(&wire, rules).ok_or(Reason::DocumentNeedsKeys)?;
    if rules.profile.switches().client_name && !wire.is_named() { return Err(Reason::DocumentNameMissing) }
    client(id, wire, method, documents, rules).map_err(|reason| match reason {
        Reason::RegistrationRedirectUriMissing              => Reason::DocumentRedirectUriMissing,
        Reason::RegistrationRedirectUri                     => Reason::DocumentRedirectUri,
        _                                                   => Reason::DocumentMetadata,
    })
}

/// A public secret is no secret (section 4.1 of the draft).
fn has_secret(wire: &MetadataBody) -> bool {
    let preferred = wire.token_endpoint_auth_method.as_str();
    wire.client_secret != Member::Absent
        || wire.client_secret_expires_at.is_some()
        || preferred.is_some_and(|method| method.starts_with("client_secret"))
}

/// The first method in the document that is possible here: `none`, or one with keys if the server verifies
/// what clients sign. A document without any method has `none`.
fn common_method(wire: &MetadataBody, rules: &Rules) -> Option<AuthMethod> {
    let may_have =
        |method: AuthMethod| method.credentials() != Credentials::Secret && is_served(method, rules);
    match wire.names_no_method() {
        true => Some(AuthMethod::None).filter(|method| is_served(*method, rules)),
        false => wire.first_method(may_have),
    }
}

/// The client, if the terms allow its metadata. A document has no secret: its client is public, or has keys.
fn client(
    id: &ClientId,
    wire: MetadataBody,
    method: AuthMethod,
    documents: &MetadataDocuments,
    rules: &Rules,
) -> Result<Client, Reason> {
    let terms = &documents.terms;
    let asked = wire.with_method(method).check(&terms.schemes(rules.profile), rules)?;
    // By changing the document, its owner could give every user a new identifier.
    if asked.metadata.subject_type == Some(SubjectIdentifierType::Pairwise) {
        return Err(Reason::DocumentMetadata);
    }
    let mut metadata = asked.within(terms, &Allowance::all(), rules)?;
    metadata.sector_identifier_uri = None;
    let client = Client::builder(id.as_str()).metadata(metadata).build();
    let client = client.map_err(|_| Reason::RegistrationInconsistent)?;
    match rules.fits(&client) {
        true => Ok(client.of_document()),
        false => Err(Reason::RegistrationProfile),
    }
}

/// `application/json`, or a `+json` type.
fn is_json(content_type: Option<&str>) -> bool {
    let kind = content_type.and_then(|text| text.strip_prefix("application/"));
    kind.is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

/// When a document stops being fresh, and when it stops bridging an outage.
pub(super) fn lifetime(
    answer: &OutboundResponse,
    documents: &MetadataDocuments,
    now: DateTime<Utc>,
) -> (DateTime<Utc>, DateTime<Utc>) {
    let said = Duration::from_secs(answer.fresh_for().unwrap_or(DEFAULT_MAX_AGE));
    let fresh_until = after(now, said.clamp(documents.shortest, documents.longest));
    (fresh_until, after(fresh_until, documents.bridge))
}

/// The reason for a fetch without a response.
pub(super) fn unanswered(error: OutboundError) -> Reason {
    match error {
        OutboundError::UrlRefused => Reason::DocumentUrlRefused,
        OutboundError::AddressRefused => Reason::DocumentAddressRefused,
        OutboundError::NameUnknown => Reason::DocumentNameUnknown,
        OutboundError::Unreachable | OutboundError::Interrupted | OutboundError::Busy => {
            Reason::DocumentUnreachable
        }
        OutboundError::Timeout => Reason::DocumentTimeout,
        OutboundError::TooLarge => Reason::DocumentTooLarge,
        OutboundError::Redirected => Reason::DocumentRedirected,
    }
}

/// Whether the failure says nothing about the document. Every other failure means that there is none, or an
/// invalid one.
pub(super) fn is_outage(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::DocumentNameUnknown
            | Reason::DocumentUnreachable
            | Reason::DocumentTimeout
            | Reason::DocumentServerFailed
    )
}
