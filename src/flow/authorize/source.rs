//! Where the parameters of an authorization request come from: the request itself, a request that was pushed
//! before (RFC 9126 section 4), or an object that the client signed (RFC 9101). They are parsed and checked
//! in the same way whatever their source.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::parameters::AuthorizationParameters;
use super::request_object::{AwaitRequestObject, Opened};
use super::{AwaitLogin, redirects_errors};
use crate::base::{ReplayKey, SecretText};
use crate::client::Client;
use crate::error::{Reason, Refusal};
use crate::flow::redirect::Return;
use crate::grant::{GrantId, Handle, Kind, Subject};
use crate::http::form::Form;
use crate::issuance::{Facts, Rules};
use crate::store::{Committed, Record, Write};

/// The prefix of every `request_uri` of this server (RFC 9126 section 2.2).
pub(in crate::flow) const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";

/// Where the parameters come from.
#[derive(Debug)]
pub(super) enum Source {
    Direct(ClaimedRequest),
    /// The `request_uri` that the browser sends. All other parameters are ignored.
    Pushed(SecretText),
    /// A request object. If the server accepts those, all other parameters are ignored.
    Signed(SecretText, Result<ClaimedRequest, Reason>),
}

impl Source {
    /// # Errors
    /// The redirect URI or a source is repeated, or two sources are named.
    pub(super) fn parse(form: &Form<'_>) -> Result<Self, Reason> {
        let request_uri = form.one("request_uri")?;
        match (request_uri.filter(|uri| uri.starts_with(REQUEST_URI)), form.one("request")?) {
            (Some(_), Some(_)) => Err(Reason::RequestSourcesMixed),
            (Some(uri), None) => Ok(Self::Pushed(SecretText::new(uri))),
            (None, Some(object)) => Ok(Self::Signed(SecretText::new(object), ClaimedRequest::parse(form))),
            (None, None) => ClaimedRequest::parse(form).map(Self::Direct),
        }
    }
}

/// The parameters of a request. The redirect URI is only claimed.
#[derive(Debug)]
pub(super) struct ClaimedRequest {
    redirect_uri: Option<String>,
    state: Option<String>,
    /// Boxed, because the states that follow are moved often.
    asked: Box<AuthorizationParameters>,
    /// The data of the request object, if the request was signed.
    signed: Option<Box<SignedRequest>>,
    /// Whether the client pushed it, and so proved who it is.
    is_pushed: bool,
}

/// The data of a request object that are needed until the approval.
#[derive(Debug)]
pub(super) struct SignedRequest {
    /// The replay key of the object, and until when the object could be approved again.
    pub(super) once: Option<(ReplayKey, DateTime<Utc>)>,
    /// The deadline of the first visit.
    pub(super) expires: Option<DateTime<Utc>>,
}

impl ClaimedRequest {
    fn parse(form: &Form<'_>) -> Result<Self, Reason> {
        Ok(Self {
            redirect_uri: form.one("redirect_uri")?.map(str::to_owned),
            state: form.one("state").ok().flatten().map(str::to_owned),
            asked: Box::new(AuthorizationParameters::parse(form)),
            signed: None,
            is_pushed: false,
        })
    }

    fn parse_pushed(form: &Form<'_>) -> Result<Self, Reason> {
        Ok(Self { is_pushed: true, ..Self::parse(form)? })
    }

    /// The request in a request object.
    ///
    /// # Errors
    /// None of its own: no parameter occurs twice in an object.
    pub(super) fn of_object(object: Opened) -> Result<Self, Reason> {
        let Opened { parameters, types, once, expires } = object;
        let mut request = Self::parse(&parameters)?;
        request.asked.repeats = types;
        Ok(Self { signed: Some(Box::new(SignedRequest { once, expires })), ..request })
    }

    /// Whether it has a `request_uri` besides a request object.
    pub(super) fn names_request_uri(&self) -> bool {
        self.asked.request_uri
    }

    /// Verifies the redirect URI against the client's registration.
    ///
    /// # Errors
    /// There is no redirect URI that the response may go to.
    pub(super) fn prove(
        self,
        client: Arc<Client>,
        pushed: Option<Record>,
        facts: &Facts<'_>,
    ) -> Result<AwaitLogin, Reason> {
        let Facts { now, rules, .. } = *facts;
        let Self { redirect_uri, state, mut asked, signed, is_pushed } = self;
        asked.check_mode_name(rules)?;
        if asked.is_of_openid(rules) {
            asked.complete_for(&client);
        }
        let named = redirect_uri.is_some();
        let uri = match (redirect_uri, client.redirect_uris()) {
            (Some(asked), _) => {
                let registered = client.redirect_uri(&asked, rules.profile);
                let unregistered = || client.unregistered_redirect_uri(&asked).filter(|_| is_pushed);
                registered.or_else(unregistered).ok_or(Reason::RedirectUriUnregistered)?
            }
            (None, [only]) if !asked.is_of_openid(rules) && !rules.switches_for(&client).pushed_requests => {
                only.clone()
            }
            (None, _) => return Err(Reason::RedirectUriMissing),
        };
        let signed_for = rules.authorization_algorithm(&client).map(|own| (client.id().clone(), own));
        let mode = asked.error_mode(&client, rules);
        let to = Return { uri, mode, state, issuer: rules.issuer.clone(), signed_for };
        let redirects_errors = redirects_errors(&client, &asked, rules);
        Ok(AwaitLogin {
            client,
            to,
            named,
            redirects_errors,
            asked,
            pushed,
            signed,
            since: now,
            account_chosen: false,
            hint: Ok(None),
        })
    }
}

/// A request that is pushed, to be checked in the same way as when its user visits (RFC 9126 section 2.1).
///
/// # Errors
/// There is no redirect URI that the response may go to.
pub(in crate::flow) fn pushed(
    form: &Form<'_>,
    client: &Arc<Client>,
    facts: &Facts<'_>,
) -> Result<AwaitLogin, Reason> {
    ClaimedRequest::parse_pushed(form)?.prove(Arc::clone(client), None, facts)
}

impl AwaitLogin {
    /// Checks it before its user is known. No check depends on which one it is.
    ///
    /// # Errors
    /// The first check that fails.
    pub(in crate::flow) fn check_early(&self, rules: &Rules) -> Result<(), Reason> {
        self.check(&Subject::user(""), rules).map(drop)
    }
}

/// An authorization request after its client is known.
#[derive(Debug)]
#[non_exhaustive]
pub enum Resolved {
    /// The request itself has the parameters.
    Direct(AwaitLogin),
    /// They were pushed before.
    Pushed(AwaitPushed),
    /// They are in an object that the client signed.
    Signed(AwaitRequestObject),
}

/// Waits for the grant that a `request_uri` names.
#[derive(Debug)]
pub struct AwaitPushed {
    client: Arc<Client>,
    handle: Handle,
}

impl AwaitPushed {
    pub(super) fn parse(
        client: Arc<Client>,
        request_uri: &SecretText,
        rules: &Rules,
    ) -> Result<Self, Reason> {
        let text = request_uri.reveal().strip_prefix(REQUEST_URI);
        let handle = text.and_then(|text| Handle::parse(text, Kind::RequestUri, &rules.policy.prefixes));
        Ok(Self { client, handle: handle.ok_or(Reason::RequestUriUnknown)? })
    }

    /// The grant that has to be loaded.
    #[must_use]
    pub fn grant_id(&self) -> GrantId {
        self.handle.grant
    }

    /// Takes the grant. Borrows, because the driver loads it again if another request writes the first visit.
    ///
    /// # Errors
    /// An error page: no request waits under this `request_uri`, or its redirect URI is no longer registered.
    pub fn with_record(&self, found: Option<Record>, facts: &Facts<'_>) -> Result<Visited, Refusal> {
        let Facts { now, .. } = *facts;
        let record = found.ok_or(Reason::RequestUriUnknown)?;
        let visit = record.grant().visit(&self.handle.secret, self.client.id(), now)?;
        let form = Form::parse(visit.parameters.as_bytes())?;
        let request = ClaimedRequest::parse_pushed(&form)?;
        match visit.first {
            Some(next) => {
                let write = Write::replace(record.version(), next, now);
                let pushed = Some(write.next().clone());
                let request = request.prove(Arc::clone(&self.client), pushed, facts)?;
                Ok(Visited::First(Box::new(AwaitVisit { write, request })))
            }
            None => {
                let request = request.prove(Arc::clone(&self.client), Some(record), facts)?;
                Ok(Visited::Again(Box::new(request)))
            }
        }
    }
}

/// A visit of a pushed request.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "each case needs an answer")]
pub enum Visited {
    /// The first one: it has to be stored, because the user's time to sign in begins now.
    First(Box<AwaitVisit>),
    /// A later visit; nothing has to be stored.
    Again(Box<AwaitLogin>),
}

/// Waits for the proof that the first visit is stored.
#[derive(Debug)]
pub struct AwaitVisit {
    write: Write,
    request: AwaitLogin,
}

impl AwaitVisit {
    /// What has to be stored.
    pub fn write(&self) -> &Write {
        &self.write
    }

    /// Continues with the proof of the write.
    ///
    /// # Errors
    /// The proof is of another write.
    pub fn with_proof(self, proof: Committed) -> Result<AwaitLogin, Refusal> {
        self.write.name().check(proof)?;
        Ok(self.request)
    }
}
