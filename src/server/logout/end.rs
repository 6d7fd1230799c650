//! The end of a session: ends its grants, notifies its clients, and then forgets it.

use std::collections::BTreeMap;

use super::super::calls::{MAX_CONFLICT_RETRIES, Outcome};
use super::super::grants::SLICE;
use super::super::{AuthorizationServer, EventSubject, HostError};
use crate::audit::{Endpoint, EventKind};
use crate::base::query::with_parameters;
use crate::client::ClientId;
use crate::documents::Requester;
use crate::error::{BackendError, Fault, Reason};
use crate::grant::{Grant, GrantId, SessionId, Subject};
use crate::openid::{LogoutNotice, SessionRules};
use crate::store::{Filter, Listing, Record, Tombstone, Write};

/// The outcome of ending a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndedSession {
    /// How many grants ended. Grants with offline access stay.
    pub grants: u64,
    /// URLs to load in hidden frames, as [`SignedOut::frames`](super::SignedOut::frames) has them.
    pub frames: Vec<String>,
}

/// What the end of a session leads to.
#[derive(Default)]
struct Ending {
    /// How many grants ended.
    grants: u64,
    /// The clients to notify, and the `sub` that each knows.
    told: BTreeMap<ClientId, Subject>,
    /// Grants that have ended and still name their session, so that it is found until its clients are told.
    ended: Vec<Grant>,
    /// Grants with offline access, which stay.
    offline: Vec<Record>,
}

impl AuthorizationServer {
    /// Ends what began in one of your sessions: first its grants, except those with the scope
    /// `offline_access`, and then the sessions of its clients. Remove your own session first. Call it
    /// whenever a session ends: the user signed out, an administrator ended it, or it expired. A second call
    /// does nothing, and neither does a call to a server without [`Sessions`](super::Sessions): its grants
    /// belong to none. A record of the session that cannot be read ends, too, whatever its scope.
    ///
    /// A client is notified if it got a code in this session and has a logout URI. The call waits for two
    /// seconds at most, and continues in the background
    /// ([`Sessions::back_channel`](super::Sessions::back_channel)).
    ///
    /// # Errors
    /// The store, the client registry or your [queue](crate::openid::LogoutQueue) failed midway. What has
    /// ended stays ended; call it again for the rest, and for the clients that were not notified. The others
    /// may be notified once more, and so they may after a call whose future was dropped.
    pub async fn end_session(&self, session: &SessionId) -> Result<EndedSession, HostError> {
        self.end_all_of(&Filter::session(*session), Some(*session)).await
    }

    /// Ends the grants of a user that began in a session, except those with the scope `offline_access`, and
    /// signs the user out at every client that has a logout URI, for example after a password change. Remove
    /// the user's own sessions first. Grants without a session, such as those of devices and of plain OAuth,
    /// stay, and so do records that cannot be read and are not known to be of a session:
    /// [`revoke_subject`](Self::revoke_subject) ends all.
    ///
    /// # Errors
    /// As for [`end_session`](Self::end_session).
    pub async fn end_user(&self, user: &str) -> Result<EndedSession, HostError> {
        self.end_all_of(&Filter::subject(Subject::user(user)), None).await
    }

    /// Ends the grants, notifies the clients, and forgets the session, in this order: until the clients are
    /// told, another call finds them by the session of their grants.
    async fn end_all_of(
        &self,
        filter: &Filter,
        session: Option<SessionId>,
    ) -> Result<EndedSession, HostError> {
        let Some(rules) = self.sessions() else { return Ok(EndedSession::default()) };
        let mut ending = Ending::default();
        let ended = self.end_pages(filter, &mut ending).await;
        if ended.is_ok() {
            let subject = filter.subject.as_ref().or_else(|| ending.told.values().next());
            let about = EventSubject { subject, ..EventSubject::default() };
            self.audit(EventKind::SessionEnded, Endpoint::Host, about);
        }
        let told = self.tell_all(session, &ending.told, rules).await;
        ended?;
        let frames = told?;
        self.forget_session(ending.ended, ending.offline).await?;
        Ok(EndedSession { grants: ending.grants, frames })
    }

    /// Ends the grants that the filter finds and that began in a session.
    async fn end_pages(&self, filter: &Filter, ending: &mut Ending) -> Result<(), Fault> {
        let mut pages = self.pages(filter, SLICE);
        while let Some(mut listing) = pages.next().await? {
            listing.records.retain(|record| record.grant().session().is_some());
            for damaged in &mut listing.damaged {
                damaged.session = damaged.session.or(filter.session);
            }
            listing.damaged.retain(|damaged| damaged.session.is_some());
            self.end_page(listing, ending).await?;
        }
        Ok(())
    }

    pub(in crate::server) fn sessions(&self) -> Option<&SessionRules> {
        self.rules().openid.as_ref()?.sessions.as_ref()
    }

    /// Ends the grants of a page, except those with offline access.
    async fn end_page(&self, listing: Listing, ending: &mut Ending) -> Result<(), Fault> {
        let now = self.now();
        let mut open = Vec::new();
        for record in listing.records {
            let grant = record.grant();
            ending.told.insert(grant.client().clone(), grant.subject().clone());
            match grant.is_ended() {
                true => ending.ended.push(record.into_grant()),
                false if grant.is_offline() => ending.offline.push(record),
                false => open.push(Tombstone::of(record.into_grant(), now)),
            }
        }
        // Whether one of these has offline access cannot be known.
        for damaged in &listing.damaged {
            ending.told.insert(damaged.client.clone(), damaged.subject.clone());
            open.push(Tombstone::of_damaged(damaged, now));
        }
        ending.grants += self.end_each(&open, open.len()).await?;
        let ended = open.iter().map(Tombstone::grant).filter(|grant| grant.session().is_some());
        ending.ended.extend(ended.cloned());
        Ok(())
    }

    /// Removes the session from the grants, once its clients are told.
    async fn forget_session(&self, ended: Vec<Grant>, offline: Vec<Record>) -> Result<(), Fault> {
        let now = self.now();
        let ended: Vec<Tombstone> =
            ended.into_iter().map(|grant| Tombstone::of_session(grant, now)).collect();
        for slice in ended.chunks(SLICE as usize) {
            self.end_each(slice, 0).await?;
        }
        for record in offline {
            self.leave_session(record).await?;
        }
        Ok(())
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
    ///
    /// # Errors
    /// A client could not be looked up, or the queue did not take its notice; the others are notified.
    async fn tell_all(
        &self,
        session: Option<SessionId>,
        told: &BTreeMap<ClientId, Subject>,
        rules: &SessionRules,
    ) -> Result<Vec<String>, HostError> {
        let (mut notices, mut frames, mut failed) = (Vec::new(), Vec::new(), None);
        for (id, subject) in told {
            let client = match self.find_client(id, Requester::default()).await {
                Ok(Some(client)) => client,
                // The client was deleted, so there is no one to notify.
                Ok(None) => continue,
                Err(refusal) => {
                    self.undelivered(id);
                    // Another call would fail, too, if the client cannot be read, or if its metadata document
                    // cannot be fetched, which its developer decides.
                    if refusal.reason() == Reason::StoreUnavailable {
                        failed = Some(HostError::Backend(BackendError::transient(refusal)));
                    }
                    continue;
                }
            };
            let Subject::User(user) = subject else { continue };
            let sid = session.map(|session| rules.sid(session, id));
            let metadata = client.metadata();
            if let (Some(uri), Some(sid), true) =
                (&metadata.frontchannel_logout_uri, &sid, rules.front_channel)
            {
                frames.push(frame(uri, &self.rules().issuer, sid));
            }
            if metadata.backchannel_logout_uri.is_some() && rules.back_channel {
                let Ok(sub) = self.rules().sub_of(subject, &client) else {
                    self.undelivered(id);
                    continue;
                };
                let sub = sub.as_deref().unwrap_or(user).into();
                let sid = sid.map(String::into_boxed_str);
                notices.push((LogoutNotice { client: id.clone(), sub, sid }, client.urls_chosen_by()));
            }
        }
        let told = self.tell(notices).await;
        failed.map_or(Ok(()), Err).and(told)?;
        Ok(frames)
    }
}

/// Front-Channel Logout section 3: both parameters or none.
fn frame(uri: &str, issuer: &str, sid: &str) -> String {
    with_parameters(uri, [("iss", issuer), ("sid", sid)])
}
