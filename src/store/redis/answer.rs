//! Reads the replies of the server.

use redis::Value;

use crate::store::BackendError;

/// A reply that is a text.
pub(super) fn text(answer: &Value) -> Result<&str, BackendError> {
    match answer {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).map_err(|_| unexpected(answer)),
        Value::SimpleString(text) => Ok(text),
        _ => Err(unexpected(answer)),
    }
}

/// A reply that is a list of byte strings.
pub(super) fn list(answer: Value) -> Result<Vec<Vec<u8>>, BackendError> {
    redis::from_redis_value(answer).map_err(|_| BackendError::permanent("an index is damaged"))
}

/// The version of a record, from the line before the first line break, and its body, which follows.
pub(super) fn record(answer: &Value) -> Result<(u64, &str), BackendError> {
    let parts = text(answer)?.split_once('\n').and_then(|(head, body)| {
        let (version, _) = head.split_once(' ')?;
        Some((version.parse().ok()?, body))
    });
    parts.ok_or_else(|| BackendError::permanent("a record does not begin with its version"))
}

/// The error for a reply of an unexpected type.
pub(super) fn unexpected(answer: &Value) -> BackendError {
    let found = match answer {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "a string",
        Value::Array(_) => "a list",
        _ => "something else",
    };
    BackendError::permanent(format!("the server answered with {found}, which was not expected"))
}
