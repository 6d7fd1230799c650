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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_either_kind_of_string() {
        assert_eq!(text(&Value::SimpleString("done".to_owned())).unwrap(), "done");
        assert_eq!(text(&Value::BulkString(b"done".to_vec())).unwrap(), "done");
        for other in [Value::BulkString(vec![0xff]), Value::Nil, Value::Int(1)] {
            assert!(text(&other).unwrap_err().is_permanent(), "{other:?}");
        }
    }

    #[test]
    fn an_unexpected_reply_is_named_and_not_repeated() {
        for (answer, expected) in [
            (Value::Nil, "nothing"),
            (Value::Int(7), "a number"),
            (Value::BulkString(b"hunter2".to_vec()), "a string"),
            (Value::SimpleString("hunter2".to_owned()), "a string"),
            (Value::Okay, "a string"),
            (Value::Array(vec![Value::BulkString(b"hunter2".to_vec())]), "a list"),
            (Value::Boolean(true), "something else"),
        ] {
            let error = unexpected(&answer);
            let text = error.to_string();
            assert!(error.is_permanent() && text.contains(&format!("answered with {expected},")), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
