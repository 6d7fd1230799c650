//! The floors of `src`: a module imports from its own floor and from those below it, never from one above.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// From the ground up.
const FLOORS: &[&str] = &[
    "base",
    "error",
    "signing",
    "http",
    "outbound",
    "jose",
    "trust",
    "client",
    "openid",
    "issuance",
    "grant",
    "audit",
    "keys",
    "store",
    "registration",
    "documents",
    "token",
    "resource",
    "flow",
    "server",
    "tenants",
    "dev_pages",
    "assertions",
    "testing",
    "adapter",
    "manual",
];

/// The floor of a name, counted from the ground.
fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|module| *module == name)
}

/// Each import of a module of the crate, as who imports and from where.
fn imports() -> BTreeSet<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let mut imports = BTreeSet::new();
    for_each_source(&root, &mut |path, source| {
        let place = path.strip_prefix(&root).expect("a path below src");
        let first = place.iter().next().and_then(|name| name.to_str()).expect("a name");
        let importer = first.trim_end_matches(".rs");
        if importer != "lib" {
            imports.extend(imported(source).into_iter().map(|name| (importer.to_owned(), name)));
        }
    });
    imports
}

fn for_each_source(folder: &Path, visit: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            for_each_source(&path, visit);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            visit(&path, &fs::read_to_string(&path).expect("a source"));
        }
    }
}

/// The names that follow `crate::` in the code before its unit tests, comments left out.
fn imported(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let code: Vec<&str> = code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let paths = code.match_indices("crate::").filter(|(at, _)| !code[..*at].ends_with('$'));
    let names = paths.map(|(at, word)| {
        let rest = &code[at + word.len()..];
        rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default().to_owned()
    });
    names.collect()
}

fn climbs((importer, name): &(String, String)) -> bool {
    floor(name) > floor(importer)
}

#[test]
fn every_module_has_a_floor() {
    let imports = imports();
    let names: BTreeSet<&str> = imports.iter().flat_map(|(a, b)| [a.as_str(), b.as_str()]).collect();
    let homeless: Vec<&&str> = names.iter().filter(|name| floor(name).is_none()).collect();
    assert!(homeless.is_empty(), "on which floor are these? {homeless:?}");
}

#[test]
fn no_module_imports_from_a_floor_above_its_own() {
    let upward: Vec<(String, String)> = imports().into_iter().filter(climbs).collect();
    assert!(upward.is_empty(), "imports from above (importer, imported): {upward:?}");
}

#[test]
fn imports_are_read_from_code_alone() {
    let source = "//! [`crate::server`]\nuse crate::error::Reason;\nfn f() { crate::http::g() } // crate::flow\n\
                  $crate::store\n#[cfg(test)]\nmod tests { use crate::grant; }";
    assert_eq!(imported(source), BTreeSet::from(["error".to_owned(), "http".to_owned()]));
}
