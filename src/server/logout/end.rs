//! The end of a session: ends its grants, then notifies its clients.

use std::collections::BTreeMap;

use super::super::calls::{MAX_CONFLICT_RETRIES, Outcome};
use super::super::manage::SLICE;
use super::super::{AuthorizationServer, EventSubject, HostError};
use crate::audit::{Endpoint, EventKind};
use crate::base::query::with_parameters;
use crate::client::ClientId;
use crate::documents::Requester;
use crate::error::Fault;
use crate::grant::{GrantId, SessionId, Subject};
use crate::openid::{LogoutNotice, SessionRules};
use crate::store::{Filter, Listing, Page, Record, Tombstone, Write};

/// The outcome of ending a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedSession {
    /// How many grants ended. Grants with offline access stay.
    pub grants: u64,
    /// URLs to load in hidden frames, as [`SignedOut::frames`](super::SignedOut::frames) has them.
    pub frames: Vec<String>,
}

/// The clients to notify, and the `sub` that each knows.
type Told = BTreeMap<ClientId, Subject>;

impl AuthorizationServer {
    /// Ends what began in one of your sessions: first its grants, except those with the scope
    /// `offline_access`, and then the sessions of its clients. Remove your own session first. Call it
    /// whenever a session ends: the user signed out, an administrator ended it, or it expired. A second call
    /// does nothing, and neither does a call to a server without [`Sessions`](super::Sessions): its grants
    /// belong to none.
    ///
    /// A client is notified if it got a code in this session and has a logout URI. The call waits for two
    /// seconds at most, and continues in the background
    /// ([`Sessions::back_channel`](super::Sessions::back_channel)).
    ///
    /// # Errors
    /// The store failed midway. What has ended stays ended, and its clients were notified; call it again for
    /// the rest.
    pub async fn end_session(&self, session: &SessionId) -> Result<EndedSession, HostError> {
        let Some(rules) = self.sessions() else { return Ok(EndedSession::default()) };
        let mut told = Told::new();
        let ended = self.end_pages(&Filter::session(*session), &mut told).await;
        let user = told.values().next().cloned();
        let about = EventSubject { subject: user.as_ref(), ..EventSubject::default() };
        self.audit(EventKind::SessionEnded, Endpoint::Host, about);
        let frames = self.tell_all(Some(*session), told, rules).await;
        Ok(EndedSession { grants: ended?, frames })
    }

    /// Ends the grants of a user that began in a session, except those with the scope `offline_access`, and
    /// signs the user out at every client that has a logout URI, for example after a password change. Remove
    /// the user's own sessions first. Grants without a session, such as those of devices and of plain OAuth,
    /// stay: [`revoke_subject`](Self::revoke_subject) ends all.
    ///
    /// # Errors
    /// As for [`end_session`](Self::end_session).
    pub async fn end_user(&self, user: &str) -> Result<EndedSession, HostError> {
        let Some(rules) = self.sessions() else { return Ok(EndedSession::default()) };
        let (subject, mut told) = (Subject::user(user), Told::new());
        let ended = self.end_pages(&Filter::subject(subject.clone()), &mut told).await;
        let about = EventSubject { subject: Some(&subject), ..EventSubject::default() };
        self.audit(EventKind::SessionEnded, Endpoint::Host, about);
        let frames = self.tell_all(None, told, rules).await;
        Ok(EndedSession { grants: ended?, frames })
    }

    /// Ends the grants that the filter finds and that began in a session; returns how many ended.
    async fn end_pages(&self, filter: &Filter, told: &mut Told) -> Result<u64, Fault> {
        let (mut page, mut grants) = (Page::first(SLICE), 0);
        loop {
            let mut listing = self.page(filter, page).await?;
            let next = listing.next;
            listing.records.retain(|record| record.grant().session().is_some());
            grants += self.end_of_session(listing, told).await?;
            match next {
                Some(last) => page = page.after(last),
                None => return Ok(grants),
            }
        }
    }

    pub(in crate::server) fn sessions(&self) -> Option<&SessionRules> {
        self.rules().openid.as_ref()?.sessions.as_ref()
    }

    /// Ends the grants of a page, and records their clients; returns how many ended. A grant with offline
    /// access stays, and leaves its session.
    async fn end_of_session(&self, listing: Listing, told: &mut Told) -> Result<u64, Fault> {
        let now = self.now();
        let (mut open, mut ended, mut offline) = (Vec::new(), Vec::new(), Vec::new());
        for record in listing.records {
            let grant = record.grant();
            told.insert(grant.client().clone(), grant.subject().clone());
            match grant.is_ended() {
                true => ended.push(Tombstone::of_session(record.into_grant(), now)),
                false if grant.is_offline() => offline.push(record),
                false => open.push(Tombstone::of_session(record.into_grant(), now)),
            }
        }
        for damaged in &listing.damaged {
            told.insert(damaged.client.clone(), damaged.subject.clone());
            open.push(Tombstone::of_damaged(damaged, now));
        }
        let were_open = open.len();
        open.append(&mut ended);
        let count = self.end_each(&open, were_open).await?;
        for record in offline {
            self.leave_session(record).await?;
        }
        Ok(count)
    }

    /// The grant stays, without its session.
    async fn leave_session(&self, mut record: Record) -> Result<(), Fault> {
        for _ in 0..MAX_CONFLICT_RETRIES {
            let (id, version): (GrantId, u64) = (record.grant().id(), record.version());
            let write = Write::reindex(version, record.into_grant().without_session(), self.now());
            match self.commit(&write).await {
                Outcome::Committed(_) => return Ok(()),
                Outcome::Conflict => {}
                Outcome::Failed(fault) | Outcome::Unknown(fault) => return Err(fault),
            }
            match self.load(id).await? {
                Some(found) if found.grant().session().is_some() => record = found,
                Some(_) | None => return Ok(()),
            }
        }
        Err(Fault::Contended)
    }

    /// Notifies every client with a back-channel URI; returns the frame URLs for the others.
    async fn tell_all(&self, session: Option<SessionId>, told: Told, rules: &SessionRules) -> Vec<String> {
        let (mut notices, mut frames) = (Vec::new(), Vec::new());
        for (id, subject) in told {
            let client = match self.find_client(&id, Requester::default()).await {
                Ok(Some(client)) => client,
                // The client was deleted, so there is no one to notify.
                Ok(None) => continue,
                Err(_) => {
                    self.undelivered(&id);
                    continue;
                }
            };
            let Subject::User(user) = &subject else { continue };
            let sid = session.map(|session| rules.sid(session, &id));
            let metadata = client.metadata();
            if let (Some(uri), Some(sid), true) =
                (&metadata.frontchannel_logout_uri, &sid, rules.front_channel)
            {
                frames.push(frame(uri, &self.rules().issuer, sid));
            }
            if metadata.backchannel_logout_uri.is_some() && rules.back_channel {
                let Ok(sub) = self.rules().sub_of(&subject, &client) else {
                    self.undelivered(&id);
                    continue;
                };
                let sub = sub.as_deref().unwrap_or(user).into();
                notices.push(LogoutNotice { client: id, sub, sid: sid.map(String::into_boxed_str) });
            }
        }
        self.tell(notices).await;
        frames
    }
}

/// Front-Channel Logout section 3: both parameters or none.
fn frame(uri: &str, issuer: &str, sid: &str) -> String {
    with_parameters(uri, [("iss", issuer), ("sid", sid)])
}
