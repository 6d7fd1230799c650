//! Reads a TOML file entry by entry, so that one mistake does not hide the next.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::vault::Vault;

/// Collects the mistakes of a file.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) mistakes: Vec<String>,
    /// Seals the secrets that the server has to open again.
    pub(crate) vault: Arc<Vault>,
}

impl Reader {
    /// The value of `key`, if it is present.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, file: &mut Table, key: &str) -> Option<T> {
        let value = file.remove(key)?;
        self.decode(key, value)
    }

    /// The value of `key`, which is required.
    pub(crate) fn must<T: DeserializeOwned>(
        &mut self,
        entry: &mut Table,
        place: &str,
        key: &str,
    ) -> Option<T> {
        if !entry.contains_key(key) {
            self.mistakes.push(format!("{place}: {key} is missing"));
        }
        self.may(entry, place, key)
    }

    /// The value of `key` in an entry, if it is present.
    pub(crate) fn may<T: DeserializeOwned>(
        &mut self,
        entry: &mut Table,
        place: &str,
        key: &str,
    ) -> Option<T> {
        let value = entry.remove(key)?;
        self.decode(&format!("{place}.{key}"), value)
    }

    /// The secrets of a list in an entry, if it is present. Mistakes never repeat a value.
    pub(crate) fn secrets(&mut self, entry: &mut Table, place: &str, key: &str) -> Option<Vec<String>> {
        let place = format!("{place}.{key}");
        match entry.remove(key)? {
            Value::Array(list) => {
                let read: Vec<_> = list.into_iter().map(|value| self.secret(&place, value)).collect();
                read.into_iter().collect()
            }
            _ => {
                self.mistakes.push(format!("{place} must be a list of strings, in brackets"));
                None
            }
        }
    }

    /// Reads a secret. Mistakes never repeat its value.
    pub(crate) fn secret(&mut self, place: &str, value: Value) -> Option<String> {
        match value {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => {
                self.mistakes.push(format!("{place} must be a non-empty string in quotes"));
                None
            }
        }
    }

    pub(crate) fn decode<T: DeserializeOwned>(&mut self, place: &str, value: Value) -> Option<T> {
        value.try_into().map_err(|error| self.mistakes.push(format!("{place}: {}", one_line(&error)))).ok()
    }

    /// Reads the entries of `[[key]]`. Mistakes name an entry by its position and its own name.
    pub(crate) fn each<T>(
        &mut self,
        file: &mut Table,
        key: &str,
        read: fn(&mut Self, &str, Table) -> Option<T>,
    ) -> Vec<T> {
        let entries: Vec<Table> = self.take(file, key).unwrap_or_default();
        let numbered = entries.into_iter().zip(1..);
        numbered
            .filter_map(|(entry, n)| {
                let name = ["client_id", "username", "identifier", "issuer", "type"]
                    .iter()
                    .find_map(|key| entry.get(*key)?.as_str());
                let place = match name {
                    Some(name) => format!("{key} {n} ({name})"),
                    None => format!("{key} {n}"),
                };
                read(self, &place, entry)
            })
            .collect()
    }

    /// Reports every key that has not been taken by now as unknown.
    pub(crate) fn nothing_left(&mut self, entry: &Table, place: &str, known: &str) {
        for key in entry.keys() {
            self.mistakes.push(format!("{place}: unknown key `{key}`; the known keys are {known}"));
        }
    }
}

/// The names of the entries, including broken ones.
pub(crate) fn names(file: &Table, list: &str, key: &str) -> Vec<String> {
    let entries = file.get(list).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    entries.iter().filter_map(|entry| Some(entry.get(key)?.as_str()?.to_owned())).collect()
}

/// Describes where the text is not valid TOML, and why.
pub(crate) fn syntax_error(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let line = text.get(..start).map_or(0, |before| before.matches('\n').count()) + 1;
    format!("line {line}: {}", one_line(error))
}

/// A value of the wrong type is not repeated: it may be a secret that is in the wrong place.
fn one_line(error: &toml::de::Error) -> String {
    let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    match (message.strip_prefix("invalid type: "), message.rsplit_once(", expected ")) {
        (Some(found), Some((_, expected))) => {
            let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end_matches([' ', ',']);
            format!("invalid type: {kind}, expected {expected}")
        }
        _ => message,
    }
}
