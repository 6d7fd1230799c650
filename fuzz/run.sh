#!/bin/sh
# Runs each fuzz target for the given number of seconds (10 by default). A crash fails the script, and its input is
# in fuzz/artifacts/<target>. Needs a C++ compiler; cargo-fuzz is installed if it is missing.
set -eu
cd "$(dirname "$0")"
seconds="${1:-10}"
# Sanitizer coverage is a nightly option of rustc.
export RUSTC_BOOTSTRAP=1
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
for target in form handle redirect codec jws proof assertion request_object jwks certificate router; do
    mkdir -p "corpus/$target"
    cargo fuzz run --fuzz-dir . "$target" "corpus/$target" "seeds/$target" -- \
        -dict=words.dict -max_total_time="$seconds" -max_len=4096 -timeout=5 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1
done
