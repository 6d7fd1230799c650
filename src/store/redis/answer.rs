//! Reading what the server answers.

use redis::Value;

use crate::store::BackendError;

/// An answer that is a text.
pub(super) fn text(answer: &Value) -> Result<&str, BackendError> {
    match answer {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).map_err(|_| unexpected(answer)),
        Value::SimpleString(text) => Ok(text),
        _ => Err(unexpected(answer)),
    }
}

/// An answer that is a list of bytes.
pub(super) fn list(answer: Value) -> Result<Vec<Vec<u8>>, BackendError> {
    redis::from_redis_value(answer).map_err(|_| BackendError::permanent("an index is damaged"))
}

/// The part before the first line break of a record, its version, and the part after it, the body.
pub(super) fn record(answer: &Value) -> Result<(u64, &str), BackendError> {
    let parts = text(answer)?.split_once('\n').and_then(|(head, body)| {
        let (version, _) = head.split_once(' ')?;
        Some((version.parse().ok()?, body))
    });
    parts.ok_or_else(|| BackendError::permanent("a record does not begin with its version"))
}

/// An answer of another type than the call has.
pub(super) fn unexpected(answer: &Value) -> BackendError {
    let found = match answer {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::Okay => "a text",
        Value::Array(_) => "a list",
        _ => "something else",
    };
    BackendError::permanent(format!("the server answered with {found}, which was not asked for"))
}
