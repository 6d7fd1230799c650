//! Compares a client that a registry returned with the one that was written, member by member.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::client::Client;

/// The members of a stored client, each with its path. Each member of the metadata is one, and so is each
/// part of a secret.
pub(super) fn members(body: &Value) -> BTreeMap<String, &Value> {
    let mut found = BTreeMap::new();
    collect(body, String::new(), &mut found);
    found
}

fn collect<'a>(value: &'a Value, path: String, found: &mut BTreeMap<String, &'a Value>) {
    match value {
        Value::Object(members) if !path.starts_with("metadata.") => {
            let dot = if path.is_empty() { "" } else { "." };
            members.iter().for_each(|(name, value)| collect(value, format!("{path}{dot}{name}"), found));
        }
        Value::Array(elements) if !path.starts_with("metadata.") => {
            let elements = elements.iter().enumerate();
            elements.for_each(|(at, value)| collect(value, format!("{path}[{at}]"), found));
        }
        _ => {
            found.insert(path, value);
        }
    }
}

/// What differs between the client that was written and the one that was read: the path of each member, and
/// what was read.
pub(super) fn differences(written: &Client, read: &Client) -> Vec<(String, String)> {
    let (before, after) = (written.encode(), read.encode());
    let (before, after) = (members(&before), members(&after));
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let changed = names.filter(|name| before.get(*name) != after.get(*name));
    let shown = |name: &String| after.get(name).map_or("nothing".to_owned(), ToString::to_string);
    let mut found: Vec<_> = changed.map(|name| (name.clone(), shown(name))).collect();
    if found.is_empty() {
        found.extend(computed(written, read).map(|(name, value)| (name.to_owned(), value)));
    }
    found
}

/// What no member says, because it follows from the others, or because such a client is never stored.
fn computed(written: &Client, read: &Client) -> impl Iterator<Item = (&'static str, String)> {
    let parts = [
        ("redirect_uris()", written.redirect_uris == read.redirect_uris, format!("{:?}", read.redirect_uris)),
        ("auth_method()", written.auth_method == read.auth_method, format!("{:?}", read.auth_method)),
        ("keys()", written.keys == read.keys, format!("{:?}", read.keys)),
        ("sector()", written.sector == read.sector, format!("{:?}", read.sector)),
        ("document_host()", written.of_document == read.of_document, format!("{:?}", read.document_host())),
        ("subject", written.identity == read.identity, format!("{:?}", read.identity)),
    ];
    parts.into_iter().filter_map(|(name, is_equal, value)| (!is_equal).then_some((name, value)))
}
