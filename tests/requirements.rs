//! The list of requirements: each has its sentence, what is done has a test that carries its id, and what is
//! planned has none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirements {
    /// Sentences by id.
    done: BTreeMap<String, String>,
    /// The same, by what they wait for.
    planned: BTreeMap<String, BTreeMap<String, String>>,
}

impl Requirements {
    /// Each id with its sentence; what is done comes first.
    fn all(&self) -> Vec<(&str, &str)> {
        let planned = self.planned.values().flatten();
        self.done.iter().chain(planned).map(|(id, sentence)| (id.as_str(), sentence.as_str())).collect()
    }

    fn is_planned(&self, id: &str) -> bool {
        self.planned.values().any(|waiting| waiting.contains_key(id))
    }
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
    let untested: Vec<String> = requirements().done.into_keys().filter(|id| !tested.contains(id)).collect();
    assert_eq!(untested, [""; 0]);
}

#[test]
fn no_requirement_is_listed_twice() {
    let requirements = requirements();
    let all = requirements.all();
    let once: BTreeSet<&str> = all.iter().map(|(id, _)| *id).collect();
    assert_eq!(once.len(), all.len(), "an id is done and planned, or waits for two things");
    assert_eq!(all.len(), 558, "all of the list");
    assert!(requirements.planned.iter().all(|(what, waiting)| !what.is_empty() && !waiting.is_empty()));
}

#[test]
fn every_requirement_says_in_a_sentence_what_is_required() {
    for (id, sentence) in requirements().all() {
        assert_eq!(id_of(&format!("fn {}_x", id.to_lowercase().replace('-', "_"))).as_deref(), Some(id));
        assert!(sentence.ends_with('.') && (10..=250).contains(&sentence.len()), "{id}: {sentence}");
    }
}

#[test]
fn no_test_carries_the_id_of_what_is_planned_or_unknown() {
    let requirements = requirements();
    let families: BTreeSet<&str> =
        requirements.all().iter().filter_map(|(id, _)| id.split('-').next()).collect();
    for id in tested() {
        assert!(!requirements.is_planned(&id), "{id} has a test: is it done?");
        let family = id.split('-').next().unwrap_or_default();
        assert!(requirements.done.contains_key(&id) || !families.contains(family), "{id} is in no list");
    }
}

#[test]
fn ids_are_read_from_the_names_of_tests_alone() {
    let source = "#[test]\nfn h_06_a() {}\n#[tokio::test]\nasync fn az_11_b() {}\nfn ca_01_helper() {}\n\
                  #[test]\nfn of_64_tasks() {}\n#[test]\nfn rfc_12_x() {}\n#[derive(Debug)]\nfn d_01_y() {}";
    assert_eq!(ids_in(source), ["H-06", "AZ-11", "OF-64"]);
}
