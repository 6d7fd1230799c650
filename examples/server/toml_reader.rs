//! Reads a TOML file entry by entry, so that one mistake does not hide the next.

use std::collections::HashSet;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::vault::Vault;

/// Collects the mistakes of a file.
#[derive(Default)]
pub(crate) struct Reader {
    /// Each begins with the key of the file that it is about.
    pub(crate) mistakes: Vec<String>,
    /// The keys of the file that had mistakes when all of it had been read.
    broken: HashSet<String>,
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

    /// The table `key`; see [`settings`](Self::settings).
    pub(crate) fn table<T: DeserializeOwned + Default>(&mut self, file: &mut Table, key: &str) -> T {
        let table = self.take(file, key);
        table.and_then(|table| self.settings(key, table)).unwrap_or_default()
    }

    /// Decodes a table whose keys may all be left out. Each key is decoded by itself, so that every mistake is
    /// found and names its key; the others still have an effect.
    pub(crate) fn settings<T: DeserializeOwned>(&mut self, place: &str, table: Table) -> Option<T> {
        let mut sound = Table::new();
        for (key, value) in table {
            let alone = Table::from_iter([(key.clone(), value.clone())]);
            match alone.try_into::<T>() {
                Ok(_) => drop(sound.insert(key, value)),
                Err(error) if error.message().starts_with("unknown field") => {
                    self.mistakes.push(format!("{place}: {}", one_line(&error)));
                }
                Err(error) => self.mistakes.push(format!("{place}.{key}: {}", one_line(&error))),
            }
        }
        self.decode(place, Value::Table(sound))
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

    /// From here on, [`has`](Self::has) knows which keys had mistakes.
    pub(crate) fn all_is_read(&mut self) {
        self.broken = self.keys_with_mistakes().map(str::to_owned).collect();
    }

    fn keys_with_mistakes(&self) -> impl Iterator<Item = &str> {
        let is_key = |c: char| c.is_ascii_alphanumeric() || c == '_';
        self.mistakes.iter().filter_map(move |line| line.split(|c| !is_key(c)).next())
    }

    /// Whether no key but these has a mistake up to now.
    pub(crate) fn has_all_but(&self, others: &[&str]) -> bool {
        self.keys_with_mistakes().all(|key| others.contains(&key))
    }

    /// Whether what the file says under these keys is known. Checks that need a key with a mistake would
    /// report things that are not wrong.
    pub(crate) fn has(&self, keys: &[&str]) -> bool {
        keys.iter().all(|key| !self.broken.contains(*key))
    }

    /// Reports every key that has not been taken by now as unknown.
    pub(crate) fn nothing_left(&mut self, entry: &Table, place: &str, known: &str) {
        for key in entry.keys() {
            self.mistakes.push(format!("{place}: unknown key `{key}`; the known keys are {known}"));
        }
    }
}

/// The names of the entries, including broken ones; `None` if one has no name.
pub(crate) fn names(file: &Table, list: &str, key: &str) -> Option<Vec<String>> {
    let Some(entries) = file.get(list) else { return Some(Vec::new()) };
    entries.as_array()?.iter().map(|entry| Some(entry.get(key)?.as_str()?.to_owned())).collect()
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
    if message.starts_with("expected table, found") {
        return "expected a string".to_owned();
    }
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return message };
    let expected = match expected {
        "a map" => "a table",
        text if text.starts_with("struct ") => "a table",
        "a sequence" => "a list",
        "u32" | "u64" => "a whole number of 0 or more",
        "path string" => "a string",
        text => text,
    };
    match found.strip_prefix("invalid type: ") {
        Some(found) if found.starts_with("unit variant") => "expected a string".to_owned(),
        Some(found) => {
            let kind = found.split(['"', '`']).next().unwrap_or_default().trim_end();
            format!("invalid type: {kind}, expected {expected}")
        }
        None => format!("{found}, expected {expected}"),
    }
}
