//! The indexes: the grants of a subject, of a client, of a session, and all grants, in the order of their
//! ids.
//!
//! On a single server a grant and its indexes change in one step. In a cluster an index is in another slot
//! than its grants, so no step covers both. This is safe because a grant is in its indexes *before* its write
//! is confirmed, and leaves them only when it is removed or the entry itself has expired. An entry without a
//! grant is skipped.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use super::answer::list;
use super::names::Names;
use super::scripts::{Call, ENTER, command};
use super::server::Server;
use super::{MARGIN, time_to_live};
use crate::base::Digest;
use crate::client::ClientId;
use crate::grant::{GrantId, SessionId, Subject};
use crate::store::{self as columns, BackendError, Filter, Write};

/// The number of parts of the clients and of the index of a client or of all grants: what can be large is
/// spread over the nodes of a cluster.
pub(super) const PARTS: u8 = 16;

/// If a grant is overdue for a purge by this much, no one calls `purge`.
const OVERDUE: TimeDelta = TimeDelta::days(1);

/// The index of one user, client (including the client's own grants) or session, or of all grants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Index {
    Owned { kind: char, tag: [u8; 16] },
    All,
}

impl Index {
    pub(super) fn of_subject(subject: &Subject) -> Self {
        match subject {
            Subject::User(user) => Self::Owned { kind: USER, tag: tag(user) },
            // Such a grant is nearly always the client's own, so one entry serves for both.
            Subject::Client(client) => Self::of_client(client),
        }
    }

    pub(super) fn of_client(client: &ClientId) -> Self {
        Self::Owned { kind: CLIENT, tag: tag(client.as_str()) }
    }

    fn of_session(session: SessionId) -> Self {
        Self::Owned { kind: SESSION, tag: *session.as_bytes() }
    }

    /// An index that contains all grants that match the filter.
    pub(super) fn of_filter(filter: &Filter) -> Self {
        match (filter.session, &filter.subject, &filter.client) {
            (Some(session), _, _) => Self::of_session(session),
            (None, Some(subject), _) => Self::of_subject(subject),
            (None, None, Some(client)) => Self::of_client(client),
            (None, None, None) => Self::All,
        }
    }

    fn parts(self) -> u8 {
        match self {
            Self::Owned { kind: USER | SESSION, .. } => 1,
            Self::Owned { .. } | Self::All => PARTS,
        }
    }

    fn part_of(self, id: GrantId) -> u8 {
        part_of(id) % self.parts()
    }

    fn key(self, part: u8, names: &Names) -> String {
        match self {
            Self::Owned { kind, tag } => names.owned(kind, &tag, part),
            Self::All => names.all(part),
        }
    }
}

const USER: char = 'u';
const CLIENT: char = 'c';
const SESSION: char = 's';

fn part_of(id: GrantId) -> u8 {
    id.as_bytes()[0] >> 4
}

/// A digest names the index, because the identifier may be long, and personal data. If two digests were
/// equal, a listing would still have only the right grants.
fn tag(owner: &str) -> [u8; 16] {
    Digest::of("grantor:redis:v1", owner.as_bytes()).fingerprint().0
}

/// A grant that a purge has to check, and the indexes that it is in.
pub(super) struct Due {
    pub(super) id: GrantId,
    subject: Index,
    client: Index,
    session: Option<Index>,
}

impl Due {
    const BYTES: usize = 16 + 17 + 17;

    pub(super) fn of(id: GrantId, index: columns::Index<'_>) -> Self {
        let (subject, client) = (Index::of_subject(index.subject), Index::of_client(index.client));
        Self { id, subject, client, session: index.session.map(Index::of_session) }
    }

    /// What the scripts' `set_due` wants: the due time, the member, and the time before which due
    /// times are overdue.
    pub(super) fn look(&self, expires: DateTime<Utc>, at: DateTime<Utc>) -> [Vec<u8>; 3] {
        [millis(expires), self.member(), millis(overdue(at))]
    }

    pub(super) fn member(&self) -> Vec<u8> {
        let mut member = Vec::with_capacity(Self::BYTES);
        member.extend_from_slice(self.id.as_bytes());
        for owner in [self.subject, self.client].into_iter().chain(self.session) {
            if let Index::Owned { kind, tag } = owner {
                member.push(kind as u8);
                member.extend_from_slice(&tag);
            }
        }
        member
    }

    pub(super) fn parse(member: &[u8]) -> Option<Self> {
        let (id, owners) = member.split_first_chunk()?;
        let owner = |bytes: &[u8]| {
            let (kind, tag) = bytes.split_first()?;
            Some(Index::Owned { kind: char::from(*kind), tag: tag.try_into().ok()? })
        };
        let (subject, owners) = owners.split_at_checked(17)?;
        let (client, session) = owners.split_at_checked(17)?;
        let session = match session {
            [] => None,
            session => Some(owner(session)?),
        };
        Some(Self { id: GrantId::new(*id), subject: owner(subject)?, client: owner(client)?, session })
    }

    /// The keys of the indexes by owner; only one if the client acts for itself.
    fn keys(&self, names: &Names) -> impl Iterator<Item = String> {
        let other = (self.subject != self.client).then_some(self.subject);
        let indexes = [Some(self.client), other, self.session];
        indexes.into_iter().flatten().map(|index| index.key(index.part_of(self.id), names))
    }

    /// The keys of the due times and of the index of all grants, which are in one slot, and then the others.
    pub(super) fn all_keys(&self, names: &Names) -> Vec<String> {
        let part = part_of(self.id);
        [names.due(part), names.all(part)].into_iter().chain(self.keys(names)).collect()
    }
}

/// The time before which due times are overdue.
pub(super) fn overdue(at: DateTime<Utc>) -> DateTime<Utc> {
    at.checked_sub_signed(OVERDUE).unwrap_or(at)
}

/// What a write enters into the indexes, as arguments of the scripts.
pub(super) struct Entry {
    due: Due,
    /// The id, the expiry of the entry, the current time, and the time to live of the index.
    pub(super) enter: [Vec<u8>; 4],
    /// As of [`Due::look`].
    pub(super) look: [Vec<u8>; 3],
}

impl Entry {
    pub(super) fn of(write: &Write) -> Self {
        let (index, at) = (write.next().index(), write.at());
        let due = Due::of(write.id(), index);
        let ends = write.next().grant().latest_expiry();
        let life = time_to_live(ends, at).into_bytes();
        let ends = ends.checked_add_signed(MARGIN).unwrap_or(ends);
        Self {
            enter: [write.id().as_bytes().to_vec(), millis(ends), millis(at), life],
            look: due.look(index.expires, at),
            due,
        }
    }

    /// As of [`Due::all_keys`].
    pub(super) fn keys(&self, names: &Names) -> Vec<String> {
        self.due.all_keys(names)
    }

    /// Enters a grant into indexes in other slots; after an error, it may be in only some of them. Returns
    /// some grants that are overdue for a purge.
    pub(super) async fn enter_apart(&self, server: &Server, names: &Names) -> Result<Vec<Due>, BackendError> {
        let part = part_of(self.due.id);
        let enter: Vec<&[u8]> = self.enter.iter().map(Vec::as_slice).collect();
        let more: Vec<&[u8]> = self.enter.iter().chain(&self.look).map(Vec::as_slice).collect();
        let mut calls = vec![Call::script(&ENTER, &[&names.all(part), &names.due(part)], &more)];
        calls.extend(self.due.keys(names).map(|key| Call::script(&ENTER, &[&key], &enter)));
        let mut overdue = Vec::new();
        for entered in join_all(calls.into_iter().map(|call| server.settle(call))).await {
            overdue.extend(dues(list(entered?)?));
        }
        Ok(overdue)
    }
}

fn millis(at: DateTime<Utc>) -> Vec<u8> {
    at.timestamp_millis().to_string().into_bytes()
}

/// Sets when a purge has to check a grant.
pub(super) async fn look_at(
    server: &Server,
    names: &Names,
    due: &Due,
    at: DateTime<Utc>,
) -> Result<(), BackendError> {
    let (key, at) = (names.due(part_of(due.id)), at.timestamp_millis());
    server.settle(command("ZADD", (key, at, due.member()))).await?;
    Ok(())
}

/// Removes a purged grant from its indexes, and last from the list of due times.
pub(super) async fn leave(server: &Server, names: &Names, due: &Due) -> Result<(), BackendError> {
    let [from, to] = entries_of(due.id);
    let part = part_of(due.id);
    let calls = due
        .keys(names)
        .chain([names.all(part)])
        .map(|key| server.settle(command("ZREMRANGEBYLEX", (key, &from, &to))));
    for left in join_all(calls).await {
        left?;
    }
    server.settle(command("ZREM", (names.due(part), due.member()))).await?;
    Ok(())
}

/// At most `limit` grants that were due before `before`.
pub(super) async fn due(
    server: &Server,
    names: &Names,
    part: u8,
    before: DateTime<Utc>,
    limit: usize,
) -> Result<Vec<Due>, BackendError> {
    let before = format!("({}", before.timestamp_millis());
    let range = (names.due(part), "-inf", before, "LIMIT", 0, limit);
    Ok(dues(list(server.read(command("ZRANGEBYSCORE", range)).await?)?))
}

/// The grants of these members. A malformed member is skipped, and must not stop the others.
pub(super) fn dues(members: impl IntoIterator<Item = Vec<u8>>) -> Vec<Due> {
    members.into_iter().filter_map(|member| Due::parse(&member)).collect()
}

/// The parts of the due times.
pub(super) fn due_parts() -> impl Iterator<Item = u8> {
    0..PARTS
}

/// At most `limit` ids after this one, in order. Fewer only if there are no more.
pub(super) async fn ids(
    server: &Server,
    names: &Names,
    index: Index,
    after: Option<GrantId>,
    limit: usize,
) -> Result<Vec<GrantId>, BackendError> {
    let first = after.map_or(0, |id| index.part_of(id));
    let part = async |part| part_ids(server, names, index, part, after, limit).await;
    let mut ids = part(first).await?;
    // The first part of a large index has enough; a small index is read as a whole.
    if ids.len() < limit {
        for part in join_all((first + 1..index.parts()).map(part)).await {
            ids.extend(part?);
        }
    }
    ids.truncate(limit);
    Ok(ids)
}

async fn part_ids(
    server: &Server,
    names: &Names,
    index: Index,
    part: u8,
    after: Option<GrantId>,
    limit: usize,
) -> Result<Vec<GrantId>, BackendError> {
    let mut from = after.map_or_else(|| b"-".to_vec(), past);
    let mut ids: Vec<GrantId> = Vec::new();
    // A grant whose expiry has changed has two entries, so a slice may have fewer ids than entries.
    loop {
        let key = index.key(part, names);
        let range = (key, &from, "+", "LIMIT", 0, limit - ids.len());
        let entries = list(server.read(command("ZRANGEBYLEX", range)).await?)?;
        let full = entries.len() == limit - ids.len();
        ids.extend(entries.iter().filter_map(|entry| entry.first_chunk()).map(|id| GrantId::new(*id)));
        ids.dedup();
        match ids.last() {
            Some(last) if full && ids.len() < limit => from = past(*last),
            _ => return Ok(ids),
        }
    }
}

/// The bounds of the entries of this id.
pub(super) fn entries_of(id: GrantId) -> [Vec<u8>; 2] {
    [bound(b'[', id), past(id)]
}

/// The bound of a range that begins with this id.
fn bound(side: u8, id: GrantId) -> Vec<u8> {
    [&[side], &id.as_bytes()[..]].concat()
}

/// The bound after all entries of this id: in an entry, digits follow the id.
fn past(id: GrantId) -> Vec<u8> {
    [&bound(b'(', id)[..], b":"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else a later version would not find it there.
    #[test]
    fn a_grant_stays_in_its_indexes() {
        let due = Due {
            id: GrantId::new([0xa7; 16]),
            subject: Index::of_subject(&Subject::user("alice")),
            client: Index::of_client(&ClientId::new("app")),
            session: Some(Index::of_session(SessionId::from_bytes([7; 16]))),
        };
        assert_eq!(
            due.all_keys(&Names::new("p")),
            [
                "p::d:{a}",
                "p::a:{a}",
                "p::c:FCCXlUf2Xp2KXZ2arzFEsw:a",
                "p::u:ZZuXKrbkkH0lRxMVxXYr0Q:0",
                "p::s:BwcHBwcHBwcHBwcHBwcHBw:0"
            ]
        );
    }
}
