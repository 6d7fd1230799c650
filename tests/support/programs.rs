//! The example programs, built beside the tests.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

const PACKAGES: [&str; 3] = ["grantor-login", "grantor-mcp-server", "grantor-server"];

/// The binary of one of [`PACKAGES`], next to the test binaries; it is built if it is missing or older than
/// its sources.
pub fn program(package: &str) -> PathBuf {
    assert!(PACKAGES.contains(&package), "{package}");
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(build).join(format!("{package}{}", std::env::consts::EXE_SUFFIX))
}

fn build() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let profile = tests.ancestors().nth(2).unwrap();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    // `--examples` includes the dev-dependencies, so cargo builds the dependencies with the same features as
    // for the tests, and builds none of them twice.
    cargo.args(["build", "--quiet", "--workspace", "--all-features", "--bins", "--examples"]);
    cargo.arg("--target-dir").arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
    assert!(built.success(), "the example programs do not build");
    profile.to_owned()
}
