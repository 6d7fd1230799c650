#!/bin/sh
# Builds the fuzz targets and runs them, two at a time: `run.sh [SECONDS [TARGET…]]`. Without an argument each gets the
# same few thousand inputs from a fixed seed, so that a run can be repeated; with a number of seconds it gets as many as
# it can, from another seed. Prints how many inputs each had. What libFuzzer says is in fuzz/logs; a crash shows it and
# fails the script, and its input is in fuzz/artifacts/<target>. Needs a C++ compiler; cargo-fuzz is installed if it is
# missing.
set -eu
cd "$(dirname "$0")"
limits="-seed=1 -runs=4000"
corpus=logs/corpus
rm -rf "$corpus"
if [ $# -gt 0 ]; then
    limits="-max_total_time=$1"
    corpus=corpus
    shift
fi
# Sanitizer coverage is a nightly option of rustc.
export RUSTC_BOOTSTRAP=1 CARGO_TERM_QUIET=true
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
[ $# -gt 0 ] || set -- $(cargo fuzz list --fuzz-dir .)

# The address sanitizer would find nothing: the crate has no unsafe code.
cargo fuzz build --fuzz-dir . --target-dir target --sanitizer none --codegen-units 16

mkdir -p logs
bin="target/$(rustc -vV | sed -n 's/^host: //p')/release"
export bin limits corpus
printf '%s\n' "$@" | xargs -n 1 -P 2 sh -c '
    mkdir -p "$corpus/$1" "artifacts/$1"
    if "$bin/$1" "$corpus/$1" "seeds/$1" -artifact_prefix="artifacts/$1/" -dict=words.dict $limits \
        -max_len=4096 -timeout=5 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 >"logs/$1.log" 2>&1; then
        echo "$1: $(sed -n "s/^stat::number_of_executed_units: *//p" "logs/$1.log") inputs"
    else
        echo "$1: FAILED"
        tail -n 100 "logs/$1.log"
        exit 1
    fi
' sh
