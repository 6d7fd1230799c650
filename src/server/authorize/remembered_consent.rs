//! A consent without a page: what the user granted before, and the host's own applications (OpenID Connect
//! Core section 3.1.2.4).

use crate::audit::{Endpoint, EventKind};
use crate::base::Scope;
use crate::error::Fault;
use crate::flow::authorize::{AwaitConsent, Remembered};
use crate::http::Response;
use crate::server::grants::SLICE;
use crate::server::{AuthorizationServer, Consent, EventSubject};
use crate::store::{Filter, Record};

/// The outcome of a consent without a page.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "each case needs an answer")]
pub enum Unasked {
    /// The request is answered; send this to the browser.
    Answered(Response),
    /// The user has to be asked: show your page.
    Ask(Consent),
}

/// How many pages of a user's grants are searched for one that covers a request.
const PAGES: usize = 5;

impl Consent {
    /// What this user granted this client on your page, according to your own records: a scope, and
    /// individual claims by name. [`approve_remembered`](Self::approve_remembered) considers it in addition
    /// to live grants. A client that only authenticates the user has no live grant minutes after a sign-in,
    /// so a host that never wants to ask twice keeps such a record, and deletes it when the user revokes the
    /// access.
    ///
    /// It is trusted: what it names is granted without a page. It applies only to requests without resources.
    pub fn granted_before(mut self, scope: &Scope, claims: &[&str]) -> Self {
        let remembered = self.state.remembered_by_host(scope, claims);
        self.remembered = self.remembered.max(remembered);
        self
    }

    /// The part of [`scope`](Self::scope) that this user granted this client before, for the same resources
    /// and by grants that are live: the rest is new, and your page may show which part that is, such as after
    /// a step-up. It is only for display: none of it is granted until the user answers. If the store cannot
    /// say, everything is new.
    pub async fn scope_granted_before(&self) -> Scope {
        let state = &self.state;
        let filter = Filter::pair(state.subject().clone(), state.client().id().clone());
        let (mut pages, mut granted) = (self.server.pages(&filter, SLICE), Scope::empty());
        for _ in 0..PAGES {
            let Ok(Some(listing)) = pages.next().await else { break };
            let now = self.server.now();
            for grant in listing.records.iter().map(Record::grant) {
                if let Some(scope) = state.scope_granted_in(grant, now) {
                    granted = granted.union(scope);
                }
            }
            if state.scope().is_subset(&granted) {
                break;
            }
        }
        state.scope().intersection(&granted)
    }

    /// Approves the request, if this user granted this client all of it before: by one live grant that came
    /// from a page, or by [`granted_before`](Self::granted_before). It is audited. `offline_access` that was
    /// not granted before is left out, and the response says so (OpenID Connect Core section 11).
    ///
    /// Otherwise, or if [`must_ask`](Self::must_ask) says so, the user has to be asked; a request that
    /// forbids every page (`prompt=none`) is answered with `consent_required`. Most hosts need only this:
    ///
    /// ```
    /// # use grantor::{Authorization, Login, Response, SignedIn, server::Unasked};
    /// # fn page(_: grantor::Consent) -> Response { unimplemented!() }
    /// # fn login_page(_: grantor::ShowLogin) -> Response { unimplemented!() }
    /// async fn answer(ask: Authorization, login: Login) -> Response {
    ///     match ask.signed_in(login).await {
    ///         SignedIn::Consent(consent) => match consent.approve_remembered().await {
    ///             Unasked::Answered(response) => response,
    ///             Unasked::Ask(consent) => page(consent),
    ///         },
    ///         SignedIn::Reauthenticate(login) => login_page(login),
    ///         SignedIn::Answered(response) => response,
    ///     }
    /// }
    /// ```
    pub async fn approve_remembered(mut self) -> Unasked {
        if self.must_ask() {
            return self.ask().await;
        }
        let by_store = match self.remembered {
            Remembered::Yes => {
                self.server.spare_record(&mut self.state).await;
                Ok(Remembered::Yes)
            }
            known @ (Remembered::No | Remembered::ButOffline) => {
                self.server.remembers(&mut self.state).await.map(|found| found.max(known))
            }
        };
        match by_store {
            Ok(Remembered::Yes) => {}
            Ok(Remembered::ButOffline) => self.state.without_offline(),
            Ok(Remembered::No) => return self.ask().await,
            Err(fault) if self.prompt_none() => {
                let client = self.client().id().clone();
                return Unasked::Answered(
                    self.server.answer_error(self.state.unknown(&fault), &client, self.peer).await,
                );
            }
            // If the store cannot say, asking the user is the safe choice.
            Err(_) => return Unasked::Ask(self),
        }
        if self.state.is_nothing(self.server.rules()) {
            return self.ask().await;
        }
        self.without_page(EventKind::ConsentRemembered).await
    }

    /// Approves the request of your own application without asking the user: the host decides for them, and
    /// it is audited. Call it for clients that you know by their ids. What it grants counts as granted by the
    /// user in [`approve_remembered`](Self::approve_remembered) for as long as that grant lives.
    ///
    /// If [`must_ask`](Self::must_ask) says so, and for a client that registered itself or has a metadata
    /// document, the user is asked nevertheless, or a request with `prompt=none` is answered with
    /// `consent_required`.
    pub async fn approve_first_party(mut self) -> Unasked {
        if self.must_ask() || self.client().is_stranger() {
            return self.ask().await;
        }
        self.server.spare_record(&mut self.state).await;
        self.without_page(EventKind::ConsentByPolicy).await
    }

    async fn ask(self) -> Unasked {
        match self.prompt_none() {
            true => Unasked::Answered(self.consent_required().await),
            false => Unasked::Ask(self),
        }
    }

    async fn without_page(self, what: EventKind) -> Unasked {
        let about = EventSubject {
            subject: Some(self.state.subject()),
            ..EventSubject::client(self.state.client().id()).peer(self.peer)
        };
        self.server.audit(what, Endpoint::Authorization, about);
        Unasked::Answered(self.say_yes().await)
    }
}

impl AuthorizationServer {
    /// Keeps no second record of a session for its logout. If the store cannot say, the new one is kept, too.
    async fn spare_record(&self, state: &mut AwaitConsent) {
        if state.is_kept_for_logout() {
            let _ = self.remembers(state).await;
        }
    }

    /// How much of a request a live grant of this user covers.
    ///
    /// A client that renews silently would leave a record for each time, and among those the live ones would
    /// not be found any more. So a new one is not kept for the logout if another one of its session is.
    async fn remembers(&self, state: &mut AwaitConsent) -> Result<Remembered, Fault> {
        let filter = Filter::pair(state.subject().clone(), state.client().id().clone());
        let (mut pages, mut best) = (self.pages(&filter, SLICE), Remembered::No);
        let mut is_to_keep = state.is_kept_for_logout();
        for _ in 0..PAGES {
            let listing = match pages.next().await {
                Ok(Some(listing)) => listing,
                // What was found counts; the new record is then kept.
                Ok(None) => break,
                Err(_) if best == Remembered::Yes => break,
                Err(fault) => return Err(fault),
            };
            let now = self.now();
            for grant in listing.records.iter().map(Record::grant) {
                best = best.max(state.remembered_in(grant, now));
                is_to_keep &= !state.is_kept_by(grant, now);
            }
            if best == Remembered::Yes && !is_to_keep {
                break;
            }
        }
        if !is_to_keep {
            state.without_own_record();
        }
        Ok(best)
    }
}
