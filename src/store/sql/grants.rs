//! The table `grantor_grants`: a versioned map, with columns for listing and purging.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::super::{BackendError, CommitError, Committed, Damaged, Filter, Listing, Page, Record};
use super::super::{StoreIdentity, TokenStore, Tombstone, UserCodeDigest, Write};
use super::batch::ending_error;
use super::{Columns, Engine, Lane, SqlStore, Value};
use crate::client::ClientId;
use crate::grant::{GrantId, SessionId, Subject};

pub(in crate::store) const LOAD: &str =
    "SELECT version, body FROM grantor_grants WHERE space = $1 AND id = $2";

/// The parameters are in the order of [`inserted`].
pub(in crate::store) const INSERT: &str = "INSERT INTO grantor_grants (space, id, version, body, expires, client, subject, user_code, session) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";

/// Changes no index except that of `expires`.
pub(in crate::store) const REPLACE: &str = "UPDATE grantor_grants SET version = $3, body = $4, expires = $5 \
     WHERE space = $1 AND id = $2 AND version = $6";

pub(in crate::store) const REINDEX: &str = "UPDATE grantor_grants SET version = $3, body = $4, expires = $5, client = $6, subject = $7, user_code = $8, session = $9 \
     WHERE space = $1 AND id = $2 AND version = $10";

/// The client never changes; the subject may, while the grant waits for its user, and has to be that of the
/// body.
pub(in crate::store) const END: &str = "UPDATE grantor_grants SET version = version + 1, body = $3, expires = $4, subject = $5, user_code = NULL \
     WHERE space = $1 AND id = $2";

pub(in crate::store) const FIND_BY_USER_CODE: &str =
    "SELECT id, version, body FROM grantor_grants WHERE space = $1 AND user_code = $2";

pub(in crate::store) const LIST: &str = "SELECT id, version, body, client, subject, expires, session FROM grantor_grants \
     WHERE space = $1 AND id > $2 ORDER BY id LIMIT $3";

pub(in crate::store) const LIST_OF_SUBJECT: &str = "SELECT id, version, body, client, subject, expires, session FROM grantor_grants \
     WHERE space = $1 AND id > $2 AND subject = $4 ORDER BY id LIMIT $3";

pub(in crate::store) const LIST_OF_CLIENT: &str = "SELECT id, version, body, client, subject, expires, session FROM grantor_grants \
     WHERE space = $1 AND id > $2 AND client = $4 ORDER BY id LIMIT $3";

/// A grant that has ended stays in the index of its session.
pub(in crate::store) const LIST_OF_SESSION: &str = "SELECT id, version, body, client, subject, expires, session FROM grantor_grants \
     WHERE space = $1 AND id > $2 AND session = $4 ORDER BY id LIMIT $3";

/// Uses the index of the subject, because a user has fewer grants than a client can have. The expression
/// keeps the database from using another index.
pub(in crate::store) const LIST_OF_PAIR: &str = "SELECT id, version, body, client, subject, expires, session FROM grantor_grants \
     WHERE space = $1 AND id > $2 AND subject = $4 AND client || '' = $5 ORDER BY id LIMIT $3";

#[async_trait]
impl<E: Engine> TokenStore for SqlStore<E> {
    async fn load(&self, id: GrantId) -> Result<Option<Record>, BackendError> {
        let values = [Value::Text(&self.space), Value::Bytes(id.as_bytes())];
        let rows = self.engine.rows(LOAD, &values).await?;
        rows.first().map(|row| Record::decode(id, version(row.integer(0)?), &row.text(1)?)).transpose()
    }

    async fn commit(&self, write: &Write) -> Result<Committed, CommitError> {
        let (index, body) = (write.next().index(), write.body());
        let subject = index.subject_key();
        let user_code = index.user_code.as_ref().map(|code| code.as_bytes().as_slice());
        let id = write.id();
        let expect = Value::Integer(number(write.expect().unwrap_or_default()));
        let record = [
            Value::Text(&self.space),
            Value::Bytes(id.as_bytes()),
            Value::Integer(number(write.next().version())),
            Value::Text(&body),
            Value::Integer(index.expires.timestamp()),
        ];
        let session = index.session.as_ref().map(|session| session.as_bytes().as_slice());
        let names = [
            Value::Text(index.client.as_str()),
            Value::Text(&subject),
            Value::MaybeBytes(user_code),
            Value::MaybeBytes(session),
        ];
        let changed = match (write.expect(), write.reindexes()) {
            (None, _) => self.engine.change(Lane::Request, INSERT, &[&record[..], &names].concat()).await?,
            (Some(_), false) => {
                self.engine.change(Lane::Request, REPLACE, &[&record[..], &[expect]].concat()).await?
            }
            (Some(_), true) => {
                self.engine.change(Lane::Request, REINDEX, &[&record[..], &names, &[expect]].concat()).await?
            }
        };
        match changed {
            0 => Err(CommitError::Conflict),
            _ => Ok(write.committed()),
        }
    }

    async fn end(&self, tombstone: &Tombstone) -> Result<Committed, BackendError> {
        let ending = self.ending(tombstone);
        self.engine.change(Lane::Revocation, END, &ending.values()).await.map_err(ending_error)?;
        Ok(tombstone.committed())
    }

    async fn end_all(&self, tombstones: &[Tombstone]) -> Vec<Result<Committed, BackendError>> {
        self.end_batch(tombstones).await
    }

    async fn find_by_user_code(&self, code: &UserCodeDigest) -> Result<Option<Record>, BackendError> {
        let values = [Value::Text(&self.space), Value::Bytes(code.as_bytes())];
        let rows = self.engine.rows(FIND_BY_USER_CODE, &values).await?;
        rows.first().map(record).transpose()
    }

    async fn list(&self, filter: &Filter, page: Page) -> Result<Listing, BackendError> {
        let after = page.after.as_ref().map_or(&[][..], |id| id.as_bytes());
        let subject = filter.subject.as_ref().map(|subject| subject.key());
        let statement = match (&filter.session, &subject, &filter.client) {
            (Some(_), _, _) => LIST_OF_SESSION,
            (None, None, None) => LIST,
            (None, Some(_), None) => LIST_OF_SUBJECT,
            (None, None, Some(_)) => LIST_OF_CLIENT,
            (None, Some(_), Some(_)) => LIST_OF_PAIR,
        };
        let mut values = vec![
            Value::Text(&self.space),
            Value::Bytes(after),
            // One more row shows whether another page follows.
            Value::Integer(i64::from(page.limit) + 1),
        ];
        match &filter.session {
            Some(session) => values.push(Value::Bytes(session.as_bytes())),
            None => {
                values.extend(subject.as_deref().map(Value::Text));
                values.extend(filter.client.as_ref().map(|client| Value::Text(client.as_str())));
            }
        }
        let rows = self.engine.rows(statement, &values).await?;
        let rows = rows.iter().map(listed).collect::<Result<Vec<_>, _>>()?;
        let listing = Listing::of_rows(rows, page);
        Ok(if filter.session.is_some() { listing.matching(filter) } else { listing })
    }

    async fn purge(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, BackendError> {
        let mut gone = 0;
        for (statement, before) in [(E::PURGE_GRANTS, up(before)), (E::PURGE_REPLAYS, before.timestamp())] {
            // The limit applies to both tables together, so that no call takes longer.
            let left = u64::from(limit).saturating_sub(gone);
            if left > 0 {
                gone += self.purge_rows(statement, before, left).await?;
            }
        }
        Ok(gone)
    }

    fn identity(&self) -> Option<StoreIdentity> {
        let place = self.engine.place()?.iter().cloned();
        Some(StoreIdentity::named(place.chain([Box::from(&*self.space)])))
    }
}

impl<E: Engine> SqlStore<E> {
    async fn purge_rows(
        &self,
        statement: &'static str,
        before: i64,
        limit: u64,
    ) -> Result<u64, BackendError> {
        let values = [Value::Text(&self.space), Value::Integer(before), Value::Integer(number(limit))];
        self.engine.change(Lane::Sweep, statement, &values).await.map_err(ending_error)
    }
}

fn record(row: &impl Columns) -> Result<Record, BackendError> {
    Record::decode(id(row)?, version(row.integer(1)?), &row.text(2)?)
}

/// A row of a listing. An unreadable body does not hide the other rows.
fn listed(row: &impl Columns) -> Result<Result<Record, Damaged>, BackendError> {
    let why = match record(row) {
        Ok(record) => return Ok(Ok(record)),
        Err(error) => error,
    };
    let unreadable = || BackendError::permanent("the columns of a grant are damaged");
    let subject = Subject::of_key(&row.text(4)?).ok_or_else(unreadable)?;
    let expires = DateTime::from_timestamp(row.integer(5)?, 0).ok_or_else(unreadable)?;
    let session = row.maybe_bytes(6)?.and_then(|bytes| bytes.try_into().ok()).map(SessionId::from_bytes);
    let damaged = Damaged::new(id(row)?, ClientId::new(row.text(3)?), subject, expires, why);
    Ok(Err(damaged.in_session(session)))
}

fn id(row: &impl Columns) -> Result<GrantId, BackendError> {
    let id: Result<[u8; GrantId::BYTES], _> = row.bytes(0)?.try_into();
    id.map(GrantId::new).map_err(|_| BackendError::permanent("a grant id does not have 16 bytes"))
}

/// Converts a version; it never comes near the limit of either type.
pub(super) fn number(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

pub(super) fn version(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// Rounds up to a whole second. Stored times are whole seconds, and such a time is before the rounded time
/// exactly if it is before the given one.
pub(super) fn up(time: DateTime<Utc>) -> i64 {
    time.timestamp() + i64::from(time.timestamp_subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So a single-use identifier is remembered until it expires, and what expired before is purged.
    #[test]
    fn a_part_of_a_second_counts_as_a_whole_one() {
        for (seconds, nanoseconds, expected) in
            [(100, 0, 100), (100, 1, 101), (100, 999_999_999, 101), (-1, 1, 0), (0, 0, 0)]
        {
            assert_eq!(up(DateTime::from_timestamp(seconds, nanoseconds).unwrap()), expected);
        }
    }
}
