//! The few column types of the tables, for any database of sqlx.

use sqlx::error::BoxDynError;
use sqlx::{Arguments, ColumnIndex, Database, Decode, Encode, Row, Type};

use super::super::BackendError;

/// A parameter of a statement.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// A text.
    Text(&'a str),
    /// A text that may be missing.
    MaybeText(Option<&'a str>),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Bytes that may be missing.
    MaybeBytes(Option<&'a [u8]>),
    /// A number, or a time in seconds.
    Integer(i64),
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value(..)")
    }
}

/// The values in the order of their placeholders.
pub(in crate::store) fn arguments<D: Database>(values: &[Value<'_>]) -> Result<D::Arguments, BoxDynError>
where
    i64: for<'v> Encode<'v, D> + Type<D>,
    for<'v> &'v str: Encode<'v, D> + Type<D>,
    for<'v> Option<&'v str>: Encode<'v, D> + Type<D>,
    for<'v> &'v [u8]: Encode<'v, D> + Type<D>,
    for<'v> Option<&'v [u8]>: Encode<'v, D> + Type<D>,
{
    let mut arguments = D::Arguments::default();
    for value in values {
        match *value {
            Value::Text(text) => arguments.add(text),
            Value::MaybeText(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::MaybeBytes(bytes) => arguments.add(bytes),
            Value::Integer(number) => arguments.add(number),
        }?;
    }
    Ok(arguments)
}

/// The columns of a row, counted from 0. A column of another type is a permanent error.
pub trait Columns: Send + Sync {
    /// A text.
    fn text(&self, column: usize) -> Result<String, BackendError>;
    /// Bytes.
    fn bytes(&self, column: usize) -> Result<Vec<u8>, BackendError>;
    /// Bytes, if there are any.
    fn maybe_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, BackendError>;
    /// A number, or a time in seconds.
    fn integer(&self, column: usize) -> Result<i64, BackendError>;
}

impl<R: Row> Columns for R
where
    usize: ColumnIndex<R>,
    String: for<'r> Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: for<'r> Decode<'r, R::Database> + Type<R::Database>,
    i64: for<'r> Decode<'r, R::Database> + Type<R::Database>,
{
    fn text(&self, column: usize) -> Result<String, BackendError> {
        self.try_get(column).map_err(unreadable)
    }

    fn bytes(&self, column: usize) -> Result<Vec<u8>, BackendError> {
        self.try_get(column).map_err(unreadable)
    }

    fn maybe_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, BackendError> {
        self.try_get(column).map_err(unreadable)
    }

    fn integer(&self, column: usize) -> Result<i64, BackendError> {
        self.try_get(column).map_err(unreadable)
    }
}

/// The error for a column that another program wrote, or a value that the database cannot store.
pub(in crate::store) fn unreadable(error: impl Into<BoxDynError>) -> BackendError {
    BackendError::permanent(error)
}
