#!/usr/bin/env bash
# Counts the instructions of each operation with callgrind, of the floor and of this crate: the first table of
# "What the rest is" in README.md. A directory as the argument keeps the dumps there, each of one lap. For x86-64:
# valgrind has no SHA instructions, so the blocks of SHA-256 are counted apart.
set -euo pipefail
cd "$(dirname "$0")"
dumps=$(realpath -m "${1:-$(mktemp -d)}")
mkdir -p "$dumps"

# The arguments of a bench select its row. Without `--bench`, every contender takes two turns; the first one warms up.
run() {
    local bench=$1 program
    shift
    program=$(cargo bench -q -p grantor-benches --bench "$bench" --no-run --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
    valgrind -q --tool=callgrind --dump-instr=yes --callgrind-out-file="$dumps/$bench" \
        --zero-before="$bench::support::Lap::start" --dump-before="$bench::support::Lap::end" "$program" "$@" >"$dumps/$bench.txt"
}

# One line: the operation, the contender, how many operations a lap has, and the dumps of its laps.
line() {
    local operation=$1 contender=$2 times=$3
    shift 3
    (cd "$dumps" && awk -v operation="$operation" -v contender="$contender" -v times="$times" '
        /^c?fn=/ {
            id = $1; sub(/^c?fn=/, "", id); id = FILENAME id
            if (NF > 1) { name = $0; sub(/^[^ ]* /, "", name); names[id] = name }
            if (/^c/) called = names[id]; else running = names[id]
        }
        /^calls=/ {
            count = substr($1, 7)
            if (called ~ /^sha2::sha256::compress256/) blocks += count
            if (called ~ /^(malloc|calloc|realloc)$/) allocations += count
            getline # what the callee takes
            next
        }
        NF == 3 && /^[0-9+*-]/ { if (running ~ /^sha2::.*compress/) sha += $3; else rest += $3 }
        END {
            printf "%-20s %-8s %8.0f %8.0f %8.1f\n", operation, contender, rest / times, blocks / times, allocations / times
        }' "$@")
}

run classic
run openid UserInfo
run secured pushed
printf '%-20s %-8s %8s %8s %8s\n' "one operation" "" "rest" "SHA-256" "allocated"
at=0
# oxide-auth does not introspect, so a turn of that row has three laps.
for operation in "client_credentials 4" "authorize 4" "redeem 4" "refresh 4" "introspection 3" "bearer 4"; do
    read -r name laps <<<"$operation"
    line "$name" floor 256 "classic.$((at + laps + 1))"
    line "$name" grantor 256 "classic.$((at + laps + 2))"
    at=$((at + 2 * laps))
done
line UserInfo floor 64 openid.3
line UserInfo grantor 64 openid.4
line pushed floor 64 secured.4
line pushed grantor 64 secured.5 secured.6
