#!/usr/bin/env bash
# Makes a template for `cargo generate` of this example: `examples/login/template.sh FOLDER`.
#
# By default it depends on the published crate; GRANTOR is another dependency, such as `path = "/the/checkout"`.
set -euo pipefail
cd "$(dirname "$0")"
to=${1:?a folder for the template}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' ../../Cargo.toml | head -n 1)
grantor=${GRANTOR:-version = \"$version\"}

mkdir -p "$to"
cp -r src templates "$to/"
cat >"$to/cargo-generate.toml" <<'END'
[template]
description = "An OpenID Provider of your own: sign-up, sign-in, consent, connected apps, logout and a guarded API, on SQLite"
# The pages have placeholders of their own.
exclude = ["templates/*"]
END

# What the workspace says of a dependency, in its place.
{
    echo '[package]'
    echo 'name = "{{project-name}}"'
    echo 'version = "0.1.0"'
    sed -n 's/^\(edition\|rust-version\) = /\1 = /p' ../../Cargo.toml | tail -n 2
    echo 'publish = false'
    echo
    while IFS= read -r line; do
        case $line in
        'grantor = '*) echo "$line" | sed "s|workspace = true|$grantor|" ;;
        *.workspace\ =\ true) grep -m 1 "^${line%%.*} = " <(sed -n '/^\[workspace.dependencies\]/,/^\[workspace.lints/p' ../../Cargo.toml) ;;
        *) echo "$line" ;;
        esac
    done < <(sed -n '/^\[dependencies\]/,/^\[lints\]/p' Cargo.toml | grep -v '^\[lints\]')
    echo '# A password hash takes a second without.'
    sed -n '/^\[profile.dev.package.argon2\]/,/^opt-level/p' ../../Cargo.toml
} >"$to/Cargo.toml"
sed -i "s/cargo run -p grantor-login/cargo run/" "$to/src/main.rs"
echo "a template is in $to: cargo generate --path $to --name my-login"
