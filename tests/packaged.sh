#!/usr/bin/env bash
# The crate as `cargo package` makes it, used by programs outside this repository: each is built as a newcomer does, started,
# and called by openid-client. Prints the seconds of each build.
#
# The builds share a target folder that is kept. With GRANTOR_LONG each starts from nothing, as on a fresh machine, but for the downloads.
set -euo pipefail
cd "$(dirname "$0")/.."
source tests/clients/lib.sh

work=$(mktemp -d)
trap 'stop_program; rm -rf "$work"' EXIT
install_python
install_node

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
cargo package --quiet -p grantor --no-verify --allow-dirty
tar -xmzf "$TARGET/package/grantor-$version.crate" -C "$work"
crate=$work/grantor-$version

# `package NAME FEATURE`: a program that depends on the crate, and on what standard input lists.
package() {
    mkdir -p "$work/$1/src"
    {
        printf '[package]\nname = "%s"\nedition = "2024"\n\n' "$1"
        printf '[dependencies]\ngrantor = { path = "%s", features = ["%s"] }\n' "$crate" "$2"
        cat
    } >"$work/$1/Cargo.toml"
}

package quickstart axum <<'END'
axum = { version = "0.8", default-features = false, features = ["tokio", "http1"] }
tokio = { version = "1", features = ["macros", "rt-multi-thread", "net"] }
END
cp "$crate"/examples/quickstart.* "$work/quickstart/src/"
mv "$work/quickstart/src/quickstart.rs" "$work/quickstart/src/main.rs"

GRANTOR="path = \"$crate\"" examples/login/template.sh "$work/login" >/dev/null
sed -i 's/{{project-name}}/login/' "$work/login/Cargo.toml"

package on-actix actix <<'END'
actix-web = { version = "4", default-features = false }
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
END
cp tests/packaged/actix.rs "$work/on-actix/src/main.rs"

package on-hyper http <<'END'
bytes = "1"
http-body-util = "0.1"
hyper = { version = "1", features = ["http1", "server"] }
hyper-util = { version = "0.1", features = ["tokio"] }
tokio = { version = "1", features = ["macros", "rt-multi-thread", "net"] }
tower-service = "0.3"
END
cp tests/packaged/hyper.rs "$work/on-hyper/src/main.rs"

programs=(quickstart login on-actix on-hyper) failed=0
for name in "${programs[@]}"; do
    target=$TARGET/packaged
    [ -z "${GRANTOR_LONG:-}" ] || target=$work/target
    cp Cargo.lock "$work/$name/"
    start=$SECONDS
    cargo build --quiet --manifest-path "$work/$name/Cargo.toml" --target-dir "$target"
    echo "--- $name: built in $((SECONDS - start)) s"
    arguments=("$(free_port)")
    [ "$name" != login ] || arguments=("$work" "${arguments[@]}")
    start_program "$work/$name.log" "$target/debug/$name" "${arguments[@]}"
    GRANTOR_ISSUER=$program_address timeout 60 node "$NODE_DIR/packaged.mjs" "$name" || failed=$((failed + 1))
    stop_program
    rm -rf "$work/target"
done

# What the crate itself promises: its examples, from what was packed.
cargo build --quiet --manifest-path "$crate/Cargo.toml" --target-dir "$TARGET/packaged" --features axum --examples
echo "--- the packaged crate builds its examples"
# Its path differs each time, so what was built from it is never used again.
for name in "${programs[@]}"; do
    cargo clean --quiet --manifest-path "$work/$name/Cargo.toml" --target-dir "$TARGET/packaged" -p grantor -p "$name"
done

[ $failed -eq 0 ]
