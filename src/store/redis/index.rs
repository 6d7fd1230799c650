//! The indexes: which grants there are of a subject, of a client, and at all, in the order of their ids.
//!
//! An index is in another slot than its grants, so no step covers both. What makes that safe: a grant is in its
//! indexes *before* its write is confirmed, and leaves them only when it is gone or the entry's own end has passed. An
//! entry without a grant is skipped.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use redis::Value;

use super::answer::list;
use super::names::Names;
use super::scripts::{Call, ENTER, command};
use super::server::Server;
use super::{MARGIN, time_to_live};
use crate::client::ClientId;
use crate::grant::{GrantId, Subject};
use crate::secret::Digest;
use crate::store::{Filter, StoreError, Write};

/// So many parts has the index of a client or of all grants, by the first four bits of an id: it may be large, and is
/// to be spread over a cluster.
const PARTS: u8 = 16;

/// A look that is overdue for so long tells that nobody purges.
const OVERDUE: TimeDelta = TimeDelta::days(1);

/// The grants of one subject or client, or all grants.
#[derive(Clone, Copy)]
pub(super) enum Index {
    Owned { kind: char, tag: [u8; 16] },
    All,
}

impl Index {
    pub(super) fn of_subject(subject: &Subject) -> Self {
        let kind = if subject.as_user().is_some() { USER } else { CLIENT_ITSELF };
        Self::Owned { kind, tag: tag(&subject.key()) }
    }

    pub(super) fn of_client(client: &ClientId) -> Self {
        Self::Owned { kind: CLIENT, tag: tag(client.as_str()) }
    }

    /// One that has all grants of the filter.
    pub(super) fn of_filter(filter: &Filter) -> Self {
        match (&filter.subject, &filter.client) {
            (Some(subject), _) => Self::of_subject(subject),
            (None, Some(client)) => Self::of_client(client),
            (None, None) => Self::All,
        }
    }

    fn parts(self) -> u8 {
        match self {
            Self::Owned { kind: USER, .. } => 1,
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
const CLIENT_ITSELF: char = 'i';
const CLIENT: char = 'c';

fn part_of(id: GrantId) -> u8 {
    id.as_bytes()[0] >> 4
}

/// Names an index without the identifier, which may be long and somebody's address. Were two alike, a listing would still
/// have the right grants only.
fn tag(owner: &str) -> [u8; 16] {
    let digest = Digest::of("grantor:redis:v1", owner.as_bytes());
    let mut tag = [0; 16];
    tag.copy_from_slice(&digest.expose()[..16]);
    tag
}

/// A grant that a purge has to look at, and the indexes that it is in.
pub(super) struct Due {
    pub(super) id: GrantId,
    owners: [Index; 2],
}

impl Due {
    const BYTES: usize = 16 + 17 + 17;

    fn of(write: &Write) -> Self {
        let index = write.next().index();
        Self { id: write.id(), owners: [Index::of_subject(index.subject), Index::of_client(index.client)] }
    }

    pub(super) fn member(&self) -> Vec<u8> {
        let mut member = Vec::with_capacity(Self::BYTES);
        member.extend_from_slice(self.id.as_bytes());
        for owner in self.owners {
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
        let (subject, client) = owners.split_at_checked(17)?;
        Some(Self { id: GrantId::new(*id), owners: [owner(subject)?, owner(client)?] })
    }
}

/// Before then, looks are overdue.
pub(super) fn overdue(at: DateTime<Utc>) -> DateTime<Utc> {
    at.checked_sub_signed(OVERDUE).unwrap_or(at)
}

/// Enters a grant into its indexes; after an error, into some of them. Returns some grants whose look is overdue.
pub(super) async fn enter(server: &Server, names: &Names, write: &Write) -> Result<Vec<Due>, StoreError> {
    let due = Due::of(write);
    let ends = write.next().grant().latest_expiry();
    let millis = |at: DateTime<Utc>| at.timestamp_millis().to_string();
    let (id, at) = (write.id(), write.at());
    let life = time_to_live(ends, at);
    let (ends, now) = (millis(ends.checked_add_signed(MARGIN).unwrap_or(ends)), millis(at));
    let [id_bytes, ends, now, life] = [&id.as_bytes()[..], ends.as_bytes(), now.as_bytes(), life.as_bytes()];

    let [subject, client] = due.owners.map(|index| index.key(index.part_of(id), names));
    let (all, looks) = (names.all(part_of(id)), names.due(part_of(id)));
    let (look, overdue) = (millis(write.next().index().expires), millis(overdue(at)));
    let member = due.member();
    let more = [id_bytes, ends, now, life, look.as_bytes(), &member, overdue.as_bytes()];
    let calls = [
        Call::script(&ENTER, &[&subject], &more[..4]),
        Call::script(&ENTER, &[&client], &more[..4]),
        Call::script(&ENTER, &[&all, &looks], &more),
    ];
    let mut overdue = Vec::new();
    for entered in join_all(calls.map(|call| server.settle(call))).await {
        overdue.extend(dues(entered?)?);
    }
    Ok(overdue)
}

/// Has a purge look at a grant earlier than it would, for it has ended.
pub(super) async fn end(server: &Server, names: &Names, write: &Write) -> Result<(), StoreError> {
    look_at(server, names, &Due::of(write), write.next().index().expires).await
}

/// Has a purge look at a grant then.
pub(super) async fn look_at(
    server: &Server,
    names: &Names,
    due: &Due,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (key, at) = (names.due(part_of(due.id)), at.timestamp_millis());
    server.settle(command("ZADD", (key, at, due.member()))).await?;
    Ok(())
}

/// Takes a grant that is gone out of its indexes, and at last off the purge's list.
pub(super) async fn leave(server: &Server, names: &Names, due: &Due) -> Result<(), StoreError> {
    let (from, to) = (bound(b'[', due.id), past(due.id));
    let indexes = [due.owners[0], due.owners[1], Index::All];
    let calls = indexes.map(|index| {
        let key = index.key(index.part_of(due.id), names);
        server.settle(command("ZREMRANGEBYLEX", (key, &from, &to)))
    });
    for left in join_all(calls).await {
        left?;
    }
    server.settle(command("ZREM", (names.due(part_of(due.id)), due.member()))).await?;
    Ok(())
}

/// At most so many grants that were due before `before`.
pub(super) async fn due(
    server: &Server,
    names: &Names,
    part: u8,
    before: DateTime<Utc>,
    limit: usize,
) -> Result<Vec<Due>, StoreError> {
    let before = format!("({}", before.timestamp_millis());
    let range = (names.due(part), "-inf", before, "LIMIT", 0, limit);
    dues(server.read(command("ZRANGEBYSCORE", range)).await?)
}

fn dues(answer: Value) -> Result<Vec<Due>, StoreError> {
    let damaged = || StoreError::permanent("a due time is damaged");
    list(answer)?.iter().map(|member| Due::parse(member).ok_or_else(damaged)).collect()
}

/// The parts of the due times.
pub(super) fn due_parts() -> impl Iterator<Item = u8> {
    0..PARTS
}

/// At most `limit` ids behind this one, in their order. Fewer only if there are no more.
pub(super) async fn ids(
    server: &Server,
    names: &Names,
    index: Index,
    after: Option<GrantId>,
    limit: usize,
) -> Result<Vec<GrantId>, StoreError> {
    let first = after.map_or(0, |id| index.part_of(id));
    let part = async |part| part_ids(server, names, index, part, after, limit).await;
    let mut ids = part(first).await?;
    // Large indexes have enough in the first part; small ones are asked for as a whole.
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
) -> Result<Vec<GrantId>, StoreError> {
    let mut from = after.map_or_else(|| b"-".to_vec(), past);
    let mut ids: Vec<GrantId> = Vec::new();
    // A grant that changed its end has two entries, so a slice may have fewer ids than entries.
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

/// The bound of a range that begins with this id.
fn bound(side: u8, id: GrantId) -> Vec<u8> {
    [&[side], &id.as_bytes()[..]].concat()
}

/// The bound behind all entries of this id: what follows it in an entry are digits.
fn past(id: GrantId) -> Vec<u8> {
    [&bound(b'(', id)[..], b":"].concat()
}
