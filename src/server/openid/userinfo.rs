//! The UserInfo endpoint (OpenID Connect Core section 5.3), and reading a user's claims.

use std::sync::{Arc, LazyLock, Weak};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::audit::{Endpoint, EventKind};
use crate::base::{Algorithm, ResourceId};
use crate::client::Client;
use crate::documents::Requester;
use crate::error::{Fault, Reason, Refusal};
use crate::flow::AccountStatus;
use crate::flow::token::IdToken;
use crate::grant::Grant;
use crate::http::form::Form;
use crate::http::{Method, Request, Response};
use crate::openid::{ClaimsAsked, ClaimsTo, OPENID, Wanted};
use crate::resource::{Guard, Requirement, TokenVerifier};
use crate::server::{AuthorizationServer, EventSubject, Inner};
use crate::signing::{DroppedClaims, Unsigned};
use crate::token::Access;

static NEEDED: LazyLock<Requirement> = LazyLock::new(|| Requirement::scopes([OPENID]));

impl AuthorizationServer {
    /// Answers a UserInfo request: the claims about the user of an access token. It is guarded like any
    /// resource, and needs the scope `openid` and a token for the server's own audience.
    pub async fn userinfo(&self, request: &Request) -> Response {
        let Some(guard) = self.userinfo_guard() else {
            let about = EventSubject::default().peer(request.peer);
            return self.refuse(Reason::NotConfigured.into(), Endpoint::UserInfo, about);
        };
        let needed = &*NEEDED;
        let refused = |refusal: Refusal, access: Option<&Access>| {
            let about = access.map(about).unwrap_or_default().peer(request.peer);
            let reason = refusal.reason();
            // Only audited here: the response is the guard's, with the right challenge.
            drop(self.refuse(refusal, Endpoint::UserInfo, about));
            guard.answer(reason, needed, request)
        };
        let of_form = match self.rules().profile.switches().tokens_in_header {
            true => Ok(None),
            false => token_of_form(request),
        };
        let of_form = match of_form {
            Ok(of_form) => of_form,
            Err(reason) => return refused(reason.into(), None),
        };
        let access = match guard.pass(of_form.as_ref().unwrap_or(request), needed).await {
            Ok(access) => access,
            Err((refusal, access)) => return refused(refusal, access.as_deref()),
        };
        match self.answer_of(&access).await {
            Ok(response) => guard.with_nonce(request, response),
            Err(refusal) => refused(refusal, Some(&access)),
        }
    }

    /// JSON, or a signed JWT for a client that registered `userinfo_signed_response_alg` (section 5.3.2). It
    /// has no `exp`, so it is not an `id_token`, and its `typ` shows that it is not an access token.
    async fn answer_of(&self, access: &Access) -> Result<Response, Refusal> {
        // No more scope would help.
        let user = access.user().ok_or(Reason::TokenWithoutUser)?;
        if self.account_status(access.subject()).await? == AccountStatus::Blocked {
            return Err(Reason::SubjectBlocked.into());
        }
        let client =
            self.find_client(access.client(), Requester::default()).await?.ok_or(Reason::TokenInactive)?;
        let claims = self.claims_of(user, &client, access).await?;
        let pairwise = self.rules().sub_of(access.subject(), &client)?;
        let body = Body { signed: None, sub: pairwise.as_deref().unwrap_or(user), claims };
        let Some(algorithm) = client.metadata().userinfo_signed_response_alg else {
            return Ok(Response::secret_json_of(200, &body));
        };
        let signed = Some(Signed { iss: &self.rules().issuer, aud: client.id().as_str() });
        let unsigned =
            Unsigned::new("JWT", &Body { signed, ..body }, algorithm.key()).map_err(Fault::from)?;
        Ok(Response::secret_jwt(self.sign_for(&client, &unsigned, algorithm).await?))
    }

    /// The user's claims that a token may read.
    async fn claims_of(
        &self,
        user: &str,
        client: &Client,
        access: &Access,
    ) -> Result<Map<String, Value>, Refusal> {
        let wanted = Wanted::in_userinfo(access.grant().and_then(Grant::openid), access.scope());
        if wanted.is_empty() {
            return Ok(Map::new());
        }
        let given = self.ask(&ClaimsAsked::new(user, client, &wanted, ClaimsTo::UserInfo)).await?;
        let kept = wanted.keep(given);
        self.note_dropped(&kept.dropped, Endpoint::UserInfo, about(access));
        Ok(kept.claims)
    }

    /// Reads the claims for a response's `id_token`, and the secret that signs it, if any. Runs before the
    /// write, so that a failing user database does not cost the client its code.
    pub(in crate::server) async fn prepare_id_token(
        &self,
        id_token: &mut IdToken,
        endpoint: Endpoint,
        about: EventSubject<'_>,
    ) -> Result<(), Refusal> {
        if let Some(client) = id_token.awaits_secret_of() {
            let secret = self.newest_secret(client)?;
            id_token.take_secret(secret);
        }
        let given = match id_token.asked() {
            Some(asked) => self.ask(&asked).await?,
            None => return Ok(()),
        };
        if let Some(dropped) = id_token.answer(given) {
            self.note_dropped(&dropped, endpoint, about);
        }
        Ok(())
    }

    async fn ask(&self, asked: &ClaimsAsked<'_>) -> Result<Map<String, Value>, Refusal> {
        let source = self.inner.claims.as_ref().ok_or(Reason::NotConfigured)?;
        Ok(self.ask_part("ClaimsSource", source.claims(asked)).await?)
    }

    pub(in crate::server) fn note_dropped(
        &self,
        dropped: &DroppedClaims,
        endpoint: Endpoint,
        about: EventSubject<'_>,
    ) {
        if !dropped.names.is_empty() {
            self.audit(EventKind::ClaimsDropped, endpoint, about.cause(Some(dropped)));
        }
    }

    /// The guard, created at the first request.
    fn userinfo_guard(&self) -> Option<&Guard> {
        let make = || {
            let url = self.url_of(Endpoint::UserInfo)?;
            let guard = Guard::builder(url).verifier(OwnTokens(Arc::downgrade(&self.inner)));
            let alias = self.mtls_alias_of(Endpoint::UserInfo);
            let guard = guard.endpoint_of(&self.rules().issuer, alias);
            let guard =
                guard.realm("userinfo").allow_http_loopback().deadline(self.rules().policy.store_deadline);
            let rules = self.rules();
            let guard = guard.keys(self.proofs(), rules.requires_bound_tokens, rules.certificates.binds);
            guard.clock(Arc::clone(&self.inner.clock)).build().ok()
        };
        self.inner.claims.as_ref()?;
        self.inner.userinfo.get_or_init(make).as_ref()
    }
}

/// A UserInfo response.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    signed: Option<Signed<'a>>,
    sub: &'a str,
    #[serde(flatten)]
    claims: Map<String, Value>,
}

/// What a signed response has in addition.
#[derive(Serialize)]
struct Signed<'a> {
    iss: &'a str,
    aud: &'a str,
}

/// Verifies the server's own tokens. The guard is part of the server, so a strong reference would be a cycle.
struct OwnTokens(Weak<Inner>);

#[async_trait]
impl TokenVerifier for OwnTokens {
    /// A token for another resource is not accepted here (RFC 8707 section 2). A host may register the
    /// endpoint itself as a resource, for clients that always name one.
    async fn verify(&self, token: &str, resource: &ResourceId, _: DateTime<Utc>) -> Result<Access, Refusal> {
        let inner = self.0.upgrade().ok_or(Reason::NotConfigured)?;
        let access = AuthorizationServer { inner }.check(token).await?;
        match access.audience() {
            None => Ok(access),
            Some(audience) if audience == resource => Ok(access),
            Some(_) => Err(Reason::TokenAudienceWrong.into()),
        }
    }

    async fn check_proof_algorithm(&self, access: &Access, algorithm: Algorithm) -> Result<(), Refusal> {
        let inner = self.0.upgrade().ok_or(Reason::NotConfigured)?;
        AuthorizationServer { inner }.check_proof_algorithm(access, algorithm).await
    }
}

/// Moves a token in the form body (RFC 6750 section 2.2), which OpenID Connect allows here, to the header.
fn token_of_form(request: &Request) -> Result<Option<Request>, Reason> {
    let has_header = request.headers.all("authorization").next().is_some();
    let body = request.posted_form().ok().filter(|_| !has_header);
    let Some(form) = body.and_then(|body| Form::parse(body).ok()) else { return Ok(None) };
    // A repeated token is `invalid_request` (RFC 6750 section 3.1).
    let token = form.one("access_token").map_err(|_| Reason::TokenMethodsMixed)?;
    Ok(token.map(|token| {
        let mut with_header = Request::new(Method::Post).header("authorization", format!("Bearer {token}"));
        with_header.query.clone_from(&request.query);
        with_header.certificate.clone_from(&request.certificate);
        with_header.peer = request.peer;
        with_header
    }))
}

fn about(access: &Access) -> EventSubject<'_> {
    let (client, subject) = (Some(access.client()), Some(access.subject()));
    EventSubject { client, grant: access.grant_id(), subject, ..EventSubject::default() }
}
