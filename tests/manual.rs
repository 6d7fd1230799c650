//! What the manual shows of other packages is what is compiled there.

use std::fs;
use std::path::Path;

/// The blocks of a chapter that rustdoc does not compile.
fn shown(chapter: &str) -> Vec<&str> {
    let blocks = chapter.split("```text\n").skip(1);
    blocks.map(|block| block.split("\n```").next().expect("an end")).collect()
}

#[test]
fn the_code_of_the_chapter_on_sign_in_pages_is_compiled() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("upstream/src");
    let files = fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    let files: Vec<String> = files.map(|file| fs::read_to_string(file).expect("a source")).collect();
    let shown = shown(include_str!("../src/manual/upstream.md"));
    assert_eq!(shown.len(), 6);
    for block in shown {
        assert!(files.iter().any(|file| file.contains(block)), "not in tests/upstream:\n{block}");
    }
}
