//! From a document to a client: a pure function of what was answered.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::MetadataDocuments;
use crate::client::{AuthMethod, Client, ClientId};
use crate::error::Reason;
use crate::outbound::{OutboundError, OutboundResponse};
use crate::policy::{Rules, after};
use crate::redirect::RedirectUri;
use crate::registration::{Allowance, Wire};

/// For a document that does not say how long it is good, in seconds.
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
    let wire = Wire::parse(answer.body()).map_err(|_| Reason::DocumentMalformed)?;
    if wire.client_id.as_deref() != Some(id.as_str())       { return Err(Reason::DocumentOfAnother) }
    if wire.client_secret.is_some() || wire.client_secret_expires_at.is_some() { return Err(Reason::DocumentHasSecret) }
    match wire.token_endpoint_auth_method.as_deref() {
        Some("none") | None                                 => {}
        Some(method) if method.starts_with("client_secret") => return Err(Reason::DocumentHasSecret),
        Some(_)                                             => return Err(Reason::DocumentNeedsKeys),
    }
    if wire.has_keys()                                      { return Err(Reason::DocumentNeedsKeys) }
    let mut redirects = wire.redirect_uris.iter().flatten();
    if !redirects.all(|uri| RedirectUri::register(uri).is_ok()) { return Err(Reason::DocumentRedirectUri) }
    client(id, wire, documents, rules).ok_or(Reason::DocumentMetadata)
}

/// The client, if its metadata may be had by strangers. It is public: a document has no secret.
fn client(id: &ClientId, mut wire: Wire, documents: &MetadataDocuments, rules: &Rules) -> Option<Client> {
    wire.token_endpoint_auth_method = Some(AuthMethod::None.as_str().to_owned());
    let asked = wire.check().ok()?;
    let metadata = asked.within(&documents.terms, &Allowance::all(), rules).ok()?;
    let client = Client::builder(id.as_str()).metadata(metadata).build().ok()?;
    Some(client.of_document())
}

/// `application/json`, or JSON of a kind of its own.
fn is_json(content_type: Option<&str>) -> bool {
    let kind = content_type.and_then(|text| text.strip_prefix("application/"));
    kind.is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

/// Until when a document is fresh, and until when it bridges an outage.
pub(super) fn lifetime(
    answer: &OutboundResponse,
    documents: &MetadataDocuments,
    now: DateTime<Utc>,
) -> (DateTime<Utc>, DateTime<Utc>) {
    let said = Duration::from_secs(answer.fresh_for().unwrap_or(DEFAULT_MAX_AGE));
    let fresh_until = after(now, said.clamp(documents.shortest, documents.longest));
    (fresh_until, after(fresh_until, documents.bridge))
}

/// Why there is no answer.
pub(super) fn unanswered(error: OutboundError) -> Reason {
    match error {
        OutboundError::UrlRefused => Reason::DocumentUrlRefused,
        OutboundError::AddressRefused => Reason::DocumentAddressRefused,
        OutboundError::NameUnknown => Reason::DocumentNameUnknown,
        OutboundError::Unreachable | OutboundError::Interrupted => Reason::DocumentUnreachable,
        OutboundError::Timeout => Reason::DocumentTimeout,
        OutboundError::TooLarge => Reason::DocumentTooLarge,
        OutboundError::Redirected => Reason::DocumentRedirected,
    }
}

/// Whether nobody can say what became of a document. Every other failure says that there is none, or a wrong one.
pub(super) fn is_outage(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::DocumentNameUnknown
            | Reason::DocumentUnreachable
            | Reason::DocumentTimeout
            | Reason::DocumentServerFailed
    )
}
