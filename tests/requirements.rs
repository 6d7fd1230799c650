//! The list of requirements: what is done has a test that carries its id, and what is planned has none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirements {
    done: Vec<String>,
    /// What each waits for.
    planned: BTreeMap<String, String>,
}

fn requirements() -> Requirements {
    toml::from_str(include_str!("requirements.toml")).expect("a list of requirements")
}

/// The ids in the names of all functions of the tests that are attributed as tests.
fn tested() -> BTreeSet<String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut ids = BTreeSet::new();
    for folder in [tests.to_owned(), tests.join("../src")] {
        for_each_source(&folder, &mut |source| ids.extend(ids_in(source)));
    }
    ids
}

fn for_each_source(folder: &Path, visit: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            for_each_source(&path, visit);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            visit(&fs::read_to_string(&path).expect("a source"));
        }
    }
}

/// `H-06` for `fn h_06_token_endpoint_is_post_only` that follows a line with `test]` and is not ignored.
fn ids_in(source: &str) -> Vec<String> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let tests = lines.windows(2).filter(|pair| pair[0].starts_with("#[") && pair[0].contains("test"));
    tests.filter_map(|pair| id_of(pair[1])).collect()
}

fn id_of(line: &str) -> Option<String> {
    let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    let mut words = name.split('_');
    let (family, number, more) = (words.next()?, words.next()?, words.next()?);
    let digits = number.len() == 2 && number.bytes().all(|b| b.is_ascii_digit());
    let id = (1..=2).contains(&family.len()) && digits && !more.is_empty();
    id.then(|| format!("{}-{number}", family.to_uppercase()))
}

#[test]
fn every_requirement_that_is_done_has_a_test() {
    let tested = tested();
    let untested: Vec<String> = requirements().done.into_iter().filter(|id| !tested.contains(id)).collect();
    assert_eq!(untested, [""; 0]);
}

#[test]
fn no_requirement_stands_there_twice() {
    let Requirements { done, planned } = requirements();
    let once: BTreeSet<&String> = done.iter().collect();
    assert_eq!(once.len(), done.len(), "done twice");
    let both: Vec<&&String> = once.iter().filter(|id| planned.contains_key(**id)).collect();
    assert!(both.is_empty(), "done and planned: {both:?}");
    assert!(planned.values().all(|why| !why.is_empty()));
    assert_eq!(done.len() + planned.len(), 248, "all of the list");
}

#[test]
fn no_test_carries_the_id_of_what_is_planned_or_unknown() {
    let Requirements { done, planned } = requirements();
    let families: BTreeSet<&str> =
        done.iter().chain(planned.keys()).filter_map(|id| id.split('-').next()).collect();
    for id in tested() {
        assert!(!planned.contains_key(&id), "{id} has a test: is it done?");
        let family = id.split('-').next().unwrap_or_default();
        assert!(done.contains(&id) || !families.contains(family), "nobody requires {id}");
    }
}

#[test]
fn ids_are_read_from_the_names_of_tests_alone() {
    let source = "#[test]\nfn h_06_a() {}\n#[tokio::test]\nasync fn az_11_b() {}\nfn ca_01_helper() {}\n\
                  #[test]\nfn of_64_tasks() {}\n#[test]\nfn rfc_12_x() {}\n#[derive(Debug)]\nfn d_01_y() {}";
    assert_eq!(ids_in(source), ["H-06", "AZ-11", "OF-64"]);
}
